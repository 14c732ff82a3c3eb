//! TMF620 Product Catalog Management, read side: `productOffering`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::Service;
use super::port::{AllowanceView, OfferingId};
use super::store::{self, LIFECYCLE, OfferingRow, PriceColumn};
use crate::platform::error::{Error, Result};
use crate::platform::http::{ApiError, ApiPath, ApiQuery, Reader, resource};
use crate::platform::tmf::query::{ListQuery, Paging};
use crate::platform::tmf::{money, time};

const COLLECTION: &str = "/tmf-api/productCatalogManagement/v4/productOffering";

/// The routes of TMF620 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list))
        .route("/tmf-api/productCatalogManagement/v4/productOffering/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let query = ListQuery::parse(&pairs, Paging::default()).map_err(Error::from)?;
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    let items = rows.iter().map(body).collect::<Result<_>>()?;
    Ok(resource::listed(COLLECTION, &pairs, &query, total, items))
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<OfferingId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = service.found(&cx, &id).await?.ok_or_else(|| Error::not_found("product offering", &id))?;
    resource::item(&pairs, body(&row)?, Some(row.version))
}

fn body(row: &OfferingRow) -> Result<Value> {
    let lifecycle = LIFECYCLE.iter().find(|(_, ours)| ours.contains(&row.lifecycle_status.as_str()));
    let mut body = json!({
        "id": row.id,
        "href": format!("{COLLECTION}/{}", row.id),
        "name": row.name,
        "isBundle": row.is_bundle,
        "isSellable": row.is_sellable,
        "lifecycleStatus": lifecycle.map_or(row.lifecycle_status.as_str(), |(official, _)| official),
        "version": row.version.to_string(),
        "lastUpdate": time::format(row.updated_at),
    });
    if let Some(window) = window(row.valid_from, row.valid_to) {
        body["validFor"] = window;
    }
    body["productSpecification"] = json!({
        "id": row.spec_id,
        "name": row.spec_name,
        "@type": "ProductSpecificationRef",
        "@referredType": "ProductSpecification",
    });
    body["prodSpecCharValueUse"] = row.allowances()?.iter().map(allowance).collect();
    body["productOfferingPrice"] = row.prices()?.iter().map(price).collect::<Result<_>>()?;
    body["@type"] = json!("ProductOffering");
    Ok(body)
}

fn window(from: Option<chrono::DateTime<chrono::Utc>>, to: Option<chrono::DateTime<chrono::Utc>>) -> Option<Value> {
    let mut window = serde_json::Map::new();
    window.extend(from.map(|at| ("startDateTime".to_owned(), json!(time::format(at)))));
    window.extend(to.map(|at| ("endDateTime".to_owned(), json!(time::format(at)))));
    (!window.is_empty()).then_some(Value::Object(window))
}

fn allowance(view: &AllowanceView) -> Value {
    json!({
        "name": view.allowance_type.as_str(),
        "valueType": "integer",
        "productSpecCharacteristicValue": [{
            "valueType": "integer",
            "value": view.quantity,
            "unitOfMeasure": view.unit.as_str(),
            "isDefault": true,
            "@type": "CharacteristicValueSpecification",
        }],
        "@type": "ProductSpecificationCharacteristicValueUse",
    })
}

fn price(column: &PriceColumn) -> Result<Value> {
    let recurring = column.price_type == "recurring";
    let mut body = json!({ "id": column.id, "priceType": if recurring { "recurring" } else { "oneTime" } });
    if recurring {
        body["recurringChargePeriod"] = json!(column.period);
        body["recurringChargePeriodLength"] = json!(column.length);
    }
    body["price"] = json!({ "taxIncludedAmount": money::write(column.money()?), "@type": "ProductPriceValue" });
    if let Some(window) = window(column.from, column.to) {
        body["validFor"] = window;
    }
    body["@type"] = json!("ProductOfferingPrice");
    Ok(body)
}
