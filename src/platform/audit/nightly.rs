//! The books are checked every night, and what is wrong is told once: a finding stays open until a later run does not see
//! it any more, and comes back as a new one if it does.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use serde_json::{Value, json};

use super::{AuditReport, Check, NOW, examine};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::Result;
use crate::platform::outbox::{self, Event};
use crate::platform::scheduler::Ticks;

/// How often the tick looks whether a night has passed.
const EVERY: Duration = Duration::from_secs(600);

/// A night's run is due from this hour on, by the operator's clock: the renewals of midnight are through.
const HOUR: i64 = 2;

/// A run that has not ended after this long (wall clock) has died with its process.
const ABANDONED_AFTER_MINUTES: i32 = 30;

/// Most offenders of one check that a night looks at.
const OFFENDERS_MAX: u32 = 10_000;

/// Open findings that are listed at most.
const LISTED_MAX: i64 = 1_000;

/// Something in the books is wrong: somebody must look (runbook "books do not balance").
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DiscrepancyFound<'a> {
    check: &'a str,
    offender_id: &'a str,
    detail: &'a str,
}

impl Event for DiscrepancyFound<'_> {
    const TYPE: &'static str = "audit.discrepancy_found";
    const AGGREGATE: &'static str = "audit_check";
    fn aggregate_id(&self) -> &str {
        self.check
    }
}

/// What is wrong in the books and since when, by the product clock.
#[derive(Debug, Clone, Serialize, FromQueryResult, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingView {
    #[serde(rename = "check")]
    pub check_name: String,
    pub offender_id: String,
    pub detail: String,
    pub found_at: DateTime<Utc>,
    pub last_found_at: DateTime<Utc>,
}

/// The tick `audit`: once per product day, on whichever replica comes first.
pub fn ticks(db: &Db, checks: &[Check], time_zone: Tz) -> Ticks {
    let (db, checks) = (db.clone(), checks.to_vec());
    Ticks::default().add("audit", Some(EVERY), "system:audit", move |cx| {
        let (db, checks) = (db.clone(), checks.clone());
        async move { run(&db, &cx, &checks, time_zone).await }
    })
}

/// Findings that are open, the newest first.
pub async fn open(db: &Db) -> Result<Vec<FindingView>> {
    let statement = sql!(
        "select check_name, offender_id, detail, found_at, last_found_at from audit.finding
         where cleared_at is null order by found_at desc, check_name, offender_id limit $1",
        LISTED_MAX
    );
    Ok(FindingView::find_by_statement(statement).all(db.connection()).await?)
}

async fn run(db: &Db, cx: &Context, checks: &[Check], time_zone: Tz) -> Result<Value> {
    let night = (cx.now.with_timezone(&time_zone).naive_local() - TimeDelta::hours(HOUR)).date();
    if !claim(db, night).await? {
        return Ok(json!({ "night": night, "due": false }));
    }
    let report = examine(db, checks, NOW, OFFENDERS_MAX).await?;
    let tx = db.begin().await?;
    let new = note(&tx, cx, &report).await?;
    let offenders: usize = report.checks.iter().map(|check| check.offenders.len()).sum();
    let ended = sql!(
        "update audit.nightly_run set finished_at = clock_timestamp(), findings = $2 where day = $1",
        night,
        i32::try_from(offenders).unwrap_or(i32::MAX)
    );
    execute(&*tx, ended).await?;
    tx.commit().await?;
    #[expect(clippy::cast_precision_loss, reason = "at most ten thousand for each check")]
    metrics::gauge!("bss_audit_findings").set(offenders as f64);
    if offenders > 0 {
        tracing::error!(offenders, new, "the books do not balance; bss audit findings names each place");
    }
    Ok(json!({ "night": night, "due": true, "checks": report.checks.len(), "findings": offenders, "new": new }))
}

/// Takes the night's run. False when somebody has it or has done it.
async fn claim(db: &Db, night: NaiveDate) -> Result<bool> {
    let statement = sql!(
        "insert into audit.nightly_run as r (day) values ($1)
         on conflict (day) do update set started_at = clock_timestamp()
         where r.finished_at is null and r.started_at < clock_timestamp() - make_interval(mins => $2)",
        night,
        ABANDONED_AFTER_MINUTES
    );
    Ok(execute(db.connection(), statement).await? == 1)
}

/// Opens, keeps and closes findings as the report says; answers how many are new, and tells of each.
async fn note(tx: &Tx, cx: &Context, report: &AuditReport) -> Result<usize> {
    let mut new = 0;
    for check in &report.checks {
        for offender in &check.offenders {
            if open_finding(&**tx, cx, &check.name, &offender.id, &offender.detail).await? {
                let (check, offender_id, detail) =
                    (check.name.as_str(), offender.id.as_str(), offender.detail.as_str());
                outbox::stage(tx, cx, &DiscrepancyFound { check, offender_id, detail }).await?;
                new += 1;
            }
        }
    }
    // Of a check with more offenders than were looked at, one that was not seen may be there still.
    let cut = report.checks.iter().filter(|check| check.offenders.len() >= OFFENDERS_MAX as usize);
    let cut: Vec<String> = cut.map(|check| check.name.clone()).collect();
    let healed = sql!(
        "update audit.finding set cleared_at = $1
         where cleared_at is null and last_found_at < $1 and check_name <> all ($2)",
        cx.now,
        cut
    );
    execute(&**tx, healed).await?;
    Ok(new)
}

/// True when it was not open until now.
async fn open_finding(
    connection: &impl ConnectionTrait,
    cx: &Context,
    check: &str,
    offender: &str,
    detail: &str,
) -> Result<bool> {
    let known = sql!(
        "update audit.finding set last_found_at = $4, detail = $3
         where check_name = $1 and offender_id = $2 and cleared_at is null",
        check,
        offender,
        detail,
        cx.now
    );
    if execute(connection, known).await? > 0 {
        return Ok(false);
    }
    let opened = sql!(
        "insert into audit.finding (check_name, offender_id, detail, found_at, last_found_at) values ($1, $2, $3, $4, $4)
         on conflict (check_name, offender_id) do update
         set detail = excluded.detail, found_at = excluded.found_at, last_found_at = excluded.last_found_at, cleared_at = null",
        check,
        offender,
        detail,
        cx.now
    );
    execute(connection, opened).await?;
    Ok(true)
}
