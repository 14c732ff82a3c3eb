//! What happens to a line happens to its services: block, unblock, change of plan and end become tasks for the network.
//!
//! Deliveries of one line may overtake each other, and what the network ends with must not depend on that. So whichever
//! delivery comes first reads the log of the line on from where the service stands, in order, under the lock of the service
//! order that made it; the others find nothing left to do. The network then runs the tasks in the order of their booking.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::domains::provisioning::port::TaskType;
use crate::domains::som::events::ServiceOrderInProgress;
use crate::domains::som::model::{Graph, Network, OrderTrigger, ServiceOrder};
use crate::domains::som::port::{NetworkState, ServiceId, ServiceOrderKind, ServiceOrderState, ServiceState};
use crate::domains::som::{Service, store};
use crate::domains::subscription::port::{
    PlanChanged, SubscriptionBlocked, SubscriptionId, SubscriptionTerminated, SubscriptionUnblocked,
};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::events::{self, Logged};
use crate::platform::outbox::{self, Event};

/// The events of a line that the network hears of.
const FOLLOWED: [&str; 4] =
    [SubscriptionBlocked::TYPE, SubscriptionUnblocked::TYPE, PlanChanged::TYPE, SubscriptionTerminated::TYPE];

/// Events that one delivery follows; each event has a delivery of its own, so the rest is not lost.
const EVENTS_MAX: u32 = 100;

/// A change that the network is to make to a service.
pub(super) struct Change<'a> {
    pub(super) subscription_id: Option<&'a SubscriptionId>,
    /// What the item of the service order says: `modify` or `noChange`.
    pub(super) action: &'a str,
    pub(super) tasks: &'a [TaskType],
    /// Beside what the service is known by.
    pub(super) details: Value,
    /// Official attributes of whoever asked for it.
    pub(super) attributes: Map<String, Value>,
}

impl Service {
    /// Books what the network has to do after everything that has happened to the line until now.
    pub(super) async fn follow_line(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &SubscriptionId,
        cfs: &ServiceId,
    ) -> Result<()> {
        let Some(origin) = store::lock_order_of_service(tx, cx, cfs).await? else {
            return Err(Error::not_found("service", cfs));
        };
        let mut graph = store::lock_graph_of_order(tx, cx, &origin.id).await?;
        let seen = graph.cfs.network.line_event_seq;
        for logged in events::follow(tx, cx, line.as_str(), &FOLLOWED, seen, EVENTS_MAX).await? {
            graph.cfs.network.line_event_seq = logged.seq;
            self.follow(tx, cx, &origin, &mut graph, line, &logged).await?;
        }
        if graph.cfs.network.line_event_seq > seen { store::save_network(tx, cx, &graph.cfs).await } else { Ok(()) }
    }

    async fn follow(
        &self,
        tx: &Tx,
        cx: &Context,
        origin: &ServiceOrder,
        graph: &mut Graph,
        line: &SubscriptionId,
        logged: &Logged,
    ) -> Result<()> {
        // What is not in the network any more, or is about to leave it, does not change any more.
        if graph.cfs.state != ServiceState::Activated || graph.cfs.network.wanted == Some(NetworkState::Removed) {
            return Ok(());
        }
        let is_suspended = self.is_suspended(tx, cx, graph, logged).await?;
        let network: &mut Network = &mut graph.cfs.network;
        let (task, details) = match logged.event_type.as_str() {
            // A second reason to block changes nothing for the network, once it has heard of the first.
            SubscriptionBlocked::TYPE if !is_suspended => {
                let blocked: SubscriptionBlocked = read(logged)?;
                network.wanted = Some(NetworkState::Suspended);
                (TaskType::ServiceSuspend, json!({ "reason": blocked.reason, "lineVersion": blocked.version }))
            }
            SubscriptionUnblocked::TYPE if network.wanted == Some(NetworkState::Suspended) => {
                let unblocked: SubscriptionUnblocked = read(logged)?;
                network.wanted = Some(NetworkState::InService);
                (TaskType::ServiceResume, json!({ "lineVersion": unblocked.version }))
            }
            PlanChanged::TYPE => {
                let changed: PlanChanged = read(logged)?;
                network.policy_wanted = Some(changed.new_offering_id.clone());
                graph.cfs.characteristics.offering_id = Some(changed.new_offering_id);
                let details =
                    json!({ "previousOfferingId": changed.previous_offering_id, "lineVersion": changed.version });
                (TaskType::PcrfPolicyPush, details)
            }
            SubscriptionTerminated::TYPE => {
                return self.cease(tx, cx, origin, graph, Some(line.clone())).await;
            }
            _ => return Ok(()),
        };
        let change =
            Change { subscription_id: Some(line), action: "modify", tasks: &[task], details, attributes: Map::new() };
        self.change(tx, cx, origin, graph, change).await.map(drop)
    }

    /// Whether a block has nothing to add: the network has suspended the service, or a task that nobody has given up asks it
    /// to. What an operator gave up for one reason is asked for again with the next: a line that ran out of data may be stolen
    /// after that.
    async fn is_suspended(&self, tx: &Tx, cx: &Context, graph: &Graph, logged: &Logged) -> Result<bool> {
        let network = &graph.cfs.network;
        if logged.event_type != SubscriptionBlocked::TYPE || network.wanted != Some(NetworkState::Suspended) {
            return Ok(false);
        }
        if network.confirmed == Some(NetworkState::Suspended) {
            return Ok(true);
        }
        match store::tasks::open_suspension(tx, cx, &graph.cfs.id).await? {
            Some(task) => Ok(!self.provisioning.is_given_up(tx, cx, &task).await?),
            None => Ok(false),
        }
    }

    /// Books the service order that has the network change the services which `origin` made.
    pub(super) async fn change(
        &self,
        tx: &Tx,
        cx: &Context,
        origin: &ServiceOrder,
        graph: &Graph,
        change: Change<'_>,
    ) -> Result<ServiceOrder> {
        let mut order = ServiceOrder {
            id: store::mint_order(tx).await?,
            commercial_order_id: origin.commercial_order_id.clone(),
            customer_id: origin.customer_id.clone(),
            subscription_id: change.subscription_id.cloned(),
            kind: ServiceOrderKind::Change,
            state: ServiceOrderState::Acknowledged,
            state_reason: None,
            created_at: cx.now,
            started_at: None,
            completed_at: None,
            version: 1,
        };
        order.step(cx, OrderTrigger::Start, None)?;
        store::insert_order(tx, cx, &order).await?;
        store::keep_attributes(tx, cx, &order.id, change.attributes).await?;
        store::insert_item(tx, cx, &order, change.action, &graph.cfs).await?;
        let mut payload = graph.cfs.characteristics.for_network();
        if let (Value::Object(payload), Value::Object(details)) = (&mut payload, change.details) {
            payload.extend(details);
        }
        self.book_tasks(tx, cx, &order, graph, change.tasks, &payload).await?;
        outbox::stage(tx, cx, &ServiceOrderInProgress::from(&order)).await?;
        Ok(order)
    }
}

fn read<E: Event + DeserializeOwned>(logged: &Logged) -> Result<E> {
    serde_json::from_value(logged.payload.clone())
        .map_err(|e| Error::Internal(format!("{} at {} cannot be read: {e}", E::TYPE, logged.seq)))
}
