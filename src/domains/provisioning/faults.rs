//! The fault rules of the simulated network: reference data that an administrator switches.

use crate::domains::provisioning::events::FaultSet;
use crate::domains::provisioning::port::{FaultType, FaultView, SetFaultInjection, TaskType};
use crate::domains::provisioning::{Service, policy, store};
use crate::platform::context::{Context, Scope};
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

/// The rules of the reference data, all off: id, task type, fault type, hundredths.
pub(super) const SEED: [(&str, TaskType, FaultType, i16); 6] = [
    ("FI_HLR_PROV_FAIL", TaskType::HlrProvision, FaultType::FailFirstAttempt, 30),
    ("FI_HLR_PROV_STUCK", TaskType::HlrProvision, FaultType::Stuck, 5),
    ("FI_PCRF_SLOW", TaskType::PcrfPolicyPush, FaultType::Slow, 20),
    ("FI_OCS_FAIL", TaskType::OcsBalanceInit, FaultType::FailFirstAttempt, 10),
    ("FI_ESIM_FAIL", TaskType::EsimProfilePrepare, FaultType::FailFirstAttempt, 15),
    ("FI_HLR_DEPROV_STUCK", TaskType::HlrDeprovision, FaultType::Stuck, 5),
];

pub(super) async fn seed(tx: &Tx, cx: &Context) -> Result<()> {
    for (id, task_type, fault_type, hundredths) in SEED {
        store::seed_fault(tx, cx, id, task_type, fault_type, hundredths).await?;
    }
    Ok(())
}

impl Service {
    /// Changes the rule of the pair, or makes it.
    pub(super) async fn set_fault_rule(&self, cx: &Context, command: SetFaultInjection) -> Result<FaultView> {
        cx.require(Scope::Admin)?;
        let hundredths = policy::hundredths(command.probability)?;
        policy::failing_attempts(command.attempts)?;
        let tx = self.platform.db.begin().await?;
        let rule = store::set_fault(&tx, cx, &command, hundredths).await?;
        let set = FaultSet {
            fault_id: &rule.id,
            task_type: rule.task_type.as_str(),
            fault_type: rule.fault_type.as_str(),
            enabled: rule.enabled,
            probability: rule.probability,
            attempts: rule.attempts,
        };
        outbox::stage(&tx, cx, &set).await?;
        tx.commit().await?;
        Ok(rule)
    }
}
