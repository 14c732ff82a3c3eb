//! Reads traces from Jaeger, when one is configured: the JSON that its own pages are fed with. What comes out is what the
//! built-in store would have told ([`read`](super::read)), so that a trace looks the same wherever it was kept.
//!
//! Jaeger knows no tenants: what does not carry the tenant that asks is left out here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use url::Url;

use super::read::{Origin, SegmentRow, SpanRow};
use super::{EDGE, SERVICE};
use crate::platform::clock;
use crate::platform::error::{Error, Result};
use crate::platform::outgoing::{self, BodyError};
use crate::platform::telemetry::redact;

/// Shorter than an operation may take, so that whoever looks at a trace is told that it is Jaeger which does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most of an answer that is read: a page of traces has a few megabytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Answers that are read at once.
const ASKED_MAX: usize = 2;
/// Traces of one answer.
const PAGE: u32 = 50;
/// How far back a search goes.
const LOOKBACK: TimeDelta = TimeDelta::days(7);
/// The latest traces among which failed ones are looked for.
const FAILED_AMONG: u32 = 300;

/// A Jaeger that can be asked.
#[derive(Debug, Clone)]
pub struct Jaeger {
    http: reqwest::Client,
    base: Url,
    asked: Arc<Semaphore>,
}

/// Why Jaeger could not be read; the text is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum JaegerError {
    #[error("no HTTP client can be made for it: {0}")]
    Client(String),
    #[error("it cannot have paths below it")]
    Address,
    #[error(
        "Jaeger {0}; its address is BSS_JAEGER_UI_URL of the server, and the source \"store\" is what is kept here"
    )]
    Answer(String),
}

impl From<JaegerError> for Error {
    fn from(error: JaegerError) -> Self {
        match error {
            JaegerError::Client(_) | JaegerError::Address => Self::Internal(error.to_string()),
            JaegerError::Answer(_) => {
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

impl Told {
    /// Of other services Jaeger may tell anything, in any words: what they did is for its own pages.
    fn is_ours(&self, span: &ToldSpan) -> bool {
        self.processes.get(&span.process_id).is_some_and(|process| process.service_name == SERVICE)
    }
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
        tags.map(|tag| (tag.key.clone(), redact::field(&tag.key, tag.value.clone()))).collect()
    }
}

impl Jaeger {
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base: &Url) -> Result<Self, JaegerError> {
        let http = outgoing::client(base).build().map_err(|error| JaegerError::Client(error.to_string()))?;
        Ok(Self { http, base: base.clone(), asked: Arc::new(Semaphore::new(ASKED_MAX)) })
    }

    /// The services that Jaeger knows, by name.
    pub async fn services(&self) -> Result<Vec<String>, JaegerError> {
        self.ask(&["services"], &[]).await
    }

    /// The segments of a trace, in the order in which they began; none when Jaeger does not know it.
    pub async fn segments(&self, tenant: &str, trace_id: &str) -> Result<Vec<SegmentRow>, JaegerError> {
        let traces: Vec<Told> = self.ask(&["traces", trace_id], &[]).await?;
        Ok(traces.first().map(|trace| segments(trace, tenant)).unwrap_or_default())
    }

    /// The latest traces of a tenant, newest first; `before` in microseconds since 1970. Failed ones among the latest few
    /// hundred.
    pub async fn origins(
        &self,
        tenant: &str,
        failed: bool,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Origin>, JaegerError> {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let most = if failed { FAILED_AMONG } else { limit };
        let (mut origins, mut before, mut looked_at) = (Vec::new(), before, 0);
        while origins.len() < wanted && looked_at < most {
            let page = PAGE.min(most - looked_at);
            let traces = self.search(tenant, before, page).await?;
            let found: Vec<Origin> = traces.iter().filter_map(|trace| origin(trace, tenant, before)).collect();
            let Some(oldest) = found.iter().map(|origin| origin.id).min() else { break };
            origins.extend(found.into_iter().filter(|origin| origin.failed || !failed));
            if traces.len() < page as usize {
                break;
            }
            (before, looked_at) = (Some(oldest), looked_at + page);
        }
        origins.sort_by_key(|origin| Reverse(origin.id));
        origins.truncate(wanted);
        Ok(origins)
    }

    /// The modules of the latest traces of a tenant, by name.
    pub async fn modules(&self, tenant: &str) -> Result<Vec<String>, JaegerError> {
        let traces = self.search(tenant, None, PAGE).await?;
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
        self.ask(&["traces"], &query).await
    }

    /// The data of an answer; nothing for a trace that Jaeger does not know.
    async fn ask<T>(&self, path: &[&str], query: &[(&str, String)]) -> Result<Vec<T>, JaegerError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| JaegerError::Address)?.pop_if_empty().push("api").extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let is_trace = matches!(path, ["traces", _]);
        // Those who wait for their turn wait no longer either.
        let answer = tokio::time::timeout(PATIENCE, self.read(url, is_trace)).await;
        answer.unwrap_or_else(|_| Err(format!("did not answer within {} s", PATIENCE.as_secs()))).map_err(|what| {
            tracing::warn!(jaeger.address = %self.base, what, "Jaeger could not be read");
            JaegerError::Answer(what)
        })
    }

    /// The data of one answer, or what is wrong with it. Of `may_be_unknown` Jaeger may say that it has it not.
    async fn read<T>(&self, url: Url, may_be_unknown: bool) -> Result<Vec<T>, String>
    where
        T: DeserializeOwned + Send + 'static,
    {
        // It is never closed.
        let _turn = self.asked.acquire().await.map_err(|_| "is not asked any more")?;
        let response = self.http.get(url).header("accept", "application/json").send().await;
        let response = response
            .map_err(|error| if error.is_connect() { "takes no connection" } else { "broke off its answer" })?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if may_be_unknown => return Ok(Vec::new()),
            other => return Err(format!("answered {other}")),
        }
        let body = outgoing::body(response, ANSWER_BYTES_MAX).await.map_err(|error| match error {
            BodyError::TooLong => "answered more than can be read",
            BodyError::Broken(_) => "broke off its answer",
        })?;
        // Megabytes of JSON: not where requests are answered.
        let answer = tokio::task::spawn_blocking(move || serde_json::from_slice::<Answer<T>>(&body)).await;
        let answer = answer.map_err(|_| "answered what could not be read")?;
        let answer = answer.map_err(|error| format!("answered what is no answer of it: {error}"))?;
        Ok(answer.data.unwrap_or_default())
    }
}

/// The latest request of this tenant in a trace, before a moment: where it begins, for whoever looks for it.
fn origin(trace: &Told, tenant: &str, before: Option<i64>) -> Option<Origin> {
    let begins = |span: &&ToldSpan| {
        trace.is_ours(span)
            && span.text("bss.tenant_id") == Some(tenant)
            && span.tag("bss.origin").is_some()
            && before.is_none_or(|before| span.start_time < before)
    };
    let asked = trace.spans.iter().filter(begins).max_by_key(|span| span.start_time)?;
    let segments = segments(trace, tenant);
    Some(Origin {
        id: asked.start_time,
        // Jaeger leaves out zeros in front.
        trace_id: format!("{:0>32}", trace.trace_id),
        name: asked.operation_name.clone(),
        started_at: DateTime::from_timestamp_micros(asked.start_time).unwrap_or_default(),
        took_us: asked.duration.max(0),
        failed: segments.iter().flat_map(|segment| &segment.spans).any(|span| span.failed),
        segments: i64::try_from(segments.len()).unwrap_or(i64::MAX),
    })
}

/// The spans of a trace without those that stand for events: what is left are the trees of its requests and deliveries.
fn segments(trace: &Told, tenant: &str) -> Vec<SegmentRow> {
    let spans: Vec<&ToldSpan> = trace.spans.iter().filter(|span| trace.is_ours(span)).collect();
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
    let roots = roots(&parents);
    let mut staged: HashMap<usize, Vec<String>> = HashMap::new();
    let mut trees: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..spans.len() {
        match (spans[place].is_event(), wrappers.contains(&place)) {
            (true, _) => {
                let event = spans[place].text("bss.event_id").map(str::to_owned);
                staged.entry(parents[place].unwrap_or(place)).or_default().extend(event);
            }
            (false, true) => {}
            (false, false) => trees.entry(roots[place]).or_default().push(place),
        }
    }
    let mut segments: Vec<SegmentRow> = trees
        .into_iter()
        .filter(|(_, tree)| is_of(tenant, tree.iter().map(|place| spans[*place])))
        .map(|(root, tree)| segment(&spans, &parents, &staged, root, tree))
        .collect();
    segments.sort_by_key(|segment| segment.started_at);
    segments
}

/// The uppermost span above each. Where somebody has made a circle of them, it is one of the circle.
fn roots(parents: &[Option<usize>]) -> Vec<usize> {
    let mut roots: Vec<Option<usize>> = vec![None; parents.len()];
    for place in 0..parents.len() {
        let (mut way, mut at) = (Vec::new(), place);
        let root = loop {
            if let Some(known) = roots[at] {
                break known;
            }
            // For now, so that a circle ends here.
            roots[at] = Some(at);
            way.push(at);
            match parents[at] {
                Some(parent) => at = parent,
                None => break at,
            }
        };
        for passed in way {
            roots[passed] = Some(root);
        }
    }
    roots.into_iter().enumerate().map(|(place, root)| root.unwrap_or(place)).collect()
}

/// Whether a tree names this tenant, and no other.
fn is_of<'a>(tenant: &str, tree: impl Iterator<Item = &'a ToldSpan>) -> bool {
    let named: BTreeSet<&str> = tree.filter_map(|span| span.text("bss.tenant_id")).collect();
    named.len() == 1 && named.contains(tenant)
}

fn segment(
    spans: &[&ToldSpan],
    parents: &[Option<usize>],
    staged: &HashMap<usize, Vec<String>>,
    root: usize,
    mut tree: Vec<usize>,
) -> SegmentRow {
    tree.sort_by_key(|place| (*place != root, spans[*place].start_time, Reverse(spans[*place].duration)));
    let began = spans[root].start_time;
    let rows: HashMap<usize, usize> = tree.iter().enumerate().map(|(row, place)| (*place, row)).collect();
    let row = |place: &usize| {
        let span = &spans[*place];
        SpanRow {
            parent: parents[*place].and_then(|parent| rows.get(&parent).copied()),
            module: span.text("bss.module").unwrap_or(SERVICE).to_owned(),
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
        let trace = json!({"traceID": "t", "spans": spans, "processes": {"p1": {"serviceName": SERVICE}, "p2": {"serviceName": "agent"}}});
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
            span("order.create", "o", "h", (1_010, 300), &[api(), of("DEFAULT"), ("bss.origin", json!(true))]),
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
        assert_eq!((step.parent, step.start_us, step.failed, step.module.as_str()), (Some(0), 100, true, SERVICE));
        assert!(step.attributes.is_empty(), "{:?}", step.attributes);
        assert_eq!(segments[1].spans[0].attributes["bss.event_id"], EVENT);
        let origin = origin(&trace, "DEFAULT", None).expect("a beginning");
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
        assert!(origin(&told(&spans[1..2]), "DEFAULT", None).is_none());
    }

    #[test]
    fn what_other_services_tell_is_neither_shown_nor_believed() {
        let theirs = |name: &str, id: &str, above: &str, tags: &[(&str, Value)]| {
            let mut span = span(name, id, above, (900, 500), tags);
            span["processID"] = json!("p2");
            span
        };
        let trace = told(&[
            theirs("agent.turn", "a", "", &[("user.email", json!("ada@example.test"))]),
            span("order.create", "b", "a", (1_000, 9), &[api(), of("DEFAULT"), ("bss.origin", json!(true))]),
            span("order.create", "c", "a", (1_001, 9), &[api(), of("OTHER"), ("bss.origin", json!(true))]),
            theirs("forged", "d", "b", &[of("OTHER"), ("bss.event_id", json!(EVENT)), ("bss.origin", json!(true))]),
        ]);
        let names = |tenant: &str| {
            let segments = segments(&trace, tenant);
            segments.iter().flat_map(|segment| &segment.spans).map(|span| span.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!((names("DEFAULT"), names("OTHER")), (vec!["order.create".into()], vec!["order.create".to_owned()]));
        assert_eq!(origin(&trace, "OTHER", None).map(|origin| origin.id), Some(1_001));
        assert!(origin(&trace, "DEFAULT", Some(1_000)).is_none(), "not before its beginning");
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
