//! What others may ask the catalog.

mod commands;
mod promotion;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id_type;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::money::Money;

pub use super::policy::{NO_ACTIVE_PRICE, rule};
pub use super::promotion::policy::rule as promotion_rule;
pub use commands::*;
pub use promotion::*;

id_type!(pub OfferingId, "product offering, such as PLAN_M");
id_type!(pub PriceId, "product offering price, such as PRICE_PLAN_M");
id_type!(pub SpecificationId, "product specification, such as SPEC_MOBILE_PREPAID");
id_type!(pub CategoryId, "product category, CAT-…");
id_type!(pub VasId, "value added service offering, such as VAS_DATA_1GB");

/// What an allowance counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllowanceType {
    /// Home data; reaching zero blocks the line.
    Data,
    Voice,
    Sms,
    /// Data abroad; additive, never blocks the line.
    DataRoaming,
}

impl AllowanceType {
    pub const ALL: [Self; 4] = [Self::Data, Self::Voice, Self::Sms, Self::DataRoaming];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Voice => "voice",
            Self::Sms => "sms",
            Self::DataRoaming => "data_roaming",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The one unit in which this allowance is counted.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Data | Self::DataRoaming => Unit::Mb,
            Self::Voice => Unit::Minutes,
            Self::Sms => Unit::Count,
        }
    }
}

/// Unit of a quantity. Megabytes are 2^20 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Mb,
    Minutes,
    Count,
}

impl Unit {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mb => "mb",
            Self::Minutes => "minutes",
            Self::Count => "count",
        }
    }
}

/// How the periods of a plan are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanPeriod {
    /// Thirty times 24 hours.
    #[serde(rename = "days_30")]
    Days30,
    /// To the same day of the next month, in the operator's time zone.
    CalendarMonth,
}

impl PlanPeriod {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Days30 => "days_30",
            Self::CalendarMonth => "calendar_month",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Days30, Self::CalendarMonth].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The quantity that means "without limit".
pub const UNLIMITED: i64 = -1;

/// One allowance that a plan grants per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowanceView {
    pub allowance_type: AllowanceType,
    /// In `unit`; -1 is unlimited, 0 means "none included, top-up possible".
    pub quantity: i64,
    pub unit: Unit,
    /// Of an unlimited allowance: beyond this much use in a period it is refused until the next one. Null: no such limit.
    pub fair_use_quantity: Option<i64>,
}

impl AllowanceView {
    /// So much per period and no more, or without any limit.
    pub const fn plain(allowance_type: AllowanceType, quantity: i64) -> Self {
        Self { allowance_type, quantity, unit: allowance_type.unit(), fair_use_quantity: None }
    }
}

/// A price row. Never edited but for its end: a line's contract refers to its id for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceView {
    pub id: PriceId,
    #[serde(skip)]
    pub offering_id: OfferingId,
    #[serde(flatten, serialize_with = "amount_and_currency")]
    #[schemars(with = "AmountView")]
    pub money: Money,
    pub valid_from: Option<DateTime<Utc>>,
    /// Exclusive; null: open.
    pub valid_to: Option<DateTime<Utc>>,
}

/// An amount on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AmountView {
    /// Decimal text, tax included, such as `25.00`.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
}

impl From<Money> for AmountView {
    fn from(money: Money) -> Self {
        Self { amount: money.decimal(), currency: money.currency.to_string() }
    }
}

/// Serialises money as the two fields of [`AmountView`].
pub fn amount_and_currency<S: serde::Serializer>(money: &Money, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    AmountView::from(*money).serialize(serializer)
}

/// A plan.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferingView {
    pub id: OfferingId,
    pub name: String,
    pub spec_id: String,
    pub is_bundle: bool,
    pub is_sellable: bool,
    pub lifecycle_status: String,
    pub valid_from: Option<DateTime<Utc>>,
    pub valid_to: Option<DateTime<Utc>>,
    pub period_kind: PlanPeriod,
    /// All rows, past and future.
    pub prices: Vec<PriceView>,
    /// What a new order would pay now; null where nothing is for sale now.
    pub active_price: Option<PriceView>,
    pub bundle_allowance: Vec<AllowanceView>,
}

/// A value added service: a paid top-up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VasView {
    pub id: VasId,
    pub name: String,
    #[serde(flatten, serialize_with = "amount_and_currency")]
    #[schemars(with = "AmountView")]
    pub money: Money,
    pub allowance_type: AllowanceType,
    /// -1 is unlimited until `expiry_hours` have passed.
    pub allowance_quantity: i64,
    pub allowance_unit: Unit,
    /// Null: lasts to the end of the period.
    pub expiry_hours: Option<i32>,
    /// From when it is on sale, inclusive; null: always was.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when, exclusive; null: open.
    pub valid_to: Option<DateTime<Utc>>,
}

/// A service specification of the product-to-service mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpecification {
    pub id: String,
    pub name: String,
    /// The network tasks that bring it up, by their names.
    pub activation_tasks: Vec<String>,
}

/// Which services a plan is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceMapping {
    pub cfs: ServiceSpecification,
    pub rfs: Vec<ServiceSpecification>,
}

#[async_trait]
pub trait Catalog: Send + Sync {
    /// All plans, by id.
    async fn offerings(&self, cx: &Context) -> Result<Vec<OfferingView>>;

    /// Not found when there is no such plan.
    async fn offering(&self, cx: &Context, id: &OfferingId) -> Result<OfferingView>;

    /// The plans that can be bought at `at`, cheapest first.
    async fn offerings_on_sale(&self, cx: &Context, at: DateTime<Utc>) -> Result<Vec<OfferingView>>;

    /// The lowest recurring price in force at `at`; violates `catalog.price.no_active_row` when there is none.
    async fn active_price(&self, cx: &Context, id: &OfferingId, at: DateTime<Utc>) -> Result<PriceView>;

    /// A price row whenever it was in force: contracts and migrations refer to it.
    async fn price(&self, cx: &Context, id: &PriceId) -> Result<PriceView>;

    /// The top-ups on sale now, by id.
    async fn vas_offerings(&self, cx: &Context) -> Result<Vec<VasView>>;

    /// One that is on sale now; not found otherwise.
    async fn vas_offering(&self, cx: &Context, id: &VasId) -> Result<VasView>;

    /// One that may be on sale no longer, or not yet: what was bought keeps its name and price.
    async fn vas_on_record(&self, cx: &Context, id: &VasId) -> Result<VasView>;

    /// Not found when the plan has no mapping: such a plan cannot be fulfilled.
    async fn service_mapping(&self, cx: &Context, id: &OfferingId) -> Result<ServiceMapping>;

    /// Adds a plan with its price, allowances and services.
    async fn add_offering(&self, cx: &Context, command: AddOffering) -> Result<OfferingView>;

    /// Moves the window in which a plan is on sale.
    async fn window_offering(&self, cx: &Context, command: WindowOffering) -> Result<OfferingView>;

    /// Takes a plan off sale for good. Repeating it changes nothing.
    async fn retire_offering(&self, cx: &Context, id: &OfferingId) -> Result<OfferingView>;

    /// Adds a price to a plan, and ends the current one where that is asked for.
    async fn add_price(&self, cx: &Context, command: AddPrice) -> Result<AddedPrice>;

    /// Ends a price; repeating it with the same instant changes nothing.
    async fn retire_price(&self, cx: &Context, command: RetirePrice) -> Result<PriceView>;

    /// Adds a top-up.
    async fn add_vas(&self, cx: &Context, command: AddVas) -> Result<VasView>;

    /// Moves the window in which a top-up is on sale. What comes out as it was is not written.
    async fn window_vas(&self, cx: &Context, command: WindowVas) -> Result<VasView>;
}
