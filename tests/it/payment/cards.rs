//! Cards on file.

use std::sync::Arc;

use bss::domains::crm::port::CustomerId;
use bss::domains::payment::port::gateway::GatewayError;
use bss::domains::payment::port::{AddCard, AttemptStatus, ListMethods, Payments as _, PreviewCutover};
use bss::platform::context::Context;
use bss::platform::db::Tx;
use bss::platform::error::Error;
use bss::platform::idempotency::IdempotencyRequest;
use tokio::time::Instant;

use super::world::{World, card, charge, violation};

#[tokio::test]
async fn racing_cards_give_one_default_and_never_more_than_five() {
    let world = World::idle().await;
    let customer = world.customer("active", "").await;
    let racing = (0..16).map(|_| world.add_card(&customer, "4242424242424242"));
    let outcomes = futures::future::join_all(racing).await;
    let (added, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((added.len(), refused.len()), (5, 11));
    for outcome in refused {
        let refused = violation(outcome);
        assert_eq!(refused.rule.id(), "payment_method.add.at_most_n_methods");
        assert_eq!((&refused.context["currentCount"], &refused.context["max"]), (&5.into(), &5.into()));
    }
    assert_eq!(added.into_iter().filter(|view| view.as_ref().is_ok_and(|view| view.is_default)).count(), 1);
    let listed = world.payments.methods(&world.cx().await, ListMethods::of(&customer)).await.expect("a list");
    assert_eq!(listed.iter().filter(|view| view.is_default).count(), 1);
    world.payments.remove_method(&world.cx().await, &listed[0].id).await.expect("one of five");
    world.add_card(&customer, "5555555555554444").await.expect("there is room again");
    world.finish().await;
}

#[tokio::test]
async fn the_default_is_chosen_once_and_passed_on() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    let second = world.add_card(&customer, "5555 5555 5555 4444").await.expect("a good card");
    assert_eq!((second.brand.as_str(), second.last4.as_str(), second.is_default), ("mastercard", "4444", false));
    let cx = world.cx().await;
    let changes = "select count(*) from audit.domain_event where event_type = 'payment_method.default_changed'";
    for _ in 0..2 {
        assert!(world.payments.set_default_method(&cx, &second.id).await.expect("an active card").is_default);
        assert_eq!(world.number(changes).await, 1, "a repetition changes nothing");
    }
    let third = world.add_card(&customer, "378282246310005").await.expect("a good card");
    let removed = world.payments.remove_method(&cx, &second.id).await.expect("others are left");
    assert_eq!((removed.status.as_str(), removed.is_default), ("removed", false));
    assert_eq!(world.number(changes).await, 2);
    let listed = world.payments.methods(&cx, ListMethods::of(&customer)).await.expect("a list");
    let defaults: Vec<_> = listed.iter().map(|view| (view.last4.as_str(), view.is_default)).collect();
    assert_eq!(defaults, [("0005", true), ("4242", false)], "newest first, and the newest takes over");
    assert!(world.payments.set_default_method(&cx, &third.id).await.is_ok());
    let rule = |outcome| violation(outcome).rule.id();
    assert_eq!(rule(world.payments.remove_method(&cx, &second.id).await), "payment_method.remove.already_removed");
    assert_eq!(rule(world.payments.set_default_method(&cx, &second.id).await), "payment_method.set_default.removed");
    let missing = world.payments.remove_method(&cx, &"PM-9999".parse().expect("an id")).await.expect_err("unknown");
    assert_eq!(missing.to_string(), "payment method PM-9999 not found");
    world.finish().await;
}

#[tokio::test]
async fn the_last_card_of_a_customer_with_a_line_stays() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    world.line(&customer).await;
    let cx = world.cx().await;
    let only = world.payments.methods(&cx, ListMethods::of(&customer)).await.expect("a list").remove(0);
    let refused = violation(world.payments.remove_method(&cx, &only.id).await);
    assert_eq!(refused.rule.id(), "payment_method.remove.not_last_if_active_subscription");
    let other = world.add_card(&customer, "4242424242424242").await.expect("a good card");
    world.payments.remove_method(&cx, &only.id).await.expect("another one is left");
    // Both of two cards at once: one stays.
    let twin = world.add_card(&customer, "4242424242424242").await.expect("a good card");
    let (one, two) =
        tokio::join!(world.payments.remove_method(&cx, &other.id), world.payments.remove_method(&cx, &twin.id));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_card_stays_while_a_charge_of_it_is_not_answered() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let other = world.add_card(&customer, "5555555555554444").await.expect("a good card");
    let cx = world.cx().await;
    let charged = world.payments.methods(&cx, ListMethods::of(&customer)).await.expect("a list").remove(1);
    assert!(charged.is_default);
    world.gateway.fail_next([GatewayError::Unavailable("down".into()), GatewayError::Unavailable("down".into())]);
    let attempt = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("a charge can be booked");
    world.until("the gateway did not answer", async || (world.gateway.times_asked(KEY) > 0).then_some(())).await;
    let refused = violation(world.payments.remove_method(&cx, &charged.id).await);
    assert_eq!(refused.rule.id(), "payment_method.remove.not_while_charge_pending");
    assert_eq!(refused.context["paymentAttemptId"], attempt.as_str());
    world.payments.remove_method(&cx, &other.id).await.expect("nothing is charged to this one");
    world
        .until("the charge is made", async || {
            world.sweep().await;
            (world.attempt(&attempt).await.status == AttemptStatus::Approved).then_some(())
        })
        .await;
    world.payments.remove_method(&cx, &charged.id).await.expect("its charge has ended");
    world.settled(&attempt).await;
    world.finish().await;
}

/// Of the first attempt to renew the line.
const KEY: &str = "renewal:SUB-0001:1#1";

/// Whether a card can be removed while `book` has booked a charge and has not committed it.
async fn removed_beside(world: &World, customer: &CustomerId, book: impl AsyncFn(&Tx, &Context)) -> bool {
    let cx = world.cx().await;
    let card = world.payments.methods(&cx, ListMethods::of(customer)).await.expect("a list").remove(0);
    let tx = world.platform.db.begin().await.expect("the database answers");
    book(&tx, &cx).await;
    let remove = world.payments.remove_method(&cx, &card.id);
    let commit = async {
        let waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                     and database = (select oid from pg_database where datname = current_database())";
        let started = std::time::Instant::now();
        // Where nobody waits for the booking, the removal has an answer long before that.
        while world.number(waits).await == 0 && started.elapsed() < std::time::Duration::from_secs(1) {
            tokio::task::yield_now().await;
        }
        tx.commit().await.expect("the commit succeeds");
    };
    tokio::join!(remove, commit).0.is_ok()
}

#[tokio::test]
async fn a_card_is_not_removed_beside_the_booking_of_its_charge() {
    let world = World::idle().await;
    let customer = world.customer("active", "4242424242424242").await;
    let alone = removed_beside(&world, &customer, async |tx, cx| {
        let booked = world.payments.request_charge(tx, cx, charge(&customer, "renewal:SUB-0001:1")).await;
        booked.expect("a charge can be booked");
    });
    assert!(!alone.await, "a single one");
    let customer = world.customer("second", "4242424242424242").await;
    let set = removed_beside(&world, &customer, async |tx, cx| {
        let requests = vec![charge(&customer, "renewal:SUB-0002:1"), charge(&customer, "renewal:SUB-0003:1")];
        let booked = world.payments.request_charges(tx, cx, requests).await.expect("charges can be booked");
        assert!(booked.iter().all(Result::is_ok));
    });
    assert!(!set.await, "one of many");
    world.end().await;
}

#[tokio::test]
async fn a_twin_of_the_last_card_that_fits_is_a_conflict_and_no_refusal() {
    let world = World::idle().await;
    let customer = world.customer("active", "").await;
    for _ in 0..4 {
        world.add_card(&customer, "4242424242424242").await.expect("there is room");
    }
    let mut tx = world.platform.db.pool().begin().await.expect("the database answers");
    let held = "select pg_advisory_xact_lock(hashtextextended('payment_method:DEFAULT:CUST-active', 0))";
    sqlx::query(held).execute(&mut *tx).await.expect("the statement is right");
    let add = async || {
        let request = IdempotencyRequest::new("k-1", "payment.add_card", b"").expect("a good key");
        let cx = Context { idempotency: Some(Arc::new(request)), ..world.cx().await };
        world.payments.add_card(&cx, card(&customer, "5555555555554444")).await
    };
    let release = async {
        let waits =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        world.until("both wait", async || (world.number(waits).await == 2).then_some(())).await;
        tx.rollback().await.expect("the database answers");
    };
    let (one, two, ()) = tokio::join!(add(), add(), release);
    let (added, refused) = if one.is_ok() { (one, two) } else { (two, one) };
    let added = added.expect("there was room for one");
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(add().await.expect("the same answer"), added);
    let other = world.add_card(&customer, "4242424242424242").await;
    assert_eq!(violation(other).rule.id(), "payment_method.add.at_most_n_methods");
    world.finish().await;
}

#[tokio::test]
async fn a_card_is_not_added_to_a_customer_who_is_closed_meanwhile() {
    let world = World::idle().await;
    let customer = world.customer("active", "").await;
    // The customer is being closed: who looks now sees that nothing has happened yet.
    let mut tx = world.platform.db.pool().begin().await.expect("the database answers");
    let close = "update crm.customer set status = 'closed', closed_at = now() where id = 'CUST-active'";
    sqlx::query(close).execute(&mut *tx).await.expect("the statement is right");
    let commit = async {
        let waits =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        world.until("the card waits", async || (world.number(waits).await == 1).then_some(())).await;
        tx.commit().await.expect("the commit succeeds");
    };
    let (refused, ()) = tokio::join!(world.add_card(&customer, "4242424242424242"), commit);
    let refused = violation(refused);
    assert_eq!(refused.rule.id(), "payment_method.add.customer_active_or_pending");
    assert_eq!(refused.context["status"], "closed");
    assert_eq!(world.number("select count(*) from payment.payment_method").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn refused_cards_leave_nothing_and_a_number_is_stored_nowhere() {
    let world = World::idle().await;
    let (active, suspended) = (world.customer("active", "").await, world.customer("suspended", "").await);
    world.sql("update crm.customer set status = 'suspended' where id = 'CUST-suspended'").await;
    let rule = async |command: AddCard| violation(world.payments.add_card(&world.cx().await, command).await).rule.id();
    assert_eq!(
        rule(card(&"CUST-unknown".parse().expect("an id"), "4242424242424242")).await,
        "payment_method.add.customer_exists"
    );
    assert_eq!(rule(card(&suspended, "4242424242424242")).await, "payment_method.add.customer_active_or_pending");
    assert_eq!(rule(card(&active, "4242424242424241")).await, "payment_method.add.card_number_invalid");
    let expired = AddCard { exp_month: 1, exp_year: 2020, ..card(&active, "4242424242424242") };
    assert_eq!(rule(expired).await, "payment_method.add.card_not_expired");
    let month = AddCard { exp_month: 13, ..card(&active, "4242424242424242") };
    let malformed = world.payments.add_card(&world.cx().await, month).await.expect_err("malformed");
    assert!(malformed.to_string().starts_with("/expMonth"), "{malformed}");
    assert_eq!(world.number("select count(*) from audit.domain_event").await, 0);

    let number = "4012888888881881";
    let body = format!(r#"{{"customerId":"{active}","cardNumber":"{number}"}}"#);
    let request = IdempotencyRequest::new("k-1", "payment.add_card", body.as_bytes()).expect("a good key");
    let cx = Context { idempotency: Some(Arc::new(request)), ..world.cx().await };
    let view = world.payments.add_card(&cx, card(&active, number)).await.expect("a good card");
    assert_eq!(world.payments.add_card(&cx, card(&active, number)).await.expect("the same answer"), view);
    let other = violation(world.payments.add_card(&cx, card(&active, "4242424242424242")).await);
    assert_eq!(other.rule.id(), "idempotency.key_reused_with_other_body");
    assert_eq!(world.number("select count(*) from payment.payment_method").await, 1);
    let stored = "select count(*) from (
            select to_jsonb(t)::text as row from payment.payment_method t
            union all select to_jsonb(t)::text from audit.domain_event t union all select to_jsonb(t)::text from crm.interaction t
            union all select to_jsonb(t)::text from platform.idempotency_key t) everything
        where row like '%4012888888881881%' or row like '%' || encode(sha256(convert_to($$BODY$$, 'UTF8')), 'hex') || '%'";
    assert_eq!(world.number(&stored.replace("BODY", &body)).await, 0, "not even as a hash");
    world.finish().await;
}

#[tokio::test]
async fn a_cutover_ends_the_cards_of_the_mock_gateway_and_leaves_every_customer_one_default() {
    let world = World::idle().await;
    let cx = world.cx().await;
    // One card each for two, two cards for the third, and one that the next gateway knows beside one that it does not.
    let (one, two) = (world.customer("one", "4242424242424242").await, world.customer("two", "4242424242424242").await);
    world.add_card(&two, "5555555555554444").await.expect("a good card");
    let mixed = world.customer("mixed", "4242424242424242").await;
    let kept = world.add_card(&mixed, "5555555555554444").await.expect("a good card").id;
    world.sql(&format!("update payment.payment_method set token_provider = 'stripe' where id = '{kept}'")).await;
    let gone = world.customer("gone", "4242424242424242").await;
    let removed = world.payments.methods(&cx, ListMethods::of(&gone)).await.expect("a list").remove(0);
    world.payments.remove_method(&cx, &removed.id).await.expect("nothing hangs on it");
    world.line(&one).await;

    let events = "select count(*) from audit.domain_event where event_type = 'payment_method.cutover_invalidated'";
    let preview = world.payments.preview_cutover(&cx, PreviewCutover { limit: 3, offset: 0 }).await.expect("a preview");
    assert_eq!((preview.candidate_count, preview.candidate_ids.len()), (4, 3));
    let next = world.payments.preview_cutover(&cx, PreviewCutover { limit: 3, offset: 3 }).await.expect("a preview");
    assert_eq!(next.candidate_ids.len(), 1);
    assert!(!preview.candidate_ids.contains(&next.candidate_ids[0]));
    assert_eq!(world.number(events).await, 0, "looking changes nothing");

    let late = Context { deadline: Instant::now(), ..cx.clone() };
    let nothing = world.payments.cutover(&late).await.expect("no time is no error");
    assert_eq!((nothing.invalidated_count, nothing.left), (0, 4));

    let done = world.payments.cutover(&cx).await.expect("a cutover");
    let mut ids = [preview.candidate_ids, next.candidate_ids].concat();
    let mut invalidated = done.invalidated_ids.clone();
    ids.sort();
    invalidated.sort();
    assert_eq!((done.invalidated_count, &invalidated, done.left), (4, &ids, 0));
    assert_eq!(world.number(events).await, 4, "one for each");
    let facts = "select count(*) from audit.domain_event where event_type = 'payment_method.cutover_invalidated'
        and payload @> '{\"brand\": \"visa\", \"last4\": \"4242\", \"tokenProvider\": \"mock\", \"reason\": \"operator_cutover\"}'
        and payload ? 'customerId' and not payload ? 'token'";
    assert_eq!(world.number(facts).await, 3);
    assert_eq!(
        world.number("select count(*) from payment.payment_method where status <> 'active' and is_default").await,
        0
    );
    let cards = world.payments.methods(&cx, ListMethods::of(&mixed)).await.expect("a list");
    assert_eq!(cards.iter().map(|card| (&card.id, card.is_default)).collect::<Vec<_>>(), [(&kept, true)]);
    assert_eq!(world.number("select count(*) from payment.payment_method where status = 'removed'").await, 1);

    let again = world.payments.cutover(&cx).await.expect("a second run");
    assert_eq!((again.invalidated_count, again.left, world.number(events).await), (0, 0, 4));
    let refused = violation(world.request(super::world::charge(&one, "renewal:SUB-0001:2")).await);
    assert_eq!(refused.rule.id(), "payment.charge.no_method", "and the customer is told to add one");
    let expired = violation(world.payments.set_default_method(&cx, &ids[0]).await);
    assert_eq!(expired.rule.id(), "payment_method.set_default.expired");
    let new = world.add_card(&one, "4242424242424242").await.expect("room for a new one");
    assert!(new.is_default);
    world.finish().await;
}
