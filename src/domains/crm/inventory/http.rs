//! TMF639 Resource Inventory Management, read side: numbers and eSIM profiles as `resource`. Both come and go with lines
//! and with the operations of the inventory.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::store::{self, ResourceRow, STATUS};
use crate::domains::crm::Service;
use crate::domains::crm::port::ResourceId;
use crate::platform::error::Error;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::time;

const COLLECTION: &str = "/tmf-api/resourceInventoryManagement/v4/resource";

/// The routes of TMF639 that we serve.
pub(in crate::domains::crm) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list))
        .route("/tmf-api/resourceInventoryManagement/v4/resource/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, rows) = store::page(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, rows.iter().map(body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<ResourceId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let row = store::find(&service.platform.db, &cx, id.as_str()).await?;
    let row = row.ok_or_else(|| Error::not_found("resource", &id))?;
    resource::item(&pairs, body(&row), Some(row.version))
}

/// The words of TMF639 for a state of ours: status, use, administration.
fn words(status: &str) -> (&str, &'static str, &'static str) {
    let official = STATUS.iter().find(|(_, ours)| ours.contains(&status)).map_or("unknown", |(name, _)| name);
    let usage = if matches!(status, "assigned" | "activated") { "active" } else { "idle" };
    let administration = if matches!(status, "ported_out" | "recycled") { "shutdown" } else { "unlocked" };
    (official, usage, administration)
}

fn body(row: &ResourceRow) -> Value {
    let (status, usage, administration) = words(&row.status);
    let profile = row.iccid_last4.as_ref();
    let name = match (profile, &row.msisdn) {
        (Some(last4), _) => format!("eSIM …{last4}"),
        (None, Some(msisdn)) => msisdn.clone(),
        (None, None) => row.id.clone(),
    };
    let mut body = json!({
        "id": row.id,
        "href": format!("{COLLECTION}/{}", row.id),
        "category": row.category,
        "name": name,
        "resourceVersion": row.version.to_string(),
        "administrativeState": administration,
        "operationalState": if administration == "shutdown" { "disable" } else { "enable" },
        "resourceStatus": status,
        "usageState": usage,
    });
    if let Some(at) = row.activated_at {
        body["startOperatingDate"] = json!(time::format(at));
    }
    let characteristics = [
        ("state", Some(row.status.as_str())),
        ("msisdn", row.msisdn.as_deref()),
        ("iccidLast4", profile.map(String::as_str)),
        ("subscriptionId", row.subscription_id.as_deref()),
    ];
    let shown = characteristics.into_iter().filter_map(|(name, value)| {
        value.map(|value| json!({ "name": name, "valueType": "string", "value": value, "@type": "Characteristic" }))
    });
    body["resourceCharacteristic"] = shown.collect();
    if let (Some(_), Some(msisdn)) = (profile, &row.msisdn) {
        body["resourceRelationship"] = json!([{
            "relationshipType": "carries",
            "resource": {
                "id": format!("MSISDN-{msisdn}"),
                "href": format!("{COLLECTION}/MSISDN-{msisdn}"),
                "@type": "ResourceRef",
                "@referredType": "Resource",
            },
            "@type": "ResourceRelationship",
        }]);
    }
    let specification = if profile.is_some() { "eSIM profile" } else { "MSISDN" };
    body["resourceSpecification"] = json!({
        "id": row.category,
        "name": specification,
        "@type": "ResourceSpecificationRef",
        "@referredType": "ResourceSpecification",
    });
    body["@type"] = json!("Resource");
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::crm::port::{NumberStatus, ProfileState};

    #[test]
    fn every_state_of_ours_has_an_official_word() {
        for status in NumberStatus::ALL.map(NumberStatus::as_str) {
            assert_ne!(words(status).0, "unknown", "{status}");
        }
        for state in ProfileState::ALL.map(ProfileState::as_str) {
            assert_ne!(words(state).0, "unknown", "{state}");
        }
        assert_eq!(words("activated"), ("reserved", "active", "unlocked"));
        assert_eq!(words("ported_out"), ("suspended", "idle", "shutdown"));
    }
}
