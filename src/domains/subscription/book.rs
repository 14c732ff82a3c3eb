//! Booking a line for an order, and taking the booking back.

use super::Service;
use super::events::{BookingCancelled, SubscriptionBooked};
use super::model::Line;
use super::policy;
use super::port::{ActivationFailed, Booking, SubscriptionId};
use super::renew::offer;
use super::state::{State, Trigger};
use super::store;
use crate::domains::com::port::OrderId;
use crate::domains::payment::port::{AttemptId, ChargeRequest, Purpose, RefundId};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

/// Why a booked line will never be in service.
#[derive(Debug)]
pub(super) struct Failed<'a> {
    /// For a person.
    pub(super) reason: String,
    pub(super) attempt_id: Option<&'a AttemptId>,
    pub(super) refund_id: Option<RefundId>,
}

impl Service {
    /// See [`Subscriptions::book`](super::port::Subscriptions::book).
    pub(super) async fn book_line(&self, tx: &Tx, cx: &Context, booking: Booking) -> Result<SubscriptionId> {
        if let Some(booked) = store::line_of_order(tx, cx, &booking.order_id).await? {
            return Ok(booked);
        }
        // Closing a customer asks for lines that are not terminated: it waits for this one, or this one is refused.
        self.customers.hold_open(tx, cx, &booking.customer_id).await?;
        let plan = self.catalog.offering(cx, &booking.offering_id).await?;
        let Some(line) = store::insert(tx, cx, &booking, plan.period_kind).await? else {
            // A twin of this call was faster and has committed meanwhile.
            let booked = store::line_of_order(tx, cx, &booking.order_id).await?;
            return booked.ok_or_else(|| Error::Conflict(format!("The order {} is being booked", booking.order_id)));
        };
        let terms = line.next_terms(cx.now, self.platform.config.profile.time_zone);
        store::contract::offer(tx, cx, &[offer(&line, &terms, &plan)]).await?;
        let charge = ChargeRequest {
            customer_id: line.customer_id.clone(),
            amount: terms.amount(),
            purpose: Purpose::Activation,
            subject_id: line.id.to_string(),
            business_key: format!("activation:{}", line.order_id),
        };
        let id = line.id.clone();
        match self.payments.request_charge(tx, cx, charge).await {
            Ok(attempt_id) => outbox::stage(tx, cx, &booked(line, attempt_id)).await.map(drop)?,
            Err(error) if policy::is_no_method(&error) => {
                let failed = Failed { reason: "no card on file".into(), attempt_id: None, refund_id: None };
                self.fail_activation(tx, cx, line, failed).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(id)
    }

    /// See [`Subscriptions::cancel_booking`](super::port::Subscriptions::cancel_booking). A charge that is still under way
    /// is refunded when it is approved.
    pub(super) async fn cancel_line(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()> {
        let Some(id) = store::line_of_order(tx, cx, order_id).await? else { return Ok(()) };
        let mut line = store::lock(tx, cx, &id).await?;
        if line.state == State::Terminated {
            return Ok(());
        }
        let step = line.apply(Trigger::FailActivation, "order_cancelled")?;
        line.terminated_at = Some(cx.now);
        store::save(tx, cx, &mut line, Some(step)).await?;
        let cancelled = BookingCancelled {
            subscription_id: line.id,
            customer_id: line.customer_id,
            commercial_order_id: line.order_id,
            version: line.version,
        };
        outbox::stage(tx, cx, &cancelled).await.map(drop)
    }

    /// A booked line ends without ever having been in service; the order is told.
    pub(super) async fn fail_activation(
        &self,
        tx: &Tx,
        cx: &Context,
        mut line: Line,
        failed: Failed<'_>,
    ) -> Result<()> {
        let step = line.apply(Trigger::FailActivation, &failed.reason)?;
        line.terminated_at = Some(cx.now);
        store::save(tx, cx, &mut line, Some(step)).await?;
        let summary = format!("Line {} could not be activated: {}", line.id, failed.reason);
        self.note(tx, cx, &line.customer_id, &summary).await?;
        self.tell_failure(tx, cx, line, failed).await
    }

    /// Tells the order that its line will never be in service.
    pub(super) async fn tell_failure(&self, tx: &Tx, cx: &Context, line: Line, failed: Failed<'_>) -> Result<()> {
        let event = ActivationFailed {
            subscription_id: line.id,
            customer_id: line.customer_id,
            commercial_order_id: line.order_id,
            reason: failed.reason,
            payment_attempt_id: failed.attempt_id.cloned(),
            refund_id: failed.refund_id,
        };
        outbox::stage(tx, cx, &event).await.map(drop)
    }
}

fn booked(line: Line, payment_attempt_id: AttemptId) -> SubscriptionBooked {
    let price = line.effective_price();
    SubscriptionBooked {
        iccid_last4: line.iccid_last4(),
        amount: price.decimal(),
        currency: price.currency.to_string(),
        subscription_id: line.id,
        customer_id: line.customer_id,
        offering_id: line.offering_id,
        commercial_order_id: line.order_id,
        msisdn: line.msisdn,
        payment_attempt_id,
        version: line.version,
    }
}
