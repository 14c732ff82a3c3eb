//! A small real HTTP server for the tests of this module: a few operations and pages with known answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use url::Url;

use super::client::{Identity, OpsClient};

/// The server; it ends with the runtime of its test.
pub(crate) struct Stub {
    pub(crate) url: Url,
    shared: Arc<Shared>,
}

/// A call that came in.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) args: Value,
    pub(crate) token: String,
    pub(crate) actor: String,
    pub(crate) channel: String,
    pub(crate) request_id: String,
}

#[derive(Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    visits: Mutex<u32>,
    /// Operations that answer with this status and code.
    failing: Mutex<BTreeMap<String, (u16, String)>>,
}

const KNOWN: [&str; 8] = [
    "echo",
    "third.time",
    "missing.thing",
    "refused.op",
    "broken.op",
    "customer.add_contact_medium",
    "clock.freeze",
    "clock.unfreeze",
];

impl Stub {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let app = Router::new()
            .route("/ops/v1", get(list))
            .route("/ops/v1/{name}", post(operation))
            .route("/login", post(log_in))
            .route("/sessions/{id}", get(|Path(id): Path<String>| async move { format!("session {id}") }))
            .route("/whoami", get(who_am_i))
            .route("/echo", any(echo))
            .route(
                "/stream",
                get(|| async { ([(header::CONTENT_TYPE, "text/event-stream")], "data: one\n\ndata: two\n\n") }),
            )
            .route("/third", get(third))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    pub(crate) fn called(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.operation).collect()
    }

    pub(crate) fn break_operation(&self, name: &str) {
        lock(&self.shared.failing).insert(name.to_owned(), (500, "INTERNAL".to_owned()));
    }

    pub(crate) fn switch_off(&self, name: &str, code: &str) {
        lock(&self.shared.failing).insert(name.to_owned(), (403, code.to_owned()));
    }
}

pub(crate) fn client(stub: &Stub) -> OpsClient {
    client_of(stub.url.clone())
}

pub(crate) fn client_of(url: Url) -> OpsClient {
    let tokens = [(Identity::Default, "t-default".to_owned()), (Identity::PortalSelfServe, "t-portal".to_owned())];
    OpsClient::new(url, tokens.into()).expect("a client")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn list() -> Json<Value> {
    let known = KNOWN.into_iter().chain(["admin.reset_operational_data"]);
    Json(known.map(|name| json!({ "name": name, "effect": "write", "hidden": false })).collect())
}

async fn operation(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(args): Json<Value>,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    lock(&shared.calls).push(Call {
        operation: name.clone(),
        args: args.clone(),
        token: text("x-bss-api-token"),
        actor: text("x-bss-actor"),
        channel: text("x-bss-channel"),
        request_id: text("x-request-id"),
    });
    if let Some((status, code)) = lock(&shared.failing).get(&name) {
        let message = if *status == 500 { "broken" } else { "switched off" };
        return refuse(*status, code, "", message, &Value::Null);
    }
    match name.as_str() {
        "third.time" => {
            let tries = lock(&shared.calls).iter().filter(|call| call.operation == name).count();
            Json(json!({ "tries": tries })).into_response()
        }
        "missing.thing" => refuse(404, "NOT_FOUND", "", "no such thing", &Value::Null),
        "refused.op" => {
            refuse(422, "POLICY_VIOLATION", "toy.rule", "not like this", &json!({ "usageId": "UE-000001" }))
        }
        "broken.op" => refuse(500, "INTERNAL", "", "broken", &Value::Null),
        known if KNOWN.contains(&known) || known.starts_with("admin.") => Json(args).into_response(),
        _ => refuse(404, "NOT_FOUND", "", "no such operation", &Value::Null),
    }
}

fn refuse(status: u16, code: &str, reason: &str, message: &str, context: &Value) -> Response {
    let body =
        json!({ "code": code, "reason": reason, "message": message, "status": status.to_string(), "context": context });
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("x-request-id", "r-1")], Json(body)).into_response()
}

async fn log_in(body: String) -> Response {
    let location = format!("/sessions/SES-42?{body}");
    let cookies =
        [(header::SET_COOKIE, "session=s3cret; Path=/; HttpOnly"), (header::SET_COOKIE, "step=1; Path=/step")];
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    for (name, value) in cookies {
        response.headers_mut().append(name, value.parse().expect("a header"));
    }
    response
}

async fn who_am_i(headers: HeaderMap) -> Json<Value> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Json(json!({ "cookie": text("cookie"), "sample": text("x-sample") }))
}

async fn echo(method: Method, request: Request) -> Json<Value> {
    let body = axum::body::to_bytes(request.into_body(), 1024).await.expect("a small body");
    Json(json!({ "method": method.as_str(), "body": String::from_utf8_lossy(&body) }))
}

async fn third(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    let mut visits = lock(&shared.visits);
    *visits += 1;
    if *visits < 3 { (StatusCode::SERVICE_UNAVAILABLE, "wait") } else { (StatusCode::OK, "now") }
}
