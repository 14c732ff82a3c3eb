//! Every named crash point, each reached for the first, second and third time: the process dies there under load, starts
//! again, and the driver's log, the gateway's record and the books agree.

use std::os::unix::process::ExitStatusExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bss::platform::crash;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::json;

use crate::kill::seed;
use crate::support::books::{self, Figures};
use crate::support::cluster;
use crate::support::driver::{CODE, Driver, Mix, Plan, VISA};
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// The hits of each point.
const HITS: std::ops::RangeInclusive<u32> = 1..=3;

/// How long the load may take to reach a point.
const REACHED_WITHIN: Duration = Duration::from_secs(40);

/// What is promised after a crash.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);

/// Servers at once: most of the time they wait for the leases of the dead.
const AT_ONCE: usize = 6;

/// What is asked of the server so that `point` is reached soon.
fn mix(point: &str) -> Mix {
    let some = Mix { sign_up: 2, usage: 2, top_up: 2, renew: 2, refund: 0, terminate: 0 };
    match point.split('.').next() {
        Some("order") if point.starts_with("order.top_up") => Mix { top_up: 8, ..some },
        Some("order") if point.starts_with("order.change") => Mix { sign_up: 6, terminate: 8, ..some },
        Some("order" | "provisioning") => Mix { sign_up: 8, ..some },
        Some("renewal") => Mix { renew: 8, ..some },
        Some("vas") => Mix { top_up: 8, ..some },
        Some("usage") => Mix { usage: 8, ..some },
        Some("payment") if point.starts_with("payment.refund") => Mix { sign_up: 6, refund: 6, ..some },
        _ => some,
    }
}

struct Recovered {
    point: &'static str,
    hit: u32,
    seconds: f64,
    figures: Figures,
}

async fn crash_at(point: &'static str, hit: u32, seed: u64) -> Recovered {
    let url = cluster::database().await;
    let installation = Arc::new(Installation::on(url.clone()));
    let mut server = ServerProcess::prepare(&installation, &[]);
    server.spawn(&[("BSS_CRASH_POINT", &format!("{point}:{hit}"))]);
    server.ready().await;
    // Sign-ups claim it.
    let promotion = json!({"promotionId": "PROMO_LOAD", "discountType": "percent", "discountValue": "20",
        "durationKind": "multi", "periodsTotal": 3, "code": CODE, "promoCodeKind": "multi_use"});
    server.client().op("promo.create", promotion).await.ok();
    let plan = Plan { seed, actors: 3, mix: mix(point), cards: &[VISA], clock: None, sabotage: None };
    let driver = Driver::start(server.client(), plan, &installation.file("acknowledged.jsonl"));
    let status = server.end_within(REACHED_WITHIN).await;
    let status =
        status.unwrap_or_else(|| panic!("{point} was not reached for the {hit}th time within {REACHED_WITHIN:?}"));
    assert_eq!(status.signal(), Some(nix::libc::SIGABRT), "{point}:{hit}: {}", server.log_tail());
    assert!(server.log().contains("crash point reached"), "{point}:{hit}: {}", server.log_tail());

    let restarted = Instant::now();
    server.restart().await;
    let (log, traffic) = driver.stop().await;
    let pool = installation.pool().await;
    books::settled_within(&pool, RECOVERS_WITHIN.saturating_sub(restarted.elapsed())).await;
    let seconds = restarted.elapsed().as_secs_f64();
    let figures = books::reckon(&pool, &server.client(), &log).await;
    assert!(traffic.faults.is_empty(), "{point}:{hit}: {:#?}", traffic.faults);
    pool.close().await;
    server.stop().await;
    cluster::discard(&url).await;
    Recovered { point, hit, seconds, figures }
}

#[tokio::test]
async fn dying_at_any_crash_point_loses_and_doubles_nothing() {
    let seed = seed();
    println!("fail points: {} points, seed {seed}", crash::POINTS.len());
    assert!(crash::POINTS.len() >= 20, "a point before and after every commit and outside call");
    // Sets come with sweeps, which this load has none of: `set_points` visits theirs.
    let alone = crash::POINTS.iter().filter(|point| !point.contains("_set."));
    let cases = alone.flat_map(|point| HITS.map(move |hit| (*point, hit)));
    let started = Instant::now();
    // One that fails does not take the others along, and is named.
    let crash = async |(point, hit): (&'static str, u32)| {
        AssertUnwindSafe(crash_at(point, hit, seed)).catch_unwind().await.map_err(|_| format!("{point}:{hit}"))
    };
    let outcomes: Vec<_> = futures::stream::iter(cases).map(crash).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(failed.is_empty(), "failed at {failed:?}");
    let recovered: Vec<Recovered> = outcomes.into_iter().flatten().collect();
    let slowest = recovered.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds)).expect("there are points");
    let charges: usize = recovered.iter().map(|case| case.figures.gateway_charges).sum();
    println!(
        "{} crashes at {} points in {:.0} s: slowest recovery {:.1} s ({}:{}), {charges} charges, each made once",
        recovered.len(),
        crash::POINTS.len(),
        started.elapsed().as_secs_f64(),
        slowest.seconds,
        slowest.point,
        slowest.hit
    );
}
