//! Moves of a plan's lines to a new price.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::{LINE, LineRow, money};
use crate::domains::catalog::port::{OfferingId, PriceId};
use crate::domains::subscription::model::Line;
use crate::domains::subscription::port::{MigratePrice, PriceMigrationId};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids;
use crate::platform::money::Money;

/// Most moves that are carried out at the same time.
const OPEN_MAX: u32 = 1_000;

/// A line of the plan that was not told of the move `$5`: it pays another price, or is to by an earlier move.
const UNTOLD: &str = "s.tenant_id = $1 and s.offering_id = $2 and s.state in ('active', 'blocked')
    and coalesce(s.migration_price_id, s.price_offering_price_id) <> $3 and s.price_currency = $4
    and not exists (select 1 from subscription.contract_change c where c.migration_id = $5 and c.subscription_id = s.id)";

/// A booked move.
#[derive(Debug, Clone)]
pub(in crate::domains::subscription) struct Migration {
    pub(in crate::domains::subscription) id: PriceMigrationId,
    pub(in crate::domains::subscription) offering_id: OfferingId,
    pub(in crate::domains::subscription) price_id: PriceId,
    pub(in crate::domains::subscription) price: Money,
    pub(in crate::domains::subscription) effective_from: DateTime<Utc>,
    pub(in crate::domains::subscription) notice_days: i32,
    pub(in crate::domains::subscription) initiated_by: String,
    pub(in crate::domains::subscription) state: String,
}

#[derive(Debug, FromQueryResult)]
struct Row {
    id: String,
    offering_id: String,
    price_id: String,
    price_amount_minor: i64,
    price_currency: String,
    effective_from: DateTime<Utc>,
    notice_days: i32,
    initiated_by: String,
    state: String,
}

impl Row {
    fn migration(self) -> Result<Migration> {
        Ok(Migration {
            price: money(self.price_amount_minor, &self.price_currency)?,
            id: self.id.into(),
            offering_id: self.offering_id.into(),
            price_id: self.price_id.into(),
            effective_from: self.effective_from,
            notice_days: self.notice_days,
            initiated_by: self.initiated_by,
            state: self.state,
        })
    }
}

const COLUMNS: &str =
    "id, offering_id, price_id, price_amount_minor, price_currency, effective_from, notice_days, initiated_by, state";

/// Books a move, or answers the one that is booked; says whether it is new. A new one ends the plan's earlier one: whoever was
/// not told of that is told of this alone. A request that was answered before opens nothing again.
pub(in crate::domains::subscription) async fn open(
    tx: &Tx,
    cx: &Context,
    command: &MigratePrice,
    price: Money,
) -> Result<(Migration, bool)> {
    let one_at_a_time = sql!(
        "select pg_advisory_xact_lock(hashtextextended('bss.price_migration.' || $1 || '.' || $2, 0))",
        cx.tenant.as_ref(),
        &command.offering_id
    );
    execute(&**tx, one_at_a_time).await?;
    let query = format!(
        "select {COLUMNS} from subscription.price_migration
         where tenant_id = $1 and offering_id = $2 and price_id = $3
           and (state = 'open' or effective_from = $4 and notice_days = $5)
         order by state = 'open' desc, requested_at desc, id desc limit 1"
    );
    let statement = sql!(
        query,
        cx.tenant.as_ref(),
        &command.offering_id,
        &command.new_price_id,
        command.effective_from,
        command.notice_days
    );
    if let Some(row) = Row::find_by_statement(statement).one(&**tx).await? {
        return Ok((row.migration()?, false));
    }
    let superseded = sql!(
        "update subscription.price_migration set state = 'closed', closed_at = $3, updated_at = clock_timestamp()
         where tenant_id = $1 and offering_id = $2 and state = 'open'",
        cx.tenant.as_ref(),
        &command.offering_id,
        cx.now
    );
    execute(&**tx, superseded).await?;
    let id = ids::next(&**tx, "subscription.price_migration_id_seq", "MIG", 4).await?;
    let query = format!(
        "insert into subscription.price_migration (id, tenant_id, offering_id, price_id, price_amount_minor, price_currency,
             effective_from, notice_days, initiated_by, requested_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning {COLUMNS}"
    );
    let statement = sql!(
        query,
        id,
        cx.tenant.as_ref(),
        &command.offering_id,
        &command.new_price_id,
        price.minor,
        price.currency.as_str(),
        command.effective_from,
        command.notice_days,
        command.initiated_by.trim(),
        cx.now
    );
    let row = Row::find_by_statement(statement).one(&**tx).await?;
    let row = row.ok_or_else(|| Error::Internal("an insert of a price migration gave no row".into()))?;
    Ok((row.migration()?, true))
}

/// The moves that are under way.
pub(in crate::domains::subscription) async fn all_open(db: &Db, cx: &Context) -> Result<Vec<Migration>> {
    let query = format!(
        "select {COLUMNS} from subscription.price_migration where tenant_id = $1 and state = 'open' order by id limit {OPEN_MAX}"
    );
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref())).all(db.connection()).await?;
    rows.into_iter().map(Row::migration).collect()
}

/// Ends a move whose lines have all been told; says whether it did.
pub(in crate::domains::subscription) async fn close(db: &Db, cx: &Context, id: &PriceMigrationId) -> Result<bool> {
    let statement = sql!(
        "update subscription.price_migration m set state = 'closed', closed_at = $3, updated_at = clock_timestamp()
         where m.id = $2 and m.tenant_id = $1 and m.state = 'open' and not exists (
             select 1 from subscription.subscription s
             where s.tenant_id = m.tenant_id and s.offering_id = m.offering_id and s.state in ('active', 'blocked')
               and coalesce(s.migration_price_id, s.price_offering_price_id) <> m.price_id and s.price_currency = m.price_currency
               and not exists (select 1 from subscription.contract_change c
                               where c.migration_id = m.id and c.subscription_id = s.id))",
        cx.tenant.as_ref(),
        id,
        cx.now
    );
    Ok(execute(db.connection(), statement).await? == 1)
}

/// Whether the move is still under way. It stays so until `tx` ends: a later move waits to end it.
pub(in crate::domains::subscription) async fn hold_open(tx: &Tx, cx: &Context, id: &PriceMigrationId) -> Result<bool> {
    let query = format!(
        "select {COLUMNS} from subscription.price_migration where tenant_id = $1 and id = $2 and state = 'open' for share"
    );
    Ok(Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?.is_some())
}

/// Locks up to `limit` lines that were not told yet. Lines that somebody else holds are passed over.
pub(in crate::domains::subscription) async fn lock_lines(
    tx: &Tx,
    cx: &Context,
    migration: &Migration,
    limit: i64,
) -> Result<Vec<Line>> {
    let query = format!(
        "select {LINE} from subscription.subscription s where {UNTOLD} order by s.id limit $6 for no key update skip locked"
    );
    let statement = sql!(
        query,
        cx.tenant.as_ref(),
        &migration.offering_id,
        &migration.price_id,
        migration.price.currency.as_str(),
        &migration.id,
        limit
    );
    let rows = LineRow::find_by_statement(statement).all(&**tx).await?;
    rows.into_iter().map(LineRow::line).collect()
}

/// Books the new price for lines that this unit of work has locked; an earlier move that has not begun is replaced.
pub(in crate::domains::subscription) async fn book(
    tx: &Tx,
    cx: &Context,
    migration: &Migration,
    lines: &[Line],
    effective_at: DateTime<Utc>,
) -> Result<()> {
    let ids: Vec<String> = lines.iter().map(|line| line.id.to_string()).collect();
    let replaced = sql!(
        "update subscription.contract_change set state = 'replaced', ended_at = $3, ended_by = $4
         where subscription_id = any($2) and tenant_id = $1 and kind = 'price_migration' and state = 'scheduled'",
        cx.tenant.as_ref(),
        ids.clone(),
        cx.now,
        cx.actor.as_ref()
    );
    execute(&**tx, replaced).await?;
    let statement = sql!(
        "with booked as (
             update subscription.subscription s
             set migration_id = $3, migration_price_id = $4, migration_amount_minor = $5, migration_currency = $6,
                 migration_effective_at = $7, version = version + 1, updated_at = clock_timestamp()
             where s.id = any($2) and s.tenant_id = $1
             returning s.id, s.offering_id, s.price_amount_minor)
         insert into subscription.contract_change (subscription_id, tenant_id, kind, migration_id, former_offering_id,
             former_price_amount_minor, offering_id, price_offering_price_id, price_amount_minor, price_currency, effective_at,
             scheduled_at, scheduled_by)
         select b.id, $1, 'price_migration', $3, b.offering_id, b.price_amount_minor, b.offering_id, $4, $5, $6, $7, $8, $9
         from booked b",
        cx.tenant.as_ref(),
        ids,
        &migration.id,
        &migration.price_id,
        migration.price.minor,
        migration.price.currency.as_str(),
        effective_at,
        cx.now,
        cx.actor.as_ref()
    );
    execute(&**tx, statement).await.map(drop)
}

/// How far a move has come.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub(in crate::domains::subscription) struct Progress {
    pub(in crate::domains::subscription) notified: i64,
    pub(in crate::domains::subscription) applied: i64,
    pub(in crate::domains::subscription) untold: i64,
}

pub(in crate::domains::subscription) async fn progress(
    db: &Db,
    cx: &Context,
    migration: &Migration,
) -> Result<Progress> {
    let query = format!(
        "select (select count(*) from subscription.contract_change where migration_id = $5) as notified,
                (select count(*) from subscription.contract_change where migration_id = $5 and state = 'applied') as applied,
                (select count(*) from subscription.subscription s where {UNTOLD}
                   and exists (select 1 from subscription.price_migration m where m.id = $5 and m.state = 'open')) as untold"
    );
    let statement = sql!(
        query,
        cx.tenant.as_ref(),
        &migration.offering_id,
        &migration.price_id,
        migration.price.currency.as_str(),
        &migration.id
    );
    let progress = Progress::find_by_statement(statement).one(db.connection()).await?;
    progress.ok_or_else(|| Error::Internal("a select of counts gave no row".into()))
}
