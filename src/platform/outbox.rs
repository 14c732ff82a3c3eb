//! A committed fact and its event are one transaction: [`stage`] writes the event row, and one delivery row for each of its
//! subscribers, in the unit of work of the change. There is no publish step that could be forgotten. Listeners outside that
//! are registered for the event ([`hub`](crate::platform::hub)) get theirs from the same statement.

use std::future::Future;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::delivery::{Kind, Subscribers};
use crate::platform::error::{Error, Result};
use crate::platform::telemetry::redact;
use crate::platform::trace;

/// A fact about one aggregate, typed. The payload is the serialised value: camelCase, no personal data, no full ICCID. What
/// people typed into texts of it is cut as in a log.
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
pub fn stage<'a, E: Event>(
    tx: &'a Tx,
    cx: &'a Context,
    event: &'a E,
) -> impl Future<Output = Result<Uuid>> + Send + 'a {
    let payload = serde_json::to_value(event);
    async move {
        let payload = payload.map_err(|e| Error::Internal(format!("{} cannot be serialised: {e}", E::TYPE)))?;
        insert(tx, cx, Row::of(event, payload)).await
    }
}

#[derive(Debug, Clone)]
struct Row {
    event_type: &'static str,
    schema_version: i16,
    aggregate_type: &'static str,
    aggregate_id: String,
    aggregate_version: i64,
    payload: Value,
}

impl Row {
    fn of<E: Event>(event: &E, mut payload: Value) -> Self {
        redact::payload(&mut payload);
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
             from event e, unnest($14::text[], $15::text[]) as s (name, kind)
             union all
             select e.event_id, 'hub.' || h.id, 'hub', e.id, e.recorded_at, e.event_type, e.aggregate_id, e.tenant_id
             from event e join platform.hub h on h.tenant_id = e.tenant_id and e.event_type = any(h.event_types))
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
    trace::staged(staged.event_id, row.event_type);
    Ok(staged.event_id)
}

/// [`stage`] for many events of one type, in their order, in one statement.
pub async fn stage_all<E: Event>(tx: &Tx, cx: &Context, events: &[E]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let payloads = events.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
    let payloads = payloads.map_err(|e| Error::Internal(format!("{} cannot be serialised: {e}", E::TYPE)))?;
    let payloads: Vec<String> = payloads.into_iter().map(redact::serialised).collect();
    let subscribers = tx.subscribers().of(E::TYPE);
    let statement = sql!(
        "with event as (
             insert into audit.domain_event (event_id, event_type, schema_version, aggregate_type, aggregate_id,
                 aggregate_version, occurred_at, actor, channel, service_identity, tenant_id, request_id, trace_id, payload)
             select gen_random_uuid(), $1, $2, $3, e.aggregate_id, e.aggregate_version, $4, $5, $6, $7, $8, $9, $10,
                    e.payload::jsonb
             from unnest($11::text[], $12::bigint[], $13::text[]) with ordinality
                 as e (aggregate_id, aggregate_version, payload, position)
             order by position
             returning id, event_id, recorded_at, event_type, aggregate_id, tenant_id)
         insert into audit.delivery (event_id, consumer, kind, event_seq, recorded_at, event_type, aggregate_id, tenant_id)
         select e.event_id, s.name, s.kind, e.id, e.recorded_at, e.event_type, e.aggregate_id, e.tenant_id
         from event e, unnest($14::text[], $15::text[]) as s (name, kind)
         union all
         select e.event_id, 'hub.' || h.id, 'hub', e.id, e.recorded_at, e.event_type, e.aggregate_id, e.tenant_id
         from event e join platform.hub h on h.tenant_id = e.tenant_id and e.event_type = any(h.event_types)",
        E::TYPE,
        E::VERSION,
        E::AGGREGATE,
        cx.now,
        cx.actor.as_ref(),
        cx.channel.as_str(),
        cx.service_identity.as_ref(),
        cx.tenant.as_ref(),
        cx.request_id.as_ref(),
        cx.trace_id.as_deref(),
        events.iter().map(|event| event.aggregate_id().to_owned()).collect::<Vec<_>>(),
        events.iter().map(Event::aggregate_version).collect::<Vec<_>>(),
        payloads,
        subscribers.iter().map(|s| s.name.to_owned()).collect::<Vec<_>>(),
        subscribers.iter().map(|s| s.kind.as_str().to_owned()).collect::<Vec<_>>()
    );
    execute(&**tx, statement).await?;
    if !subscribers.is_empty() {
        tx.mark_staged();
    }
    Ok(())
}

/// An event with who caused it and when, for [`stage_rows`].
#[derive(Debug, Clone)]
pub struct StagedRow {
    row: Row,
    cx: Context,
    occurred_at: DateTime<Utc>,
}

impl StagedRow {
    /// `occurred_at` is product time: a batch reads it once for all its events, whatever their callers' contexts say.
    pub fn new<E: Event>(cx: &Context, occurred_at: DateTime<Utc>, event: &E) -> Result<Self> {
        let payload = serde_json::to_value(event)
            .map_err(|e| Error::Internal(format!("{} cannot be serialised: {e}", E::TYPE)))?;
        Ok(Self { row: Row::of(event, payload), cx: cx.clone(), occurred_at })
    }
}

/// [`stage`] for a batch that speaks sqlx: all events, in their order, and their deliveries, in one statement. Answers
/// whether there is a delivery: then the caller wakes the workers ([`Wake::staged`](crate::platform::delivery::wake::Wake))
/// after its commit.
pub async fn stage_rows(
    connection: &mut PgConnection,
    subscribers: &Subscribers,
    events: &[StagedRow],
) -> Result<bool> {
    if events.is_empty() {
        return Ok(false);
    }
    fn column<'a, T>(events: &'a [StagedRow], read: impl Fn(&'a StagedRow) -> T) -> Vec<T> {
        events.iter().map(read).collect()
    }
    let (mut types, mut names, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for event in events {
        let event_type = event.row.event_type;
        if !types.contains(&event_type) {
            for subscriber in subscribers.of(event_type) {
                types.push(event_type);
                names.push(subscriber.name);
                kinds.push(subscriber.kind.as_str());
            }
        }
    }
    sqlx::query(
        "with event as (
             insert into audit.domain_event (event_id, event_type, schema_version, aggregate_type, aggregate_id,
                 aggregate_version, occurred_at, actor, channel, service_identity, tenant_id, request_id, trace_id, payload)
             select gen_random_uuid(), event_type, schema_version, aggregate_type, aggregate_id, aggregate_version,
                    occurred_at, actor, channel, service_identity, tenant_id, request_id, trace_id, payload
             from unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::jsonb[]) with ordinality
                 as e (event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, occurred_at, actor,
                     channel, service_identity, tenant_id, request_id, trace_id, payload, position)
             order by position
             returning id, event_id, recorded_at, event_type, aggregate_id, tenant_id)
         insert into audit.delivery (event_id, consumer, kind, event_seq, recorded_at, event_type, aggregate_id, tenant_id)
         select e.event_id, s.name, s.kind, e.id, e.recorded_at, e.event_type, e.aggregate_id, e.tenant_id
         from event e join unnest($14::text[], $15::text[], $16::text[]) as s (event_type, name, kind) using (event_type)
         union all
         select e.event_id, 'hub.' || h.id, 'hub', e.id, e.recorded_at, e.event_type, e.aggregate_id, e.tenant_id
         from event e join platform.hub h on h.tenant_id = e.tenant_id and e.event_type = any(h.event_types)",
    )
    .bind(column(events, |e| e.row.event_type))
    .bind(column(events, |e| e.row.schema_version))
    .bind(column(events, |e| e.row.aggregate_type))
    .bind(column(events, |e| e.row.aggregate_id.as_str()))
    .bind(column(events, |e| e.row.aggregate_version))
    .bind(column(events, |e| e.occurred_at))
    .bind(column(events, |e| e.cx.actor.as_ref()))
    .bind(column(events, |e| e.cx.channel.as_str()))
    .bind(column(events, |e| e.cx.service_identity.as_ref()))
    .bind(column(events, |e| e.cx.tenant.as_ref()))
    .bind(column(events, |e| e.cx.request_id.as_ref()))
    .bind(column(events, |e| e.cx.trace_id.as_deref()))
    .bind(column(events, |e| &e.row.payload))
    .bind(&types)
    .bind(&names)
    .bind(&kinds)
    .execute(connection)
    .await?;
    Ok(!types.is_empty())
}

impl Kind {
    pub(in crate::platform) const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Effect => "effect",
            Self::Hub => "hub",
            Self::Message => "message",
        }
    }
}
