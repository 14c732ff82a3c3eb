//! Operations on service orders and services.

use crate::domains::som::port::{
    GetService, GetServiceOrder, ListServiceOrders, ListServices, ListUnconfirmed, ServiceOrderView, ServiceView,
};
use crate::operations::services::Services;
use crate::operations::{Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::Result;

/// Adds the operations on service orders and services.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<GetServiceOrder>()
        .with::<ListServiceOrders>()
        .with::<GetService>()
        .with::<ListServices>()
        .with::<ListUnconfirmed>()
}

impl Operation<Services> for GetServiceOrder {
    const NAME: &'static str = "service_order.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"serviceOrderId": "SO-0001"}"#;
    type Output = ServiceOrderView;

    async fn run(self, services: &Services, cx: &Context) -> Result<ServiceOrderView> {
        services.service_orders.service_order(cx, self).await
    }
}

impl Operation<Services> for ListServiceOrders {
    const NAME: &'static str = "service_order.list_for_order";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"orderId": "ORD-0042"}"#;
    type Output = Vec<ServiceOrderView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Vec<ServiceOrderView>> {
        services.service_orders.service_orders_of_order(cx, self).await
    }
}

impl Operation<Services> for GetService {
    const NAME: &'static str = "service.get";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"serviceId": "SVC-0001"}"#;
    type Output = ServiceView;

    async fn run(self, services: &Services, cx: &Context) -> Result<ServiceView> {
        services.service_orders.service(cx, self).await
    }
}

impl Operation<Services> for ListServices {
    const NAME: &'static str = "service.list_for_subscription";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"subscriptionId": "SUB-0042"}"#;
    type Output = Vec<ServiceView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Vec<ServiceView>> {
        services.service_orders.services_of_subscription(cx, self).await
    }
}

impl Operation<Services> for ListUnconfirmed {
    const NAME: &'static str = "service.list_unconfirmed";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"wanted": "suspended"}"#;
    type Output = Vec<ServiceView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Vec<ServiceView>> {
        services.service_orders.unconfirmed(cx, self).await
    }
}
