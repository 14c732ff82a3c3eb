//! What starts a task: its booking, and an operator.

use std::sync::Arc;

use crate::domains::provisioning::Service;
use crate::domains::provisioning::events::{TaskCreated, TaskRestarted};
use crate::platform::context::Context;
use crate::platform::delivery::{Effect, Failure, Handlers, Subscribers};

/// `provisioning.task.created`: the network is told.
struct RunTask(Arc<Service>);

impl Effect for RunTask {
    const NAME: &'static str = "provisioning.run_task";
    type Payload = TaskCreated;

    async fn perform(&self, cx: &Context, event: TaskCreated) -> Result<(), Failure> {
        Ok(self.0.run(cx, &event.task_id).await?)
    }
}

/// `provisioning.task.restarted`: the network is told again.
struct RerunTask(Arc<Service>);

impl Effect for RerunTask {
    const NAME: &'static str = "provisioning.rerun_task";
    type Payload = TaskRestarted;

    async fn perform(&self, cx: &Context, event: TaskRestarted) -> Result<(), Failure> {
        Ok(self.0.run(cx, &event.task_id).await?)
    }
}

pub(super) fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers.effect::<RunTask>().effect::<RerunTask>()
}

pub(super) fn handlers(service: &Arc<Service>) -> Handlers {
    Handlers::default().effect(RunTask(Arc::clone(service))).effect(RerunTask(Arc::clone(service)))
}
