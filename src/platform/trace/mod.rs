//! Traces: the way of an order through the system, from the request over its events to the last consumer.
//!
//! A *segment* is what one request or one delivery did, a small tree of spans. All segments of one cause have the trace id
//! that its events carry, so a trace is put together when it is read ([`read`]): nothing is carried from process to process
//! but the id. The segments of this process are recorded by a layer of `tracing` ([`mod@recorder`]), handed over in a bounded
//! queue that drops and counts, and written in batches ([`writer`]).
//!
//! What is recorded: requests that write, and the deliveries that follow from requests. What is not: reads, usage, and
//! sweeps such as a renewal, unless a request took long or failed: it pays nothing otherwise. Under load only a share of
//! the traces is kept, each of them whole.
//!
//! A collector, when there is one, is sent the same spans under the same trace id and with the same tree ([`propagation`]),
//! and can be read in place of what is kept here ([`jaeger`]).
//!
//! Attributes are ids, states and counts; what [`redact`](super::telemetry) hides in logs is hidden here too.

pub mod jaeger;
mod propagation;
pub mod read;
mod recorder;
mod writer;

use std::borrow::Cow;
use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

pub(super) use propagation::{NOBODY, announce_export, span_of_event};
pub use propagation::{Parent, adopt};
pub use recorder::{Recorder, Segment, Segments, recorder};
pub use writer::{keep, ticks};

/// What collectors know this product by.
pub const SERVICE: &str = "bss";

/// The lane of requests.
pub const EDGE: &str = "api";

/// A request that takes longer is kept, whatever it was.
pub const SLOW: Duration = Duration::from_secs(1);

/// Where the spans of this module come from; layers that are not meant for them know them by it.
pub(super) const TARGET: &str = "bss::platform::trace";

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceConfig {
    /// Megabytes; 0 keeps nothing and records nothing.
    pub megabytes_max: u32,
    pub age_max: Duration,
}

/// The segment of a request that writes. `name` has no ids in it.
pub fn request(trace_id: &str, parent: Parent, tenant: &str, identity: &str, name: &str) -> Span {
    let span = tracing::info_span!(
        "request",
        trace.id = trace_id,
        bss.tenant_id = tenant,
        bss.origin = true,
        otel.name = name,
        bss.module = EDGE,
        bss.service.identity = identity,
        error = Empty
    );
    outermost(&span, trace_id, parent);
    span
}

/// Without the listener's own span around it, which a log of few words has not, a request hangs below its caller itself.
fn outermost(span: &Span, trace_id: &str, parent: Parent) {
    if Span::current().is_none() {
        adopt(span, trace_id, parent);
    }
}

/// The segment of a request that nobody meant to trace, and that was slow or failed.
pub fn remarkable(trace_id: &str, parent: Parent, tenant: &str, name: &str, status: u16, took: Duration) {
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let span = tracing::info_span!(
        "request",
        trace.id = trace_id,
        bss.tenant_id = tenant,
        bss.origin = true,
        trace.took_us = took_us,
        otel.name = name,
        bss.module = EDGE,
        http.status = status,
        error = status >= 500
    );
    outermost(&span, trace_id, parent);
    drop(span);
}

/// What a delivery is about.
#[derive(Debug, Clone, Copy)]
pub struct Delivered<'a> {
    pub trace_id: &'a str,
    pub tenant: &'a str,
    pub identity: &'a str,
    /// `com.book_line`: the module is what stands before the dot.
    pub consumer: &'a str,
    pub event_id: Uuid,
    pub aggregate_id: &'a str,
    /// How often it was tried before.
    pub attempts: i16,
    /// Deliveries that are worked on together.
    pub together: usize,
}

/// The segment of a delivery.
pub fn delivery(of: Delivered<'_>) -> Span {
    let module = of.consumer.split('.').next().unwrap_or(of.consumer);
    // A listener outside has an id behind the dot, which says nothing to a reader and makes too many names.
    let name = if module == "hub" { "hub.tell" } else { of.consumer };
    let span = tracing::info_span!(
        "delivery",
        trace.id = of.trace_id,
        bss.tenant_id = of.tenant,
        otel.name = name,
        otel.kind = "consumer",
        bss.module = module,
        bss.service.identity = of.identity,
        bss.event_id = %of.event_id,
        bss.aggregate_id = %without_number(of.aggregate_id),
        bss.attempts = of.attempts,
        bss.together = i64::try_from(of.together).unwrap_or(i64::MAX),
        error = Empty
    );
    adopt(&span, of.trace_id, Parent::Event(of.event_id));
    span
}

/// An id as a span may hold it: of a phone number, which is its own id, the last four digits.
pub fn without_number(id: &str) -> Cow<'_, str> {
    const SHOWN: usize = 4;
    let is_number = id.len() > SHOWN && id.bytes().all(|b| b.is_ascii_digit());
    if is_number { format!("…{}", &id[id.len() - SHOWN..]).into() } else { id.into() }
}

/// A step inside a segment that is worth a bar of its own, such as a call to the outside.
pub fn step(module: &'static str, name: &'static str) -> Span {
    tracing::info_span!("step", otel.name = name, otel.kind = "client", bss.module = module, error = Empty)
}

/// Makes a call as a step of its own; an error is shown as one.
pub async fn call<T, E>(step: Span, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    async { call.await.inspect_err(|_| failed()) }.instrument(step).await
}

/// An event was staged here: whatever follows from it hangs below this span.
pub fn staged(event_id: Uuid, event_type: &str) {
    tracing::info!(bss.event_id = %event_id, bss.event_type = event_type);
}

/// The segment or step that is under way did not do what it should.
pub fn failed() {
    Span::current().record("error", true);
}
