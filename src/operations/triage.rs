//! What an order waits for, put together from everything that works on it, and what can be done.
//!
//! An order waits for deliveries, network tasks or a charge, which belong to different domains; this is where they meet.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domains::com::port::{
    GetOrder, ListOrders, OrderAction, OrderId, OrderItemView, OrderState, OrderView, SubmitOrder, rule,
};
use crate::domains::payment::port::{AttemptStatus, ListAttempts};
use crate::domains::provisioning::port::{ListTasks, RetryFailed, TaskId, TaskState, TaskView};
use crate::domains::som::port::{ListServiceOrders, ServiceOrderView};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation};
use crate::platform::context::Context;
use crate::platform::delivery::parked::{self, DeliveryView};
use crate::platform::error::{Result, Rule};

/// Orders that are looked into where no order is named.
const ORDERS_MAX: u32 = 20;
/// Orders that were placed last, among which those are looked for that nobody submits.
const PLACED_MAX: u32 = 200;
/// More tasks than any service order has.
const TASKS_MAX: u32 = 100;

/// Tell what an order waits for, why, and what to do next. Without an order: of every order that is held or flagged as stuck, or
/// was placed a while ago and never submitted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriageOrder {
    pub order_id: Option<OrderId>,
}

/// Have everything tried again that an order waits for and that was given up: parked deliveries are replayed, failed network
/// tasks run anew, a held order is submitted, a change of a line that nobody works on is carried out once more. Stuck tasks are
/// not: somebody has to look at the network first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryOrder {
    pub order_id: OrderId,
}

/// What is known of an order's way.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriageView {
    pub order_id: OrderId,
    pub state: OrderState,
    /// The last line of its history.
    pub last_step: Option<String>,
    /// Since when it is known to be stuck.
    pub stuck_flagged_at: Option<chrono::DateTime<chrono::Utc>>,
    /// What it waits for; what needs a person first.
    pub waits_for: Vec<Waiting>,
    /// What to do next, in a sentence.
    pub next: String,
}

/// One thing that an order waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// `delivery`, `network_task` or `charge`.
    pub kind: String,
    pub id: String,
    pub state: String,
    pub why: String,
    /// What a person can do; null where it goes on by itself.
    pub next: Option<String>,
}

impl Operation<Services> for TriageOrder {
    const NAME: &'static str = "order.triage";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0042"}"#;
    type Output = Vec<TriageView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let orders = match self.order_id {
            Some(order_id) => vec![services.orders.get(cx, GetOrder { order_id }).await?],
            None => stranded(services, cx).await?,
        };
        let mut views = Vec::with_capacity(orders.len());
        for order in orders {
            let found = look_into(services, cx, &order).await?;
            views.push(view(order, waiting(&found)));
        }
        Ok(views)
    }
}

impl Operation<Services> for RetryOrder {
    const NAME: &'static str = "order.retry";
    const EFFECT: Effect = Effect::Write;
    // It puts parked deliveries back into the queue, as queue.replay does.
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::NOTHING_TO_RETRY];
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0042"}"#;
    type Output = TriageView;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let order_id = self.order_id;
        let order = services.orders.get(cx, GetOrder { order_id: order_id.clone() }).await?;
        if order.state == OrderState::Held {
            let order = services.orders.submit(cx, SubmitOrder { order_id }).await?;
            return Ok(view(order, Vec::new()));
        }
        let found = look_into(services, cx, &order).await?;
        let (mut tried, db) = (false, &services.platform.db);
        for delivery in found.deliveries.iter().filter(|delivery| delivery.state == "parked") {
            parked::replay(db, cx, delivery.event_id, Some(&delivery.consumer)).await?;
            tried = true;
        }
        for task in found.tasks.iter().filter(|task| task.state == TaskState::Failed) {
            services.provisioning.retry_failed(cx, RetryFailed { task_id: task.id.clone() }).await?;
            tried = true;
        }
        if found.is_empty() {
            tried = services.orders.carry_on(cx, &order_id).await?;
        }
        if !tried {
            let refusal =
                rule::NOTHING_TO_RETRY.violated("Nothing that the order waits for was given up; see order.triage");
            return Err(refusal.with("orderId", &order_id).with("state", order.state).into());
        }
        let order = services.orders.get(cx, GetOrder { order_id }).await?;
        let found = look_into(services, cx, &order).await?;
        Ok(view(order, waiting(&found)))
    }
}

/// Held orders, those that were flagged as stuck, and those that nobody has submitted for as long.
async fn stranded(services: &Services, cx: &Context) -> Result<Vec<OrderView>> {
    let query = |state, stuck, limit| ListOrders { customer_id: None, state, stuck, id_prefix: None, limit, offset: 0 };
    let mut orders = services.orders.list(cx, query(Some(OrderState::Held), false, ORDERS_MAX)).await?;
    orders.extend(services.orders.list(cx, query(None, true, ORDERS_MAX)).await?);
    let placed = services.orders.list(cx, query(Some(OrderState::Acknowledged), false, PLACED_MAX)).await?;
    let allowed = TimeDelta::from_std(services.platform.config.order_stuck_after).unwrap_or(TimeDelta::MAX);
    let forgotten = placed.into_iter().filter(|order| cx.now.signed_duration_since(order.order_date) > allowed);
    orders.extend(forgotten.take(ORDERS_MAX as usize));
    Ok(orders)
}

/// What works on an order.
#[derive(Debug, Default)]
struct Found {
    deliveries: Vec<DeliveryView>,
    tasks: Vec<TaskView>,
    /// Charges that are not settled.
    charges: Vec<String>,
}

impl Found {
    const fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.tasks.is_empty() && self.charges.is_empty()
    }
}

async fn look_into(services: &Services, cx: &Context, order: &OrderView) -> Result<Found> {
    let query = ListServiceOrders { order_id: order.id.clone() };
    let service_orders: Vec<ServiceOrderView> = services.service_orders.service_orders_of_order(cx, query).await?;
    let mut found = Found::default();
    for service_order in &service_orders {
        let query = ListTasks {
            service_id: None,
            service_order_id: Some(service_order.id.to_string()),
            state: None,
            id_prefix: None,
            limit: TASKS_MAX,
            offset: 0,
        };
        let tasks = services.provisioning.tasks(cx, query).await?;
        found.tasks.extend(tasks.into_iter().filter(|task| !task.state.is_final()));
    }
    // What waits about the line of an order that has ended is not the order's.
    let in_progress = order.items.iter().filter(|_| order.state == OrderState::InProgress);
    let line = in_progress.clone().find_map(|item| item.target_subscription_id.clone());
    for item in in_progress {
        found.charges.extend(unsettled_charges(services, cx, order, item).await?);
    }
    let about: Vec<String> = std::iter::once(order.id.to_string())
        .chain(service_orders.iter().map(|one| one.id.to_string()))
        .chain(service_orders.iter().flat_map(|one| one.tasks.iter().filter_map(|task| task.task_id.clone())))
        .chain(line)
        .chain(found.charges.iter().cloned())
        .collect();
    found.deliveries = parked::about(&services.platform.db, cx, &about).await?;
    Ok(found)
}

/// The charge that an item names; that of a line that is booked is named by the line.
async fn unsettled_charges(
    services: &Services,
    cx: &Context,
    order: &OrderView,
    item: &OrderItemView,
) -> Result<Vec<String>> {
    let attempts = match (&item.payment_attempt_id, &item.target_subscription_id) {
        (Some(attempt), _) => vec![services.payments.attempt(cx, &attempt.clone().into()).await?],
        (None, Some(line)) if item.action == OrderAction::Add => {
            let query = ListAttempts {
                customer_id: Some(order.customer_id.clone()),
                subject_id: Some(line.clone()),
                status: Some(AttemptStatus::Pending),
                id_prefix: None,
                limit: 10,
                offset: 0,
            };
            services.payments.attempts(cx, query).await?
        }
        (None, _) => Vec::new(),
    };
    let pending = attempts.into_iter().filter(|attempt| attempt.status == AttemptStatus::Pending);
    Ok(pending.map(|attempt| attempt.id.to_string()).collect())
}

/// What was found as what an order waits for, that which needs a person first.
fn waiting(found: &Found) -> Vec<Waiting> {
    let deliveries = found.deliveries.iter().map(|delivery| {
        let explanation = delivery.explanation();
        let on_its_way = format!("{} is on its way to {}", delivery.event_type, delivery.consumer);
        Waiting {
            kind: "delivery".into(),
            id: format!("{} to {}", delivery.event_id, delivery.consumer),
            state: delivery.state.clone(),
            why: explanation.as_ref().map_or(on_its_way, |explanation| explanation.why.clone()),
            next: explanation.map(|explanation| explanation.next),
        }
    });
    let tasks = found.tasks.iter().map(|task| Waiting {
        kind: "network_task".into(),
        id: task.id.to_string(),
        state: task.state.as_str().into(),
        why: why(task),
        next: next_for(task.state, &task.id),
    });
    let charges = found.charges.iter().map(|charge| Waiting {
        kind: "charge".into(),
        id: charge.clone(),
        state: "pending".into(),
        why: "the payment gateway has not said how the charge ended; it is asked again by itself".into(),
        next: None,
    });
    let mut all: Vec<Waiting> = deliveries.chain(tasks).chain(charges).collect();
    all.sort_by_key(|one| one.next.is_none());
    all
}

fn why(task: &TaskView) -> String {
    let what = task.task_type.as_str();
    match (&task.waits_for, &task.last_error) {
        (Some(earlier), _) => format!("{what} waits for {earlier}"),
        (None, Some(error)) => format!("{what}: {error}"),
        (None, None) => format!("{what} is under way"),
    }
}

fn next_for(state: TaskState, id: &TaskId) -> Option<String> {
    match state {
        TaskState::Stuck => {
            Some(format!("look at the network, then: bss prov resolve {id} --note …; or bss prov abandon {id}"))
        }
        TaskState::Failed => Some(format!("bss prov retry {id}; or bss prov abandon {id} --note …")),
        TaskState::Pending
        | TaskState::Running
        | TaskState::Completed
        | TaskState::Withdrawn
        | TaskState::Abandoned => None,
    }
}

fn view(order: OrderView, waits_for: Vec<Waiting>) -> TriageView {
    let next = match (waits_for.first(), order.state) {
        (Some(Waiting { next: Some(next), .. }), _) => next.clone(),
        (Some(_), _) => "nothing: it goes on by itself".into(),
        (None, OrderState::Acknowledged) => "it was never submitted: bss order submit, or bss order cancel".into(),
        (None, OrderState::Held) => "look at why it is held, then bss order submit, or bss order cancel".into(),
        (None, OrderState::InProgress) if order.items.iter().any(|item| item.action != OrderAction::Add) => {
            "nothing will move it: bss order retry has it carried out once more".into()
        }
        (None, OrderState::InProgress) => "nothing will move it: bss order cancel gives everything back".into(),
        (None, OrderState::Completed | OrderState::Failed | OrderState::Cancelled) => {
            "nothing: the order has ended".into()
        }
    };
    TriageView {
        last_step: order.history.last().and_then(|line| line.reason.clone()),
        order_id: order.id,
        state: order.state,
        stuck_flagged_at: order.stuck_flagged_at,
        waits_for,
        next,
    }
}
