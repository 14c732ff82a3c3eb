//! Giving money back: the wish is committed with the caller's change, the gateway is asked afterwards, as with a charge.

use std::time::Duration;

use super::Service;
use super::charge::{Visit, unanswered};
use super::events::{PaymentRefunded, RefundFailed, RefundRequested};
use super::model::{Attempt, Entry, EntryKind, Refund, backoff};
use super::policy;
use super::port::gateway::GatewayError;
use super::port::{AttemptId, AttemptStatus, AttemptView, RefundAttempt, RefundId, RefundStatus};
use super::store::leases::{self, RefundWork};
use super::store::{attempts, journal, listing, refunds};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::{crash, outbox, trace};

/// Longest reason that an operator can give.
const REASON_LENGTH_MAX: usize = 200;

/// What a refund that the gateway answered came to.
enum Answered {
    Paid { gateway_ref: String },
    Refused { reason: String },
}

impl Service {
    /// See [`Payments::refund`](super::port::Payments::refund).
    pub(super) async fn book_refund(
        &self,
        tx: &Tx,
        cx: &Context,
        id: &AttemptId,
        reason: &str,
    ) -> Result<Option<RefundId>> {
        let attempt = attempts::lock(tx, cx, id).await?.ok_or_else(|| Error::not_found("payment attempt", id))?;
        if let Some(live) = refunds::live(tx, cx, id).await? {
            return Ok(Some(live.id));
        }
        if !policy::has_charge(&attempt) {
            return Ok(None);
        }
        let refund = refunds::insert(tx, cx, &attempt, reason).await?;
        // A pending charge is refunded by whoever records its approval.
        if attempt.status == AttemptStatus::Approved {
            self.start_refund(tx, cx, &attempt, &refund).await?;
        }
        Ok(Some(refund.id))
    }

    /// Books what is owed and stages the call. The attempt is locked and approved.
    pub(super) async fn start_refund(&self, tx: &Tx, cx: &Context, attempt: &Attempt, refund: &Refund) -> Result<()> {
        // Owed already, when an earlier refund was refused by the gateway.
        if !journal::has(tx, cx, &attempt.id, EntryKind::RefundDue).await? {
            let recognised = journal::has(tx, cx, &attempt.id, EntryKind::Revenue).await?;
            self.book(tx, cx, attempt, Entry::refund_due(attempt.purpose, recognised)).await?;
        }
        outbox::stage(tx, cx, &RefundRequested::of(attempt, refund)).await.map(drop)
    }

    /// Has the gateway give the money of a pending refund back.
    ///
    /// # Errors
    /// Unavailable while the gateway does not answer: the refund stays pending and is asked for again with the same key.
    pub(super) async fn give_back(&self, cx: &Context, id: &RefundId) -> Result<Visit> {
        let Some(work) = leases::take_refund(&self.platform.db, cx, self.platform.boot_id, id).await? else {
            return Ok(Visit::NothingToDo);
        };
        crash::point("payment.refund.before_call");
        let refund = self.bounded(self.gateway.refund(&work.gateway_key, &work.charge_ref, work.amount));
        let answer = trace::call(trace::step("payment", "gateway.refund"), refund).await;
        crash::point("payment.refund.after_call");
        let answered = match answer {
            Ok(gateway_ref) => Answered::Paid { gateway_ref },
            Err(GatewayError::Refused(reason)) => Answered::Refused { reason },
            Err(error @ (GatewayError::Timeout | GatewayError::Unavailable(_))) => {
                let text = error.to_string();
                leases::postpone_refund(&self.platform.db, cx, self.platform.boot_id, id, backoff(work.calls), &text)
                    .await?;
                return unanswered(work.calls, &text);
            }
        };
        self.record_refund(cx, &work, &answered).await
    }

    async fn record_refund(&self, cx: &Context, work: &RefundWork, answered: &Answered) -> Result<Visit> {
        let tx = self.platform.db.begin().await?;
        let attempt = attempts::lock(&tx, cx, &work.attempt_id).await?;
        let refund = refunds::live(&tx, cx, &work.attempt_id).await?.filter(|refund| refund.id == work.id);
        let Some((attempt, refund)) = attempt.zip(refund) else { return Ok(Visit::NothingToDo) };
        let (status, gateway_ref, error) = match answered {
            Answered::Paid { gateway_ref } => (RefundStatus::Succeeded, Some(gateway_ref.as_str()), None),
            Answered::Refused { reason } => (RefundStatus::Failed, None, Some(reason.as_str())),
        };
        if !refunds::settle(&tx, cx, &work.id, status, gateway_ref, error).await? {
            return Ok(Visit::NothingToDo);
        }
        let summary = match answered {
            Answered::Paid { .. } => {
                self.book(&tx, cx, &attempt, Entry::REFUND_PAID).await?;
                outbox::stage(&tx, cx, &PaymentRefunded::of(&attempt, &refund)).await?;
                format!("Refunded: {} of {} ({})", refund.amount, attempt.id, refund.id)
            }
            Answered::Refused { reason } => {
                tracing::error!(refund.id = %refund.id, reason, "the payment gateway refused a refund; it is still owed");
                outbox::stage(&tx, cx, &RefundFailed::of(&attempt, &refund)).await?;
                format!("Refund failed: {} of {} ({})", refund.amount, attempt.id, refund.id)
            }
        };
        self.customers.note(&tx, cx, &attempt.customer_id, Direction::Internal, &summary).await?;
        crash::point("payment.refund.before_commit");
        tx.commit().await?;
        crash::point("payment.refund.after_commit");
        Ok(Visit::Settled)
    }

    /// See [`Payments::refund_attempt`](super::port::Payments::refund_attempt).
    pub(super) async fn refund_by_hand(&self, cx: &Context, command: RefundAttempt) -> Result<AttemptView> {
        let id = command.payment_attempt_id;
        let reason = command.reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_LENGTH_MAX {
            return Err(Error::invalid("/reason", format!("must have 1 to {REASON_LENGTH_MAX} characters")));
        }
        let tx = self.platform.db.begin().await?;
        if self.book_refund(&tx, cx, &id, reason).await?.is_none() {
            return Err(policy::nothing_charged(&id).into());
        }
        crash::point("payment.refund_wish.before_commit");
        tx.commit().await?;
        crash::point("payment.refund_wish.after_commit");
        self.refund_settled(cx, &id).await
    }

    /// Waits until the refund is settled or the caller must have an answer; the refund goes on by itself.
    async fn refund_settled(&self, cx: &Context, id: &AttemptId) -> Result<AttemptView> {
        let mut waiter = self.platform.db.wake().waiter();
        loop {
            let view = listing::view(self.platform.db.connection(), cx, id).await?;
            let view = view.ok_or_else(|| Error::not_found("payment attempt", id))?;
            let under_way = view.status == AttemptStatus::Approved
                && view.refund.as_ref().is_some_and(|refund| refund.status == RefundStatus::Pending);
            if !under_way || tokio::time::Instant::now() >= cx.deadline {
                return Ok(view);
            }
            waiter.wait(Duration::from_millis(50)).await;
        }
    }
}
