//! Operations of messages to customers. Commands and views are in the port of crm.

use crate::domains::crm::port::{
    GetMessage, ListMessages, ListPreferences, MessageView, PreferenceView, ResendMessage, SetPreference, rule,
};
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<ListMessages>()
        .with::<GetMessage>()
        .with::<ResendMessage>()
        .with::<ListPreferences>()
        .with::<SetPreference>()
}

impl Operation<Services> for ListMessages {
    const NAME: &'static str = "communication.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "state": "failed"}"#;
    type Output = Vec<MessageView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.communications.messages(cx, self).await
    }
}

impl Operation<Services> for GetMessage {
    const NAME: &'static str = "communication.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"messageId": "MSG-4be1709c0d2f"}"#;
    type Output = MessageView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.communications.message(cx, &self.message_id).await
    }
}

impl Operation<Services> for ResendMessage {
    const NAME: &'static str = "communication.resend";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::RESEND_STILL_PENDING];
    const EXAMPLE: &'static str = r#"{"messageId": "MSG-4be1709c0d2f"}"#;
    type Output = MessageView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.communications.resend(cx, &self.message_id).await
    }
}

impl Operation<Services> for ListPreferences {
    const NAME: &'static str = "communication.list_preferences";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f"}"#;
    type Output = Vec<PreferenceView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.communications.preferences(cx, &self.customer_id).await
    }
}

impl Operation<Services> for SetPreference {
    const NAME: &'static str = "communication.set_preference";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::PREFERENCE_MANDATORY, rule::HOLD_CLOSED];
    const EXAMPLE: &'static str =
        r#"{"customerId": "CUST-4be1709c0d2f", "template": "renewal_reminder", "wanted": false}"#;
    type Output = Vec<PreferenceView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.communications.set_preference(cx, self).await
    }
}
