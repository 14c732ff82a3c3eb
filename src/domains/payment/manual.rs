//! A payment that somebody makes by hand (TMF676 POST): charged like every other, but its caller waits for the outcome.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Service;
use super::policy;
use super::port::{AttemptId, AttemptStatus, ChargeRequest, PaymentMethodId, Purpose};
use super::request::next_id;
use super::store::listing::{self, Payment};
use super::store::{attempts, methods};
use crate::domains::crm::port::CustomerId;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::{crash, idempotency};

/// A manual payment as its caller wants it.
#[derive(Debug)]
pub(super) struct ManualPayment {
    pub(super) customer_id: CustomerId,
    pub(super) account_id: String,
    pub(super) method_id: PaymentMethodId,
    pub(super) amount: Money,
    /// The caller's own key: one pending or approved payment at a time has it.
    pub(super) correlator: Option<String>,
    pub(super) description: Option<String>,
    /// Official TMF676 attributes that we only store and echo.
    pub(super) attributes: Map<String, Value>,
}

/// What a kept `Idempotency-Key` remembers: the outcome is not known yet when it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    id: AttemptId,
}

impl Service {
    /// Charges a card now and waits for the outcome; a declined card is one.
    ///
    /// # Errors
    /// Unavailable, with the attempt's id, when the gateway has not answered by the caller's deadline: the payment goes on.
    pub(super) async fn pay(&self, cx: &Context, payment: ManualPayment) -> Result<Payment> {
        let begun = match idempotency::replayed(&self.platform.db, cx).await? {
            Some(begun) => begun,
            None => self.begin_payment(cx, payment).await?,
        };
        self.settled(cx, &begun.id).await
    }

    async fn begin_payment(&self, cx: &Context, payment: ManualPayment) -> Result<Begun> {
        let tx = self.platform.db.begin().await?;
        let id = next_id(&tx).await?;
        let begun = Begun { id: id.clone() };
        // First of all: a twin of this request waits here and gets this answer, not "the key is in use".
        idempotency::keep(&tx, cx, begun.id.as_str(), &begun).await?;
        // The card stays until this charge is booked: whoever removes it then sees what it is to pay for.
        methods::hold_cards(&tx, cx, std::iter::once(&payment.customer_id)).await?;
        let method = methods::find(&*tx, cx, &payment.method_id).await?;
        let (customer_id, amount) = (payment.customer_id, payment.amount);
        let method = policy::manual_charge(method, &payment.method_id, &customer_id, amount, self.gateway.provider())?;
        let correlator = payment.correlator.as_deref().unwrap_or(id.as_str());
        let request = ChargeRequest {
            business_key: format!("manual:{correlator}"),
            customer_id,
            amount,
            purpose: Purpose::Manual,
            subject_id: payment.account_id,
        };
        let description = payment.description.as_deref();
        if self.begin_attempt(&tx, cx, &id, Some(&method.id), &request, description).await?.is_none() {
            return Err(match attempts::live(&tx, cx, &request.business_key).await? {
                Some(live) => policy::key_in_use(&live).into(),
                None => Error::Conflict("A payment with this correlatorId has just ended; try again".into()),
            });
        }
        attempts::keep_attributes(&tx, cx, &id, payment.attributes).await?;
        crash::point("payment.manual.before_commit");
        tx.commit().await?;
        crash::point("payment.manual.after_commit");
        Ok(begun)
    }

    async fn settled(&self, cx: &Context, id: &AttemptId) -> Result<Payment> {
        let mut waiter = self.platform.db.wake().waiter();
        loop {
            let payment = listing::payment(&self.platform.db, cx, id).await?;
            let payment = payment.ok_or_else(|| Error::not_found("payment", id))?;
            if payment.attempt.status != AttemptStatus::Pending {
                return Ok(payment);
            }
            if tokio::time::Instant::now() >= cx.deadline {
                let mut context = serde_json::Map::new();
                context.insert("paymentAttemptId".into(), id.as_str().into());
                return Err(Error::Unavailable { message: "payment pending".into(), context });
            }
            waiter.wait(Duration::from_millis(50)).await;
        }
    }
}
