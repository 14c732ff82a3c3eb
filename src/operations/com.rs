//! Operations on commercial orders.

use std::time::Duration;

use crate::domains::com::port::{
    CancelOrder, CeaseLine, GetOrder, HoldOrder, ListOrders, OrderView, PlaceOrder, SubmitOrder, WaitUntilOrder, rule,
};
use crate::operations::services::Services;
use crate::operations::triage::{RetryOrder, TriageOrder};
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations on orders.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<PlaceOrder>()
        .with::<CeaseLine>()
        .with::<GetOrder>()
        .with::<ListOrders>()
        .with::<SubmitOrder>()
        .with::<HoldOrder>()
        .with::<CancelOrder>()
        .with::<WaitUntilOrder>()
        .with::<TriageOrder>()
        .with::<RetryOrder>()
}

impl Operation<Services> for PlaceOrder {
    const NAME: &'static str = "order.create";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[
        rule::CUSTOMER_NOT_FOUND,
        rule::CUSTOMER_CLOSED,
        rule::REQUIRES_VERIFIED_CUSTOMER,
        rule::OFFERING_NOT_FOUND,
        rule::NOT_SELLABLE_NOW,
        rule::NO_PAYMENT_METHOD,
        rule::LINE_NOT_FOUND,
        rule::LINE_OF_ANOTHER_CUSTOMER,
        rule::LINE_NOT_IN_SERVICE,
    ];
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "offeringId": "PLAN_M"}"#;
    type Output = OrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<OrderView> {
        services.orders.create(cx, self.into()).await
    }
}

impl Operation<Services> for CeaseLine {
    const NAME: &'static str = "order.cease";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[
        rule::CUSTOMER_NOT_FOUND,
        rule::CUSTOMER_CLOSED,
        rule::LINE_NOT_FOUND,
        rule::LINE_OF_ANOTHER_CUSTOMER,
        rule::LINE_NOT_IN_SERVICE,
    ];
    const EXAMPLE: &'static str = r#"{"customerId": "CUST-4be1709c0d2f", "subscriptionId": "SUB-0042"}"#;
    type Output = OrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<OrderView> {
        services.orders.create(cx, self.into()).await
    }
}

impl Operation<Services> for GetOrder {
    const NAME: &'static str = "order.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0042"}"#;
    type Output = OrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<OrderView> {
        services.orders.get(cx, self).await
    }
}

impl Operation<Services> for ListOrders {
    const NAME: &'static str = "order.list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"state": "in_progress", "limit": 20}"#;
    type Output = Vec<OrderView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Vec<OrderView>> {
        services.orders.list(cx, self).await
    }
}

impl Operation<Services> for SubmitOrder {
    const NAME: &'static str = "order.submit";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::TRANSITION_INVALID];
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0042"}"#;
    type Output = OrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<OrderView> {
        services.orders.submit(cx, self).await
    }
}

impl Operation<Services> for HoldOrder {
    const NAME: &'static str = "order.hold";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::TRANSITION_INVALID];
    const EXAMPLE: &'static str =
        r#"{"orderId": "ORD-0042", "reason": "Fraud desk: the card was used for nine orders today"}"#;
    type Output = OrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<OrderView> {
        services.orders.hold(cx, self).await
    }
}

impl Operation<Services> for CancelOrder {
    const NAME: &'static str = "order.cancel";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[rule::TRANSITION_INVALID, rule::CANCEL_FORBIDDEN];
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0042", "reason": "changed my mind"}"#;
    type Output = OrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<OrderView> {
        services.orders.cancel(cx, self).await
    }
}

impl Operation<Services> for WaitUntilOrder {
    const NAME: &'static str = "order.wait_until";
    const EFFECT: Effect = Effect::Read;
    const RULES: &'static [Rule] = &[rule::OTHER_TERMINAL_STATE];
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0042", "state": "completed", "timeoutSeconds": 30}"#;
    /// Nine tenths of it, the caller's deadline, are more than the longest wait.
    const TIMEOUT: Duration = Duration::from_secs(68);
    type Output = OrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<OrderView> {
        services.orders.wait_until(cx, self).await
    }
}
