//! What operations can call: the ports of the domains and the services of the platform.

use std::sync::Arc;

use crate::domains::catalog::port::{Catalog, Promotions};
use crate::domains::com::port::Orders;
use crate::domains::crm::port::{Communications, Customers, Inventory};
use crate::domains::mediation::port::Mediation;
use crate::domains::payment::port::Payments;
use crate::domains::provisioning::port::Provisioning;
use crate::domains::som::port::ServiceOrders;
use crate::domains::subscription::port::Subscriptions;
use crate::platform::Platform;
use crate::platform::audit::Books;
use crate::platform::hub::Hubs;
use crate::platform::scheduler::Scheduler;
use crate::platform::trace::jaeger::Jaeger;

/// See the module.
pub struct Services {
    pub platform: Platform,
    pub scheduler: Arc<Scheduler>,
    pub catalog: Arc<dyn Catalog>,
    pub promotions: Arc<dyn Promotions>,
    pub customers: Arc<dyn Customers>,
    pub inventory: Arc<dyn Inventory>,
    pub communications: Arc<dyn Communications>,
    pub payments: Arc<dyn Payments>,
    pub orders: Arc<dyn Orders>,
    pub service_orders: Arc<dyn ServiceOrders>,
    pub provisioning: Arc<dyn Provisioning>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub usage: Arc<dyn Mediation>,
    pub hubs: Hubs,
    /// Where traces are read, instead of the database.
    pub jaeger: Option<Jaeger>,
    /// Every statement about the books, of all domains.
    pub books: Books,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Services")
    }
}
