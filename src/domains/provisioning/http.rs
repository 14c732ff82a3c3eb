//! TMF640 Service Activation and Configuration: `monitor`, read. Each request to the network, a task of ours, is one.
//!
//! What the network element was told (number, IMSI, plan) stays inside the task, as on every other surface.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use crate::domains::provisioning::model::Task;
use crate::domains::provisioning::port::{TaskId, TaskState};
use crate::domains::provisioning::store::monitors::{self, STATES};
use crate::domains::provisioning::{Service, store};
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};

const MONITORS: &str = "/tmf-api/ServiceActivationAndConfiguration/v4/monitor";
const SERVICES: &str = "/tmf-api/ServiceActivationAndConfiguration/v4/service";

/// The routes of TMF640 that are about the network.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(MONITORS, get(list))
        .route("/tmf-api/ServiceActivationAndConfiguration/v4/monitor/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, tasks) = monitors::page(&service.platform.db, &cx, &query).await?;
    resource::listed(MONITORS, &pairs, &query, total, tasks.iter().map(body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<TaskId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let task = store::find(service.platform.db.connection(), &cx, &id).await?;
    resource::item(&pairs, body(&task), Some(task.version))
}

fn body(task: &Task) -> Value {
    let asked = json!({
        "taskId": task.id,
        "taskType": task.task_type,
        "serviceId": task.service_id,
        "serviceOrderId": task.service_order_id,
    });
    let mut body = json!({
        "id": task.id,
        "href": format!("{MONITORS}/{}", task.id),
        "sourceHref": format!("{SERVICES}/{}", task.service_id),
        "state": state(task.state),
        "request": {
            "method": "POST",
            "to": task.task_type,
            "header": [header("Idempotency-Key", task.id.as_str())],
            "body": asked.to_string(),
            "@type": "Request",
        },
    });
    if task.state.is_settled() {
        let said = json!({ "state": task.state, "attempts": task.attempts, "error": task.last_error });
        body["response"] = json!({
            "header": [header("Idempotency-Key", task.id.as_str())],
            "body": said.to_string(),
            "@type": "Response",
        });
    }
    body["@type"] = json!("Monitor");
    body
}

fn header(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value, "@type": "HeaderItem" })
}

fn state(state: TaskState) -> &'static str {
    STATES.iter().find(|(_, ours)| ours.contains(&state.as_str())).map_or("InProgress", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_ours_has_a_word() {
        let words = TaskState::ALL.map(state);
        assert_eq!(words, ["InProgress", "InProgress", "Completed", "InError", "InError", "InError", "InError"]);
        for state in TaskState::ALL {
            assert!(STATES.iter().any(|(_, ours)| ours.contains(&state.as_str())), "{state:?}");
        }
    }
}
