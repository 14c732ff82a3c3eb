//! The kill test: the server is killed at random moments under load, and afterwards everything that it ever acknowledged is
//! there, exactly once.
//!
//! `BSS_TEST_KILLS` says how often (20 by default), `BSS_TEST_SEED` repeats a run's choices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use crate::support::books;
use crate::support::client::Client;
use crate::support::driver::{ALL_CARDS, Driver, Mix, Plan};
use crate::support::installation::Installation;
use crate::support::record;
use crate::support::server::ServerProcess;

/// What is promised after a crash.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "knobs of the test")]
fn knob(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}")))
}

/// The seed of this run: given, else new each time.
pub(crate) fn seed() -> u64 {
    knob("BSS_TEST_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000))
}

/// Numbers and profiles for more customers than the reference data has.
pub(crate) async fn enlarge_pools(client: &Client) {
    client.op("inventory.msisdn.add_range", json!({"prefix": "9100", "count": 9_999})).await.ok();
    client.op("inventory.esim.add_batch", json!({"count": 9_999})).await.ok();
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_by_kills() {
    let kills = knob("BSS_TEST_KILLS").unwrap_or(20);
    let seed = seed();
    println!("kill test: {kills} kills, seed {seed}");
    let installation = Arc::new(Installation::private());
    let mut server = ServerProcess::start(&installation, &[]).await;
    enlarge_pools(&server.client()).await;
    // A year of product time is spread over a run of any length; cards expire later.
    let plan = Plan {
        seed,
        actors: 12,
        mix: Mix::default(),
        cards: ALL_CARDS,
        clock: Some((Duration::from_secs(2), "10d")),
        sabotage: Some(Duration::from_secs(2)),
    };
    let driver = Driver::start(server.client(), plan, &installation.file("acknowledged.jsonl"));

    let mut random = StdRng::seed_from_u64(seed);
    let (mut before_ready, mut slowest_start) = (0, Duration::ZERO);
    for _ in 0..kills {
        // Some kills hit the start itself.
        let alive = Duration::from_millis(random.random_range(100..6_000));
        let started = Instant::now();
        match tokio::time::timeout(alive, server.ready_or_dead()).await {
            Ok(None) => {
                slowest_start = slowest_start.max(started.elapsed());
                tokio::time::sleep(alive.saturating_sub(started.elapsed())).await;
            }
            Ok(Some(status)) => panic!("the server ended by itself ({status}): {}", server.log_tail()),
            Err(_) => before_ready += 1,
        }
        server.kill9();
        server.spawn(&[]);
    }
    let restarted = Instant::now();
    server.ready().await;
    driver.until_it_flows(|| server.log_tail()).await;
    let (log, traffic) = driver.stop().await;
    let pool = installation.pool().await;
    books::settled_within(&pool, RECOVERS_WITHIN.saturating_sub(restarted.elapsed())).await;
    let recovery = restarted.elapsed();
    let figures = books::reckon(&pool, &server.client(), &log).await;
    verify_by_command(&server);
    println!(
        "{kills} kills ({before_ready} of them during a start), seed {seed}: {figures}; {} answers acknowledged, {} requests lost; \
         recovered in {:.1} s, slowest start {:.1} s, statuses {:?}",
        log.len(),
        traffic.lost,
        recovery.as_secs_f64(),
        slowest_start.as_secs_f64(),
        traffic.statuses
    );
    assert!(traffic.faults.is_empty(), "{:#?}", traffic.faults);
    figures.assert_flowed();
    pool.close().await;
    server.stop().await;
}

/// `bss audit verify` says so, too.
fn verify_by_command(server: &ServerProcess) {
    let verified = record::bss(["audit", "verify"])
        .env_clear()
        .env("BSS_URL", server.url())
        .env("BSS_DATA_DIR", server.installation().data_dir())
        .output()
        .expect("bss is built");
    assert!(
        verified.status.success(),
        "{}{}",
        String::from_utf8_lossy(&verified.stdout),
        String::from_utf8_lossy(&verified.stderr)
    );
}
