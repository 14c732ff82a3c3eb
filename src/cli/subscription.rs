//! `bss subscription`: the lines.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::customer::is_number;
use super::error::CliError;
use super::operations as op;
use super::session::{Gate, Outcome, Session, next_page};
use crate::render::{self, text};

/// As long as the server may take to tell every line of a plan.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(65);

/// How often the renewals are looked at while they are watched.
const WATCH: Duration = Duration::from_secs(1);

/// Commands about lines.
#[derive(Debug, Subcommand)]
pub enum SubscriptionCommand {
    /// Show a line: state, plan, price, period, balances
    #[command(after_help = "\
Examples:
  bss subscription show SUB-0042
  bss subscription show 90000042 -o json
  bss subscription show SUB-0042 --show-esim")]
    Show {
        /// Line id or its number
        #[arg(value_name = "LINE")]
        line: String,
        /// The activation code of its eSIM as well, for a camera; who has it can take over the line
        #[arg(long)]
        show_esim: bool,
        #[command(flatten)]
        terminal: Terminal,
    },
    /// List lines: those of a customer, or the newest
    #[command(after_help = "\
Examples:
  bss subscription list --customer CUST-0a1b2c3d4e5f
  bss subscription list --customer CUST-0a1b2c3d4e5f --fields id,msisdn,state
  bss subscription list --state blocked --limit 100")]
    List(ListArgs),
    /// Show what is left of each allowance
    #[command(after_help = "\
Examples:
  bss subscription balance SUB-0042
  bss subscription balance SUB-0042 -o csv")]
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
    /// Pay for a line that is blocked for payment: charges the customer's default card
    #[command(after_help = "\
Examples:
  bss subscription pay SUB-0042 --yes
  bss subscription pay SUB-0042 --dry-run")]
    Pay {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Renew a line now: charges the customer's default card
    #[command(after_help = "\
Examples:
  bss subscription renew SUB-0042 --yes
  bss subscription renew SUB-0042 --dry-run")]
    Renew {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Show how far the renewals are, over all servers
    #[command(after_help = "Examples:\n  bss subscription renewals\n  bss subscription renewals --watch")]
    Renewals {
        /// Go on until none is due and none is under way
        #[arg(long)]
        watch: bool,
    },
    /// Take a line out of service: lost or stolen, or fraud
    #[command(
        after_help = "Examples:\n  bss subscription block SUB-0042 --note 'left in a taxi'\n  bss subscription block SUB-0042 --reason fraud --note 'SIM box'"
    )]
    Block {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// requested (lost or stolen) or fraud
        #[arg(long, default_value = "requested", value_parser = ["requested", "fraud"])]
        reason: String,
        /// What happened, for the record
        #[arg(long)]
        note: Option<String>,
    },
    /// Let a line back that was blocked by hand
    #[command(
        after_help = "Examples:\n  bss subscription unblock SUB-0042\n  bss subscription unblock SUB-0042 --reason fraud --note 'identity checked'"
    )]
    Unblock {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// Only this reason; without it, every block that was set by hand
        #[arg(long, value_parser = ["requested", "fraud"])]
        reason: Option<String>,
        /// Why; needed to lift a block for fraud
        #[arg(long)]
        note: Option<String>,
    },
    /// Book another plan for the next renewal; nothing is charged today
    #[command(after_help = "\
Examples:
  bss subscription change-plan SUB-0042 PLAN_L
  bss subscription change-plan SUB-0042 PLAN_S --dry-run")]
    ChangePlan {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// Plan id, see bss catalog list
        #[arg(value_name = "PLAN")]
        plan: String,
    },
    /// Take a booked plan change back
    #[command(after_help = "\
Examples:
  bss subscription keep-plan SUB-0042
  bss subscription keep-plan SUB-0042 -o json")]
    KeepPlan {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
    },
    /// Move every line of a plan to a new price, with a notice to each customer
    #[command(override_usage = "\
bss subscription migrate-price [OPTIONS]
           --offering <PLAN> --new-price-id <PRICE> --effective-from <INSTANT>")]
    #[command(after_help = "\
Examples:
  bss subscription migrate-price --offering PLAN_M \\
    --new-price-id PRICE_M_2027 --effective-from 2027-01-01T00:00:00Z --yes
  bss subscription migrate-price --offering PLAN_M --notice-days 60 \\
    --new-price-id PRICE_M_2027 --effective-from 2027-01-01T00:00:00Z --dry-run")]
    MigratePrice(MigrateArgs),
    /// End a line
    #[command(after_help = "\
Examples:
  bss subscription terminate SUB-0042 --reason 'moved away' --yes
  bss subscription terminate SUB-0042 --dry-run")]
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
    /// Tell what happened to a line: blocks, charges, grants, changes of plan and price
    #[command(
        visible_alias = "events",
        after_help = "\
Examples:
  bss subscription timeline SUB-0042
  bss subscription timeline SUB-0042 --limit 50 -o jsonl"
    )]
    Timeline {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// The latest so many entries
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Without the latest so many
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Show the states that a line went through
    #[command(after_help = "\
Examples:
  bss subscription history SUB-0042
  bss subscription history SUB-0042 -o json")]
    History {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
    },
    /// Show the activation code of the line's eSIM; who has it can take over the line
    #[command(after_help = "\
Examples:
  bss subscription esim SUB-0042
  bss subscription esim SUB-0042 --show-full
  bss subscription esim SUB-0042 --no-color --invert
  bss subscription esim SUB-0042 --jq .activationCode")]
    Esim(ActivationArgs),
}

/// Whose eSIM, and how much of it.
#[derive(Debug, Args)]
pub struct ActivationArgs {
    /// Line id
    #[arg(value_name = "LINE")]
    pub(super) line: String,
    /// ICCID and IMSI in full instead of their last four digits
    #[arg(long)]
    pub(super) show_full: bool,
    #[command(flatten)]
    pub(super) terminal: Terminal,
}

/// On what a QR code is drawn.
#[derive(Debug, Clone, Copy, Args)]
pub struct Terminal {
    /// Draw the QR code for dark text on a light background; without colour it would be a negative there
    #[arg(long)]
    pub(super) invert: bool,
}

/// A move to a new price.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Plan whose lines are moved
    #[arg(long, value_name = "PLAN")]
    offering: String,
    /// Price row of that plan
    #[arg(long, value_name = "PRICE")]
    new_price_id: String,
    /// First day of the new price, before the notice
    #[arg(long, value_name = "INSTANT")]
    effective_from: String,
    /// Days of notice, 1 to 365
    #[arg(long, default_value_t = 30)]
    notice_days: u32,
    /// Who decided it
    #[arg(long, default_value = "ops")]
    initiated_by: String,
    #[command(flatten)]
    gate: Gate,
}

/// Which lines.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Customer id: all lines of theirs
    #[arg(long)]
    customer: Option<String>,
    /// State
    #[arg(long, conflicts_with = "customer", value_parser = ["pending", "active", "blocked", "terminated"])]
    state: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// How many to leave out
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

pub(super) async fn run(command: SubscriptionCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        SubscriptionCommand::Show { line, show_esim, terminal } => {
            let mut line = find(&line, session).await?;
            let aside = render::subscription::Aside { invert: terminal.invert, ..aside(&line, session).await };
            if show_esim {
                let wish = json!({"subscriptionId": line["id"]});
                line["esimActivation"] = session.call(op::SUBSCRIPTION_GET_ESIM_ACTIVATION, wish).await?;
            }
            session.show(&line, |line, style| render::subscription::card(line, &aside, style)).await
        }
        SubscriptionCommand::List(args) => {
            if let Some(customer) = args.customer {
                let lines = session.call(op::SUBSCRIPTION_LIST_FOR_CUSTOMER, json!({"customerId": customer})).await?;
                return session.show(&lines, render::subscription::list).await;
            }
            let page = json!({"state": args.state, "limit": args.limit, "offset": args.offset});
            let lines = session.call(op::SUBSCRIPTION_LIST, page).await?;
            let behind = next_page(args.limit, args.offset);
            session.show_page(&lines, args.limit, &behind, render::subscription::list).await
        }
        SubscriptionCommand::Balance { line } => {
            let balances = session.call(op::SUBSCRIPTION_GET_BALANCE, json!({"subscriptionId": line})).await?;
            session.show(&balances, |balances, style| render::subscription::balance_card(balances, &line, style)).await
        }
        SubscriptionCommand::Vas { line, vas, gate } => buy(&line, &vas, gate, session).await,
        SubscriptionCommand::Pay { line, gate } => pay(&line, gate, session).await,
        SubscriptionCommand::Renew { line, gate } => renew(&line, gate, session).await,
        SubscriptionCommand::Block { line, reason, note } => {
            let block = json!({"subscriptionId": line, "reason": reason, "note": note});
            let line = session.call(op::SUBSCRIPTION_BLOCK, block).await?;
            session.show(&line, render::subscription::page).await
        }
        SubscriptionCommand::Unblock { line, reason, note } => {
            let unblock = json!({"subscriptionId": line, "reason": reason, "note": note});
            let line = session.call(op::SUBSCRIPTION_UNBLOCK, unblock).await?;
            session.show(&line, render::subscription::page).await
        }
        SubscriptionCommand::Renewals { watch } => renewals(watch, session).await,
        SubscriptionCommand::ChangePlan { line, plan } => {
            let change = json!({"subscriptionId": line, "newOfferingId": plan});
            let line = session.call(op::SUBSCRIPTION_SCHEDULE_PLAN_CHANGE, change).await?;
            session.show(&line, render::subscription::page).await
        }
        SubscriptionCommand::KeepPlan { line } => {
            let cancel = json!({"subscriptionId": line});
            let line = session.call(op::SUBSCRIPTION_CANCEL_PENDING_PLAN_CHANGE, cancel).await?;
            session.show(&line, render::subscription::page).await
        }
        SubscriptionCommand::MigratePrice(args) => migrate_price(args, session).await,
        SubscriptionCommand::Terminate { line, reason, gate } => {
            session.confirm(
                gate,
                &format!("Terminating {line} is final: service stops now, what is left is lost, the eSIM dies and the number goes to quarantine."),
            )?;
            let end = json!({"subscriptionId": line, "reason": reason});
            let line = session.call(op::SUBSCRIPTION_TERMINATE, end).await?;
            session.show(&line, render::subscription::page).await
        }
        SubscriptionCommand::Timeline { line, limit, offset } => {
            let page = json!({"subscriptionId": line, "limit": limit, "offset": offset});
            let timeline = session.call(op::SUBSCRIPTION_TIMELINE, page).await?;
            let told = |timeline: &Value, style| render::subscription::timeline(timeline, &line, style);
            session.show_page(&timeline, limit, &next_page(limit, offset), told).await
        }
        SubscriptionCommand::History { line } => {
            let history = session.call(op::SUBSCRIPTION_HISTORY, json!({"subscriptionId": line})).await?;
            session.show(&history, render::subscription::history).await
        }
        SubscriptionCommand::Esim(args) => activation(args, session).await,
    }
}

/// The names of customer and plan and the product clock, for the card of a line.
async fn aside(line: &Value, session: &Session<'_>) -> render::subscription::Aside {
    if !session.draws() {
        return render::subscription::Aside::default();
    }
    let (customer, offering, timeline, clock) = tokio::join!(
        session.aside(op::CUSTOMER_GET, json!({"customerId": line["customerId"]})),
        session.aside(op::CATALOG_GET_OFFERING, json!({"offeringId": line["offeringId"]})),
        session.aside(op::SUBSCRIPTION_TIMELINE, json!({"subscriptionId": line["id"]})),
        session.aside(op::CLOCK_NOW, json!({})),
    );
    let timeline = session.local(&timeline).await.into_owned();
    let now = clock["now"].as_str().and_then(|now| now.parse().ok());
    render::subscription::Aside { customer, offering, timeline, now, invert: false }
}

/// What a phone needs to download the profile of a line.
pub(super) async fn activation(args: ActivationArgs, session: &mut Session<'_>) -> Outcome {
    let activation = session.call(op::SUBSCRIPTION_GET_ESIM_ACTIVATION, json!({"subscriptionId": args.line})).await?;
    let how = render::subscription::Activation { full: args.show_full, invert: args.terminal.invert };
    session.show(&activation, |activation, style| render::subscription::activation(activation, how, style)).await
}

/// Tells every customer of the plan and books the new price.
pub(super) async fn migrate_price(args: MigrateArgs, session: &mut Session<'_>) -> Outcome {
    let MigrateArgs { offering, new_price_id, effective_from, notice_days, initiated_by, gate } = args;
    let consequence =
        format!("Every line of {offering} gets a notice and pays {new_price_id} afterwards; this is not taken back.");
    session.confirm(gate, &consequence)?;
    let migration = json!({
        "offeringId": offering, "newPriceId": new_price_id, "effectiveFrom": effective_from,
        "noticeDays": notice_days, "initiatedBy": initiated_by,
    });
    let answer = session.call_within(MIGRATION_TIMEOUT, op::SUBSCRIPTION_MIGRATE_TO_NEW_PRICE, migration).await?;
    session.show(&answer, render::subscription::migration).await
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
    session.show(&line, render::subscription::page).await
}

async fn pay(line: &str, gate: Gate, session: &mut Session<'_>) -> Outcome {
    if session.asks_before_charges(gate) {
        let view = session.call(op::SUBSCRIPTION_GET, json!({"subscriptionId": line})).await?;
        let price = text::money(&view, "nextChargeAmount", "priceCurrency");
        session.confirm_charge(
            gate,
            &format!("Paying for {line} charges {price} to the customer's default card and starts a new period."),
        )?;
    }
    let line = session.call(op::SUBSCRIPTION_PAY_NOW, json!({"subscriptionId": line})).await?;
    session.show(&line, render::subscription::page).await
}

async fn renew(line: &str, gate: Gate, session: &mut Session<'_>) -> Outcome {
    if session.asks_before_charges(gate) {
        let view = session.call(op::SUBSCRIPTION_GET, json!({"subscriptionId": line})).await?;
        // An overdue line pays what its renewal owed: the plan change or new price that was due counts.
        let is_overdue = view["blockReasons"].as_array().is_some_and(|reasons| reasons.iter().any(|r| r == "payment"));
        let amount = if is_overdue { "nextChargeAmount" } else { "effectiveAmount" };
        let price = text::money(&view, amount, "priceCurrency");
        session.confirm_charge(
            gate,
            &format!("Renewing {line} charges {price} to the customer's default card and starts a new period."),
        )?;
    }
    let line = session.call(op::SUBSCRIPTION_RENEW_NOW, json!({"subscriptionId": line})).await?;
    session.show(&line, render::subscription::page).await
}

async fn renewals(watch: bool, session: &mut Session<'_>) -> Outcome {
    let mut told = Value::Null;
    loop {
        let progress = session.call(op::SUBSCRIPTION_RENEWAL_PROGRESS, json!({})).await?;
        if !watch || progress["due"] == 0 && progress["underWay"] == 0 {
            return session.show(&progress, render::generic::object).await;
        }
        if progress != told {
            session.note(&format!("{} due, {} under way", progress["due"], progress["underWay"]));
            told = progress;
        }
        tokio::time::sleep(WATCH).await;
    }
}
