//! The tables of commercial orders. The only file of the domain that knows them.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::Value;

use crate::domains::com::http::STATES;
use crate::domains::com::model::{Change, Item, Order, Promised};
use crate::domains::com::port::{ListOrders, OrderAction, OrderHistoryView, OrderId, OrderState};
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids::{self, Begins};
use crate::platform::money::Money;
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// An order with its one item, as read.
#[derive(FromQueryResult)]
struct Row {
    id: String,
    customer_id: String,
    state: String,
    state_reason: Option<String>,
    order_date: DateTime<Utc>,
    submitted_at: Option<DateTime<Utc>>,
    requested_completion_date: Option<DateTime<Utc>>,
    completed_date: Option<DateTime<Utc>>,
    msisdn_preference: Option<String>,
    notes: Option<String>,
    stuck_flagged_at: Option<DateTime<Utc>>,
    attributes: Value,
    version: i64,
    item_id: String,
    action: String,
    offering_id: String,
    target_subscription_id: Option<String>,
    payment_attempt_id: Option<String>,
    refund_id: Option<String>,
    price_amount_minor: i64,
    price_currency: String,
    price_offering_price_id: String,
    discount_code: Option<String>,
    discount_type: Option<String>,
    discount_value: Option<String>,
    discount_periods_total: Option<i32>,
    promo_offer_definition_id: Option<String>,
    promo_offer_id: Option<String>,
}

const SELECT: &str = "o.id, o.customer_id, o.state, o.state_reason, o.order_date, o.submitted_at,
        o.requested_completion_date, o.completed_date, o.msisdn_preference, o.notes, o.stuck_flagged_at, o.attributes,
        o.version, i.id as item_id, i.action, i.offering_id, i.target_subscription_id, i.payment_attempt_id, i.refund_id,
        i.price_amount_minor, i.price_currency, i.price_offering_price_id, i.discount_code, i.discount_type,
        i.discount_value::text as discount_value, i.discount_periods_total,
        i.promo_offer_definition_id, i.promo_offer_id";
const FROM: &str =
    "order_mgmt.product_order o join order_mgmt.order_item i on i.order_id = o.id where o.tenant_id = $1";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("o.id") },
        Attribute { path: "externalId", column: Column::text("(o.attributes->>'externalId')") },
        Attribute { path: "state", column: Column::text("o.state").named(STATES) },
        Attribute { path: "orderDate", column: Column::timestamp("o.order_date") },
        Attribute {
            path: "completionDate",
            column: Column::timestamp("(case when o.state <> 'cancelled' then o.completed_date end)"),
        },
        Attribute {
            path: "cancellationDate",
            column: Column::timestamp("(case when o.state = 'cancelled' then o.completed_date end)"),
        },
        Attribute { path: "relatedParty.id", column: Column::text("o.customer_id") },
        Attribute { path: "productOrderItem.productOffering.id", column: Column::text("i.offering_id") },
        Attribute { path: "productOrderItem.product.id", column: Column::text("i.target_subscription_id") },
    ],
    default_order: "o.created_at desc",
    tiebreak: "o.id",
};

impl TryFrom<Row> for Order {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let damaged = |what: &str| Error::Internal(format!("order {} has an unreadable {what}", row.id));
        let currency = row.price_currency.parse().map_err(|_| damaged("currency"))?;
        let value = row.discount_value.as_deref().map(str::parse::<Decimal>).transpose();
        let discount = row.discount_type.zip(value.map_err(|_| damaged("discount"))?).map(|(kind, value)| Promised {
            code: row.discount_code,
            kind,
            value: value.normalize(),
            periods_total: row.discount_periods_total,
            offer_definition_id: row.promo_offer_definition_id,
            offer_id: row.promo_offer_id,
        });
        Ok(Self {
            state: OrderState::parse(&row.state)
                .ok_or_else(|| Error::Internal(format!("order {} has an unknown state", row.id)))?,
            id: row.id.into(),
            customer_id: row.customer_id.into(),
            state_reason: row.state_reason,
            order_date: row.order_date,
            submitted_at: row.submitted_at,
            requested_completion_date: row.requested_completion_date,
            completed_date: row.completed_date,
            msisdn_preference: row.msisdn_preference.map(Msisdn::from),
            notes: row.notes,
            stuck_flagged_at: row.stuck_flagged_at,
            attributes: row.attributes.as_object().cloned().unwrap_or_default(),
            item: Item {
                id: row.item_id,
                action: OrderAction::parse(&row.action)
                    .ok_or_else(|| Error::Internal("an order has an unknown action".into()))?,
                offering_id: row.offering_id.into(),
                target_subscription_id: row.target_subscription_id,
                payment_attempt_id: row.payment_attempt_id,
                refund_id: row.refund_id,
                price: Money::new(row.price_amount_minor, currency),
                price_id: row.price_offering_price_id.into(),
                discount,
            },
            version: row.version,
            changes: Vec::new(),
        })
    }
}

/// The ids of a new order and its item.
pub(super) async fn mint(tx: &Tx) -> Result<(OrderId, String)> {
    let order_id = ids::next(&**tx, "order_mgmt.product_order_id_seq", "ORD", 4).await?;
    Ok((order_id.into(), ids::next(&**tx, "order_mgmt.order_item_id_seq", "OI", 4).await?))
}

/// Writes a new order with its item and the changes it has been through.
pub(super) async fn insert(tx: &Tx, cx: &Context, order: &Order) -> Result<()> {
    let item = &order.item;
    let discount = item.discount.as_ref();
    let history = History::of(&order.changes);
    let statement = sql!(
        "with o as (
             insert into order_mgmt.product_order (id, tenant_id, customer_id, state, order_date, submitted_at,
                 requested_completion_date, msisdn_preference, notes, attributes, version)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)),
         i as (
             insert into order_mgmt.order_item (id, tenant_id, order_id, action, offering_id, state, price_amount_minor,
                 price_currency, price_offering_price_id, target_subscription_id, discount_code, discount_type,
                 discount_value, discount_periods_total, promo_offer_definition_id, promo_offer_id)
             values ($12, $2, $1, $13, $14, $4, $15, $16, $17, $23, $24, $25, $26::text::numeric, $27, $28, $29))
         insert into order_mgmt.order_state_history (tenant_id, order_id, from_state, to_state, changed_by, reason, event_time)
         select $2, $1, nullif(h.from_state, ''), h.to_state, h.changed_by, nullif(h.reason, ''), h.event_time
         from unnest($18::text[], $19::text[], $20::text[], $21::text[], $22::timestamptz[])
             as h (from_state, to_state, changed_by, reason, event_time)",
        &order.id,
        cx.tenant.as_ref(),
        &order.customer_id,
        order.state.as_str(),
        order.order_date,
        order.submitted_at,
        order.requested_completion_date,
        order.msisdn_preference.as_ref().map(Msisdn::as_str),
        order.notes.as_deref(),
        Value::Object(order.attributes.clone()),
        order.version,
        item.id.as_str(),
        item.action.as_str(),
        &item.offering_id,
        item.price.minor,
        item.price.currency.as_str(),
        &item.price_id,
        history.from,
        history.to,
        history.by,
        history.reason,
        history.at,
        item.target_subscription_id.as_deref(),
        discount.and_then(|promised| promised.code.as_deref()),
        discount.map(|promised| promised.kind.as_str()),
        discount.map(|promised| promised.value.to_string()),
        discount.and_then(|promised| promised.periods_total),
        discount.and_then(|promised| promised.offer_definition_id.as_deref()),
        discount.and_then(|promised| promised.offer_id.as_deref())
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// Writes what changed since the order was locked, and its history.
pub(super) async fn save(tx: &Tx, cx: &Context, order: &Order) -> Result<()> {
    let item = &order.item;
    let history = History::of(&order.changes);
    let statement = sql!(
        "with o as (
             update order_mgmt.product_order
             set state = $3, state_reason = $4, submitted_at = $5, completed_date = $6, stuck_flagged_at = $7, version = $8,
                 updated_at = clock_timestamp()
             where id = $1 and tenant_id = $2),
         i as (
             update order_mgmt.order_item
             set state = $3, target_subscription_id = $9, payment_attempt_id = $10, refund_id = $11, promo_offer_id = $17,
                 updated_at = clock_timestamp()
             where order_id = $1 and tenant_id = $2)
         insert into order_mgmt.order_state_history (tenant_id, order_id, from_state, to_state, changed_by, reason, event_time)
         select $2, $1, nullif(h.from_state, ''), h.to_state, h.changed_by, nullif(h.reason, ''), h.event_time
         from unnest($12::text[], $13::text[], $14::text[], $15::text[], $16::timestamptz[])
             as h (from_state, to_state, changed_by, reason, event_time)",
        &order.id,
        cx.tenant.as_ref(),
        order.state.as_str(),
        order.state_reason.as_deref(),
        order.submitted_at,
        order.completed_date,
        order.stuck_flagged_at,
        order.version,
        item.target_subscription_id.as_deref(),
        item.payment_attempt_id.as_deref(),
        item.refund_id.as_deref(),
        history.from,
        history.to,
        history.by,
        history.reason,
        history.at,
        item.discount.as_ref().and_then(|promised| promised.offer_id.as_deref())
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// The changes as columns.
struct History {
    from: Vec<String>,
    to: Vec<String>,
    by: Vec<String>,
    reason: Vec<String>,
    at: Vec<DateTime<Utc>>,
}

impl History {
    fn of(changes: &[Change]) -> Self {
        let column = |read: &dyn Fn(&Change) -> String| changes.iter().map(read).collect();
        Self {
            from: column(&|change| change.from.map_or("", OrderState::as_str).to_owned()),
            to: column(&|change| change.to.as_str().to_owned()),
            by: column(&|change| change.by.clone()),
            reason: column(&|change| change.reason.clone().unwrap_or_default()),
            at: changes.iter().map(|change| change.at).collect(),
        }
    }
}

/// Reads the order and keeps it locked until `tx` ends: its item, too, or whoever has waited would see the item as it was
/// before.
pub(super) async fn lock(tx: &Tx, cx: &Context, id: &OrderId) -> Result<Order> {
    let statement =
        sql!(format!("select {SELECT} from {FROM} and o.id = $2 for update of o, i"), cx.tenant.as_ref(), id);
    one(&**tx, statement).await?.ok_or_else(|| Error::not_found("order", id))
}

/// Up to `limit` orders in progress since before `since` that nobody was told of, locked; others' locks are skipped.
pub(super) async fn lock_stuck(tx: &Tx, cx: &Context, since: DateTime<Utc>, limit: i64) -> Result<Vec<Order>> {
    let statement = sql!(
        format!(
            "select {SELECT} from {FROM} and o.state = 'in_progress' and o.submitted_at < $2 and o.stuck_flagged_at is null
             order by o.submitted_at limit $3 for update of o, i skip locked"
        ),
        cx.tenant.as_ref(),
        since,
        limit
    );
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(Order::try_from).collect()
}

/// Up to `limit` orders that were acknowledged before `before` and never submitted, locked; others' locks are skipped.
pub(super) async fn lock_unsubmitted(tx: &Tx, cx: &Context, before: DateTime<Utc>, limit: i64) -> Result<Vec<Order>> {
    let statement = sql!(
        format!(
            "select {SELECT} from {FROM} and o.state = 'acknowledged' and o.order_date < $2
             order by o.order_date limit $3 for update of o, i skip locked"
        ),
        cx.tenant.as_ref(),
        before,
        limit
    );
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(Order::try_from).collect()
}

/// Those of `orders` that are in progress.
pub(super) async fn in_progress(db: &Db, cx: &Context, orders: &[String]) -> Result<Vec<String>> {
    #[derive(FromQueryResult)]
    struct Id {
        id: String,
    }
    let statement = sql!(
        "select id from order_mgmt.product_order where tenant_id = $1 and state = 'in_progress' and id = any($2)",
        cx.tenant.as_ref(),
        orders.to_vec()
    );
    let rows = Id::find_by_statement(statement).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub(super) async fn find(connection: &impl ConnectionTrait, cx: &Context, id: &OrderId) -> Result<Order> {
    let statement = sql!(format!("select {SELECT} from {FROM} and o.id = $2"), cx.tenant.as_ref(), id);
    one(connection, statement).await?.ok_or_else(|| Error::not_found("order", id))
}

async fn one(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<Order>> {
    Row::find_by_statement(statement).one(connection).await?.map(Order::try_from).transpose()
}

/// Orders that fit, newest first.
pub(super) async fn list(connection: &impl ConnectionTrait, cx: &Context, query: &ListOrders) -> Result<Vec<Order>> {
    let Begins { condition, order_by } =
        Begins::with("o.id", "$7", query.id_prefix.as_deref(), "o.created_at desc, o.id");
    let statement = sql!(
        format!(
            "select {SELECT} from {FROM} and ($2::text is null or o.customer_id = $2)
               and ($3::text is null or o.state = $3)
               and (not $4 or (o.state = 'in_progress' and o.stuck_flagged_at is not null))
               {condition}
             order by {order_by} limit $5 offset $6"
        ),
        cx.tenant.as_ref(),
        query.customer_id.as_ref().map(CustomerId::as_str),
        query.state.map(OrderState::as_str),
        query.stuck,
        i64::from(query.limit),
        i64::from(query.offset),
        query.id_prefix.as_deref()
    );
    Row::find_by_statement(statement).all(connection).await?.into_iter().map(Order::try_from).collect()
}

/// One page of the orders that fit, with how many there are.
pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Order>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let (total, rows) = db::list::<Row>(db, SELECT, FROM, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Order::try_from).collect::<Result<_>>()?))
}

/// The state alone: for those who wait.
pub(super) async fn state(connection: &impl ConnectionTrait, cx: &Context, id: &OrderId) -> Result<OrderState> {
    let statement =
        sql!("select state from order_mgmt.product_order where id = $1 and tenant_id = $2", id, cx.tenant.as_ref());
    read_state(connection, statement).await?.ok_or_else(|| Error::not_found("order", id))
}

/// The state alone, which stays as it is until `tx` ends. None when there is no such order.
pub(super) async fn hold_state(tx: &Tx, cx: &Context, id: &OrderId) -> Result<Option<OrderState>> {
    let statement = sql!(
        "select state from order_mgmt.product_order where id = $1 and tenant_id = $2 for update",
        id,
        cx.tenant.as_ref()
    );
    read_state(&**tx, statement).await
}

async fn read_state(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<OrderState>> {
    #[derive(FromQueryResult)]
    struct State {
        state: String,
    }
    let row = State::find_by_statement(statement).one(connection).await?;
    row.map(|row| {
        OrderState::parse(&row.state).ok_or_else(|| Error::Internal(format!("unknown order state {}", row.state)))
    })
    .transpose()
}

#[derive(FromQueryResult)]
struct HistoryRow {
    order_id: String,
    from_state: Option<String>,
    to_state: String,
    changed_by: String,
    reason: Option<String>,
    event_time: DateTime<Utc>,
}

/// The history of these orders, oldest first, with the order it belongs to.
pub(super) async fn history(
    connection: &impl ConnectionTrait,
    cx: &Context,
    orders: &[Order],
) -> Result<Vec<(OrderId, OrderHistoryView)>> {
    let ids: Vec<String> = orders.iter().map(|order| order.id.to_string()).collect();
    let statement = sql!(
        "select order_id, from_state, to_state, changed_by, reason, event_time from order_mgmt.order_state_history
         where order_id = any($1) and tenant_id = $2 order by order_id, id",
        ids,
        cx.tenant.as_ref()
    );
    let known = |text: &str| {
        OrderState::parse(text).ok_or_else(|| Error::Internal(format!("an order's history has the state {text}")))
    };
    let rows = HistoryRow::find_by_statement(statement).all(connection).await?;
    let views = rows.into_iter().map(|row| {
        let view = OrderHistoryView {
            from_state: row.from_state.as_deref().map(known).transpose()?,
            to_state: known(&row.to_state)?,
            changed_by: row.changed_by,
            reason: row.reason,
            event_time: row.event_time,
        };
        Ok((OrderId::from(row.order_id), view))
    });
    views.collect()
}
