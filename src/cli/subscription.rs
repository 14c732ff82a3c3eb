//! `bss subscription`: the lines.

use clap::Subcommand;
use serde_json::{Value, json};

use super::customer::is_number;
use super::error::CliError;
use super::operations as op;
use super::session::{Gate, Outcome, Session};
use crate::render::{self, text};

/// Commands about lines.
#[derive(Debug, Subcommand)]
pub enum SubscriptionCommand {
    /// Show a line: state, plan, price, period, balances
    #[command(after_help = "Examples:\n  bss subscription show SUB-0042\n  bss subscription show 90000042 -o json")]
    Show {
        /// Line id or its number
        #[arg(value_name = "LINE")]
        line: String,
    },
    /// List the lines of a customer
    #[command(after_help = "Examples:\n  bss subscription list --customer CUST-0a1b2c3d4e5f")]
    List {
        /// Customer id
        #[arg(long)]
        customer: String,
    },
    /// Show what is left of each allowance
    #[command(after_help = "Examples:\n  bss subscription balance SUB-0042")]
    Balance {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
    },
    /// Buy a top-up: charges the customer's default card
    #[command(
        after_help = "Examples:\n  bss subscription vas SUB-0042 VAS_DATA_1GB\n  bss subscription vas SUB-0042 VAS_ROAMING_1GB --yes"
    )]
    Vas {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// Top-up id, see bss catalog vas
        #[arg(value_name = "VAS")]
        vas: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Renew a line now: charges the customer's default card
    #[command(after_help = "Examples:\n  bss subscription renew SUB-0042 --yes")]
    Renew {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// End a line
    #[command(after_help = "Examples:\n  bss subscription terminate SUB-0042 --reason 'moved away' --yes")]
    Terminate {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// Why
        #[arg(long, default_value = "customer_requested")]
        reason: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Show what happened to a line
    #[command(after_help = "Examples:\n  bss subscription history SUB-0042")]
    History {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
    },
    /// Show the activation code of the line's eSIM; who has it can take over the line
    #[command(after_help = "Examples:\n  bss subscription esim SUB-0042")]
    Esim {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
    },
}

pub(super) async fn run(command: SubscriptionCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        SubscriptionCommand::Show { line } => {
            let line = find(&line, session).await?;
            session.show(&line, render::subscription::page)
        }
        SubscriptionCommand::List { customer } => {
            let lines = session.call(op::SUBSCRIPTION_LIST_FOR_CUSTOMER, json!({"customerId": customer})).await?;
            session.show(&lines, render::subscription::list)
        }
        SubscriptionCommand::Balance { line } => {
            let balances = session.call(op::SUBSCRIPTION_GET_BALANCE, json!({"subscriptionId": line})).await?;
            session.show(&balances, render::subscription::balances)
        }
        SubscriptionCommand::Vas { line, vas, gate } => buy(&line, &vas, gate, session).await,
        SubscriptionCommand::Renew { line, gate } => renew(&line, gate, session).await,
        SubscriptionCommand::Terminate { line, reason, gate } => {
            session.confirm(
                gate,
                &format!("Terminating {line} is final: service stops now, what is left is lost, the eSIM dies and the number goes to quarantine."),
            )?;
            let end = json!({"subscriptionId": line, "reason": reason});
            let line = session.call(op::SUBSCRIPTION_TERMINATE, end).await?;
            session.show(&line, render::subscription::page)
        }
        SubscriptionCommand::History { line } => {
            let history = session.call(op::SUBSCRIPTION_HISTORY, json!({"subscriptionId": line})).await?;
            session.show(&history, render::subscription::history)
        }
        SubscriptionCommand::Esim { line } => {
            let activation =
                session.call(op::SUBSCRIPTION_GET_ESIM_ACTIVATION, json!({"subscriptionId": line})).await?;
            session.show(&activation, render::generic::object)
        }
    }
}

async fn find(line: &str, session: &Session<'_>) -> Result<Value, CliError> {
    if is_number(line) {
        let msisdn = line.trim_start_matches('+');
        session.call(op::SUBSCRIPTION_FIND_BY_MSISDN, json!({"msisdn": msisdn})).await
    } else {
        session.call(op::SUBSCRIPTION_GET, json!({"subscriptionId": line})).await
    }
}

async fn buy(line: &str, vas: &str, gate: Gate, session: &mut Session<'_>) -> Outcome {
    if session.asks_before_charges(gate) {
        let offer = session.call(op::CATALOG_GET_VAS, json!({"vasOfferingId": vas})).await?;
        let price = text::money(&offer, "amount", "currency");
        session.confirm_charge(gate, &format!("{vas} for {line} charges {price} to the customer's default card."))?;
    }
    let purchase = json!({"subscriptionId": line, "vasOfferingId": vas});
    let line = session.call(op::SUBSCRIPTION_PURCHASE_VAS, purchase).await?;
    session.show(&line, render::subscription::page)
}

async fn renew(line: &str, gate: Gate, session: &mut Session<'_>) -> Outcome {
    if session.asks_before_charges(gate) {
        let view = session.call(op::SUBSCRIPTION_GET, json!({"subscriptionId": line})).await?;
        let price = text::money(&view, "effectiveAmount", "priceCurrency");
        session.confirm_charge(
            gate,
            &format!("Renewing {line} charges {price} to the customer's default card and starts a new period."),
        )?;
    }
    let line = session.call(op::SUBSCRIPTION_RENEW_NOW, json!({"subscriptionId": line})).await?;
    session.show(&line, render::subscription::page)
}
