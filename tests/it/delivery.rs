//! Events and their delivery with a toy consumer and a toy effect, on a real database: at least once, effect once, whatever
//! fails in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bss::platform::clock::Clock;
use bss::platform::context::Context;
use bss::platform::db::{Db, PoolConfig, Tx};
use bss::platform::delivery::{
    Concurrency, Consumer, Effect, Failure, Handlers, Runner, Subscribers, parked, run_workers,
};
use bss::platform::outbox::{self, Event};
use bss::platform::{clock, replica};
use sea_orm::ConnectionTrait as _;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::support::app::PATIENCE;
use crate::support::cluster;

#[derive(Debug, Serialize, Deserialize)]
struct ToyMoved {
    toy: String,
    /// How often its handlers fail before they succeed; `u32::MAX` panics.
    failures: u32,
}

impl Event for ToyMoved {
    const TYPE: &'static str = "toy.moved";
    const AGGREGATE: &'static str = "toy";
    fn aggregate_id(&self) -> &str {
        &self.toy
    }
}

#[derive(Default)]
struct Tries(AtomicU32);

impl Tries {
    fn next(&self, failures: u32) -> Result<(), Failure> {
        assert!(failures != u32::MAX, "the toy is broken");
        if self.0.fetch_add(1, Ordering::SeqCst) < failures { Err(Failure::retry("not yet")) } else { Ok(()) }
    }
}

struct Count(Arc<Tries>);

impl Consumer for Count {
    const NAME: &'static str = "toy.count";
    type Payload = ToyMoved;
    async fn handle(&self, tx: &Tx, _: &Context, event: ToyMoved) -> Result<(), Failure> {
        // Written before the failure: it must not survive it.
        tx.execute_unprepared(&format!("insert into toy_counted (toy) values ('{}')", event.toy))
            .await
            .map_err(Failure::retry)?;
        self.0.next(event.failures)
    }
}

/// Its outside is a table that refuses a second call with the same key, as a gateway replays its first answer.
struct Call(Db);

impl Effect for Call {
    const NAME: &'static str = "toy.call";
    type Payload = ToyMoved;
    async fn perform(&self, _: &Context, event: ToyMoved) -> Result<(), Failure> {
        sqlx::query("insert into toy_called (toy) values ($1) on conflict do nothing")
            .bind(&event.toy)
            .execute(self.0.pool())
            .await
            .map_err(Failure::retry)?;
        Ok(())
    }
}

struct Toys {
    url: String,
    db: Db,
    tries: Arc<Tries>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Toys {
    async fn new() -> Self {
        let url = cluster::database().await;
        let db = connect(&url);
        let tables = "create table toy_counted (toy text not null); create table toy_called (toy text primary key)";
        db.connection().execute_unprepared(tables).await.expect("fresh tables");
        Self { url, db, tries: Arc::default(), stop: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    /// Starts one replica with its own pool; the returned token stops only its lease.
    async fn replica(&self) -> Arc<Runner> {
        let (db, boot_id) = (connect(&self.url), Uuid::from_u128(rand::random()));
        replica::renew(&db, boot_id, "all").await.expect("the replica is announced");
        self.tasks.spawn(replica::keep_alive(db.clone(), boot_id, "all", self.stop.clone()));
        let handlers = Handlers::default().consumer(Count(Arc::clone(&self.tries))).effect(Call(db.clone()));
        let short = [Duration::from_millis(20); 5];
        let runner = Arc::new(Runner::new(db, boot_id, Clock::wall(), handlers).with_backoff(short));
        run_workers(&runner, Concurrency::default(), &self.stop, &self.tasks);
        runner
    }

    async fn stage(&self, toy: &str, failures: u32) -> Uuid {
        let cx = cx();
        let tx = self.db.begin().await.expect("the database is there");
        let id = outbox::stage(&tx, &cx, &ToyMoved { toy: toy.to_owned(), failures }).await.expect("staged");
        tx.commit().await.expect("committed");
        id
    }

    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.db.pool()).await.expect("the query is right")
    }

    async fn until(&self, query: &'static str, expected: i64) {
        let started = std::time::Instant::now();
        loop {
            let found = self.number(query).await;
            if found == expected {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{query} stays {found} instead of {expected}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("the workers stop");
    }
}

fn connect(url: &str) -> Db {
    let subscribers = Subscribers::default().consumer::<Count>().effect::<Call>();
    Db::connect(url, &PoolConfig { connections_max: 12, ..PoolConfig::default() }, subscribers).expect("a URL")
}

fn cx() -> Context {
    Context::system("system:test", "request".into(), clock::wall())
}

const PENDING: &str = "select count(*) from audit.delivery where state = 'pending'";

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_deliver_every_event_once() {
    let toys = Toys::new().await;
    let _both = (toys.replica().await, toys.replica().await);
    for n in 0..300 {
        toys.stage(&format!("toy-{n}"), 0).await;
    }
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 300);
    assert_eq!(toys.number("select count(distinct toy) from toy_counted").await, 300);
    assert_eq!(toys.number("select count(*) from toy_called").await, 300);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_rolled_back_change_is_never_seen() {
    let toys = Toys::new().await;
    let _one = toys.replica().await;
    let tx = toys.db.begin().await.unwrap();
    outbox::stage(&tx, &cx(), &ToyMoved { toy: "ghost".into(), failures: 0 }).await.unwrap();
    drop(tx);
    toys.stage("real", 0).await;
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 1);
    assert_eq!(toys.number("select count(*) from audit.domain_event where aggregate_id = 'ghost'").await, 0);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_handler_is_rolled_back_whole_and_tried_again() {
    let toys = Toys::new().await;
    let _one = toys.replica().await;
    toys.stage("shy", 3).await;
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 1);
    assert_eq!(toys.number("select attempts::bigint from audit.delivery where consumer = 'toy.count'").await, 4);
    assert_eq!(toys.number("select count(*) from audit.delivery_history where what = 'failed'").await, 3);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_parked_with_its_reason_and_blocks_nobody() {
    let toys = Toys::new().await;
    let _one = toys.replica().await;
    let poison = toys.stage("poison", 6).await;
    let panic = toys.stage("panic", u32::MAX).await;
    toys.until("select count(*) from audit.delivery where state = 'parked'", 2).await;
    toys.stage("good", 0).await;
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted where toy = 'good'").await, 1);
    assert_eq!(
        toys.number("select count(*) from audit.domain_event where event_type = 'platform.delivery_parked'").await,
        2
    );
    let listed = parked::parked(&toys.db, &cx(), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|d| d.attempts).collect::<Vec<_>>(), [6, 6], "the first try and five more");
    assert!(
        listed.iter().any(|d| d.event_id == panic && d.last_error.as_deref().unwrap_or_default().contains("panicked"))
    );

    // Replayed once it is executed; replayed again there is nothing left to replay.
    assert_eq!(parked::replay(&toys.db, &cx(), poison, None).await.unwrap(), 1);
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted where toy = 'poison'").await, 1);
    assert!(parked::replay(&toys.db, &cx(), poison, None).await.is_err());
    let (_, history) = parked::of_event(&toys.db, &cx(), poison).await.unwrap();
    assert!(history.iter().any(|line| line.what == "parked") && history.iter().any(|line| line.what == "replayed"));
    assert_eq!(parked::discard(&toys.db, &cx(), panic, "toy.count", "a test").await.unwrap(), 1);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_a_dead_replica_are_taken_over() {
    let toys = Toys::new().await;
    toys.stage("orphan", 0).await;
    // A process claimed both deliveries and died: it never renews its lease.
    let claimed = "update audit.delivery set leased_by = gen_random_uuid(), next_attempt_at = clock_timestamp() + interval '1 hour'";
    toys.db.connection().execute_unprepared(claimed).await.unwrap();
    let _one = toys.replica().await;
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 1);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_was_taken_over_has_no_second_effect() {
    let toys = Toys::new().await;
    let _both = (toys.replica().await, toys.replica().await);
    // Both replicas are told again and again that everything is due, while they work on it.
    for n in 0..100 {
        toys.stage(&format!("contested-{n}"), 0).await;
        let stolen =
            "update audit.delivery set leased_by = null, next_attempt_at = clock_timestamp() where state = 'pending'";
        toys.db.connection().execute_unprepared(stolen).await.unwrap();
    }
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 100);
    toys.end().await;
}
