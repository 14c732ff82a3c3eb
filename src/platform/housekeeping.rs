//! Periodic work of the platform itself: partitions ahead of time, answers and deliveries that are no longer needed.

use std::future::Future;
use std::time::Duration;

use serde_json::json;

use crate::platform::db::{Db, execute, sql};
use crate::platform::error::Result;
use crate::platform::scheduler::Ticks;
use crate::platform::{idempotency, partitions};

/// How long a finished delivery is kept, by the wall clock; the event itself stays.
const FINISHED_DAYS: i32 = 7;

/// The ticks `partitions`, `idempotency_keys` and `finished_deliveries`.
pub fn ticks(db: &Db) -> Ticks {
    let (keys, deliveries) = (db.clone(), db.clone());
    partitions::ticks(db)
        .add("idempotency_keys", Some(Duration::from_secs(600)), "system:housekeeping", move |_| {
            let db = keys.clone();
            async move { Ok(json!({ "purged": drain(|limit| idempotency::purge(&db, limit)).await? })) }
        })
        .add("finished_deliveries", Some(Duration::from_secs(600)), "system:housekeeping", move |_| {
            let db = deliveries.clone();
            async move { Ok(json!({ "purged": drain(|limit| purge_finished(&db, limit)).await? })) }
        })
}

/// Rows that one statement deletes.
const BATCH: i64 = 10_000;

/// Deletes a bounded batch at a time until none is left. A run has an end even where rows come as fast as they go.
async fn drain<F: Future<Output = Result<u64>>>(batch: impl Fn(i64) -> F) -> Result<u64> {
    const BATCHES_MAX: u32 = 1_000;
    let mut purged = 0;
    for _ in 0..BATCHES_MAX {
        let deleted = batch(BATCH).await?;
        purged += deleted;
        if deleted < BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(purged)
}

/// Forgets finished deliveries past their time, with what is noted of their tries.
async fn purge_finished(db: &Db, limit: i64) -> Result<u64> {
    execute(
        db.connection(),
        sql!(
            "with finished as (
                 delete from audit.delivery where (event_id, consumer) in (
                     select event_id, consumer from audit.delivery
                     where state = 'done' and finished_at < clock_timestamp() - make_interval(days => $1) limit $2)
                 returning event_id, consumer),
             history as (
                 delete from audit.delivery_history h using finished f
                 where h.event_id = f.event_id and h.consumer = f.consumer)
             select 1 from finished",
            FINISHED_DAYS,
            limit
        ),
    )
    .await
}
