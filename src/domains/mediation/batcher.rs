//! Usage is online: one request, one answer, durable when it answers. Requests that come at the same time share a
//! transaction, since the commit is what costs.
//!
//! Events queue up in a few lanes. Few callers share the first one: one batch of thirty costs less than two of fifteen, and
//! nobody takes turns. When there are more, a line has a lane of its own, so that two batches do not fight for it. A lane takes what waits, runs it as one batch, answers, and takes what has gathered meanwhile. What could not be done
//! there (the line is held by somebody else, the batch failed) is finished beside the lane, so that neighbours never wait
//! for it. Every queue is bounded: when one is full the answer is "unavailable", at once.
//!
//! All of it runs on a thread of its own. Where thousands of requests are turned away, a batch does not take its turn behind
//! each of them at every step; and where a batch is worked out, no reader waits until that is done.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

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

/// Batches of this process that are in work at once.
const LANES: usize = 2;

/// Events that wait, over all lanes, those of imports included.
const QUEUE_MAX: usize = 4096;

/// Online events that are in work or wait: as many as keep a server of two cores busy. Whoever comes beyond that would only
/// make all of them wait longer, and is told at once to come again.
const ONLINE_MAX: usize = 128;

/// Up to so many callers are served by the first lane alone.
const FEW: usize = 48;

/// Events of one batch.
const BATCH_MAX: usize = 256;

/// How long a batch waits for company, counted from its first event.
const LINGER: Duration = Duration::from_millis(2);

/// Usage ids that a lane takes from the sequence at once.
const MINT_BLOCK: usize = 256;

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

/// Where a lane's events come in. The lane ends when it is dropped, after the events that wait.
#[derive(Debug)]
struct Entrance {
    queue: mpsc::Sender<Arrival>,
    /// How many callers were here when the lane's last batch ended, answered or waiting: about so many are to be expected again.
    company: Arc<AtomicUsize>,
}

/// The entrances of all lanes.
#[derive(Debug)]
pub(super) struct Batcher {
    lanes: Vec<Entrance>,
    online: Semaphore,
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
            repairs: Arc::new(Semaphore::new(REPAIRS_MAX)),
            tasks: tasks.clone(),
            callers: Handle::current(),
        });
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let lanes = (0..LANES).map(|_| {
            let (entrance, queue) = mpsc::channel(QUEUE_MAX / LANES);
            let company = Arc::new(AtomicUsize::new(0));
            let lane = Lane { engine: Arc::clone(&engine), queue, minted: Vec::new(), company: Arc::clone(&company) };
            tasks.spawn_on(lane.run(), runtime.handle());
            Entrance { queue: entrance, company }
        });
        let lanes = lanes.collect();
        tasks.close();
        std::thread::Builder::new().name("usage".to_owned()).spawn(move || runtime.block_on(tasks.wait()))?;
        Ok(Self { lanes, online: Semaphore::new(ONLINE_MAX) })
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
        let lane = self.lane_of(&usage);
        let arrival = Arrival { cx: Arc::new(cx.clone()), usage, reply };
        lane.queue.try_send(arrival).map_err(|_| shed())?;
        match tokio::time::timeout_at(cx.deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::Internal("a usage event was dropped without an answer".into())),
            Err(_) => Err(pending()),
        }
    }

    fn lane_of(&self, usage: &NewUsage) -> &Entrance {
        let callers: usize = self.lanes.iter().map(|lane| lane.company.load(Ordering::Relaxed)).sum();
        let n = if callers <= FEW { 0 } else { hash(usage.msisdn.as_str()) % self.lanes.len() };
        &self.lanes[n]
    }
}

fn hash(msisdn: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    msisdn.hash(&mut hasher);
    usize::try_from(hasher.finish() >> 32).unwrap_or_default()
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
    queue: mpsc::Receiver<Arrival>,
    /// Numbers of usage ids in stock.
    minted: Vec<i64>,
    /// See [`Entrance`].
    company: Arc<AtomicUsize>,
}

impl Lane {
    async fn run(mut self) {
        let mut arrivals = Vec::with_capacity(BATCH_MAX);
        while self.gather(&mut arrivals).await {
            // Who has gone was told so, and may ask again: nothing is recorded for them.
            arrivals.retain(|arrival| !arrival.reply.is_closed());
            if arrivals.is_empty() {
                continue;
            }
            let answered = arrivals.len();
            match self.mint(answered).await {
                Ok(()) => {
                    let jobs = self.name(&mut arrivals);
                    self.engine.first_try(jobs).await;
                }
                Err(error) => fail(arrivals.drain(..).map(|arrival| arrival.reply), &error),
            }
            // Without those who wait, callers would stay in two groups that take turns, each batch half as large as it could be.
            self.company.store(answered + self.queue.len(), Ordering::Relaxed);
        }
    }

    /// Fills `arrivals` with what waits, and with what comes within [`LINGER`] while fewer came than are expected.
    async fn gather(&mut self, arrivals: &mut Vec<Arrival>) -> bool {
        if self.queue.recv_many(arrivals, BATCH_MAX).await == 0 {
            return false;
        }
        let until = Instant::now() + LINGER;
        let expected = self.company.load(Ordering::Relaxed).min(BATCH_MAX);
        while arrivals.len() < expected {
            let room = BATCH_MAX - arrivals.len();
            match tokio::time::timeout_at(until, self.queue.recv_many(arrivals, room)).await {
                Ok(more) if more > 0 => {}
                Ok(_) | Err(_) => break,
            }
        }
        true
    }

    async fn mint(&mut self, count: usize) -> Result<()> {
        if self.minted.len() < count {
            let block = i64::try_from(MINT_BLOCK.max(count)).unwrap_or(i64::MAX);
            let mut connection = self.engine.platform.db.usage_pool().acquire().await?;
            self.minted = store::mint(&mut connection, block).await?;
            // Taken from the end: the lowest first.
            self.minted.reverse();
        }
        Ok(())
    }

    fn name(&mut self, arrivals: &mut Vec<Arrival>) -> Vec<Job> {
        let numbers = self.minted.split_off(self.minted.len() - arrivals.len());
        let named = arrivals.drain(..).zip(numbers.into_iter().rev()).map(|(arrival, number)| {
            let id = UsageId::from(format!("UE-{number:06}"));
            Job { cx: arrival.cx, usage: arrival.usage, id, reply: arrival.reply }
        });
        named.collect()
    }
}

/// Runs batches and deals with what fails.
struct Engine {
    platform: Platform,
    strangers: Strangers,
    repairs: Arc<Semaphore>,
    /// The lanes, and what is finished beside them: the thread ends after the last.
    tasks: TaskTracker,
    /// Where the callers wait.
    callers: Handle,
}

impl Engine {
    async fn first_try(self: &Arc<Self>, jobs: Vec<Job>) {
        #[expect(clippy::cast_precision_loss, reason = "a batch has a few hundred events")]
        metrics::histogram!("bss_usage_batch_events").record(jobs.len() as f64);
        match self.run(&jobs, Contention::Skip).await {
            Ok(outcomes) => self.deliver(jobs, outcomes),
            Err(error) => {
                tracing::warn!(events = jobs.len(), error = cause(&error), "usage batch failed, run again");
                self.tasks.spawn(Arc::clone(self).repair(jobs));
            }
        }
    }

    /// A panic is a failed batch like any other: the lane and the neighbours live on.
    async fn run(&self, jobs: &[Job], contention: Contention) -> Result<Vec<Outcome>> {
        let running = AssertUnwindSafe(db::answered(batch::run(&self.platform, &self.strangers, jobs, contention)))
            .catch_unwind();
        running.await.unwrap_or_else(|_| Err(Error::Internal("a usage batch panicked".into())))
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

    #[tokio::test]
    async fn a_full_lane_answers_unavailable_at_once() {
        let (entrance, _queue) = mpsc::channel(1);
        let lane = Entrance { queue: entrance, company: Arc::default() };
        let batcher = Batcher { lanes: vec![lane], online: Semaphore::new(ONLINE_MAX) };
        let first = batcher.submit(&context(Duration::from_millis(20)), usage("90000001")).await.unwrap_err();
        assert!(matches!(first, Error::Unavailable { .. }), "nobody answers: {first}");
        let second = batcher.submit(&context(Duration::from_secs(60)), usage("90000002")).now_or_never();
        assert!(matches!(second, Some(Err(Error::Unavailable { .. }))), "the queue is full: {second:?}");
    }

    #[test]
    fn few_callers_share_a_lane_and_of_many_each_line_keeps_its_own() {
        let company: Vec<Arc<AtomicUsize>> = (0..LANES).map(|_| Arc::default()).collect();
        let lanes = company.iter().map(|company| Entrance { queue: mpsc::channel(1).0, company: Arc::clone(company) });
        let batcher = Batcher { lanes: lanes.collect(), online: Semaphore::new(ONLINE_MAX) };
        let lane_of = |n: usize| {
            let lane = batcher.lane_of(&usage(&format!("9000{n:04}")));
            batcher.lanes.iter().position(|other| std::ptr::eq(lane, other)).unwrap()
        };
        company[1].store(FEW, Ordering::Relaxed);
        assert!((0..1_000).all(|n| lane_of(n) == 0));
        company[0].store(1, Ordering::Relaxed);
        let lanes: Vec<usize> = (0..1_000).map(lane_of).collect();
        assert_eq!(lanes, (0..1_000).map(lane_of).collect::<Vec<_>>());
        assert!((0..LANES).all(|lane| lanes.iter().filter(|used| **used == lane).count() > 1_000 / LANES / 2));
    }
}
