//! Where the quota of an allowance came from in a period: the grants behind a balance, for whoever has to explain it; and the
//! uses of periods whose usage rows are about to go.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use crate::domains::catalog::port::AllowanceType;
use crate::platform::error::Result;

/// One entry that gave or took quota.
#[derive(Debug, Clone, FromRow)]
pub struct QuotaMove {
    /// `grant`, `expiry`, `reset`, `correction` or `use` (closed history).
    pub kind: String,
    /// Signed: what it added.
    pub amount: i64,
    /// `activation`, `renewal`, `vas:<purchase>`, …
    pub source: String,
    pub occurred_at: DateTime<Utc>,
}

/// The entries of one allowance of a line in a period, oldest first.
pub async fn quota_moves(
    connection: &mut PgConnection,
    line: &str,
    allowance: AllowanceType,
    period_index: i32,
) -> Result<Vec<QuotaMove>> {
    let moves = sqlx::query_as(
        "select kind, amount, source, occurred_at from subscription.quota_entry
         where subscription_id = $1 and allowance_type = $2 and period_index = $3 order by id",
    )
    .bind(line)
    .bind(allowance.as_str())
    .bind(period_index)
    .fetch_all(connection)
    .await?;
    Ok(moves)
}

/// What was used of one allowance of a line in a period, over the usage rows that are about to go.
#[derive(Debug, Clone, FromRow)]
pub struct ClosedUse {
    pub subscription_id: String,
    pub tenant_id: String,
    pub allowance_type: String,
    pub period_index: i32,
    /// Positive.
    pub applied: i64,
}

/// Writes one closing entry for each of `uses`, in the caller's unit of work: the sum of the entries stays what it was when
/// the rows are gone. `source` names the rows; the same ones are closed once.
pub async fn close_uses(
    connection: &mut PgConnection,
    uses: &[ClosedUse],
    source: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    fn column<'a, T>(uses: &'a [ClosedUse], read: impl Fn(&'a ClosedUse) -> T) -> Vec<T> {
        uses.iter().map(read).collect()
    }
    sqlx::query(
        "insert into subscription.quota_entry (subscription_id, allowance_type, tenant_id, period_index, kind, amount, source,
             occurred_at)
         select u.subscription_id, u.allowance_type, u.tenant_id, u.period_index, 'use', -u.applied, $6, $7
         from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[])
             as u (subscription_id, allowance_type, tenant_id, period_index, applied)",
    )
    .bind(column(uses, |row| row.subscription_id.as_str()))
    .bind(column(uses, |row| row.allowance_type.as_str()))
    .bind(column(uses, |row| row.tenant_id.as_str()))
    .bind(column(uses, |row| row.period_index))
    .bind(column(uses, |row| row.applied))
    .bind(source)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
