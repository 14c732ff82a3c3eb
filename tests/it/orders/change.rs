//! Orders about a line that is there: top-ups and the end of it, and what an order is told to be waiting for.

use serde_json::{Value, json};

use super::{VISA, ended, fault, order, place, reasons, task_in};
use crate::support::app::{Answer, TestApp};
use crate::support::tmf_gate::{Api, validate};

const DECLINES: &str = "4000000000009995";

async fn change(app: &TestApp, line: &Value, action: &str, offering: Option<&str>) -> Answer {
    let mut body = json!({"customerId": line["customerId"], "subscriptionId": line["id"]});
    if let Some(offering) = offering {
        body["offeringId"] = json!(offering);
    }
    if action == "delete" {
        return app.op("order.cease", body).await;
    }
    body["action"] = json!(action);
    app.op("order.create", body).await
}

async fn line_now(app: &TestApp, line: &Value) -> Value {
    app.op("subscription.get", json!({"subscriptionId": line["id"]})).await.ok()
}

/// The delivery of the last order comes again, as after a crash before the order's end was on disk.
async fn carried_out_again(app: &TestApp, order: &Value) {
    app.sql("update audit.delivery set state = 'pending', next_attempt_at = clock_timestamp() where consumer = 'com.carry_out_change'").await;
    app.sql("update order_mgmt.product_order set state = 'in_progress', completed_date = null where id = (select max(id) from order_mgmt.product_order)").await;
    app.platform.db.wake().heard();
    app.until("it is carried out again", async || {
        let completed = app.op("events.list", json!({"aggregateId": order, "eventType": "order.completed"})).await.ok();
        (completed["count"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_top_up_is_ordered_charged_once_and_added() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let placed = change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.ok();
    assert_eq!((&placed["items"][0]["action"], &placed["items"][0]["priceAmount"]), (&json!("modify"), &json!("3.00")));
    let done = ended(&app, &placed["id"]).await;
    assert_eq!(done["state"], "completed", "{done:#}");
    let attempt = done["items"][0]["paymentAttemptId"].as_str().unwrap();
    let booked = format!("the top-up is booked, its charge {attempt} is under way");
    assert_eq!(reasons(&done), ["order created", "order submitted", &booked, "the top-up is paid and added"]);
    assert_eq!(line_now(&app, &line).await["balances"][0]["total"], 5_120 + 1_024);
    let charge = app.op("payment.get_attempt", json!({"paymentAttemptId": attempt})).await.ok();
    assert_eq!(charge["businessKey"], format!("vas:{}", placed["id"].as_str().unwrap()));
    let path = format!("/tmf-api/productOrderingManagement/v4/productOrder/{}", placed["id"].as_str().unwrap());
    let seen = app.get(&path).await.ok();
    validate(Api::Tmf622, "ProductOrder", &seen).unwrap();
    assert_eq!(seen["productOrderItem"][0]["payment"][0]["id"], attempt);
    // Days later, when no key of a request is known any more.
    app.sql("delete from platform.idempotency_key").await;
    carried_out_again(&app, &placed["id"]).await;
    assert_eq!(line_now(&app, &line).await["balances"][0]["total"], 5_120 + 1_024, "not a second time");
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 2);
    app.finish().await;
}

/// Deliveries to the consumer wait from now on, and are let go one by one.
async fn hold(app: &TestApp, consumer: &'static str) {
    app.sql(
        "create or replace function hold() returns trigger language plpgsql as
         $$ begin if new.consumer = tg_argv[0] then new.next_attempt_at := clock_timestamp() + interval '1 hour'; end if;
         return new; end $$",
    )
    .await;
    let trigger = match consumer {
        "payment.charge" => {
            "create trigger hold_charge before insert on audit.delivery for each row execute function hold('payment.charge')"
        }
        _ => {
            "create trigger hold_change before insert on audit.delivery for each row execute function hold('com.carry_out_change')"
        }
    };
    app.sql(trigger).await;
}

async fn let_go(app: &TestApp) {
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.platform.db.wake().heard();
}

#[tokio::test]
async fn a_top_up_that_is_being_charged_is_added_whatever_is_sold_meanwhile() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    hold(&app, "payment.charge").await;
    let placed = change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.ok();
    let attempt = app
        .until("the charge is booked", async || {
            order(&app, &placed["id"]).await["items"][0]["paymentAttemptId"].as_str().map(str::to_owned)
        })
        .await;
    let waiting = app.op("order.triage", json!({"orderId": placed["id"]})).await.ok();
    let charges = waiting[0]["waitsFor"].as_array().unwrap();
    assert!(charges.iter().any(|one| one["kind"] == "charge" && one["id"] == attempt.as_str()), "{waiting:#}");
    let refused = app.op("order.cancel", json!({"orderId": placed["id"]})).await;
    let refused = refused.violates("order.cancel.forbidden_after_som_started");
    assert_eq!(refused["context"]["paymentAttemptId"], attempt.as_str(), "{refused:#}");
    app.assert_books().await;

    app.sql("update catalog.vas_offering set amount_minor = 9900 where id = 'VAS_DATA_1GB'").await;
    again(&app).await;
    app.sql("update catalog.vas_offering set is_sellable = false where id = 'VAS_DATA_1GB'").await;
    again(&app).await;
    assert_eq!(order(&app, &placed["id"]).await["state"], "in_progress");
    let_go(&app).await;
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    assert_eq!(line_now(&app, &line).await["balances"][0]["total"], 5_120 + 1_024);
    let paid = app.op("payment.get_attempt", json!({"paymentAttemptId": attempt})).await.ok();
    assert_eq!(paid["amount"], "3.00", "as ordered");
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 2);
    app.finish().await;
}

/// The last order is carried out again, and that was done.
async fn again(app: &TestApp) {
    app.sql("update audit.delivery set state = 'pending', next_attempt_at = clock_timestamp() where consumer = 'com.carry_out_change'").await;
    app.platform.db.wake().heard();
    app.until("it is carried out again", async || {
        let left = "select count(*) from audit.delivery where consumer = 'com.carry_out_change' and state <> 'done'";
        (app.number(left).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_top_up_that_is_withdrawn_before_it_is_begun_fails_its_order() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    hold(&app, "com.carry_out_change").await;
    let placed = change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.ok();
    app.sql("update catalog.vas_offering set is_sellable = false where id = 'VAS_DATA_1GB'").await;
    let_go(&app).await;
    let failed = ended(&app, &placed["id"]).await;
    assert_eq!(failed["stateReason"], "What was ordered is no longer sold; nothing was charged", "{failed:#}");
    assert_eq!(failed["items"][0]["paymentAttemptId"], Value::Null);
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_change_that_was_given_up_is_cancelled_or_carried_out_once_more() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    hold(&app, "com.carry_out_change").await;
    let parked = async || {
        app.sql("update audit.delivery set state = 'parked', attempts = 6, last_error = 'the database failed' where state = 'pending' and consumer = 'com.carry_out_change'").await
    };
    let placed = change(&app, &line, "delete", None).await.ok();
    assert_eq!(parked().await, 1);
    assert_eq!(app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok()["state"], "cancelled");
    let given_up =
        "select count(*) from audit.delivery_history where what = 'discarded' and detail = 'the order was cancelled'";
    assert_eq!(app.number(given_up).await, 1);
    assert_eq!(app.number("select count(*) from audit.delivery where state = 'parked'").await, 0);
    assert_eq!(line_now(&app, &line).await["state"], "active");

    let placed = change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.ok();
    assert_eq!(parked().await, 1);
    let waiting = app.op("queue.parked", json!({})).await.ok();
    let discard = json!({"eventId": waiting[0]["eventId"], "consumer": "com.carry_out_change", "reason": "a test"});
    app.op("queue.discard", discard).await.ok();
    let triage = app.op("order.triage", json!({"orderId": placed["id"]})).await.ok();
    assert!(triage[0]["next"].as_str().unwrap().contains("bss order retry"), "{triage:#}");
    app.op("order.retry", json!({"orderId": placed["id"]})).await.ok();
    let_go(&app).await;
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn a_line_that_ends_while_its_top_up_is_charged_gives_the_money_back() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    hold(&app, "payment.charge").await;
    let placed = change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.ok();
    app.until("the charge is booked", async || {
        order(&app, &placed["id"]).await["items"][0]["paymentAttemptId"].as_str().map(drop)
    })
    .await;
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    let_go(&app).await;
    let failed = ended(&app, &placed["id"]).await;
    assert_eq!(failed["state"], "failed");
    let attempt = app.op("payment.get_attempt", json!({"paymentAttemptId": failed["items"][0]["paymentAttemptId"]}));
    assert_eq!(failed["items"][0]["refundId"], attempt.await.ok()["refund"]["id"], "{failed:#}");
    app.finish().await;
}

#[tokio::test]
async fn what_waits_about_a_line_is_not_tried_again_for_an_order_that_has_ended() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    app.sql("update audit.delivery set state = 'parked', attempts = 6, last_error = 'x' where consumer = 'crm.tell_activation'").await;
    let retried = app.op("order.retry", json!({"orderId": line["commercialOrderId"]})).await;
    retried.violates("order.retry.nothing_to_retry");
    assert_eq!(app.number("select count(*) from audit.delivery where state = 'parked'").await, 1);
    app.sql("update audit.delivery set state = 'done' where consumer = 'crm.tell_activation'").await;
    app.finish().await;
}

#[tokio::test]
async fn another_plan_is_ordered_booked_once_and_begins_with_the_renewal() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    change(&app, &line, "modify", Some("PLAN_S")).await.violates("subscription.plan_change.same_offering");
    change(&app, &line, "modify", Some("PLAN_NONE")).await.violates("order.create.offering_not_found");
    let placed = change(&app, &line, "modify", Some("PLAN_M")).await.ok();
    assert_eq!(placed["items"][0]["priceAmount"], "25.00");
    let done = ended(&app, &placed["id"]).await;
    assert_eq!(reasons(&done), ["order created", "order submitted", "the new plan begins with the next renewal"]);
    let booked = line_now(&app, &line).await;
    assert_eq!((&booked["offeringId"], &booked["pendingOfferingId"]), (&json!("PLAN_S"), &json!("PLAN_M")));
    change(&app, &line, "modify", Some("PLAN_L")).await.violates("subscription.plan_change.already_pending");
    carried_out_again(&app, &placed["id"]).await;
    let booked = "select count(*) from audit.domain_event where event_type = 'subscription.plan_change_scheduled'";
    assert_eq!(app.number(booked).await, 1);
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 1, "nothing is charged today");
    app.op("clock.advance", json!({"duration": "31d"})).await.ok();
    app.op("subscription.tick_renewals_now", json!({})).await.ok();
    app.until("the new plan has begun", async || (line_now(&app, &line).await["offeringId"] == "PLAN_M").then_some(()))
        .await;
    assert_eq!(line_now(&app, &line).await["priceAmount"], "25.00");
    app.finish().await;
}

#[tokio::test]
async fn a_plan_whose_price_has_changed_since_it_was_ordered_is_not_booked() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let body = json!({"customerId": line["customerId"], "action": "modify", "subscriptionId": line["id"],
        "offeringId": "PLAN_M", "submit": false});
    let placed = app.op("order.create", body).await.ok();
    app.op(
        "catalog.add_price",
        json!({"offeringId": "PLAN_M", "priceId": "PRICE_PLAN_M_NEW", "amount": "26.00", "retireCurrent": true}),
    )
    .await
    .ok();
    app.op("order.submit", json!({"orderId": placed["id"]})).await.ok();
    let failed = ended(&app, &placed["id"]).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["stateReason"].as_str().unwrap().contains("price has changed"), "{failed:#}");
    assert_eq!(line_now(&app, &line).await["pendingOfferingId"], Value::Null);
    app.finish().await;
}

#[tokio::test]
async fn a_line_is_ended_by_an_order() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let placed = change(&app, &line, "delete", None).await.ok();
    let done = ended(&app, &placed["id"]).await;
    assert_eq!((&done["state"], &done["items"][0]["priceAmount"]), (&json!("completed"), &json!("0.00")));
    let line = line_now(&app, &line).await;
    assert_eq!(line["state"], "terminated");
    assert_eq!(line["stateReason"], format!("ordered by {}", placed["id"].as_str().unwrap()));
    change(&app, &line, "delete", None).await.violates("order.create.line_has_no_service");
    change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.violates("order.create.line_has_no_service");
    app.settle().await;
    task_in(&app, "HLR_DEPROVISION", "completed").await;
    app.finish().await;
}

#[tokio::test]
async fn a_declined_top_up_fails_the_order_and_changes_nothing() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let card = app.op("payment.add_card", json!({"customerId": line["customerId"], "cardNumber": DECLINES})).await.ok();
    app.op("payment.set_default_method", json!({"paymentMethodId": card["id"]})).await.ok();
    let placed = change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.ok();
    let failed = ended(&app, &placed["id"]).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["stateReason"].as_str().unwrap().contains("declined"), "{failed:#}");
    let attempt = &failed["items"][0]["paymentAttemptId"];
    let attempt = app.op("payment.get_attempt", json!({"paymentAttemptId": attempt})).await.ok();
    assert_eq!((&attempt["status"], &attempt["purpose"]), (&json!("declined"), &json!("vas")));
    assert_eq!(line_now(&app, &line).await["balances"][0]["total"], 5_120);
    app.finish().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_happens() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let stranger = app.customer(VISA).await;
    let strange = json!({"customerId": stranger, "id": line["id"]});
    change(&app, &strange, "delete", None).await.violates("order.create.line_of_another_customer");
    let nothing = json!({"customerId": line["customerId"], "id": "SUB-9999"});
    change(&app, &nothing, "delete", None).await.violates("order.create.line_not_found");
    change(&app, &line, "modify", Some("VAS_NONE")).await.violates("order.create.offering_not_found");
    for (action, offering) in
        [("add", Some("PLAN_S")), ("modify", None), ("delete", Some("PLAN_S")), ("noChange", None)]
    {
        assert_eq!(change(&app, &line, action, offering).await.status, 400, "{action}");
    }
    assert_eq!(app.op("order.create", json!({"customerId": stranger})).await.status, 400, "a plan is missing");
    let end = json!({"customerId": line["customerId"], "subscriptionId": line["id"], "action": "delete"});
    assert_eq!(app.op("order.create", end).await.status, 400, "order.cease ends lines, and asks first");
    assert_eq!(app.number("select count(*) from order_mgmt.product_order").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_change_of_a_line_is_called_off_before_it_is_submitted_and_not_after() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let body = json!({"customerId": line["customerId"], "subscriptionId": line["id"], "submit": false});
    let placed = app.op("order.cease", body).await.ok();
    let cancelled = app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(line_now(&app, &line).await["state"], "active", "the line has nothing to do with it");
    hold(&app, "com.carry_out_change").await;
    let placed = change(&app, &line, "delete", None).await.ok();
    let refused = app.op("order.cancel", json!({"orderId": placed["id"]})).await;
    refused.violates("order.cancel.forbidden_after_som_started");
    let_go(&app).await;
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn item_actions_over_tmf622() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let path = "/tmf-api/productOrderingManagement/v4/productOrder";
    let body = |item: Value| {
        json!({
            "relatedParty": [{"id": line["customerId"], "role": "customer", "@referredType": "Customer"}],
            "productOrderItem": [item],
        })
    };
    let item = json!({"id": "1", "action": "modify", "productOffering": {"id": "VAS_DATA_1GB"}, "product": {"id": line["id"]}});
    let answer = app.send(reqwest::Method::POST, path, &body(item)).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    validate(Api::Tmf622, "ProductOrder", &answer.body).unwrap();
    let item = &answer.body["productOrderItem"][0];
    assert_eq!((&item["action"], &item["product"]["id"]), (&json!("modify"), &line["id"]));
    assert_eq!(item["itemPrice"][0]["priceType"], "oneTime");
    let id = answer.body["id"].clone();
    let at = format!("{path}/{}", id.as_str().unwrap());
    app.send(reqwest::Method::PATCH, &at, &json!({"state": "inProgress"})).await.ok();
    assert_eq!(ended(&app, &id).await["state"], "completed");
    let item =
        json!({"id": "1", "action": "modify", "productOffering": {"id": "PLAN_M"}, "product": {"id": line["id"]}});
    let answer = app.send(reqwest::Method::POST, path, &body(item)).await.ok();
    validate(Api::Tmf622, "ProductOrder", &answer).unwrap();
    assert_eq!(answer["productOrderItem"][0]["itemPrice"][0]["priceType"], "recurring");
    let item = json!({"id": "1", "action": "delete", "product": {"id": line["id"]}});
    let answer = app.send(reqwest::Method::POST, path, &body(item)).await.ok();
    validate(Api::Tmf622, "ProductOrder", &answer).unwrap();
    app.op("order.submit", json!({"orderId": answer["id"]})).await.ok();
    assert_eq!(ended(&app, &answer["id"]).await["state"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn triage_says_what_an_order_waits_for_and_retry_tries_it_again() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let triage = async |id: &Value| app.op("order.triage", json!({"orderId": id})).await.ok()[0].clone();
    let kept =
        app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_S", "submit": false})).await.ok();
    assert!(triage(&kept["id"]).await["next"].as_str().unwrap().contains("bss order submit"));
    app.op("order.retry", json!({"orderId": kept["id"]})).await.violates("order.retry.nothing_to_retry");

    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    app.settle().await;
    let stuck = triage(&placed["id"]).await;
    assert_eq!(stuck["waitsFor"][0]["id"], task["id"], "{stuck:#}");
    assert!(stuck["next"].as_str().unwrap().contains("bss prov resolve"), "{stuck:#}");
    app.op("order.retry", json!({"orderId": placed["id"]})).await.violates("order.retry.nothing_to_retry");
    fault(&app, "HLR_PROVISION", "stuck", false).await;

    // A delivery that was given up.
    app.sql(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no line today'; end $$",
    )
    .await;
    app.sql("create trigger refuse before insert on subscription.subscription for each row execute function refuse()")
        .await;
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"})).await.ok();
    app.until("the booking has failed", async || {
        let failed = "select count(*) from audit.delivery where consumer = 'com.book_line' and attempts > 0";
        (app.number(failed).await == 1).then_some(())
    })
    .await;
    app.sql(
        "update audit.delivery set state = 'parked', attempts = 6, leased_by = null where consumer = 'com.book_line'",
    )
    .await;
    let parked = app.op("queue.parked", json!({"consumer": "com.book_line"})).await.ok();
    let explanation = &parked[0]["explanation"];
    assert!(explanation["what"].as_str().unwrap().contains("service_order.completed"), "{parked:#}");
    assert!(explanation["why"].as_str().unwrap().contains("no line today"), "{parked:#}");
    assert!(explanation["next"].as_str().unwrap().contains("bss queue replay"), "{parked:#}");
    let waiting = triage(&placed["id"]).await;
    assert_eq!(waiting["waitsFor"][0]["kind"], "delivery", "{waiting:#}");
    app.assert_books().await;
    app.sql("drop trigger refuse on subscription.subscription").await;
    app.op("order.retry", json!({"orderId": placed["id"]})).await.ok();
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    // What the end of the order sets off is still on its way.
    app.settle().await;
    assert_eq!(triage(&placed["id"]).await["next"], "nothing: the order has ended");
    assert_eq!(order(&app, &kept["id"]).await["state"], "acknowledged");
    app.finish().await;
}

#[tokio::test]
async fn every_parked_delivery_of_a_consumer_is_replayed_at_once() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    app.sql(
        "create function park() returns trigger language plpgsql as
         $$ begin new.state := 'parked'; new.attempts := 6; new.last_error := 'the database failed'; return new; end $$",
    )
    .await;
    app.sql("create trigger park before insert on audit.delivery for each row when (new.consumer = 'som.decompose') execute function park()")
        .await;
    let placed = [place(&app, &customer).await, place(&app, &customer).await, place(&app, &customer).await];
    app.settle().await;
    let parked = app.op("queue.parked", json!({})).await.ok();
    assert_eq!(parked.as_array().unwrap().len(), 3);
    for offset in 0..3 {
        let page = app.op("queue.parked", json!({"limit": 1, "offset": offset})).await.ok();
        assert_eq!(page, json!([parked[offset]]));
    }
    assert_eq!(app.op("queue.parked", json!({"offset": 3})).await.ok(), json!([]));
    assert_eq!(app.op("queue.parked", json!({"offset": 1_000_001})).await.status, 400);
    let orphans = app.op("audit.find_orphans", json!({})).await.ok();
    assert_eq!(orphans, json!([]), "parked is known to wait for a person");
    app.sql("drop trigger park on audit.delivery").await;
    assert_eq!(app.op("queue.replay_all", json!({"consumer": "nobody"})).await.status, 404);
    assert_eq!(app.op("queue.replay_all", json!({"consumer": "som.decompose", "limit": 0})).await.status, 400);
    let one = app.op("queue.replay_all", json!({"consumer": "som.decompose", "limit": 1})).await.ok();
    assert_eq!(one["replayed"], 1);
    let rest = app.op("queue.replay_all", json!({"consumer": "som.decompose"})).await.ok();
    assert_eq!(rest["replayed"], 2);
    for order in &placed {
        assert_eq!(ended(&app, &order["id"]).await["state"], "completed");
    }
    app.finish().await;
}

#[tokio::test]
async fn an_order_that_nobody_works_on_is_found() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    app.settle().await;
    assert_eq!(app.op("audit.find_orphans", json!({})).await.ok(), json!([]));
    app.sql("update provisioning.provisioning_task set state = 'completed', completed_at = now(), attempts = 1 where state = 'stuck'").await;
    let orphans = app.op("audit.find_orphans", json!({})).await.ok();
    let found: Vec<&str> = orphans.as_array().unwrap().iter().filter_map(|orphan| orphan["check"].as_str()).collect();
    assert!(
        found.contains(&"com.order_is_terminal_or_explained") && found.contains(&"som.order_is_worked_on"),
        "{orphans:#}"
    );
    assert!(
        orphans.as_array().unwrap().iter().all(|orphan| orphan["next"].as_str().is_some_and(|next| !next.is_empty()))
    );
    app.sql("update provisioning.provisioning_task set state = 'stuck', completed_at = null, attempts = 0, last_error = 'x' where id = (select task_id from service_inventory.service_order_task where state = 'stuck')").await;
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "go on"})).await.ok();
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn everything_holds_in_chaos() {
    const ORDERS: usize = 12;
    let app = TestApp::with(&[("BSS_CHAOS", "fail=0.2,duplicate=0.3,delay_ms=15")]).await;
    let customer = app.customer(VISA).await;
    let line = app.line("PLAN_S").await;
    let mut placed = Vec::new();
    for _ in 0..ORDERS {
        placed.push(place(&app, &customer).await);
    }
    for _ in 0..3 {
        let usage = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 100_000, "unit": "mb"});
        app.op("usage.simulate", usage).await.ok();
        let top_up = change(&app, &line, "modify", Some("VAS_DATA_1GB")).await.ok();
        assert_eq!(ended(&app, &top_up["id"]).await["state"], "completed");
    }
    app.op("order.cancel", json!({"orderId": placed[0]["id"]})).await;
    let mut completed = 0;
    for order in &placed {
        completed += i64::from(ended(&app, &order["id"]).await["state"] == "completed");
    }
    app.settle().await;
    let kept = "select (select count(*) from mock_gateway.charge) - (select count(*) from mock_gateway.refund)";
    assert_eq!(app.number(kept).await, completed + 1 + 3, "an order, the line before, and its three top-ups");
    assert_eq!(
        app.number("select count(*) from provisioning.provisioning_task where task_type = 'SERVICE_SUSPEND'").await,
        3
    );
    assert_eq!(
        app.number("select count(*) from provisioning.provisioning_task where task_type = 'SERVICE_RESUME'").await,
        3
    );
    assert!(app.number("select count(*) from audit.delivery_history where detail like 'chaos:%'").await > 0);
    app.finish().await;
}

#[tokio::test]
async fn an_order_is_held_for_an_operator_says_why_and_goes_on() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let basket = json!({"customerId": customer, "offeringId": "PLAN_S", "submit": false});
    let placed = app.op("order.create", basket).await.ok();
    let because = |reason: &'static str| json!({"orderId": placed["id"], "reason": reason});
    assert_eq!(app.op("order.hold", because("  ")).await.status, 400);
    let held = app.op("order.hold", because("Fraud desk: nine orders with one card")).await.ok();
    let said = json!("Fraud desk: nine orders with one card");
    assert_eq!((&held["state"], &held["stateReason"]), (&json!("held"), &said));
    app.op("order.hold", because("again")).await.violates("order.transition.invalid");
    let path = format!("/tmf-api/productOrderingManagement/v4/productOrder/{}", placed["id"].as_str().unwrap());
    let seen = app.get(&path).await.ok();
    validate(Api::Tmf622, "ProductOrder", &seen).unwrap();
    assert_eq!(seen["state"], "held");
    assert_eq!(seen["note"][0]["text"], said, "{seen:#}");
    let triage = app.op("order.triage", json!({"orderId": placed["id"]})).await.ok();
    assert!(triage[0]["next"].as_str().unwrap().contains("bss order submit"), "{triage:#}");
    app.settle().await;
    assert_eq!(order(&app, &placed["id"]).await["state"], "held", "nothing moves it but a person");
    let dearer = json!({"offeringId": "PLAN_S", "priceId": "PRICE_S_DEARER", "amount": "19.00", "retireCurrent": true});
    app.op("catalog.add_price", dearer).await.ok();
    app.op("order.submit", json!({"orderId": placed["id"]})).await.ok();
    let done = ended(&app, &placed["id"]).await;
    assert_eq!((&done["state"], &done["stateReason"]), (&json!("completed"), &Value::Null));
    let line = json!({"subscriptionId": done["items"][0]["targetSubscriptionId"]});
    let line = app.op("subscription.get", line).await.ok();
    assert_eq!(line["priceAmount"], "10.00", "what was promised when it was placed, and renewals charge it");
    app.op("order.hold", because("too late")).await.violates("order.transition.invalid");
    app.finish().await;
}
