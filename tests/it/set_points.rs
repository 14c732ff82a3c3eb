//! The crash points of sets: the process dies in the middle of a sweep of many lines, starts again, and each line is charged
//! once, renewed once and told once.

use std::os::unix::process::ExitStatusExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bss::platform::crash;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::json;
use sqlx::PgPool;

use crate::support::books;
use crate::support::client::Client;
use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// Lines that are due at once.
const LINES: i64 = 12;

/// How long the sweep may take to reach a point.
const REACHED_WITHIN: Duration = Duration::from_secs(40);

/// What is promised after a crash.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);

/// Each point is died at so many times.
const DEATHS: i64 = 3;

/// Servers at once: most of the time they wait for the leases of the dead.
const AT_ONCE: usize = 6;

/// Those that move money and lines, and take their deliveries in sets.
const OF_SETS: [(&str, &str); 2] = [("consumer_set.", "subscription.apply_payment"), ("effect_set.", "payment.charge")];

/// Those of sets, of whichever comes first and of each that moves money or lines, and those that a set passes as a single
/// delivery does.
fn points() -> impl Iterator<Item = String> {
    let passed = ["payment.charge.", "communication.send."];
    let points = crash::POINTS.iter().copied();
    let any =
        points.filter(move |point| point.contains("_set.") || passed.iter().any(|passed| point.starts_with(passed)));
    let named = OF_SETS.iter().flat_map(|(prefix, subscriber)| {
        let points = crash::POINTS.iter().filter(move |point| point.starts_with(prefix));
        points.map(move |point| format!("{point}@{subscriber}"))
    });
    any.map(str::to_owned).chain(named)
}

async fn sign_up(client: &Client) {
    for n in 0..LINES {
        let customer = json!({"name": "Ada Lovelace", "email": format!("set-{n}@example.test")});
        let customer = client.op("customer.create", customer).await.ok()["id"].clone();
        let attestation = json!({"customerId": customer, "attestationToken": format!("set-{n}")});
        client.op("customer.attest_kyc", attestation).await.ok();
        let card = json!({"customerId": customer, "cardNumber": "4242424242424242", "expYear": 2060});
        client.op("payment.add_card", card).await.ok();
        client.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_M"})).await.ok();
    }
}

/// Dies at the point in three sweeps, one after the other, and recovers from each.
async fn crash_at(point: &str) {
    let url = cluster::database().await;
    let installation = Arc::new(Installation::on(url.clone()));
    let mut server = ServerProcess::start(&installation, &[]).await;
    sign_up(&server.client()).await;
    let pool = installation.pool().await;
    for death in 1..=DEATHS {
        books::settled_within(&pool, RECOVERS_WITHIN).await;
        server.stop().await;
        server = ServerProcess::prepare(&installation, &[]);
        server.spawn(&[("BSS_CRASH_POINT", &format!("{point}:1"))]);
        server.ready().await;
        // Whether the answer comes before the end is all the same.
        let _ = server.client().try_op("clock.advance", &json!({"duration": "30d"}), None).await;
        let status = server.end_within(REACHED_WITHIN).await;
        let status = status.unwrap_or_else(|| panic!("{point} was not reached within {REACHED_WITHIN:?} ({death})"));
        assert_eq!(status.signal(), Some(nix::libc::SIGABRT), "{point} ({death}): {}", server.log_tail());
        recovers(&mut server, &pool, point, death).await;
    }
    pool.close().await;
    server.stop().await;
    cluster::discard(&url).await;
}

/// After the start each line has been renewed once per sweep, charged once and told once, within what is promised.
async fn recovers(server: &mut ServerProcess, pool: &PgPool, point: &str, death: i64) {
    let restarted = Instant::now();
    server.restart().await;
    let number =
        async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(pool).await.expect("a number");
    let renewed = "select count(*) from subscription.period where period_index > 1";
    while number(renewed).await < LINES * death && restarted.elapsed() < RECOVERS_WITHIN {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    books::settled_within(pool, RECOVERS_WITHIN.saturating_sub(restarted.elapsed())).await;
    assert_eq!(number(renewed).await, LINES * death, "{point} ({death})");
    let apart =
        "select max(n) - min(n) from (select count(*) as n from subscription.period group by subscription_id) lines";
    assert_eq!(number(apart).await, 0, "{point} ({death}): lines differ");
    let charged = "select count(*) from mock_gateway.charge where idempotency_key like 'renewal:%'";
    assert_eq!(number(charged).await, LINES * death, "{point} ({death})");
    let told = "select count(*) from crm.communication_message where template = 'renewal_receipt' and state = 'sent'";
    assert_eq!(number(told).await, LINES * death, "{point} ({death})");
    let parked = "select count(*) from audit.delivery where state = 'parked'";
    assert_eq!(number(parked).await, 0, "{point} ({death})");
    let report = server.client().op("audit.verify", json!({})).await.ok();
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["ok"] == true), "{point} ({death}): {report:#}");
}

#[tokio::test]
async fn dying_with_a_set_in_hand_loses_and_doubles_nothing() {
    let crash =
        async |point: String| AssertUnwindSafe(crash_at(&point)).catch_unwind().await.map_err(|_| point.clone());
    let outcomes: Vec<_> = futures::stream::iter(points()).map(crash).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(outcomes.len() >= 16 && failed.is_empty(), "failed at {failed:?}");
}
