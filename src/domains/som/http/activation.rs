//! TMF640 Service Activation and Configuration: `service`, read. It is the service of TMF638 under the path of the other API;
//! what the network was told of it is TMF640's `monitor`, which provisioning serves.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::service_body;
use crate::domains::som::Service;
use crate::domains::som::port::{ServiceId, ServiceView};
use crate::domains::som::store::views;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};

const SERVICES: &str = "/tmf-api/ServiceActivationAndConfiguration/v4/service";

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(SERVICES, get(list))
        .route("/tmf-api/ServiceActivationAndConfiguration/v4/service/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, services) = views::service_page(&service.platform.db, &cx, &query).await?;
    resource::listed(SERVICES, &pairs, &query, total, services.iter().map(body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<ServiceId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let view = views::service(service.platform.db.connection(), &cx, &id).await?;
    resource::item(&pairs, body(&view), Some(view.version))
}

/// The other services it names are those of the inventory.
fn body(service: &ServiceView) -> Value {
    let mut body = service_body(service);
    body["href"] = json!(format!("{SERVICES}/{}", service.id));
    body
}
