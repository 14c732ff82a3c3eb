//! `GET /ops/v1` lists the operations with their schemas; `POST /ops/v1/{name}` runs one.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{Instrument as _, Span};

use crate::operations::{Audience, Declared, Effect, Registry};
use crate::platform::context::Context;
use crate::platform::http::extract::{parse_json, read_body};
use crate::platform::http::{ApiError, Caller, Reader};
use crate::platform::idempotency::IdempotencyRequest;

struct Operations<S> {
    registry: Arc<Registry<S>>,
    services: Arc<S>,
}

impl<S> Clone for Operations<S> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry), services: Arc::clone(&self.services) }
    }
}

/// One entry of `GET /ops/v1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    name: &'a str,
    effect: Effect,
    audience: Audience,
    hidden: bool,
    description: &'a str,
    rules: Vec<&'a str>,
    arguments: &'a schemars::Schema,
    result: &'a schemars::Schema,
    example: Value,
}

impl<'a, S> From<&'a Declared<S>> for Listed<'a> {
    fn from(declared: &'a Declared<S>) -> Self {
        Self {
            name: declared.name,
            effect: declared.effect,
            audience: declared.audience,
            hidden: declared.audience == Audience::Hidden,
            description: declared.description(),
            rules: declared.rules.iter().map(|rule| rule.id()).collect(),
            arguments: &declared.arguments,
            result: &declared.result,
            example: serde_json::from_str(declared.example).unwrap_or_else(|_| json!({})),
        }
    }
}

/// The routes of the operations API.
pub fn router<S: Send + Sync + 'static>(registry: Arc<Registry<S>>, services: Arc<S>) -> Router {
    Router::new()
        .route("/ops/v1", get(list::<S>))
        .route("/ops/v1/{name}", post(run::<S>))
        .with_state(Operations { registry, services })
}

async fn list<S: Send + Sync + 'static>(State(operations): State<Operations<S>>, _: Reader) -> Response {
    let listed: Vec<Listed<'_>> = operations.registry.iter().map(Listed::from).collect();
    Json(listed).into_response()
}

async fn run<S: Send + Sync + 'static>(
    State(operations): State<Operations<S>>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    // A path that is not UTF-8 names nothing either.
    let name = path.as_ref().ok().and_then(|params| params.iter().next()).map_or("", |(_, name)| name);
    let declared = operations.registry.get(name).ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "operation.not_found",
            "There is no such operation; GET /ops/v1 lists them",
        )
    })?;
    let caller = request.extensions().get::<Arc<Caller>>().filter(|_| declared.is_traced());
    let span = caller.map_or_else(Span::none, |caller| caller.trace(declared.name));
    let running = async {
        let (mut parts, body) = request.into_parts();
        let mut cx = Context::from_request_parts(&mut parts, &()).await?;
        cx.deadline = tokio::time::Instant::now() + declared.timeout.mul_f64(0.9);
        let key = parts.headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
        let bytes = read_body(Request::from_parts(parts, body)).await?;
        if let Some(key) = key {
            cx.idempotency = Some(Arc::new(IdempotencyRequest::new(&key, declared.name, &bytes)?));
        }
        let arguments: Value = if bytes.is_empty() { json!({}) } else { parse_json(&bytes)? };
        Ok::<_, ApiError>(declared.run(Arc::clone(&operations.services), cx, arguments).await?)
    };
    let answer = tokio::time::timeout(declared.timeout, running.instrument(span.clone())).await.unwrap_or_else(|_| {
        Err(ApiError::unavailable("The answer took too long; what was begun goes on, ask for it again"))
    });
    if answer.as_ref().is_err_and(ApiError::is_fault) {
        span.record("error", true);
    }
    answer.map(Json)
}
