//! Reading the event log.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, sql};
use crate::platform::error::Result;
use crate::platform::page;

/// Most events of one answer.
pub const LIMIT_MAX: u32 = 1_000;

/// One fact of the log.
#[derive(Debug, Clone, Serialize, FromQueryResult, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// Position in the log; grows, with gaps.
    pub seq: i64,
    pub event_id: Uuid,
    pub event_type: String,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub aggregate_version: i64,
    /// Product time.
    pub occurred_at: DateTime<Utc>,
    /// Wall time.
    pub recorded_at: DateTime<Utc>,
    pub actor: String,
    pub channel: String,
    pub service_identity: String,
    pub tenant_id: String,
    pub request_id: String,
    pub trace_id: Option<String>,
    pub schema_version: i16,
    pub payload: Value,
}

/// In which direction the log is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    #[default]
    Asc,
    Desc,
}

/// What to read. All conditions hold together.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    pub aggregate_type: Option<String>,
    pub aggregate_id: Option<String>,
    pub event_type: Option<String>,
    pub event_type_prefix: Option<String>,
    pub service_identity: Option<String>,
    pub actor: Option<String>,
    pub channel: Option<String>,
    pub trace_id: Option<String>,
    /// Inclusive, product time.
    pub occurred_since: Option<DateTime<Utc>>,
    /// Inclusive, product time.
    pub occurred_until: Option<DateTime<Utc>>,
    /// Only what comes after this position in the chosen direction.
    pub after: Option<i64>,
    pub order: Order,
    /// Only events before which nothing can appear any more, whatever the order.
    pub settled: bool,
    /// By position alone, also after one: a page of what has happened, which nobody follows.
    pub is_page: bool,
}

/// The `where` of both queries; `$1` is the tenant. A prefix is compared as text, so `%` and `_` mean themselves.
const CONDITIONS: &str = "tenant_id = $1 and ($2::text is null or aggregate_type = $2) and ($3::text is null or aggregate_id = $3)
    and ($4::text is null or event_type = $4) and ($5::text is null or starts_with(event_type, $5))
    and ($6::text is null or service_identity = $6) and ($7::text is null or actor = $7) and ($8::text is null or channel = $8)
    and ($9::text is null or trace_id = $9) and ($10::timestamptz is null or occurred_at >= $10)
    and ($11::timestamptz is null or occurred_at <= $11)";

fn values(cx: &Context, filter: &EventFilter) -> Vec<sea_orm::Value> {
    vec![
        cx.tenant.as_ref().into(),
        filter.aggregate_type.clone().into(),
        filter.aggregate_id.clone().into(),
        filter.event_type.clone().into(),
        filter.event_type_prefix.clone().into(),
        filter.service_identity.clone().into(),
        filter.actor.clone().into(),
        filter.channel.clone().into(),
        filter.trace_id.clone().into(),
        filter.occurred_since.into(),
        filter.occurred_until.into(),
    ]
}

/// Reads at most `limit` events, by their position.
///
/// With a position to start after, ascending, only events of transactions are given that are older than all under way, in the
/// order of the transactions: a position is given out before its transaction ends, so one that is lower may still appear, but
/// no lower transaction can. Whoever follows the log so passes over nothing. Where following begins, `settled` asks for the same
/// order. Whoever only looks at what is there (`is_page`) has it by position, page after page.
pub async fn list(db: &Db, cx: &Context, filter: &EventFilter, limit: u32) -> Result<Vec<EventView>> {
    page::bounded(limit, LIMIT_MAX)?;
    let (direction, beyond) = match filter.order {
        Order::Asc => ("asc", ">"),
        Order::Desc => ("desc", "<"),
    };
    let follows = filter.settled || filter.order == Order::Asc && filter.after.is_some() && !filter.is_page;
    let place = match filter.after {
        Some(after) if follows => transaction_of(db, after).await?,
        _ => None,
    };
    let passed = match place {
        Some(_) => format!("(transaction_id, id) {beyond} ($14::text::xid8, $12)"),
        // Also where the event at that position is gone: all that is left came later.
        None => format!("$14::text is null and ($12::bigint is null or id {beyond} $12)"),
    };
    let (settled, by) = if follows {
        (
            "transaction_id < pg_snapshot_xmin(pg_current_snapshot())",
            format!("transaction_id {direction}, id {direction}"),
        )
    } else {
        ("true", format!("id {direction}"))
    };
    let query = format!(
        "select id as seq, event_id, event_type, aggregate_type, aggregate_id, aggregate_version, occurred_at, recorded_at, actor,
                channel, service_identity, tenant_id, request_id, trace_id, schema_version, payload
         from audit.domain_event
         where {CONDITIONS} and {passed} and {settled}
         order by {by} limit $13"
    );
    let mut values = values(cx, filter);
    values.push(filter.after.into());
    values.push(i64::from(limit).into());
    values.push(place.into());
    let statement = sea_orm::Statement::from_sql_and_values(sea_orm::DbBackend::Postgres, query, values);
    Ok(EventView::find_by_statement(statement).all(db.connection()).await?)
}

/// The transaction of the event at a position, if it is kept still.
async fn transaction_of(db: &Db, position: i64) -> Result<Option<String>> {
    #[derive(FromQueryResult)]
    struct Row {
        transaction: String,
    }
    let query = sql!("select transaction_id::text as transaction from audit.domain_event where id = $1", position);
    Ok(Row::find_by_statement(query).one(db.connection()).await?.map(|row| row.transaction))
}

/// A fact about one aggregate, as whoever follows that aggregate reads it.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Logged {
    /// Position in the log.
    pub seq: i64,
    pub event_type: String,
    schema_version: i16,
    /// In the newest version that this process knows.
    pub payload: Value,
}

/// The next facts of these types about one aggregate, in the order in which they happened: for a handler that must not be
/// overtaken by the delivery of a later one.
///
/// Complete because the events of an aggregate are staged under the lock of its row: what has a lower position is committed.
pub async fn follow(
    tx: &Tx,
    cx: &Context,
    aggregate_id: &str,
    types: &[&str],
    after: i64,
    limit: u32,
) -> Result<Vec<Logged>> {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    let statement = sql!(
        "select id as seq, event_type, schema_version, payload from audit.domain_event
         where aggregate_id = $1 and tenant_id = $2 and event_type = any($3) and id > $4
         order by id limit $5",
        aggregate_id,
        cx.tenant.as_ref(),
        types,
        after,
        i64::from(limit)
    );
    let mut logged = Logged::find_by_statement(statement).all(&**tx).await?;
    for one in &mut logged {
        one.payload = tx.subscribers().current(&one.event_type, one.schema_version, one.payload.take());
    }
    Ok(logged)
}

/// How many events fit.
pub async fn count(db: &Db, cx: &Context, filter: &EventFilter) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let query = format!("select count(*) as count from audit.domain_event where {CONDITIONS}");
    let statement = sea_orm::Statement::from_sql_and_values(sea_orm::DbBackend::Postgres, query, values(cx, filter));
    Ok(Count::find_by_statement(statement).one(db.connection()).await?.map_or(0, |row| row.count))
}
