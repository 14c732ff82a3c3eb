//! What becomes of a promise that cannot be claimed any more when its order is about to be charged.

use serde_json::{Value, json};

use super::orders::{charged, claims, line_of, place, renew};
use super::{assign, create, targeted};
use crate::orders::{VISA, ended, fault, pools, reasons, task_in};
use crate::subscription::frozen;
use crate::support::app::TestApp;

async fn told(app: &TestApp, event: &str) -> Vec<Value> {
    let log = app.op("events.list", json!({"eventType": event})).await.ok();
    log["events"].as_array().expect("events").iter().map(|event| event["payload"].clone()).collect()
}

/// Orders that wait at the network until it answers again.
async fn held_at_the_network(app: &TestApp, customer: &str, basket: &Value) -> (Value, Value) {
    fault(app, "HLR_PROVISION", "stuck", true).await;
    let mut basket = basket.clone();
    basket["customerId"] = json!(customer);
    basket["offeringId"] = json!("PLAN_M");
    let placed = app.op("order.create", basket).await.ok();
    let task = task_in(app, "HLR_PROVISION", "stuck").await;
    fault(app, "HLR_PROVISION", "stuck", false).await;
    (placed, task)
}

async fn let_go(app: &TestApp, task: &Value) {
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"})).await.ok();
}

#[tokio::test]
async fn of_two_orders_for_the_last_use_one_has_it_and_the_other_pays_the_promised_price_once() {
    let app = frozen().await;
    let terms = json!({"promoCodeKind": "single_use_shared", "durationKind": "multi", "periodsTotal": 3});
    create(&app, "PROMO_1", terms).await.ok();
    let (ada, ben) = (app.customer(VISA).await, app.customer(VISA).await);
    let (first, second) = tokio::join!(place(&app, &ada, "SUMMER25"), place(&app, &ben, "SUMMER25"));
    for placed in [&first, &second] {
        assert_eq!(placed["items"][0]["effectiveAmount"], "20.00", "both are promised it");
    }
    let (first, second) = (ended(&app, &first["id"]).await, ended(&app, &second["id"]).await);
    app.settle().await;
    assert_eq!((&first["state"], &second["state"]), (&json!("completed"), &json!("completed")));
    assert_eq!(claims(&app).await.len(), 1, "one has it");
    let honoured = told(&app, "order.promo_honoured").await;
    assert_eq!(honoured.len(), 1);
    let (lucky, unlucky) =
        if first["items"][0]["promoOfferId"].is_string() { (first, second) } else { (second, first) };
    assert_eq!(honoured[0]["commercialOrderId"], unlucky["id"]);
    assert_eq!(
        (&honoured[0]["promoCode"], &honoured[0]["promisedAmount"], &honoured[0]["fullAmount"], &honoured[0]["reason"]),
        (&json!("SUMMER25"), &json!("20.00"), &json!("25.00"), &json!("claim_refused"))
    );
    assert_eq!(honoured[0]["refusal"], "code_exhausted");
    assert_eq!(unlucky["items"][0]["promoOfferId"], Value::Null);
    assert!(reasons(&unlucky).iter().any(|said| said.contains("charged once as promised")), "{:?}", reasons(&unlucky));
    assert_eq!(line_of(&app, &unlucky).await["nextChargeAmount"], "25.00");
    for _ in 0..3 {
        renew(&app).await;
    }
    let of = |order: &Value| order["customerId"].as_str().expect("a customer").to_owned();
    assert_eq!(charged(&app, &of(&lucky)).await, ["20.00", "20.00", "20.00", "25.00"]);
    assert_eq!(charged(&app, &of(&unlucky)).await, ["20.00", "25.00", "25.00", "25.00"]);
    app.finish().await;
}

#[tokio::test]
async fn many_orders_at_once_for_one_use_have_it_once() {
    let app = TestApp::new().await;
    create(&app, "PROMO_1", json!({"promoCodeKind": "single_use_shared"})).await.ok();
    let mut customers = Vec::new();
    for _ in 0..12 {
        customers.push(app.customer(VISA).await);
    }
    let placed = futures::future::join_all(customers.iter().map(|customer| place(&app, customer, "SUMMER25"))).await;
    for order in &placed {
        assert_eq!(ended(&app, &order["id"]).await["state"], "completed");
    }
    app.settle().await;
    assert_eq!(claims(&app).await.len(), 1);
    let promised = placed.iter().filter(|order| order["items"][0]["discountCode"].is_string()).count();
    assert_eq!(told(&app, "order.promo_honoured").await.len(), promised - 1);
    app.finish().await;
}

#[tokio::test]
async fn what_is_taken_back_after_the_promise_is_honoured_once() {
    let app = frozen().await;
    targeted(&app, "PROMO_VIP", "40").await;
    let customer = app.customer(VISA).await;
    assign(&app, "PROMO_VIP", &[&customer]).await;
    let (placed, task) = held_at_the_network(&app, &customer, &json!({})).await;
    app.op("promo.unassign", json!({"promotionId": "PROMO_VIP", "customerIds": [customer]})).await.ok();
    let_go(&app, &task).await;
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    app.settle().await;
    assert_eq!(told(&app, "order.promo_honoured").await[0]["refusal"], "not_eligible");
    renew(&app).await;
    assert_eq!(charged(&app, &customer).await, ["15.00", "25.00"]);
    assert_eq!(claims(&app).await, Vec::<String>::new());
    // And assigned again it counts again.
    assign(&app, "PROMO_VIP", &[&customer]).await;
    let again = app.order(&customer, "PLAN_M").await;
    assert!(again["items"][0]["promoOfferId"].is_string(), "{again:#}");
    app.finish().await;
}

#[tokio::test]
async fn a_promotion_that_ends_after_the_promise_is_still_claimed() {
    let app = TestApp::new().await;
    create(&app, "PROMO_1", json!({})).await.ok();
    let customer = app.customer(VISA).await;
    let (placed, task) = held_at_the_network(&app, &customer, &json!({"discountCode": "SUMMER25"})).await;
    app.op("promo.exhaust", json!({"promotionId": "PROMO_1"})).await.ok();
    let_go(&app, &task).await;
    ended(&app, &placed["id"]).await;
    app.settle().await;
    assert_eq!(claims(&app).await, ["ORD-0001 redeemed"]);
    assert!(told(&app, "order.promo_honoured").await.is_empty());
    assert_eq!(
        place(&app, &customer, "SUMMER25").await["items"][0]["discountCode"],
        Value::Null,
        "no new order has it"
    );
    app.finish().await;
}

#[tokio::test]
async fn where_the_operator_wants_it_such_an_order_fails_before_any_charge() {
    let app = TestApp::with(&[("BSS_PROMO_ON_REFUSAL", "fail")]).await;
    let before = pools(&app).await;
    targeted(&app, "PROMO_VIP", "40").await;
    let customer = app.customer(VISA).await;
    assign(&app, "PROMO_VIP", &[&customer]).await;
    let (placed, task) = held_at_the_network(&app, &customer, &json!({})).await;
    app.op("promo.unassign", json!({"promotionId": "PROMO_VIP", "customerIds": [customer]})).await.ok();
    let_go(&app, &task).await;
    let failed = ended(&app, &placed["id"]).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["stateReason"].as_str().is_some_and(|reason| reason.starts_with("promo_refused")), "{failed:#}");
    app.until("everything went back", async || (pools(&app).await == before).then_some(())).await;
    app.settle().await;
    assert_eq!(charged(&app, &customer).await, Vec::<String>::new());
    assert_eq!(app.number("select count(*) from payment.payment_attempt").await, 0);
    assert_eq!(told(&app, "order.promo_not_applied").await[0]["reason"], "claim_refused");
    assert!(told(&app, "order.promo_honoured").await.is_empty());
    app.finish().await;
}
