//! The lines' side of a batch of usage: find and lock the lines, read their balances, apply what was used, block those whose
//! data ran out. Set-based, one statement per table, on the batch's own connection.
//!
//! The line is locked before its balances are read, as everywhere in this domain, so what is read here stays true until
//! the batch commits. What an event may use is decided by `rating`, whether it may be recorded at all by `mediation`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{FromRow, PgConnection, Postgres, Row as _};

use super::port::{BlockReason, SubscriptionBlocked, SubscriptionExhausted, SubscriptionId};
use super::state::{State, Trigger};
use crate::domains::catalog::port::AllowanceType;
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::som::port::ServiceId;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox::StagedRow;

/// The history's reason of a line that ran out of data.
const EXHAUSTED: &str = "primary_allowance_exhausted";

/// What a batch does when somebody else holds a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contention {
    /// Leaves that line out: [`find_unlocked`] tells it from a number without a line.
    Skip,
    /// Waits, at most the connection's lock time-out.
    Wait,
}

/// What a batch needs to know of a line.
#[derive(Debug, Clone, FromRow)]
pub struct UsageLine {
    pub id: String,
    pub tenant_id: String,
    pub msisdn: String,
    pub customer_id: String,
    pub offering_id: String,
    /// `pending`, `active`, `blocked` or `terminated`.
    pub state: String,
    pub activated_at: Option<DateTime<Utc>>,
    pub period_index: i32,
    /// Counted up by each change but usage that does not exhaust the line.
    pub version: i64,
}

impl UsageLine {
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }
}

/// Locks the living lines of a tenant's numbers (distinct), in the order of their ids.
pub async fn lock_lines(
    connection: &mut PgConnection,
    tenant: &str,
    msisdns: &[&str],
    contention: Contention,
) -> Result<Vec<UsageLine>> {
    // Not `for update`: rows that only refer to the line (purchases, history) need not wait.
    let statement = match contention {
        Contention::Skip => {
            "select id, tenant_id, msisdn, customer_id, offering_id, state, activated_at, period_index, version
             from subscription.subscription where tenant_id = $1 and msisdn = any($2) and state <> 'terminated'
             order by id for no key update skip locked"
        }
        Contention::Wait => {
            "select id, tenant_id, msisdn, customer_id, offering_id, state, activated_at, period_index, version
             from subscription.subscription where tenant_id = $1 and msisdn = any($2) and state <> 'terminated'
             order by id for no key update"
        }
    };
    Ok(sqlx::query_as(statement).bind(tenant).bind(msisdns).fetch_all(connection).await?)
}

/// The lines of numbers that [`lock_lines`] did not give, without a lock: a living one is busy; a terminated one (the last
/// that had the number, where nobody has it now) will not change any more; a number in neither has no line.
pub async fn find_unlocked(connection: &mut PgConnection, tenant: &str, msisdns: &[&str]) -> Result<Vec<UsageLine>> {
    let lines = sqlx::query_as(
        "select s.* from unnest($2::text[]) as n (msisdn)
         cross join lateral (
             (select id, tenant_id, s.msisdn, customer_id, offering_id, state, activated_at, period_index, version
              from subscription.subscription s
              where s.tenant_id = $1 and s.msisdn = n.msisdn and s.state <> 'terminated')
             union all
             (select id, tenant_id, s.msisdn, customer_id, offering_id, state, activated_at, period_index, version
              from subscription.subscription s
              where s.tenant_id = $1 and s.msisdn = n.msisdn and s.state = 'terminated'
              order by s.terminated_at desc limit 1)
             limit 1) s",
    )
    .bind(tenant)
    .bind(msisdns)
    .fetch_all(connection)
    .await?;
    Ok(lines)
}

/// One allowance of a line as the batch found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageBalance {
    pub line: String,
    pub allowance: AllowanceType,
    pub total: i64,
    pub remaining: i64,
    /// For the whole period, or by a day pass that runs now.
    pub unlimited: bool,
    /// Sold as unlimited: what remains is what fair use leaves.
    pub fair_use: bool,
    /// The highest share of the allowance whose use was told of in this period, in per cent; 0: none.
    pub told_percent: u8,
}

/// The balances behind `wanted` (line id and allowance, distinct). What a line does not have is missing. They are not
/// locked themselves: whoever changes a balance holds its line, and [`apply`] would notice if somebody did not.
pub async fn balances(
    connection: &mut PgConnection,
    wanted: &[(&str, AllowanceType)],
    now: DateTime<Utc>,
) -> Result<Vec<UsageBalance>> {
    let (lines, allowances): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(line, allowance)| (*line, allowance.as_str())).unzip();
    let rows: Vec<UsageBalanceRow> = sqlx::query_as(
        "select b.subscription_id, b.allowance_type, b.total, b.remaining,
                b.unlimited or coalesce(b.unlimited_until > $3, false) as unlimited, b.fair_use, b.told_percent
         from unnest($1::text[], $2::text[]) as n (subscription_id, allowance_type)
         join subscription.bundle_balance b using (subscription_id, allowance_type)",
    )
    .bind(lines)
    .bind(allowances)
    .bind(now)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(UsageBalanceRow::read).collect()
}

/// The living lines of a tenant's numbers (distinct), with their balances of these allowances, in one statement and without a
/// lock: what rests on it is written by [`USE_UP`], which finds out whether it still holds. A line comes once for each balance,
/// and once where it has none.
pub async fn look(
    connection: &mut PgConnection,
    tenant: &str,
    msisdns: &[&str],
    allowances: &[&str],
    now: DateTime<Utc>,
) -> Result<Vec<(UsageLine, Option<UsageBalance>)>> {
    // Numbers in an array, not in a join: a plan that was made while there were hardly any lines reads the index once then,
    // instead of once for each number.
    let rows: Vec<PgRow> = sqlx::query(
        "select s.id, s.tenant_id, s.msisdn, s.customer_id, s.offering_id, s.state, s.activated_at, s.period_index, s.version,
                b.subscription_id, b.allowance_type, b.total, b.remaining,
                b.unlimited or coalesce(b.unlimited_until > $4, false) as unlimited, b.fair_use, b.told_percent
         from subscription.subscription s
         left join subscription.bundle_balance b on b.subscription_id = s.id and b.allowance_type = any($3)
         where s.tenant_id = $1 and s.msisdn = any($2) and s.state <> 'terminated'",
    )
    .bind(tenant)
    .bind(msisdns)
    .bind(allowances)
    .bind(now)
    .fetch_all(connection)
    .await?;
    let read = |row: PgRow| {
        let line = UsageLine::from_row(&row)?;
        let has_balance = row.try_get::<Option<&str>, _>("subscription_id")?.is_some();
        let balance = has_balance.then(|| UsageBalanceRow::from_row(&row)?.read()).transpose()?;
        Ok((line, balance))
    };
    rows.into_iter().map(read).collect()
}

/// Takes off the balances what a batch used, as a part of the statement that stores its events: [`with_use`] binds its six
/// values. It locks the lines, and is false, having written nothing, where one is held or has changed since [`look`]; where a
/// balance has changed the whole statement fails as a contention.
pub const USE_UP: &str = "subscription.use_up";

/// Binds the arguments of [`USE_UP`]: the lines whose allowances were looked at, and what is left of those that were used.
pub fn with_use<'q>(
    query: Query<'q, Postgres, PgArguments>,
    lines: &[UsageLine],
    used: &[Remaining<'_>],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(lines.iter().map(|line| line.id.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.version).collect::<Vec<_>>())
        .bind(used.iter().map(|used| used.line).collect::<Vec<_>>())
        .bind(used.iter().map(|used| used.allowance.as_str()).collect::<Vec<_>>())
        .bind(used.iter().map(|used| used.before).collect::<Vec<_>>())
        .bind(used.iter().map(|used| used.after).collect::<Vec<_>>())
}

#[derive(Debug, FromRow)]
struct UsageBalanceRow {
    subscription_id: String,
    allowance_type: String,
    total: i64,
    remaining: i64,
    unlimited: bool,
    fair_use: bool,
    told_percent: i16,
}

impl UsageBalanceRow {
    fn read(self) -> Result<UsageBalance> {
        let allowance = AllowanceType::parse(&self.allowance_type).ok_or_else(|| {
            Error::Internal(format!("{} has a balance of {}", self.subscription_id, self.allowance_type))
        })?;
        let Self { subscription_id: line, total, remaining, unlimited, fair_use, .. } = self;
        let told_percent = u8::try_from(self.told_percent).unwrap_or(u8::MAX);
        Ok(UsageBalance { line, allowance, total, remaining, unlimited, fair_use, told_percent })
    }
}

/// What is left of one allowance after the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining<'a> {
    pub line: &'a str,
    pub allowance: AllowanceType,
    /// As [`balances`] gave it.
    pub before: i64,
    pub after: i64,
    /// See [`UsageBalance`]; falls never.
    pub told_percent: u8,
}

/// Writes what is left. The entries behind the difference are the usage rows that the batch writes.
pub async fn apply(connection: &mut PgConnection, changes: &[Remaining<'_>]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let lines: Vec<&str> = changes.iter().map(|change| change.line).collect();
    let allowances: Vec<&str> = changes.iter().map(|change| change.allowance.as_str()).collect();
    let before: Vec<i64> = changes.iter().map(|change| change.before).collect();
    let after: Vec<i64> = changes.iter().map(|change| change.after).collect();
    let told: Vec<i16> = changes.iter().map(|change| i16::from(change.told_percent)).collect();
    // Neither column is indexed: the row stays on its page and no index is touched.
    let written = sqlx::query(
        "update subscription.bundle_balance b set remaining = n.after, told_percent = n.told
         from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::smallint[])
             as n (subscription_id, allowance_type, before, after, told)
         where b.subscription_id = n.subscription_id and b.allowance_type = n.allowance_type and b.remaining = n.before",
    )
    .bind(lines)
    .bind(allowances)
    .bind(before)
    .bind(after)
    .bind(told)
    .execute(connection)
    .await?;
    if written.rows_affected() != changes.len() as u64 {
        return Err(Error::Internal("a balance changed although its line was locked".into()));
    }
    Ok(())
}

/// A line whose data went from something to nothing, and the event that did it.
#[derive(Debug, Clone)]
pub struct ExhaustedLine<'a> {
    pub line: &'a str,
    /// Of the data allowance in this period.
    pub total: i64,
    pub usage_id: &'a str,
    /// Who sent the event: the block is theirs, as far as the log is concerned.
    pub cx: Arc<Context>,
}

/// Blocks the lines (locked and active), writes their history, and answers `subscription.exhausted` and
/// `subscription.blocked` of each, for the batch to stage.
pub async fn block_exhausted(
    connection: &mut PgConnection,
    exhausted: &[ExhaustedLine<'_>],
    now: DateTime<Utc>,
) -> Result<Vec<StagedRow>> {
    #[derive(FromRow)]
    struct Blocked {
        id: String,
        customer_id: String,
        msisdn: String,
        cfs_service_id: String,
        version: i64,
    }
    if exhausted.is_empty() {
        return Ok(Vec::new());
    }
    let state = State::Active.after(Trigger::Exhaust)?;
    let lines: Vec<&str> = exhausted.iter().map(|line| line.line).collect();
    let actors: Vec<&str> = exhausted.iter().map(|line| line.cx.actor.as_ref()).collect();
    let blocked: Vec<Blocked> = sqlx::query_as(
        "with blocked as (
             update subscription.subscription s
             set state = $5, state_reason = $3, block_reasons = $6, version = version + 1, updated_at = clock_timestamp()
             from unnest($1::text[], $2::text[]) as n (id, actor) where s.id = n.id and s.state = 'active'
             returning s.id, s.tenant_id, s.customer_id, s.msisdn, s.cfs_service_id, s.version, n.actor),
         history as (
             insert into subscription.subscription_state_history
                 (tenant_id, subscription_id, from_state, to_state, block_reasons, changed_by, reason, event_time)
             select tenant_id, id, 'active', $5, $6, actor, $3, $4 from blocked)
         select id, customer_id, msisdn, cfs_service_id, version from blocked",
    )
    .bind(lines)
    .bind(actors)
    .bind(EXHAUSTED)
    .bind(now)
    .bind(state.status().as_str())
    .bind(state.reasons().texts())
    .fetch_all(connection)
    .await?;
    let mut events = Vec::with_capacity(2 * exhausted.len());
    for line in exhausted {
        let row = blocked.iter().find(|row| row.id == line.line);
        let row = row
            .ok_or_else(|| Error::Internal(format!("{} was locked and active but could not be blocked", line.line)))?;
        let ran_out = SubscriptionExhausted {
            subscription_id: SubscriptionId::from(row.id.clone()),
            customer_id: CustomerId::from(row.customer_id.clone()),
            allowance_type: AllowanceType::Data,
            consumed: line.total,
            total: line.total,
            triggering_usage_event_id: line.usage_id.to_owned(),
            version: row.version,
        };
        let stopped = SubscriptionBlocked {
            subscription_id: ran_out.subscription_id.clone(),
            customer_id: ran_out.customer_id.clone(),
            cfs_service_id: ServiceId::from(row.cfs_service_id.clone()),
            msisdn: Msisdn::from(row.msisdn.clone()),
            reason: BlockReason::Exhausted,
            block_reasons: state.reasons().iter().collect(),
            version: row.version,
        };
        events.push(StagedRow::new(&line.cx, now, &ran_out)?);
        events.push(StagedRow::new(&line.cx, now, &stopped)?);
    }
    Ok(events)
}

/// Every line that has or had the number: where usage of a number is to be looked for.
pub async fn lines_of_number(connection: &mut PgConnection, tenant: &str, msisdn: &Msisdn) -> Result<Vec<String>> {
    let lines = sqlx::query_scalar(
        "select id from subscription.subscription where tenant_id = $1 and msisdn = $2 and state <> 'terminated'
         union all
         select id from subscription.subscription where tenant_id = $1 and msisdn = $2 and state = 'terminated'",
    )
    .bind(tenant)
    .bind(msisdn.as_str())
    .fetch_all(connection)
    .await?;
    Ok(lines)
}
