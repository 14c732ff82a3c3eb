//! A committed fact and its event are one transaction: [`stage`] writes the event row, and one delivery row for each of its
//! subscribers, in the unit of work of the change. There is no publish step that could be forgotten.

use std::future::Future;

use sea_orm::FromQueryResult;
use serde::Serialize;
use uuid::Uuid;

use crate::platform::context::Context;
use crate::platform::db::{Tx, sql};
use crate::platform::delivery::Kind;
use crate::platform::error::{Error, Result};

/// A fact about one aggregate, typed. The payload is the serialised value: camelCase, no personal data, no full ICCID.
pub trait Event: Serialize + Send + Sync {
    /// Dotted lower case, past tense: `order.completed`.
    const TYPE: &'static str;
    /// Snake case, the same for all events of one aggregate: `product_order`.
    const AGGREGATE: &'static str;
    /// Version of the payload's shape.
    const VERSION: i16 = 1;

    fn aggregate_id(&self) -> &str;

    /// The aggregate's row version after the change; 0 where the aggregate has none.
    fn aggregate_version(&self) -> i64 {
        0
    }
}

/// Writes `event` and its deliveries; they become visible, and the workers awake, when `tx` commits.
pub fn stage<'a, E: Event>(tx: &'a Tx, cx: &'a Context, event: &'a E) -> impl Future<Output = Result<Uuid>> + Send + 'a {
    let payload = serde_json::to_value(event);
    async move {
        let payload = payload.map_err(|e| Error::Internal(format!("{} cannot be serialised: {e}", E::TYPE)))?;
        insert(tx, cx, Row::of(event, payload)).await
    }
}

struct Row {
    event_type: &'static str,
    schema_version: i16,
    aggregate_type: &'static str,
    aggregate_id: String,
    aggregate_version: i64,
    payload: serde_json::Value,
}

impl Row {
    fn of<E: Event>(event: &E, payload: serde_json::Value) -> Self {
        Self {
            event_type: E::TYPE,
            schema_version: E::VERSION,
            aggregate_type: E::AGGREGATE,
            aggregate_id: event.aggregate_id().to_owned(),
            aggregate_version: event.aggregate_version(),
            payload,
        }
    }
}

async fn insert(tx: &Tx, cx: &Context, row: Row) -> Result<Uuid> {
    #[derive(FromQueryResult)]
    struct Staged {
        event_id: Uuid,
    }
    let subscribers = tx.subscribers().of(row.event_type);
    let names: Vec<String> = subscribers.iter().map(|s| s.name.to_owned()).collect();
    let kinds: Vec<String> = subscribers.iter().map(|s| s.kind.as_str().to_owned()).collect();
    let staged = Staged::find_by_statement(sql!(
        "with event as (
             insert into audit.domain_event (event_id, event_type, schema_version, aggregate_type, aggregate_id,
                 aggregate_version, occurred_at, actor, channel, service_identity, tenant_id, request_id, trace_id, payload)
             values (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             returning id, event_id, recorded_at, event_type, aggregate_id, tenant_id),
         delivery as (
             insert into audit.delivery (event_id, consumer, kind, event_seq, recorded_at, event_type, aggregate_id, tenant_id)
             select e.event_id, s.name, s.kind, e.id, e.recorded_at, e.event_type, e.aggregate_id, e.tenant_id
             from event e, unnest($14::text[], $15::text[]) as s (name, kind))
         select event_id from event",
        row.event_type,
        row.schema_version,
        row.aggregate_type,
        row.aggregate_id,
        row.aggregate_version,
        cx.now,
        cx.actor.as_ref(),
        cx.channel.as_str(),
        cx.service_identity.as_ref(),
        cx.tenant.as_ref(),
        cx.request_id.as_ref(),
        cx.trace_id.as_deref(),
        row.payload,
        names,
        kinds
    ))
    .one(&**tx)
    .await?
    .ok_or_else(|| Error::Internal("an insert with returning gave no row".into()))?;
    if !subscribers.is_empty() {
        tx.mark_staged();
    }
    Ok(staged.event_id)
}

impl Kind {
    pub(in crate::platform) const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Effect => "effect",
        }
    }
}
