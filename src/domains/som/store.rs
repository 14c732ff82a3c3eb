//! The tables of service orders and services. Only this file and its folder know them.

pub(super) mod network;
pub(super) mod tasks;
pub(super) mod views;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::{Map, Value};

use crate::domains::catalog::port::OfferingId;
use crate::domains::com::port::OrderId;
use crate::domains::som::model::{Graph, Network, Node, ServiceOrder};
use crate::domains::som::port::{
    NetworkState, ServiceId, ServiceOrderId, ServiceOrderKind, ServiceOrderState, ServiceState,
};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids;

#[derive(FromQueryResult)]
struct OrderRow {
    id: String,
    commercial_order_id: String,
    customer_id: String,
    subscription_id: Option<String>,
    kind: String,
    state: String,
    state_reason: Option<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    attributes: Value,
    version: i64,
}

const ORDER_SELECT: &str =
    "o.id, o.commercial_order_id, o.customer_id, o.subscription_id, o.kind, o.state, o.state_reason,
    o.created_at, o.started_at, o.completed_at, o.attributes, o.version";
const ORDER_FROM: &str = "service_inventory.service_order o where o.tenant_id = $1";

impl TryFrom<OrderRow> for ServiceOrder {
    type Error = Error;

    fn try_from(row: OrderRow) -> Result<Self> {
        let damaged = || Error::Internal(format!("service order {} has an unknown kind or state", row.id));
        Ok(Self {
            kind: ServiceOrderKind::parse(&row.kind).ok_or_else(damaged)?,
            state: ServiceOrderState::parse(&row.state).ok_or_else(damaged)?,
            id: row.id.into(),
            commercial_order_id: row.commercial_order_id.into(),
            customer_id: row.customer_id.into(),
            subscription_id: row.subscription_id.map(SubscriptionId::from),
            state_reason: row.state_reason,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            version: row.version,
        })
    }
}

pub(super) async fn mint_order(tx: &Tx) -> Result<ServiceOrderId> {
    Ok(ids::next(&**tx, "service_inventory.service_order_id_seq", "SO", 4).await?.into())
}

/// Ids for `count` services.
pub(super) async fn mint_services(tx: &Tx, count: usize) -> Result<Vec<ServiceId>> {
    #[derive(FromQueryResult)]
    struct Minted {
        id: String,
    }
    let count = i32::try_from(count).map_err(|_| Error::Internal("a plan of too many services".into()))?;
    let statement = sql!(
        "select platform.mint_id('SVC', nextval('service_inventory.service_id_seq'), 4) as id from generate_series(1, $1)",
        count
    );
    Ok(Minted::find_by_statement(statement).all(&**tx).await?.into_iter().map(|minted| minted.id.into()).collect())
}

pub(super) async fn insert_order(tx: &Tx, cx: &Context, order: &ServiceOrder) -> Result<()> {
    let statement = sql!(
        "insert into service_inventory.service_order (id, tenant_id, commercial_order_id, subscription_id, customer_id, kind,
             state, created_at, started_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &order.id,
        cx.tenant.as_ref(),
        &order.commercial_order_id,
        order.subscription_id.as_ref().map(SubscriptionId::as_str),
        &order.customer_id,
        order.kind.as_str(),
        order.state.as_str(),
        order.created_at,
        order.started_at,
        order.version
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// Keeps the official attributes that a new order came with, to echo them.
pub(super) async fn keep_attributes(
    tx: &Tx,
    cx: &Context,
    order: &ServiceOrderId,
    attributes: Map<String, Value>,
) -> Result<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    let statement = sql!(
        "update service_inventory.service_order set attributes = $1 where id = $2 and tenant_id = $3",
        Value::Object(attributes),
        order,
        cx.tenant.as_ref()
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// The order's one item: what it does to the customer-facing service.
pub(super) async fn insert_item(tx: &Tx, cx: &Context, order: &ServiceOrder, action: &str, cfs: &Node) -> Result<()> {
    let statement = sql!(
        "insert into service_inventory.service_order_item (id, tenant_id, service_order_id, action, service_spec_id, target_service_id)
         values (platform.mint_id('SOI', nextval('service_inventory.service_order_item_id_seq'), 4), $1, $2, $3, $4, $5)",
        cx.tenant.as_ref(),
        &order.id,
        action,
        cfs.spec_id.as_str(),
        &cfs.id
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// Reads the service order and keeps it locked until `tx` ends.
pub(super) async fn lock_order(tx: &Tx, cx: &Context, id: &ServiceOrderId) -> Result<ServiceOrder> {
    let statement =
        sql!(format!("select {ORDER_SELECT} from {ORDER_FROM} and o.id = $2 for update"), cx.tenant.as_ref(), id);
    one_order(&**tx, statement).await?.ok_or_else(|| Error::not_found("service order", id))
}

/// The activation of a commercial order, locked, when it was decomposed.
pub(super) async fn lock_activation(tx: &Tx, cx: &Context, order_id: &OrderId) -> Result<Option<ServiceOrder>> {
    let statement = sql!(
        format!(
            "select {ORDER_SELECT} from {ORDER_FROM} and o.commercial_order_id = $2 and o.kind = 'activation' for update"
        ),
        cx.tenant.as_ref(),
        order_id
    );
    one_order(&**tx, statement).await
}

/// The service order that made this service, locked.
pub(super) async fn lock_order_of_service(tx: &Tx, cx: &Context, service: &ServiceId) -> Result<Option<ServiceOrder>> {
    let statement = sql!(
        format!(
            "select {ORDER_SELECT} from {ORDER_FROM}
               and o.id = (select s.service_order_id from service_inventory.service s where s.id = $2 and s.tenant_id = $1)
             for update"
        ),
        cx.tenant.as_ref(),
        service
    );
    one_order(&**tx, statement).await
}

async fn one_order(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<ServiceOrder>> {
    OrderRow::find_by_statement(statement).one(connection).await?.map(ServiceOrder::try_from).transpose()
}

/// Writes what changed since the service order was locked.
pub(super) async fn save_order(tx: &Tx, cx: &Context, order: &ServiceOrder) -> Result<()> {
    let statement = sql!(
        "update service_inventory.service_order
         set state = $1, state_reason = $2, started_at = $3, completed_at = $4, version = $5, updated_at = clock_timestamp()
         where id = $6 and tenant_id = $7",
        order.state.as_str(),
        order.state_reason.as_deref(),
        order.started_at,
        order.completed_at,
        order.version,
        &order.id,
        cx.tenant.as_ref()
    );
    execute(&**tx, statement).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct NodeRow {
    id: String,
    spec_id: String,
    name: String,
    kind: String,
    state: String,
    characteristics: Value,
    network_wanted: Option<String>,
    network_confirmed: Option<String>,
    policy_wanted: Option<String>,
    policy_confirmed: Option<String>,
    line_event_seq: i64,
}

/// A state of the network as a row holds it.
fn network_state(text: Option<&str>) -> Result<Option<NetworkState>> {
    let known =
        |text| NetworkState::parse(text).ok_or_else(|| Error::Internal(format!("unknown network state {text}")));
    text.map(known).transpose()
}

impl TryFrom<NodeRow> for Node {
    type Error = Error;

    fn try_from(row: NodeRow) -> Result<Self> {
        let damaged = |what: &str| Error::Internal(format!("service {} has unreadable {what}", row.id));
        Ok(Self {
            state: ServiceState::parse(&row.state).ok_or_else(|| damaged("state"))?,
            characteristics: serde_json::from_value(row.characteristics.clone())
                .map_err(|_| damaged("characteristics"))?,
            network: Network {
                wanted: network_state(row.network_wanted.as_deref())?,
                confirmed: network_state(row.network_confirmed.as_deref())?,
                policy_wanted: row.policy_wanted.map(OfferingId::from),
                policy_confirmed: row.policy_confirmed.map(OfferingId::from),
                line_event_seq: row.line_event_seq,
            },
            id: row.id.clone().into(),
            spec_id: row.spec_id,
            name: row.name,
            changes: Vec::new(),
        })
    }
}

/// The services that this order is about, locked.
pub(super) async fn lock_graph_of_order(tx: &Tx, cx: &Context, order: &ServiceOrderId) -> Result<Graph> {
    let statement = sql!(
        "select s.id, s.spec_id, s.name, s.type as kind, s.state, s.characteristics, s.network_wanted, s.network_confirmed,
                s.policy_wanted, s.policy_confirmed, s.line_event_seq
         from service_inventory.service_order_item i
         join service_inventory.service s on s.id = i.target_service_id or s.parent_service_id = i.target_service_id
         where i.service_order_id = $1 and s.tenant_id = $2
         order by s.id for update of s",
        order,
        cx.tenant.as_ref()
    );
    let (cfs, rfs): (Vec<NodeRow>, Vec<NodeRow>) =
        NodeRow::find_by_statement(statement).all(&**tx).await?.into_iter().partition(|row| row.kind == "CFS");
    let cfs = cfs.into_iter().next().ok_or_else(|| Error::Internal(format!("service order {order} has no service")))?;
    Ok(Graph { cfs: cfs.try_into()?, rfs: rfs.into_iter().map(Node::try_from).collect::<Result<_>>()? })
}

/// Writes new services with the changes they have been through.
pub(super) async fn insert_graph(tx: &Tx, cx: &Context, order: &ServiceOrder, graph: &Graph) -> Result<()> {
    let nodes: Vec<&Node> = graph.nodes().collect();
    let column = |read: &dyn Fn(&Node) -> String| nodes.iter().map(|node| read(node)).collect::<Vec<String>>();
    let characteristics = nodes
        .iter()
        .map(|node| serde_json::to_string(&node.characteristics))
        .collect::<std::result::Result<Vec<_>, _>>();
    let statement = sql!(
        "insert into service_inventory.service (id, tenant_id, customer_id, service_order_id, spec_id, name, type,
             parent_service_id, state, characteristics, created_at)
         select n.id, $1, $2, $3, n.spec_id, n.name, case when n.id = $4 then 'CFS' else 'RFS' end,
                case when n.id <> $4 then $4 end, n.state, n.characteristics::jsonb, $5
         from unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[]) as n (id, spec_id, name, state, characteristics)",
        cx.tenant.as_ref(),
        &order.customer_id,
        &order.id,
        &graph.cfs.id,
        cx.now,
        column(&|node| node.id.to_string()),
        column(&|node| node.spec_id.clone()),
        column(&|node| node.name.clone()),
        column(&|node| node.state.as_str().to_owned()),
        characteristics.map_err(|e| Error::Internal(e.to_string()))?
    );
    execute(&**tx, statement).await?;
    insert_history(tx, cx, graph).await
}

/// Writes what changed since the services were locked, and their history.
pub(super) async fn save_graph(tx: &Tx, cx: &Context, graph: &Graph) -> Result<()> {
    let ids: Vec<String> = graph.nodes().map(|node| node.id.to_string()).collect();
    let states: Vec<String> = graph.nodes().map(|node| node.state.as_str().to_owned()).collect();
    let statement = sql!(
        "update service_inventory.service s
         set state = n.state, version = s.version + 1, updated_at = clock_timestamp(),
             activated_at = case when n.state = 'activated' then $1 else s.activated_at end,
             terminated_at = case when n.state = 'terminated' then $1 else s.terminated_at end,
             network_wanted = case when s.id = $5 then $6 else s.network_wanted end,
             network_confirmed = case when s.id = $5 then $7 else s.network_confirmed end,
             policy_wanted = case when s.id = $5 then $8 else s.policy_wanted end,
             policy_confirmed = case when s.id = $5 then $9 else s.policy_confirmed end
         from unnest($2::text[], $3::text[]) as n (id, state)
         where s.id = n.id and s.tenant_id = $4",
        cx.now,
        ids,
        states,
        cx.tenant.as_ref(),
        &graph.cfs.id,
        graph.cfs.network.wanted.map(NetworkState::as_str),
        graph.cfs.network.confirmed.map(NetworkState::as_str),
        graph.cfs.network.policy_wanted.as_ref().map(OfferingId::as_str),
        graph.cfs.network.policy_confirmed.as_ref().map(OfferingId::as_str)
    );
    execute(&**tx, statement).await?;
    insert_history(tx, cx, graph).await
}

/// Writes what is wanted of the network for a customer-facing service, what it has confirmed, and what it is to be known by.
pub(super) async fn save_network(tx: &Tx, cx: &Context, cfs: &Node) -> Result<()> {
    let characteristics = serde_json::to_value(&cfs.characteristics).map_err(|e| Error::Internal(e.to_string()))?;
    let statement = sql!(
        "update service_inventory.service
         set network_wanted = $1, network_confirmed = $2, line_event_seq = $3, characteristics = $4, policy_wanted = $7,
             policy_confirmed = $8, version = version + 1, updated_at = clock_timestamp()
         where id = $5 and tenant_id = $6",
        cfs.network.wanted.map(NetworkState::as_str),
        cfs.network.confirmed.map(NetworkState::as_str),
        cfs.network.line_event_seq,
        characteristics,
        &cfs.id,
        cx.tenant.as_ref(),
        cfs.network.policy_wanted.as_ref().map(OfferingId::as_str),
        cfs.network.policy_confirmed.as_ref().map(OfferingId::as_str)
    );
    execute(&**tx, statement).await?;
    Ok(())
}

async fn insert_history(tx: &Tx, cx: &Context, graph: &Graph) -> Result<()> {
    let changes: Vec<_> =
        graph.nodes().flat_map(|node| node.changes.iter().map(move |change| (node, change))).collect();
    let ids: Vec<String> = changes.iter().map(|(node, _)| node.id.to_string()).collect();
    let from: Vec<String> = changes.iter().map(|(_, c)| c.from.map_or("", ServiceState::as_str).to_owned()).collect();
    let to: Vec<String> = changes.iter().map(|(_, c)| c.to.as_str().to_owned()).collect();
    let by: Vec<String> = changes.iter().map(|(_, c)| c.by.clone()).collect();
    let reasons: Vec<String> = changes.iter().map(|(_, c)| c.reason.clone()).collect();
    let at: Vec<DateTime<Utc>> = changes.iter().map(|(_, c)| c.at).collect();
    let statement = sql!(
        "insert into service_inventory.service_state_history (tenant_id, service_id, from_state, to_state, changed_by, reason, event_time)
         select $1, h.service_id, nullif(h.from_state, ''), h.to_state, h.changed_by, h.reason, h.event_time
         from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
             as h (service_id, from_state, to_state, changed_by, reason, event_time)",
        cx.tenant.as_ref(),
        ids,
        from,
        to,
        by,
        reasons,
        at
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// Writes whose line a service, those below it and the order that made it belong to.
pub(super) async fn link(tx: &Tx, cx: &Context, cfs: &ServiceId, line: &SubscriptionId) -> Result<()> {
    let statement = sql!(
        "with o as (
             update service_inventory.service_order set subscription_id = $1, updated_at = clock_timestamp()
             where id = (select service_order_id from service_inventory.service where id = $2 and tenant_id = $3))
         update service_inventory.service set subscription_id = $1, version = version + 1, updated_at = clock_timestamp()
         where (id = $2 or parent_service_id = $2) and tenant_id = $3",
        line,
        cfs,
        cx.tenant.as_ref()
    );
    execute(&**tx, statement).await?;
    Ok(())
}
