//! TMF637 Product Inventory Management, read side: a line is a `product`. Lines come from product orders and end with
//! `subscription.terminate`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::{PRODUCTS, customer_reference, official};
use crate::domains::subscription::Service;
use crate::domains::subscription::port::SubscriptionId;
use crate::domains::subscription::store::listing::{self, PRODUCT_STATUS, ProductRow};
use crate::platform::error::{Error, Result};
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::{money, time};

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(PRODUCTS, get(list))
        .route("/tmf-api/productInventory/v4/product/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = listing::products(&service.platform.db, &cx, &query).await?;
    let items = rows.iter().map(body).collect::<Result<_>>()?;
    resource::listed(PRODUCTS, &pairs, &query, total, items)
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<SubscriptionId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = listing::product(&service.platform.db, &cx, id.as_str()).await?;
    let row = row.ok_or_else(|| Error::not_found("product", &id))?;
    resource::item(&pairs, body(&row)?, Some(row.version))
}

fn body(row: &ProductRow) -> Result<Value> {
    let mut body = json!({
        "id": row.id,
        "href": format!("{PRODUCTS}/{}", row.id),
        "name": row.msisdn,
        "productSerialNumber": row.msisdn,
        "isBundle": true,
        "isCustomerVisible": true,
        "status": official(PRODUCT_STATUS, &row.life),
        "orderDate": time::format(row.created_at),
    });
    for (name, at) in [("startDate", row.activated_at), ("terminationDate", row.terminated_at)] {
        if let Some(at) = at {
            body[name] = json!(time::format(at));
        }
    }
    body["productOffering"] =
        reference("/tmf-api/productCatalogManagement/v4/productOffering", &row.offering_id, "ProductOffering");
    body["productPrice"] = json!([{
        "name": "Plan price",
        "priceType": "recurring",
        "recurringChargePeriod": "month",
        "price": { "taxIncludedAmount": money::write(row.price()?), "@type": "Price" },
        "productOfferingPrice": reference(
            "/tmf-api/productCatalogManagement/v4/productOfferingPrice",
            &row.price_offering_price_id,
            "ProductOfferingPrice",
        ),
        "@type": "ProductPrice",
    }]);
    body["productCharacteristic"] = characteristics(row);
    if let (Some(start), Some(end)) = (row.current_period_start, row.current_period_end) {
        body["productTerm"] = json!([{
            "name": "current period",
            "validFor": { "startDateTime": time::format(start), "endDateTime": time::format(end) },
            "@type": "ProductTerm",
        }]);
    }
    body["realizingService"] =
        json!([reference("/tmf-api/serviceInventory/v4/service", &row.cfs_service_id, "Service")]);
    let number = format!("MSISDN-{}", row.msisdn);
    body["realizingResource"] =
        json!([reference("/tmf-api/resourceInventoryManagement/v4/resource", &number, "Resource")]);
    body["relatedParty"] = customer_reference(&row.customer_id);
    body["@type"] = json!("Product");
    Ok(body)
}

fn reference(collection: &str, id: &str, referred: &str) -> Value {
    json!({
        "id": id,
        "href": format!("{collection}/{id}"),
        "@type": format!("{referred}Ref"),
        "@referredType": referred,
    })
}

fn characteristics(row: &ProductRow) -> Value {
    let one = |name: &str, value: &str| json!({ "name": name, "valueType": "string", "value": value, "@type": "Characteristic" });
    let mut all = vec![
        one("msisdn", &row.msisdn),
        one("iccidLast4", &row.iccid_last4),
        one("productOrderId", &row.commercial_order_id),
    ];
    if !row.block_reasons.is_empty() {
        let reasons = json!(row.block_reasons);
        all.push(json!({ "name": "blockReasons", "valueType": "array", "value": reasons, "@type": "Characteristic" }));
    }
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::subscription::port::LineStatus;

    #[test]
    fn every_state_of_a_line_has_an_official_word() {
        for state in [LineStatus::Pending, LineStatus::Active, LineStatus::Blocked, LineStatus::Terminated] {
            assert!(PRODUCT_STATUS.iter().any(|(_, ours)| ours.contains(&state.as_str())), "{state:?}");
        }
        assert_eq!(official(PRODUCT_STATUS, "blocked"), "suspended");
    }
}
