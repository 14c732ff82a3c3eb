//! What starts a task, and what an operator did: the events to which this domain itself reacts.

use serde::{Deserialize, Serialize};

use crate::domains::provisioning::port::{TaskId, TaskType};
use crate::platform::outbox::Event;

/// A task was booked: it is to be run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskCreated {
    pub(super) task_id: TaskId,
    pub(super) task_type: TaskType,
    pub(super) service_id: String,
    pub(super) service_order_id: String,
    pub(super) commercial_order_id: Option<String>,
}

impl Event for TaskCreated {
    const TYPE: &'static str = "provisioning.task.created";
    const AGGREGATE: &'static str = "provisioning_task";
    fn aggregate_id(&self) -> &str {
        self.task_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        1
    }
}

/// An operator started a failed or stuck task again: it is to be run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskRestarted {
    pub(super) task_id: TaskId,
    pub(super) task_type: TaskType,
    pub(super) service_order_id: String,
    /// The state that it was taken out of.
    pub(super) from_state: String,
    /// What the operator said.
    pub(super) note: Option<String>,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for TaskRestarted {
    const TYPE: &'static str = "provisioning.task.restarted";
    const AGGREGATE: &'static str = "provisioning_task";
    fn aggregate_id(&self) -> &str {
        self.task_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// A task is not wanted any more and will not be tried (again).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskWithdrawn {
    pub(super) task_id: TaskId,
    pub(super) service_order_id: String,
    pub(super) reason: String,
    #[serde(skip)]
    pub(super) version: i64,
}

impl Event for TaskWithdrawn {
    const TYPE: &'static str = "provisioning.task.withdrawn";
    const AGGREGATE: &'static str = "provisioning_task";
    fn aggregate_id(&self) -> &str {
        self.task_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// The simulated network was told to do something wrong, or to stop it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FaultSet<'a> {
    pub(super) fault_id: &'a str,
    pub(super) task_type: &'a str,
    pub(super) fault_type: &'a str,
    pub(super) enabled: bool,
    pub(super) probability: f64,
    pub(super) attempts: i16,
}

impl Event for FaultSet<'_> {
    const TYPE: &'static str = "provisioning.fault_injection.set";
    const AGGREGATE: &'static str = "fault_injection";
    fn aggregate_id(&self) -> &str {
        self.fault_id
    }
}
