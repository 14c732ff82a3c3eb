//! Usage is online: one request, one answer, durable when it answers. Requests that come at the same time share a
//! transaction, since the commit is what costs.
//!
//! Events wait in one [`queue`], and lanes take them from it: what waits becomes one batch, is answered, and what has gathered
//! meanwhile becomes the next. What could not be done in a lane (the line is held by somebody else, the batch failed)
//! is finished beside it, so that neighbours never wait for it. The queue is bounded: when it is full the answer is
//! "unavailable", at once.
//!
//! All of it runs on a thread of its own. Where thousands of requests are turned away, a batch does not take its turn behind
//! each of them at every step; and where a batch is worked out, no reader waits until that is done.

mod queue;

use std::collections::VecDeque;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;

use queue::Queue;

use super::batch::{self, Job, Outcome};
use super::model::NewUsage;
use super::port::{UsageId, UsageView};
use super::store;
use super::strangers::Strangers;
use crate::domains::subscription::port::Contention;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db;
use crate::platform::error::{Error, Result, is_contention, is_outage};

/// Batches of this process that are in work at once. The second one helps with what is imported: see [`queue`].
const LANES: usize = 2;

/// Events that wait, those of imports included.
const QUEUE_MAX: usize = 4096;

/// Online events that are in work or wait: as many as keep a server of two cores busy. Whoever comes beyond that would only
/// make all of them wait longer, and is told at once to come again.
const ONLINE_MAX: usize = 128;

/// Usage ids that are taken from the sequence at once. What was not used goes with the process.
const MINT_BLOCK: usize = 1024;

/// A lane without work keeps its connection for so long.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// Batches that are finished beside the lanes at once. Each takes one of the connections that usage has, and the lanes need
/// theirs.
const REPAIRS_MAX: usize = 2;

/// How often a held line is waited for, each time for the lock time-out of a batch. PostgreSQL does not keep a row for who
/// waits longest, so on a line that everybody wants a waiter may lose it several times.
const WAITS_MAX: usize = 6;

/// An event and the caller who waits for its answer.
#[derive(Debug)]
struct Arrival {
    cx: Arc<Context>,
    usage: NewUsage,
    reply: oneshot::Sender<Result<UsageView>>,
}

/// Where events come in.
#[derive(Debug)]
pub(super) struct Batcher {
    queue: Arc<Queue>,
    online: Semaphore,
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Batcher {
    /// Starts the lanes on their thread. Call inside the runtime of the callers.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(platform: &Platform) -> io::Result<Self> {
        let tasks = TaskTracker::new();
        let engine = Arc::new(Engine {
            platform: platform.clone(),
            strangers: Strangers::default(),
            numbers: Mutex::default(),
            repairs: Arc::new(Semaphore::new(REPAIRS_MAX)),
            tasks: tasks.clone(),
            callers: Handle::current(),
        });
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let queue = Arc::new(Queue::new(QUEUE_MAX));
        for _ in 0..LANES {
            let lane = Lane { engine: Arc::clone(&engine), queue: Arc::clone(&queue), connection: None };
            tasks.spawn_on(lane.run(), runtime.handle());
        }
        tasks.close();
        std::thread::Builder::new().name("usage".to_owned()).spawn(move || runtime.block_on(tasks.wait()))?;
        Ok(Self { queue, online: Semaphore::new(ONLINE_MAX) })
    }

    /// Whether [`Self::submit_online`] would refuse whoever comes now.
    pub(super) fn is_full(&self) -> bool {
        self.online.available_permits() == 0
    }

    /// As [`Self::submit`], for a caller on the line: with too many before it, it is refused at once.
    pub(super) async fn submit_online(&self, cx: &Context, usage: NewUsage) -> Result<UsageView> {
        let _place = self.online.try_acquire().map_err(|_| shed())?;
        self.submit(cx, usage).await
    }

    /// Queues one event and waits for its answer, until the caller's deadline.
    pub(super) async fn submit(&self, cx: &Context, usage: NewUsage) -> Result<UsageView> {
        let (reply, answer) = oneshot::channel();
        if !self.queue.push(Arrival { cx: Arc::new(cx.clone()), usage, reply }) {
            return Err(shed());
        }
        match tokio::time::timeout_at(cx.deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::Internal("a usage event was dropped without an answer".into())),
            Err(_) => Err(pending()),
        }
    }
}

fn shed() -> Error {
    count_shed();
    Error::unavailable("Too much usage waits; try again shortly")
}

/// Notes that an event was turned away.
pub(super) fn count_shed() {
    metrics::counter!("bss_usage_shed_total").increment(1);
}

fn pending() -> Error {
    Error::unavailable(
        "It is not known yet whether the usage was recorded; send it again with the same external id to get its answer",
    )
}

struct Lane {
    engine: Arc<Engine>,
    queue: Arc<Queue>,
    /// Kept while there is work: to give it back and take it again costs a round trip.
    connection: Option<PoolConnection<Postgres>>,
}

impl Lane {
    async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        loop {
            let taken = match tokio::time::timeout(IDLE_AFTER, queue.take()).await {
                Ok(taken) => taken,
                Err(_) => {
                    self.connection = None;
                    queue.take().await
                }
            };
            let Some(mut taken) = taken else { return };
            let mut arrivals = std::mem::take(&mut taken.arrivals);
            // Who has gone was told so, and may ask again: nothing is recorded for them.
            arrivals.retain(|arrival| !arrival.reply.is_closed());
            if !arrivals.is_empty()
                && let Err(error) = self.answer(&mut arrivals).await
            {
                fail(arrivals.into_iter().map(|arrival| arrival.reply), &error);
            }
        }
    }

    /// An error means that nothing was begun, and that `arrivals` wait for their answers still.
    async fn answer(&mut self, arrivals: &mut Vec<Arrival>) -> Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.engine.platform.db.usage_pool().acquire().await?,
        };
        let numbers = match db::answered(self.engine.mint(&mut connection, arrivals.len())).await {
            Ok(numbers) => numbers,
            Err(error) => {
                connection.close_on_drop();
                return Err(error);
            }
        };
        let jobs = named(arrivals, numbers);
        if self.engine.first_try(&mut connection, jobs).await {
            self.connection = Some(connection);
        } else {
            // Nobody knows what it was doing.
            connection.close_on_drop();
        }
        Ok(())
    }
}

fn named(arrivals: &mut Vec<Arrival>, numbers: Vec<i64>) -> Vec<Job> {
    let named = arrivals.drain(..).zip(numbers).map(|(arrival, number)| {
        let id = UsageId::from(format!("UE-{number:06}"));
        Job { cx: arrival.cx, usage: arrival.usage, id, reply: arrival.reply }
    });
    named.collect()
}

/// Runs batches and deals with what fails.
struct Engine {
    platform: Platform,
    strangers: Strangers,
    /// Numbers of usage ids in stock, lowest first. The lanes share it: one after the other, events have ids that follow each other.
    numbers: Mutex<VecDeque<i64>>,
    repairs: Arc<Semaphore>,
    /// The lanes, and what is finished beside them: the thread ends after the last.
    tasks: TaskTracker,
    /// Where the callers wait.
    callers: Handle,
}

impl Engine {
    /// As many numbers of usage ids as asked for.
    async fn mint(&self, connection: &mut PgConnection, count: usize) -> Result<Vec<i64>> {
        {
            let mut stock = self.stock();
            if stock.len() >= count {
                return Ok(stock.drain(..count).collect());
            }
        }
        let block = i64::try_from(MINT_BLOCK.max(count)).unwrap_or(i64::MAX);
        let minted = store::mint(connection, block).await?;
        let mut stock = self.stock();
        stock.extend(minted);
        Ok(stock.drain(..count).collect())
    }

    fn stock(&self) -> MutexGuard<'_, VecDeque<i64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: the batch failed, and goes on beside the lane.
    async fn first_try(self: &Arc<Self>, connection: &mut PgConnection, jobs: Vec<Job>) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a batch has a few hundred events")]
        metrics::histogram!("bss_usage_batch_events").record(jobs.len() as f64);
        match guarded(batch::run_first(&self.platform, &self.strangers, connection, &jobs)).await {
            Ok(outcomes) => {
                self.deliver(jobs, outcomes);
                true
            }
            Err(error) => {
                tracing::warn!(events = jobs.len(), error = cause(&error), "usage batch failed, run again");
                self.tasks.spawn(Arc::clone(self).repair(jobs));
                false
            }
        }
    }

    async fn run(&self, jobs: &[Job], contention: Contention) -> Result<Vec<Outcome>> {
        let running = async {
            let mut connection = self.platform.db.usage_pool().acquire().await?;
            batch::run(&self.platform, &self.strangers, &mut connection, jobs, contention).await
        };
        guarded(running).await
    }

    /// Hands out the answers; events of held lines go on beside the lane, each line for itself.
    fn deliver(self: &Arc<Self>, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        let mut held: Vec<Vec<Job>> = Vec::new();
        let mut answered = Vec::with_capacity(jobs.len());
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Answered(answer) => answered.push((job.reply, answer)),
                Outcome::Busy => match held.iter_mut().find(|line| line[0].number() == job.number()) {
                    Some(line) => line.push(job),
                    None => held.push(vec![job]),
                },
            }
        }
        // Once across the threads for all of them, instead of once for each.
        self.callers.spawn(async move {
            for (reply, answer) in answered {
                // A caller who has gone does not want the answer any more.
                let _ = reply.send(answer);
            }
        });
        for line in held {
            self.tasks.spawn(Arc::clone(self).wait_for_line(line));
        }
    }

    /// The line's holder is given time to finish; then the answer is "unavailable".
    async fn wait_for_line(self: Arc<Self>, mut jobs: Vec<Job>) {
        let Ok(_permit) = self.repairs.acquire().await else { return };
        for wait in 1..=WAITS_MAX {
            match self.run(&jobs, Contention::Wait).await {
                Ok(outcomes) => return self.deliver(jobs, outcomes),
                Err(error) if wait == WAITS_MAX || !is_held(&error) => {
                    return fail(jobs.into_iter().map(|job| job.reply), &error);
                }
                // Nothing was written; who has gone meanwhile was told so.
                Err(_) => jobs.retain(|job| !job.reply.is_closed()),
            }
        }
    }

    /// A failed batch is run again as it was: if its commit was in doubt, it finds itself. If it fails again, halves of it
    /// are tried, so that in the end only the events fail that cannot be answered.
    async fn repair(self: Arc<Self>, jobs: Vec<Job>) {
        let Ok(_permit) = self.repairs.acquire().await else { return };
        let mut parts = vec![jobs];
        while let Some(mut part) = parts.pop() {
            match self.run(&part, Contention::Skip).await {
                Ok(outcomes) => self.deliver(part, outcomes),
                Err(error) if part.len() == 1 || is_away(&error) => fail(part.into_iter().map(|job| job.reply), &error),
                Err(_) => {
                    let rest = part.split_off(part.len() / 2);
                    parts.push(rest);
                    parts.push(part);
                }
            }
        }
    }
}

/// A panic is a failed batch like any other: the lane and the neighbours live on.
async fn guarded(batch: impl Future<Output = Result<Vec<Outcome>>>) -> Result<Vec<Outcome>> {
    let running = AssertUnwindSafe(db::answered(batch)).catch_unwind();
    running.await.unwrap_or_else(|_| Err(Error::Internal("a usage batch panicked".into())))
}

/// Somebody else holds the line still.
fn is_held(error: &Error) -> bool {
    matches!(error, Error::Database(cause) if is_contention(cause))
}

/// Smaller batches do not help against a database that is away.
fn is_away(error: &Error) -> bool {
    matches!(error, Error::Database(cause) if is_outage(cause))
}

fn fail(replies: impl Iterator<Item = oneshot::Sender<Result<UsageView>>>, error: &Error) {
    let cause = cause(error);
    let busy = is_held(error);
    let mut failed = 0;
    for reply in replies {
        failed += 1;
        // A caller who has gone does not want the answer any more.
        let _ = reply.send(Err(if busy {
            Error::unavailable("The line is being changed by somebody else; try again shortly")
        } else if error.is_transient() {
            pending()
        } else {
            Error::Internal(cause.clone())
        }));
    }
    tracing::warn!(events = failed, error = cause, "usage not answered");
}

fn cause(error: &Error) -> String {
    match error {
        Error::Database(cause) => cause.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use crate::domains::rating::port::UsageType;
    use crate::platform::error::Error;

    use super::*;

    fn usage(msisdn: &str) -> NewUsage {
        NewUsage {
            msisdn: msisdn.parse().unwrap(),
            usage_type: UsageType::Data,
            quantity: 1,
            roaming: false,
            event_time: None,
            source: "test".to_owned(),
            external_id: None,
            attributes: None,
        }
    }

    fn context(longest: Duration) -> Context {
        let mut cx = Context::system("test", "r-1".to_owned(), crate::platform::clock::wall());
        cx.deadline = Instant::now() + longest;
        cx
    }

    pub(super) fn arrival(msisdn: &str) -> (Arrival, oneshot::Receiver<Result<UsageView>>) {
        let (reply, answer) = oneshot::channel();
        (Arrival { cx: Arc::new(context(Duration::from_secs(60))), usage: usage(msisdn), reply }, answer)
    }

    #[tokio::test]
    async fn a_full_queue_answers_unavailable_at_once() {
        let batcher = Batcher { queue: Arc::new(Queue::new(1)), online: Semaphore::new(ONLINE_MAX) };
        let first = batcher.submit(&context(Duration::from_millis(20)), usage("90000001")).await.unwrap_err();
        assert!(matches!(first, Error::Unavailable { .. }), "nobody answers: {first}");
        let second = batcher.submit(&context(Duration::from_secs(60)), usage("90000002")).now_or_never();
        assert!(matches!(second, Some(Err(Error::Unavailable { .. }))), "the queue is full: {second:?}");
    }
}
