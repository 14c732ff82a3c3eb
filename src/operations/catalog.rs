//! Operations of the catalog.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domains::catalog::port::{
    AddOffering, AddPrice, AddVas, AddedPrice, NO_ACTIVE_PRICE, OfferingId, OfferingView, PriceView, RetireOffering,
    RetirePrice, VasId, VasView, WindowOffering, WindowVas, rule,
};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Registry};
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
        .with::<AddOffering>()
        .with::<AddPrice>()
        .with::<WindowOffering>()
        .with::<RetirePrice>()
        .with::<RetireOffering>()
        .with::<AddVas>()
        .with::<WindowVas>()
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
    const RULES: &'static [Rule] = &[NO_ACTIVE_PRICE];
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

/// Show one top-up, on sale or not.
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
        services.catalog.vas_on_record(cx, &self.vas_offering_id).await
    }
}

impl Operation<Services> for AddOffering {
    const NAME: &'static str = "catalog.add_offering";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[
        rule::ADMIN_ONLY,
        rule::CURRENCY,
        rule::AMOUNT,
        rule::WINDOW,
        rule::QUANTITY,
        rule::SPECIFICATION_NOT_FOUND,
        rule::OFFERING_EXISTS,
        rule::PRICE_EXISTS,
    ];
    const EXAMPLE: &'static str =
        r#"{"offeringId": "PLAN_XS", "name": "Extra Lite", "amount": "5.00", "dataMb": 1024}"#;
    type Output = OfferingView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.add_offering(cx, self).await
    }
}

impl Operation<Services> for AddPrice {
    const NAME: &'static str = "catalog.add_price";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[
        rule::ADMIN_ONLY,
        rule::CURRENCY,
        rule::AMOUNT,
        rule::STARTS_IN_PAST,
        rule::WINDOW,
        rule::OFFERING_NOT_FOUND,
        rule::PRICE_EXISTS,
    ];
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_M", "priceId": "PRICE_PLAN_M_CNY", "amount": "20.00",
        "validFrom": "2027-02-10T00:00:00Z", "validTo": "2027-02-24T00:00:00Z"}"#;
    type Output = AddedPrice;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.add_price(cx, self).await
    }
}

impl Operation<Services> for WindowOffering {
    const NAME: &'static str = "catalog.window_offering";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::ADMIN_ONLY, rule::WINDOW, rule::OFFERING_NOT_FOUND];
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_S", "validTo": "2027-01-01T00:00:00Z"}"#;
    type Output = OfferingView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.window_offering(cx, self).await
    }
}

impl Operation<Services> for RetirePrice {
    const NAME: &'static str = "catalog.retire_price";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::ADMIN_ONLY, rule::ENDS_IN_PAST, rule::WINDOW, rule::PRICE_NOT_FOUND];
    const EXAMPLE: &'static str = r#"{"priceId": "PRICE_PLAN_M_CNY"}"#;
    type Output = PriceView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.retire_price(cx, self).await
    }
}

impl Operation<Services> for RetireOffering {
    const NAME: &'static str = "catalog.retire_offering";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::ADMIN_ONLY, rule::LIFECYCLE, rule::OFFERING_NOT_FOUND];
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_XS"}"#;
    type Output = OfferingView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.retire_offering(cx, &self.offering_id).await
    }
}

impl Operation<Services> for AddVas {
    const NAME: &'static str = "catalog.add_vas";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] =
        &[rule::ADMIN_ONLY, rule::CURRENCY, rule::AMOUNT, rule::WINDOW, rule::VAS_GRANT, rule::VAS_EXISTS];
    const EXAMPLE: &'static str = r#"{"vasOfferingId": "VAS_DATA_10GB", "name": "Data Top-Up 10GB", "amount": "20.00",
        "allowanceType": "data", "allowanceQuantity": 10240}"#;
    type Output = VasView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.add_vas(cx, self).await
    }
}

impl Operation<Services> for WindowVas {
    const NAME: &'static str = "catalog.window_vas";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::ADMIN_ONLY, rule::WINDOW, rule::VAS_NOT_FOUND];
    const EXAMPLE: &'static str = r#"{"vasOfferingId": "VAS_DATA_5GB", "validTo": "2027-01-01T00:00:00Z"}"#;
    type Output = VasView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.catalog.window_vas(cx, self).await
    }
}
