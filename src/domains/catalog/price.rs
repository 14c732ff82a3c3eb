//! Prices: added, and ended. The lowest in force is what new orders pay; a line keeps the one it was sold at.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::Service;
use super::events::{PriceChanged, PriceRetired};
use super::model::{Lifecycle, NewOffering, NewPrice, OfferingChange, PriceChange, PriceEntry, Window, WindowChange};
use super::offering::immutable;
use super::policy::{self, rule};
use super::port::{
    AddOffering, AddPrice, AddedPrice, AllowanceType, OfferingId, PriceId, PriceView, RetirePrice, WindowOffering,
};
use super::store::PriceColumn;
use super::store::offering as offerings;
use super::store::price::{self as table, PriceRow};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::tmf::merge;
use crate::platform::{idempotency, outbox};

/// Longest name of anything in the catalog.
const NAME_CHARS_MAX: usize = 200;

/// What a repeated request is answered with.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    price_id: PriceId,
    retired: Vec<PriceId>,
    warning: Option<String>,
}

impl Service {
    /// The flat command of the operations, as an offering that is to be made.
    pub(super) fn new_offering(&self, command: AddOffering) -> Result<NewOffering> {
        let money = self.amount(&command.amount, command.currency.as_deref())?;
        let window = Window { valid_from: command.valid_from, valid_to: command.valid_to };
        let price_id = match command.price_id {
            Some(id) => id,
            None => format!("PRICE_{}", command.offering_id)
                .parse()
                .map_err(|_| Error::invalid("/priceId", "give one; the plan's id is too long to make it from"))?,
        };
        let price = NewPrice { id: price_id, name: None, is_recurring: true, money, window, attributes: Map::new() };
        let allowances = [
            (AllowanceType::Data, command.data_mb),
            (AllowanceType::Voice, command.voice_minutes),
            (AllowanceType::Sms, command.sms_count),
            (AllowanceType::DataRoaming, command.data_roaming_mb),
        ];
        Ok(NewOffering {
            id: command.offering_id,
            name: name(&command.name, "/name")?,
            spec_id: command.spec_id.parse().map_err(|e| Error::invalid("/specId", format!("{e}")))?,
            is_sellable: true,
            lifecycle: Lifecycle::Active,
            window,
            allowances: allowances.into_iter().filter_map(|(kind, quantity)| Some((kind, quantity?))).collect(),
            prices: vec![PriceEntry::New(price)],
            categories: Vec::new(),
            attributes: Map::new(),
        })
    }

    pub(super) fn amount(&self, text: &str, currency: Option<&str>) -> Result<Money> {
        let currency = match currency {
            Some(text) => text.parse().map_err(|e| Error::invalid("/currency", format!("{e}")))?,
            None => self.platform.config.profile.currency,
        };
        Money::parse(text, currency).map_err(|e| Error::invalid("/amount", e.to_string()))
    }

    pub(super) async fn window_plan(&self, cx: &Context, command: WindowOffering) -> Result<()> {
        let window = WindowChange { valid_from: command.valid_from, valid_to: command.valid_to };
        let change = OfferingChange { window, ..OfferingChange::default() };
        let changed = self.change_offering(cx, &command.offering_id, change, None).await;
        changed.map(drop).map_err(|error| unknown_plan(error, &command.offering_id))
    }

    pub(super) async fn retire_plan(&self, cx: &Context, id: &OfferingId) -> Result<()> {
        let change = OfferingChange { lifecycle: Some(Lifecycle::Retired), ..OfferingChange::default() };
        let changed = self.change_offering(cx, id, change, None).await;
        changed.map(drop).map_err(|error| unknown_plan(error, id))
    }

    /// See [`Catalog::add_price`](super::port::Catalog::add_price).
    pub(super) async fn price_plan(&self, cx: &Context, command: AddPrice) -> Result<AddedPrice> {
        policy::admin(cx)?;
        let money = self.amount(&command.amount, command.currency.as_deref())?;
        if let Some(kept) = idempotency::replayed::<Kept>(&self.platform.db, cx).await? {
            let price = self.price_row(cx, &kept.price_id).await?.view()?;
            return Ok(AddedPrice { price, retired: kept.retired, warning: kept.warning });
        }
        let window = Window { valid_from: command.valid_from, valid_to: command.valid_to };
        policy::starts_from_now_on(window, cx.now)?;
        let mut new =
            NewPrice { id: command.price_id, name: None, is_recurring: true, money, window, attributes: Map::new() };
        let tx = self.platform.db.begin().await?;
        let offering = offerings::lock(&tx, cx, &command.offering_id).await?;
        let offering = offering.ok_or_else(|| no_plan(&command.offering_id))?;
        let recurring = offering.prices().iter().filter(|price| price.price_type == "recurring");
        let mut retired = Vec::new();
        if command.retire_current {
            let open = recurring.map(|price| (price.id.as_str(), price.window()));
            let (at, ended) = policy::current(open, &new, cx.now);
            // From the instant at which the other ends: no gap, and no moment with both.
            new.window.valid_from = Some(at);
            policy::window(new.window)?;
            for id in ended {
                end(&tx, cx, &id.to_owned().into(), at).await?;
                retired.push(PriceId::from(id.to_owned()));
            }
        }
        let price_id = new.id.clone();
        self.insert_price(&tx, cx, Some(&command.offering_id), new).await?;
        offerings::touch(&tx, cx, &command.offering_id).await?;
        let offering =
            offerings::read(&tx, cx, &command.offering_id).await?.ok_or_else(|| no_plan(&command.offering_id))?;
        let windows: Vec<Window> =
            offering.prices().iter().filter(|price| price.price_type == "recurring").map(PriceColumn::window).collect();
        let warning = policy::gap(&windows, cx.now)
            .map(|at| format!("From {at} on no price is in force: the plan cannot be sold"));
        let kept = Kept { price_id, retired, warning };
        idempotency::keep(&tx, cx, kept.price_id.as_str(), &kept).await?;
        tx.commit().await?;
        let price = self.price_row(cx, &kept.price_id).await?.view()?;
        Ok(AddedPrice { price, retired: kept.retired, warning: kept.warning })
    }

    /// See [`Catalog::retire_price`](super::port::Catalog::retire_price).
    pub(super) async fn end_price(&self, cx: &Context, command: RetirePrice) -> Result<PriceView> {
        policy::admin(cx)?;
        let at = command.at.unwrap_or(cx.now);
        let tx = self.platform.db.begin().await?;
        let price = locked(&tx, cx, &command.price_id).await?;
        let price = price.ok_or_else(|| {
            Error::from(rule::PRICE_NOT_FOUND.violated("There is no such price").with("priceId", &command.price_id))
        })?;
        if price.window().valid_to.is_some_and(|end| end <= at) {
            return price.view();
        }
        policy::from_now_on(at, cx.now, rule::ENDS_IN_PAST)?;
        policy::window(Window { valid_to: Some(at), ..price.window() })?;
        end(&tx, cx, &command.price_id, at).await?;
        touch(&tx, cx, &price).await?;
        tx.commit().await?;
        self.price_row(cx, &command.price_id).await?.view()
    }

    /// Makes a price that belongs to no offering yet: a PATCH of the offering takes it.
    pub(super) async fn create_price(&self, cx: &Context, new: NewPrice) -> Result<PriceRow> {
        policy::admin(cx)?;
        if let Some(kept) = idempotency::replayed::<PriceId>(&self.platform.db, cx).await? {
            return self.price_row(cx, &kept).await;
        }
        let id = new.id.clone();
        let tx = self.platform.db.begin().await?;
        idempotency::keep(&tx, cx, id.as_str(), &id).await?;
        self.insert_price(&tx, cx, None, new).await?;
        tx.commit().await?;
        self.price_row(cx, &id).await
    }

    /// Changes what may change about a price: its end, its name, what we only keep.
    pub(super) async fn change_price(
        &self,
        cx: &Context,
        id: &PriceId,
        change: PriceChange,
        expected: Option<i64>,
    ) -> Result<PriceRow> {
        policy::admin(cx)?;
        let tx = self.platform.db.begin().await?;
        let price = locked(&tx, cx, id).await?;
        let price = price.ok_or_else(|| Error::not_found("product offering price", id))?;
        Error::unless_version(price.version, expected)?;
        let was = price.window();
        let money = price.money()?;
        if change.money.is_some_and(|given| given != money)
            || change.valid_from.is_some_and(|given| given != was.valid_from)
        {
            return Err(immutable(id).into());
        }
        let window = policy::window(Window { valid_to: change.valid_to.unwrap_or(was.valid_to), ..was })?;
        // What belongs to no plan yet was never a price of anything.
        if let Some(end) = window.valid_to.filter(|_| window != was && price.offering_id.is_some()) {
            policy::from_now_on(end, cx.now, rule::ENDS_IN_PAST)?;
        }
        let name = change.name.unwrap_or_else(|| price.name.clone());
        let mut attributes = price.attributes();
        merge::apply(&mut attributes, change.attributes);
        let unnamed = name == price.name && attributes == price.attributes();
        if unnamed && window == was {
            return Ok(price);
        }
        let (before, version) = (json!({ "name": price.name, "attributes": price.attributes() }), price.version + 1);
        let after = json!({ "name": name, "attributes": attributes });
        table::save(&tx, cx, id.as_str(), name.as_deref(), window.valid_to, attributes).await?;
        touch(&tx, cx, &price).await?;
        if window != was {
            let event = PriceRetired { id: id.to_string(), before: json!(was), after: json!(window), version };
            outbox::stage(&tx, cx, &event).await?;
        }
        if !unnamed {
            outbox::stage(&tx, cx, &PriceChanged { id: id.to_string(), before, after, version }).await?;
        }
        tx.commit().await?;
        self.price_row(cx, id).await
    }

    pub(super) async fn price_row(&self, cx: &Context, id: &PriceId) -> Result<PriceRow> {
        let price = table::find(self.platform.db.connection(), cx, id).await?;
        price.ok_or_else(|| Error::not_found("product offering price", id))
    }
}

/// Locks a price, and its offering before it, as everybody does.
async fn locked(tx: &Tx, cx: &Context, id: &PriceId) -> Result<Option<PriceRow>> {
    let Some(found) = table::find(&**tx, cx, id).await? else { return Ok(None) };
    if let Some(offering) = found.offering_id {
        offerings::lock(tx, cx, &offering.into()).await?;
    }
    table::lock(tx, cx, id).await
}

/// The offering of a price is shown with it.
async fn touch(tx: &Tx, cx: &Context, price: &PriceRow) -> Result<()> {
    match &price.offering_id {
        Some(offering) => offerings::touch(tx, cx, &offering.clone().into()).await,
        None => Ok(()),
    }
}

/// Ends a price whose offering is locked.
async fn end(tx: &Tx, cx: &Context, id: &PriceId, at: DateTime<Utc>) -> Result<()> {
    let price = table::lock(tx, cx, id).await?;
    let price = price.ok_or_else(|| Error::Internal(format!("price {id} vanished under its lock")))?;
    table::save(tx, cx, id.as_str(), price.name.as_deref(), Some(at), price.attributes()).await?;
    let event = PriceRetired {
        id: id.to_string(),
        before: json!(price.window()),
        after: json!(Window { valid_to: Some(at), ..price.window() }),
        version: price.version + 1,
    };
    outbox::stage(tx, cx, &event).await.map(drop)
}

fn no_plan(id: &OfferingId) -> Error {
    rule::OFFERING_NOT_FOUND.violated("There is no such plan").with("offeringId", id).into()
}

/// For the operations an unknown plan is a broken rule, as the others of writing are.
fn unknown_plan(error: Error, id: &OfferingId) -> Error {
    match error {
        Error::NotFound { .. } => no_plan(id),
        other => other,
    }
}

/// A name that people read.
pub(super) fn name(text: &str, pointer: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Error::invalid(pointer, format!("must be 1 to {NAME_CHARS_MAX} printable characters")));
    }
    Ok(text.to_owned())
}
