//! What others may ask provisioning, and the events they may react to.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox::Event;
use crate::platform::page;

pub use crate::domains::provisioning::policy::rule;

id_type!(pub TaskId, "provisioning task, PTK-…");

/// What the network is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskType {
    HlrProvision,
    PcrfPolicyPush,
    OcsBalanceInit,
    EsimProfilePrepare,
    HlrDeprovision,
    ServiceSuspend,
    ServiceResume,
}

impl TaskType {
    pub const ALL: [Self; 7] = [
        Self::HlrProvision,
        Self::PcrfPolicyPush,
        Self::OcsBalanceInit,
        Self::EsimProfilePrepare,
        Self::HlrDeprovision,
        Self::ServiceSuspend,
        Self::ServiceResume,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HlrProvision => "HLR_PROVISION",
            Self::PcrfPolicyPush => "PCRF_POLICY_PUSH",
            Self::OcsBalanceInit => "OCS_BALANCE_INIT",
            Self::EsimProfilePrepare => "ESIM_PROFILE_PREPARE",
            Self::HlrDeprovision => "HLR_DEPROVISION",
            Self::ServiceSuspend => "SERVICE_SUSPEND",
            Self::ServiceResume => "SERVICE_RESUME",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A task that somebody wants done by the network.
#[derive(Debug, Clone)]
pub struct NewTask {
    pub task_type: TaskType,
    pub service_id: String,
    /// With the task type the identity of the task: a second request for the same pair finds the first.
    pub service_order_id: String,
    pub commercial_order_id: Option<String>,
    pub subscription_id: Option<String>,
    /// What the network element needs: number, IMSI, plan. Stays inside the task row.
    pub payload: serde_json::Value,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for its first or next attempt.
    Pending,
    /// An attempt is under way.
    Running,
    Completed,
    /// All attempts were used up; only an operator starts it again.
    Failed,
    /// The network took it and does not answer; an operator must resolve it.
    Stuck,
    /// Its service order ended before it was done: it will not be tried (again).
    Withdrawn,
    /// An operator gave it up.
    Abandoned,
}

impl TaskState {
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Stuck, Self::Withdrawn, Self::Abandoned];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Withdrawn => "withdrawn",
            Self::Abandoned => "abandoned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the machine has nothing more to do; an operator may have.
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Whether nothing at all can happen to the task any more: the next one of its service may run.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Withdrawn | Self::Abandoned)
    }
}

/// A task as every surface shows it. What the network element was told stays inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    pub id: TaskId,
    pub service_id: String,
    pub service_order_id: String,
    pub commercial_order_id: Option<String>,
    pub subscription_id: Option<String>,
    pub task_type: TaskType,
    pub state: TaskState,
    /// Of the current run: an operator's restart begins at 0.
    pub attempts: i16,
    pub max_attempts: i16,
    pub last_error: Option<String>,
    /// The task of the same service that has to end before this one is begun.
    pub waits_for: Option<TaskId>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
}

/// List network tasks, newest first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListTasks {
    pub service_id: Option<String>,
    pub service_order_id: Option<String>,
    pub state: Option<TaskState>,
    /// How the id begins, as far as somebody has typed it.
    pub id_prefix: Option<String>,
    /// How many at most, 1 to 200.
    #[serde(default = "page::default_size")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: u32,
    /// How many to leave out, up to 1000000.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub offset: u32,
}

/// Read one network task.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetTask {
    pub task_id: TaskId,
}

/// Start a stuck task again, after somebody has looked at the network. The same task runs anew; the answer shows how far it
/// came.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveStuck {
    pub task_id: TaskId,
    /// What was found and done, at most 500 characters. Kept with the task.
    pub note: String,
}

/// Start a failed task again, with all its attempts. The same task runs anew. An order that failed with it stays failed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryFailed {
    pub task_id: TaskId,
}

/// Give up a failed or stuck task for good, after its matter was settled without it. The service order that waits for it fails,
/// and the next task of the same service is begun. What the network was not told stays visible at the service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbandonTask {
    pub task_id: TaskId,
    /// Why, at most 500 characters. Kept with the task.
    pub note: String,
}

/// What the simulated network can be told to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultType {
    /// The first attempt fails, or the first `attempts` do; later ones do not.
    FailFirstAttempt,
    /// Every attempt fails.
    FailAlways,
    /// The task never ends by itself. Decided once, before its first attempt.
    Stuck,
    /// An attempt takes two to five times its usual time.
    Slow,
}

impl FaultType {
    pub const ALL: [Self; 4] = [Self::FailFirstAttempt, Self::FailAlways, Self::Stuck, Self::Slow];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailFirstAttempt => "fail_first_attempt",
            Self::FailAlways => "fail_always",
            Self::Stuck => "stuck",
            Self::Slow => "slow",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Make the simulated network fail, or stop it from failing. A rule for the pair is changed, or made when there is none.
/// Several rules may be on for one task type; each decides for itself. Survives an operational reset.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetFaultInjection {
    pub task_type: TaskType,
    pub fault_type: FaultType,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How likely the fault is at each point of use, 0 to 1 in steps of 0.01.
    #[serde(default = "certain")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: f64,
    /// Of `fail_first_attempt`: how many attempts fail before one works, 1 to 100. A task has three attempts.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: i16,
}

const fn one() -> i16 {
    1
}

const fn yes() -> bool {
    true
}

const fn certain() -> f64 {
    1.0
}

/// List the fault rules of the simulated network, by task type.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListFaultInjections {}

/// A fault rule of the simulated network.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultView {
    pub id: String,
    pub task_type: TaskType,
    pub fault_type: FaultType,
    /// 0 to 1.
    pub probability: f64,
    /// Of `fail_first_attempt`: how many attempts fail.
    pub attempts: i16,
    pub enabled: bool,
}

#[async_trait]
pub trait Provisioning: Send + Sync {
    /// Books the task in the caller's unit of work; it is run after the commit, and after every task that was booked before it
    /// for the same service by another service order. Those of one service order run at the same time.
    async fn create_task(&self, tx: &Tx, cx: &Context, task: NewTask) -> Result<TaskId>;

    async fn tasks(&self, cx: &Context, query: ListTasks) -> Result<Vec<TaskView>>;

    async fn task(&self, cx: &Context, query: GetTask) -> Result<TaskView>;

    async fn resolve_stuck(&self, cx: &Context, command: ResolveStuck) -> Result<TaskView>;

    async fn retry_failed(&self, cx: &Context, command: RetryFailed) -> Result<TaskView>;

    /// Violates `provisioning_task.abandon.requires_failed_or_stuck_state`.
    async fn abandon_task(&self, cx: &Context, command: AbandonTask) -> Result<TaskView>;

    /// The service order has ended: what is not done of its tasks will not be done. An attempt that is under way is the last
    /// one; what the network has taken is asked about until it ends, and nothing of the service is begun before. True when the network may have heard of any of them: then something has to be taken back.
    async fn withdraw_tasks(&self, tx: &Tx, cx: &Context, service_order_id: &str, reason: &str) -> Result<bool>;

    /// Whether the task has ended without being done. It does not end so while `tx` lasts.
    async fn is_given_up(&self, tx: &Tx, cx: &Context, task_id: &TaskId) -> Result<bool>;

    async fn set_fault(&self, cx: &Context, command: SetFaultInjection) -> Result<FaultView>;

    async fn faults(&self, cx: &Context) -> Result<Vec<FaultView>>;
}

/// One attempt at a task, as a network element is told of it.
#[derive(Debug, Clone)]
pub struct NetworkTask {
    /// The idempotency key towards the network: the same for every attempt.
    pub task_id: TaskId,
    pub tenant: String,
    pub task_type: TaskType,
    pub service_id: String,
    pub service_order_id: String,
    pub commercial_order_id: Option<String>,
    /// 1 for the first of a run.
    pub attempt: i16,
    /// Whether the task was never tried before, in no run.
    pub is_new: bool,
    /// How often the network was told of this task and has not said yet how it ended: it may know the task.
    pub polls: i16,
    /// Its service order has ended: the network is asked what became of the task, and never told to do it. What it does not
    /// know it answers as refused.
    pub only_ask: bool,
    /// Number, IMSI, plan: whatever the element needs.
    pub payload: serde_json::Value,
}

/// Why a network element did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It did not work this time; another attempt may.
    #[error("{0}")]
    Failed(String),
    /// It will never do it.
    #[error("{0}")]
    Refused(String),
    /// It has taken the task and is not done, or cannot be reached: it is asked again, which costs no attempt.
    #[error("{reason}")]
    NotYet { reason: String, after: std::time::Duration },
    /// The element took the task and does not answer; an operator must look before it is tried again.
    #[error("{0}")]
    Stuck(String),
}

/// The network: HLR, policy, charging and eSIM elements behind one door. Telling it the same task twice must do no harm.
#[async_trait]
pub trait Network: Send + Sync {
    async fn execute(&self, task: &NetworkTask) -> std::result::Result<(), NetworkError>;
}

/// What the simulated network is to do wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    pub fault_type: FaultType,
    /// 0 to 1, decided at each point of use.
    pub probability: f64,
    /// Of [`FaultType::FailFirstAttempt`]: how many attempts of a run fail.
    pub attempts: i16,
}

/// Where the simulated network reads what it is to do wrong.
#[async_trait]
pub trait FaultRules: Send + Sync {
    /// The rules that are on for this task type.
    async fn enabled(&self, tenant: &str, task_type: TaskType) -> Result<Vec<Fault>>;
}

macro_rules! task_event {
    ($(#[$meta:meta])* $name:ident, $type:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            pub task_id: TaskId,
            pub task_type: TaskType,
            pub service_id: String,
            pub service_order_id: String,
            pub commercial_order_id: Option<String>,
            pub attempts: i16,
            pub last_error: Option<String>,
            #[serde(skip)]
            pub version: i64,
        }

        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "provisioning_task";
            fn aggregate_id(&self) -> &str {
                self.task_id.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    };
}

task_event!(
    /// The network has done it.
    TaskCompleted,
    "provisioning.task.completed"
);
task_event!(
    /// All tries were used up; only an operator can start it again.
    TaskFailed,
    "provisioning.task.failed"
);
task_event!(
    /// The network does not answer for good; an operator must resolve it.
    TaskStuck,
    "provisioning.task.stuck"
);
task_event!(
    /// An operator gave it up: the network will not do it.
    TaskAbandoned,
    "provisioning.task.abandoned"
);
