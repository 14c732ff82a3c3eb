//! What others may ask provisioning, and the events they may react to.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox::Event;

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
        Self::HlrProvision, Self::PcrfPolicyPush, Self::OcsBalanceInit, Self::EsimProfilePrepare, Self::HlrDeprovision,
        Self::ServiceSuspend, Self::ServiceResume,
    ];
    /// The tasks of an activation; they run at the same time, in no order.
    pub const ACTIVATION: [Self; 4] = [Self::HlrProvision, Self::PcrfPolicyPush, Self::OcsBalanceInit, Self::EsimProfilePrepare];

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

#[async_trait]
pub trait Provisioning: Send + Sync {
    /// Books the task in the caller's unit of work; it is run after the commit.
    async fn create_task(&self, tx: &Tx, cx: &Context, task: NewTask) -> Result<TaskId>;
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
        }

        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "provisioning_task";
            fn aggregate_id(&self) -> &str {
                self.task_id.as_str()
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
