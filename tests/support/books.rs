//! The reckoning: what the driver was told, what the gateway has recorded and what the books say must agree, row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgPool;

use super::client::Client;
use super::driver::Acknowledged;

/// Between two looks at what is under way.
const LOOK: Duration = Duration::from_millis(50);

/// Everything that must come to an end by itself.
const UNDER_WAY: &str = "
    select 'deliveries', count(*) from audit.delivery where state = 'pending'
    union all select 'charges', count(*) from payment.payment_attempt where status = 'pending'
    union all select 'refunds', count(*) from payment.refund where status = 'pending'
    union all select 'orders', count(*) from order_mgmt.product_order where state in ('acknowledged', 'in_progress')
    union all select 'service orders', count(*) from service_inventory.service_order where state in ('acknowledged', 'in_progress')
    union all select 'network tasks', count(*) from provisioning.provisioning_task where state in ('pending', 'running')
    union all select 'bookings', count(*) from subscription.subscription where state = 'pending'
    union all select 'top-ups', count(*) from subscription.vas_purchase where state = 'pending'
    union all select 'renewals', count(*) from subscription.subscription where renewal_attempt_id is not null";

/// What is under way, by kind; nothing when all has ended.
pub(crate) async fn under_way(pool: &PgPool) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    let counts: Vec<(String, i64)> = sqlx::query_as(UNDER_WAY).fetch_all(pool).await?;
    Ok(counts.into_iter().filter(|(_, count)| *count > 0).collect())
}

/// Waits until nothing is under way; answers how long that took.
pub(crate) async fn settled_within(pool: &PgPool, patience: Duration) -> Duration {
    let started = Instant::now();
    loop {
        let left = under_way(pool).await;
        if left.as_ref().is_ok_and(BTreeMap::is_empty) {
            return started.elapsed();
        }
        if started.elapsed() > patience {
            let waiting = waiting(pool).await;
            panic!("after {patience:?} there is still under way: {left:?}\n{waiting:#?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// For the reader of a failure: the deliveries that wait, and why.
async fn waiting(pool: &PgPool) -> Vec<String> {
    let query = "select format('%s of %s %s: %s attempts, due in %s s, leased by %s: %s', consumer, event_type, aggregate_id, attempts,
            round(extract(epoch from next_attempt_at - clock_timestamp())), leased_by, last_error)
        from audit.delivery where state in ('pending', 'parked')
        union all select format('charge %s %s: %s calls, due in %s s, lease %s s: %s', id, business_key, gateway_calls,
            round(extract(epoch from next_attempt_at - clock_timestamp())),
            round(extract(epoch from lease_until - clock_timestamp())), last_error)
        from payment.payment_attempt where status = 'pending'
        union all select format('task %s %s %s: %s attempts: %s', id, task_type, state, attempts, last_error)
        from provisioning.provisioning_task where state in ('pending', 'running')
        union all select format('order %s %s', id, state) from order_mgmt.product_order where state in ('acknowledged', 'in_progress')
        limit 40";
    sqlx::query_scalar(query).fetch_all(pool).await.unwrap_or_default()
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) orders_completed: usize,
    pub(crate) orders_failed: usize,
    pub(crate) top_ups: usize,
    pub(crate) renewals: usize,
    pub(crate) usage: usize,
    pub(crate) refunds: usize,
    pub(crate) terminated: usize,
    pub(crate) gateway_charges: usize,
}

impl Figures {
    /// Fails unless some of everything that a driver with the default mix does has come to its end.
    #[track_caller]
    pub(crate) fn assert_flowed(&self) {
        let all = [
            ("order was completed", self.orders_completed),
            ("top-up was made", self.top_ups),
            ("line was renewed", self.renewals),
            ("usage was rated", self.usage),
            ("charge was refunded", self.refunds),
            ("line was terminated", self.terminated),
        ];
        let missing: Vec<&str> = all.iter().filter(|(_, count)| *count == 0).map(|(what, _)| *what).collect();
        assert!(missing.is_empty(), "the load did not flow, no {}: {self}", missing.join(", no "));
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "orders {} completed and {} failed, top-ups {}, renewals {}, usage events {}, refunds {}, terminations {}, \
             gateway charges {}",
            self.orders_completed,
            self.orders_failed,
            self.top_ups,
            self.renewals,
            self.usage,
            self.refunds,
            self.terminated,
            self.gateway_charges
        )
    }
}

/// An attempt with what the gateway has recorded under its key.
#[derive(Debug, sqlx::FromRow)]
struct Charge {
    id: String,
    business_key: String,
    status: String,
    amount_minor: i64,
    gateway_outcome: Option<String>,
    gateway_amount_minor: Option<i64>,
}

#[derive(Debug, sqlx::FromRow)]
struct UsageRow {
    subscription_id: String,
    external_id: String,
    id: String,
    state: String,
    reason: Option<String>,
    rated_quantity: i64,
    remaining: Option<i64>,
}

/// What the books say.
struct Books {
    /// Id and state.
    orders: BTreeMap<String, String>,
    customers: BTreeSet<String>,
    cards: BTreeSet<String>,
    /// Purchase and state.
    purchases: BTreeMap<String, String>,
    /// Order and its purchase.
    ordered: BTreeMap<String, String>,
    /// Line and state.
    lines: BTreeMap<String, String>,
    /// Line and period index, with the start and the attempt that paid. Only the end of a period may still change.
    periods: BTreeMap<(String, i32), (DateTime<Utc>, Option<String>)>,
    /// Purchases with their grants.
    grants: BTreeMap<String, i64>,
    charges: Vec<Charge>,
    /// Attempt and status of its refund.
    refunds: BTreeMap<String, String>,
    usage: Vec<UsageRow>,
    /// Operation and key, with what was made.
    keys: BTreeMap<(String, String), String>,
    /// Approved at the gateway and unknown here.
    foreign_charges: Vec<String>,
    parked: Vec<String>,
}

impl Books {
    async fn read(pool: &PgPool) -> sqlx::Result<Self> {
        let pairs = async |query: &'static str| -> sqlx::Result<Vec<(String, String)>> {
            sqlx::query_as(query).fetch_all(pool).await
        };
        let keys: Vec<(String, String, String)> =
            sqlx::query_as("select operation, key, resource_id from platform.idempotency_key").fetch_all(pool).await?;
        let periods: Vec<(String, i32, DateTime<Utc>, Option<String>)> = sqlx::query_as(
            "select subscription_id, period_index, period_start, payment_attempt_id from subscription.period",
        )
        .fetch_all(pool)
        .await?;
        // One that was bought late is granted again in the period that takes it over, which is no second time.
        let grants: Vec<(String, i64)> = sqlx::query_as(
            "select purchase, max(times) from (
                 select substr(source, 5) as purchase, period_index, count(*) as times
                 from subscription.quota_entry where source like 'vas:%' and kind = 'grant' group by 1, 2) g group by 1",
        )
        .fetch_all(pool)
        .await?;
        Ok(Self {
            orders: pairs("select id, state from order_mgmt.product_order").await?.into_iter().collect(),
            customers: pairs("select id, status from crm.customer").await?.into_iter().map(|(id, _)| id).collect(),
            cards: pairs("select id, status from payment.payment_method").await?.into_iter().map(|(id, _)| id).collect(),
            purchases: pairs("select id, state from subscription.vas_purchase").await?.into_iter().collect(),
            ordered: pairs("select order_id, id from subscription.vas_purchase where order_id is not null")
                .await?
                .into_iter()
                .collect(),
            lines: pairs("select id, state from subscription.subscription").await?.into_iter().collect(),
            periods: periods.into_iter().map(|(line, index, start, attempt)| ((line, index), (start, attempt))).collect(),
            grants: grants.into_iter().collect(),
            charges: sqlx::query_as(
                "select a.id, a.business_key, a.status, a.amount_minor, g.outcome as gateway_outcome, g.amount_minor as gateway_amount_minor
                 from payment.payment_attempt a left join mock_gateway.charge g on g.idempotency_key = a.gateway_key",
            )
            .fetch_all(pool)
            .await?,
            refunds: pairs(
                "select r.attempt_id, case when (r.status = 'succeeded') = (g.id is not null) then r.status else 'not as at the gateway' end
                 from payment.refund r left join mock_gateway.refund g on g.idempotency_key = r.gateway_key",
            )
            .await?
            .into_iter()
            .collect(),
            usage: sqlx::query_as(
                "select subscription_id, external_id, id, state, reason, rated_quantity, remaining from mediation.usage_event
                 where source = 'driver'",
            )
            .fetch_all(pool)
            .await?,
            keys: keys.into_iter().map(|(operation, key, made)| ((operation, key), made)).collect(),
            foreign_charges: sqlx::query_scalar(
                "select idempotency_key from mock_gateway.charge g where outcome = 'approved'
                 and not exists (select 1 from payment.payment_attempt a where a.gateway_key = g.idempotency_key)",
            )
            .fetch_all(pool)
            .await?,
            parked: sqlx::query_scalar(
                "select format('%s of %s %s: %s', consumer, event_type, aggregate_id, last_error) from audit.delivery where state = 'parked'",
            )
            .fetch_all(pool)
            .await?,
        })
    }

    fn made_by(&self, operation: &str, key: &str) -> Option<&String> {
        self.keys.get(&(operation.to_owned(), key.to_owned()))
    }

    /// The approved attempts under a business key.
    fn approved(&self, business_key: &str) -> Vec<&Charge> {
        self.charges
            .iter()
            .filter(|charge| charge.business_key == business_key && charge.status == "approved")
            .collect()
    }
}

/// Compares the driver's log, the gateway's record and the books, and has the product verify itself. Panics with every
/// difference.
pub(crate) async fn reckon(pool: &PgPool, client: &Client, log: &[Acknowledged]) -> Figures {
    let books = Books::read(pool).await.expect("the books can be read");
    let mut reckoning = Reckoning { books: &books, differences: Vec::new(), figures: Figures::default() };
    reckoning.acknowledged(log);
    reckoning.nothing_else(log);
    reckoning.conclude(client).await
}

/// As [`reckon`], where nobody wrote down what was acknowledged: the gateway's record and the books agree, and the product
/// verifies itself.
pub(crate) async fn balanced(pool: &PgPool, client: &Client) -> Figures {
    let books = Books::read(pool).await.expect("the books can be read");
    let differences = books.parked.iter().map(|what| format!("parked: {what}")).collect();
    Reckoning { books: &books, differences, figures: Figures::default() }.conclude(client).await
}

struct Reckoning<'a> {
    books: &'a Books,
    differences: Vec<String>,
    figures: Figures,
}

impl Reckoning<'_> {
    async fn conclude(mut self, client: &Client) -> Figures {
        self.money();
        self.periods();
        let mut differences = self.differences;
        let report = client.op("audit.verify", json!({})).await.ok();
        if report["ok"] != true {
            let checks = report["checks"].as_array().cloned().unwrap_or_default();
            differences.extend(checks.iter().filter(|check| check["ok"] != true).map(ToString::to_string));
        }
        let total = differences.len();
        differences.truncate(40);
        assert!(differences.is_empty(), "{total} differences:\n{}", differences.join("\n"));
        self.figures
    }

    fn hold(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.differences.push(otherwise());
        }
    }

    /// Every acknowledged answer is in the books as it was given.
    fn acknowledged(&mut self, log: &[Acknowledged]) {
        let books = self.books;
        let usage: BTreeMap<(&str, &str), Vec<&UsageRow>> =
            books.usage.iter().fold(BTreeMap::new(), |mut rows, row| {
                rows.entry((row.subscription_id.as_str(), row.external_id.as_str())).or_insert_with(Vec::new).push(row);
                rows
            });
        for answer in log {
            match answer {
                Acknowledged::Customer { key, id } => {
                    self.made("customer.create", key, id, books.customers.contains(id));
                }
                Acknowledged::Card { key, id } => self.made("payment.add_card", key, id, books.cards.contains(id)),
                Acknowledged::Order { operation, key, id } => {
                    self.made(operation, key, id, books.orders.contains_key(id));
                }
                Acknowledged::OrderEnded { id, state, line } => self.order_ended(id, state, line.as_deref()),
                Acknowledged::TopUp { key, line, refused } => self.topped_up(key, line, refused.as_deref()),
                Acknowledged::TopUpOrdered { order, state } => self.top_up_ordered(order, state),
                Acknowledged::Renewal { key, line, refused, period_start } => {
                    self.renewed(key, line, refused.as_deref(), period_start.as_deref());
                }
                Acknowledged::Usage { line, external_id, answer } => {
                    let rows = usage.get(&(line.as_str(), external_id.as_str())).map_or(&[][..], Vec::as_slice);
                    let [row] = rows else {
                        self.differences.push(format!("usage {external_id} of {line} has {} rows", rows.len()));
                        continue;
                    };
                    let same = row.id == answer.id
                        && row.state == answer.state
                        && row.reason == answer.reason
                        && answer.rated.is_none_or(|rated| rated == row.rated_quantity)
                        && (answer.state == "refused" || row.remaining == answer.remaining);
                    self.hold(same, || format!("usage was answered {answer:?} and is {row:?}"));
                }
                Acknowledged::Refund { attempt, refused } => {
                    let status = books.refunds.get(attempt).map(String::as_str);
                    self.hold(refused.is_some() || status == Some("succeeded"), || {
                        format!("the refund of {attempt} is {status:?}")
                    });
                }
                Acknowledged::Terminated { line } => {
                    self.figures.terminated += 1;
                    let state = books.lines.get(line).map(String::as_str);
                    self.hold(state == Some("terminated"), || format!("{line} was terminated and is {state:?}"));
                }
            }
        }
    }

    fn made(&mut self, operation: &str, key: &str, id: &str, is_there: bool) {
        self.hold(is_there, || format!("{operation} {key}: {id} is not in the books"));
        let made = self.books.made_by(operation, key);
        self.hold(made.is_some_and(|made| made == id), || {
            format!("{operation} {key}: answered {id}, the key says {made:?}")
        });
    }

    fn order_ended(&mut self, id: &str, state: &str, line: Option<&str>) {
        let now = self.books.orders.get(id).map(String::as_str);
        self.hold(now == Some(state), || format!("{id} ended {state} and is {now:?}"));
        let charges = self.books.approved(&format!("activation:{id}"));
        match state {
            "completed" => {
                self.figures.orders_completed += 1;
                self.hold(charges.len() == 1, || format!("{id} completed with {} charges", charges.len()));
                let line = line.and_then(|line| self.books.lines.get(line)).map(String::as_str);
                let lives = matches!(line, Some("active" | "blocked" | "terminated"));
                self.hold(lives, || format!("{id} completed and its line is {line:?}"));
            }
            _ => {
                self.figures.orders_failed += 1;
                let kept: Vec<_> = charges
                    .iter()
                    .filter(|charge| self.books.refunds.get(&charge.id).is_none_or(|r| r != "succeeded"))
                    .collect();
                self.hold(kept.is_empty(), || format!("{id} {state} and its money was kept: {kept:?}"));
            }
        }
    }

    fn topped_up(&mut self, key: &str, line: &str, refused: Option<&str>) {
        let purchase = self.books.made_by("subscription.purchase_vas", key);
        let state = purchase.and_then(|purchase| self.books.purchases.get(purchase)).map(String::as_str);
        match (refused, purchase) {
            (None, Some(purchase)) => self.added_once(purchase, purchase),
            (None, None) => self.differences.push(format!("the top-up {key} of {line} is not in the books")),
            (Some(rule), _) => {
                self.hold(state.is_none_or(|state| state != "applied"), || {
                    format!("the top-up {key} was refused ({rule}) and is {state:?}")
                });
            }
        }
    }

    /// A purchase is added and granted once, and charged once by its key.
    fn added_once(&mut self, purchase: &str, key: &str) {
        self.figures.top_ups += 1;
        let state = self.books.purchases.get(purchase).map(String::as_str);
        let charges = self.books.approved(&format!("vas:{key}")).len();
        let grants = self.books.grants.get(purchase).copied().unwrap_or(0);
        self.hold(state == Some("applied") && charges == 1 && grants == 1, || {
            format!("{purchase} is {state:?}, charged {charges} times, granted {grants} times")
        });
    }

    fn top_up_ordered(&mut self, order: &str, state: &str) {
        let now = self.books.orders.get(order).map(String::as_str);
        self.hold(now == Some(state), || format!("{order} ended {state} and is {now:?}"));
        match (state, self.books.ordered.get(order)) {
            ("completed", Some(purchase)) => self.added_once(purchase, order),
            ("completed", None) => self.differences.push(format!("{order} completed without a purchase")),
            (_, purchase) => {
                let added = purchase.and_then(|purchase| self.books.purchases.get(purchase));
                self.hold(added.is_none_or(|state| state == "declined" || state == "refunded"), || {
                    format!("{order} {state} and its purchase is {added:?}")
                });
            }
        }
    }

    fn renewed(&mut self, key: &str, line: &str, refused: Option<&str>, period_start: Option<&str>) {
        if refused.is_some() {
            return;
        }
        let known = self.books.made_by("subscription.renew_now", key);
        self.hold(known.is_some_and(|made| made == line), || {
            format!("the renewal {key} of {line} is not in the books")
        });
        let start = period_start.and_then(|start| start.parse::<DateTime<Utc>>().ok());
        let is_there = self.books.periods.iter().any(|((of, _), (starts, _))| of == line && Some(*starts) == start);
        self.hold(is_there, || format!("{line} was renewed from {period_start:?} and has no such period"));
    }

    /// What the driver did not ask for is not there: no second order, customer, card, purchase or usage by a repeated request.
    fn nothing_else(&mut self, log: &[Acknowledged]) {
        let books = self.books;
        let (mut customers, mut cards, mut orders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut usage, mut top_ups) = (BTreeSet::new(), BTreeSet::new());
        for answer in log {
            match answer {
                Acknowledged::Customer { id, .. } => {
                    customers.insert(id.as_str());
                }
                Acknowledged::Card { id, .. } => {
                    cards.insert(id.as_str());
                }
                Acknowledged::Order { id, .. } => {
                    orders.insert(id.as_str());
                }
                Acknowledged::Usage { line, external_id, .. } => {
                    usage.insert((line.as_str(), external_id.as_str()));
                }
                Acknowledged::TopUp { key, .. } => {
                    top_ups.extend(books.made_by("subscription.purchase_vas", key));
                }
                Acknowledged::TopUpOrdered { order, .. } => top_ups.extend(books.ordered.get(order)),
                Acknowledged::OrderEnded { .. }
                | Acknowledged::Renewal { .. }
                | Acknowledged::Refund { .. }
                | Acknowledged::Terminated { .. } => {}
            }
        }
        let surplus: Vec<String> = [
            books.customers.iter().filter(|id| !customers.contains(id.as_str())).cloned().collect::<Vec<_>>(),
            books.cards.iter().filter(|id| !cards.contains(id.as_str())).cloned().collect(),
            books.orders.keys().filter(|id| !orders.contains(id.as_str())).cloned().collect(),
            books.purchases.keys().filter(|id| !top_ups.contains(id)).cloned().collect(),
            books.parked.clone(),
        ]
        .concat();
        self.differences.extend(surplus.into_iter().map(|what| format!("nobody was told of {what}")));
        self.figures.usage = usage.len();
        self.hold(books.usage.len() == usage.len(), || {
            format!("{} usage rows, {} acknowledged", books.usage.len(), usage.len())
        });
    }

    /// The gateway's record and the attempts are the same, and nothing was charged twice.
    fn money(&mut self) {
        let mut keys = BTreeSet::new();
        for charge in &self.books.charges {
            let same = match charge.status.as_str() {
                "approved" if charge.amount_minor == 0 => charge.gateway_outcome.is_none(),
                "approved" | "declined" => {
                    charge.gateway_outcome.as_deref() == Some(charge.status.as_str())
                        && charge.gateway_amount_minor == Some(charge.amount_minor)
                }
                _ => false,
            };
            self.hold(same, || format!("{charge:?}"));
            if charge.status == "approved" {
                self.figures.gateway_charges += 1;
                let first = keys.insert(charge.business_key.clone());
                self.hold(first, || format!("{} was charged twice", charge.business_key));
            }
        }
        self.differences
            .extend(self.books.foreign_charges.iter().map(|key| format!("the gateway charged {key}, unknown here")));
        for (attempt, status) in &self.books.refunds {
            self.figures.refunds += usize::from(status == "succeeded");
            self.hold(status != "not as at the gateway", || format!("the refund of {attempt} is {status}"));
        }
    }

    /// The periods of every line follow one another, and each is paid by its own charge.
    fn periods(&mut self) {
        let mut paid = BTreeSet::new();
        for ((line, index), (_, attempt)) in &self.books.periods {
            self.figures.renewals += usize::from(*index > 1);
            let follows = *index == 1 || self.books.periods.contains_key(&(line.clone(), index - 1));
            self.hold(follows, || format!("{line} has a period {index} and none before it"));
            let own = attempt.as_ref().is_some_and(|attempt| paid.insert(attempt.clone()));
            self.hold(own, || format!("period {index} of {line} is paid by {attempt:?}"));
        }
    }
}
