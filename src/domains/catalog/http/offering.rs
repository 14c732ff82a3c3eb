//! `productOffering`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{OFFERINGS, PRICES, Reference, Referred, input, valid_for};
use crate::domains::catalog::Service;
use crate::domains::catalog::model::{Lifecycle, NewOffering, OfferingChange, Window};
use crate::domains::catalog::port::{AllowanceView, OfferingId, SpecificationId};
use crate::domains::catalog::store::{self, OfferingRow, PriceColumn};
use crate::platform::context::Scope;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::resource::Href;
use crate::platform::http::{Administrator, ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::merge::Kept;
use crate::platform::tmf::{merge, money, official, time};

/// Ours to give.
const OURS: &[&str] = &["lastUpdate", "version"];

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    let items: Vec<_> = rows.iter().map(body).collect::<Result<_>>()?;
    resource::listed(OFFERINGS, &pairs, &query, total, items)
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
    resource::created(body(&row)?, Some(row.version))
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
    resource::changed(body(&row)?, row.version)
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

/// Names of [`Offering`].
const SHOWN: &[&str] = &[
    "id",
    "href",
    "name",
    "isBundle",
    "isSellable",
    "lifecycleStatus",
    "version",
    "lastUpdate",
    "validFor",
    "productSpecification",
    "category",
    "prodSpecCharValueUse",
    "productOfferingPrice",
    "@type",
];

/// An offering as it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Offering<'a> {
    id: &'a str,
    href: Href<'a>,
    name: &'a str,
    is_bundle: bool,
    is_sellable: bool,
    lifecycle_status: &'static str,
    version: String,
    #[serde(with = "time")]
    last_update: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_for: Option<time::Period>,
    product_specification: Reference<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    category: Vec<Reference<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prod_spec_char_value_use: Vec<ValueUse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    product_offering_price: Vec<EmbeddedPrice<'a>>,
    #[serde(flatten)]
    kept: Kept<'a>,
    #[serde(rename = "@type")]
    at_type: &'static str,
}

/// An allowance: a characteristic of the specification with the one value that this plan has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ValueUse {
    name: &'static str,
    value_type: &'static str,
    product_spec_characteristic_value: [CharacteristicValue; 1],
    #[serde(rename = "@type")]
    at_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CharacteristicValue {
    value_type: &'static str,
    value: i64,
    unit_of_measure: &'static str,
    is_default: bool,
    #[serde(rename = "@type")]
    at_type: &'static str,
}

/// A price as an offering embeds it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EmbeddedPrice<'a> {
    id: &'a str,
    href: Href<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    price_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurring_charge_period: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurring_charge_period_length: Option<i16>,
    price: PriceValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_for: Option<time::Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_status: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constraint: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_of_measure: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_alteration: Option<&'a Value>,
    #[serde(rename = "@type")]
    at_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PriceValue {
    tax_included_amount: money::Written,
    #[serde(rename = "@type")]
    at_type: &'static str,
}

fn body(row: &OfferingRow) -> Result<Offering<'_>> {
    Ok(Offering {
        id: &row.id,
        href: Href { collection: OFFERINGS, id: &row.id },
        name: &row.name,
        is_bundle: row.is_bundle,
        is_sellable: row.is_sellable,
        lifecycle_status: row.lifecycle()?.official(),
        version: row.version.to_string(),
        last_update: row.updated_at,
        valid_for: valid_for(row.window()),
        product_specification: Referred::SPECIFICATION.to(&row.spec_id, &row.spec_name),
        category: row.categories().iter().map(|one| Referred::CATEGORY.to(&one.id, &one.name)).collect(),
        prod_spec_char_value_use: row.allowances()?.iter().map(allowance).collect(),
        product_offering_price: row.prices().iter().map(price).collect::<Result<_>>()?,
        kept: Kept::beside(SHOWN, row.attributes()),
        at_type: "ProductOffering",
    })
}

fn allowance(view: &AllowanceView) -> ValueUse {
    let value = CharacteristicValue {
        value_type: "integer",
        value: view.quantity,
        unit_of_measure: view.unit.as_str(),
        is_default: true,
        at_type: "CharacteristicValueSpecification",
    };
    ValueUse {
        name: view.allowance_type.as_str(),
        value_type: "integer",
        product_spec_characteristic_value: [value],
        at_type: "ProductSpecificationCharacteristicValueUse",
    }
}

fn price(column: &PriceColumn) -> Result<EmbeddedPrice<'_>> {
    let is_recurring = column.price_type == "recurring";
    let kept = |name: &str| column.attributes.get(name);
    Ok(EmbeddedPrice {
        id: &column.id,
        href: Href { collection: PRICES, id: &column.id },
        name: column.name.as_deref(),
        price_type: if is_recurring { "recurring" } else { "oneTime" },
        recurring_charge_period: is_recurring.then_some(column.period.as_str()),
        recurring_charge_period_length: is_recurring.then_some(column.length),
        price: PriceValue { tax_included_amount: money::write(column.money()?), at_type: "ProductPriceValue" },
        valid_for: valid_for(column.window()),
        description: kept("description"),
        lifecycle_status: kept("lifecycleStatus"),
        constraint: kept("constraint"),
        unit_of_measure: kept("unitOfMeasure"),
        price_alteration: kept("priceAlteration"),
        at_type: "ProductOfferingPrice",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::domains::catalog::port::AllowanceType;
    use crate::platform::money::Money;

    #[test]
    fn each_of_our_names_is_said_once_and_by_us() {
        let at = time::parse("2026-05-10T09:00:00.000Z").unwrap();
        let theirs: Map<String, Value> = SHOWN.iter().map(|name| ((*name).to_owned(), json!("theirs"))).collect();
        let offering = Offering {
            id: "PLAN_S",
            href: Href { collection: OFFERINGS, id: "PLAN_S" },
            name: "Lite",
            is_bundle: true,
            is_sellable: true,
            lifecycle_status: "Active",
            version: "1".to_owned(),
            last_update: at,
            valid_for: time::Period::of(Some(at), None),
            product_specification: Referred::SPECIFICATION.to("SPEC", "Bundle"),
            category: vec![Referred::CATEGORY.to("CAT", "Plans")],
            prod_spec_char_value_use: vec![allowance(&AllowanceView::plain(AllowanceType::Data, 5_120))],
            product_offering_price: vec![EmbeddedPrice {
                id: "PRICE",
                href: Href { collection: PRICES, id: "PRICE" },
                name: None,
                price_type: "oneTime",
                recurring_charge_period: None,
                recurring_charge_period_length: None,
                price: PriceValue {
                    tax_included_amount: money::write(Money::new(1_000, "SGD".parse().unwrap())),
                    at_type: "ProductPriceValue",
                },
                valid_for: None,
                description: None,
                lifecycle_status: None,
                constraint: None,
                unit_of_measure: None,
                price_alteration: None,
                at_type: "ProductOfferingPrice",
            }],
            kept: Kept::beside(SHOWN, &theirs),
            at_type: "ProductOffering",
        };
        let text = serde_json::to_string(&offering).unwrap();
        let shown: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(shown.keys().collect::<Vec<_>>(), SHOWN);
        assert!(!text.contains("theirs"), "{text}");
    }
}
