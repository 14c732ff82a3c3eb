//! What others may ask the service order management, and the events they may react to.

use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::OfferingId;
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::id_type;
use crate::platform::outbox::Event;

id_type!(pub ServiceOrderId, "service order, SO-…");
id_type!(pub ServiceId, "service, SVC-…");

/// Everything the network needs is in place; the line can be booked and charged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOrderCompleted {
    pub service_order_id: ServiceOrderId,
    pub commercial_order_id: OrderId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub msisdn: Msisdn,
    pub cfs_service_id: ServiceId,
}

impl Event for ServiceOrderCompleted {
    const TYPE: &'static str = "service_order.completed";
    const AGGREGATE: &'static str = "service_order";
    fn aggregate_id(&self) -> &str {
        self.service_order_id.as_str()
    }
}

/// The network cannot give the service; what was reserved has gone back to the pools.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOrderFailed {
    /// None when not even a service order could be made (an empty pool).
    pub service_order_id: Option<ServiceOrderId>,
    pub commercial_order_id: OrderId,
    pub reason: String,
}

impl Event for ServiceOrderFailed {
    const TYPE: &'static str = "service_order.failed";
    const AGGREGATE: &'static str = "service_order";
    fn aggregate_id(&self) -> &str {
        self.service_order_id.as_ref().map_or(self.commercial_order_id.as_str(), ServiceOrderId::as_str)
    }
}

/// Service orders and services.
#[async_trait::async_trait]
pub trait ServiceOrders: Send + Sync {}
