//! `bss inventory`: numbers and eSIM profiles.

use clap::{Args, Subcommand};
use serde_json::json;

use super::error::CliError;
use super::operations as op;
use super::session::{Gate, Outcome, Session, next_page};
use super::subscription::{self, ActivationArgs, Terminal};
use crate::render;

/// Commands about the pools.
#[derive(Debug, Subcommand)]
pub enum InventoryCommand {
    /// Phone numbers
    #[command(
        subcommand,
        after_help = "\
Examples:
  bss inventory msisdn show 90000042
  bss inventory msisdn list --state available"
    )]
    Msisdn(MsisdnCommand),
    /// eSIM profiles
    #[command(
        subcommand,
        after_help = "\
Examples:
  bss inventory esim list
  bss inventory esim add 100"
    )]
    Esim(EsimCommand),
}

/// Commands about numbers.
#[derive(Debug, Subcommand)]
pub enum MsisdnCommand {
    /// List numbers
    #[command(
        after_help = "Examples:\n  bss inventory msisdn list --state available\n  bss inventory msisdn list --prefix 9100 --limit 100"
    )]
    List(MsisdnListArgs),
    /// Show one number
    #[command(after_help = "\
Examples:
  bss inventory msisdn show 90000042
  bss inventory msisdn show 90000042 -o json")]
    Show {
        /// The number
        #[arg(value_name = "NUMBER")]
        msisdn: String,
    },
    /// Count numbers by status
    #[command(after_help = "Examples:\n  bss inventory msisdn count\n  bss inventory msisdn count --prefix 9100")]
    Count {
        /// Only numbers that start so
        #[arg(long)]
        prefix: Option<String>,
    },
    /// Take a reserved number away from its order, with its eSIM profile
    #[command(after_help = "\
Examples:
  bss inventory msisdn release 90000042 --reason 'order abandoned' --yes
  bss inventory msisdn release 90000042 --reason test --dry-run")]
    Release {
        /// The number
        #[arg(value_name = "NUMBER")]
        msisdn: String,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Add numbers: the prefix and a running number of four digits; those already there are skipped
    #[command(after_help = "\
Examples:
  bss inventory msisdn add-range 9100 10
  bss inventory msisdn add-range 91000 1000 -o json")]
    AddRange {
        /// How the numbers start
        prefix: String,
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
}

/// Which numbers.
#[derive(Debug, Args)]
pub struct MsisdnListArgs {
    /// Status
    #[arg(long, alias = "status", value_parser = ["available", "reserved", "assigned", "quarantine", "ported_out"])]
    state: Option<String>,
    /// Only numbers that start so
    #[arg(long)]
    prefix: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

/// Commands about eSIM profiles.
#[derive(Debug, Subcommand)]
pub enum EsimCommand {
    /// List profiles; their ICCIDs stay masked
    #[command(after_help = "\
Examples:
  bss inventory esim list --limit 5
  bss inventory esim list --state available -o csv")]
    List {
        /// Only those in this state
        #[arg(long, value_parser = ["available", "reserved", "downloaded", "activated", "suspended", "recycled"])]
        state: Option<String>,
        /// How many to skip
        #[arg(long, default_value_t = 0)]
        offset: u32,
        /// How many at most
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Add profiles to the pool
    #[command(after_help = "Examples:\n  bss inventory esim add 100\n  bss inventory esim add 1000 --dry-run")]
    Add {
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
    /// Show one profile; its ICCID stays masked
    #[command(
        after_help = "Examples:\n  bss inventory esim show 8965000000000000042\n  bss inventory esim show 8965000000000000042 -o json"
    )]
    Show {
        /// ICCID
        iccid: String,
    },
    /// Draw the activation code of a line's eSIM for a camera; who has it can take over the line
    #[command(after_help = "Examples:\n  bss inventory esim qr SUB-0042\n  bss inventory esim qr SUB-0042 --show-full")]
    Qr(ActivationArgs),
    /// The same, found by the ICCID of a profile that a line has
    #[command(after_help = "\
Examples:
  bss inventory esim activation 8965000000000000042
  bss inventory esim activation 8965000000000000042 --show-full

A profile that no line has is not for anybody's phone: it has no code to show.")]
    Activation {
        /// ICCID
        iccid: String,
        /// ICCID and IMSI in full instead of their last four digits
        #[arg(long)]
        show_full: bool,
        #[command(flatten)]
        terminal: Terminal,
    },
}

pub(super) async fn run(command: InventoryCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        InventoryCommand::Msisdn(command) => msisdn(command, session).await,
        InventoryCommand::Esim(EsimCommand::List { state, offset, limit }) => {
            let filter = json!({"state": state, "limit": limit, "offset": offset});
            let profiles = session.call(op::INVENTORY_ESIM_LIST, filter).await?;
            session.show_page(&profiles, limit, &next_page(limit, offset), render::inventory::esims).await
        }
        InventoryCommand::Esim(EsimCommand::Add { count }) => {
            let added = session.call(op::INVENTORY_ESIM_ADD_BATCH, json!({"count": count})).await?;
            session.show(&added, render::generic::any).await
        }
        InventoryCommand::Esim(EsimCommand::Show { iccid }) => {
            let profile = session.call(op::INVENTORY_ESIM_GET, json!({"iccid": iccid})).await?;
            session.show(&profile, render::inventory::esim).await
        }
        InventoryCommand::Esim(EsimCommand::Qr(args)) => subscription::activation(args, session).await,
        InventoryCommand::Esim(EsimCommand::Activation { iccid, show_full, terminal }) => {
            let profile = session.call(op::INVENTORY_ESIM_GET, json!({"iccid": iccid})).await?;
            let line = render::text::field(&profile, "assignedToSubscriptionId");
            if line.is_empty() {
                return Err(CliError::Failed(format!(
                    "no line has the profile {}, so there is no activation to show",
                    render::text::field(&profile, "iccid")
                )));
            }
            subscription::activation(ActivationArgs { line, show_full, terminal }, session).await
        }
    }
}

async fn msisdn(command: MsisdnCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        MsisdnCommand::List(args) => {
            let filter =
                json!({"status": args.state, "prefix": args.prefix, "limit": args.limit, "offset": args.offset});
            let numbers = session.call(op::INVENTORY_MSISDN_LIST, filter).await?;
            session
                .show_page(&numbers, args.limit, &next_page(args.limit, args.offset), render::inventory::msisdns)
                .await
        }
        MsisdnCommand::Show { msisdn } => {
            let number = session.call(op::INVENTORY_MSISDN_GET, json!({"msisdn": msisdn})).await?;
            session.show(&number, render::inventory::msisdn).await
        }
        MsisdnCommand::Count { prefix } => {
            let counts = session.call(op::INVENTORY_MSISDN_COUNT, json!({"prefix": prefix})).await?;
            session.show(&counts, render::inventory::pool).await
        }
        MsisdnCommand::Release { msisdn, reason, gate } => {
            session.confirm(gate, &format!("Releasing {msisdn} is final: the order that holds it will fail."))?;
            let release = json!({"msisdn": msisdn, "reason": reason});
            let number = session.call(op::INVENTORY_MSISDN_RELEASE, release).await?;
            session.show(&number, render::inventory::msisdn).await
        }
        MsisdnCommand::AddRange { prefix, count } => {
            let range = json!({"prefix": prefix, "count": count});
            let added = session.call(op::INVENTORY_MSISDN_ADD_RANGE, range).await?;
            session.show(&added, render::generic::any).await
        }
    }
}
