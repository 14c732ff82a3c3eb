//! Product specifications.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde_json::{Map, Value};

use super::LIFECYCLE;
use crate::domains::catalog::model::{Lifecycle, Window};
use crate::domains::catalog::port::SpecificationId;
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

const SELECT: &str = "s.id, s.name, s.description, s.brand, s.lifecycle_status, s.valid_from, s.valid_to, s.attributes,
    s.version, s.updated_at";
const FROM: &str = "catalog.product_specification s where s.tenant_id = $1";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("s.id") },
        Attribute { path: "name", column: Column::text("s.name") },
        Attribute { path: "brand", column: Column::text("s.brand") },
        Attribute { path: "lifecycleStatus", column: Column::text("s.lifecycle_status").named(LIFECYCLE) },
        Attribute { path: "lastUpdate", column: Column::timestamp("s.updated_at") },
        Attribute { path: "validFor.startDateTime", column: Column::timestamp("s.valid_from") },
        Attribute { path: "validFor.endDateTime", column: Column::timestamp("s.valid_to") },
    ],
    default_order: "",
    tiebreak: "s.id",
};

#[derive(Debug, FromQueryResult)]
pub(in crate::domains::catalog) struct SpecificationRow {
    pub(in crate::domains::catalog) id: String,
    pub(in crate::domains::catalog) name: String,
    pub(in crate::domains::catalog) description: Option<String>,
    pub(in crate::domains::catalog) brand: Option<String>,
    pub(in crate::domains::catalog) lifecycle_status: String,
    pub(in crate::domains::catalog) valid_from: Option<DateTime<Utc>>,
    pub(in crate::domains::catalog) valid_to: Option<DateTime<Utc>>,
    attributes: Value,
    pub(in crate::domains::catalog) version: i64,
    pub(in crate::domains::catalog) updated_at: DateTime<Utc>,
}

impl SpecificationRow {
    /// One that is not written yet.
    pub(in crate::domains::catalog) fn fresh(id: String, now: DateTime<Utc>) -> Self {
        Self {
            id,
            name: String::new(),
            description: None,
            brand: None,
            lifecycle_status: Lifecycle::Active.as_str().to_owned(),
            valid_from: None,
            valid_to: None,
            attributes: Value::Object(Map::new()),
            version: 1,
            updated_at: now,
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
}

pub(in crate::domains::catalog) async fn page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<SpecificationRow>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    db::list(db, SELECT, FROM, &cx.tenant, &filter).await
}

pub(in crate::domains::catalog) async fn find(
    db: &Db,
    cx: &Context,
    id: &SpecificationId,
) -> Result<Option<SpecificationRow>> {
    let query = format!("select {SELECT} from {FROM} and s.id = $2");
    Ok(SpecificationRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?)
}

pub(in crate::domains::catalog) async fn lock(
    tx: &Tx,
    cx: &Context,
    id: &SpecificationId,
) -> Result<Option<SpecificationRow>> {
    let query = format!("select {SELECT} from {FROM} and s.id = $2 for no key update");
    Ok(SpecificationRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?)
}

pub(in crate::domains::catalog) async fn insert(tx: &Tx, cx: &Context, row: &SpecificationRow) -> Result<()> {
    let statement = sql!(
        "insert into catalog.product_specification (id, tenant_id, name, description, brand, lifecycle_status, valid_from, valid_to,
             attributes, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        row.id.as_str(),
        cx.tenant.as_ref(),
        row.name.as_str(),
        row.description.as_deref(),
        row.brand.as_deref(),
        row.lifecycle_status.as_str(),
        row.valid_from,
        row.valid_to,
        row.attributes.clone(),
        row.updated_at
    );
    execute(&**tx, statement).await.map(drop)
}

/// Writes a locked specification back, one version on.
pub(in crate::domains::catalog) async fn save(tx: &Tx, cx: &Context, row: &mut SpecificationRow) -> Result<()> {
    let statement = sql!(
        "update catalog.product_specification set name = $3, description = $4, brand = $5, lifecycle_status = $6, valid_from = $7,
             valid_to = $8, attributes = $9, version = version + 1, updated_at = $10
         where tenant_id = $1 and id = $2 and version = $11",
        cx.tenant.as_ref(),
        row.id.as_str(),
        row.name.as_str(),
        row.description.as_deref(),
        row.brand.as_deref(),
        row.lifecycle_status.as_str(),
        row.valid_from,
        row.valid_to,
        row.attributes.clone(),
        row.updated_at,
        row.version
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!("specification {} changed under its lock", row.id)));
    }
    row.version += 1;
    Ok(())
}
