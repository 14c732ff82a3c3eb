//! The built-in trace store: an order is one trace, hot paths leave none, and what is stored is bounded and harmless.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// Segments are written a few times a second.
const PATIENCE: Duration = Duration::from_secs(60);

async fn server(environment: &[(&str, &str)]) -> (ServerProcess, Client) {
    let installation = Arc::new(Installation::on(cluster::database().await));
    let server = ServerProcess::start(&installation, environment).await;
    let client = server.client();
    (server, client)
}

/// Asks again until the answer is as it should be.
async fn until(client: &Client, operation: &str, arguments: Value, is_right: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let answer = client.op(operation, arguments.clone()).await;
        if answer.status == 200 && is_right(&answer.body) {
            return answer.body;
        }
        assert!(started.elapsed() < PATIENCE, "{operation} {arguments} still answers {}", answer.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A customer with a card and an order that is completed: customer, order.
async fn sign_up(client: &Client, card: &str, state: &str) -> (Value, Value) {
    let arguments = json!({"name": "Ada Lovelace", "email": "ada@example.test", "phone": "+6590001111"});
    let customer = client.op("customer.create", arguments).await.ok()["id"].clone();
    client.op("payment.add_card", json!({"customerId": customer, "cardNumber": card})).await.ok();
    let order =
        client.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_M"})).await.ok()["id"].clone();
    client.op("order.wait_until", json!({"orderId": order, "state": state, "timeoutSeconds": 30})).await.ok();
    (customer, order)
}

fn names(trace: &Value) -> BTreeSet<&str> {
    let spans = trace["spans"].as_array().expect("spans");
    spans.iter().map(|span| span["name"].as_str().expect("a name")).collect()
}

/// What follows from nothing else.
fn roots(trace: &Value) -> Vec<&str> {
    let spans = trace["spans"].as_array().expect("spans").iter();
    spans.filter(|span| span["parentId"].is_null()).map(|span| span["name"].as_str().expect("a name")).collect()
}

/// What the trace of an order tells at least.
const STEPS: [&str; 6] =
    ["order.create", "order.acknowledged", "som.decompose", "network.execute", "gateway.charge", "order.completed"];

#[tokio::test]
async fn an_order_is_one_trace_from_the_request_to_the_active_line() {
    let (server, client) = server(&[]).await;
    let (customer, order) = sign_up(&client, "4242424242424242", "completed").await;
    let begun = until(&client, "trace.for_order", json!({"orderId": order}), |_| true).await;
    let id = json!({"traceId": begun["traceId"]});
    // What a process has done is stored a moment later, each segment for itself.
    let trace = until(&client, "trace.get", id, |trace| {
        let (names, roots) = (names(trace), roots(trace));
        STEPS.iter().all(|step| names.contains(step)) && roots == ["order.create"]
    })
    .await;
    let summary = client.op("trace.for_order", json!({"orderId": order})).await.ok();
    assert_eq!((&summary["orderId"], &summary["name"]), (&order, &json!("order.create")));
    assert_eq!(summary["errorSpanCount"], 0, "{summary}");
    assert!(summary["serviceCount"].as_u64() >= Some(5), "{summary}");

    let spans = trace["spans"].as_array().expect("spans");
    let lane_of = |name: &str| spans.iter().find(|span| span["name"] == name).map(|span| span["module"].clone());
    assert_eq!(lane_of("gateway.charge"), Some(json!("payment")));
    assert_eq!(lane_of("order.completed"), Some(json!("com")));

    let lines = client.op("subscription.list_for_customer", json!({"customerId": customer})).await.ok();
    let line = json!({"subscriptionId": lines[0]["id"]});
    let of_line = client.op("trace.for_subscription", line).await.ok();
    assert_eq!(of_line["traceId"], summary["traceId"]);

    let listed = client.op("trace.list", json!({})).await.ok();
    let begun: Vec<_> = listed.as_array().expect("a list").iter().map(|trace| &trace["name"]).collect();
    assert_eq!(begun, ["order.create", "payment.add_card", "customer.create"], "reads and waiting are no traces");
    let second = json!({"before": listed[0]["position"], "limit": 1});
    assert_eq!(client.op("trace.list", second).await.ok()[0]["name"], "payment.add_card");

    let services = client.op("trace.services", json!({})).await.ok();
    let services: Vec<_> = services.as_array().expect("a list").iter().map(|service| &service["name"]).collect();
    assert!(services.contains(&&json!("api")), "a request began each of them: {services:?}");

    let everything = format!("{trace}{listed}{summary}");
    for secret in ["4242424242424242", "a1a1a1a1", "ada@example.test", "Lovelace", "LPA:1$"] {
        assert!(!everything.contains(secret), "{secret} is stored in a trace");
    }
    // As words: an instant may have such digits.
    let mut words = everything.split(|c: char| !c.is_ascii_alphanumeric());
    assert!(words.all(|word| word != "90001111" && word != "90000000"), "a number is stored in a trace: {everything}");
    server.stop().await;
}

#[tokio::test]
async fn a_declined_card_is_no_error_of_ours_and_usage_leaves_no_trace() {
    let (server, client) = server(&[]).await;
    let (_, failed) = sign_up(&client, "4000000000000341", "failed").await;
    let summary =
        until(&client, "trace.for_order", json!({"orderId": failed}), |trace| trace["spanCount"].as_u64() >= Some(15))
            .await;
    assert_eq!(summary["errorSpanCount"], 0, "an outcome of the business: {summary}");

    let arguments = json!({"name": "Grace Hopper", "email": "grace@example.test"});
    let customer = client.op("customer.create", arguments).await.ok()["id"].clone();
    client.op("payment.add_card", json!({"customerId": customer, "cardNumber": "4242424242424242"})).await.ok();
    let order =
        client.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_M"})).await.ok()["id"].clone();
    client.op("order.wait_until", json!({"orderId": order, "timeoutSeconds": 30})).await.ok();
    let lines = client.op("subscription.list_for_customer", json!({"customerId": customer})).await.ok();
    let usage = json!({"msisdn": lines[0]["msisdn"], "eventType": "data", "quantity": 10, "unit": "mb"});
    client.op("usage.simulate", usage).await.ok();
    client.op("customer.close", json!({"customerId": customer})).await;
    // The close came after the usage: when it is stored, the usage would be too.
    let newest = |list: &Value| list[0]["name"] == "customer.close";
    let listed = until(&client, "trace.list", json!({"limit": 200}), newest).await;
    let begun = listed.as_array().expect("a list").iter();
    assert!(begun.clone().all(|trace| trace["name"] != "usage.simulate"), "{listed}");
    assert!(begun.clone().all(|trace| trace["failed"] == false), "a refusal is no failure: {listed}");
    assert_eq!(client.op("trace.list", json!({"failed": true})).await.ok(), json!([]));
    server.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_wrongly_or_not_there_is_said() {
    let (server, client) = server(&[]).await;
    assert_eq!(client.op("trace.get", json!({"traceId": "short"})).await.status, 400);
    assert_eq!(client.op("trace.get", json!({"traceId": "0".repeat(32)})).await.status, 404);
    assert_eq!(client.op("trace.for_order", json!({"orderId": "ORD-0999"})).await.status, 404);
    assert_eq!(client.op("trace.list", json!({"limit": 0})).await.status, 400);
    server.stop().await;
}

#[tokio::test]
async fn a_store_of_nothing_records_nothing_and_the_event_log_still_tells_the_way() {
    let (server, client) = server(&[("BSS_TRACE_STORE_MB", "0")]).await;
    let (_, order) = sign_up(&client, "4242424242424242", "completed").await;
    let summary = client.op("trace.for_order", json!({"orderId": order})).await.ok();
    let trace = client.op("trace.get", json!({"traceId": summary["traceId"]})).await.ok();
    assert!(names(&trace).contains("order.completed"), "{trace}");
    let spans = trace["spans"].as_array().expect("spans");
    assert!(spans.iter().all(|span| span["kind"] == "event" && span["tookUs"] == 0), "{trace}");
    assert_eq!(client.op("trace.list", json!({})).await.ok(), json!([]));
    server.stop().await;
}

#[tokio::test]
async fn old_and_surplus_traces_are_forgotten() {
    let (server, client) = server(&[("BSS_TRACE_STORE_MB", "1"), ("BSS_TRACE_RETENTION_HOURS", "1")]).await;
    let arguments = json!({"name": "Ada Lovelace", "email": "ada@example.test"});
    client.op("customer.create", arguments).await.ok();
    until(&client, "trace.list", json!({}), |list| list[0]["name"] == "customer.create").await;
    let pool = server.installation().pool().await;
    // Two hours old, and then more than a megabyte in the last minutes.
    sqlx::query(
        "insert into audit.trace_segment (trace_id, origin, module, name, started_at, took_us, failed, spans, bytes)
         select md5(n::text), true, 'api', case when n <= 5 then 'old' else 'surplus' end,
                now() - case when n <= 5 then interval '2 hours' else interval '1 minute' end, 1, false, '[]', 10000
         from generate_series(1, 305) n",
    )
    .execute(&pool)
    .await
    .expect("rows as the writer writes them");
    client.op("worker.tick", json!({"name": "traces"})).await.ok();
    let (left, bytes): (i64, i64) = sqlx::query_as("select count(*), sum(bytes)::bigint from audit.trace_segment")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert!(bytes <= 1024 * 1024 && left > 90, "{left} rows, {bytes} bytes");
    let old: i64 = sqlx::query_scalar("select count(*) from audit.trace_segment where name = 'old'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(old, 0);
    server.stop().await;
}
