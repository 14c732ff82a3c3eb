//! Operations of rating: what a plan takes off for usage, without a line.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domains::catalog::port::OfferingId;
use crate::domains::rating::port::{Sample, TEST_RULES, Tariff, Tested, rate_test, tariff};
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry.with::<ShowTariff>().with::<TestRate>()
}

/// Largest quantity of one event, as in recording.
const QUANTITY_MAX: i64 = 1_000_000_000_000;

/// Show what a plan takes off for each kind of usage, at home and abroad, as the catalog defines it today.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowTariff {
    pub offering_id: OfferingId,
}

impl Operation<Services> for ShowTariff {
    const NAME: &'static str = "rating.tariff";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_M"}"#;
    type Output = Tariff;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let plan = services.catalog.offering(cx, &self.offering_id).await?;
        Ok(tariff(&plan, services.platform.config.profile.currency))
    }
}

/// Rate an event as the first one of a period on a plan. Nothing is recorded, and no line is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestRate {
    pub offering_id: OfferingId,
    /// `data`, `voice`, `voice_minutes` (the same) or `sms`.
    pub event_type: String,
    /// 1 to 1000000000000, in `unit`.
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub quantity: i64,
    /// The unit of the type, and no other: `mb`, `minutes` or `count`.
    pub unit: Option<String>,
    /// Used abroad.
    #[serde(default)]
    pub roaming_indicator: bool,
}

impl Operation<Services> for TestRate {
    const NAME: &'static str = "rating.test";
    const EFFECT: Effect = Effect::Read;
    const RULES: &'static [Rule] = TEST_RULES;
    const EXAMPLE: &'static str = r#"{"offeringId": "PLAN_M", "eventType": "data", "quantity": 120, "unit": "mb"}"#;
    type Output = Tested;

    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        if !(1..=QUANTITY_MAX).contains(&self.quantity) {
            return Err(Error::invalid("/quantity", format!("must be 1 to {QUANTITY_MAX}")));
        }
        let plan = services.catalog.offering(cx, &self.offering_id).await?;
        let sample = Sample {
            event_type: &self.event_type,
            roaming: self.roaming_indicator,
            quantity: self.quantity,
            unit: self.unit.as_deref(),
        };
        Ok(rate_test(&plan, sample, services.platform.config.profile.currency)?)
    }
}
