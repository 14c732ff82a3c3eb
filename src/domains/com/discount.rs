//! The discount of an order: promised when it is placed, claimed when it is about to be charged, used or given back when it ends.
//!
//! What was promised is kept: where there is nothing left to claim, the promised price is charged once all the same, unless the
//! operator wants such an order to fail before any charge (`BSS_PROMO_ON_REFUSAL`).

use crate::domains::catalog::port::{Claim, ClaimRequest, NoDiscount, Offered, OfferingId, Wish};
use crate::domains::com::Service;
use crate::domains::com::events::{PromoHonoured, PromoNotApplied};
use crate::domains::com::model::{Change, Order};
use crate::domains::com::port::{CreateOrder, OrderState};
use crate::domains::subscription::port::BookedDiscount;
use crate::platform::config::OnRefusedPromise;
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::money::Money;
use crate::platform::outbox;

/// What the events call it when there is nothing left to claim.
const REFUSED: &str = "claim_refused";

/// What an order that is about to be charged may take off its price.
#[derive(Debug)]
pub(super) enum Entitled {
    To(Option<BookedDiscount>),
    /// What was promised cannot be kept, and so the order is not to go on.
    Lost,
}

impl Service {
    /// What is taken off the price of a new order for a plan.
    pub(super) async fn offered(
        &self,
        cx: &Context,
        order: &CreateOrder,
        plan: &OfferingId,
        price: Money,
    ) -> Result<Offered> {
        let typed = order.discount_code.as_deref().filter(|code| !code.trim().is_empty());
        let wish = Wish {
            customer_id: &order.customer_id,
            offering_id: plan,
            base: price,
            code: typed,
            skip_assigned: order.skip_assigned_offer,
        };
        self.promotions.offer(cx, wish).await
    }

    /// Claims what the order promised, in the unit of work that books its line and its charge. The order is locked; what it
    /// claimed before it finds again.
    pub(super) async fn entitled(&self, tx: &Tx, cx: &Context, order: &mut Order) -> Result<Entitled> {
        let (price, Some(promised)) = (order.item.price, &mut order.item.discount) else {
            return Ok(Entitled::To(None));
        };
        let claim = match promised.code.as_deref() {
            Some(code) => {
                let request = ClaimRequest { order_id: &order.id, customer_id: &order.customer_id, code };
                self.promotions.claim(tx, cx, request).await?
            }
            None => Claim::Refused(NoDiscount::UnknownCode),
        };
        match claim {
            Claim::Granted(entitlement) => {
                promised.offer_id = Some(entitlement.into());
                let booked = promised.booked(price);
                crash::point("order.claim.after_claim");
                Ok(Entitled::To(booked))
            }
            Claim::Refused(refusal) => self.without_claim(tx, cx, order, refusal).await,
        }
    }

    async fn without_claim(&self, tx: &Tx, cx: &Context, order: &mut Order, refusal: NoDiscount) -> Result<Entitled> {
        let price = order.item.price;
        let promised = order.item.charged();
        let discount = order.item.discount.clone();
        let code = discount.as_ref().and_then(|discount| discount.code.as_deref());
        if self.platform.config.on_refused_promise == OnRefusedPromise::Fail {
            let not_applied = PromoNotApplied {
                commercial_order_id: &order.id,
                customer_id: &order.customer_id,
                promo_code: code,
                reason: REFUSED,
                refusal: refusal.as_str(),
                version: order.version,
            };
            outbox::stage(tx, cx, &not_applied).await?;
            return Ok(Entitled::Lost);
        }
        order.remark(
            cx,
            format!(
                "the promotion is not to be had any more ({}); {promised} is charged once as promised, then {price}",
                refusal.as_str()
            ),
        );
        let honoured = PromoHonoured {
            commercial_order_id: &order.id,
            customer_id: &order.customer_id,
            promo_code: code,
            promised_amount: promised.decimal(),
            full_amount: price.decimal(),
            currency: price.currency.to_string(),
            reason: REFUSED,
            refusal: refusal.as_str(),
            version: order.version,
        };
        outbox::stage(tx, cx, &honoured).await?;
        Ok(Entitled::To(discount.and_then(|discount| discount.honoured(price))))
    }

    /// The order has completed: what it claimed is used.
    pub(super) async fn use_claim(&self, tx: &Tx, cx: &Context, order: &Order) -> Result<()> {
        if holds_claim(order) { self.promotions.redeem(tx, cx, &order.id).await } else { Ok(()) }
    }

    /// The order has ended otherwise: what it claimed goes back.
    pub(super) async fn give_up_claim(&self, tx: &Tx, cx: &Context, order: &Order) -> Result<()> {
        if holds_claim(order) { self.promotions.revoke(tx, cx, &order.id).await } else { Ok(()) }
    }
}

fn holds_claim(order: &Order) -> bool {
    order.item.discount.as_ref().is_some_and(|promised| promised.offer_id.is_some())
}

/// What a new order's history says of its discount: what is promised, and why a typed code is not.
pub(super) fn note(cx: &Context, offered: &Offered, typed: Option<&str>) -> Option<Change> {
    let promise = offered.promise.as_ref().map(|promise| format!("{} by {}", promise.label, promise.code));
    let refused =
        offered.refused.zip(typed).map(|(reason, _)| format!("the code was not accepted: {}", reason.as_str()));
    let reason = [refused, promise].into_iter().flatten().collect::<Vec<_>>().join("; ");
    (!reason.is_empty()).then(|| Change {
        from: Some(OrderState::Acknowledged),
        to: OrderState::Acknowledged,
        by: cx.actor.to_string(),
        reason: Some(reason),
        at: cx.now,
    })
}
