//! The ways to the crash points that no load leads to: what operators do, what fails in the network, and what sweeps find.
//!
//! A server may die in the middle of all of it. A lost answer is not asked for again: the next round does the same anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::client::Client;
use crate::support::driver::VISA;

/// Between two looks at what a round waits for, and between two rounds.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at what a round waits for, before it is begun anew.
const LOOKS: usize = 150;

/// What is done again and again until the server dies of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    /// Orders are called off on their way.
    CallOff,
    Hold,
    /// Orders that nobody submits are a week old.
    Expire,
    /// Orders do not end, and are flagged.
    Flag,
    /// Nobody works on the order of a change, and an operator has it carried on.
    CarryOn,
    /// Payments by hand.
    Pay,
    /// Tasks of the network are stuck, or fail; an operator resolves these and retries those.
    Restart,
    /// Tasks are stuck, and an operator gives them up.
    Abandon,
    /// Tasks fail for good.
    Fail,
    /// Lines that are blocked are overdue.
    Skip,
    /// Lines are due whose plan is gone.
    Postpone,
    /// Lines are to be reminded.
    Remind,
    ChangePlan,
}

impl Scene {
    /// What leads to the points of this subject.
    pub(super) fn of(subject: &str) -> Option<Self> {
        match subject {
            "order.cancel" | "som.withdraw_cancelled_order" => Some(Self::CallOff),
            "order.hold" => Some(Self::Hold),
            "order.expire" => Some(Self::Expire),
            "order.flag" => Some(Self::Flag),
            "order.carry_on" => Some(Self::CarryOn),
            "payment.manual" => Some(Self::Pay),
            "provisioning.restart" | "provisioning.rerun_task" | "som.note_stuck_task" => Some(Self::Restart),
            "provisioning.abandon" | "provisioning.run_next_task" | "som.note_abandoned_task" => Some(Self::Abandon),
            "com.fail_on_service_order" | "som.note_failed_task" => Some(Self::Fail),
            "renewal.skip" => Some(Self::Skip),
            "renewal.postpone" => Some(Self::Postpone),
            "renewal.remind" => Some(Self::Remind),
            "som.change_policy" => Some(Self::ChangePlan),
            _ => None,
        }
    }

    /// How the simulated network fails in it.
    const fn faults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Restart => &[("HLR_PROVISION", "stuck"), ("HLR_DEPROVISION", "fail_always")],
            Self::Flag | Self::Abandon => &[("HLR_PROVISION", "stuck")],
            Self::Fail => &[("HLR_PROVISION", "fail_always")],
            _ => &[],
        }
    }

    /// Lines that are there before it begins.
    const fn lines(self) -> usize {
        match self {
            Self::Postpone => 3,
            Self::CarryOn | Self::Restart | Self::Skip | Self::Remind | Self::ChangePlan => 1,
            _ => 0,
        }
    }
}

/// An operator.
pub(super) struct Hand {
    client: Client,
    pub(super) pool: PgPool,
    counter: AtomicU64,
}

impl Hand {
    pub(super) const fn new(client: Client, pool: PgPool) -> Self {
        Self { client, pool, counter: AtomicU64::new(0) }
    }

    /// Makes what the scene needs, on a server that lives.
    pub(super) async fn set(&self, scene: Scene) {
        let customer = json!({"name": "Ada Lovelace", "email": "ada@example.test"});
        let customer = self.must("customer.create", customer).await["id"].clone();
        self.must("customer.attest_kyc", json!({"customerId": customer, "attestationToken": "ada"})).await;
        let card = json!({"customerId": customer, "cardNumber": VISA, "expYear": 2060});
        self.must("payment.add_card", card).await;
        for _ in 0..scene.lines() {
            let order = self.must("order.create", json!({"customerId": customer, "offeringId": "PLAN_S"})).await;
            let ended = json!({"orderId": order["id"], "state": "completed", "timeoutSeconds": 30});
            self.must("order.wait_until", ended).await;
        }
        self.switch_faults(scene, true).await;
        match scene {
            Scene::CarryOn => {
                // As if every delivery of it had been discarded.
                self.sql(
                    "create function lose() returns trigger language plpgsql as
                     $$ begin new.state := 'discarded'; return new; end $$",
                )
                .await;
                self.sql(
                    "create trigger lose before insert on audit.delivery
                     for each row when (new.consumer = 'com.carry_out_change') execute function lose()",
                )
                .await;
                let change = json!({"customerId": customer, "action": "modify", "subscriptionId": "SUB-0001",
                    "offeringId": "VAS_DATA_1GB"});
                self.must("order.create", change).await;
            }
            Scene::Restart => drop(self.must("subscription.terminate", json!({"subscriptionId": "SUB-0001"})).await),
            Scene::Skip => {
                let block = json!({"subscriptionId": "SUB-0001", "reason": "fraud"});
                self.must("subscription.block", block).await;
                self.must("clock.advance", json!({"duration": "31d"})).await;
            }
            Scene::Postpone => {
                self.sql("update subscription.subscription set offering_id = 'PLAN_GONE'").await;
                self.must("clock.advance", json!({"duration": "31d"})).await;
            }
            Scene::Remind => drop(self.must("clock.advance", json!({"duration": "29d"})).await),
            _ => {}
        }
    }

    /// One round after the other, for ever.
    pub(super) async fn play(&self, scene: Scene) {
        loop {
            // None: an answer was lost, or what is waited for does not come.
            let _lost = self.round(scene).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn round(&self, scene: Scene) -> Option<()> {
        match scene {
            Scene::CallOff => {
                let order = self.order(true).await?;
                self.ask("order.cancel", json!({"orderId": order})).await?;
            }
            Scene::Hold => {
                let order = self.order(false).await?;
                self.ask("order.hold", json!({"orderId": order, "reason": "looked at"})).await?;
            }
            Scene::Expire => {
                self.order(false).await?;
                self.ask("clock.advance", json!({"duration": "8d"})).await?;
                self.tick("stuck_orders").await?;
            }
            Scene::Flag => {
                self.order(true).await?;
                self.ask("clock.advance", json!({"duration": "1h"})).await?;
                self.tick("stuck_orders").await?;
            }
            Scene::CarryOn => drop(self.ask("order.retry", json!({"orderId": "ORD-0002"})).await?),
            Scene::Pay => self.pay().await?,
            Scene::Restart => {
                self.order(true).await?;
                let stuck = self.task("HLR_PROVISION", "stuck").await?;
                self.ask("provisioning.resolve_stuck", json!({"taskId": stuck, "note": "looked at"})).await?;
                let failed = self.task("HLR_DEPROVISION", "failed").await?;
                self.ask("provisioning.retry_failed", json!({"taskId": failed})).await?;
            }
            Scene::Abandon => {
                self.order(true).await?;
                let stuck = self.task("HLR_PROVISION", "stuck").await?;
                self.ask("provisioning.abandon", json!({"taskId": stuck, "note": "given up"})).await?;
            }
            Scene::Fail => {
                let order = self.order(true).await?;
                self.until(async || {
                    let order = self.ask("order.get", json!({"orderId": order})).await?;
                    (order["state"] == "failed").then_some(())
                })
                .await?;
            }
            Scene::Skip => {
                self.sql("update subscription.subscription set renewal_attempted_for = null").await;
                self.tick("renewal").await?;
            }
            Scene::Postpone => {
                self.sql("update subscription.subscription set renewal_next_attempt_at = null").await;
                self.tick("renewal").await?;
            }
            Scene::Remind => {
                self.sql("update subscription.subscription set renewal_reminder_sent_for = null").await;
                self.tick("renewal").await?;
            }
            Scene::ChangePlan => {
                let plan = ["PLAN_L", "PLAN_M"][usize::try_from(self.next() % 2).unwrap_or_default()];
                let change = json!({"subscriptionId": "SUB-0001", "newOfferingId": plan});
                self.ask("subscription.schedule_plan_change", change).await;
                self.ask("clock.advance", json!({"duration": "31d"})).await?;
                self.ask("subscription.tick_renewals_now", json!({})).await?;
            }
        }
        Some(())
    }

    /// Ends what the scene has left open, on a server that lives.
    pub(super) async fn clear_up(&self, scene: Scene) {
        self.switch_faults(scene, false).await;
        match scene {
            Scene::CarryOn => {
                self.sql("drop trigger lose on audit.delivery").await;
                self.must("order.retry", json!({"orderId": "ORD-0002"})).await;
            }
            Scene::Postpone => {
                self.sql("update subscription.subscription set offering_id = 'PLAN_S', renewal_next_attempt_at = null")
                    .await;
            }
            _ => {}
        }
        // Whoever is due by the product clock is renewed here, and not while the books are looked at.
        while self.must("subscription.tick_renewals_now", json!({})).await["due"] != 0 {}
        for state in ["acknowledged", "held"] {
            let orders = self.must("order.list", json!({"state": state, "limit": 200})).await;
            for order in orders.as_array().expect("a list") {
                self.must("order.cancel", json!({"orderId": order["id"]})).await;
            }
        }
        // What was booked and not begun yet gets stuck no more, but what is stuck already has to be seen to.
        for (task_type, fault) in scene.faults() {
            let (state, operation) = match *fault {
                "stuck" => ("stuck", "provisioning.resolve_stuck"),
                _ => ("failed", "provisioning.retry_failed"),
            };
            if state == "failed" && *task_type == "HLR_PROVISION" {
                // Its order has failed with it.
                continue;
            }
            while let Some(task) = self.first(task_type, state).await {
                let note = (state == "stuck").then_some("looked at");
                let mut arguments = json!({"taskId": task});
                if let Some(note) = note {
                    arguments["note"] = json!(note);
                }
                // It may be in the hands of a delivery that is coming back.
                self.ask(operation, arguments).await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn switch_faults(&self, scene: Scene, enabled: bool) {
        for (task_type, fault_type) in scene.faults() {
            let fault = json!({"taskType": task_type, "faultType": fault_type, "enabled": enabled, "probability": 1.0});
            self.must("provisioning.set_fault_injection", fault).await;
        }
    }

    /// A new order; answers its id.
    async fn order(&self, submit: bool) -> Option<Value> {
        let customer = self.ask("customer.find_by_email", json!({"email": "ada@example.test"})).await?;
        let order = json!({"customerId": customer["id"], "offeringId": "PLAN_S", "submit": submit});
        Some(self.ask("order.create", order).await?["id"].clone())
    }

    async fn pay(&self) -> Option<()> {
        let customer = self.ask("customer.find_by_email", json!({"email": "ada@example.test"})).await?;
        let payment = json!({
            "correlatorId": format!("desk-{}", self.next()),
            "account": {"id": customer["accountId"]},
            "payer": {"id": customer["id"], "@referredType": "Customer"},
            "paymentMethod": {"id": "PM-0001"},
            "totalAmount": {"unit": "SGD", "value": 5.05},
        });
        let answer = self.client.try_post("/payment/v4/payment", &payment, None).await.ok()?;
        assert!(answer.status.is_success() || answer.status.is_server_error(), "{:#}", answer.body);
        Some(())
    }

    async fn tick(&self, name: &str) -> Option<Value> {
        self.ask("worker.tick", json!({"name": name})).await
    }

    /// A task of this type, as soon as one is in this state.
    async fn task(&self, task_type: &str, state: &str) -> Option<Value> {
        self.until(async || self.first(task_type, state).await).await
    }

    async fn first(&self, task_type: &str, state: &str) -> Option<Value> {
        let tasks = self.ask("provisioning.list_tasks", json!({"state": state})).await?;
        let task = tasks.as_array()?.iter().find(|task| task["taskType"] == task_type)?;
        Some(task["id"].clone())
    }

    async fn until<T>(&self, condition: impl AsyncFn() -> Option<T>) -> Option<T> {
        for _ in 0..LOOKS {
            if let Some(found) = condition().await {
                return Some(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// What was answered; None: nothing, or a refusal.
    async fn ask(&self, operation: &str, arguments: Value) -> Option<Value> {
        let answer = self.client.try_op(operation, &arguments, None).await.ok()?;
        answer.status.is_success().then_some(answer.body)
    }

    async fn must(&self, operation: &str, arguments: Value) -> Value {
        self.client.op(operation, arguments).await.ok()
    }

    async fn sql(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.expect("the statement is right");
    }

    /// A number that was not drawn before.
    fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }
}
