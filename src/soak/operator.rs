//! The operator of the network: does what its outages make necessary, through the operations that a person has for it.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::client::{Client, Fault};
use super::driver::{PAUSE, SETTLES_WITHIN, settle};
use super::outage::{self, How, Outage, Task};

/// How often the operator did what.
pub(super) type Deeds = BTreeMap<&'static str, u64>;

/// Tasks that one look sees.
const LOOK: usize = 200;

/// What is done with a task that waits for somebody.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Resolve,
    Retry,
    GiveUp,
}

impl Deed {
    /// For counting.
    const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "stuck tasks resolved",
            Self::Retry => "failed tasks tried again",
            Self::GiveUp => "tasks given up",
        }
    }

    /// Somebody else, or a try whose answer was lost, may have done it before: then a rule refuses it, and nothing is wrong.
    async fn done(self, client: &Client, task: &Value, deeds: &mut Deeds) -> Result<(), Fault> {
        let note = "soak: seen to";
        let (operation, arguments) = match self {
            Self::Resolve => ("provisioning.resolve_stuck", json!({"taskId": task, "note": note})),
            Self::Retry => ("provisioning.retry_failed", json!({"taskId": task})),
            Self::GiveUp => ("provisioning.abandon", json!({"taskId": task, "note": note})),
        };
        client.insist(operation, &arguments, None).await?;
        *deeds.entry(self.name()).or_default() += 1;
        Ok(())
    }
}

/// The outage that begins today begins.
pub(super) async fn morning(client: &Client, outages: &[Outage], day: u32) -> Result<(), Fault> {
    match outage::on(outages, day) {
        Some(outage) if outage.first == day => set_faults(client, outage, true).await,
        _ => Ok(()),
    }
}

/// The outage that ends today ends, and what waits for the operator is done or given up, as long as there is any; what an
/// outage holds up that goes on is left.
pub(super) async fn evening(client: &Client, outages: &[Outage], day: u32, deeds: &mut Deeds) -> Result<(), Fault> {
    let today = outage::on(outages, day);
    if let Some(outage) = today.filter(|outage| outage.last == day && !outage.how.is_for_good()) {
        set_faults(client, outage, false).await?;
    }
    let goes_on = today.filter(|outage| outage.last > day);
    let begun = Instant::now();
    loop {
        settle(client).await?;
        // First, so that one which comes to wait for somebody is seen here or there; and twice those that are to run, since
        // one that runs may have to run again.
        let under_way = waiting(client, &["pending", "running", "pending"]).await?;
        let (mut held, mut is_done) = (Vec::new(), true);
        let for_somebody = waiting(client, &["stuck", "failed"]).await?;
        for task in &for_somebody {
            if goes_on.is_some_and(|outage| task["taskType"] == outage.task.as_str()) {
                held.push(task["id"].clone());
                continue;
            }
            let deed = match (today, task["state"] == "stuck") {
                (Some(outage), _) if outage.how.is_for_good() && task["taskType"] == outage.task.as_str() => {
                    Deed::GiveUp
                }
                (_, true) => Deed::Resolve,
                (_, false) => Deed::Retry,
            };
            deed.done(client, &task["id"], deeds).await?;
            is_done = false;
        }
        is_done &= under_way.iter().all(|task| held.contains(&task["waitsFor"]));
        if is_done {
            break;
        }
        if begun.elapsed() > SETTLES_WITHIN {
            return Err(Fault::Answer(format!("network tasks do not end: {under_way:?}, {for_somebody:?}")));
        }
        tokio::time::sleep(PAUSE).await;
    }
    // Only now: what is booked today meets it, however late.
    match today.filter(|outage| outage.how.is_for_good()) {
        Some(outage) => set_faults(client, outage, false).await,
        None => Ok(()),
    }
}

/// Sees to the stuck tasks of an order for a new line, whose customer waits.
pub(super) async fn attend(client: &Client, outage: Outage, order: &str, deeds: &mut Deeds) -> Result<(), Fault> {
    let deed = match outage.how {
        How::Hangs => Deed::Resolve,
        How::HangsForGood => Deed::GiveUp,
        How::Fails | How::FailsForGood => return Ok(()),
    };
    if !outage.task.activates() {
        return Ok(());
    }
    let orders = client.must("service_order.list_for_order", &json!({"orderId": order}), None).await?;
    let tasks =
        orders.as_array().into_iter().flatten().flat_map(|order| order["tasks"].as_array().into_iter().flatten());
    for task in tasks.filter(|task| task["state"] == "stuck" && task["taskType"] == outage.task.as_str()) {
        deed.done(client, &task["taskId"], deeds).await?;
    }
    Ok(())
}

async fn set_faults(client: &Client, outage: Outage, enabled: bool) -> Result<(), Fault> {
    for fault in outage.how.faults() {
        set_fault(client, outage.task, fault, 1.0, enabled).await?;
    }
    Ok(())
}

/// Makes the simulated network fail, or stops it.
pub(super) async fn set_fault(
    client: &Client,
    task: Task,
    fault: &str,
    probability: f64,
    enabled: bool,
) -> Result<(), Fault> {
    let rule = json!({"taskType": task.as_str(), "faultType": fault, "probability": probability, "enabled": enabled});
    client.must("provisioning.set_fault_injection", &rule, None).await.map(drop)
}

/// The tasks in these states, all pages of them.
async fn waiting(client: &Client, states: &[&str]) -> Result<Vec<Value>, Fault> {
    let mut tasks = Vec::new();
    for state in states {
        let mut listed = Vec::new();
        loop {
            let look = json!({"state": state, "limit": LOOK, "offset": listed.len()});
            let page = client.must("provisioning.list_tasks", &look, None).await?;
            let Value::Array(page) = page else {
                return Err(Fault::Answer(format!("expected a list of tasks, got {page}")));
            };
            let is_last = page.len() < LOOK;
            listed.extend(page);
            if is_last {
                break;
            }
        }
        tasks.extend(listed);
    }
    Ok(tasks)
}
