//! What others may ask mediation, and the event others may react to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{AllowanceType, Unit};
use crate::domains::crm::port::Msisdn;
use crate::domains::rating::port::UsageType;
use crate::domains::subscription::port::SubscriptionId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox::Event;

pub use crate::domains::mediation::model::{Draft, NewUsage, Pointers};
pub use crate::domains::mediation::policy::RULES;

id_type!(pub UsageId, "usage event, UE-…");

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

/// Which usage to list.
#[derive(Debug, Clone, Default)]
pub struct UsageFilter {
    pub subscription_id: Option<SubscriptionId>,
    /// Of every line that has or had the number.
    pub msisdn: Option<Msisdn>,
    pub event_type: Option<UsageType>,
    /// Not before this event time.
    pub since: Option<DateTime<Utc>>,
    pub limit: u32,
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

    async fn usage(&self, cx: &Context, id: &UsageId) -> Result<UsageView>;

    /// Newest event first.
    async fn history(&self, cx: &Context, filter: UsageFilter) -> Result<Vec<UsageView>>;
}

/// Usage was refused. Usage that is served leaves no event: its row says everything.
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
