//! What the sweep finishes: dead processes, lost deliveries, a gateway that is away.

use bss::domains::payment::port::AttemptStatus;
use bss::domains::payment::port::gateway::{Gateway as _, GatewayError};

use super::world::{World, charge, sgd};

/// As if the process that held the attempt had died, and its delivery with it.
async fn abandon(world: &World) {
    let dead = "update payment.payment_attempt set leased_by = gen_random_uuid(), gateway_calls = 1,
                lease_until = clock_timestamp() + interval '1 hour', next_attempt_at = clock_timestamp()";
    world.sql(dead).await;
    world.sql("update audit.delivery set state = 'parked'").await;
}

#[tokio::test]
async fn a_process_that_died_after_the_gateway_answered_has_charged_once() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    let id = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    let token: String = sqlx::query_scalar("select token from payment.payment_method")
        .fetch_one(world.platform.db.pool())
        .await
        .expect("a card");
    world.gateway.charge("renewal:SUB-0001:1#1", &token, sgd(2500)).await.expect("an answer that nobody hears");
    abandon(&world).await;
    assert!(world.broken_checks().await.is_empty(), "money taken for a pending attempt is no error");

    assert_eq!(world.sweep().await["charges"]["settled"], 1);
    assert_eq!(world.attempt(&id).await.status, AttemptStatus::Approved);
    assert_eq!(world.gateway.times_asked("renewal:SUB-0001:1#1"), 1, "the sweep looked it up");
    assert_eq!(world.number("select count(*) from mock_gateway.charge").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_process_that_died_before_the_call_has_charged_nothing_and_the_sweep_does() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    let id = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    assert_eq!(world.sweep().await["charges"]["settled"], 0, "a fresh attempt is left to its delivery");
    abandon(&world).await;
    assert_eq!(world.sweep().await["charges"]["settled"], 1);
    assert_eq!(world.sweep().await["charges"]["settled"], 0);
    assert_eq!(world.attempt(&id).await.status, AttemptStatus::Approved);
    world.finish().await;
}

#[tokio::test]
async fn the_lease_of_a_living_process_is_respected() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    let other = World::on(world.url.clone()).await;
    let held = format!(
        "update payment.payment_attempt set leased_by = '{}', lease_until = clock_timestamp() + interval '1 minute',
         next_attempt_at = clock_timestamp()",
        other.platform.boot_id
    );
    world.sql(&held).await;
    let report = world.sweep().await;
    assert_eq!((&report["charges"]["settled"], &report["charges"]["skipped"]), (&0.into(), &0.into()));
    other.end().await;
    // It has said goodbye: what it held is free.
    assert_eq!(world.sweep().await["charges"]["settled"], 1);
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_that_is_away_declines_nothing() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    let id = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    for tries in 1..=7 {
        let failure = if tries % 2 == 0 { GatewayError::Timeout } else { GatewayError::Unavailable("no route".into()) };
        world.gateway.fail_next([failure]);
        world.sql("update payment.payment_attempt set next_attempt_at = clock_timestamp()").await;
        assert_eq!(world.sweep().await["charges"]["postponed"], 1);
        assert_eq!(world.attempt(&id).await.status, AttemptStatus::Pending);
    }
    let wait = "select extract(epoch from next_attempt_at - clock_timestamp())::bigint from payment.payment_attempt";
    assert!((50..=60).contains(&world.number(wait).await));
    world.sql("update payment.payment_attempt set next_attempt_at = clock_timestamp()").await;
    world.sweep().await;
    assert_eq!(world.attempt(&id).await.status, AttemptStatus::Approved);
    assert_eq!(world.number("select count(*) from mock_gateway.charge").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn an_outage_of_the_gateway_parks_no_charge() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    world.gateway.fail_next((0..8).map(|_| GatewayError::Unavailable("no route".into())));
    let id = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    // As if the waits were over, until the delivery leaves the attempt to the sweep.
    world
        .until("the delivery is done", async || {
            world.sql("update payment.payment_attempt set next_attempt_at = clock_timestamp()").await;
            world.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
            let done = "select count(*) from audit.delivery where consumer = 'payment.charge' and state = 'done'";
            (world.number(done).await == 1).then_some(())
        })
        .await;
    assert_eq!(world.attempt(&id).await.status, AttemptStatus::Pending);
    world
        .until("the sweep has settled it", async || {
            world.sql("update payment.payment_attempt set next_attempt_at = clock_timestamp()").await;
            world.sweep().await;
            (world.attempt(&id).await.status == AttemptStatus::Approved).then_some(())
        })
        .await;
    assert_eq!(world.number("select count(*) from audit.delivery where state = 'parked'").await, 0);
    assert_eq!(world.number("select count(*) from mock_gateway.charge").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_refused_look_up_refuses_no_charge() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    let id = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    world.gateway.fail_next([GatewayError::Timeout]);
    world.sweep().await;
    world.gateway.refuse_look_ups(true);
    world.sql("update payment.payment_attempt set next_attempt_at = clock_timestamp()").await;
    assert_eq!(world.sweep().await["charges"]["postponed"], 1);
    assert_eq!(world.attempt(&id).await.status, AttemptStatus::Pending);
    world.gateway.refuse_look_ups(false);
    world.sql("update payment.payment_attempt set next_attempt_at = clock_timestamp()").await;
    world.sweep().await;
    assert_eq!(world.attempt(&id).await.status, AttemptStatus::Approved);
    world.finish().await;
}

#[tokio::test]
async fn a_hundred_abandoned_charges_are_finished_in_one_run() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    for number in 0..100 {
        world.request(charge(&customer, &format!("renewal:SUB-0001:{number}"))).await.expect("an attempt");
    }
    abandon(&world).await;
    assert_eq!(world.sweep().await["charges"]["settled"], 100);
    assert_eq!(world.number("select count(*) from mock_gateway.charge where outcome = 'approved'").await, 100);
    world.finish().await;
}
