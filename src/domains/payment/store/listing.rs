//! Reading attempts: the flat list of the operations, and payments as TMF676 shows them.
//!
//! TMF676 names the account of the payer, which crm keeps beside the customer. It is joined here, read-only: a list would
//! otherwise ask crm once per row.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value};

use super::{attempts, refunds};
use crate::domains::crm::port::CustomerId;
use crate::domains::payment::model::{Attempt, Refund};
use crate::domains::payment::port::{AttemptId, AttemptStatus, AttemptView, ListAttempts};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, sql};
use crate::platform::error::Result;
use crate::platform::ids::Begins;
use crate::platform::tmf::filter::{Attribute, Column, Listing, Name, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// Attempts, newest first, with their refunds.
pub(in crate::domains::payment) async fn views(
    connection: &impl ConnectionTrait,
    cx: &Context,
    query: &ListAttempts,
) -> Result<Vec<AttemptView>> {
    let Begins { condition, order_by } =
        Begins::with("a.id", "$7", query.id_prefix.as_deref(), "a.attempted_at desc, a.id desc");
    let text = format!(
        "select {} from payment.payment_attempt a
         where a.tenant_id = $1 and ($2::text is null or a.customer_id = $2) and ($3::text is null or a.subject_id = $3)
           and ($4::text is null or a.status = $4) {condition}
         order by {order_by} limit $5 offset $6",
        attempts::COLUMNS
    );
    let statement = sql!(
        text,
        cx.tenant.as_ref(),
        query.customer_id.as_ref().map(CustomerId::as_str),
        query.subject_id.as_deref(),
        query.status.map(AttemptStatus::as_str),
        i64::from(query.limit),
        i64::from(query.offset),
        query.id_prefix.as_deref()
    );
    let rows = attempts::Row::find_by_statement(statement).all(connection).await?;
    let found: Vec<Attempt> = rows.into_iter().map(Attempt::try_from).collect::<Result<_>>()?;
    let ids = found.iter().map(|attempt| attempt.id.to_string()).collect();
    let shown = refunds::shown(connection, cx, ids).await?;
    let mut refunds: HashMap<AttemptId, Refund> =
        shown.into_iter().map(|refund| (refund.attempt_id.clone(), refund)).collect();
    let with_refund = |attempt: Attempt| {
        let refund = refunds.remove(&attempt.id);
        attempt.view(refund)
    };
    Ok(found.into_iter().map(with_refund).collect())
}

/// One attempt with its refund.
pub(in crate::domains::payment) async fn view(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &AttemptId,
) -> Result<Option<AttemptView>> {
    let Some(attempt) = attempts::find(connection, cx, id).await? else { return Ok(None) };
    let refund = refunds::shown(connection, cx, vec![id.to_string()]).await?.pop();
    Ok(Some(attempt.view(refund)))
}

/// A payment with what TMF676 says of payer and card.
#[derive(Debug)]
pub(in crate::domains::payment) struct Payment {
    pub(in crate::domains::payment) attempt: Attempt,
    pub(in crate::domains::payment) account_id: String,
    /// Brand and last four digits.
    pub(in crate::domains::payment) card: Option<String>,
    /// Official TMF676 attributes that we only store and echo.
    pub(in crate::domains::payment) attributes: Map<String, Value>,
}

#[derive(Debug, FromQueryResult)]
struct PaymentRow {
    #[sea_orm(nested)]
    attempt: attempts::Row,
    account_id: String,
    card: Option<String>,
    attributes: Value,
}

impl TryFrom<PaymentRow> for Payment {
    type Error = crate::platform::error::Error;
    fn try_from(row: PaymentRow) -> Result<Self> {
        let attributes = match row.attributes {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        };
        Ok(Self { attempt: row.attempt.try_into()?, account_id: row.account_id, card: row.card, attributes })
    }
}

/// Our status, and the official word for it (`PaymentStatusExampleType` of TMF676).
pub(in crate::domains::payment) const STATUS: &[Name] = &[
    ("pendingAuthorization", &["pending"]),
    ("done", &["approved"]),
    ("denied", &["declined"]),
    ("failed", &["errored"]),
];

/// A manual payment's correlator is what its caller gave; everything else is correlated by its business key.
const CORRELATOR: &str = "(case when a.purpose = 'manual' and a.business_key <> 'manual:' || a.id
                                then substr(a.business_key, 8) else a.business_key end)";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("a.id") },
        Attribute { path: "name", column: Column::text("a.purpose") },
        Attribute { path: "correlatorId", column: Column::text(CORRELATOR) },
        Attribute { path: "status", column: Column::text("a.status").named(STATUS) },
        Attribute { path: "paymentDate", column: Column::timestamp("a.attempted_at") },
        Attribute { path: "statusDate", column: Column::timestamp("coalesce(a.finished_at, a.attempted_at)") },
        Attribute { path: "account.id", column: Column::text("c.account_id") },
        Attribute { path: "payer.id", column: Column::text("a.customer_id") },
        Attribute { path: "paymentMethod.id", column: Column::text("a.payment_method_id") },
        Attribute { path: "paymentItem.item.id", column: Column::text("a.subject_id") },
    ],
    default_order: "a.attempted_at desc",
    tiebreak: "a.id desc",
};

const FROM: &str = "payment.payment_attempt a join crm.customer c on c.id = a.customer_id
    left join payment.payment_method m on m.id = a.payment_method_id where a.tenant_id = $1";

fn select() -> String {
    format!("{}, c.account_id, m.brand || ' ' || m.last4 as card, a.attributes", attempts::COLUMNS)
}

/// One page of payments and how many there are.
pub(in crate::domains::payment) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Payment>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let (total, rows) = db::list::<PaymentRow>(db, &select(), FROM, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Payment::try_from).collect::<Result<_>>()?))
}

pub(in crate::domains::payment) async fn payment(db: &Db, cx: &Context, id: &AttemptId) -> Result<Option<Payment>> {
    let query = format!("select {} from {FROM} and a.id = $2", select());
    let row = PaymentRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?;
    row.map(Payment::try_from).transpose()
}

/// Whose account this is.
pub(in crate::domains::payment) async fn payer(db: &Db, cx: &Context, account_id: &str) -> Result<Option<CustomerId>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
    }
    let statement =
        sql!("select id from crm.customer where tenant_id = $1 and account_id = $2", cx.tenant.as_ref(), account_id);
    Ok(Row::find_by_statement(statement).one(db.connection()).await?.map(|row| row.id.into()))
}
