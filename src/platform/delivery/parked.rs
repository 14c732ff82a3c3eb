//! The operator's view of the pipeline: depth, parked deliveries, replay, discard.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use uuid::Uuid;

use crate::platform::context::Context;
use crate::platform::db::{Db, execute, sql};
use crate::platform::error::{Error, Result};

/// How much waits for one subscriber.
#[derive(Debug, Clone, Serialize, FromQueryResult, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Depth {
    pub consumer: String,
    pub kind: String,
    pub pending: i64,
    pub parked: i64,
    /// Age of the oldest pending delivery, in seconds of wall time.
    pub oldest_pending_seconds: Option<f64>,
}

/// One delivery as an operator sees it.
#[derive(Debug, Clone, Serialize, FromQueryResult, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    pub event_id: Uuid,
    pub consumer: String,
    pub kind: String,
    pub event_type: String,
    pub aggregate_id: String,
    pub state: String,
    pub attempts: i16,
    pub next_attempt_at: DateTime<Utc>,
    pub first_failed_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub recorded_at: DateTime<Utc>,
}

/// One line of a delivery's history.
#[derive(Debug, Clone, Serialize, FromQueryResult, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryView {
    pub consumer: String,
    pub what: String,
    pub actor: String,
    pub detail: Option<String>,
    pub at: DateTime<Utc>,
}

/// Depth per subscriber; those with nothing pending or parked are left out.
pub async fn depth(db: &Db) -> Result<Vec<Depth>> {
    let statement = sql!(
        "select consumer, kind, count(*) filter (where state = 'pending') as pending,
                count(*) filter (where state = 'parked') as parked,
                extract(epoch from clock_timestamp() - min(recorded_at) filter (where state = 'pending'))::float8
                    as oldest_pending_seconds
         from audit.delivery where state in ('pending', 'parked') group by consumer, kind order by consumer"
    );
    Ok(Depth::find_by_statement(statement).all(db.connection()).await?)
}

/// Parked deliveries, oldest first.
pub async fn parked(db: &Db, cx: &Context, consumer: Option<&str>, limit: u32) -> Result<Vec<DeliveryView>> {
    let statement = sql!(
        "select event_id, consumer, kind, event_type, aggregate_id, state, attempts, next_attempt_at, first_failed_at,
                finished_at, last_error, recorded_at
         from audit.delivery where state = 'parked' and tenant_id = $1 and ($2::text is null or consumer = $2)
         order by event_seq limit $3",
        cx.tenant.as_ref(),
        consumer,
        i64::from(limit)
    );
    Ok(DeliveryView::find_by_statement(statement).all(db.connection()).await?)
}

/// All deliveries of one event, and what happened to them.
pub async fn of_event(db: &Db, cx: &Context, event_id: Uuid) -> Result<(Vec<DeliveryView>, Vec<HistoryView>)> {
    let statement = sql!(
        "select event_id, consumer, kind, event_type, aggregate_id, state, attempts, next_attempt_at, first_failed_at,
                finished_at, last_error, recorded_at
         from audit.delivery where event_id = $1 and tenant_id = $2 order by consumer",
        event_id,
        cx.tenant.as_ref()
    );
    let deliveries = DeliveryView::find_by_statement(statement).all(db.connection()).await?;
    if deliveries.is_empty() {
        return Err(Error::not_found("delivery of event", event_id));
    }
    let statement = sql!(
        "select consumer, what, actor, detail, at from audit.delivery_history where event_id = $1 order by id limit 1000",
        event_id
    );
    Ok((deliveries, HistoryView::find_by_statement(statement).all(db.connection()).await?))
}

/// Puts parked deliveries of an event back into the queue, with a fresh budget of tries. The history stays.
pub async fn replay(db: &Db, cx: &Context, event_id: Uuid, consumer: Option<&str>) -> Result<u64> {
    let tx = db.begin().await?;
    let replayed = execute(
        &*tx,
        sql!(
            "with replayed as (
                 update audit.delivery set state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), finished_at = null
                 where event_id = $1 and state = 'parked' and tenant_id = $2 and ($3::text is null or consumer = $3)
                 returning event_id, consumer)
             insert into audit.delivery_history (event_id, consumer, what, actor) select event_id, consumer, 'replayed', $4 from replayed",
            event_id,
            cx.tenant.as_ref(),
            consumer,
            cx.actor.as_ref()
        ),
    )
    .await?;
    tx.commit().await?;
    if replayed == 0 {
        return Err(Error::not_found("parked delivery of event", event_id));
    }
    db.wake().staged();
    Ok(replayed)
}

/// Gives up a parked delivery for good, with a reason that stays in its history.
pub async fn discard(db: &Db, cx: &Context, event_id: Uuid, consumer: &str, reason: &str) -> Result<u64> {
    let discarded = execute(
        db.connection(),
        sql!(
            "with discarded as (
                 update audit.delivery set state = 'discarded', finished_at = clock_timestamp()
                 where event_id = $1 and consumer = $2 and state = 'parked' and tenant_id = $3
                 returning event_id, consumer)
             insert into audit.delivery_history (event_id, consumer, what, actor, detail)
             select event_id, consumer, 'discarded', $4, $5 from discarded",
            event_id,
            consumer,
            cx.tenant.as_ref(),
            cx.actor.as_ref(),
            reason
        ),
    )
    .await?;
    if discarded == 0 {
        return Err(Error::not_found("parked delivery of event", event_id));
    }
    Ok(discarded)
}
