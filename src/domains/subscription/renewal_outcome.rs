//! A renewal charge that was declined, or came too late: the line is blocked for payment, or the money goes back. One that was
//! asked for before it was due blocks nothing when it is declined: the running period is paid.

use super::Service;
use super::events::{Owed, PlanChangePaymentFailed, RenewFailed};
use super::model::Line;
use super::port::{BlockReason, SubscriptionId};
use super::state::{State, Trigger};
use super::store;
use super::store::change::Declined;
use super::terms::{Pivot, Terms};
use crate::domains::payment::port::{AttemptId, PaymentDeclined};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

/// Why the next period was not paid.
#[derive(Debug)]
pub(super) struct NotPaid {
    /// `payment_declined` or `no_payment_method`.
    pub(super) reason: &'static str,
    /// What was to be charged.
    pub(super) terms: Terms,
    pub(super) attempt_id: Option<AttemptId>,
    pub(super) decline_code: Option<String>,
}

impl Service {
    /// The next period was declined. A second decline blocks nothing further.
    pub(super) async fn renewal_declined(&self, tx: &Tx, cx: &Context, declined: PaymentDeclined) -> Result<()> {
        let mut line = store::lock(tx, cx, &SubscriptionId::from(declined.subject_id)).await?;
        if line.renewal_attempt_id.as_ref() != Some(&declined.attempt_id) {
            return Ok(());
        }
        let still_paid = line.renews_early() && !line.state.is_blocked_for(BlockReason::Payment);
        line.renewal_attempt_id = None;
        if line.state == State::Terminated {
            return store::save(tx, cx, &mut line, None).await;
        }
        let kept = store::contract::of_period(tx, cx, &line.id, line.period_index + 1).await?;
        let terms = kept.map(|(terms, _)| terms);
        let not_paid = NotPaid {
            reason: "payment_declined",
            terms: terms.unwrap_or_else(|| line.next_terms(cx.now, self.platform.config.profile.time_zone)),
            attempt_id: Some(declined.attempt_id),
            decline_code: Some(declined.decline_code),
        };
        if still_paid {
            self.go_on_as_paid(tx, cx, line, not_paid).await
        } else {
            self.block_for_payment(tx, cx, line, not_paid).await
        }
    }

    /// The running period is paid and goes on; its end is charged for as if nobody had asked before.
    async fn go_on_as_paid(&self, tx: &Tx, cx: &Context, mut line: Line, not_paid: NotPaid) -> Result<()> {
        store::save(tx, cx, &mut line, None).await?;
        let summary = format!("The card was declined for an early renewal of line {}; its period goes on", line.id);
        self.note(tx, cx, &line.customer_id, &summary).await?;
        self.tell_not_paid(tx, cx, &line, not_paid, true).await
    }

    /// The line is blocked until its next period is paid.
    pub(super) async fn block_for_payment(
        &self,
        tx: &Tx,
        cx: &Context,
        mut line: Line,
        not_paid: NotPaid,
    ) -> Result<()> {
        let step = line.apply(Trigger::RenewFail, &format!("renewal_{}", not_paid.reason))?;
        store::save(tx, cx, &mut line, Some(step)).await?;
        self.tell_not_paid(tx, cx, &line, not_paid, false).await?;
        if step.blocked_for().is_some() {
            let summary = format!("Line {} is blocked: its renewal could not be paid", line.id);
            self.note(tx, cx, &line.customer_id, &summary).await?;
        }
        self.tell_blocked(tx, cx, &line, step).await
    }

    async fn tell_not_paid(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &Line,
        not_paid: NotPaid,
        still_paid: bool,
    ) -> Result<()> {
        let attempt = not_paid.attempt_id.as_ref().map(AttemptId::as_str);
        let declined = Declined { amount: not_paid.terms.amount(), reason: not_paid.reason, attempt_id: attempt };
        store::change::declined(tx, cx, line, &declined).await?;
        let changes_plan = not_paid.terms.pivot == Some(Pivot::PlanChange);
        if changes_plan {
            let failed = PlanChangePaymentFailed {
                subscription_id: line.id.clone(),
                customer_id: line.customer_id.clone(),
                current_offering_id: line.offering_id.clone(),
                pending_offering_id: not_paid.terms.offering_id.clone(),
                payment_attempt_id: not_paid.attempt_id.clone(),
                version: line.version,
            };
            outbox::stage(tx, cx, &failed).await?;
        }
        let failed = RenewFailed {
            subscription_id: line.id.clone(),
            customer_id: line.customer_id.clone(),
            reason: not_paid.reason,
            payment_attempt_id: not_paid.attempt_id,
            decline_code: not_paid.decline_code,
            offering_id: line.offering_id.clone(),
            owed: Owed {
                amount: not_paid.terms.amount().decimal(),
                currency: not_paid.terms.price.currency.to_string(),
                full_amount: not_paid.terms.price.decimal(),
                changes_plan,
                offering_id: not_paid.terms.offering_id,
            },
            paid_until: line.next_renewal_at().filter(|_| still_paid),
            version: line.version,
        };
        outbox::stage(tx, cx, &failed).await.map(drop)
    }

    /// The line ended while the charge was under way: the money goes back.
    pub(super) async fn renewal_too_late(
        &self,
        tx: &Tx,
        cx: &Context,
        mut line: Line,
        attempt_id: &AttemptId,
    ) -> Result<()> {
        if line.renewal_attempt_id.as_ref() == Some(attempt_id) {
            line.renewal_attempt_id = None;
            store::save(tx, cx, &mut line, None).await?;
        }
        self.payments.refund(tx, cx, attempt_id, "the line ended before it was renewed").await?;
        let summary = format!("The renewal of line {} is paid back: the line has ended", line.id);
        self.note(tx, cx, &line.customer_id, &summary).await
    }
}
