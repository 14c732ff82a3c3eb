//! The periods of a line: what each was to cost and what paid it.

use sea_orm::FromQueryResult;

use crate::domains::payment::port::AttemptId;
use crate::domains::subscription::model::{Entered, Gap};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::Result;
use crate::platform::money::Money;

/// Books a paid period. One that it cuts short ends where it begins.
pub(in crate::domains::subscription) async fn insert(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
    entered: Entered,
    paid: Money,
    attempt_id: &AttemptId,
) -> Result<()> {
    let statement = sql!(
        "with former as (
             update subscription.period set period_end = $5
             where subscription_id = $1 and tenant_id = $2 and period_index = $3 - 1 and period_end > $5)
         insert into subscription.period (subscription_id, tenant_id, period_index, period_start, period_end, amount_minor,
             currency, payment_attempt_id, entered_at, entered_by, gap)
         values ($1, $2, $3, $5, $4, $6, $7, $8, $9, $10, $11)",
        id,
        cx.tenant.as_ref(),
        entered.index,
        entered.period.end,
        entered.period.start,
        paid.minor,
        paid.currency.as_str(),
        attempt_id,
        cx.now,
        cx.actor.as_ref(),
        entered.gap.map(Gap::as_str)
    );
    execute(&**tx, statement).await.map(drop)
}

/// Whether a charge has bought a period.
pub(in crate::domains::subscription) async fn is_paid_by(
    tx: &Tx,
    cx: &Context,
    attempt_id: &AttemptId,
) -> Result<bool> {
    #[derive(FromQueryResult)]
    struct Row {
        paid: bool,
    }
    let statement = sql!(
        "select exists (select 1 from subscription.period where payment_attempt_id = $1 and tenant_id = $2) as paid",
        attempt_id,
        cx.tenant.as_ref()
    );
    Ok(Row::find_by_statement(statement).one(&**tx).await?.is_some_and(|row| row.paid))
}
