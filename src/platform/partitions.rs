//! Monthly partitions of the tables that only grow: this month's and the coming ones exist before the first row needs them.
//!
//! Partition bounds are months of recording, by the wall clock in UTC. A month whose rows already stand in the default
//! partition stays there: it is reported, not forced, and the months after it are made all the same.

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};
use serde::Serialize;
use std::time::Duration;

use crate::platform::clock::wall;
use crate::platform::db::Db;
use crate::platform::error::{Error, Result};
use crate::platform::scheduler::Ticks;

/// Name of the tick.
pub const TICK: &str = "partitions";

/// Tables partitioned by range of `recorded_at`.
const TABLES: [&str; 2] = ["audit.domain_event", "mediation.usage_event"];

/// The current month and the two after it: a server that is down for a month still finds its partition.
const MONTHS_AHEAD: u32 = 2;

/// What one run did, by name of the partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub created: Vec<String>,
    pub existing: Vec<String>,
    /// Not made, with the reason: mostly rows of that month in the default partition.
    pub skipped: Vec<String>,
}

/// The tick that keeps the partitions ahead of time.
pub fn ticks(db: &Db) -> Ticks {
    let db = db.clone();
    Ticks::default().add(TICK, Some(Duration::from_secs(6 * 3600)), "system:partitions", move |_| {
        let db = db.clone();
        async move {
            let report = ensure(&db, wall()).await?;
            serde_json::to_value(report).map_err(|e| Error::Internal(e.to_string()))
        }
    })
}

/// Makes the partitions of `now`'s month and of the coming ones, where they are missing. Safe to run anywhere, any time.
pub async fn ensure(db: &Db, now: DateTime<Utc>) -> Result<Report> {
    let mut report = Report::default();
    for table in TABLES {
        for ahead in 0..=MONTHS_AHEAD {
            let month = Month::of(now, ahead)?;
            let name = month.partition_of(table);
            if exists(db, &name).await? {
                report.existing.push(name);
                continue;
            }
            match create(db, table, &name, month).await {
                Ok(()) => report.created.push(name),
                Err(error) => {
                    let reason = reason(&error);
                    tracing::info!(partition = name, reason, "partition not made");
                    report.skipped.push(format!("{name}: {reason}"));
                }
            }
        }
    }
    Ok(report)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Month {
    first: NaiveDate,
    next: NaiveDate,
}

impl Month {
    fn of(now: DateTime<Utc>, ahead: u32) -> Result<Self> {
        let date = now.date_naive();
        let first = date.with_day(1).and_then(|day| day.checked_add_months(Months::new(ahead)));
        let next = first.and_then(|day| day.checked_add_months(Months::new(1)));
        let (Some(first), Some(next)) = (first, next) else {
            return Err(Error::Internal(format!("{date} has no following months")));
        };
        Ok(Self { first, next })
    }

    fn partition_of(self, table: &str) -> String {
        format!("{table}_{}", self.first.format("%Y_%m"))
    }
}

async fn exists(db: &Db, name: &str) -> Result<bool> {
    Ok(sqlx::query_scalar("select to_regclass($1) is not null").bind(name).fetch_one(db.pool()).await?)
}

async fn create(db: &Db, table: &str, name: &str, month: Month) -> Result<()> {
    let mut tx = db.pool().begin().await?;
    // Two replicas at once: the second waits, then finds the partition.
    sqlx::query("select pg_advisory_xact_lock(hashtext('bss.partitions'))").execute(&mut *tx).await?;
    // Names and dates are ours; identifiers and bounds cannot be bound as parameters. Statistics: as in migration 0094.
    let statement = format!(
        "create table if not exists {name} partition of {table} for values from ('{} 00:00:00+00') to ('{} 00:00:00+00')
         with (autovacuum_analyze_scale_factor = 0.5)",
        month.first, month.next
    );
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

fn reason(error: &Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_over_the_end_of_the_year() {
        let now = "2026-11-30T23:59:59Z".parse().unwrap();
        let names: Vec<String> =
            (0..=MONTHS_AHEAD).map(|n| Month::of(now, n).unwrap().partition_of("audit.domain_event")).collect();
        assert_eq!(names, ["audit.domain_event_2026_11", "audit.domain_event_2026_12", "audit.domain_event_2027_01"]);
        let last = Month::of(now, 1).unwrap();
        assert_eq!(last.next, NaiveDate::from_ymd_opt(2027, 1, 1).unwrap());
    }
}
