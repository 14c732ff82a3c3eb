//! TMF654 Prepay Balance Management: `bucket`, what is left of each allowance of a line.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::{BUCKETS, customer_reference, official, product_reference};
use crate::domains::subscription::Service;
use crate::domains::subscription::port::BucketId;
use crate::domains::subscription::store::listing::{self, BUCKET_STATUS, BucketRow, USAGE_TYPE};
use crate::platform::error::Error;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::time;

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(BUCKETS, get(list))
        .route("/tmf-api/prepayBalanceManagement/v4/bucket/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = listing::buckets(&service.platform.db, &cx, &query).await?;
    resource::listed(BUCKETS, &pairs, &query, total, rows.iter().map(|row| body(row, cx.now)).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<BucketId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let missing = || Error::not_found("bucket", &id);
    let (line, allowance) = id.as_str().split_once(':').ok_or_else(missing)?;
    let row = listing::bucket(&service.platform.db, &cx, line, allowance).await?.ok_or_else(missing)?;
    resource::item(&pairs, body(&row, cx.now), Some(row.version))
}

fn body(row: &BucketRow, now: chrono::DateTime<chrono::Utc>) -> Value {
    let id = format!("{}:{}", row.subscription_id, row.allowance_type);
    let unlimited = row.unlimited || row.unlimited_until.is_some_and(|until| now < until);
    let mut body = json!({
        "id": id,
        "href": format!("{BUCKETS}/{id}"),
        "name": row.allowance_type,
        "isShared": false,
        "status": official(BUCKET_STATUS, &row.state),
        "usageType": official(USAGE_TYPE, &row.allowance_type),
    });
    if unlimited {
        body["remainingValueName"] = json!("unlimited");
    } else {
        body["remainingValueName"] = json!(format!("{} {}", row.remaining, row.unit));
        body["remainingValue"] = json!({ "amount": row.remaining, "units": row.unit, "@type": "Quantity" });
    }
    body["validFor"] =
        json!({ "startDateTime": time::format(row.period_start), "endDateTime": time::format(row.period_end) });
    body["product"] = product_reference(&row.subscription_id);
    let number = format!("MSISDN-{}", row.msisdn);
    body["logicalResource"] = json!([{
        "id": number,
        "href": format!("/tmf-api/resourceInventoryManagement/v4/resource/{number}"),
        "name": row.msisdn,
        "@type": "LogicalResourceRef",
        "@referredType": "Resource",
    }]);
    body["relatedParty"] = customer_reference(&row.customer_id);
    body["@type"] = json!("Bucket");
    body
}
