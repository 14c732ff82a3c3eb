//! `productOffering`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::{CATEGORIES, OFFERINGS, PRICES, SPECIFICATIONS, input, put_window, reference};
use crate::domains::catalog::Service;
use crate::domains::catalog::model::{Lifecycle, NewOffering, OfferingChange, Window};
use crate::domains::catalog::port::{AllowanceView, OfferingId, SpecificationId};
use crate::domains::catalog::store::{self, OfferingRow, PriceColumn};
use crate::platform::context::Scope;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{Administrator, ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::{merge, money, official, time};

/// Ours to give.
const OURS: &[&str] = &["lastUpdate", "version"];

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    let items = rows.iter().map(body).collect::<Result<_>>()?;
    Ok(resource::listed(OFFERINGS, &pairs, &query, total, items))
}

pub(super) async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<OfferingId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = service.offering_row(&cx, &id).await?;
    resource::item(&pairs, body(&row)?, Some(row.version))
}

pub(super) async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body: sent } = Submission::needing(Scope::Admin, "POST productOffering", request).await?;
    let new = service.read_offering(sent)?;
    let row = service.create_offering(&cx, new).await?;
    Ok(resource::created(body(&row)?, Some(row.version)))
}

pub(super) async fn patch(
    State(service): State<Arc<Service>>,
    Administrator(cx): Administrator,
    ApiPath(id): ApiPath<OfferingId>,
    headers: HeaderMap,
    ApiJson(sent): ApiJson<Value>,
) -> Result<Response, ApiError> {
    let expected = resource::if_match(&headers)?;
    let change = service.read_offering_change(sent)?;
    let row = service.change_offering(&cx, &id, change, expected).await?;
    Ok(resource::changed(body(&row)?, row.version))
}

impl Service {
    fn read_offering(&self, sent: Value) -> Result<NewOffering> {
        let mut sent = official::created(sent, "TMF620.ProductOffering_Create")?;
        merge::refuse(&sent, OURS)?;
        sent.shift_remove("@type");
        input::fixed_flag(&mut sent, "isBundle", true)?;
        let spec_id = match sent.shift_remove("productSpecification") {
            Some(specification) => specification["id"].as_str().unwrap_or_default().to_owned(),
            None => "SPEC_MOBILE_PREPAID".to_owned(),
        };
        let spec_id = spec_id.parse::<SpecificationId>();
        Ok(NewOffering {
            id: self.platform.ids.short("PLAN").into(),
            name: input::name(&mut sent)?.ok_or_else(|| Error::invalid("/name", "is required"))?,
            spec_id: spec_id.map_err(|e| Error::invalid("/productSpecification/id", e.to_string()))?,
            is_sellable: input::flag(&mut sent, "isSellable")?.unwrap_or(true),
            lifecycle: input::lifecycle(&mut sent)?.unwrap_or(Lifecycle::Active),
            window: input::window(&mut sent).applied_to(Window::default()),
            allowances: input::allowances(&mut sent)?.unwrap_or_default(),
            prices: input::prices(&mut sent, &self.platform.ids)?.unwrap_or_default(),
            categories: input::references(&mut sent, "category")?.unwrap_or_default(),
            attributes: sent,
        })
    }

    fn read_offering_change(&self, sent: Value) -> Result<OfferingChange> {
        let mut sent = official::patch(sent, "TMF620.ProductOffering_Update")?;
        merge::refuse(&sent, OURS)?;
        input::fixed_flag(&mut sent, "isBundle", true)?;
        if sent.contains_key("productSpecification") {
            let message = "stays what it is: a plan is an instance of its specification";
            return Err(Error::invalid("/productSpecification", message));
        }
        Ok(OfferingChange {
            name: input::name(&mut sent)?,
            is_sellable: input::flag(&mut sent, "isSellable")?,
            lifecycle: input::lifecycle(&mut sent)?,
            window: input::window(&mut sent),
            allowances: input::allowances(&mut sent)?,
            prices: input::prices(&mut sent, &self.platform.ids)?,
            categories: input::references(&mut sent, "category")?,
            attributes: sent,
        })
    }
}

fn body(row: &OfferingRow) -> Result<Value> {
    let mut body = json!({
        "id": row.id,
        "href": format!("{OFFERINGS}/{}", row.id),
        "name": row.name,
        "isBundle": row.is_bundle,
        "isSellable": row.is_sellable,
        "lifecycleStatus": row.lifecycle()?.official(),
        "version": row.version.to_string(),
        "lastUpdate": time::format(row.updated_at),
    });
    put_window(&mut body, row.window());
    body["productSpecification"] =
        reference(SPECIFICATIONS, &row.spec_id, Some(&row.spec_name), "ProductSpecification");
    let categories = row.categories()?;
    if !categories.is_empty() {
        let shown = categories.iter().map(|one| reference(CATEGORIES, &one.id, Some(&one.name), "Category"));
        body["category"] = shown.collect();
    }
    let allowances = row.allowances()?;
    if !allowances.is_empty() {
        body["prodSpecCharValueUse"] = allowances.iter().map(allowance).collect();
    }
    let prices = row.prices()?;
    if !prices.is_empty() {
        body["productOfferingPrice"] = prices.iter().map(price).collect::<Result<_>>()?;
    }
    merge::echo(&mut body, &row.attributes());
    body["@type"] = json!("ProductOffering");
    Ok(body)
}

fn allowance(view: &AllowanceView) -> Value {
    json!({
        "name": view.allowance_type.as_str(),
        "valueType": "integer",
        "productSpecCharacteristicValue": [{
            "valueType": "integer",
            "value": view.quantity,
            "unitOfMeasure": view.unit.as_str(),
            "isDefault": true,
            "@type": "CharacteristicValueSpecification",
        }],
        "@type": "ProductSpecificationCharacteristicValueUse",
    })
}

/// A price as an offering embeds it.
fn price(column: &PriceColumn) -> Result<Value> {
    let recurring = column.price_type == "recurring";
    let mut body = json!({ "id": column.id, "href": format!("{PRICES}/{}", column.id) });
    if let Some(name) = &column.name {
        body["name"] = json!(name);
    }
    body["priceType"] = json!(if recurring { "recurring" } else { "oneTime" });
    if recurring {
        body["recurringChargePeriod"] = json!(column.period);
        body["recurringChargePeriodLength"] = json!(column.length);
    }
    body["price"] = json!({ "taxIncludedAmount": money::write(column.money()?), "@type": "ProductPriceValue" });
    put_window(&mut body, column.window());
    for embedded in ["description", "lifecycleStatus", "constraint", "unitOfMeasure", "priceAlteration"] {
        if let Some(kept) = column.attributes.get(embedded) {
            body[embedded] = kept.clone();
        }
    }
    body["@type"] = json!("ProductOfferingPrice");
    Ok(body)
}
