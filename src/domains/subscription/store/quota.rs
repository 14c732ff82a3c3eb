//! Balances, their entries, and what the plan grants per period.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::Value;

use super::corrupt;
use crate::domains::catalog::port::{AllowanceType, AllowanceView};
use crate::domains::subscription::ledger::{Balance, Ledger};
use crate::domains::subscription::model::Line;
use crate::domains::subscription::period::Period;
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};

/// A balance with the period it belongs to, for showing.
#[derive(Debug, Clone, Copy)]
pub(in crate::domains::subscription) struct Held {
    pub(in crate::domains::subscription) balance: Balance,
    pub(in crate::domains::subscription) period: Period,
}

fn allowance_type(text: &str) -> Result<AllowanceType> {
    AllowanceType::parse(text).ok_or_else(|| corrupt("allowance type", text))
}

/// Reads balances as a row aggregates them.
pub(super) fn held(value: Value) -> Result<Vec<Held>> {
    #[derive(Deserialize)]
    struct Column {
        kind: AllowanceType,
        unlimited: bool,
        total: i64,
        remaining: i64,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    }
    let columns: Vec<Column> = serde_json::from_value(value)
        .map_err(|e| Error::Internal(format!("aggregated balances cannot be read: {e}")))?;
    let held = |column: Column| Held {
        balance: Balance {
            kind: column.kind,
            unlimited: column.unlimited,
            total: column.total,
            remaining: column.remaining,
        },
        period: Period { start: column.start, end: column.end },
    };
    Ok(columns.into_iter().map(held).collect())
}

/// The ledger of a line that this unit of work has locked; None before its first period.
pub(in crate::domains::subscription) async fn ledger(tx: &Tx, cx: &Context, line: &Line) -> Result<Option<Ledger>> {
    #[derive(FromQueryResult)]
    struct Row {
        allowance_type: String,
        unlimited: bool,
        total: i64,
        remaining: i64,
    }
    let Some(period) = line.period else { return Ok(None) };
    let statement = sql!(
        "select allowance_type, unlimited, total, remaining from subscription.bundle_balance
         where subscription_id = $1 and tenant_id = $2 order by allowance_type",
        &line.id,
        cx.tenant.as_ref()
    );
    let balance = |row: Row| {
        let kind = allowance_type(&row.allowance_type)?;
        Ok(Balance { kind, unlimited: row.unlimited, total: row.total, remaining: row.remaining })
    };
    let rows = Row::find_by_statement(statement).all(&**tx).await?;
    let balances: Result<Vec<Balance>> = rows.into_iter().map(balance).collect();
    Ok(Some(Ledger::new(line.period_index, period, balances?)))
}

/// Writes the balances and appends the entries of what was done.
pub(in crate::domains::subscription) async fn save(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
    ledger: &Ledger,
) -> Result<()> {
    let of_balance = |read: fn(&Balance) -> i64| ledger.balances.iter().map(read).collect::<Vec<i64>>();
    let statement = sql!(
        "with entry as (
             insert into subscription.quota_entry (subscription_id, allowance_type, tenant_id, period_index, kind, amount, source,
                 occurred_at)
             select $1, e.allowance_type, $2, e.period_index, e.kind, e.amount, e.source, $3
             from unnest($4::text[], $5::int[], $6::text[], $7::bigint[], $8::text[])
                 as e (allowance_type, period_index, kind, amount, source))
         insert into subscription.bundle_balance (subscription_id, allowance_type, tenant_id, unlimited, total, remaining, unit,
             period_index, period_start, period_end)
         select $1, b.allowance_type, $2, b.unlimited, b.total, b.remaining, b.unit, $14, $15, $16
         from unnest($9::text[], $10::bool[], $11::bigint[], $12::bigint[], $13::text[])
             as b (allowance_type, unlimited, total, remaining, unit)
         on conflict (subscription_id, allowance_type) do update
         set unlimited = excluded.unlimited, total = excluded.total, remaining = excluded.remaining,
             period_index = excluded.period_index, period_start = excluded.period_start, period_end = excluded.period_end",
        id,
        cx.tenant.as_ref(),
        cx.now,
        ledger.entries.iter().map(|entry| entry.allowance.as_str().to_owned()).collect::<Vec<_>>(),
        ledger.entries.iter().map(|entry| entry.period_index).collect::<Vec<_>>(),
        ledger.entries.iter().map(|entry| entry.kind.as_str().to_owned()).collect::<Vec<_>>(),
        ledger.entries.iter().map(|entry| entry.amount).collect::<Vec<_>>(),
        ledger.entries.iter().map(|entry| entry.source.clone()).collect::<Vec<_>>(),
        ledger.balances.iter().map(|balance| balance.kind.as_str().to_owned()).collect::<Vec<_>>(),
        ledger.balances.iter().map(|balance| balance.unlimited).collect::<Vec<_>>(),
        of_balance(|balance| balance.total),
        of_balance(|balance| balance.remaining),
        ledger.balances.iter().map(|balance| balance.kind.unit().as_str().to_owned()).collect::<Vec<_>>(),
        ledger.period_index,
        ledger.period.start,
        ledger.period.end
    );
    execute(&**tx, statement).await.map(drop)
}

/// What the plan grants a line in a period: kept with the charge for it, so that catalog edits never reach a paid period.
#[derive(Debug, Clone)]
pub(in crate::domains::subscription) struct Offered<'a> {
    pub(in crate::domains::subscription) line: &'a SubscriptionId,
    pub(in crate::domains::subscription) period_index: i32,
    pub(in crate::domains::subscription) allowances: &'a [AllowanceView],
}

/// Keeps what is offered for a period; an offer that was not taken is replaced.
pub(in crate::domains::subscription) async fn offer(tx: &Tx, cx: &Context, offers: &[Offered<'_>]) -> Result<()> {
    let ids: Vec<String> = offers.iter().map(|offer| offer.line.to_string()).collect();
    let indexes: Vec<i32> = offers.iter().map(|offer| offer.period_index).collect();
    let former = sql!(
        "delete from subscription.allowance_snapshot a using unnest($1::text[], $2::int[]) as o (id, period_index)
         where a.subscription_id = o.id and a.period_index = o.period_index and a.tenant_id = $3",
        ids,
        indexes,
        cx.tenant.as_ref()
    );
    execute(&**tx, former).await?;
    let rows = || offers.iter().flat_map(|offer| offer.allowances.iter().map(move |allowance| (offer, allowance)));
    let statement = sql!(
        "insert into subscription.allowance_snapshot (subscription_id, period_index, allowance_type, tenant_id, quantity, unit)
         select o.id, o.period_index, o.allowance_type, $6, o.quantity, o.unit
         from unnest($1::text[], $2::int[], $3::text[], $4::bigint[], $5::text[])
             as o (id, period_index, allowance_type, quantity, unit)",
        rows().map(|(offer, _)| offer.line.to_string()).collect::<Vec<_>>(),
        rows().map(|(offer, _)| offer.period_index).collect::<Vec<_>>(),
        rows().map(|(_, allowance)| allowance.allowance_type.as_str().to_owned()).collect::<Vec<_>>(),
        rows().map(|(_, allowance)| allowance.quantity).collect::<Vec<_>>(),
        rows().map(|(_, allowance)| allowance.unit.as_str().to_owned()).collect::<Vec<_>>(),
        cx.tenant.as_ref()
    );
    execute(&**tx, statement).await.map(drop)
}

/// What the plan grants the line in a period.
pub(in crate::domains::subscription) async fn offered(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
    period_index: i32,
) -> Result<Vec<AllowanceView>> {
    #[derive(FromQueryResult)]
    struct Row {
        allowance_type: String,
        quantity: i64,
    }
    let statement = sql!(
        "select allowance_type, quantity from subscription.allowance_snapshot
         where subscription_id = $1 and period_index = $2 and tenant_id = $3",
        id,
        period_index,
        cx.tenant.as_ref()
    );
    let view = |row: Row| {
        let allowance_type = allowance_type(&row.allowance_type)?;
        Ok(AllowanceView { allowance_type, quantity: row.quantity, unit: allowance_type.unit() })
    };
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(view).collect()
}
