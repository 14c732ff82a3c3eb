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
    let of_span = |name: &str| span.attributes.iter().find(|attribute| attribute.key.as_str() == name).cloned();
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
        attributes: event.attributes.into_iter().filter(is_fact).chain(of_span("bss.module")).collect(),
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
}
