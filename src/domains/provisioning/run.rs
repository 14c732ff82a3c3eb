//! Running a task: lease the row, tell the network outside any transaction, record the answer in a second one.
//!
//! The row is the work item. Whoever finds it due takes it by a lease; a process that dies leaves a lease that ends, and the
//! task is taken over with its next attempt. An answer is recorded only by the lease that asked for it, so however often a
//! task is delivered, it ends once.
//!
//! A task waits until every earlier one of its service has ended for good. Whoever ends one goes on with the next; what
//! nobody goes on with, because a process died in between, recovery finds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::domains::provisioning::Service;
use crate::domains::provisioning::events::TaskWithdrawn;
use crate::domains::provisioning::model::{Outcome, Task, not_yet, pause_after};
use crate::domains::provisioning::port::{
    NetworkError, NetworkTask, TaskAbandoned, TaskCompleted, TaskFailed, TaskId, TaskState, TaskStuck,
};
use crate::domains::provisioning::store::{self, Claim};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::{crash, outbox, trace};

/// How long a network element may take for one attempt.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer is held while it cannot be written down: for most of a lease.
const RECORDED_WITHIN: Duration = Duration::from_secs(10);
const RECORD_PAUSE: Duration = Duration::from_millis(250);

/// Tasks that recovery runs at once, and most of them in one sweep.
const RECOVERED_AT_ONCE: usize = 8;
const RECOVERED_MAX: i64 = 400;

/// How long a delivery stays with a task that waits for its next attempt.
const WATCHED_MAX: Duration = Duration::from_secs(3);

/// Tasks of one service that are run one after the other without looking up; recovery takes the rest.
const CHAIN_MAX: usize = 16;

impl Service {
    /// Runs the task to its end, or as far as it goes, and then what waited for it; does nothing when it has ended, has to
    /// wait itself, or another process runs it.
    pub(super) async fn run(&self, cx: &Context, id: &TaskId) -> Result<()> {
        let mut next = Some(id.clone());
        for _ in 0..CHAIN_MAX {
            let Some(id) = next else { return Ok(()) };
            next = match self.run_to_end(cx, &id).await? {
                Some(ended) => self.released_by(cx, &ended).await?,
                None => None,
            };
        }
        Ok(())
    }

    /// The next task of the service of one that has ended for good.
    pub(super) async fn released_by(&self, cx: &Context, ended: &Ended) -> Result<Option<TaskId>> {
        store::next_of_service(&self.platform.db, cx, &ended.service_id, &ended.service_order_id).await
    }

    /// Answers whose task it was when it has ended for good.
    async fn run_to_end(&self, cx: &Context, id: &TaskId) -> Result<Option<Ended>> {
        loop {
            match store::claim(&self.platform, cx, id).await? {
                Claim::NotDue => return Ok(None),
                // Recovery comes back to it; the delivery that began it is done.
                Claim::Later(wait) if wait > WATCHED_MAX => return Ok(None),
                Claim::Later(wait) => tokio::time::sleep(wait).await,
                Claim::Taken(task) => {
                    let ended = Ended::of(&task);
                    let outcome = self.attempt(cx, &task).await;
                    if self.record_in_time(cx, &task, &outcome).await?.is_some_and(TaskState::is_final) {
                        return Ok(Some(ended));
                    }
                }
            }
        }
    }

    async fn attempt(&self, cx: &Context, task: &Task) -> Outcome {
        let order = NetworkTask {
            task_id: task.id.clone(),
            tenant: cx.tenant.to_string(),
            task_type: task.task_type,
            service_id: task.service_id.clone(),
            service_order_id: task.service_order_id.clone(),
            commercial_order_id: task.commercial_order_id.clone(),
            attempt: task.attempts,
            is_new: task.is_new(),
            polls: task.polls,
            only_ask: task.withdrawal_wanted,
            payload: task.payload.clone(),
        };
        crash::point("provisioning.task.before_call");
        let told = async {
            let answer = self.network.execute(&order).await;
            // That it needs more time is no failure.
            if !matches!(answer, Ok(()) | Err(NetworkError::NotYet { .. })) {
                trace::failed();
            }
            answer
        };
        let told = told.instrument(trace::step("provisioning", "network.execute"));
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, told).await;
        crash::point("provisioning.task.after_call");
        let answer = answer.unwrap_or_else(|_| {
            let reason = format!("the network did not answer within {} s", ANSWER_TIMEOUT.as_secs());
            Err(NetworkError::NotYet { reason, after: Duration::from_secs(1) })
        });
        match answer {
            Ok(()) => Outcome::Completed,
            Err(NetworkError::Stuck(error)) => Outcome::Stuck { error },
            Err(NetworkError::Failed(error)) if task.attempts < task.max_attempts => {
                Outcome::Again { error, after: pause_after(task.attempts) }
            }
            Err(NetworkError::Failed(error) | NetworkError::Refused(error)) => Outcome::Failed { error },
            Err(NetworkError::NotYet { reason, after }) => not_yet(reason, task.polls, after),
        }
    }

    /// As [`Self::record`], and again while the database is away and the lease lasts: nobody else would ask the network before
    /// its end, and then ask it twice.
    async fn record_in_time(&self, cx: &Context, task: &Task, outcome: &Outcome) -> Result<Option<TaskState>> {
        let until = Instant::now() + RECORDED_WITHIN;
        loop {
            match self.record(cx, task.clone(), outcome).await {
                Err(error) if error.is_transient() && Instant::now() < until => tokio::time::sleep(RECORD_PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// Writes how the attempt ended, with its event when the task has ended, and answers the state. An answer whose lease was
    /// taken over is dropped: the one who took over asks again.
    async fn record(&self, cx: &Context, mut task: Task, outcome: &Outcome) -> Result<Option<TaskState>> {
        let mut cx = cx.clone();
        cx.now = self.platform.clock.now().await?;
        task.state = task.state.after(outcome.trigger())?;
        task.last_error = outcome.error().map(str::to_owned).or(task.last_error);
        match outcome {
            Outcome::Completed => task.completed_at = Some(cx.now),
            // No attempt was made.
            Outcome::Stuck { .. } => task.attempts = 0,
            Outcome::Waits { .. } => {
                task.attempts -= 1;
                task.polls += 1;
            }
            // The network has said how that attempt ended: the next one is told to it anew.
            Outcome::Again { .. } => task.polls = 0,
            Outcome::Failed { .. } => {}
        }
        task.version += 1;
        let tx = self.platform.db.begin().await?;
        let Some(state) = store::record(&tx, &self.platform, &cx, &task, outcome.pause()).await? else {
            tracing::info!(task.id = %task.id, "answer of the network dropped: another process has taken the task over");
            return Ok(None);
        };
        task.state = state;
        stage_end(&tx, &cx, &task).await?;
        crash::point("provisioning.task.before_commit");
        tx.commit().await?;
        crash::point("provisioning.task.after_commit");
        if let Some(error) = outcome.error() {
            tracing::warn!(task.id = %task.id, task.kind = task.task_type.as_str(), state = task.state.as_str(), error, "network task");
        }
        Ok(Some(task.state))
    }

    /// Runs what nobody runs: tasks that are due for a while, or whose process died.
    pub(super) async fn recover(&self, cx: &Context) -> Result<Value> {
        use futures::StreamExt as _;
        let due = store::forgotten(&self.platform, cx, RECOVERED_MAX).await?;
        let found = due.len();
        let outcomes = futures::stream::iter(due)
            .map(|id| async move { self.run(cx, &id).await })
            .buffer_unordered(RECOVERED_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        outcomes.into_iter().collect::<Result<Vec<()>>>()?;
        Ok(json!({ "recovered": found - failed }))
    }
}

/// Whose task has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) service_id: String,
    pub(super) service_order_id: String,
}

impl Ended {
    fn of(task: &Task) -> Self {
        Self { service_id: task.service_id.clone(), service_order_id: task.service_order_id.clone() }
    }
}

/// Says how a task ended, where it did.
pub(super) async fn stage_end(tx: &Tx, cx: &Context, task: &Task) -> Result<()> {
    macro_rules! ended {
        ($event:ident) => {
            $event {
                task_id: task.id.clone(),
                task_type: task.task_type,
                service_id: task.service_id.clone(),
                service_order_id: task.service_order_id.clone(),
                commercial_order_id: task.commercial_order_id.clone(),
                attempts: task.attempts,
                last_error: task.last_error.clone(),
                version: task.version,
            }
        };
    }
    match task.state {
        TaskState::Completed => outbox::stage(tx, cx, &ended!(TaskCompleted)).await?,
        TaskState::Failed => outbox::stage(tx, cx, &ended!(TaskFailed)).await?,
        TaskState::Stuck => outbox::stage(tx, cx, &ended!(TaskStuck)).await?,
        TaskState::Abandoned => outbox::stage(tx, cx, &ended!(TaskAbandoned)).await?,
        TaskState::Withdrawn => {
            let reason = task.last_error.clone().unwrap_or_default();
            let service_order_id = task.service_order_id.clone();
            let withdrawn = TaskWithdrawn { task_id: task.id.clone(), service_order_id, reason, version: task.version };
            outbox::stage(tx, cx, &withdrawn).await?
        }
        TaskState::Pending | TaskState::Running => return Ok(()),
    };
    Ok(())
}
