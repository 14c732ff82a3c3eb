//! One bad request for a route: which kind of badness, and whether it must be refused or may be answered by a read.

use std::fmt;

use reqwest::Method;
use serde_json::Value;

use super::bodies::{self, Body};
use super::rng::Rng;
use crate::support::raw::Request;
use crate::support::routes::Route;

/// A request that is bad by construction.
pub(super) struct Case {
    /// Method and path of the document.
    pub(super) route: String,
    kind: &'static str,
    pub(super) request: Request,
    pub(super) statuses: Vec<u16>,
    pub(super) must_be_refused: bool,
    /// The rules that the operation declares; None where there is no such list.
    pub(super) rules: Option<Vec<Value>>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(300).collect::<String>();
        let Request { method, target, headers, body } = &self.request;
        write!(f, "[{}] {method} {}", self.kind, target.chars().take(300).collect::<String>())?;
        for (name, value) in headers.iter().filter(|(name, _)| name != "X-BSS-API-Token") {
            write!(f, " {name}: {}", cut(value))?;
        }
        body.as_ref().map_or(Ok(()), |body| write!(f, " ({} bytes) {}", body.len(), cut(body)))
    }
}

/// Identifiers that name nothing: foreign, of another kind, malformed, hostile. As they stand in a path.
const FOREIGN_SEGMENTS: &[&str] = &[
    "CUST-000000000000",
    "ORD-999999",
    "SUB-9999999",
    "PAY-999999",
    "PM-9999",
    "SVC-99999",
    "SO-99999",
    "UE-999999999",
    "PLAN_NONE",
    "none",
    "-1",
    "0",
    "%20",
    "%00",
    "%ff%fe",
    "%c3%28",
    "%2e%2e%2f%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%F0%9F%98%80",
    "'%20or%201=1--",
    "%22%3E%3Cscript%3E",
    "%7Bid%7D",
    "$%7Bjndi:ldap:x%7D",
    "%25%30%30",
    "%0d%0aX-Injected:%201",
    "a%2Fb",
    ";drop%20table",
];

const ODD_QUERIES: &[&str] = &[
    "limit=-1",
    "limit=0",
    "limit=1001",
    "limit=99999999999999999999",
    "limit=1.5",
    "limit=%31",
    "limit=5&limit=6",
    "limit=",
    "offset=-5",
    "offset=1e3",
    "offset=99999999999999999999",
    "offset=1000000",
    "fields=",
    "fields=,,,",
    "fields=a..b",
    "fields=%00",
    "fields=none",
    "fields=id,id,id",
    "sort=--id",
    "sort=none",
    "sort=id,id,id,id,id,id",
    "sort=-",
    "state=",
    "state=%ff",
    "state=%00",
    "state=none",
    "status=none",
    "name.regex=.*",
    "id.gt=%F0%9F%98%80",
    "id.none=1",
    "id=%27%20or%201=1--",
    "orderDate.gt=yesterday",
    "orderDate.gt=0000-00-00",
    "orderDate.gt=%2B262143-01-01T00:00:00Z",
    "orderDate.lt=-262143-01-01T00:00:00Z",
    "usageDate.gt=9999-12-31T23:59:60Z",
    "paymentDate.gte=1970-01-01",
    "lastUpdate.eq=x",
    "validFor.startDateTime.gt=0001-01-01T00:00:00Z",
    "isBundle=maybe",
    "isBundle=1",
    "relatedParty.id=",
    "relatedParty..id=1",
    "relatedParty.id.eq.eq=1",
    "a[b]=c",
    "%",
    "%zz=%zz",
    "&&&==",
    "=",
    "?",
    "id=1%2C2%2C%2C3",
    "filter=x",
    "%C3%A9=1",
    "__proto__=1",
    "totalAmount.value.gt=1e400",
];

/// Value of `Content-Type` that announces no JSON.
const WRONG_TYPES: &[&str] = &[
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "json",
    "/",
    "application/octet-stream",
    "text/plain; application/json",
    ";",
    "application/json-patch+json",
];

/// Makes cases for the routes of a document.
pub(super) struct Generator {
    document: Value,
    routes: Vec<Route>,
}

impl Generator {
    pub(super) fn new(document: Value, routes: Vec<Route>) -> Self {
        Self { document, routes }
    }

    /// The names of all routes.
    pub(super) fn routes(&self) -> impl Iterator<Item = String> {
        self.routes.iter().map(name)
    }

    /// Case number `n`: every route gets its turn.
    pub(super) fn case(&self, n: usize, rng: &mut Rng) -> Case {
        let route = &self.routes[n % self.routes.len()];
        let (kind, request, must_be_refused) =
            if route.method == Method::GET { read(route, rng) } else { self.write(route, rng) };
        let rules = route.operation["x-bss-rules"].as_array().cloned();
        let mut statuses = route.statuses.clone();
        // A hostile segment may name another path, or none.
        if kind == "path" {
            statuses.extend([404, 405]);
        }
        let request = decorated(request, rng);
        Case { route: name(route), kind, request, statuses, must_be_refused, rules }
    }

    fn write(&self, route: &Route, rng: &mut Rng) -> (&'static str, Request, bool) {
        let target = route.target(rng.word(FOREIGN_SEGMENTS));
        let request = Request::new(route.method.clone(), target).authenticated();
        match rng.below(12) {
            0 => ("content type", request.header("Content-Type", rng.word(WRONG_TYPES)).body("{}"), true),
            1 => {
                ("header", bad_header(request, route, rng).header("Content-Type", "application/json").body("{}"), true)
            }
            2 if route.operation_name().is_some() => {
                let target = format!("/ops/v1/{}", rng.word(FOREIGN_SEGMENTS));
                let request = Request::new(route.method.clone(), target).authenticated();
                ("path", request.header("Content-Type", "application/json").body("{}"), true)
            }
            _ => {
                let Body { kind, bytes, must_be_refused } = bodies::bad(&self.document, route, rng);
                (kind, request.header("Content-Type", "application/json").body(bytes), must_be_refused)
            }
        }
    }
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

fn read(route: &Route, rng: &mut Rng) -> (&'static str, Request, bool) {
    let by_id = route.path.contains("{id}");
    let target = route.target(rng.word(FOREIGN_SEGMENTS));
    let request = |target: String| Request::new(Method::GET, target).authenticated();
    match rng.below(5) {
        0 if !route.is_open() => ("header", bad_header(request(target), route, rng), true),
        1 => ("long target", request(format!("{target}?{}", "x=1&".repeat(1 + rng.below(5_000)))), by_id),
        2 => ("random query", request(format!("{target}?{}", encoded(rng))), by_id),
        3 => {
            let length = 1 + rng.below(100_000);
            (
                "body of a read",
                request(target).header("Content-Type", "application/json").body(rng.bytes(length)),
                by_id,
            )
        }
        _ => {
            let queries: Vec<&str> = (0..=rng.below(3)).map(|_| rng.word(ODD_QUERIES)).collect();
            ("query", request(format!("{target}?{}", queries.join("&"))), by_id)
        }
    }
}

/// Random bytes as percent escapes, with the marks of a query between them.
fn encoded(rng: &mut Rng) -> String {
    let length = rng.below(60);
    let mut query = String::new();
    for byte in rng.bytes(length) {
        match byte % 8 {
            0 => query.push(*rng.pick(&['&', '=', '.', ',', '+', '-', '%'])),
            1..4 => query.push(char::from(b'a' + byte % 26)),
            _ => query.push_str(&format!("%{byte:02x}")),
        }
    }
    query
}

/// One header that alone is reason enough to refuse.
fn bad_header(request: Request, route: &Route, rng: &mut Rng) -> Request {
    let long = "x".repeat(101 + rng.below(2_000));
    let actors: [&[u8]; 5] = [b"", b"two words", "Ren\u{e9}".as_bytes(), b"\xff\xfe", long.as_bytes()];
    let keys: [&[u8]; 5] = [b"", b"two words", "schl\u{fc}ssel".as_bytes(), b"\xff", &[b'k'; 256]];
    match rng.below(7) {
        0 => request.header("X-BSS-Actor", *rng.pick(&actors)),
        1 => request.header("X-BSS-Channel", rng.word(&["", "carrier-pigeon", "CLI", "cli,cli", "\u{fffd}"])),
        2 => request.header("X-Filler", "x".repeat(33_000 + rng.below(100_000))),
        3 => (0..60).fold(request, |request, n| request.header(&format!("X-Filler-{n}"), "x".repeat(600))),
        4 => {
            let mut request = request;
            request.headers.retain(|(name, _)| name != "X-BSS-API-Token");
            let tokens: [&[u8]; 5] = [b"", b"short", &[b'a'; 64], &[b'z'; 5_000], b"\xff\xfe\xfd"];
            request.header(rng.word(&["X-BSS-API-Token", "Authorization", "X-BSS-Api-Key"]), *rng.pick(&tokens))
        }
        // TMF payments and usage take the key as well; only what reads has none.
        5 if route.method == Method::POST => request.header("Idempotency-Key", *rng.pick(&keys)),
        6 if route.method == Method::PATCH => {
            request.header("If-Match", rng.word(&["", "3", "\"x\"", "W/\"3\"", "\"99999999999999999999\""]))
        }
        // Control characters are not HTTP: the connection is refused before there is a request (see perimeter).
        _ => request.header("X-BSS-Actor", "two words and more"),
    }
}

/// Odd headers that are ignored, so they change nothing about the answer.
fn decorated(request: Request, rng: &mut Rng) -> Request {
    let odd: [&[u8]; 5] =
        [b"", b"00-00000000000000000000000000000000-0000000000000000-00", b"\xff\xff", b"00", &[b'9'; 3_000]];
    match rng.below(6) {
        0 => request.header("traceparent", *rng.pick(&odd)),
        1 => request.header("X-Request-Id", *rng.pick(&odd)),
        2 => request.header("Accept", rng.word(&["image/png", "", "*/*;q=x", "text/html"])),
        3 => request.header("X-BSS-Service-Identity", "operator_cockpit").header("X-BSS-Tenant", "OTHER"),
        _ => request,
    }
}
