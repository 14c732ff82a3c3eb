//! What others may ask the commercial order management, and the events they may react to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{OfferingId, PriceId};
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::subscription::port::SubscriptionId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox::Event;
use crate::platform::page;

pub use crate::domains::com::policy::rule;

id_type!(pub OrderId, "product order, ORD-…");

/// Where an order stands. An order's one item always stands where its order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Accepted and priced; nothing is taken for it yet.
    Acknowledged,
    /// Submitted: it is being fulfilled.
    InProgress,
    /// Waits for an operator.
    Held,
    /// The line is paid for and in service.
    Completed,
    /// It cannot be fulfilled; everything that was taken for it went back.
    Failed,
    /// Called off before its line was in service.
    Cancelled,
}

impl OrderState {
    pub const ALL: [Self; 6] =
        [Self::Acknowledged, Self::InProgress, Self::Held, Self::Completed, Self::Failed, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::InProgress => "in_progress",
            Self::Held => "held",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing can happen to the order any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What an order does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// A new line on a plan.
    #[default]
    Add,
    /// A top-up for a line, or another plan for it.
    Modify,
    /// A line ends.
    Delete,
}

impl OrderAction {
    pub const ALL: [Self; 3] = [Self::Add, Self::Modify, Self::Delete];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Delete => "delete",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// An order as it is taken, by whatever door it came.
#[derive(Debug, Clone)]
pub struct CreateOrder {
    pub customer_id: CustomerId,
    pub action: OrderAction,
    pub offering_id: Option<OfferingId>,
    pub subscription_id: Option<SubscriptionId>,
    pub msisdn_preference: Option<Msisdn>,
    /// As somebody typed it.
    pub discount_code: Option<String>,
    pub skip_assigned_offer: bool,
    pub notes: Option<String>,
    pub submit: bool,
}

/// What can be ordered without taking something away; the end of a line is [`CeaseLine`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceAction {
    /// A new line on a plan.
    #[default]
    Add,
    /// A top-up for a line, or another plan for it.
    Modify,
}

/// Order something for a customer: a plan on a new line, or with `modify` a top-up or another plan for a line.
///
/// The order is accepted, priced and, unless told otherwise, submitted at once. The price of this instant is the contract. The
/// order is then fulfilled in the background; `order.wait_until` waits for its end. `order.cease` orders the end of a line.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlaceOrder {
    pub customer_id: CustomerId,
    #[serde(default)]
    pub action: PlaceAction,
    /// The plan, such as `PLAN_M`; with `modify` the top-up, such as `VAS_DATA_1GB`, or the plan that begins with the next renewal.
    pub offering_id: Option<OfferingId>,
    /// The line that is topped up or changes its plan. Not with `add`.
    pub subscription_id: Option<SubscriptionId>,
    /// A number the customer would like; another one is taken, and the order's history says so, when it is not to be had.
    pub msisdn_preference: Option<Msisdn>,
    /// A promotion's code, whatever the case. One that counts is the order's discount; one that does not never stops an order:
    /// the history says why, and the best promotion that the customer was assigned counts instead. Not with `modify`.
    pub discount_code: Option<String>,
    /// True: what the customer was assigned is kept for another time.
    #[serde(default)]
    pub skip_assigned_offer: bool,
    /// Free text for people, at most 1000 characters.
    pub notes: Option<String>,
    /// False leaves the order acknowledged until `order.submit`.
    #[serde(default = "yes")]
    pub submit: bool,
}

impl From<PlaceOrder> for CreateOrder {
    fn from(place: PlaceOrder) -> Self {
        let action = match place.action {
            PlaceAction::Add => OrderAction::Add,
            PlaceAction::Modify => OrderAction::Modify,
        };
        Self {
            customer_id: place.customer_id,
            action,
            offering_id: place.offering_id,
            subscription_id: place.subscription_id,
            msisdn_preference: place.msisdn_preference,
            discount_code: place.discount_code,
            skip_assigned_offer: place.skip_assigned_offer,
            notes: place.notes,
            submit: place.submit,
        }
    }
}

/// Order the end of a line: its service stops, what is left is lost, the eSIM dies and the number goes to quarantine.
///
/// As every order it is fulfilled in the background; `order.wait_until` waits for its end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CeaseLine {
    pub customer_id: CustomerId,
    /// The line that ends.
    pub subscription_id: SubscriptionId,
    /// Free text for people, at most 1000 characters.
    pub notes: Option<String>,
    /// False leaves the order acknowledged until `order.submit`.
    #[serde(default = "yes")]
    pub submit: bool,
}

impl From<CeaseLine> for CreateOrder {
    fn from(cease: CeaseLine) -> Self {
        let CeaseLine { customer_id, subscription_id, notes, submit } = cease;
        let subscription_id = Some(subscription_id);
        let (offering_id, msisdn_preference) = (None, None);
        Self {
            customer_id,
            action: OrderAction::Delete,
            offering_id,
            subscription_id,
            msisdn_preference,
            discount_code: None,
            skip_assigned_offer: true,
            notes,
            submit,
        }
    }
}

const fn yes() -> bool {
    true
}

/// Read one order with its item and its whole history.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetOrder {
    pub order_id: OrderId,
}

/// List orders, newest first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListOrders {
    /// Only the orders of this customer.
    pub customer_id: Option<CustomerId>,
    /// Only the orders in this state.
    pub state: Option<OrderState>,
    /// True: only orders in progress that were flagged as stuck.
    #[serde(default)]
    pub stuck: bool,
    /// How the id begins, as far as somebody has typed it.
    pub id_prefix: Option<String>,
    /// How many at most, 1 to 200.
    #[serde(default = "page::default_size")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: u32,
    /// How many to leave out, up to 1000000.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub offset: u32,
}

/// Start the fulfilment of an acknowledged or held order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubmitOrder {
    pub order_id: OrderId,
}

/// Hold an acknowledged order back for an operator, and say why. `order.submit` lets it go on, `order.cancel` ends it. What
/// it costs was promised when it was placed, however long it is held.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldOrder {
    pub order_id: OrderId,
    /// Why, and who is to look at it; 1 to 1000 characters.
    pub reason: String,
}

/// Call an order off. Possible until its line is in service: number and eSIM go back to the pools as soon as the network has
/// forgotten them, and a charge that is under way is paid back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelOrder {
    pub order_id: OrderId,
    /// Why, in the words of whoever cancels; at most 1000 characters.
    pub reason: Option<String>,
}

/// Wait until an order is in a state, and answer the order. Fails with `order.wait.other_terminal_state` as soon as the order
/// has ended otherwise, and with 503 when the time is over; waiting again is always safe.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaitUntilOrder {
    pub order_id: OrderId,
    /// The state to wait for.
    #[serde(default = "completed")]
    pub state: OrderState,
    /// How long to wait, 1 to 60 seconds.
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u32,
}

const fn completed() -> OrderState {
    OrderState::Completed
}

const fn half_a_minute() -> u32 {
    30
}

/// An order as every surface shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    pub id: OrderId,
    pub customer_id: CustomerId,
    pub state: OrderState,
    /// Why it failed, was cancelled or is held.
    pub state_reason: Option<String>,
    pub order_date: DateTime<Utc>,
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it ended, whichever way.
    pub completed_date: Option<DateTime<Utc>>,
    pub requested_completion_date: Option<DateTime<Utc>>,
    pub msisdn_preference: Option<Msisdn>,
    pub notes: Option<String>,
    /// Since when it is known to be stuck.
    pub stuck_flagged_at: Option<DateTime<Utc>>,
    pub items: Vec<OrderItemView>,
    /// Oldest first.
    pub history: Vec<OrderHistoryView>,
    pub version: i64,
}

/// What is ordered: a plan, a top-up, another plan for a line, or the end of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderItemView {
    pub id: String,
    pub action: OrderAction,
    /// The plan or top-up; of an order that ends a line, the plan it is on.
    pub offering_id: OfferingId,
    pub state: OrderState,
    /// The line; of a new one, once it is booked.
    pub target_subscription_id: Option<String>,
    pub payment_attempt_id: Option<String>,
    pub refund_id: Option<String>,
    /// The full price at order time, tax included, recurring but for a top-up: decimal text.
    pub price_amount: String,
    /// ISO 4217.
    pub price_currency: String,
    pub price_offering_price_id: PriceId,
    /// What is charged for the first period: the full price, the discount taken off.
    // Answers that were kept before there were discounts do not say it.
    #[serde(default)]
    pub effective_amount: String,
    /// The code of the promotion that the order promises.
    pub discount_code: Option<String>,
    /// `percent` or `absolute`.
    pub discount_type: Option<String>,
    /// Decimal text.
    pub discount_value: Option<String>,
    /// Charges that it lowers, the first included; -1: all.
    pub discount_periods_total: Option<i32>,
    pub promo_offer_definition_id: Option<String>,
    /// What the order claimed of the promotion when it was about to be charged. Null before that, and where the promise was kept
    /// without one.
    pub promo_offer_id: Option<String>,
}

/// One line of an order's history. `fromState` equals `toState` where something was noted that changed no state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderHistoryView {
    /// Null for the first line.
    pub from_state: Option<OrderState>,
    pub to_state: OrderState,
    pub changed_by: String,
    pub reason: Option<String>,
    pub event_time: DateTime<Utc>,
}

/// Commercial orders.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Accepts and prices an order; submits it in the same unit of work when `submit` is set. Repeatable with an
    /// idempotency key.
    async fn create(&self, cx: &Context, command: CreateOrder) -> Result<OrderView>;

    async fn get(&self, cx: &Context, query: GetOrder) -> Result<OrderView>;

    async fn list(&self, cx: &Context, query: ListOrders) -> Result<Vec<OrderView>>;

    async fn submit(&self, cx: &Context, command: SubmitOrder) -> Result<OrderView>;

    /// Violates `order.transition.invalid` unless the order is acknowledged.
    async fn hold(&self, cx: &Context, command: HoldOrder) -> Result<OrderView>;

    /// Violates `order.cancel.forbidden_after_som_started` once the line is in service, and while a change of a line is worked
    /// on or was begun.
    async fn cancel(&self, cx: &Context, command: CancelOrder) -> Result<OrderView>;

    async fn wait_until(&self, cx: &Context, query: WaitUntilOrder) -> Result<OrderView>;

    /// Has an order about a line that nobody works on carried out once more; what was begun is gone on with. False where that is
    /// not what the order needs.
    async fn carry_on(&self, cx: &Context, order_id: &OrderId) -> Result<bool>;

    /// Whether the order is still to be fulfilled. The answer holds until `tx` ends: a cancellation waits for it.
    async fn is_in_progress(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<bool>;

    /// Notes something in the order's history without changing its state.
    async fn remark(&self, tx: &Tx, cx: &Context, order_id: &OrderId, remark: &str) -> Result<()>;
}

/// An order was submitted: it is to be fulfilled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderInProgress {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub msisdn_preference: Option<Msisdn>,
    pub price_amount: String,
    pub price_currency: String,
    pub price_offering_price_id: PriceId,
    #[serde(skip)]
    pub version: i64,
}

impl Event for OrderInProgress {
    const TYPE: &'static str = "order.in_progress";
    const AGGREGATE: &'static str = "product_order";
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// An order was cancelled: whatever was taken for it goes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCancelled {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    #[serde(skip)]
    pub version: i64,
}

impl Event for OrderCancelled {
    const TYPE: &'static str = "order.cancelled";
    const AGGREGATE: &'static str = "product_order";
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// An order cannot be fulfilled: whatever was taken for it goes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderFailed {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    /// For a person.
    pub reason: String,
    pub payment_attempt_id: Option<String>,
    /// Set when an approved charge goes back.
    pub refund_id: Option<String>,
    #[serde(skip)]
    pub version: i64,
}

impl Event for OrderFailed {
    const TYPE: &'static str = "order.failed";
    const AGGREGATE: &'static str = "product_order";
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}
