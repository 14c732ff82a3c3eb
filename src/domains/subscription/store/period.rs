//! The periods of a line: what each was to cost and what paid it.

use sea_orm::FromQueryResult;

use crate::domains::payment::port::AttemptId;
use crate::domains::subscription::model::{Entered, Gap};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::Result;
use crate::platform::money::Money;

/// A period that a line has entered, and what paid it.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::subscription) struct PaidPeriod<'a> {
    pub(in crate::domains::subscription) line: &'a SubscriptionId,
    pub(in crate::domains::subscription) entered: Entered,
    pub(in crate::domains::subscription) paid: Money,
    pub(in crate::domains::subscription) attempt_id: &'a AttemptId,
}

/// Books paid periods. One that a new one cuts short ends where that begins.
pub(in crate::domains::subscription) async fn insert(tx: &Tx, cx: &Context, periods: &[PaidPeriod<'_>]) -> Result<()> {
    let texts = |read: fn(&PaidPeriod<'_>) -> String| periods.iter().map(read).collect::<Vec<_>>();
    let statement = sql!(
        "with entered as materialized (
             select * from unnest($4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::text[], $10::text[],
                     $11::text[])
                 as e (id, period_index, period_start, period_end, amount_minor, currency, attempt_id, gap)),
         former as (
             update subscription.period p set period_end = e.period_start from entered e
             where p.subscription_id = e.id and p.tenant_id = $1 and p.period_index = e.period_index - 1
               and p.period_end > e.period_start)
         insert into subscription.period (subscription_id, tenant_id, period_index, period_start, period_end, amount_minor,
             currency, payment_attempt_id, entered_at, entered_by, gap)
         select e.id, $1, e.period_index, e.period_start, e.period_end, e.amount_minor, e.currency, e.attempt_id, $2, $3,
                nullif(e.gap, '')
         from entered e",
        cx.tenant.as_ref(),
        cx.now,
        cx.actor.as_ref(),
        texts(|period| period.line.to_string()),
        periods.iter().map(|period| period.entered.index).collect::<Vec<_>>(),
        periods.iter().map(|period| period.entered.period.start).collect::<Vec<_>>(),
        periods.iter().map(|period| period.entered.period.end).collect::<Vec<_>>(),
        periods.iter().map(|period| period.paid.minor).collect::<Vec<_>>(),
        texts(|period| period.paid.currency.to_string()),
        texts(|period| period.attempt_id.to_string()),
        texts(|period| period.entered.gap.map_or("", Gap::as_str).to_owned())
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
