//! Operations on traces: the way of an order through the modules, put together from what was recorded and from the event log.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domains::com::port::OrderId;
use crate::domains::subscription::port::SubscriptionId;
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::events::{self, EventFilter, EventView, Order};
use crate::platform::page;
use crate::platform::trace::jaeger::Jaeger;
use crate::platform::trace::read::{self, Origin, SegmentRow};
use crate::platform::trace::{EDGE, without_number};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<GetTrace>()
        .with::<ListTraces>()
        .with::<ListTracedServices>()
        .with::<TraceForOrder>()
        .with::<TraceForSubscription>()
}

/// Events of one trace that are shown; more than an order has.
const EVENTS_MAX: u32 = 1_000;
/// Of a thing, the latest events that are looked through for a trace.
const LATEST: u32 = 200;

/// Which module an event belongs to, by the first word of its type.
const LANES: &[(&str, &str)] = &[
    ("order", "com"),
    ("service_order", "som"),
    ("service", "som"),
    ("provisioning", "provisioning"),
    ("payment", "payment"),
    ("subscription", "subscription"),
    ("price_migration", "subscription"),
    ("usage", "mediation"),
    ("customer", "crm"),
    ("communication", "crm"),
    ("interaction", "crm"),
    ("inventory", "crm"),
    ("msisdn", "crm"),
    ("esim", "crm"),
    ("catalog", "catalog"),
];

/// One step of a trace: a request, a delivery, a call to the outside, or an event, which takes no time.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanView {
    /// Number within the trace.
    pub id: usize,
    /// The step that caused this one; null where the trace begins.
    pub parent_id: Option<usize>,
    /// `request`, `delivery`, `step` or `event`.
    pub kind: &'static str,
    /// Whose lane it is drawn in.
    pub module: String,
    pub name: String,
    /// The identity of the token behind it.
    pub service_identity: Option<String>,
    /// Microseconds since the trace began.
    pub start_us: i64,
    pub took_us: i64,
    pub failed: bool,
    /// Ids, states and counts.
    pub attributes: Map<String, Value>,
}

/// Where what was recorded of traces is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceSource {
    /// The Jaeger of `BSS_JAEGER_UI_URL`.
    Jaeger,
    /// This installation's own database.
    Store,
    /// Nothing was recorded, or is kept no longer: the event log tells it alone.
    Events,
}

/// Where to look for traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceFrom {
    Jaeger,
    Store,
}

/// What a trace amounts to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceSummary {
    pub trace_id: String,
    pub source: TraceSource,
    /// With what it began.
    pub name: String,
    pub started_at: DateTime<Utc>,
    /// From the first to the last moment.
    pub total_ms: f64,
    pub span_count: usize,
    pub service_count: usize,
    /// The modules that took part.
    pub services: Vec<String>,
    pub error_span_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
}

/// A trace with all its steps.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceView {
    #[serde(flatten)]
    pub summary: TraceSummary,
    /// In the order in which they began.
    pub spans: Vec<SpanView>,
}

/// Show a trace: every step from the request to the last consumer.
///
/// What was not recorded, or is no longer kept, is told by the event log alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetTrace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Where to look: without it in Jaeger, when `BSS_JAEGER_UI_URL` names one, else in the store.
    pub source: Option<TraceFrom>,
}

impl Operation<Services> for GetTrace {
    const NAME: &'static str = "trace.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736"}"#;
    type Output = TraceView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let is_id = self.trace_id.len() == 32 && self.trace_id.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return Err(Error::invalid("/traceId", "must be 32 hexadecimal digits"));
        }
        Shelf::of(services, self.source)?.load(services, cx, &self.trace_id.to_ascii_lowercase()).await
    }
}

/// List the modules that the latest traces tell of, by name: what a drawing can be cut down to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListTracedServices {
    /// Where to look: without it in Jaeger, when `BSS_JAEGER_UI_URL` names one, else in the store.
    pub source: Option<TraceFrom>,
}

/// A module that traces tell of.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracedService {
    pub name: String,
}

impl Operation<Services> for ListTracedServices {
    const NAME: &'static str = "trace.services";
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<TracedService>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let names = match Shelf::of(services, self.source)? {
            Shelf::Jaeger(jaeger) => jaeger.modules(&cx.tenant).await?,
            Shelf::Store => read::modules(&services.platform.db, cx).await?,
        };
        Ok(names.into_iter().map(|name| TracedService { name }).collect())
    }
}

/// List the traces that are kept, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListTraces {
    /// Only those in which a step failed, among the latest few thousand of the store, or few hundred of Jaeger.
    #[serde(default)]
    pub failed: bool,
    /// Only those that began before this one: `position` of the last of the page before.
    pub before: Option<i64>,
    /// 1 to 200.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: u32,
    /// Where to look: without it in Jaeger, when `BSS_JAEGER_UI_URL` names one, else in the store.
    pub source: Option<TraceFrom>,
}

const fn twenty() -> u32 {
    20
}

/// The beginning of a trace.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceEntry {
    pub trace_id: String,
    /// What was asked for.
    pub name: String,
    pub started_at: DateTime<Utc>,
    /// How long the caller waited.
    pub took_ms: f64,
    /// Requests and deliveries that were recorded.
    pub segment_count: i64,
    pub failed: bool,
    /// Where it stands in the list.
    pub position: i64,
}

impl From<Origin> for TraceEntry {
    fn from(origin: Origin) -> Self {
        Self {
            trace_id: origin.trace_id,
            name: origin.name,
            started_at: origin.started_at,
            took_ms: milliseconds(origin.took_us),
            segment_count: origin.segments,
            failed: origin.failed,
            position: origin.id,
        }
    }
}

impl Operation<Services> for ListTraces {
    const NAME: &'static str = "trace.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"failed": true, "limit": 10}"#;
    type Output = Vec<TraceEntry>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        page::bounded(self.limit, 200)?;
        let origins = match Shelf::of(services, self.source)? {
            Shelf::Jaeger(jaeger) => jaeger.origins(&cx.tenant, self.failed, self.before, self.limit).await?,
            Shelf::Store => read::origins(&services.platform.db, cx, self.failed, self.before, self.limit).await?,
        };
        Ok(origins.into_iter().map(TraceEntry::from).collect())
    }
}

/// Sum up the latest trace of an order: how many steps in which modules, how long, how many failed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TraceForOrder {
    pub order_id: OrderId,
    /// Where to look: without it in Jaeger, when `BSS_JAEGER_UI_URL` names one, else in the store.
    pub source: Option<TraceFrom>,
}

impl Operation<Services> for TraceForOrder {
    const NAME: &'static str = "trace.for_order";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0001"}"#;
    type Output = TraceSummary;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let summary = Shelf::of(services, self.source)?.latest(services, cx, &self.order_id.to_string()).await?.summary;
        Ok(TraceSummary { order_id: Some(self.order_id), ..summary })
    }
}

/// Sum up the latest trace of a line: how many steps in which modules, how long, how many failed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TraceForSubscription {
    pub subscription_id: SubscriptionId,
    /// Where to look: without it in Jaeger, when `BSS_JAEGER_UI_URL` names one, else in the store.
    pub source: Option<TraceFrom>,
}

impl Operation<Services> for TraceForSubscription {
    const NAME: &'static str = "trace.for_subscription";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"subscriptionId": "SUB-0001"}"#;
    type Output = TraceSummary;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let summary =
            Shelf::of(services, self.source)?.latest(services, cx, &self.subscription_id.to_string()).await?.summary;
        Ok(TraceSummary { subscription_id: Some(self.subscription_id), ..summary })
    }
}

/// Where traces are looked for.
#[derive(Clone, Copy)]
enum Shelf<'a> {
    Jaeger(&'a Jaeger),
    Store,
}

impl<'a> Shelf<'a> {
    fn of(services: &'a Services, wish: Option<TraceFrom>) -> Result<Self> {
        match (wish, &services.jaeger) {
            (Some(TraceFrom::Store), _) | (None, None) => Ok(Self::Store),
            (_, Some(jaeger)) => Ok(Self::Jaeger(jaeger)),
            (Some(TraceFrom::Jaeger), None) => Err(Error::invalid(
                "/source",
                "no Jaeger is known here: BSS_JAEGER_UI_URL of the server names one; store is what is kept here",
            )),
        }
    }

    /// The trace of the latest event of a thing, a recorded one before one that only the event log tells of.
    async fn latest(self, services: &Services, cx: &Context, aggregate_id: &str) -> Result<TraceView> {
        let filter =
            EventFilter { aggregate_id: Some(aggregate_id.to_owned()), order: Order::Desc, ..EventFilter::default() };
        let events = events::list(&services.platform.db, cx, &filter, LATEST).await?;
        let mut seen = BTreeSet::new();
        let traces: Vec<String> =
            events.into_iter().filter_map(|event| event.trace_id).filter(|id| seen.insert(id.clone())).collect();
        // What was recorded was exported too, more often than not.
        let recorded = read::first_recorded(&services.platform.db, cx, &traces).await?;
        let trace_id = recorded.or_else(|| traces.into_iter().next());
        self.load(services, cx, &trace_id.ok_or_else(|| Error::not_found("trace", aggregate_id))?).await
    }

    /// A trace, from where more of it is: what was not sent yet, or not sampled, may be kept here.
    async fn load(self, services: &Services, cx: &Context, trace_id: &str) -> Result<TraceView> {
        let db = &services.platform.db;
        let filter = EventFilter { trace_id: Some(trace_id.to_owned()), ..EventFilter::default() };
        let ((source, segments), events) =
            tokio::try_join!(self.segments(services, cx, trace_id), events::list(db, cx, &filter, EVENTS_MAX))?;
        let trace = assemble(trace_id, source, &segments, &events);
        trace.ok_or_else(|| Error::not_found("trace", trace_id))
    }

    async fn segments(
        self,
        services: &Services,
        cx: &Context,
        trace_id: &str,
    ) -> Result<(TraceSource, Vec<SegmentRow>)> {
        let kept = read::segments(&services.platform.db, cx, trace_id).await?;
        if let Self::Jaeger(jaeger) = self {
            let told = jaeger.segments(&cx.tenant, trace_id).await?;
            if !told.is_empty() && told.len() >= kept.len() {
                return Ok((TraceSource::Jaeger, told));
            }
        }
        let source = if kept.is_empty() { TraceSource::Events } else { TraceSource::Store };
        Ok((source, kept))
    }
}

/// Joins segments and events into one tree: an event hangs below the span that staged it, a delivery below its event.
fn assemble(trace_id: &str, source: TraceSource, segments: &[SegmentRow], events: &[EventView]) -> Option<TraceView> {
    let recorded = events.iter().map(|event| event.recorded_at);
    let started_at = segments.iter().map(|segment| segment.started_at).chain(recorded).min()?;
    let since = |at: DateTime<Utc>| (at - started_at).num_microseconds().unwrap_or(i64::MAX);
    let mut spans: Vec<SpanView> = Vec::new();
    let mut staged_in: HashMap<&str, usize> = HashMap::new();
    for segment in segments {
        let first = spans.len();
        for (place, span) in segment.spans.iter().enumerate() {
            let id = first + place;
            staged_in.extend(span.events.iter().map(|event| (event.as_str(), id)));
            let mut attributes = span.attributes.clone();
            let identity = attributes.remove("bss.service.identity");
            let kind = match span.module.as_str() {
                EDGE => "request",
                _ if attributes.contains_key("bss.event_id") => "delivery",
                _ => "step",
            };
            spans.push(SpanView {
                id,
                parent_id: span.parent.map(|parent| first + parent),
                kind,
                module: span.module.clone(),
                name: span.name.clone(),
                service_identity: identity.as_ref().and_then(Value::as_str).map(str::to_owned),
                start_us: since(segment.started_at).saturating_add(span.start_us),
                took_us: span.took_us,
                failed: span.failed,
                attributes,
            });
        }
    }
    let mut event_spans: HashMap<String, usize> = HashMap::new();
    for event in events {
        let (id, event_id) = (spans.len(), event.event_id.to_string());
        let word = event.event_type.split('.').next().unwrap_or_default();
        let lane = LANES.iter().find(|(first, _)| *first == word).map_or("platform", |(_, module)| module);
        let attributes = json!({"bss.aggregate_id": without_number(&event.aggregate_id), "bss.event_id": event_id});
        spans.push(SpanView {
            id,
            parent_id: staged_in
                .get(event_id.as_str())
                .copied()
                .or_else(|| at_work(&spans, lane, since(event.recorded_at))),
            kind: "event",
            module: lane.to_owned(),
            name: event.event_type.clone(),
            service_identity: Some(event.service_identity.clone()),
            start_us: since(event.recorded_at),
            took_us: 0,
            failed: false,
            attributes: attributes.as_object().cloned().unwrap_or_default(),
        });
        event_spans.insert(event_id, id);
    }
    for span in spans.iter_mut().filter(|span| span.kind == "delivery") {
        let event = span.attributes.get("bss.event_id").and_then(Value::as_str);
        span.parent_id = event.and_then(|event| event_spans.get(event)).copied();
    }
    let spans = in_order(spans);
    let end = spans.iter().map(|span| span.start_us.saturating_add(span.took_us)).max().unwrap_or_default();
    let services: BTreeSet<String> = spans.iter().map(|span| span.module.clone()).collect();
    let summary = TraceSummary {
        trace_id: trace_id.to_owned(),
        source,
        name: spans.first()?.name.clone(),
        started_at,
        total_ms: milliseconds(end),
        span_count: spans.len(),
        service_count: services.len(),
        services: services.into_iter().collect(),
        error_span_count: spans.iter().filter(|span| span.failed).count(),
        order_id: None,
        subscription_id: None,
    };
    Some(TraceView { summary, spans })
}

/// The delivery or request of this module that was at work then: it staged what was staged together with others.
fn at_work(spans: &[SpanView], module: &str, at: i64) -> Option<usize> {
    let is_at_work = |span: &&SpanView| {
        let is_inside = span.start_us <= at && at <= span.start_us.saturating_add(span.took_us);
        matches!(span.kind, "delivery" | "request") && span.module == module && is_inside
    };
    spans.iter().filter(is_at_work).max_by_key(|span| span.start_us).map(|span| span.id)
}

/// Sorted by their beginning and numbered so. What nobody is known to have caused hangs below the first.
fn in_order(mut spans: Vec<SpanView>) -> Vec<SpanView> {
    // Of two that begin together the longer one may hold the other.
    spans.sort_by_key(|span| (span.start_us, std::cmp::Reverse(span.took_us), span.id));
    let places: HashMap<usize, usize> = spans.iter().enumerate().map(|(place, span)| (span.id, place)).collect();
    for (place, span) in spans.iter_mut().enumerate() {
        span.id = place;
        span.parent_id = span.parent_id.and_then(|parent| places.get(&parent)).copied();
        if place > 0 && span.parent_id.is_none() && span.kind != "request" {
            span.parent_id = Some(0);
        }
    }
    spans
}

fn milliseconds(micros: i64) -> f64 {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default()).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::platform::trace::read::SpanRow;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_780_000_000_000 + milliseconds).expect("an instant")
    }

    fn event(number: u128, event_type: &str, milliseconds: i64) -> EventView {
        EventView {
            seq: 1,
            event_id: Uuid::from_u128(number),
            event_type: event_type.into(),
            aggregate_type: "product_order".into(),
            aggregate_id: "ORD-0001".into(),
            aggregate_version: 1,
            occurred_at: at(0),
            recorded_at: at(milliseconds),
            actor: "cli-user".into(),
            channel: "cli".into(),
            service_identity: "default".into(),
            tenant_id: "DEFAULT".into(),
            request_id: "r".into(),
            trace_id: Some("t".into()),
            schema_version: 1,
            payload: json!({}),
        }
    }

    fn span(module: &str, name: &str, took_us: i64, event: Option<u128>, staged: &[u128]) -> SpanRow {
        let mut attributes = Map::new();
        if let Some(event) = event {
            attributes.insert("bss.event_id".into(), Uuid::from_u128(event).to_string().into());
        }
        let events = staged.iter().map(|event| Uuid::from_u128(*event).to_string()).collect();
        SpanRow {
            parent: None,
            module: module.into(),
            name: name.into(),
            start_us: 0,
            took_us,
            failed: false,
            attributes,
            events,
        }
    }

    #[test]
    fn deliveries_hang_below_their_events_and_events_below_what_staged_them() {
        let mut charge = span("payment", "gateway.charge", 500, None, &[]);
        (charge.parent, charge.start_us, charge.failed) = (Some(0), 100, true);
        let segments = [
            SegmentRow { started_at: at(0), spans: vec![span(EDGE, "order.create", 5_000, None, &[1])] },
            SegmentRow { started_at: at(8), spans: vec![span("som", "som.decompose", 2_000, Some(1), &[])] },
            SegmentRow {
                started_at: at(12),
                spans: vec![span("payment", "payment.charge", 900, Some(9), &[]), charge],
            },
        ];
        let events = [event(1, "order.acknowledged", 4), event(2, "service_order.in_progress", 9)];
        let trace = assemble("t", TraceSource::Store, &segments, &events).expect("a trace");
        let tree: Vec<_> = trace.spans.iter().map(|s| (s.name.as_str(), s.module.as_str(), s.parent_id)).collect();
        assert_eq!(
            tree,
            [
                ("order.create", EDGE, None),
                ("order.acknowledged", "com", Some(0)),
                ("som.decompose", "som", Some(1)),
                ("service_order.in_progress", "som", Some(2)),
                ("payment.charge", "payment", Some(0)),
                ("gateway.charge", "payment", Some(4)),
            ]
        );
        let summary = trace.summary;
        assert_eq!((summary.span_count, summary.service_count, summary.error_span_count), (6, 4, 1));
        assert!((summary.total_ms - 12.9).abs() < 1e-9, "{}", summary.total_ms);
    }

    #[test]
    fn the_event_log_alone_tells_a_trace_that_was_not_recorded() {
        let trace = assemble("t", TraceSource::Events, &[], &[event(1, "order.completed", 7), event(2, "odd", 9)])
            .expect("a trace");
        assert_eq!((trace.summary.name.as_str(), trace.spans[1].module.as_str()), ("order.completed", "platform"));
        assert!(assemble("t", TraceSource::Events, &[], &[]).is_none());
    }
}
