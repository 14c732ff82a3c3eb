//! Customers and lines for a load, made through operations.

use std::iter::StepBy;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::connection::{Connection, Fault, Target};

/// Connections that prepare a load.
const HANDS: usize = 32;

/// Lines of one customer of a load.
const LINES_PER_CUSTOMER: usize = 10;

/// Most numbers that one range holds, a prefix of four digits and four more; and most profiles of one batch.
const BATCH_MAX: u64 = 10_000;

/// A line in service.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) msisdn: String,
    pub(super) period_end: String,
}

/// Text that no earlier run used.
pub(super) fn unique() -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{nanos:x}")
}

fn text(value: &Value) -> Result<String, Fault> {
    value.as_str().map(str::to_owned).ok_or_else(|| Fault::Answer(format!("expected text, got {value}")))
}

/// A verified customer with a card that pays.
pub(super) async fn customer(connection: &mut Connection) -> Result<String, Fault> {
    let unique = unique();
    let customer = json!({ "name": "Bench Mark", "email": format!("{unique}@example.test") });
    let id = text(&connection.op("customer.create", &customer).await?["id"])?;
    connection.op("customer.attest_kyc", &json!({ "customerId": id, "attestationToken": unique })).await?;
    connection.op("payment.add_card", &json!({ "customerId": id, "cardNumber": "4242424242424242" })).await?;
    Ok(id)
}

/// Sees to it that there are `count` customers; answers the address of one of them.
pub(super) async fn customers(target: &Target, count: u64) -> Result<String, Fault> {
    let mut connection = target.connect().await?;
    let unique = unique();
    let address = format!("{unique}@example.test");
    connection.op("customer.create", &json!({ "name": "Bench Customer", "email": address })).await?;
    let offset = count.saturating_sub(1);
    let last = connection.op("customer.list", &json!({ "limit": 1, "offset": offset })).await?;
    if last.as_array().is_some_and(|found| !found.is_empty()) {
        return Ok(address);
    }
    let mut there = 0;
    let mut step = count;
    // How many there are, by halves: no operation counts them.
    while step > 0 {
        let probe = json!({ "limit": 1, "offset": there + step - 1 });
        let found = connection.op("customer.list", &probe).await?;
        if found.as_array().is_some_and(|found| !found.is_empty()) {
            there += step;
        }
        step /= 2;
    }
    let missing = count.saturating_sub(there);
    let missing = usize::try_from(missing).unwrap_or(usize::MAX);
    let made = share(target, missing, |mut connection, mine| {
        let unique = unique.clone();
        async move {
            for n in mine {
                let customer =
                    json!({ "name": format!("Nadia{n} Ong"), "email": format!("{unique}-{n}@example.test") });
                connection.op("customer.create", &customer).await?;
            }
            Ok(())
        }
    });
    made.await?;
    Ok(address)
}

/// The whole sign-up: a new customer's line, in service.
pub(super) async fn line(connection: &mut Connection, plan: &str) -> Result<Line, Fault> {
    let customer = customer(connection).await?;
    line_of(connection, &customer, plan).await
}

/// Submits an order and waits until it is completed; answers it as it is then.
pub(super) async fn order(connection: &mut Connection, customer: &str, plan: &str) -> Result<Value, Fault> {
    let order = connection.op("order.create", &json!({ "customerId": customer, "offeringId": plan })).await?;
    let wait = json!({ "orderId": order["id"], "state": "completed", "timeoutSeconds": 30 });
    connection.op("order.wait_until", &wait).await
}

/// One more line of a customer, in service.
async fn line_of(connection: &mut Connection, customer: &str, plan: &str) -> Result<Line, Fault> {
    let order = order(connection, customer, plan).await?;
    let id = text(&order["items"][0]["targetSubscriptionId"])?;
    let line = connection.op("subscription.get", &json!({ "subscriptionId": id })).await?;
    Ok(Line { msisdn: text(&line["msisdn"])?, period_end: text(&line["currentPeriodEnd"])?, id })
}

/// Shares `count` pieces of work among a few connections, and answers what each came to.
pub(super) async fn share<T, F>(
    target: &Target,
    count: usize,
    work: impl Fn(Connection, StepBy<Range<usize>>) -> F,
) -> Result<Vec<T>, Fault>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let mut hands = JoinSet::new();
    for hand in 0..HANDS.min(count) {
        hands.spawn(work(target.connect().await?, (hand..count).step_by(HANDS)));
    }
    let mut done = Vec::new();
    while let Some(ended) = hands.join_next().await {
        done.push(ended.map_err(|error| Fault::Answer(format!("some work ended: {error}")))??);
    }
    Ok(done)
}

/// `count` lines on the plan, a few per customer.
pub(super) async fn lines(target: &Target, plan: &'static str, count: usize) -> Result<Vec<Line>, Fault> {
    stock(&mut target.connect().await?, count as u64).await?;
    let made = share(target, count, move |mut connection, mine| async move {
        let mut lines = Vec::with_capacity(mine.len());
        let mut holder = String::new();
        for n in 0..mine.len() {
            if n % LINES_PER_CUSTOMER == 0 {
                holder = customer(&mut connection).await?;
            }
            lines.push(line_of(&mut connection, &holder, plan).await?);
        }
        Ok(lines)
    });
    Ok(made.await?.into_iter().flatten().collect())
}

/// Numbers of lines that are in service already, at most `count`.
pub(super) async fn standing(target: &Target, count: usize) -> Result<Vec<String>, Fault> {
    const PAGE: usize = 1_000;
    let mut connection = target.connect().await?;
    let mut numbers = Vec::with_capacity(count);
    while numbers.len() < count {
        let (limit, offset) = (PAGE.min(count - numbers.len()), numbers.len());
        let query = format!("status=active&fields=productSerialNumber&sort=id&limit={limit}&offset={offset}");
        let path = format!("/tmf-api/productInventory/v4/product?{query}");
        let request = target.request("GET", &path, b"");
        let page: Vec<Value> = serde_json::from_slice(connection.send(&request).await?.ok()?)
            .map_err(|error| Fault::Answer(error.to_string()))?;
        if page.is_empty() {
            break;
        }
        for product in &page {
            numbers.push(text(&product["productSerialNumber"])?);
        }
    }
    Ok(numbers)
}

/// Sees to it that there are numbers and eSIM profiles for `count` lines; the seed has a thousand of each.
pub(super) async fn stock(connection: &mut Connection, count: u64) -> Result<(), Fault> {
    // Some to spare: a number whose order is tried again is free only when it has ended.
    let wanted = (2 * count).min(1_000);
    let free = |list: Value| list.as_array().map_or(0, |list| list.len() as u64);
    let numbers = free(connection.op("inventory.msisdn.list_available", &json!({ "limit": wanted })).await?);
    if numbers < wanted || count > wanted {
        let mut missing = count;
        // What an earlier run has put there is skipped, not counted: the next prefix then.
        for prefix in 8100..8150 {
            if missing == 0 {
                break;
            }
            let range = json!({ "prefix": prefix.to_string(), "count": BATCH_MAX });
            let added = connection.op("inventory.msisdn.add_range", &range).await?;
            missing = missing.saturating_sub(added["inserted"].as_u64().unwrap_or_default());
        }
        if missing > 0 {
            return Err(Fault::Answer("no prefix is left for more numbers".to_owned()));
        }
    }
    let profiles = free(connection.op("inventory.esim.list_available", &json!({ "limit": wanted })).await?);
    if profiles < wanted || count > wanted {
        for first in (0..count).step_by(usize::try_from(BATCH_MAX).unwrap_or(1)) {
            let batch = json!({ "count": (count - first).min(BATCH_MAX) });
            connection.op("inventory.esim.add_batch", &batch).await?;
        }
    }
    Ok(())
}
