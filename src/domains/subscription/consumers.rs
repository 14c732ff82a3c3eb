//! What this domain does when a charge is settled or a line runs out of data. One consumer per outcome of a charge, whatever
//! was charged for: a payment is one delivery.

use std::sync::Arc;

use super::Service;
use super::port::SubscriptionExhausted;
use crate::domains::payment::port::{PaymentApproved, PaymentDeclined, Purpose};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{ConsumeTogether, Consumer, Failure};

/// What was paid for is given, or the money goes back.
pub(super) struct ApplyPayment(pub(super) Arc<Service>);

impl Consumer for ApplyPayment {
    const NAME: &'static str = "subscription.apply_payment";
    type Payload = PaymentApproved;

    async fn handle(&self, tx: &Tx, cx: &Context, paid: PaymentApproved) -> Result<(), Failure> {
        match paid.purpose {
            Purpose::Activation => self.0.activation_paid(tx, cx, paid).await?,
            Purpose::Renewal => self.0.renewals_paid(tx, cx, vec![paid]).await?,
            Purpose::Vas => self.0.top_up_paid(tx, cx, paid).await?,
            Purpose::Manual => {}
        }
        Ok(())
    }
}

/// The renewals of a sweep. What else is paid for takes numbers, or waits for somebody, and stays alone.
impl ConsumeTogether for ApplyPayment {
    fn joins(paid: &PaymentApproved) -> bool {
        paid.purpose == Purpose::Renewal
    }

    async fn handle_all(&self, tx: &Tx, cx: &Context, paid: Vec<PaymentApproved>) -> Result<(), Failure> {
        Ok(self.0.renewals_paid(tx, cx, paid).await?)
    }
}

/// What was not paid for is not given.
pub(super) struct ApplyDecline(pub(super) Arc<Service>);

impl Consumer for ApplyDecline {
    const NAME: &'static str = "subscription.apply_decline";
    type Payload = PaymentDeclined;

    async fn handle(&self, tx: &Tx, cx: &Context, declined: PaymentDeclined) -> Result<(), Failure> {
        match declined.purpose {
            Purpose::Activation => self.0.activation_declined(tx, cx, declined).await?,
            Purpose::Renewal => self.0.renewal_declined(tx, cx, declined).await?,
            Purpose::Vas => self.0.top_up_declined(tx, cx, declined).await?,
            Purpose::Manual => {}
        }
        Ok(())
    }
}

/// A line ran out of data: the customer's timeline says so. Usage is applied in batches that leave this to later.
pub(super) struct NoteExhaustion(pub(super) Arc<Service>);

impl Consumer for NoteExhaustion {
    const NAME: &'static str = "subscription.note_exhaustion";
    type Payload = SubscriptionExhausted;

    async fn handle(&self, tx: &Tx, cx: &Context, exhausted: SubscriptionExhausted) -> Result<(), Failure> {
        let summary = format!("Line {} is blocked: its data is used up", exhausted.subscription_id);
        Ok(self.0.note(tx, cx, &exhausted.customer_id, &summary).await?)
    }
}
