//! What an operator does with a task that ended badly: the same row runs again, or is given up.

use std::time::Duration;

use crate::domains::provisioning::events::{TaskRestarted, TaskWithdrawn};
use crate::domains::provisioning::model::{Task, Trigger};
use crate::domains::provisioning::policy::rule;
use crate::domains::provisioning::port::{AbandonTask, ResolveStuck, RetryFailed, TaskId, TaskView};
use crate::domains::provisioning::{Service, policy, run, store};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::{crash, outbox};

/// How long the caller waits to see how the task ends; it goes on without the caller.
const WATCHED: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(50);

/// Longest reason that is kept with a task.
const REASON_CHARS_MAX: usize = 500;

impl Service {
    pub(super) async fn resolve(&self, cx: &Context, command: ResolveStuck) -> Result<TaskView> {
        policy::note(rule::RESOLVE_REQUIRES_NOTE, &command.task_id, &command.note)?;
        let tx = self.platform.db.begin().await?;
        let task = store::lock(&tx, cx, &command.task_id).await?;
        policy::resolve(&task)?;
        let said = format!("Resolved by operator: {}", command.note.trim());
        restart(&tx, cx, task, said, Some(command.note)).await?;
        crash::point("provisioning.restart.before_commit");
        tx.commit().await?;
        crash::point("provisioning.restart.after_commit");
        self.watch(cx, &command.task_id).await
    }

    pub(super) async fn retry(&self, cx: &Context, command: RetryFailed) -> Result<TaskView> {
        let tx = self.platform.db.begin().await?;
        let task = store::lock(&tx, cx, &command.task_id).await?;
        policy::retry(&task)?;
        let said = task.last_error.clone().unwrap_or_default();
        restart(&tx, cx, task, said, None).await?;
        crash::point("provisioning.restart.before_commit");
        tx.commit().await?;
        crash::point("provisioning.restart.after_commit");
        self.watch(cx, &command.task_id).await
    }

    /// The task ends as it is; its service order is told by event.
    pub(super) async fn abandon(&self, cx: &Context, command: AbandonTask) -> Result<TaskView> {
        policy::note(rule::ABANDON_REQUIRES_NOTE, &command.task_id, &command.note)?;
        let tx = self.platform.db.begin().await?;
        let mut task = store::lock(&tx, cx, &command.task_id).await?;
        policy::abandon(&task)?;
        task.state = task.state.after(Trigger::Abandon)?;
        task.last_error = Some(format!("Abandoned by operator: {}", command.note.trim()));
        task.version += 1;
        store::save(&tx, cx, &task).await?;
        run::stage_end(&tx, cx, &task).await?;
        crash::point("provisioning.abandon.before_commit");
        tx.commit().await?;
        crash::point("provisioning.abandon.after_commit");
        Ok(task.into())
    }

    /// See [`Provisioning::withdraw_tasks`](crate::domains::provisioning::port::Provisioning::withdraw_tasks).
    pub(super) async fn withdraw(&self, tx: &Tx, cx: &Context, service_order_id: &str, reason: &str) -> Result<bool> {
        let reason: String = format!("withdrawn: {reason}").chars().take(REASON_CHARS_MAX).collect();
        let (withdrawn, touched) = store::withdraw(tx, cx, service_order_id, &reason).await?;
        for task in withdrawn {
            let (task_id, service_order_id) = (TaskId::from(task.id), service_order_id.to_owned());
            let event = TaskWithdrawn { task_id, service_order_id, reason: reason.clone(), version: task.version };
            outbox::stage(tx, cx, &event).await?;
        }
        Ok(touched)
    }

    /// The task, as soon as it has ended or the caller's patience has.
    async fn watch(&self, cx: &Context, id: &TaskId) -> Result<TaskView> {
        let deadline = cx.deadline.min(tokio::time::Instant::now() + WATCHED);
        let mut waiter = self.platform.db.wake().waiter();
        loop {
            let task = store::find(self.platform.db.connection(), cx, id).await?;
            if task.state.is_settled() || tokio::time::Instant::now() >= deadline {
                return Ok(task.into());
            }
            waiter.wait(POLL).await;
        }
    }
}

async fn restart(tx: &Tx, cx: &Context, mut task: Task, last_error: String, note: Option<String>) -> Result<()> {
    let from_state = task.state.as_str().to_owned();
    task.state = task.state.after(Trigger::Restart)?;
    task.attempts = 0;
    task.last_error = Some(last_error);
    task.version += 1;
    store::save(tx, cx, &task).await?;
    let restarted = TaskRestarted {
        task_id: task.id,
        task_type: task.task_type,
        service_order_id: task.service_order_id,
        from_state,
        note,
        version: task.version,
    };
    outbox::stage(tx, cx, &restarted).await?;
    Ok(())
}
