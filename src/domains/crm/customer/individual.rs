//! TMF632 Party Management, read side: the `individual` behind each customer. Persons are made and changed with their
//! customer, whose timeline and events tell of it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::model::Customer;
use super::shown::{href_of, medium};
use super::store;
use crate::domains::crm::Service;
use crate::domains::crm::port::{KycStatus, PartyId};
use crate::platform::error::Error;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};

pub(super) const COLLECTION: &str = "/tmf-api/party/v4/individual";

/// The routes of TMF632 that we serve.
pub(in crate::domains::crm) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list))
        .route("/tmf-api/party/v4/individual/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, mut query }: ListRequest,
) -> Result<Response, ApiError> {
    store::lower_addresses(&mut query);
    let (total, persons) = store::individuals(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, persons.iter().map(resource_of).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<PartyId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let person = store::individual(&service.platform.db, &cx, id.as_str()).await?;
    let person = person.ok_or_else(|| Error::not_found("individual", &id))?;
    resource::item(&pairs, resource_of(&person), Some(person.version))
}

fn resource_of(person: &Customer) -> Value {
    let full_name = person.full_name();
    let mut resource = json!({
        "id": person.party_id,
        "href": format!("{COLLECTION}/{}", person.party_id),
        "fullName": full_name,
        "givenName": person.given_name,
        "familyName": person.family_name,
    });
    if let Some(born) = person.date_of_birth {
        resource["birthDate"] = json!(format!("{born}T00:00:00.000Z"));
    }
    // Officially: whether somebody has looked at a document.
    resource["status"] = json!(if person.kyc_status == KycStatus::Verified { "validated" } else { "initialized" });
    if !person.media.is_empty() {
        resource["contactMedium"] = json!(person.media.iter().map(medium).collect::<Vec<_>>());
    }
    resource["relatedParty"] = json!([{
        "id": person.id,
        "href": href_of(&person.id),
        "name": full_name,
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Customer",
    }]);
    resource["@type"] = json!("Individual");
    resource
}
