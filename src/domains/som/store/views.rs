//! Service orders and services as surfaces see them, with what belongs to them read in few statements.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value;

use crate::domains::catalog::port::OfferingId;
use crate::domains::com::port::OrderId;
use crate::domains::som::http::{SERVICE_ORDER_STATES, SERVICE_STATES};
use crate::domains::som::model::{Characteristics, ServiceOrder};
use crate::domains::som::port::{
    ListUnconfirmed, NetworkState, ServiceHistoryView, ServiceId, ServiceOrderId, ServiceOrderItemView,
    ServiceOrderTaskView, ServiceOrderView, ServiceState, ServiceView,
};
use crate::domains::som::store::network::POLICY_UNCONFIRMED;
use crate::domains::som::store::{ORDER_FROM, ORDER_SELECT, OrderRow, network_state};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::db::{self, Db, sql};
use crate::platform::error::{Error, Result};
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

pub(in crate::domains::som) async fn order(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &ServiceOrderId,
) -> Result<ServiceOrderView> {
    let statement = sql!(format!("select {ORDER_SELECT} from {ORDER_FROM} and o.id = $2"), cx.tenant.as_ref(), id);
    orders(connection, cx, OrderRow::find_by_statement(statement).all(connection).await?)
        .await?
        .pop()
        .ok_or_else(|| Error::not_found("service order", id))
}

/// The service orders of a commercial order, oldest first.
pub(in crate::domains::som) async fn orders_of(
    connection: &impl ConnectionTrait,
    cx: &Context,
    order_id: &OrderId,
) -> Result<Vec<ServiceOrderView>> {
    let statement = sql!(
        format!(
            "select {ORDER_SELECT} from {ORDER_FROM} and o.commercial_order_id = $2 order by o.created_at, o.id limit 200"
        ),
        cx.tenant.as_ref(),
        order_id
    );
    orders(connection, cx, OrderRow::find_by_statement(statement).all(connection).await?).await
}

const SERVICE_ORDERS: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("o.id") },
        Attribute { path: "category", column: Column::text("o.kind") },
        Attribute { path: "state", column: Column::text("o.state").named(SERVICE_ORDER_STATES) },
        Attribute { path: "orderDate", column: Column::timestamp("o.created_at") },
        Attribute { path: "startDate", column: Column::timestamp("o.started_at") },
        Attribute {
            path: "completionDate",
            column: Column::timestamp("(case when o.state <> 'cancelled' then o.completed_at end)"),
        },
        Attribute { path: "externalReference.id", column: Column::text("o.commercial_order_id") },
        Attribute { path: "relatedParty.id", column: Column::text("o.customer_id") },
        Attribute {
            path: "serviceOrderItem.service.id",
            column: Column::text("i.target_service_id")
                .within("select 1 from service_inventory.service_order_item i where i.service_order_id = o.id"),
        },
    ],
    default_order: "o.created_at desc",
    tiebreak: "o.id",
};

/// One page of the service orders that fit, with how many there are.
pub(in crate::domains::som) async fn order_page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<ServiceOrderView>)> {
    let filter = SqlFilter::new(query, &SERVICE_ORDERS, 2)?;
    let (total, rows) = db::list(db, ORDER_SELECT, ORDER_FROM, &cx.tenant, &filter).await?;
    Ok((total, orders(db.connection(), cx, rows).await?))
}

#[derive(FromQueryResult)]
struct ItemRow {
    id: String,
    service_order_id: String,
    action: String,
    service_spec_id: String,
    target_service_id: String,
}

#[derive(FromQueryResult)]
struct TaskRow {
    service_order_id: String,
    task_type: String,
    state: String,
    task_id: Option<String>,
    updated_at: DateTime<Utc>,
}

/// These service orders with their items and tasks.
async fn orders(connection: &impl ConnectionTrait, cx: &Context, rows: Vec<OrderRow>) -> Result<Vec<ServiceOrderView>> {
    let mut kept: Vec<Value> = rows.iter().map(|row| row.attributes.clone()).collect();
    let rows = rows.into_iter().map(ServiceOrder::try_from).collect::<Result<Vec<_>>>()?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut items = ItemRow::find_by_statement(sql!(
        "select id, service_order_id, action, service_spec_id, target_service_id from service_inventory.service_order_item
         where service_order_id = any($1) and tenant_id = $2 order by id",
        ids.clone(),
        cx.tenant.as_ref()
    ))
    .all(connection)
    .await?;
    let mut tasks = TaskRow::find_by_statement(sql!(
        "select service_order_id, task_type, state, task_id, updated_at from service_inventory.service_order_task
         where service_order_id = any($1) and tenant_id = $2 order by task_id",
        ids,
        cx.tenant.as_ref()
    ))
    .all(connection)
    .await?;
    let views = rows.into_iter().zip(kept.drain(..)).map(|(row, attributes)| {
        let items = items.extract_if(.., |item| item.service_order_id == row.id.as_str()).map(item_view).collect();
        let tasks = tasks.extract_if(.., |task| task.service_order_id == row.id.as_str()).map(task_view).collect();
        order_view(row, attributes, items, tasks)
    });
    Ok(views.collect())
}

fn order_view(
    row: ServiceOrder,
    attributes: Value,
    items: Vec<ServiceOrderItemView>,
    tasks: Vec<ServiceOrderTaskView>,
) -> ServiceOrderView {
    ServiceOrderView {
        id: row.id,
        commercial_order_id: row.commercial_order_id,
        customer_id: row.customer_id,
        subscription_id: row.subscription_id,
        kind: row.kind,
        state: row.state,
        state_reason: row.state_reason,
        created_at: row.created_at,
        started_at: row.started_at,
        completed_at: row.completed_at,
        items,
        tasks,
        attributes,
        version: row.version,
    }
}

fn item_view(row: ItemRow) -> ServiceOrderItemView {
    ServiceOrderItemView {
        id: row.id,
        action: row.action,
        service_spec_id: row.service_spec_id,
        target_service_id: row.target_service_id.into(),
    }
}

fn task_view(row: TaskRow) -> ServiceOrderTaskView {
    ServiceOrderTaskView {
        task_type: row.task_type,
        state: row.state,
        task_id: row.task_id,
        updated_at: row.updated_at,
    }
}

#[derive(FromQueryResult)]
struct ServiceRow {
    id: String,
    subscription_id: Option<String>,
    customer_id: String,
    service_order_id: Option<String>,
    service_order_item_id: Option<String>,
    spec_id: String,
    name: String,
    kind: String,
    parent_service_id: Option<String>,
    state: String,
    characteristics: Value,
    network_wanted: Option<String>,
    network_confirmed: Option<String>,
    policy_wanted: Option<String>,
    policy_confirmed: Option<String>,
    created_at: DateTime<Utc>,
    activated_at: Option<DateTime<Utc>>,
    terminated_at: Option<DateTime<Utc>>,
    version: i64,
}

const SERVICE_SELECT: &str =
    "s.id, s.subscription_id, s.customer_id, s.service_order_id, i.id as service_order_item_id,
        s.spec_id, s.name, s.type as kind, s.parent_service_id, s.state, s.characteristics, s.network_wanted,
        s.network_confirmed, s.policy_wanted, s.policy_confirmed, s.created_at, s.activated_at, s.terminated_at, s.version";
const SERVICE_FROM: &str = "service_inventory.service s
 left join service_inventory.service_order_item i on i.service_order_id = s.service_order_id and i.target_service_id = s.id
 where s.tenant_id = $1";

const SERVICES: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("s.id") },
        Attribute { path: "name", column: Column::text("s.name") },
        Attribute { path: "category", column: Column::text("s.type") },
        Attribute { path: "state", column: Column::text("s.state").named(SERVICE_STATES) },
        Attribute { path: "serviceSpecification.id", column: Column::text("s.spec_id") },
        Attribute { path: "relatedParty.id", column: Column::text("s.customer_id") },
        Attribute { path: "relatedEntity.id", column: Column::text("s.subscription_id") },
        Attribute { path: "serviceOrderItem.serviceOrderId", column: Column::text("i.service_order_id") },
        Attribute { path: "startDate", column: Column::timestamp("s.activated_at") },
        Attribute { path: "endDate", column: Column::timestamp("s.terminated_at") },
    ],
    default_order: "s.created_at desc",
    tiebreak: "s.id",
};

/// One page of the services that fit, with how many there are.
pub(in crate::domains::som) async fn service_page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<ServiceView>)> {
    let filter = SqlFilter::new(query, &SERVICES, 2)?;
    let (total, rows) = db::list(db, SERVICE_SELECT, SERVICE_FROM, &cx.tenant, &filter).await?;
    Ok((total, services(db.connection(), cx, rows).await?))
}

pub(in crate::domains::som) async fn service(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &ServiceId,
) -> Result<ServiceView> {
    let statement = sql!(format!("select {SERVICE_SELECT} from {SERVICE_FROM} and s.id = $2"), cx.tenant.as_ref(), id);
    services(connection, cx, ServiceRow::find_by_statement(statement).all(connection).await?)
        .await?
        .pop()
        .ok_or_else(|| Error::not_found("service", id))
}

/// The services of a line, the customer-facing one first.
pub(in crate::domains::som) async fn services_of(
    connection: &impl ConnectionTrait,
    cx: &Context,
    line: &SubscriptionId,
) -> Result<Vec<ServiceView>> {
    let statement = sql!(
        format!(
            "select {SERVICE_SELECT} from {SERVICE_FROM} and s.subscription_id = $2 order by s.type, s.id limit 200"
        ),
        cx.tenant.as_ref(),
        line
    );
    services(connection, cx, ServiceRow::find_by_statement(statement).all(connection).await?).await
}

/// The services of which the network has not confirmed what it was asked for, longest waiting first.
pub(in crate::domains::som) async fn unconfirmed(
    connection: &impl ConnectionTrait,
    cx: &Context,
    query: &ListUnconfirmed,
) -> Result<Vec<ServiceView>> {
    let statement = sql!(
        format!(
            "select {SERVICE_SELECT} from {SERVICE_FROM}
               and (s.network_wanted is distinct from s.network_confirmed or {POLICY_UNCONFIRMED})
               and ($2::text is null or s.network_wanted = $2)
             order by s.updated_at, s.id limit $3 offset $4"
        ),
        cx.tenant.as_ref(),
        query.wanted.map(NetworkState::as_str),
        i64::from(query.limit),
        i64::from(query.offset)
    );
    services(connection, cx, ServiceRow::find_by_statement(statement).all(connection).await?).await
}

#[derive(FromQueryResult)]
struct HistoryRow {
    service_id: String,
    from_state: Option<String>,
    to_state: String,
    changed_by: String,
    reason: Option<String>,
    event_time: DateTime<Utc>,
}

/// These services with those below them and everybody's history.
async fn services(connection: &impl ConnectionTrait, cx: &Context, rows: Vec<ServiceRow>) -> Result<Vec<ServiceView>> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let below = sql!(
        format!("select {SERVICE_SELECT} from {SERVICE_FROM} and s.parent_service_id = any($2) order by s.id"),
        cx.tenant.as_ref(),
        ids
    );
    let below = ServiceRow::find_by_statement(below).all(connection).await?;
    let all: Vec<String> = rows.iter().chain(&below).map(|row| row.id.clone()).collect();
    let history = HistoryRow::find_by_statement(sql!(
        "select service_id, from_state, to_state, changed_by, reason, event_time from service_inventory.service_state_history
         where service_id = any($1) and tenant_id = $2 order by service_id, id",
        all,
        cx.tenant.as_ref()
    ))
    .all(connection)
    .await?;
    let views = rows.into_iter().map(|row| {
        let children = below.iter().filter(|child| child.parent_service_id.as_deref() == Some(row.id.as_str()));
        let children = children.map(|child| service_view(child, Vec::new(), &history)).collect::<Result<_>>()?;
        service_view(&row, children, &history)
    });
    views.collect()
}

fn service_view(row: &ServiceRow, children: Vec<ServiceView>, history: &[HistoryRow]) -> Result<ServiceView> {
    let known: Characteristics = serde_json::from_value(row.characteristics.clone())
        .map_err(|_| Error::Internal(format!("service {} has unreadable characteristics", row.id)))?;
    let history = history.iter().filter(|line| line.service_id == row.id).map(history_view).collect::<Result<_>>()?;
    Ok(ServiceView {
        id: row.id.clone().into(),
        subscription_id: row.subscription_id.clone().map(SubscriptionId::from),
        customer_id: row.customer_id.clone().into(),
        service_order_id: row.service_order_id.clone().map(ServiceOrderId::from),
        service_order_item_id: row.service_order_item_id.clone(),
        spec_id: row.spec_id.clone(),
        name: row.name.clone(),
        kind: row.kind.clone(),
        parent_service_id: row.parent_service_id.clone().map(ServiceId::from),
        state: parse(&row.state)?,
        msisdn: known.msisdn,
        iccid_last4: known.iccid_last4,
        network_wanted: network_state(row.network_wanted.as_deref())?,
        network_confirmed: network_state(row.network_confirmed.as_deref())?,
        policy_wanted: row.policy_wanted.clone().map(OfferingId::from),
        policy_confirmed: row.policy_confirmed.clone().map(OfferingId::from),
        created_at: row.created_at,
        activated_at: row.activated_at,
        terminated_at: row.terminated_at,
        children,
        history,
        version: row.version,
    })
}

fn history_view(row: &HistoryRow) -> Result<ServiceHistoryView> {
    Ok(ServiceHistoryView {
        from_state: row.from_state.as_deref().map(parse).transpose()?,
        to_state: parse(&row.to_state)?,
        changed_by: row.changed_by.clone(),
        reason: row.reason.clone(),
        event_time: row.event_time,
    })
}

fn parse(state: &str) -> Result<ServiceState> {
    ServiceState::parse(state).ok_or_else(|| Error::Internal(format!("unknown service state {state}")))
}
