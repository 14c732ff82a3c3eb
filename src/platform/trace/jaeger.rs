//! Reads traces from Jaeger, when one is configured: the JSON that its own pages are fed with. What comes out is what the
//! built-in store would have told ([`read`](super::read)), so that a trace looks the same wherever it was kept.
//!
//! Jaeger knows no tenants: what does not carry the tenant that asks is left out here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, redirect};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::read::{Origin, SegmentRow, SpanRow};
use super::{EDGE, SERVICE};
use crate::platform::clock;
use crate::platform::error::{Error, Result};
use crate::platform::telemetry::redact;

/// Longer, and whoever looks at a trace is better told that Jaeger does not answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most of an answer that is read: hundreds of traces.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How far back a search goes.
const LOOKBACK: TimeDelta = TimeDelta::days(7);
/// The latest traces among which failed ones are looked for, and modules.
const FAILED_AMONG: u32 = 300;
const MODULES_OF: u32 = 100;

/// A Jaeger that can be asked.
#[derive(Debug, Clone)]
pub struct Jaeger {
    http: reqwest::Client,
    base: Url,
}

/// Why Jaeger could not be read; the text is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum JaegerError {
    #[error("no HTTP client can be made for it: {0}")]
    Client(String),
    #[error("{0} cannot have paths below it")]
    Address(Url),
    #[error("Jaeger at {address} {what}; look at BSS_JAEGER_UI_URL, or read what is kept here: --source store")]
    Answer { address: Url, what: String },
}

impl From<JaegerError> for Error {
    fn from(error: JaegerError) -> Self {
        match error {
            JaegerError::Client(_) | JaegerError::Address(_) => Self::Internal(error.to_string()),
            JaegerError::Answer { .. } => {
                let context = Map::from_iter([("error".to_owned(), json!("JAEGER_ERROR"))]);
                Self::Unavailable { message: error.to_string(), context }
            }
        }
    }
}

/// What every answer of Jaeger is wrapped in.
#[derive(Deserialize)]
struct Answer<T> {
    data: Option<Vec<T>>,
}

/// A trace, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(default)]
    spans: Vec<ToldSpan>,
    #[serde(default)]
    processes: BTreeMap<String, Process>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    /// Microseconds since 1970.
    start_time: i64,
    /// Microseconds.
    duration: i64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "processID", default)]
    process_id: String,
}

#[derive(Debug, Deserialize)]
struct Reference {
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Debug, Deserialize)]
struct Tag {
    key: String,
    value: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
}

impl ToldSpan {
    fn tag(&self, key: &str) -> Option<&Value> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.tag(key).and_then(Value::as_str)
    }

    /// It stands for an event; the event log has it too.
    fn is_event(&self) -> bool {
        self.tag("bss.event_type").is_some()
    }

    fn is_request(&self) -> bool {
        self.text("bss.module") == Some(EDGE) && !self.is_event()
    }

    fn failed(&self) -> bool {
        let says_so = |value: &Value| value == &json!(true) || value == &json!("true");
        self.tag("error").is_some_and(says_so) || self.text("otel.status_code") == Some("ERROR")
    }

    /// What the store would have kept of its attributes.
    fn attributes(&self) -> Map<String, Value> {
        let told_otherwise = |key: &str| {
            matches!(key, "bss.module" | "bss.tenant_id" | "bss.origin" | "error" | "span.kind" | "w3c.tracestate")
                || key.starts_with("otel.")
                || key.starts_with("internal.")
        };
        let tags = self.tags.iter().filter(|tag| !told_otherwise(&tag.key));
        tags.map(|tag| (tag.key.clone(), shown(tag))).collect()
    }
}

/// As a log would show it. The id of an event is no number of a card, whatever digits it has.
fn shown(tag: &Tag) -> Value {
    let is_event_id = tag.key == "bss.event_id" && tag.value.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok());
    if is_event_id { tag.value.clone() } else { redact::field(&tag.key, tag.value.clone()) }
}

impl Jaeger {
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base: &Url) -> Result<Self, JaegerError> {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none());
        if base.scheme() == "http" {
            builder = builder.tls_certs_only([]).no_proxy();
        }
        let http = builder.build().map_err(|error| JaegerError::Client(error.to_string()))?;
        Ok(Self { http, base: base.clone() })
    }

    /// The services that Jaeger knows, by name.
    pub async fn services(&self) -> Result<Vec<String>, JaegerError> {
        Ok(self.ask(&["services"], &[]).await?.unwrap_or_default())
    }

    /// The segments of a trace, in the order in which they began; none when Jaeger does not know it.
    pub async fn segments(&self, tenant: &str, trace_id: &str) -> Result<Vec<SegmentRow>, JaegerError> {
        let traces: Vec<Told> = self.ask(&["traces", trace_id], &[]).await?.unwrap_or_default();
        Ok(traces.first().map(|trace| segments(trace, tenant)).unwrap_or_default())
    }

    /// The latest traces of a tenant, newest first; `before` in microseconds since 1970.
    pub async fn origins(
        &self,
        tenant: &str,
        failed: bool,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Origin>, JaegerError> {
        // What failed may be any span of a trace, at any time after its beginning.
        let asked = if failed { limit.max(FAILED_AMONG) } else { limit };
        let traces = self.search(tenant, before, asked).await?;
        let mut origins: Vec<Origin> = traces
            .iter()
            .filter_map(|trace| origin(trace, tenant))
            .filter(|origin| before.is_none_or(|before| origin.id < before) && (origin.failed || !failed))
            .collect();
        origins.sort_by_key(|origin| Reverse(origin.id));
        origins.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(origins)
    }

    /// The modules of the latest traces of a tenant, by name.
    pub async fn modules(&self, tenant: &str) -> Result<Vec<String>, JaegerError> {
        let traces = self.search(tenant, None, MODULES_OF).await?;
        let segments = traces.iter().flat_map(|trace| segments(trace, tenant));
        let modules: BTreeSet<String> = segments.flat_map(|segment| segment.spans).map(|span| span.module).collect();
        Ok(modules.into_iter().collect())
    }

    /// By the spans that begin a trace: Jaeger sorts and cuts by the time of those that have what is asked for.
    async fn search(&self, tenant: &str, before: Option<i64>, limit: u32) -> Result<Vec<Told>, JaegerError> {
        // Both ends are included.
        let end = before.map_or_else(|| clock::wall().timestamp_micros(), |before| before.saturating_sub(1));
        let start = end.saturating_sub(LOOKBACK.num_microseconds().unwrap_or(i64::MAX));
        let query = [
            ("service", SERVICE.to_owned()),
            ("tags", json!({"bss.tenant_id": tenant, "bss.origin": "true"}).to_string()),
            ("start", start.to_string()),
            ("end", end.to_string()),
            ("limit", limit.to_string()),
        ];
        Ok(self.ask(&["traces"], &query).await?.unwrap_or_default())
    }

    /// The data of an answer; none for what Jaeger does not know.
    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Option<Vec<T>>, JaegerError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| JaegerError::Address(self.base.clone()))?
            .pop_if_empty()
            .push("api")
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let failed = |what: String| JaegerError::Answer { address: self.base.clone(), what };
        let away = |error: reqwest::Error| failed(away(&error));
        let mut response = self.http.get(url).header("accept", "application/json").send().await.map_err(away)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            other => return Err(failed(format!("answered {other}"))),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(failed("answered more than can be read; ask for less".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Answer<T> = serde_json::from_slice(&body)
            .map_err(|error| failed(format!("answered what is no answer of it: {error}")))?;
        Ok(answer.data)
    }
}

fn away(error: &reqwest::Error) -> String {
    match () {
        () if error.is_timeout() => format!("did not answer within {} s", PATIENCE.as_secs()),
        () if error.is_connect() => "takes no connection".to_owned(),
        () => "broke off its answer".to_owned(),
    }
}

/// The beginning of a trace; none when nothing of it is of this tenant.
fn origin(trace: &Told, tenant: &str) -> Option<Origin> {
    let segments = segments(trace, tenant);
    let first = segments.iter().find(|segment| segment.spans.iter().any(|span| span.module == EDGE));
    let first = first.or_else(|| segments.first())?;
    let asked = first.spans.iter().find(|span| span.module == EDGE).or_else(|| first.spans.first())?;
    Some(Origin {
        id: first.started_at.timestamp_micros(),
        trace_id: trace.trace_id.clone(),
        name: asked.name.clone(),
        started_at: first.started_at,
        took_us: asked.took_us,
        failed: segments.iter().flat_map(|segment| &segment.spans).any(|span| span.failed),
        segments: i64::try_from(segments.len()).unwrap_or(i64::MAX),
    })
}

/// The spans of a trace without those that stand for events: what is left are the trees of its requests and deliveries.
fn segments(trace: &Told, tenant: &str) -> Vec<SegmentRow> {
    let spans = &trace.spans;
    let places: HashMap<&str, usize> = spans.iter().enumerate().map(|(place, s)| (s.span_id.as_str(), place)).collect();
    let above = |place: usize| {
        spans[place].references.iter().find_map(|reference| places.get(reference.span_id.as_str()).copied())
    };
    // The listener's own span around an operation says nothing that this does not say.
    let wrappers: BTreeSet<usize> = (0..spans.len())
        .filter(|place| spans[*place].is_request())
        .filter_map(|place| above(place).filter(|around| spans[*around].is_request()))
        .collect();
    let parents: Vec<Option<usize>> = (0..spans.len())
        .map(|place| {
            let around = above(place)?;
            let is_wrapped = wrappers.contains(&around);
            let parent = if is_wrapped { above(around).filter(|further| *further != place)? } else { around };
            (!spans[parent].is_event()).then_some(parent)
        })
        .collect();
    let mut staged: HashMap<usize, Vec<String>> = HashMap::new();
    let mut trees: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..spans.len() {
        match (spans[place].is_event(), wrappers.contains(&place)) {
            (true, _) => {
                let event = spans[place].text("bss.event_id").map(str::to_owned);
                staged.entry(parents[place].unwrap_or(place)).or_default().extend(event);
            }
            (false, true) => {}
            (false, false) => trees.entry(root(&parents, place)).or_default().push(place),
        }
    }
    let mut segments: Vec<SegmentRow> = trees
        .into_iter()
        .filter(|(_, tree)| is_of(tenant, tree.iter().map(|place| &spans[*place])))
        .map(|(root, tree)| segment(trace, &parents, &staged, root, tree))
        .collect();
    segments.sort_by_key(|segment| segment.started_at);
    segments
}

/// The uppermost span above this one. Whoever made a circle of them is given up on.
fn root(parents: &[Option<usize>], place: usize) -> usize {
    let upwards = std::iter::successors(Some(place), |place| parents[*place]);
    upwards.take(parents.len()).last().unwrap_or(place)
}

/// Whether a tree names this tenant, and no other.
fn is_of<'a>(tenant: &str, tree: impl Iterator<Item = &'a ToldSpan>) -> bool {
    let named: BTreeSet<&str> = tree.filter_map(|span| span.text("bss.tenant_id")).collect();
    named.len() == 1 && named.contains(tenant)
}

fn segment(
    trace: &Told,
    parents: &[Option<usize>],
    staged: &HashMap<usize, Vec<String>>,
    root: usize,
    mut tree: Vec<usize>,
) -> SegmentRow {
    let spans = &trace.spans;
    tree.sort_by_key(|place| (*place != root, spans[*place].start_time, Reverse(spans[*place].duration)));
    let began = spans[root].start_time;
    let rows: HashMap<usize, usize> = tree.iter().enumerate().map(|(row, place)| (*place, row)).collect();
    let row = |place: &usize| {
        let span = &spans[*place];
        let service =
            || trace.processes.get(&span.process_id).map_or("unknown", |process| process.service_name.as_str());
        SpanRow {
            parent: parents[*place].and_then(|parent| rows.get(&parent).copied()),
            module: span.text("bss.module").unwrap_or_else(service).to_owned(),
            name: span.operation_name.clone(),
            start_us: span.start_time.saturating_sub(began),
            took_us: span.duration.max(0),
            failed: span.failed(),
            attributes: span.attributes(),
            events: staged.get(place).cloned().unwrap_or_default(),
        }
    };
    SegmentRow {
        started_at: DateTime::<Utc>::from_timestamp_micros(began).unwrap_or_default(),
        spans: tree.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "7dabb11f-5997-4924-9003-3af52c8299d7";

    /// A span as Jaeger tells it: name, id, id of the one above, begin and length, and its tags.
    fn span(name: &str, id: &str, above: &str, time: (i64, i64), tags: &[(&str, Value)]) -> Value {
        let references = if above.is_empty() { json!([]) } else { json!([{"refType": "CHILD_OF", "spanID": above}]) };
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        json!({"spanID": id, "operationName": name, "references": references, "startTime": time.0, "duration": time.1,
               "tags": tags, "processID": "p1"})
    }

    fn told(spans: &[Value]) -> Told {
        let trace = json!({"traceID": "t", "spans": spans, "processes": {"p1": {"serviceName": "agent"}}});
        serde_json::from_value(trace).expect("a trace")
    }

    fn api() -> (&'static str, Value) {
        ("bss.module", json!(EDGE))
    }

    fn of(tenant: &str) -> (&'static str, Value) {
        ("bss.tenant_id", json!(tenant))
    }

    #[test]
    fn a_request_and_the_delivery_of_its_event_are_two_segments_without_the_listeners_own_span() {
        let event = [("bss.event_id", json!(EVENT)), ("bss.event_type", json!("order.acknowledged")), api()];
        let delivery = [("bss.event_id", json!(EVENT)), ("bss.module", json!("som")), of("DEFAULT")];
        let trace = told(&[
            span("som.decompose", "d", "e", (1_500, 400), &delivery),
            span("network.execute", "n", "d", (1_600, 100), &[("error", json!(true)), ("span.kind", json!("client"))]),
            span("order.acknowledged", "e", "o", (1_200, 0), &event),
            span("order.create", "o", "h", (1_010, 300), &[api(), of("DEFAULT")]),
            span("POST /ops/v1/{name}", "h", "", (1_000, 330), &[api()]),
        ]);
        let segments = segments(&trace, "DEFAULT");
        let names = |segment: &SegmentRow| segment.spans.iter().map(|span| span.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            segments.iter().map(names).collect::<Vec<_>>(),
            [vec!["order.create"], vec!["som.decompose", "network.execute"]]
        );
        assert_eq!(segments[0].spans[0].events, [EVENT]);
        let step = &segments[1].spans[1];
        assert_eq!((step.parent, step.start_us, step.failed, step.module.as_str()), (Some(0), 100, true, "agent"));
        assert!(step.attributes.is_empty(), "{:?}", step.attributes);
        assert_eq!(segments[1].spans[0].attributes["bss.event_id"], EVENT);
        let origin = origin(&trace, "DEFAULT").expect("a beginning");
        assert_eq!(
            (origin.name.as_str(), origin.took_us, origin.segments, origin.failed),
            ("order.create", 300, 2, true)
        );
    }

    #[test]
    fn what_is_of_another_tenant_or_of_nobody_is_left_out() {
        let spans = [
            span("order.create", "a", "", (1_000, 9), &[api(), of("OTHER")]),
            span("GET /customer", "b", "", (1_001, 9), &[api()]),
            span("order.create", "c", "", (1_002, 9), &[api(), of("DEFAULT")]),
        ];
        let seen = |tenant: &str| segments(&told(&spans), tenant).len();
        assert_eq!((seen("DEFAULT"), seen("OTHER"), seen("THIRD")), (1, 1, 0));
        let mixed = [spans[0].clone(), span("step", "d", "a", (1_001, 1), &[of("DEFAULT")])];
        assert!(segments(&told(&mixed), "DEFAULT").is_empty(), "one tree of two tenants is shown to none");
        assert!(origin(&told(&spans[1..2]), "DEFAULT").is_none());
    }

    #[test]
    fn a_circle_and_a_missing_span_end_and_secrets_of_others_are_hidden() {
        let circle = [
            span("a", "a", "b", (1, 1), &[of("DEFAULT"), ("card_number", json!("4242424242424242"))]),
            span("b", "b", "a", (1, 1), &[]),
            span("c", "c", "gone", (1, 1), &[of("DEFAULT")]),
        ];
        let segments = segments(&told(&circle), "DEFAULT");
        let all = format!("{segments:?}");
        assert!(all.contains("\"c\"") && !all.contains("4242424242424242"), "{all}");
    }
}
