//! What leaves the process for those who watch it: spans, over OTLP, to a real collector socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::Client;
use crate::support::cluster;
use crate::support::collector::Collector;
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// Batches leave every few seconds, and when the process stops.
const PATIENCE: Duration = Duration::from_secs(60);

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn spans_reach_a_collector_and_hold_no_secret() {
    let Collector { endpoint, mut exports } = Collector::new().await;

    let installation = Arc::new(Installation::on(cluster::database().await));
    // Requests are traced from the level info on.
    let watched = [("BSS_OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("BSS_LOG_LEVEL", "info")];
    let server = ServerProcess::start(&installation, &watched).await;
    let client = server.client();
    let arguments = json!({"name": "Ada Lovelace", "email": "ada@example.test"});
    let customer = client.op("customer.create", arguments).await.ok()["id"].clone();
    let card = json!({"customerId": customer, "cardNumber": "4242424242424242"});
    client.op("payment.add_card", card).await.ok();

    // Who has no token is logged with the address that it came from.
    let refused = Client::plain().get(format!("{}/ops/v1", server.url())).send().await.expect("an answer");
    assert_eq!(refused.status(), 401);
    let log = server.log();
    let line = log.lines().find(|line| line.contains("auth.401")).expect("a line of the refusal");
    assert!(line.contains("127.0.0.1") && line.contains("/ops/v1") && line.contains("missing"), "{line}");

    let started = Instant::now();
    let mut all = Vec::new();
    while !contains(&all, "/ops/v1/{name}") {
        let left = PATIENCE.saturating_sub(started.elapsed());
        let (path, body) = tokio::time::timeout(left, exports.recv())
            .await
            .unwrap_or_else(|_| panic!("no span of a request arrived: {}", server.log_tail()))
            .expect("the collector listens");
        assert_eq!(path, "/v1/traces");
        all.extend(body);
    }
    server.stop().await;
    while let Ok((_, body)) = exports.try_recv() {
        all.extend(body);
    }
    assert!(contains(&all, "service.name") && contains(&all, "bss.module"), "named by service and lane");
    for secret in ["4242424242424242", "a1a1a1a1", "ada@example.test", "Lovelace"] {
        assert!(!contains(&all, secret), "{secret} left the process");
    }
}
