//! `bss order`: from basket to active line.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};

use super::error::CliError;
use super::operations::{self as op, Operation};
use super::session::{Gate, Outcome, Session, next_page};
use crate::render::{self, text};

/// How much later than the server the client gives up, so that the server's answer is the one that is seen.
const GRACE: Duration = Duration::from_secs(5);
/// The longest that the server waits in one request.
const WAIT_SECONDS_MAX: u32 = 60;
/// More tasks than any service order has.
const TASKS_MAX: u32 = 100;

/// Commands about orders.
#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// Order a plan for a customer, and wait until the line is active
    #[command(after_help = "\
Examples:
  bss order create --customer CUST-0a1b2c3d4e5f --offering PLAN_M
  bss order create --customer CUST-0a1b2c3d4e5f --offering PLAN_S \\
    --msisdn 90000007 --no-wait
  bss order create --customer CUST-0a1b2c3d4e5f --offering PLAN_M \\
    --code SUMMER25
  bss order create --customer CUST-0a1b2c3d4e5f --offering PLAN_L --dry-run")]
    Create(CreateArgs),
    /// Order a top-up for a line, or the plan that it changes to with its next renewal, and wait until that is done
    #[command(after_help = "\
Examples:
  bss order change SUB-0042 --customer CUST-0a1b2c3d4e5f --offering VAS_DATA_1GB
  bss order change SUB-0042 --customer CUST-0a1b2c3d4e5f --offering PLAN_M")]
    Change {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// Customer id
        #[arg(long)]
        customer: String,
        /// Top-up or plan id
        #[arg(long, value_name = "PLAN")]
        offering: String,
        #[command(flatten)]
        gate: Gate,
        #[command(flatten)]
        patience: Patience,
    },
    /// Order the end of a line, and wait for it
    #[command(after_help = "\
Examples:
  bss order cease SUB-0042 --customer CUST-0a1b2c3d4e5f --yes
  bss order cease SUB-0042 --customer CUST-0a1b2c3d4e5f --dry-run")]
    Cease {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        /// Customer id
        #[arg(long)]
        customer: String,
        #[command(flatten)]
        gate: Gate,
        #[command(flatten)]
        patience: Patience,
    },
    /// Show an order: items, service orders, network tasks, history
    #[command(after_help = "Examples:\n  bss order show ORD-0042\n  bss order show ORD-0042 -o json")]
    Show {
        /// Order id
        #[arg(value_name = "ORDER")]
        order: String,
    },
    /// List orders, newest first
    #[command(
        after_help = "Examples:\n  bss order list --customer CUST-0a1b2c3d4e5f\n  bss order list --state in_progress --limit 100\n  bss order list --stuck"
    )]
    List(ListArgs),
    /// Start an order that was created with --no-submit, or was held
    #[command(after_help = "\
Examples:
  bss order submit ORD-0042
  bss order submit ORD-0042 -o json")]
    Submit {
        /// Order id
        #[arg(value_name = "ORDER")]
        order: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Hold an order that was not submitted back for an operator
    #[command(after_help = "\
Examples:
  bss order hold ORD-0042 --reason 'Fraud desk: nine orders with one card'
  bss order hold ORD-0042 --reason 'waits for stock' --dry-run")]
    Hold {
        /// Order id
        #[arg(value_name = "ORDER")]
        order: String,
        /// Why, and who is to look at it
        #[arg(long)]
        reason: String,
    },
    /// Cancel an order, at any stage before its line is in service
    #[command(after_help = "\
Examples:
  bss order cancel ORD-0042 --yes
  bss order cancel ORD-0042 --dry-run")]
    Cancel {
        /// Order id
        #[arg(value_name = "ORDER")]
        order: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Tell what an order waits for, why, and what to do next
    #[command(after_help = "Examples:\n  bss order triage ORD-0042\n  bss order triage")]
    Triage {
        /// Order id; every held or stuck order when not given
        #[arg(value_name = "ORDER")]
        order: Option<String>,
    },
    /// Have everything tried again that an order waits for and that was given up
    #[command(after_help = "\
Examples:
  bss order retry ORD-0042
  bss order retry ORD-0042 -o json")]
    Retry {
        /// Order id
        #[arg(value_name = "ORDER")]
        order: String,
    },
    /// Wait until an order is in a state; ends early when it can no longer get there
    #[command(after_help = "Examples:\n  bss order wait ORD-0042\n  bss order wait ORD-0042 --for failed --timeout 60")]
    Wait {
        /// Order id
        #[arg(value_name = "ORDER")]
        order: String,
        /// The state to wait for
        #[arg(long = "for", visible_alias = "state", value_enum, default_value_t = OrderState::Completed)]
        state: OrderState,
        #[command(flatten)]
        patience: Patience,
    },
}

/// A new order.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Customer id
    #[arg(long)]
    customer: String,
    /// Plan id
    #[arg(long)]
    offering: String,
    /// The number the customer would like
    #[arg(long, value_name = "NUMBER")]
    msisdn: Option<String>,
    /// A promotion's code, in any case
    #[arg(long)]
    code: Option<String>,
    /// Keep what the customer was assigned for another time
    #[arg(long)]
    skip_assigned_offer: bool,
    /// A note to keep with the order
    #[arg(long)]
    notes: Option<String>,
    /// Keep it for later: bss order submit starts it
    #[arg(long)]
    no_submit: bool,
    /// Wait until the line is active (this is what happens anyway)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Do not wait
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    gate: Gate,
    #[command(flatten)]
    patience: Patience,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, Args)]
pub struct Patience {
    /// Seconds to wait at most
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
}

/// Which orders.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Customer id
    #[arg(long)]
    customer: Option<String>,
    /// State
    #[arg(long, value_enum, alias = "status")]
    state: Option<OrderState>,
    /// Only those in progress that go no further by themselves
    #[arg(long)]
    stuck: bool,
    /// How many at most
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

/// The states of an order.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum OrderState {
    /// Taken, not started
    Acknowledged,
    /// Being worked on
    InProgress,
    /// Waiting for something
    Held,
    /// Done
    Completed,
    /// Could not be done; what was charged is given back
    Failed,
    /// Stopped on request
    Cancelled,
}

impl OrderState {
    fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::InProgress => "in_progress",
            Self::Held => "held",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

pub(super) async fn run(command: OrderCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        OrderCommand::Create(args) => create(args, session).await,
        OrderCommand::Change { line, customer, offering, gate, patience } => {
            session.confirm_in_production(gate, &format!("Ordering {offering} for {line} charges {customer}."))?;
            let basket = json!({"customerId": customer, "action": "modify", "subscriptionId": line,
                                "offeringId": offering});
            place(op::ORDER_CREATE, basket, patience, session).await
        }
        OrderCommand::Cease { line, customer, gate, patience } => {
            session.confirm(gate, &format!("Ending {line} is final: its number rests and nothing is paid back."))?;
            place(op::ORDER_CEASE, json!({"customerId": customer, "subscriptionId": line}), patience, session).await
        }
        OrderCommand::Show { order } => show(&order, session).await,
        OrderCommand::List(args) => {
            let filter = json!({"customerId": args.customer, "state": args.state.map(OrderState::name),
                                "stuck": args.stuck.then_some(true), "limit": args.limit, "offset": args.offset});
            let orders = session.call(op::ORDER_LIST, filter).await?;
            session.show_page(&orders, args.limit, &next_page(args.limit, args.offset), render::order::list).await
        }
        OrderCommand::Submit { order, gate } => {
            session.confirm_in_production(gate, &format!("Submitting {order} charges its customer."))?;
            let order = session.call(op::ORDER_SUBMIT, json!({"orderId": order})).await?;
            session.show(&order, render::order::page).await
        }
        OrderCommand::Hold { order, reason } => {
            let order = session.call(op::ORDER_HOLD, json!({"orderId": order, "reason": reason})).await?;
            session.show(&order, render::order::page).await
        }
        OrderCommand::Cancel { order, gate } => {
            session.confirm(
                gate,
                &format!("Cancelling {order} is final: number and eSIM go back, a charge is refunded."),
            )?;
            let order = session.call(op::ORDER_CANCEL, json!({"orderId": order})).await?;
            session.show(&order, render::order::page).await
        }
        OrderCommand::Triage { order } => {
            let triage = session.call(op::ORDER_TRIAGE, json!({"orderId": order})).await?;
            session.show(&triage, render::order::triage).await
        }
        OrderCommand::Retry { order } => {
            let triage = session.call(op::ORDER_RETRY, json!({"orderId": order})).await?;
            session.show(&triage, render::order::triage).await
        }
        OrderCommand::Wait { order, state, patience } => {
            let order = wait(&order, state, patience, session).await?;
            session.show(&order, render::order::page).await
        }
    }
}

async fn create(args: CreateArgs, session: &mut Session<'_>) -> Outcome {
    let basket = json!({"customerId": args.customer, "offeringId": args.offering, "msisdnPreference": args.msisdn,
        "discountCode": args.code, "skipAssignedOffer": args.skip_assigned_offer.then_some(true),
                        "notes": args.notes, "submit": !args.no_submit});
    if !args.no_submit {
        let consequence = format!("Ordering {} charges {}.", args.offering, args.customer);
        session.confirm_in_production(args.gate, &consequence)?;
    }
    let mut order = session.call(op::ORDER_CREATE, basket).await?;
    let id = text::field(&order, "id");
    session.note(&format!("created {id}, {}", text::field(&order, "state")));
    if !args.no_submit && !args.no_wait {
        order = wait(&id, OrderState::Completed, args.patience, session).await?;
    }
    session.show(&order, render::order::page).await
}

/// Places the order and waits for its end.
async fn place(operation: Operation, basket: Value, patience: Patience, session: &mut Session<'_>) -> Outcome {
    let order = session.call(operation, basket).await?;
    let id = text::field(&order, "id");
    session.note(&format!("created {id}, {}", text::field(&order, "state")));
    let order = wait(&id, OrderState::Completed, patience, session).await?;
    session.show(&order, render::order::page).await
}

/// Waits in pieces that the server accepts, until the order is there or the patience is used up.
async fn wait(order: &str, state: OrderState, patience: Patience, session: &Session<'_>) -> Result<Value, CliError> {
    let ends = Instant::now() + Duration::from_secs(patience.timeout.into());
    loop {
        let piece = piece(ends.saturating_duration_since(Instant::now()));
        let wish = json!({"orderId": order, "state": state.name(), "timeoutSeconds": piece});
        let timeout = Duration::from_secs(piece.into()) + GRACE;
        let answer = session.call_within(timeout, op::ORDER_WAIT_UNTIL, wish).await;
        match answer {
            Err(error) if is_still_under_way(&error) && Instant::now() < ends => {}
            answer => return answer,
        }
    }
}

/// How many seconds of what is left the next request waits.
fn piece(left: Duration) -> u32 {
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(WAIT_SECONDS_MAX).clamp(1, WAIT_SECONDS_MAX)
}

/// Does the server say that the order is not there yet? Any other refusal is an answer.
fn is_still_under_way(error: &CliError) -> bool {
    matches!(error, CliError::Refused(refusal) if refusal.status == 503 && refusal.context.contains_key("orderId"))
}

/// The order with its service orders, each with its tasks, under `serviceOrders`; drawn, also with the services between them.
async fn show(id: &str, session: &mut Session<'_>) -> Outcome {
    let mut order = session.call(op::ORDER_GET, json!({"orderId": id})).await?;
    let answer = session.call(op::SERVICE_ORDER_LIST_FOR_ORDER, json!({"orderId": id})).await?;
    let with_tasks = text::rows(&answer).iter().map(|service_order| with_tasks(service_order, session));
    order["serviceOrders"] = try_join_all(with_tasks).await?.into();
    session.show(&order, render::order::page).await
}

async fn with_tasks(service_order: &Value, session: &Session<'_>) -> Result<Value, CliError> {
    let filter = json!({"serviceOrderId": service_order["id"], "limit": TASKS_MAX});
    let tasks = session.call(op::PROVISIONING_LIST_TASKS, filter).await?;
    let mut service_order = service_order.clone();
    service_order["tasks"] = tasks;
    if session.draws() {
        let items = text::rows(&service_order["items"]).iter();
        let services = items.map(|item| session.aside(op::SERVICE_GET, json!({"serviceId": item["targetServiceId"]})));
        let services = join_all(services).await;
        service_order["services"] = outermost(&services).into();
    }
    Ok(service_order)
}

/// Those services that no other one of them holds.
fn outermost(services: &[Value]) -> Vec<Value> {
    let is_known = |id: &Value| services.iter().any(|service| service["id"] == *id);
    let outer = services.iter().filter(|service| service["id"].is_string() && !is_known(&service["parentServiceId"]));
    outer.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wait_is_made_of_pieces_that_the_server_accepts() {
        let pieces = [0, 1, 1_500, 60_000, 61_000, 3_600_000].map(|ms| piece(Duration::from_millis(ms)));
        assert_eq!(pieces, [1, 1, 2, 60, 60, 60]);
    }
}
