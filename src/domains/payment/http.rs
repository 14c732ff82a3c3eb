//! TMF676 Payment Management: `payment`, read and made by hand.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Service;
use super::manual::ManualPayment;
use super::port::{AttemptId, AttemptStatus, PaymentMethodId, Purpose};
use super::store::listing::{self, Payment, STATUS};
use crate::domains::crm::port::CustomerId;
use crate::platform::context::{Context, Scope};
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::{parse_json, read_body};
use crate::platform::http::{ApiError, ApiPath, ApiQuery, Reader, resource};
use crate::platform::idempotency::IdempotencyRequest;
use crate::platform::tmf::money::TmfMoney;
use crate::platform::tmf::query::{ListQuery, Paging};
use crate::platform::tmf::{money, time};

const COLLECTION: &str = "/payment/v4/payment";

/// The name that a kept `Idempotency-Key` has for this route.
const CREATE: &str = "POST /payment/v4/payment";

/// Longest `correlatorId`; the gateway's key, which contains it, may have 255 characters.
const CORRELATOR_LENGTH_MAX: usize = 100;
const DESCRIPTION_LENGTH_MAX: usize = 500;

/// The routes of TMF676 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/payment/v4/payment/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let query = ListQuery::parse(&pairs, Paging::default()).map_err(Error::from)?;
    let (total, payments) = listing::page(&service.platform.db, &cx, &query).await?;
    let items = payments.iter().map(body).collect();
    Ok(resource::listed(COLLECTION, &pairs, &query, total, items))
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<AttemptId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let payment = listing::payment(&service.platform.db, &cx, &id).await?;
    let payment = payment.ok_or_else(|| Error::not_found("payment", &id))?;
    resource::item(&pairs, body(&payment), Some(payment.attempt.version))
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body_of_request) = request.into_parts();
    let mut cx = Context::from_request_parts(&mut parts, &()).await?;
    cx.require(Scope::Write)?;
    let key = parts.headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default().to_owned());
    let bytes = read_body(Request::from_parts(parts, body_of_request)).await?;
    if let Some(key) = key {
        cx.idempotency = Some(Arc::new(IdempotencyRequest::new(&key, CREATE, &bytes)?));
    }
    let wanted = service.read(&cx, parse_json(&bytes)?).await?;
    let payment = service.pay(&cx, wanted).await?;
    Ok(resource::created(body(&payment), Some(payment.attempt.version)))
}

/// What a caller may send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateBody {
    correlator_id: Option<String>,
    description: Option<String>,
    account: Reference<String>,
    payer: Option<Reference<CustomerId>>,
    payment_method: Reference<PaymentMethodId>,
    total_amount: TmfMoney,
    #[serde(rename = "@type")]
    at_type: Option<String>,
}

/// A reference of which only the id decides; the rest is what we ourselves write beside it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reference<T> {
    id: T,
    #[expect(dead_code, reason = "accepted, says nothing new")]
    href: Option<String>,
    #[expect(dead_code, reason = "accepted, says nothing new")]
    name: Option<String>,
    #[expect(dead_code, reason = "accepted, says nothing new")]
    role: Option<String>,
    #[expect(dead_code, reason = "accepted, says nothing new")]
    #[serde(rename = "@type")]
    at_type: Option<String>,
    #[expect(dead_code, reason = "accepted, says nothing new")]
    #[serde(rename = "@referredType")]
    at_referred_type: Option<String>,
}

impl Service {
    async fn read(&self, cx: &Context, body: CreateBody) -> Result<ManualPayment> {
        if body.at_type.is_some_and(|name| name != "Payment") {
            return Err(Error::invalid("/@type", "must be Payment"));
        }
        let correlator = text("/correlatorId", body.correlator_id, CORRELATOR_LENGTH_MAX)?;
        let description = text("/description", body.description, DESCRIPTION_LENGTH_MAX)?;
        let amount = body.total_amount.read("/totalAmount")?;
        let currency = self.platform.config.profile.currency;
        if amount.currency != currency {
            return Err(Error::invalid("/totalAmount/unit", format!("must be {currency}")));
        }
        let account_id = body.account.id;
        let customer_id = listing::payer(&self.platform.db, cx, &account_id).await?;
        let customer_id = customer_id.ok_or_else(|| Error::invalid("/account/id", "There is no such account"))?;
        if body.payer.is_some_and(|payer| payer.id != customer_id) {
            return Err(Error::invalid("/payer/id", "is not the customer of the account"));
        }
        Ok(ManualPayment {
            customer_id,
            account_id,
            method_id: body.payment_method.id,
            amount,
            correlator,
            description,
        })
    }
}

/// Optional text: not empty, bounded, without control characters.
fn text(pointer: &str, given: Option<String>, length_max: usize) -> Result<Option<String>> {
    let Some(text) = given else { return Ok(None) };
    if text.trim().is_empty() || text.chars().count() > length_max || text.chars().any(char::is_control) {
        return Err(Error::invalid(pointer, format!("must be 1 to {length_max} printable characters")));
    }
    Ok(Some(text))
}

fn body(payment: &Payment) -> Value {
    let attempt = &payment.attempt;
    let amount = money::write(attempt.amount);
    let mut body = json!({
        "id": attempt.id,
        "href": format!("{COLLECTION}/{}", attempt.id),
        "name": attempt.purpose.as_str(),
        "correlatorId": correlator(payment),
    });
    if let Some(description) = &attempt.description {
        body["description"] = json!(description);
    }
    if let Some(gateway_ref) = &attempt.gateway_ref {
        body["authorizationCode"] = json!(gateway_ref);
    }
    body["status"] = json!(status(attempt.status));
    body["statusDate"] = json!(time::format(attempt.finished_at.unwrap_or(attempt.attempted_at)));
    match attempt.status {
        AttemptStatus::Pending | AttemptStatus::Approved => {}
        AttemptStatus::Declined => body["statusReason"] = json!(attempt.decline_code),
        AttemptStatus::Errored => body["statusReason"] = json!("gateway_error"),
    }
    body["paymentDate"] = json!(time::format(attempt.attempted_at));
    body["totalAmount"] = amount.clone();
    body["account"] = json!({
        "id": payment.account_id,
        "name": "Prepaid account",
        "@type": "AccountRef",
        "@referredType": "PartyAccount",
    });
    body["payer"] = json!({
        "id": attempt.customer_id,
        "href": format!("/tmf-api/customerManagement/v4/customer/{}", attempt.customer_id),
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Customer",
    });
    body["paymentMethod"] = match (&attempt.method_id, &payment.card) {
        (Some(id), Some(card)) => {
            json!({ "id": id, "name": card, "@type": "PaymentMethodRef", "@referredType": "TokenizedCard" })
        }
        (None, _) | (_, None) => json!({ "name": "none", "@type": "PaymentMethod" }),
    };
    body["paymentItem"] = json!([{
        "id": "1",
        "totalAmount": amount,
        "item": item(&attempt.subject_id),
        "@type": "PaymentItem",
    }]);
    body["@type"] = json!("Payment");
    body
}

fn status(status: AttemptStatus) -> &'static str {
    let name = STATUS.iter().find(|(_, ours)| ours.contains(&status.as_str()));
    name.map_or(status.as_str(), |(official, _)| official)
}

/// What the caller of a manual payment gave; otherwise the business key.
fn correlator(payment: &Payment) -> &str {
    let attempt = &payment.attempt;
    let given = attempt.business_key.strip_prefix("manual:").filter(|given| *given != attempt.id.as_str());
    given.filter(|_| attempt.purpose == Purpose::Manual).unwrap_or(&attempt.business_key)
}

/// What is paid for: an order, the account (by hand), else a line or something bought for it.
fn item(subject_id: &str) -> Value {
    let (referred, href) = match subject_id.split_once('-') {
        Some(("ORD", _)) => {
            ("ProductOrder", Some(format!("/tmf-api/productOrderingManagement/v4/productOrder/{subject_id}")))
        }
        Some(("ACC", _)) => ("PartyAccount", None),
        _ => ("Product", None),
    };
    let mut item = json!({ "id": subject_id });
    if let Some(href) = href {
        item["href"] = json!(href);
    }
    item["@type"] = json!("EntityRef");
    item["@referredType"] = json!(referred);
    item
}
