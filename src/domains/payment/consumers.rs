//! The two effects: calling the gateway for a charge and for a refund.

use std::sync::Arc;

use super::Service;
use super::events::{PaymentRequested, RefundRequested};
use super::port::AttemptId;
use crate::platform::context::Context;
use crate::platform::delivery::{Effect, Failure, PerformTogether};

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

/// A renewal sweep asks for many charges at once.
impl PerformTogether for Charge {
    async fn perform_all(&self, cx: &Context, events: Vec<PaymentRequested>) -> Vec<Result<(), Failure>> {
        let ids: Vec<AttemptId> = events.into_iter().map(|event| event.attempt_id).collect();
        match self.0.charge_all(cx, &ids).await {
            Ok(mut visits) => {
                let outcome = |id| visits.remove(id).map_or(Ok(()), |visit| visit.map(drop).map_err(Failure::from));
                ids.iter().map(outcome).collect()
            }
            Err(error) => vec![Err(Failure::from(error)); ids.len()],
        }
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
