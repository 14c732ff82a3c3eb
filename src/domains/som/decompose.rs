//! From a commercial order to services and network tasks: one unit of work that holds the commercial order.

use serde_json::json;

use crate::domains::catalog::port::ServiceMapping;
use crate::domains::com::port::OrderInProgress;
use crate::domains::crm::port::Reservation;
use crate::domains::provisioning::port::{NewTask, TaskType};
use crate::domains::som::events::ServiceOrderInProgress;
use crate::domains::som::model::{Characteristics, Graph, Node, OrderTrigger, ServiceOrder, ServiceTrigger};
use crate::domains::som::port::{ServiceOrderFailed, ServiceOrderKind, ServiceOrderState};
use crate::domains::som::store::tasks::TaskRow;
use crate::domains::som::{Service, store};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

impl Service {
    /// Reserves a number and an eSIM, makes the services and books their tasks. An order that was called off gets nothing; a
    /// second decomposition finds the first; an empty pool is an outcome of the order, not a fault.
    pub(super) async fn decompose(&self, tx: &Tx, cx: &Context, order: OrderInProgress) -> Result<()> {
        let mapping = match self.catalog.service_mapping(cx, &order.offering_id).await {
            Ok(mapping) => mapping,
            Err(Error::NotFound { .. }) => {
                let reason = format!("no services are defined for the plan {}", order.offering_id);
                return refuse(tx, cx, &order, reason).await;
            }
            Err(error) => return Err(error),
        };
        let tasks = match activation_tasks(&mapping) {
            Ok(tasks) => tasks,
            Err(reason) => return refuse(tx, cx, &order, reason).await,
        };
        if !self.orders.is_in_progress(tx, cx, &order.order_id).await? {
            tracing::info!(order.id = %order.order_id, "order is not in progress any more, nothing is reserved");
            return Ok(());
        }
        if store::lock_activation(tx, cx, &order.order_id).await?.is_some() {
            return Ok(());
        }
        let until = cx.now + self.platform.config.reservation_ttl;
        let preference = order.msisdn_preference.as_ref();
        let held = match self.inventory.reserve(tx, cx, order.order_id.as_str(), preference, until).await {
            Ok(held) => held,
            Err(Error::Policy(refusal)) => return refuse(tx, cx, &order, refusal.message.to_string()).await,
            Err(error) => return Err(error),
        };
        self.build(tx, cx, &order, Plan { mapping, tasks }, &held).await?;
        match preference {
            Some(wanted) if held.substituted => {
                let remark = format!("the number {wanted} was not available, {} was taken instead", held.msisdn);
                self.orders.remark(tx, cx, &order.order_id, &remark).await
            }
            _ => Ok(()),
        }
    }

    async fn build(
        &self,
        tx: &Tx,
        cx: &Context,
        order: &OrderInProgress,
        plan: Plan,
        held: &Reservation,
    ) -> Result<()> {
        let mut service_order = ServiceOrder {
            id: store::mint_order(tx).await?,
            commercial_order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            subscription_id: None,
            kind: ServiceOrderKind::Activation,
            state: ServiceOrderState::Acknowledged,
            state_reason: None,
            created_at: cx.now,
            started_at: None,
            completed_at: None,
            version: 1,
        };
        service_order.step(cx, OrderTrigger::Start, None)?;
        let mut graph = designed(tx, cx, plan.mapping).await?;
        graph.cfs.characteristics = Characteristics::of(held, &order.offering_id);
        graph.step(cx, ServiceTrigger::Reserve, "number and eSIM reserved")?;
        store::insert_order(tx, cx, &service_order).await?;
        store::insert_graph(tx, cx, &service_order, &graph).await?;
        store::insert_item(tx, cx, &service_order, "add", &graph.cfs).await?;
        let payload = json!({
            "msisdn": held.msisdn,
            "iccid": held.iccid,
            "imsi": held.imsi,
            "customerId": order.customer_id,
            "offeringId": order.offering_id,
        });
        self.book_tasks(tx, cx, &service_order, &graph, &plan.tasks, &payload).await?;
        outbox::stage(tx, cx, &ServiceOrderInProgress::from(&service_order)).await?;
        Ok(())
    }

    /// Books one network task of each type, and the rows that wait for them.
    pub(super) async fn book_tasks(
        &self,
        tx: &Tx,
        cx: &Context,
        order: &ServiceOrder,
        graph: &Graph,
        types: &[TaskType],
        payload: &serde_json::Value,
    ) -> Result<()> {
        let mut rows = Vec::with_capacity(types.len());
        for &task_type in types {
            let task = NewTask {
                task_type,
                service_id: graph.cfs.id.to_string(),
                service_order_id: order.id.to_string(),
                commercial_order_id: Some(order.commercial_order_id.to_string()),
                subscription_id: order.subscription_id.as_ref().map(ToString::to_string),
                payload: payload.clone(),
            };
            let task_id = self.provisioning.create_task(tx, cx, task).await?;
            let policy =
                graph.cfs.characteristics.offering_id.clone().filter(|_| task_type == TaskType::PcrfPolicyPush);
            rows.push(TaskRow { task_type, task_id, policy });
        }
        store::tasks::insert_tasks(tx, cx, order, &graph.cfs.id, &rows).await
    }
}

/// What the catalog says a plan is made of.
struct Plan {
    mapping: ServiceMapping,
    tasks: Vec<TaskType>,
}

/// The network tasks of all services of a plan, each once; they run at the same time, in no order. Or why there are none.
fn activation_tasks(mapping: &ServiceMapping) -> std::result::Result<Vec<TaskType>, String> {
    let mut tasks = Vec::new();
    for specification in std::iter::once(&mapping.cfs).chain(&mapping.rfs) {
        for name in &specification.activation_tasks {
            let task = TaskType::parse(name);
            let task = task.ok_or_else(|| format!("{} has the unknown network task {name}", specification.id))?;
            if !tasks.contains(&task) {
                tasks.push(task);
            }
        }
    }
    if tasks.is_empty() { Err(format!("no network tasks are defined for {}", mapping.cfs.id)) } else { Ok(tasks) }
}

async fn designed(tx: &Tx, cx: &Context, mapping: ServiceMapping) -> Result<Graph> {
    let mut ids = store::mint_services(tx, 1 + mapping.rfs.len()).await?.into_iter();
    let mut node = |specification: crate::domains::catalog::port::ServiceSpecification| {
        let id = ids.next().ok_or_else(|| Error::Internal("too few service ids were minted".into()))?;
        Ok::<_, Error>(Node::designed(cx, id, specification.id, specification.name))
    };
    let cfs = node(mapping.cfs)?;
    Ok(Graph { cfs, rfs: mapping.rfs.into_iter().map(node).collect::<Result<_>>()? })
}

/// The order cannot be fulfilled and nothing was made for it. Said only while it waits for an answer.
async fn refuse(tx: &Tx, cx: &Context, order: &OrderInProgress, reason: String) -> Result<()> {
    let commercial_order_id = order.order_id.clone();
    let kind = ServiceOrderKind::Activation;
    let failed = ServiceOrderFailed { service_order_id: None, kind, commercial_order_id, reason, version: 0 };
    outbox::stage(tx, cx, &failed).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::port::ServiceSpecification;

    fn mapping(cfs: &[&str], rfs: &[&[&str]]) -> ServiceMapping {
        let specification = |tasks: &[&str]| ServiceSpecification {
            id: "SSPEC".into(),
            name: "A service".into(),
            activation_tasks: tasks.iter().map(ToString::to_string).collect(),
        };
        ServiceMapping { cfs: specification(cfs), rfs: rfs.iter().map(|tasks| specification(tasks)).collect() }
    }

    #[test]
    fn an_activation_has_the_tasks_of_all_services_each_once() {
        let tasks = activation_tasks(&mapping(&["HLR_PROVISION"], &[&["PCRF_POLICY_PUSH", "HLR_PROVISION"], &[]]));
        assert_eq!(tasks, Ok(vec![TaskType::HlrProvision, TaskType::PcrfPolicyPush]));
        assert!(activation_tasks(&mapping(&[], &[&[]])).unwrap_err().contains("no network tasks"));
        assert!(activation_tasks(&mapping(&["TELEPORT"], &[])).unwrap_err().contains("TELEPORT"));
    }
}
