//! Plan changes and price migrations of a line, from their booking to their end.

use crate::domains::subscription::model::Line;
use crate::domains::subscription::port::{PriceMigrationId, SubscriptionId};
use crate::domains::subscription::terms::PendingPlan;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::Result;
use crate::platform::money::Money;

/// How a booked change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domains::subscription) enum Ended {
    Applied,
    Cancelled,
    /// The line ended, or left the plan whose price was to change.
    Dropped,
}

impl Ended {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Cancelled => "cancelled",
            Self::Dropped => "dropped",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domains::subscription) enum Kind {
    PlanChange,
    PriceMigration,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::PlanChange => "plan_change",
            Self::PriceMigration => "price_migration",
        }
    }
}

/// Books the plan change of a line.
pub(in crate::domains::subscription) async fn schedule(
    tx: &Tx,
    cx: &Context,
    line: &Line,
    to: &PendingPlan,
) -> Result<()> {
    let statement = sql!(
        "insert into subscription.contract_change (subscription_id, tenant_id, kind, former_offering_id, former_price_amount_minor,
             offering_id, price_offering_price_id, price_amount_minor, price_currency, effective_at, scheduled_at, scheduled_by)
         values ($1, $2, 'plan_change', $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &line.id,
        cx.tenant.as_ref(),
        &line.offering_id,
        line.price.minor,
        &to.offering_id,
        &to.price_id,
        to.price.minor,
        to.price.currency.as_str(),
        to.effective_at,
        cx.now,
        cx.actor.as_ref()
    );
    execute(&**tx, statement).await.map(drop)
}

/// Ends what is booked of a kind, if anything is. `period_index` is the period that it began with.
pub(in crate::domains::subscription) async fn end(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
    kind: Kind,
    how: Ended,
    period_index: Option<i32>,
) -> Result<()> {
    let statement = sql!(
        "update subscription.contract_change set state = $4, ended_at = $5, ended_by = $6, period_index = $7
         where subscription_id = $1 and tenant_id = $2 and kind = $3 and state = 'scheduled'",
        id,
        cx.tenant.as_ref(),
        kind.as_str(),
        how.as_str(),
        cx.now,
        cx.actor.as_ref(),
        period_index
    );
    execute(&**tx, statement).await.map(drop)
}

/// The price migration of a line has begun to count. It may have been replaced by a later one while the period was paid.
pub(in crate::domains::subscription) async fn migrated(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
    migration: &PriceMigrationId,
    period_index: i32,
) -> Result<()> {
    let statement = sql!(
        "update subscription.contract_change
         set state = 'applied', ended_at = $4, ended_by = $5, period_index = $6
         where subscription_id = $1 and tenant_id = $2 and migration_id = $3 and state <> 'applied'",
        id,
        cx.tenant.as_ref(),
        migration,
        cx.now,
        cx.actor.as_ref(),
        period_index
    );
    execute(&**tx, statement).await.map(drop)
}

/// A charge for the next period that was not made.
#[derive(Debug)]
pub(in crate::domains::subscription) struct Declined<'a> {
    pub(in crate::domains::subscription) amount: Money,
    pub(in crate::domains::subscription) reason: &'a str,
    pub(in crate::domains::subscription) attempt_id: Option<&'a str>,
}

/// Notes a renewal that could not be charged.
pub(in crate::domains::subscription) async fn declined(
    tx: &Tx,
    cx: &Context,
    line: &Line,
    declined: &Declined<'_>,
) -> Result<()> {
    let statement = sql!(
        "insert into subscription.renewal_decline (subscription_id, tenant_id, period_index, amount_minor, currency, reason,
             payment_attempt_id, declined_at, changed_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &line.id,
        cx.tenant.as_ref(),
        line.period_index + 1,
        declined.amount.minor,
        declined.amount.currency.as_str(),
        declined.reason,
        declined.attempt_id,
        cx.now,
        cx.actor.as_ref()
    );
    execute(&**tx, statement).await.map(drop)
}
