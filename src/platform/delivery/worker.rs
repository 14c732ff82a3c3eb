//! The workers that drain the delivery table: apalis workers over a stream of claimed deliveries.
//!
//! The stream is our backend: it never ends and never fails (an error of the database is waited out), so a worker does not
//! die of an outage; should one end all the same, it is started again. Panics of handlers are caught by the runner, which
//! counts them as failures.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerError};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::platform::db;
use crate::platform::delivery::claim;
use crate::platform::delivery::set::{Batch, SET_MAX};
use crate::platform::delivery::wake::{CHANNEL, POLL};
use crate::platform::delivery::{Kind, Runner};

/// How many deliveries of each kind run at once in this process.
#[derive(Debug, Clone, Copy)]
pub struct Concurrency {
    pub consumers: usize,
    /// Effects hold no database connection while they wait for the outside, so more of them may run.
    pub effects: usize,
    /// Calls to listeners outside.
    pub hubs: usize,
    /// Messages to customers, which come in sets when there are many: few of them leave connections to the others.
    pub messages: usize,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { consumers: 8, effects: 32, hubs: 8, messages: 4 }
    }
}

/// Sets of each kind that run at once: a set does its own work at once, and more of them would only wait for each other.
const SETS_AT_ONCE: usize = 4;

/// How long one delivery, or one set, may take before it counts as failed; the payment gateway's own time-out is shorter.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(25);

/// Starts the workers; they end when `stop` is cancelled and what they hold is done.
pub fn run_workers(runner: &Arc<Runner>, concurrency: Concurrency, stop: &CancellationToken, tasks: &TaskTracker) {
    let lanes = [
        (Kind::Consumer, concurrency.consumers),
        (Kind::Effect, concurrency.effects),
        (Kind::Hub, concurrency.hubs),
        (Kind::Message, concurrency.messages),
    ];
    for (kind, at_once) in lanes {
        tasks.spawn(supervise(Arc::clone(runner), kind, at_once, stop.clone()));
    }
    tasks.spawn(tell_others(Arc::clone(runner), stop.clone()));
    tasks.spawn(listen(Arc::clone(runner), stop.clone()));
}

async fn supervise(runner: Arc<Runner>, kind: Kind, at_once: usize, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let backend = deliveries(Arc::clone(&runner), kind, at_once, stop.clone());
        let worker = WorkerBuilder::new(format!("bss-{}", kind.as_str()))
            .backend(backend)
            .data(Arc::clone(&runner))
            .concurrency(at_once)
            .timeout(DELIVERY_TIMEOUT)
            .build(deliver);
        let stopped = stop.clone();
        let ended = worker
            .run_until(async move {
                stopped.cancelled().await;
                Ok::<(), WorkerError>(())
            })
            .await;
        if !stop.is_cancelled() {
            tracing::error!(worker = kind.as_str(), ?ended, "worker ended, starting it again");
            tokio::time::sleep(POLL).await;
        }
    }
}

fn deliver(batch: Batch, runner: Data<Arc<Runner>>) -> BoxFuture<'static, Result<(), BoxDynError>> {
    let runner = Arc::clone(&runner);
    Box::pin(async move {
        runner.work(batch).await;
        Ok(())
    })
}

struct Source {
    runner: Arc<Runner>,
    kind: Kind,
    /// Deliveries of one claim.
    batch: usize,
    /// The last claim had no end and joined into sets: there are more of them, and one claim may fetch a whole one.
    in_sets: bool,
    known: Vec<String>,
    waiter: crate::platform::delivery::wake::Waiter,
    stop: CancellationToken,
}

fn deliveries(
    runner: Arc<Runner>,
    kind: Kind,
    at_once: usize,
    stop: CancellationToken,
) -> BoxStream<'static, Result<Batch, Infallible>> {
    let waiter = runner.db.wake().claimer();
    let known = runner.known();
    // Consumers only work on the database and are quick: one claim may fetch for several turns. An outside call may take
    // long, and what waits for it here would lose its lease.
    let turns = if kind == Kind::Consumer { 4 } else { 1 };
    let source = Source { runner, kind, batch: turns * at_once, in_sets: false, known, waiter, stop };
    let sets = Arc::new(Semaphore::new(SETS_AT_ONCE));
    stream::unfold(source, |mut source| async move {
        let batches = source.next().await;
        Some((stream::iter(batches), source))
    })
    .flatten()
    .then(move |batch| {
        let sets = Arc::clone(&sets);
        async move {
            if !batch.is_set() {
                return Ok(batch);
            }
            // What waits here was claimed just now: nothing more is, until it runs.
            let permit = sets.acquire_owned().await.expect("nobody closes the semaphore");
            Ok(batch.permitted(permit))
        }
    })
    .boxed()
}

impl Source {
    /// The next claimed deliveries: at once when some are due, else after a wake-up or the poll interval.
    async fn next(&mut self) -> Vec<Batch> {
        loop {
            if self.stop.is_cancelled() {
                std::future::pending::<()>().await;
            }
            self.runner.db.vitals().look(self.kind);
            let most = if self.in_sets { SET_MAX.max(self.batch) } else { self.batch };
            let limit = i64::try_from(most).unwrap_or(i64::MAX);
            let claim = claim::claim(&self.runner.db, self.runner.boot_id, self.kind, &self.known, limit);
            match db::answered(claim).await {
                Ok(claimed) if !claimed.is_empty() => {
                    let found = claimed.len();
                    let batches = self.runner.batches(claimed);
                    self.in_sets = found == most && batches.len() * 4 <= found;
                    return batches;
                }
                Ok(_) => self.waiter.wait(POLL).await,
                Err(error) => {
                    tracing::debug!(%error, "deliveries cannot be claimed now");
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }
}

/// At most one NOTIFY per interval and process: one per row would halve the rate of commits. A process that found itself
/// alone looks for others less often; a new one polls until then.
async fn tell_others(runner: Arc<Runner>, stop: CancellationToken) {
    const INTERVAL: Duration = Duration::from_millis(20);
    const INTERVAL_ALONE: Duration = Duration::from_secs(1);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = runner.db.wake().staged_here() => {}
        }
        // Only when somebody else is there to hear it; alone, the in-process wake-up has done it.
        let told = sqlx::query(
            "select pg_notify($1, $2::text) where exists
                 (select 1 from platform.replica where boot_id <> $2 and lease_until > clock_timestamp())",
        )
        .bind(CHANNEL)
        .bind(runner.boot_id)
        .execute(runner.db.pool())
        .await;
        let interval = match told {
            Ok(told) if told.rows_affected() == 0 => INTERVAL_ALONE,
            Ok(_) => INTERVAL,
            Err(error) => {
                tracing::debug!(%error, "other replicas not notified; they poll");
                INTERVAL
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

/// Hears the other replicas. Without the database it tries again; the poll covers the gap.
async fn listen(runner: Arc<Runner>, stop: CancellationToken) {
    let own = runner.boot_id.to_string();
    let listening = async {
        loop {
            if let Ok(mut listener) = sqlx::postgres::PgListener::connect_with(runner.db.pool()).await
                && listener.listen(CHANNEL).await.is_ok()
            {
                while let Ok(notification) = listener.recv().await {
                    if notification.payload() != own {
                        runner.db.wake().heard();
                    }
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}
