//! Operations of the inventory: numbers and eSIM profiles.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domains::crm::port::{
    AddNumberRange, AddProfiles, AddedProfiles, AddedRange, Iccid, ListNumbers, ListProfiles, Msisdn, NumberCount,
    NumberStatus, NumberView, ProfileState, ProfileView, ReleaseNumber, rule,
};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<ListAvailableNumbers>()
        .with::<ListNumbers>()
        .with::<GetNumber>()
        .with::<CountNumbers>()
        .with::<AddNumberRange>()
        .with::<ReleaseNumber>()
        .with::<ListProfiles>()
        .with::<ListAvailableProfiles>()
        .with::<GetProfile>()
        .with::<AddProfiles>()
}

const fn limit_default() -> u32 {
    20
}

/// List the numbers that a customer can choose from, lowest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListAvailableNumbers {
    /// The first digits.
    pub prefix: Option<String>,
    /// How many at most, 1 to 1000.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
}

impl Operation<Services> for ListAvailableNumbers {
    const NAME: &'static str = "inventory.msisdn.list_available";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"limit": 5}"#;
    type Output = Vec<NumberView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let available = Some(NumberStatus::Available);
        let filter = ListNumbers { status: available, prefix: self.prefix, limit: self.limit, offset: 0 };
        services.inventory.numbers(cx, filter).await
    }
}

impl Operation<Services> for ListNumbers {
    const NAME: &'static str = "inventory.msisdn.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"status": "assigned"}"#;
    type Output = Vec<NumberView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.numbers(cx, self).await
    }
}

/// Show where one number stands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetNumber {
    pub msisdn: Msisdn,
}

impl Operation<Services> for GetNumber {
    const NAME: &'static str = "inventory.msisdn.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"msisdn": "90000000"}"#;
    type Output = NumberView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.number(cx, &self.msisdn).await
    }
}

/// Count the numbers by status.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountNumbers {
    /// The first digits.
    pub prefix: Option<String>,
}

impl Operation<Services> for CountNumbers {
    const NAME: &'static str = "inventory.msisdn.count";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"prefix": "9000"}"#;
    type Output = NumberCount;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.count_numbers(cx, self.prefix).await
    }
}

impl Operation<Services> for AddNumberRange {
    const NAME: &'static str = "inventory.msisdn.add_range";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::ADD_RANGE_SANE_PREFIX];
    const EXAMPLE: &'static str = r#"{"prefix": "9100", "count": 10}"#;
    type Output = AddedRange;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.add_range(cx, self).await
    }
}

impl Operation<Services> for ReleaseNumber {
    const NAME: &'static str = "inventory.msisdn.release";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::RELEASE_ONLY_RESERVED, rule::RELEASE_IN_USE, rule::RELEASE_TERMINAL];
    const EXAMPLE: &'static str = r#"{"msisdn": "90000042", "reason": "the order is abandoned"}"#;
    type Output = NumberView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.release_number(cx, self).await
    }
}

impl Operation<Services> for ListProfiles {
    const NAME: &'static str = "inventory.esim.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"state": "activated"}"#;
    type Output = Vec<ProfileView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.profiles(cx, self).await
    }
}

/// List the eSIM profiles that are available, lowest first. ICCIDs are masked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListAvailableProfiles {
    /// How many at most, 1 to 1000.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
}

impl Operation<Services> for ListAvailableProfiles {
    const NAME: &'static str = "inventory.esim.list_available";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"limit": 5}"#;
    type Output = Vec<ProfileView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        let filter = ListProfiles { state: Some(ProfileState::Available), limit: self.limit, offset: 0 };
        services.inventory.profiles(cx, filter).await
    }
}

/// Show where one eSIM profile stands. The answer masks the ICCID.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetProfile {
    pub iccid: Iccid,
}

impl Operation<Services> for GetProfile {
    const NAME: &'static str = "inventory.esim.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"iccid": "8910101000000000000"}"#;
    type Output = ProfileView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.profile(cx, &self.iccid).await
    }
}

impl Operation<Services> for AddProfiles {
    const NAME: &'static str = "inventory.esim.add_batch";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const EXAMPLE: &'static str = r#"{"count": 100}"#;
    type Output = AddedProfiles;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.inventory.add_profiles(cx, self).await
    }
}
