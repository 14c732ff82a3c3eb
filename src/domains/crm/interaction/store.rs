//! The table of interactions: appended to, read newest first.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde_json::{Map, Value};

use crate::domains::crm::port::{CustomerId, Direction, InteractionView};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// A line that is to be written; who, when and on which surface comes from the context.
pub(super) struct Entry<'a> {
    pub(super) id: String,
    pub(super) customer_id: &'a CustomerId,
    pub(super) direction: Direction,
    pub(super) summary: &'a str,
    pub(super) body: Option<&'a str>,
}

#[derive(FromQueryResult)]
struct InteractionRow {
    id: String,
    customer_id: String,
    channel: String,
    direction: String,
    summary: String,
    body: Option<String>,
    actor: String,
    agent_id: Option<String>,
    occurred_at: DateTime<Utc>,
}

impl TryFrom<InteractionRow> for InteractionView {
    type Error = Error;
    fn try_from(row: InteractionRow) -> Result<Self> {
        let direction = Direction::parse(&row.direction);
        Ok(Self {
            direction: direction.ok_or_else(|| Error::Internal(format!("interaction {} has no direction", row.id)))?,
            id: row.id,
            customer_id: row.customer_id.into(),
            channel: row.channel,
            summary: row.summary,
            body: row.body,
            actor: row.actor,
            agent_id: row.agent_id,
            occurred_at: row.occurred_at,
        })
    }
}

/// Appends a line; None when there is no such customer. An actor that is an agent is linked.
pub(super) async fn insert(tx: &Tx, cx: &Context, entry: &Entry<'_>) -> Result<Option<InteractionView>> {
    let statement = sql!(
        "insert into crm.interaction (id, tenant_id, customer_id, channel, direction, summary, body, actor, agent_id, occurred_at)
         select $1, c.tenant_id, c.id, $4, $5, $6, $7, $8, a.id, $9
         from crm.customer c left join crm.agent a on a.tenant_id = c.tenant_id and a.id = $8
         where c.tenant_id = $2 and c.id = $3
         returning id, customer_id, channel, direction, summary, body, actor, agent_id, occurred_at",
        entry.id.as_str(),
        cx.tenant.as_ref(),
        entry.customer_id,
        cx.channel.as_str(),
        entry.direction.as_str(),
        entry.summary,
        entry.body,
        cx.actor.as_ref(),
        cx.now
    );
    InteractionRow::find_by_statement(statement).one(&**tx).await?.map(InteractionView::try_from).transpose()
}

/// Appends lines without a body; answers how many of them have a customer.
pub(super) async fn insert_all(tx: &Tx, cx: &Context, entries: &[Entry<'_>]) -> Result<usize> {
    if entries.is_empty() {
        return Ok(0);
    }
    let texts = |read: fn(&Entry<'_>) -> String| entries.iter().map(read).collect::<Vec<_>>();
    let statement = sql!(
        "insert into crm.interaction (id, tenant_id, customer_id, channel, direction, summary, actor, agent_id, occurred_at)
         select l.id, c.tenant_id, c.id, $5, l.direction, l.summary, $6, a.id, $7
         from unnest($2::text[], $3::text[], $4::text[], $8::text[]) as l (id, customer_id, summary, direction)
         join crm.customer c on c.tenant_id = $1 and c.id = l.customer_id
         left join crm.agent a on a.tenant_id = c.tenant_id and a.id = $6",
        cx.tenant.as_ref(),
        texts(|entry| entry.id.clone()),
        texts(|entry| entry.customer_id.to_string()),
        texts(|entry| entry.summary.to_owned()),
        cx.channel.as_str(),
        cx.actor.as_ref(),
        cx.now,
        texts(|entry| entry.direction.as_str().to_owned())
    );
    let inserted = execute(&**tx, statement).await?;
    Ok(usize::try_from(inserted).unwrap_or(usize::MAX))
}

/// A line with what we only keep of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) view: InteractionView,
    pub(super) attributes: Map<String, Value>,
}

const SELECT: &str =
    "t.id, t.customer_id, t.channel, t.direction, t.summary, t.body, t.actor, t.agent_id, t.occurred_at, t.attributes";
const FROM: &str = "crm.interaction t where t.tenant_id = $1";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("t.id") },
        Attribute { path: "direction", column: Column::text("t.direction") },
        Attribute { path: "reason", column: Column::text("t.summary") },
        Attribute { path: "creationDate", column: Column::timestamp("t.occurred_at") },
        Attribute { path: "channel.id", column: Column::text("t.channel") },
        Attribute { path: "note.author", column: Column::text("t.actor") },
        Attribute { path: "relatedParty.id", column: Column::text("t.customer_id") },
    ],
    default_order: "t.occurred_at desc",
    tiebreak: "t.id desc",
};

#[derive(FromQueryResult)]
struct LineRow {
    #[sea_orm(nested)]
    row: InteractionRow,
    attributes: Option<Value>,
}

impl TryFrom<LineRow> for Line {
    type Error = Error;
    fn try_from(row: LineRow) -> Result<Self> {
        let attributes = match row.attributes {
            Some(Value::Object(attributes)) => attributes,
            _ => Map::new(),
        };
        Ok(Self { view: row.row.try_into()?, attributes })
    }
}

pub(super) async fn listed(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Line>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let (total, rows) = db::list::<LineRow>(db, SELECT, FROM, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Line::try_from).collect::<Result<_>>()?))
}

pub(super) async fn find(db: &Db, cx: &Context, id: &str) -> Result<Option<Line>> {
    let query = format!("select {SELECT} from {FROM} and t.id = $2");
    let row = LineRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?;
    row.map(Line::try_from).transpose()
}

/// Keeps what a caller said beyond what we use, with the line that this unit of work has just written.
pub(super) async fn keep_attributes(tx: &Tx, cx: &Context, id: &str, attributes: &Map<String, Value>) -> Result<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    let statement = sql!(
        "update crm.interaction set attributes = $3 where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        id,
        Value::Object(attributes.clone())
    );
    execute(&**tx, statement).await.map(drop)
}

/// The newest lines. The product clock may stand still: then the order of writing decides.
pub(super) async fn of_customer(db: &Db, cx: &Context, id: &CustomerId, limit: u32) -> Result<Vec<InteractionView>> {
    let statement = sql!(
        "select id, customer_id, channel, direction, summary, body, actor, agent_id, occurred_at from crm.interaction
         where tenant_id = $1 and customer_id = $2 order by occurred_at desc, created_at desc, id limit $3",
        cx.tenant.as_ref(),
        id,
        i64::from(limit)
    );
    let rows = InteractionRow::find_by_statement(statement).all(db.connection()).await?;
    rows.into_iter().map(InteractionView::try_from).collect()
}
