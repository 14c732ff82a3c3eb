//! Lives the days: sets the clock, has what is due done, lets every customer act, waits until nothing is under way, and goes
//! on. Customers act at once; one customer's steps follow each other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Size;
use super::actor::Actor;
use super::catalog::decimal;
use super::client::{Client, Fault};
use super::model::noon;
use super::operator::{self, Deeds};
use super::outage::{self, Outage, Task};
use super::plan::{Planned, Year, date};
use super::price::Move;
use super::promotion;
use super::server::Server;
use super::step::{Outcome, Step};

/// What is under way at the end of a day ends within this; the leases of a killed server have to run out first.
pub(super) const SETTLES_WITHIN: Duration = Duration::from_secs(180);

/// Between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(40);

/// A kill comes at most this long after the request that it waits for was sent.
const KILLS_WITHIN_MS: u64 = 30;

/// Requests of a day on which nobody does anything.
const OF_EVERY_DAY: u64 = 6;

/// Sets the kills apart from the years.
const KILLS: u64 = 0x6b69_6c6c;

/// What the simulated network does wrong every day, and how often: it gets over it by itself.
const HICCUPS: [(Task, &str, f64); 6] = [
    (Task::Subscriber, "fail_first_attempt", 0.05),
    (Task::Suspend, "fail_first_attempt", 0.05),
    (Task::Policy, "fail_first_attempt", 0.02),
    (Task::Charging, "slow", 0.10),
    (Task::Resume, "slow", 0.05),
    (Task::Remove, "slow", 0.05),
];

/// More customers than this need more numbers than the reference data has.
const NUMBERS_AT_HAND: u32 = 800;

/// Numbers of one range and profiles of one batch.
const RANGE: u32 = 9_999;

/// A customer as the product knows them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Empty before they join.
    pub id: String,
    /// The card that is charged.
    pub(super) card: String,
    pub(super) line: String,
    pub(super) msisdn: String,
    /// Orders that were called off: nothing may be left of them.
    pub called_off: Vec<String>,
}

/// What was drawn for a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn<'a> {
    pub(super) years: &'a [Year],
    pub(super) moves: &'a [Move],
    pub(super) outages: &'a [Outage],
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Lived {
    /// In the order of their numbers.
    pub customers: Vec<Known>,
    pub surprises: Vec<Surprise>,
    pub steps: BTreeMap<&'static str, u64>,
    /// What the operator of the network did. Kills change it.
    pub deeds: Deeds,
    pub refused: u64,
    pub kills: u32,
    pub lost_answers: u64,
}

/// A step that did not end as it must.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Surprise {
    pub customer: usize,
    pub day: u32,
    pub step: Step,
    pub expected: Outcome,
    pub actual: Outcome,
}

/// Makes room for the customers, and sets the faults.
pub(super) async fn prepare(client: &Client, size: &Size) -> Result<(), Fault> {
    let there = client.must("customer.list", &json!({"limit": 1}), None).await?;
    if there.as_array().is_some_and(|customers| !customers.is_empty()) {
        return Err(Fault::Usage("the installation has customers already; a soak needs an empty one".to_owned()));
    }
    // Some leave and come back, and a number that was used rests.
    let lines = size.customers * 3;
    let ranges = if lines > NUMBERS_AT_HAND { lines / RANGE + 1 } else { 0 };
    for range in 0..ranges {
        let prefix = (9_100 + range).to_string();
        client.must("inventory.msisdn.add_range", &json!({"prefix": prefix, "count": RANGE}), None).await?;
        client.must("inventory.esim.add_batch", &json!({"count": RANGE}), None).await?;
    }
    promotion::create(client).await?;
    for (task, fault, probability) in HICCUPS {
        operator::set_fault(client, task, fault, probability, true).await?;
    }
    Ok(())
}

/// Lives every day.
pub(super) async fn live(
    client: &Client,
    server: Option<&Server>,
    size: &Size,
    Drawn { years, moves, outages }: Drawn<'_>,
    mut progress: impl FnMut(u32),
) -> Result<Lived, Fault> {
    let mut lived = Lived { customers: vec![Known::default(); years.len()], ..Lived::default() };
    let mut kills = Kills::drawn(size, years);
    for day in 0..=size.days {
        let at = json!({"at": noon(date(day))});
        client.must("clock.freeze", &at, None).await?;
        let due = kills.on(day);
        let over = CancellationToken::new();
        let acting = async {
            let _over = over.clone().drop_guard();
            operator::morning(client, outages, day).await?;
            if day > 0 {
                dawn(client).await?;
            }
            set_prices(client, size, moves, day).await?;
            one_day(client, size, years, (day, outage::on(outages, day)), &mut lived).await?;
            settle(client).await?;
            move_prices(client).await?;
            operator::evening(client, outages, day, &mut lived.deeds).await
        };
        let (acted, killed) = tokio::join!(acting, kill(client, server, due, &over));
        acted?;
        lived.kills += killed?;
        settle(client).await?;
        progress(day);
    }
    lived.lost_answers = client.lost();
    Ok(lived)
}

async fn one_day(
    client: &Client,
    size: &Size,
    years: &[Year],
    (day, outage): (u32, Option<Outage>),
    lived: &mut Lived,
) -> Result<(), Fault> {
    let acting = years.iter().enumerate().filter_map(|(index, year)| Some((index, year.days.get(&day)?)));
    let acting: Vec<(usize, Known, &Vec<Planned>)> =
        acting.map(|(index, steps)| (index, lived.customers[index].clone(), steps)).collect();
    let hands = acting.into_iter().map(|(index, known, steps)| async move {
        let mut actor =
            Actor { client, seed: size.seed, index, day, outage, known, endings: Vec::new(), deeds: Deeds::new() };
        actor.act(steps).await?;
        Ok::<_, Fault>((index, actor, steps))
    });
    let mut days = stream::iter(hands).buffer_unordered(size.hands.max(1));
    while let Some((index, actor, steps)) = days.try_next().await? {
        lived.customers[index] = actor.known;
        for (deed, times) in actor.deeds {
            *lived.deeds.entry(deed).or_default() += times;
        }
        for (Planned { step, expected }, actual) in steps.iter().zip(actor.endings) {
            *lived.steps.entry(step.name()).or_default() += 1;
            lived.refused += u64::from(matches!(actual, Outcome::Refused(_)));
            if !expected.agrees(&actual) {
                let (step, expected) = (step.clone(), expected.clone());
                lived.surprises.push(Surprise { customer: index, day, step, expected, actual });
            }
        }
    }
    Ok(())
}

/// What the workers do by themselves when a day begins; until there is nothing left of it.
async fn dawn(client: &Client) -> Result<(), Fault> {
    let begun = Instant::now();
    // A move that is over is so before anybody comes to its plan today.
    move_prices(client).await?;
    loop {
        let renewed = client.must("subscription.tick_renewals_now", &json!({}), None).await?;
        settle(client).await?;
        if ["due", "pending", "failed"].iter().all(|what| renewed[what] == 0) {
            break;
        }
        if begun.elapsed() > SETTLES_WITHIN {
            return Err(Fault::Answer(format!("lines stay due: {renewed}")));
        }
    }
    client.must("worker.tick", &json!({"name": "vas_expiry"}), None).await?;
    Ok(())
}

/// Lines that were not told of a price that their plan is moved to are told.
async fn move_prices(client: &Client) -> Result<(), Fault> {
    client.must("worker.tick", &json!({"name": "price_migration"}), None).await.map(drop)
}

/// What the operator decides on a day.
async fn set_prices(client: &Client, size: &Size, moves: &[Move], day: u32) -> Result<(), Fault> {
    for decided in moves.iter().filter(|decided| decided.day == day) {
        let price = json!({
            "offeringId": decided.plan, "priceId": decided.price_id, "amount": decimal(decided.price), "retireCurrent": true,
        });
        client.must("catalog.add_price", &price, Some(&format!("soak-{}-{}", size.seed, decided.price_id))).await?;
        let request = json!({
            "offeringId": decided.plan, "newPriceId": decided.price_id, "effectiveFrom": noon(decided.from),
            "noticeDays": decided.notice_days,
        });
        client.must("subscription.migrate_to_new_price", &request, None).await?;
    }
    Ok(())
}

/// Waits until no delivery is pending: what a day began belongs to that day.
pub(super) async fn settle(client: &Client) -> Result<(), Fault> {
    let begun = Instant::now();
    loop {
        let queue = client.must("queue.status", &json!({}), None).await?;
        let waiting: Vec<&Value> =
            queue["consumers"].as_array().into_iter().flatten().filter(|depth| depth["pending"] != 0).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > SETTLES_WITHIN {
            return Err(Fault::Answer(format!("deliveries stay pending: {waiting:?}")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// When the server dies: on which day, after how many requests of that day, and how long after the last of them.
struct Kills {
    by_day: BTreeMap<u32, Vec<(u64, Duration)>>,
}

impl Kills {
    /// Days are drawn by how much is done on them: a kill that hits nothing proves nothing.
    fn drawn(size: &Size, years: &[Year]) -> Self {
        let mut random = StdRng::seed_from_u64(size.seed ^ KILLS);
        let steps = years.iter().flat_map(|year| &year.days).flat_map(|(day, steps)| vec![*day; steps.len()]);
        let steps: Vec<u32> = steps.collect();
        let mut by_day: BTreeMap<u32, Vec<(u64, Duration)>> = BTreeMap::new();
        for _ in 0..size.kills.min(u32::try_from(steps.len()).unwrap_or(u32::MAX)) {
            let day = steps[random.random_range(0..steps.len())];
            let of_day = steps.iter().filter(|other| **other == day).count() as u64;
            let after = Duration::from_millis(random.random_range(0..KILLS_WITHIN_MS));
            by_day.entry(day).or_default().push((random.random_range(1..=of_day + OF_EVERY_DAY), after));
        }
        Self { by_day }
    }

    fn on(&mut self, day: u32) -> Vec<(u64, Duration)> {
        self.by_day.remove(&day).unwrap_or_default()
    }
}

/// Kills the server when its time has come, or when the day is over before that.
async fn kill(
    client: &Client,
    server: Option<&Server>,
    due: Vec<(u64, Duration)>,
    over: &CancellationToken,
) -> Result<u32, Fault> {
    let Some(server) = server else { return Ok(0) };
    let mut kills = 0;
    for (requests, after) in due {
        let until = client.sent() + requests;
        while client.sent() < until && !over.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(after).await;
        server.kill().await?;
        kills += 1;
    }
    Ok(kills)
}
