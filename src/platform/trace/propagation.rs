//! Where a span belongs outside of this process: the trace id of the product is that of the collector too, and what
//! follows from an event hangs below it there, though another process may have staged it.
//!
//! Nothing new travels for that: the span of an event has an id that is made from the event's own.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

/// Stands for "nothing is above": a span takes over the trace id only of one that has an id.
pub(in crate::platform) const NOBODY: SpanId = SpanId::from_bytes([0xff; 8]);

/// Whether spans are sent to anybody; see [`announce_export`].
static EXPORTED: AtomicBool = AtomicBool::new(false);

/// From now on spans are exported, and get their place in a trace for that.
pub(in crate::platform) fn announce_export() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// What a span hangs below.
#[derive(Debug, Clone, Copy)]
pub enum Parent {
    /// The trace begins here.
    None,
    /// A span of the caller, as its `traceparent` names it (W3C Trace Context, section 3.2.2.4).
    Caller([u8; 8]),
    /// The event that this follows from.
    Event(Uuid),
}

/// Gives a new span its trace and its place, for those who are sent it. Call before the span is entered.
pub fn adopt(span: &Span, trace_id: &str, parent: Parent) {
    if !EXPORTED.load(Ordering::Relaxed) {
        return;
    }
    // An id that is none: the span is exported with one of its own.
    let Ok(trace_id) = TraceId::from_hex(trace_id) else { return };
    let parent = match parent {
        Parent::None => NOBODY,
        Parent::Caller(bytes) => SpanId::from_bytes(bytes),
        Parent::Event(event_id) => span_of_event(event_id),
    };
    let above = SpanContext::new(trace_id, parent, TraceFlags::SAMPLED, true, TraceState::NONE);
    // Fails where the log's filter leaves the span out.
    let _not_wanted = span.set_parent(Context::new().with_remote_span_context(above));
}

/// The id of the span that stands for an event: the second half of the event's id, which differs from event to event.
pub(in crate::platform) fn span_of_event(event_id: Uuid) -> SpanId {
    SpanId::from(event_id.as_u64_pair().1)
}
