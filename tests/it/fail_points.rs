//! Every named crash point, each reached for the first, second and third time: the process dies there under load, starts
//! again, and the driver's log, the gateway's record and the books agree.
//!
//! What the workers commit is named after the subscriber whose delivery it was, and every subscriber of the domains that
//! move orders, money and lines is visited. What no load leads to is led to by hand (`by_hand`).

mod by_hand;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bss::app::compose;
use bss::platform::crash;
use bss::platform::delivery::Kind;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::json;

use crate::fail_points::by_hand::{Hand, Scene};
use crate::kill::seed;
use crate::support::books::{self, Figures};
use crate::support::cluster;
use crate::support::driver::{CODE, DECLINED, Driver, Mix, Plan, VISA};
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// The hits of each point.
const HITS: std::ops::RangeInclusive<u32> = 1..=3;

/// How long the load may take to reach a point; what the dead have leased is waited for.
const REACHED_WITHIN: Duration = Duration::from_secs(60);

/// What is promised after a crash.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);

/// Servers at once: some of the time they wait for the leases of the dead.
const AT_ONCE: usize = 6;

/// More than die with one process, so that others go on meanwhile.
const ACTORS: u64 = 6;

/// The domains whose subscribers are visited, each of them.
const DOMAINS: [&str; 6] = ["com.", "payment.", "subscription.", "som.", "provisioning.", "mediation."];

/// What leads to a crash point.
enum Way {
    Load(Mix, &'static [&'static str]),
    ByHand(Scene),
}

/// The way to the points of `subject`: the first steps of their names, or the subscriber whose delivery it is.
fn way(subject: &str) -> Way {
    let some = Mix { sign_up: 2, usage: 2, top_up: 2, renew: 2, refund: 0, terminate: 0 };
    let load = |mix| Way::Load(mix, &[VISA]);
    if let Some(scene) = Scene::of(subject) {
        return Way::ByHand(scene);
    }
    match subject {
        "consumer" | "effect" | "communication.send" => load(some),
        "order.create" | "order.submit" | "order.claim" | "provisioning.task" | "payment.card" | "payment.charge" => {
            load(Mix { sign_up: 8, ..some })
        }
        "som.decompose"
        | "som.note_completed_task"
        | "som.link_line"
        | "com.book_line"
        | "com.complete_on_activation"
        | "subscription.apply_payment"
        | "provisioning.run_task" => load(Mix { sign_up: 8, ..some }),
        "som.withdraw_failed_order" | "com.fail_on_activation" | "subscription.apply_decline" => {
            Way::Load(Mix { sign_up: 8, ..some }, &[VISA, DECLINED, DECLINED])
        }
        "order.top_up" | "vas.begin" | "com.carry_out_change" | "com.end_on_top_up" => load(Mix { top_up: 8, ..some }),
        "order.change" | "som.cease_line" => load(Mix { sign_up: 6, terminate: 8, ..some }),
        // A batch is more than plain where a line is used up.
        "usage.batch" | "subscription.note_exhaustion" | "som.suspend_line" | "som.resume_line" => {
            // One line for each actor, which is used up, topped up and used up again.
            load(Mix { sign_up: 0, usage: 30, top_up: 3, renew: 0, refund: 0, terminate: 0 })
        }
        "renewal.begin" => load(Mix { renew: 8, ..some }),
        "usage.at_once" => load(Mix { usage: 8, ..some }),
        "payment.refund" | "payment.refund_wish" => load(Mix { sign_up: 6, refund: 6, ..some }),
        _ => panic!("say in this test what leads to {subject}"),
    }
}

/// Every place to die at, by subject. Sets come with sweeps, which this load has none of: `set_points` visits theirs.
fn places() -> BTreeMap<String, Vec<String>> {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for point in crash::POINTS.iter().filter(|point| !point.contains("_set.")) {
        let (subject, _) = point.rsplit_once('.').expect("a point is of something");
        places.entry(subject.to_owned()).or_default().push((*point).to_owned());
    }
    let subscribers = compose::subscribers();
    let ours = subscribers.all().filter(|subscriber| DOMAINS.iter().any(|domain| subscriber.name.starts_with(domain)));
    for subscriber in ours {
        let points = match subscriber.kind {
            Kind::Consumer => ["consumer.before_commit", "consumer.after_commit"],
            Kind::Effect => ["effect.before_done", "effect.after_done"],
            Kind::Hub | Kind::Message => panic!("{} is in another lane: how does it commit?", subscriber.name),
        };
        let named = points.map(|point| format!("{point}@{}", subscriber.name));
        places.entry(subscriber.name.to_owned()).or_default().extend(named);
    }
    places
}

struct Recovered {
    subject: String,
    deaths: usize,
    seconds: f64,
    figures: Figures,
}

/// Dies at each place, for each hit, one death after the other; then recovers from them all.
async fn die_at(subject: String, places: Vec<String>, seed: u64) -> Recovered {
    let url = cluster::database().await;
    let installation = Arc::new(Installation::on(url.clone()));
    let mut server = ServerProcess::prepare(&installation, &[]);
    let deaths: Vec<String> = HITS.flat_map(|hit| places.iter().map(move |place| format!("{place}:{hit}"))).collect();
    let (seconds, figures) = match way(&subject) {
        Way::Load(mix, cards) => {
            server.restart().await;
            // Sign-ups claim it.
            let promotion = json!({"promotionId": "PROMO_LOAD", "discountType": "percent", "discountValue": "20",
                "durationKind": "multi", "periodsTotal": 3, "code": CODE, "promoCodeKind": "multi_use"});
            server.client().op("promo.create", promotion).await.ok();
            let plan = Plan { seed, actors: ACTORS, mix, cards, clock: None, sabotage: None };
            server.terminate().await;
            let driver = Driver::start(server.client(), plan, &installation.file("acknowledged.jsonl"));
            for death in &deaths {
                server.spawn(&[("BSS_CRASH_POINT", death)]);
                dies(&mut server, death).await;
            }
            let restarted = Instant::now();
            server.restart().await;
            let (log, traffic) = driver.stop().await;
            let pool = installation.pool().await;
            books::settled_within(&pool, RECOVERS_WITHIN.saturating_sub(restarted.elapsed())).await;
            let seconds = restarted.elapsed().as_secs_f64();
            let figures = books::reckon(&pool, &server.client(), &log).await;
            assert!(traffic.faults.is_empty(), "{subject}: {:#?}", traffic.faults);
            pool.close().await;
            (seconds, figures)
        }
        Way::ByHand(scene) => {
            server.restart().await;
            let hand = Hand::new(server.client(), installation.pool().await);
            hand.set(scene).await;
            server.terminate().await;
            for death in &deaths {
                server.spawn(&[("BSS_CRASH_POINT", death)]);
                tokio::select! {
                    () = dies(&mut server, death) => {}
                    () = hand.play(scene) => unreachable!("it never ends"),
                }
            }
            let restarted = Instant::now();
            server.restart().await;
            hand.clear_up(scene).await;
            books::settled_within(&hand.pool, RECOVERS_WITHIN.saturating_sub(restarted.elapsed())).await;
            let seconds = restarted.elapsed().as_secs_f64();
            let figures = books::balanced(&hand.pool, &server.client()).await;
            hand.pool.close().await;
            (seconds, figures)
        }
    };
    server.stop().await;
    cluster::discard(&url).await;
    Recovered { subject, deaths: deaths.len(), seconds, figures }
}

/// Waits until the process has died where it was to.
async fn dies(server: &mut ServerProcess, death: &str) {
    let status = server.end_within(REACHED_WITHIN).await;
    let status =
        status.unwrap_or_else(|| panic!("{death} was not reached within {REACHED_WITHIN:?}: {}", server.log_tail()));
    assert_eq!(status.signal(), Some(nix::libc::SIGABRT), "{death}: {}", server.log_tail());
    assert!(server.log_tail().contains("crash point reached"), "{death}: {}", server.log_tail());
}

#[tokio::test]
async fn dying_at_any_crash_point_loses_and_doubles_nothing() {
    let seed = seed();
    let places = places();
    println!("fail points: {} places of {} subjects, seed {seed}", places.values().flatten().count(), places.len());
    assert!(places.len() >= 40, "a point before and after every commit and outside call, of every subscriber");
    let started = Instant::now();
    // One that fails does not take the others along, and is named.
    let die = async |(subject, places): (String, Vec<String>)| {
        let died = AssertUnwindSafe(die_at(subject.clone(), places, seed)).catch_unwind();
        died.await.map_err(|_| subject)
    };
    let outcomes: Vec<_> = futures::stream::iter(places).map(die).buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(failed.is_empty(), "failed at {failed:?}");
    let recovered: Vec<Recovered> = outcomes.into_iter().flatten().collect();
    let slowest = recovered.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds)).expect("there are points");
    let charges: usize = recovered.iter().map(|case| case.figures.gateway_charges).sum();
    println!(
        "{} deaths at the points of {} subjects in {:.0} s: slowest recovery {:.1} s ({}), {charges} charges, each made once",
        recovered.iter().map(|case| case.deaths).sum::<usize>(),
        recovered.len(),
        started.elapsed().as_secs_f64(),
        slowest.seconds,
        slowest.subject,
    );
}
