//! The network tasks of service orders, as far as their orders know of them: provisioning runs them.

use sea_orm::FromQueryResult;

use crate::domains::catalog::port::OfferingId;
use crate::domains::provisioning::port::{TaskId, TaskType};
use crate::domains::som::model::{ServiceOrder, confirmed_by};
use crate::domains::som::port::{ServiceId, ServiceOrderId};
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};

/// A network task that a service order waits for, as it is booked.
pub(in crate::domains::som) struct TaskRow {
    pub(in crate::domains::som) task_type: TaskType,
    pub(in crate::domains::som) task_id: TaskId,
    /// The plan whose policy it carries.
    pub(in crate::domains::som) policy: Option<OfferingId>,
}

/// What is known of a network task. Done is final: a late or repeated word of trouble does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domains::som) enum TaskState {
    Completed,
    Failed,
    Stuck,
    /// An operator gave it up.
    Abandoned,
}

impl TaskState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Abandoned => "abandoned",
        }
    }
}

pub(in crate::domains::som) async fn insert_tasks(
    tx: &Tx,
    cx: &Context,
    order: &ServiceOrder,
    cfs: &ServiceId,
    tasks: &[TaskRow],
) -> Result<()> {
    let types: Vec<String> = tasks.iter().map(|task| task.task_type.as_str().to_owned()).collect();
    let ids: Vec<String> = tasks.iter().map(|task| task.task_id.to_string()).collect();
    // Arrays hold no nulls: what is not there is an empty text.
    let policies: Vec<String> =
        tasks.iter().map(|task| task.policy.as_ref().map(ToString::to_string).unwrap_or_default()).collect();
    let statement = sql!(
        "insert into service_inventory.service_order_task
             (service_order_id, task_type, tenant_id, service_id, task_id, policy, updated_at)
         select $1, t.task_type, $2, $3, t.task_id, nullif(t.policy, ''), $4
         from unnest($5::text[], $6::text[], $7::text[]) as t (task_type, task_id, policy)",
        &order.id,
        cx.tenant.as_ref(),
        cfs,
        cx.now,
        types,
        ids,
        policies
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// Marks a task that is not done yet; says whether it did.
pub(in crate::domains::som) async fn mark_task(
    tx: &Tx,
    cx: &Context,
    order: &ServiceOrderId,
    task_type: TaskType,
    task_id: &TaskId,
    state: TaskState,
) -> Result<bool> {
    let statement = sql!(
        "update service_inventory.service_order_task set state = $1, task_id = $2, updated_at = $3
         where service_order_id = $4 and task_type = $5 and tenant_id = $6 and state <> 'completed'",
        state.as_str(),
        task_id,
        cx.now,
        order,
        task_type.as_str(),
        cx.tenant.as_ref()
    );
    Ok(execute(&**tx, statement).await? == 1)
}

/// The order has ended: what is not done of its tasks is not waited for any more.
pub(in crate::domains::som) async fn withdraw_tasks(tx: &Tx, cx: &Context, order: &ServiceOrderId) -> Result<()> {
    let statement = sql!(
        "update service_inventory.service_order_task set state = 'withdrawn', updated_at = $1
         where service_order_id = $2 and tenant_id = $3 and state in ('pending', 'stuck')",
        cx.now,
        order,
        cx.tenant.as_ref()
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// How many tasks of the order are not done.
pub(in crate::domains::som) async fn open_tasks(tx: &Tx, cx: &Context, order: &ServiceOrderId) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Open {
        open: i64,
    }
    let statement = sql!(
        "select count(*) as open from service_inventory.service_order_task
         where service_order_id = $1 and tenant_id = $2 and state <> 'completed'",
        order,
        cx.tenant.as_ref()
    );
    let open = Open::find_by_statement(statement).one(&**tx).await?;
    open.map(|row| row.open).ok_or_else(|| Error::Internal("a count gave no row".into()))
}

/// Whether the network has answered a later service order about the service with what confirms the same as `task` does. The
/// caller holds the service, so nobody else is about to.
pub(in crate::domains::som) async fn is_answered_later(
    tx: &Tx,
    cx: &Context,
    service: &ServiceId,
    order: &ServiceOrderId,
    task: TaskType,
) -> Result<bool> {
    #[derive(FromQueryResult)]
    struct Later {
        later: bool,
    }
    let same: Vec<String> = TaskType::ALL
        .into_iter()
        .filter(|other| if confirmed_by(task).is_some() { confirmed_by(*other).is_some() } else { *other == task })
        .map(|other| other.as_str().to_owned())
        .collect();
    // Numbers of service orders grow in the order in which a service's are made: under its lock.
    let statement = sql!(
        "select exists (
             select 1 from service_inventory.service_order_item i
             join service_inventory.service_order o on o.id = i.service_order_id
             join service_inventory.service_order_task t on t.service_order_id = o.id
             where o.tenant_id = $1 and i.target_service_id = $2 and t.state = 'completed'
               and t.task_type = any($4)
               and substring(o.id from '[0-9]+$')::bigint > substring($3 from '[0-9]+$')::bigint) as later",
        cx.tenant.as_ref(),
        service,
        order,
        same
    );
    let later = Later::find_by_statement(statement).one(&**tx).await?;
    later.map(|row| row.later).ok_or_else(|| Error::Internal("a question gave no row".into()))
}

/// The plan whose policy the order's push carries; None of a push from before that was kept.
pub(in crate::domains::som) async fn pushed_policy(
    tx: &Tx,
    cx: &Context,
    order: &ServiceOrderId,
) -> Result<Option<OfferingId>> {
    #[derive(FromQueryResult)]
    struct Pushed {
        policy: Option<String>,
    }
    let statement = sql!(
        "select policy from service_inventory.service_order_task
         where service_order_id = $1 and tenant_id = $2 and task_type = 'PCRF_POLICY_PUSH'",
        order,
        cx.tenant.as_ref()
    );
    Ok(Pushed::find_by_statement(statement).one(&**tx).await?.and_then(|row| row.policy).map(OfferingId::from))
}

/// The task by which the network was last asked to suspend the service and has not done it, as far as its order knows.
pub(in crate::domains::som) async fn open_suspension(
    tx: &Tx,
    cx: &Context,
    service: &ServiceId,
) -> Result<Option<TaskId>> {
    #[derive(FromQueryResult)]
    struct Open {
        task_id: String,
    }
    let statement = sql!(
        "select t.task_id
         from service_inventory.service_order_item i
         join service_inventory.service_order o on o.id = i.service_order_id
         join service_inventory.service_order_task t on t.service_order_id = o.id
         where o.tenant_id = $1 and i.target_service_id = $2 and o.state = 'in_progress' and t.task_id is not null
           and t.task_type = 'SERVICE_SUSPEND' and t.state in ('pending', 'failed', 'stuck')
         order by substring(o.id from '[0-9]+$')::bigint desc limit 1",
        cx.tenant.as_ref(),
        service
    );
    Ok(Open::find_by_statement(statement).one(&**tx).await?.map(|open| open.task_id.into()))
}
