//! What others may ask payment, and the events they may react to.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domains::crm::port::CustomerId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::money::Money;
use crate::platform::outbox::Event;

id_type!(pub PaymentMethodId, "payment method, PM-…");
id_type!(pub AttemptId, "payment attempt, PAY-…");
id_type!(pub RefundId, "refund, REF-…");

/// What a charge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Activation,
    Renewal,
    Vas,
    Manual,
}

/// A charge that somebody wants made. The intent is committed with the caller's change; the gateway is called afterwards.
#[derive(Debug, Clone)]
pub struct ChargeRequest {
    pub customer_id: CustomerId,
    /// Zero skips the gateway and is approved at once.
    pub amount: Money,
    pub purpose: Purpose,
    /// What is paid for: a line (`SUB-…`) or a purchase (`VP-…`).
    pub subject_id: String,
    /// Unique among pending and approved attempts: `activation:<order>`, `renewal:<line>:<period index>`, `vas:<purchase>`.
    pub business_key: String,
}

#[async_trait]
pub trait Payments: Send + Sync {
    /// Whether the customer has an active card.
    async fn has_method(&self, cx: &Context, customer_id: &CustomerId) -> Result<bool>;

    /// Books a pending attempt on the customer's default card and stages what makes the charge. A live attempt with the same
    /// business key is answered instead of a second one. The outcome arrives as [`PaymentApproved`] or [`PaymentDeclined`].
    ///
    /// Violates `payment.charge.no_method` when there is no active card and the amount is not zero.
    async fn request_charge(&self, tx: &Tx, cx: &Context, request: ChargeRequest) -> Result<AttemptId>;

    /// What was paid for was given: the money becomes revenue. Once per attempt; doing it twice is fine.
    async fn recognise(&self, tx: &Tx, cx: &Context, attempt_id: &AttemptId) -> Result<()>;

    /// What was paid for cannot be given: books a full refund and stages what makes it. None when nothing was charged
    /// (amount zero). Doing it twice answers the same refund.
    async fn refund(&self, tx: &Tx, cx: &Context, attempt_id: &AttemptId, reason: &str) -> Result<Option<RefundId>>;
}

/// The gateway took the money (or there was nothing to take).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentApproved {
    pub attempt_id: AttemptId,
    pub customer_id: CustomerId,
    pub purpose: Purpose,
    pub subject_id: String,
    pub business_key: String,
    /// Decimal text.
    pub amount: String,
    pub currency: String,
    pub gateway_ref: Option<String>,
}

impl Event for PaymentApproved {
    const TYPE: &'static str = "payment.approved";
    const AGGREGATE: &'static str = "payment_attempt";
    fn aggregate_id(&self) -> &str {
        self.attempt_id.as_str()
    }
}

/// The issuer or the gateway refused for good; this attempt will never be charged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDeclined {
    pub attempt_id: AttemptId,
    pub customer_id: CustomerId,
    pub purpose: Purpose,
    pub subject_id: String,
    pub business_key: String,
    pub amount: String,
    pub currency: String,
    /// Machine-readable, such as `insufficient_funds`.
    pub decline_code: String,
    pub decline_reason: String,
}

impl Event for PaymentDeclined {
    const TYPE: &'static str = "payment.declined";
    const AGGREGATE: &'static str = "payment_attempt";
    fn aggregate_id(&self) -> &str {
        self.attempt_id.as_str()
    }
}
