//! Making a charge: lease the attempt, ask the gateway outside any transaction, record the answer in a second one.
//!
//! Safe at every point of a crash: before the call nothing has happened; after it the gateway replays its answer to the same
//! key; after the record the attempt is final and is never asked about again. An unknown outcome keeps the attempt pending,
//! it is never taken for a refusal.

use std::future::Future;
use std::time::Duration;

use super::Service;
use super::model::{Attempt, Entry, Outcome, backoff};
use super::port::gateway::{Answer, GatewayError};
use super::port::{AttemptId, AttemptStatus, PaymentApproved, PaymentDeclined, Purpose, RefundStatus};
use super::store::leases::{self, ChargeWork};
use super::store::{attempts, journal, refunds};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::{crash, outbox};

/// How long a gateway call may take.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a visit to a work item came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// The answer is in the books.
    Settled,
    /// Final already, or in somebody else's hands.
    NothingToDo,
}

impl Service {
    /// Charges the card of a pending attempt.
    ///
    /// # Errors
    /// Unavailable while the gateway does not answer: the attempt stays pending and is asked about again with the same key.
    pub(super) async fn charge(&self, cx: &Context, id: &AttemptId) -> Result<Visit> {
        // Whoever else holds the lease finishes the attempt, and if it dies the sweep does: nothing is left to do here.
        let Some(work) = leases::take_charge(&self.platform.db, cx, self.platform.boot_id, id).await? else {
            return Ok(Visit::NothingToDo);
        };
        crash::point("payment.charge.before_call");
        let answer = self.ask(&work).await;
        crash::point("payment.charge.after_call");
        let outcome = match answer {
            Ok(Answer::Approved { gateway_ref }) => Outcome::Approved { gateway_ref },
            Ok(Answer::Declined { code, reason }) => Outcome::Declined { code, reason },
            Err(GatewayError::Refused(reason)) => {
                tracing::error!(payment_attempt.id = %id, reason, "the payment gateway refused a charge request");
                Outcome::Errored { reason }
            }
            Err(error @ (GatewayError::Timeout | GatewayError::Unavailable(_))) => {
                let text = error.to_string();
                leases::postpone_charge(&self.platform.db, cx, self.platform.boot_id, id, backoff(work.calls), &text)
                    .await?;
                return Err(Error::unavailable(text));
            }
        };
        self.record_charge(cx, id, &outcome).await
    }

    /// What the gateway says. A key that it may have seen is looked up first: that moves nothing, however long ago it was.
    async fn ask(&self, work: &ChargeWork) -> Result<Answer, GatewayError> {
        let key = &work.attempt.gateway_key;
        if work.calls > 1
            && let Some(answer) = self.bounded(self.gateway.lookup(key)).await?
        {
            return Ok(answer);
        }
        self.bounded(self.gateway.charge(key, &work.token, work.attempt.amount)).await
    }

    /// A gateway call that ends in time.
    pub(super) async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, GatewayError>>,
    ) -> Result<T, GatewayError> {
        tokio::time::timeout(GATEWAY_TIMEOUT, call).await.unwrap_or(Err(GatewayError::Timeout))
    }

    /// Books the outcome, once: the first to lock the pending row writes, everybody after it finds it final.
    async fn record_charge(&self, cx: &Context, id: &AttemptId, outcome: &Outcome) -> Result<Visit> {
        let Some(status) = AttemptStatus::Pending.after(outcome) else { return Ok(Visit::NothingToDo) };
        let tx = self.platform.db.begin().await?;
        let settled = attempts::settle(&tx, cx, id, status, outcome).await?;
        let Some(attempt) = settled else { return Ok(Visit::NothingToDo) };
        if status == AttemptStatus::Approved {
            self.approved(&tx, cx, &attempt).await?;
        } else {
            self.refused(&tx, cx, &attempt).await?;
        }
        crash::point("payment.charge.before_commit");
        tx.commit().await?;
        crash::point("payment.charge.after_commit");
        Ok(Visit::Settled)
    }

    async fn approved(&self, tx: &Tx, cx: &Context, attempt: &Attempt) -> Result<()> {
        self.book(tx, cx, attempt, Entry::CHARGE).await?;
        outbox::stage(tx, cx, &PaymentApproved::from(attempt)).await?;
        if let Some(refund) = refunds::live(tx, cx, &attempt.id).await? {
            // Somebody gave up while the charge was under way.
            self.start_refund(tx, cx, attempt, &refund).await?;
        } else if attempt.purpose == Purpose::Manual {
            // Nobody else gives anything for it that could be waited for.
            self.book(tx, cx, attempt, Entry::revenue(attempt.purpose)).await?;
        }
        let summary = format!("Card charged: {} for {} ({})", attempt.amount, what_for(attempt), attempt.id);
        self.customers.note(tx, cx, &attempt.customer_id, Direction::Internal, &summary).await
    }

    async fn refused(&self, tx: &Tx, cx: &Context, attempt: &Attempt) -> Result<()> {
        if let Some(refund) = refunds::live(tx, cx, &attempt.id).await? {
            refunds::settle(tx, cx, &refund.id, RefundStatus::Failed, None, Some("nothing was charged")).await?;
        }
        let declined = PaymentDeclined::from(attempt);
        outbox::stage(tx, cx, &declined).await?;
        let (amount, what, code) = (attempt.amount, what_for(attempt), &declined.decline_code);
        let summary = format!("Card not charged: {amount} for {what} ({}): {code}", attempt.id);
        self.customers.note(tx, cx, &attempt.customer_id, Direction::Internal, &summary).await
    }

    /// Books one entry of the journal over the attempt's amount.
    pub(super) async fn book(&self, tx: &Tx, cx: &Context, attempt: &Attempt, entry: Entry) -> Result<()> {
        journal::book(tx, cx, self.platform.ids.uuid(), attempt, entry).await
    }
}

/// `activation of SUB-0001`.
fn what_for(attempt: &Attempt) -> String {
    format!("{} of {}", attempt.purpose.as_str(), attempt.subject_id)
}
