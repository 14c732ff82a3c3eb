//! The tables of network tasks and fault rules. Only this room of the domain knows them.

pub(super) mod monitors;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::Value;

use crate::domains::provisioning::model::Task;
use crate::domains::provisioning::port::{
    Fault, FaultRules, FaultType, FaultView, ListTasks, NewTask, SetFaultInjection, TaskId, TaskState, TaskType,
};
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids::Begins;

/// How long a process may keep a task for one attempt: longer than the network may take.
const LEASE_SECONDS: i32 = 15;

/// How long a task may be due before recovery takes it: whoever holds its delivery comes first.
const FORGOTTEN_AFTER_SECONDS: i32 = 3;

#[derive(FromQueryResult)]
struct Row {
    id: String,
    service_id: String,
    service_order_id: String,
    commercial_order_id: Option<String>,
    subscription_id: Option<String>,
    task_type: String,
    state: String,
    attempts: i16,
    max_attempts: i16,
    payload: Value,
    polls: i16,
    withdrawal_wanted: bool,
    last_error: Option<String>,
    waits_for: Option<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    version: i64,
}

/// Without what the task waits for, which whoever takes a task knows to be nothing.
const COLUMNS: &str =
    "t.id, t.service_id, t.service_order_id, t.commercial_order_id, t.subscription_id, t.task_type, t.state,
    t.attempts, t.max_attempts, t.payload, t.polls, t.withdrawal_wanted,
    t.last_error, t.created_at, t.started_at, t.completed_at, t.version";

/// The earlier tasks of the same service that are not settled for good. Those of the same service order run beside this one.
const EARLIER: &str = "from provisioning.provisioning_task e
     where e.service_id = t.service_id and e.position < t.position and e.service_order_id <> t.service_order_id
       and e.state in ('pending', 'running', 'failed', 'stuck')";

/// [`Task::may_be_at_the_network`] of a row. Of one that is not wanted any more, nothing may follow
/// before that end is known: a cessation would overtake it, and the number be somebody else's while the network works on it.
const MAYBE_AT_IT: &str = "(t.state in ('pending', 'stuck') and t.polls > 0)";

/// Everything, for those who look at a task.
fn columns_shown() -> String {
    format!(
        "{COLUMNS}, case when t.state = 'pending' then (select e.id {EARLIER} order by e.position limit 1) end as waits_for"
    )
}

impl TryFrom<Row> for Task {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let damaged = || Error::Internal(format!("task {} has an unknown type or state", row.id));
        Ok(Self {
            task_type: TaskType::parse(&row.task_type).ok_or_else(damaged)?,
            state: TaskState::parse(&row.state).ok_or_else(damaged)?,
            id: row.id.into(),
            service_id: row.service_id,
            service_order_id: row.service_order_id,
            commercial_order_id: row.commercial_order_id,
            subscription_id: row.subscription_id,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            payload: row.payload,
            polls: row.polls,
            withdrawal_wanted: row.withdrawal_wanted,
            last_error: row.last_error,
            waits_for: row.waits_for.map(TaskId::from),
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            version: row.version,
        })
    }
}

/// Writes the task, or finds the one of the same service order and type. True: it is new.
pub(super) async fn insert(tx: &Tx, cx: &Context, task: &NewTask) -> Result<(TaskId, bool)> {
    let statement = sql!(
        "insert into provisioning.provisioning_task (id, tenant_id, service_id, service_order_id, commercial_order_id,
             subscription_id, task_type, payload, created_at)
         values (platform.mint_id('PTK', nextval('provisioning.task_id_seq'), 4), $1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (service_order_id, task_type) do nothing
         returning id",
        cx.tenant.as_ref(),
        task.service_id.as_str(),
        task.service_order_id.as_str(),
        task.commercial_order_id.as_deref(),
        task.subscription_id.as_deref(),
        task.task_type.as_str(),
        task.payload.clone(),
        cx.now
    );
    if let Some(new) = Id::find_by_statement(statement).one(&**tx).await? {
        return Ok((new.id.into(), true));
    }
    let statement = sql!(
        "select id from provisioning.provisioning_task where service_order_id = $1 and task_type = $2 and tenant_id = $3",
        task.service_order_id.as_str(),
        task.task_type.as_str(),
        cx.tenant.as_ref()
    );
    let present = Id::find_by_statement(statement).one(&**tx).await?;
    Ok((present.ok_or_else(|| Error::not_found("provisioning task", &task.service_order_id))?.id.into(), false))
}

/// Whether a task can be worked on now.
pub(super) enum Claim {
    /// It has ended, does not exist, waits for an earlier one, or another process has it.
    NotDue,
    /// It is ours, and due for its next attempt after this long.
    Later(Duration),
    /// It is ours for one attempt.
    Taken(Task),
}

/// A running task whose process is gone: its lease has ended, or the process is known to be dead. `$1` is this process.
const ABANDONED: &str = "(t.state = 'running'
     and (t.lease_until < clock_timestamp()
          or (t.leased_by <> $1 and exists (
              select 1 from platform.replica r where r.boot_id = t.leased_by and r.lease_until < clock_timestamp()))))";

/// Takes the task for one attempt; one whose process is gone is taken over. An earlier task of the service that has ended stays ended, so nothing has to be locked to know that none is left.
///
/// The claim does not wait for the disk: losing it in a database crash only means that somebody claims again.
pub(super) async fn claim(platform: &Platform, cx: &Context, id: &TaskId) -> Result<Claim> {
    let statement = sql!(
        format!(
            "with setting as materialized (select set_config('synchronous_commit', 'off', true)),
                  due as (
                      select t.id from provisioning.provisioning_task t, setting
                      where t.id = $2 and t.tenant_id = $3
                        and ((t.state = 'pending' and t.next_attempt_at <= clock_timestamp() and not exists (select 1 {EARLIER}))
                             or {ABANDONED})
                      for update of t skip locked)
             update provisioning.provisioning_task t
             set state = 'running', attempts = t.attempts + 1, started_at = coalesce(t.started_at, $4), leased_by = $1,
                 lease_until = clock_timestamp() + make_interval(secs => $5),
                 version = t.version + 1, updated_at = clock_timestamp()
             from due where t.id = due.id
             returning {COLUMNS}, null::text as waits_for"
        ),
        platform.boot_id,
        id,
        cx.tenant.as_ref(),
        cx.now,
        f64::from(LEASE_SECONDS)
    );
    if let Some(task) = one(platform.db.connection(), statement).await? {
        return Ok(Claim::Taken(task));
    }
    #[derive(FromQueryResult)]
    struct Wait {
        seconds: f64,
    }
    let statement = sql!(
        "select greatest(extract(epoch from next_attempt_at - clock_timestamp()), 0.001)::float8 as seconds
         from provisioning.provisioning_task where id = $1 and tenant_id = $2 and state = 'pending' and leased_by = $3",
        id,
        cx.tenant.as_ref(),
        platform.boot_id
    );
    let wait = Wait::find_by_statement(statement).one(platform.db.connection()).await?;
    Ok(wait.map_or(Claim::NotDue, |wait| Claim::Later(Duration::from_secs_f64(wait.seconds))))
}

/// Writes how an attempt ended; answers the state that the task is in now. None when the lease was taken over meanwhile: then
/// nothing is written.
///
/// While an attempt is to follow, the task stays ours, so that nobody else runs it during the pause. A task that is not
/// wanted any more has no other attempt, and nobody is to look at it, unless the network may still be at it: then it is asked
/// until it says how it ended.
pub(super) async fn record(
    tx: &Tx,
    platform: &Platform,
    cx: &Context,
    task: &Task,
    pause: Duration,
) -> Result<Option<TaskState>> {
    #[derive(FromQueryResult)]
    struct State {
        state: String,
    }
    // Of one that is not wanted any more.
    let ends_here = task.state != TaskState::Completed && !task.may_be_at_the_network();
    let statement = sql!(
        "update provisioning.provisioning_task
         set state = case when withdrawal_wanted and $11 then 'withdrawn' else $1 end, attempts = $2, last_error = $3,
             completed_at = $4, version = $5,
             leased_by = case when $1 = 'pending' and not (withdrawal_wanted and $11) then $6 end, lease_until = null,
             next_attempt_at = clock_timestamp() + make_interval(secs => $7), polls = $10,
             updated_at = clock_timestamp()
         where id = $8 and tenant_id = $9 and state = 'running' and leased_by = $6 and version = $5 - 1
         returning state",
        task.state.as_str(),
        task.attempts,
        task.last_error.as_deref(),
        task.completed_at,
        task.version,
        platform.boot_id,
        pause.as_secs_f64(),
        &task.id,
        cx.tenant.as_ref(),
        task.polls,
        ends_here
    );
    let row = State::find_by_statement(statement).one(&**tx).await?;
    row.map(|row| {
        TaskState::parse(&row.state).ok_or_else(|| Error::Internal(format!("unknown task state {}", row.state)))
    })
    .transpose()
}

/// The first task of the service that nothing holds back any more, but for those of the service order `of`, which run by
/// themselves.
pub(super) async fn next_of_service(db: &Db, cx: &Context, service_id: &str, of: &str) -> Result<Option<TaskId>> {
    let statement = sql!(
        format!(
            "select t.id from provisioning.provisioning_task t
             where t.service_id = $1 and t.tenant_id = $2 and t.service_order_id <> $3 and t.state = 'pending'
               and t.leased_by is null and not exists (select 1 {EARLIER})
             order by t.position limit 1"
        ),
        service_id,
        cx.tenant.as_ref(),
        of
    );
    Ok(Id::find_by_statement(statement).one(db.connection()).await?.map(|row| row.id.into()))
}

/// A task that was just withdrawn.
#[derive(FromQueryResult)]
pub(super) struct Withdrawn {
    pub(super) id: String,
    pub(super) version: i64,
}

/// Ends what is not done of a service order's tasks. What is running, or what the network may be at, ends as soon as the
/// network says how it came out. Answers those that ended now, and whether the network may have heard of any task of the order.
pub(super) async fn withdraw(
    tx: &Tx,
    cx: &Context,
    service_order_id: &str,
    reason: &str,
) -> Result<(Vec<Withdrawn>, bool)> {
    #[derive(FromQueryResult)]
    struct Touched {
        touched: bool,
    }
    // Locked first: who takes a task at the same instant comes before or after, never in between.
    let statement = sql!(
        "select coalesce(bool_or(begun), false) as touched from (
             select started_at is not null as begun from provisioning.provisioning_task
             where service_order_id = $1 and tenant_id = $2 order by id for update) tasks",
        service_order_id,
        cx.tenant.as_ref()
    );
    let touched = Touched::find_by_statement(statement).one(&**tx).await?.is_some_and(|row| row.touched);
    let under_way = sql!(
        format!(
            "update provisioning.provisioning_task t set withdrawal_wanted = true
             where t.service_order_id = $1 and t.tenant_id = $2 and (t.state = 'running' or {MAYBE_AT_IT})"
        ),
        service_order_id,
        cx.tenant.as_ref()
    );
    execute(&**tx, under_way).await?;
    let statement = sql!(
        format!(
            "update provisioning.provisioning_task t
             set state = 'withdrawn', withdrawal_wanted = true, last_error = coalesce(t.last_error, $3), leased_by = null,
                 version = t.version + 1, updated_at = clock_timestamp()
             where t.service_order_id = $1 and t.tenant_id = $2 and t.state in ('pending', 'failed', 'stuck')
               and not {MAYBE_AT_IT}
             returning t.id, t.version"
        ),
        service_order_id,
        cx.tenant.as_ref(),
        reason
    );
    Ok((Withdrawn::find_by_statement(statement).all(&**tx).await?, touched))
}

#[derive(FromQueryResult)]
struct Id {
    id: String,
}

/// Tasks that should have been run a while ago, or whose process is gone.
pub(super) async fn forgotten(platform: &Platform, cx: &Context, limit: i64) -> Result<Vec<TaskId>> {
    let statement = sql!(
        format!(
            "select t.id from provisioning.provisioning_task t
             where t.tenant_id = $2 and t.state in ('pending', 'running')
               and ((t.state = 'pending' and t.next_attempt_at < clock_timestamp() - make_interval(secs => $3)
                     and not exists (select 1 {EARLIER}))
                    or {ABANDONED})
             order by t.next_attempt_at limit $4"
        ),
        platform.boot_id,
        cx.tenant.as_ref(),
        f64::from(FORGOTTEN_AFTER_SECONDS),
        limit
    );
    let rows = Id::find_by_statement(statement).all(platform.db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.id.into()).collect())
}

/// Reads the task and keeps it locked until `tx` ends.
pub(super) async fn lock(tx: &Tx, cx: &Context, id: &TaskId) -> Result<Task> {
    let statement = sql!(
        format!(
            "select {COLUMNS}, null::text as waits_for from provisioning.provisioning_task t
             where t.id = $1 and t.tenant_id = $2 for update"
        ),
        id,
        cx.tenant.as_ref()
    );
    one(&**tx, statement).await?.ok_or_else(|| Error::not_found("provisioning task", id))
}

/// See [`Provisioning::is_given_up`](crate::domains::provisioning::port::Provisioning::is_given_up).
pub(super) async fn is_given_up(tx: &Tx, cx: &Context, id: &TaskId) -> Result<bool> {
    #[derive(FromQueryResult)]
    struct Ended {
        given_up: bool,
    }
    // Only what an operator can give up is locked: whoever runs a task passes over a row that somebody holds.
    let statement = sql!(
        "select state in ('abandoned', 'withdrawn') as given_up from provisioning.provisioning_task
         where id = $1 and tenant_id = $2 and state in ('failed', 'stuck', 'abandoned', 'withdrawn') for share",
        id,
        cx.tenant.as_ref()
    );
    Ok(Ended::find_by_statement(statement).one(&**tx).await?.is_some_and(|ended| ended.given_up))
}

/// Writes what an operator made of the locked task.
pub(super) async fn save(tx: &Tx, cx: &Context, task: &Task) -> Result<()> {
    let statement = sql!(
        "update provisioning.provisioning_task
         set state = $1, attempts = $2, last_error = $3, version = $4, next_attempt_at = clock_timestamp(), polls = 0,
             leased_by = null, lease_until = null, updated_at = clock_timestamp()
         where id = $5 and tenant_id = $6",
        task.state.as_str(),
        task.attempts,
        task.last_error.as_deref(),
        task.version,
        &task.id,
        cx.tenant.as_ref()
    );
    execute(&**tx, statement).await?;
    Ok(())
}

pub(super) async fn find(connection: &impl ConnectionTrait, cx: &Context, id: &TaskId) -> Result<Task> {
    let statement = sql!(
        format!(
            "select {} from provisioning.provisioning_task t where t.id = $1 and t.tenant_id = $2",
            columns_shown()
        ),
        id,
        cx.tenant.as_ref()
    );
    one(connection, statement).await?.ok_or_else(|| Error::not_found("provisioning task", id))
}

async fn one(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<Task>> {
    Row::find_by_statement(statement).one(connection).await?.map(Task::try_from).transpose()
}

/// Tasks that fit, newest first.
pub(super) async fn list(connection: &impl ConnectionTrait, cx: &Context, query: &ListTasks) -> Result<Vec<Task>> {
    let Begins { condition, order_by } =
        Begins::with("t.id", "$7", query.id_prefix.as_deref(), "t.created_at desc, t.id desc");
    let statement = sql!(
        format!(
            "select {} from provisioning.provisioning_task t
             where t.tenant_id = $1 and ($2::text is null or t.service_id = $2)
               and ($3::text is null or t.service_order_id = $3) and ($4::text is null or t.state = $4) {condition}
             order by {order_by} limit $5 offset $6",
            columns_shown()
        ),
        cx.tenant.as_ref(),
        query.service_id.as_deref(),
        query.service_order_id.as_deref(),
        query.state.map(TaskState::as_str),
        i64::from(query.limit),
        i64::from(query.offset),
        query.id_prefix.as_deref()
    );
    Row::find_by_statement(statement).all(connection).await?.into_iter().map(Task::try_from).collect()
}

#[derive(FromQueryResult)]
struct FaultRow {
    id: String,
    task_type: String,
    fault_type: String,
    hundredths: i16,
    attempts: i16,
    enabled: bool,
}

const FAULT_COLUMNS: &str = "id, task_type, fault_type, (probability * 100)::smallint as hundredths, attempts, enabled";

impl TryFrom<FaultRow> for FaultView {
    type Error = Error;

    fn try_from(row: FaultRow) -> Result<Self> {
        let damaged = || Error::Internal(format!("fault rule {} has an unknown type", row.id));
        Ok(Self {
            task_type: TaskType::parse(&row.task_type).ok_or_else(damaged)?,
            fault_type: FaultType::parse(&row.fault_type).ok_or_else(damaged)?,
            id: row.id,
            probability: f64::from(row.hundredths) / 100.0,
            attempts: row.attempts,
            enabled: row.enabled,
        })
    }
}

/// Adds a rule of the reference data, off; one that is there stays as it is.
pub(super) async fn seed_fault(
    tx: &Tx,
    cx: &Context,
    id: &str,
    task_type: TaskType,
    fault_type: FaultType,
    hundredths: i16,
) -> Result<()> {
    let statement = sql!(
        "insert into provisioning.fault_injection (id, tenant_id, task_type, fault_type, probability)
         values ($1, $2, $3, $4, $5 / 100.0) on conflict do nothing",
        id,
        cx.tenant.as_ref(),
        task_type.as_str(),
        fault_type.as_str(),
        i32::from(hundredths)
    );
    execute(&**tx, statement).await?;
    Ok(())
}

/// Changes the rule of the pair, or makes it.
pub(super) async fn set_fault(
    tx: &Tx,
    cx: &Context,
    command: &SetFaultInjection,
    hundredths: i16,
) -> Result<FaultView> {
    let (task_type, fault_type) = (command.task_type.as_str(), command.fault_type.as_str());
    let statement = sql!(
        format!(
            "insert into provisioning.fault_injection (id, tenant_id, task_type, fault_type, probability, enabled, attempts)
             values ($1, $2, $3, $4, $5 / 100.0, $6, $7)
             on conflict (tenant_id, task_type, fault_type) do update
                 set probability = excluded.probability, enabled = excluded.enabled, attempts = excluded.attempts,
                     updated_at = clock_timestamp()
             returning {FAULT_COLUMNS}"
        ),
        format!("FI_{task_type}_{}", fault_type.to_ascii_uppercase()),
        cx.tenant.as_ref(),
        task_type,
        fault_type,
        i32::from(hundredths),
        command.enabled,
        command.attempts
    );
    let row = FaultRow::find_by_statement(statement).one(&**tx).await?;
    row.ok_or_else(|| Error::Internal("an upsert gave no row".into()))?.try_into()
}

/// All fault rules, by task type.
pub(super) async fn faults(connection: &impl ConnectionTrait, cx: &Context) -> Result<Vec<FaultView>> {
    let statement = sql!(
        format!(
            "select {FAULT_COLUMNS} from provisioning.fault_injection where tenant_id = $1 order by task_type, fault_type"
        ),
        cx.tenant.as_ref()
    );
    FaultRow::find_by_statement(statement).all(connection).await?.into_iter().map(FaultView::try_from).collect()
}

/// The fault rules as the simulated network reads them: at every attempt, so that a change counts at once and on all replicas.
#[derive(Debug, Clone)]
pub struct StoredFaultRules(pub Db);

#[async_trait]
impl FaultRules for StoredFaultRules {
    async fn enabled(&self, tenant: &str, task_type: TaskType) -> Result<Vec<Fault>> {
        let statement = sql!(
            format!(
                "select {FAULT_COLUMNS} from provisioning.fault_injection
                 where tenant_id = $1 and task_type = $2 and enabled order by fault_type"
            ),
            tenant,
            task_type.as_str()
        );
        let rows = FaultRow::find_by_statement(statement).all(self.0.connection()).await?;
        let rules = rows.into_iter().map(|row| {
            let rule = FaultView::try_from(row)?;
            Ok(Fault { fault_type: rule.fault_type, probability: rule.probability, attempts: rule.attempts })
        });
        rules.collect()
    }
}
