//! `category`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{CATEGORIES, Referred, input, put_window};
use crate::domains::catalog::Service;
use crate::domains::catalog::model::CategoryChange;
use crate::domains::catalog::port::CategoryId;
use crate::domains::catalog::store::category::{self as store, CategoryRow};
use crate::platform::context::Scope;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{Administrator, ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::ids::MalformedId;
use crate::platform::tmf::{merge, official, time};

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    let items = rows.iter().map(body).collect::<Result<_>>()?;
    resource::listed(CATEGORIES, &pairs, &query, total, items)
}

pub(super) async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<CategoryId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = service.category_row(&cx, &id).await?;
    resource::item(&pairs, body(&row)?, Some(row.version))
}

pub(super) async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body: sent } = Submission::needing(Scope::Admin, "POST category", request).await?;
    let mut sent = official::created(sent, "TMF620.Category_Create")?;
    sent.shift_remove("@type");
    let row = service.create_category(&cx, read(sent)?).await?;
    resource::created(body(&row)?, Some(row.version))
}

pub(super) async fn patch(
    State(service): State<Arc<Service>>,
    Administrator(cx): Administrator,
    ApiPath(id): ApiPath<CategoryId>,
    headers: HeaderMap,
    ApiJson(sent): ApiJson<Value>,
) -> Result<Response, ApiError> {
    let expected = resource::if_match(&headers)?;
    let change = read(official::patch(sent, "TMF620.Category_Update")?)?;
    let row = service.change_category(&cx, &id, change, expected).await?;
    resource::changed(body(&row)?, row.version)
}

fn read(mut sent: Map<String, Value>) -> Result<CategoryChange> {
    merge::refuse(&sent, &["lastUpdate", "version", "subCategory"])?;
    let parent_id = match input::text(&mut sent, "parentId") {
        Some(Some(id)) => {
            let id = id.parse().map_err(|e: MalformedId| Error::invalid("/parentId", e.to_string()))?;
            Some(Some(id))
        }
        Some(None) => Some(None),
        None => None,
    };
    // A root is a category without a parent; to say it is to choose it.
    let parent_id = match (input::flag(&mut sent, "isRoot")?, parent_id) {
        (None, parent) => parent,
        (Some(true), None | Some(None)) => Some(None),
        (Some(false), Some(Some(parent))) => Some(Some(parent)),
        (Some(_), _) => return Err(Error::invalid("/isRoot", "says whether there is a parentId; give that")),
    };
    Ok(CategoryChange {
        name: input::name(&mut sent)?,
        description: input::text(&mut sent, "description"),
        parent_id,
        lifecycle: input::lifecycle(&mut sent)?,
        window: input::window(&mut sent),
        offerings: input::references(&mut sent, "productOffering")?,
        attributes: sent,
    })
}

fn body(row: &CategoryRow) -> Result<Value> {
    let mut body = json!({
        "id": row.id,
        "href": format!("{CATEGORIES}/{}", row.id),
        "name": row.name,
    });
    if let Some(description) = &row.description {
        body["description"] = json!(description);
    }
    body["isRoot"] = json!(row.parent_id.is_none());
    if let Some(parent) = &row.parent_id {
        body["parentId"] = json!(parent);
    }
    body["lifecycleStatus"] = json!(row.lifecycle()?.official());
    body["version"] = json!(row.version.to_string());
    body["lastUpdate"] = json!(time::format(row.updated_at));
    put_window(&mut body, row.window());
    for (name, found, referred) in [
        ("subCategory", row.children()?, Referred::CATEGORY),
        ("productOffering", row.offerings()?, Referred::OFFERING),
    ] {
        if !found.is_empty() {
            body[name] = json!(found.iter().map(|one| referred.to(&one.id, &one.name)).collect::<Vec<_>>());
        }
    }
    merge::echo(&mut body, &row.attributes());
    body["@type"] = json!("Category");
    Ok(body)
}
