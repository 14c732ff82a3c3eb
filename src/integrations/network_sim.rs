//! The simulated network: HLR, policy, charging and eSIM elements that take their time and fail as they are told.
//!
//! Faults come from rules, several of which may be on for one task type; each decides for itself. With a seed the decision
//! for a task, an attempt and a fault is always the same, whatever else happens at the same time.

use std::hash::Hasher as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domains::provisioning::port::{Fault, FaultRules, FaultType, Network, NetworkError, NetworkTask, TaskType};

/// See the module.
pub struct NetworkSim {
    rules: Arc<dyn FaultRules>,
    /// Tasks take the time that they take in a real network; otherwise none.
    realistic_latency: bool,
    seed: Option<u64>,
}

impl std::fmt::Debug for NetworkSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkSim")
            .field("realistic_latency", &self.realistic_latency)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl NetworkSim {
    pub fn new(rules: Arc<dyn FaultRules>, realistic_latency: bool, seed: Option<u64>) -> Self {
        Self { rules, realistic_latency, seed }
    }

    /// A number from 0 to just below 1 for one decision.
    fn draw(&self, task: &NetworkTask, decision: &str) -> f64 {
        let bits = match self.seed {
            None => rand::random::<u64>(),
            Some(seed) => {
                // Task ids depend on the order of transactions; what the task is for does not.
                let purpose = task.commercial_order_id.as_deref().unwrap_or(&task.service_order_id);
                let mut hasher = Fnv::default();
                hasher.write(&seed.to_be_bytes());
                for part in [purpose, task.task_type.as_str(), decision] {
                    hasher.write(part.as_bytes());
                    hasher.write_u8(0);
                }
                // One line is suspended and resumed many times: each time is another draw.
                let version = task.payload["lineVersion"].as_i64().unwrap_or_default();
                hasher.write(&version.to_be_bytes());
                hasher.write(&task.attempt.to_be_bytes());
                mix(hasher.finish())
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        unit
    }

    fn fires(&self, task: &NetworkTask, rules: &[Fault], fault: FaultType) -> bool {
        rules.iter().any(|rule| rule.fault_type == fault && self.draw(task, fault.as_str()) < rule.probability)
    }

    /// How long this attempt takes. A slow one is slow even where the others take no time.
    fn duration(&self, task: &NetworkTask, rules: &[Fault]) -> Duration {
        let usual = usual_duration(task.task_type);
        if self.fires(task, rules, FaultType::Slow) {
            return usual.mul_f64(2.0 + 3.0 * self.draw(task, "slow_factor"));
        }
        if self.realistic_latency { usual } else { Duration::ZERO }
    }
}

#[async_trait]
impl Network for NetworkSim {
    async fn execute(&self, task: &NetworkTask) -> Result<(), NetworkError> {
        let rules = self.rules.enabled(&task.tenant, task.task_type).await;
        let rules = rules.map_err(|error| NetworkError::Failed(format!("the fault rules cannot be read: {error}")))?;
        let kind = task.task_type.as_str();
        if task.only_ask {
            // It ends whatever it does within the call, so nothing goes on after one that nobody heard the end of.
            return Err(NetworkError::Refused(format!("{kind} is not wanted any more")));
        }
        if task.is_new && self.fires(task, &rules, FaultType::Stuck) {
            return Err(NetworkError::Stuck(format!("Simulated stuck for {kind}")));
        }
        let duration = self.duration(task, &rules);
        if !duration.is_zero() {
            tokio::time::sleep(duration).await;
        }
        if self.fires(task, &rules, FaultType::FailAlways) {
            return Err(NetworkError::Failed(format!("Simulated fail_always for {kind}")));
        }
        let failing = rules.iter().find(|rule| rule.fault_type == FaultType::FailFirstAttempt);
        if failing.is_some_and(|rule| task.attempt <= rule.attempts)
            && self.fires(task, &rules, FaultType::FailFirstAttempt)
        {
            return Err(NetworkError::Failed(format!("Simulated fail_first_attempt for {kind}")));
        }
        Ok(())
    }
}

fn usual_duration(task_type: TaskType) -> Duration {
    Duration::from_millis(match task_type {
        TaskType::OcsBalanceInit => 200,
        TaskType::PcrfPolicyPush => 300,
        TaskType::EsimProfilePrepare | TaskType::HlrDeprovision => 400,
        TaskType::HlrProvision | TaskType::ServiceSuspend | TaskType::ServiceResume => 500,
    })
}

/// FNV-1a, 64 bits: the same on every platform and in every version, unlike the standard library's hasher.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Spreads the bits (the finaliser of SplitMix64): FNV alone leaves the high ones alike for alike inputs.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::provisioning::port::TaskId;

    struct Rules(Vec<Fault>);

    #[async_trait]
    impl FaultRules for Rules {
        async fn enabled(&self, _: &str, _: TaskType) -> crate::platform::error::Result<Vec<Fault>> {
            Ok(self.0.clone())
        }
    }

    fn rules(rules: &[(FaultType, f64)]) -> Vec<Fault> {
        let rule = |&(fault_type, probability): &(FaultType, f64)| Fault { fault_type, probability, attempts: 1 };
        rules.iter().map(rule).collect()
    }

    fn sim(faults: &[(FaultType, f64)], seed: u64) -> NetworkSim {
        NetworkSim::new(Arc::new(Rules(rules(faults))), false, Some(seed))
    }

    fn task(order: &str, attempt: i16, is_new: bool) -> NetworkTask {
        NetworkTask {
            task_id: TaskId::from("PTK-0001".to_owned()),
            tenant: "DEFAULT".into(),
            task_type: TaskType::HlrProvision,
            service_id: "SVC-0001".into(),
            service_order_id: "SO-0001".into(),
            commercial_order_id: Some(order.into()),
            attempt,
            is_new,
            polls: 0,
            only_ask: false,
            payload: serde_json::Value::Null,
        }
    }

    #[tokio::test]
    async fn without_rules_everything_works_at_once() {
        assert_eq!(sim(&[], 1).execute(&task("ORD-0001", 1, true)).await, Ok(()));
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says() {
        let first = sim(&[(FaultType::FailFirstAttempt, 1.0)], 1);
        assert!(matches!(first.execute(&task("ORD-0001", 1, true)).await, Err(NetworkError::Failed(_))));
        assert_eq!(first.execute(&task("ORD-0001", 2, false)).await, Ok(()));
        let always = sim(&[(FaultType::FailAlways, 1.0)], 1);
        assert!(matches!(always.execute(&task("ORD-0001", 9, false)).await, Err(NetworkError::Failed(_))));
        let stuck = sim(&[(FaultType::Stuck, 1.0)], 1);
        assert!(matches!(stuck.execute(&task("ORD-0001", 1, true)).await, Err(NetworkError::Stuck(_))));
        assert_eq!(
            stuck.execute(&task("ORD-0001", 1, false)).await,
            Ok(()),
            "decided once, before the very first attempt"
        );
    }

    #[tokio::test]
    async fn as_many_attempts_fail_as_the_rule_says() {
        let rule = Fault { fault_type: FaultType::FailFirstAttempt, probability: 1.0, attempts: 2 };
        let sim = NetworkSim::new(Arc::new(Rules(vec![rule])), false, Some(1));
        for (attempt, works) in [(1, false), (2, false), (3, true)] {
            assert_eq!(sim.execute(&task("ORD-0001", attempt, attempt == 1)).await.is_ok(), works, "{attempt}");
        }
    }

    #[test]
    fn every_change_of_a_line_is_another_draw() {
        let sim = sim(&[], 7);
        let draw = |version: i64| {
            let mut change = task("ORD-0001", 1, true);
            change.payload = serde_json::json!({"lineVersion": version});
            sim.draw(&change, "stuck")
        };
        assert!((draw(3) - draw(3)).abs() < f64::EPSILON);
        assert!((draw(3) - draw(4)).abs() > f64::EPSILON);
    }

    #[tokio::test]
    async fn several_rules_for_one_type_each_decide() {
        let both = sim(&[(FaultType::FailFirstAttempt, 1.0), (FaultType::Stuck, 0.0)], 1);
        assert!(matches!(both.execute(&task("ORD-0001", 1, true)).await, Err(NetworkError::Failed(_))));
    }

    #[test]
    fn a_seed_repeats_the_decisions_and_another_one_does_not() {
        let decisions = |seed| {
            let sim = sim(&[], seed);
            (0..64).map(|n| sim.draw(&task(&format!("ORD-{n:04}"), 1, true), "stuck") < 0.5).collect::<Vec<_>>()
        };
        assert_eq!(decisions(7), decisions(7));
        assert_ne!(decisions(7), decisions(8));
    }

    #[test]
    fn decisions_are_as_likely_as_they_should_be() {
        let sim = sim(&[], 42);
        let fired = (0..10_000).filter(|n| sim.draw(&task(&format!("ORD-{n:04}"), 1, true), "slow") < 0.3).count();
        assert!((2_800..3_200).contains(&fired), "{fired}");
    }

    #[test]
    fn slow_takes_two_to_five_times_as_long() {
        let slow = sim(&[(FaultType::Slow, 1.0)], 3);
        let usual = usual_duration(TaskType::HlrProvision);
        for n in 0..200 {
            let taken = slow.duration(&task(&format!("ORD-{n}"), 1, true), &rules(&[(FaultType::Slow, 1.0)]));
            assert!(taken >= usual * 2 && taken <= usual * 5, "{taken:?}");
        }
    }
}
