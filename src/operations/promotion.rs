//! Operations on promotions.

use crate::domains::catalog::port::{
    AssignPromotion, Assigned, CreatePromotion, ExhaustPromotion, ListPromotions, PreviewPromotion, PreviewView,
    PromotionDetails, PromotionView, ShowPromotion, UnassignPromotion, Unassigned, promotion_rule, rule,
};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations of this file.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<CreatePromotion>()
        .with::<ListPromotions>()
        .with::<ShowPromotion>()
        .with::<AssignPromotion>()
        .with::<UnassignPromotion>()
        .with::<ExhaustPromotion>()
        .with::<PreviewPromotion>()
}

impl Operation<Services> for CreatePromotion {
    const NAME: &'static str = "promo.create";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[
        rule::ADMIN_ONLY,
        promotion_rule::AUDIENCE,
        rule::CURRENCY,
        promotion_rule::DISCOUNT_TYPE,
        promotion_rule::DISCOUNT_VALUE,
        promotion_rule::DURATION_KIND,
        promotion_rule::PERIODS_TOTAL,
        promotion_rule::REQUIRES_CODE,
        promotion_rule::CODE_KIND,
        rule::WINDOW,
        rule::OFFERING_NOT_FOUND,
        promotion_rule::ALREADY_EXISTS,
        promotion_rule::CODE_IN_USE,
    ];
    const EXAMPLE: &'static str = r#"{"promotionId": "PROMO_SUMMER25", "discountType": "percent", "discountValue": "20",
        "durationKind": "multi", "periodsTotal": 3, "code": "SUMMER25", "promoCodeKind": "multi_use",
        "applicableOfferingIds": ["PLAN_M"]}"#;
    type Output = PromotionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.promotions.create(cx, self).await
    }
}

impl Operation<Services> for ListPromotions {
    const NAME: &'static str = "promo.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"state": "active", "limit": 20}"#;
    type Output = Vec<PromotionView>;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.promotions.list(cx, self).await
    }
}

impl Operation<Services> for ShowPromotion {
    const NAME: &'static str = "promo.show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"promotionId": "PROMO_VIP"}"#;
    type Output = PromotionDetails;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.promotions.show(cx, &self.promotion_id).await
    }
}

impl Operation<Services> for AssignPromotion {
    const NAME: &'static str = "promo.assign";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] =
        &[rule::ADMIN_ONLY, promotion_rule::NOT_TARGETED, promotion_rule::CUSTOMER_NOT_FOUND];
    const EXAMPLE: &'static str = r#"{"promotionId": "PROMO_VIP", "customerIds": ["CUST-4be1709c0d2f"]}"#;
    type Output = Assigned;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.promotions.assign(cx, self).await
    }
}

impl Operation<Services> for UnassignPromotion {
    const NAME: &'static str = "promo.unassign";
    const EFFECT: Effect = Effect::Write;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::ADMIN_ONLY, promotion_rule::NOT_TARGETED];
    const EXAMPLE: &'static str = r#"{"promotionId": "PROMO_VIP", "customerIds": ["CUST-4be1709c0d2f"]}"#;
    type Output = Unassigned;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.promotions.unassign(cx, self).await
    }
}

impl Operation<Services> for ExhaustPromotion {
    const NAME: &'static str = "promo.exhaust";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    const RULES: &'static [Rule] = &[rule::ADMIN_ONLY];
    const EXAMPLE: &'static str = r#"{"promotionId": "PROMO_VIP"}"#;
    type Output = PromotionView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.promotions.exhaust(cx, &self.promotion_id).await
    }
}

impl Operation<Services> for PreviewPromotion {
    const NAME: &'static str = "promo.preview";
    const EFFECT: Effect = Effect::Read;
    const RULES: &'static [Rule] = &[rule::OFFERING_NOT_FOUND];
    const EXAMPLE: &'static str = r#"{"code": "SUMMER25", "offeringId": "PLAN_M"}"#;
    type Output = PreviewView;
    async fn run(self, services: &Services, cx: &Context) -> Result<Self::Output> {
        services.promotions.preview(cx, self).await
    }
}
