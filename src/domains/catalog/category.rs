//! Categories: a tree on which plans hang, for those who show them.

use serde_json::{Value, json};

use super::Service;
use super::events::{CategoryAdded, CategoryChanged};
use super::model::CategoryChange;
use super::policy::{self, rule};
use super::port::CategoryId;
use super::store::category::{self as table, CategoryRow};
use super::store::offering::existing;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::tmf::merge;
use crate::platform::{idempotency, outbox};

impl Service {
    pub(super) async fn create_category(&self, cx: &Context, new: CategoryChange) -> Result<CategoryRow> {
        policy::admin(cx)?;
        if let Some(kept) = idempotency::replayed::<CategoryId>(&self.platform.db, cx).await? {
            return self.category_row(cx, &kept).await;
        }
        let id = CategoryId::from(self.platform.ids.short("CAT"));
        let mut row = CategoryRow::fresh(id.to_string(), cx.now);
        let tx = self.platform.db.begin().await?;
        idempotency::keep(&tx, cx, id.as_str(), &id).await?;
        table::lock_tree(&tx, cx).await?;
        let offerings = new.offerings.clone();
        place(&tx, cx, &id, &new).await?;
        apply(&mut row, new)?;
        table::insert(&tx, cx, &row).await?;
        if let Some(offerings) = offerings {
            table::put_offerings(&tx, cx, id.as_str(), &offerings).await?;
        }
        let row = reread(&tx, cx, &id).await?;
        let event =
            CategoryAdded { id: id.to_string(), before: Value::Null, after: snapshot(&row)?, version: row.version };
        outbox::stage(&tx, cx, &event).await?;
        tx.commit().await?;
        Ok(row)
    }

    pub(super) async fn change_category(
        &self,
        cx: &Context,
        id: &CategoryId,
        change: CategoryChange,
        expected: Option<i64>,
    ) -> Result<CategoryRow> {
        policy::admin(cx)?;
        let tx = self.platform.db.begin().await?;
        table::lock_tree(&tx, cx).await?;
        let row = table::find(&*tx, cx, id).await?;
        let mut row = row.ok_or_else(|| Error::not_found("category", id))?;
        Error::unless_version(row.version, expected)?;
        let before = snapshot(&row)?;
        let offerings = change.offerings.clone();
        place(&tx, cx, id, &change).await?;
        apply(&mut row, change)?;
        row.updated_at = cx.now;
        table::save(&tx, cx, &row).await?;
        if let Some(offerings) = offerings {
            table::put_offerings(&tx, cx, id.as_str(), &offerings).await?;
        }
        let row = reread(&tx, cx, id).await?;
        let after = snapshot(&row)?;
        if before == after {
            return self.category_row(cx, id).await;
        }
        let event = CategoryChanged { id: id.to_string(), before, after, version: row.version };
        outbox::stage(&tx, cx, &event).await?;
        tx.commit().await?;
        Ok(row)
    }

    pub(super) async fn category_row(&self, cx: &Context, id: &CategoryId) -> Result<CategoryRow> {
        let row = table::find(self.platform.db.connection(), cx, id).await?;
        row.ok_or_else(|| Error::not_found("category", id))
    }
}

/// What the category refers to is there, and the tree stays one.
async fn place(tx: &Tx, cx: &Context, id: &CategoryId, change: &CategoryChange) -> Result<()> {
    if let Some(Some(parent)) = &change.parent_id {
        let above = table::ancestors(tx, cx, parent).await?;
        if above.is_empty() {
            return Err(rule::CATEGORY_NOT_FOUND
                .violated("There is no such category")
                .with("categoryId", parent)
                .into());
        }
        if above.iter().any(|ancestor| ancestor == id.as_str()) {
            let violation = rule::CATEGORY_CYCLE.violated("A category cannot be below itself");
            return Err(violation.with("categoryId", id).with("parentId", parent).into());
        }
    }
    let wanted = change.offerings.as_deref().unwrap_or_default();
    let known = existing(tx, cx, wanted).await?;
    match wanted.iter().find(|offering| !known.iter().any(|known| known == offering.as_str())) {
        Some(missing) => {
            Err(rule::OFFERING_NOT_FOUND.violated("There is no such plan").with("offeringId", missing).into())
        }
        None => Ok(()),
    }
}

fn apply(row: &mut CategoryRow, change: CategoryChange) -> Result<()> {
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
    if let Some(parent_id) = change.parent_id {
        row.parent_id = parent_id.map(String::from);
    }
    let mut attributes = row.attributes();
    merge::apply(&mut attributes, change.attributes);
    row.put_attributes(attributes);
    Ok(())
}

async fn reread(tx: &Tx, cx: &Context, id: &CategoryId) -> Result<CategoryRow> {
    let row = table::find(&**tx, cx, id).await?;
    row.ok_or_else(|| Error::Internal(format!("category {id} vanished from the unit of work that wrote it")))
}

fn snapshot(row: &CategoryRow) -> Result<Value> {
    Ok(json!({
        "name": row.name,
        "description": row.description,
        "parentId": row.parent_id,
        "lifecycleStatus": row.lifecycle_status,
        "validFor": row.window(),
        "offeringIds": row.offerings()?.iter().map(|offering| &offering.id).collect::<Vec<_>>(),
        "attributes": row.attributes(),
    }))
}
