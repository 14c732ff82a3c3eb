//! Promotions: discounts for one, several or all periods, who may have them, and who has.
//!
//! Invariants:
//! - Terms are written once. What an order was promised is its own copy; a promotion only ends.
//! - An order has at most one discount, and holds at most one entitlement. Unique indexes say how often a code is used: once,
//!   once by each customer, or any number of times.
//! - Nothing is used before the order that was promised it is about to be charged, and nothing stays used of an order that
//!   ended otherwise than with its line in service.
//! - Codes are compared without case and without the spaces around them.
//! - Whoever creates, assigns or ends has the scope `admin` and a name, and what was and what is stand in the event log.
//!
//! Two rooms: terms and eligibility (`create`, `assign`, `resolve`), which know money, and the engine of entitlements
//! (`entitlement`), which knows none: who holds what. Only the built-in engine exists
//! (`docs/decisions/0017-built-in-entitlements.md`).
//!
//! Not here: what an order promises and what follows from a claim (`com`), what a line is charged (`subscription`).

mod assign;
mod audit;
mod create;
mod entitlement;
mod events;
mod http;
mod model;
pub(super) mod policy;
mod resolve;
mod store;

use std::sync::Arc;

use async_trait::async_trait;

use crate::domains::catalog::port::{
    AssignPromotion, Assigned, Catalog, Claim, ClaimRequest, CreatePromotion, ListPromotions, Offered,
    PreviewPromotion, PreviewView, PromotionDetails, PromotionId, PromotionView, Promotions, UnassignPromotion,
    Unassigned, Wish,
};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::Customers;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::page;

pub use audit::CHECKS;
pub use http::router;
use model::Promotion;

/// Promotions over their tables.
pub struct Service {
    platform: Platform,
    catalog: Arc<dyn Catalog>,
    customers: Arc<dyn Customers>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("catalog::promotion::Service")
    }
}

impl Service {
    pub fn new(platform: Platform, catalog: Arc<dyn Catalog>, customers: Arc<dyn Customers>) -> Self {
        Self { platform, catalog, customers }
    }

    async fn found(&self, cx: &Context, id: &PromotionId) -> Result<Promotion> {
        let found = store::find(self.platform.db.connection(), cx, id).await?;
        found.ok_or_else(|| Error::not_found("promotion", id))
    }
}

#[async_trait]
impl Promotions for Service {
    async fn create(&self, cx: &Context, command: CreatePromotion) -> Result<PromotionView> {
        Ok(self.create_promotion(cx, command.into()).await?.view())
    }

    async fn list(&self, cx: &Context, query: ListPromotions) -> Result<Vec<PromotionView>> {
        page::within(query.limit, 200, query.offset)?;
        let promotions = store::list(&self.platform.db, cx, &query).await?;
        Ok(promotions.iter().map(Promotion::view).collect())
    }

    async fn show(&self, cx: &Context, id: &PromotionId) -> Result<PromotionDetails> {
        let promotion = self.found(cx, id).await?.view();
        let (eligible_customers, claimed, redeemed) = store::usage(&self.platform.db, cx, id).await?;
        Ok(PromotionDetails { promotion, eligible_customers, claimed, redeemed })
    }

    async fn assign(&self, cx: &Context, command: AssignPromotion) -> Result<Assigned> {
        self.assign_to(cx, command).await
    }

    async fn unassign(&self, cx: &Context, command: UnassignPromotion) -> Result<Unassigned> {
        self.unassign_from(cx, command).await
    }

    async fn exhaust(&self, cx: &Context, id: &PromotionId) -> Result<PromotionView> {
        Ok(self.end_promotion(cx, id).await?.view())
    }

    async fn preview(&self, cx: &Context, query: PreviewPromotion) -> Result<PreviewView> {
        self.preview_code(cx, query).await
    }

    async fn offer(&self, cx: &Context, wish: Wish<'_>) -> Result<Offered> {
        self.offer_for(cx, &wish).await
    }

    async fn claim(&self, tx: &Tx, cx: &Context, claim: ClaimRequest<'_>) -> Result<Claim> {
        entitlement::claim(tx, cx, &claim).await
    }

    async fn redeem(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()> {
        entitlement::redeem(tx, cx, order_id).await
    }

    async fn revoke(&self, tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<()> {
        entitlement::revoke(tx, cx, order_id).await
    }
}
