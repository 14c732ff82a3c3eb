//! Deliveries that one cause made at once: worked on together, and alone as soon as one of them is in the way.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bss::platform::context::Context;
use bss::platform::db::{Db, Tx};
use bss::platform::delivery::{
    ConsumeTogether, Consumer, Effect, Failure, Handlers, PerformTogether, Subscribers, parked,
};
use bss::platform::outbox::{self, Event};
use sea_orm::ConnectionTrait as _;
use serde::{Deserialize, Serialize};

use crate::support::workers::{PENDING, Workers, cx};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Toy {
    toy: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Good,
    Poison,
    Panics,
    /// Does not join others.
    Loner,
}

impl Event for Toy {
    const TYPE: &'static str = "toy.moved";
    const AGGREGATE: &'static str = "toy";
    fn aggregate_id(&self) -> &str {
        &self.toy
    }
}

/// Sets of more than one that were begun, over all replicas.
type Sets = Arc<AtomicU32>;

struct Count(Sets);

impl Consumer for Count {
    const NAME: &'static str = "toy.count";
    type Payload = Toy;
    async fn handle(&self, tx: &Tx, cx: &Context, toy: Toy) -> Result<(), Failure> {
        self.handle_all(tx, cx, vec![toy]).await
    }
}

impl ConsumeTogether for Count {
    fn joins(toy: &Toy) -> bool {
        toy.kind != Kind::Loner
    }

    async fn handle_all(&self, tx: &Tx, _: &Context, toys: Vec<Toy>) -> Result<(), Failure> {
        self.0.fetch_add(u32::from(toys.len() > 1), Ordering::SeqCst);
        for toy in &toys {
            // Written before the failure: it must not survive it.
            let write = format!("insert into toy_counted (toy) values ('{}')", toy.toy);
            tx.execute_unprepared(&write).await.map_err(Failure::retry)?;
        }
        assert!(!toys.iter().any(|toy| toy.kind == Kind::Panics), "the toy is broken");
        if toys.iter().any(|toy| toy.kind == Kind::Poison) { Err(Failure::retry("never")) } else { Ok(()) }
    }
}

/// Its outside is a table that refuses a second call with the same key, as a gateway replays its first answer.
struct Call(Db);

impl Effect for Call {
    const NAME: &'static str = "toy.call";
    type Payload = Toy;
    async fn perform(&self, _: &Context, toy: Toy) -> Result<(), Failure> {
        let write = sqlx::query("insert into toy_called (toy) values ($1) on conflict do nothing").bind(&toy.toy);
        write.execute(self.0.pool()).await.map_err(Failure::retry)?;
        if toy.kind == Kind::Poison { Err(Failure::retry("no answer")) } else { Ok(()) }
    }
}

impl PerformTogether for Call {
    async fn perform_all(&self, cx: &Context, toys: Vec<Toy>) -> Vec<Result<(), Failure>> {
        futures::future::join_all(toys.into_iter().map(|toy| self.perform(cx, toy))).await
    }
}

struct Toys {
    workers: Workers,
    sets: Sets,
}

impl Deref for Toys {
    type Target = Workers;
    fn deref(&self) -> &Workers {
        &self.workers
    }
}

impl Toys {
    async fn new() -> Self {
        let tables = "create table toy_counted (toy text not null, by_tx xid8 not null default pg_current_xact_id());
                      create table toy_called (toy text primary key)";
        let subscribers = || Subscribers::default().consumer::<Count>().effect::<Call>();
        Self { workers: Workers::new(subscribers, tables).await, sets: Sets::default() }
    }

    async fn replica(&self) {
        let count = Count(Arc::clone(&self.sets));
        let handlers = |db: &Db| Handlers::default().consumer_of_sets(count).effect_of_sets(Call(db.clone()));
        self.workers.replica(handlers).await;
    }

    /// All by one cause, in one unit of work.
    async fn stage(&self, cause: &str, toys: &[(String, Kind)]) {
        let tx = self.db.begin().await.expect("the database is there");
        let toys: Vec<Toy> = toys.iter().map(|(toy, kind)| Toy { toy: toy.clone(), kind: *kind }).collect();
        outbox::stage_all(&tx, &cx(cause), &toys).await.expect("staged");
        tx.commit().await.expect("committed");
    }

    async fn end(self) {
        self.workers.end().await;
    }
}

fn good(name: &str, count: usize) -> Vec<(String, Kind)> {
    (0..count).map(|n| (format!("{name}-{n}"), Kind::Good)).collect()
}

const COUNTED: &str = "select count(*) from toy_counted";
const DISTINCT: &str = "select count(distinct toy) from toy_counted";
const TRANSACTIONS: &str = "select count(distinct by_tx) from toy_counted";

#[tokio::test(flavor = "multi_thread")]
async fn what_one_cause_made_at_once_is_one_unit_of_work() {
    let toys = Toys::new().await;
    toys.stage("sweep", &good("toy", 250)).await;
    toys.replica().await;
    toys.until(PENDING, 0).await;
    assert_eq!((toys.number(COUNTED).await, toys.number(DISTINCT).await), (250, 250));
    assert_eq!(toys.number("select count(*) from toy_called").await, 250);
    assert!(toys.number(TRANSACTIONS).await <= 8, "{} transactions", toys.number(TRANSACTIONS).await);
    assert_eq!(toys.number("select max(attempts)::bigint from audit.delivery").await, 1);
    assert_eq!(toys.number("select count(*) from audit.delivery_history").await, 0);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_causes_and_what_does_not_join_stay_alone() {
    let toys = Toys::new().await;
    for n in 0..10 {
        toys.stage(&format!("request-{n}"), &good(&format!("own-{n}"), 1)).await;
    }
    let loners: Vec<_> = (0..10).map(|n| (format!("loner-{n}"), Kind::Loner)).collect();
    toys.stage("sweep", &loners).await;
    toys.replica().await;
    toys.until(PENDING, 0).await;
    assert_eq!((toys.number(COUNTED).await, toys.number(TRANSACTIONS).await), (20, 20));
    assert_eq!(toys.sets.load(Ordering::SeqCst), 0);
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_with_poison_parks_the_poison_alone() {
    let toys = Toys::new().await;
    let mut staged = good("toy", 30);
    staged.insert(7, ("poison".into(), Kind::Poison));
    staged.insert(19, ("broken".into(), Kind::Panics));
    toys.stage("sweep", &staged).await;
    toys.replica().await;
    toys.until(PENDING, 0).await;
    assert!(toys.sets.load(Ordering::SeqCst) > 0, "it was tried together");
    assert_eq!(
        (toys.number(COUNTED).await, toys.number(DISTINCT).await),
        (30, 30),
        "nothing of the failed set is left"
    );
    let listed = parked::parked(&toys.db, &cx("test"), None, 10, 0).await.unwrap();
    let mut of: Vec<(&str, &str, i16)> =
        listed.iter().map(|one| (one.aggregate_id.as_str(), one.consumer.as_str(), one.attempts)).collect();
    of.sort_unstable();
    assert_eq!(of, [("broken", "toy.count", 6), ("poison", "toy.call", 6), ("poison", "toy.count", 6)]);
    let tries = "select max(attempts)::bigint from audit.delivery where state = 'done'";
    assert_eq!(toys.number(tries).await, 1, "the set that failed used up nobody's tries");
    toys.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_compete_for_sets_work_on_each_delivery_once() {
    let toys = Toys::new().await;
    toys.replica().await;
    toys.replica().await;
    // Both are told again and again that everything is due, while they work on it.
    for n in 0..40 {
        toys.stage(&format!("sweep-{n}"), &good(&format!("contested-{n}"), 25)).await;
        toys.steal().await;
    }
    toys.until(PENDING, 0).await;
    assert_eq!((toys.number(COUNTED).await, toys.number(DISTINCT).await), (1_000, 1_000));
    assert_eq!(toys.number("select count(*) from audit.delivery where state = 'done'").await, 2_000);
    toys.end().await;
}
