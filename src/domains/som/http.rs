//! TMF641 Service Ordering Management (`serviceOrder`) and TMF638 Service Inventory Management (`service`). Both come from
//! product orders; a technical order has the network told again what it should know of a service. TMF640, which shows the
//! services as what is configured, has a file of its own.

mod activation;
mod create;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use crate::domains::som::Service;
use crate::domains::som::port::{
    NetworkState, ServiceId, ServiceOrderId, ServiceOrderState, ServiceOrderTaskView, ServiceOrderView, ServiceState,
    ServiceView,
};
use crate::domains::som::store::views;
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::time;

const SERVICE_ORDERS: &str = "/tmf-api/serviceOrdering/v4/serviceOrder";
const SERVICES: &str = "/tmf-api/serviceInventory/v4/service";

/// Our states of a service order as TMF641 writes them.
pub(super) const SERVICE_ORDER_STATES: &[(&str, &[&str])] = &[
    ("acknowledged", &["acknowledged"]),
    ("inProgress", &["in_progress"]),
    ("completed", &["completed"]),
    ("failed", &["failed"]),
    ("cancelled", &["cancelled"]),
];

/// Our states of a service as TMF638 writes them.
pub(super) const SERVICE_STATES: &[(&str, &[&str])] = &[
    ("feasibilityChecked", &["feasibility_checked"]),
    ("designed", &["designed"]),
    ("reserved", &["reserved"]),
    ("active", &["activated"]),
    // Officially: "the service has failed".
    ("inactive", &["failed"]),
    ("terminated", &["terminated"]),
];

fn official<'a>(names: &[(&'a str, &[&str])], ours: &'a str) -> &'a str {
    names.iter().find(|(_, words)| words.contains(&ours)).map_or(ours, |(name, _)| name)
}

/// The routes of TMF641, TMF638 and TMF640 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(SERVICE_ORDERS, get(list_orders).post(create_order))
        .route("/tmf-api/serviceOrdering/v4/serviceOrder/{id}", get(retrieve_order))
        .route(SERVICES, get(list_services))
        .route("/tmf-api/serviceInventory/v4/service/{id}", get(retrieve_service))
        .with_state(Arc::clone(&service))
        .merge(activation::router(service))
}

async fn create_order(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body } = Submission::of("POST serviceOrder", request).await?;
    let new = create::new_order(body)?;
    let (body, version) = service.resync(&cx, new, |order| (order_body(order), order.version)).await?;
    resource::created(body, Some(version))
}

async fn list_orders(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, orders) = views::order_page(&service.platform.db, &cx, &query).await?;
    resource::listed(SERVICE_ORDERS, &pairs, &query, total, orders.iter().map(order_body).collect())
}

async fn retrieve_order(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<ServiceOrderId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let order = views::order(service.platform.db.connection(), &cx, &id).await?;
    resource::item(&pairs, order_body(&order), Some(order.version))
}

async fn list_services(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, services) = views::service_page(&service.platform.db, &cx, &query).await?;
    resource::listed(SERVICES, &pairs, &query, total, services.iter().map(service_body).collect())
}

async fn retrieve_service(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<ServiceId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let view = views::service(service.platform.db.connection(), &cx, &id).await?;
    resource::item(&pairs, service_body(&view), Some(view.version))
}

fn customer(id: &impl serde::Serialize, href: &str) -> Value {
    json!([{ "id": id, "href": href, "role": "customer", "@type": "RelatedParty", "@referredType": "Customer" }])
}

fn order_body(order: &ServiceOrderView) -> Value {
    let state = official(SERVICE_ORDER_STATES, order.state.as_str());
    let mut body = json!({
        "id": order.id,
        "href": format!("{SERVICE_ORDERS}/{}", order.id),
        "category": order.kind.as_str(),
        "state": state,
        "orderDate": time::format(order.created_at),
    });
    if let Some(at) = order.started_at {
        body["startDate"] = json!(time::format(at));
    }
    end(order, &mut body);
    body["externalReference"] = json!([{
        "id": order.commercial_order_id,
        "href": format!("/tmf-api/productOrderingManagement/v4/productOrder/{}", order.commercial_order_id),
        "externalReferenceType": "ProductOrder",
        "name": "product order",
        "@type": "ExternalReference",
    }]);
    body["relatedParty"] =
        customer(&order.customer_id, &format!("/tmf-api/customerManagement/v4/customer/{}", order.customer_id));
    if !order.tasks.is_empty() {
        body["milestone"] = order.tasks.iter().map(milestone).collect();
    }
    let stuck = order.tasks.iter().filter(|task| matches!(task.state.as_str(), "stuck" | "failed"));
    let stuck: Vec<Value> = stuck.filter(|_| order.state == ServiceOrderState::InProgress).map(alert).collect();
    if !stuck.is_empty() {
        body["jeopardyAlert"] = Value::Array(stuck);
    }
    let items = order.items.iter().map(|item| {
        json!({
            "id": item.id,
            "quantity": 1,
            "action": item.action,
            "state": state,
            "service": {
                "id": item.target_service_id,
                "href": format!("{SERVICES}/{}", item.target_service_id),
                "serviceSpecification": specification(&item.service_spec_id),
                "@type": "ServiceRef",
                "@referredType": "Service",
            },
            "@type": "ServiceOrderItem",
        })
    });
    body["serviceOrderItem"] = items.collect();
    keep(&order.attributes, &mut body);
    body["@type"] = json!("ServiceOrder");
    body
}

/// Echoes what the order came with; what is ours stays ours.
fn keep(attributes: &Value, body: &mut Value) {
    let (Value::Object(kept), Value::Object(body)) = (attributes, body) else { return };
    for (name, value) in kept {
        let mut value = value.clone();
        if let (true, Value::Array(notes)) = (name == "note", &mut value) {
            for note in notes {
                note["@type"] = json!("Note");
            }
        }
        body.entry(name).or_insert(value);
    }
}

fn end(order: &ServiceOrderView, body: &mut Value) {
    let Some(at) = order.completed_at.map(time::format) else { return };
    if order.state == ServiceOrderState::Cancelled {
        body["cancellationDate"] = json!(at);
        if let Some(reason) = &order.state_reason {
            body["cancellationReason"] = json!(reason);
        }
        return;
    }
    body["completionDate"] = json!(at);
    if order.state == ServiceOrderState::Failed {
        body["errorMessage"] = json!([{
            "code": "SERVICE_ORDER_FAILED",
            "message": order.state_reason.as_deref().unwrap_or("the network cannot give the service"),
            "timestamp": at,
            "@type": "ServiceOrderErrorMessage",
        }]);
    }
}

fn milestone(task: &ServiceOrderTaskView) -> Value {
    let mut body = json!({});
    if let Some(id) = &task.task_id {
        body["id"] = json!(id);
    }
    body["name"] = json!(task.task_type);
    body["status"] = json!(task.state);
    body["milestoneDate"] = json!(time::format(task.updated_at));
    body["@type"] = json!("ServiceOrderMilestone");
    body
}

fn alert(task: &ServiceOrderTaskView) -> Value {
    json!({
        "id": task.task_id.as_deref().unwrap_or(&task.task_type),
        "name": task.task_type,
        "jeopardyType": task.state,
        "alertDate": time::format(task.updated_at),
        "message": if task.state == "stuck" {
            "The task waits for an operator: provisioning.resolve_stuck or provisioning.abandon"
        } else {
            "The task waits for an operator: provisioning.retry_failed or provisioning.abandon"
        },
        "@type": "ServiceOrderJeopardyAlert",
    })
}

fn specification(id: &str) -> Value {
    json!({ "id": id, "@type": "ServiceSpecificationRef", "@referredType": "ServiceSpecification" })
}

fn service_body(service: &ServiceView) -> Value {
    let cfs = service.kind == "CFS";
    let has_started =
        matches!(service.state, ServiceState::Activated | ServiceState::Failed | ServiceState::Terminated);
    let mut body = json!({
        "id": service.id,
        "href": format!("{SERVICES}/{}", service.id),
        "name": service.name,
        "category": service.kind,
        "state": official(SERVICE_STATES, service.state.as_str()),
        "isBundle": cfs,
        "hasStarted": has_started,
        "isServiceEnabled": service.state == ServiceState::Activated
            && service.network_wanted != Some(NetworkState::Suspended),
        "serviceDate": time::format(service.created_at),
    });
    for (name, at) in [("startDate", service.activated_at), ("endDate", service.terminated_at)] {
        if let Some(at) = at {
            body[name] = json!(time::format(at));
        }
    }
    body["serviceSpecification"] = specification(&service.spec_id);
    body["relatedParty"] =
        customer(&service.customer_id, &format!("/tmf-api/customerManagement/v4/customer/{}", service.customer_id));
    if let Some(line) = &service.subscription_id {
        body["relatedEntity"] =
            json!([{ "id": line, "role": "product", "@type": "RelatedEntity", "@referredType": "Product" }]);
    }
    relations(service, &mut body);
    body["@type"] = json!("Service");
    body
}

/// What a customer-facing service is known by and stands on, and what a resource-facing one supports.
fn relations(service: &ServiceView, body: &mut Value) {
    let known = [
        ("msisdn", service.msisdn.as_ref().map(crate::domains::crm::port::Msisdn::as_str)),
        ("iccidLast4", service.iccid_last4.as_deref()),
        ("networkWanted", service.network_wanted.map(NetworkState::as_str)),
        ("networkConfirmed", service.network_confirmed.map(NetworkState::as_str)),
    ];
    let known = known.into_iter().filter_map(|(name, value)| {
        value.map(|value| json!({ "name": name, "valueType": "string", "value": value, "@type": "Characteristic" }))
    });
    let known: Vec<Value> = known.collect();
    if !known.is_empty() {
        body["serviceCharacteristic"] = Value::Array(known);
    }
    if let (Some(item), Some(order)) = (&service.service_order_item_id, &service.service_order_id) {
        body["serviceOrderItem"] = json!([{
            "itemId": item,
            "itemAction": "add",
            "serviceOrderId": order,
            "serviceOrderHref": format!("{SERVICE_ORDERS}/{order}"),
            "role": "created",
            "@referredType": "ServiceOrder",
        }]);
    }
    let reference = |id: &ServiceId, name: Option<&str>| {
        let mut body = json!({ "id": id, "href": format!("{SERVICES}/{id}") });
        if let Some(name) = name {
            body["name"] = json!(name);
        }
        body["@type"] = json!("ServiceRef");
        body["@referredType"] = json!("Service");
        body
    };
    if !service.children.is_empty() {
        body["supportingService"] =
            service.children.iter().map(|child| reference(&child.id, Some(&child.name))).collect();
    }
    if let Some(parent) = &service.parent_service_id {
        body["serviceRelationship"] = json!([{ "relationshipType": "supports", "service": reference(parent, None) }]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_ours_has_an_official_name() {
        for state in ServiceOrderState::ALL {
            assert!(SERVICE_ORDER_STATES.iter().any(|(_, ours)| ours.contains(&state.as_str())), "{state:?}");
        }
        for state in ServiceState::ALL {
            assert!(SERVICE_STATES.iter().any(|(_, ours)| ours.contains(&state.as_str())), "{state:?}");
        }
        assert_eq!(official(SERVICE_STATES, "activated"), "active");
    }
}
