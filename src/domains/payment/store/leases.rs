//! Leases on attempts and refunds: who is calling the gateway for which row. By the wall clock.
//!
//! A lease only keeps two processes from asking the same thing at once. That money moves once is the gateway key's work, and
//! that an answer is booked once is the row lock's.

use std::time::Duration;

use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{attempts, money};
use crate::domains::payment::model::Attempt;
use crate::domains::payment::port::{AttemptId, RefundId};
use crate::platform::context::Context;
use crate::platform::db::{Db, execute, sql};
use crate::platform::error::Result;
use crate::platform::money::Money;

/// Longer than the gateway's own time-out and the recording of its answer together.
const LEASE_SECONDS: f64 = 15.0;

/// Nobody holds the row: no lease, one that has ended, or one of a process that is gone.
const FREE: &str = "(w.leased_by is null or w.lease_until <= clock_timestamp() or not exists
    (select 1 from platform.replica p where p.boot_id = w.leased_by and p.lease_until > clock_timestamp()))";

/// A charge that this process is to make.
#[derive(Debug)]
pub(in crate::domains::payment) struct ChargeWork {
    pub(in crate::domains::payment) attempt: Attempt,
    pub(in crate::domains::payment) token: String,
    /// How often the gateway was asked, this time included.
    pub(in crate::domains::payment) calls: i32,
}

/// A refund that this process is to make.
#[derive(Debug)]
pub(in crate::domains::payment) struct RefundWork {
    pub(in crate::domains::payment) id: RefundId,
    pub(in crate::domains::payment) attempt_id: AttemptId,
    pub(in crate::domains::payment) gateway_key: String,
    pub(in crate::domains::payment) charge_ref: String,
    pub(in crate::domains::payment) amount: Money,
    pub(in crate::domains::payment) calls: i32,
}

/// A row that is due, with its tenant.
#[derive(Debug, FromQueryResult)]
pub(in crate::domains::payment) struct Due {
    pub(in crate::domains::payment) id: String,
    pub(in crate::domains::payment) tenant_id: String,
}

/// Takes the leases on pending attempts. What is settled, or in somebody else's hands, is missing in the answer.
pub(in crate::domains::payment) async fn take_charges(
    db: &Db,
    cx: &Context,
    boot_id: Uuid,
    ids: &[AttemptId],
) -> Result<Vec<ChargeWork>> {
    #[derive(FromQueryResult)]
    struct Row {
        #[sea_orm(nested)]
        attempt: attempts::Row,
        token: String,
        gateway_calls: i32,
    }
    let query = format!(
        "with taken as (
             update payment.payment_attempt w
             set leased_by = $3, lease_until = clock_timestamp() + make_interval(secs => $4),
                 gateway_calls = w.gateway_calls + 1, updated_at = clock_timestamp()
             where w.tenant_id = $1 and w.id = any($2) and w.status = 'pending' and {FREE}
             returning w.*)
         select {}, a.gateway_calls, m.token from taken a join payment.payment_method m on m.id = a.payment_method_id",
        attempts::COLUMNS
    );
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows =
        Row::find_by_statement(sql!(query, cx.tenant.as_ref(), ids, boot_id, LEASE_SECONDS)).all(db.keyed()).await?;
    let work =
        |row: Row| Ok(ChargeWork { attempt: row.attempt.try_into()?, token: row.token, calls: row.gateway_calls });
    rows.into_iter().map(work).collect()
}

/// Gives the lease back; the sweep takes the attempt again after `wait`.
pub(in crate::domains::payment) async fn postpone_charge(
    db: &Db,
    cx: &Context,
    boot_id: Uuid,
    id: &AttemptId,
    wait: Duration,
    error: &str,
) -> Result<()> {
    let statement = sql!(
        "update payment.payment_attempt
         set leased_by = null, lease_until = null, last_error = $4,
             next_attempt_at = clock_timestamp() + make_interval(secs => $5), updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and status = 'pending' and leased_by = $3",
        cx.tenant.as_ref(),
        id,
        boot_id,
        error,
        wait.as_secs_f64()
    );
    execute(db.connection(), statement).await.map(drop)
}

/// Pending attempts that nobody is at and whose time has come, longest due first.
pub(in crate::domains::payment) async fn due_charges(db: &Db, limit: i64) -> Result<Vec<Due>> {
    let query = format!(
        "select w.id, w.tenant_id from payment.payment_attempt w
         where w.status = 'pending' and w.next_attempt_at <= clock_timestamp() and {FREE}
         order by w.next_attempt_at limit $1"
    );
    Ok(Due::find_by_statement(sql!(query, limit)).all(db.connection()).await?)
}

/// Takes the lease on a pending refund of an approved charge. None when it is settled, waits for the charge, or somebody
/// else is at it.
pub(in crate::domains::payment) async fn take_refund(
    db: &Db,
    cx: &Context,
    boot_id: Uuid,
    id: &RefundId,
) -> Result<Option<RefundWork>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
        attempt_id: String,
        gateway_key: String,
        charge_ref: String,
        amount_minor: i64,
        currency: String,
        gateway_calls: i32,
    }
    let query = format!(
        "update payment.refund w
         set leased_by = $3, lease_until = clock_timestamp() + make_interval(secs => $4),
             gateway_calls = w.gateway_calls + 1, updated_at = clock_timestamp()
         from payment.payment_attempt a
         where w.tenant_id = $1 and w.id = $2 and w.status = 'pending' and a.id = w.attempt_id and a.status = 'approved'
           and a.gateway_ref is not null and {FREE}
         returning w.id, w.attempt_id, w.gateway_key, a.gateway_ref as charge_ref, w.amount_minor, w.currency, w.gateway_calls"
    );
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id, boot_id, LEASE_SECONDS))
        .one(db.connection())
        .await?;
    row.map(|row| {
        Ok(RefundWork {
            amount: money(row.amount_minor, &row.currency)?,
            id: row.id.into(),
            attempt_id: row.attempt_id.into(),
            gateway_key: row.gateway_key,
            charge_ref: row.charge_ref,
            calls: row.gateway_calls,
        })
    })
    .transpose()
}

/// Gives the lease back; the sweep takes the refund again after `wait`.
pub(in crate::domains::payment) async fn postpone_refund(
    db: &Db,
    cx: &Context,
    boot_id: Uuid,
    id: &RefundId,
    wait: Duration,
    error: &str,
) -> Result<()> {
    let statement = sql!(
        "update payment.refund
         set leased_by = null, lease_until = null, last_error = $4,
             next_attempt_at = clock_timestamp() + make_interval(secs => $5), updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and status = 'pending' and leased_by = $3",
        cx.tenant.as_ref(),
        id,
        boot_id,
        error,
        wait.as_secs_f64()
    );
    execute(db.connection(), statement).await.map(drop)
}

/// Pending refunds of approved charges that nobody is at and whose time has come, longest due first.
pub(in crate::domains::payment) async fn due_refunds(db: &Db, limit: i64) -> Result<Vec<Due>> {
    let query = format!(
        "select w.id, w.tenant_id from payment.refund w join payment.payment_attempt a on a.id = w.attempt_id
         where w.status = 'pending' and a.status = 'approved' and w.next_attempt_at <= clock_timestamp() and {FREE}
         order by w.next_attempt_at limit $1"
    );
    Ok(Due::find_by_statement(sql!(query, limit)).all(db.connection()).await?)
}
