//! Operations of the listeners outside. They are registered and removed at the `/hub` of the APIs.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::hub::HubView;

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry.with::<ListHubs>()
}

/// List the listeners outside that are told of events, without their secrets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListHubs {}

impl Operation<Services> for ListHubs {
    const NAME: &'static str = "hub.list";
    const EFFECT: Effect = Effect::Read;
    const AUDIENCE: Audience = Audience::Admin;
    type Output = Vec<HubView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.hubs.list(cx).await
    }
}
