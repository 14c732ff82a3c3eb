//! Operations of the platform: the clock, the event log, the queue, the ticks, the audit of the books, the reset.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Reach, Registry};
use crate::platform::audit::AuditReport;
use crate::platform::audit::nightly::{self, FindingView};
use crate::platform::clock::{ClockState, parse_duration};
use crate::platform::context::Context;
use crate::platform::delivery::parked::{self, DeliveryView, Depth, Explanation, HistoryView};
use crate::platform::error::{Error, Result};
use crate::platform::events::{self, EventFilter, EventView, Order};
use crate::platform::page;
use crate::platform::replica::{self, ReplicaView};
use crate::platform::reset::{self, ResetReport};
use crate::platform::scheduler::TickView;

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<ClockNow>()
        .with::<ClockFreeze>()
        .with::<ClockUnfreeze>()
        .with::<ClockAdvance>()
        .with::<ListEvents>()
        .with::<EventsByIdentity>()
        .with::<CountByIdentity>()
        .with::<VerifyBooks>()
        .with::<ListFindings>()
        .with::<FindOrphans>()
        .with::<QueueStatus>()
        .with::<QueueParked>()
        .with::<QueueShow>()
        .with::<QueueReplay>()
        .with::<QueueReplayAll>()
        .with::<QueueDiscard>()
        .with::<ListWorkers>()
        .with::<RunTick>()
        .with::<ResetOperationalData>()
}

/// Tell the product time and whether it is frozen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockNow {}

impl Operation<Services> for ClockNow {
    const NAME: &'static str = "clock.now";
    const EFFECT: Effect = Effect::Read;
    type Output = ClockState;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        services.platform.clock.state().await
    }
}

/// Stop the product clock. Only where clock control is allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockFreeze {
    /// The instant to stop at; where it is now when not given.
    pub at: Option<DateTime<Utc>>,
}

impl Operation<Services> for ClockFreeze {
    const NAME: &'static str = "clock.freeze";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Hidden;
    const REACH: Reach = Reach::Installation;
    const EXAMPLE: &'static str = r#"{"at": "2027-01-10T08:00:00Z"}"#;
    type Output = ClockState;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.platform.clock.freeze(cx, self.at).await
    }
}

/// Let the product clock run again, at wall time. Only where clock control is allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockUnfreeze {}

impl Operation<Services> for ClockUnfreeze {
    const NAME: &'static str = "clock.unfreeze";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Hidden;
    const REACH: Reach = Reach::Installation;
    type Output = ClockState;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.platform.clock.unfreeze(cx).await
    }
}

/// Move the product clock forward. Only where clock control is allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockAdvance {
    /// One number and one unit: `45s`, `15m`, `2h` or `30d`.
    pub duration: String,
}

impl Operation<Services> for ClockAdvance {
    const NAME: &'static str = "clock.advance";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Hidden;
    const REACH: Reach = Reach::Installation;
    const EXAMPLE: &'static str = r#"{"duration": "30d"}"#;
    type Output = ClockState;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let by = parse_duration(&self.duration).ok_or_else(|| {
            Error::invalid("/duration", "must be one number and one unit, such as 45s, 15m, 2h or 30d")
        })?;
        services.platform.clock.advance(cx, by).await
    }
}

/// Read the event log: who did what, when, through which surface.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListEvents {
    pub aggregate_type: Option<String>,
    pub aggregate_id: Option<String>,
    pub event_type: Option<String>,
    /// Such as `order.`.
    pub event_type_prefix: Option<String>,
    pub service_identity: Option<String>,
    pub actor: Option<String>,
    pub channel: Option<String>,
    pub trace_id: Option<String>,
    /// Product time, inclusive.
    pub occurred_since: Option<DateTime<Utc>>,
    /// Product time, inclusive.
    pub occurred_until: Option<DateTime<Utc>>,
    #[serde(default)]
    pub order: Order,
    /// The `next` of an earlier answer.
    pub after: Option<i64>,
    /// 1 to 1000.
    #[serde(default = "hundred")]
    pub limit: u32,
    /// Only events before which nothing can appear any more: where somebody begins to follow the log.
    #[serde(default)]
    pub settled: bool,
}

/// A page of the event log.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    pub events: Vec<EventView>,
    pub count: usize,
    /// Give it as `after` to go on; also at the end of the log, to see what comes later.
    pub next: Option<i64>,
}

const fn hundred() -> u32 {
    100
}

impl Operation<Services> for ListEvents {
    const NAME: &'static str = "events.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"eventTypePrefix": "order.", "order": "desc", "limit": 10}"#;
    type Output = EventPage;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let filter = EventFilter {
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            event_type: self.event_type,
            event_type_prefix: self.event_type_prefix,
            service_identity: self.service_identity,
            actor: self.actor,
            channel: self.channel,
            trace_id: self.trace_id,
            occurred_since: self.occurred_since,
            occurred_until: self.occurred_until,
            after: self.after,
            order: self.order,
            settled: self.settled,
            is_page: false,
        };
        let events = events::list(&services.platform.db, cx, &filter, self.limit).await?;
        Ok(EventPage { count: events.len(), next: events.last().map(|event| event.seq).or(filter.after), events })
    }
}

/// Read what one service identity did, oldest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventsByIdentity {
    /// `default`, `portal_self_serve`, …
    pub service_identity: String,
    pub aggregate_type: Option<String>,
    pub aggregate_id: Option<String>,
    pub event_type_prefix: Option<String>,
    /// Only what comes behind this position: the `seq` of the last event of the page before.
    pub after: Option<i64>,
    /// 1 to 1000.
    #[serde(default = "two_hundred")]
    pub limit: u32,
}

const fn two_hundred() -> u32 {
    200
}

impl EventsByIdentity {
    fn filter(self) -> EventFilter {
        EventFilter {
            service_identity: Some(self.service_identity),
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            event_type_prefix: self.event_type_prefix,
            after: self.after,
            is_page: true,
            ..EventFilter::default()
        }
    }
}

impl Operation<Services> for EventsByIdentity {
    const NAME: &'static str = "audit.events_by_identity";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"serviceIdentity": "default"}"#;
    type Output = Vec<EventView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let limit = self.limit;
        events::list(&services.platform.db, cx, &self.filter(), limit).await
    }
}

/// Count what one service identity did.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountByIdentity {
    pub service_identity: String,
    pub aggregate_type: Option<String>,
    pub aggregate_id: Option<String>,
    pub event_type_prefix: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct IdentityCount {
    pub identity: String,
    pub count: i64,
}

impl Operation<Services> for CountByIdentity {
    const NAME: &'static str = "audit.count_by_identity";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"serviceIdentity": "default"}"#;
    type Output = IdentityCount;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let filter = EventFilter {
            service_identity: Some(self.service_identity.clone()),
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            event_type_prefix: self.event_type_prefix,
            ..EventFilter::default()
        };
        let count = events::count(&services.platform.db, cx, &filter).await?;
        Ok(IdentityCount { identity: self.service_identity, count })
    }
}

/// Prove the books: journal, periods, balances, pools, orders and deliveries. Names every offender.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyBooks {}

impl Operation<Services> for VerifyBooks {
    const NAME: &'static str = "audit.verify";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Installation;
    const TIMEOUT: Duration = Duration::from_secs(300);
    type Output = AuditReport;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        services.books.verify(|_| true).await
    }
}

/// List what the nightly check of the books found wrong and has not seen healed, the newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListFindings {}

impl Operation<Services> for ListFindings {
    const NAME: &'static str = "audit.findings";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Installation;
    type Output = Vec<FindingView>;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        nightly::open(&services.platform.db).await
    }
}

/// Show how much waits for each subscriber.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueStatus {}

#[derive(Debug, Serialize, JsonSchema)]
pub struct QueueDepths {
    pub consumers: Vec<Depth>,
}

impl Operation<Services> for QueueStatus {
    const NAME: &'static str = "queue.status";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Installation;
    type Output = QueueDepths;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        Ok(QueueDepths { consumers: parked::depth(&services.platform.db).await? })
    }
}

/// List deliveries that wait for a person: what each was, why it waits, what can be done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueParked {
    pub consumer: Option<String>,
    /// 1 to 1000.
    #[serde(default = "hundred")]
    pub limit: u32,
    /// How many to leave out.
    #[serde(default)]
    pub offset: u32,
}

impl Operation<Services> for QueueParked {
    const NAME: &'static str = "queue.parked";
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<ExplainedDelivery>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        page::within(self.limit, events::LIMIT_MAX, self.offset)?;
        let consumer = self.consumer.as_deref();
        let parked = parked::parked(&services.platform.db, cx, consumer, self.limit, self.offset).await?;
        Ok(parked.into_iter().map(ExplainedDelivery::from).collect())
    }
}

/// A delivery and, where it waits for a person, what that person has to know.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedDelivery {
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// Null unless it is parked.
    pub explanation: Option<Explanation>,
}

impl From<DeliveryView> for ExplainedDelivery {
    fn from(delivery: DeliveryView) -> Self {
        Self { explanation: delivery.explanation(), delivery }
    }
}

/// Show an event, its deliveries, and what happened to them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueShow {
    pub event_id: Uuid,
    pub consumer: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct QueueEntry {
    pub deliveries: Vec<ExplainedDelivery>,
    pub history: Vec<HistoryView>,
}

impl Operation<Services> for QueueShow {
    const NAME: &'static str = "queue.show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"eventId": "5d0e6d2e-0d5b-4f0e-9a53-3d2c1c1f7a10"}"#;
    type Output = QueueEntry;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let (mut deliveries, mut history) = parked::of_event(&services.platform.db, cx, self.event_id).await?;
        if let Some(consumer) = self.consumer {
            deliveries.retain(|delivery| delivery.consumer == consumer);
            history.retain(|line| line.consumer == consumer);
        }
        let deliveries = deliveries.into_iter().map(ExplainedDelivery::from).collect();
        Ok(QueueEntry { deliveries, history })
    }
}

/// Put the parked deliveries of an event back into the queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueReplay {
    pub event_id: Uuid,
    /// Only this subscriber's; all parked ones when not given.
    pub consumer: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Replayed {
    pub replayed: u64,
}

impl Operation<Services> for QueueReplay {
    const NAME: &'static str = "queue.replay";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const EXAMPLE: &'static str = r#"{"eventId": "5d0e6d2e-0d5b-4f0e-9a53-3d2c1c1f7a10"}"#;
    type Output = Replayed;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let replayed = parked::replay(&services.platform.db, cx, self.event_id, self.consumer.as_deref()).await?;
        Ok(Replayed { replayed })
    }
}

/// Put every parked delivery of one subscriber back into the queue, after its cause was repaired.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueReplayAll {
    pub consumer: String,
    /// How many at most, oldest first: 1 to 1000.
    #[serde(default = "hundred")]
    pub limit: u32,
}

impl Operation<Services> for QueueReplayAll {
    const NAME: &'static str = "queue.replay_all";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const EXAMPLE: &'static str = r#"{"consumer": "som.decompose"}"#;
    type Output = Replayed;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        page::bounded(self.limit, events::LIMIT_MAX)?;
        if self.consumer.len() > 100 {
            return Err(Error::invalid("/consumer", "must be one of the names that queue.status gives"));
        }
        if !services.platform.db.subscribers().names().any(|name| name == self.consumer) {
            return Err(Error::not_found("subscriber", &self.consumer));
        }
        Ok(Replayed { replayed: parked::replay_all(&services.platform.db, cx, &self.consumer, self.limit).await? })
    }
}

/// Find what nobody works on any more: orders, service orders, network tasks, lines, reservations and deliveries that nothing
/// will move. Each says what can be done about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindOrphans {}

/// Something that nobody works on.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Orphan {
    pub id: String,
    pub detail: String,
    /// The statement about the books that it breaks.
    pub check: String,
    /// What can be done.
    pub next: String,
}

/// The statements whose offenders are orphans, and what is done about those.
const ORPHANS: &[(&str, &str)] = &[
    ("platform.deliveries_move", "a subscriber that no running version knows: start a version that does"),
    (
        "com.order_is_terminal_or_explained",
        "bss order triage ORDER says which: bss order retry, or bss order cancel, which gives everything back",
    ),
    ("com.ended_order_holds_no_inventory", "it goes back when the reservation ends, or by inventory.msisdn.release"),
    (
        "som.order_is_worked_on",
        "bss som so-show SERVICE_ORDER; its tasks: bss prov tasks --service-order SERVICE_ORDER",
    ),
    ("som.service_is_wanted", "bss som service show SERVICE; the network still gives it"),
    ("som.unconfirmed_is_worked_on", "post a serviceOrder with action modify: it tells the network again"),
    ("provisioning.task_is_not_forgotten", "bss worker tick provisioning_recovery"),
];

impl Operation<Services> for FindOrphans {
    const NAME: &'static str = "audit.find_orphans";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Installation;
    const TIMEOUT: Duration = Duration::from_secs(60);
    type Output = Vec<Orphan>;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        let wanted = |name: &str| ORPHANS.iter().find(|(check, _)| *check == name).map(|(_, next)| *next);
        let report = services.books.verify(|name| wanted(name).is_some()).await?;
        let orphans = report.checks.into_iter().flat_map(|check| {
            let next = wanted(&check.name).unwrap_or_default().to_owned();
            check.offenders.into_iter().map(move |offender| Orphan {
                id: offender.id,
                detail: offender.detail,
                check: check.name.clone(),
                next: next.clone(),
            })
        });
        Ok(orphans.collect())
    }
}

/// Give up a parked delivery for good. What it would have done will not happen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueDiscard {
    pub event_id: Uuid,
    pub consumer: String,
    /// Why; it stays in the history.
    pub reason: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Discarded {
    pub discarded: u64,
}

impl Operation<Services> for QueueDiscard {
    const NAME: &'static str = "queue.discard";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    const EXAMPLE: &'static str =
        r#"{"eventId": "5d0e6d2e-0d5b-4f0e-9a53-3d2c1c1f7a10", "consumer": "som.decompose", "reason": "test order"}"#;
    type Output = Discarded;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        if self.reason.trim().is_empty() || self.reason.len() > 500 {
            return Err(Error::invalid("/reason", "must be 1 to 500 characters"));
        }
        let discarded = parked::discard(&services.platform.db, cx, self.event_id, &self.consumer, &self.reason).await?;
        Ok(Discarded { discarded })
    }
}

/// Show the running processes and the last run of every periodic task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListWorkers {}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Workers {
    /// What the server that answers is for: `development`, `staging` or `production`.
    pub environment: &'static str,
    pub replicas: Vec<ReplicaView>,
    pub ticks: Vec<TickView>,
}

impl Operation<Services> for ListWorkers {
    const NAME: &'static str = "worker.list";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Installation;
    type Output = Workers;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        let environment = services.platform.config.environment.as_str();
        let replicas = replica::list(&services.platform.db).await?;
        Ok(Workers { environment, replicas, ticks: services.scheduler.list().await? })
    }
}

/// Run a periodic task now and answer its report.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunTick {
    /// One of the names that `worker.list` gives.
    pub name: String,
}

/// What a tick says of its run; each has its own members.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct TickReport(Value);

impl Operation<Services> for RunTick {
    const NAME: &'static str = "worker.tick";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const REACH: Reach = Reach::Installation;
    const EXAMPLE: &'static str = r#"{"name": "renewal"}"#;
    const TIMEOUT: Duration = Duration::from_secs(300);
    type Output = TickReport;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        if self.name.len() > 64 {
            return Err(Error::invalid("/name", "must be one of the names that worker.list gives"));
        }
        services.scheduler.run(&self.name).await.map(TickReport)
    }
}

/// Empty all operational data: customers, lines, orders, payments, usage. The catalog, the pools and the event log stay.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetOperationalData {}

impl Operation<Services> for ResetOperationalData {
    const NAME: &'static str = "admin.reset_operational_data";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Hidden;
    const REACH: Reach = Reach::Installation;
    const TIMEOUT: Duration = Duration::from_secs(45);
    type Output = ResetReport;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let config = &services.platform.config;
        let allowed = config.allow_admin_reset && !config.is_production();
        reset::reset(&services.platform.db, cx, allowed).await
    }
}
