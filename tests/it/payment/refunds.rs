//! Refunds: before and after the money was earned, twice, while the charge is under way, refused.

use bss::domains::payment::port::gateway::GatewayError;
use bss::domains::payment::port::{AttemptStatus, ChargeRequest, Payments as _, RefundAttempt, RefundStatus};

use super::world::{NOT_GIVEN, World, charge, violation};

#[tokio::test]
async fn earned_money_goes_back_out_of_revenue() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    let cx = world.cx().await;
    let command = RefundAttempt { payment_attempt_id: paid.id.clone(), reason: "goodwill".into() };
    let view = world.payments.refund_attempt(&cx, command).await.expect("a refund");
    let refund = view.refund.expect("it has one");
    assert_eq!(
        (view.status, refund.status, refund.amount.as_str()),
        (AttemptStatus::Approved, RefundStatus::Succeeded, "25.00")
    );
    assert!(world.balances().await.is_empty());
    let reversed =
        "select count(*) from payment.journal_line where entry_kind = 'refund_due' and account = 'revenue:renewal'";
    assert_eq!(world.number(reversed).await, 1);
    world.settled(&paid.id).await;
    world.finish().await;
}

#[tokio::test]
async fn money_for_what_was_never_given_goes_back_and_is_never_earned() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let request = ChargeRequest { subject_id: NOT_GIVEN.into(), ..charge(&customer, "activation:ORD-0001") };
    let id = world.request(request).await.expect("an attempt");
    world.settled(&id).await;
    assert_eq!(
        world.broken_checks().await,
        ["payment.approved_is_earned_or_returned"],
        "the check sees forgotten money"
    );
    assert!(world.refund(&id).await.is_some());
    world.settled(&id).await;

    let (cx, tx) = (world.cx().await, world.platform.db.begin().await.expect("the database answers"));
    world.payments.recognise(&tx, &cx, &id).await.expect("it does nothing");
    tx.commit().await.expect("the commit succeeds");
    assert!(world.balances().await.is_empty());
    assert_eq!(world.number("select count(*) from payment.journal_line where entry_kind = 'revenue'").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_charge_is_refunded_once_however_many_ask_at_once() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    let mut ids = futures::future::join_all((0..16).map(|_| world.refund(&paid.id))).await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
    world.settled(&paid.id).await;
    assert_eq!(world.refund(&paid.id).await, ids[0]);

    // The delivery comes once more.
    world.sql("update audit.delivery set state = 'pending', next_attempt_at = clock_timestamp() where consumer = 'payment.refund'").await;
    world.settled(&paid.id).await;
    assert_eq!(world.gateway.times_asked(&format!("refund:{}#1", paid.id)), 1);
    assert_eq!(world.number("select count(*) from mock_gateway.refund").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_refund_waits_for_a_charge_that_is_under_way() {
    let world = World::new().await;
    let customer = world.customer("active", "4000000000006975").await;
    let request = ChargeRequest { subject_id: NOT_GIVEN.into(), ..charge(&customer, "activation:ORD-0001") };
    let id = world.request(request).await.expect("an attempt");
    world
        .until("the gateway is asked", async || (world.gateway.times_asked("activation:ORD-0001#1") > 0).then_some(()))
        .await;
    assert!(world.refund(&id).await.is_some());
    assert_eq!(world.attempt(&id).await.status, AttemptStatus::Pending);
    assert_eq!(world.number("select count(*) from mock_gateway.refund").await, 0);

    let view = world.settled(&id).await;
    assert_eq!(
        (view.status, view.refund.map(|refund| refund.status)),
        (AttemptStatus::Approved, Some(RefundStatus::Succeeded))
    );
    assert!(world.balances().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn there_is_nothing_to_refund_of_a_declined_charge() {
    let world = World::idle().await;
    let customer = world.customer("active", "4000000000000002").await;
    let id = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    assert!(world.refund(&id).await.is_some(), "nobody knows yet");
    world.start_workers();
    let view = world.settled(&id).await;
    assert_eq!(
        (view.status, view.refund.map(|refund| refund.status)),
        (AttemptStatus::Declined, Some(RefundStatus::Failed))
    );
    assert_eq!(world.number("select count(*) from payment.refund where last_error = 'nothing was charged'").await, 1);
    assert_eq!(world.refund(&id).await, None);
    let command = RefundAttempt { payment_attempt_id: id, reason: "please".into() };
    let refused = violation(world.payments.refund_attempt(&world.cx().await, command).await);
    assert_eq!(refused.rule.id(), "payment.refund.nothing_charged");
    assert_eq!(world.number("select count(*) from mock_gateway.refund").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_refund_that_is_not_answered_is_asked_for_again_with_the_same_key() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    world.gateway.fail_next([GatewayError::Timeout]);
    world.refund(&paid.id).await;
    world.settled(&paid.id).await;
    assert_eq!(world.gateway.times_asked(&format!("refund:{}#1", paid.id)), 2);
    assert_eq!(world.number("select count(*) from mock_gateway.refund").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn the_sweep_finishes_a_refund_whose_process_died() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    let lost = World::idle().await;
    lost.end().await;
    // Booked, leased by a process that is gone, its delivery parked.
    let (cx, tx) = (world.cx().await, world.platform.db.begin().await.expect("the database answers"));
    world.payments.refund(&tx, &cx, &paid.id, "test").await.expect("a refund can be booked");
    use sea_orm::ConnectionTrait as _;
    tx.execute_unprepared(
        "update payment.refund set leased_by = gen_random_uuid(), lease_until = clock_timestamp() + interval '1 hour',
                next_attempt_at = clock_timestamp();
         update audit.delivery set state = 'parked' where state = 'pending'",
    )
    .await
    .expect("the statement is right");
    tx.commit().await.expect("the commit succeeds");
    assert_eq!(world.sweep().await["refunds"]["settled"], 1);
    assert_eq!(world.attempt(&paid.id).await.refund.map(|refund| refund.status), Some(RefundStatus::Succeeded));
    world.finish().await;
}

#[tokio::test]
async fn a_refused_refund_stays_owed_until_another_one_succeeds() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    world.gateway.fail_next([GatewayError::Refused("card account closed".into())]);
    world.refund(&paid.id).await;
    assert_eq!(world.settled(&paid.id).await.refund.map(|refund| refund.status), Some(RefundStatus::Failed));
    assert_eq!(
        world.number("select count(*) from audit.domain_event where event_type = 'payment.refund_failed'").await,
        1
    );
    assert_eq!(world.broken_checks().await, ["payment.refunds_booked"], "somebody must look");

    world.refund(&paid.id).await;
    assert_eq!(world.settled(&paid.id).await.refund.map(|refund| refund.status), Some(RefundStatus::Succeeded));
    assert_eq!(world.gateway.times_asked(&format!("refund:{}#2", paid.id)), 1);
    assert!(world.balances().await.is_empty());
    world.finish().await;
}
