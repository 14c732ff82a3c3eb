//! Operations about the operator: who it is, and how its numbers, dates and prices are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::Result;

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry.with::<ShowProfile>()
}

/// Show how the operator writes its numbers, dates and prices: currency, tax label, time zone, calling code, brand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShowProfile {}

/// The operator as every surface shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorView {
    /// The brand.
    pub name: String,
    pub support_email: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 4217.
    pub currency: String,
    /// Digits, without the plus.
    pub calling_code: String,
    /// Digits of a number without the calling code.
    pub number_length: usize,
    /// IANA, such as Asia/Singapore.
    pub time_zone: String,
    /// What stands beside prices, such as `GST inclusive`.
    pub tax_label: String,
    /// BCP 47.
    pub locale: String,
}

impl Operation<Services> for ShowProfile {
    const NAME: &'static str = "operator.profile";
    const EFFECT: Effect = Effect::Read;
    type Output = OperatorView;
    async fn run(self, services: &Services, _: &Context) -> Result<Self::Output> {
        let profile = services.platform.config.profile.clone();
        Ok(OperatorView {
            currency: profile.currency.to_string(),
            time_zone: profile.time_zone.name().to_owned(),
            name: profile.name,
            support_email: profile.support_email,
            country: profile.country,
            calling_code: profile.calling_code,
            number_length: profile.number_length,
            tax_label: profile.tax_label,
            locale: profile.locale,
        })
    }
}
