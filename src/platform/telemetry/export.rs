//! What leaves the process as spans: an exporter around the exporter. It redacts as the log does, says the same thing as
//! the built-in store ([`trace`](crate::platform::trace)), and leaves out what only this process needs.

use std::time::Duration;

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceState};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter, SpanLinks};
use uuid::Uuid;

use super::redact;
use crate::platform::trace::{NOBODY, span_of_event};

/// Attributes that are bookkeeping of the store.
const OURS_ONLY: [&str; 2] = ["trace.id", "trace.took_us"];

/// Asked every few seconds by those who watch, and of no interest to anybody else.
const NOT_TOLD: [&str; 4] = ["/health", "/health/live", "/health/ready", "/metrics"];

/// Puts spans into the shape in which collectors are sent them, and hands them on.
#[derive(Debug)]
pub(super) struct Shaped<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Shaped<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch.into_iter().flat_map(shaped).collect()).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// A span as it is told, if it is, and the spans that stand for the events that were staged in it.
fn shaped(mut span: SpanData) -> Vec<SpanData> {
    if span.parent_span_id == NOBODY {
        (span.parent_span_id, span.parent_span_is_remote) = (SpanId::INVALID, false);
    }
    if let (Some(method), Some(route)) = (text(&span.attributes, "http.method"), text(&span.attributes, "http.route")) {
        if NOT_TOLD.contains(&route.as_str()) {
            return Vec::new();
        }
        span.name = format!("{method} {route}").into();
    }
    if let Some(took) = number(&span.attributes, "trace.took_us") {
        // It is told after the fact.
        span.start_time = span.end_time.checked_sub(Duration::from_micros(took)).unwrap_or(span.start_time);
    }
    if span.attributes.iter().any(|a| a.key.as_str() == "error" && a.value == Value::Bool(true)) {
        span.status = Status::error("");
    }
    span.attributes.retain(|attribute| !OURS_ONLY.contains(&attribute.key.as_str()) && !is_theirs(attribute));
    redacted(&mut span.attributes);
    // What a line of the log says stays in the log.
    let events = std::mem::take(&mut span.events.events);
    let staged: Vec<SpanData> = events.into_iter().filter_map(|event| of_event(&span, event)).collect();
    [span].into_iter().chain(staged).collect()
}

/// The event, as a moment below the span that staged it.
fn of_event(span: &SpanData, event: Event) -> Option<SpanData> {
    let event_type = staged_type(&event)?.to_owned();
    let event_id = Uuid::parse_str(&text(&event.attributes, "bss.event_id")?).ok()?;
    let around = &span.span_context;
    let module = span.attributes.iter().find(|attribute| attribute.key.as_str() == "bss.module").cloned();
    Some(SpanData {
        span_context: SpanContext::new(
            around.trace_id(),
            span_of_event(event_id),
            around.trace_flags(),
            false,
            TraceState::NONE,
        ),
        parent_span_id: around.span_id(),
        parent_span_is_remote: false,
        span_kind: SpanKind::Producer,
        name: event_type.into(),
        start_time: event.timestamp,
        end_time: event.timestamp,
        attributes: event.attributes.into_iter().filter(is_fact).chain(module).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: span.instrumentation_scope.clone(),
    })
}

/// A request's id may be any word of its caller; ours are UUIDs, and theirs mostly.
fn is_theirs(attribute: &KeyValue) -> bool {
    attribute.key.as_str() == "request.id" && Uuid::parse_str(&attribute.value.as_str()).is_err()
}

/// What is about the event, and not about how it was noted.
fn is_fact(attribute: &KeyValue) -> bool {
    attribute.key.as_str().starts_with("bss.")
}

/// The type of the event that was staged, when that is what it tells.
fn staged_type(event: &Event) -> Option<&str> {
    event.attributes.iter().find_map(|attribute| match &attribute.value {
        Value::String(text) if attribute.key.as_str() == "bss.event_type" => Some(text.as_str()),
        _ => None,
    })
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key.as_str() == name)?;
    Some(attribute.value.as_str().into_owned())
}

fn number(attributes: &[KeyValue], name: &str) -> Option<u64> {
    text(attributes, name)?.parse().ok()
}

fn redacted(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        // Numbers and truth values are neither secrets nor their carriers.
        if let Value::String(text) = &attribute.value {
            let shown = redact::field(attribute.key.as_str(), text.as_str().into());
            if shown.as_str() != Some(text.as_str()) {
                attribute.value = Value::String(shown.as_str().unwrap_or_default().to_owned().into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{TraceFlags, TraceId};

    use super::*;

    #[test]
    fn attributes_are_shown_as_in_the_log() {
        let mut attributes = [
            KeyValue::new("path", "/paymentMethod/4242424242424242"),
            KeyValue::new("card_number", "42"),
            KeyValue::new("http.route", "/ops/v1/{name}"),
            KeyValue::new("took_us", 4_242),
        ];
        redacted(&mut attributes);
        let shown: Vec<String> = attributes.iter().map(|attribute| attribute.value.to_string()).collect();
        assert_eq!(shown, ["/paymentMethod/…4242", "***REDACTED***", "/ops/v1/{name}", "4242"]);
    }

    /// A span of a trace that begins with it, a second long as far as the clock tells.
    fn span(attributes: Vec<KeyValue>, events: Vec<Event>) -> SpanData {
        let trace_id = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").expect("an id");
        let end_time = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        let mut of_span = SpanEvents::default();
        of_span.events = events;
        SpanData {
            span_context: SpanContext::new(trace_id, SpanId::from(7), TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: NOBODY,
            parent_span_is_remote: true,
            span_kind: SpanKind::Server,
            name: "request".into(),
            start_time: end_time - Duration::from_secs(1),
            end_time,
            attributes,
            dropped_attributes_count: 0,
            events: of_span,
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    fn request(route: &'static str) -> Vec<KeyValue> {
        vec![KeyValue::new("http.method", "POST"), KeyValue::new("http.route", route)]
    }

    #[test]
    fn a_span_is_named_by_its_route_and_tells_no_bookkeeping_and_no_words_of_its_caller() {
        let mut attributes = request("/ops/v1/{name}");
        attributes.extend([
            KeyValue::new("trace.id", "4bf92f3577b34da6a3ce929d0e0e4736"),
            KeyValue::new("trace.took_us", 5_000_000_i64),
            KeyValue::new("request.id", "call of +6590001111"),
            KeyValue::new("error", true),
        ]);
        let told = shaped(span(attributes, Vec::new()));
        let [told] = told.as_slice() else { panic!("one span: {told:?}") };
        assert_eq!((told.name.as_ref(), told.parent_span_id), ("POST /ops/v1/{name}", SpanId::INVALID));
        assert_eq!(told.end_time.duration_since(told.start_time).ok(), Some(Duration::from_secs(5)));
        assert_eq!(told.status, Status::error(""));
        let keys: Vec<&str> = told.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["http.method", "http.route", "error"]);
        let ours = KeyValue::new("request.id", "01a21afc-aa41-728a-85d3-dc3e9479e90c");
        assert_eq!(shaped(span(vec![ours.clone()], Vec::new()))[0].attributes, [ours]);
        assert!(shaped(span(request("/health/ready"), Vec::new())).is_empty(), "nobody looks for these");
    }

    #[test]
    fn an_event_that_was_staged_becomes_a_span_and_a_line_of_the_log_does_not() {
        let event_id = Uuid::from_u128(0x7748_fd51_303d_4f47_8f14_14a5_90c0_936f);
        let attributes = vec![
            KeyValue::new("bss.event_id", event_id.to_string()),
            KeyValue::new("bss.event_type", "order.acknowledged"),
            KeyValue::new("level", "INFO"),
        ];
        let staged = Event::new("event", SystemTime::UNIX_EPOCH, attributes, 0);
        let line = Event::new("auth.401 from 10.0.0.1", SystemTime::UNIX_EPOCH, Vec::new(), 0);
        let told = shaped(span(vec![KeyValue::new("bss.module", "com")], vec![line, staged]));
        let [around, event] = told.as_slice() else { panic!("two spans: {told:?}") };
        assert!(around.events.events.is_empty());
        assert_eq!((event.name.as_ref(), event.parent_span_id), ("order.acknowledged", SpanId::from(7)));
        assert_eq!(event.span_context.span_id(), span_of_event(event_id));
        assert_eq!(event.span_context.trace_id(), around.span_context.trace_id());
        let keys: Vec<&str> = event.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["bss.event_id", "bss.event_type", "bss.module"]);
    }
}
