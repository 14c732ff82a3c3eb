//! The outcome of an activation charge: the booked line goes live, or ends.

use super::Service;
use super::book::Failed;
use super::ledger::Ledger;
use super::model::{Entered, Line};
use super::policy;
use super::port::{SubscriptionActivated, SubscriptionId};
use super::state::State;
use super::store;
use super::store::period::PaidPeriod;
use crate::domains::payment::port::{PaymentApproved, PaymentDeclined};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::outbox;

impl Service {
    /// The first period is paid: number and profile become the line's, and the period begins now. Where they are gone, or
    /// the booking was taken back, the money is.
    pub(super) async fn activation_paid(&self, tx: &Tx, cx: &Context, paid: PaymentApproved) -> Result<()> {
        let mut line = store::lock(tx, cx, &SubscriptionId::from(paid.subject_id.clone())).await?;
        if line.state != State::Pending {
            return self.activation_too_late(tx, cx, line, &paid).await;
        }
        match self.inventory.assign(tx, cx, line.order_id.as_str(), line.id.as_str()).await {
            Ok(()) => {}
            Err(error) if policy::is_reservation_lost(&error) => {
                let reason = "the reserved number or eSIM was taken away";
                let refund_id = self.payments.refund(tx, cx, &paid.attempt_id, reason).await?;
                let failed = Failed { reason: reason.into(), attempt_id: Some(&paid.attempt_id), refund_id };
                return self.fail_activation(tx, cx, line, failed).await;
            }
            Err(error) => return Err(error),
        }
        let (step, entered) = line.activate(cx.now, self.platform.config.profile.time_zone)?;
        let allowances = store::quota::offered(tx, cx, &line.id, entered.index).await?;
        store::save(tx, cx, &mut line, Some(step)).await?;
        store::quota::save(tx, cx, &line.id, &Ledger::opened(entered.period, &allowances)).await?;
        let period = PaidPeriod { line: &line.id, entered, paid: charged(&paid)?, attempt_id: &paid.attempt_id };
        store::period::insert(tx, cx, &[period]).await?;
        self.payments.recognise(tx, cx, &paid.attempt_id).await?;
        let summary = format!(
            "Line {} is active on {}; the period ends {}",
            line.id,
            line.offering_id,
            self.platform.config.profile.day_of(entered.period.end)
        );
        self.note(tx, cx, &line.customer_id, &summary).await?;
        outbox::stage(tx, cx, &activated(line, entered, paid)).await.map(drop)
    }

    /// The card was declined: the booked line ends.
    pub(super) async fn activation_declined(&self, tx: &Tx, cx: &Context, declined: PaymentDeclined) -> Result<()> {
        let line = store::lock(tx, cx, &SubscriptionId::from(declined.subject_id)).await?;
        if line.state != State::Pending {
            return Ok(());
        }
        let reason = format!("card declined: {}", declined.decline_code);
        let failed = Failed { reason, attempt_id: Some(&declined.attempt_id), refund_id: None };
        self.fail_activation(tx, cx, line, failed).await
    }

    async fn activation_too_late(&self, tx: &Tx, cx: &Context, line: Line, paid: &PaymentApproved) -> Result<()> {
        if store::period::is_paid_by(tx, cx, &paid.attempt_id).await? {
            return Ok(());
        }
        let reason = "the order ended before its line was activated";
        let refund_id = self.payments.refund(tx, cx, &paid.attempt_id, reason).await?;
        if line.state != State::Terminated {
            return Ok(());
        }
        let failed = Failed { reason: reason.into(), attempt_id: Some(&paid.attempt_id), refund_id };
        self.tell_failure(tx, cx, line, failed).await
    }
}

/// What a charge took.
pub(super) fn charged(paid: &PaymentApproved) -> Result<Money> {
    let malformed = |error| Error::Internal(format!("the charge {} has a malformed amount: {error}", paid.attempt_id));
    let currency = paid.currency.parse().map_err(malformed)?;
    Money::parse(&paid.amount, currency).map_err(malformed)
}

fn activated(line: Line, entered: Entered, paid: PaymentApproved) -> SubscriptionActivated {
    SubscriptionActivated {
        iccid_last4: line.iccid_last4(),
        subscription_id: line.id,
        customer_id: line.customer_id,
        offering_id: line.offering_id,
        commercial_order_id: line.order_id,
        cfs_service_id: line.cfs_service_id,
        msisdn: line.msisdn,
        payment_attempt_id: paid.attempt_id,
        amount_charged: paid.amount,
        currency: paid.currency,
        period_start: entered.period.start,
        period_end: entered.period.end,
    }
}
