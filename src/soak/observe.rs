//! Reads what came of every customer, through operations.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::account::{Account, Charge, LineAccount, NetworkAccount, PeriodAccount, QuotaAccount};
use super::client::{Client, Fault};
use super::driver::Known;
use super::outage::Task;

/// More than a customer of a year has.
const LIMIT: usize = 1_000;

/// Network tasks and services of one page; there may be several pages.
const PAGE: usize = 200;

/// The accounts of these customers, in their order.
pub(super) async fn accounts(client: &Client, hands: usize, customers: &[Known]) -> Result<Vec<Account>, Fault> {
    let reading = customers.iter().map(|customer| account(client, customer));
    stream::iter(reading).buffered(hands.max(1)).try_collect().await
}

async fn account(client: &Client, known: &Known) -> Result<Account, Fault> {
    let customer = known.id.as_str();
    if customer.is_empty() {
        return Ok(Account::default());
    }
    let called_off = lines_called_off(client, known).await?;
    let mine = json!({"customerId": customer, "limit": LIMIT});
    let attempts = client.must("payment.list_attempts", &mine, None).await?;
    let kept = |attempt: &&Value| !(called_off.contains(&text(&attempt["subjectId"])) && costs_nothing(attempt));
    let mut charges: Vec<Charge> = rows(&attempts)?.iter().filter(kept).map(charge).collect();
    charges.sort();
    let listed = client.must("subscription.list_for_customer", &json!({"customerId": customer}), None).await?;
    let mut told = told(client, customer, &called_off).await?;
    let mut lines = Vec::new();
    // Newest first, as listed; one whose activation failed was never a line.
    let is_left = |line: &&Value| !(called_off.contains(&text(&line["id"])) && line["state"] == "terminated");
    for line in rows(&listed)?.iter().rev().filter(|line| !line["activatedAt"].is_null()).filter(is_left) {
        let of_line = json!({"aggregateId": line["id"], "eventTypePrefix": "subscription.", "limit": LIMIT});
        let log = client.must("events.list", &of_line, None).await?;
        let mut account = line_account(line, rows(&log["events"])?);
        account.network = network(client, &line["id"]).await?;
        account.told = told.remove(&text(&line["id"])).unwrap_or_default();
        lines.push(account);
    }
    // What is about a line that is none of these is left over.
    let told = told.into_values().flatten().fold(BTreeMap::new(), |mut all, (template, times)| {
        *all.entry(template).or_default() += times;
        all
    });
    Ok(Account { charges, lines, told })
}

/// What the customer was told, by the line that it is about, or the empty text: how often each. A message that did not get
/// away says so.
async fn told(
    client: &Client,
    customer: &str,
    called_off: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeMap<String, u32>>, Fault> {
    let listed = client.must("communication.list", &json!({"customerId": customer, "limit": LIMIT}), None).await?;
    let mut told: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for message in rows(&listed)? {
        let line = optional(&message["subscriptionId"]).unwrap_or_default();
        if called_off.contains(&line) {
            continue;
        }
        let template = match message["state"].as_str() {
            Some("sent") => text(&message["template"]),
            _ => format!("{} {}", text(&message["template"]), text(&message["state"])),
        };
        *told.entry(line).or_default().entry(template).or_default() += 1;
    }
    Ok(told)
}

/// How many services there are of which the network has not confirmed what is wanted.
pub(super) async fn unconfirmed(client: &Client) -> Result<usize, Fault> {
    let mut seen = 0;
    loop {
        let page = json!({"limit": PAGE, "offset": seen});
        let page = client.must("service.list_unconfirmed", &page, None).await?;
        let services = rows(&page)?.len();
        seen += services;
        if services < PAGE {
            return Ok(seen);
        }
    }
}

/// What the network knows of a line: by its service, and by the tasks of it.
async fn network(client: &Client, line: &Value) -> Result<NetworkAccount, Fault> {
    let services = client.must("service.list_for_subscription", &json!({"subscriptionId": line}), None).await?;
    let Some(service) = rows(&services)?.iter().find(|service| service["type"] == "CFS") else {
        return Ok(NetworkAccount::default());
    };
    let mut tasks: Vec<Value> = Vec::new();
    loop {
        let page = json!({"serviceId": service["id"], "limit": PAGE, "offset": tasks.len()});
        let page = client.must("provisioning.list_tasks", &page, None).await?;
        let page = rows(&page)?;
        tasks.extend_from_slice(page);
        if page.len() < PAGE {
            break;
        }
    }
    Ok(NetworkAccount {
        state: text(&service["state"]),
        wanted: text(&service["networkWanted"]),
        confirmed: text(&service["networkConfirmed"]),
        did: done_last(&tasks).to_owned(),
        policy_wanted: text(&service["policyWanted"]),
        policy_confirmed: text(&service["policyConfirmed"]),
        open_tasks: tasks.iter().filter(|task| !is_over(task)).count(),
    })
}

/// The network runs the tasks of a service in the order of their booking, which is that of their numbers.
fn done_last(tasks: &[Value]) -> &'static str {
    let does = |task: &Value| {
        [
            (Task::Subscriber, "in_service"),
            (Task::Resume, "in_service"),
            (Task::Suspend, "suspended"),
            (Task::Remove, "removed"),
        ]
        .into_iter()
        .find_map(|(kind, does)| (task["taskType"] == kind.as_str()).then_some(does))
    };
    let done = tasks.iter().filter(|task| task["state"] == "completed").filter_map(|task| Some((task, does(task)?)));
    let number = |task: &Value| text(&task["id"]).trim_start_matches("PTK-").parse::<u64>().unwrap_or(0);
    done.max_by_key(|(task, _)| number(task)).map_or("nothing", |(_, does)| does)
}

fn is_over(task: &Value) -> bool {
    matches!(task["state"].as_str(), Some("completed" | "withdrawn" | "abandoned"))
}

/// The lines of orders that were called off. What is left of one shows as a difference.
async fn lines_called_off(client: &Client, known: &Known) -> Result<BTreeSet<String>, Fault> {
    let mut lines = BTreeSet::new();
    for order in &known.called_off {
        let order = client.must("order.get", &json!({"orderId": order}), None).await?;
        lines.extend(order["items"][0]["targetSubscriptionId"].as_str().map(str::to_owned));
    }
    Ok(lines)
}

/// Nothing was taken, or it was paid back.
fn costs_nothing(attempt: &Value) -> bool {
    match attempt["status"].as_str() {
        Some("declined" | "errored") => true,
        Some("approved") => attempt["refund"]["status"] == "succeeded",
        _ => false,
    }
}

fn rows(value: &Value) -> Result<&[Value], Fault> {
    let rows = value.as_array().ok_or_else(|| Fault::Answer(format!("expected a list, got {value}")))?;
    if rows.len() < LIMIT { Ok(rows) } else { Err(Fault::Answer("a list is longer than a year's".to_owned())) }
}

fn charge(attempt: &Value) -> Charge {
    Charge {
        at: text(&attempt["attemptedAt"]),
        purpose: text(&attempt["purpose"]),
        amount: text(&attempt["amount"]),
        status: text(&attempt["status"]),
    }
}

fn line_account(line: &Value, events: &[Value]) -> LineAccount {
    let begins =
        |event: &&Value| matches!(event["eventType"].as_str(), Some("subscription.activated" | "subscription.renewed"));
    let quota = line["balances"].as_array().into_iter().flatten().map(|balance| {
        let amount = |name: &str| balance[name].as_i64().unwrap_or(i64::MIN);
        let quota = QuotaAccount {
            total: amount("total"),
            consumed: amount("consumed"),
            remaining: amount("remaining"),
            unlimited_until: optional(&balance["unlimitedUntil"]),
        };
        (text(&balance["allowanceType"]), quota)
    });
    LineAccount {
        state: text(&line["state"]),
        block_reasons: line["blockReasons"].as_array().into_iter().flatten().map(text).collect(),
        plan: text(&line["offeringId"]),
        price: text(&line["priceAmount"]),
        period_start: text(&line["currentPeriodStart"]),
        period_end: text(&line["currentPeriodEnd"]),
        terminated_at: optional(&line["terminatedAt"]),
        pending_plan: optional(&line["pendingOfferingId"]),
        pending_from: optional(&line["pendingEffectiveAt"]),
        quota: quota.collect(),
        periods: events.iter().filter(begins).map(|event| period(&event["payload"])).collect(),
        network: NetworkAccount::default(),
        told: BTreeMap::new(),
    }
}

fn period(begun: &Value) -> PeriodAccount {
    PeriodAccount {
        // The activation begins the first one, and does not say so.
        index: begun["periodIndex"].as_i64().unwrap_or(1),
        start: text(&begun["periodStart"]),
        end: text(&begun["periodEnd"]),
        plan: text(&begun["offeringId"]),
        amount: text(&begun["amountCharged"]),
    }
}

/// What is missing shows as a difference.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn optional(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| text(value))
}
