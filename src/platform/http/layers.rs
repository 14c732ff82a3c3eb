//! What stands around all routes: request id and log line, bounds, overload, authentication, time-out, panics.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use metrics::Histogram;
use tokio::sync::Semaphore;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::platform::clock::Clock;
use crate::platform::context::{Channel, Context};
use crate::platform::error::Error;
use crate::platform::http::ApiError;
use crate::platform::http::bounds;
use crate::platform::http::error::{ErrorBody, Report};
use crate::platform::http::extract::is_json;
use crate::platform::ids::Ids;
use crate::platform::perimeter::{self, Identity, TokenMap};
use crate::platform::trace::{self, Parent};

/// Usage is answered thousands of times a second; it is not traced.
const USAGE: &str = "/tmf-api/usageManagement/";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bounds of one listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests in work at once; beyond it the answer is 503 with `Retry-After`, at once.
    pub in_flight_max: usize,
    /// A request that is not answered after this long is answered 503.
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight_max: 1024, request_timeout: Duration::from_millis(4_300) }
    }
}

/// What the edge of the API knows.
#[derive(Debug)]
pub struct Edge {
    pub tokens: TokenMap,
    pub clock: Clock,
    pub ids: Ids,
    limits: Limits,
    in_flight: Semaphore,
    refusals: RefusalLog,
    durations: Durations,
}

impl Edge {
    pub fn new(tokens: TokenMap, clock: Clock, ids: Ids, limits: Limits) -> Self {
        let in_flight = Semaphore::new(limits.in_flight_max);
        let (refusals, durations) = (RefusalLog::default(), Durations::default());
        Self { tokens, clock, ids, limits, in_flight, refusals, durations }
    }
}

/// Who calls, as far as the edge knows before anything is read.
#[derive(Debug)]
pub struct Caller {
    edge: Arc<Edge>,
    identity: Arc<Identity>,
    actor: Arc<str>,
    channel: Channel,
    request_id: Arc<str>,
    trace_id: Arc<str>,
    parent: Parent,
    is_traced: AtomicBool,
}

impl Caller {
    /// Traces what the caller asked for, under a name without ids in it.
    pub fn trace(&self, name: &str) -> Span {
        self.is_traced.store(true, Ordering::Relaxed);
        trace::request(&self.trace_id, self.parent, &self.identity.tenant, &self.identity.name, name)
    }

    /// What the edge knows.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The context of one use case; `longest` is how long its caller waits.
    pub fn context(&self, now: DateTime<Utc>, longest: Duration) -> Context {
        Context {
            actor: Arc::clone(&self.actor),
            channel: self.channel,
            service_identity: Arc::clone(&self.identity.name),
            tenant: Arc::clone(&self.identity.tenant),
            request_id: Arc::clone(&self.request_id),
            trace_id: Some(Arc::clone(&self.trace_id)),
            scopes: self.identity.scopes,
            now,
            deadline: tokio::time::Instant::now() + longest,
            idempotency: None,
        }
    }
}

/// The one layer around all routes: gives the request an id, measures it, lets it in or not, bounds its time, catches its
/// panics, and renders error bodies. Nothing answers without it.
///
/// One layer, not one per step: each copies the service behind it for each request.
pub async fn guard(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(request.headers(), &edge.ids);
    let method = request.method().clone();
    // The route, not the path: the path may hold anything and labels must stay few.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("request", otel.kind = "server", bss.module = trace::EDGE, http.method = label(&method), http.route = route, request.id = %request_id);
    let origin = origin(request.headers(), &edge.ids);
    trace::adopt(&span, &origin.0, origin.1);
    let answer = AssertUnwindSafe(answer(&edge, request, next, &request_id, origin, route)).catch_unwind();
    // The panic hook has logged the place; the caller is told nothing.
    let panicked = |_| ApiError::from(Error::Internal("a handler panicked".into())).into_response();
    let mut response = answer.instrument(span.clone()).await.unwrap_or_else(panicked);
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = span.in_scope(|| render_error(response, &request_id));
    }
    name(&mut response, &request_id);
    let elapsed = started.elapsed();
    edge.durations.note(label(&method), route, status, elapsed);
    span.in_scope(|| tracing::debug!(status = status.as_u16(), elapsed_us = elapsed.as_micros(), "request end"));
    response
}

/// The method as the metrics name it. HTTP takes any word for one, from anybody: an invented one adds no series.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

async fn answer(
    edge: &Arc<Edge>,
    request: Request,
    next: Next,
    request_id: &Arc<str>,
    origin: Origin,
    route: &str,
) -> Response {
    if let Err(refused) = bounds::check(&request) {
        return refused.into_response();
    }
    if perimeter::is_open(request.uri().path()) {
        return in_time(edge.limits, request, next).await;
    }
    // Load is shed before any work is done for the request.
    let Ok(_permit) = edge.in_flight.try_acquire() else {
        metrics::counter!("bss_http_shed_total").increment(1);
        return ApiError::unavailable("Too many requests are in work; try again shortly").into_response();
    };
    match authenticate(edge, &request, request_id, origin) {
        Ok(caller) => traced(edge, Arc::new(caller), request, next, route).await,
        Err(refused) => refused.into_response(),
    }
}

/// Answers the request of a known caller. What writes is traced; what was slow or failed is noted afterwards. Operations
/// know themselves which of them write and which wait on purpose.
async fn traced(edge: &Edge, caller: Arc<Caller>, mut request: Request, next: Next, route: &str) -> Response {
    let (started, method) = (Instant::now(), request.method().clone());
    let is_operation = route.starts_with("/ops/");
    request.extensions_mut().insert(Arc::clone(&caller));
    let span = if method.is_safe() || is_operation || route.starts_with(USAGE) {
        Span::none()
    } else {
        caller.trace(&format!("{method} {route}"))
    };
    let response = in_time(edge.limits, request, next).instrument(span.clone()).await;
    let (status, took) = (response.status(), started.elapsed());
    if status.is_server_error() {
        span.record("error", true);
    }
    // A refusal for too much load is meant to cost nothing, and there are thousands of them when there is one.
    let is_fault = status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE;
    if (is_fault || (took > trace::SLOW && !is_operation)) && !caller.is_traced.load(Ordering::Relaxed) {
        let name = format!("{method} {route}");
        trace::remarkable(&caller.trace_id, caller.parent, &caller.identity.tenant, &name, status.as_u16(), took);
    }
    response
}

pub(super) fn request_id(headers: &HeaderMap, ids: &Ids) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given.filter(|id| !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic())) {
        Some(id) => id.into(),
        None => (&*ids.uuid().hyphenated().encode_lower(&mut Uuid::encode_buffer())).into(),
    }
}

/// Says under which id the server knows the request.
pub(super) fn name(response: &mut Response, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

pub(super) fn render_error(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let (mut body, cause) = match response.extensions_mut().remove::<Report>() {
        Some(report) => (report.body, report.cause),
        // A router's or an extractor's own answer (unknown path, wrong method): no body, or one in words that are not ours.
        None if !response.headers().get(header::CONTENT_TYPE).is_some_and(is_json) => (ErrorBody::of(status), None),
        None => return response,
    };
    request_id.clone_into(&mut body.request_id);
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::error!(code = body.code, cause, "request failed");
    } else if let Some(cause) = cause {
        tracing::warn!(code = body.code, cause, "request not served");
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        // Load that is shed is counted: a line for each would be more work than the refusal.
        tracing::debug!(code = body.code, "request shed");
    } else {
        tracing::info!(code = body.code, reason = body.reason, "request refused");
    }
    let json = serde_json::to_vec(&body).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(json);
    response
}

/// Says who shows a valid token.
fn authenticate(
    edge: &Arc<Edge>,
    request: &Request,
    request_id: &Arc<str>,
    origin: Origin,
) -> Result<Caller, ApiError> {
    let identity = match token(request.headers()) {
        None => Err(("AUTH_MISSING_TOKEN", "missing", "The header X-BSS-API-Token is required")),
        Some(token) => edge.tokens.identify(token).ok_or(("AUTH_INVALID_TOKEN", "wrong", "The API token is not valid")),
    };
    let identity = identity.map_err(|(code, reason, message)| {
        let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(remote)| remote.ip());
        edge.refusals.note(remote, request.uri().path(), reason);
        ApiError::new(StatusCode::UNAUTHORIZED, code, reason, message)
    })?;
    caller(edge, request.headers(), Arc::clone(identity), Arc::clone(request_id), origin)
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let direct = headers.get("x-bss-api-token").and_then(|value| value.to_str().ok());
    let bearer = || headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    direct.or_else(bearer).filter(|token| !token.is_empty())
}

fn caller(
    edge: &Arc<Edge>,
    headers: &HeaderMap,
    identity: Arc<Identity>,
    request_id: Arc<str>,
    (trace_id, parent): Origin,
) -> Result<Caller, ApiError> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
    let actor = match text("x-bss-actor") {
        None => "system",
        Some(actor) if !actor.is_empty() && actor.len() <= 100 && actor.bytes().all(|b| b.is_ascii_graphic()) => actor,
        Some(_) => return Err(ApiError::invalid("X-BSS-Actor", "must be 1 to 100 visible ASCII characters")),
    };
    let channel = match text("x-bss-channel") {
        None => identity.channels.usual(),
        Some(channel) => Channel::parse(channel).ok_or_else(|| {
            let known = Channel::ALL.map(Channel::as_str).join(", ");
            ApiError::invalid("X-BSS-Channel", format!("must be one of: {known}"))
        })?,
    };
    if !identity.channels.has(channel) {
        let message = format!("The identity {} does not speak for the channel {}", identity.name, channel.as_str());
        return Err(ApiError::new(StatusCode::FORBIDDEN, "FORBIDDEN", "X-BSS-Channel", message));
    }
    let is_traced = AtomicBool::new(false);
    Ok(Caller {
        edge: Arc::clone(edge),
        identity,
        actor: actor.into(),
        channel,
        request_id,
        trace_id,
        parent,
        is_traced,
    })
}

/// The trace that a request belongs to, and what it hangs below there.
type Origin = (Arc<str>, Parent);

/// As the caller says, or a new one.
fn origin(headers: &HeaderMap, ids: &Ids) -> Origin {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(trace_parent);
    given.map_or_else(
        || ((&*ids.uuid().simple().encode_lower(&mut Uuid::encode_buffer())).into(), Parent::None),
        |(trace_id, span_id)| (trace_id.into(), Parent::Caller(span_id)),
    )
}

/// Trace id and span id of a W3C `traceparent` header (Trace Context, section 3.2), when it is well-formed.
fn trace_parent(traceparent: &str) -> Option<(&str, [u8; 8])> {
    let mut parts = traceparent.split('-').skip(1);
    let (trace_id, span_id) = (parts.next()?, parts.next()?);
    let is_id = |id: &str, digits: usize| {
        id.len() == digits
            && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            && id.bytes().any(|b| b != b'0')
    };
    if !is_id(trace_id, 32) || !is_id(span_id, 16) {
        return None;
    }
    let span_id = u64::from_str_radix(span_id, 16).ok()?;
    Some((trace_id, span_id.to_be_bytes()))
}

/// Answers 503 when a route takes too long. Operations bound themselves, since some of them wait on purpose.
async fn in_time(limits: Limits, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/ops/") {
        return next.run(request).await;
    }
    match tokio::time::timeout(limits.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            ApiError::unavailable("The answer took too long; what was begun goes on, ask for it again").into_response()
        }
    }
}

/// How long requests took. A series is looked for by its labels once and kept: to write labels out for each request costs more
/// than to count it. As many are kept as there are routes with their methods and statuses.
#[derive(Debug, Default)]
struct Durations {
    by_route: RwLock<HashMap<Box<str>, Vec<Series>>>,
}

#[derive(Debug)]
struct Series {
    method: &'static str,
    status: StatusCode,
    histogram: Histogram,
}

impl Series {
    fn is_of(&self, method: &str, status: StatusCode) -> bool {
        self.method == method && self.status == status
    }
}

impl Durations {
    fn note(&self, method: &'static str, route: &str, status: StatusCode, took: Duration) {
        let seconds = took.as_secs_f64();
        let known = self.by_route.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(route).into_iter().flatten().find(|series| series.is_of(method, status)) {
            series.histogram.record(seconds);
            return;
        }
        drop(known);
        let labels =
            [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
        let histogram = metrics::histogram!("bss_http_request_seconds", &labels);
        histogram.record(seconds);
        let mut known = self.by_route.write().unwrap_or_else(PoisonError::into_inner);
        let of_route = known.entry(route.into()).or_default();
        // Somebody may have been faster meanwhile.
        if !of_route.iter().any(|series| series.is_of(method, status)) {
            of_route.push(Series { method, status, histogram });
        }
    }
}

/// Says of which refused callers a line is logged: once per interval, address and path. What is remembered is bounded, and
/// whoever tries many paths uses up the lines of its own address only.
#[derive(Debug, Default)]
struct RefusalLog {
    noted: std::sync::Mutex<std::collections::BTreeMap<IpAddr, Noted>>,
}

/// What was logged of one address.
#[derive(Debug)]
struct Noted {
    since: Instant,
    paths: std::collections::BTreeSet<String>,
}

impl RefusalLog {
    const INTERVAL: Duration = Duration::from_secs(60);
    const ADDRESSES_MAX: usize = 256;
    const PATHS_MAX: usize = 32;

    fn note(&self, remote: Option<IpAddr>, path: &str, reason: &'static str) {
        metrics::counter!("bss_auth_refused_total", "reason" => reason).increment(1);
        let remote = remote.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let path: String = path.chars().take(120).collect();
        if self.is_due(remote, &path, Instant::now()) {
            tracing::info!(reason, %remote, path, "auth.401");
        }
    }

    fn is_due(&self, remote: IpAddr, path: &str, now: Instant) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if noted.len() >= Self::ADDRESSES_MAX && !noted.contains_key(&remote) {
            let oldest = noted.iter().min_by_key(|(_, noted)| noted.since).map(|(address, _)| *address);
            oldest.and_then(|oldest| noted.remove(&oldest));
        }
        let fresh = || Noted { since: now, paths: std::collections::BTreeSet::new() };
        let of_caller = noted.entry(remote).or_insert_with(fresh);
        if now.duration_since(of_caller.since) >= Self::INTERVAL {
            *of_caller = fresh();
        }
        of_caller.paths.len() < Self::PATHS_MAX && of_caller.paths.insert(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_traceparent_is_taken_up() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let span = [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
        assert_eq!(trace_parent(&format!("00-{id}-00f067aa0ba902b7-01")), Some((id, span)));
        for bad in ["", "00", "00-xyz-1-1", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(trace_parent(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_refusal_is_logged_once_per_interval_address_and_path() {
        let (log, now) = (RefusalLog::default(), Instant::now());
        let address = |n: u32| IpAddr::from(Ipv4Addr::from_bits(n));
        assert!(log.is_due(address(1), "/a", now));
        assert!(!log.is_due(address(1), "/a", now));
        assert!(log.is_due(address(2), "/a", now) && log.is_due(address(1), "/b", now));
        assert!(log.is_due(address(1), "/a", now + RefusalLog::INTERVAL));
    }

    #[test]
    fn whoever_tries_many_paths_silences_nobody_else_and_the_memory_is_bounded() {
        let (log, now) = (RefusalLog::default(), Instant::now());
        let address = |n: u32| IpAddr::from(Ipv4Addr::from_bits(n));
        let logged = (0..1_000).filter(|n| log.is_due(address(1), &format!("/{n}"), now)).count();
        assert_eq!(logged, RefusalLog::PATHS_MAX);
        assert!((2..1_000).all(|n| log.is_due(address(n), "/a", now)));
        assert_eq!(log.noted.lock().unwrap().len(), RefusalLog::ADDRESSES_MAX);
    }
}
