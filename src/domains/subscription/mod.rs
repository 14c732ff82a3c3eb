//! Subscription: the customer's line, with its plan, number, price contract, periods, balances and state.
//!
//! Invariants:
//! - A line is charged by its own snapshot of the price; edits of the catalog reach neither that nor a paid period's quota.
//! - Every period is paid before it begins, exactly once: one live charge per line and period index.
//! - A balance is the sum of its entries and uses over the current period, kept as a column under the line's lock.
//! - A line is blocked exactly while it has a block reason; each reason has its own way back.
//!
//! A charge is booked in one unit of work (`book`, `renew`, `top_up`) and what it bought is given in another, when payment
//! tells the outcome (`consumers`). What can no longer be given is refunded.
//!
//! Not here: the charging itself (`payment`), numbers and profiles (`crm`), the network (`som`), rating.

mod activate;
pub mod audit;
mod book;
mod consumers;
mod events;
mod http;
mod ledger;
mod model;
mod period;
mod policy;
pub mod port;
mod renew;
mod renewal_outcome;
mod state;
mod store;
mod terminate;
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
use port::{BalanceView, Booking, RenewalReport, StateChangeView, SubscriptionId, SubscriptionView, Subscriptions};

use crate::domains::catalog::port::{Catalog, VasId};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Customers, Direction, EsimActivation, Inventory, Msisdn};
use crate::domains::payment::port::Payments;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::Result;
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
        Self { platform, catalog, customers, inventory, payments }
    }

    /// The code of what [`subscribe`] names.
    pub fn handlers(self: &Arc<Self>) -> Handlers {
        Handlers::default()
            .consumer(consumers::ApplyPayment(Arc::clone(self)))
            .consumer(consumers::ApplyDecline(Arc::clone(self)))
            .consumer(consumers::NoteExhaustion(Arc::clone(self)))
    }

    /// Periodic work: `renewal`.
    pub fn ticks(self: &Arc<Self>) -> Ticks {
        worker::ticks(self)
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
        store::open_lines(&self.platform.db, cx, customer_id).await
    }

    async fn line(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        Ok(store::show(&self.platform.db, cx, id).await?.into())
    }

    async fn lines_of(&self, cx: &Context, customer_id: &CustomerId) -> Result<Vec<SubscriptionView>> {
        let lines = store::show_lines_of(&self.platform.db, cx, customer_id).await?;
        Ok(lines.into_iter().map(Into::into).collect())
    }

    async fn line_by_number(&self, cx: &Context, msisdn: &Msisdn) -> Result<SubscriptionView> {
        Ok(store::show_by_number(&self.platform.db, cx, msisdn).await?.into())
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
        let line = store::show(&self.platform.db, cx, id).await?.line;
        self.inventory.esim_activation(cx, line.id.as_str()).await
    }

    async fn purchase_vas(&self, cx: &Context, id: &SubscriptionId, vas_id: &VasId) -> Result<SubscriptionView> {
        self.top_up(cx, id, vas_id).await
    }

    async fn renew_now(&self, cx: &Context, id: &SubscriptionId) -> Result<SubscriptionView> {
        self.renew_at_once(cx, id).await
    }

    async fn renew_due(&self, cx: &Context) -> Result<RenewalReport> {
        self.sweep_and_wait(cx).await
    }

    async fn terminate(&self, cx: &Context, id: &SubscriptionId, reason: &str) -> Result<SubscriptionView> {
        self.end_line(cx, id, reason).await
    }
}
