//! Purchases of top-ups.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::corrupt;
use crate::domains::catalog::port::{AllowanceType, VasId};
use crate::domains::com::port::OrderId;
use crate::domains::payment::port::AttemptId;
use crate::domains::subscription::ledger::Bought;
use crate::domains::subscription::port::{SubscriptionId, VasPurchaseId};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids;
use crate::platform::money::Money;

/// How far a purchase has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domains::subscription) enum PurchaseState {
    Pending,
    Applied,
    Declined,
    /// Paid, but the line had ended.
    Refunded,
}

impl PurchaseState {
    const ALL: [Self; 4] = [Self::Pending, Self::Applied, Self::Declined, Self::Refunded];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Declined => "declined",
            Self::Refunded => "refunded",
        }
    }
}

/// A top-up that somebody bought.
#[derive(Debug, Clone)]
pub(in crate::domains::subscription) struct Purchase {
    pub(in crate::domains::subscription) id: VasPurchaseId,
    pub(in crate::domains::subscription) line_id: SubscriptionId,
    pub(in crate::domains::subscription) vas_id: VasId,
    pub(in crate::domains::subscription) state: PurchaseState,
    /// Why it was declined or refunded.
    pub(in crate::domains::subscription) state_reason: Option<String>,
    pub(in crate::domains::subscription) attempt_id: Option<AttemptId>,
    /// None: bought without an order.
    pub(in crate::domains::subscription) order_id: Option<OrderId>,
    pub(in crate::domains::subscription) allowance: AllowanceType,
    pub(in crate::domains::subscription) quantity: i64,
    /// None: lasts with the period.
    pub(in crate::domains::subscription) expiry_hours: Option<i32>,
}

impl Purchase {
    /// What it adds to the ledger.
    pub(in crate::domains::subscription) fn bought(&self) -> Bought {
        Bought {
            purchase_id: self.id.clone(),
            allowance: self.allowance,
            quantity: self.quantity,
            expiry_hours: self.expiry_hours,
        }
    }
}

#[derive(Debug, FromQueryResult)]
struct Row {
    id: String,
    subscription_id: String,
    vas_offering_id: String,
    state: String,
    state_reason: Option<String>,
    payment_attempt_id: Option<String>,
    order_id: Option<String>,
    allowance_type: String,
    allowance_added: i64,
    expiry_hours: Option<i32>,
}

impl Row {
    fn purchase(self) -> Result<Purchase> {
        let state = PurchaseState::ALL.into_iter().find(|state| state.as_str() == self.state);
        Ok(Purchase {
            state: state.ok_or_else(|| corrupt("purchase state", &self.state))?,
            allowance: AllowanceType::parse(&self.allowance_type)
                .ok_or_else(|| corrupt("allowance type", &self.allowance_type))?,
            id: self.id.into(),
            line_id: self.subscription_id.into(),
            vas_id: self.vas_offering_id.into(),
            state_reason: self.state_reason,
            attempt_id: self.payment_attempt_id.map(Into::into),
            order_id: self.order_id.map(Into::into),
            quantity: self.allowance_added,
            expiry_hours: self.expiry_hours,
        })
    }
}

pub(in crate::domains::subscription) async fn mint(tx: &Tx) -> Result<VasPurchaseId> {
    Ok(ids::next(&**tx, "subscription.vas_purchase_id_seq", "VP", 4).await?.into())
}

/// A purchase that is about to be charged.
#[derive(Debug)]
pub(in crate::domains::subscription) struct NewPurchase<'a> {
    pub(in crate::domains::subscription) id: &'a VasPurchaseId,
    pub(in crate::domains::subscription) line_id: &'a SubscriptionId,
    pub(in crate::domains::subscription) customer_id: &'a str,
    pub(in crate::domains::subscription) vas_id: &'a VasId,
    pub(in crate::domains::subscription) attempt_id: &'a AttemptId,
    /// None: bought without an order. An order buys once.
    pub(in crate::domains::subscription) order_id: Option<&'a OrderId>,
    pub(in crate::domains::subscription) price: Money,
    pub(in crate::domains::subscription) allowance: AllowanceType,
    pub(in crate::domains::subscription) quantity: i64,
    pub(in crate::domains::subscription) expiry_hours: Option<i32>,
}

pub(in crate::domains::subscription) async fn insert(tx: &Tx, cx: &Context, purchase: &NewPurchase<'_>) -> Result<()> {
    let statement = sql!(
        "insert into subscription.vas_purchase (id, tenant_id, subscription_id, customer_id, vas_offering_id, payment_attempt_id,
             price_amount_minor, price_currency, allowance_type, allowance_added, unit, requested_at, expiry_hours,
             requested_by, order_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        purchase.id,
        cx.tenant.as_ref(),
        purchase.line_id,
        purchase.customer_id,
        purchase.vas_id,
        purchase.attempt_id,
        purchase.price.minor,
        purchase.price.currency.as_str(),
        purchase.allowance.as_str(),
        purchase.quantity,
        purchase.allowance.unit().as_str(),
        cx.now,
        purchase.expiry_hours,
        cx.actor.as_ref(),
        purchase.order_id.map(OrderId::as_str)
    );
    execute(&**tx, statement).await.map(drop)
}

const SELECT: &str = "select id, subscription_id, vas_offering_id, state, state_reason, payment_attempt_id, order_id,
        allowance_type, allowance_added, expiry_hours
    from subscription.vas_purchase where tenant_id = $1";

/// Reads a purchase. Its state changes only under the lock of its line.
pub(in crate::domains::subscription) async fn find(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &VasPurchaseId,
) -> Result<Purchase> {
    let statement = sql!(format!("{SELECT} and id = $2"), cx.tenant.as_ref(), id);
    let row = Row::find_by_statement(statement).one(connection).await?;
    row.ok_or_else(|| Error::not_found("top-up purchase", id))?.purchase()
}

/// What an order has bought.
pub(in crate::domains::subscription) async fn of_order(
    connection: &impl ConnectionTrait,
    cx: &Context,
    order_id: &OrderId,
) -> Result<Option<Purchase>> {
    let statement = sql!(format!("{SELECT} and order_id = $2"), cx.tenant.as_ref(), order_id);
    Row::find_by_statement(statement).one(connection).await?.map(Row::purchase).transpose()
}

/// The ids of the latest purchases of a line.
pub(in crate::domains::subscription) async fn latest(
    db: &Db,
    cx: &Context,
    line_id: &SubscriptionId,
    limit: u32,
) -> Result<Vec<String>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
    }
    let statement = sql!(
        "select id from subscription.vas_purchase where subscription_id = $2 and tenant_id = $1
         order by requested_at desc, id limit $3",
        cx.tenant.as_ref(),
        line_id,
        i64::from(limit)
    );
    Ok(Row::find_by_statement(statement).all(db.connection()).await?.into_iter().map(|row| row.id).collect())
}

/// Lines that have a grant whose time has come and whose end is not written, by id, after `after`.
pub(in crate::domains::subscription) async fn lines_with_ended_grants(
    db: &Db,
    cx: &Context,
    after: Option<&SubscriptionId>,
    limit: i64,
) -> Result<Vec<SubscriptionId>> {
    #[derive(FromQueryResult)]
    struct Row {
        subscription_id: String,
    }
    let statement = sql!(
        "select distinct subscription_id from subscription.vas_purchase
         where tenant_id = $1 and state = 'applied' and expires_at <= $2 and expired_at is null
           and ($3::text is null or subscription_id > $3)
         order by subscription_id limit $4",
        cx.tenant.as_ref(),
        cx.now,
        after.map(SubscriptionId::as_str),
        limit
    );
    let rows = Row::find_by_statement(statement).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.subscription_id.into()).collect())
}

/// The outcome of a purchase.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::subscription) struct Settled<'a> {
    pub(in crate::domains::subscription) state: PurchaseState,
    pub(in crate::domains::subscription) reason: Option<&'a str>,
    /// When what it gave ends by itself.
    pub(in crate::domains::subscription) expires_at: Option<DateTime<Utc>>,
}

/// Records the outcome of a purchase. What is left of what it gave is written with the ledger.
pub(in crate::domains::subscription) async fn settle(
    tx: &Tx,
    cx: &Context,
    id: &VasPurchaseId,
    settled: Settled<'_>,
) -> Result<()> {
    let Settled { state, reason, expires_at } = settled;
    let applied_at: Option<DateTime<Utc>> = (state == PurchaseState::Applied).then_some(cx.now);
    let statement = sql!(
        "update subscription.vas_purchase
         set state = $3, state_reason = $4, applied_at = $5, expires_at = $6, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and state = 'pending'",
        cx.tenant.as_ref(),
        id,
        state.as_str(),
        reason,
        applied_at,
        expires_at
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!("the purchase {id} was settled twice")));
    }
    Ok(())
}
