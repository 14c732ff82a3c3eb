//! Secrets are planted in every place where a caller may put them, the hero stories run, and then everything that the product
//! writes for others is searched: logs at their most talkative, exported and stored traces, events, deliveries, every column of
//! every table, metrics, and whatever was answered.

mod columns;
mod planted;

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster;
use crate::support::collector::Collector;
use crate::support::installation::Installation;
use crate::support::raw::Request;
use crate::support::record;
use crate::support::server::ServerProcess;
use planted::{ATTESTATION, CARDS, DOCUMENT, Planted, WRONG_TOKEN};

/// Batches of spans leave every few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Operations whose very purpose is to tell an activation code or a whole ICCID; their answers are not searched.
const TELLING: &[&str] = &["subscription.get_esim_activation", "inventory.esim.get"];

/// A caller who remembers everything that was answered.
struct Witness {
    client: Client,
    address: String,
    heard: Vec<(String, String)>,
}

impl Witness {
    async fn op(&mut self, name: &str, arguments: Value) -> Value {
        let answer = self.client.op(name, arguments).await;
        if !TELLING.contains(&name) {
            let headers: Vec<String> =
                answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            self.heard.push((format!("the answer of {name}"), format!("{}\n{}", headers.join("\n"), answer.body)));
        }
        answer.body
    }

    async fn send(&mut self, what: &str, request: Request) -> u16 {
        let answer = request.send(&self.address).await;
        self.heard.push((format!("the answer to {what}"), String::from_utf8_lossy(&answer.body).into_owned()));
        answer.status
    }
}

/// A customer with this card, a document, and an order; answers the line's id when the order came to one.
async fn sign_up(witness: &mut Witness, number: usize, card: &str) -> Option<String> {
    let mail = format!("canary-{number}@example.test");
    let customer = witness.op("customer.create", json!({"name": "Ada Lovelace", "email": mail})).await["id"].clone();
    let document = format!("{DOCUMENT}{number}");
    let attested = json!({"customerId": customer, "attestationToken": ATTESTATION, "documentNumber": document,
        "documentType": "passport"});
    witness.op("customer.attest_kyc", attested.clone()).await;
    witness.op("payment.add_card", json!({"customerId": customer, "cardNumber": card})).await;
    let ordered = witness.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_S"})).await;
    for state in ["completed", "failed"] {
        let wish = json!({"orderId": ordered["id"], "state": state, "timeoutSeconds": 20});
        witness.op("order.wait_until", wish).await;
    }
    let lines = witness.op("subscription.list_for_customer", json!({"customerId": customer})).await;
    Some(lines[0].clone())
        .filter(|line| line["state"] == "active")
        .and_then(|line| line["id"].as_str().map(str::to_owned))
}

/// What happens to a line until it is gone: use, top-up, block, another plan, renewal, the end.
async fn live(witness: &mut Witness, line: &str) {
    let id = json!({"subscriptionId": line});
    let esim = witness.op("subscription.get_esim_activation", id.clone()).await;
    witness.op("inventory.esim.get", json!({"iccid": esim["iccid"]})).await;
    let view = witness.op("subscription.get", id.clone()).await;
    let used = json!({"msisdn": view["msisdn"], "eventType": "data", "quantity": 6_000});
    witness.op("usage.simulate", used.clone()).await;
    witness.op("usage.simulate", used).await;
    witness.op("subscription.purchase_vas", json!({"subscriptionId": line, "vasOfferingId": "VAS_DATA_1GB"})).await;
    witness.op("subscription.block", json!({"subscriptionId": line, "reason": "requested", "note": "lost"})).await;
    witness.op("subscription.unblock", json!({"subscriptionId": line, "note": "found"})).await;
    witness.op("subscription.schedule_plan_change", json!({"subscriptionId": line, "newOfferingId": "PLAN_L"})).await;
    witness.op("subscription.renew_now", id.clone()).await;
    witness.op("subscription.timeline", id.clone()).await;
    witness.op("subscription.terminate", json!({"subscriptionId": line, "reason": "customer_requested"})).await;
    for list in ["service.list_for_subscription", "subscription.history", "subscription.get"] {
        witness.op(list, id.clone()).await;
    }
}

/// Secrets where they do not belong: wrong fields, broken bodies, paths, queries, headers.
async fn misplaced(witness: &mut Witness, planted: &Planted) {
    let card = CARDS[0];
    let (iccid, code) = (planted.iccid(), planted.activation_code());
    let token = |request: Request| request.authenticated().header("Content-Type", "application/json");
    for secret in [card, DOCUMENT, iccid, code, ATTESTATION] {
        for (operation, member) in [
            ("payment.add_card", "cardNumber"),
            ("payment.add_card", "expMonth"),
            ("payment.add_card", "customerId"),
            ("customer.attest_kyc", "documentNumber"),
            ("customer.attest_kyc", "documentType"),
            ("customer.attest_kyc", "dateOfBirth"),
            ("subscription.get", "subscriptionId"),
            ("order.create", "offeringId"),
        ] {
            let mut body = json!({"customerId": "CUST-000000000000", "attestationToken": "x"});
            body[member] = json!(secret);
            let post = Request::new(Method::POST, format!("/ops/v1/{operation}"));
            witness.send(&format!("{operation} with a secret as {member}"), token(post).body(body.to_string())).await;
        }
        let broken = format!("{{\"customerId\": \"CUST-000000000000\", \"cardNumber\": {secret}");
        let post = Request::new(Method::POST, "/ops/v1/payment.add_card");
        witness.send("a body that is cut off after a secret", token(post).body(broken)).await;
    }
    for secret in [card, iccid] {
        for path in ["/tmf-api/paymentMethod/v4/paymentMethod", "/tmf-api/resourceInventoryManagement/v4/resource"] {
            let with_path = Request::new(Method::GET, format!("{path}/{secret}"));
            witness.send("a secret in a path", with_path.clone().authenticated()).await;
            witness.send("a secret in a path of nobody", with_path).await;
            let with_query = Request::new(Method::GET, format!("{path}?id={secret}")).authenticated();
            witness.send("a secret in a query", with_query).await;
        }
    }
    let wrong = Request::new(Method::GET, "/ops/v1").header("X-BSS-API-Token", WRONG_TOKEN);
    assert_eq!(witness.send("a wrong token", wrong).await, 401);
    let bearer = Request::new(Method::GET, "/ops/v1").header("Authorization", format!("Bearer {WRONG_TOKEN}"));
    assert_eq!(witness.send("a wrong bearer", bearer).await, 401);
}

/// Runs the hero stories as an operator does; answers what was printed.
fn heroes(server: &ServerProcess) -> String {
    let output = record::bss([
        "scenario",
        "run-all",
        concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"),
        "--tag",
        "hero",
        "-o",
        "json",
    ])
    .env_clear()
    .env("BSS_URL", server.url())
    .env("BSS_API_TOKEN", "a1".repeat(32))
    .env("BSS_PORTAL_SELF_SERVE_API_TOKEN", "b2".repeat(32))
    .stdin(Stdio::null())
    .output()
    .expect("bss is built");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "a hero story failed: {said}\n{}", server.log_tail());
    said
}

#[tokio::test]
async fn planted_secrets_appear_nowhere() {
    let Collector { endpoint, mut exports } = Collector::new().await;
    let installation = Arc::new(Installation::on(cluster::database().await));
    let environment = [
        ("BSS_LOG_LEVEL", "trace"),
        ("BSS_OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("BSS_PORTAL_DEV_MAILBOX_PATH", "/dev/null"),
    ];
    let server = ServerProcess::start(&installation, &environment).await;
    let pool = installation.pool().await;
    let planted = Planted::read(&pool).await;
    let mut found = Vec::new();

    let said = heroes(&server);
    found.extend(planted.in_text("what bss scenario printed", &said));
    // The next story empties the tables: they are searched before it begins, too.
    found.extend(columns::search(&pool, &planted).await);

    let address = server.url().trim_start_matches("http://").to_owned();
    let mut witness = Witness { client: server.client(), address, heard: Vec::new() };
    let fault = json!({"taskType": "HLR_PROVISION", "faultType": "fail_first_attempt", "enabled": true});
    witness.op("provisioning.set_fault_injection", fault).await;
    let mut lines = 0;
    for (number, card) in CARDS.iter().enumerate() {
        if let Some(line) = sign_up(&mut witness, number, card).await {
            lines += 1;
            live(&mut witness, &line).await;
        }
    }
    assert!(lines >= 3, "only {lines} lines were active: {}", server.log_tail());
    misplaced(&mut witness, &planted).await;
    for list in [
        "events.list",
        "queue.status",
        "queue.parked",
        "trace.list",
        "audit.find_orphans",
        "hub.list",
        "provisioning.list_tasks",
        "payment.list_attempts",
        "inventory.esim.list_available",
    ] {
        witness.op(list, json!({})).await;
    }
    witness.send("/metrics", Request::new(Method::GET, "/metrics").authenticated()).await;
    // What a process has done is stored and exported a moment later.
    let started = Instant::now();
    while segments(&pool).await == 0 {
        assert!(started.elapsed() < PATIENCE, "no trace was stored");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (what, text) in &witness.heard {
        found.extend(planted.in_text(what, text));
    }
    found.extend(columns::search(&pool, &planted).await);
    pool.close().await;
    let log = stopped(server).await;
    assert!(log.contains("\"level\":\"trace\"") || log.contains("\"level\":\"debug\""), "the log is talkative");
    for line in log.lines() {
        found.extend(planted.in_text("the log", line));
    }
    let mut bytes = 0;
    while let Ok((_, export)) = exports.try_recv() {
        bytes += export.len();
        found.extend(planted.in_text("an exported trace", &String::from_utf8_lossy(&export)));
    }
    assert!(bytes > 10_000, "only {bytes} bytes of spans were exported");
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
}

async fn segments(pool: &sqlx::PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from audit.trace_segment").fetch_one(pool).await.expect("a count")
}

/// Stops the server, which sends its last spans, and answers everything that it said.
async fn stopped(mut server: ServerProcess) -> String {
    server.terminate().await;
    server.log()
}
