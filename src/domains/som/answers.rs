//! What the network answered to a service order's tasks.
//!
//! The service order's row is locked first, so answers that come at the same instant are counted one after the other, and
//! exactly one of them is the last. An order that has ended is not changed by a late answer.

use crate::domains::provisioning::port::{TaskAbandoned, TaskCompleted, TaskFailed, TaskId, TaskStuck, TaskType};
use crate::domains::som::events::{ServiceActivated, ServiceTerminated};
use crate::domains::som::model::{Graph, OrderTrigger, ServiceOrder, ServiceTrigger, confirmed_by};
use crate::domains::som::port::{
    NetworkState, ServiceOrderCompleted, ServiceOrderFailed, ServiceOrderId, ServiceOrderKind, ServiceOrderState,
    ServiceState,
};
use crate::domains::som::store::tasks::TaskState;
use crate::domains::som::{Service, store};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

/// One answer, of whichever kind.
struct Answer {
    service_order_id: ServiceOrderId,
    task_type: TaskType,
    task_id: TaskId,
    state: TaskState,
}

impl Service {
    pub(super) async fn task_completed(&self, tx: &Tx, cx: &Context, done: TaskCompleted) -> Result<()> {
        let answer = Answer {
            service_order_id: done.service_order_id.into(),
            task_type: done.task_type,
            task_id: done.task_id,
            state: TaskState::Completed,
        };
        let Some(order) = note(tx, cx, &answer).await? else { return Ok(()) };
        confirm(tx, cx, &order, done.task_type).await?;
        if store::tasks::open_tasks(tx, cx, &order.id).await? == 0 {
            self.complete(tx, cx, order).await
        } else {
            Ok(())
        }
    }

    /// An activation fails with its first failed task and gives back what it holds. A cessation waits for an operator: the
    /// line has ended whatever the network says.
    pub(super) async fn task_failed(&self, tx: &Tx, cx: &Context, failed: TaskFailed) -> Result<()> {
        let answer = Answer {
            service_order_id: failed.service_order_id.into(),
            task_type: failed.task_type,
            task_id: failed.task_id,
            state: TaskState::Failed,
        };
        match note(tx, cx, &answer).await? {
            Some(order) if order.kind == ServiceOrderKind::Activation => {
                let reason = format!("provisioning task {} failed permanently", failed.task_type.as_str());
                self.fail(tx, cx, order, reason).await
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn task_stuck(&self, tx: &Tx, cx: &Context, stuck: TaskStuck) -> Result<()> {
        let answer = Answer {
            service_order_id: stuck.service_order_id.into(),
            task_type: stuck.task_type,
            task_id: stuck.task_id,
            state: TaskState::Stuck,
        };
        note(tx, cx, &answer).await?;
        Ok(())
    }

    /// An operator gave a task up: the service order ends with it. Of a cessation, the services end too, since the operator has
    /// seen to the network; of a change, the services show what the network has not confirmed.
    pub(super) async fn task_abandoned(&self, tx: &Tx, cx: &Context, abandoned: TaskAbandoned) -> Result<()> {
        let answer = Answer {
            service_order_id: abandoned.service_order_id.into(),
            task_type: abandoned.task_type,
            task_id: abandoned.task_id,
            state: TaskState::Abandoned,
        };
        let Some(mut order) = note(tx, cx, &answer).await? else { return Ok(()) };
        let said = abandoned.last_error.unwrap_or_default();
        let reason = format!("provisioning task {} was given up ({said})", abandoned.task_type.as_str());
        if order.kind == ServiceOrderKind::Activation {
            return self.fail(tx, cx, order, reason).await;
        }
        order.step(cx, OrderTrigger::Fail, Some(&reason))?;
        store::save_order(tx, cx, &order).await?;
        store::tasks::withdraw_tasks(tx, cx, &order.id).await?;
        self.provisioning.withdraw_tasks(tx, cx, order.id.as_str(), &reason).await?;
        if order.kind == ServiceOrderKind::Cessation {
            confirm(tx, cx, &order, abandoned.task_type).await?;
            self.end_services(tx, cx, &order, &reason).await?;
        }
        let failed = ServiceOrderFailed {
            service_order_id: Some(order.id),
            kind: order.kind,
            commercial_order_id: order.commercial_order_id,
            reason,
            version: order.version,
        };
        outbox::stage(tx, cx, &failed).await.map(drop)
    }

    async fn fail(&self, tx: &Tx, cx: &Context, mut order: ServiceOrder, reason: String) -> Result<()> {
        let mut graph = store::lock_graph_of_order(tx, cx, &order.id).await?;
        order.step(cx, OrderTrigger::Fail, Some(&reason))?;
        graph.step(cx, ServiceTrigger::Fail, &reason)?;
        store::save_order(tx, cx, &order).await?;
        store::save_graph(tx, cx, &graph).await?;
        self.take_back(tx, cx, &order, &mut graph, &reason).await?;
        let failed = ServiceOrderFailed {
            service_order_id: Some(order.id),
            kind: order.kind,
            commercial_order_id: order.commercial_order_id,
            reason,
            version: order.version,
        };
        outbox::stage(tx, cx, &failed).await?;
        Ok(())
    }

    async fn complete(&self, tx: &Tx, cx: &Context, mut order: ServiceOrder) -> Result<()> {
        order.step(cx, OrderTrigger::Complete, None)?;
        store::save_order(tx, cx, &order).await?;
        match order.kind {
            ServiceOrderKind::Activation => {
                let mut graph = store::lock_graph_of_order(tx, cx, &order.id).await?;
                graph.step(cx, ServiceTrigger::Activate, "all network tasks are done")?;
                let plan = graph.cfs.characteristics.offering_id.clone();
                let network = &mut graph.cfs.network;
                (network.wanted, network.confirmed) = (Some(NetworkState::InService), Some(NetworkState::InService));
                (network.policy_wanted, network.policy_confirmed) = (plan.clone(), plan);
                store::save_graph(tx, cx, &graph).await?;
                outbox::stage(tx, cx, &ServiceActivated::of(&order, &graph)).await?;
            }
            ServiceOrderKind::Cessation => self.end_services(tx, cx, &order, "taken out of the network").await?,
            ServiceOrderKind::Change => {}
        }
        let graph = store::lock_graph_of_order(tx, cx, &order.id).await?;
        outbox::stage(tx, cx, &completed(order, graph)?).await?;
        Ok(())
    }

    /// The network has forgotten the services, or an operator has seen to it: they end, and what their order still holds is
    /// free for others.
    async fn end_services(&self, tx: &Tx, cx: &Context, order: &ServiceOrder, reason: &str) -> Result<()> {
        let mut graph = store::lock_graph_of_order(tx, cx, &order.id).await?;
        // Services that were withdrawn ended before the network knew of it.
        if graph.cfs.state == ServiceState::Activated {
            graph.step(cx, ServiceTrigger::Terminate, reason)?;
            store::save_graph(tx, cx, &graph).await?;
            outbox::stage(tx, cx, &ServiceTerminated::of(order, &graph)).await?;
        }
        self.inventory.release(tx, cx, order.commercial_order_id.as_str()).await
    }
}

/// What the network has done to the service by this task is what it has confirmed. Answers are delivered in any order: one
/// that is heard after the answer to a later service order says nothing any more.
async fn confirm(tx: &Tx, cx: &Context, order: &ServiceOrder, task: TaskType) -> Result<()> {
    // Of an activation, its end says what holds.
    let is_policy = task == TaskType::PcrfPolicyPush && order.kind == ServiceOrderKind::Change;
    let state = confirmed_by(task);
    if state.is_none() && !is_policy {
        return Ok(());
    }
    let mut graph = store::lock_graph_of_order(tx, cx, &order.id).await?;
    if store::tasks::is_answered_later(tx, cx, &graph.cfs.id, &order.id, task).await? {
        return Ok(());
    }
    let node = &mut graph.cfs;
    if is_policy {
        let pushed = store::tasks::pushed_policy(tx, cx, &order.id).await?;
        node.network.policy_confirmed = pushed.or_else(|| node.characteristics.offering_id.clone());
    } else {
        node.network.confirmed = state;
    }
    store::save_network(tx, cx, node).await
}

/// Locks the service order and marks the task. None: the order has ended (or the task was done before), nothing changes.
async fn note(tx: &Tx, cx: &Context, answer: &Answer) -> Result<Option<ServiceOrder>> {
    let order = store::lock_order(tx, cx, &answer.service_order_id).await?;
    if order.state != ServiceOrderState::InProgress {
        tracing::info!(
            service_order.id = %order.id, task.id = %answer.task_id, state = order.state.as_str(),
            "answer of the network came after the service order had ended"
        );
        return Ok(None);
    }
    let marked = store::tasks::mark_task(tx, cx, &order.id, answer.task_type, &answer.task_id, answer.state).await?;
    Ok(marked.then_some(order))
}

fn completed(order: ServiceOrder, graph: Graph) -> Result<ServiceOrderCompleted> {
    let known = graph.cfs.characteristics;
    let (Some(msisdn), Some(offering_id)) = (known.msisdn, known.offering_id) else {
        return Err(Error::Internal(format!("service {} has no number or plan", graph.cfs.id)));
    };
    Ok(ServiceOrderCompleted {
        service_order_id: order.id,
        kind: order.kind,
        commercial_order_id: order.commercial_order_id,
        customer_id: order.customer_id,
        offering_id,
        msisdn,
        cfs_service_id: graph.cfs.id,
        version: order.version,
    })
}
