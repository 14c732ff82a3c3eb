//! What others may ask the commercial order management, and the events they may react to.

use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{OfferingId, PriceId};
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::id_type;
use crate::platform::outbox::Event;

id_type!(pub OrderId, "product order, ORD-…");

/// An order was submitted: it is to be fulfilled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderInProgress {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub msisdn_preference: Option<Msisdn>,
    pub price_amount: String,
    pub price_currency: String,
    pub price_offering_price_id: PriceId,
}

impl Event for OrderInProgress {
    const TYPE: &'static str = "order.in_progress";
    const AGGREGATE: &'static str = "product_order";
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
}

/// An order was cancelled: whatever was taken for it goes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCancelled {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
}

impl Event for OrderCancelled {
    const TYPE: &'static str = "order.cancelled";
    const AGGREGATE: &'static str = "product_order";
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
}

/// Commercial orders.
#[async_trait::async_trait]
pub trait Orders: Send + Sync {}
