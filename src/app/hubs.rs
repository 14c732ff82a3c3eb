//! `POST /hub` and `DELETE /hub/{id}` of every API that tells something.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::topics::HUBS;
use crate::platform::error::Error;
use crate::platform::http::{Administrator, ApiError, ApiJson, ApiPath};
use crate::platform::hub::{HubId, Hubs};

/// Where the listener's secret stands in the answer to its registration, and nowhere else.
const SECRET: HeaderName = HeaderName::from_static("x-bss-hub-secret");

#[derive(Debug, Clone)]
struct OfApi {
    hubs: Hubs,
    /// None: TMF688, which tells everything.
    api: Option<&'static str>,
    path: &'static str,
}

/// `EventSubscriptionInput`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    callback: String,
    query: Option<String>,
}

/// The routes of all hubs.
pub(super) fn router(hubs: &Hubs) -> Router {
    HUBS.iter().fold(Router::new(), |router, &(api, path)| {
        let of_api = OfApi { hubs: hubs.clone(), api: Some(api).filter(|api| *api != "TMF688"), path };
        let routes = Router::new()
            .route(path, post(register))
            .route(&format!("{path}/{{id}}"), delete(unregister))
            .with_state(of_api);
        router.merge(routes)
    })
}

async fn register(
    State(of): State<OfApi>,
    Administrator(cx): Administrator,
    ApiJson(sent): ApiJson<Subscription>,
) -> Result<Response, ApiError> {
    let registered = of.hubs.register(&cx, of.api, &sent.callback, sent.query.as_deref()).await?;
    let hub = registered.hub;
    let location = HeaderValue::from_str(&format!("{}/{}", of.path, hub.id)).map_err(internal)?;
    let secret = HeaderValue::from_str(&registered.secret).map_err(internal)?;
    let mut body = json!({ "id": hub.id, "callback": hub.callback });
    if let Some(query) = hub.query {
        body["query"] = json!(query);
    }
    Ok((StatusCode::CREATED, [(header::LOCATION, location), (SECRET, secret)], Json(body)).into_response())
}

fn internal(error: impl ToString) -> Error {
    Error::Internal(error.to_string())
}

async fn unregister(
    State(of): State<OfApi>,
    Administrator(cx): Administrator,
    ApiPath(id): ApiPath<HubId>,
) -> Result<Response, ApiError> {
    of.hubs.unregister(&cx, of.api, id.as_str()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
