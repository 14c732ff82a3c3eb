//! What others may ask payment, and the events they may react to.

pub mod card;
mod commands;
pub mod gateway;

/// The rules that a caller may meet.
pub mod rule {
    pub use crate::domains::payment::policy::{
        ADD_CARD_EXPIRED, ADD_CARD_NUMBER, ADD_CARD_REFUSED, ADD_CUSTOMER_EXISTS, ADD_CUSTOMER_STATE, ADD_TOO_MANY,
        CHARGE_KEY_IN_USE, CHARGE_METHOD_ACTIVE, CHARGE_METHOD_NOT_FOUND, CHARGE_NO_METHOD, CHARGE_OWNER,
        CHARGE_POSITIVE, CHARGE_PROVIDER, DEFAULT_EXPIRED, DEFAULT_REMOVED, REFUND_NOTHING, REMOVE_LAST,
        REMOVE_PENDING, REMOVE_TWICE,
    };
}

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use commands::{
    AddCard, AttemptStatus, AttemptView, Cutover, CutoverPreview, CutoverView, GetAttempt, ListAttempts, ListMethods,
    MethodView, PreviewCutover, RefundAttempt, RefundStatus, RefundView, RemoveMethod, SetDefaultMethod,
};

use crate::domains::crm::port::CustomerId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Result, Violation};
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

impl Purpose {
    pub const ALL: [Self; 4] = [Self::Activation, Self::Renewal, Self::Vas, Self::Manual];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Renewal => "renewal",
            Self::Vas => "vas",
            Self::Manual => "manual",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
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

/// A refund, with what was charged.
#[derive(Debug, Clone)]
pub struct MoneyBack {
    pub id: RefundId,
    pub attempt_id: AttemptId,
    pub purpose: Purpose,
    pub amount: Money,
    pub reason: String,
    pub status: RefundStatus,
    /// Product time.
    pub requested_at: DateTime<Utc>,
}

#[async_trait]
pub trait Payments: Send + Sync {
    /// Whether the customer has an active card.
    async fn has_method(&self, cx: &Context, customer_id: &CustomerId) -> Result<bool>;

    /// Books a pending attempt on the customer's default card and stages what makes the charge. A live attempt with the same
    /// business key is answered instead of a second one. The outcome arrives as [`PaymentApproved`] or [`PaymentDeclined`].
    ///
    /// Violates `payment.charge.no_method` when there is no active card and the amount is not zero, and
    /// `payment.charge.business_key_in_use` when the live attempt with this key is for something else.
    async fn request_charge(&self, tx: &Tx, cx: &Context, request: ChargeRequest) -> Result<AttemptId>;

    /// The same for many charges, in the order of the requests: one statement per table instead of one per charge. A broken
    /// rule is the answer to its request alone; an error ends all of them.
    async fn request_charges(
        &self,
        tx: &Tx,
        cx: &Context,
        requests: Vec<ChargeRequest>,
    ) -> Result<Vec<Result<AttemptId, Violation>>>;

    /// What was paid for was given: the money becomes revenue. Once per attempt; doing it twice is fine, and does nothing
    /// where a refund is booked already.
    async fn recognise(&self, tx: &Tx, cx: &Context, attempt_id: &AttemptId) -> Result<()>;

    /// The same for many distinct attempts, with one statement per table.
    async fn recognise_all(&self, tx: &Tx, cx: &Context, attempt_ids: &[AttemptId]) -> Result<()>;

    /// What was paid for cannot be given: books a full refund and stages what makes it. None when nothing was charged
    /// (amount zero, declined). Doing it twice answers the same refund.
    ///
    /// While the charge is pending, the refund waits for its outcome: approved, it is made; declined, it ends as failed,
    /// since nothing was charged.
    async fn refund(&self, tx: &Tx, cx: &Context, attempt_id: &AttemptId, reason: &str) -> Result<Option<RefundId>>;

    /// Puts a card on file; the customer's first one becomes the default.
    async fn add_card(&self, cx: &Context, command: AddCard) -> Result<MethodView>;

    /// The active cards of a customer, newest first, or of all whose id begins as typed, by their ids.
    ///
    /// # Errors
    /// Invalid without customer and beginning.
    async fn methods(&self, cx: &Context, query: ListMethods) -> Result<Vec<MethodView>>;

    /// Makes an active card the one that is charged. Repeating it changes nothing.
    async fn set_default_method(&self, cx: &Context, method_id: &PaymentMethodId) -> Result<MethodView>;

    /// Takes a card off file; when it was the default, the newest of the others takes its place.
    async fn remove_method(&self, cx: &Context, method_id: &PaymentMethodId) -> Result<MethodView>;

    /// The active cards that only the mock gateway knows.
    async fn preview_cutover(&self, cx: &Context, query: PreviewCutover) -> Result<CutoverPreview>;

    /// Invalidates those cards, as many as the caller's time suffices for. The newest other card of a customer whose default
    /// goes takes its place.
    async fn cutover(&self, cx: &Context) -> Result<CutoverView>;

    /// Charge attempts, newest first.
    async fn attempts(&self, cx: &Context, query: ListAttempts) -> Result<Vec<AttemptView>>;

    /// The latest `limit` refunds of what was charged for these subjects (lines, purchases of top-ups), newest first.
    async fn refunds_of(&self, cx: &Context, subject_ids: &[String], limit: u32) -> Result<Vec<MoneyBack>>;

    /// Not found when there is no such attempt.
    async fn attempt(&self, cx: &Context, attempt_id: &AttemptId) -> Result<AttemptView>;

    /// Gives back what an attempt took, and waits a little for the gateway's answer.
    ///
    /// Violates `payment.refund.nothing_charged`.
    async fn refund_attempt(&self, cx: &Context, command: RefundAttempt) -> Result<AttemptView>;
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
