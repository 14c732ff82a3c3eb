//! Customers and lines for a load, made through operations.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::connection::{Connection, Fault, Target};

/// Sign-ups at once while a load is prepared.
const HANDS: usize = 8;

/// Most numbers that one range holds: a prefix of four digits and four more.
const RANGE_MAX: u64 = 10_000;

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
    let mut hands = JoinSet::new();
    for hand in 0..HANDS as u64 {
        let (mut connection, unique) = (target.connect().await?, unique.clone());
        let share = missing / HANDS as u64 + u64::from(hand < missing % HANDS as u64);
        hands.spawn(async move {
            for n in 0..share {
                let name = format!("Nadia{n} Ong{hand}");
                let customer = json!({ "name": name, "email": format!("{unique}-{hand}-{n}@example.test") });
                connection.op("customer.create", &customer).await?;
            }
            Ok::<_, Fault>(())
        });
    }
    while let Some(made) = hands.join_next().await {
        made.map_err(|error| Fault::Answer(format!("making customers ended: {error}")))??;
    }
    Ok(address)
}

/// The whole sign-up: a new customer's line, in service.
pub(super) async fn line(connection: &mut Connection, plan: &str) -> Result<Line, Fault> {
    let customer = customer(connection).await?;
    let order = connection.op("order.create", &json!({ "customerId": customer, "offeringId": plan })).await?;
    let wait = json!({ "orderId": order["id"], "state": "completed", "timeoutSeconds": 30 });
    let order = connection.op("order.wait_until", &wait).await?;
    let id = text(&order["items"][0]["targetSubscriptionId"])?;
    let line = connection.op("subscription.get", &json!({ "subscriptionId": id })).await?;
    Ok(Line { msisdn: text(&line["msisdn"])?, period_end: text(&line["currentPeriodEnd"])?, id })
}

/// `count` lines on the plan.
pub(super) async fn lines(target: &Target, plan: &'static str, count: usize) -> Result<Vec<Line>, Fault> {
    stock(&mut target.connect().await?, count as u64).await?;
    let mut hands = JoinSet::new();
    for hand in 0..HANDS.min(count) {
        let mut connection = target.connect().await?;
        let share = (hand..count).step_by(HANDS).count();
        hands.spawn(async move {
            let mut lines = Vec::with_capacity(share);
            for _ in 0..share {
                lines.push(line(&mut connection, plan).await?);
            }
            Ok::<_, Fault>(lines)
        });
    }
    let mut lines = Vec::with_capacity(count);
    while let Some(made) = hands.join_next().await {
        lines.extend(made.map_err(|error| Fault::Answer(format!("a sign-up ended: {error}")))??);
    }
    Ok(lines)
}

/// Sees to it that there are numbers and eSIM profiles for `count` lines; the seed has a thousand of each.
pub(super) async fn stock(connection: &mut Connection, count: u64) -> Result<(), Fault> {
    let wanted = count.min(1_000);
    let free = |list: Value| list.as_array().map_or(0, |list| list.len() as u64);
    let numbers = free(connection.op("inventory.msisdn.list_available", &json!({ "limit": wanted })).await?);
    if numbers < wanted || count > wanted {
        // A range that an earlier run has taken is refused: the next prefix then.
        let mut outcome = Err(Fault::Answer("no prefix tried".to_owned()));
        for prefix in 8100..8150 {
            let range = json!({ "prefix": prefix.to_string(), "count": count.min(RANGE_MAX) });
            outcome = connection.op("inventory.msisdn.add_range", &range).await;
            if !matches!(outcome, Err(Fault::Refused { status: 409 | 422, .. })) {
                break;
            }
        }
        outcome?;
    }
    let profiles = free(connection.op("inventory.esim.list_available", &json!({ "limit": wanted })).await?);
    if profiles < wanted || count > wanted {
        connection.op("inventory.esim.add_batch", &json!({ "count": count })).await?;
    }
    Ok(())
}
