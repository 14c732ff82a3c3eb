//! Operations on network tasks and on the faults of the simulated network.

use crate::domains::provisioning::port::{
    AbandonTask, FaultView, GetTask, ListFaultInjections, ListTasks, ResolveStuck, RetryFailed, SetFaultInjection,
    TaskView, rule,
};
use crate::operations::services::Services;
use crate::operations::{Audience, Effect, Operation, Registry};
use crate::platform::context::Context;
use crate::platform::error::{Result, Rule};

/// Adds the operations on network tasks.
pub fn register(registry: Registry<Services>) -> Registry<Services> {
    registry
        .with::<ListTasks>()
        .with::<GetTask>()
        .with::<ResolveStuck>()
        .with::<RetryFailed>()
        .with::<AbandonTask>()
        .with::<SetFaultInjection>()
        .with::<ListFaultInjections>()
}

impl Operation<Services> for ListTasks {
    const NAME: &'static str = "provisioning.list_tasks";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"state": "stuck"}"#;
    type Output = Vec<TaskView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Vec<TaskView>> {
        services.provisioning.tasks(cx, self).await
    }
}

impl Operation<Services> for GetTask {
    const NAME: &'static str = "provisioning.get_task";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{"taskId": "PTK-0001"}"#;
    type Output = TaskView;

    async fn run(self, services: &Services, cx: &Context) -> Result<TaskView> {
        services.provisioning.task(cx, self).await
    }
}

impl Operation<Services> for ResolveStuck {
    const NAME: &'static str = "provisioning.resolve_stuck";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::RESOLVE_REQUIRES_NOTE, rule::RESOLVE_REQUIRES_STUCK];
    const EXAMPLE: &'static str = r#"{"taskId": "PTK-0001", "note": "HLR restarted by the network desk"}"#;
    type Output = TaskView;

    async fn run(self, services: &Services, cx: &Context) -> Result<TaskView> {
        services.provisioning.resolve_stuck(cx, self).await
    }
}

impl Operation<Services> for RetryFailed {
    const NAME: &'static str = "provisioning.retry_failed";
    const EFFECT: Effect = Effect::Write;
    const RULES: &'static [Rule] = &[rule::RETRY_REQUIRES_FAILED];
    const EXAMPLE: &'static str = r#"{"taskId": "PTK-0001"}"#;
    type Output = TaskView;

    async fn run(self, services: &Services, cx: &Context) -> Result<TaskView> {
        services.provisioning.retry_failed(cx, self).await
    }
}

impl Operation<Services> for AbandonTask {
    const NAME: &'static str = "provisioning.abandon";
    const EFFECT: Effect = Effect::Destructive;
    const RULES: &'static [Rule] = &[rule::ABANDON_REQUIRES_NOTE, rule::ABANDON_REQUIRES_FAILED_OR_STUCK];
    const EXAMPLE: &'static str = r#"{"taskId": "PTK-0001", "note": "the element was taken out of service"}"#;
    type Output = TaskView;

    async fn run(self, services: &Services, cx: &Context) -> Result<TaskView> {
        services.provisioning.abandon_task(cx, self).await
    }
}

impl Operation<Services> for SetFaultInjection {
    const NAME: &'static str = "provisioning.set_fault_injection";
    const EFFECT: Effect = Effect::Destructive;
    const AUDIENCE: Audience = Audience::Admin;
    const EXAMPLE: &'static str =
        r#"{"taskType": "HLR_PROVISION", "faultType": "fail_first_attempt", "enabled": true, "probability": 1.0}"#;
    type Output = FaultView;

    async fn run(self, services: &Services, cx: &Context) -> Result<FaultView> {
        services.provisioning.set_fault(cx, self).await
    }
}

impl Operation<Services> for ListFaultInjections {
    const NAME: &'static str = "provisioning.list_fault_injections";
    const EFFECT: Effect = Effect::Read;
    type Output = Vec<FaultView>;

    async fn run(self, services: &Services, cx: &Context) -> Result<Vec<FaultView>> {
        services.provisioning.faults(cx).await
    }
}
