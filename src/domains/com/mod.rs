//! Commercial order management (TMF622): accepts, prices, submits, cancels and ends a customer's order: for a plan on a new line,
//! for a top-up or another plan of a line, for the end of a line.
//!
//! Invariants:
//! - An order's price is the catalog's price at the instant it was placed; nothing later changes it. Neither does anything change
//!   the discount that it promises: nobody is charged more than the order says, whatever became of the promotion.
//! - An order has one item, and the item stands where the order stands.
//! - A completed order for a plan has exactly one line; one that ended otherwise holds no number and no eSIM as soon as the
//!   network has forgotten them, and no money.
//! - A completed order for a top-up has exactly one purchase, which is added and paid; one that ended otherwise has none.
//! - Every change of state is a line of the order's history, and an event, in the same unit of work.
//!
//! The way of an order: acknowledged, submitted (`order.in_progress`), decomposed and provisioned elsewhere, its line booked
//! when the service order completes, completed when the line is in service. Any refusal on the way ends it as failed, with the
//! reason. An order about a line that is there is carried out by the line's domain (`change`), and ends with its answer; that
//! of a top-up when its charge is settled.
//!
//! Not here: what a plan is made of (`catalog`), services and the network (`som`, `provisioning`), charging (`payment`).

mod audit;
mod cancel;
mod change;
mod consumers;
mod create;
mod discount;
mod events;
mod fulfil;
mod hold;
mod http;
mod model;
mod policy;
pub mod port;
mod store;
mod submit;
mod view;
mod wait;
mod worker;

use std::sync::Arc;

use async_trait::async_trait;

use crate::domains::catalog::port::{Catalog, Promotions};
use crate::domains::com::port::{
    CancelOrder, CreateOrder, GetOrder, HoldOrder, ListOrders, OrderId, OrderState, OrderView, Orders, SubmitOrder,
    WaitUntilOrder,
};
use crate::domains::crm::port::{Customers, Inventory, ReservationKeeper};
use crate::domains::payment::port::Payments;
use crate::domains::subscription::port::Subscriptions;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::Result;
use crate::platform::page;
use crate::platform::scheduler::Ticks;

pub use audit::CHECKS;
pub use http::router;

/// The domain's subscriptions to the events of others.
pub fn subscribe(subscribers: Subscribers) -> Subscribers {
    consumers::subscribe(subscribers)
}

/// The commercial orders of this installation.
pub struct Service {
    platform: Platform,
    catalog: Arc<dyn Catalog>,
    promotions: Arc<dyn Promotions>,
    customers: Arc<dyn Customers>,
    inventory: Arc<dyn Inventory>,
    payments: Arc<dyn Payments>,
    subscriptions: Arc<dyn Subscriptions>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("com::Service")
    }
}

impl Service {
    pub fn new(
        platform: Platform,
        catalog: Arc<dyn Catalog>,
        promotions: Arc<dyn Promotions>,
        customers: Arc<dyn Customers>,
        inventory: Arc<dyn Inventory>,
        payments: Arc<dyn Payments>,
        subscriptions: Arc<dyn Subscriptions>,
    ) -> Self {
        Self { platform, catalog, promotions, customers, inventory, payments, subscriptions }
    }

    /// The reactions to what [`subscribe`] subscribed to.
    pub fn handlers(self: &Arc<Self>) -> Handlers {
        consumers::handlers(self)
    }

    /// `stuck_orders`.
    pub fn ticks(self: &Arc<Self>) -> Ticks {
        worker::ticks(self)
    }

    async fn list_orders(&self, cx: &Context, query: &ListOrders) -> Result<Vec<OrderView>> {
        page::within(query.limit, 200, query.offset)?;
        let connection = self.platform.db.connection();
        view::views(connection, cx, store::list(connection, cx, query).await?).await
    }
}

#[async_trait]
impl Orders for Service {
    async fn create(&self, cx: &Context, command: CreateOrder) -> Result<OrderView> {
        self.place(cx, command.into(), view::of_new).await
    }

    async fn get(&self, cx: &Context, query: GetOrder) -> Result<OrderView> {
        let connection = self.platform.db.connection();
        view::one(connection, cx, store::find(connection, cx, &query.order_id).await?).await
    }

    async fn list(&self, cx: &Context, query: ListOrders) -> Result<Vec<OrderView>> {
        self.list_orders(cx, &query).await
    }

    async fn submit(&self, cx: &Context, command: SubmitOrder) -> Result<OrderView> {
        let order = self.submit_order(cx, &command.order_id, None).await?;
        view::one(self.platform.db.connection(), cx, order).await
    }

    async fn hold(&self, cx: &Context, command: HoldOrder) -> Result<OrderView> {
        let order = self.hold_order(cx, command).await?;
        view::one(self.platform.db.connection(), cx, order).await
    }

    async fn cancel(&self, cx: &Context, command: CancelOrder) -> Result<OrderView> {
        let order = self.cancel_order(cx, command, None).await?;
        view::one(self.platform.db.connection(), cx, order).await
    }

    async fn wait_until(&self, cx: &Context, query: WaitUntilOrder) -> Result<OrderView> {
        self.wait_until_state(cx, &query).await
    }

    async fn carry_on(&self, cx: &Context, order_id: &OrderId) -> Result<bool> {
        self.carry_on_change(cx, order_id).await
    }

    async fn is_in_progress(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<bool> {
        Ok(store::hold_state(tx, cx, order_id).await? == Some(OrderState::InProgress))
    }

    async fn remark(&self, tx: &Tx, cx: &Context, order_id: &OrderId, remark: &str) -> Result<()> {
        let mut order = store::lock(tx, cx, order_id).await?;
        order.remark(cx, remark);
        store::save(tx, cx, &order).await
    }
}

/// An order in progress keeps its number and profile.
#[async_trait]
impl ReservationKeeper for Service {
    async fn still_need(&self, cx: &Context, orders: &[String]) -> Result<Vec<String>> {
        store::in_progress(&self.platform.db, cx, orders).await
    }
}
