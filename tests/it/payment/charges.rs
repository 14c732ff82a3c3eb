//! Charges: every test card, twins, repetitions, nothing to charge.

use bss::domains::payment::port::gateway::GatewayError;
use bss::domains::payment::port::{AttemptStatus, ChargeRequest, ListAttempts, Payments as _, Purpose};

use super::world::{World, charge, sgd, violation};

#[tokio::test]
async fn an_approved_charge_is_booked_announced_and_earned() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    assert_eq!(
        (paid.status, paid.attempt_number, paid.gateway_key.as_str()),
        (AttemptStatus::Approved, 1, "renewal:SUB-0001:1#1")
    );
    assert_eq!((paid.amount.as_str(), paid.currency.as_str(), paid.purpose), ("25.00", "SGD", Purpose::Renewal));
    assert!(paid.gateway_ref.is_some_and(|gateway_ref| gateway_ref.starts_with("mock_")) && paid.finished_at.is_some());
    let balances = [("gateway_clearing".to_owned(), 2500), ("revenue:renewal".to_owned(), -2500)];
    assert_eq!(world.balances().await, balances);
    let events = "select count(*) from audit.domain_event where aggregate_type = 'payment_attempt'
                  and event_type in ('payment.requested', 'payment.approved')";
    assert_eq!(world.number(events).await, 2);
    let noted = "select count(*) from crm.interaction where summary like 'Card charged: SGD 25.00 for renewal of SUB-0001 (PAY-%'";
    assert_eq!(world.number(noted).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_declined_charge_is_final_and_a_new_card_gets_a_new_key() {
    let world = World::new().await;
    let customer = world.customer("active", "4000000000009995").await;
    let declined = world.charge(&customer, "activation:ORD-0001").await;
    assert_eq!(
        (declined.status, declined.decline_code.as_deref()),
        (AttemptStatus::Declined, Some("insufficient_funds"))
    );
    assert!(world.balances().await.is_empty());

    // Nobody asks again by himself; a new request with the same card is a new attempt, and refused anew.
    world.sweep().await;
    let again = world.charge(&customer, "activation:ORD-0001").await;
    assert_eq!((again.attempt_number, again.status), (2, AttemptStatus::Declined));
    let good = world.add_card(&customer, "4242424242424242").await.expect("a good card");
    world.payments.set_default_method(&world.cx().await, &good.id).await.expect("an active card");
    let paid = world.charge(&customer, "activation:ORD-0001").await;
    assert_eq!((paid.gateway_key.as_str(), paid.status), ("activation:ORD-0001#3", AttemptStatus::Approved));
    assert_eq!(world.number("select count(*) from mock_gateway.charge").await, 3);
    assert_eq!(world.number("select count(*) from audit.domain_event where event_type = 'payment.declined'").await, 2);
    world.finish().await;
}

#[tokio::test]
async fn both_declining_cards_say_so() {
    let world = World::new().await;
    for (name, card) in [("active-1", "4000000000000002"), ("active-2", "4000000000000341")] {
        let customer = world.customer(name, card).await;
        let declined = world.charge(&customer, name).await;
        assert_eq!(
            (declined.status, declined.decline_code.as_deref()),
            (AttemptStatus::Declined, Some("card_declined"))
        );
        assert_eq!(declined.decline_reason.as_deref(), Some("The issuer declined the card"));
    }
    world.finish().await;
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_charged_once() {
    let world = World::new().await;
    let customer = world.customer("active", "4000000000000119").await;
    let paid = world.charge(&customer, "vas:VP-0001").await;
    assert_eq!(paid.status, AttemptStatus::Approved);
    assert_eq!(world.number("select gateway_calls::bigint from payment.payment_attempt").await, 2);
    assert_eq!(world.number("select count(*) from mock_gateway.charge where outcome = 'approved'").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_error_is_no_decline() {
    let world = World::new().await;
    let customer = world.customer("active", "4000000000000259").await;
    let paid = world.charge(&customer, "vas:VP-0001").await;
    assert_eq!((paid.status, paid.attempt_number), (AttemptStatus::Approved, 1));
    assert_eq!(world.gateway.times_asked("vas:VP-0001#1"), 2);
    assert_eq!(world.number("select count(*) from mock_gateway.charge").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_the_gateway_refuses_is_errored_and_announced_as_declined() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    world.gateway.fail_next([GatewayError::Refused("no such currency".into())]);
    let errored = world.charge(&customer, "vas:VP-0001").await;
    assert_eq!((errored.status, errored.decline_code.as_deref()), (AttemptStatus::Errored, Some("gateway_refused")));
    let announced = "select count(*) from audit.domain_event
                     where event_type = 'payment.declined' and payload->>'declineCode' = 'gateway_refused'";
    assert_eq!(world.number(announced).await, 1);
    assert_eq!(world.charge(&customer, "vas:VP-0001").await.attempt_number, 2);
    world.finish().await;
}

#[tokio::test]
async fn many_charges_are_booked_together_and_each_gets_its_own_answer() {
    let world = World::new().await;
    let paying = world.customer("paying", "4242424242424242").await;
    let poor = world.customer("poor", "").await;
    let before = world.charge(&paying, "renewal:SUB-0001:1").await;
    let requests = vec![
        charge(&paying, "renewal:SUB-0003:1"),
        charge(&poor, "renewal:SUB-0004:1"),
        charge(&paying, "renewal:SUB-0001:1"),
        ChargeRequest { amount: sgd(0), ..charge(&paying, "renewal:SUB-0002:1") },
        charge(&paying, "renewal:SUB-0003:1"),
        ChargeRequest { amount: sgd(100), ..charge(&paying, "renewal:SUB-0001:1") },
        charge(&paying, "renewal:SUB-0005:1"),
    ];
    let cx = world.cx().await;
    let tx = world.platform.db.begin().await.expect("the database answers");
    let answers = world.payments.request_charges(&tx, &cx, requests).await.expect("nothing fails as a whole");
    tx.commit().await.expect("the commit succeeds");

    let rules: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().err().map(|violation| violation.rule.id())).collect();
    let (no_method, in_use) = (Some("payment.charge.no_method"), Some("payment.charge.business_key_in_use"));
    assert_eq!(rules, [None, no_method, None, None, None, in_use, None]);
    let ids: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
    assert_eq!((&ids[1], &ids[3]), (&before.id, &ids[0]));
    for id in &ids {
        assert_eq!(world.settled(id).await.status, AttemptStatus::Approved);
    }
    assert_eq!(world.number("select count(*) from payment.payment_attempt").await, 4);
    assert_eq!(world.number("select count(*) from mock_gateway.charge").await, 3);
    let requested = "select count(*) from audit.domain_event where event_type = 'payment.requested'";
    assert_eq!(world.number(requested).await, 3);
    world.finish().await;
}

#[tokio::test]
async fn one_business_key_has_one_attempt_however_many_ask_at_once() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let racing = (0..16).map(|_| world.request(charge(&customer, "renewal:SUB-0001:1")));
    let mut ids: Vec<_> =
        futures::future::join_all(racing).await.into_iter().map(|id| id.expect("an attempt")).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.settled(&ids[0]).await.status, AttemptStatus::Approved);
    assert_eq!(world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("the same"), ids[0]);
    assert_eq!(world.number("select count(*) from payment.payment_attempt").await, 1);
    assert_eq!(world.gateway.times_asked("renewal:SUB-0001:1#1"), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_business_key_is_not_taken_for_another_charge() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    let dearer =
        bss::domains::payment::port::ChargeRequest { amount: sgd(2501), ..charge(&customer, "renewal:SUB-0001:1") };
    let refused = violation(world.request(dearer).await);
    assert_eq!(refused.rule.id(), "payment.charge.business_key_in_use");
    assert_eq!(refused.context["paymentAttemptId"], paid.id.as_str());
    world.finish().await;
}

#[tokio::test]
async fn a_delivery_that_comes_twice_charges_once() {
    let world = World::new().await;
    let customer = world.customer("active", "4242424242424242").await;
    let paid = world.charge(&customer, "renewal:SUB-0001:1").await;
    for _ in 0..3 {
        world.sql("update audit.delivery set state = 'pending', next_attempt_at = clock_timestamp()").await;
        world.platform.db.wake().heard();
        assert_eq!(world.settled(&paid.id).await, paid);
    }
    assert_eq!(world.gateway.times_asked("renewal:SUB-0001:1#1"), 1);
    world.finish().await;
}

#[tokio::test]
async fn two_processes_on_one_slow_charge_book_it_once() {
    let world = World::new().await;
    let other = World::on(world.url.clone()).await;
    let customer = world.customer("active", "4000000000006975").await;
    let id = world.request(charge(&customer, "renewal:SUB-0001:1")).await.expect("an attempt");
    world
        .until("the gateway is asked", async || (world.gateway.times_asked("renewal:SUB-0001:1#1") > 0).then_some(()))
        .await;
    // The second process is told that the first one is gone, which is not so: both ask, both get the same answer.
    world.sql("update payment.payment_attempt set leased_by = null, next_attempt_at = clock_timestamp()").await;
    let report = other.sweep().await;
    assert_eq!(report["charges"]["settled"], 1, "{report}");
    let paid = world.settled(&id).await;
    assert_eq!(paid.status, AttemptStatus::Approved);
    assert_eq!(world.number("select count(*) from audit.domain_event where event_type = 'payment.approved'").await, 1);
    other.end().await;
    world.finish().await;
}

#[tokio::test]
async fn nothing_to_charge_is_approved_at_once_without_gateway_and_card() {
    let world = World::new().await;
    let customer = world.customer("active", "").await;
    let request =
        bss::domains::payment::port::ChargeRequest { amount: sgd(0), ..charge(&customer, "activation:ORD-0001") };
    let id = world.request(request).await.expect("no card is needed");
    let free = world.settled(&id).await;
    assert_eq!((free.status, free.payment_method_id, free.gateway_ref), (AttemptStatus::Approved, None, None));
    assert_eq!(world.refund(&id).await, None);
    assert_eq!(world.number("select count(*) from mock_gateway.charge").await, 0);
    assert_eq!(world.number("select count(*) from payment.journal_line").await, 0);
    assert_eq!(world.number("select count(*) from audit.domain_event where event_type = 'payment.approved'").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn without_a_card_nothing_is_booked() {
    let world = World::idle().await;
    let customer = world.customer("active", "").await;
    assert!(!world.payments.has_method(&world.cx().await, &customer).await.expect("an answer"));
    let refused = violation(world.request(charge(&customer, "renewal:SUB-0001:1")).await);
    assert_eq!(refused.rule.id(), "payment.charge.no_method");
    assert_eq!(world.number("select count(*) from payment.payment_attempt").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn attempts_are_listed_newest_first_a_page_at_a_time() {
    let world = World::new().await;
    let (ada, bob) =
        (world.customer("active-a", "4242424242424242").await, world.customer("active-b", "4000000000000002").await);
    for number in 0..5 {
        world.charge(&ada, &format!("renewal:A:{number}")).await;
        world.charge(&bob, &format!("renewal:B:{number}")).await;
    }
    let list = async |customer: Option<&bss::domains::crm::port::CustomerId>, status, limit, offset| {
        let query = ListAttempts {
            customer_id: customer.cloned(),
            subject_id: Some("SUB-0001".into()),
            status,
            id_prefix: None,
            limit,
            offset,
        };
        let views = world.payments.attempts(&world.cx().await, query).await.expect("a list");
        views.into_iter().map(|view| view.business_key).collect::<Vec<_>>()
    };
    assert_eq!(list(Some(&ada), None, 3, 0).await, ["renewal:A:4", "renewal:A:3", "renewal:A:2"]);
    assert_eq!(list(Some(&ada), None, 3, 3).await, ["renewal:A:1", "renewal:A:0"]);
    assert_eq!(list(None, Some(AttemptStatus::Declined), 2, 0).await, ["renewal:B:4", "renewal:B:3"]);
    assert_eq!(list(None, None, 1000, 0).await.len(), 10);
    world.finish().await;
}
