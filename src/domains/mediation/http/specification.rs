//! TMF635 `usageSpecification`: what the three kinds of usage are made of. Fixed, since what can be rated is code.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use crate::domains::mediation::Service;
use crate::domains::mediation::port::UsageSpecificationId;
use crate::domains::mediation::store::specifications;
use crate::domains::rating::port::UsageType;
use crate::platform::error::Error;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};

const COLLECTION: &str = "/tmf-api/usageManagement/v4/usageSpecification";

/// A specification never changes: its version is always the first.
const VERSION: i64 = 1;

/// Id of the specification of a kind.
pub(super) const fn id_of(kind: UsageType) -> &'static str {
    match kind {
        UsageType::Data => "USPEC_DATA",
        UsageType::Voice => "USPEC_VOICE",
        UsageType::Sms => "USPEC_SMS",
    }
}

pub(super) fn href_of(kind: UsageType) -> String {
    format!("{COLLECTION}/{}", id_of(kind))
}

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list))
        .route("/tmf-api/usageManagement/v4/usageSpecification/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, kinds) = specifications::page(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, kinds.into_iter().map(body).collect())
}

async fn retrieve(
    Reader(_): Reader,
    ApiPath(id): ApiPath<UsageSpecificationId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let kind = UsageType::ALL.into_iter().find(|kind| id_of(*kind) == id.as_str());
    let kind = kind.ok_or_else(|| Error::not_found("usage specification", &id))?;
    resource::item(&pairs, body(kind), Some(VERSION))
}

fn body(kind: UsageType) -> Value {
    let unit = kind.allowance(false).unit().as_str();
    // Megabytes are 2^20 bytes; a gigabyte is 1024 of them.
    let units: &[&str] = match kind {
        UsageType::Data => &["mb", "gb"],
        UsageType::Voice | UsageType::Sms => &[unit],
    };
    let description = match kind {
        UsageType::Data => "Data, at home or abroad",
        UsageType::Voice => "Calls",
        UsageType::Sms => "Messages",
    };
    json!({
        "id": id_of(kind),
        "href": href_of(kind),
        "name": kind.as_str(),
        "description": description,
        "isBundle": false,
        "lifecycleStatus": "active",
        "version": "1",
        "specCharacteristic": [
            characteristic("msisdn", "string", true, "The number that used it"),
            characteristic("quantity", "integer", true, "How much, in the unit"),
            unit_of(units),
            characteristic("roamingIndicator", "boolean", false, "Whether it was used abroad"),
            characteristic("source", "string", false, "Who reports it"),
            characteristic("externalId", "string", false, "The reporter's own id: the same one is the same event"),
        ],
        "@type": "UsageSpecification",
    })
}

fn characteristic(name: &str, value_type: &str, is_required: bool, description: &str) -> Value {
    json!({
        "name": name,
        "description": description,
        "valueType": value_type,
        "minCardinality": i32::from(is_required),
        "maxCardinality": 1,
        "@type": "CharacteristicSpecification",
    })
}

/// The units, the one that counts where none is given first.
fn unit_of(units: &[&str]) -> Value {
    let mut body = characteristic("unit", "string", false, "What the quantity is counted in");
    let values = units.iter().enumerate().map(|(n, unit)| {
        json!({
            "isDefault": n == 0,
            "value": unit,
            "valueType": "string",
            "@type": "CharacteristicValueSpecification",
        })
    });
    body["characteristicValueSpecification"] = values.collect();
    body
}
