//! Refunds as TMF676 shows them, with the account of the payer, which crm keeps, as [`listing`](super::listing) reads it.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde_json::{Map, Value};

use super::{money, word};
use crate::domains::payment::port::{RefundId, RefundStatus};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::tmf::filter::{Attribute, Column, Listing, Name, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// A refund with what TMF676 says of payment, payer and card.
#[derive(Debug)]
pub(in crate::domains::payment) struct ShownRefund {
    pub(in crate::domains::payment) id: String,
    pub(in crate::domains::payment) attempt_id: String,
    pub(in crate::domains::payment) customer_id: String,
    pub(in crate::domains::payment) account_id: String,
    pub(in crate::domains::payment) method_id: Option<String>,
    /// Brand and last four digits.
    pub(in crate::domains::payment) card: Option<String>,
    pub(in crate::domains::payment) amount: Money,
    pub(in crate::domains::payment) reason: String,
    pub(in crate::domains::payment) status: RefundStatus,
    pub(in crate::domains::payment) gateway_ref: Option<String>,
    /// Why the gateway refused it.
    pub(in crate::domains::payment) error: Option<String>,
    pub(in crate::domains::payment) requested_at: DateTime<Utc>,
    pub(in crate::domains::payment) finished_at: Option<DateTime<Utc>>,
    /// Official TMF676 attributes that we only store and echo.
    pub(in crate::domains::payment) attributes: Map<String, Value>,
}

/// Our status, and the official word for it (`PaymentStatusExampleType` of TMF676).
pub(in crate::domains::payment) const STATUS: &[Name] =
    &[("pendingAuthorization", &["pending"]), ("done", &["succeeded"]), ("failed", &["failed"])];

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("r.id") },
        Attribute { path: "correlatorId", column: Column::text("'refund:' || r.attempt_id") },
        Attribute { path: "status", column: Column::text("r.status").named(STATUS) },
        Attribute { path: "refundDate", column: Column::timestamp("r.requested_at") },
        Attribute { path: "statusDate", column: Column::timestamp("coalesce(r.finished_at, r.requested_at)") },
        Attribute { path: "account.id", column: Column::text("c.account_id") },
        Attribute { path: "requestor.id", column: Column::text("a.customer_id") },
        Attribute { path: "payment.id", column: Column::text("r.attempt_id") },
        Attribute { path: "paymentMethod.id", column: Column::text("a.payment_method_id") },
    ],
    default_order: "r.requested_at desc",
    tiebreak: "r.id desc",
};

const SELECT: &str = "r.id, r.attempt_id, a.customer_id, c.account_id, a.payment_method_id,
    m.brand || ' ' || m.last4 as card, r.amount_minor, r.currency, r.reason, r.status, r.gateway_ref, r.last_error,
    r.requested_at, r.finished_at, r.attributes";
const FROM: &str = "payment.refund r join payment.payment_attempt a on a.id = r.attempt_id
    join crm.customer c on c.id = a.customer_id
    left join payment.payment_method m on m.id = a.payment_method_id where r.tenant_id = $1";

#[derive(Debug, FromQueryResult)]
struct Row {
    id: String,
    attempt_id: String,
    customer_id: String,
    account_id: String,
    payment_method_id: Option<String>,
    card: Option<String>,
    amount_minor: i64,
    currency: String,
    reason: String,
    status: String,
    gateway_ref: Option<String>,
    last_error: Option<String>,
    requested_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    attributes: Value,
}

impl TryFrom<Row> for ShownRefund {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        let status = word(&row.status, RefundStatus::parse)?;
        Ok(Self {
            amount: money(row.amount_minor, &row.currency)?,
            status,
            // Of one that is pending or made it is about a call that was repeated.
            error: row.last_error.filter(|_| status == RefundStatus::Failed),
            attributes: match row.attributes {
                Value::Object(attributes) => attributes,
                _ => Map::new(),
            },
            id: row.id,
            attempt_id: row.attempt_id,
            customer_id: row.customer_id,
            account_id: row.account_id,
            method_id: row.payment_method_id,
            card: row.card,
            reason: row.reason,
            gateway_ref: row.gateway_ref,
            requested_at: row.requested_at,
            finished_at: row.finished_at,
        })
    }
}

/// One page of refunds and how many there are.
pub(in crate::domains::payment) async fn page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<ShownRefund>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let (total, rows) = db::list::<Row>(db, SELECT, FROM, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(ShownRefund::try_from).collect::<Result<_>>()?))
}

pub(in crate::domains::payment) async fn refund(db: &Db, cx: &Context, id: &RefundId) -> Result<Option<ShownRefund>> {
    let query = format!("select {SELECT} from {FROM} and r.id = $2");
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?;
    row.map(ShownRefund::try_from).transpose()
}

/// Keeps what only the caller knows the meaning of.
pub(in crate::domains::payment) async fn keep_attributes(
    tx: &Tx,
    cx: &Context,
    id: &RefundId,
    attributes: Map<String, Value>,
) -> Result<()> {
    let statement = sql!(
        "update payment.refund set attributes = $3 where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        id,
        Value::Object(attributes)
    );
    execute(&**tx, statement).await.map(drop)
}
