//! Categories: a tree, and which offerings hang on it.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value};

use super::{LIFECYCLE, Named, decoded};
use crate::domains::catalog::model::{Lifecycle, Window};
use crate::domains::catalog::port::{CategoryId, OfferingId};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// Deepest tree that is walked; nobody files plans deeper.
const DEPTH_MAX: i32 = 32;

const SELECT: &str =
    "c.id, c.name, c.description, c.parent_id, c.lifecycle_status, c.valid_from, c.valid_to, c.attributes,
    c.version, c.updated_at,
    (select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name) order by s.id), '[]')
     from catalog.category s where s.parent_id = c.id) as children,
    (select coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name) order by o.id), '[]')
     from catalog.category_offering m join catalog.product_offering o on o.id = m.offering_id
     where m.category_id = c.id) as offerings";
const FROM: &str = "catalog.category c where c.tenant_id = $1";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("c.id") },
        Attribute { path: "name", column: Column::text("c.name") },
        Attribute { path: "parentId", column: Column::text("c.parent_id") },
        Attribute { path: "isRoot", column: Column::boolean("(c.parent_id is null)") },
        Attribute { path: "lifecycleStatus", column: Column::text("c.lifecycle_status").named(LIFECYCLE) },
        Attribute { path: "lastUpdate", column: Column::timestamp("c.updated_at") },
        Attribute {
            path: "productOffering.id",
            column: Column::text("m.offering_id")
                .within("select 1 from catalog.category_offering m where m.category_id = c.id"),
        },
    ],
    default_order: "",
    tiebreak: "c.id",
};

#[derive(Debug, FromQueryResult)]
pub(in crate::domains::catalog) struct CategoryRow {
    pub(in crate::domains::catalog) id: String,
    pub(in crate::domains::catalog) name: String,
    pub(in crate::domains::catalog) description: Option<String>,
    pub(in crate::domains::catalog) parent_id: Option<String>,
    pub(in crate::domains::catalog) lifecycle_status: String,
    pub(in crate::domains::catalog) valid_from: Option<DateTime<Utc>>,
    pub(in crate::domains::catalog) valid_to: Option<DateTime<Utc>>,
    attributes: Value,
    pub(in crate::domains::catalog) version: i64,
    pub(in crate::domains::catalog) updated_at: DateTime<Utc>,
    children: Value,
    offerings: Value,
}

impl CategoryRow {
    /// One that is not written yet.
    pub(in crate::domains::catalog) fn fresh(id: String, now: DateTime<Utc>) -> Self {
        Self {
            id,
            name: String::new(),
            description: None,
            parent_id: None,
            lifecycle_status: Lifecycle::Active.as_str().to_owned(),
            valid_from: None,
            valid_to: None,
            attributes: Value::Object(Map::new()),
            version: 1,
            updated_at: now,
            children: Value::Array(Vec::new()),
            offerings: Value::Array(Vec::new()),
        }
    }

    pub(in crate::domains::catalog) fn lifecycle(&self) -> Result<Lifecycle> {
        super::lifecycle(&self.lifecycle_status)
    }

    pub(in crate::domains::catalog) const fn window(&self) -> Window {
        Window { valid_from: self.valid_from, valid_to: self.valid_to }
    }

    pub(in crate::domains::catalog) fn attributes(&self) -> Map<String, Value> {
        super::attributes(&self.attributes)
    }

    pub(in crate::domains::catalog) fn put_attributes(&mut self, attributes: Map<String, Value>) {
        self.attributes = Value::Object(attributes);
    }

    pub(in crate::domains::catalog) fn children(&self) -> Result<Vec<Named>> {
        decoded(&self.children)
    }

    pub(in crate::domains::catalog) fn offerings(&self) -> Result<Vec<Named>> {
        decoded(&self.offerings)
    }
}

pub(in crate::domains::catalog) async fn page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<CategoryRow>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    db::list(db, SELECT, FROM, &cx.tenant, &filter).await
}

pub(in crate::domains::catalog) async fn find(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &CategoryId,
) -> Result<Option<CategoryRow>> {
    let query = format!("select {SELECT} from {FROM} and c.id = $2");
    Ok(CategoryRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(connection).await?)
}

/// Until the end of `tx` nobody else changes the tree: a cycle could not be seen in one row.
pub(in crate::domains::catalog) async fn lock_tree(tx: &Tx, cx: &Context) -> Result<()> {
    let key = format!("catalog.category:{}", cx.tenant);
    execute(&**tx, sql!("select pg_advisory_xact_lock(hashtextextended($1, 0))", key)).await.map(drop)
}

/// The category itself and everything above it.
pub(in crate::domains::catalog) async fn ancestors(tx: &Tx, cx: &Context, id: &CategoryId) -> Result<Vec<String>> {
    let query = "with recursive up as (
             select id, parent_id, 1 as depth from catalog.category where tenant_id = $1 and id = $2
             union all
             select c.id, c.parent_id, up.depth + 1 from up join catalog.category c on c.id = up.parent_id
             where up.depth < $3)
         select id from up";
    let rows = tx.query_all_raw(sql!(query, cx.tenant.as_ref(), id, DEPTH_MAX)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

/// The ones of these categories that there are.
pub(in crate::domains::catalog) async fn existing(tx: &Tx, cx: &Context, ids: &[CategoryId]) -> Result<Vec<String>> {
    let wanted: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query = "select id from catalog.category where tenant_id = $1 and id = any($2) order by id for key share";
    let rows = tx.query_all_raw(sql!(query, cx.tenant.as_ref(), wanted)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

pub(in crate::domains::catalog) async fn insert(tx: &Tx, cx: &Context, row: &CategoryRow) -> Result<()> {
    let statement = sql!(
        "insert into catalog.category (id, tenant_id, name, description, parent_id, lifecycle_status, valid_from, valid_to,
             attributes, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        row.id.as_str(),
        cx.tenant.as_ref(),
        row.name.as_str(),
        row.description.as_deref(),
        row.parent_id.as_deref(),
        row.lifecycle_status.as_str(),
        row.valid_from,
        row.valid_to,
        row.attributes.clone(),
        row.updated_at
    );
    execute(&**tx, statement).await.map(drop)
}

/// Writes a category back whose tree is locked, one version on.
pub(in crate::domains::catalog) async fn save(tx: &Tx, cx: &Context, row: &CategoryRow) -> Result<()> {
    let statement = sql!(
        "update catalog.category set name = $3, description = $4, parent_id = $5, lifecycle_status = $6, valid_from = $7,
             valid_to = $8, attributes = $9, version = version + 1, updated_at = $10
         where tenant_id = $1 and id = $2 and version = $11",
        cx.tenant.as_ref(),
        row.id.as_str(),
        row.name.as_str(),
        row.description.as_deref(),
        row.parent_id.as_deref(),
        row.lifecycle_status.as_str(),
        row.valid_from,
        row.valid_to,
        row.attributes.clone(),
        row.updated_at,
        row.version
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!("category {} changed under its lock", row.id)));
    }
    Ok(())
}

/// Puts these offerings and no others into the category.
pub(in crate::domains::catalog) async fn put_offerings(
    tx: &Tx,
    cx: &Context,
    id: &str,
    offerings: &[OfferingId],
) -> Result<()> {
    let delete = "delete from catalog.category_offering where tenant_id = $1 and category_id = $2";
    execute(&**tx, sql!(delete, cx.tenant.as_ref(), id)).await?;
    let ids: Vec<String> = offerings.iter().map(ToString::to_string).collect();
    let statement = sql!(
        "insert into catalog.category_offering (category_id, offering_id, tenant_id)
         select $2, unnest($3::text[]), $1 on conflict do nothing",
        cx.tenant.as_ref(),
        id,
        ids
    );
    execute(&**tx, statement).await.map(drop)
}
