//! The database goes away under load, and comes back: every request is answered in time, nothing is lost, and nobody has to
//! restart anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::kill::{enlarge_pools, seed};
use crate::support::books;
use crate::support::driver::{Driver, Mix, Plan, VISA};
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// How long a caller waits for an answer, whatever is wrong.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// How long the backlog may last after the database is back.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(10);

/// Answers before the outage begins: the load flows.
const WARM: usize = 60;

async fn outage(what: &str, lasts: Duration, begin: impl Fn(&Installation), end: impl Fn(&Installation)) {
    let seed = seed();
    println!("{what} for {lasts:?}, seed {seed}");
    let installation = Arc::new(Installation::private());
    let mut server = ServerProcess::start(&installation, &[]).await;
    enlarge_pools(&server.client()).await;
    let plan = Plan { seed, actors: 8, mix: Mix::default(), cards: &[VISA], clock: None, sabotage: None };
    let driver = Driver::start(server.client(), plan, &installation.file("acknowledged.jsonl"));
    let started = Instant::now();
    while driver.acknowledged() < WARM {
        assert!(started.elapsed() < Duration::from_secs(60), "the load does not flow: {}", server.log_tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    driver.until_it_flows(|| server.log_tail()).await;
    let pid = server.pid();

    driver.reset_traffic();
    begin(&installation);
    tokio::time::sleep(lasts).await;
    let during = driver.traffic();
    end(&installation);
    let back = Instant::now();
    let (log, traffic) = driver.stop().await;
    let pool = installation.pool().await;
    books::settled_within(&pool, CAUGHT_UP_WITHIN.saturating_sub(back.elapsed())).await;
    let caught_up = back.elapsed();
    let figures = books::reckon(&pool, &server.client(), &log).await;
    println!(
        "{what}: {during_count} answers meanwhile ({during:?}), slowest answer {:.2} s ({}), caught up in {:.1} s; {figures}",
        traffic.slowest.as_secs_f64(),
        traffic.slowest_what,
        caught_up.as_secs_f64(),
        during_count = during.statuses.values().sum::<u64>(),
        during = during.statuses,
    );
    figures.assert_flowed();
    assert!(server.ended().is_none() && server.pid() == pid, "the process goes on");
    assert_eq!(traffic.lost, 0, "every request is answered: {}", server.log_tail());
    assert!(traffic.faults.is_empty(), "{:#?}", traffic.faults);
    assert_eq!(traffic.without_retry_after, 0, "an unavailable server says when to try again");
    assert!(traffic.statuses.get(&503).is_some_and(|count| *count > 0), "the outage was felt: {:?}", traffic.statuses);
    assert!(traffic.slowest <= ANSWERED_WITHIN, "{:?}: {}", traffic.slowest, traffic.slowest_what);
    assert!(caught_up <= CAUGHT_UP_WITHIN, "{caught_up:?}");
    pool.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_stopped_database_is_survived() {
    outage("database stopped", Duration::from_secs(20), Installation::stop_database, Installation::start_database)
        .await;
}

/// Worse than gone: connections stay open, and nothing answers.
#[tokio::test]
async fn a_frozen_database_is_survived() {
    outage("database frozen", Duration::from_secs(12), Installation::freeze_database, Installation::thaw_database)
        .await;
}

/// Nothing can be closed in an orderly way, and nobody is to wait for that.
#[tokio::test]
async fn a_server_whose_database_is_frozen_ends_when_it_is_asked_to() {
    let installation = Arc::new(Installation::private());
    let mut server = ServerProcess::start(&installation, &[]).await;
    installation.freeze_database();
    kill(server.pid(), Signal::SIGTERM).expect("our child");
    let ended = server.end_within(Duration::from_secs(60)).await;
    installation.thaw_database();
    assert!(ended.is_some(), "it waits for the database: {}", server.log_tail());
}
