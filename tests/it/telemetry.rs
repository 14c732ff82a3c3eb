//! What leaves the process for those who watch it: spans, over OTLP, to a real collector socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::support::client::Client;
use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// Batches leave every few seconds, and when the process stops.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes exports and answers "thank you"; hands out the path and the body of each.
async fn collect(listener: TcpListener, exports: mpsc::UnboundedSender<(String, Vec<u8>)>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, exports.clone()));
    }
}

async fn serve(mut stream: TcpStream, exports: mpsc::UnboundedSender<(String, Vec<u8>)>) {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        while bytes.len() < head + length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let rest = bytes.split_off(head + length);
        exports.send((path, bytes.split_off(head))).ok();
        bytes = rest;
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn spans_reach_a_collector_and_hold_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let (sender, mut exports) = mpsc::unbounded_channel();
    tokio::spawn(collect(listener, sender));

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
