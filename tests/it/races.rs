//! Many at once, and the money paths that end badly: pools, ledgers and charges stay exact. That four network answers come
//! in the same instant is in `orders`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::kill::{enlarge_pools, seed};
use crate::support::app::TestApp;
use crate::support::books;
use crate::support::client::Client;
use crate::support::cluster;
use crate::support::driver::{ALL_CARDS, CHARGED_BUT_SILENT, DECLINED, Driver, Mix, Plan, SLOW, VISA};
use crate::support::installation::Installation;
use crate::support::server::ServerProcess;

/// Customers with a card, made many at once.
async fn customers(app: &TestApp, count: usize, card: &str) -> Vec<String> {
    futures::stream::iter(0..count).map(|_| app.customer(card)).buffer_unordered(16).collect().await
}

/// Every order with its state and reason, when all have ended.
async fn all_ended(app: &TestApp, count: usize, patience: Duration) -> BTreeMap<(String, String), usize> {
    let started = Instant::now();
    loop {
        let rows: Vec<(String, Option<String>)> =
            sqlx::query_as("select state, state_reason from order_mgmt.product_order")
                .fetch_all(app.platform.db.pool())
                .await
                .expect("the query is right");
        let ended = rows.iter().filter(|(state, _)| matches!(state.as_str(), "completed" | "failed")).count();
        if ended == count {
            return rows.into_iter().fold(BTreeMap::new(), |mut counts, (state, reason)| {
                *counts.entry((state, reason.unwrap_or_default())).or_insert(0) += 1;
                counts
            });
        }
        assert!(started.elapsed() < patience, "{ended} of {count} orders have ended after {patience:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn two_hundred_buyers_of_a_hundred_and_fifty_numbers() {
    let app = TestApp::new().await;
    let kept_back = app.sql("update inventory.msisdn_pool set status = 'ported_out' where msisdn >= '90000150'").await;
    let buyers = customers(&app, 200, VISA).await;
    let profiles = app.number("select count(*) from inventory.esim_profile where profile_state = 'available'").await;
    let started = Instant::now();
    let orders = buyers.iter().map(|id| app.op("order.create", json!({"customerId": id, "offeringId": "PLAN_S"})));
    for order in futures::future::join_all(orders).await {
        order.ok();
    }
    let ended = all_ended(&app, 200, Duration::from_secs(60)).await;
    println!("200 buyers of 150 numbers ({kept_back} kept back): {:.1} s, {ended:?}", started.elapsed().as_secs_f64());

    let completed: usize = ended.iter().filter(|((state, _), _)| state == "completed").map(|(_, count)| count).sum();
    assert_eq!(completed, 150);
    let refused = ended.iter().filter(|((state, reason), _)| state == "failed" && reason.contains("number"));
    assert_eq!(refused.map(|(_, count)| count).sum::<usize>(), 50, "{ended:?}");
    app.settle().await;
    assert_eq!(app.number("select count(*) from inventory.msisdn_pool where status = 'assigned'").await, 150);
    assert_eq!(
        app.number("select count(*) from inventory.msisdn_pool where status in ('available', 'reserved')").await,
        0
    );
    let left = app.number("select count(*) from inventory.esim_profile where profile_state = 'available'").await;
    assert_eq!(profiles - left, 150, "who got no number got no profile");
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 150, "who got no line was not charged");
    app.finish().await;
}

#[tokio::test]
async fn five_hundred_sign_ups_sixteen_at_once_and_none_is_stuck() {
    let app = TestApp::new().await;
    let started = Instant::now();
    let sign_up = async |_: usize| {
        let begun = Instant::now();
        let customer = app.customer(VISA).await;
        let order = app.order(&customer, "PLAN_M").await;
        assert_eq!(order["state"], "completed", "{order:#}");
        begun.elapsed()
    };
    let mut took: Vec<Duration> = futures::stream::iter(0..500).map(sign_up).buffer_unordered(16).collect().await;
    took.sort_unstable();
    println!(
        "500 sign-ups, 16 at once: {:.1} s, median {:?}, slowest {:?}",
        started.elapsed().as_secs_f64(),
        took[250],
        took[499]
    );
    app.settle().await;
    assert_eq!(app.number("select count(*) from subscription.subscription where state = 'active'").await, 500);
    assert_eq!(app.number("select count(*) from mock_gateway.charge where outcome = 'approved'").await, 500);
    app.finish().await;
}

#[tokio::test]
async fn ten_thousand_uses_of_one_line_by_sixty_four_clients() {
    const USES: u64 = 10_000;
    let app = TestApp::new().await;
    let line = app.line("PLAN_L").await;
    let mut random = StdRng::seed_from_u64(seed());
    // One in ten is sent twice at the same time.
    let uses: Vec<(u64, u64)> = (0..USES).map(|n| (n - u64::from(n % 10 == 9), random.random_range(1..=15))).collect();
    let amount_of = |n: u64| uses[usize::try_from(n).expect("small")].1;
    let send = async |(n, _): (u64, u64)| {
        let event = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": amount_of(n), "unit": "mb", "externalId": n.to_string()});
        (n, app.op("usage.simulate", event).await.ok())
    };
    let started = Instant::now();
    let answers: Vec<(u64, Value)> =
        futures::stream::iter(uses.iter().copied()).map(send).buffer_unordered(64).collect().await;
    let seconds = started.elapsed().as_secs_f64();

    let mut first: BTreeMap<u64, Value> = BTreeMap::new();
    for (n, answer) in answers {
        assert_eq!(*first.entry(n).or_insert_with(|| answer.clone()), answer, "a replay is answered as before");
    }
    let megabytes: u64 = first.keys().map(|n| amount_of(*n)).sum();
    println!("10,000 uses by 64 clients: {seconds:.1} s, {} events, {megabytes} MB", first.len());
    let mut remaining: Vec<i64> =
        first.values().map(|answer| answer["remaining"].as_i64().expect("a limited plan")).collect();
    remaining.sort_unstable();
    remaining.dedup();
    assert_eq!(remaining.len(), first.len(), "every event moved the balance by itself");
    let left = app.number("select remaining from subscription.bundle_balance where allowance_type = 'data'").await;
    assert_eq!(left, 153_600 - i64::try_from(megabytes).expect("small"));
    assert_eq!(remaining.first(), Some(&left));
    assert_eq!(
        app.number("select count(*) from mediation.usage_event").await,
        i64::try_from(first.len()).expect("small")
    );
    app.finish().await;
}

/// Rows of everything that a repeated delivery could double.
const EFFECTS: &str = "select
    (select count(*) from mock_gateway.charge) + (select count(*) from mock_gateway.refund) + (select count(*) from payment.journal_line)
    + (select count(*) from subscription.quota_entry) + (select count(*) from subscription.period)
    + (select count(*) from provisioning.provisioning_task) + (select count(*) from service_inventory.service)
    + (select count(*) from subscription.subscription) + (select count(*) from audit.domain_event)
    + (select count(*) from inventory.msisdn_pool where status <> 'available')";

#[tokio::test]
async fn every_delivery_may_come_twice() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.op("subscription.purchase_vas", json!({"subscriptionId": line["id"], "vasOfferingId": "VAS_DATA_1GB"}))
        .await
        .ok();
    app.op("subscription.renew_now", json!({"subscriptionId": line["id"]})).await.ok();
    let poor = app.customer(DECLINED).await;
    assert_eq!(app.order(&poor, "PLAN_S").await["state"], "failed");
    let attempts = app.op("payment.list_attempts", json!({"subjectId": line["id"]})).await.ok();
    app.op("payment.refund", json!({"paymentAttemptId": attempts[0]["id"], "reason": "goodwill"})).await.ok();
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    app.settle().await;

    let effects = app.number(EFFECTS).await;
    let again = app.sql("update audit.delivery set state = 'pending', leased_by = null, next_attempt_at = clock_timestamp(), attempts = 0").await;
    app.platform.db.wake().heard();
    app.settle().await;
    assert!(again > 20, "{again} deliveries");
    assert_eq!(app.number(EFFECTS).await, effects, "the second time nothing happens");
    app.finish().await;
}

/// Both processes claim, and somebody takes the leases away under their hands: what one does, the other does at the same time.
#[tokio::test]
async fn two_replicas_at_the_same_delivery_at_the_same_time() {
    let url = cluster::database().await;
    let app = TestApp::on(cluster::replica(&url, &[])).await;
    let mut other = TestApp::on(cluster::replica(&url, &[])).await;
    let replicas = [&app, &other];
    let orders = async {
        let orders = futures::stream::iter(0..40).map(|n| new_order(replicas[n % 2]));
        orders.buffer_unordered(4).collect::<Vec<_>>().await
    };
    let stolen = std::cell::Cell::new(0);
    let thief = async {
        loop {
            stolen.set(stolen.get() + steal(&app).await);
            app.platform.db.wake().staged();
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let orders = tokio::select! {
        orders = orders => orders,
        () = thief => unreachable!("it never ends"),
    };
    assert!(stolen.get() > 0, "nothing was taken away from anybody");
    for order in &orders {
        assert_eq!(order["state"], "completed", "{order:#}");
    }
    app.settle().await;
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 40);
    assert_eq!(app.number("select count(*) from provisioning.provisioning_task").await, 160);
    other.stop().await;
    app.finish().await;
}

/// Takes away the leases of all deliveries that nobody has locked at the moment, and says of how many. It waits for nobody, so
/// that it never stands in a circle with those who work; a database that has no time for it is no fault.
async fn steal(app: &TestApp) -> u64 {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    const CANCELLED_BY_TIME_OUT: &str = "57014";
    let statement = "
        with free as (select event_id, consumer from audit.delivery where state = 'pending' for update skip locked)
        update audit.delivery d set leased_by = null, next_attempt_at = clock_timestamp()
        from free f where d.event_id = f.event_id and d.consumer = f.consumer";
    match sqlx::query(statement).execute(app.platform.db.pool()).await {
        Ok(done) => done.rows_affected(),
        Err(sqlx::Error::PoolTimedOut) => 0,
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some(LOCK_NOT_AVAILABLE | CANCELLED_BY_TIME_OUT)) =>
        {
            0
        }
        Err(error) => panic!("the thief is caught: {error}"),
    }
}

async fn new_order(app: &TestApp) -> Value {
    let customer = app.customer(VISA).await;
    app.order(&customer, "PLAN_M").await
}

#[tokio::test]
async fn one_of_two_servers_is_killed_and_the_other_finishes_the_work() {
    let seed = seed();
    let installation = Arc::new(Installation::private());
    let mut first = ServerProcess::start(&installation, &[]).await;
    let second = ServerProcess::start(&installation, &[]).await;
    enlarge_pools(&first.client()).await;
    let plan = Plan {
        seed,
        actors: 8,
        mix: Mix { sign_up: 40, ..Mix::default() },
        cards: ALL_CARDS,
        clock: None,
        sabotage: None,
    };
    let both = Client::of_many(&[&first.client(), &second.client()]);
    let driver = Driver::start(both, plan, &installation.file("acknowledged.jsonl"));
    let started = Instant::now();
    while driver.acknowledged() < 150 {
        assert!(started.elapsed() < Duration::from_secs(60), "the load does not flow: {}", first.log_tail());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    driver.until_it_flows(|| first.log_tail()).await;
    first.kill9();
    let killed = Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (log, traffic) = driver.stop().await;
    let pool = installation.pool().await;
    books::settled_within(&pool, Duration::from_secs(30).saturating_sub(killed.elapsed())).await;
    let recovery = killed.elapsed();
    let figures = books::reckon(&pool, &second.client(), &log).await;
    println!(
        "one of two servers killed, seed {seed}: {figures}; the other was done after {:.1} s",
        recovery.as_secs_f64()
    );
    assert!(traffic.faults.is_empty(), "{:#?}", traffic.faults);
    figures.assert_flowed();
    pool.close().await;
    second.stop().await;
}

/// As a new version is rolled out: one is asked to end, comes back, then the other. Whoever repeats what was not answered
/// gets an answer, and nothing is lost or done twice.
#[tokio::test]
async fn two_servers_are_restarted_in_turn_under_load() {
    const ROUNDS: usize = 2;
    let seed = seed();
    let installation = Arc::new(Installation::private());
    let mut servers = [ServerProcess::start(&installation, &[]).await, ServerProcess::start(&installation, &[]).await];
    enlarge_pools(&servers[0].client()).await;
    let plan = Plan {
        seed,
        actors: 8,
        mix: Mix::default(),
        cards: ALL_CARDS,
        clock: Some((Duration::from_secs(3), "10d")),
        sabotage: None,
    };
    let both = Client::of_many(&[&servers[0].client(), &servers[1].client()]);
    let driver = Driver::start(both, plan, &installation.file("acknowledged.jsonl"));
    for _ in 0..ROUNDS {
        for server in &mut servers {
            let flowing = driver.acknowledged() + 40;
            let started = Instant::now();
            while driver.acknowledged() < flowing {
                assert!(started.elapsed() < Duration::from_secs(60), "the load does not flow: {}", server.log_tail());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            server.terminate().await;
            server.restart().await;
        }
    }
    driver.until_it_flows(|| servers[0].log_tail()).await;
    let (log, traffic) = driver.stop().await;
    let pool = installation.pool().await;
    books::settled_within(&pool, Duration::from_secs(30)).await;
    let figures = books::reckon(&pool, &servers[0].client(), &log).await;
    println!(
        "{} restarts in turn, seed {seed}: {figures}; {} requests were lost and repeated, statuses {:?}",
        2 * ROUNDS,
        traffic.lost,
        traffic.statuses
    );
    assert!(traffic.faults.is_empty(), "{:#?}", traffic.faults);
    figures.assert_flowed();
    pool.close().await;
    for server in servers {
        server.stop().await;
    }
}

/// Numbers and profiles that can be had.
async fn pools(app: &TestApp) -> (i64, i64) {
    (
        app.number("select count(*) from inventory.msisdn_pool where status = 'available'").await,
        app.number("select count(*) from inventory.esim_profile where profile_state = 'available'").await,
    )
}

#[tokio::test]
async fn a_declined_activation_gives_everything_back_and_a_new_card_works() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(DECLINED).await;
    let order = app.order(&customer, "PLAN_S").await;
    assert_eq!(order["state"], "failed");
    let reason = order["stateReason"].as_str().unwrap_or_default();
    assert!(reason.contains("insufficient_funds"), "{order:#}");
    app.settle().await;
    assert_eq!(pools(&app).await, before, "number and profile are back");
    app.op("worker.tick", json!({"name": "payment_recovery"})).await.ok();
    let attempts = app.op("payment.list_attempts", json!({"customerId": customer})).await.ok();
    assert_eq!(attempts.as_array().map(Vec::len), Some(1), "the charge is not tried again: {attempts:#}");
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 1);

    let card = app.op("payment.add_card", json!({"customerId": customer, "cardNumber": VISA})).await.ok();
    app.op("payment.set_default_method", json!({"paymentMethodId": card["id"]})).await.ok();
    let order = app.order(&customer, "PLAN_S").await;
    assert_eq!(order["state"], "completed", "{order:#}");
    app.finish().await;
}

#[tokio::test]
async fn a_charge_for_a_line_that_can_no_longer_be_given_is_refunded() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(SLOW).await;
    let order = app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_S"})).await.ok();
    app.until("the card is being charged", async || {
        (app.number("select count(*) from payment.payment_attempt where status = 'pending' and leased_by is not null")
            .await
            == 1)
            .then_some(())
    })
    .await;
    let reserved = app.op("inventory.msisdn.list", json!({"status": "reserved"})).await.ok();
    app.op("inventory.msisdn.release", json!({"msisdn": reserved[0]["msisdn"], "reason": "needed elsewhere"}))
        .await
        .ok();
    let order = app
        .until("the order ends", async || {
            let order = app.op("order.get", json!({"orderId": order["id"]})).await.ok();
            (order["state"] != "in_progress").then_some(order)
        })
        .await;
    assert_eq!(order["state"], "failed", "{order:#}");
    assert!(order["items"][0]["refundId"].is_string(), "the order says that the money goes back: {order:#}");
    assert!(order["stateReason"].as_str().is_some_and(|reason| reason.contains("taken away")), "{order:#}");
    app.settle().await;
    let attempt =
        app.op("payment.get_attempt", json!({"paymentAttemptId": order["items"][0]["paymentAttemptId"]})).await.ok();
    assert_eq!(
        (attempt["status"].as_str(), attempt["refund"]["status"].as_str()),
        (Some("approved"), Some("succeeded")),
        "{attempt:#}"
    );
    assert_eq!(app.number("select count(*) from mock_gateway.refund").await, 1);
    assert_eq!(pools(&app).await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_made_once() {
    let app = TestApp::new().await;
    let customer = app.customer(CHARGED_BUT_SILENT).await;
    let order = app.order(&customer, "PLAN_S").await;
    assert_eq!(order["state"], "completed", "{order:#}");
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 1);
    assert_eq!(app.number("select count(*) from payment.payment_attempt").await, 1);
    app.finish().await;
}
