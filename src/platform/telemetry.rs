//! Logs as JSON lines with redaction, spans, and their export over OTLP when an endpoint is configured.
//!
//! Telemetry never decides anything: an exporter that fails is noted and the process goes on.

mod export;
pub(in crate::platform) mod redact;

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::ops::Range;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use serde_json::{Map, Number, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

use crate::platform::clock;
use crate::platform::config::LogConfig;
use crate::platform::tmf::time;
use crate::platform::trace::{self, TraceConfig};

/// Flushes what is left to export when it is shut down.
#[derive(Debug, Default)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    /// What the built-in store is to keep, when it keeps something.
    pub segments: Option<trace::Segments>,
}

impl Telemetry {
    /// Sends the last spans, waiting at most two seconds.
    pub fn shutdown(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(Duration::from_secs(2))
        {
            tracing::debug!(%error, "last spans not exported");
        }
    }
}

/// Starts logging and, with an endpoint, the export of spans. Call once, from within the runtime.
pub fn start(config: &LogConfig, traces: TraceConfig) -> Telemetry {
    let filter = EnvFilter::try_new(quieted(&config.filter)).unwrap_or_else(|_| EnvFilter::new(quieted("info")));
    let (recorder, segments) = (traces.megabytes_max > 0).then(trace::recorder).unzip();
    // What is traced does not depend on how much is logged.
    let wanted = if recorder.is_some() || config.otlp_endpoint.is_some() { "info" } else { "off" };
    let filter = match format!("{}={wanted}", trace::TARGET).parse() {
        Ok(wanted) => filter.add_directive(wanted),
        Err(_) => filter,
    };
    let provider = config.otlp_endpoint.as_ref().and_then(|endpoint| exporter(endpoint, config.sampling_ratio));
    let export = provider.as_ref().map(|provider| {
        trace::announce_export();
        // Where in the code and on which thread it was says nothing about an order.
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("bss"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
    });
    let registry = Registry::default().with(filter).with(export).with(recorder).with(Lines { json: config.json });
    if registry.try_init().is_err() {
        tracing::debug!("logging was already started");
    }
    Telemetry { provider, segments }
}

/// Whether a log can be filtered by this: a level, or directives of targets and levels.
pub fn is_filter(text: &str) -> bool {
    EnvFilter::try_new(quieted(text)).is_ok()
}

/// A plain level is for our own lines; the libraries below speak from warnings on.
fn quieted(filter: &str) -> String {
    if filter.contains(['=', ',']) { filter.to_owned() } else { format!("warn,bss={filter},bss_migrations={filter}") }
}

/// A unit of work stages dozens of events, and each becomes a span.
const EVENTS_OF_A_SPAN: u32 = 1_000;

fn exporter(endpoint: &url::Url, ratio: f64) -> Option<SdkTracerProvider> {
    let url = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .with_timeout(Duration::from_secs(3))
        .build()
        .ok()?;
    let resource = Resource::builder()
        .with_service_name(trace::SERVICE)
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    // The id decides, so that all processes leave out the same traces.
    let sampler = Sampler::TraceIdRatioBased(ratio);
    Some(
        SdkTracerProvider::builder()
            .with_batch_exporter(export::Shaped(exporter))
            .with_resource(resource)
            .with_sampler(sampler)
            .with_max_events_per_span(EVENTS_OF_A_SPAN)
            .build(),
    )
}

/// Writes one line per event: the event's fields and those of its spans, redacted.
struct Lines {
    json: bool,
}

/// Fields as they were given, texts one behind the other in one buffer: each request has a span. They are redacted when they
/// are written: most spans end without a line.
struct Fields {
    fields: Vec<(&'static str, Given)>,
    texts: String,
}

/// Room for what a request's span says.
const TEXT_BYTES: usize = 128;

enum Given {
    /// Where it stands in the buffer.
    Text(Range<usize>),
    Number(Number),
    Bool(bool),
    Null,
}

impl Fields {
    fn new() -> Self {
        Self { fields: Vec::new(), texts: String::with_capacity(TEXT_BYTES) }
    }

    fn put(&mut self, field: &Field, value: Given) {
        // Words for collectors.
        if !field.name().starts_with("otel.") {
            self.fields.push((field.name(), value));
        }
    }

    /// Takes what stands in the buffer from `begin` on for the field's text.
    fn put_text(&mut self, field: &Field, begin: usize) {
        self.put(field, Given::Text(begin..self.texts.len()));
    }

    fn write_to(&self, line: &mut Map<String, Value>) {
        let value = |given: &Given| match given {
            Given::Text(place) => json!(self.texts[place.clone()]),
            Given::Number(number) => Value::Number(number.clone()),
            Given::Bool(is) => Value::Bool(*is),
            Given::Null => Value::Null,
        };
        line.extend(self.fields.iter().map(|(name, given)| ((*name).to_owned(), redact::field(name, value(given)))));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match Number::from_f64(value) {
            Some(number) => self.put(field, Given::Number(number)),
            // JSON has no word for it.
            None => self.put(field, Given::Null),
        }
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Given::Number(value.into()));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Given::Number(value.into()));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Given::Bool(value));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        let begin = self.texts.len();
        self.texts.push_str(value);
        self.put_text(field, begin);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let begin = self.texts.len();
        // A value that cannot be shown is shown as far as it can be.
        let _ = write!(self.texts, "{value:?}");
        self.put_text(field, begin);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        if attributes.metadata().target() == trace::TARGET {
            return;
        }
        let mut fields = Fields::new();
        attributes.record(&mut fields);
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        if event.metadata().target() == trace::TARGET {
            return;
        }
        let mut line = Map::new();
        line.insert("timestamp".into(), json!(time::format(clock::wall())));
        line.insert("level".into(), json!(event.metadata().level().as_str().to_ascii_lowercase()));
        line.insert("target".into(), json!(event.metadata().target()));
        for span in cx.event_scope(event).into_iter().flatten().collect::<Vec<_>>().into_iter().rev() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                fields.write_to(&mut line);
            }
        }
        let mut fields = Fields::new();
        event.record(&mut fields);
        fields.write_to(&mut line);
        let text = if self.json { Value::Object(line).to_string() } else { plain(&line) };
        // A log that cannot be written must not stop the work it tells of.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// `2026-05-10T09:00:00.000Z INFO  message field=value …`
fn plain(line: &Map<String, Value>) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let rest = line.iter().filter(|(name, _)| !matches!(name.as_str(), "timestamp" | "level" | "message" | "target"));
    let rest: String = rest.map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{} {:5} {}{rest}", text("timestamp"), text("level").to_ascii_uppercase(), text("message"))
}
