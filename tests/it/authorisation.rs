//! Who may do what: every route and operation, called by nobody, by each identity, without the scope it needs, and from
//! another tenant. What is expected comes from the scope that each declares; `docs/AUTHORISATION.md` is made from the answers.

mod mounted;
mod tenants;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bss::app::{metrics, serve};
use bss::platform::context::{Scope, Scopes};
use bss::platform::perimeter::TokenMap;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::app::TestApp;
use crate::support::page::is_committed;
use crate::support::raw::Request;
use crate::support::routes::{Route, document, routes};

const HEAD: &str = "\
# Who may do what

Made from the router, the registry of operations and the answers of a running server:
`UPDATE_DOCS=1 cargo test --test it authorisation` writes this page anew, and the test fails when it is old.

A token names an identity, its tenant and its scopes; nothing else that a caller says counts. The identities `default` and
`operator_cockpit` have the scopes *read*, *write* and *admin*; every other one (`portal_self_serve`, partners) reads and
writes, unless `BSS_…_API_SCOPES` grants it something else. *in* means that the caller reached the handler, 401 that the token is missing or wrong, 403 that the scope is missing.

The last column is an identity of another tenant with all scopes, that names what belongs to the first one: *not found*,
*nothing* (lists are empty), *own* (it acts on what is its own), *shared* (the same for every tenant), or 403 where something
concerns the whole installation. Whatever it does, no row of the first tenant changes, and no answer holds an id of it.

";

/// Somebody who calls.
struct Caller {
    name: &'static str,
    token: Option<String>,
    /// None: nobody that is known.
    scopes: Option<Scopes>,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    In,
    Unauthenticated,
    Forbidden,
}

impl Told {
    const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Unauthenticated => "401",
            Self::Forbidden => "403",
        }
    }
}

fn token(fill: &str) -> String {
    fill.repeat(32)
}

/// The identities that the configuration of this test adds: variable, token or scopes.
fn configured() -> Vec<(&'static str, String)> {
    vec![
        ("BSS_OPERATOR_COCKPIT_API_TOKEN", token("d4")),
        ("BSS_PARTNER_ACME_API_TOKEN", token("e5")),
        ("BSS_READER_API_TOKEN", token("f6")),
        ("BSS_READER_API_SCOPES", "read".to_owned()),
        ("BSS_WRITER_API_TOKEN", token("a7")),
        ("BSS_WRITER_API_SCOPES", "write".to_owned()),
        ("BSS_KEEPER_API_TOKEN", token("b8")),
        ("BSS_KEEPER_API_SCOPES", "admin".to_owned()),
    ]
}

fn callers() -> Vec<Caller> {
    let known = |name, fill, scopes| Caller { name, token: Some(token(fill)), scopes: Some(scopes) };
    vec![
        Caller { name: "nobody", token: None, scopes: None },
        Caller { name: "wrong token", token: Some(token("z9")), scopes: None },
        known("`default`", "a1", Scopes::ALL),
        known("`operator_cockpit`", "d4", Scopes::ALL),
        known("`portal_self_serve`", "b2", Scopes::READ_WRITE),
        known("a partner", "e5", Scopes::READ_WRITE),
        known("only *read*", "f6", Scopes::of(Scope::Read)),
        known("only *write*", "a7", Scopes::of(Scope::Write)),
        known("only *admin*", "b8", Scopes::of(Scope::Admin)),
    ]
}

/// The scope that a route declares; None: it is open to everybody.
fn declared(route: &Route) -> Option<Scope> {
    let scope = &route.operation["x-bss-scope"];
    let name = route.name();
    match (route.is_open(), scope.as_str()) {
        (true, None) => None,
        (false, Some("read")) => Some(Scope::Read),
        (false, Some("write")) => Some(Scope::Write),
        (false, Some("admin")) => Some(Scope::Admin),
        _ => panic!("{name} declares no scope, or one beside being open: {scope}"),
    }
}

fn expected(scope: Option<Scope>, caller: &Caller) -> Told {
    match (scope, caller.scopes) {
        (None, _) => Told::In,
        (Some(_), None) => Told::Unauthenticated,
        (Some(needed), Some(held)) if held.has(needed) => Told::In,
        (Some(_), Some(_)) => Told::Forbidden,
    }
}

/// Calls a route. Who is expected to get in sends a body that no handler can read, so that nothing happens; who is not, sends
/// one that is well-formed: the refusal must not owe itself to the body.
async fn call(address: &str, route: &Route, caller: &Caller, expected: Told) -> Told {
    let mut request = Request::new(route.method.clone(), route.target("none"));
    if let Some(token) = &caller.token {
        request = request.header("X-BSS-API-Token", token.as_str());
    }
    if route.method != Method::GET {
        let body = if expected == Told::In { "{" } else { "{}" };
        request = request.header("Content-Type", "application/json").body(body);
    }
    let answer = request.send(address).await;
    assert!(answer.status < 500, "{} as {}: {}", route.name(), caller.name, answer.json());
    match answer.status {
        401 => Told::Unauthenticated,
        403 => Told::Forbidden,
        _ => Told::In,
    }
}

/// One token, of the identity `default`.
fn tokens_of(fill: &str) -> TokenMap {
    TokenMap::new(&[("BSS_API_TOKEN".to_owned(), token(fill))], &[]).expect("a long token")
}

/// Serves the same product to other identities; answers the address.
async fn listen(app: &TestApp, tokens: TokenMap) -> String {
    let router = serve::api(app.product(), tokens, &app.platform, metrics::install());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move { axum::serve(listener, router.into_make_service()).await });
    address
}

/// A row of the matrix: what each caller was told.
async fn row(address: &str, route: &Route, callers: &[Caller], wrong: &mut Vec<String>) -> String {
    let scope = declared(route);
    let needs = route.operation["x-bss-scope"].as_str().unwrap_or("open");
    let mut line = format!("| `{}` | {needs} |", route.name());
    for caller in callers {
        let expected = expected(scope, caller);
        let told = call(address, route, caller, expected).await;
        if told != expected {
            wrong.push(format!("{} as {}: {}, not {}", route.name(), caller.name, told.word(), expected.word()));
        }
        let _ = write!(line, " {} |", told.word());
    }
    line
}

/// What changes something needs more than the scope read.
fn is_sensible(route: &Route) -> bool {
    let changes = match route.operation["x-bss-effect"].as_str() {
        Some(effect) => effect != "read",
        None => route.method != Method::GET,
    };
    !changes || matches!(declared(route), Some(Scope::Write | Scope::Admin))
}

#[tokio::test]
async fn authorisation_matrix_holds() {
    let more = configured();
    let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = TestApp::with(&more).await;
    let routes = routes(&document(&app).await);
    let callers = callers();

    let address = app.address();
    let unwise: Vec<String> = routes.iter().filter(|route| !is_sensible(route)).map(Route::name).collect();
    assert!(unwise.is_empty(), "it changes something and needs no more than the scope read: {unwise:?}");

    let rows: Vec<(String, Vec<String>)> = futures::stream::iter(&routes)
        .map(|route| {
            let (address, callers) = (&address, &callers);
            async move {
                let mut wrong = Vec::new();
                (row(address, route, callers, &mut wrong).await, wrong)
            }
        })
        .buffered(8)
        .collect()
        .await;
    let wrong: Vec<&String> = rows.iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let foreign = tenants::look(&app, &routes).await;

    let mut page = HEAD.to_owned();
    let headings: Vec<&str> = callers.iter().map(|caller| caller.name).chain(["another tenant"]).collect();
    let _ = writeln!(page, "| route | needs | {} |\n|---|---|{}", headings.join(" | "), "---|".repeat(headings.len()));
    for ((row, _), foreign) in rows.iter().zip(&foreign) {
        let _ = writeln!(page, "{row} {foreign} |");
    }
    is_committed("docs/AUTHORISATION.md", &page, "authorisation");
    app.finish().await;
}

#[tokio::test]
async fn what_is_mounted_is_documented() {
    let mut app = TestApp::new().await;
    let documented: BTreeSet<String> = routes(&document(&app).await)
        .into_iter()
        .map(|route| match route.operation_name() {
            Some(_) => format!("{} /ops/v1/{{id}}", route.method),
            None => route.name(),
        })
        .collect();
    let router = serve::api(app.product(), tokens_of("a1"), &app.platform, metrics::install());
    let mounted = mounted::routes(&router);
    let unknown: Vec<_> = mounted.difference(&documented).collect();
    assert!(unknown.is_empty(), "mounted, but neither documented nor in the matrix: {unknown:?}");
    let missing: Vec<_> = documented.difference(&mounted).collect();
    assert!(missing.is_empty(), "documented, but not mounted: {missing:?}");
    app.stop().await;
}

/// Nothing but a JSON object: the arguments of an operation.
fn example(route: &Route) -> Value {
    route.operation["requestBody"]["content"]["application/json"]["example"].clone()
}
