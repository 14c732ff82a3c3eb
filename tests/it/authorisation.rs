//! Who may do what: every route and operation, called by nobody, by each identity, without the scope it needs, and from
//! another tenant. What is expected comes from the scope that each declares; `docs/AUTHORISATION.md` is made from the answers.

mod mounted;
mod tenants;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use bss::app::{metrics, serve};
use bss::platform::context::{Scope, Scopes};
use bss::platform::perimeter::{Identity, TokenMap};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::app::TestApp;
use crate::support::raw::Request;
use crate::support::routes::{Route, document, routes};

const HEAD: &str = "\
# Who may do what

Made from the router, the registry of operations and the answers of a running server:
`UPDATE_DOCS=1 cargo test --test it authorisation` writes this page anew, and the test fails when it is old.

A token names an identity, its tenant and its scopes; nothing else that a caller says counts. The identities `default` and
`operator_cockpit` have the scopes *read*, *write* and *admin*; every other one (`portal_self_serve`, partners) reads and
writes. *in* means that the caller reached the handler, 401 that the token is missing or wrong, 403 that the scope is missing.

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
    /// Whether the configuration names it; the others are for this test.
    is_configured: bool,
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

fn callers() -> Vec<Caller> {
    let configured =
        |name, fill, scopes| Caller { name, token: Some(token(fill)), scopes: Some(scopes), is_configured: true };
    let single = |name, fill, scope| Caller {
        name,
        token: Some(token(fill)),
        scopes: Some(Scopes::of(scope)),
        is_configured: false,
    };
    vec![
        Caller { name: "nobody", token: None, scopes: None, is_configured: true },
        Caller { name: "wrong token", token: Some(token("z9")), scopes: None, is_configured: true },
        configured("`default`", "a1", Scopes::ALL),
        configured("`operator_cockpit`", "d4", Scopes::ALL),
        configured("`portal_self_serve`", "b2", Scopes::READ_WRITE),
        configured("a partner", "e5", Scopes::READ_WRITE),
        single("only *read*", "f6", Scope::Read),
        single("only *write*", "a7", Scope::Write),
        single("only *admin*", "b8", Scope::Admin),
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

/// Serves the same product to other identities; answers the address.
async fn listen(app: &TestApp, tokens: TokenMap) -> String {
    let router = serve::api(app.product(), tokens, &app.platform, metrics::install());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move { axum::serve(listener, router.into_make_service()).await });
    address
}

fn identity(name: &str, tenant: &str, scopes: Scopes) -> Identity {
    Identity { name: name.into(), tenant: tenant.into(), scopes }
}

/// A row of the matrix: what each caller was told.
async fn row(addresses: (&str, &str), route: &Route, callers: &[Caller], wrong: &mut Vec<String>) -> String {
    let scope = declared(route);
    let needs = route.operation["x-bss-scope"].as_str().unwrap_or("open");
    let mut line = format!("| `{}` | {needs} |", route.name());
    for caller in callers {
        let address = if caller.is_configured { addresses.0 } else { addresses.1 };
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
    let more = [("BSS_OPERATOR_COCKPIT_API_TOKEN", token("d4")), ("BSS_PARTNER_ACME_API_TOKEN", token("e5"))];
    let app = TestApp::with(&more.each_ref().map(|(name, token)| (*name, token.as_str()))).await;
    let routes = routes(&document(&app).await);
    let callers = callers();

    let crafted = callers.iter().filter(|caller| !caller.is_configured).map(|caller| {
        let (token, scopes) = (caller.token.clone().expect("it has one"), caller.scopes.expect("it is known"));
        (token, identity("crafted", "DEFAULT", scopes))
    });
    let (configured, crafted) = (app.address(), listen(&app, TokenMap::of(crafted)).await);
    let unwise: Vec<String> = routes.iter().filter(|route| !is_sensible(route)).map(Route::name).collect();
    assert!(unwise.is_empty(), "it changes something and needs no more than the scope read: {unwise:?}");

    let rows: Vec<(String, Vec<String>)> = futures::stream::iter(&routes)
        .map(|route| {
            let (addresses, callers) = ((&*configured, &*crafted), &callers);
            async move {
                let mut wrong = Vec::new();
                (row(addresses, route, callers, &mut wrong).await, wrong)
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
    is_committed(&page);
    app.finish().await;
}

#[expect(clippy::disallowed_methods, reason = "whether the page is written anew is the developer's to choose")]
fn is_committed(page: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/AUTHORISATION.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, page).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == page,
        "docs/AUTHORISATION.md is old; UPDATE_DOCS=1 cargo test --test it authorisation writes it anew"
    );
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
    let router = serve::api(app.product(), TokenMap::of([]), &app.platform, metrics::install());
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
