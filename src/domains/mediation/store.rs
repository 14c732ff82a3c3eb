//! The tables of mediation: usage rows and the keys that make them unique.

pub(super) mod specifications;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{FromRow, PgConnection, Postgres, Row as _, SqlSafeStr};

use super::policy::KEY_WINDOW_DAYS;
use super::port::{UsageFilter, UsageId, UsageState, UsageView};
use crate::domains::catalog::port::AllowanceType;
use crate::domains::rating::port::UsageType;
use crate::domains::subscription::port::{ClosedUse, Remaining, USE_UP, UsageLine, with_use};
use crate::platform::context::Context;
use crate::platform::db::{self, Db};
use crate::platform::error::{Error, Result, is_contention};
use crate::platform::ids::Begins;
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// Keys deleted per statement, and statements per run: a run is bounded, the next one goes on.
const PURGE_BATCH: i64 = 10_000;
const PURGE_BATCHES_MAX: usize = 5_000;

/// `state` as TMF635 writes it.
pub(super) const STATUS: &[(&str, &[&str])] = &[("rated", &["rated"]), ("rejected", &["refused"])];

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("u.id") },
        Attribute { path: "status", column: Column::text("u.state").named(STATUS) },
        Attribute { path: "usageType", column: Column::text("u.event_type") },
        Attribute { path: "usageDate", column: Column::timestamp("u.event_time") },
        Attribute { path: "relatedParty.id", column: Column::text("u.customer_id") },
        Attribute { path: "ratedProductUsage.productRef.id", column: Column::text("u.subscription_id") },
    ],
    default_order: "u.recorded_at desc",
    tiebreak: "u.id",
};

const COLUMNS: &str = "u.id, u.subscription_id, u.customer_id, u.msisdn, u.source, u.external_id, u.event_type, u.event_time,
    u.quantity, u.roaming_indicator, u.state, u.allowance_type, u.rated_quantity, u.refused_quantity, u.remaining, u.reason, u.attributes";

/// A stored event as everybody may see it.
#[derive(Debug, Clone, FromQueryResult, FromRow)]
pub(super) struct UsageRow {
    id: String,
    subscription_id: String,
    customer_id: String,
    msisdn: String,
    source: String,
    external_id: String,
    event_type: String,
    event_time: DateTime<Utc>,
    quantity: i64,
    roaming_indicator: bool,
    state: String,
    allowance_type: Option<String>,
    rated_quantity: i64,
    refused_quantity: i64,
    remaining: Option<i64>,
    reason: Option<String>,
    attributes: Option<Value>,
}

impl UsageRow {
    pub(super) fn view(self) -> Result<UsageView> {
        let unreadable = |what: &str| Error::Internal(format!("{} has an unknown {what}", self.id));
        let event_type = UsageType::parse(&self.event_type).ok_or_else(|| unreadable("event type"))?;
        let allowance_type = match &self.allowance_type {
            Some(text) => Some(AllowanceType::parse(text).ok_or_else(|| unreadable("allowance type"))?),
            None => None,
        };
        Ok(UsageView {
            event_type,
            allowance_type,
            unit: event_type.allowance(false).unit(),
            state: if self.state == "rated" { UsageState::Rated } else { UsageState::Refused },
            id: self.id.into(),
            subscription_id: self.subscription_id.into(),
            customer_id: self.customer_id,
            msisdn: self.msisdn,
            source: self.source,
            external_id: self.external_id,
            event_time: self.event_time,
            quantity: self.quantity,
            roaming_indicator: self.roaming_indicator,
            rated_quantity: self.rated_quantity,
            refused_quantity: self.refused_quantity,
            remaining: self.remaining,
            reason: self.reason,
            attributes: self.attributes.map(Box::new),
        })
    }
}

/// Events that were asked for at the same time.
pub(super) async fn usages(db: Db, tenant: Arc<str>, ids: Vec<UsageId>) -> Result<Vec<(UsageId, UsageRow)>> {
    let text = format!("select {COLUMNS} from mediation.usage_event u where u.id = any($1) and u.tenant_id = $2");
    let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
    let rows = UsageRow::find_by_statement(db::sql!(text, ids, tenant.as_ref())).all(db.keyed()).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone().into(), row)).collect())
}

/// A page of TMF635, and how many events fit in all.
pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<UsageRow>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    db::list(db, COLUMNS, "mediation.usage_event u where u.tenant_id = $1", &cx.tenant, &filter).await
}

/// Events of `lines` (None: of all lines), newest first.
pub(super) async fn history(
    db: &Db,
    cx: &Context,
    filter: &UsageFilter,
    lines: Option<Vec<String>>,
) -> Result<Vec<UsageRow>> {
    let msisdn = filter.msisdn.as_ref().map(|msisdn| msisdn.as_str().to_owned());
    let event_type = filter.event_type.map(UsageType::as_str);
    // With lines the primary key finds the rows; without, the newest ones are read off the index of their recording.
    let (which, order) = match lines {
        Some(_) => ("u.subscription_id = any($2)", "u.event_time desc, u.recorded_at desc"),
        None => ("$2::text[] is null", "u.recorded_at desc"),
    };
    let otherwise = format!("{order}, u.id desc");
    let Begins { condition, order_by } = Begins::with("u.id", "$8", filter.id_prefix.as_deref(), &otherwise);
    let text = format!(
        "select {COLUMNS} from mediation.usage_event u
         where u.tenant_id = $1 and {which} and ($3::text is null or u.msisdn = $3) and ($4::text is null or u.event_type = $4)
           and ($5::timestamptz is null or u.event_time >= $5) {condition}
         order by {order_by} limit $6 offset $7"
    );
    let statement = db::sql!(
        text,
        cx.tenant.as_ref(),
        lines,
        msisdn,
        event_type,
        filter.since,
        i64::from(filter.limit),
        i64::from(filter.offset),
        filter.id_prefix.as_deref()
    );
    Ok(UsageRow::find_by_statement(statement).all(db.connection()).await?)
}

/// What the row of an event says beside its answer.
#[derive(Debug, FromQueryResult)]
pub(super) struct RatedAs {
    pub(super) offering_id: String,
    pub(super) period_index: i32,
    pub(super) applied: i64,
}

pub(super) async fn rated_as(db: &Db, cx: &Context, id: &UsageId) -> Result<Option<RatedAs>> {
    let statement = db::sql!(
        "select offering_id, period_index, applied from mediation.usage_event where id = $1 and tenant_id = $2",
        id,
        cx.tenant.as_ref()
    );
    Ok(RatedAs::find_by_statement(statement).one(db.connection()).await?)
}

/// What took the line of a refused event out of service, as the event log has it.
#[derive(Debug)]
pub(super) struct Blocker {
    pub(super) state: String,
    pub(super) reasons: Vec<String>,
    pub(super) actor: String,
    pub(super) at: DateTime<Utc>,
}

/// The last event before the refusal that says why the line was out of service. Both were staged under the line's lock, so
/// their order in the log is that of the facts.
pub(super) async fn blocker(db: &Db, cx: &Context, usage: &UsageView) -> Result<Option<Blocker>> {
    #[derive(FromQueryResult)]
    struct Row {
        state: Option<String>,
        reasons: Option<serde_json::Value>,
        actor: String,
        at: DateTime<Utc>,
    }
    let statement = db::sql!(
        "select r.payload ->> 'state' as state, b.payload -> 'blockReasons' as reasons, b.actor, b.occurred_at as at
         from audit.domain_event r
         cross join lateral (
             select e.payload, e.actor, e.occurred_at from audit.domain_event e
             where e.aggregate_id = r.aggregate_id and e.tenant_id = r.tenant_id and e.id < r.id
               and e.event_type in ('subscription.blocked', 'subscription.terminated', 'subscription.booked')
             order by e.id desc limit 1) b
         where r.aggregate_id = $1 and r.tenant_id = $2 and r.event_type = 'usage.rejected'
           and r.payload ->> 'usageEventId' = $3 limit 1",
        usage.subscription_id.as_str(),
        cx.tenant.as_ref(),
        usage.id.as_str()
    );
    let row = Row::find_by_statement(statement).one(db.connection()).await?;
    Ok(row.map(|row| Blocker {
        state: row.state.unwrap_or_default(),
        reasons: row.reasons.and_then(|reasons| serde_json::from_value(reasons).ok()).unwrap_or_default(),
        actor: row.actor,
        at: row.at,
    }))
}

/// The table of usage, partitioned by month of recording.
pub(super) const USAGE_TABLE: &str = "mediation.usage_event";

/// Begins to sum up what a partition's rows took off balances, by line, allowance and period. A cursor: a month of a large
/// operator has more sums than fit in memory.
pub(super) async fn begin_closing(connection: &mut PgConnection, partition: &str) -> Result<()> {
    // The name was read from the catalog; an identifier cannot be bound.
    let cursor = format!(
        "declare closing no scroll cursor for
         select subscription_id, tenant_id, allowance_type, period_index, sum(applied)::bigint as applied
         from {partition} where applied > 0 group by 1, 2, 3, 4 order by 1, 3, 4"
    );
    sqlx::query(sqlx::AssertSqlSafe(cursor)).execute(connection).await?;
    Ok(())
}

pub(super) async fn next_uses(connection: &mut PgConnection, count: i64) -> Result<Vec<ClosedUse>> {
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!("fetch {count} from closing"))).fetch_all(connection).await?)
}

pub(super) async fn end_closing(connection: &mut PgConnection) -> Result<()> {
    sqlx::query("close closing").execute(connection).await?;
    Ok(())
}

/// Takes `count` numbers of usage ids.
pub(super) async fn mint(connection: &mut PgConnection, count: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar("select nextval('mediation.usage_event_id_seq') from generate_series(1, $1)")
        .bind(count)
        .fetch_all(connection)
        .await?)
}

/// The identity of an event on its line. Keys sort in the order in which they are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    pub(super) line: &'a str,
    pub(super) source: &'a str,
    pub(super) external_id: &'a str,
}

/// The stored events behind keys, by line, source and external id.
pub(super) async fn stored(
    connection: &mut PgConnection,
    keys: &[Key<'_>],
) -> Result<HashMap<(String, String, String), UsageView>> {
    // The key knows when its row was recorded, and so in which partition it stands.
    let text = format!(
        "select {COLUMNS} from unnest($1::text[], $2::text[], $3::text[]) as n (subscription_id, source, external_id)
         join mediation.usage_key k using (subscription_id, source, external_id)
         join mediation.usage_event u
           on u.subscription_id = k.subscription_id and u.id = k.usage_id and u.recorded_at = k.recorded_at"
    );
    let rows: Vec<UsageRow> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(column(keys, |key| key.line))
        .bind(column(keys, |key| key.source))
        .bind(column(keys, |key| key.external_id))
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok(((row.subscription_id.clone(), row.source.clone(), row.external_id.clone()), row.view()?)))
        .collect()
}

/// An event with its answer, as it is to be stored.
#[derive(Debug)]
pub(super) struct NewRow<'a> {
    pub(super) cx: &'a Context,
    pub(super) view: &'a UsageView,
    pub(super) tenant: &'a str,
    pub(super) offering_id: &'a str,
    pub(super) period_index: i32,
    /// Taken off the balance.
    pub(super) applied: i64,
}

impl<'a> NewRow<'a> {
    pub(super) fn key(&self) -> Key<'a> {
        let UsageView { subscription_id, source, external_id, .. } = self.view;
        Key { line: subscription_id.as_str(), source, external_id }
    }
}

/// Stores events, from what [`with_rows`] binds. The arrays go side by side in the select list: from there each row is written
/// as it is made, where `from unnest(…)` copies all of them aside first, one array after the other.
const INSERT: &str = "insert into mediation.usage_event (recorded_at, subscription_id, id, tenant_id, source, external_id, msisdn,
        customer_id, offering_id, event_type, event_time, quantity, unit, roaming_indicator, state, allowance_type, period_index,
        applied, rated_quantity, refused_quantity, remaining, reason, actor, channel, service_identity, request_id)
    select $1, unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]), unnest($6::text[]),
        unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[]), unnest($11::timestamptz[]),
        unnest($12::bigint[]), unnest($13::text[]), unnest($14::boolean[]), unnest($15::text[]), unnest($16::text[]),
        unnest($17::integer[]), unnest($18::bigint[]), unnest($19::bigint[]), unnest($20::bigint[]), unnest($21::bigint[]),
        unnest($22::text[]), unnest($23::text[]), unnest($24::text[]), unnest($25::text[]), unnest($26::text[])";

/// Claims the keys of the same events.
const CLAIM: &str =
    "insert into mediation.usage_key (recorded_at, subscription_id, source, external_id, tenant_id, usage_id)
    select $1, unnest($2::text[]), unnest($5::text[]), unnest($6::text[]), unnest($4::text[]), unnest($3::text[])";

fn with_rows<'q>(
    text: impl SqlSafeStr,
    rows: &[NewRow<'q>],
    recorded_at: DateTime<Utc>,
) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(text)
        .bind(recorded_at)
        .bind(column(rows, |row| row.view.subscription_id.as_str()))
        .bind(column(rows, |row| row.view.id.as_str()))
        .bind(column(rows, |row| row.tenant))
        .bind(column(rows, |row| row.view.source.as_str()))
        .bind(column(rows, |row| row.view.external_id.as_str()))
        .bind(column(rows, |row| row.view.msisdn.as_str()))
        .bind(column(rows, |row| row.view.customer_id.as_str()))
        .bind(column(rows, |row| row.offering_id))
        .bind(column(rows, |row| row.view.event_type.as_str()))
        .bind(column(rows, |row| row.view.event_time))
        .bind(column(rows, |row| row.view.quantity))
        .bind(column(rows, |row| row.view.unit.as_str()))
        .bind(column(rows, |row| row.view.roaming_indicator))
        .bind(column(rows, |row| row.view.state.as_str()))
        .bind(column(rows, |row| row.view.allowance_type.map(AllowanceType::as_str)))
        .bind(column(rows, |row| row.period_index))
        .bind(column(rows, |row| row.applied))
        .bind(column(rows, |row| row.view.rated_quantity))
        .bind(column(rows, |row| row.view.refused_quantity))
        .bind(column(rows, |row| row.view.remaining))
        .bind(column(rows, |row| row.view.reason.as_deref()))
        .bind(column(rows, |row| row.cx.actor.as_ref()))
        .bind(column(rows, |row| row.cx.channel.as_str()))
        .bind(column(rows, |row| row.cx.service_identity.as_ref()))
        .bind(column(rows, |row| row.cx.request_id.as_ref()))
}

/// Claims the events' keys, and stores the events if every key was free; answers the usage ids that got theirs. When not all
/// did, those that did keep it, and [`insert`] stores their events. `rows` are sorted by their keys, which are distinct: so two
/// batches never wait for each other both ways.
pub(super) async fn record(
    connection: &mut PgConnection,
    rows: &[NewRow<'_>],
    recorded_at: DateTime<Utc>,
) -> Result<Vec<String>> {
    let text = format!(
        "with won as ({CLAIM} on conflict do nothing returning usage_id),
         stored as ({INSERT} where (select count(*) from won) = cardinality($2))
         select usage_id from won"
    );
    let won = with_rows(sqlx::AssertSqlSafe(text), rows, recorded_at).fetch_all(connection).await?;
    Ok(won.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Claims the events' keys, stores the events and takes what they `used` off the balances of `lines`, in one statement that
/// commits itself. False: nothing was written, for a line is held or not as it was read any more, or a key is taken. `rows`
/// are sorted as those of [`record`].
pub(super) async fn record_at_once(
    connection: &mut PgConnection,
    rows: &[NewRow<'_>],
    recorded_at: DateTime<Utc>,
    lines: &[UsageLine],
    used: &[Remaining<'_>],
) -> Result<bool> {
    // A taken key ends the statement: looking for it before would cost every batch a third of what claiming costs.
    let text = format!(
        "with used as materialized (select {USE_UP}($27, $28, $29, $30, $31, $32) as up),
         claimed as ({CLAIM} where (select up from used)),
         stored as ({INSERT} where (select up from used))
         select up from used"
    );
    let query = with_use(with_rows(sqlx::AssertSqlSafe(text), rows, recorded_at), lines, used);
    match query.fetch_one(connection).await {
        Ok(row) => Ok(row.try_get(0)?),
        Err(sqlx::Error::Database(refusal)) if refusal.is_unique_violation() => Ok(false),
        Err(error) => match Error::from(error) {
            Error::Database(cause) if is_contention(&cause) => Ok(false),
            other => Err(other),
        },
    }
}

/// Stores events whose keys were claimed before.
pub(super) async fn insert(
    connection: &mut PgConnection,
    rows: &[NewRow<'_>],
    recorded_at: DateTime<Utc>,
) -> Result<()> {
    with_rows(INSERT, rows, recorded_at).execute(connection).await?;
    Ok(())
}

/// Keeps what callers said beyond what is rated. A statement of its own, since hardly any event has such attributes.
pub(super) async fn keep_attributes(
    connection: &mut PgConnection,
    rows: &[NewRow<'_>],
    recorded_at: DateTime<Utc>,
) -> Result<()> {
    let rows: Vec<(&UsageView, &Value)> =
        rows.iter().filter_map(|row| row.view.attributes.as_deref().map(|kept| (row.view, kept))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update mediation.usage_event u set attributes = k.attributes
         from unnest($2::text[], $3::text[], $4::jsonb[]) as k (subscription_id, id, attributes)
         where u.subscription_id = k.subscription_id and u.id = k.id and u.recorded_at = $1",
    )
    .bind(recorded_at)
    .bind(column(&rows, |(view, _)| view.subscription_id.as_str()))
    .bind(column(&rows, |(view, _)| view.id.as_str()))
    .bind(column(&rows, |(_, kept)| *kept))
    .execute(connection)
    .await?;
    Ok(())
}

fn column<'a, R, T>(rows: &'a [R], read: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(read).collect()
}

/// Forgets the keys that are past the window.
pub(super) async fn purge_keys(db: &Db) -> Result<u64> {
    let mut purged = 0;
    for _ in 0..PURGE_BATCHES_MAX {
        let deleted = sqlx::query(
            "delete from mediation.usage_key k using (
                 select subscription_id, source, external_id from mediation.usage_key
                 where recorded_at < clock_timestamp() - make_interval(days => $1) limit $2) d
             where (k.subscription_id, k.source, k.external_id) = (d.subscription_id, d.source, d.external_id)",
        )
        .bind(KEY_WINDOW_DAYS)
        .bind(PURGE_BATCH)
        .execute(db.pool())
        .await?
        .rows_affected();
        purged += deleted;
        if deleted < PURGE_BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(purged)
}
