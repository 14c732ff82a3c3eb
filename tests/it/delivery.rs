//! Events and their delivery with a toy consumer and a toy effect, on a real database: at least once, effect once, whatever
//! fails in between.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bss::platform::context::Context;
use bss::platform::db::{Db, Tx};
use bss::platform::delivery::{Consumer, Effect, Failure, Handlers, Subscribers, parked};
use bss::platform::outbox::{self, Event};
use sea_orm::ConnectionTrait as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::workers::{PENDING, Workers, cx};

#[derive(Debug, Serialize, Deserialize)]
struct ToyMoved {
    toy: String,
    /// How often its handlers fail before they succeed; `u32::MAX` panics.
    failures: u32,
    /// Whether they fail because somebody else is at it.
    is_busy: bool,
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
    fn next(&self, toy: &ToyMoved) -> Result<(), Failure> {
        assert!(toy.failures != u32::MAX, "the toy is broken");
        if self.0.fetch_add(1, Ordering::SeqCst) >= toy.failures {
            return Ok(());
        }
        Err(if toy.is_busy { Failure::wait("somebody else plays with it") } else { Failure::retry("not yet") })
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
        self.0.next(&event)
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
    workers: Workers,
    tries: Arc<Tries>,
}

impl Deref for Toys {
    type Target = Workers;
    fn deref(&self) -> &Workers {
        &self.workers
    }
}

impl Toys {
    async fn new() -> Self {
        let tables = "create table toy_counted (toy text not null); create table toy_called (toy text primary key)";
        let subscribers = || Subscribers::default().consumer::<Count>().effect::<Call>();
        Self { workers: Workers::new(subscribers, tables).await, tries: Arc::default() }
    }

    async fn replica(&self) {
        let count = Count(Arc::clone(&self.tries));
        self.workers.replica(|db| Handlers::default().consumer(count).effect(Call(db.clone()))).await;
    }

    async fn stage(&self, toy: &str, failures: u32) -> Uuid {
        self.stage_toy(ToyMoved { toy: toy.to_owned(), failures, is_busy: false }).await
    }

    async fn stage_toy(&self, toy: ToyMoved) -> Uuid {
        let tx = self.db.begin().await.expect("the database is there");
        let id = outbox::stage(&tx, &cx("request"), &toy).await.expect("staged");
        tx.commit().await.expect("committed");
        id
    }

    async fn end(self) {
        self.workers.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_deliver_every_event_once() {
    let toys = Toys::new().await;
    toys.replica().await;
    toys.replica().await;
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
    toys.replica().await;
    let tx = toys.db.begin().await.unwrap();
    outbox::stage(&tx, &cx("request"), &ToyMoved { toy: "ghost".into(), failures: 0, is_busy: false }).await.unwrap();
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
    toys.replica().await;
    toys.stage("shy", 3).await;
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 1);
    assert_eq!(toys.number("select attempts::bigint from audit.delivery where consumer = 'toy.count'").await, 4);
    assert_eq!(toys.number("select count(*) from audit.delivery_history where what = 'failed'").await, 3);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_somebody_else_uses_up_no_tries() {
    let toys = Toys::new().await;
    toys.replica().await;
    // More often than a failing one is tried.
    let busy = toys.stage_toy(ToyMoved { toy: "busy".into(), failures: 7, is_busy: true }).await;
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 1);
    assert_eq!(toys.number("select attempts::bigint from audit.delivery where consumer = 'toy.count'").await, 1);
    let (_, history) = parked::of_event(&toys.db, &cx("request"), busy).await.unwrap();
    assert!(history.is_empty(), "nothing failed: {history:?}");
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_parked_with_its_reason_and_blocks_nobody() {
    let toys = Toys::new().await;
    toys.replica().await;
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
    let listed = parked::parked(&toys.db, &cx("request"), None, 10, 0).await.unwrap();
    assert_eq!(listed.iter().map(|d| d.attempts).collect::<Vec<_>>(), [6, 6], "the first try and five more");
    assert!(
        listed.iter().any(|d| d.event_id == panic && d.last_error.as_deref().unwrap_or_default().contains("panicked"))
    );

    // Replayed once it is executed; replayed again there is nothing left to replay.
    assert_eq!(parked::replay(&toys.db, &cx("request"), poison, None).await.unwrap(), 1);
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted where toy = 'poison'").await, 1);
    assert!(parked::replay(&toys.db, &cx("request"), poison, None).await.is_err());
    let (_, history) = parked::of_event(&toys.db, &cx("request"), poison).await.unwrap();
    assert!(history.iter().any(|line| line.what == "parked") && history.iter().any(|line| line.what == "replayed"));
    assert_eq!(parked::discard(&toys.db, &cx("request"), panic, "toy.count", "a test").await.unwrap(), 1);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_a_dead_replica_are_taken_over() {
    let toys = Toys::new().await;
    toys.stage("orphan", 0).await;
    // A process claimed both deliveries and died: it never renews its lease.
    let claimed = "update audit.delivery set leased_by = gen_random_uuid(), next_attempt_at = clock_timestamp() + interval '1 hour'";
    toys.db.connection().execute_unprepared(claimed).await.unwrap();
    toys.replica().await;
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 1);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_was_taken_over_has_no_second_effect() {
    let toys = Toys::new().await;
    toys.replica().await;
    toys.replica().await;
    // Both replicas are told again and again that everything is due, while they work on it.
    for n in 0..100 {
        toys.stage(&format!("contested-{n}"), 0).await;
        toys.steal().await;
    }
    toys.until(PENDING, 0).await;
    assert_eq!(toys.number("select count(*) from toy_counted").await, 100);
    toys.end().await;
}

/// [`ToyMoved`] as the next version of the product writes and reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ToyMovedAnew {
    toy_name: String,
}

impl Event for ToyMovedAnew {
    const TYPE: &'static str = ToyMoved::TYPE;
    const AGGREGATE: &'static str = ToyMoved::AGGREGATE;
    const VERSION: i16 = 2;
    fn aggregate_id(&self) -> &str {
        &self.toy_name
    }
}

struct CountAnew;

impl Consumer for CountAnew {
    const NAME: &'static str = Count::NAME;
    type Payload = ToyMovedAnew;
    async fn handle(&self, tx: &Tx, _: &Context, event: ToyMovedAnew) -> Result<(), Failure> {
        tx.execute_unprepared(&format!("insert into toy_counted (toy) values ('anew {}')", event.toy_name))
            .await
            .map_err(Failure::retry)?;
        Ok(())
    }
}

fn anew() -> Subscribers {
    let lift = |payload: serde_json::Value| serde_json::json!({ "toyName": payload["toy"] });
    Subscribers::default().consumer::<CountAnew>().upcast(ToyMoved::TYPE, 1, lift)
}

#[tokio::test]
async fn events_of_a_newer_version_wait_for_a_newer_process() {
    let workers =
        Workers::new(|| Subscribers::default().consumer::<Count>(), "create table toy_counted (toy text)").await;
    let stage = async |newer: bool, toy: &str| {
        let tx = workers.db.begin().await.expect("the database is there");
        if newer {
            outbox::stage(&tx, &cx("newer"), &ToyMovedAnew { toy_name: toy.to_owned() }).await.expect("staged");
        } else {
            let moved = ToyMoved { toy: toy.to_owned(), failures: 0, is_busy: false };
            outbox::stage(&tx, &cx("older"), &moved).await.expect("staged");
        }
        tx.commit().await.expect("committed");
    };
    stage(true, "bear").await;
    workers.replica(|_| Handlers::default().consumer(Count(Arc::default()))).await;
    workers
        .until("select count(*) from audit.delivery where leased_by is null and next_attempt_at > recorded_at + interval '1 second'", 1)
        .await;
    stage(false, "doll").await;
    workers.until("select count(*) from toy_counted where toy = 'doll'", 1).await;
    assert_eq!(workers.number("select count(*) from audit.delivery where state = 'pending' and attempts = 0").await, 1);
    assert_eq!(workers.number("select count(*) from audit.delivery where state = 'parked'").await, 0);
    workers.replica_of(anew, |_| Handlers::default().consumer(CountAnew)).await;
    workers.until(PENDING, 0).await;
    assert_eq!(workers.number("select count(*) from toy_counted where toy = 'anew bear'").await, 1);
    workers.end().await;
}

#[tokio::test]
async fn a_payload_of_an_older_version_is_lifted_to_the_current_one() {
    let workers = Workers::new(anew, "create table toy_counted (toy text)").await;
    let tx = workers.db.begin().await.expect("the database is there");
    let moved = ToyMoved { toy: "doll".to_owned(), failures: 0, is_busy: false };
    outbox::stage(&tx, &cx("older"), &moved).await.expect("staged");
    tx.commit().await.expect("committed");
    workers.replica(|_| Handlers::default().consumer(CountAnew)).await;
    workers.until(PENDING, 0).await;
    assert_eq!(workers.number("select count(*) from toy_counted where toy = 'anew doll'").await, 1);
    workers.end().await;
}
