//! Puts spans together into segments while they happen. What it costs is paid by spans of this module only: of any other
//! span or event it asks where it comes from, and lets it pass.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::TARGET;
use crate::platform::clock;
use crate::platform::telemetry::redact;

/// Segments that wait to be written; beyond it they are dropped and counted.
const WAITING_MAX: usize = 2_048;
/// Spans of one segment, and events staged in one of them.
const SPANS_MAX: usize = 200;
const EVENTS_MAX: usize = 100;
/// Characters of an attribute.
const TEXT_MAX: usize = 200;
/// Of a trace id, the digits by which it is sampled.
const SAMPLED_BY: usize = 8;

/// A span as it is stored.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
    /// Place of the span above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<usize>,
    module: String,
    name: String,
    /// Since the segment began.
    start_us: u64,
    took_us: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    /// Ids of the events that were staged in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Value>,
}

/// What one request or one delivery did.
#[derive(Debug)]
pub struct Segment {
    pub(super) trace_id: String,
    pub(super) tenant: String,
    pub(super) origin: bool,
    pub(super) module: String,
    pub(super) name: String,
    pub(super) started_at: DateTime<Utc>,
    pub(super) took_us: u64,
    pub(super) failed: bool,
    pub(super) spans: Vec<Stored>,
}

/// The other end of the queue.
#[derive(Debug)]
pub struct Segments {
    pub(super) queue: mpsc::Receiver<Segment>,
    pub(super) share: Arc<Share>,
}

/// Which share of the traces is recorded: one of two to the power of this. The writer moves it with what comes in.
#[derive(Debug, Default)]
pub(super) struct Share(AtomicU32);

impl Share {
    /// All processes decide alike, since the id decides: a trace is whole or it is not there.
    fn has(&self, trace_id: &str) -> bool {
        let halvings = self.0.load(Ordering::Relaxed);
        if halvings == 0 {
            return true;
        }
        let digits = trace_id.len().checked_sub(SAMPLED_BY).and_then(|from| trace_id.get(from..));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
        number.trailing_zeros() >= halvings
    }

    /// Half as many from now on, or twice as many.
    pub(super) fn follow(&self, per_second: usize) {
        const MANY: usize = 500;
        const HALVINGS_MAX: u32 = 10;
        let halvings = self.0.load(Ordering::Relaxed);
        if per_second > MANY {
            self.0.store((halvings + 1).min(HALVINGS_MAX), Ordering::Relaxed);
        } else if per_second < MANY / 4 {
            self.0.store(halvings.saturating_sub(1), Ordering::Relaxed);
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Segment>,
    share: Arc<Share>,
}

/// A layer that records, and the segments that it records.
pub fn recorder() -> (Recorder, Segments) {
    let (sender, queue) = mpsc::channel(WAITING_MAX);
    let share = Arc::new(Share::default());
    (Recorder { queue: sender, share: Arc::clone(&share) }, Segments { queue, share })
}

/// A segment while it happens.
#[derive(Debug)]
struct Growing {
    trace_id: String,
    tenant: String,
    origin: bool,
    started_at: DateTime<Utc>,
    began: Instant,
    spans: Vec<Stored>,
}

/// What a span of ours knows of itself.
#[derive(Debug, Clone)]
struct Place {
    segment: Arc<Mutex<Growing>>,
    index: usize,
    began: Instant,
    /// It is told after the fact.
    took_us: Option<u64>,
}

impl Place {
    /// Changes the stored span.
    fn update(&self, change: impl FnOnce(&mut Stored)) {
        let mut segment = self.segment.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(span) = segment.spans.get_mut(self.index) {
            change(span);
        }
    }
}

/// The fields of a span.
#[derive(Default)]
struct Fields {
    trace_id: Option<String>,
    tenant: String,
    origin: bool,
    took_us: Option<u64>,
    module: String,
    name: String,
    failed: bool,
    event_id: Option<String>,
    attributes: Map<String, Value>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "trace.id" => self.trace_id = Some(text),
            "bss.tenant_id" => self.tenant = text,
            "otel.name" => self.name = text,
            // A word for collectors; here the tree says it.
            "otel.kind" => {}
            "bss.module" => self.module = text,
            "bss.event_id" => {
                self.event_id = Some(text.clone());
                self.attributes.insert(field.name().into(), text.into());
            }
            name => {
                let text: String = text.chars().take(TEXT_MAX).collect();
                self.attributes.insert(name.into(), redact::field(name, text.into()));
            }
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.insert(field.name().into(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "trace.took_us" {
            self.took_us = Some(value);
        } else {
            self.attributes.insert(field.name().into(), value.into());
        }
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "bss.origin" => self.origin = value,
            "error" => self.failed = value,
            name => drop(self.attributes.insert(name.into(), value.into())),
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
}

impl Recorder {
    /// Where a new span belongs: a segment of its own, or the one around it; none when that is not recorded.
    fn place<S>(&self, fields: &mut Fields, id: &Id, cx: &Context<'_, S>) -> Option<Place>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let began = Instant::now();
        let stored = |parent: Option<usize>, start_us: u64, fields: &mut Fields| Stored {
            parent,
            module: std::mem::take(&mut fields.module),
            name: std::mem::take(&mut fields.name),
            start_us,
            took_us: 0,
            failed: fields.failed,
            attributes: std::mem::take(&mut fields.attributes),
            events: Vec::new(),
        };
        if let Some(trace_id) = fields.trace_id.take() {
            if !self.share.has(&trace_id) {
                return None;
            }
            let took =
                chrono::Duration::microseconds(fields.took_us.and_then(|us| i64::try_from(us).ok()).unwrap_or(0));
            let growing = Growing {
                trace_id,
                tenant: std::mem::take(&mut fields.tenant),
                origin: fields.origin,
                started_at: clock::wall() - took,
                began,
                spans: vec![stored(None, 0, fields)],
            };
            let segment = Arc::new(Mutex::new(growing));
            return Some(Place { segment, index: 0, began, took_us: fields.took_us });
        }
        let around = cx.span(id)?.scope().skip(1).find_map(|span| span.extensions().get::<Place>().cloned())?;
        let mut segment = around.segment.lock().unwrap_or_else(PoisonError::into_inner);
        if segment.spans.len() >= SPANS_MAX {
            return None;
        }
        let start_us = micros(segment.began);
        let span = stored(Some(around.index), start_us, fields);
        segment.spans.push(span);
        let index = segment.spans.len() - 1;
        drop(segment);
        Some(Place { segment: around.segment, index, began, took_us: None })
    }

    /// Hands a finished segment over, if there is room.
    fn hand_over(&self, place: &Place) {
        let mut growing = place.segment.lock().unwrap_or_else(PoisonError::into_inner);
        let spans = std::mem::take(&mut growing.spans);
        let Some(first) = spans.first() else { return };
        let (module, name, took_us) = (first.module.clone(), first.name.clone(), first.took_us);
        let segment = Segment {
            trace_id: std::mem::take(&mut growing.trace_id),
            tenant: std::mem::take(&mut growing.tenant),
            origin: growing.origin,
            module,
            name,
            started_at: growing.started_at,
            took_us,
            failed: spans.iter().any(|span| span.failed),
            spans,
        };
        drop(growing);
        if self.queue.try_send(segment).is_err() {
            metrics::counter!("bss_trace_segments_dropped_total").increment(1);
        }
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        if attributes.metadata().target() != TARGET {
            return;
        }
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(place) = self.place(&mut fields, id, &cx)
            && let Some(span) = cx.span(id)
        {
            span.extensions_mut().insert(place);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.span(id).filter(|span| span.metadata().target() == TARGET) else { return };
        let Some(place) = span.extensions().get::<Place>().cloned() else { return };
        let mut fields = Fields::default();
        values.record(&mut fields);
        place.update(|span| {
            span.failed |= fields.failed;
            span.attributes.extend(fields.attributes);
        });
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let around =
            cx.event_scope(event).into_iter().flatten().find_map(|span| span.extensions().get::<Place>().cloned());
        let Some(place) = around else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        place.update(|span| {
            if span.events.len() < EVENTS_MAX {
                span.events.extend(fields.event_id.map(Value::from));
            }
        });
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(&id).filter(|span| span.metadata().target() == TARGET) else { return };
        let Some(place) = span.extensions().get::<Place>().cloned() else { return };
        let took_us = place.took_us.unwrap_or_else(|| micros(place.began));
        place.update(|span| span.took_us = took_us);
        // A span outlives those below it, so the segment is complete with its first one.
        if place.index == 0 {
            self.hand_over(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracing::Instrument as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    use uuid::Uuid;

    use super::*;
    use crate::platform::trace::{Delivered, EDGE, Parent, delivery, failed, remarkable, request, staged, step};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// Runs `work` under a recorder and answers what it recorded.
    fn recorded(work: impl FnOnce(&Recorder)) -> Vec<Segment> {
        let (recorder, mut segments) = recorder();
        let share = Recorder { queue: recorder.queue.clone(), share: Arc::clone(&recorder.share) };
        let subscriber = tracing_subscriber::registry().with(recorder);
        tracing::subscriber::with_default(subscriber, || work(&share));
        std::iter::from_fn(|| segments.queue.try_recv().ok()).collect()
    }

    fn begin() -> tracing::Span {
        request(TRACE, Parent::None, "DEFAULT", "default", "POST /ops/v1/order.create")
    }

    #[test]
    fn a_segment_holds_its_steps_and_the_events_that_were_staged_in_them() {
        let event = Uuid::from_u128(7);
        let segments = recorded(|_| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(
                async {
                    staged(event, "order.acknowledged");
                    async { failed() }.instrument(step("payment", "gateway.charge")).await;
                    tracing::info_span!("of somebody else").in_scope(|| step("com", "below").in_scope(|| ()));
                }
                .instrument(begin()),
            );
        });
        let [segment] = segments.as_slice() else { panic!("one segment: {segments:?}") };
        assert_eq!((segment.trace_id.as_str(), segment.module.as_str()), (TRACE, EDGE));
        assert!(segment.origin && segment.failed);
        let spans = json!(segment.spans);
        let spans = spans.as_array().expect("spans");
        let names: Vec<_> = spans.iter().map(|span| (span["name"].as_str(), span["parent"].as_u64())).collect();
        assert_eq!(
            names,
            [(Some("POST /ops/v1/order.create"), None), (Some("gateway.charge"), Some(0)), (Some("below"), Some(0))]
        );
        assert_eq!(spans[0]["events"], json!([event.to_string()]));
        assert_eq!((&spans[0]["failed"], &spans[1]["failed"]), (&Value::Null, &json!(true)));
    }

    #[test]
    fn what_belongs_to_no_segment_is_not_recorded() {
        let segments = recorded(|_| {
            step("payment", "gateway.charge").in_scope(|| staged(Uuid::nil(), "order.acknowledged"));
            tracing::info_span!("request", trace.id = TRACE).in_scope(|| tracing::info!("hello"));
        });
        assert!(segments.is_empty(), "{segments:?}");
    }

    #[test]
    fn a_delivery_names_its_module_and_event_and_hides_what_is_secret() {
        let segments = recorded(|_| {
            let of = Delivered {
                trace_id: TRACE,
                tenant: "DEFAULT",
                identity: "default",
                consumer: "com.book_line",
                event_id: Uuid::nil(),
                aggregate_id: "90000042",
                attempts: 1,
                together: 1,
            };
            drop(delivery(of));
            drop(delivery(Delivered { consumer: "hub.HUB-1", ..of }));
        });
        assert_eq!(
            segments.iter().map(|s| (s.module.as_str(), s.name.as_str())).collect::<Vec<_>>(),
            [("com", "com.book_line"), ("hub", "hub.tell")]
        );
        let text = json!(segments[0].spans).to_string();
        assert!(text.contains("…0042") && !text.contains("90000042"), "a phone number is personal: {text}");
    }

    #[test]
    fn a_slow_request_is_told_after_the_fact() {
        let took = std::time::Duration::from_millis(1500);
        let segments = recorded(|_| remarkable(TRACE, Parent::None, "DEFAULT", "GET /customer", 503, took));
        assert_eq!((segments[0].took_us, segments[0].failed), (1_500_000, true));
    }

    #[test]
    fn a_full_queue_and_endless_segments_lose_spans_and_nothing_else() {
        let segments = recorded(|_| {
            for _ in 0..WAITING_MAX + 10 {
                drop(begin());
            }
        });
        assert_eq!(segments.len(), WAITING_MAX);
        let segments = recorded(|_| {
            begin().in_scope(|| {
                for _ in 0..SPANS_MAX + 10 {
                    step("com", "again").in_scope(|| staged(Uuid::nil(), "order.acknowledged"));
                }
            });
        });
        assert_eq!(segments[0].spans.len(), SPANS_MAX);
    }

    #[test]
    fn under_load_a_share_is_kept_and_the_id_decides() {
        let share = Share::default();
        let ids: Vec<String> = (0..1024_u32).map(|n| format!("{:024x}{n:08x}", 1)).collect();
        let kept = |share: &Share| ids.iter().filter(|id| share.has(id)).count();
        assert_eq!(kept(&share), 1024);
        share.follow(10_000);
        share.follow(10_000);
        assert_eq!(kept(&share), 256);
        share.follow(300);
        assert_eq!(kept(&share), 256, "enough and not too many");
        share.follow(10);
        share.follow(10);
        share.follow(10);
        assert_eq!(kept(&share), 1024);
        assert!(share.has("") && share.has("not a trace id, é"));
    }
}
