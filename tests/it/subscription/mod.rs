//! Lines over HTTP: activation, renewal, top-ups, blocks, changes of plan and price, termination, and what happens when these
//! meet.

mod activation;
mod blocks;
mod contract;
mod expiry;
mod indexes;
mod months;
mod plan_change;
mod price_migration;
mod renewal;
mod renewal_sets;
mod termination;
mod timeline;
mod top_up;

use serde_json::{Value, json};

use crate::support::app::TestApp;

pub(super) const GOOD: &str = "4242424242424242";
pub(super) const DECLINES: &str = "4000000000000341";
/// Approves after three seconds.
pub(super) const SLOW: &str = "4000000000006975";

/// A product whose day does not move by itself.
pub(super) async fn frozen() -> TestApp {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-04T09:00:00Z"})).await.ok();
    app
}

pub(super) async fn advance(app: &TestApp, duration: &str) {
    app.op("clock.advance", json!({"duration": duration})).await.ok();
}

pub(super) async fn tick(app: &TestApp) -> Value {
    app.op("subscription.tick_renewals_now", json!({})).await.ok()
}

pub(super) async fn line(app: &TestApp, id: &Value) -> Value {
    app.op("subscription.get", json!({"subscriptionId": id})).await.ok()
}

/// Puts a card on file and makes it the one that is charged.
pub(super) async fn charge_to(app: &TestApp, line: &Value, number: &str) {
    let card = app.op("payment.add_card", json!({"customerId": line["customerId"], "cardNumber": number})).await.ok();
    app.op("payment.set_default_method", json!({"paymentMethodId": card["id"]})).await.ok();
}

pub(super) async fn use_data(app: &TestApp, line: &Value, mb: i64) {
    let usage = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": mb, "unit": "mb"});
    app.op("usage.simulate", usage).await.ok();
}

/// What is left of an allowance.
#[track_caller]
pub(super) fn remaining(line: &Value, allowance: &str) -> i64 {
    let balances = line["balances"].as_array().expect("a line has balances");
    let balance = balances.iter().find(|balance| balance["allowanceType"] == allowance);
    balance.and_then(|balance| balance["remaining"].as_i64()).unwrap_or_else(|| panic!("no {allowance} in {line:#}"))
}

/// The payloads of a line's events of one type, oldest first.
pub(super) async fn events(app: &TestApp, line: &Value, event_type: &str) -> Vec<Value> {
    let page = app.op("events.list", json!({"aggregateId": line["id"], "eventType": event_type})).await.ok();
    page["events"].as_array().expect("events").clone()
}

/// The customer's charges of one status, with what they were for.
pub(super) async fn charges(app: &TestApp, line: &Value, status: &str) -> Vec<(String, String)> {
    let query = json!({"customerId": line["customerId"], "status": status, "limit": 200});
    let attempts = app.op("payment.list_attempts", query).await.ok();
    let text = |attempt: &Value, field: &str| attempt[field].as_str().unwrap_or_default().to_owned();
    let of = |attempt: &Value| (text(attempt, "purpose"), text(attempt, "amount"));
    let mut charges: Vec<_> = attempts.as_array().expect("attempts").iter().map(of).collect();
    charges.reverse();
    charges
}

/// As `charges` tells them.
pub(super) fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(purpose, amount)| ((*purpose).to_owned(), (*amount).to_owned())).collect()
}
