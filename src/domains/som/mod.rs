//! Service order management (TMF641) and service inventory (TMF638): turns a commercial order into services and network tasks,
//! and reports how that ended.
//!
//! Invariants:
//! - A commercial order has at most one activation; a second decomposition finds the first.
//! - A service order is completed exactly when every network task that it waits for is done, and says so once.
//! - The services of one line move together: a customer-facing one and the resource-facing ones below it.
//! - An order that was called off reserves nothing, or gives back what it had reserved, as soon as the network has forgotten it.
//! - The network is told of every block, unblock, change of plan and end of a line, in the order in which they happened; a
//!   service says what is wanted of the network and what the network has confirmed.
//!
//! Not here: running network tasks (`provisioning`), the pools of numbers and eSIMs (`crm`), lines and money.

mod answers;
mod audit;
mod consumers;
mod decompose;
mod events;
mod follow;
mod http;
mod model;
mod policy;
pub mod port;
mod resync;
mod store;
mod watch;
mod withdraw;

use std::sync::Arc;

use async_trait::async_trait;

use crate::domains::catalog::port::Catalog;
use crate::domains::com::port::Orders;
use crate::domains::crm::port::{Inventory, Msisdn, ReservationKeeper};
use crate::domains::provisioning::port::Provisioning;
use crate::domains::som::port::{
    GetService, GetServiceOrder, ListServiceOrders, ListServices, ListUnconfirmed, ServiceOrderView, ServiceOrders,
    ServiceView,
};
use crate::domains::som::store::views;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::Result;
use crate::platform::page;
use crate::platform::scheduler::Ticks;

pub use audit::CHECKS;
pub use http::router;

/// The domain's subscriptions to the events of others.
pub fn subscribe(subscribers: Subscribers) -> Subscribers {
    consumers::subscribe(subscribers)
}

/// The service orders and services of this installation.
pub struct Service {
    platform: Platform,
    catalog: Arc<dyn Catalog>,
    orders: Arc<dyn Orders>,
    inventory: Arc<dyn Inventory>,
    provisioning: Arc<dyn Provisioning>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("som::Service")
    }
}

impl Service {
    pub fn new(
        platform: Platform,
        catalog: Arc<dyn Catalog>,
        orders: Arc<dyn Orders>,
        inventory: Arc<dyn Inventory>,
        provisioning: Arc<dyn Provisioning>,
    ) -> Self {
        Self { platform, catalog, orders, inventory, provisioning }
    }

    /// The reactions to what [`subscribe`] subscribed to.
    pub fn handlers(self: &Arc<Self>) -> Handlers {
        consumers::handlers(self)
    }

    /// `network_watch`.
    pub fn ticks(self: &Arc<Self>) -> Ticks {
        watch::ticks(self)
    }
}

#[async_trait]
impl ServiceOrders for Service {
    async fn service_order(&self, cx: &Context, query: GetServiceOrder) -> Result<ServiceOrderView> {
        views::order(self.platform.db.connection(), cx, &query.service_order_id).await
    }

    async fn service_orders_of_order(&self, cx: &Context, query: ListServiceOrders) -> Result<Vec<ServiceOrderView>> {
        views::orders_of(self.platform.db.connection(), cx, &query.order_id).await
    }

    async fn service(&self, cx: &Context, query: GetService) -> Result<ServiceView> {
        views::service(self.platform.db.connection(), cx, &query.service_id).await
    }

    async fn unconfirmed(&self, cx: &Context, query: ListUnconfirmed) -> Result<Vec<ServiceView>> {
        page::within(query.limit, 200, query.offset)?;
        views::unconfirmed(self.platform.db.connection(), cx, &query).await
    }

    async fn services_of_subscription(&self, cx: &Context, query: ListServices) -> Result<Vec<ServiceView>> {
        views::services_of(self.platform.db.connection(), cx, &query.subscription_id).await
    }
}

/// A number that the network still knows is not given to others: their next owner would be cut off with the last one.
#[async_trait]
impl ReservationKeeper for Service {
    async fn still_need(&self, cx: &Context, orders: &[String]) -> Result<Vec<String>> {
        store::network::orders_in_network(&self.platform.db, cx, orders).await
    }

    async fn still_known(&self, cx: &Context, numbers: &[Msisdn]) -> Result<Vec<Msisdn>> {
        store::network::numbers_in_network(&self.platform.db, cx, numbers).await
    }
}
