//! Provisioning: tells the network what to do, one task row for each thing, and keeps at it.
//!
//! Invariants:
//! - A service order has at most one task of a type; an operator's restart runs the same row.
//! - A task is run by whoever holds its lease, outside any transaction, and ends once: one event says how.
//! - A task that a process left behind is taken over; one that failed or is stuck waits for an operator.
//! - The tasks of a service run in the order in which they were booked, service order by service order, on whichever replica.
//! - A task whose service order has ended is withdrawn: an attempt under way is the last one. What the network has taken and
//!   not ended is asked about, never told again, until its end is known.
//!
//! Not here: what a task means for services and orders (`som`), and how an element is spoken to (adapters of
//! [`port::Network`]).

mod audit;
mod consumers;
mod events;
mod faults;
mod http;
mod model;
mod policy;
pub mod port;
mod restart;
mod run;
mod store;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domains::provisioning::events::TaskCreated;
use crate::domains::provisioning::port::{
    AbandonTask, FaultView, GetTask, ListTasks, Network, NewTask, Provisioning, ResolveStuck, RetryFailed,
    SetFaultInjection, TaskId, TaskView,
};
use crate::platform::Platform;
use crate::platform::config::Profile;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::Result;
use crate::platform::outbox;
use crate::platform::page;
use crate::platform::scheduler::Ticks;

pub use audit::CHECKS;
pub use http::router;
pub use store::StoredFaultRules;

/// How often tasks that nobody runs are looked for.
const RECOVERY_TICK: Duration = Duration::from_secs(5);

/// The domain's subscriptions to events: its own.
pub fn subscribe(subscribers: Subscribers) -> Subscribers {
    consumers::subscribe(subscribers)
}

/// The fault rules of the reference data, all off. Rules that are there stay as they are.
pub async fn seed(tx: &Tx, cx: &Context, _: &Profile) -> Result<()> {
    faults::seed(tx, cx).await
}

/// The network tasks of this installation.
pub struct Service {
    platform: Platform,
    network: Arc<dyn Network>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("provisioning::Service")
    }
}

impl Service {
    pub fn new(platform: Platform, network: Arc<dyn Network>) -> Self {
        Self { platform, network }
    }

    /// The reactions to what [`subscribe`] subscribed to.
    pub fn handlers(self: &Arc<Self>) -> Handlers {
        consumers::handlers(self)
    }

    /// `provisioning_recovery`.
    pub fn ticks(self: &Arc<Self>) -> Ticks {
        let service = Arc::clone(self);
        Ticks::default().add("provisioning_recovery", Some(RECOVERY_TICK), "system:provisioning_recovery", move |cx| {
            let service = Arc::clone(&service);
            async move { service.recover(&cx).await }
        })
    }
}

#[async_trait]
impl Provisioning for Service {
    async fn create_task(&self, tx: &Tx, cx: &Context, task: NewTask) -> Result<TaskId> {
        let (task_id, is_new) = store::insert(tx, cx, &task).await?;
        if is_new {
            let created = TaskCreated {
                task_id: task_id.clone(),
                task_type: task.task_type,
                service_id: task.service_id,
                service_order_id: task.service_order_id,
                commercial_order_id: task.commercial_order_id,
            };
            outbox::stage(tx, cx, &created).await?;
        }
        Ok(task_id)
    }

    async fn tasks(&self, cx: &Context, query: ListTasks) -> Result<Vec<TaskView>> {
        page::within(query.limit, 200, query.offset)?;
        let tasks = store::list(self.platform.db.connection(), cx, &query).await?;
        Ok(tasks.into_iter().map(TaskView::from).collect())
    }

    async fn task(&self, cx: &Context, query: GetTask) -> Result<TaskView> {
        Ok(store::find(self.platform.db.connection(), cx, &query.task_id).await?.into())
    }

    async fn resolve_stuck(&self, cx: &Context, command: ResolveStuck) -> Result<TaskView> {
        self.resolve(cx, command).await
    }

    async fn retry_failed(&self, cx: &Context, command: RetryFailed) -> Result<TaskView> {
        self.retry(cx, command).await
    }

    async fn abandon_task(&self, cx: &Context, command: AbandonTask) -> Result<TaskView> {
        self.abandon(cx, command).await
    }

    async fn withdraw_tasks(&self, tx: &Tx, cx: &Context, service_order_id: &str, reason: &str) -> Result<bool> {
        self.withdraw(tx, cx, service_order_id, reason).await
    }

    async fn is_given_up(&self, tx: &Tx, cx: &Context, task_id: &TaskId) -> Result<bool> {
        store::is_given_up(tx, cx, task_id).await
    }

    async fn set_fault(&self, cx: &Context, command: SetFaultInjection) -> Result<FaultView> {
        self.set_fault_rule(cx, command).await
    }

    async fn faults(&self, cx: &Context) -> Result<Vec<FaultView>> {
        store::faults(self.platform.db.connection(), cx).await
    }
}
