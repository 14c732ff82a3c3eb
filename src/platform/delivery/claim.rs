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

/// Leases up to `limit` due deliveries of the known consumers, oldest event first. The listeners outside are known to all.
///
/// The claim does not wait for the disk: losing a lease in a database crash only means that somebody claims again. To plan
/// it takes longer than to run it.
pub(super) async fn claim(db: &Db, boot_id: Uuid, kind: Kind, known: &[String], limit: i64) -> Result<Vec<Claimed>> {
    let claimed = sqlx::query_as::<_, Claimed>(
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
         select c.event_id, c.consumer, c.attempts, e.event_type, e.aggregate_id, e.occurred_at, e.actor, e.channel,
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
    Ok(claimed)
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
