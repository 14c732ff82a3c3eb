//! What others may ask the subscription domain, and the events they may react to.

mod events;
mod views;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::policy::rule;
use crate::domains::catalog::port::{AllowanceType, OfferingId, PlanPeriod, PriceId, PriceView, Unit, VasId, VasView};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, EsimActivation, Iccid, Msisdn};
use crate::domains::payment::port::{AttemptId, RefundId};
use crate::domains::som::port::ServiceId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::money::{Discount, Money};
use crate::platform::outbox::Event;
use crate::platform::page;

pub use events::{
    GrantExpired, OrderedTopUpSettled, PlanChangeScheduled, PlanChanged, PriceMigrated, PriceMigrationScheduled,
    RenewalReminderDue, SubscriptionUnblocked,
};
pub use views::{MigratePrice, PendingChange, PriceMigrationView, TimelineEntry, TimelineKind};

id_type!(pub SubscriptionId, "subscription (a customer's line), SUB-…");
id_type!(pub BucketId, "bucket of a line, such as SUB-0042:data");
id_type!(pub VasPurchaseId, "purchase of a top-up, VP-…");
id_type!(pub PriceMigrationId, "move of a plan's lines to a new price, MIG-…");

/// The state of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineStatus {
    /// Booked; its first charge is not settled.
    Pending,
    Active,
    /// Out of service, for one or more block reasons.
    Blocked,
    Terminated,
}

impl LineStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Terminated => "terminated",
        }
    }
}

/// Why a line is blocked, which decides about its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// Home data is used up: a data top-up or a renewal lifts it.
    Exhausted,
    /// A renewal that was due was declined: only a paid renewal lifts it.
    Payment,
    /// The customer asked for it (lost, stolen).
    Requested,
    /// The operator suspects abuse.
    Fraud,
}

impl BlockReason {
    pub const ALL: [Self; 4] = [Self::Exhausted, Self::Payment, Self::Requested, Self::Fraud];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Payment => "payment",
            Self::Requested => "requested",
            Self::Fraud => "fraud",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Why a person takes a line out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The customer asks for it: the phone is lost or stolen.
    Requested,
    /// The operator suspects abuse.
    Fraud,
}

impl HoldReason {
    pub const fn block_reason(self) -> BlockReason {
        match self {
            Self::Requested => BlockReason::Requested,
            Self::Fraud => BlockReason::Fraud,
        }
    }
}

/// A line that is to be booked for an order whose network side stands.
#[derive(Debug, Clone)]
pub struct Booking {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub msisdn: Msisdn,
    pub iccid: Iccid,
    pub cfs_service_id: ServiceId,
    /// The full price of the contract; what is charged for the first period follows from it and the discount.
    pub price: Money,
    pub price_id: PriceId,
    /// What the order promised off that price.
    pub discount: Option<BookedDiscount>,
}

/// A discount as it was promised: part of the line's contract from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedDiscount {
    pub discount: Discount,
    /// How many charges it lowers, the activation included; None: all of them.
    pub periods: Option<u16>,
    pub promo_code: Option<String>,
    pub promo_offer_definition_id: Option<String>,
}

/// A top-up that an order asks for.
#[derive(Debug, Clone)]
pub struct TopUpOrder {
    pub order_id: OrderId,
    pub subscription_id: SubscriptionId,
    /// As the catalog sells it now.
    pub vas: VasView,
}

/// How far the top-up of an order has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedTopUp {
    pub vas_purchase_id: VasPurchaseId,
    pub payment_attempt_id: Option<AttemptId>,
    pub progress: TopUpProgress,
}

/// List lines, newest first, terminated ones included.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListLines {
    /// Only the lines in this state.
    pub state: Option<LineStatus>,
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

/// What became of a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopUpProgress {
    /// Its charge is under way; [`OrderedTopUpSettled`] will tell.
    Pending,
    Added,
    /// Why it was not added, for people.
    Refused(String),
}

#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// Books the line (state `pending`) and its activation charge, in the caller's unit of work. Called again for the same
    /// order it answers the same line. The end arrives as [`SubscriptionActivated`] or [`ActivationFailed`].
    async fn book(&self, tx: &Tx, cx: &Context, booking: Booking) -> Result<SubscriptionId>;

    /// The order was cancelled while its line is still pending: the line ends; an approved charge is refunded.
    async fn cancel_booking(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()>;

    /// Lines of the customer that are not terminated: while there are some, the customer cannot be closed and the last card
    /// cannot be removed.
    async fn open_lines(&self, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionId>>;

    /// The same as it is in this unit of work: for a caller who holds what a booking needs.
    async fn open_lines_within(&self, tx: &Tx, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionId>>;

    /// Not found when there is no such line.
    async fn line(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView>;

    /// All lines of the customer, newest first, terminated ones included.
    async fn lines_of(&self, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionView>>;

    /// Lines that fit, newest first; with a prefix, the greatest id first.
    async fn lines(&self, cx: &Context, query: ListLines) -> Result<Vec<SubscriptionView>>;

    /// The line that holds the number; else the one that held it last. Not found when there never was one.
    async fn line_by_number(&self, cx: &Context, msisdn: &Msisdn) -> Result<SubscriptionView>;

    /// What is left of each allowance; empty for a line that was never active.
    async fn balances(&self, cx: &Context, id: &SubscriptionId) -> Result<Vec<BalanceView>>;

    /// Every change of state or block reason, oldest first.
    async fn history(&self, cx: &Context, id: &SubscriptionId) -> Result<Vec<StateChangeView>>;

    /// The activation data of the line's eSIM, in full. Leaves an audit event.
    async fn esim_activation(&self, cx: &Context, id: &SubscriptionId) -> Result<EsimActivation>;

    /// Charges a top-up and waits for it to be applied. Unavailable, with `paymentAttemptId`, when the charge is not
    /// settled at the caller's deadline; it is applied when it settles.
    async fn purchase_vas(&self, cx: &Context, id: &SubscriptionId, vas_id: &VasId) -> Result<SubscriptionView>;

    /// Books the top-up of an order and its charge, in the caller's unit of work, which holds the order. Called again for the
    /// same order it answers the same charge. The end arrives as [`OrderedTopUpSettled`].
    async fn book_top_up(&self, tx: &Tx, cx: &Context, order: TopUpOrder) -> Result<AttemptId>;

    /// None when nothing was booked for the order.
    async fn top_up_of_order(&self, cx: &Context, order_id: &OrderId) -> Result<Option<OrderedTopUp>>;

    /// Charges the next period and waits for the outcome. A decline is an outcome: the line is then blocked, unless its period
    /// is not over.
    async fn renew_now(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView>;

    /// The same for a line that is blocked for payment, and for no other: asked again after it was paid it charges nothing.
    async fn pay_now(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView>;

    /// Renews every line that is due and waits until those renewals are settled, or for the caller's deadline.
    async fn renew_due(&self, cx: &Context) -> Result<RenewalReport>;

    /// How far the renewals are, whoever sweeps.
    async fn renewal_progress(&self, cx: &Context) -> Result<RenewalProgress>;

    /// Takes the line out of service until the reason is lifted. Doing it twice changes nothing.
    async fn block(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        reason: HoldReason,
        note: Option<&str>,
    ) -> Result<SubscriptionView>;

    /// Lifts what [`Self::block`] set: `reason`, or all of it. The line is active again when nothing else blocks it.
    async fn unblock(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        reason: Option<HoldReason>,
        note: Option<&str>,
    ) -> Result<SubscriptionView>;

    /// Could the line change to this plan? Answers the price that it would pay, or the rule that refuses it; changes nothing.
    async fn may_change_plan(&self, cx: &Context, id: &SubscriptionId, to: &OfferingId) -> Result<PriceView>;

    /// Books a plan for the coming renewal; nothing is charged today.
    async fn schedule_plan_change(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        to: &OfferingId,
    ) -> Result<SubscriptionView>;

    /// The same in the caller's unit of work, at the price that [`Self::may_change_plan`] answered.
    async fn book_plan_change(&self, tx: &Tx, cx: &Context, id: &SubscriptionId, price: PriceView) -> Result<()>;

    /// Takes a booked plan change back; without one nothing happens. A price migration is not the customer's to cancel.
    async fn cancel_plan_change(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView>;

    /// Moves the lines of a plan to a new price, each once and with its notice. Asked again it goes on where it stopped.
    async fn migrate_price(&self, cx: &Context, command: MigratePrice) -> Result<PriceMigrationView>;

    /// What happened to the line, oldest first: every block, charge, refund, grant and change of contract. The latest `limit`
    /// entries before the latest `offset`.
    async fn timeline(&self, cx: &Context, id: &SubscriptionId, limit: u32, offset: u32) -> Result<Vec<TimelineEntry>>;

    /// Ends the line: its number rests, its eSIM is recycled, the network forgets it. Nothing is paid back.
    async fn terminate(&self, cx: &Context, id: &SubscriptionId, reason: &str) -> Result<SubscriptionView>;

    /// The same in the caller's unit of work.
    async fn terminate_within(&self, tx: &Tx, cx: &Context, id: &SubscriptionId, reason: &str) -> Result<()>;
}

/// A line, flat.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionView {
    pub id: SubscriptionId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub commercial_order_id: OrderId,
    pub msisdn: Msisdn,
    /// Masked to its last four digits.
    pub iccid: String,
    pub cfs_service_id: ServiceId,
    pub state: LineStatus,
    /// Why it is in this state.
    pub state_reason: Option<String>,
    /// Empty unless blocked.
    pub block_reasons: Vec<BlockReason>,
    pub activated_at: Option<DateTime<Utc>>,
    pub current_period_start: Option<DateTime<Utc>>,
    /// Exclusive.
    pub current_period_end: Option<DateTime<Utc>>,
    /// Null for a line that will not be renewed.
    pub next_renewal_at: Option<DateTime<Utc>>,
    pub terminated_at: Option<DateTime<Utc>>,
    /// The full price of the contract, decimal text; later edits of the catalog do not touch it.
    pub price_amount: String,
    pub price_currency: String,
    pub price_offering_price_id: PriceId,
    /// What the contract charges per period now, the discount taken off.
    pub effective_amount: String,
    /// What the coming renewal charges, or the one that is overdue: with the plan change or price migration that is due then.
    pub next_charge_amount: Option<String>,
    /// The plan to come; the current one where only the price changes.
    pub pending_offering_id: Option<OfferingId>,
    pub pending_offering_price_id: Option<PriceId>,
    pub pending_price_amount: Option<String>,
    pub pending_price_currency: Option<String>,
    /// The first renewal from then on applies it.
    pub pending_effective_at: Option<DateTime<Utc>>,
    /// Why something is pending.
    pub pending_change: Option<PendingChange>,
    /// `percent` or `absolute`.
    pub discount_type: Option<String>,
    pub discount_value: Option<String>,
    /// Discounted charges to come; 0 none, -1 for ever.
    pub discount_periods_remaining: i32,
    pub promo_code: Option<String>,
    pub promo_offer_definition_id: Option<String>,
    pub period_kind: PlanPeriod,
    pub balances: Vec<BalanceView>,
    pub version: i64,
}

/// What is left of one allowance in the current period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BalanceView {
    pub allowance_type: AllowanceType,
    /// Granted in this period, in `unit`; -1 is unlimited.
    pub total: i64,
    pub consumed: i64,
    /// -1 is unlimited.
    pub remaining: i64,
    pub unit: Unit,
    /// A pass runs: unlimited until then.
    pub unlimited_until: Option<DateTime<Utc>>,
    /// Of an unlimited allowance with a limit of fair use: what may be used in this period.
    pub fair_use_limit: Option<i64>,
    pub fair_use_remaining: Option<i64>,
    pub period_start: DateTime<Utc>,
    pub period_end: DateTime<Utc>,
}

/// A step in the life of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateChangeView {
    /// Null where the line began.
    pub from_state: Option<LineStatus>,
    pub to_state: LineStatus,
    /// The reasons after the step.
    pub block_reasons: Vec<BlockReason>,
    /// The actor.
    pub changed_by: String,
    pub reason: Option<String>,
    /// What the actor added.
    pub note: Option<String>,
    pub event_time: DateTime<Utc>,
}

/// What a renewal sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalReport {
    /// Lines whose renewal was begun.
    pub due: u64,
    pub renewed: u64,
    /// Lines that are blocked for payment now.
    pub declined: u64,
    /// Charges that are not settled yet; they settle by themselves.
    pub pending: u64,
    /// Overdue lines that are blocked for something that a renewal does not lift.
    pub skipped: u64,
    /// Lines whose renewal could not be begun now; they are tried again.
    pub failed: u64,
    /// Lines whose customers are reminded of a renewal that comes.
    pub reminded: u64,
}

/// How far the renewals are, over all replicas; all zero means that nothing is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalProgress {
    /// Lines whose period is over and whose charge has not been begun. Those that a renewal would not bring back into service
    /// are not among them.
    pub due: i64,
    /// Lines whose charge for the next period is under way.
    pub under_way: i64,
    /// When the period of the line that is due for longest was over, on the product clock.
    pub due_since: Option<DateTime<Utc>>,
}

/// The line is paid for and in service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionActivated {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub commercial_order_id: OrderId,
    pub cfs_service_id: ServiceId,
    pub msisdn: Msisdn,
    pub iccid_last4: String,
    pub payment_attempt_id: AttemptId,
    pub amount_charged: String,
    pub currency: String,
    pub period_start: chrono::DateTime<chrono::Utc>,
    pub period_end: chrono::DateTime<chrono::Utc>,
}

impl Event for SubscriptionActivated {
    const TYPE: &'static str = "subscription.activated";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
}

/// The booked line will never be in service: the charge was declined, or was approved and is refunded because the service
/// can no longer be given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivationFailed {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub commercial_order_id: OrderId,
    /// For a person: `card declined: insufficient_funds`, …
    pub reason: String,
    pub payment_attempt_id: Option<AttemptId>,
    pub refund_id: Option<RefundId>,
}

impl Event for ActivationFailed {
    const TYPE: &'static str = "subscription.activation_failed";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
}

/// The line has ended; the network is to forget it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionTerminated {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub cfs_service_id: ServiceId,
    pub msisdn: Msisdn,
    pub iccid_last4: String,
    pub reason: String,
    /// None in events from before it was told.
    pub terminated_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl Event for SubscriptionTerminated {
    const TYPE: &'static str = "subscription.terminated";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
}

/// The lines' side of a batch of usage, for mediation.
pub use crate::domains::subscription::usage::{
    Contention, ExhaustedLine, Remaining, USE_UP, UsageBalance, UsageLine, apply, balances, block_exhausted,
    find_unlocked, lines_of_number, lock_lines, look, with_use,
};

/// What a line's allowance was given, and what is kept of usage whose rows go.
pub use crate::domains::subscription::store::bucket::{ClosedUse, QuotaMove, close_uses, quota_moves};

/// The line's data went from something to nothing; [`SubscriptionBlocked`] follows in the same transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionExhausted {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    /// Always `data`: nothing else exhausts a line.
    pub allowance_type: AllowanceType,
    pub consumed: i64,
    pub total: i64,
    pub triggering_usage_event_id: String,
    /// The row version after the change.
    pub version: i64,
}

impl Event for SubscriptionExhausted {
    const TYPE: &'static str = "subscription.exhausted";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// The line is out of service until what blocks it is lifted; the network is to suspend it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionBlocked {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub cfs_service_id: ServiceId,
    pub msisdn: Msisdn,
    /// The reason that was added now.
    pub reason: BlockReason,
    /// Everything that blocks it.
    pub block_reasons: Vec<BlockReason>,
    /// The row version after the change.
    pub version: i64,
}

impl Event for SubscriptionBlocked {
    const TYPE: &'static str = "subscription.blocked";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}
