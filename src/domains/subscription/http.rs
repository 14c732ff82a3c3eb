//! The lines as the TM Forum sees them: TMF637 products, TMF654 buckets and top-ups.

mod bucket;
mod product;
mod top_up;

use std::sync::Arc;

use axum::Router;
use serde_json::{Value, json};

use super::Service;

const PRODUCTS: &str = "/tmf-api/productInventory/v4/product";
const BUCKETS: &str = "/tmf-api/prepayBalanceManagement/v4/bucket";

/// The routes of TMF637 and TMF654 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    product::router(Arc::clone(&service)).merge(bucket::router(Arc::clone(&service))).merge(top_up::router(service))
}

/// A line as its buckets and top-ups refer to it.
fn product_reference(line: &str) -> Value {
    json!([{ "id": line, "href": format!("{PRODUCTS}/{line}"), "@type": "ProductRef", "@referredType": "Product" }])
}

fn customer_reference(customer: &str) -> Value {
    json!([{
        "id": customer,
        "href": format!("/tmf-api/customerManagement/v4/customer/{customer}"),
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Customer",
    }])
}

/// The official word for a state of ours.
fn official<'a>(names: &[(&'a str, &[&str])], ours: &'a str) -> &'a str {
    names.iter().find(|(_, words)| words.contains(&ours)).map_or(ours, |(name, _)| name)
}
