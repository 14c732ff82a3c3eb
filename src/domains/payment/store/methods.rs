//! Cards on file.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{ConnectionTrait, FromQueryResult};

use crate::domains::crm::port::CustomerId;
use crate::domains::payment::model::Method;
use crate::domains::payment::port::gateway::Tokenized;
use crate::domains::payment::port::{ListMethods, PaymentMethodId};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids::{self, Begins};
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

const COLUMNS: &str = "id, customer_id, type as method_type, token_provider, last4, brand, exp_month, exp_year, is_default, status, version";

#[derive(Debug, FromQueryResult)]
struct Row {
    id: String,
    customer_id: String,
    method_type: String,
    token_provider: String,
    last4: String,
    brand: String,
    exp_month: i16,
    exp_year: i16,
    is_default: bool,
    status: String,
    version: i64,
}

#[derive(FromQueryResult)]
struct Id {
    id: String,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

impl From<Row> for Method {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            customer_id: row.customer_id.into(),
            method_type: row.method_type,
            token_provider: row.token_provider,
            last4: row.last4,
            brand: row.brand,
            exp_month: row.exp_month,
            exp_year: row.exp_year,
            is_default: row.is_default,
            status: row.status,
            version: row.version,
        }
    }
}

/// A card to be written.
pub(in crate::domains::payment) struct NewMethod<'a> {
    pub(in crate::domains::payment) customer_id: &'a CustomerId,
    pub(in crate::domains::payment) provider: &'a str,
    pub(in crate::domains::payment) tokenized: &'a Tokenized,
    pub(in crate::domains::payment) exp_month: i16,
    pub(in crate::domains::payment) exp_year: i16,
    pub(in crate::domains::payment) is_default: bool,
}

/// Until the end of `tx` nobody else changes which cards this customer has: there may be no row yet that could be locked.
pub(in crate::domains::payment) async fn lock_customer(tx: &Tx, cx: &Context, customer_id: &CustomerId) -> Result<()> {
    lock_customers(tx, cx, std::iter::once(customer_id)).await
}

/// [`lock_customer`] of many.
pub(in crate::domains::payment) async fn lock_customers(
    tx: &Tx,
    cx: &Context,
    customers: impl Iterator<Item = &CustomerId>,
) -> Result<()> {
    take_locks(tx, cx, customers, "pg_advisory_xact_lock").await
}

/// Keeps the cards of these customers as they are until `tx` ends, beside others who charge them: whoever removes one waits.
pub(in crate::domains::payment) async fn hold_cards(
    tx: &Tx,
    cx: &Context,
    customers: impl Iterator<Item = &CustomerId>,
) -> Result<()> {
    take_locks(tx, cx, customers, "pg_advisory_xact_lock_shared").await
}

/// In one order, whatever that of the customers is: so two who want the same locks never wait for each other both ways.
async fn take_locks(
    tx: &Tx,
    cx: &Context,
    customers: impl Iterator<Item = &CustomerId>,
    lock: &'static str,
) -> Result<()> {
    let keys: BTreeSet<String> =
        customers.map(|customer_id| format!("payment_method:{}:{customer_id}", cx.tenant)).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let locks = format!("select {lock}(hashtextextended(key, 0)) from unnest($1::text[]) as key");
    execute(&**tx, sql!(locks, keys)).await.map(drop)
}

pub(in crate::domains::payment) async fn find(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &PaymentMethodId,
) -> Result<Option<Method>> {
    let query = format!("select {COLUMNS} from payment.payment_method where tenant_id = $1 and id = $2");
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(connection).await?;
    Ok(row.map(Method::from))
}

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("id") },
        Attribute { path: "name", column: Column::text("(brand || ' ' || last4)") },
        Attribute { path: "status", column: Column::text("status") },
        Attribute { path: "isPreferred", column: Column::boolean("is_default") },
        Attribute { path: "brand", column: Column::text("brand") },
        Attribute { path: "lastFourDigits", column: Column::text("last4") },
        Attribute { path: "relatedParty.id", column: Column::text("customer_id") },
    ],
    default_order: "",
    tiebreak: "id",
};

/// A page of TMF670, and how many cards fit in all; those that were taken off file too.
pub(in crate::domains::payment) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Method>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let from = "payment.payment_method where tenant_id = $1";
    let (total, rows) = db::list::<Row>(db, COLUMNS, from, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Method::from).collect()))
}

/// The active cards of a customer, newest first; of all customers by their ids, which needs no sorting of everybody's.
pub(in crate::domains::payment) async fn active(
    connection: &impl ConnectionTrait,
    cx: &Context,
    query: &ListMethods,
) -> Result<Vec<Method>> {
    let (whose, order) = match query.customer_id {
        Some(_) => ("customer_id = $2", "created_at desc, id desc"),
        None => ("$2::text is null", "id desc"),
    };
    let Begins { condition, order_by } = Begins::with("id", "$3", query.id_prefix.as_deref(), order);
    let text = format!(
        "select {COLUMNS} from payment.payment_method
         where tenant_id = $1 and {whose} and status = 'active' {condition}
         order by {order_by} limit $4 offset $5"
    );
    let statement = sql!(
        text,
        cx.tenant.as_ref(),
        query.customer_id.as_ref().map(CustomerId::as_str),
        query.id_prefix.as_deref(),
        i64::from(query.limit),
        i64::from(query.offset)
    );
    let rows = Row::find_by_statement(statement).all(connection).await?;
    Ok(rows.into_iter().map(Method::from).collect())
}

/// The card that is charged when nobody says which: the default, else the newest active one.
pub(in crate::domains::payment) async fn chargeable(
    connection: &impl ConnectionTrait,
    cx: &Context,
    customer_id: &CustomerId,
) -> Result<Option<Method>> {
    let query = format!(
        "select {COLUMNS} from payment.payment_method
         where tenant_id = $1 and customer_id = $2 and status = 'active'
         order by is_default desc, created_at desc, id desc limit 1"
    );
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), customer_id)).one(connection).await?;
    Ok(row.map(Method::from))
}

/// [`chargeable`] of many customers; who has no active card is missing.
pub(in crate::domains::payment) async fn chargeable_of(
    tx: &Tx,
    cx: &Context,
    customers: impl Iterator<Item = &CustomerId>,
) -> Result<HashMap<CustomerId, Method>> {
    let query = format!(
        "select distinct on (customer_id) {COLUMNS} from payment.payment_method
         where tenant_id = $1 and customer_id = any($2) and status = 'active'
         order by customer_id, is_default desc, created_at desc, id desc"
    );
    let customers: Vec<String> = customers.map(ToString::to_string).collect();
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), customers)).all(&**tx).await?;
    Ok(rows.into_iter().map(Method::from).map(|method| (method.customer_id.clone(), method)).collect())
}

pub(in crate::domains::payment) async fn insert(tx: &Tx, cx: &Context, new: NewMethod<'_>) -> Result<Method> {
    let id = ids::next(&**tx, "payment.payment_method_id_seq", "PM", 4).await?;
    let query = format!(
        "insert into payment.payment_method
             (id, tenant_id, customer_id, token, token_provider, last4, brand, exp_month, exp_year, is_default, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp())
         returning {COLUMNS}"
    );
    let statement = sql!(
        query,
        id,
        cx.tenant.as_ref(),
        new.customer_id,
        new.tokenized.token.as_str(),
        new.provider,
        new.tokenized.last4.as_str(),
        new.tokenized.brand.as_str(),
        new.exp_month,
        new.exp_year,
        new.is_default
    );
    let row = Row::find_by_statement(statement).one(&**tx).await?;
    row.map(Method::from).ok_or_else(|| Error::Internal("an insert with returning gave no row".into()))
}

/// Makes `id` the customer's default. Two statements: the unique index allows no moment with two.
pub(in crate::domains::payment) async fn make_default(
    tx: &Tx,
    cx: &Context,
    customer_id: &CustomerId,
    id: &PaymentMethodId,
) -> Result<Method> {
    let statement = sql!(
        "update payment.payment_method set is_default = false, version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and customer_id = $2 and is_default",
        cx.tenant.as_ref(),
        customer_id
    );
    execute(&**tx, statement).await?;
    changed(tx, cx, id, "is_default = true").await
}

/// Takes the card off file; the row stays, attempts refer to it.
pub(in crate::domains::payment) async fn remove(tx: &Tx, cx: &Context, id: &PaymentMethodId) -> Result<Method> {
    changed(tx, cx, id, "status = 'removed', is_default = false").await
}

/// The cards that only the mock gateway can charge.
const ACTIVE_MOCK: &str = "tenant_id = $1 and token_provider = 'mock' and status = 'active'";

pub(in crate::domains::payment) async fn count_mock(db: &Db, cx: &Context) -> Result<u64> {
    let query = format!("select count(*) as count from payment.payment_method where {ACTIVE_MOCK}");
    let row = Count::find_by_statement(sql!(query, cx.tenant.as_ref())).one(db.connection()).await?;
    Ok(row.map_or(0, |row| row.count.unsigned_abs()))
}

/// A page of those cards, by customer.
pub(in crate::domains::payment) async fn mock_ids(
    db: &Db,
    cx: &Context,
    limit: u32,
    offset: u32,
) -> Result<Vec<PaymentMethodId>> {
    let query = format!(
        "select id from payment.payment_method where {ACTIVE_MOCK} order by customer_id, id limit $2 offset $3"
    );
    let statement = sql!(query, cx.tenant.as_ref(), i64::from(limit), i64::from(offset));
    let rows = Id::find_by_statement(statement).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.id.into()).collect())
}

/// The first customers that have such a card.
pub(in crate::domains::payment) async fn customers_of_mock(
    tx: &Tx,
    cx: &Context,
    limit: u32,
) -> Result<Vec<CustomerId>> {
    let query = format!(
        "select distinct customer_id as id from payment.payment_method where {ACTIVE_MOCK} order by customer_id limit $2"
    );
    let rows = Id::find_by_statement(sql!(query, cx.tenant.as_ref(), i64::from(limit))).all(&**tx).await?;
    Ok(rows.into_iter().map(|row| row.id.into()).collect())
}

/// Invalidates the mock gateway's cards of these customers; none of them stays a default.
pub(in crate::domains::payment) async fn expire_mock(
    tx: &Tx,
    cx: &Context,
    customers: &[CustomerId],
) -> Result<Vec<Method>> {
    let query = format!(
        "update payment.payment_method
         set status = 'expired', is_default = false, version = version + 1, updated_at = clock_timestamp()
         where {ACTIVE_MOCK} and customer_id = any($2) returning {COLUMNS}"
    );
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), texts(customers))).all(&**tx).await?;
    Ok(rows.into_iter().map(Method::from).collect())
}

/// Makes the newest active card the default of whoever of these customers has cards but no default.
pub(in crate::domains::payment) async fn make_newest_default(
    tx: &Tx,
    cx: &Context,
    customers: &[CustomerId],
) -> Result<Vec<Method>> {
    let query = format!(
        "update payment.payment_method set is_default = true, version = version + 1, updated_at = clock_timestamp()
         where id in (
             select newest.id from (
                 select distinct on (customer_id) id, bool_or(is_default) over (partition by customer_id) as has_default
                 from payment.payment_method
                 where tenant_id = $1 and customer_id = any($2) and status = 'active'
                 order by customer_id, created_at desc, id desc
             ) newest
             where not newest.has_default
         )
         returning {COLUMNS}"
    );
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), texts(customers))).all(&**tx).await?;
    Ok(rows.into_iter().map(Method::from).collect())
}

fn texts(customers: &[CustomerId]) -> Vec<String> {
    customers.iter().map(ToString::to_string).collect()
}

async fn changed(tx: &Tx, cx: &Context, id: &PaymentMethodId, set: &'static str) -> Result<Method> {
    let query = format!(
        "update payment.payment_method set {set}, version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 returning {COLUMNS}"
    );
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?;
    row.map(Method::from).ok_or_else(|| Error::not_found("payment method", id))
}
