//! Subscription: the customer's line, with its plan, number, price contract, periods, balances and state.
//!
//! Invariants:
//! - A line is charged by its own snapshot of the price; edits of the catalog reach neither that nor a paid period's quota.
//! - Every period is paid before it begins, exactly once: one live charge per line and period index.
//! - A balance is the sum of its entries and uses over the current period, kept as a column under the line's lock.
//! - What a period costs and begins is fixed when its charge is booked, whatever is booked or cancelled until it is paid.
//! - A line is told of a new price once, with its full notice, and pays it from the first renewal after that.
//! - A line is blocked exactly while it has a block reason; each reason has its own way back.
//!
//! A charge is booked in one unit of work (`book`, `renew`, `top_up`) and what it bought is given in another, when payment
//! tells the outcome (`consumers`). What can no longer be given is refunded.
//!
//! Not here: the charging itself (`payment`), numbers and profiles (`crm`), the network (`som`), rating.

mod activate;
pub mod audit;
mod block;
mod book;
mod consumers;
mod events;
mod expire;
mod http;
mod ledger;
mod migrate_price;
mod model;
mod period;
mod plan_change;
mod policy;
pub mod port;
mod remind;
mod renew;
mod renewal_outcome;
mod renewal_paid;
mod state;
mod store;
mod terminate;
mod terms;
mod timeline;
mod top_up;
mod top_up_outcome;
mod usage;
mod view;
mod wait;
mod worker;

use std::sync::Arc;

use async_trait::async_trait;

pub use audit::CHECKS;
pub use http::router;
use port::{
    BalanceView, Booking, HoldReason, ListLines, MigratePrice, OrderedTopUp, PriceMigrationView, RenewalProgress,
    RenewalReport, StateChangeView, SubscriptionId, SubscriptionView, Subscriptions, TimelineEntry, TopUpOrder,
};

use crate::domains::catalog::port::{Catalog, OfferingId, PriceView, VasId};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Customers, Direction, EsimActivation, Inventory, Msisdn};
use crate::domains::payment::port::{AttemptId, Payments};
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::{Error, Result};
use crate::platform::gather::ById;
use crate::platform::scheduler::Ticks;

/// Adds what this domain reacts to.
pub fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers
        .consumer::<consumers::ApplyPayment>()
        .consumer::<consumers::ApplyDecline>()
        .consumer::<consumers::NoteExhaustion>()
}

/// The lines over their tables.
pub struct Service {
    platform: Platform,
    catalog: Arc<dyn Catalog>,
    customers: Arc<dyn Customers>,
    inventory: Arc<dyn Inventory>,
    payments: Arc<dyn Payments>,
    /// Lines that are asked for at the same time are read together.
    lines: ById<SubscriptionId, store::Shown>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("subscription::Service")
    }
}

impl Service {
    pub fn new(
        platform: Platform,
        catalog: Arc<dyn Catalog>,
        customers: Arc<dyn Customers>,
        inventory: Arc<dyn Inventory>,
        payments: Arc<dyn Payments>,
    ) -> Self {
        let db = platform.db.clone();
        let lines = ById::by_id(move |tenant, ids| store::shown_by_id(db.clone(), tenant, ids));
        Self { platform, catalog, customers, inventory, payments, lines }
    }

    /// The code of what [`subscribe`] names.
    pub fn handlers(self: &Arc<Self>) -> Handlers {
        Handlers::default()
            .consumer_of_sets(consumers::ApplyPayment(Arc::clone(self)))
            .consumer(consumers::ApplyDecline(Arc::clone(self)))
            .consumer(consumers::NoteExhaustion(Arc::clone(self)))
    }

    /// Periodic work: `renewal`, `vas_expiry`, `price_migration`.
    pub fn ticks(self: &Arc<Self>) -> Ticks {
        worker::ticks(self)
    }

    /// A line with its balances.
    async fn show(&self, cx: &Context, id: &SubscriptionId) -> Result<store::Shown> {
        let shown = self.lines.ask((Arc::clone(&cx.tenant), id.clone())).await?;
        shown.ok_or_else(|| Error::not_found("subscription", id))
    }

    fn shown_line(&self, cx: &Context, shown: store::Shown) -> SubscriptionView {
        shown.view(cx.now, self.platform.config.profile.time_zone)
    }

    /// One line in the customer's timeline.
    async fn note(&self, tx: &Tx, cx: &Context, customer_id: &CustomerId, summary: &str) -> Result<()> {
        self.customers.note(tx, cx, customer_id, Direction::Internal, summary).await
    }
}

#[async_trait]
impl Subscriptions for Service {
    async fn book(&self, tx: &Tx, cx: &Context, booking: Booking) -> Result<SubscriptionId> {
        self.book_line(tx, cx, booking).await
    }

    async fn cancel_booking(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()> {
        self.cancel_line(tx, cx, order_id).await
    }

    async fn open_lines(&self, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionId>> {
        store::open_lines(self.platform.db.connection(), cx, customer_id).await
    }

    async fn open_lines_within(&self, tx: &Tx, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionId>> {
        store::open_lines(&**tx, cx, customer_id).await
    }

    async fn line(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        Ok(self.shown_line(cx, self.show(cx, id).await?))
    }

    async fn lines_of(&self, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionView>> {
        let lines = store::show_lines_of(&self.platform.db, cx, customer_id).await?;
        Ok(lines.into_iter().map(|shown| self.shown_line(cx, shown)).collect())
    }

    async fn lines(&self, cx: &Context, query: ListLines) -> Result<Vec<SubscriptionView>> {
        let lines = store::show_lines(&self.platform.db, cx, &query).await?;
        Ok(lines.into_iter().map(|shown| self.shown_line(cx, shown)).collect())
    }

    async fn line_by_number(&self, cx: &Context, msisdn: &Msisdn) -> Result<SubscriptionView> {
        Ok(self.shown_line(cx, store::show_by_number(&self.platform.db, cx, msisdn).await?))
    }

    async fn balances(&self, cx: &Context, id: &SubscriptionId) -> Result<Vec<BalanceView>> {
        Ok(self.line(cx, id).await?.balances)
    }

    async fn history(&self, cx: &Context, id: &SubscriptionId) -> Result<Vec<StateChangeView>> {
        let steps = store::history(&self.platform.db, cx, id).await?;
        if steps.is_empty() {
            // Every line has its first step: without one there is no such line.
            self.line(cx, id).await?;
        }
        Ok(steps)
    }

    async fn esim_activation(&self, cx: &Context, id: &SubscriptionId) -> Result<EsimActivation> {
        let line = self.show(cx, id).await?.line;
        self.inventory.esim_activation(cx, line.id.as_str()).await
    }

    async fn purchase_vas(&self, cx: &Context, id: &SubscriptionId, vas_id: &VasId) -> Result<SubscriptionView> {
        self.top_up(cx, id, vas_id).await
    }

    async fn book_top_up(&self, tx: &Tx, cx: &Context, order: TopUpOrder) -> Result<AttemptId> {
        self.book_ordered_top_up(tx, cx, order).await
    }

    async fn top_up_of_order(&self, cx: &Context, order_id: &OrderId) -> Result<Option<OrderedTopUp>> {
        self.ordered_top_up(cx, order_id).await
    }

    async fn renew_now(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        self.renew_at_once(cx, id).await
    }

    async fn pay_now(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        self.pay_at_once(cx, id).await
    }

    async fn renew_due(&self, cx: &Context) -> Result<RenewalReport> {
        self.sweep_and_wait(cx).await
    }

    async fn renewal_progress(&self, cx: &Context) -> Result<RenewalProgress> {
        store::renewal::progress(&self.platform.db, cx).await
    }

    async fn block(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        reason: HoldReason,
        note: Option<&str>,
    ) -> Result<SubscriptionView> {
        self.hold_line(cx, id, reason, note).await
    }

    async fn unblock(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        reason: Option<HoldReason>,
        note: Option<&str>,
    ) -> Result<SubscriptionView> {
        self.release_line(cx, id, reason, note).await
    }

    async fn may_change_plan(&self, cx: &Context, id: &SubscriptionId, to: &OfferingId) -> Result<PriceView> {
        self.check_plan_change(cx, id, to).await
    }

    async fn schedule_plan_change(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        to: &OfferingId,
    ) -> Result<SubscriptionView> {
        self.change_plan(cx, id, to).await
    }

    async fn book_plan_change(&self, tx: &Tx, cx: &Context, id: &SubscriptionId, price: PriceView) -> Result<()> {
        self.change_plan_within(tx, cx, id, price).await
    }

    async fn cancel_plan_change(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        self.cancel_booked_change(cx, id).await
    }

    async fn migrate_price(&self, cx: &Context, command: MigratePrice) -> Result<PriceMigrationView> {
        self.move_to_price(cx, command).await
    }

    async fn timeline(&self, cx: &Context, id: &SubscriptionId, limit: u32, offset: u32) -> Result<Vec<TimelineEntry>> {
        self.tell_timeline(cx, id, limit, offset).await
    }

    async fn terminate(&self, cx: &Context, id: &SubscriptionId, reason: &str) -> Result<SubscriptionView> {
        self.end_line(cx, id, reason).await
    }

    async fn terminate_within(&self, tx: &Tx, cx: &Context, id: &SubscriptionId, reason: &str) -> Result<()> {
        self.end_line_within(tx, cx, id, reason).await
    }
}
