//! What orders say of themselves beside the events of the port: nobody else reacts to these.

use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{OfferingId, PriceId};
use crate::domains::com::port::{OrderAction, OrderId, OrderState};
use crate::domains::crm::port::CustomerId;
use crate::platform::outbox::Event;

const AGGREGATE: &str = "product_order";

/// An order was accepted and priced.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderAcknowledged<'a> {
    pub(super) order_id: &'a OrderId,
    pub(super) customer_id: &'a CustomerId,
    pub(super) offering_id: &'a OfferingId,
    pub(super) price_snapshot: PriceSnapshot<'a>,
    /// What it promises off the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) discount: Option<DiscountSnapshot<'a>>,
}

/// The promise of the order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiscountSnapshot<'a> {
    pub(super) discount_code: Option<&'a str>,
    pub(super) discount_type: &'a str,
    pub(super) discount_value: String,
    pub(super) discount_periods_total: Option<i32>,
    /// What the first period costs.
    pub(super) effective_amount: String,
}

/// The contract of the order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PriceSnapshot<'a> {
    pub(super) price_amount: String,
    pub(super) price_currency: String,
    pub(super) price_offering_price_id: &'a PriceId,
}

impl Event for OrderAcknowledged<'_> {
    const TYPE: &'static str = "order.acknowledged";
    const AGGREGATE: &'static str = AGGREGATE;
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        1
    }
}

/// What was ordered is done: a line is in service, topped up, or at its end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderCompleted<'a> {
    pub(super) order_id: &'a OrderId,
    pub(super) customer_id: &'a CustomerId,
    pub(super) subscription_id: &'a str,
    /// Of a new line.
    pub(super) cfs_service_id: Option<&'a str>,
    pub(super) payment_attempt_id: Option<&'a str>,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for OrderCompleted<'_> {
    const TYPE: &'static str = "order.completed";
    const AGGREGATE: &'static str = AGGREGATE;
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// An order waits for an operator before its fulfilment starts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderHeld<'a> {
    pub(super) order_id: &'a OrderId,
    pub(super) customer_id: &'a CustomerId,
    pub(super) state_reason: &'a str,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for OrderHeld<'_> {
    const TYPE: &'static str = "order.held";
    const AGGREGATE: &'static str = AGGREGATE;
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// An order about a line that is there was submitted: it is to be carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeInProgress {
    pub(super) order_id: OrderId,
    pub(super) customer_id: CustomerId,
    pub(super) action: OrderAction,
    pub(super) subscription_id: String,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for ChangeInProgress {
    const TYPE: &'static str = "order.change_in_progress";
    const AGGREGATE: &'static str = AGGREGATE;
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// An order in progress has been so for too long: an operator should look.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderStuck {
    pub(super) order_id: OrderId,
    pub(super) customer_id: CustomerId,
    pub(super) state: OrderState,
    pub(super) in_progress_since: chrono::DateTime<chrono::Utc>,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for OrderStuck {
    const TYPE: &'static str = "order.stuck";
    const AGGREGATE: &'static str = AGGREGATE;
    fn aggregate_id(&self) -> &str {
        self.order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// What an order promised is not to be had any more, and its customer pays the promised price all the same, once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromoHonoured<'a> {
    pub(super) commercial_order_id: &'a OrderId,
    pub(super) customer_id: &'a CustomerId,
    pub(super) promo_code: Option<&'a str>,
    pub(super) promised_amount: String,
    pub(super) full_amount: String,
    pub(super) currency: String,
    pub(super) reason: &'static str,
    /// What the engine of promotions said.
    pub(super) refusal: &'static str,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for PromoHonoured<'_> {
    const TYPE: &'static str = "order.promo_honoured";
    const AGGREGATE: &'static str = AGGREGATE;
    fn aggregate_id(&self) -> &str {
        self.commercial_order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// What an order promised is not to be had any more, and the operator wants it to fail then, before any charge.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromoNotApplied<'a> {
    pub(super) commercial_order_id: &'a OrderId,
    pub(super) customer_id: &'a CustomerId,
    pub(super) promo_code: Option<&'a str>,
    pub(super) reason: &'static str,
    /// What the engine of promotions said.
    pub(super) refusal: &'static str,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for PromoNotApplied<'_> {
    const TYPE: &'static str = "order.promo_not_applied";
    const AGGREGATE: &'static str = AGGREGATE;
    fn aggregate_id(&self) -> &str {
        self.commercial_order_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}
