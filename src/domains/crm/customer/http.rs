//! TMF629 Customer Management: `customer`, made, changed and read.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::body::{self, VALUE_KEYS};
use super::model::{Customer, Medium};
use super::store;
use crate::domains::crm::Service;
use crate::domains::crm::port::CustomerId;
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, Writer, resource};
use crate::platform::tmf::{shape, time};

const COLLECTION: &str = "/tmf-api/customerManagement/v4/customer";

/// The routes of TMF629 that we serve.
pub(in crate::domains::crm) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/tmf-api/customerManagement/v4/customer/{id}", get(retrieve).patch(patch))
        .with_state(service)
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body } = Submission::of("POST customer", request).await?;
    let new = body::new_customer(body, cx.now.date_naive())?;
    let customer = service.create_checked(&cx, new).await?;
    let version = customer.version;
    Ok(resource::created(resource_of(customer), Some(version)))
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, mut query }: ListRequest,
) -> Result<Response, ApiError> {
    store::lower_addresses(&mut query);
    let (total, customers) = store::page(&service.platform.db, &cx, &query).await?;
    Ok(resource::listed(COLLECTION, &pairs, &query, total, customers.into_iter().map(resource_of).collect()))
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<CustomerId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let customer = service.found(&cx, &id).await?;
    let version = customer.version;
    resource::item(&pairs, resource_of(customer), Some(version))
}

/// Where a customer is found.
pub(super) fn href_of(id: &CustomerId) -> String {
    format!("{COLLECTION}/{id}")
}

async fn patch(
    State(service): State<Arc<Service>>,
    Writer(cx): Writer,
    ApiPath(id): ApiPath<CustomerId>,
    headers: HeaderMap,
    ApiJson(sent): ApiJson<Value>,
) -> Result<Response, ApiError> {
    let expected = resource::if_match(&headers)?;
    let change = body::change(sent)?;
    let customer = service.change_customer(&cx, &id, change, expected).await?;
    let version = customer.version;
    Ok(resource::changed(resource_of(customer), version))
}

/// The resource: ours, then what the caller sent and we only keep.
fn resource_of(mut customer: Customer) -> Value {
    let name = customer.full_name();
    let mut valid_for = json!({ "startDateTime": time::format(customer.since) });
    if let Some(closed_at) = customer.closed_at {
        valid_for["endDateTime"] = json!(time::format(closed_at));
    }
    let mut resource = json!({
        "id": customer.id,
        "href": href_of(&customer.id),
        "name": name,
        "status": customer.status.as_str(),
    });
    if let Some(reason) = &customer.status_reason {
        resource["statusReason"] = json!(reason);
    }
    resource["validFor"] = valid_for;
    resource["engagedParty"] = json!({
        "id": customer.party_id,
        "href": format!("/tmf-api/party/v4/individual/{}", customer.party_id),
        "name": name,
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Individual",
    });
    resource["account"] = json!([{
        "id": customer.account_id,
        "name": "Prepaid account",
        "@type": "AccountRef",
        "@referredType": "PartyAccount",
    }]);
    resource["characteristic"] = characteristics(&mut customer);
    if !customer.media.is_empty() {
        resource["contactMedium"] = customer.media.into_iter().map(medium).collect();
    }
    if let Value::Object(attributes) = &mut resource {
        keep(attributes, customer.attributes);
        attributes.insert("@type".to_owned(), json!("Customer"));
    }
    resource
}

/// Adds what the caller sent; what is ours stays ours.
fn keep(ours: &mut Map<String, Value>, theirs: Map<String, Value>) {
    for (name, value) in theirs {
        ours.entry(name).or_insert(value);
    }
}

fn characteristics(customer: &mut Customer) -> Value {
    let mut all = vec![json!({
        "name": body::KYC_STATUS,
        "valueType": "string",
        "value": customer.kyc_status.as_str(),
        "@type": "Characteristic",
    })];
    if let Some(verified_at) = customer.kyc_verified_at {
        all.push(json!({
            "name": body::KYC_VERIFIED_AT,
            "valueType": "dateTime",
            "value": time::format(verified_at),
            "@type": "Characteristic",
        }));
    }
    if let Some(Value::Array(theirs)) = customer.attributes.remove("characteristic") {
        all.extend(theirs.into_iter().map(|mut characteristic| {
            if characteristic.get("valueType").is_none() {
                characteristic["valueType"] = shape::value_type(&characteristic["value"]);
            }
            characteristic
        }));
    }
    Value::Array(all)
}

/// A medium as TMF629 and TMF632 show it.
pub(super) fn medium(mut medium: Medium) -> Value {
    let mut characteristic = Map::new();
    characteristic.insert(VALUE_KEYS[medium.kind as usize].to_owned(), json!(medium.value));
    if let Some(Value::Object(more)) = medium.attributes.remove("characteristic") {
        keep(&mut characteristic, more);
    }
    characteristic.entry("@type").or_insert_with(|| json!("MediumCharacteristic"));
    let mut resource = json!({
        "mediumType": medium.kind.as_str(),
        "preferred": medium.is_primary,
        "characteristic": characteristic,
        "validFor": { "startDateTime": time::format(medium.valid_from) },
    });
    if let Value::Object(attributes) = &mut resource {
        keep(attributes, medium.attributes);
        attributes.insert("@type".to_owned(), json!("ContactMedium"));
    }
    resource
}
