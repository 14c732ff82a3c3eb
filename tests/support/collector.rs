//! A collector of OTLP over HTTP that keeps what it is sent, and tells it as Jaeger would: `/api/services`,
//! `/api/traces/<id>` and `/api/traces?service=…`, with the tags that Jaeger makes of OTLP.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as Outcome;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A collector that listens; what it is sent comes out of `exports` as path and body.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    pub(crate) exports: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
}

/// A span with the service that sent it.
#[derive(Clone)]
struct Kept {
    service: String,
    span: Span,
}

#[derive(Clone)]
struct Shared {
    exports: mpsc::UnboundedSender<(String, Vec<u8>)>,
    kept: Arc<Mutex<Vec<Kept>>>,
}

impl Collector {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let (sender, exports) = mpsc::unbounded_channel();
        let shared = Shared { exports: sender, kept: Arc::default() };
        let router = Router::new()
            .route("/api/services", get(services))
            .route("/api/traces", get(search))
            .route("/api/traces/{id}", get(trace))
            .fallback(post(take))
            .with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, exports }
    }
}

async fn take(State(shared): State<Shared>, uri: Uri, body: Bytes) -> StatusCode {
    shared.exports.send((uri.path().to_owned(), body.to_vec())).ok();
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    let mut kept = shared.kept.lock().expect("no panic");
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let service = attributes.iter().find(|attribute| attribute.key == "service.name").map(value);
        let service = service.as_ref().and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        kept.extend(spans.map(|span| Kept { service: service.clone(), span }));
    }
    StatusCode::OK
}

async fn services(State(shared): State<Shared>) -> axum::Json<Value> {
    let mut names: Vec<String> =
        shared.kept.lock().expect("no panic").iter().map(|kept| kept.service.clone()).collect();
    names.sort();
    names.dedup();
    axum::Json(json!({"data": names, "total": names.len(), "limit": 0, "offset": 0, "errors": null}))
}

async fn trace(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let kept = shared.kept.lock().expect("no panic").clone();
    let spans: Vec<&Kept> = kept.iter().filter(|kept| hex(&kept.span.trace_id) == id).collect();
    if spans.is_empty() {
        let errors = json!({"data": null, "errors": [{"code": 404, "msg": "trace not found"}]});
        return (StatusCode::NOT_FOUND, axum::Json(errors)).into_response();
    }
    axum::Json(json!({"data": [told(&spans)], "total": 0, "limit": 0, "offset": 0, "errors": null})).into_response()
}

/// A trace matches when one of its spans has the service and all the tags, and began in the time that is asked for.
async fn search(State(shared): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Response {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
    let (Some(start), Some(end), Some(limit)) = (number("start"), number("end"), number("limit")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(service) = query.get("service") else { return StatusCode::BAD_REQUEST.into_response() };
    let wanted: BTreeMap<String, String> =
        query.get("tags").map(|tags| serde_json::from_str(tags).expect("an object of texts")).unwrap_or_default();
    let kept = shared.kept.lock().expect("no panic").clone();
    let matches = |kept: &Kept| {
        let began = kept.span.start_time_unix_nano / 1_000;
        let tags = tags(&kept.span);
        let has = |(key, value): (&String, &String)| {
            let text = |tag: &Value| tag["value"].as_str().map_or_else(|| tag["value"].to_string(), str::to_owned);
            tags.iter().any(|tag| tag["key"] == **key && text(tag) == *value)
        };
        kept.service == *service && (start..=end).contains(&began) && wanted.iter().all(has)
    };
    let mut traces: BTreeMap<&[u8], u64> = BTreeMap::new();
    for kept in kept.iter().filter(|kept| matches(kept)) {
        let latest = traces.entry(&kept.span.trace_id).or_default();
        *latest = (*latest).max(kept.span.start_time_unix_nano);
    }
    let mut traces: Vec<_> = traces.into_iter().collect();
    traces.sort_by_key(|(_, latest)| std::cmp::Reverse(*latest));
    let limit = usize::try_from(limit).expect("a small number");
    let data: Vec<Value> = traces
        .iter()
        .take(limit)
        .map(|(id, _)| told(&kept.iter().filter(|kept| kept.span.trace_id == *id).collect::<Vec<_>>()))
        .collect();
    axum::Json(json!({"data": data, "total": 0, "limit": 0, "offset": 0, "errors": null})).into_response()
}

/// A trace in the JSON of Jaeger's own pages.
fn told(spans: &[&Kept]) -> Value {
    let mut processes = serde_json::Map::new();
    let process = |service: &str| format!("p-{service}");
    for kept in spans {
        processes.insert(process(&kept.service), json!({"serviceName": kept.service, "tags": []}));
    }
    let id = hex(&spans[0].span.trace_id);
    let span = |kept: &&Kept| {
        let span = &kept.span;
        let references = if span.parent_span_id.is_empty() {
            json!([])
        } else {
            json!([{"refType": "CHILD_OF", "traceID": id, "spanID": hex(&span.parent_span_id)}])
        };
        json!({
            "traceID": id,
            "spanID": hex(&span.span_id),
            "operationName": span.name,
            "references": references,
            "startTime": span.start_time_unix_nano / 1_000,
            "duration": (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000,
            "tags": tags(span),
            "logs": [],
            "processID": process(&kept.service),
            "warnings": null,
        })
    };
    json!({"traceID": id, "spans": spans.iter().map(span).collect::<Vec<_>>(), "processes": processes, "warnings": null})
}

fn tags(span: &Span) -> Vec<Value> {
    let mut tags: Vec<Value> = span
        .attributes
        .iter()
        .map(|attribute| {
            let value = value(attribute);
            let kind = match &value {
                Value::Bool(_) => "bool",
                Value::Number(number) if number.is_f64() => "float64",
                Value::Number(_) => "int64",
                _ => "string",
            };
            json!({"key": attribute.key, "type": kind, "value": value})
        })
        .collect();
    let kind = match span.kind() {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal | SpanKind::Unspecified => "internal",
    };
    tags.push(json!({"key": "span.kind", "type": "string", "value": kind}));
    if span.status.as_ref().is_some_and(|status| status.code() == Outcome::Error) {
        tags.retain(|tag| tag["key"] != "error");
        tags.push(json!({"key": "otel.status_code", "type": "string", "value": "ERROR"}));
        tags.push(json!({"key": "error", "type": "bool", "value": true}));
    }
    tags
}

fn value(attribute: &KeyValue) -> Value {
    match attribute.value.as_ref().and_then(|AnyValue { value }| value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(truth)) => json!(truth),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        other => panic!("an attribute that we do not send: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
