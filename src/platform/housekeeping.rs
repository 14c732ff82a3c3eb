//! Periodic work of the platform itself: partitions ahead of time, answers and deliveries that are no longer needed.

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
            async move { Ok(json!({ "purged": idempotency::purge(&db).await? })) }
        })
        .add("finished_deliveries", Some(Duration::from_secs(600)), "system:housekeeping", move |_| {
            let db = deliveries.clone();
            async move { Ok(json!({ "purged": purge_finished(&db).await? })) }
        })
}

/// Forgets finished deliveries past their time, a bounded batch at a time until none is left.
async fn purge_finished(db: &Db) -> Result<u64> {
    const BATCH: i64 = 10_000;
    let mut purged = 0;
    loop {
        let batch = execute(
            db.connection(),
            sql!(
                "delete from audit.delivery where (event_id, consumer) in (
                     select event_id, consumer from audit.delivery
                     where state = 'done' and finished_at < clock_timestamp() - make_interval(days => $1) limit $2)",
                FINISHED_DAYS,
                BATCH
            ),
        )
        .await?;
        purged += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(purged);
        }
    }
}
