//! `bss message`: what customers were told.

use clap::{Args, Subcommand};
use serde_json::json;

use super::operations as op;
use super::session::{Outcome, Session, next_page};
use crate::render;

/// The kinds of messages.
const TEMPLATES: [&str; 12] = [
    "welcome",
    "activation",
    "low_balance",
    "blocked",
    "top_up_receipt",
    "renewal_receipt",
    "renewal_failed",
    "renewal_reminder",
    "price_change",
    "plan_change",
    "card_invalidated",
    "termination",
];

/// Commands about messages to customers.
#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// List messages, newest first
    #[command(
        after_help = "Examples:\n  bss message list --customer CUST-0a1b2c3d4e5f\n  bss message list --state failed"
    )]
    List(ListArgs),
    /// Show one message with its text
    #[command(after_help = "\
Examples:
  bss message show MSG-0a1b2c3d4e5f
  bss message show MSG-0a1b2c3d4e5f -o json")]
    Show {
        /// Message id
        #[arg(value_name = "MESSAGE")]
        message: String,
    },
    /// Send a message once more, to the address the customer has now
    #[command(after_help = "\
Examples:
  bss message resend MSG-0a1b2c3d4e5f
  bss message resend MSG-0a1b2c3d4e5f --dry-run")]
    Resend {
        /// Message id
        #[arg(value_name = "MESSAGE")]
        message: String,
    },
    /// Show which messages a customer gets
    #[command(after_help = "\
Examples:
  bss message preferences CUST-0a1b2c3d4e5f
  bss message preferences CUST-0a1b2c3d4e5f -o json")]
    Preferences {
        /// Customer id
        #[arg(value_name = "CUSTOMER")]
        customer: String,
    },
    /// Send a customer no more messages of a kind
    #[command(after_help = "\
Examples:
  bss message opt-out CUST-0a1b2c3d4e5f renewal_reminder
  bss message opt-out CUST-0a1b2c3d4e5f low_balance -o json")]
    OptOut(PreferenceArgs),
    /// Send a customer messages of a kind again
    #[command(after_help = "\
Examples:
  bss message opt-in CUST-0a1b2c3d4e5f renewal_reminder
  bss message opt-in CUST-0a1b2c3d4e5f low_balance -o json")]
    OptIn(PreferenceArgs),
}

/// Which messages.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Customer id
    #[arg(long)]
    customer: Option<String>,
    /// Line id
    #[arg(long, value_name = "LINE")]
    subscription: Option<String>,
    /// Kind of message
    #[arg(long, value_parser = TEMPLATES)]
    template: Option<String>,
    /// State
    #[arg(long, value_parser = ["pending", "sent", "suppressed", "failed"])]
    state: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

/// Whose preference for what.
#[derive(Debug, Args)]
pub struct PreferenceArgs {
    /// Customer id
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// Kind of message
    #[arg(value_name = "TEMPLATE", value_parser = TEMPLATES)]
    template: String,
}

pub(super) async fn run(command: MessageCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        MessageCommand::List(args) => {
            let filter = json!({"customerId": args.customer, "subscriptionId": args.subscription,
                                "template": args.template, "state": args.state, "limit": args.limit,
                                "offset": args.offset});
            let messages = session.call(op::COMMUNICATION_LIST, filter).await?;
            let behind = next_page(args.limit, args.offset);
            session.show_page(&messages, args.limit, &behind, render::message::list).await
        }
        MessageCommand::Show { message } => {
            let message = session.call(op::COMMUNICATION_GET, json!({"messageId": message})).await?;
            session.show(&message, render::message::page).await
        }
        MessageCommand::Resend { message } => {
            let message = session.call(op::COMMUNICATION_RESEND, json!({"messageId": message})).await?;
            session.show(&message, render::message::page).await
        }
        MessageCommand::Preferences { customer } => {
            let all = session.call(op::COMMUNICATION_LIST_PREFERENCES, json!({"customerId": customer})).await?;
            session.show(&all, render::message::preferences).await
        }
        MessageCommand::OptOut(args) => prefer(args, false, session).await,
        MessageCommand::OptIn(args) => prefer(args, true, session).await,
    }
}

async fn prefer(args: PreferenceArgs, wanted: bool, session: &mut Session<'_>) -> Outcome {
    let preference = json!({"customerId": args.customer, "template": args.template, "wanted": wanted});
    let all = session.call(op::COMMUNICATION_SET_PREFERENCE, preference).await?;
    session.show(&all, render::message::preferences).await
}
