//! Reads what was recorded of a trace.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::platform::context::Context;
use crate::platform::db::{Db, sql};
use crate::platform::error::{Error, Result};

/// More segments than a trace of one order has; beyond it the oldest are shown.
const SEGMENTS_MAX: i64 = 1_000;

/// Traces that are looked through for failed ones.
const SEARCHED_MAX: i64 = 5_000;

/// What one request or one delivery did.
#[derive(Debug, Clone)]
pub struct SegmentRow {
    pub started_at: DateTime<Utc>,
    pub spans: Vec<SpanRow>,
}

/// A span of a segment.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpanRow {
    /// Place in its segment of the span above it.
    pub parent: Option<usize>,
    pub module: String,
    pub name: String,
    /// Since the segment began.
    pub start_us: i64,
    pub took_us: i64,
    #[serde(default)]
    pub failed: bool,
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Ids of the events that were staged in it.
    #[serde(default)]
    pub events: Vec<String>,
}

/// The beginning of a trace.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Origin {
    pub id: i64,
    pub trace_id: String,
    pub name: String,
    pub started_at: DateTime<Utc>,
    pub took_us: i64,
    pub failed: bool,
    /// Requests and deliveries that were recorded of it.
    pub segments: i64,
}

/// The segments of a trace, in the order in which they began.
pub async fn segments(db: &Db, cx: &Context, trace_id: &str) -> Result<Vec<SegmentRow>> {
    #[derive(FromQueryResult)]
    struct Row {
        started_at: DateTime<Utc>,
        spans: Value,
    }
    let rows = Row::find_by_statement(sql!(
        "select started_at, spans from audit.trace_segment
         where trace_id = $1 and tenant_id = $2 order by started_at, id limit $3",
        trace_id,
        cx.tenant.as_ref(),
        SEGMENTS_MAX
    ))
    .all(db.connection())
    .await?;
    let segment = |row: Row| {
        let spans = serde_json::from_value(row.spans);
        let spans = spans.map_err(|e| Error::Internal(format!("a segment of {trace_id} cannot be read: {e}")))?;
        Ok(SegmentRow { started_at: row.started_at, spans })
    };
    rows.into_iter().map(segment).collect()
}

/// The latest traces, newest first; `failed` only those in which something failed at the beginning or later.
pub async fn origins(db: &Db, cx: &Context, failed: bool, before: Option<i64>, limit: u32) -> Result<Vec<Origin>> {
    let origins = Origin::find_by_statement(sql!(
        "select o.id, o.trace_id, o.name, o.started_at, o.took_us, t.failed, t.segments
         from (select * from audit.trace_segment
               where origin and tenant_id = $1 and ($2::bigint is null or id < $2) order by id desc limit $5) o,
              lateral (select bool_or(s.failed) as failed, count(*) as segments
                       from audit.trace_segment s where s.trace_id = o.trace_id and s.tenant_id = o.tenant_id) t
         where not $3 or t.failed
         order by o.id desc limit $4",
        cx.tenant.as_ref(),
        before,
        failed,
        i64::from(limit),
        if failed { SEARCHED_MAX } else { i64::from(limit) }
    ));
    Ok(origins.all(db.connection()).await?)
}

/// The modules of the latest segments, by name.
pub async fn modules(db: &Db, cx: &Context) -> Result<Vec<String>> {
    #[derive(FromQueryResult)]
    struct Row {
        module: String,
    }
    let rows = Row::find_by_statement(sql!(
        "select distinct span ->> 'module' as module
         from (select spans from audit.trace_segment where tenant_id = $1 order by id desc limit $2) s,
              lateral jsonb_array_elements(s.spans) as span
         where span ->> 'module' is not null order by module",
        cx.tenant.as_ref(),
        SEARCHED_MAX
    ))
    .all(db.connection())
    .await?;
    Ok(rows.into_iter().map(|row| row.module).collect())
}

/// Which of these traces something was recorded of, in their order.
pub async fn first_recorded(db: &Db, cx: &Context, trace_ids: &[String]) -> Result<Option<String>> {
    #[derive(FromQueryResult)]
    struct Row {
        trace_id: String,
    }
    let row = Row::find_by_statement(sql!(
        "select t.trace_id from unnest($1::text[]) with ordinality as t (trace_id, position)
         where exists (select 1 from audit.trace_segment s where s.trace_id = t.trace_id and s.tenant_id = $2)
         order by t.position limit 1",
        trace_ids.to_vec(),
        cx.tenant.as_ref()
    ));
    Ok(row.one(db.connection()).await?.map(|row| row.trace_id))
}
