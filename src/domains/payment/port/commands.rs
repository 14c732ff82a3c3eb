//! The commands and views of payment's operations.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::card::CardNumber;
use super::{AttemptId, PaymentMethodId, Purpose, RefundId};
use crate::domains::crm::port::CustomerId;
use crate::platform::page;

/// Put a card on file. The first card of a customer becomes the default.
///
/// The number goes to the payment gateway and is not kept. Test cards: 4242424242424242 approves, 4000000000000002 declines.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddCard {
    pub customer_id: CustomerId,
    pub card_number: CardNumber,
    /// 1 to 12.
    #[serde(default = "december")]
    pub exp_month: u8,
    /// Four digits.
    #[serde(default = "year_2030")]
    pub exp_year: u16,
}

const fn december() -> u8 {
    12
}

const fn year_2030() -> u16 {
    2030
}

/// List the active cards of a customer, newest first, or those whose id begins as typed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListMethods {
    /// Whose; without it `idPrefix` is needed.
    pub customer_id: Option<CustomerId>,
    /// How the id begins, as far as somebody has typed it; may be empty.
    pub id_prefix: Option<String>,
    /// 1 to 200.
    #[serde(default = "page::default_size")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: u32,
    #[serde(default)]
    pub offset: u32,
}

impl ListMethods {
    /// Those of a customer, who has few.
    pub fn of(customer_id: &CustomerId) -> Self {
        Self { customer_id: Some(customer_id.clone()), id_prefix: None, limit: page::default_size(), offset: 0 }
    }
}

/// Make a card the one that renewals and top-ups are charged to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetDefaultMethod {
    pub payment_method_id: PaymentMethodId,
}

/// Take a card off file. When it was the default, the newest of the others takes its place.
///
/// The last card cannot be removed while the customer has a line that is not terminated, and none while a charge of it is
/// under way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveMethod {
    pub payment_method_id: PaymentMethodId,
}

/// Count the active cards that only the mock gateway knows, and name them: what `payment.cutover` would invalidate.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewCutover {
    /// How many are named: 1 to 1000.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    #[serde(default)]
    pub offset: u32,
}

const fn thousand() -> u32 {
    1_000
}

/// Invalidate every active card that only the mock gateway knows, before another gateway takes its place. Their customers
/// must add a card again before the next charge.
///
/// Cards are invalidated in batches, each complete in itself. What the time did not suffice for is left: asked again, the
/// operation goes on there, and with nothing left it does nothing.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cutover {}

/// List charge attempts, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListAttempts {
    pub customer_id: Option<CustomerId>,
    /// What was paid for: a line, an order, a purchase.
    pub subject_id: Option<String>,
    pub status: Option<AttemptStatus>,
    /// How the id begins, as far as somebody has typed it.
    pub id_prefix: Option<String>,
    /// 1 to 1000.
    #[serde(default = "page::default_size")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    #[serde(default)]
    pub offset: u32,
}

/// Show one charge attempt, with its refund.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetAttempt {
    pub payment_attempt_id: AttemptId,
}

/// Give the whole amount of a charge back to the card. What was paid for is not taken back.
///
/// A charge that is still pending is refunded as soon as it is approved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundAttempt {
    pub payment_attempt_id: AttemptId,
    /// Why, for the books; 1 to 200 characters.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// A card on file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodView {
    pub id: PaymentMethodId,
    pub customer_id: CustomerId,
    /// `card`.
    #[serde(rename = "type")]
    pub method_type: String,
    /// The gateway that knows the card.
    pub token_provider: String,
    pub brand: String,
    pub last4: String,
    pub exp_month: i16,
    pub exp_year: i16,
    pub is_default: bool,
    /// `active`, `removed` or `expired`.
    pub status: String,
}

/// The cards that a cutover would invalidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutoverPreview {
    pub candidate_count: u64,
    /// By customer; as many of them as were asked for.
    pub candidate_ids: Vec<PaymentMethodId>,
}

/// What a cutover did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutoverView {
    pub invalidated_count: u64,
    /// The first 1000 of them.
    pub invalidated_ids: Vec<PaymentMethodId>,
    /// Cards that are still to be invalidated: ask again.
    pub left: u64,
}

/// How far a charge has come. Everything but `pending` is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// Not yet known: the gateway is asked, with the same key, until it answers.
    Pending,
    Approved,
    /// The issuer refused.
    Declined,
    /// The gateway refused the request itself; no money moved.
    Errored,
}

/// How far a refund has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Waits for the charge's outcome, or for the gateway.
    Pending,
    Succeeded,
    /// Nothing had been charged, or the gateway refused.
    Failed,
}

/// One charge attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    pub id: AttemptId,
    pub customer_id: CustomerId,
    /// Null where there was nothing to charge.
    pub payment_method_id: Option<PaymentMethodId>,
    /// Decimal text, such as `25.00`.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    pub purpose: Purpose,
    pub subject_id: String,
    pub business_key: String,
    /// Counts the attempts with the same business key.
    pub attempt_number: i32,
    /// The idempotency key that the gateway sees.
    pub gateway_key: String,
    pub status: AttemptStatus,
    pub gateway_ref: Option<String>,
    pub decline_code: Option<String>,
    pub decline_reason: Option<String>,
    pub attempted_at: DateTime<Utc>,
    /// Null while pending.
    pub finished_at: Option<DateTime<Utc>>,
    pub refund: Option<RefundView>,
}

/// The refund of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundView {
    pub id: RefundId,
    pub status: RefundStatus,
    /// Decimal text, in the currency of the charge.
    pub amount: String,
    pub reason: String,
}
