//! Taking services back: the commercial order ended without a line, or the line has ended.

use crate::domains::com::port::OrderId;
use crate::domains::provisioning::port::TaskType;
use crate::domains::som::events::{ServiceOrderCancelled, ServiceOrderInProgress, ServiceTerminated};
use crate::domains::som::model::{Graph, OrderTrigger, ServiceOrder, ServiceTrigger};
use crate::domains::som::port::{NetworkState, ServiceOrderKind, ServiceOrderState, ServiceState};
use crate::domains::som::{Service, store};
use crate::domains::subscription::port::{SubscriptionActivated, SubscriptionId};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

impl Service {
    /// The commercial order was called off or failed. What the network has not given yet it will not give; what it has given
    /// ends now and is taken out of it.
    pub(super) async fn withdraw(&self, tx: &Tx, cx: &Context, order_id: &OrderId, reason: &str) -> Result<()> {
        let Some(mut order) = store::lock_activation(tx, cx, order_id).await? else { return Ok(()) };
        match order.state {
            ServiceOrderState::Acknowledged | ServiceOrderState::InProgress => {
                let mut graph = store::lock_graph_of_order(tx, cx, &order.id).await?;
                order.step(cx, OrderTrigger::Cancel, Some(reason))?;
                graph.step(cx, ServiceTrigger::Fail, reason)?;
                store::save_order(tx, cx, &order).await?;
                store::save_graph(tx, cx, &graph).await?;
                let cancelled = ServiceOrderCancelled {
                    service_order_id: &order.id,
                    commercial_order_id: &order.commercial_order_id,
                    version: order.version,
                };
                outbox::stage(tx, cx, &cancelled).await?;
                self.take_back(tx, cx, &order, &mut graph, reason).await
            }
            ServiceOrderState::Completed => {
                let mut graph = store::lock_graph_of_order(tx, cx, &order.id).await?;
                if graph.cfs.state != ServiceState::Activated {
                    return Ok(());
                }
                graph.step(cx, ServiceTrigger::Terminate, reason)?;
                store::save_graph(tx, cx, &graph).await?;
                outbox::stage(tx, cx, &ServiceTerminated::of(&order, &graph)).await?;
                self.cease(tx, cx, &order, &mut graph, None).await
            }
            ServiceOrderState::Failed | ServiceOrderState::Cancelled => Ok(()),
        }
    }

    /// The line is in service: its services say whose they are.
    pub(super) async fn link(&self, tx: &Tx, cx: &Context, line: &SubscriptionActivated) -> Result<()> {
        store::link(tx, cx, &line.cfs_service_id, &line.subscription_id).await
    }

    /// The service order ends without having come to its end: its tasks are withdrawn. What the network may have heard of is
    /// taken out of it, and only then number and profile are free for others: the network would cut them off with these.
    pub(super) async fn take_back(
        &self,
        tx: &Tx,
        cx: &Context,
        order: &ServiceOrder,
        graph: &mut Graph,
        reason: &str,
    ) -> Result<()> {
        store::tasks::withdraw_tasks(tx, cx, &order.id).await?;
        if self.provisioning.withdraw_tasks(tx, cx, order.id.as_str(), reason).await? {
            self.cease(tx, cx, order, graph, None).await
        } else {
            self.inventory.release(tx, cx, order.commercial_order_id.as_str()).await
        }
    }

    /// Books the service order that takes the services which `origin` made out of the network.
    pub(super) async fn cease(
        &self,
        tx: &Tx,
        cx: &Context,
        origin: &ServiceOrder,
        graph: &mut Graph,
        subscription_id: Option<SubscriptionId>,
    ) -> Result<()> {
        let mut order = ServiceOrder {
            id: store::mint_order(tx).await?,
            commercial_order_id: origin.commercial_order_id.clone(),
            customer_id: origin.customer_id.clone(),
            subscription_id,
            kind: ServiceOrderKind::Cessation,
            state: ServiceOrderState::Acknowledged,
            state_reason: None,
            created_at: cx.now,
            started_at: None,
            completed_at: None,
            version: 1,
        };
        order.step(cx, OrderTrigger::Start, None)?;
        store::insert_order(tx, cx, &order).await?;
        store::insert_item(tx, cx, &order, "delete", &graph.cfs).await?;
        graph.cfs.network.wanted = Some(NetworkState::Removed);
        store::save_network(tx, cx, &graph.cfs).await?;
        let payload = graph.cfs.characteristics.for_network();
        self.book_tasks(tx, cx, &order, graph, &[TaskType::HlrDeprovision], &payload).await?;
        outbox::stage(tx, cx, &ServiceOrderInProgress::from(&order)).await?;
        Ok(())
    }
}
