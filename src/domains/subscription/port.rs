//! What others may ask the subscription domain, and the events they may react to.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{AllowanceType, OfferingId, PriceId};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Iccid, Msisdn};
use crate::domains::payment::port::{AttemptId, RefundId};
use crate::domains::som::port::ServiceId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::money::Money;
use crate::platform::outbox::Event;

id_type!(pub SubscriptionId, "subscription (a customer's line), SUB-…");

/// A line that is to be booked for an order whose network side stands.
#[derive(Debug, Clone)]
pub struct Booking {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub msisdn: Msisdn,
    pub iccid: Iccid,
    pub cfs_service_id: ServiceId,
    /// The full price of the contract; what is charged for the first period follows from it and the discount.
    pub price: Money,
    pub price_id: PriceId,
}

#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// Books the line (state `pending`) and its activation charge, in the caller's unit of work. Called again for the same
    /// order it answers the same line. The end arrives as [`SubscriptionActivated`] or [`ActivationFailed`].
    async fn book(&self, tx: &Tx, cx: &Context, booking: Booking) -> Result<SubscriptionId>;

    /// The order was cancelled while its line is still pending: the line ends; an approved charge is refunded.
    async fn cancel_booking(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()>;

    /// Lines of the customer that are not terminated: while there are some, the customer cannot be closed and the last card
    /// cannot be removed.
    async fn open_lines(&self, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionId>>;
}

/// The line is paid for and in service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionActivated {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub offering_id: OfferingId,
    pub commercial_order_id: OrderId,
    pub cfs_service_id: ServiceId,
    pub msisdn: Msisdn,
    pub iccid_last4: String,
    pub payment_attempt_id: AttemptId,
    pub amount_charged: String,
    pub currency: String,
    pub period_start: chrono::DateTime<chrono::Utc>,
    pub period_end: chrono::DateTime<chrono::Utc>,
}

impl Event for SubscriptionActivated {
    const TYPE: &'static str = "subscription.activated";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
}

/// The booked line will never be in service: the charge was declined, or was approved and is refunded because the service
/// can no longer be given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivationFailed {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub commercial_order_id: OrderId,
    /// For a person: `card declined: insufficient_funds`, …
    pub reason: String,
    pub payment_attempt_id: Option<AttemptId>,
    pub refund_id: Option<RefundId>,
}

impl Event for ActivationFailed {
    const TYPE: &'static str = "subscription.activation_failed";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
}

/// The line has ended; the network is to forget it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionTerminated {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub cfs_service_id: ServiceId,
    pub msisdn: Msisdn,
    pub iccid_last4: String,
    pub reason: String,
}

impl Event for SubscriptionTerminated {
    const TYPE: &'static str = "subscription.terminated";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
}

/// The lines' side of a batch of usage, for mediation.
pub use crate::domains::subscription::usage::{
    Contention, ExhaustedLine, Remaining, UsageBalance, UsageLine, apply, balances, block_exhausted, find_unlocked,
    lines_of_number, lock_lines,
};

/// The line's data went from something to nothing; [`SubscriptionBlocked`] follows in the same transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionExhausted {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    /// Always `data`: nothing else exhausts a line.
    pub allowance_type: AllowanceType,
    pub consumed: i64,
    pub total: i64,
    pub triggering_usage_event_id: String,
    /// The row version after the change.
    pub version: i64,
}

impl Event for SubscriptionExhausted {
    const TYPE: &'static str = "subscription.exhausted";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// The line is out of service until what blocks it is lifted; the network is to suspend it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionBlocked {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub cfs_service_id: ServiceId,
    pub msisdn: Msisdn,
    /// What blocked it now: `exhausted`, `payment`, `requested` or `fraud`.
    pub reason: String,
    /// Everything that blocks it.
    pub block_reasons: Vec<String>,
    /// The row version after the change.
    pub version: i64,
}

impl Event for SubscriptionBlocked {
    const TYPE: &'static str = "subscription.blocked";
    const AGGREGATE: &'static str = "subscription";
    fn aggregate_id(&self) -> &str {
        self.subscription_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}
