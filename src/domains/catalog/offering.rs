//! Plans: added whole, changed in place. Lines that were sold keep what they were sold.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Service;
use super::events::{OfferingAdded, OfferingChanged, OfferingRetired, OfferingWindowed, PriceAdded, PriceChanged};
use super::model::{Lifecycle, NewOffering, NewPrice, OfferingChange, PriceEntry, Window};
use super::policy::{self, rule};
use super::port::{AllowanceType, CategoryId, OfferingId, PriceId};
use super::store::offering as table;
use super::store::{self, OfferingRow, PriceColumn};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::tmf::merge;
use crate::platform::{idempotency, outbox};

impl Service {
    /// Adds an offering with everything that belongs to it, or nothing.
    pub(super) async fn create_offering(&self, cx: &Context, new: NewOffering) -> Result<Arc<OfferingRow>> {
        policy::admin(cx)?;
        if let Some(kept) = idempotency::replayed::<OfferingId>(&self.platform.db, cx).await? {
            return self.offering_row(cx, &kept).await;
        }
        policy::window(new.window)?;
        quantities(&new.allowances)?;
        let tx = self.platform.db.begin().await?;
        idempotency::keep(&tx, cx, new.id.as_str(), &new.id).await?;
        if !table::holds_specification(&tx, cx, &new.spec_id).await? {
            let violation = rule::SPECIFICATION_NOT_FOUND.violated("There is no such specification");
            return Err(violation.with("specId", &new.spec_id).into());
        }
        categories_exist(&tx, cx, &new.categories).await?;
        let taken =
            |error| policy::taken(error, "product_offering_pkey", rule::OFFERING_EXISTS, "offeringId", new.id.as_str());
        table::insert(&tx, cx, &new).await.map_err(taken)?;
        table::put_allowances(&tx, cx, &new.id, &new.allowances).await?;
        table::put_categories(&tx, cx, &new.id, &new.categories).await?;
        self.put_prices(&tx, cx, &new.id, None, new.prices).await?;
        let row = table::read(&tx, cx, &new.id).await?.ok_or_else(|| vanished(&new.id))?;
        let added =
            OfferingAdded { id: new.id.to_string(), before: Value::Null, after: snapshot(&row)?, version: row.version };
        outbox::stage(&tx, cx, &added).await?;
        tx.commit().await?;
        Ok(Arc::new(row))
    }

    /// Changes an offering. What comes out as it was is not written.
    pub(super) async fn change_offering(
        &self,
        cx: &Context,
        id: &OfferingId,
        change: OfferingChange,
        expected: Option<i64>,
    ) -> Result<Arc<OfferingRow>> {
        policy::admin(cx)?;
        let tx = self.platform.db.begin().await?;
        let row = table::lock(&tx, cx, id).await?;
        let mut row = row.ok_or_else(|| Error::not_found("product offering", id))?;
        Error::unless_version(row.version, expected)?;
        let (before, windowed) = (snapshot(&row)?, row.window());
        let was = row.lifecycle()?;
        let now = was.to(change.lifecycle.unwrap_or(was))?;
        now.as_str().clone_into(&mut row.lifecycle_status);
        row.name = change.name.unwrap_or(row.name);
        row.is_sellable = change.is_sellable.unwrap_or(row.is_sellable);
        let window = policy::window(change.window.applied_to(windowed))?;
        let mut attributes = row.attributes().clone();
        merge::apply(&mut attributes, change.attributes);
        if let Some(allowances) = &change.allowances {
            quantities(allowances)?;
            table::put_allowances(&tx, cx, id, allowances).await?;
        }
        if let Some(categories) = &change.categories {
            categories_exist(&tx, cx, categories).await?;
            table::put_categories(&tx, cx, id, categories).await?;
        }
        if let Some(prices) = change.prices {
            self.put_prices(&tx, cx, id, Some(row.prices()), prices).await?;
        }
        table::save(&tx, cx, &row, window, Value::Object(attributes)).await?;
        let row = table::read(&tx, cx, id).await?.ok_or_else(|| vanished(id))?;
        let after = snapshot(&row)?;
        if before == after && windowed == window {
            // Dropped: the version of an offering goes up when the offering does.
            return self.offering_row(cx, id).await;
        }
        let changed = Changed { before, after, windowed, window, retired: was != now && now == Lifecycle::Retired };
        changed.stage(&tx, cx, &row).await?;
        tx.commit().await?;
        Ok(Arc::new(row))
    }

    /// The row as everybody sees it.
    pub(super) async fn offering_row(&self, cx: &Context, id: &OfferingId) -> Result<Arc<OfferingRow>> {
        self.found(cx, id).await?.ok_or_else(|| Error::not_found("product offering", id))
    }

    /// Adds and attaches the prices of a locked offering. Those it has stay, as they are. A plan that is being made has none,
    /// and has sold nothing: its first prices may reach back as it does.
    async fn put_prices(
        &self,
        tx: &Tx,
        cx: &Context,
        offering: &OfferingId,
        attached: Option<&[PriceColumn]>,
        entries: Vec<PriceEntry>,
    ) -> Result<()> {
        let (attached, may_reach_back) = (attached.unwrap_or_default(), attached.is_none());
        let named = |id: &str| {
            entries.iter().any(|entry| matches!(entry, PriceEntry::Known { id: known, .. } if known.as_str() == id))
        };
        if let Some(missing) = attached.iter().find(|price| !named(&price.id)) {
            let violation =
                rule::PRICE_STAYS.violated("A price stays with its offering: lines refer to it; end it instead");
            return Err(violation.with("priceId", &missing.id).into());
        }
        for entry in entries {
            match entry {
                PriceEntry::New(new) => {
                    if !may_reach_back {
                        policy::starts_from_now_on(new.window, cx.now)?;
                    }
                    self.insert_price(tx, cx, Some(offering), new).await?;
                }
                PriceEntry::Known { id, money, window } => {
                    if let Some(price) = attached.iter().find(|price| price.id == id.as_str()) {
                        let same_amount = money.is_none_or(|given| price.money().is_ok_and(|money| money == given));
                        if !same_amount || window.is_some_and(|given| given != price.window()) {
                            return Err(immutable(&id).into());
                        }
                    } else {
                        attach(tx, cx, offering, &id, may_reach_back).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Inserts a checked price with its event.
    pub(super) async fn insert_price(
        &self,
        tx: &Tx,
        cx: &Context,
        offering: Option<&OfferingId>,
        new: NewPrice,
    ) -> Result<()> {
        policy::amount(new.money, self.platform.config.profile.currency)?;
        policy::window(new.window)?;
        let id = new.id.to_string();
        store::price::insert(tx, cx, offering, &new)
            .await
            .map_err(|error| policy::taken(error, "product_offering_price_pkey", rule::PRICE_EXISTS, "priceId", &id))?;
        let after = json!({
            "offeringId": offering,
            "amount": new.money.decimal(),
            "currency": new.money.currency,
            "recurring": new.is_recurring,
            "validFrom": new.window.valid_from,
            "validTo": new.window.valid_to,
        });
        outbox::stage(tx, cx, &PriceAdded { id, before: Value::Null, after, version: 1 }).await.map(drop)
    }
}

/// A change as the log tells it: the window, the end and everything else are facts of their own.
struct Changed {
    before: Value,
    after: Value,
    windowed: Window,
    window: Window,
    retired: bool,
}

impl Changed {
    async fn stage(self, tx: &Tx, cx: &Context, row: &OfferingRow) -> Result<()> {
        let Self { before, after, windowed, window, retired } = self;
        let (id, version) = (row.id.clone(), row.version);
        if windowed != window {
            let event = OfferingWindowed { id: id.clone(), before: json!(windowed), after: json!(window), version };
            outbox::stage(tx, cx, &event).await?;
        }
        if retired {
            outbox::stage(tx, cx, &OfferingRetired { id, before, after, version }).await?;
        } else if before != after {
            outbox::stage(tx, cx, &OfferingChanged { id, before, after, version }).await?;
        }
        Ok(())
    }
}

async fn attach(tx: &Tx, cx: &Context, offering: &OfferingId, id: &PriceId, may_reach_back: bool) -> Result<()> {
    let price = store::price::lock(tx, cx, id).await?;
    let Some(price) = price else {
        return Err(rule::PRICE_NOT_FOUND.violated("There is no such price").with("priceId", id).into());
    };
    if let Some(other) = price.offering_id {
        let violation = rule::PRICE_TAKEN.violated("The price belongs to another offering");
        return Err(violation.with("priceId", id).with("offeringId", other).into());
    }
    if !may_reach_back {
        policy::starts_from_now_on(price.window(), cx.now)?;
    }
    store::price::attach(tx, cx, id, offering).await?;
    let event = PriceChanged {
        id: id.to_string(),
        before: json!({ "offeringId": null }),
        after: json!({ "offeringId": offering }),
        version: price.version + 1,
    };
    outbox::stage(tx, cx, &event).await.map(drop)
}

pub(super) fn immutable(id: &PriceId) -> crate::platform::error::Violation {
    rule::PRICE_IMMUTABLE
        .violated("Contracts refer to this price: only its end and its name can change; add a new one instead")
        .with("priceId", id)
}

fn quantities(allowances: &[(AllowanceType, i64)]) -> Result<()> {
    allowances.iter().try_for_each(|(kind, quantity)| policy::quantity(*kind, *quantity).map(drop))?;
    Ok(())
}

async fn categories_exist(tx: &Tx, cx: &Context, wanted: &[CategoryId]) -> Result<()> {
    let existing = store::category::existing(tx, cx, wanted).await?;
    match wanted.iter().find(|id| !existing.iter().any(|known| known == id.as_str())) {
        Some(missing) => {
            Err(rule::CATEGORY_NOT_FOUND.violated("There is no such category").with("categoryId", missing).into())
        }
        None => Ok(()),
    }
}

/// What an event tells of an offering, but for its window.
fn snapshot(row: &OfferingRow) -> Result<Value> {
    Ok(json!({
        "name": row.name,
        "isSellable": row.is_sellable,
        "lifecycleStatus": row.lifecycle_status,
        "allowances": row.allowances()?,
        "priceIds": row.prices().iter().map(|price| &price.id).collect::<Vec<_>>(),
        "categoryIds": row.categories().iter().map(|category| &category.id).collect::<Vec<_>>(),
        "attributes": row.attributes(),
    }))
}

fn vanished(id: &OfferingId) -> Error {
    Error::Internal(format!("offering {id} vanished from the unit of work that wrote it"))
}
