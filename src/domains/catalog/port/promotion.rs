//! Promotions: what operators do with them, and what an order asks of them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OfferingId;
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::CustomerId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::money::Money;
use crate::platform::page;

id_type!(pub PromotionId, "promotion, such as PROMO_SUMMER25");
id_type!(pub EntitlementId, "use of a promotion by an order, ENT-…");

/// Where a promotion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromotionState {
    /// New orders may use it, within its window.
    Active,
    /// No new order may; what was promised before is kept.
    Exhausted,
}

impl PromotionState {
    pub const ALL: [Self; 2] = [Self::Active, Self::Exhausted];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Exhausted => "exhausted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Create a promotion: a discount for one, several or all periods of a line, its code, and who may use it.
///
/// Everything is written or nothing, and it is active at once, within its window. Nothing of it changes later but its end
/// (`promo.exhaust`): what an order was promised refers to it. Fails with the rule of the first argument that is not right.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreatePromotion {
    /// By habit PROMO_…; `catalog.promotion.already_exists` when it is taken.
    pub promotion_id: PromotionId,
    /// How much is taken off: a share of the price, or an amount.
    #[schemars(extend("enum" = ["percent", "absolute"]))]
    pub discount_type: String,
    /// Decimal text: of a percent above 0 up to 100, at most two decimals; else an amount such as 5.00.
    pub discount_value: String,
    /// For the first period only, for several, or for ever.
    #[schemars(extend("enum" = ["single", "multi", "perpetual"]))]
    pub duration_kind: String,
    /// How many periods, the first included, 2 to 120; with `multi` only.
    #[schemars(range(min = 2, max = 120))]
    pub periods_total: Option<i64>,
    /// Whoever has the code, or those it is assigned to (`promo.assign`).
    #[serde(default = "public")]
    #[schemars(extend("enum" = ["public", "targeted"]))]
    pub audience: String,
    /// ISO 4217; only the operator's own is taken.
    pub currency: Option<String>,
    /// What customers type, whatever the case; of a targeted promotion its id when not given.
    pub code: Option<String>,
    /// How often the code can be used: once, once by each customer, or any number of times. Of a targeted promotion once by
    /// each customer when not given.
    #[schemars(extend("enum" = ["single_use_shared", "single_use_unique_per_customer", "multi_use"]))]
    pub promo_code_kind: Option<String>,
    /// The plans that it is for; all when empty.
    #[serde(default)]
    pub applicable_offering_ids: Vec<OfferingId>,
    /// Inclusive; always when not given.
    pub valid_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub valid_to: Option<DateTime<Utc>>,
    /// What customers read; the discount itself when not given.
    pub display_name: Option<String>,
}

fn public() -> String {
    "public".to_owned()
}

/// List promotions, by id.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListPromotions {
    /// Only those in this state.
    pub state: Option<PromotionState>,
    /// How many at most, 1 to 200.
    #[serde(default = "page::default_size")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: u32,
    /// How many to leave out, up to 1000000.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub offset: u32,
}

/// Show a promotion, with how many may use it and how many have.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowPromotion {
    pub promotion_id: PromotionId,
}

/// Let customers use a targeted promotion. Their next order for a plan has the best of what they may use, without a code.
///
/// All or nothing. Who may use it already is answered as such and not noted twice.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignPromotion {
    pub promotion_id: PromotionId,
    /// 1 to 500.
    pub customer_ids: Vec<CustomerId>,
}

/// Take a targeted promotion back from customers. What they have had stays; an order that was promised it pays the promised
/// price once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnassignPromotion {
    pub promotion_id: PromotionId,
    /// 1 to 500.
    pub customer_ids: Vec<CustomerId>,
}

/// End a promotion for new orders, for good. Orders that were promised it keep it. Repeating it changes nothing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExhaustPromotion {
    pub promotion_id: PromotionId,
}

/// What a code would take off a plan now, for a customer. Nothing is used, and a code that gives nothing is no error: the
/// answer says why.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewPromotion {
    /// As typed, at most 80 characters.
    pub code: String,
    pub offering_id: OfferingId,
    /// Who would use it; without one, what anybody could.
    pub customer_id: Option<CustomerId>,
}

/// A promotion.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionView {
    pub id: PromotionId,
    /// What customers read; null: the label.
    pub name: Option<String>,
    /// `20% off`, `SGD 5.00 off`.
    pub label: String,
    /// In capitals; any case is taken.
    pub code: String,
    /// `single_use_shared`, `single_use_unique_per_customer` or `multi_use`.
    pub promo_code_kind: String,
    /// `public` or `targeted`.
    pub audience: String,
    pub offer_definition_id: String,
    /// `percent` or `absolute`.
    pub discount_type: String,
    /// Decimal text.
    pub discount_value: String,
    /// ISO 4217.
    pub currency: String,
    /// Empty: every plan.
    pub applicable_offering_ids: Vec<OfferingId>,
    /// `single`, `multi` or `perpetual`.
    pub duration_kind: String,
    /// Of `multi`: how many, the first included.
    pub periods_total: Option<i64>,
    pub valid_from: Option<DateTime<Utc>>,
    /// Exclusive; null: open.
    pub valid_to: Option<DateTime<Utc>>,
    pub state: PromotionState,
    pub created_by: String,
    pub version: i64,
}

/// A promotion, and how it is used.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionDetails {
    #[serde(flatten)]
    pub promotion: PromotionView,
    /// Customers that a targeted one is assigned to now.
    pub eligible_customers: i64,
    /// Orders that have claimed it and are not yet at their end.
    pub claimed: i64,
    /// Orders that ended with it.
    pub redeemed: i64,
}

/// What became of an assignment. Customers are in the order of the request, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assigned {
    pub promotion_id: PromotionId,
    pub code: String,
    /// May use it from now on.
    pub eligible: Vec<CustomerId>,
    /// Could before.
    pub already: Vec<CustomerId>,
}

/// What became of taking it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unassigned {
    pub promotion_id: PromotionId,
    pub code: String,
    pub removed: Vec<CustomerId>,
    /// Could not use it before either.
    pub not_eligible: Vec<CustomerId>,
}

/// Why a code takes nothing off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoDiscount {
    /// There is no such code.
    UnknownCode,
    /// Its promotion has ended.
    NoActivePromotion,
    /// It is for chosen customers, and this is none of them.
    NotEligible,
    NotApplicableToOffering,
    NotYetValid,
    Expired,
    /// The plan has no price now.
    OfferingNotPriced,
    /// The customer has used it.
    AlreadyUsed,
    /// Somebody has used it, and it is good for one use.
    CodeExhausted,
}

impl NoDiscount {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCode => "unknown_code",
            Self::NoActivePromotion => "no_active_promotion",
            Self::NotEligible => "not_eligible",
            Self::NotApplicableToOffering => "not_applicable_to_offering",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::OfferingNotPriced => "offering_not_priced",
            Self::AlreadyUsed => "already_used",
            Self::CodeExhausted => "code_exhausted",
        }
    }
}

/// What a code would do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewView {
    pub valid: bool,
    /// Why not; null where it is valid.
    pub reason: Option<NoDiscount>,
    /// As it is compared: in capitals, without the spaces around it.
    pub code: String,
    pub offering_id: OfferingId,
    /// What customers read.
    pub name: Option<String>,
    /// `20% off`, `SGD 5.00 off`.
    pub label: Option<String>,
    /// The price of the plan now, tax included: decimal text. Null where it has none.
    pub base: Option<String>,
    /// The same after the discount.
    pub effective: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Charges that it lowers, the first included; -1: all.
    pub discount_periods_total: Option<i32>,
}

/// What an order asks: who orders which plan, at which price.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    pub customer_id: &'a CustomerId,
    pub offering_id: &'a OfferingId,
    /// The full price.
    pub base: Money,
    /// As typed.
    pub code: Option<&'a str>,
    /// Nothing but the code counts: what the customer was assigned is kept for another time.
    pub skip_assigned: bool,
}

/// What a wish comes to. Nothing is used by it.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// The one discount of the order.
    pub promise: Option<Promise>,
    /// Why the code that was typed does not count.
    pub refused: Option<NoDiscount>,
}

/// A discount that an order promises, as its item keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    pub code: String,
    pub offer_definition_id: String,
    /// `percent` or `absolute`.
    pub discount_type: &'static str,
    pub discount_value: Decimal,
    /// Charges that it lowers, the first included; -1: all.
    pub periods_total: i32,
    /// `20% off`, `SGD 5.00 off`.
    pub label: String,
}

/// An order that is about to be charged what it was promised.
#[derive(Debug, Clone)]
pub struct ClaimRequest<'a> {
    pub order_id: &'a OrderId,
    pub customer_id: &'a CustomerId,
    /// The code of the promise.
    pub code: &'a str,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The order holds this.
    Granted(EntitlementId),
    /// What was promised is not to be had any more.
    Refused(NoDiscount),
}

/// Promotions and what entitles to them.
///
/// An order talks to it three times: when it is placed (`offer`), when it is about to be charged (`claim`), and when it ends
/// (`redeem` or `revoke`). The last three are keyed by the order and change nothing when they are repeated.
#[async_trait]
pub trait Promotions: Send + Sync {
    async fn create(&self, cx: &Context, command: CreatePromotion) -> Result<PromotionView>;

    async fn list(&self, cx: &Context, query: ListPromotions) -> Result<Vec<PromotionView>>;

    /// Not found when there is no such promotion.
    async fn show(&self, cx: &Context, id: &PromotionId) -> Result<PromotionDetails>;

    async fn assign(&self, cx: &Context, command: AssignPromotion) -> Result<Assigned>;

    async fn unassign(&self, cx: &Context, command: UnassignPromotion) -> Result<Unassigned>;

    async fn exhaust(&self, cx: &Context, id: &PromotionId) -> Result<PromotionView>;

    async fn preview(&self, cx: &Context, query: PreviewPromotion) -> Result<PreviewView>;

    /// The discount of an order: the typed code where it counts, else the best that the customer was assigned: the lowest
    /// price, then the lowest id.
    async fn offer(&self, cx: &Context, wish: Wish<'_>) -> Result<Offered>;

    /// Takes the entitlement for an order, in the caller's unit of work. Of two orders that want the last one, one waits for the
    /// other and is refused when that commits. Neither the window nor the end of the promotion matters any more.
    async fn claim(&self, tx: &Tx, cx: &Context, claim: ClaimRequest<'_>) -> Result<Claim>;

    /// The order has ended well: what it claimed is used for good. Nothing happens where it claimed nothing.
    async fn redeem(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()>;

    /// The order has ended otherwise: what it claimed can be used again. Nothing happens where it claimed nothing.
    async fn revoke(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()>;
}
