//! Charge attempts: booking, locking, settling.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value};

use super::{money, word};
use crate::domains::payment::model::{Attempt, Method, Outcome, gateway_key};
use crate::domains::payment::port::{AttemptId, AttemptStatus, ChargeRequest, PaymentMethodId, Purpose};
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};

/// Of the table under the name `a`.
pub(super) const COLUMNS: &str = "a.id, a.customer_id, a.payment_method_id, a.amount_minor, a.currency, a.purpose, a.subject_id,
    a.business_key, a.attempt_number, a.gateway_key, a.description, a.status, a.gateway_ref, a.decline_code, a.decline_reason,
    a.attempted_at, a.finished_at, a.version";

/// How long a fresh attempt is left to its own delivery before the sweep looks at it, in seconds of wall time.
const DELIVERY_GRACE_SECONDS: f64 = 5.0;

#[derive(Debug, FromQueryResult)]
pub(super) struct Row {
    id: String,
    customer_id: String,
    payment_method_id: Option<String>,
    amount_minor: i64,
    currency: String,
    purpose: String,
    subject_id: String,
    business_key: String,
    attempt_number: i32,
    gateway_key: String,
    description: Option<String>,
    status: String,
    gateway_ref: Option<String>,
    decline_code: Option<String>,
    decline_reason: Option<String>,
    attempted_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    version: i64,
}

impl TryFrom<Row> for Attempt {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            customer_id: row.customer_id.into(),
            method_id: row.payment_method_id.map(PaymentMethodId::from),
            amount: money(row.amount_minor, &row.currency)?,
            purpose: word(&row.purpose, Purpose::parse)?,
            subject_id: row.subject_id,
            business_key: row.business_key,
            number: row.attempt_number,
            gateway_key: row.gateway_key,
            description: row.description,
            status: word(&row.status, AttemptStatus::parse)?,
            gateway_ref: row.gateway_ref,
            decline_code: row.decline_code,
            decline_reason: row.decline_reason,
            attempted_at: row.attempted_at,
            finished_at: row.finished_at,
            version: row.version,
        })
    }
}

/// The attempt with this business key that is pending or approved.
pub(in crate::domains::payment) async fn live(tx: &Tx, cx: &Context, business_key: &str) -> Result<Option<Attempt>> {
    let query = format!(
        "select {COLUMNS} from payment.payment_attempt a
         where a.tenant_id = $1 and a.business_key = $2 and a.status in ('pending', 'approved')"
    );
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), business_key)).one(&**tx).await?;
    row.map(Attempt::try_from).transpose()
}

/// Books an attempt, approved at once when there is nothing to charge. None when somebody else has just booked one with
/// the same business key: then it can be read.
pub(in crate::domains::payment) async fn insert(
    tx: &Tx,
    cx: &Context,
    id: &AttemptId,
    method_id: Option<&PaymentMethodId>,
    request: &ChargeRequest,
    description: Option<&str>,
) -> Result<Option<Attempt>> {
    #[derive(FromQueryResult)]
    struct Highest {
        number: i32,
    }
    let last = sql!(
        "select coalesce(max(attempt_number), 0) as number from payment.payment_attempt where tenant_id = $1 and business_key = $2",
        cx.tenant.as_ref(),
        request.business_key.as_str()
    );
    let number = Highest::find_by_statement(last).one(&**tx).await?.map_or(0, |last| last.number) + 1;
    let settled = request.amount.is_zero();
    let query = format!(
        "insert into payment.payment_attempt as a
             (id, tenant_id, customer_id, payment_method_id, amount_minor, currency, purpose, subject_id, business_key,
              attempt_number, gateway_key, description, status, attempted_at, finished_at, next_attempt_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                 clock_timestamp() + make_interval(secs => $16))
         on conflict do nothing returning {COLUMNS}"
    );
    let status = if settled { AttemptStatus::Approved } else { AttemptStatus::Pending };
    let statement = sql!(
        query,
        id,
        cx.tenant.as_ref(),
        &request.customer_id,
        method_id.map(PaymentMethodId::as_str),
        request.amount.minor,
        request.amount.currency.as_str(),
        request.purpose.as_str(),
        request.subject_id.as_str(),
        request.business_key.as_str(),
        number,
        gateway_key(&request.business_key, number),
        description,
        status.as_str(),
        cx.now,
        settled.then_some(cx.now),
        DELIVERY_GRACE_SECONDS
    );
    let row = Row::find_by_statement(statement).one(&**tx).await?;
    row.map(Attempt::try_from).transpose()
}

/// A charge of this card whose outcome is not known, the oldest one.
pub(in crate::domains::payment) async fn pending_of(
    tx: &Tx,
    cx: &Context,
    method: &Method,
) -> Result<Option<AttemptId>> {
    #[derive(FromQueryResult)]
    struct Pending {
        id: String,
    }
    // By the customer, whose attempts have an index: an index of their own would cost every charge, and cards go rarely.
    let statement = sql!(
        "select id from payment.payment_attempt
         where tenant_id = $1 and customer_id = $2 and payment_method_id = $3 and status = 'pending'
         order by attempted_at, id limit 1",
        cx.tenant.as_ref(),
        &method.customer_id,
        &method.id
    );
    let pending = Pending::find_by_statement(statement).one(&**tx).await?;
    Ok(pending.map(|pending| pending.id.into()))
}

/// What is known of the attempts with one business key.
#[derive(Debug, FromQueryResult)]
pub(in crate::domains::payment) struct Last {
    business_key: String,
    pub(in crate::domains::payment) number: i32,
    /// One of them is pending or approved.
    pub(in crate::domains::payment) is_live: bool,
}

/// The last attempt of each business key that has one.
pub(in crate::domains::payment) async fn numbers(
    tx: &Tx,
    cx: &Context,
    business_keys: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Last>> {
    let statement = sql!(
        "select business_key, max(attempt_number) as number, bool_or(status in ('pending', 'approved')) as is_live
         from payment.payment_attempt where tenant_id = $1 and business_key = any($2) group by business_key",
        cx.tenant.as_ref(),
        business_keys.map(str::to_owned).collect::<Vec<_>>()
    );
    let rows = Last::find_by_statement(statement).all(&**tx).await?;
    Ok(rows.into_iter().map(|last| (last.business_key.clone(), last)).collect())
}

/// An attempt that is to be booked with many others. Its amount is not zero.
#[derive(Debug)]
pub(in crate::domains::payment) struct NewAttempt<'a> {
    pub(in crate::domains::payment) request: &'a ChargeRequest,
    pub(in crate::domains::payment) method_id: PaymentMethodId,
    pub(in crate::domains::payment) number: i32,
}

/// Books the attempts; answers those whose business key nobody else took meanwhile.
pub(in crate::domains::payment) async fn insert_all(
    tx: &Tx,
    cx: &Context,
    new: &[NewAttempt<'_>],
) -> Result<Vec<Attempt>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    fn column<T>(new: &[NewAttempt<'_>], read: impl Fn(&NewAttempt<'_>) -> T) -> Vec<T> {
        new.iter().map(read).collect()
    }
    let query = format!(
        "insert into payment.payment_attempt as a
             (id, tenant_id, customer_id, payment_method_id, amount_minor, currency, purpose, subject_id, business_key,
              attempt_number, gateway_key, attempted_at, next_attempt_at)
         select platform.mint_id('PAY', nextval('payment.payment_attempt_id_seq'), 6), $1, n.customer_id, n.method_id,
                n.amount_minor, n.currency, n.purpose, n.subject_id, n.business_key, n.number, n.gateway_key, $2,
                clock_timestamp() + make_interval(secs => $3)
         from unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::int[],
                 $12::text[])
             as n (customer_id, method_id, amount_minor, currency, purpose, subject_id, business_key, number, gateway_key)
         on conflict do nothing returning {COLUMNS}"
    );
    let statement = sql!(
        query,
        cx.tenant.as_ref(),
        cx.now,
        DELIVERY_GRACE_SECONDS,
        column(new, |new| new.request.customer_id.to_string()),
        column(new, |new| new.method_id.to_string()),
        column(new, |new| new.request.amount.minor),
        column(new, |new| new.request.amount.currency.to_string()),
        column(new, |new| new.request.purpose.as_str().to_owned()),
        column(new, |new| new.request.subject_id.clone()),
        column(new, |new| new.request.business_key.clone()),
        column(new, |new| new.number),
        column(new, |new| gateway_key(&new.request.business_key, new.number))
    );
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(Attempt::try_from).collect()
}

/// Keeps what the caller of a manual payment said beyond what we use.
pub(in crate::domains::payment) async fn keep_attributes(
    tx: &Tx,
    cx: &Context,
    id: &AttemptId,
    attributes: Map<String, Value>,
) -> Result<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    let statement = sql!(
        "update payment.payment_attempt set attributes = $3 where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        id,
        Value::Object(attributes)
    );
    execute(&**tx, statement).await.map(drop)
}

pub(in crate::domains::payment) async fn find(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &AttemptId,
) -> Result<Option<Attempt>> {
    let query = format!("select {COLUMNS} from payment.payment_attempt a where a.tenant_id = $1 and a.id = $2");
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(connection).await?;
    row.map(Attempt::try_from).transpose()
}

/// The attempt, which nobody else changes until the end of `tx`.
pub(in crate::domains::payment) async fn lock(tx: &Tx, cx: &Context, id: &AttemptId) -> Result<Option<Attempt>> {
    let query =
        format!("select {COLUMNS} from payment.payment_attempt a where a.tenant_id = $1 and a.id = $2 for update");
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?;
    row.map(Attempt::try_from).transpose()
}

/// [`lock`] of many, in one order; those that do not exist are missing.
pub(in crate::domains::payment) async fn lock_all(tx: &Tx, cx: &Context, ids: &[AttemptId]) -> Result<Vec<Attempt>> {
    let query = format!(
        "select {COLUMNS} from payment.payment_attempt a where a.tenant_id = $1 and a.id = any($2) order by a.id for update"
    );
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), ids)).all(&**tx).await?;
    rows.into_iter().map(Attempt::try_from).collect()
}

/// Locks pending attempts, writes their outcomes into them and frees their leases. What has its outcome already, or does not
/// exist, is missing in the answer.
pub(in crate::domains::payment) async fn settle(
    tx: &Tx,
    cx: &Context,
    outcomes: &[(AttemptId, Outcome)],
) -> Result<Vec<Attempt>> {
    // Arrays hold no nulls: what is not there is an empty text.
    let texts = |read: fn(&Outcome) -> String| outcomes.iter().map(|(_, outcome)| read(outcome)).collect::<Vec<_>>();
    let query = format!(
        "update payment.payment_attempt a
         set status = o.status, gateway_ref = nullif(o.gateway_ref, ''), decline_code = nullif(o.code, ''),
             decline_reason = case when o.code <> '' then o.reason end, finished_at = $2, leased_by = null, lease_until = null,
             last_error = null, version = a.version + 1, updated_at = clock_timestamp()
         from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as o (id, status, gateway_ref, code, reason)
         where a.tenant_id = $1 and a.id = o.id and a.status = 'pending' returning {COLUMNS}"
    );
    let statement = sql!(
        query,
        cx.tenant.as_ref(),
        cx.now,
        outcomes.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        texts(|outcome| outcome.status().as_str().to_owned()),
        texts(|outcome| match outcome {
            Outcome::Approved { gateway_ref } => gateway_ref.clone(),
            Outcome::Declined { .. } | Outcome::Errored { .. } => String::new(),
        }),
        texts(|outcome| match outcome {
            Outcome::Approved { .. } => String::new(),
            Outcome::Declined { code, .. } => code.clone(),
            Outcome::Errored { .. } => Outcome::REFUSED.to_owned(),
        }),
        texts(|outcome| match outcome {
            Outcome::Approved { .. } => String::new(),
            Outcome::Declined { reason, .. } | Outcome::Errored { reason } => reason.clone(),
        })
    );
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(Attempt::try_from).collect()
}
