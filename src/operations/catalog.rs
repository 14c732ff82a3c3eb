//! Operations of the catalog.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domains::catalog::port::{OfferingId, OfferingView, PriceView, VasId, VasView, rule};
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<ListOfferings>()
        .with::<GetOffering>()
        .with::<ListActiveOfferings>()
        .with::<GetActivePrice>()
        .with::<ListVas>()
        .with::<GetVas>()
}

/// List all plans, whether on sale or not, with every price row.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListOfferings {}

impl Operation<Services> for ListOfferings {
    const NAME: &'static str = "catalog.list_offerings";
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<OfferingView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.offerings(cx).await
    }
}

/// Show one plan with its prices and allowances.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetOffering {
    pub offering_id: OfferingId,
}

impl Operation<Services> for GetOffering {
    const NAME: &'static str = "catalog.get_offering";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_M"}"#;
    type Output = OfferingView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.offering(cx, &self.offering_id).await
    }
}

/// List the plans that can be bought, cheapest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListActiveOfferings {
    /// The instant that decides; now when not given.
    pub at: Option<DateTime<Utc>>,
}

impl Operation<Services> for ListActiveOfferings {
    const NAME: &'static str = "catalog.list_active_offerings";
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<OfferingView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.offerings_on_sale(cx, self.at.unwrap_or(cx.now)).await
    }
}

/// Show the price that a new order for a plan pays.
///
/// Fails with `catalog.price.no_active_row` when the plan has no price in force.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetActivePrice {
    pub offering_id: OfferingId,
    /// The instant that decides; now when not given.
    pub at: Option<DateTime<Utc>>,
}

impl Operation<Services> for GetActivePrice {
    const NAME: &'static str = "catalog.get_active_price";
    const EFFECT: Effect = Effect::Read;
    const RULES: &'static [Rule] = &[rule::NO_ACTIVE_PRICE];
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_M"}"#;
    type Output = PriceView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.active_price(cx, &self.offering_id, self.at.unwrap_or(cx.now)).await
    }
}

/// List the top-ups on sale.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListVas {}

impl Operation<Services> for ListVas {
    const NAME: &'static str = "catalog.list_vas";
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<VasView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.vas_offerings(cx).await
    }
}

/// Show one top-up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetVas {
    pub vas_offering_id: VasId,
}

impl Operation<Services> for GetVas {
    const NAME: &'static str = "catalog.get_vas";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"vasOfferingId": "VAS_DATA_1GB"}"#;
    type Output = VasView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.vas_offering(cx, &self.vas_offering_id).await
    }
}
