//! What starts a task: its booking, and an operator.

use std::sync::Arc;

use crate::domains::provisioning::Service;
use crate::domains::provisioning::events::{TaskCreated, TaskRestarted};
use crate::domains::provisioning::port::TaskAbandoned;
use crate::domains::provisioning::run::Ended;
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

/// `provisioning.task.abandoned`: what waited for it is run.
struct RunNextTask(Arc<Service>);

impl Effect for RunNextTask {
    const NAME: &'static str = "provisioning.run_next_task";
    type Payload = TaskAbandoned;

    async fn perform(&self, cx: &Context, event: TaskAbandoned) -> Result<(), Failure> {
        let ended = Ended { service_id: event.service_id, service_order_id: event.service_order_id };
        match self.0.released_by(cx, &ended).await? {
            Some(next) => Ok(self.0.run(cx, &next).await?),
            None => Ok(()),
        }
    }
}

pub(super) fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers.effect::<RunTask>().effect::<RerunTask>().effect::<RunNextTask>()
}

pub(super) fn handlers(service: &Arc<Service>) -> Handlers {
    Handlers::default()
        .effect(RunTask(Arc::clone(service)))
        .effect(RerunTask(Arc::clone(service)))
        .effect(RunNextTask(Arc::clone(service)))
}
