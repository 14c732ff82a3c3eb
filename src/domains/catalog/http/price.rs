//! `productOfferingPrice`. A new one belongs to no offering; a PATCH of the offering takes it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{PRICES, input, put_window};
use crate::domains::catalog::Service;
use crate::domains::catalog::model::{NewPrice, PriceChange, Window};
use crate::domains::catalog::port::PriceId;
use crate::domains::catalog::store::price::{self as store, PriceRow};
use crate::platform::context::Scope;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{Administrator, ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::{merge, money, official, time};

/// Ours to give.
const OURS: &[&str] = &["lastUpdate", "version"];

/// What a contract refers to, and so never changes.
const FIXED: &[&str] = &["priceType", "recurringChargePeriodType", "recurringChargePeriodLength"];

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    let items = rows.iter().map(body).collect::<Result<_>>()?;
    resource::listed(PRICES, &pairs, &query, total, items)
}

pub(super) async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<PriceId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = service.price_row(&cx, &id).await?;
    resource::item(&pairs, body(&row)?, Some(row.version))
}

pub(super) async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body: sent } = Submission::needing(Scope::Admin, "POST productOfferingPrice", request).await?;
    let new = service.read_price(sent)?;
    let row = service.create_price(&cx, new).await?;
    resource::created(body(&row)?, Some(row.version))
}

pub(super) async fn patch(
    State(service): State<Arc<Service>>,
    Administrator(cx): Administrator,
    ApiPath(id): ApiPath<PriceId>,
    headers: HeaderMap,
    ApiJson(sent): ApiJson<Value>,
) -> Result<Response, ApiError> {
    let expected = resource::if_match(&headers)?;
    let row = service.change_price(&cx, &id, change(sent)?, expected).await?;
    resource::changed(body(&row)?, row.version)
}

impl Service {
    fn read_price(&self, sent: Value) -> Result<NewPrice> {
        let mut sent = official::created(sent, "TMF620.ProductOfferingPrice_Create")?;
        merge::refuse(&sent, OURS)?;
        input::fixed_flag(&mut sent, "isBundle", false)?;
        let amount = input::amount(&mut sent)?.ok_or_else(|| Error::invalid("/price", "is required here"))?;
        let window = input::window(&mut sent).applied_to(Window::default());
        let id = self.platform.ids.short("POP");
        input::new_price(sent, "recurringChargePeriodType", "", id, amount, window)
    }
}

fn change(sent: Value) -> Result<PriceChange> {
    let mut sent = official::patch(sent, "TMF620.ProductOfferingPrice_Update")?;
    merge::refuse(&sent, OURS)?;
    input::fixed_flag(&mut sent, "isBundle", false)?;
    if let Some(fixed) = FIXED.iter().find(|name| sent.contains_key(**name)) {
        return Err(Error::invalid(format!("/{fixed}"), "stays what it is: contracts refer to this price"));
    }
    let window = input::window(&mut sent);
    Ok(PriceChange {
        name: input::name(&mut sent)?.map(Some),
        money: input::amount(&mut sent)?,
        valid_from: window.valid_from,
        valid_to: window.valid_to,
        attributes: sent,
    })
}

fn body(row: &PriceRow) -> Result<Value> {
    let mut body = json!({
        "id": row.id,
        "href": format!("{PRICES}/{}", row.id),
        "name": row.name.as_ref().unwrap_or(&row.id),
        "isBundle": false,
        "version": row.version.to_string(),
        "lastUpdate": time::format(row.updated_at),
        "priceType": if row.is_recurring() { "recurring" } else { "oneTime" },
    });
    if row.is_recurring() {
        body["recurringChargePeriodType"] = json!(row.recurring_period_type);
        body["recurringChargePeriodLength"] = json!(row.recurring_period_length);
    }
    body["price"] = json!(money::write(row.money()?));
    put_window(&mut body, row.window());
    merge::echo(&mut body, &standalone(row.attributes()));
    body["@type"] = json!("ProductOfferingPrice");
    Ok(body)
}

/// An offering's embedded price knows an attribute that the resource of its own does not.
fn standalone(mut attributes: Map<String, Value>) -> Map<String, Value> {
    attributes.shift_remove("priceAlteration");
    attributes
}
