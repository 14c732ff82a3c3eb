//! What others may ask mediation, and the event others may react to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{AllowanceType, Unit};
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::rating::port::UsageType;
use crate::domains::subscription::port::SubscriptionId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox::Event;

pub use crate::domains::mediation::model::{Draft, NewUsage, Pointers};
pub use crate::domains::mediation::policy::RULES;

id_type!(pub UsageId, "usage event, UE-…");
id_type!(pub UsageSpecificationId, "kind of usage, such as USPEC_DATA");

/// The answer that a usage event got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageState {
    /// Served, wholly or (data) in part.
    Rated,
    Refused,
}

impl UsageState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rated => "rated",
            Self::Refused => "refused",
        }
    }
}

/// A usage event with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    pub id: UsageId,
    pub subscription_id: SubscriptionId,
    #[serde(skip)]
    pub customer_id: String,
    pub msisdn: String,
    /// Who reported it; with `externalId` its identity.
    pub source: String,
    pub external_id: String,
    pub event_type: UsageType,
    pub event_time: DateTime<Utc>,
    /// What was asked for, in `unit`.
    pub quantity: i64,
    pub unit: Unit,
    pub roaming_indicator: bool,
    pub state: UsageState,
    /// The allowance that was asked; null when it was refused before.
    pub allowance_type: Option<AllowanceType>,
    /// What was served.
    pub rated_quantity: i64,
    /// What was not: with `ratedQuantity` the quantity.
    pub refused_quantity: i64,
    /// Left of the allowance after the event; null while unlimited, or when no allowance was looked at.
    pub remaining: Option<i64>,
    /// The rule that refused it.
    pub reason: Option<String>,
    /// Official TMF635 attributes that we only store and echo; mostly none.
    #[serde(skip)]
    pub attributes: Option<Box<serde_json::Value>>,
}

impl UsageView {
    /// The allowance that the event asks for, whether or not the line has it.
    pub const fn usage_allowance(&self) -> AllowanceType {
        self.event_type.allowance(self.roaming_indicator)
    }
}

/// The answer to one of many events.
pub type Recorded = Result<UsageView>;

/// Why a usage event was answered as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageExplanation {
    /// In one or two sentences.
    pub summary: String,
    pub usage: UsageView,
    /// What the event costs by the plan that the line was on.
    pub tariff: TariffView,
    /// The allowance that was asked; null when the event was refused before.
    pub bucket: Option<BucketView>,
    pub refused_by: Option<RefusalView>,
    /// Who took the line out of service, where that is why the event was refused and the event log still knows it.
    pub blocked_by: Option<BlockerView>,
    /// The event used the last of the home data.
    pub blocks_the_line: bool,
}

/// The line of the tariff: everything is included, so an event takes quota and never money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TariffView {
    pub offering_id: String,
    pub event_type: UsageType,
    pub roaming: bool,
    /// The allowance that such an event uses.
    pub allowance_type: AllowanceType,
    pub unit: Unit,
    /// Decimal text.
    pub charge_amount: String,
    pub currency: String,
}

/// An allowance around one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketView {
    pub allowance_type: AllowanceType,
    pub unit: Unit,
    pub period_index: i32,
    pub unlimited: bool,
    /// Left before the event; null while unlimited, or when the line has no such allowance.
    pub before: Option<i64>,
    /// Taken off by the event.
    pub taken: i64,
    /// Left after it.
    pub after: Option<i64>,
    /// What was granted in the period, until now.
    pub grants: Vec<GrantView>,
}

/// Quota that the line was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantView {
    /// `activation`, `renewal`, `vas:<purchase>`.
    pub source: String,
    pub amount: i64,
    pub at: DateTime<Utc>,
}

/// A rule that refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalView {
    pub rule: String,
    pub message: String,
}

/// What took a line out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockerView {
    /// Of the line when the event came.
    pub state: String,
    pub reasons: Vec<String>,
    /// Who did it; of a line that ran out of data: who sent the usage.
    pub actor: String,
    pub at: DateTime<Utc>,
}

/// Which usage to list.
#[derive(Debug, Clone, Default)]
pub struct UsageFilter {
    pub subscription_id: Option<SubscriptionId>,
    /// Of every line that has or had the number.
    pub msisdn: Option<Msisdn>,
    pub event_type: Option<UsageType>,
    /// Not before this event time.
    pub since: Option<DateTime<Utc>>,
    /// How the id begins.
    pub id_prefix: Option<String>,
    pub limit: u32,
    pub offset: u32,
}

/// Usage events.
#[async_trait]
pub trait Mediation: Send + Sync {
    /// Records one event and answers it, durably. The same source and external id get the stored answer, not a second
    /// deduction.
    ///
    /// Violates `usage.record.subscription_must_exist` (nothing is stored), `usage.record.replay_differs`, or, with the
    /// stored event's id as `usageId` in the context, one of the rules that refuse usage. Unavailable when too much waits
    /// or the line is held by somebody else for too long: the event may be sent again with the same external id.
    async fn record(&self, cx: &Context, usage: NewUsage) -> Result<UsageView>;

    /// [`record`](Self::record) for many at once, answered in their order. Each stands for itself.
    async fn record_all(&self, cx: &Context, usage: Vec<NewUsage>) -> Vec<Recorded>;

    /// Why the event was answered as it was.
    async fn explain(&self, cx: &Context, id: &UsageId) -> Result<UsageExplanation>;

    async fn usage(&self, cx: &Context, id: &UsageId) -> Result<UsageView>;

    /// Newest event first.
    async fn history(&self, cx: &Context, filter: UsageFilter) -> Result<Vec<UsageView>>;
}

/// A share of an allowance is used: 50, 80 or 100 per cent of what was granted in the period. Each once; a top-up that takes
/// the use below a share lets it be reached again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageThresholdReached {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub allowance_type: AllowanceType,
    pub percent: u8,
    /// Left after the event, in the unit of the allowance.
    pub remaining: i64,
    /// Granted in the period until now.
    pub total: i64,
    pub period_index: i32,
    /// The event that reached it.
    pub usage_event_id: UsageId,
}

impl Event for UsageThresholdReached {
    const TYPE: &'static str = "usage.threshold_reached";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
}

/// Usage was refused. Usage that is served leaves no event of its own: its row says everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageRejected {
    /// None for a number without a line: nothing is stored then.
    pub usage_event_id: Option<UsageId>,
    pub subscription_id: Option<SubscriptionId>,
    pub msisdn: Msisdn,
    /// State of the line.
    pub state: Option<String>,
    pub event_type: UsageType,
    pub event_time: DateTime<Utc>,
    pub quantity: i64,
    pub unit: Unit,
    pub roaming_indicator: bool,
    pub source: String,
    pub external_id: String,
    pub allowance_type: Option<AllowanceType>,
    /// The rule that refused it.
    pub reason: String,
}

impl Event for UsageRejected {
    const TYPE: &'static str = "usage.rejected";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_ref().map_or(self.msisdn.as_str(), SubscriptionId::as_str)
    }
}
