//! Commercial orders, service orders and network tasks in the running product: what the operations say, and that the steps of
//! an order survive races, refusals and repetition.

mod cancel;
mod change;
mod fulfil;
mod lifecycle;
mod network;
mod over_http;
mod place;
mod tmf;

use serde_json::{Value, json};

use crate::support::app::TestApp;

pub(super) const VISA: &str = "4242424242424242";

/// Approves after three seconds.
pub(super) const SLOW: &str = "4000000000006975";

/// An order of `PLAN_M` that is placed and submitted; answers it as it was then.
pub(super) async fn place(app: &TestApp, customer: &str) -> Value {
    app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_M"})).await.ok()
}

pub(super) async fn order(app: &TestApp, id: &Value) -> Value {
    app.op("order.get", json!({"orderId": id})).await.ok()
}

/// The order, as soon as it has ended.
pub(super) async fn ended(app: &TestApp, id: &Value) -> Value {
    app.until("the order ends", async || {
        let order = order(app, id).await;
        matches!(order["state"].as_str(), Some("completed" | "failed" | "cancelled")).then_some(order)
    })
    .await
}

/// Switches a fault of the simulated network.
pub(super) async fn fault(app: &TestApp, task_type: &str, fault_type: &str, enabled: bool) {
    let rule = json!({"taskType": task_type, "faultType": fault_type, "enabled": enabled, "probability": 1.0});
    app.op("provisioning.set_fault_injection", rule).await.ok();
}

/// The one task of this type, as soon as it is in this state.
pub(super) async fn task_in(app: &TestApp, task_type: &str, state: &str) -> Value {
    app.until("the task gets there", async || {
        let tasks = app.op("provisioning.list_tasks", json!({"state": state})).await.ok();
        tasks.as_array().expect("a list").iter().find(|task| task["taskType"] == task_type).cloned()
    })
    .await
}

/// The activation of an order.
pub(super) async fn service_order(app: &TestApp, order: &Value) -> Value {
    app.op("service_order.list_for_order", json!({"orderId": order["id"]})).await.ok()[0].clone()
}

/// Numbers and profiles that can be had.
pub(super) async fn pools(app: &TestApp) -> (i64, i64) {
    (
        app.number("select count(*) from inventory.msisdn_pool where status = 'available'").await,
        app.number("select count(*) from inventory.esim_profile where profile_state = 'available'").await,
    )
}

/// The reasons in an order's history, oldest first.
pub(super) fn reasons(order: &Value) -> Vec<&str> {
    order["history"]
        .as_array()
        .expect("a history")
        .iter()
        .map(|line| line["reason"].as_str().unwrap_or_default())
        .collect()
}
