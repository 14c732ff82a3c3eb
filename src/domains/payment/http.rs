//! TMF676 Payment Management: `payment`, read and made by hand. Its refunds, and TMF670, the cards, have files of their own.

mod methods;
mod refunds;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::Service;
use super::manual::ManualPayment;
use super::port::{AttemptId, AttemptStatus, PaymentMethodId, Purpose};
use super::store::listing::{self, Payment, STATUS};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::ids;
use crate::platform::tmf::money::TmfMoney;
use crate::platform::tmf::{merge, money, official, time};

const COLLECTION: &str = "/payment/v4/payment";

/// The name that a kept `Idempotency-Key` has for this route.
const CREATE: &str = "POST /payment/v4/payment";

/// Longest `correlatorId`; the gateway's key, which contains it, may have 255 characters.
const CORRELATOR_LENGTH_MAX: usize = 100;
const DESCRIPTION_LENGTH_MAX: usize = 500;

/// The routes of TMF676 and TMF670 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    methods::router(Arc::clone(&service)).merge(refunds::router(Arc::clone(&service))).merge(payments(service))
}

fn payments(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/payment/v4/payment/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, payments) = listing::page(&service.platform.db, &cx, &query).await?;
    let items = payments.iter().map(body_of).collect();
    resource::listed(COLLECTION, &pairs, &query, total, items)
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<AttemptId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let payment = listing::payment(&service.platform.db, &cx, &id).await?;
    let payment = payment.ok_or_else(|| Error::not_found("payment", &id))?;
    resource::item(&pairs, body_of(&payment), Some(payment.attempt.version))
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body } = Submission::of(CREATE, request).await?;
    let wanted = service.read(&cx, body).await?;
    let payment = service.pay(&cx, wanted).await?;
    resource::created(body_of(&payment), Some(payment.attempt.version))
}

impl Service {
    /// Reads the body of a POST: what we use is taken out, the official rest is kept and echoed.
    async fn read(&self, cx: &Context, body: Value) -> Result<ManualPayment> {
        let mut body = official::created(body, "TMF676.Payment_Create")?;
        if body.remove("@type").is_some_and(|name| name != "Payment") {
            return Err(Error::invalid("/@type", "must be Payment"));
        }
        merge::refuse(&body, &["name", "authorizationCode", "paymentItem"])?;
        let correlator = text("/correlatorId", body.remove("correlatorId"), CORRELATOR_LENGTH_MAX)?;
        let description = text("/description", body.remove("description"), DESCRIPTION_LENGTH_MAX)?;
        let total: TmfMoney = body
            .remove("totalAmount")
            .and_then(|total| serde_json::from_value(total).ok())
            .ok_or_else(|| Error::invalid("/totalAmount", "must have unit and value"))?;
        let amount = total.read("/totalAmount")?;
        let currency = self.platform.config.profile.currency;
        if amount.currency != currency {
            return Err(Error::invalid("/totalAmount/unit", format!("must be {currency}")));
        }
        let account_id = reference(&mut body, "account")?;
        let account_id = account_id.ok_or_else(|| Error::invalid("/account/id", "is required"))?;
        let method_id = reference(&mut body, "paymentMethod")?;
        let method_id = method_id.ok_or_else(|| Error::invalid("/paymentMethod/id", "is required here"))?;
        let payer_id = reference(&mut body, "payer")?;
        let customer_id = listing::payer(&self.platform.db, cx, &account_id).await?;
        let customer_id = customer_id.ok_or_else(|| Error::invalid("/account/id", "There is no such account"))?;
        if payer_id.is_some_and(|payer| payer != customer_id.as_str()) {
            return Err(Error::invalid("/payer/id", "is not the customer of the account"));
        }
        let method_id = method_id.parse::<PaymentMethodId>();
        Ok(ManualPayment {
            customer_id,
            account_id,
            method_id: method_id.map_err(|e| Error::invalid("/paymentMethod/id", e.to_string()))?,
            amount,
            correlator,
            description,
            attributes: body,
        })
    }
}

/// Takes the id out of a reference. What else it says stays, but for what we ourselves write beside the id.
fn reference(body: &mut Map<String, Value>, name: &str) -> Result<Option<String>> {
    let Some(Value::Object(reference)) = body.get_mut(name) else { return Ok(None) };
    let id = reference.shift_remove("id");
    let id = id.as_ref().and_then(Value::as_str).map(str::to_owned);
    if id.as_ref().is_some_and(|id| ids::check(id).is_err()) {
        return Err(Error::invalid(format!("/{name}/id"), ids::MalformedId.to_string()));
    }
    for ours in ["href", "name", "role", "@type", "@referredType"] {
        reference.shift_remove(ours);
    }
    if reference.is_empty() {
        body.shift_remove(name);
    }
    Ok(id)
}

/// Optional text: not empty, bounded, without control characters.
fn text(pointer: &str, given: Option<Value>, length_max: usize) -> Result<Option<String>> {
    let Some(Value::String(text)) = given else { return Ok(None) };
    if text.trim().is_empty() || text.chars().count() > length_max || text.chars().any(char::is_control) {
        return Err(Error::invalid(pointer, format!("must be 1 to {length_max} printable characters")));
    }
    Ok(Some(text))
}

fn body_of(payment: &Payment) -> Value {
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
    body["totalAmount"] = json!(amount);
    body["account"] = account_ref(&payment.account_id);
    body["payer"] = customer_ref(attempt.customer_id.as_str());
    body["paymentMethod"] =
        method_ref(attempt.method_id.as_ref().map(PaymentMethodId::as_str), payment.card.as_deref());
    body["paymentItem"] = json!([{
        "id": "1",
        "totalAmount": amount,
        "item": item(&attempt.subject_id),
        "@type": "PaymentItem",
    }]);
    merge::echo(&mut body, &payment.attributes);
    body["@type"] = json!("Payment");
    body
}

/// The account that a payment or a refund belongs to.
fn account_ref(account_id: &str) -> Value {
    json!({ "id": account_id, "name": "Prepaid account", "@type": "AccountRef", "@referredType": "PartyAccount" })
}

/// The customer who pays, or gets back what was paid.
fn customer_ref(customer_id: &str) -> Value {
    json!({
        "id": customer_id,
        "href": format!("/tmf-api/customerManagement/v4/customer/{customer_id}"),
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Customer",
    })
}

/// The card that is charged or credited; a charge that found none has none.
fn method_ref(method_id: Option<&str>, card: Option<&str>) -> Value {
    match (method_id, card) {
        (Some(id), Some(card)) => {
            let href = format!("/tmf-api/paymentMethod/v4/paymentMethod/{id}");
            json!({ "id": id, "href": href, "name": card, "@type": "PaymentMethodRef", "@referredType": "TokenizedCard" })
        }
        (None, _) | (_, None) => json!({ "name": "none", "@type": "PaymentMethod" }),
    }
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
