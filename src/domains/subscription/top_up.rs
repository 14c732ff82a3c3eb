//! Buying a top-up: the purchase and its charge are booked together. The outcome is in `top_up_outcome`.

use serde::{Deserialize, Serialize};

use super::Service;
use super::ledger::Balance;
use super::model::Line;
use super::policy::{self, rule};
use super::port::{
    OrderedTopUp, SubscriptionId, SubscriptionView, Subscriptions as _, TopUpOrder, TopUpProgress, VasPurchaseId,
};
use super::store;
use super::store::purchase::{NewPurchase, Purchase, PurchaseState};
use super::wait::payment_pending;
use crate::domains::catalog::port::{VasId, VasView};
use crate::domains::com::port::OrderId;
use crate::domains::payment::port::{AttemptId, ChargeRequest, Purpose};
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::idempotency;

/// What people are told of a top-up that was not added.
pub(super) const DECLINED: &str = "The card was declined; nothing was charged and nothing has changed";
pub(super) const ENDED_MEANWHILE: &str = "The line ended while the top-up was paid; the money goes back";

/// What a repetition with the same `Idempotency-Key` goes on waiting for.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    vas_purchase_id: VasPurchaseId,
}

impl Service {
    /// See [`Subscriptions::purchase_vas`](super::port::Subscriptions::purchase_vas).
    pub(super) async fn top_up(&self, cx: &Context, id: &SubscriptionId, vas_id: &VasId) -> Result<SubscriptionView> {
        let purchase_id = self.begin_top_up(cx, id, vas_id).await?;
        self.top_up_settled(cx, id, &purchase_id).await
    }

    /// Books a purchase and its charge; a repetition with the same `Idempotency-Key` finds the first.
    pub(super) async fn begin_top_up(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        vas_id: &VasId,
    ) -> Result<VasPurchaseId> {
        if let Some(begun) = idempotency::replayed::<Begun>(&self.platform.db, cx).await? {
            return Ok(begun.vas_purchase_id);
        }
        let seen = self.show(cx, id).await?;
        policy::can_top_up(&seen.line)?;
        let vas = self.vas(cx, vas_id).await?;
        let balances: Vec<Balance> = seen.balances.iter().map(|held| held.balance).collect();
        let vas = policy::sellable(vas_id, vas, &balances)?;
        if !vas.money.is_zero() && !self.payments.has_method(cx, &seen.line.customer_id).await? {
            return Err(policy::top_up_without_card(&seen.line.customer_id).into());
        }

        let tx = self.platform.db.begin().await?;
        let line = store::lock(&tx, cx, id).await?;
        policy::can_top_up(&line)?;
        let (purchase_id, _) = self.book_purchase(&tx, cx, &line, &vas, None).await?;
        let begun = Begun { vas_purchase_id: purchase_id };
        idempotency::keep(&tx, cx, begun.vas_purchase_id.as_str(), &begun).await?;
        crash::point("vas.begin.before_commit");
        tx.commit().await?;
        crash::point("vas.begin.after_commit");
        Ok(begun.vas_purchase_id)
    }

    /// See [`Subscriptions::book_top_up`](super::port::Subscriptions::book_top_up).
    pub(super) async fn book_ordered_top_up(&self, tx: &Tx, cx: &Context, wanted: TopUpOrder) -> Result<AttemptId> {
        let TopUpOrder { order_id, subscription_id, vas } = wanted;
        let line = store::lock(tx, cx, &subscription_id).await?;
        if let Some(booked) = store::purchase::of_order(&**tx, cx, &order_id).await? {
            let without = || Error::Internal(format!("the purchase of the order {order_id} has no charge"));
            return booked.attempt_id.ok_or_else(without);
        }
        policy::can_top_up(&line)?;
        let ledger = store::quota::ledger(tx, cx, &line).await?;
        let balances = ledger.map(|ledger| ledger.balances).unwrap_or_default();
        let vas = policy::sellable(&vas.id.clone(), Some(vas), &balances)?;
        let (_, attempt_id) = self.book_purchase(tx, cx, &line, &vas, Some(&order_id)).await?;
        Ok(attempt_id)
    }

    /// A purchase of a line that is locked, and its charge. The purchase of an order is charged by the order's key.
    async fn book_purchase(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &Line,
        vas: &VasView,
        order_id: Option<&OrderId>,
    ) -> Result<(VasPurchaseId, AttemptId)> {
        let purchase_id = store::purchase::mint(tx).await?;
        let charge = ChargeRequest {
            customer_id: line.customer_id.clone(),
            amount: vas.money,
            purpose: Purpose::Vas,
            subject_id: purchase_id.to_string(),
            business_key: format!("vas:{}", order_id.map_or(purchase_id.as_str(), OrderId::as_str)),
        };
        let attempt_id = self.payments.request_charge(tx, cx, charge).await.map_err(|error| {
            if policy::is_no_method(&error) { policy::top_up_without_card(&line.customer_id).into() } else { error }
        })?;
        let purchase = NewPurchase {
            id: &purchase_id,
            line_id: &line.id,
            customer_id: line.customer_id.as_str(),
            vas_id: &vas.id,
            attempt_id: &attempt_id,
            order_id,
            price: vas.money,
            allowance: vas.allowance_type,
            quantity: vas.allowance_quantity,
            expiry_hours: vas.expiry_hours,
        };
        store::purchase::insert(tx, cx, &purchase).await?;
        Ok((purchase_id, attempt_id))
    }

    /// See [`Subscriptions::top_up_of_order`](super::port::Subscriptions::top_up_of_order).
    pub(super) async fn ordered_top_up(&self, cx: &Context, order_id: &OrderId) -> Result<Option<OrderedTopUp>> {
        let found = store::purchase::of_order(self.platform.db.connection(), cx, order_id).await?;
        Ok(found.map(|purchase| OrderedTopUp {
            progress: match purchase.state {
                PurchaseState::Pending => TopUpProgress::Pending,
                PurchaseState::Applied => TopUpProgress::Added,
                PurchaseState::Declined => TopUpProgress::Refused(DECLINED.to_owned()),
                PurchaseState::Refunded => TopUpProgress::Refused(ENDED_MEANWHILE.to_owned()),
            },
            vas_purchase_id: purchase.id,
            payment_attempt_id: purchase.attempt_id,
        }))
    }

    /// None for a top-up that does not exist or is not on sale now.
    async fn vas(&self, cx: &Context, id: &VasId) -> Result<Option<VasView>> {
        match self.catalog.vas_offering(cx, id).await {
            Ok(vas) => Ok(Some(vas)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits for the outcome of a purchase.
    pub(super) async fn top_up_settled(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        purchase_id: &VasPurchaseId,
    ) -> Result<SubscriptionView> {
        let settled = self.settled(cx, || async {
            let purchase = store::purchase::find(self.platform.db.connection(), cx, purchase_id).await?;
            Ok::<_, Error>((purchase.state != PurchaseState::Pending).then_some(purchase))
        });
        let Some(purchase) = settled.await? else {
            let attempt = store::purchase::find(self.platform.db.connection(), cx, purchase_id).await.ok();
            return Err(payment_pending(attempt.and_then(|purchase| purchase.attempt_id).as_ref()));
        };
        match purchase.state {
            PurchaseState::Applied => self.line(cx, id).await,
            PurchaseState::Refunded => Err(ended_meanwhile(&purchase).into()),
            PurchaseState::Declined | PurchaseState::Pending => Err(declined(&purchase).into()),
        }
    }
}

fn declined(purchase: &Purchase) -> crate::platform::error::Violation {
    rule::VAS_CARD
        .violated(DECLINED)
        .with("paymentStatus", "declined")
        .with("declineReason", &purchase.state_reason)
        .with("paymentAttemptId", &purchase.attempt_id)
}

fn ended_meanwhile(purchase: &Purchase) -> crate::platform::error::Violation {
    rule::VAS_TERMINATED
        .violated(ENDED_MEANWHILE)
        .with("subscriptionId", &purchase.line_id)
        .with("paymentAttemptId", &purchase.attempt_id)
}
