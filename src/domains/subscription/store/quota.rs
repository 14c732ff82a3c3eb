//! Balances, their entries, and what the plan grants per period.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::Value;

use super::contract::Offer;
use super::corrupt;
use crate::domains::catalog::port::{AllowanceType, AllowanceView};
use crate::domains::subscription::ledger::{Balance, Grant, Ledger};
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
        unlimited_until: Option<DateTime<Utc>>,
        fair_use: bool,
        total: i64,
        remaining: i64,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    }
    let columns: Vec<Column> = serde_json::from_value(value)
        .map_err(|e| Error::Internal(format!("aggregated balances cannot be read: {e}")))?;
    let held = |column: Column| Held {
        balance: Balance {
            unlimited: column.unlimited,
            unlimited_until: column.unlimited_until,
            fair_use: column.fair_use,
            total: column.total,
            remaining: column.remaining,
            ..Balance::empty(column.kind)
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
        unlimited_until: Option<DateTime<Utc>>,
        fair_use: bool,
        total: i64,
        remaining: i64,
        settled_used: i64,
    }
    let Some(period) = line.period else { return Ok(None) };
    let statement = sql!(
        "select allowance_type, unlimited, unlimited_until, fair_use, total, remaining, settled_used
         from subscription.bundle_balance
         where subscription_id = $1 and tenant_id = $2 order by allowance_type",
        &line.id,
        cx.tenant.as_ref()
    );
    let balance = |row: Row| {
        let Row { unlimited, unlimited_until, fair_use, total, remaining, settled_used, .. } = row;
        let kind = allowance_type(&row.allowance_type)?;
        Ok(Balance { kind, unlimited, unlimited_until, fair_use, total, remaining, settled_used })
    };
    let rows = Row::find_by_statement(statement).all(&**tx).await?;
    let balances: Result<Vec<Balance>> = rows.into_iter().map(balance).collect();
    Ok(Some(Ledger::new(line.period_index, period, balances?, open_grants(tx, cx, &line.id).await?)))
}

/// The grants of a line whose end is not written yet, the first to end first.
async fn open_grants(tx: &Tx, cx: &Context, id: &SubscriptionId) -> Result<Vec<Grant>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
        allowance_type: String,
        grant_left: i64,
        expires_at: DateTime<Utc>,
    }
    let statement = sql!(
        "select id, allowance_type, coalesce(grant_left, 0) as grant_left, expires_at from subscription.vas_purchase
         where subscription_id = $1 and tenant_id = $2 and state = 'applied' and expires_at is not null and expired_at is null
         order by expires_at, id",
        id,
        cx.tenant.as_ref()
    );
    let grant = |row: Row| {
        Ok(Grant {
            allowance: allowance_type(&row.allowance_type)?,
            purchase_id: row.id.into(),
            left: row.grant_left,
            expires_at: row.expires_at,
            expired: false,
        })
    };
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(grant).collect()
}

/// An instant, or none, in an array: those hold no nulls.
fn text(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339()).unwrap_or_default()
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
                 occurred_at, actor)
             select $1, e.allowance_type, $2, e.period_index, e.kind, e.amount, e.source, $3, $20
             from unnest($4::text[], $5::int[], $6::text[], $7::bigint[], $8::text[])
                 as e (allowance_type, period_index, kind, amount, source))
         insert into subscription.bundle_balance (subscription_id, allowance_type, tenant_id, unlimited, total, remaining, unit,
             period_index, period_start, period_end, unlimited_until, fair_use, settled_used)
         select $1, b.allowance_type, $2, b.unlimited, b.total, b.remaining, b.unit, $14, $15, $16,
             nullif(b.unlimited_until, '')::timestamptz, b.fair_use, b.settled_used
         from unnest($9::text[], $10::bool[], $11::bigint[], $12::bigint[], $13::text[], $17::text[], $18::bool[],
                 $19::bigint[])
             as b (allowance_type, unlimited, total, remaining, unit, unlimited_until, fair_use, settled_used)
         on conflict (subscription_id, allowance_type) do update
         set unlimited = excluded.unlimited, total = excluded.total, remaining = excluded.remaining,
             unlimited_until = excluded.unlimited_until, fair_use = excluded.fair_use, settled_used = excluded.settled_used,
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
        ledger.period.end,
        ledger.balances.iter().map(|balance| text(balance.unlimited_until)).collect::<Vec<_>>(),
        ledger.balances.iter().map(|balance| balance.fair_use).collect::<Vec<_>>(),
        of_balance(|balance| balance.settled_used),
        cx.actor.as_ref()
    );
    execute(&**tx, statement).await?;
    save_grants(tx, cx, id, &ledger.grants).await
}

/// What is left of each grant, and which have ended. One that was bought just now is written with its purchase.
async fn save_grants(tx: &Tx, cx: &Context, id: &SubscriptionId, grants: &[Grant]) -> Result<()> {
    if grants.is_empty() {
        return Ok(());
    }
    let statement = sql!(
        "update subscription.vas_purchase v
         set grant_left = g.rest, expired_at = case when g.expired then $3::timestamptz end, updated_at = clock_timestamp()
         from unnest($4::text[], $5::bigint[], $6::bool[]) as g (id, rest, expired)
         where v.id = g.id and v.subscription_id = $1 and v.tenant_id = $2 and v.state = 'applied'
           and (v.grant_left is distinct from g.rest or g.expired)",
        id,
        cx.tenant.as_ref(),
        cx.now,
        grants.iter().map(|grant| grant.purchase_id.to_string()).collect::<Vec<_>>(),
        grants.iter().map(|grant| grant.left).collect::<Vec<_>>(),
        grants.iter().map(|grant| grant.expired).collect::<Vec<_>>()
    );
    execute(&**tx, statement).await.map(drop)
}

/// Keeps what plans grant in periods, so that catalog edits never reach a paid one; an offer that was not taken is replaced.
pub(super) async fn offer(tx: &Tx, cx: &Context, offers: &[Offer<'_>]) -> Result<()> {
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
        "insert into subscription.allowance_snapshot (subscription_id, period_index, allowance_type, tenant_id, quantity, unit,
             fair_use_quantity)
         select o.id, o.period_index, o.allowance_type, $6, o.quantity, o.unit, nullif(o.fair_use, 0)
         from unnest($1::text[], $2::int[], $3::text[], $4::bigint[], $5::text[], $7::bigint[])
             as o (id, period_index, allowance_type, quantity, unit, fair_use)",
        rows().map(|(offer, _)| offer.line.to_string()).collect::<Vec<_>>(),
        rows().map(|(offer, _)| offer.period_index).collect::<Vec<_>>(),
        rows().map(|(_, allowance)| allowance.allowance_type.as_str().to_owned()).collect::<Vec<_>>(),
        rows().map(|(_, allowance)| allowance.quantity).collect::<Vec<_>>(),
        rows().map(|(_, allowance)| allowance.unit.as_str().to_owned()).collect::<Vec<_>>(),
        cx.tenant.as_ref(),
        rows().map(|(_, allowance)| allowance.fair_use_quantity.unwrap_or(0)).collect::<Vec<_>>()
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
        fair_use_quantity: Option<i64>,
    }
    let statement = sql!(
        "select allowance_type, quantity, fair_use_quantity from subscription.allowance_snapshot
         where subscription_id = $1 and period_index = $2 and tenant_id = $3",
        id,
        period_index,
        cx.tenant.as_ref()
    );
    let view = |row: Row| {
        let allowance_type = allowance_type(&row.allowance_type)?;
        let plain = AllowanceView::plain(allowance_type, row.quantity);
        Ok(AllowanceView { fair_use_quantity: row.fair_use_quantity, ..plain })
    };
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(view).collect()
}
