//! Rows of refunds: asked for, given, and the journal lines that go with them.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{money, word};
use crate::domains::payment::model::{Attempt, Refund, gateway_key};
use crate::domains::payment::port::{AttemptId, MoneyBack, Purpose, RefundId, RefundStatus};
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids;

/// Of the table under the name `r`.
pub(super) const COLUMNS: &str = "r.id, r.attempt_id, r.amount_minor, r.currency, r.reason, r.gateway_key, r.status";

#[derive(Debug, FromQueryResult)]
pub(super) struct Row {
    id: String,
    attempt_id: String,
    amount_minor: i64,
    currency: String,
    reason: String,
    gateway_key: String,
    status: String,
}

impl TryFrom<Row> for Refund {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            attempt_id: row.attempt_id.into(),
            amount: money(row.amount_minor, &row.currency)?,
            reason: row.reason,
            gateway_key: row.gateway_key,
            status: word(&row.status, RefundStatus::parse)?,
        })
    }
}

/// The refund of an attempt that is pending or made.
pub(in crate::domains::payment) async fn live(tx: &Tx, cx: &Context, attempt_id: &AttemptId) -> Result<Option<Refund>> {
    let query = format!(
        "select {COLUMNS} from payment.refund r where r.tenant_id = $1 and r.attempt_id = $2 and r.status <> 'failed'"
    );
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), attempt_id)).one(&**tx).await?;
    row.map(Refund::try_from).transpose()
}

/// The refunds of attempts that are pending or made.
pub(in crate::domains::payment) async fn live_of(tx: &Tx, cx: &Context, attempts: &[Attempt]) -> Result<Vec<Refund>> {
    let query = format!(
        "select {COLUMNS} from payment.refund r
         where r.tenant_id = $1 and r.attempt_id = any($2) and r.status <> 'failed' order by r.id"
    );
    let ids: Vec<String> = attempts.iter().map(|attempt| attempt.id.to_string()).collect();
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), ids)).all(&**tx).await?;
    rows.into_iter().map(Refund::try_from).collect()
}

/// The refund of an attempt that a reader is shown: the live one, else the last that failed.
pub(in crate::domains::payment) async fn shown(
    connection: &impl ConnectionTrait,
    cx: &Context,
    attempt_ids: Vec<String>,
) -> Result<Vec<Refund>> {
    let query = format!(
        "select distinct on (r.attempt_id) {COLUMNS} from payment.refund r
         where r.tenant_id = $1 and r.attempt_id = any($2)
         order by r.attempt_id, (r.status <> 'failed') desc, r.created_at desc, r.id desc"
    );
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), attempt_ids)).all(connection).await?;
    rows.into_iter().map(Refund::try_from).collect()
}

/// See [`Payments::refunds_of`](crate::domains::payment::port::Payments::refunds_of).
pub(in crate::domains::payment) async fn of_subjects(
    connection: &impl ConnectionTrait,
    cx: &Context,
    subject_ids: &[String],
    limit: u32,
) -> Result<Vec<MoneyBack>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
        attempt_id: String,
        purpose: String,
        amount_minor: i64,
        currency: String,
        reason: String,
        status: String,
        requested_at: DateTime<Utc>,
    }
    let statement = sql!(
        "select r.id, r.attempt_id, a.purpose, r.amount_minor, r.currency, r.reason, r.status, r.requested_at
         from payment.payment_attempt a join payment.refund r on r.attempt_id = a.id
         where a.subject_id = any($2) and a.tenant_id = $1 and r.tenant_id = $1
         order by r.requested_at desc, r.id desc limit $3",
        cx.tenant.as_ref(),
        subject_ids.to_vec(),
        i64::from(limit)
    );
    let back = |row: Row| {
        Ok(MoneyBack {
            amount: money(row.amount_minor, &row.currency)?,
            id: row.id.into(),
            attempt_id: row.attempt_id.into(),
            purpose: word(&row.purpose, Purpose::parse)?,
            reason: row.reason,
            status: word(&row.status, RefundStatus::parse)?,
            requested_at: row.requested_at,
        })
    };
    Row::find_by_statement(statement).all(connection).await?.into_iter().map(back).collect()
}

/// Writes a full refund of a locked attempt. Each one has a key of its own: a refused key could never succeed.
pub(in crate::domains::payment) async fn insert(
    tx: &Tx,
    cx: &Context,
    attempt: &Attempt,
    reason: &str,
) -> Result<Refund> {
    #[derive(FromQueryResult)]
    struct Former {
        number: i32,
    }
    let former = sql!("select count(*)::integer as number from payment.refund where attempt_id = $1", &attempt.id);
    let number = Former::find_by_statement(former).one(&**tx).await?.map_or(0, |former| former.number) + 1;
    let id = ids::next(&**tx, "payment.refund_id_seq", "REF", 6).await?;
    let query = format!(
        "insert into payment.refund as r
             (id, tenant_id, attempt_id, amount_minor, currency, reason, gateway_key, requested_at, next_attempt_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + interval '5 seconds', clock_timestamp())
         returning {COLUMNS}"
    );
    let statement = sql!(
        query,
        id,
        cx.tenant.as_ref(),
        &attempt.id,
        attempt.amount.minor,
        attempt.amount.currency.as_str(),
        reason,
        gateway_key(&format!("refund:{}", attempt.id), number),
        cx.now
    );
    let row = Row::find_by_statement(statement).one(&**tx).await?;
    row.ok_or_else(|| Error::Internal("an insert with returning gave no row".into()))?.try_into()
}

/// Ends a pending refund. False when it had ended before.
pub(in crate::domains::payment) async fn settle(
    tx: &Tx,
    cx: &Context,
    id: &RefundId,
    status: RefundStatus,
    gateway_ref: Option<&str>,
    error: Option<&str>,
) -> Result<bool> {
    let statement = sql!(
        "update payment.refund
         set status = $3, gateway_ref = $4, last_error = $5, finished_at = $6, leased_by = null, lease_until = null,
             updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and status = 'pending'",
        cx.tenant.as_ref(),
        id,
        status.as_str(),
        gateway_ref,
        error,
        cx.now
    );
    Ok(execute(&**tx, statement).await? == 1)
}
