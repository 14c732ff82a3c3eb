//! One payment domain at work, with what stands around it made small.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bss::domains::crm::port::CustomerId;
use bss::domains::payment::port::card::{Card, CardNumber};
use bss::domains::payment::port::gateway::{Answer, Gateway, GatewayError, Tokenized};
use bss::domains::payment::port::{
    AddCard, AttemptId, AttemptStatus, AttemptView, ChargeRequest, MethodView, PaymentApproved, Payments as _, Purpose,
    RefundStatus,
};
use bss::domains::payment::{self, Service};
use bss::domains::{catalog, crm, subscription};
use bss::integrations::mock_gateway::MockGateway;
use bss::platform::context::Context;
use bss::platform::db::{Db, PoolConfig, Tx};
use bss::platform::delivery::{Concurrency, Consumer, Failure, Runner, Subscribers, run_workers};
use bss::platform::error::{Result, Violation};
use bss::platform::ids::Ids;
use bss::platform::money::Money;
use bss::platform::scheduler::Scheduler;
use bss::platform::{Platform, audit, clock, replica};
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::cluster;

/// How long a test waits for a condition before it fails.
const PATIENCE: Duration = Duration::from_secs(90);

/// The mock gateway, and what was asked of it.
#[derive(Debug)]
pub(super) struct Spy {
    inner: MockGateway,
    /// Keys of the charges and refunds that were asked for, in order.
    pub(super) asked: Mutex<Vec<String>>,
    /// Answers that come instead of the gateway's own.
    pub(super) failures: Mutex<VecDeque<GatewayError>>,
    /// Whether questions about charges are refused.
    refuses_look_ups: AtomicBool,
}

impl Spy {
    fn noted(&self, key: &str) -> Result<(), GatewayError> {
        self.asked.lock().expect("no test panics here").push(key.to_owned());
        self.failures.lock().expect("no test panics here").pop_front().map_or(Ok(()), Err)
    }

    pub(super) fn fail_next(&self, failures: impl IntoIterator<Item = GatewayError>) {
        self.failures.lock().expect("no test panics here").extend(failures);
    }

    pub(super) fn refuse_look_ups(&self, refused: bool) {
        self.refuses_look_ups.store(refused, Ordering::Relaxed);
    }

    pub(super) fn times_asked(&self, key: &str) -> usize {
        self.asked.lock().expect("no test panics here").iter().filter(|asked| *asked == key).count()
    }
}

#[async_trait]
impl Gateway for Spy {
    fn provider(&self) -> &'static str {
        self.inner.provider()
    }

    async fn tokenize(&self, card: &Card) -> Result<Tokenized, GatewayError> {
        self.inner.tokenize(card).await
    }

    async fn charge(&self, key: &str, token: &str, amount: Money) -> Result<Answer, GatewayError> {
        self.noted(key)?;
        self.inner.charge(key, token, amount).await
    }

    async fn refund(&self, key: &str, charge_ref: &str, amount: Money) -> Result<String, GatewayError> {
        self.noted(key)?;
        self.inner.refund(key, charge_ref, amount).await
    }

    async fn lookup(&self, key: &str) -> Result<Option<Answer>, GatewayError> {
        if self.refuses_look_ups.load(Ordering::Relaxed) {
            return Err(GatewayError::Refused("no such key".into()));
        }
        self.inner.lookup(key).await
    }
}

/// Gives what was paid for.
struct Giver(Arc<Service>);

impl Consumer for Giver {
    const NAME: &'static str = "test.give";
    type Payload = PaymentApproved;

    async fn handle(&self, tx: &Tx, cx: &Context, paid: PaymentApproved) -> Result<(), Failure> {
        if paid.subject_id != NOT_GIVEN {
            self.0.recognise(tx, cx, &paid.attempt_id).await?;
        }
        Ok(())
    }
}

/// What is paid for under this id is never given.
pub(super) const NOT_GIVEN: &str = "SUB-never";

/// See the module.
pub(super) struct World {
    pub(super) platform: Platform,
    pub(super) payments: Arc<Service>,
    pub(super) gateway: Arc<Spy>,
    pub(super) url: String,
    scheduler: Scheduler,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    /// With workers.
    pub(super) async fn new() -> Self {
        let world = Self::idle().await;
        world.start_workers();
        world
    }

    /// Without workers: what is staged stays where it is.
    pub(super) async fn idle() -> Self {
        let url = cluster::database().await;
        Self::on(url).await
    }

    /// Another process on the same database.
    pub(super) async fn on(url: String) -> Self {
        let config = cluster::test_config(&[]);
        let subscribers = payment::subscribe(Subscribers::default()).consumer::<Giver>();
        // Tests let requests wait for each other, on machines that may be busy.
        let patient = Duration::from_secs(30);
        let pool = PoolConfig {
            connections_max: 20,
            acquire_timeout: patient,
            statement_timeout: patient,
            lock_timeout: patient,
            ..PoolConfig::default()
        };
        let db = Db::connect(&url, &pool, subscribers).expect("the cluster gives a URL");
        let ids = Ids::default();
        let boot_id = ids.uuid();
        let platform =
            Platform { clock: clock::Clock::controlled(db.clone()), db, ids, config: Arc::new(config), boot_id };
        let gateway = Arc::new(Spy {
            inner: MockGateway::new(platform.db.clone(), platform.ids.clone()),
            asked: Mutex::default(),
            failures: Mutex::default(),
            refuses_look_ups: AtomicBool::default(),
        });
        let spied = Arc::clone(&gateway);
        let crm = Arc::new(crm::Service::new(platform.clone()));
        let payments = Arc::new(Service::new(platform.clone(), crm.clone(), spied));
        let catalog = Arc::new(catalog::Service::new(platform.clone()));
        let lines = subscription::Service::new(platform.clone(), catalog, crm.clone(), crm, payments.clone());
        payments.connect(Arc::new(lines));
        let scheduler =
            Scheduler::new(platform.db.clone(), platform.clock.clone(), platform.ids.clone(), payments.ticks());
        replica::renew(&platform.db, platform.boot_id, "all").await.expect("the database answers");
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(replica::keep_alive(platform.db.clone(), platform.boot_id, "all", stop.clone()));
        Self { platform, payments, gateway, url, scheduler, stop, tasks }
    }

    pub(super) fn start_workers(&self) {
        let handlers = self.payments.handlers().consumer(Giver(Arc::clone(&self.payments)));
        let clock = self.platform.clock.clone();
        let runner = Arc::new(Runner::new(self.platform.db.clone(), self.platform.boot_id, clock, handlers));
        run_workers(&runner, Concurrency::default(), &self.stop, &self.tasks);
    }

    pub(super) async fn cx(&self) -> Context {
        let now = self.platform.clock.now().await.expect("the clock answers");
        Context::system("tester", self.platform.ids.uuid().to_string(), now)
    }

    /// An active customer, with a card unless the number is empty.
    pub(super) async fn customer(&self, name: &str, card: &str) -> CustomerId {
        let id: CustomerId = format!("CUST-{name}").parse().expect("an id");
        self.sql(&format!("insert into crm.party (id, party_type) values ('PTY-{name}', 'individual')")).await;
        self.sql(&format!(
            "insert into crm.customer (id, party_id, account_id, customer_since) values ('{id}', 'PTY-{name}', 'ACC-{name}', now())"
        ))
        .await;
        if !card.is_empty() {
            self.add_card(&id, card).await.expect("a good card");
        }
        id
    }

    /// An active line of the customer.
    pub(super) async fn line(&self, customer_id: &CustomerId) {
        self.sql(&format!(
            "insert into subscription.subscription (id, customer_id, offering_id, commercial_order_id, msisdn, iccid, cfs_service_id,
                 state, activated_at, period_index, current_period_start, current_period_end, next_renewal_at, price_amount_minor,
                 price_currency, price_offering_price_id)
             select 'SUB-0001', '{customer_id}', 'PLAN_M', 'ORD-0001', '91000001', '891010100000000001', 'SVC-0001', 'active', at, 1,
                    at, at + interval '30 days', at + interval '30 days', 2500, 'SGD', 'PRICE_PLAN_M'
             from (select now() - interval '2 days') t (at)"
        ))
        .await;
    }

    pub(super) async fn add_card(&self, customer_id: &CustomerId, number: &str) -> Result<MethodView> {
        self.payments.add_card(&self.cx().await, card(customer_id, number)).await
    }

    /// Books a charge in a unit of work of its own.
    pub(super) async fn request(&self, request: ChargeRequest) -> Result<AttemptId> {
        let cx = self.cx().await;
        let tx = self.platform.db.begin().await?;
        let id = self.payments.request_charge(&tx, &cx, request).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Books a charge and waits for its end.
    pub(super) async fn charge(&self, customer_id: &CustomerId, key: &str) -> AttemptView {
        let id = self.request(charge(customer_id, key)).await.expect("a charge can be booked");
        self.settled(&id).await
    }

    pub(super) async fn refund(&self, id: &AttemptId) -> Option<String> {
        let cx = self.cx().await;
        let tx = self.platform.db.begin().await.expect("the database answers");
        let refund = self.payments.refund(&tx, &cx, id, "test").await.expect("a refund can be booked");
        tx.commit().await.expect("the commit succeeds");
        refund.map(String::from)
    }

    pub(super) async fn attempt(&self, id: &AttemptId) -> AttemptView {
        self.payments.attempt(&self.cx().await, id).await.expect("the attempt is there")
    }

    /// Waits for the end of the attempt, of its deliveries, and of its refund.
    pub(super) async fn settled(&self, id: &AttemptId) -> AttemptView {
        self.until("the attempt is settled", async || {
            let view = self.attempt(id).await;
            let refunding = view.refund.as_ref().is_some_and(|refund| refund.status == RefundStatus::Pending);
            let waiting = self.number("select count(*) from audit.delivery where state = 'pending'").await > 0;
            (view.status != AttemptStatus::Pending && !refunding && !waiting).then_some(view)
        })
        .await
    }

    pub(super) async fn until<T>(&self, what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// One run of the sweep; answers its report.
    pub(super) async fn sweep(&self) -> serde_json::Value {
        self.scheduler.run("payment_recovery").await.expect("the sweep runs")
    }

    pub(super) async fn number(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(self.platform.db.pool()).await.expect("the query is right")
    }

    pub(super) async fn sql(&self, statement: &str) -> u64 {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(self.platform.db.pool()).await;
        done.expect("the statement is right").rows_affected()
    }

    /// Signed sums of the journal by account, those at zero left out.
    pub(super) async fn balances(&self) -> Vec<(String, i64)> {
        let query = "select account, sum(amount_minor)::bigint from payment.journal_line
                     group by account having sum(amount_minor) <> 0 order by account";
        sqlx::query_as(query).fetch_all(self.platform.db.pool()).await.expect("the query is right")
    }

    /// The checks that do not hold.
    pub(super) async fn broken_checks(&self) -> Vec<String> {
        let report = audit::verify(&self.platform.db, payment::CHECKS).await.expect("the checks are right SQL");
        assert_eq!(report.checks.len(), payment::CHECKS.len());
        report.checks.into_iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }

    /// Ends the world; the books must balance.
    pub(super) async fn finish(self) {
        assert_eq!(self.broken_checks().await, [""; 0]);
        self.end().await;
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.platform.db.close().await;
    }
}

pub(super) fn sgd(minor: i64) -> Money {
    Money::new(minor, "SGD".parse().expect("a currency"))
}

/// 25.00 for a renewal.
pub(super) fn charge(customer_id: &CustomerId, key: &str) -> ChargeRequest {
    ChargeRequest {
        customer_id: customer_id.clone(),
        amount: sgd(2500),
        purpose: Purpose::Renewal,
        subject_id: "SUB-0001".into(),
        business_key: key.into(),
    }
}

pub(super) fn card(customer_id: &CustomerId, number: &str) -> AddCard {
    AddCard {
        customer_id: customer_id.clone(),
        card_number: CardNumber::entered(number),
        exp_month: 12,
        exp_year: 2199,
    }
}

/// The rule that an error names.
#[track_caller]
pub(super) fn violation<T: std::fmt::Debug>(outcome: Result<T>) -> Violation {
    outcome.expect_err("a rule is broken").violation().expect("a violation").clone()
}
