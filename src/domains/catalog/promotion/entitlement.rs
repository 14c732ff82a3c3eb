//! The built-in engine of entitlements: who holds which use. It knows no money and no order but its key, and works in the unit
//! of work of whoever asks, so nothing has to be made good when that rolls back.

use super::events::{EntitlementClaimed, EntitlementRedeemed, EntitlementRevoked};
use super::model::{CodeKind, PromoCode};
use super::policy;
use super::store;
use super::store::entitlement::{self as table, Entitlement, State};
use crate::domains::catalog::port::{Claim, ClaimRequest, NoDiscount};
use crate::domains::com::port::OrderId;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

/// See [`Promotions::claim`](crate::domains::catalog::port::Promotions::claim).
pub(super) async fn claim(tx: &Tx, cx: &Context, claim: &ClaimRequest<'_>) -> Result<Claim> {
    if let Some(held) = table::of_order(tx, cx, claim.order_id).await? {
        return Ok(match held.state {
            State::Claimed | State::Redeemed => Claim::Granted(held.id),
            State::Revoked => Claim::Refused(NoDiscount::AlreadyUsed),
        });
    }
    let Some(code) = PromoCode::parse(claim.code) else { return Ok(Claim::Refused(NoDiscount::UnknownCode)) };
    let Some(facts) = store::by_code(&**tx, cx, &code, Some(claim.customer_id)).await? else {
        return Ok(Claim::Refused(NoDiscount::UnknownCode));
    };
    if let Err(refused) = policy::claimable(&facts) {
        return Ok(Claim::Refused(refused));
    }
    let promotion = facts.promotion;
    let Some(id) = table::claim(tx, cx, &promotion.id, promotion.code_kind, claim).await? else {
        // Between the look and the row somebody else was first.
        return Ok(Claim::Refused(match promotion.code_kind {
            CodeKind::Shared => NoDiscount::CodeExhausted,
            CodeKind::PerCustomer | CodeKind::Multi => NoDiscount::AlreadyUsed,
        }));
    };
    let claimed = EntitlementClaimed {
        entitlement_id: &id,
        promotion_id: &promotion.id,
        customer_id: claim.customer_id.as_str(),
        commercial_order_id: claim.order_id,
        version: 1,
    };
    outbox::stage(tx, cx, &claimed).await?;
    Ok(Claim::Granted(id))
}

/// See [`Promotions::redeem`](crate::domains::catalog::port::Promotions::redeem).
pub(super) async fn redeem(tx: &Tx, cx: &Context, order: &OrderId) -> Result<()> {
    let Some(held) = claimed(tx, cx, order).await? else { return Ok(()) };
    table::settle(tx, cx, &held.id, State::Redeemed).await?;
    let redeemed = EntitlementRedeemed {
        entitlement_id: &held.id,
        promotion_id: &held.promotion_id,
        customer_id: &held.customer_id,
        commercial_order_id: order,
        version: held.version + 1,
    };
    outbox::stage(tx, cx, &redeemed).await.map(drop)
}

/// See [`Promotions::revoke`](crate::domains::catalog::port::Promotions::revoke).
pub(super) async fn revoke(tx: &Tx, cx: &Context, order: &OrderId) -> Result<()> {
    let Some(held) = claimed(tx, cx, order).await? else { return Ok(()) };
    table::settle(tx, cx, &held.id, State::Revoked).await?;
    let revoked = EntitlementRevoked {
        entitlement_id: &held.id,
        promotion_id: &held.promotion_id,
        customer_id: &held.customer_id,
        commercial_order_id: order,
        version: held.version + 1,
    };
    outbox::stage(tx, cx, &revoked).await.map(drop)
}

/// What the order has claimed and not settled, locked.
async fn claimed(tx: &Tx, cx: &Context, order: &OrderId) -> Result<Option<Entitlement>> {
    Ok(table::of_order(tx, cx, order).await?.filter(|held| held.state == State::Claimed))
}
