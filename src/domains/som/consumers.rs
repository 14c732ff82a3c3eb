//! What the service order management does when orders, the network or lines say something.

use std::sync::Arc;

use crate::domains::com::port::{OrderCancelled, OrderFailed, OrderInProgress};
use crate::domains::provisioning::port::{TaskAbandoned, TaskCompleted, TaskFailed, TaskStuck};
use crate::domains::som::Service;
use crate::domains::subscription::port::{
    PlanChanged, SubscriptionActivated, SubscriptionBlocked, SubscriptionTerminated, SubscriptionUnblocked,
};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Consumer, Failure, Handlers, Subscribers};

/// `order.in_progress`: services and tasks are made.
struct Decompose(Arc<Service>);

impl Consumer for Decompose {
    const NAME: &'static str = "som.decompose";
    type Payload = OrderInProgress;

    async fn handle(&self, tx: &Tx, cx: &Context, event: OrderInProgress) -> Result<(), Failure> {
        Ok(self.0.decompose(tx, cx, event).await?)
    }
}

/// `order.cancelled`: nothing of it is given.
struct WithdrawCancelled(Arc<Service>);

impl Consumer for WithdrawCancelled {
    const NAME: &'static str = "som.withdraw_cancelled_order";
    type Payload = OrderCancelled;

    async fn handle(&self, tx: &Tx, cx: &Context, event: OrderCancelled) -> Result<(), Failure> {
        Ok(self.0.withdraw(tx, cx, &event.order_id, "the order was cancelled").await?)
    }
}

/// `order.failed`: what was given is taken back.
struct WithdrawFailed(Arc<Service>);

impl Consumer for WithdrawFailed {
    const NAME: &'static str = "som.withdraw_failed_order";
    type Payload = OrderFailed;

    async fn handle(&self, tx: &Tx, cx: &Context, event: OrderFailed) -> Result<(), Failure> {
        Ok(self.0.withdraw(tx, cx, &event.order_id, &event.reason).await?)
    }
}

/// `provisioning.task.completed`.
struct NoteCompletedTask(Arc<Service>);

impl Consumer for NoteCompletedTask {
    const NAME: &'static str = "som.note_completed_task";
    type Payload = TaskCompleted;

    async fn handle(&self, tx: &Tx, cx: &Context, event: TaskCompleted) -> Result<(), Failure> {
        Ok(self.0.task_completed(tx, cx, event).await?)
    }
}

/// `provisioning.task.failed`.
struct NoteFailedTask(Arc<Service>);

impl Consumer for NoteFailedTask {
    const NAME: &'static str = "som.note_failed_task";
    type Payload = TaskFailed;

    async fn handle(&self, tx: &Tx, cx: &Context, event: TaskFailed) -> Result<(), Failure> {
        Ok(self.0.task_failed(tx, cx, event).await?)
    }
}

/// `provisioning.task.stuck`.
struct NoteStuckTask(Arc<Service>);

impl Consumer for NoteStuckTask {
    const NAME: &'static str = "som.note_stuck_task";
    type Payload = TaskStuck;

    async fn handle(&self, tx: &Tx, cx: &Context, event: TaskStuck) -> Result<(), Failure> {
        Ok(self.0.task_stuck(tx, cx, event).await?)
    }
}

/// `subscription.activated`: the services say whose they are.
struct LinkLine(Arc<Service>);

impl Consumer for LinkLine {
    const NAME: &'static str = "som.link_line";
    type Payload = SubscriptionActivated;

    async fn handle(&self, tx: &Tx, cx: &Context, event: SubscriptionActivated) -> Result<(), Failure> {
        Ok(self.0.link(tx, cx, &event).await?)
    }
}

/// `provisioning.task.abandoned`.
struct NoteAbandonedTask(Arc<Service>);

impl Consumer for NoteAbandonedTask {
    const NAME: &'static str = "som.note_abandoned_task";
    type Payload = TaskAbandoned;

    async fn handle(&self, tx: &Tx, cx: &Context, event: TaskAbandoned) -> Result<(), Failure> {
        Ok(self.0.task_abandoned(tx, cx, event).await?)
    }
}

/// `subscription.blocked`: the network is told to suspend the line.
struct SuspendLine(Arc<Service>);

impl Consumer for SuspendLine {
    const NAME: &'static str = "som.suspend_line";
    type Payload = SubscriptionBlocked;

    async fn handle(&self, tx: &Tx, cx: &Context, event: SubscriptionBlocked) -> Result<(), Failure> {
        Ok(self.0.follow_line(tx, cx, &event.subscription_id, &event.cfs_service_id).await?)
    }
}

/// `subscription.unblocked`: the network is told to resume the line.
struct ResumeLine(Arc<Service>);

impl Consumer for ResumeLine {
    const NAME: &'static str = "som.resume_line";
    type Payload = SubscriptionUnblocked;

    async fn handle(&self, tx: &Tx, cx: &Context, event: SubscriptionUnblocked) -> Result<(), Failure> {
        Ok(self.0.follow_line(tx, cx, &event.subscription_id, &event.cfs_service_id).await?)
    }
}

/// `subscription.plan_changed`: the network is told the new policy.
struct ChangePolicy(Arc<Service>);

impl Consumer for ChangePolicy {
    const NAME: &'static str = "som.change_policy";
    type Payload = PlanChanged;

    async fn handle(&self, tx: &Tx, cx: &Context, event: PlanChanged) -> Result<(), Failure> {
        Ok(self.0.follow_line(tx, cx, &event.subscription_id, &event.cfs_service_id).await?)
    }
}

/// `subscription.terminated`: the network is told to forget the line.
struct CeaseLine(Arc<Service>);

impl Consumer for CeaseLine {
    const NAME: &'static str = "som.cease_line";
    type Payload = SubscriptionTerminated;

    async fn handle(&self, tx: &Tx, cx: &Context, event: SubscriptionTerminated) -> Result<(), Failure> {
        Ok(self.0.follow_line(tx, cx, &event.subscription_id, &event.cfs_service_id).await?)
    }
}

pub(super) fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers
        .consumer::<Decompose>()
        .consumer::<WithdrawCancelled>()
        .consumer::<WithdrawFailed>()
        .consumer::<NoteCompletedTask>()
        .consumer::<NoteFailedTask>()
        .consumer::<NoteStuckTask>()
        .consumer::<NoteAbandonedTask>()
        .consumer::<LinkLine>()
        .consumer::<SuspendLine>()
        .consumer::<ResumeLine>()
        .consumer::<ChangePolicy>()
        .consumer::<CeaseLine>()
}

pub(super) fn handlers(service: &Arc<Service>) -> Handlers {
    Handlers::default()
        .consumer(Decompose(Arc::clone(service)))
        .consumer(WithdrawCancelled(Arc::clone(service)))
        .consumer(WithdrawFailed(Arc::clone(service)))
        .consumer(NoteCompletedTask(Arc::clone(service)))
        .consumer(NoteFailedTask(Arc::clone(service)))
        .consumer(NoteStuckTask(Arc::clone(service)))
        .consumer(NoteAbandonedTask(Arc::clone(service)))
        .consumer(LinkLine(Arc::clone(service)))
        .consumer(SuspendLine(Arc::clone(service)))
        .consumer(ResumeLine(Arc::clone(service)))
        .consumer(ChangePolicy(Arc::clone(service)))
        .consumer(CeaseLine(Arc::clone(service)))
}
