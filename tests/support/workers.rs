//! Workers of toy subscribers on a database of their own, as many replicas as a test starts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bss::platform::clock::{self, Clock};
use bss::platform::context::Context;
use bss::platform::db::{Db, PoolConfig};
use bss::platform::delivery::{Concurrency, Handlers, Runner, Subscribers, run_workers};
use bss::platform::replica;
use sea_orm::ConnectionTrait as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::app::PATIENCE;
use super::cluster;

/// Deliveries that somebody is still to work on.
pub(crate) const PENDING: &str = "select count(*) from audit.delivery where state = 'pending'";

pub(crate) struct Workers {
    url: String,
    subscribers: fn() -> Subscribers,
    pub(crate) db: Db,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Workers {
    /// Makes the database and, in it, the tables of the toys. Nobody works yet.
    pub(crate) async fn new(subscribers: fn() -> Subscribers, tables: &str) -> Self {
        let url = cluster::database().await;
        let db = connect(&url, subscribers);
        db.connection().execute_unprepared(tables).await.expect("fresh tables");
        Self { url, subscribers, db, stop: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    /// Starts one replica with a pool of its own.
    pub(crate) async fn replica(&self, handlers: impl FnOnce(&Db) -> Handlers) {
        self.replica_of(self.subscribers, handlers).await;
    }

    /// Starts one replica of another version of the product.
    pub(crate) async fn replica_of(&self, subscribers: fn() -> Subscribers, handlers: impl FnOnce(&Db) -> Handlers) {
        let (db, boot_id) = (connect(&self.url, subscribers), Uuid::from_u128(rand::random()));
        replica::renew(&db, boot_id, "all").await.expect("the replica is announced");
        self.tasks.spawn(replica::keep_alive(db.clone(), boot_id, "all", self.stop.clone()));
        let handlers = handlers(&db);
        let short = [Duration::from_millis(20); 5];
        let runner = Arc::new(Runner::new(db, boot_id, Clock::wall(), handlers).with_backoff(short));
        run_workers(&runner, Concurrency::default(), &self.stop, &self.tasks);
    }

    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.db.pool()).await.expect("the query is right")
    }

    pub(crate) async fn until(&self, query: &'static str, expected: i64) {
        let started = Instant::now();
        loop {
            let found = self.number(query).await;
            if found == expected {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{query} stays {found} instead of {expected}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Everything is due now, whoever works on it.
    pub(crate) async fn steal(&self) {
        let stolen =
            "update audit.delivery set leased_by = null, next_attempt_at = clock_timestamp() where state = 'pending'";
        // Rows that are worked on are locked, and then there is nothing to steal.
        let _ = self.db.connection().execute_unprepared(stolen).await;
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("the workers stop");
    }
}

fn connect(url: &str, subscribers: fn() -> Subscribers) -> Db {
    Db::connect(url, &PoolConfig { connections_max: 12, ..PoolConfig::default() }, subscribers()).expect("a URL")
}

/// What the system does because of `cause`.
pub(crate) fn cx(cause: &str) -> Context {
    Context::system("system:test", cause.into(), clock::wall())
}
