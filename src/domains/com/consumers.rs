//! What orders do when the service order management or the subscription domain says something, or they themselves do.

use std::sync::Arc;

use crate::domains::com::Service;
use crate::domains::com::events::ChangeInProgress;
use crate::domains::som::port::{ServiceOrderCompleted, ServiceOrderFailed};
use crate::domains::subscription::port::{ActivationFailed, OrderedTopUpSettled, SubscriptionActivated};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Consumer, Effect, Failure, Handlers, Subscribers};

/// `service_order.completed`: the line is booked.
struct BookLine(Arc<Service>);

impl Consumer for BookLine {
    const NAME: &'static str = "com.book_line";
    type Payload = ServiceOrderCompleted;

    async fn handle(&self, tx: &Tx, cx: &Context, event: ServiceOrderCompleted) -> Result<(), Failure> {
        Ok(self.0.book_line(tx, cx, event).await?)
    }
}

/// `service_order.failed`: the order fails.
struct FailOnServiceOrder(Arc<Service>);

impl Consumer for FailOnServiceOrder {
    const NAME: &'static str = "com.fail_on_service_order";
    type Payload = ServiceOrderFailed;

    async fn handle(&self, tx: &Tx, cx: &Context, event: ServiceOrderFailed) -> Result<(), Failure> {
        Ok(self.0.fail_on_service_order(tx, cx, event).await?)
    }
}

/// `subscription.activated`: the order completes.
struct CompleteOnActivation(Arc<Service>);

impl Consumer for CompleteOnActivation {
    const NAME: &'static str = "com.complete_on_activation";
    type Payload = SubscriptionActivated;

    async fn handle(&self, tx: &Tx, cx: &Context, event: SubscriptionActivated) -> Result<(), Failure> {
        Ok(self.0.complete(tx, cx, event).await?)
    }
}

/// `subscription.activation_failed`: the order fails with the reason.
struct FailOnActivation(Arc<Service>);

impl Consumer for FailOnActivation {
    const NAME: &'static str = "com.fail_on_activation";
    type Payload = ActivationFailed;

    async fn handle(&self, tx: &Tx, cx: &Context, event: ActivationFailed) -> Result<(), Failure> {
        Ok(self.0.fail_on_activation(tx, cx, event).await?)
    }
}

/// `order.change_in_progress`: the line's top-up or plan is booked, or the line ends.
pub(super) struct CarryOutChange(Arc<Service>);

impl Effect for CarryOutChange {
    const NAME: &'static str = "com.carry_out_change";
    type Payload = ChangeInProgress;

    async fn perform(&self, cx: &Context, event: ChangeInProgress) -> Result<(), Failure> {
        Ok(self.0.carry_out(cx, &event.order_id).await?)
    }
}

/// `subscription.ordered_top_up_settled`: the order of a top-up ends.
struct EndOnTopUp(Arc<Service>);

impl Consumer for EndOnTopUp {
    const NAME: &'static str = "com.end_on_top_up";
    type Payload = OrderedTopUpSettled;

    async fn handle(&self, tx: &Tx, cx: &Context, event: OrderedTopUpSettled) -> Result<(), Failure> {
        Ok(self.0.top_up_settled(tx, cx, event).await?)
    }
}

pub(super) fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers
        .consumer::<BookLine>()
        .consumer::<FailOnServiceOrder>()
        .consumer::<CompleteOnActivation>()
        .consumer::<FailOnActivation>()
        .consumer::<EndOnTopUp>()
        .effect::<CarryOutChange>()
}

pub(super) fn handlers(service: &Arc<Service>) -> Handlers {
    Handlers::default()
        .consumer(BookLine(Arc::clone(service)))
        .consumer(FailOnServiceOrder(Arc::clone(service)))
        .consumer(CompleteOnActivation(Arc::clone(service)))
        .consumer(FailOnActivation(Arc::clone(service)))
        .consumer(EndOnTopUp(Arc::clone(service)))
        .effect(CarryOutChange(Arc::clone(service)))
}
