//! TMF620 Product Catalog Management: `productOffering`, `productOfferingPrice`, `productSpecification`, `category`; each
//! is listed, read, made and changed, none is deleted, since contracts refer to them for ever.

mod category;
mod input;
mod offering;
mod price;
mod specification;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};

use super::Service;
use super::model::Window;
use crate::platform::tmf::time;

const OFFERINGS: &str = "/tmf-api/productCatalogManagement/v4/productOffering";
const PRICES: &str = "/tmf-api/productCatalogManagement/v4/productOfferingPrice";
const SPECIFICATIONS: &str = "/tmf-api/productCatalogManagement/v4/productSpecification";
const CATEGORIES: &str = "/tmf-api/productCatalogManagement/v4/category";

/// The routes of TMF620 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(OFFERINGS, get(offering::list).post(offering::create))
        .route(
            "/tmf-api/productCatalogManagement/v4/productOffering/{id}",
            get(offering::retrieve).patch(offering::patch),
        )
        .route(PRICES, get(price::list).post(price::create))
        .route(
            "/tmf-api/productCatalogManagement/v4/productOfferingPrice/{id}",
            get(price::retrieve).patch(price::patch),
        )
        .route(SPECIFICATIONS, get(specification::list).post(specification::create))
        .route(
            "/tmf-api/productCatalogManagement/v4/productSpecification/{id}",
            get(specification::retrieve).patch(specification::patch),
        )
        .route(CATEGORIES, get(category::list).post(category::create))
        .route("/tmf-api/productCatalogManagement/v4/category/{id}", get(category::retrieve).patch(category::patch))
        .with_state(service)
}

/// `validFor`, where there is a bound.
fn put_window(body: &mut Value, window: Window) {
    let mut shown = serde_json::Map::new();
    shown.extend(window.valid_from.map(|at| ("startDateTime".to_owned(), json!(time::format(at)))));
    shown.extend(window.valid_to.map(|at| ("endDateTime".to_owned(), json!(time::format(at)))));
    if !shown.is_empty() {
        body["validFor"] = Value::Object(shown);
    }
}

/// A reference to something that is served here.
fn reference(collection: &str, id: &str, name: Option<&str>, referred: &str) -> Value {
    let mut body = json!({ "id": id, "href": format!("{collection}/{id}") });
    if let Some(name) = name {
        body["name"] = json!(name);
    }
    body["@type"] = json!(format!("{referred}Ref"));
    body["@referredType"] = json!(referred);
    body
}
