//! Payment: cards on file, charges, refunds, and the journal of every money move.
//!
//! Invariants:
//! - An attempt is committed as pending before the gateway hears of it, and the gateway's answer is booked exactly once.
//! - A business key has at most one attempt that is pending or approved; a gateway key is never used for two of them.
//! - An unknown outcome stays pending until the gateway tells: it is never taken for a refusal, never charged with a new key.
//! - The lines of every journal entry add up to zero; an approved charge has one charge entry, nothing else has one.
//! - A customer with active cards has exactly one default. A card number is neither stored nor shown.
//!
//! Not here: what is given for the money (`subscription`), what it costs (`catalog`).

mod audit;
mod charge;
mod consumers;
mod cutover;
mod events;
mod http;
mod manual;
mod methods;
mod model;
mod policy;
pub mod port;
mod recognise;
mod refund;
mod request;
mod request_many;
mod store;
mod worker;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use crate::domains::crm::port::{CustomerId, Customers};
use crate::domains::subscription::port::Subscriptions;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::{Error, Result, Violation};
use crate::platform::page;
use crate::platform::scheduler::Ticks;

pub use audit::CHECKS;
use consumers::{Charge, GiveBack};
pub use http::router;
use port::gateway::Gateway;
use port::{
    AddCard, AttemptId, AttemptView, ChargeRequest, CutoverPreview, CutoverView, ListAttempts, ListMethods, MethodView,
    MoneyBack, PaymentMethodId, Payments, PreviewCutover, RefundAttempt, RefundId,
};

/// Who reacts to which event.
pub fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers.effect::<Charge>().effect::<GiveBack>()
}

/// Payment over its tables and one gateway.
pub struct Service {
    platform: Platform,
    customers: Arc<dyn Customers>,
    gateway: Arc<dyn Gateway>,
    subscriptions: OnceLock<Arc<dyn Subscriptions>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("payment::Service").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

impl Service {
    pub const fn new(platform: Platform, customers: Arc<dyn Customers>, gateway: Arc<dyn Gateway>) -> Self {
        Self { platform, customers, gateway, subscriptions: OnceLock::new() }
    }

    /// Joins the domain that itself stands on payment; once, before anything is served.
    pub fn connect(&self, subscriptions: Arc<dyn Subscriptions>) {
        let first = self.subscriptions.set(subscriptions).is_ok();
        assert!(first, "payment is connected once, by the composition root");
    }

    fn subscriptions(&self) -> Result<&dyn Subscriptions> {
        let connected = self.subscriptions.get().map(AsRef::as_ref);
        connected.ok_or_else(|| Error::Internal("payment was not connected to subscription".into()))
    }

    /// The code behind [`subscribe`].
    pub fn handlers(self: &Arc<Self>) -> Handlers {
        Handlers::default().effect_of_sets(Charge(Arc::clone(self))).effect(GiveBack(Arc::clone(self)))
    }

    pub fn ticks(self: &Arc<Self>) -> Ticks {
        let service = Arc::clone(self);
        Ticks::default().add("payment_recovery", Some(Duration::from_secs(5)), "system:payment_recovery", move |cx| {
            let service = Arc::clone(&service);
            async move { service.recover(&cx).await }
        })
    }
}

#[async_trait]
impl Payments for Service {
    async fn has_method(&self, cx: &Context, customer_id: &CustomerId) -> Result<bool> {
        let method = store::methods::chargeable(self.platform.db.connection(), cx, customer_id).await?;
        Ok(method.is_some())
    }

    async fn request_charge(&self, tx: &Tx, cx: &Context, request: ChargeRequest) -> Result<AttemptId> {
        self.book_charge(tx, cx, request).await
    }

    async fn request_charges(
        &self,
        tx: &Tx,
        cx: &Context,
        requests: Vec<ChargeRequest>,
    ) -> Result<Vec<Result<AttemptId, Violation>>> {
        self.book_charges(tx, cx, requests).await
    }

    async fn recognise(&self, tx: &Tx, cx: &Context, attempt_id: &AttemptId) -> Result<()> {
        self.book_revenue(tx, cx, std::slice::from_ref(attempt_id)).await
    }

    async fn recognise_all(&self, tx: &Tx, cx: &Context, attempt_ids: &[AttemptId]) -> Result<()> {
        self.book_revenue(tx, cx, attempt_ids).await
    }

    async fn refund(&self, tx: &Tx, cx: &Context, attempt_id: &AttemptId, reason: &str) -> Result<Option<RefundId>> {
        self.book_refund(tx, cx, attempt_id, reason).await
    }

    async fn add_card(&self, cx: &Context, command: AddCard) -> Result<MethodView> {
        self.put_on_file(cx, command).await
    }

    async fn methods(&self, cx: &Context, query: ListMethods) -> Result<Vec<MethodView>> {
        page::within(query.limit, 200, query.offset)?;
        if query.customer_id.is_none() && query.id_prefix.is_none() {
            return Err(Error::invalid("/customerId", "name a customer, or how the id begins in idPrefix"));
        }
        let active = store::methods::active(self.platform.db.connection(), cx, &query).await?;
        Ok(active.into_iter().map(MethodView::from).collect())
    }

    async fn set_default_method(&self, cx: &Context, method_id: &PaymentMethodId) -> Result<MethodView> {
        Ok(self.choose_default(cx, method_id, None).await?.into())
    }

    async fn remove_method(&self, cx: &Context, method_id: &PaymentMethodId) -> Result<MethodView> {
        self.take_off_file(cx, method_id).await
    }

    async fn preview_cutover(&self, cx: &Context, query: PreviewCutover) -> Result<CutoverPreview> {
        self.cutover_candidates(cx, query).await
    }

    async fn cutover(&self, cx: &Context) -> Result<CutoverView> {
        self.invalidate_mock_cards(cx).await
    }

    async fn attempts(&self, cx: &Context, query: ListAttempts) -> Result<Vec<AttemptView>> {
        page::within(query.limit, 1_000, query.offset)?;
        store::listing::views(self.platform.db.connection(), cx, &query).await
    }

    async fn refunds_of(&self, cx: &Context, subject_ids: &[String], limit: u32) -> Result<Vec<MoneyBack>> {
        store::refunds::of_subjects(self.platform.db.connection(), cx, subject_ids, limit).await
    }

    async fn attempt(&self, cx: &Context, attempt_id: &AttemptId) -> Result<AttemptView> {
        let view = store::listing::view(self.platform.db.connection(), cx, attempt_id).await?;
        view.ok_or_else(|| Error::not_found("payment attempt", attempt_id))
    }

    async fn refund_attempt(&self, cx: &Context, command: RefundAttempt) -> Result<AttemptView> {
        self.refund_by_hand(cx, command).await
    }
}
