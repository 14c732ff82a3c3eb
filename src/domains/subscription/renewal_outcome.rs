//! The outcome of a renewal charge: the next period begins, or the line is blocked for payment.

use super::Service;
use super::activate::charged;
use super::events::{PlanChangePaymentFailed, PriceSnapshot, RenewFailed, SubscriptionRenewed};
use super::model::{Entered, Line};
use super::port::{PlanChanged, PriceMigrated, SubscriptionId};
use super::state::{State, Trigger};
use super::store;
use super::store::change::{Declined, Ended, Kind};
use super::terms::{Pivot, Terms};
use crate::domains::payment::port::{AttemptId, PaymentApproved, PaymentDeclined};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::money::Money;
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
    /// The next period is paid: what is left of the old one expires, the plan grants afresh, and what the line was blocked
    /// for because of quota or payment is lifted.
    pub(super) async fn renewal_paid(&self, tx: &Tx, cx: &Context, paid: PaymentApproved) -> Result<()> {
        let mut line = store::lock(tx, cx, &SubscriptionId::from(paid.subject_id.clone())).await?;
        let expected = line.renewal_attempt_id.as_ref() == Some(&paid.attempt_id);
        if !expected && store::period::is_paid_by(tx, cx, &paid.attempt_id).await? {
            return Ok(());
        }
        let ledger =
            if expected && line.state != State::Terminated { store::quota::ledger(tx, cx, &line).await? } else { None };
        let Some(mut ledger) = ledger else {
            return self.renewal_too_late(tx, cx, line, &paid.attempt_id).await;
        };
        let amount = charged(&paid)?;
        let zone = self.platform.config.profile.time_zone;
        let kept = store::contract::of_period(tx, cx, &line.id, line.period_index + 1).await?;
        let (terms, plan) = kept.unwrap_or_else(|| (line.next_terms(cx.now, zone), None));
        let before = line.clone();
        let (step, entered) =
            line.renew(ledger.period, &terms, plan.unwrap_or(line.period_kind.plan()), cx.now, zone)?;
        let allowances = store::quota::offered(tx, cx, &line.id, entered.index).await?;
        let ended = ledger.expire(cx.now);
        ledger.renew(entered.index, entered.period, &allowances, cx.now);
        store::save(tx, cx, &mut line, Some(step)).await?;
        if terms.pivot.is_some() || line.pending_plan != before.pending_plan {
            store::contract::save(tx, cx, &line).await?;
        }
        store::quota::save(tx, cx, &line.id, &ledger).await?;
        store::period::insert(tx, cx, &line.id, entered, amount, &paid.attempt_id).await?;
        self.payments.recognise(tx, cx, &paid.attempt_id).await?;
        let summary =
            format!("Line {} renewed for {amount}; the period ends {}", line.id, entered.period.end.date_naive());
        self.note(tx, cx, &line.customer_id, &summary).await?;
        outbox::stage(tx, cx, &renewed(&line, entered, paid.attempt_id, amount)).await?;
        for grant in &ended {
            self.tell_expired(tx, cx, &line, grant).await?;
        }
        self.tell_pivot(tx, cx, &before, &line, &terms, entered).await?;
        self.tell_unblocked(tx, cx, &line, step, "renewed").await
    }

    /// Closes what was booked to begin with the period, and tells that it has begun.
    async fn tell_pivot(
        &self,
        tx: &Tx,
        cx: &Context,
        before: &Line,
        line: &Line,
        terms: &Terms,
        entered: Entered,
    ) -> Result<()> {
        match &terms.pivot {
            None => Ok(()),
            Some(Pivot::PlanChange) => {
                store::change::end(tx, cx, &line.id, Kind::PlanChange, Ended::Applied, Some(entered.index)).await?;
                store::change::end(tx, cx, &line.id, Kind::PriceMigration, Ended::Dropped, None).await?;
                let summary = format!("Line {} is on {} now", line.id, line.offering_id);
                self.note(tx, cx, &line.customer_id, &summary).await?;
                outbox::stage(tx, cx, &plan_changed(before, line, entered)).await.map(drop)
            }
            Some(Pivot::PriceMigration(migration)) => {
                store::change::migrated(tx, cx, &line.id, migration, entered.index).await?;
                let migrated = PriceMigrated {
                    subscription_id: line.id.clone(),
                    customer_id: line.customer_id.clone(),
                    migration_id: migration.clone(),
                    offering_id: line.offering_id.clone(),
                    previous_price_amount: before.price.decimal(),
                    new_price_amount: line.price.decimal(),
                    new_price_currency: line.price.currency.to_string(),
                    new_price_offering_price_id: line.price_id.clone(),
                    period_index: entered.index,
                    version: line.version,
                };
                outbox::stage(tx, cx, &migrated).await.map(drop)
            }
        }
    }

    /// The next period was declined. A second decline blocks nothing further.
    pub(super) async fn renewal_declined(&self, tx: &Tx, cx: &Context, declined: PaymentDeclined) -> Result<()> {
        let mut line = store::lock(tx, cx, &SubscriptionId::from(declined.subject_id)).await?;
        if line.renewal_attempt_id.as_ref() != Some(&declined.attempt_id) {
            return Ok(());
        }
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
        self.block_for_payment(tx, cx, line, not_paid).await
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
        let attempt = not_paid.attempt_id.as_ref().map(AttemptId::as_str);
        let declined = Declined { amount: not_paid.terms.amount(), reason: not_paid.reason, attempt_id: attempt };
        store::change::declined(tx, cx, &line, &declined).await?;
        if not_paid.terms.pivot == Some(Pivot::PlanChange) {
            let failed = PlanChangePaymentFailed {
                subscription_id: line.id.clone(),
                customer_id: line.customer_id.clone(),
                current_offering_id: line.offering_id.clone(),
                pending_offering_id: not_paid.terms.offering_id,
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
            version: line.version,
        };
        outbox::stage(tx, cx, &failed).await?;
        if step.blocked_for().is_some() {
            let summary = format!("Line {} is blocked: its renewal could not be paid", line.id);
            self.note(tx, cx, &line.customer_id, &summary).await?;
        }
        self.tell_blocked(tx, cx, &line, step).await
    }

    /// The line ended while the charge was under way: the money goes back.
    async fn renewal_too_late(&self, tx: &Tx, cx: &Context, mut line: Line, attempt_id: &AttemptId) -> Result<()> {
        if line.renewal_attempt_id.as_ref() == Some(attempt_id) {
            line.renewal_attempt_id = None;
            store::save(tx, cx, &mut line, None).await?;
        }
        self.payments.refund(tx, cx, attempt_id, "the line ended before it was renewed").await?;
        let summary = format!("The renewal of line {} is paid back: the line has ended", line.id);
        self.note(tx, cx, &line.customer_id, &summary).await
    }
}

fn renewed(line: &Line, entered: Entered, payment_attempt_id: AttemptId, amount: Money) -> SubscriptionRenewed {
    SubscriptionRenewed {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        offering_id: line.offering_id.clone(),
        payment_attempt_id,
        period_index: entered.index,
        period_start: entered.period.start,
        period_end: entered.period.end,
        price_snapshot: PriceSnapshot {
            price_amount: line.price.decimal(),
            price_currency: line.price.currency.to_string(),
            price_offering_price_id: line.price_id.clone(),
        },
        amount_charged: amount.decimal(),
        discount_applied: amount != line.price,
        version: line.version,
    }
}

fn plan_changed(before: &Line, line: &Line, entered: Entered) -> PlanChanged {
    PlanChanged {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        cfs_service_id: line.cfs_service_id.clone(),
        msisdn: line.msisdn.clone(),
        previous_offering_id: before.offering_id.clone(),
        new_offering_id: line.offering_id.clone(),
        new_price_amount: line.price.decimal(),
        new_price_currency: line.price.currency.to_string(),
        new_price_offering_price_id: line.price_id.clone(),
        discount_ended: before.discount.is_some() && before.discount_periods_remaining != 0,
        period_index: entered.index,
        period_start: entered.period.start,
        period_end: entered.period.end,
        version: line.version,
    }
}
