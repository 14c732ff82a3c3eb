//! What operators do to the catalog.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{AllowanceType, OfferingId, PriceId, PriceView, VasId};

/// Add a plan with its price and allowances, on sale at once or in its window.
///
/// Everything is written or nothing. An allowance that is not given is no part of the plan; 0 is "none included, top-up
/// possible", -1 is unlimited.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddOffering {
    /// By habit PLAN_…; `catalog.offering.already_exists` when it is taken.
    pub offering_id: OfferingId,
    pub name: String,
    /// The specification; that of prepaid mobile plans when not given.
    #[serde(default = "prepaid")]
    pub spec_id: String,
    /// Price of a period, tax included, as decimal text such as 25.00.
    pub amount: String,
    /// ISO 4217; only the operator's own is taken.
    pub currency: Option<String>,
    /// PRICE_ and the id of the plan when not given.
    pub price_id: Option<PriceId>,
    /// From when the plan and its price are in force, inclusive; always when not given.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when, exclusive.
    pub valid_to: Option<DateTime<Utc>>,
    #[schemars(range(min = -1))]
    pub data_mb: Option<i64>,
    #[schemars(range(min = -1))]
    pub voice_minutes: Option<i64>,
    #[schemars(range(min = -1))]
    pub sms_count: Option<i64>,
    #[schemars(range(min = -1))]
    pub data_roaming_mb: Option<i64>,
}

fn prepaid() -> String {
    "SPEC_MOBILE_PREPAID".to_owned()
}

/// Change the window in which a plan is on sale. A bound that is not given stays as it is; null opens it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowOffering {
    pub offering_id: OfferingId,
    /// Inclusive.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub valid_from: Option<Option<DateTime<Utc>>>,
    /// Exclusive.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub valid_to: Option<Option<DateTime<Utc>>>,
}

/// Tells a null from nothing at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<DateTime<Utc>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Add a price to a plan. The lowest price in force is what new orders pay; lines keep the price they were sold at.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddPrice {
    pub offering_id: OfferingId,
    /// `catalog.price.already_exists` when it is taken.
    pub price_id: PriceId,
    /// Price of a period, tax included, as decimal text such as 20.00.
    pub amount: String,
    /// ISO 4217; only the operator's own is taken.
    pub currency: Option<String>,
    /// Inclusive; always when not given.
    pub valid_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub valid_to: Option<DateTime<Utc>>,
    /// Ends the open price in force at the instant at which this one begins, so that there is neither a gap nor a choice.
    #[serde(default)]
    pub retire_current: bool,
}

/// A price that was added.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedPrice {
    #[serde(flatten)]
    pub price: PriceView,
    /// The prices that were ended by it.
    pub retired: Vec<PriceId>,
    /// Set when the plan cannot be sold from some instant on, because no price is in force then.
    pub warning: Option<String>,
}

/// End a price. Lines that were sold at it keep it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetirePrice {
    pub price_id: PriceId,
    /// The first instant at which it is no longer in force; now when not given.
    pub at: Option<DateTime<Utc>>,
}

/// Take a plan off sale for good. Lines that have it keep it, with its price, and renew.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetireOffering {
    pub offering_id: OfferingId,
}

/// Add a top-up, on sale at once or in its window.
///
/// Nothing of it changes later but its window: what was bought refers to it. For another price add another one, and end the
/// window of this one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddVas {
    /// By habit VAS_…; `catalog.vas.already_exists` when it is taken.
    pub vas_offering_id: VasId,
    pub name: String,
    /// Price, tax included, as decimal text such as 3.00.
    pub amount: String,
    /// ISO 4217; only the operator's own is taken.
    pub currency: Option<String>,
    pub allowance_type: AllowanceType,
    /// In MB, minutes or messages, as the allowance is counted; -1 is unlimited for its hours.
    #[schemars(range(min = -1))]
    pub allowance_quantity: i64,
    /// How long it lasts, 1 to 8784; to the end of the period when not given. A pass without limit needs it.
    #[schemars(range(min = 1, max = 8784))]
    pub expiry_hours: Option<i32>,
    /// From when it is on sale, inclusive; always when not given.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when, exclusive.
    pub valid_to: Option<DateTime<Utc>>,
}

/// Change the window in which a top-up is on sale; an end in the past takes it off sale at once. A bound that is not given
/// stays as it is; null opens it. What was bought stays.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowVas {
    pub vas_offering_id: VasId,
    /// Inclusive.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub valid_from: Option<Option<DateTime<Utc>>>,
    /// Exclusive.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<DateTime<Utc>>")]
    pub valid_to: Option<Option<DateTime<Utc>>>,
}
