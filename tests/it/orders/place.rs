//! Placing, submitting, listing and waiting.

use reqwest::Method;
use serde_json::{Value, json};

use super::{VISA, ended, fault, order, place, reasons, task_in};
use crate::support::app::TestApp;

#[tokio::test]
async fn an_order_is_accepted_priced_and_submitted_at_once() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let placed = place(&app, &customer).await;
    assert_eq!(placed["state"], "in_progress");
    let item = &placed["items"][0];
    assert_eq!((&item["action"], &item["state"]), (&json!("add"), &json!("in_progress")));
    assert_eq!((&item["priceAmount"], &item["priceCurrency"]), (&json!("25.00"), &json!("SGD")));
    assert_eq!(item["priceOfferingPriceId"], "PRICE_PLAN_M");
    assert_eq!(reasons(&placed), ["order created", "order submitted"]);

    let completed = ended(&app, &placed["id"]).await;
    assert_eq!(completed["state"], "completed", "{completed:#}");
    assert_eq!(completed["items"][0]["state"], "completed");
    assert!(
        completed["items"][0]["targetSubscriptionId"].is_string()
            && completed["items"][0]["paymentAttemptId"].is_string()
    );
    assert!(completed["completedDate"].is_string());
    assert_eq!(reasons(&completed).last(), Some(&"the line is in service"));
    app.settle().await;
    let events = app.op("events.list", json!({"aggregateId": placed["id"]})).await.ok();
    let types: Vec<&str> =
        events["events"].as_array().unwrap().iter().filter_map(|e| e["eventType"].as_str()).collect();
    assert_eq!(types, ["order.acknowledged", "order.in_progress", "order.completed"]);
    let versions: Vec<i64> =
        events["events"].as_array().unwrap().iter().filter_map(|e| e["aggregateVersion"].as_i64()).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    assert_eq!(events["events"][0]["payload"]["priceSnapshot"]["priceAmount"], "25.00");
    app.finish().await;
}

#[tokio::test]
async fn the_rules_of_ordering_are_checked_in_their_order() {
    let app = TestApp::new().await;
    let create = async |customer: &str, plan: &str| {
        app.op("order.create", json!({"customerId": customer, "offeringId": plan})).await
    };
    let poor = app.op("customer.create", json!({"name": "Grace Hopper"})).await.ok()["id"].as_str().unwrap().to_owned();
    create("CUST-nobody", "PLAN_NONE").await.violates("order.create.customer_not_found");
    create(&poor, "PLAN_NONE").await.violates("order.create.offering_not_found");
    create(&poor, "PLAN_M").await.violates("order.create.no_payment_method");
    app.sql("update catalog.product_offering_price set valid_to = now() - interval '1 day', valid_from = null where offering_id = 'PLAN_M'").await;
    let refused = create(&poor, "PLAN_M").await.violates("policy.offering.not_sellable_now");
    assert_eq!(refused["context"]["underlying"], "catalog.price.no_active_row");
    app.op("customer.close", json!({"customerId": poor})).await.ok();
    create(&poor, "PLAN_S").await.violates("order.create.customer_closed");
    for (field, bad) in [
        ("msisdnPreference", json!("+65 9000")),
        ("notes", json!("x".repeat(1001))),
        ("bogus", json!(1)),
        ("submit", json!("yes")),
    ] {
        let mut body = json!({"customerId": poor, "offeringId": "PLAN_S"});
        body[field] = bad;
        let answer = app.op("order.create", body).await;
        assert_eq!(answer.status, 400, "{field}: {:#}", answer.body);
    }
    assert_eq!(app.number("select count(*) from order_mgmt.product_order").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_verified_identity_is_asked_for_where_the_operator_says_so() {
    let app = TestApp::with(&[("BSS_REQUIRE_KYC", "true")]).await;
    let customer = app.op("customer.create", json!({"name": "Grace Hopper"})).await.ok();
    let body = json!({"customerId": customer["id"], "offeringId": "PLAN_S"});
    app.op("order.create", body).await.violates("order.create.requires_verified_customer");
    let verified = app.customer(VISA).await;
    assert_eq!(app.order(&verified, "PLAN_S").await["state"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn the_price_of_the_instant_stays() {
    let app = TestApp::new().await;
    app.sql(
        "insert into catalog.product_offering_price (id, offering_id, price_type, recurring_period_length, recurring_period_type,
             amount_minor, currency, valid_from, valid_to)
         select 'PRICE_PLAN_M_SALE', offering_id, price_type, recurring_period_length, recurring_period_type, 2000, currency,
                now() - interval '1 hour', now() + interval '1 hour'
         from catalog.product_offering_price where id = 'PRICE_PLAN_M'",
    )
    .await;
    let customer = app.customer(VISA).await;
    let body = json!({"customerId": customer, "offeringId": "PLAN_M", "submit": false});
    let placed = app.op("order.create", body).await.ok();
    assert_eq!((&placed["state"], &placed["items"][0]["priceAmount"]), (&json!("acknowledged"), &json!("20.00")));
    app.op("clock.advance", json!({"duration": "2h"})).await.ok();
    app.op("order.submit", json!({"orderId": placed["id"]})).await.ok();
    let completed = ended(&app, &placed["id"]).await;
    assert_eq!(completed["items"][0]["priceOfferingPriceId"], "PRICE_PLAN_M_SALE", "{completed:#}");
    assert_eq!(app.number("select amount_minor from mock_gateway.charge").await, 2000);
    app.finish().await;
}

#[tokio::test]
async fn the_same_request_sent_twice_is_one_order() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let body = json!({"customerId": customer, "offeringId": "PLAN_M"});
    let send = async |body: &Value| {
        app.send_with(Method::POST, "/ops/v1/order.create", body, &[("idempotency-key", "click-1")]).await
    };
    let twins = futures::future::join_all((0..8).map(|_| send(&body))).await;
    assert!(twins.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 409)), "a twin waits, then conflicts");
    let (first, second) = (send(&body).await.ok(), send(&body).await.ok());
    assert_eq!(first, second);
    send(&json!({"customerId": customer, "offeringId": "PLAN_L"}))
        .await
        .violates("idempotency.key_reused_with_other_body");
    assert_eq!(app.number("select count(*) from order_mgmt.product_order").await, 1);
    ended(&app, &first["id"]).await;
    app.finish().await;
}

#[tokio::test]
async fn orders_are_listed_newest_first_and_filtered() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.customer(VISA).await, app.customer(VISA).await);
    let mut ids = Vec::new();
    for customer in [&ada, &bob, &ada] {
        let body = json!({"customerId": customer, "offeringId": "PLAN_S", "submit": false});
        ids.push(app.op("order.create", body).await.ok()["id"].clone());
    }
    let list = async |arguments: Value| {
        let orders = app.op("order.list", arguments).await.ok();
        orders.as_array().unwrap().iter().map(|order| order["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(list(json!({})).await, [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    assert_eq!(list(json!({"customerId": ada})).await, [ids[2].clone(), ids[0].clone()]);
    assert_eq!(list(json!({"customerId": ada, "limit": 1, "offset": 1})).await, [ids[0].clone()]);
    assert!(list(json!({"state": "completed"})).await.is_empty());
    assert!(list(json!({"stuck": true})).await.is_empty());
    for bad in [json!({"limit": 0}), json!({"limit": 201}), json!({"offset": -1}), json!({"state": "nowhere"})] {
        assert_eq!(app.op("order.list", bad.clone()).await.status, 400, "{bad}");
    }
    assert_eq!(app.op("order.get", json!({"orderId": "ORD-9999"})).await.status, 404);
    app.finish().await;
}

#[tokio::test]
async fn waiting_ends_with_the_state_another_end_or_the_time() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let placed = place(&app, &customer).await;
    let waited = app.op("order.wait_until", json!({"orderId": placed["id"]})).await.ok();
    assert_eq!(waited["state"], "completed");

    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let stuck = place(&app, &customer).await;
    let answer = app.op("order.wait_until", json!({"orderId": stuck["id"], "timeoutSeconds": 1})).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["context"]["state"].as_str()),
        (503, Some("in_progress")),
        "{:#}",
        answer.body
    );
    assert!(answer.headers.contains_key("retry-after"));
    task_in(&app, "HLR_PROVISION", "stuck").await;
    let wait = app.op("order.wait_until", json!({"orderId": stuck["id"], "timeoutSeconds": 20}));
    let cancel = app.op("order.cancel", json!({"orderId": stuck["id"], "reason": "too slow"}));
    let (waited, cancelled) = tokio::join!(wait, cancel);
    assert_eq!(cancelled.ok()["stateReason"], "too slow");
    let refused = waited.violates("order.wait.other_terminal_state");
    assert_eq!(refused["context"]["state"], "cancelled");
    for bad in [0, 61] {
        assert_eq!(
            app.op("order.wait_until", json!({"orderId": stuck["id"], "timeoutSeconds": bad})).await.status,
            400
        );
    }
    assert_eq!(app.op("order.wait_until", json!({"orderId": "ORD-9999"})).await.status, 404);
    app.finish().await;
}

#[tokio::test]
async fn an_order_that_nobody_submits_is_shown_and_cancelled_after_a_week() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({})).await.ok();
    let customer = app.customer(VISA).await;
    let place = || app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_S", "submit": false}));
    let (forgotten, held) = (place().await.ok(), place().await.ok());
    app.op("order.hold", json!({"orderId": held["id"], "reason": "the fraud desk looks at it"})).await.ok();
    let shown = async || -> Vec<Value> {
        let triage = app.op("order.triage", json!({})).await.ok();
        triage.as_array().unwrap().iter().map(|one| one["orderId"].clone()).collect()
    };
    assert_eq!(shown().await, [held["id"].clone()], "it is young");
    app.op("clock.advance", json!({"duration": "16m"})).await.ok();
    assert_eq!(shown().await, [held["id"].clone(), forgotten["id"].clone()]);
    let sweep = async || app.op("worker.tick", json!({"name": "stuck_orders"})).await.ok();
    assert_eq!(sweep().await["expired"], 0);
    app.op("clock.advance", json!({"duration": "7d"})).await.ok();
    assert_eq!(sweep().await["expired"], 1);
    let expired = order(&app, &forgotten["id"]).await;
    assert_eq!(
        (&expired["state"], &expired["stateReason"]),
        (&json!("cancelled"), &json!("not submitted within 168 hours"))
    );
    assert_eq!(order(&app, &held["id"]).await["state"], "held", "somebody looks at it");
    assert_eq!(sweep().await["expired"], 0);
    app.op("order.submit", json!({"orderId": forgotten["id"]})).await.violates("order.transition.invalid");
    app.finish().await;
}

#[tokio::test]
async fn a_stuck_order_is_flagged_once_and_keeps_its_number() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let quick = app.order(&customer, "PLAN_S").await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    task_in(&app, "HLR_PROVISION", "stuck").await;
    let sweep = async || app.op("worker.tick", json!({"name": "stuck_orders"})).await.ok();
    assert_eq!(sweep().await["flagged"], 0, "it is young");
    app.op("clock.freeze", json!({})).await.ok();
    app.op("clock.advance", json!({"duration": "16m"})).await.ok();
    assert_eq!(sweep().await["flagged"], 1);
    assert_eq!(sweep().await["flagged"], 0, "once per order");
    let stuck = app.op("order.list", json!({"stuck": true})).await.ok();
    assert_eq!((stuck.as_array().unwrap().len(), &stuck[0]["id"]), (1, &placed["id"]));
    assert!(order(&app, &quick["id"]).await["stuckFlaggedAt"].is_null(), "what has ended is never flagged");
    let events = app.op("events.list", json!({"eventType": "order.stuck"})).await.ok();
    assert_eq!((&events["count"], &events["events"][0]["aggregateId"]), (&json!(1), &placed["id"]));

    // Past the end of its reservation, as after an outage of all workers: the order keeps its number all the same.
    app.op("clock.advance", json!({"duration": "10d"})).await.ok();
    let swept = app.op("worker.tick", json!({"name": "reservations"})).await.ok();
    assert_eq!(swept["released"], 0, "{swept}");
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"})).await.ok();
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    app.finish().await;
}
