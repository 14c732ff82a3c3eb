//! Catalog: what can be sold, at which price, when, with which allowances, and what services a plan is made of.
//!
//! Invariants:
//! - A price row is never edited but for its end, so that a line's contract can refer to it for ever.
//! - Of several recurring prices in force at an instant the lowest wins (then the lowest id); none is an error, never a
//!   silent fallback.
//!
//! - Whoever writes has the scope `admin` and a name, and what was and what is stand in the event log.
//!
//! `promotion` is a room of its own: discounts, who may have them and who has.
//!
//! Not here: what a line pays (its own snapshot, `subscription`).

mod category;
mod events;
mod http;
mod model;
mod offering;
mod policy;
pub mod port;
mod price;
pub mod promotion;
mod seed;
mod specification;
mod store;
mod vas;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::gather::ById;

pub use http::router;
use port::{
    AddOffering, AddPrice, AddVas, AddedPrice, Catalog, OfferingId, OfferingView, PriceId, PriceView, RetirePrice,
    ServiceMapping, VasId, VasView, WindowOffering, WindowVas,
};
pub use seed::seed;
use store::OfferingRow;

/// The catalog over its tables.
#[derive(Debug)]
pub struct Service {
    platform: Platform,
    offerings: ById<OfferingId, Arc<OfferingRow>>,
}

impl Service {
    pub fn new(platform: Platform) -> Self {
        let db = platform.db.clone();
        let offerings = ById::by_id(move |tenant, ids| store::offerings_by_id(db.clone(), tenant, ids));
        Self { platform, offerings }
    }

    async fn found(&self, cx: &Context, id: &OfferingId) -> Result<Option<Arc<OfferingRow>>> {
        self.offerings.ask((Arc::clone(&cx.tenant), id.clone())).await
    }
}

#[async_trait]
impl Catalog for Service {
    async fn offerings(&self, cx: &Context) -> Result<Vec<OfferingView>> {
        let rows = store::offerings(&self.platform.db, cx).await?;
        rows.iter().map(|row| row.view(cx.now)).collect()
    }

    async fn offering(&self, cx: &Context, id: &OfferingId) -> Result<OfferingView> {
        let row = self.found(cx, id).await?;
        row.ok_or_else(|| Error::not_found("product offering", id))?.view(cx.now)
    }

    async fn offerings_on_sale(&self, cx: &Context, at: DateTime<Utc>) -> Result<Vec<OfferingView>> {
        let rows = store::offerings(&self.platform.db, cx).await?;
        let views: Vec<OfferingView> = rows.iter().map(|row| row.view(at)).collect::<Result<_>>()?;
        let mut on_sale: Vec<OfferingView> =
            views.into_iter().filter(|offering| policy::is_on_sale(offering, at)).collect();
        on_sale.sort_by_key(policy::price_order);
        Ok(on_sale)
    }

    async fn active_price(&self, cx: &Context, id: &OfferingId, at: DateTime<Utc>) -> Result<PriceView> {
        let offering = self.found(cx, id).await?.map(|row| row.view(at)).transpose()?;
        Ok(policy::active_price(id, offering, at)?)
    }

    async fn price(&self, cx: &Context, id: &PriceId) -> Result<PriceView> {
        let price = store::price(&self.platform.db, cx, id).await?;
        price.ok_or_else(|| Error::not_found("product offering price", id))
    }

    async fn vas_offerings(&self, cx: &Context) -> Result<Vec<VasView>> {
        store::vas::on_sale(&self.platform.db, cx).await
    }

    async fn vas_offering(&self, cx: &Context, id: &VasId) -> Result<VasView> {
        self.vas_on_sale(cx, id).await
    }

    async fn vas_on_record(&self, cx: &Context, id: &VasId) -> Result<VasView> {
        self.vas_row(cx, id).await?.view()
    }

    async fn service_mapping(&self, cx: &Context, id: &OfferingId) -> Result<ServiceMapping> {
        let mapping = store::service_mapping(&self.platform.db, cx, id).await?;
        mapping.ok_or_else(|| Error::not_found("service mapping of product offering", id))
    }

    async fn add_offering(&self, cx: &Context, command: AddOffering) -> Result<OfferingView> {
        let new = self.new_offering(command)?;
        self.create_offering(cx, new).await?.view(cx.now)
    }

    async fn window_offering(&self, cx: &Context, command: WindowOffering) -> Result<OfferingView> {
        let id = command.offering_id.clone();
        self.window_plan(cx, command).await?;
        self.offering(cx, &id).await
    }

    async fn retire_offering(&self, cx: &Context, id: &OfferingId) -> Result<OfferingView> {
        self.retire_plan(cx, id).await?;
        self.offering(cx, id).await
    }

    async fn add_price(&self, cx: &Context, command: AddPrice) -> Result<AddedPrice> {
        self.price_plan(cx, command).await
    }

    async fn retire_price(&self, cx: &Context, command: RetirePrice) -> Result<PriceView> {
        self.end_price(cx, command).await
    }

    async fn add_vas(&self, cx: &Context, command: AddVas) -> Result<VasView> {
        self.create_vas(cx, command).await
    }

    async fn window_vas(&self, cx: &Context, command: WindowVas) -> Result<VasView> {
        self.move_vas_window(cx, command).await
    }
}
