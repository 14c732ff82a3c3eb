//! The built-in trace store: an order is one trace, hot paths leave none, and what is stored is bounded and harmless.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster;
use crate::support::collector::Collector;
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

/// What a step is, and below what it hangs.
fn tree(trace: &Value) -> BTreeSet<String> {
    let spans = trace["spans"].as_array().expect("spans");
    let shown = |span: &Value| {
        let parent = span["parentId"].as_u64().and_then(|parent| spans.get(usize::try_from(parent).ok()?));
        let parent = parent.map_or("nothing", |parent| parent["name"].as_str().expect("a name"));
        format!("{} {} {} of {parent} by {}", span["kind"], span["module"], span["name"], span["serviceIdentity"])
    };
    spans.iter().map(shown).collect()
}

/// Exports leave soon, and every request has a span of its own around what is traced, or none.
fn watched<'a>(collector: &'a Collector, log_level: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("BSS_OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        ("BSS_JAEGER_UI_URL", &collector.endpoint),
        ("BSS_LOG_LEVEL", log_level),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ]
}

#[tokio::test]
async fn jaeger_tells_the_same_of_an_order_as_the_store() {
    for log_level in ["info", "warn"] {
        let collector = Collector::new().await;
        let (server, client) = server(&watched(&collector, log_level)).await;
        let (_, order) = sign_up(&client, "4242424242424242", "completed").await;
        let at = |source: &str| json!({"orderId": order, "source": source});
        let kept = until(&client, "trace.for_order", at("store"), |trace| trace["source"] == "store").await;
        let by_id = |source: &str| json!({"traceId": kept["traceId"], "source": source});
        // Both are told later, each in its own time.
        let started = Instant::now();
        let (store, jaeger) = loop {
            let (store, jaeger) = (client.op("trace.get", by_id("store")), client.op("trace.get", by_id("jaeger")));
            let (store, jaeger) = (store.await.ok(), jaeger.await.ok());
            // The last of all is that the customer was told.
            let told =
                STEPS.iter().chain(&["crm.send_message", "communication.message_sent", "com.complete_on_activation"]);
            let is_whole =
                told.into_iter().all(|step| names(&store).contains(step)) && roots(&store) == ["order.create"];
            let is_same = jaeger["source"] == "jaeger" && tree(&jaeger) == tree(&store);
            if (is_whole && is_same) || started.elapsed() > PATIENCE {
                break (store, jaeger);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(tree(&jaeger), tree(&store), "with the log level {log_level}");
        assert_eq!(jaeger["services"], store["services"]);
        assert_eq!(jaeger["errorSpanCount"], 0);

        let summary = client.op("trace.for_order", json!({"orderId": order})).await.ok();
        assert_eq!((&summary["source"], &summary["traceId"]), (&json!("jaeger"), &kept["traceId"]));
        let listed =
            until(&client, "trace.list", json!({}), |list| list.as_array().is_some_and(|l| l.len() == 3)).await;
        let begun: Vec<_> = listed.as_array().expect("a list").iter().map(|trace| &trace["name"]).collect();
        assert_eq!(begun, ["order.create", "payment.add_card", "customer.create"]);
        assert_eq!(listed[0]["traceId"], kept["traceId"]);
        let second = json!({"before": listed[0]["position"], "limit": 1});
        assert_eq!(client.op("trace.list", second).await.ok()[0]["name"], "payment.add_card");
        assert_eq!(client.op("trace.list", json!({"failed": true})).await.ok(), json!([]));
        let services = client.op("trace.services", json!({})).await.ok();
        assert_eq!(services, client.op("trace.services", json!({"source": "store"})).await.ok());
        server.stop().await;
    }
}

#[tokio::test]
async fn what_failed_is_found_in_jaeger() {
    let collector = Collector::new().await;
    let (server, client) = server(&watched(&collector, "info")).await;
    let fault = json!({"taskType": "HLR_PROVISION", "faultType": "fail_first_attempt", "enabled": true});
    client.op("provisioning.set_fault_injection", fault).await.ok();
    let (_, order) = sign_up(&client, "4242424242424242", "completed").await;
    let failed = until(&client, "trace.list", json!({"failed": true}), |list| list[0]["failed"] == true).await;
    assert_eq!((failed.as_array().map(Vec::len), &failed[0]["name"]), (Some(1), &json!("order.create")), "{failed}");
    let summary = client.op("trace.for_order", json!({"orderId": order})).await.ok();
    assert_eq!(summary["traceId"], failed[0]["traceId"]);
    let before = json!({"failed": true, "before": failed[0]["position"]});
    assert_eq!(client.op("trace.list", before).await.ok(), json!([]));
    server.stop().await;
}

#[tokio::test]
async fn who_has_a_trace_finds_what_it_caused_below_its_own_span() {
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    for (log_level, outermost) in [("info", "POST /ops/v1/{name}"), ("warn", "customer.create")] {
        let collector = Collector::new().await;
        let (server, client) = server(&watched(&collector, log_level)).await;
        let answer = Client::plain()
            .post(format!("{}/ops/v1/customer.create", server.url()))
            .header("x-bss-api-token", "a1".repeat(32))
            .header("x-request-id", "call of +6590001111")
            .header("traceparent", format!("00-{trace}-{span}-01"))
            .json(&json!({"name": "Grace Hopper", "email": "grace@example.test"}))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        let jaeger = |trace: &Value| trace["source"] == "jaeger" && names(trace).contains("crm.tell_welcome");
        let told = until(&client, "trace.get", json!({"traceId": trace}), jaeger).await;
        assert_eq!(told["name"], "customer.create");
        let raw: Value = Client::plain()
            .get(format!("{}/api/traces/{trace}", collector.endpoint))
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("a trace");
        let spans = raw["data"][0]["spans"].as_array().expect("spans");
        let outermost = spans.iter().find(|span| span["operationName"] == outermost).expect("the request");
        assert_eq!(outermost["references"][0]["spanID"], span, "{raw}");
        assert!(!raw.to_string().contains("90001111"), "what a caller calls its request may be anything: {raw}");
        server.stop().await;
    }
}

#[tokio::test]
async fn without_an_answer_of_jaeger_that_is_said_and_the_store_still_tells() {
    // It takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = crate::support::server::free_address();
    for (address, fault) in [(nobody, "no connection"), (silent.local_addr().expect("bound"), "did not answer")] {
        let url = format!("http://{address}");
        let (server, client) = server(&[("BSS_JAEGER_UI_URL", &url)]).await;
        let (_, order) = sign_up(&client, "4242424242424242", "completed").await;
        let refused = client.op("trace.for_order", json!({"orderId": order})).await;
        let error = &refused.body["context"]["error"];
        assert_eq!((refused.status.as_u16(), error), (503, &json!("JAEGER_ERROR")), "{}", refused.body);
        let message = refused.body["message"].as_str().expect("a message");
        assert!(message.contains(fault) && message.contains("BSS_JAEGER_UI_URL"), "{message}");
        assert!(!message.contains(&url), "where it stands is for the log: {message}");
        assert!(server.log().contains(&url));
        let kept = json!({"orderId": order, "source": "store"});
        until(&client, "trace.for_order", kept, |trace| trace["source"] == "store").await;
        server.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_jaeger_is_not_taken_for_an_empty_one() {
    let collector = Collector::new().await;
    let url = format!("{}/elsewhere", collector.endpoint);
    let (server, client) = server(&[("BSS_JAEGER_UI_URL", &url)]).await;
    let refused = client.op("trace.list", json!({})).await;
    assert_eq!(refused.status.as_u16(), 503, "{}", refused.body);
    server.stop().await;
}

#[tokio::test]
async fn a_trace_that_jaeger_does_not_have_is_told_from_here() {
    let collector = Collector::new().await;
    let url = &collector.endpoint;
    let (server, client) = server(&[("BSS_JAEGER_UI_URL", url)]).await;
    let (_, order) = sign_up(&client, "4242424242424242", "completed").await;
    until(&client, "trace.for_order", json!({"orderId": order}), |trace| trace["source"] == "store").await;
    assert_eq!(client.op("trace.list", json!({})).await.ok(), json!([]), "Jaeger has none");
    server.stop().await;
    let (server, client) = self::server(&[]).await;
    let refused = client.op("trace.list", json!({"source": "jaeger"})).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    server.stop().await;
}
