//! Operations of payment. Commands and views are in the port of the domain.

use crate::domains::payment::port::{
    AddCard, AttemptView, Cutover, CutoverPreview, CutoverView, GetAttempt, ListAttempts, ListMethods, MethodView,
    PreviewCutover, RefundAttempt, RemoveMethod, SetDefaultMethod, rule,
};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<AddCard>()
        .with::<ListMethods>()
        .with::<SetDefaultMethod>()
        .with::<RemoveMethod>()
        .with::<PreviewCutover>()
        .with::<Cutover>()
        .with::<ListAttempts>()
        .with::<GetAttempt>()
        .with::<RefundAttempt>()
}

impl Operation<Services> for AddCard {
    const NAME: &'static str = "payment.add_card";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[
        rule::ADD_CUSTOMER_EXISTS,
        rule::ADD_CUSTOMER_STATE,
        rule::ADD_CARD_NUMBER,
        rule::ADD_CARD_EXPIRED,
        rule::ADD_CARD_REFUSED,
        rule::ADD_TOO_MANY,
    ];
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "cardNumber": "4242424242424242"}"#;
    type Output = MethodView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.add_card(cx, self).await
    }
}

impl Operation<Services> for ListMethods {
    const NAME: &'static str = "payment.list_methods";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f"}"#;
    type Output = Vec<MethodView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.methods(cx, self).await
    }
}

impl Operation<Services> for SetDefaultMethod {
    const NAME: &'static str = "payment.set_default_method";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::DEFAULT_REMOVED, rule::DEFAULT_EXPIRED];
    const EXAMPLE: &'static str = r#"{"paymentMethodId": "PM-0001"}"#;
    type Output = MethodView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.set_default_method(cx, &self.payment_method_id).await
    }
}

impl Operation<Services> for RemoveMethod {
    const NAME: &'static str = "payment.remove_method";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[rule::REMOVE_TWICE, rule::REMOVE_LAST, rule::REMOVE_PENDING];
    const EXAMPLE: &'static str = r#"{"paymentMethodId": "PM-0001"}"#;
    type Output = MethodView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.remove_method(cx, &self.payment_method_id).await
    }
}

impl Operation<Services> for PreviewCutover {
    const NAME: &'static str = "payment.preview_cutover";
    const EFFECT: Effect = Effect::Read;
    const AUDIENCE: Audience = Audience::Admin;
    type Output = CutoverPreview;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.preview_cutover(cx, self).await
    }
}

impl Operation<Services> for Cutover {
    const NAME: &'static str = "payment.cutover";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    type Output = CutoverView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.cutover(cx).await
    }
}

impl Operation<Services> for ListAttempts {
    const NAME: &'static str = "payment.list_attempts";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "limit": 10}"#;
    type Output = Vec<AttemptView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.attempts(cx, self).await
    }
}

impl Operation<Services> for GetAttempt {
    const NAME: &'static str = "payment.get_attempt";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"paymentAttemptId": "PAY-000001"}"#;
    type Output = AttemptView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.attempt(cx, &self.payment_attempt_id).await
    }
}

impl Operation<Services> for RefundAttempt {
    const NAME: &'static str = "payment.refund";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[rule::REFUND_NOTHING];
    const EXAMPLE: &'static str = r#"{"paymentAttemptId": "PAY-000001", "reason": "Charged by mistake"}"#;
    type Output = AttemptView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.payments.refund_attempt(cx, self).await
    }
}
