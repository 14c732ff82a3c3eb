//! Product specifications: what a plan is an instance of.

use serde_json::{Value, json};

use super::Service;
use super::events::{SpecificationAdded, SpecificationChanged};
use super::model::SpecificationChange;
use super::policy;
use super::port::SpecificationId;
use super::store::specification::{self as table, SpecificationRow};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::tmf::merge;
use crate::platform::{idempotency, outbox};

impl Service {
    pub(super) async fn create_specification(
        &self,
        cx: &Context,
        new: SpecificationChange,
    ) -> Result<SpecificationRow> {
        policy::admin(cx)?;
        if let Some(kept) = idempotency::replayed::<SpecificationId>(&self.platform.db, cx).await? {
            return self.specification_row(cx, &kept).await;
        }
        let mut row = SpecificationRow::fresh(self.platform.ids.short("SPEC"), cx.now);
        apply(&mut row, new)?;
        let tx = self.platform.db.begin().await?;
        idempotency::keep(&tx, cx, &row.id, &row.id).await?;
        table::insert(&tx, cx, &row).await?;
        let event =
            SpecificationAdded { id: row.id.clone(), before: Value::Null, after: snapshot(&row), version: row.version };
        outbox::stage(&tx, cx, &event).await?;
        tx.commit().await?;
        Ok(row)
    }

    pub(super) async fn change_specification(
        &self,
        cx: &Context,
        id: &SpecificationId,
        change: SpecificationChange,
        expected: Option<i64>,
    ) -> Result<SpecificationRow> {
        policy::admin(cx)?;
        let tx = self.platform.db.begin().await?;
        let row = table::lock(&tx, cx, id).await?;
        let mut row = row.ok_or_else(|| Error::not_found("product specification", id))?;
        Error::unless_version(row.version, expected)?;
        let before = snapshot(&row);
        apply(&mut row, change)?;
        let after = snapshot(&row);
        if before == after {
            return Ok(row);
        }
        row.updated_at = cx.now;
        table::save(&tx, cx, &mut row).await?;
        let event = SpecificationChanged { id: row.id.clone(), before, after, version: row.version };
        outbox::stage(&tx, cx, &event).await?;
        tx.commit().await?;
        Ok(row)
    }

    pub(super) async fn specification_row(&self, cx: &Context, id: &SpecificationId) -> Result<SpecificationRow> {
        let row = table::find(&self.platform.db, cx, id).await?;
        row.ok_or_else(|| Error::not_found("product specification", id))
    }
}

fn apply(row: &mut SpecificationRow, change: SpecificationChange) -> Result<()> {
    let was = row.lifecycle()?;
    let window = policy::window(change.window.applied_to(row.window()))?;
    was.to(change.lifecycle.unwrap_or(was))?.as_str().clone_into(&mut row.lifecycle_status);
    (row.valid_from, row.valid_to) = (window.valid_from, window.valid_to);
    if let Some(name) = change.name {
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    if let Some(brand) = change.brand {
        row.brand = brand;
    }
    let mut attributes = row.attributes();
    merge::apply(&mut attributes, change.attributes);
    row.put_attributes(attributes);
    Ok(())
}

fn snapshot(row: &SpecificationRow) -> Value {
    json!({
        "name": row.name,
        "description": row.description,
        "brand": row.brand,
        "lifecycleStatus": row.lifecycle_status,
        "validFor": row.window(),
        "attributes": row.attributes(),
    })
}
