//! The load driver: customers who sign up, use, top up, renew and leave, all at once, over HTTP, against a server that may be
//! killed or lose its database at any moment.
//!
//! Every actor sends each request until it is answered, with the same idempotency key or external id, and writes each
//! acknowledged answer into a file. What it does follows from the seed alone; when, from the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::app::Answer;
use super::client::Client;

/// A request that is not answered after this long never will be.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two tries of a request, and between two looks at an order.
const PAUSE: Duration = Duration::from_millis(40);

/// How long a load may take until there is something of everything.
const FLOWS_WITHIN: Duration = Duration::from_secs(90);

/// Most faults that are kept word by word.
const FAULTS_MAX: usize = 20;

/// How often an actor does what, in parts of their sum. Without lines of its own an actor signs up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) sign_up: u32,
    pub(crate) usage: u32,
    pub(crate) top_up: u32,
    pub(crate) renew: u32,
    pub(crate) refund: u32,
    pub(crate) terminate: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self { sign_up: 10, usage: 60, top_up: 14, renew: 10, refund: 3, terminate: 3 }
    }
}

/// What a driver does.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) actors: u64,
    pub(crate) mix: Mix,
    /// The cards in use, as often as they are listed.
    pub(crate) cards: &'static [&'static str],
    /// How often product time moves by how much, so that lines are renewed.
    pub(crate) clock: Option<(Duration, &'static str)>,
    /// How often a reserved number is taken away from its order.
    pub(crate) sabotage: Option<Duration>,
}

/// The code that everybody types who signs up. It counts where a test has made a promotion of it.
pub(crate) const CODE: &str = "LOAD20";

pub(crate) const VISA: &str = "4242424242424242";
pub(crate) const DECLINED: &str = "4000000000009995";
pub(crate) const SLOW: &str = "4000000000006975";
pub(crate) const CHARGED_BUT_SILENT: &str = "4000000000000119";
pub(crate) const FLAKY: &str = "4000000000000259";

/// Mostly good cards, and one of each bad kind.
pub(crate) const ALL_CARDS: &[&str] =
    &[VISA, VISA, VISA, VISA, VISA, VISA, VISA, VISA, VISA, VISA, DECLINED, SLOW, CHARGED_BUT_SILENT, FLAKY];

/// An answer that the server has given and must stand by.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Acknowledged {
    Customer { key: String, id: String },
    Card { key: String, id: String },
    Order { operation: String, key: String, id: String },
    OrderEnded { id: String, state: String, line: Option<String> },
    TopUp { key: String, line: String, refused: Option<String> },
    TopUpOrdered { order: String, state: String },
    Renewal { key: String, line: String, refused: Option<String>, period_start: Option<String> },
    Usage { line: String, external_id: String, answer: UsageAnswer },
    Refund { attempt: String, refused: Option<String> },
    Terminated { line: String },
}

/// What a load with the default mix is made of.
const FLOW: [&str; 6] = ["sign-up", "usage", "top-up", "renewal", "refund", "termination"];

impl Acknowledged {
    /// Which part of the load it is, when it was carried out.
    fn carried_out(&self) -> Option<&'static str> {
        match self {
            Self::OrderEnded { state, .. } if state == "completed" => Some("sign-up"),
            Self::Usage { .. } => Some("usage"),
            Self::TopUp { refused: None, .. } => Some("top-up"),
            Self::TopUpOrdered { state, .. } if state == "completed" => Some("top-up"),
            Self::Renewal { refused: None, .. } => Some("renewal"),
            Self::Refund { refused: None, .. } => Some("refund"),
            Self::Terminated { .. } => Some("termination"),
            Self::Customer { .. }
            | Self::Card { .. }
            | Self::Order { .. }
            | Self::OrderEnded { .. }
            | Self::TopUp { .. }
            | Self::TopUpOrdered { .. }
            | Self::Renewal { .. }
            | Self::Refund { .. } => None,
        }
    }
}

/// What usage was answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsageAnswer {
    pub(crate) id: String,
    pub(crate) state: String,
    /// The rule, when it was refused.
    pub(crate) reason: Option<String>,
    /// Of an event that was rated.
    pub(crate) rated: Option<i64>,
    pub(crate) remaining: Option<i64>,
}

/// How the server answered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Traffic {
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) slowest: Duration,
    pub(crate) slowest_what: String,
    /// Requests without an answer.
    pub(crate) lost: u64,
    /// Unavailable without saying when to try again.
    pub(crate) without_retry_after: u64,
    /// Answers that no caller should ever see.
    pub(crate) faults: Vec<String>,
}

struct Shared {
    client: Client,
    plan: Plan,
    stop: CancellationToken,
    file: Mutex<File>,
    path: PathBuf,
    traffic: Mutex<Traffic>,
}

/// A driver at work.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    actors: JoinSet<()>,
}

impl Driver {
    /// Starts the actors; they write into `log`.
    pub(crate) fn start(client: Client, plan: Plan, log: &Path) -> Self {
        println!("load: {} actors, seed {}", plan.actors, plan.seed);
        let file = Mutex::new(File::options().create(true).append(true).open(log).expect("a file of ours"));
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared { client, plan, stop, file, path: log.to_owned(), traffic: Mutex::default() });
        let mut actors = JoinSet::new();
        for number in 0..shared.plan.actors {
            actors.spawn(Actor::new(Arc::clone(&shared), number).live());
        }
        if let Some((every, by)) = shared.plan.clock {
            actors.spawn(Actor::new(Arc::clone(&shared), 1_000).move_clock(every, by));
        }
        if let Some(every) = shared.plan.sabotage {
            actors.spawn(Actor::new(Arc::clone(&shared), 1_001).take_numbers_away(every));
        }
        Self { shared, actors }
    }

    /// What was seen until now.
    pub(crate) fn traffic(&self) -> Traffic {
        self.shared.traffic.lock().expect("nobody panics in there").clone()
    }

    /// Forgets what was seen until now.
    pub(crate) fn reset_traffic(&self) {
        *self.shared.traffic.lock().expect("nobody panics in there") = Traffic::default();
    }

    /// How many answers are in the file.
    pub(crate) fn acknowledged(&self) -> usize {
        read_log(&self.shared.path).len()
    }

    /// Waits until something of all that the default mix asks for was carried out and acknowledged.
    pub(crate) async fn until_it_flows(&self, server_log: impl Fn() -> String) {
        let started = Instant::now();
        let missing = || {
            let log = read_log(&self.shared.path);
            let seen: BTreeSet<&str> = log.iter().filter_map(Acknowledged::carried_out).collect();
            FLOW.iter().copied().filter(|what| !seen.contains(what)).collect::<Vec<_>>()
        };
        while !missing().is_empty() {
            assert!(started.elapsed() < FLOWS_WITHIN, "no {:?} after {FLOWS_WITHIN:?}: {}", missing(), server_log());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Lets every actor finish what it has begun; answers the file and how all was answered.
    pub(crate) async fn stop(mut self) -> (Vec<Acknowledged>, Traffic) {
        self.shared.stop.cancel();
        while let Some(ended) = self.actors.join_next().await {
            ended.expect("an actor failed");
        }
        (read_log(&self.shared.path), self.traffic())
    }
}

fn read_log(path: &Path) -> Vec<Acknowledged> {
    let text = std::fs::read_to_string(path).expect("the driver's log");
    let whole = text.lines().filter(|line| line.ends_with('}'));
    whole.map(|line| serde_json::from_str(line).expect("we wrote it")).collect()
}

struct Line {
    id: String,
    customer: String,
    msisdn: String,
    /// Of the first charge, until it was given back.
    attempt: Option<String>,
}

struct Actor {
    shared: Arc<Shared>,
    name: String,
    random: StdRng,
    lines: Vec<Line>,
    counter: u64,
}

impl Actor {
    fn new(shared: Arc<Shared>, number: u64) -> Self {
        let seed = shared.plan.seed;
        let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
        Self { shared, name: format!("{seed}-{number}"), random, lines: Vec::new(), counter: 0 }
    }

    /// Does one thing after the other until the driver stops.
    async fn live(mut self) {
        while !self.shared.stop.is_cancelled() {
            let Mix { sign_up, usage, top_up, renew, refund, terminate } = self.shared.plan.mix;
            let weights = [sign_up, usage, top_up, renew, refund, terminate];
            let mut drawn = self.random.random_range(0..weights.iter().sum::<u32>());
            let mut choice = 0;
            while drawn >= weights[choice] {
                drawn -= weights[choice];
                choice += 1;
            }
            match choice {
                _ if self.lines.is_empty() => self.sign_up().await,
                0 => self.sign_up().await,
                1 => self.use_line().await,
                2 => self.top_up().await,
                3 => self.renew().await,
                4 => self.refund().await,
                _ => self.terminate().await,
            }
        }
    }

    async fn sign_up(&mut self) {
        let key = self.key();
        let arguments = json!({"name": "Ada Lovelace", "email": format!("ada-{key}@example.test")});
        let customer = text(&self.must("customer.create", &arguments, Some(&key)).await, "id");
        self.acknowledge(&Acknowledged::Customer { key: key.clone(), id: customer.clone() });

        let arguments = json!({"customerId": customer, "attestationToken": key});
        self.must("customer.attest_kyc", &arguments, None).await;

        let card = self.shared.plan.cards[self.random.random_range(0..self.shared.plan.cards.len())];
        let key = self.key();
        let arguments = json!({"customerId": customer, "cardNumber": card, "expYear": 2060});
        let method = text(&self.must("payment.add_card", &arguments, Some(&key)).await, "id");
        self.acknowledge(&Acknowledged::Card { key, id: method });

        let key = self.key();
        let plan = ["PLAN_S", "PLAN_S", "PLAN_M"][self.random.random_range(0..3)];
        let arguments = json!({"customerId": customer, "offeringId": plan, "discountCode": CODE});
        let order = text(&self.must("order.create", &arguments, Some(&key)).await, "id");
        self.acknowledge(&Acknowledged::Order { operation: "order.create".into(), key, id: order.clone() });
        let order = self.ended(&order).await;
        let line = order["items"][0]["targetSubscriptionId"].as_str().map(str::to_owned);
        let state = text(&order, "state");
        self.acknowledge(&Acknowledged::OrderEnded {
            id: text(&order, "id"),
            state: state.clone(),
            line: line.clone(),
        });
        if state == "completed" {
            let id = line.expect("a completed order has a line");
            let line = self.must("subscription.get", &json!({"subscriptionId": id}), None).await;
            let attempt = order["items"][0]["paymentAttemptId"].as_str().map(str::to_owned);
            self.lines.push(Line { id, customer, msisdn: text(&line, "msisdn"), attempt });
        }
    }

    /// The order, as soon as it has ended.
    async fn ended(&self, order: &str) -> Value {
        let started = Instant::now();
        loop {
            let order = self.must("order.get", &json!({"orderId": order}), None).await;
            if matches!(order["state"].as_str(), Some("completed" | "failed" | "cancelled")) {
                return order;
            }
            assert!(started.elapsed() < PATIENCE, "an order does not end: {order:#}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn use_line(&mut self) {
        let line = self.random.random_range(0..self.lines.len());
        let external_id = self.key();
        let (kind, most) =
            [("data", 400), ("data", 2_000), ("sms", 3), ("voice_minutes", 9)][self.random.random_range(0..4)];
        let arguments = json!({
            "msisdn": self.lines[line].msisdn,
            "eventType": kind,
            "quantity": self.random.random_range(1..=most),
            "roamingIndicator": kind == "data" && self.random.random_bool(0.1),
            "source": "driver",
            "externalId": external_id,
        });
        let answer = usage_answer(&self.insist("usage.simulate", &arguments, None).await);
        let line = self.lines[line].id.clone();
        self.acknowledge(&Acknowledged::Usage { line, external_id, answer: answer.clone() });
        if self.random.random_bool(0.15) {
            let again = usage_answer(&self.insist("usage.simulate", &arguments, None).await);
            if again != answer {
                self.fault(format!("a replay was answered {again:?}, at first {answer:?}"));
            }
        }
    }

    async fn top_up(&mut self) {
        let line = self.random.random_range(0..self.lines.len());
        if self.random.random_bool(0.4) {
            return self.order_a_top_up(line).await;
        }
        let line = self.lines[line].id.clone();
        let key = self.key();
        let top_up = if self.random.random_bool(0.8) { "VAS_DATA_1GB" } else { "VAS_ROAMING_1GB" };
        let arguments = json!({"subscriptionId": line, "vasOfferingId": top_up});
        let answer = self.insist("subscription.purchase_vas", &arguments, Some(&key)).await;
        let refused = self.refusal(&answer, "subscription.purchase_vas");
        self.acknowledge(&Acknowledged::TopUp { key, line, refused });
    }

    async fn order_a_top_up(&mut self, line: usize) {
        let key = self.key();
        let Line { id, customer, .. } = &self.lines[line];
        let arguments = json!({"customerId": customer, "action": "modify", "subscriptionId": id,
            "offeringId": "VAS_DATA_1GB"});
        let order = text(&self.must("order.create", &arguments, Some(&key)).await, "id");
        self.acknowledge(&Acknowledged::Order { operation: "order.create".into(), key, id: order.clone() });
        let state = text(&self.ended(&order).await, "state");
        self.acknowledge(&Acknowledged::TopUpOrdered { order, state });
    }

    async fn renew(&mut self) {
        let line = self.lines[self.random.random_range(0..self.lines.len())].id.clone();
        let key = self.key();
        let answer = self.insist("subscription.renew_now", &json!({"subscriptionId": line}), Some(&key)).await;
        let refused = self.refusal(&answer, "subscription.renew_now");
        let period_start = answer.body["currentPeriodStart"].as_str().map(str::to_owned);
        self.acknowledge(&Acknowledged::Renewal { key, line, refused, period_start });
    }

    async fn refund(&mut self) {
        let line = self.random.random_range(0..self.lines.len());
        let Some(attempt) = self.lines[line].attempt.take() else { return };
        let arguments = json!({"paymentAttemptId": attempt, "reason": "goodwill"});
        let answer = self.insist("payment.refund", &arguments, None).await;
        let refused = self.refusal(&answer, "payment.refund");
        self.acknowledge(&Acknowledged::Refund { attempt, refused });
    }

    async fn terminate(&mut self) {
        let Line { id: line, customer, .. } = self.lines.swap_remove(self.random.random_range(0..self.lines.len()));
        if self.random.random_bool(0.5) {
            return self.order_the_end(line, customer).await;
        }
        let answer = self.insist("subscription.terminate", &json!({"subscriptionId": line}), None).await;
        // Asked again after a lost answer, the line has ended already.
        self.refusal(&answer, "subscription.terminate");
        self.acknowledge(&Acknowledged::Terminated { line });
    }

    async fn order_the_end(&mut self, line: String, customer: String) {
        let key = self.key();
        let arguments = json!({"customerId": customer, "subscriptionId": line});
        let order = text(&self.must("order.cease", &arguments, Some(&key)).await, "id");
        self.acknowledge(&Acknowledged::Order { operation: "order.cease".into(), key, id: order.clone() });
        let order = self.ended(&order).await;
        if order["state"] != "completed" {
            self.fault(format!("the end of {line} was ordered in vain: {order}"));
        }
        self.acknowledge(&Acknowledged::Terminated { line });
    }

    async fn move_clock(self, every: Duration, by: &str) {
        while self.pause(every).await {
            self.must("clock.advance", &json!({"duration": by}), None).await;
        }
    }

    async fn take_numbers_away(mut self, every: Duration) {
        while self.pause(every).await {
            let reserved = self.must("inventory.msisdn.list", &json!({"status": "reserved"}), None).await;
            let reserved = reserved.as_array().cloned().unwrap_or_default();
            if reserved.is_empty() {
                continue;
            }
            let number = &reserved[self.random.random_range(0..reserved.len())]["msisdn"];
            let answer =
                self.insist("inventory.msisdn.release", &json!({"msisdn": number, "reason": "sabotage"}), None).await;
            // It may be in use by now.
            self.refusal(&answer, "inventory.msisdn.release");
        }
    }

    /// Waits; false when the driver stops.
    async fn pause(&self, how_long: Duration) -> bool {
        tokio::time::timeout(how_long, self.shared.stop.cancelled()).await.is_err()
    }

    /// A key that nobody else uses.
    fn key(&mut self) -> String {
        self.counter += 1;
        format!("{}-{}", self.name, self.counter)
    }

    /// Sends the request until it is carried out.
    async fn must(&self, operation: &str, arguments: &Value, key: Option<&str>) -> Value {
        let answer = self.insist(operation, arguments, key).await;
        if !answer.status.is_success() {
            self.fault(format!("{operation}: {} {}", answer.status, answer.body));
        }
        answer.ok()
    }

    /// Sends the request until there is an answer to it: carried out, or refused for good.
    async fn insist(&self, operation: &str, arguments: &Value, key: Option<&str>) -> Answer {
        let begun = Instant::now();
        loop {
            let sent = Instant::now();
            let answer = self.shared.client.try_op(operation, arguments, key).await;
            self.note(operation, sent.elapsed(), &answer);
            match answer {
                Ok(answer) if !is_passing(answer.status) => return answer,
                Ok(answer) => {
                    assert!(begun.elapsed() < PATIENCE, "{operation} {arguments}: {} {}", answer.status, answer.body);
                }
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{operation} {arguments}: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn note(&self, operation: &str, elapsed: Duration, answer: &Result<Answer, String>) {
        let mut traffic = self.shared.traffic.lock().expect("nobody panics in here");
        let Ok(answer) = answer else {
            traffic.lost += 1;
            return;
        };
        *traffic.statuses.entry(answer.status.as_u16()).or_default() += 1;
        if elapsed > traffic.slowest {
            traffic.slowest = elapsed;
            traffic.slowest_what = format!("{operation}: {}", answer.status);
        }
        if answer.status == StatusCode::SERVICE_UNAVAILABLE && !answer.headers.contains_key("retry-after") {
            traffic.without_retry_after += 1;
        }
        let unheard = answer.status.is_server_error() && answer.status != StatusCode::SERVICE_UNAVAILABLE;
        if unheard && traffic.faults.len() < FAULTS_MAX {
            traffic.faults.push(format!("{operation}: {} {}", answer.status, answer.body));
        }
    }

    fn fault(&self, what: String) {
        let mut traffic = self.shared.traffic.lock().expect("nobody panics in here");
        if traffic.faults.len() < FAULTS_MAX {
            traffic.faults.push(what);
        }
    }

    /// The rule that refused the request, if one did.
    fn refusal(&self, answer: &Answer, operation: &str) -> Option<String> {
        if answer.status.is_success() {
            return None;
        }
        if answer.status != StatusCode::UNPROCESSABLE_ENTITY {
            self.fault(format!("{operation}: {} {}", answer.status, answer.body));
        }
        Some(answer.body["reason"].as_str().unwrap_or("?").to_owned())
    }

    fn acknowledge(&self, what: &Acknowledged) {
        let mut line = serde_json::to_string(what).expect("plain data");
        line.push('\n');
        self.shared.file.lock().expect("nobody panics in here").write_all(line.as_bytes()).expect("room on the disk");
    }
}

/// Whether the same request may be answered otherwise later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::CONFLICT || status == StatusCode::TOO_MANY_REQUESTS
}

fn usage_answer(answer: &Answer) -> UsageAnswer {
    let body = &answer.body;
    if answer.status.is_success() {
        return UsageAnswer {
            id: text(body, "id"),
            state: text(body, "state"),
            reason: None,
            rated: body["ratedQuantity"].as_i64(),
            remaining: body["remaining"].as_i64(),
        };
    }
    let id = body["context"]["usageId"].as_str();
    let id = id.unwrap_or_else(|| panic!("usage refused without a record: {} {body:#}", answer.status)).to_owned();
    UsageAnswer {
        id,
        state: "refused".to_owned(),
        reason: body["reason"].as_str().map(str::to_owned),
        rated: None,
        remaining: None,
    }
}

#[track_caller]
fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value:#}")).to_owned()
}
