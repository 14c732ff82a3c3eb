//! Months of history that are past their time are dropped, whole partitions at once: by the wall clock, and never while the
//! books are being verified, which read history and what replaces it over one snapshot.

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::platform::db::Db;
use crate::platform::error::{Error, Result};

/// Name of the tick.
pub const TICK: &str = "retention";

/// The event log.
const EVENTS: &str = "audit.domain_event";

/// Keeps verification and dropping apart.
const LOCK: &str = "hashtext('bss.retention')";

/// What one run did, by name of the partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub dropped: Vec<String>,
    /// Past their time and still there, with the reason. The next run tries again.
    pub kept: Vec<String>,
}

/// A partition that is past its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// With its schema.
    pub name: String,
    /// `2025_01`.
    pub month: String,
}

/// The monthly partitions of `table` that ended `months` whole months before the month of `now`, oldest first. Zero months
/// keep everything.
pub async fn expired(db: &Db, table: &str, months: u32, now: DateTime<Utc>) -> Result<Vec<Expired>> {
    if months == 0 {
        return Ok(Vec::new());
    }
    let names: Vec<String> = sqlx::query_scalar(
        "select n.nspname || '.' || c.relname from pg_inherits i
         join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace
         where i.inhparent = $1::regclass order by 1",
    )
    .bind(table)
    .fetch_all(db.pool())
    .await?;
    let oldest_kept = first_of_month(now.date_naive()).and_then(|first| first.checked_sub_months(Months::new(months)));
    let Some(oldest_kept) = oldest_kept else {
        return Err(Error::Internal(format!("there is no month {months} months before {now}")));
    };
    let month_of = |name: String| {
        let month = name.strip_prefix(table)?.strip_prefix('_')?.to_owned();
        let (year, number) = month.split_once('_')?;
        let first = NaiveDate::from_ymd_opt(year.parse().ok()?, number.parse().ok()?, 1)?;
        (first < oldest_kept).then_some(Expired { name, month })
    };
    Ok(names.into_iter().filter_map(month_of).collect())
}

fn first_of_month(date: NaiveDate) -> Option<NaiveDate> {
    date.with_day(1)
}

/// Begins a dropping in the caller's transaction. False while the books are being verified: then nothing may be dropped.
pub async fn begin(connection: &mut PgConnection) -> Result<bool> {
    // Closing a big month takes its time; the lock that dropping needs is asked for at the end, and not for long.
    sqlx::raw_sql("set local statement_timeout = '10min'; set local lock_timeout = '2s'")
        .execute(&mut *connection)
        .await?;
    let statement = format!("select pg_try_advisory_xact_lock({LOCK})");
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(connection).await?)
}

/// What a verification runs first in its transaction: a dropping that is under way is waited for, none begins.
pub fn shared_lock() -> String {
    format!("select pg_advisory_xact_lock_shared({LOCK})")
}

/// Drops the partition: the last statement of the caller's transaction, since it waits for everybody who reads the table.
pub async fn drop_partition(connection: &mut PgConnection, partition: &Expired) -> Result<()> {
    // The name was read from the catalog and has our own shape; an identifier cannot be bound.
    sqlx::query(sqlx::AssertSqlSafe(format!("drop table {}", partition.name))).execute(connection).await?;
    Ok(())
}

/// Drops the months of the event log that are past their time. A month with an event that somebody still waits for stays.
pub async fn drop_expired_events(db: &Db, months: u32, now: DateTime<Utc>) -> Result<Report> {
    let mut report = Report::default();
    for partition in expired(db, EVENTS, months, now).await? {
        match drop_events(db, &partition).await {
            Ok(None) => {
                tracing::info!(partition = partition.name, "events past their retention dropped");
                report.dropped.push(partition.name);
            }
            Ok(Some(reason)) => report.kept.push(format!("{}: {reason}", partition.name)),
            Err(error) if error.is_transient() => report.kept.push(format!("{}: {error}", partition.name)),
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

/// None when it was dropped, else why not.
async fn drop_events(db: &Db, partition: &Expired) -> Result<Option<&'static str>> {
    let mut tx = db.pool().begin().await?;
    if !begin(&mut tx).await? {
        return Ok(Some("the books are being verified"));
    }
    let waiting = format!(
        "select exists (select from audit.delivery d join {} e on e.id = d.event_seq and e.event_id = d.event_id
         where d.state in ('pending', 'parked'))",
        partition.name
    );
    if sqlx::query_scalar(sqlx::AssertSqlSafe(waiting)).fetch_one(&mut *tx).await? {
        return Ok(Some("a delivery is pending or parked"));
    }
    // A delivery cannot outlive its event, nor what is noted of its tries.
    let orphans = format!(
        "with history as (delete from audit.delivery_history h using {0} e where e.event_id = h.event_id)
         delete from audit.delivery d using {0} e
         where e.id = d.event_seq and e.event_id = d.event_id and d.state in ('done', 'discarded')",
        partition.name
    );
    sqlx::query(sqlx::AssertSqlSafe(orphans)).execute(&mut *tx).await?;
    drop_partition(&mut tx, partition).await?;
    tx.commit().await?;
    Ok(None)
}
