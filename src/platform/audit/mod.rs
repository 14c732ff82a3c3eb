//! Checks of the books: each is one query that finds offenders. Domains state theirs; [`verify`] runs them all.

pub mod nightly;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::platform::db::{Db, sql};
use crate::platform::error::{Error, Result};
use crate::platform::retention;

/// One statement about the books that must hold at every moment between two transactions, or after recovery.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// `<domain>.<what_must_hold>`.
    pub name: &'static str,
    /// What holds, in one sentence.
    pub description: &'static str,
    /// Selects `id text, detail text` of every offender; no row means that it holds.
    pub offenders: &'static str,
}

/// What the platform itself must hold.
pub const CHECKS: &[Check] = &[Check {
    name: "platform.deliveries_move",
    description: "Every event is delivered, parked, or due within the next minutes",
    // A delivery that is due for long has nobody who takes it: a subscriber that no running version knows.
    offenders: "select d.event_id::text || ' to ' || d.consumer, d.event_type || ' of ' || d.aggregate_id || ', due since ' || d.next_attempt_at
                from audit.delivery d
                where d.state = 'pending' and d.next_attempt_at < clock_timestamp() - interval '5 minutes'",
}];

/// Most offenders that one check prints.
const OFFENDERS_SHOWN: u32 = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize, FromQueryResult, schemars::JsonSchema)]
pub struct Offender {
    pub id: String,
    pub detail: String,
}

#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    pub name: String,
    pub description: String,
    pub ok: bool,
    /// At most a hundred.
    pub offenders: Vec<Offender>,
}

#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    pub ok: bool,
    pub checks: Vec<CheckReport>,
}

/// What a check asks for the wall clock.
const NOW: &str = "clock_timestamp()";

/// The checks for whoever asks. One is answered at a time in a process: each reads whole tables for a long time, on a
/// connection that writing needs, too.
#[derive(Debug)]
pub struct Books {
    db: Db,
    checks: Vec<Check>,
    turn: Arc<Semaphore>,
}

impl Books {
    pub fn new(db: Db, checks: Vec<Check>) -> Self {
        Self { db, checks, turn: Arc::new(Semaphore::new(1)) }
    }

    /// All of them.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Runs the checks that are `wanted` by name.
    ///
    /// # Errors
    /// Unavailable while somebody else's answer is being worked on.
    pub async fn verify(&self, wanted: impl Fn(&str) -> bool) -> Result<AuditReport> {
        let turn = Arc::clone(&self.turn).try_acquire_owned();
        let turn =
            turn.map_err(|_| Error::unavailable("The books are being checked already; ask again in a moment"))?;
        let checks: Vec<Check> = self.checks.iter().filter(|check| wanted(check.name)).copied().collect();
        let db = self.db.clone();
        // A caller who leaves does not end the statement that the database is at: the turn lasts as long as that.
        let running = tokio::spawn(async move {
            let report = verify(&db, &checks).await;
            drop(turn);
            report
        });
        running.await.map_err(|error| Error::Internal(format!("the check of the books ended early: {error}")))?
    }
}

/// Runs every check over one snapshot of the database, for people to read: of each the first hundred offenders.
pub async fn verify(db: &Db, checks: &[Check]) -> Result<AuditReport> {
    examine(db, checks, NOW, OFFENDERS_SHOWN).await
}

/// Runs every check as it would have answered at an instant of the wall clock: what a restored database is to be judged by,
/// since in it everything that was to be done in a moment is overdue.
pub async fn verify_as_of(db: &Db, checks: &[Check], at: DateTime<Utc>) -> Result<AuditReport> {
    examine(db, checks, &format!("timestamptz '{}'", at.to_rfc3339()), OFFENDERS_SHOWN).await
}

/// The first `offenders_max` offenders of each check by id, so that two runs over the same books name the same ones. A check
/// that cannot be answered does not hold: it is its own offender, `check`.
async fn examine(db: &Db, checks: &[Check], now: &str, offenders_max: u32) -> Result<AuditReport> {
    use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
    let tx = db.begin().await?;
    tx.execute_unprepared(
        // Unlike other units of work this one reads whole tables.
        "set transaction isolation level repeatable read, read only; set local statement_timeout = '120s';
         set local plan_cache_mode = auto; set local enable_seqscan = on",
    )
    .await?;
    // History and the entries that replace it change places in one transaction: not between two checks.
    tx.execute_unprepared(&retention::shared_lock()).await?;
    let mut reports = Vec::with_capacity(checks.len());
    for check in checks {
        let offenders = check.offenders.replace(NOW, now);
        let query = format!("select id, detail from ({offenders}) as offender (id, detail) order by id limit $1");
        let wanted = sql!(query, i64::from(offenders_max));
        // One that takes too long says nothing about the others.
        let attempt = tx.begin().await?;
        let offenders = match Offender::find_by_statement(wanted).all(&attempt).await {
            Ok(offenders) => {
                attempt.commit().await?;
                offenders
            }
            Err(error) => {
                attempt.rollback().await?;
                vec![Offender { id: "check".to_owned(), detail: format!("it could not be checked: {error}") }]
            }
        };
        reports.push(CheckReport {
            name: check.name.to_owned(),
            description: check.description.to_owned(),
            ok: offenders.is_empty(),
            offenders,
        });
    }
    Ok(AuditReport { ok: reports.iter().all(|report| report.ok), checks: reports })
}
