//! What is due, what is in flight, and what became of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::{LINE, LineRow};
use crate::domains::payment::port::AttemptId;
use crate::domains::subscription::model::Line;
use crate::domains::subscription::port::{RenewalProgress, SubscriptionId};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};

/// An overdue line that a renewal would bring back, or keep, in service. What it must not name: `requested`, `fraud`, and
/// `payment`, whose way back is asked for (decision 0015).
///
/// It is the predicate of the index `ix_subscription_renewable` and, negated, of `ix_subscription_to_be_skipped`: neither is
/// used for another one.
const RENEWABLE: &str = "(s.state = 'active' or s.state = 'blocked' and s.block_reasons <@ '{exhausted}')";

/// Locks up to `limit` lines that are due and have no charge in flight, oldest boundary first. Lines that somebody else
/// holds are passed over; with `only`, just that line is looked at.
pub(in crate::domains::subscription) async fn lock_due(
    tx: &Tx,
    cx: &Context,
    limit: i64,
    only: Option<&SubscriptionId>,
) -> Result<Vec<Line>> {
    let query = format!(
        "select {LINE} from subscription.subscription s
         where s.tenant_id = $1 and s.state in ('active', 'blocked') and s.next_renewal_at <= $2 and {RENEWABLE}
           and s.renewal_attempt_id is null and ($4::text is null or s.id = $4)
           and (s.renewal_next_attempt_at is null or s.renewal_next_attempt_at <= clock_timestamp())
         order by s.next_renewal_at limit $3 for no key update skip locked"
    );
    let statement = sql!(query, cx.tenant.as_ref(), cx.now, limit, only.map(SubscriptionId::as_str));
    let rows = LineRow::find_by_statement(statement).all(&**tx).await?;
    rows.into_iter().map(LineRow::line).collect()
}

/// Locks up to `limit` overdue lines that are blocked for something that a renewal does not lift, once per boundary.
pub(in crate::domains::subscription) async fn lock_skipped(tx: &Tx, cx: &Context, limit: i64) -> Result<Vec<Line>> {
    let query = format!(
        "select {LINE} from subscription.subscription s
         where s.tenant_id = $1 and s.state = 'blocked' and s.next_renewal_at <= $2 and not {RENEWABLE}
           and s.renewal_attempt_id is null and s.renewal_attempted_for is distinct from s.next_renewal_at
         order by s.next_renewal_at limit $3 for no key update skip locked"
    );
    let rows = LineRow::find_by_statement(sql!(query, cx.tenant.as_ref(), cx.now, limit)).all(&**tx).await?;
    rows.into_iter().map(LineRow::line).collect()
}

/// Locks up to `limit` lines that are renewed by themselves after now and until `until`, and were not reminded of that. One
/// that is being charged for the next period already is not to be.
pub(in crate::domains::subscription) async fn lock_remindable(
    tx: &Tx,
    cx: &Context,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Line>> {
    let query = format!(
        "select {LINE} from subscription.subscription s
         where s.tenant_id = $1 and s.state in ('active', 'blocked') and s.next_renewal_at > $2 and s.next_renewal_at <= $3
           and {RENEWABLE} and s.renewal_attempt_id is null and s.renewal_reminder_sent_for is distinct from s.next_renewal_at
         order by s.next_renewal_at limit $4 for no key update skip locked"
    );
    let rows = LineRow::find_by_statement(sql!(query, cx.tenant.as_ref(), cx.now, until, limit)).all(&**tx).await?;
    rows.into_iter().map(LineRow::line).collect()
}

/// Notes that lines were reminded of their coming renewal; answers what their running periods cost, in minor units.
pub(in crate::domains::subscription) async fn mark_reminded(
    tx: &Tx,
    cx: &Context,
    lines: &[SubscriptionId],
) -> Result<BTreeMap<String, i64>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
        amount_minor: i64,
    }
    let statement = sql!(
        "with marked as (
             update subscription.subscription s
             set renewal_reminder_sent_for = s.next_renewal_at, version = s.version + 1, updated_at = clock_timestamp()
             where s.id = any($2) and s.tenant_id = $1 returning s.id, s.period_index)
         select m.id, p.amount_minor from marked m
         join subscription.period p on p.subscription_id = m.id and p.period_index = m.period_index",
        cx.tenant.as_ref(),
        lines.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    let rows = Row::find_by_statement(statement).all(&**tx).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.amount_minor)).collect())
}

/// Notes the charges that are in flight now, and the boundary that they are for.
pub(in crate::domains::subscription) async fn mark_requested(
    tx: &Tx,
    cx: &Context,
    requested: &[(SubscriptionId, AttemptId)],
) -> Result<()> {
    let statement = sql!(
        "update subscription.subscription s
         set renewal_attempt_id = r.attempt_id, renewal_next_attempt_at = null, renewal_failures = 0, version = s.version + 1,
             renewal_attempted_for = case when s.next_renewal_at <= $4 then s.next_renewal_at else s.renewal_attempted_for end,
             updated_at = clock_timestamp()
         from unnest($2::text[], $3::text[]) as r (id, attempt_id) where s.id = r.id and s.tenant_id = $1",
        cx.tenant.as_ref(),
        requested.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        requested.iter().map(|(_, attempt)| attempt.to_string()).collect::<Vec<_>>(),
        cx.now
    );
    execute(&**tx, statement).await.map(drop)
}

/// Forgets that renewals could not be begun: it is decided that this one is not made.
pub(in crate::domains::subscription) async fn forget_failures(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
) -> Result<()> {
    let statement = sql!(
        "update subscription.subscription set renewal_failures = 0, renewal_next_attempt_at = null
         where tenant_id = $1 and id = $2 and renewal_failures > 0",
        cx.tenant.as_ref(),
        id
    );
    execute(&**tx, statement).await.map(drop)
}

/// A line whose renewal could not be begun.
#[derive(Debug, FromQueryResult)]
pub(in crate::domains::subscription) struct Postponed {
    /// How often in a row.
    pub(in crate::domains::subscription) tries: i16,
    pub(in crate::domains::subscription) customer_id: String,
    pub(in crate::domains::subscription) due_since: DateTime<Utc>,
    pub(in crate::domains::subscription) version: i64,
}

/// Leaves a line alone for a while: a minute after the first try that failed, twice as long after each further one, up to an
/// hour. None: its renewal was begun meanwhile, or it is in no period.
pub(in crate::domains::subscription) async fn postpone(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
) -> Result<Option<Postponed>> {
    // The tries stop being counted where the column would overflow, long after they stopped making a difference.
    let statement = sql!(
        "update subscription.subscription
         set renewal_failures = least(renewal_failures + 1, 10000),
             renewal_next_attempt_at = clock_timestamp() + least(interval '1 hour', interval '1 minute' * 2 ^ least(renewal_failures, 6)),
             version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and renewal_attempt_id is null and next_renewal_at is not null
         returning renewal_failures as tries, customer_id, next_renewal_at as due_since, version",
        cx.tenant.as_ref(),
        id
    );
    Ok(Postponed::find_by_statement(statement).one(&**tx).await?)
}

/// The charge for the line's next period that is in flight.
pub(in crate::domains::subscription) async fn in_flight(
    db: &Db,
    cx: &Context,
    id: &SubscriptionId,
) -> Result<Option<AttemptId>> {
    #[derive(FromQueryResult)]
    struct Row {
        renewal_attempt_id: Option<String>,
    }
    let statement = sql!(
        "select renewal_attempt_id from subscription.subscription where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        id
    );
    let row = Row::find_by_statement(statement).one(db.connection()).await?;
    Ok(row.and_then(|row| row.renewal_attempt_id).map(Into::into))
}

/// See [`RenewalProgress`].
pub(in crate::domains::subscription) async fn progress(db: &Db, cx: &Context) -> Result<RenewalProgress> {
    #[derive(FromQueryResult)]
    struct Row {
        due: i64,
        due_since: Option<DateTime<Utc>>,
        under_way: i64,
    }
    let query = format!(
        "select d.due, d.due_since, u.under_way
         from (select count(*) as due, min(s.next_renewal_at) as due_since from subscription.subscription s
               where s.tenant_id = $1 and s.state in ('active', 'blocked') and s.next_renewal_at <= $2 and {RENEWABLE}
                 and s.renewal_attempt_id is null) d,
              (select count(*) as under_way from subscription.subscription s
               where s.tenant_id = $1 and s.renewal_attempt_id is not null) u"
    );
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), cx.now)).one(db.connection()).await?;
    let Row { due, due_since, under_way } = row.ok_or_else(|| Error::Internal("two counts gave no row".into()))?;
    Ok(RenewalProgress { due, under_way, due_since })
}

/// What became of charges that a sweep began.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub(in crate::domains::subscription) struct Outcome {
    pub(in crate::domains::subscription) pending: i64,
    pub(in crate::domains::subscription) renewed: i64,
}

pub(in crate::domains::subscription) async fn outcome(
    db: &Db,
    cx: &Context,
    attempts: &[AttemptId],
) -> Result<Outcome> {
    let statement = sql!(
        "select (select count(*) from subscription.subscription where tenant_id = $1 and renewal_attempt_id = any($2)) as pending,
                (select count(*) from subscription.period where tenant_id = $1 and payment_attempt_id = any($2)) as renewed",
        cx.tenant.as_ref(),
        attempts.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    let outcome = Outcome::find_by_statement(statement).one(db.connection()).await?;
    Ok(outcome.unwrap_or(Outcome { pending: 0, renewed: 0 }))
}
