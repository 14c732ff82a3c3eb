//! `bss usage`: what was used.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::operations as op;
use super::quantity::{Quantity, UsageType, used};
use super::session::{Outcome, Session, next_page};
use super::usage_import;
use crate::render;

/// Commands about usage.
#[derive(Debug, Subcommand)]
pub enum UsageCommand {
    /// Use data, voice or SMS as the network would report it
    #[command(after_help = "\
Examples:
  bss usage simulate --msisdn 90000042 --quantity 1GB
  bss usage simulate --msisdn 90000042 --quantity 3min
  bss usage simulate --msisdn 90000042 --type sms --quantity 5
  bss usage simulate --msisdn 90000042 --quantity 100MB --roaming

A bare number takes the unit of its type: MB, minutes or messages.")]
    Simulate(SimulateArgs),
    /// Read usage records from a file of a network element
    #[command(after_help = "\
Examples:
  bss usage import cdrs.csv
  bss usage import cdrs.ndjson --reject-file rejects.ndjson

CSV has a header: msisdn, eventType, quantity, externalId and, if wanted, unit,
eventTime, roamingIndicator, source. NDJSON has an object with the same names
on each line. Records are known by source and external id: one that was
recorded before is answered as before and counted once. An import that was
stopped goes on where it was, as long as FILE.bss-import stands beside the
file. Records that were not served go to the reject file, with the reason.")]
    Import(ImportArgs),
    /// Show one usage event
    #[command(after_help = "\
Examples:
  bss usage show UE-000007
  bss usage show UE-000007 -o json")]
    Show {
        /// Usage id
        #[arg(value_name = "USAGE")]
        usage: String,
    },
    /// List the usage of a line, newest first
    #[command(
        after_help = "Examples:\n  bss usage history --subscription SUB-0042\n  bss usage history --msisdn 90000042 --type data --limit 500"
    )]
    History(HistoryArgs),
}

/// One event.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Number of the line
    #[arg(long, value_name = "NUMBER")]
    msisdn: String,
    /// What is used; a quantity with a unit says it already
    #[arg(long = "type", value_enum)]
    kind: Option<UsageType>,
    /// How much: 1GB, 500MB, 3min, 5sms, 5
    #[arg(long, default_value = "1")]
    quantity: Quantity,
    /// Used abroad
    #[arg(long)]
    roaming: bool,
    /// When it was used, instead of now
    #[arg(long, value_name = "INSTANT")]
    event_time: Option<DateTime<Utc>>,
    /// Id of the record; the same one again is answered as before and counted once
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
}

/// A file of usage.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file: .csv, or .ndjson or .jsonl
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// How it is written, when its name does not say
    #[arg(long, value_enum)]
    pub(super) format: Option<ImportFormat>,
    /// Where records go that were not served; FILE.rejects.ndjson when not given
    #[arg(long, value_name = "FILE")]
    pub(super) reject_file: Option<PathBuf>,
    /// Begin at the beginning, whatever a former import has done
    #[arg(long)]
    pub(super) restart: bool,
}

/// How a file of usage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ImportFormat {
    /// Comma-separated, with a header.
    Csv,
    /// A JSON object on each line.
    Ndjson,
}

/// Which usage.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Line id
    #[arg(long, value_name = "LINE", required_unless_present = "msisdn")]
    subscription: Option<String>,
    /// Number of the line
    #[arg(long, value_name = "NUMBER")]
    msisdn: Option<String>,
    /// What was used
    #[arg(long = "type", value_name = "TYPE", value_parser = ["data", "voice", "sms"])]
    kind: Option<String>,
    /// Not before this instant
    #[arg(long, value_name = "INSTANT")]
    since: Option<DateTime<Utc>>,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

pub(super) async fn run(command: UsageCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        UsageCommand::Simulate(args) => {
            let used = used(args.kind, args.quantity)?;
            let event = json!({
                "msisdn": args.msisdn, "eventType": used.event_type, "quantity": used.quantity, "unit": used.unit,
                "eventTime": args.event_time, "roamingIndicator": args.roaming, "externalId": args.external_id,
            });
            let usage = session.call(op::USAGE_SIMULATE, event).await?;
            session.show(&usage, render::usage::page).await
        }
        UsageCommand::Import(args) => usage_import::run(args, session).await,
        UsageCommand::Show { usage } => {
            let usage = session.call(op::USAGE_GET, json!({"usageId": usage})).await?;
            session.show(&usage, render::usage::page).await
        }
        UsageCommand::History(args) => {
            let filter = json!({"subscriptionId": args.subscription, "msisdn": args.msisdn, "eventType": args.kind,
                                "since": args.since, "limit": args.limit, "offset": args.offset});
            let usage = session.call(op::USAGE_HISTORY, filter).await?;
            let behind = next_page(args.limit, args.offset);
            session.show_page(&usage, args.limit, &behind, render::usage::history).await
        }
    }
}
