//! Writes segments, and forgets old ones.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::recorder::Segment;
use super::{Segments, TraceConfig};
use crate::platform::clock;
use crate::platform::db::Db;
use crate::platform::error::{Error, Result};
use crate::platform::scheduler::Ticks;

/// Segments of one statement.
const BATCH: usize = 250;
/// How long segments gather before they are written: a reader waits no longer, and a busy process writes large batches.
const GATHERING: Duration = Duration::from_millis(200);

const EVERY: Duration = Duration::from_secs(60);
/// Rows of one delete.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// Writes what is recorded until `stop` is cancelled and the queue is empty. A batch that cannot be written is dropped.
pub async fn keep(db: Db, mut segments: Segments, stop: CancellationToken) {
    let (mut second, mut seen) = (Instant::now(), 0);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(GATHERING) => {}
        }
        seen += write_waiting(&db, &mut segments).await;
        let passed = second.elapsed();
        if passed >= Duration::from_secs(1) {
            let milliseconds = usize::try_from(passed.as_millis()).unwrap_or(usize::MAX);
            segments.share.follow(seen * 1000 / milliseconds.max(1));
            (second, seen) = (Instant::now(), 0);
        }
    }
    write_waiting(&db, &mut segments).await;
}

/// Writes what waits now; says how much it was.
async fn write_waiting(db: &Db, segments: &mut Segments) -> usize {
    let mut written = 0;
    // What comes in meanwhile waits for the next turn: this one ends.
    let mut waiting = segments.queue.len();
    while waiting > 0 {
        let batch: Vec<Segment> =
            std::iter::from_fn(|| segments.queue.try_recv().ok()).take(BATCH.min(waiting)).collect();
        if batch.is_empty() {
            break;
        }
        waiting = waiting.saturating_sub(batch.len());
        written += batch.len();
        if let Err(error) = insert(db, &batch).await {
            metrics::counter!("bss_trace_segments_dropped_total").increment(batch.len() as u64);
            tracing::debug!(%error, "segments of traces not written");
        }
    }
    written
}

/// Not waiting for the disk: a picture that a crash loses is no loss.
async fn insert(db: &Db, segments: &[Segment]) -> Result<()> {
    fn column<T>(segments: &[Segment], cell: impl Fn(&Segment) -> T) -> Vec<T> {
        segments.iter().map(cell).collect()
    }
    let spans = segments.iter().map(|segment| serde_json::to_string(&segment.spans)).collect::<Result<Vec<_>, _>>();
    let spans = spans.map_err(|e| Error::Internal(format!("spans cannot be serialised: {e}")))?;
    let bytes: Vec<i32> = spans.iter().map(|text| i32::try_from(text.len()).unwrap_or(i32::MAX)).collect();
    sqlx::query(
        "with setting as materialized (select set_config('synchronous_commit', 'off', true))
         insert into audit.trace_segment (trace_id, tenant_id, origin, module, name, started_at, took_us, failed, spans,
             bytes)
         select s.trace_id, s.tenant_id, s.origin, s.module, s.name, s.started_at, s.took_us, s.failed, s.spans::jsonb,
                s.bytes
         from setting, unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[],
                              $8::bool[], $9::text[], $10::int[])
             as s (trace_id, tenant_id, origin, module, name, started_at, took_us, failed, spans, bytes)",
    )
    .bind(column(segments, |s| s.trace_id.clone()))
    .bind(column(segments, |s| s.tenant.clone()))
    .bind(column(segments, |s| s.origin))
    .bind(column(segments, |s| s.module.clone()))
    .bind(column(segments, |s| s.name.clone()))
    .bind(column(segments, |s| s.started_at))
    .bind(column(segments, |s| i64::try_from(s.took_us).unwrap_or(i64::MAX)))
    .bind(column(segments, |s| s.failed))
    .bind(spans)
    .bind(bytes)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// The tick `traces`: what is too old or too much goes, the oldest first.
pub fn ticks(db: &Db, config: TraceConfig) -> Ticks {
    let db = db.clone();
    Ticks::default().add("traces", Some(EVERY), "system:housekeeping", move |_| {
        let db = db.clone();
        async move { Ok(json!({ "forgotten": forget(&db, config, clock::wall()).await? })) }
    })
}

async fn forget(db: &Db, config: TraceConfig, now: DateTime<Utc>) -> Result<u64> {
    let oldest_kept = now - config.age_max;
    let bytes_max = i64::from(config.megabytes_max) * 1024 * 1024;
    // Ids rise with time, so beyond the one where the sum passes the limit everything is older.
    let beyond: Option<i64> = sqlx::query_scalar(
        "select greatest(
             (select max(id) from audit.trace_segment where started_at < $1),
             (select id from (select id, sum(bytes) over (order by id desc) as kept from audit.trace_segment) s
              where kept > $2 order by id desc limit 1))",
    )
    .bind(oldest_kept)
    .bind(bytes_max)
    .fetch_one(db.pool())
    .await?;
    let Some(beyond) = beyond else { return Ok(0) };
    let mut forgotten = 0;
    loop {
        let batch = sqlx::query(
            "delete from audit.trace_segment where id in
                 (select id from audit.trace_segment where id <= $1 order by id limit $2)",
        )
        .bind(beyond)
        .bind(FORGOTTEN_AT_ONCE)
        .execute(db.pool())
        .await?
        .rows_affected();
        forgotten += batch;
        if batch < FORGOTTEN_AT_ONCE.unsigned_abs() {
            return Ok(forgotten);
        }
    }
}
