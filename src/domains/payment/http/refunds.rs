//! TMF676 `refund`: money on its way back, and asking for it. A refund is of a whole payment, to the card that paid it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::{account_ref, customer_ref, method_ref, reference, text};
use crate::domains::payment::Service;
use crate::domains::payment::policy;
use crate::domains::payment::port::{AttemptId, RefundId, RefundStatus};
use crate::domains::payment::store::listing::{self, Payment};
use crate::domains::payment::store::refund_listing::{self, STATUS, ShownRefund};
use crate::domains::payment::store::{attempts, refunds};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::money::TmfMoney;
use crate::platform::tmf::{merge, money, official, time};
use crate::platform::{crash, idempotency};

const COLLECTION: &str = "/payment/v4/refund";

/// The name that a kept `Idempotency-Key` has for this route.
const CREATE: &str = "POST /payment/v4/refund";

/// What the books say where the caller does not say why.
const REASON_DEFAULT: &str = "requested";
const REASON_LENGTH_MAX: usize = 200;

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/payment/v4/refund/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, refunds) = refund_listing::page(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, refunds.iter().map(body_of).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<RefundId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let refund = service.shown_refund(&cx, &id).await?;
    resource::item(&pairs, body_of(&refund), Some(version(&refund)))
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body } = Submission::of(CREATE, request).await?;
    let id = match idempotency::replayed::<RefundId>(&service.platform.db, &cx).await? {
        Some(kept) => kept,
        None => service.ask_back(&cx, service.read_refund(&cx, body).await?).await?,
    };
    let refund = service.shown_refund(&cx, &id).await?;
    resource::created(body_of(&refund), Some(version(&refund)))
}

/// A refund as its caller wants it.
#[derive(Debug)]
struct Wanted {
    attempt_id: AttemptId,
    reason: String,
    /// Official TMF676 attributes that we only store and echo.
    attributes: Map<String, Value>,
}

impl Service {
    async fn shown_refund(&self, cx: &Context, id: &RefundId) -> Result<ShownRefund> {
        let refund = refund_listing::refund(&self.platform.db, cx, id).await?;
        refund.ok_or_else(|| Error::not_found("refund", id))
    }

    /// Reads the body of a POST: what it says of the payment must be so.
    async fn read_refund(&self, cx: &Context, body: Value) -> Result<Wanted> {
        let mut body = official::created(body, "TMF676.Refund_Create")?;
        if body.shift_remove("@type").is_some_and(|name| name != "Refund") {
            return Err(Error::invalid("/@type", "must be Refund"));
        }
        merge::refuse(&body, &["name", "authorizationCode", "correlatorId", "refundDate"])?;
        let reason = text("/description", body.shift_remove("description"), REASON_LENGTH_MAX)?;
        let attempt_id = reference(&mut body, "payment")?;
        let attempt_id = attempt_id.ok_or_else(|| Error::invalid("/payment/id", "is required here"))?;
        let attempt_id: AttemptId = attempt_id.parse().map_err(|e| Error::invalid("/payment/id", format!("{e}")))?;
        let payment = listing::payment(&self.platform.db, cx, &attempt_id).await?;
        let payment = payment.ok_or_else(|| Error::invalid("/payment/id", "There is no such payment"))?;
        same_amount(&mut body, &payment)?;
        let Payment { attempt, account_id, .. } = &payment;
        let method = attempt.method_id.as_ref().map(ToString::to_string);
        let said = [
            ("account", Some(account_id.clone())),
            ("paymentMethod", method),
            ("requestor", Some(attempt.customer_id.to_string())),
        ];
        for (name, known) in said {
            if reference(&mut body, name)?.is_some_and(|given| Some(given) != known) {
                return Err(Error::invalid(format!("/{name}/id"), "is not that of the payment"));
            }
        }
        Ok(Wanted { attempt_id, reason: reason.unwrap_or_else(|| REASON_DEFAULT.to_owned()), attributes: body })
    }

    /// Commits the wish; the gateway is asked by the delivery that this stages.
    async fn ask_back(&self, cx: &Context, wanted: Wanted) -> Result<RefundId> {
        let id = &wanted.attempt_id;
        let tx = self.platform.db.begin().await?;
        // First of all: a twin of this request waits here and gets this answer, not "given back already".
        idempotency::claim(&tx, cx).await?;
        attempts::lock(&tx, cx, id).await?.ok_or_else(|| Error::not_found("payment", id))?;
        if let Some(live) = refunds::live(&tx, cx, id).await? {
            return Err(Error::Conflict(format!("The payment {id} is given back already, by {}", live.id)));
        }
        let refund = self.book_refund(&tx, cx, id, &wanted.reason).await?;
        let refund = refund.ok_or_else(|| policy::nothing_charged(id))?;
        refund_listing::keep_attributes(&tx, cx, &refund, wanted.attributes).await?;
        idempotency::answer(&tx, cx, refund.as_str(), &refund).await?;
        crash::point("payment.refund_wish.before_commit");
        tx.commit().await?;
        crash::point("payment.refund_wish.after_commit");
        Ok(refund)
    }
}

/// The amounts that a caller gives are checked, not obeyed: there is no refund of a part.
fn same_amount(body: &mut Map<String, Value>, payment: &Payment) -> Result<()> {
    for name in ["totalAmount", "amount"] {
        let pointer = format!("/{name}");
        let Some(given) = body.shift_remove(name) else { continue };
        let given: TmfMoney =
            serde_json::from_value(given).map_err(|_| Error::invalid(pointer.as_str(), "must have unit and value"))?;
        if given.read(&pointer)? != payment.attempt.amount {
            let message = format!("must be {}: a payment is given back whole", payment.attempt.amount);
            return Err(Error::invalid(pointer, message));
        }
    }
    Ok(())
}

/// It is asked for, and it ends: two versions.
const fn version(refund: &ShownRefund) -> i64 {
    if refund.finished_at.is_some() { 2 } else { 1 }
}

fn body_of(refund: &ShownRefund) -> Value {
    let amount = money::write(refund.amount);
    let mut body = json!({
        "id": refund.id,
        "href": format!("{COLLECTION}/{}", refund.id),
        "name": "refund",
        "description": refund.reason,
        "correlatorId": format!("refund:{}", refund.attempt_id),
    });
    if let Some(gateway_ref) = &refund.gateway_ref {
        body["authorizationCode"] = json!(gateway_ref);
    }
    body["status"] = json!(status(refund.status));
    body["statusDate"] = json!(time::format(refund.finished_at.unwrap_or(refund.requested_at)));
    if let Some(error) = &refund.error {
        body["statusReason"] = json!(error);
    }
    body["refundDate"] = json!(time::format(refund.requested_at));
    body["amount"] = json!(amount);
    body["totalAmount"] = json!(amount);
    body["account"] = account_ref(&refund.account_id);
    body["requestor"] = customer_ref(&refund.customer_id);
    body["payment"] = json!({
        "id": refund.attempt_id,
        "href": format!("/payment/v4/payment/{}", refund.attempt_id),
        "@type": "PaymentRef",
        "@referredType": "Payment",
    });
    body["paymentMethod"] = method_ref(refund.method_id.as_deref(), refund.card.as_deref());
    merge::echo(&mut body, &refund.attributes);
    body["@type"] = json!("Refund");
    body
}

fn status(status: RefundStatus) -> &'static str {
    let name = STATUS.iter().find(|(_, ours)| ours.contains(&status.as_str()));
    name.map_or(status.as_str(), |(official, _)| official)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_an_official_name() {
        let names = [RefundStatus::Pending, RefundStatus::Succeeded, RefundStatus::Failed].map(status);
        assert_eq!(names, ["pendingAuthorization", "done", "failed"]);
    }
}
