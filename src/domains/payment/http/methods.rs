//! TMF670 Payment Method Management: `paymentMethod`, the cards on file. They are read, preferred and taken off file here;
//! they come by the operation `payment.add_card`, so that no card number ever stands in a TMF payload.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::{NaiveDate, TimeDelta, TimeZone as _, Utc};
use serde_json::{Value, json};

use crate::domains::payment::Service;
use crate::domains::payment::model::Method;
use crate::domains::payment::port::PaymentMethodId;
use crate::domains::payment::store::methods;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::http::{ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, Writer, resource};
use crate::platform::tmf::{official, time};

const COLLECTION: &str = "/tmf-api/paymentMethod/v4/paymentMethod";

/// The routes of TMF670 that we serve.
pub(in crate::domains::payment) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list))
        .route("/tmf-api/paymentMethod/v4/paymentMethod/{id}", get(retrieve).patch(patch).delete(remove))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, found) = methods::page(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, found.iter().map(body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<PaymentMethodId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let method = service.method(&cx, &id).await?;
    resource::item(&pairs, body(&method), Some(method.version))
}

/// Makes a card the preferred one. There is nothing else about a card that somebody could know better than its issuer.
async fn patch(
    State(service): State<Arc<Service>>,
    Writer(cx): Writer,
    ApiPath(id): ApiPath<PaymentMethodId>,
    headers: HeaderMap,
    ApiJson(sent): ApiJson<Value>,
) -> Result<Response, ApiError> {
    let expected = resource::if_match(&headers)?;
    let sent = official::patch(sent, "TMF670.PaymentMethod_Update")?;
    if let Some(other) = sent.keys().find(|name| !["isPreferred", "@type"].contains(&name.as_str())) {
        return Err(ApiError::invalid(format!("/{other}"), "is not changed here; isPreferred is"));
    }
    if sent.get("isPreferred") != Some(&Value::Bool(true)) {
        return Err(ApiError::invalid("/isPreferred", "must be true; prefer another card to unprefer this one"));
    }
    let method = service.choose_default(&cx, &id, expected).await?;
    resource::changed(body(&method), method.version)
}

async fn remove(
    State(service): State<Arc<Service>>,
    Writer(cx): Writer,
    ApiPath(id): ApiPath<PaymentMethodId>,
) -> Result<Response, ApiError> {
    service.take_off_file(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl Service {
    async fn method(&self, cx: &Context, id: &PaymentMethodId) -> Result<Method> {
        let method = methods::find(self.platform.db.connection(), cx, id).await?;
        method.ok_or_else(|| Error::not_found("payment method", id))
    }
}

fn body(method: &Method) -> Value {
    json!({
        "id": method.id,
        "href": format!("{COLLECTION}/{}", method.id),
        "name": format!("{} {}", method.brand, method.last4),
        "isPreferred": method.is_default,
        "status": method.status,
        "brand": method.brand,
        "cardType": "card",
        "lastFourDigits": method.last4,
        "expirationDate": expiry(method),
        "relatedParty": {
            "id": method.customer_id,
            "href": format!("/tmf-api/customerManagement/v4/customer/{}", method.customer_id),
            "role": "customer",
            "@type": "RelatedParty",
            "@referredType": "Customer",
        },
        "@type": "TokenizedCard",
    })
}

/// The last second of the month that the card names, in UTC.
fn expiry(method: &Method) -> String {
    let (year, month) = (i32::from(method.exp_year), u32::from(method.exp_month.unsigned_abs()));
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let next = NaiveDate::from_ymd_opt(next.0, next.1, 1).and_then(|day| day.and_hms_opt(0, 0, 0)).unwrap_or_default();
    time::format(Utc.from_utc_datetime(&next) - TimeDelta::seconds(1))
}
