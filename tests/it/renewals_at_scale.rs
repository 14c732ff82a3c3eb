//! Many lines due at once, two servers at work on them, one killed in the middle: each line is charged once, begins one
//! period and is told once. `BSS_TEST_RENEWALS=100000 cargo test --release --test it renewals_at_scale -- --nocapture` is the
//! run at scale, with its progress.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::books;
use crate::support::client::Client;
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// Lines of an ordinary run: several sets for each server.
const LINES: usize = 600;

/// Renewals per second, at the very least, on a busy machine.
const SLOWEST: usize = 20;

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "the size of a run is the developer's to choose")]
fn chosen_lines() -> usize {
    std::env::var("BSS_TEST_RENEWALS").map_or(LINES, |text| text.parse().expect("BSS_TEST_RENEWALS is a number"))
}

/// One line by the front door, the others as copies of it.
async fn lines(client: &Client, installation: &Installation, count: usize) {
    let customer = json!({"name": "Ada Lovelace", "email": "many@example.test"});
    let customer = client.op("customer.create", customer).await.ok()["id"].clone();
    client.op("customer.attest_kyc", json!({"customerId": customer, "attestationToken": "many"})).await.ok();
    let card = json!({"customerId": customer, "cardNumber": "4242424242424242", "expYear": 2060});
    client.op("payment.add_card", card).await.ok();
    client.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_M"})).await.ok();
    let pool = installation.pool().await;
    books::settled_within(&pool, Duration::from_secs(30)).await;
    pool.close().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/fill-lines.sh");
    let filled = Command::new(script).arg((count - 1).to_string()).arg(installation.data_dir()).output();
    let filled = filled.expect("the script is there");
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
}

async fn number(pool: &PgPool, query: &'static str) -> usize {
    let number: i64 = sqlx::query_scalar(query).fetch_one(pool).await.expect("the database answers");
    usize::try_from(number).expect("a count")
}

const RENEWED: &str = "select count(*) from subscription.period where period_index = 2";

/// Waits until `count` lines are renewed, and says every few seconds how far it is.
async fn renewed(pool: &PgPool, client: &Client, count: usize, patience: Duration) {
    let started = Instant::now();
    let mut told = Instant::now();
    loop {
        let renewed = number(pool, RENEWED).await;
        if renewed >= count {
            return;
        }
        assert!(started.elapsed() < patience, "only {renewed} of {count} lines are renewed after {patience:?}");
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let progress: Value = client.op("subscription.renewal_progress", json!({})).await.ok();
            println!("{renewed} renewed, {} due, {} under way", progress["due"], progress["underWay"]);
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn two_servers_renew_many_lines_and_one_is_killed_in_the_middle() {
    let count = chosen_lines();
    let patience = Duration::from_secs(60 + u64::try_from(count / SLOWEST).expect("seconds"));
    let installation = Arc::new(Installation::private());
    let often = [("BSS_RENEWAL_TICK_SECONDS", "1")];
    let mut first = ServerProcess::start(&installation, &often).await;
    let second = ServerProcess::start(&installation, &often).await;
    lines(&first.client(), &installation, count).await;
    let pool = installation.pool().await;
    let (before, client) = (number(&pool, "select count(*) from mock_gateway.charge").await, second.client());
    client.op("clock.advance", json!({"duration": "30d"})).await.ok();
    client.op("clock.advance", json!({"duration": "1m"})).await.ok();

    let started = Instant::now();
    renewed(&pool, &client, count / 3, patience).await;
    first.kill9();
    let at = number(&pool, RENEWED).await;
    assert!(at < count, "the first server is killed before the end: all {count} are renewed already");
    renewed(&pool, &client, count, patience).await;
    books::settled_within(&pool, patience).await;
    let took = started.elapsed();

    let progress = client.op("subscription.renewal_progress", json!({})).await.ok();
    assert_eq!(progress, json!({"due": 0, "underWay": 0, "dueSince": null}));
    assert_eq!(number(&pool, "select count(*) from subscription.period where period_index > 2").await, 0);
    assert_eq!(number(&pool, RENEWED).await, count);
    assert_eq!(number(&pool, "select count(*) from mock_gateway.charge").await, before + count);
    let told = "select count(distinct subscription_id) from crm.communication_message
                where template = 'renewal_receipt' and state = 'sent'";
    assert_eq!(number(&pool, told).await, count);
    let twice = "select count(*) from (select from crm.communication_message where template = 'renewal_receipt'
                 group by subscription_id having count(*) > 1) twice";
    assert_eq!(number(&pool, twice).await, 0);
    assert_eq!(number(&pool, "select count(*) from audit.delivery where state = 'parked'").await, 0);
    let report = client.op("audit.verify", json!({})).await.ok();
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["ok"] == true), "{report:#}");
    println!("{count} renewals over two servers, one killed after {at}: {:.1} s", took.as_secs_f64());
    pool.close().await;
    second.stop().await;
}
