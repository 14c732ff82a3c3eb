//! Health for load balancers: `live` says that the process answers, `ready` that it can serve.
//!
//! Only a database that is away makes a process not ready: then it can answer nothing. Deliveries that do not move are told in
//! the body: that is work for somebody, but to send requests elsewhere would not make them move.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::platform::db::{Db, sql};

/// How long the database may take to say that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// `/health`, `/health/live`, `/health/ready`: open to everybody, telling nothing but the state.
pub fn router(db: Db) -> Router {
    Router::new()
        .route("/health", get(live))
        .route("/health/live", get(live))
        .route("/health/ready", get(move || ready(db.clone())))
}

async fn live() -> Response {
    Json(json!({ "status": "ok", "service": "bss", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

async fn ready(db: Db) -> Response {
    use sea_orm::ConnectionTrait as _;
    let probe = db.connection().query_one_raw(sql!("select 1 as one"));
    let database = matches!(tokio::time::timeout(PROBE_TIMEOUT, probe).await, Ok(Ok(Some(_))));
    let (workers, queue) = (db.vitals().workers(), db.vitals().queue());
    let (status, text) = match (database, workers, queue) {
        (false, ..) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (true, "up" | "none", "moving") => (StatusCode::OK, "ready"),
        (true, ..) => (StatusCode::OK, "degraded"),
    };
    let checks = json!({ "database": if database { "up" } else { "down" }, "workers": workers, "queue": queue });
    (status, Json(json!({ "status": text, "service": "bss", "checks": checks }))).into_response()
}
