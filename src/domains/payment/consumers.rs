//! The two effects: calling the gateway for a charge and for a refund.

use std::sync::Arc;

use super::Service;
use super::events::{PaymentRequested, RefundRequested};
use crate::platform::context::Context;
use crate::platform::delivery::{Effect, Failure};

/// `payment.requested`: the card is charged.
pub(super) struct Charge(pub(super) Arc<Service>);

impl Effect for Charge {
    const NAME: &'static str = "payment.charge";
    type Payload = PaymentRequested;

    async fn perform(&self, cx: &Context, event: PaymentRequested) -> Result<(), Failure> {
        self.0.charge(cx, &event.attempt_id).await?;
        Ok(())
    }
}

/// `payment.refund_requested`: the money goes back.
pub(super) struct GiveBack(pub(super) Arc<Service>);

impl Effect for GiveBack {
    const NAME: &'static str = "payment.refund";
    type Payload = RefundRequested;

    async fn perform(&self, cx: &Context, event: RefundRequested) -> Result<(), Failure> {
        self.0.give_back(cx, &event.refund_id).await?;
        Ok(())
    }
}
