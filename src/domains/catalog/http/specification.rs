//! `productSpecification`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{SPECIFICATIONS, input, put_window};
use crate::domains::catalog::Service;
use crate::domains::catalog::model::SpecificationChange;
use crate::domains::catalog::port::SpecificationId;
use crate::domains::catalog::store::specification::{self as store, SpecificationRow};
use crate::platform::context::Scope;
use crate::platform::error::Result;
use crate::platform::http::extract::Submission;
use crate::platform::http::{Administrator, ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::{merge, official, time};

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    let items = rows.iter().map(body).collect::<Result<_>>()?;
    resource::listed(SPECIFICATIONS, &pairs, &query, total, items)
}

pub(super) async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<SpecificationId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = service.specification_row(&cx, &id).await?;
    resource::item(&pairs, body(&row)?, Some(row.version))
}

pub(super) async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body: sent } = Submission::needing(Scope::Admin, "POST productSpecification", request).await?;
    let mut sent = official::created(sent, "TMF620.ProductSpecification_Create")?;
    sent.shift_remove("@type");
    let row = service.create_specification(&cx, read(sent)?).await?;
    resource::created(body(&row)?, Some(row.version))
}

pub(super) async fn patch(
    State(service): State<Arc<Service>>,
    Administrator(cx): Administrator,
    ApiPath(id): ApiPath<SpecificationId>,
    headers: HeaderMap,
    ApiJson(sent): ApiJson<Value>,
) -> Result<Response, ApiError> {
    let expected = resource::if_match(&headers)?;
    let change = read(official::patch(sent, "TMF620.ProductSpecification_Update")?)?;
    let row = service.change_specification(&cx, &id, change, expected).await?;
    resource::changed(body(&row)?, row.version)
}

fn read(mut sent: Map<String, Value>) -> Result<SpecificationChange> {
    merge::refuse(&sent, &["lastUpdate", "version"])?;
    Ok(SpecificationChange {
        name: input::name(&mut sent)?,
        description: input::text(&mut sent, "description"),
        brand: input::text(&mut sent, "brand"),
        lifecycle: input::lifecycle(&mut sent)?,
        window: input::window(&mut sent),
        attributes: sent,
    })
}

fn body(row: &SpecificationRow) -> Result<Value> {
    let mut body = json!({
        "id": row.id,
        "href": format!("{SPECIFICATIONS}/{}", row.id),
        "name": row.name,
    });
    for (name, text) in [("description", &row.description), ("brand", &row.brand)] {
        if let Some(text) = text {
            body[name] = json!(text);
        }
    }
    body["lifecycleStatus"] = json!(row.lifecycle()?.official());
    body["version"] = json!(row.version.to_string());
    body["lastUpdate"] = json!(time::format(row.updated_at));
    put_window(&mut body, row.window());
    merge::echo(&mut body, &row.attributes());
    body["@type"] = json!("ProductSpecification");
    Ok(body)
}
