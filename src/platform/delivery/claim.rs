//! Taking due deliveries: row locks with SKIP LOCKED, a lease in the row, no lock kept. Any number of replicas may claim.

use chrono::{DateTime, Utc};
use tracing::Span;
use uuid::Uuid;

use crate::platform::db::Db;
use crate::platform::delivery::Kind;
use crate::platform::error::Result;
use crate::platform::hub::{CONSUMER_PREFIX, Notice};
use crate::platform::trace;

/// How long a claimed delivery is left alone. A dead replica's leases are freed as soon as its own lease ends.
const LEASE_SECONDS: i32 = 30;

/// A delivery that this process holds, with its event.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Claimed {
    pub(super) event_id: Uuid,
    pub(super) consumer: String,
    pub(super) attempts: i16,
    pub(super) event_type: String,
    schema_version: i16,
    pub(super) aggregate_id: String,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) actor: String,
    pub(super) channel: String,
    pub(super) service_identity: String,
    pub(super) tenant_id: String,
    pub(super) request_id: String,
    pub(super) trace_id: Option<String>,
    pub(super) payload: serde_json::Value,
}

impl Claimed {
    /// The segment of its trace, together with the deliveries that are worked on with it; none when nobody asked for it.
    pub(super) fn span(&self, together: usize) -> Span {
        let Some(trace_id) = &self.trace_id else { return Span::none() };
        trace::delivery(trace::Delivered {
            trace_id,
            tenant: &self.tenant_id,
            identity: &self.service_identity,
            consumer: &self.consumer,
            event_id: self.event_id,
            aggregate_id: &self.aggregate_id,
            attempts: self.attempts,
            together,
        })
    }

    /// As a listener outside is told of it.
    pub(super) fn notice(&self) -> Notice {
        Notice {
            hub_id: self.consumer.trim_start_matches(CONSUMER_PREFIX).to_owned(),
            event_id: self.event_id,
            event_type: self.event_type.clone(),
            aggregate_id: self.aggregate_id.clone(),
            occurred_at: self.occurred_at,
            payload: self.payload.clone(),
        }
    }
}

/// For so long a delivery is left to processes that know its event's version, and up to twice as long.
const LEFT_SECONDS: f64 = 2.0;

/// Leases up to `limit` due deliveries of the known consumers, oldest event first. The listeners outside are known to all.
/// Payloads are in the newest version that this process knows; events of newer ones are left to newer processes.
///
/// The claim does not wait for the disk: losing a lease in a database crash only means that somebody claims again. To plan
/// it takes longer than to run it.
pub(super) async fn claim(db: &Db, boot_id: Uuid, kind: Kind, known: &[String], limit: i64) -> Result<Vec<Claimed>> {
    let mut claimed = sqlx::query_as::<_, Claimed>(
        "with setting as materialized (select set_config('synchronous_commit', 'off', true)),
              due as (
                  select d.event_id, d.consumer from audit.delivery d, setting
                  where d.state = 'pending' and d.kind = $1 and d.next_attempt_at <= clock_timestamp()
                    and (d.consumer = any($2) or $1 = 'hub')
                  order by d.next_attempt_at, d.event_seq
                  limit $3
                  for update of d skip locked),
              claimed as (
                  update audit.delivery d
                  set leased_by = $4, next_attempt_at = clock_timestamp() + make_interval(secs => $5)
                  from due where d.event_id = due.event_id and d.consumer = due.consumer
                  returning d.event_id, d.consumer, d.attempts, d.event_seq, d.recorded_at)
         select c.event_id, c.consumer, c.attempts, e.event_type, e.schema_version, e.aggregate_id, e.occurred_at, e.actor, e.channel,
                e.service_identity, e.tenant_id, e.request_id, e.trace_id, e.payload
         from claimed c join audit.domain_event e on e.id = c.event_seq and e.recorded_at = c.recorded_at
         order by c.event_seq",
    )
    .bind(kind.as_str())
    .bind(known)
    .bind(limit)
    .bind(boot_id)
    .bind(f64::from(LEASE_SECONDS))
    .fetch_all(db.keyed_pool())
    .await?;
    let subscribers = db.subscribers();
    let newer: Vec<Claimed> =
        claimed.extract_if(.., |one| !subscribers.reads(&one.consumer, &one.event_type, one.schema_version)).collect();
    if !newer.is_empty() {
        leave(db, boot_id, &newer).await?;
    }
    for one in &mut claimed {
        one.payload = subscribers.current(&one.event_type, one.schema_version, one.payload.take());
    }
    Ok(claimed)
}

/// Hands back what this process cannot read; it counts as no try. The pause lets others come first.
async fn leave(db: &Db, boot_id: Uuid, newer: &[Claimed]) -> Result<()> {
    tracing::debug!(deliveries = newer.len(), "events of a newer version are left to newer processes");
    sqlx::query(
        "update audit.delivery d
         set leased_by = null, next_attempt_at = clock_timestamp() + make_interval(secs => $4 * (1 + random()))
         from unnest($1::uuid[], $2::text[]) as left_over (event_id, consumer)
         where d.event_id = left_over.event_id and d.consumer = left_over.consumer and d.leased_by = $3",
    )
    .bind(newer.iter().map(|one| one.event_id).collect::<Vec<_>>())
    .bind(newer.iter().map(|one| one.consumer.as_str()).collect::<Vec<_>>())
    .bind(boot_id)
    .bind(LEFT_SECONDS)
    .execute(db.keyed_pool())
    .await?;
    Ok(())
}

/// Frees the leases of processes that are gone.
pub async fn free_orphans(db: &Db) -> Result<u64> {
    let freed = sqlx::query(
        "update audit.delivery d set leased_by = null, next_attempt_at = clock_timestamp()
         where d.state = 'pending' and d.leased_by is not null
           and not exists (select 1 from platform.replica r where r.boot_id = d.leased_by and r.lease_until > clock_timestamp())",
    )
    .execute(db.pool())
    .await?;
    Ok(freed.rows_affected())
}
