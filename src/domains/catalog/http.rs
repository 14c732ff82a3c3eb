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
use serde::Serialize;
use serde_json::{Value, json};

use super::Service;
use super::model::Window;
use crate::platform::http::resource::Href;
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
fn valid_for(window: Window) -> Option<time::Period> {
    time::Period::of(window.valid_from, window.valid_to)
}

fn put_window(body: &mut Value, window: Window) {
    if let Some(shown) = valid_for(window) {
        body["validFor"] = json!(shown);
    }
}

/// A reference to something that is served here.
#[derive(Debug, Serialize)]
struct Reference<'a> {
    id: &'a str,
    href: Href<'a>,
    name: &'a str,
    #[serde(flatten)]
    referred: Referred,
}

/// What kind of thing a [`Reference`] refers to.
#[derive(Debug, Clone, Copy, Serialize)]
struct Referred {
    #[serde(skip)]
    collection: &'static str,
    #[serde(rename = "@type")]
    at_type: &'static str,
    #[serde(rename = "@referredType")]
    referred_type: &'static str,
}

impl Referred {
    const SPECIFICATION: Self =
        Self { collection: SPECIFICATIONS, at_type: "ProductSpecificationRef", referred_type: "ProductSpecification" };
    const OFFERING: Self =
        Self { collection: OFFERINGS, at_type: "ProductOfferingRef", referred_type: "ProductOffering" };
    const CATEGORY: Self = Self { collection: CATEGORIES, at_type: "CategoryRef", referred_type: "Category" };

    const fn to<'a>(self, id: &'a str, name: &'a str) -> Reference<'a> {
        Reference { id, href: Href { collection: self.collection, id }, name, referred: self }
    }
}
