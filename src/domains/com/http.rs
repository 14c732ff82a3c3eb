//! TMF622 Product Ordering Management: `productOrder`, made, moved on and read.

mod create;
mod resource;
mod shapes;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;

use crate::domains::com::Service;
use crate::domains::com::model::Order;
use crate::domains::com::policy::rule;
use crate::domains::com::port::{CancelOrder, OrderId};
use crate::domains::com::store;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, Writer, resource as answer};

const COLLECTION: &str = "/tmf-api/productOrderingManagement/v4/productOrder";

/// The routes of TMF622 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/tmf-api/productOrderingManagement/v4/productOrder/{id}", get(retrieve).patch(patch))
        .with_state(service)
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body } = Submission::of("POST productOrder", request).await?;
    let new = create::new_order(body)?;
    let (body, version) = service.place(&cx, new, |order| (resource::body(order), order.version)).await?;
    answer::created(body, Some(version))
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, orders) = store::page(&service.platform.db, &cx, &query).await?;
    answer::listed(COLLECTION, &pairs, &query, total, orders.iter().map(resource::body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<OrderId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let order = store::find(service.platform.db.connection(), &cx, &id).await?;
    answer::item(&pairs, resource::body(&order), Some(order.version))
}

/// A merge patch that moves the state. Everything else of an order is settled when it is placed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Patch {
    state: String,
    cancellation_reason: Option<String>,
    #[expect(dead_code, reason = "may be repeated, says nothing new")]
    #[serde(rename = "@type")]
    at_type: Option<String>,
}

async fn patch(
    State(service): State<Arc<Service>>,
    Writer(cx): Writer,
    ApiPath(id): ApiPath<OrderId>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Patch>,
) -> Result<Response, ApiError> {
    let expected = answer::if_match(&headers)?;
    let order = service.move_to(&cx, id, body, expected).await?;
    answer::changed(resource::body(&order), order.version)
}

impl Service {
    async fn move_to(&self, cx: &Context, order_id: OrderId, patch: Patch, expected: Option<i64>) -> Result<Order> {
        if patch.cancellation_reason.is_some() && patch.state != "cancelled" {
            return Err(Error::invalid("/cancellationReason", "goes with the state cancelled only"));
        }
        match patch.state.as_str() {
            "inProgress" => self.submit_order(cx, &order_id, expected).await,
            "cancelled" => {
                let command = CancelOrder { order_id, reason: patch.cancellation_reason };
                self.cancel_order(cx, command, expected).await
            }
            state if OFFICIAL_STATES.contains(&state) => {
                let order = store::find(self.platform.db.connection(), cx, &order_id).await?;
                order.expect_version(expected)?;
                let refused = rule::TRANSITION_INVALID
                    .violated("An order is moved to inProgress or cancelled; it ends by itself");
                Err(refused.with("currentState", resource::state(order.state)).with("targetState", state).into())
            }
            _ => Err(Error::invalid(
                "/state",
                "must be a ProductOrderStateType; inProgress and cancelled can be asked for",
            )),
        }
    }
}

/// `ProductOrderStateType` of TMF622.
const OFFICIAL_STATES: &[&str] = &[
    "acknowledged",
    "rejected",
    "pending",
    "held",
    "inProgress",
    "cancelled",
    "completed",
    "failed",
    "partial",
    "assessingCancellation",
    "pendingCancellation",
];

/// Our states as TMF622 writes them, for filters.
pub(super) const STATES: &[(&str, &[&str])] = &[
    ("acknowledged", &["acknowledged"]),
    ("inProgress", &["in_progress"]),
    ("held", &["held"]),
    ("completed", &["completed"]),
    ("failed", &["failed"]),
    ("cancelled", &["cancelled"]),
];

/// What stays of an attribute after `taken` was read out of it.
fn without(mut object: serde_json::Map<String, Value>, taken: &[&str]) -> serde_json::Map<String, Value> {
    object.retain(|name, _| !taken.contains(&name.as_str()));
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::com::port::OrderState;

    #[test]
    fn every_state_of_ours_has_an_official_name() {
        for state in OrderState::ALL {
            let (official, _) = STATES.iter().find(|(_, ours)| ours.contains(&state.as_str())).expect("a name");
            assert!(OFFICIAL_STATES.contains(official));
            assert_eq!(resource::state(state), *official);
        }
    }
}
