//! Operations of usage.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Number;

use crate::domains::crm::port::Msisdn;
use crate::domains::mediation::port::{Draft, Pointers, RULES, UsageFilter, UsageId, UsageView};
use crate::domains::rating::port::UsageType;
use crate::domains::subscription::port::SubscriptionId;
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result, Rule};
use crate::platform::tmf::time;

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry.with::<Simulate>().with::<Get>().with::<History>()
}

/// Report usage of a line as the network would: it is answered at once, counted, and what it uses up is gone.
///
/// Data is cut to what is left and the rest refused; data that reaches zero blocks the line. A voice or SMS event is served
/// whole while anything is left. A refused event is an error with the rule in `reason` and the stored event's `usageId`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Simulate {
    /// Number of the line.
    pub msisdn: Msisdn,
    #[schemars(with = "EventType")]
    pub event_type: String,
    /// Greater than zero, in `unit`.
    #[schemars(with = "f64")]
    pub quantity: Number,
    #[schemars(with = "Option<EventUnit>")]
    pub unit: Option<String>,
    /// When it was used; now when not given. Not before the line's activation, not in the future.
    #[serde(default, deserialize_with = "time::option::deserialize")]
    pub event_time: Option<DateTime<Utc>>,
    /// Used abroad.
    #[serde(default)]
    pub roaming_indicator: bool,
    /// Who reports it; with `externalId` the identity of the event.
    #[serde(default = "simulator")]
    pub source: String,
    /// Of the record. The same source and external id get the stored answer, not a second deduction.
    pub external_id: Option<String>,
}

/// What was used; `voice_minutes` is another word for `voice`.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes an argument that is checked by rule, not by type")]
enum EventType {
    Data,
    Voice,
    VoiceMinutes,
    Sms,
}

/// The unit of the type (`mb`, `minutes`, `count`) when not given; data also in `gb`, converted exactly.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes an argument that is checked against the event type")]
enum EventUnit {
    Mb,
    Gb,
    Minutes,
    Count,
}

fn simulator() -> String {
    "simulator".to_owned()
}

impl Operation<Services> for Simulate {
    const NAME: &'static str = "usage.simulate";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = RULES;
    const EXAMPLE: &'static str = r#"{"msisdn": "90000000", "eventType": "data", "quantity": 120, "unit": "mb"}"#;
    type Output = UsageView;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let draft = Draft {
            msisdn: self.msisdn,
            event_type: self.event_type,
            quantity: self.quantity,
            unit: self.unit,
            roaming: self.roaming_indicator,
            event_time: self.event_time,
            source: self.source,
            external_id: self.external_id,
        };
        let pointers = Pointers { quantity: "/quantity", unit: "/unit", source: "/source", external_id: "/externalId" };
        services.usage.record(cx, draft.check(pointers)?).await
    }
}

/// Show one usage event with its answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Get {
    pub usage_id: UsageId,
}

impl Operation<Services> for Get {
    const NAME: &'static str = "usage.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"usageId": "UE-000001"}"#;
    type Output = UsageView;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.usage.usage(cx, &self.usage_id).await
    }
}

/// List usage, rated and refused, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct History {
    pub subscription_id: Option<SubscriptionId>,
    /// Of every line that has or had this number.
    pub msisdn: Option<Msisdn>,
    pub event_type: Option<UsageType>,
    /// Not before this event time.
    #[serde(default, deserialize_with = "time::option::deserialize")]
    pub since: Option<DateTime<Utc>>,
    /// 1 to 1000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
}

const fn hundred() -> u32 {
    100
}

impl Operation<Services> for History {
    const NAME: &'static str = "usage.history";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"msisdn": "90000000", "eventType": "data", "limit": 20}"#;
    type Output = Vec<UsageView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        if !(1..=1000).contains(&self.limit) {
            return Err(Error::invalid("/limit", "must be 1 to 1000"));
        }
        let filter = UsageFilter {
            subscription_id: self.subscription_id,
            msisdn: self.msisdn,
            event_type: self.event_type,
            since: self.since,
            limit: self.limit,
        };
        services.usage.history(cx, filter).await
    }
}
