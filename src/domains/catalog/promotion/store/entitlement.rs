//! The uses of promotions, one row for each order that claimed one. Its unique indexes are what makes a use the only one.

use sea_orm::{ConnectionTrait as _, FromQueryResult};

use crate::domains::catalog::port::{ClaimRequest, EntitlementId, PromotionId};
use crate::domains::catalog::promotion::model::CodeKind;
use crate::domains::com::port::OrderId;
use crate::platform::context::Context;
use crate::platform::db::{Tx, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids;

/// A use of a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::domains::catalog::promotion) struct Entitlement {
    pub(in crate::domains::catalog::promotion) id: EntitlementId,
    pub(in crate::domains::catalog::promotion) promotion_id: PromotionId,
    pub(in crate::domains::catalog::promotion) customer_id: String,
    pub(in crate::domains::catalog::promotion) state: State,
    pub(in crate::domains::catalog::promotion) version: i64,
}

/// Where a use stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domains::catalog::promotion) enum State {
    Claimed,
    Redeemed,
    /// Was not used after all.
    Revoked,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Redeemed => "redeemed",
            Self::Revoked => "revoked",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Claimed, Self::Redeemed, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

#[derive(FromQueryResult)]
struct Row {
    id: String,
    promotion_id: String,
    customer_id: String,
    state: String,
    version: i64,
}

impl TryFrom<Row> for Entitlement {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = State::parse(&row.state);
        Ok(Self {
            state: state.ok_or_else(|| Error::Internal(format!("entitlement {} has an unknown state", row.id)))?,
            id: row.id.into(),
            promotion_id: row.promotion_id.into(),
            customer_id: row.customer_id,
            version: row.version,
        })
    }
}

/// What the order claimed, locked.
pub(in crate::domains::catalog::promotion) async fn of_order(
    tx: &Tx,
    cx: &Context,
    order: &OrderId,
) -> Result<Option<Entitlement>> {
    let statement = sql!(
        "select id, promotion_id, customer_id, state, version from catalog.entitlement
         where tenant_id = $1 and order_id = $2 for update",
        cx.tenant.as_ref(),
        order
    );
    Row::find_by_statement(statement).one(&**tx).await?.map(Entitlement::try_from).transpose()
}

/// Claims a use. None when another order was first: one that is under way is waited for.
pub(in crate::domains::catalog::promotion) async fn claim(
    tx: &Tx,
    cx: &Context,
    promotion: &PromotionId,
    kind: CodeKind,
    claim: &ClaimRequest<'_>,
) -> Result<Option<EntitlementId>> {
    let id = ids::next(&**tx, "catalog.entitlement_id_seq", "ENT", 4).await?;
    let statement = sql!(
        "insert into catalog.entitlement (id, tenant_id, promotion_id, code_kind, customer_id, order_id, claimed_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing returning id",
        id.as_str(),
        cx.tenant.as_ref(),
        promotion,
        kind.as_str(),
        claim.customer_id,
        claim.order_id,
        cx.now
    );
    Ok(tx.query_one_raw(statement).await?.map(|_| EntitlementId::from(id)))
}

/// Ends a claimed use, locked, one version on.
pub(in crate::domains::catalog::promotion) async fn settle(
    tx: &Tx,
    cx: &Context,
    id: &EntitlementId,
    state: State,
) -> Result<()> {
    let reason = (state == State::Revoked).then_some("order_cancelled");
    let statement = sql!(
        "update catalog.entitlement
         set state = $3, revoke_reason = $4, settled_at = $5, version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and state = 'claimed' returning id",
        cx.tenant.as_ref(),
        id,
        state.as_str(),
        reason,
        cx.now
    );
    match tx.query_one_raw(statement).await? {
        Some(_) => Ok(()),
        None => Err(Error::Internal(format!("entitlement {id} was not there to be settled"))),
    }
}
