//! Balances, their entries, and what the plan grants per period.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::Value;

use super::contract::Offer;
use super::corrupt;
use crate::domains::catalog::port::{AllowanceType, AllowanceView};
use crate::domains::subscription::ledger::{Balance, Entry, Grant, Ledger};
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
    Ok(ledgers(tx, cx, &[line]).await?.remove(&line.id))
}

/// The ledgers of lines that this unit of work has locked; those before their first period have none.
pub(in crate::domains::subscription) async fn ledgers(
    tx: &Tx,
    cx: &Context,
    lines: &[&Line],
) -> Result<BTreeMap<SubscriptionId, Ledger>> {
    #[derive(FromQueryResult)]
    struct Row {
        subscription_id: String,
        allowance_type: String,
        unlimited: bool,
        unlimited_until: Option<DateTime<Utc>>,
        fair_use: bool,
        total: i64,
        remaining: i64,
        settled_used: i64,
        told_percent: i16,
    }
    let mut ledgers: BTreeMap<SubscriptionId, Ledger> = lines
        .iter()
        .filter_map(|line| {
            Some((line.id.clone(), Ledger::new(line.period_index, line.period?, Vec::new(), Vec::new())))
        })
        .collect();
    let ids: Vec<String> = ledgers.keys().map(ToString::to_string).collect();
    if ids.is_empty() {
        return Ok(ledgers);
    }
    let statement = sql!(
        "select subscription_id, allowance_type, unlimited, unlimited_until, fair_use, total, remaining, settled_used,
                told_percent
         from subscription.bundle_balance
         where subscription_id = any($1) and tenant_id = $2 order by subscription_id, allowance_type",
        ids.clone(),
        cx.tenant.as_ref()
    );
    for row in Row::find_by_statement(statement).all(&**tx).await? {
        let Row { unlimited, unlimited_until, fair_use, total, remaining, settled_used, told_percent, .. } = row;
        let kind = allowance_type(&row.allowance_type)?;
        if let Some(ledger) = ledgers.get_mut(&SubscriptionId::from(row.subscription_id)) {
            let quota =
                Balance { kind, unlimited, unlimited_until, fair_use, total, remaining, settled_used, told_percent };
            ledger.balances.push(quota);
        }
    }
    add_open_grants(tx, cx, ids, &mut ledgers).await?;
    Ok(ledgers)
}

/// The grants whose end is not written yet, the first to end first.
async fn add_open_grants(
    tx: &Tx,
    cx: &Context,
    ids: Vec<String>,
    ledgers: &mut BTreeMap<SubscriptionId, Ledger>,
) -> Result<()> {
    #[derive(FromQueryResult)]
    struct Row {
        subscription_id: String,
        id: String,
        allowance_type: String,
        grant_left: i64,
        expires_at: DateTime<Utc>,
    }
    let statement = sql!(
        "select subscription_id, id, allowance_type, coalesce(grant_left, 0) as grant_left, expires_at
         from subscription.vas_purchase
         where subscription_id = any($1) and tenant_id = $2 and state = 'applied' and expires_at is not null
           and expired_at is null
         order by expires_at, id",
        ids,
        cx.tenant.as_ref()
    );
    for row in Row::find_by_statement(statement).all(&**tx).await? {
        let grant = Grant {
            allowance: allowance_type(&row.allowance_type)?,
            purchase_id: row.id.into(),
            left: row.grant_left,
            expires_at: row.expires_at,
            expired: false,
        };
        if let Some(ledger) = ledgers.get_mut(&SubscriptionId::from(row.subscription_id)) {
            ledger.grants.push(grant);
        }
    }
    Ok(())
}

/// An instant, or none, in an array: those hold no nulls.
fn text(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339()).unwrap_or_default()
}

/// A ledger, and whose it is.
pub(in crate::domains::subscription) type Owned<'a> = (&'a SubscriptionId, &'a Ledger);

/// Writes the balances of a line and appends the entries of what was done.
pub(in crate::domains::subscription) async fn save(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
    ledger: &Ledger,
) -> Result<()> {
    save_all(tx, cx, &[(id, ledger)]).await
}

/// [`save`] for many lines, in one statement.
pub(in crate::domains::subscription) async fn save_all(tx: &Tx, cx: &Context, ledgers: &[Owned<'_>]) -> Result<()> {
    let entries: Vec<(&SubscriptionId, &Entry)> =
        ledgers.iter().flat_map(|(id, ledger)| ledger.entries.iter().map(move |entry| (*id, entry))).collect();
    let balances: Vec<(Owned<'_>, &Balance)> =
        ledgers.iter().flat_map(|owned| owned.1.balances.iter().map(move |balance| (*owned, balance))).collect();
    let entry_texts = |read: fn(&Entry) -> String| entries.iter().map(|(_, entry)| read(entry)).collect::<Vec<_>>();
    let balance_texts =
        |read: fn(&Balance) -> String| balances.iter().map(|(_, balance)| read(balance)).collect::<Vec<_>>();
    let numbers = |read: fn(&Balance) -> i64| balances.iter().map(|(_, balance)| read(balance)).collect::<Vec<_>>();
    let statement = sql!(
        "with entry as (
             insert into subscription.quota_entry (subscription_id, allowance_type, tenant_id, period_index, kind, amount, source,
                 occurred_at, actor)
             select e.id, e.allowance_type, $1, e.period_index, e.kind, e.amount, e.source, $2, $3
             from unnest($4::text[], $5::text[], $6::int[], $7::text[], $8::bigint[], $9::text[])
                 as e (id, allowance_type, period_index, kind, amount, source))
         insert into subscription.bundle_balance (subscription_id, allowance_type, tenant_id, unlimited, total, remaining, unit,
             period_index, period_start, period_end, unlimited_until, fair_use, settled_used, told_percent)
         select b.id, b.allowance_type, $1, b.unlimited, b.total, b.remaining, b.unit, b.period_index, b.period_start,
             b.period_end, nullif(b.unlimited_until, '')::timestamptz, b.fair_use, b.settled_used, b.told_percent
         from unnest($10::text[], $11::text[], $12::bool[], $13::bigint[], $14::bigint[], $15::text[], $16::int[],
                 $17::timestamptz[], $18::timestamptz[], $19::text[], $20::bool[], $21::bigint[], $22::smallint[])
             as b (id, allowance_type, unlimited, total, remaining, unit, period_index, period_start, period_end,
                 unlimited_until, fair_use, settled_used, told_percent)
         on conflict (subscription_id, allowance_type) do update
         set unlimited = excluded.unlimited, total = excluded.total, remaining = excluded.remaining,
             unlimited_until = excluded.unlimited_until, fair_use = excluded.fair_use, settled_used = excluded.settled_used,
             told_percent = excluded.told_percent,
             period_index = excluded.period_index, period_start = excluded.period_start, period_end = excluded.period_end",
        cx.tenant.as_ref(),
        cx.now,
        cx.actor.as_ref(),
        entries.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        entry_texts(|entry| entry.allowance.as_str().to_owned()),
        entries.iter().map(|(_, entry)| entry.period_index).collect::<Vec<_>>(),
        entry_texts(|entry| entry.kind.as_str().to_owned()),
        entries.iter().map(|(_, entry)| entry.amount).collect::<Vec<_>>(),
        entry_texts(|entry| entry.source.clone()),
        balances.iter().map(|((id, _), _)| id.to_string()).collect::<Vec<_>>(),
        balance_texts(|balance| balance.kind.as_str().to_owned()),
        balances.iter().map(|(_, balance)| balance.unlimited).collect::<Vec<_>>(),
        numbers(|balance| balance.total),
        numbers(|balance| balance.remaining),
        balance_texts(|balance| balance.kind.unit().as_str().to_owned()),
        balances.iter().map(|((_, ledger), _)| ledger.period_index).collect::<Vec<_>>(),
        balances.iter().map(|((_, ledger), _)| ledger.period.start).collect::<Vec<_>>(),
        balances.iter().map(|((_, ledger), _)| ledger.period.end).collect::<Vec<_>>(),
        balance_texts(|balance| text(balance.unlimited_until)),
        balances.iter().map(|(_, balance)| balance.fair_use).collect::<Vec<_>>(),
        numbers(|balance| balance.settled_used),
        balances.iter().map(|(_, balance)| balance.told_percent).collect::<Vec<_>>()
    );
    execute(&**tx, statement).await?;
    save_grants(tx, cx, ledgers).await
}

/// What is left of each grant, and which have ended. One that was bought just now is written with its purchase.
async fn save_grants(tx: &Tx, cx: &Context, ledgers: &[Owned<'_>]) -> Result<()> {
    let grants: Vec<(&SubscriptionId, &Grant)> =
        ledgers.iter().flat_map(|(id, ledger)| ledger.grants.iter().map(move |grant| (*id, grant))).collect();
    if grants.is_empty() {
        return Ok(());
    }
    let statement = sql!(
        "update subscription.vas_purchase v
         set grant_left = g.rest, expired_at = case when g.expired then $2::timestamptz end, updated_at = clock_timestamp()
         from unnest($3::text[], $4::text[], $5::bigint[], $6::bool[]) as g (line, id, rest, expired)
         where v.id = g.id and v.subscription_id = g.line and v.tenant_id = $1 and v.state = 'applied'
           and (v.grant_left is distinct from g.rest or g.expired)",
        cx.tenant.as_ref(),
        cx.now,
        grants.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        grants.iter().map(|(_, grant)| grant.purchase_id.to_string()).collect::<Vec<_>>(),
        grants.iter().map(|(_, grant)| grant.left).collect::<Vec<_>>(),
        grants.iter().map(|(_, grant)| grant.expired).collect::<Vec<_>>()
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
    Ok(offered_all(tx, cx, &[(id, period_index)]).await?.remove(id).unwrap_or_default())
}

/// What the plans grant lines in a period of each.
pub(in crate::domains::subscription) async fn offered_all(
    tx: &Tx,
    cx: &Context,
    periods: &[(&SubscriptionId, i32)],
) -> Result<BTreeMap<SubscriptionId, Vec<AllowanceView>>> {
    #[derive(FromQueryResult)]
    struct Row {
        subscription_id: String,
        allowance_type: String,
        quantity: i64,
        fair_use_quantity: Option<i64>,
    }
    let statement = sql!(
        "select a.subscription_id, a.allowance_type, a.quantity, a.fair_use_quantity
         from unnest($2::text[], $3::int[]) as p (id, period_index)
         join subscription.allowance_snapshot a
           on a.subscription_id = p.id and a.period_index = p.period_index and a.tenant_id = $1",
        cx.tenant.as_ref(),
        periods.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        periods.iter().map(|(_, index)| *index).collect::<Vec<_>>()
    );
    let mut offered: BTreeMap<SubscriptionId, Vec<AllowanceView>> = BTreeMap::new();
    for row in Row::find_by_statement(statement).all(&**tx).await? {
        let plain = AllowanceView::plain(allowance_type(&row.allowance_type)?, row.quantity);
        let view = AllowanceView { fair_use_quantity: row.fair_use_quantity, ..plain };
        offered.entry(row.subscription_id.into()).or_default().push(view);
    }
    Ok(offered)
}
