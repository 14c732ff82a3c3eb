//! Operations of usage.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::domains::crm::port::Msisdn;
use crate::domains::mediation::port::{
    Draft, Pointers, RULES, Recorded, UsageExplanation, UsageFilter, UsageId, UsageView,
};
use crate::domains::rating::port::UsageType;
use crate::domains::subscription::port::SubscriptionId;
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result, Rule};
use crate::platform::page;
use crate::platform::tmf::time;

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry.with::<Simulate>().with::<ImportBatch>().with::<Get>().with::<History>().with::<Explain>()
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

/// Most records of one batch.
const BATCH_MAX: usize = 400;

/// Record many usage events at once, as a file of a network element has them. Each is answered for itself, in their order.
///
/// Every record needs an external id: sent again, it gets its stored answer and is counted once. So a batch whose answer was
/// lost is simply sent again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportBatch {
    /// 1 to 400.
    #[schemars(length(min = 1, max = 400))]
    pub records: Vec<ImportRecord>,
}

/// One usage event of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportRecord {
    /// Number of the line.
    pub msisdn: String,
    #[schemars(with = "EventType")]
    pub event_type: String,
    #[schemars(with = "f64")]
    pub quantity: Number,
    #[schemars(with = "Option<EventUnit>")]
    pub unit: Option<String>,
    /// When it was used; now when not given.
    #[serde(default, deserialize_with = "time::option::deserialize")]
    pub event_time: Option<DateTime<Utc>>,
    /// Used abroad.
    #[serde(default)]
    pub roaming_indicator: bool,
    /// Who reports it; with `externalId` the identity of the event.
    #[serde(default = "import")]
    pub source: String,
    pub external_id: String,
}

fn import() -> String {
    "import".to_owned()
}

/// What became of a batch.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportAnswer {
    /// One for each record, in their order.
    pub outcomes: Vec<ImportOutcome>,
}

/// What became of one record.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportOutcome {
    pub outcome: ImportVerdict,
    /// Of the stored event; none for a record that left no row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_id: Option<String>,
    /// The rule, or the place of the fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The ends that a record can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportVerdict {
    /// Served, now or when it was sent before.
    Rated,
    /// A rule refused it.
    Refused,
    /// It is malformed and will be so again.
    Invalid,
    /// The server failed at it, and would fail again until what its log says is repaired. Nothing was recorded.
    Failed,
    /// It is not known what became of it: send it again.
    Unknown,
}

impl ImportRecord {
    fn draft(self) -> Result<Draft> {
        let msisdn: Msisdn = self.msisdn.parse().map_err(|e| Error::invalid("/msisdn", format!("{e}")))?;
        Ok(Draft {
            msisdn,
            event_type: self.event_type,
            quantity: self.quantity,
            unit: self.unit,
            roaming: self.roaming_indicator,
            event_time: self.event_time,
            source: self.source,
            external_id: Some(self.external_id),
        })
    }
}

impl From<Recorded> for ImportOutcome {
    fn from(recorded: Recorded) -> Self {
        match recorded {
            Ok(view) => {
                Self { outcome: ImportVerdict::Rated, usage_id: Some(view.id.into()), reason: None, message: None }
            }
            Err(Error::Policy(violation)) => Self {
                outcome: ImportVerdict::Refused,
                usage_id: violation.context.get("usageId").and_then(|id| id.as_str()).map(str::to_owned),
                reason: Some(violation.rule.id().to_owned()),
                message: Some(violation.message.into_owned()),
            },
            Err(Error::Invalid { pointer, message }) => {
                Self { outcome: ImportVerdict::Invalid, usage_id: None, reason: Some(pointer), message: Some(message) }
            }
            // What it was is in the server's log.
            Err(Error::Internal(_)) => Self {
                outcome: ImportVerdict::Failed,
                usage_id: None,
                reason: Some("failed".to_owned()),
                message: Some("the server failed at this record; its log says why".to_owned()),
            },
            Err(_) => Self { outcome: ImportVerdict::Unknown, usage_id: None, reason: None, message: None },
        }
    }
}

impl Operation<Services> for ImportBatch {
    const NAME: &'static str = "usage.import_batch";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str =
        r#"{"records": [{"msisdn": "90000000", "eventType": "data", "quantity": 120, "externalId": "cdr-1"}]}"#;
    type Output = ImportAnswer;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        if !(1..=BATCH_MAX).contains(&self.records.len()) {
            return Err(Error::invalid("/records", format!("must have 1 to {BATCH_MAX} elements")));
        }
        let pointers = Pointers { quantity: "/quantity", unit: "/unit", source: "/source", external_id: "/externalId" };
        let mut outcomes: Vec<Option<ImportOutcome>> = Vec::with_capacity(self.records.len());
        let mut usage = Vec::with_capacity(self.records.len());
        for record in self.records {
            match record.draft().and_then(|draft| draft.check(pointers)) {
                Ok(event) => {
                    usage.push(event);
                    outcomes.push(None);
                }
                Err(error) => outcomes.push(Some(Err(error).into())),
            }
        }
        let mut recorded = services.usage.record_all(cx, usage).await.into_iter().map(ImportOutcome::from);
        let filled = outcomes.into_iter().map(|outcome| outcome.or_else(|| recorded.next()));
        let outcomes: Option<Vec<ImportOutcome>> = filled.collect();
        let outcomes = outcomes.ok_or_else(|| Error::Internal("a record of an import got no answer".into()))?;
        Ok(ImportAnswer { outcomes })
    }
}

/// Explain why a usage event was answered as it was: tariff, bucket, what was left before and after, who refused or blocked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Explain {
    pub usage_id: UsageId,
}

impl Operation<Services> for Explain {
    const NAME: &'static str = "rating.explain";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"usageId": "UE-000001"}"#;
    type Output = UsageExplanation;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.usage.explain(cx, &self.usage_id).await
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
    /// How the id begins, as far as somebody has typed it.
    pub id_prefix: Option<String>,
    /// 1 to 1000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    #[serde(default)]
    pub offset: u32,
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
        page::within(self.limit, 1_000, self.offset)?;
        let filter = UsageFilter {
            subscription_id: self.subscription_id,
            msisdn: self.msisdn,
            event_type: self.event_type,
            since: self.since,
            id_prefix: self.id_prefix,
            limit: self.limit,
            offset: self.offset,
        };
        services.usage.history(cx, filter).await
    }
}
