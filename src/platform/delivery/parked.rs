//! The operator's view of the pipeline: depth, parked deliveries, replay, discard.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use uuid::Uuid;

use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
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

/// A delivery that waits for a person, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Explanation {
    /// What it was.
    pub what: String,
    /// Why it waits.
    pub why: String,
    /// What can be done.
    pub next: String,
}

/// Tries that a delivery has: the first one and those of the backoff.
const TRIES: i16 = 6;

impl DeliveryView {
    /// None for a delivery that waits for nobody.
    pub fn explanation(&self) -> Option<Explanation> {
        if self.state != "parked" {
            return None;
        }
        let what = match self.kind.as_str() {
            "effect" => "is to cause something outside",
            "message" => "is to tell the customer",
            _ => "is to change the books",
        };
        let error = self.last_error.as_deref().unwrap_or("nothing is known of the error");
        let (why, repair) = cause(error, self.attempts);
        let (event, consumer) = (self.event_id, &self.consumer);
        Some(Explanation {
            what: format!("{} about {}, by which {consumer} {what}", self.event_type, self.aggregate_id),
            why: format!("{why}: {error}"),
            next: format!(
                "{repair}, then: bss queue replay {event} --consumer {consumer}. \
                 If it shall never happen: bss queue discard {event} --consumer {consumer} --reason …"
            ),
        })
    }
}

/// Of an error: what it says of the cause, and what comes before a replay.
fn cause(error: &str, attempts: i16) -> (&'static str, &'static str) {
    if error.contains("panicked") {
        return ("the handler has a fault", "Find it in the log by the event and install a version without it");
    }
    if error.contains("cannot read") {
        return ("this version does not understand the event", "Install the version that does");
    }
    if error.contains("not found") {
        return ("something that it needs is missing", "Find out what took it away, and bring it back");
    }
    if error.contains("did not answer") || error.contains("timed out") || error.contains("longer than") {
        return ("what it needs did not answer for too long", "See that it answers again");
    }
    if attempts < TRIES {
        return ("a rule forbids it, and trying again cannot help", "Change what the rule complains of");
    }
    ("every try failed", "Repair the cause")
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

/// Parked deliveries, oldest first, without the first `offset`.
pub async fn parked(
    db: &Db,
    cx: &Context,
    consumer: Option<&str>,
    limit: u32,
    offset: u32,
) -> Result<Vec<DeliveryView>> {
    let statement = sql!(
        "select event_id, consumer, kind, event_type, aggregate_id, state, attempts, next_attempt_at, first_failed_at,
                finished_at, last_error, recorded_at
         from audit.delivery where state = 'parked' and tenant_id = $1 and ($2::text is null or consumer = $2)
         order by event_seq, consumer limit $3 offset $4",
        cx.tenant.as_ref(),
        consumer,
        i64::from(limit),
        i64::from(offset)
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

/// Puts up to `limit` parked deliveries of a subscriber back into the queue, oldest first; answers how many.
pub async fn replay_all(db: &Db, cx: &Context, consumer: &str, limit: u32) -> Result<u64> {
    let replayed = execute(
        db.connection(),
        sql!(
            "with due as (
                 select event_id, consumer from audit.delivery
                 where state = 'parked' and tenant_id = $1 and consumer = $2
                 order by event_seq limit $3 for update skip locked),
             replayed as (
                 update audit.delivery d set state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), finished_at = null
                 from due where d.event_id = due.event_id and d.consumer = due.consumer
                 returning d.event_id, d.consumer)
             insert into audit.delivery_history (event_id, consumer, what, actor) select event_id, consumer, 'replayed', $4 from replayed",
            cx.tenant.as_ref(),
            consumer,
            i64::from(limit),
            cx.actor.as_ref()
        ),
    )
    .await?;
    if replayed > 0 {
        db.wake().staged();
    }
    Ok(replayed)
}

/// Deliveries about these things that wait, for their time or for a person; oldest first, at most a hundred. Only such as move
/// them: what listeners outside are still to be told, and what customers are, holds nothing up.
pub async fn about(db: &Db, cx: &Context, aggregates: &[String]) -> Result<Vec<DeliveryView>> {
    let statement = sql!(
        "select event_id, consumer, kind, event_type, aggregate_id, state, attempts, next_attempt_at, first_failed_at,
                finished_at, last_error, recorded_at
         from audit.delivery where aggregate_id = any($1) and state in ('pending', 'parked') and tenant_id = $2
           and kind in ('consumer', 'effect')
         order by event_seq limit 100",
        aggregates.to_vec(),
        cx.tenant.as_ref()
    );
    Ok(DeliveryView::find_by_statement(statement).all(db.connection()).await?)
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

/// Gives up what is parked for a subscriber about one thing, in the caller's unit of work; a replay at the same time comes
/// before it or finds nothing. Answers whether more about it is still to be handled.
pub async fn withdraw(tx: &Tx, cx: &Context, consumer: &str, aggregate_id: &str, reason: &str) -> Result<bool> {
    #[derive(FromQueryResult)]
    struct Row {
        is_pending: bool,
    }
    let discarded = sql!(
        "with discarded as (
             update audit.delivery set state = 'discarded', finished_at = clock_timestamp()
             where aggregate_id = $1 and consumer = $2 and state = 'parked' and tenant_id = $3
             returning event_id, consumer)
         insert into audit.delivery_history (event_id, consumer, what, actor, detail)
         select event_id, consumer, 'discarded', $4, $5 from discarded",
        aggregate_id,
        consumer,
        cx.tenant.as_ref(),
        cx.actor.as_ref(),
        reason
    );
    execute(&**tx, discarded).await?;
    let statement = sql!(
        "select exists (select 1 from audit.delivery
                        where aggregate_id = $1 and consumer = $2 and state = 'pending' and tenant_id = $3) as is_pending",
        aggregate_id,
        consumer,
        cx.tenant.as_ref()
    );
    Ok(Row::find_by_statement(statement).one(&**tx).await?.is_some_and(|row| row.is_pending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(attempts: i16, error: &str) -> DeliveryView {
        DeliveryView {
            event_id: Uuid::nil(),
            consumer: "com.book_line".into(),
            kind: "consumer".into(),
            event_type: "service_order.completed".into(),
            aggregate_id: "SO-0001".into(),
            state: "parked".into(),
            attempts,
            next_attempt_at: DateTime::UNIX_EPOCH,
            first_failed_at: None,
            finished_at: None,
            last_error: Some(error.into()),
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_parked_delivery_says_what_why_and_what_next() {
        let explained = parked(1, "order ORD-0001 not found").explanation().unwrap();
        assert_eq!(
            explained.what,
            "service_order.completed about SO-0001, by which com.book_line is to change the books"
        );
        assert_eq!(explained.why, "something that it needs is missing: order ORD-0001 not found");
        assert!(
            explained.next.contains("bss queue replay 00000000-0000-0000-0000-000000000000 --consumer com.book_line")
        );
        assert!(explained.next.contains("bss queue discard"));
        let why = |attempts, error| parked(attempts, error).explanation().unwrap().why;
        assert!(why(1, "This step is not open").starts_with("a rule forbids it"));
        assert!(why(6, "connection reset").starts_with("every try failed"));
        assert!(why(6, "the handler panicked; the log has the place").starts_with("the handler has a fault"));
        assert_eq!(DeliveryView { state: "done".into(), ..parked(1, "") }.explanation(), None);
    }
}
