//! TMF629 Customer Management: `customer`, made, changed and read.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;

use super::body;
use super::shown::{COLLECTION, resource_of};
use super::store;
use crate::domains::crm::Service;
use crate::domains::crm::port::CustomerId;
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, Writer, resource};

/// The routes of TMF629 that we serve.
pub(in crate::domains::crm) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/tmf-api/customerManagement/v4/customer/{id}", get(retrieve).patch(patch))
        .with_state(service)
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body } = Submission::of("POST customer", request).await?;
    let new = body::new_customer(body, cx.now.date_naive())?;
    let customer = service.create_checked(&cx, new).await?;
    resource::created(resource_of(&customer), Some(customer.version))
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, mut query }: ListRequest,
) -> Result<Response, ApiError> {
    store::lower_addresses(&mut query);
    let (total, customers) = store::page(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, customers.iter().map(resource_of).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<CustomerId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let customer = service.found(&cx, &id).await?;
    resource::item(&pairs, resource_of(&customer), Some(customer.version))
}

async fn patch(
    State(service): State<Arc<Service>>,
    Writer(cx): Writer,
    ApiPath(id): ApiPath<CustomerId>,
    headers: HeaderMap,
    ApiJson(sent): ApiJson<Value>,
) -> Result<Response, ApiError> {
    let expected = resource::if_match(&headers)?;
    let change = body::change(sent)?;
    let customer = service.change_customer(&cx, &id, change, expected).await?;
    resource::changed(resource_of(&customer), customer.version)
}
