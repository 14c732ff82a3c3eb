//! Booking a charge: the attempt is committed with the caller's change, before the gateway hears of it.

use super::Service;
use super::events::PaymentRequested;
use super::model::Attempt;
use super::policy;
use super::port::{AttemptId, ChargeRequest, PaymentApproved, PaymentMethodId};
use super::store::{attempts, methods};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::{ids, outbox};

/// How often a booking is tried that meets another one of the same key. Each time the other one has just ended.
const TRIES: usize = 3;

impl Service {
    /// See [`Payments::request_charge`](super::port::Payments::request_charge).
    pub(super) async fn book_charge(&self, tx: &Tx, cx: &Context, request: ChargeRequest) -> Result<AttemptId> {
        for _ in 0..TRIES {
            if let Some(live) = attempts::live(tx, cx, &request.business_key).await? {
                policy::same_charge(&live, &request)?;
                return Ok(live.id);
            }
            let method_id = self.method_for(tx, cx, &request).await?;
            let id = next_id(tx).await?;
            if let Some(attempt) = self.begin_attempt(tx, cx, &id, method_id.as_ref(), &request, None).await? {
                return Ok(attempt.id);
            }
        }
        Err(Error::Conflict("The same payment is being booked by somebody else; try again".into()))
    }

    async fn method_for(&self, tx: &Tx, cx: &Context, request: &ChargeRequest) -> Result<Option<PaymentMethodId>> {
        if request.amount.is_zero() {
            return Ok(None);
        }
        // Until the caller's change is committed the card stays: whoever removes the last one then sees what it is to pay for.
        methods::hold_cards(tx, cx, std::iter::once(&request.customer_id)).await?;
        let method = methods::chargeable(&**tx, cx, &request.customer_id).await?;
        let method = policy::method_for_charge(method, &request.customer_id, self.gateway.provider())?;
        Ok(Some(method.id))
    }

    /// Writes the attempt and stages what follows: the gateway call, or the approval of nothing. None when a twin is first.
    pub(super) async fn begin_attempt(
        &self,
        tx: &Tx,
        cx: &Context,
        id: &AttemptId,
        method_id: Option<&PaymentMethodId>,
        request: &ChargeRequest,
        description: Option<&str>,
    ) -> Result<Option<Attempt>> {
        let Some(attempt) = attempts::insert(tx, cx, id, method_id, request, description).await? else {
            return Ok(None);
        };
        if attempt.amount.is_zero() {
            outbox::stage(tx, cx, &PaymentApproved::from(&attempt)).await?;
            let summary =
                format!("Nothing to charge: {} for {} ({})", attempt.purpose.as_str(), attempt.subject_id, attempt.id);
            self.customers.note(tx, cx, &attempt.customer_id, Direction::Internal, &summary).await?;
        } else {
            outbox::stage(tx, cx, &PaymentRequested::from(&attempt)).await?;
        }
        Ok(Some(attempt))
    }
}

pub(super) async fn next_id(tx: &Tx) -> Result<AttemptId> {
    Ok(ids::next(&**tx, "payment.payment_attempt_id_seq", "PAY", 6).await?.into())
}
