//! What orders do with promotions: which discount they promise, what is charged for how long, and what is used of it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{assign, create, preview, reason, targeted};
use crate::orders::{SLOW, VISA, ended, fault, order, pools, reasons};
use crate::subscription::{DECLINES, advance, charge_to, frozen, line, tick};
use crate::support::app::TestApp;

/// An order of `PLAN_M` with a code; answers it as it was placed.
pub(super) async fn place(app: &TestApp, customer: &str, code: &str) -> Value {
    let basket = json!({"customerId": customer, "offeringId": "PLAN_M", "discountCode": code});
    app.op("order.create", basket).await.ok()
}

/// The amounts that were charged to the customer, oldest first.
pub(super) async fn charged(app: &TestApp, customer: &str) -> Vec<String> {
    let attempts = app.op("payment.list_attempts", json!({"customerId": customer, "limit": 50})).await.ok();
    let mut paid: Vec<(String, String)> = attempts
        .as_array()
        .expect("a list")
        .iter()
        .filter(|attempt| attempt["status"] == "approved")
        .map(|attempt| {
            (
                attempt["id"].as_str().unwrap_or_default().to_owned(),
                attempt["amount"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    paid.sort();
    paid.into_iter().map(|(_, amount)| amount).collect()
}

/// The states of what was claimed, by the order that did.
pub(super) async fn claims(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar("select order_id || ' ' || state from catalog.entitlement order by order_id")
        .fetch_all(app.platform.db.pool())
        .await
        .expect("the query is right")
}

pub(super) async fn renew(app: &TestApp) {
    advance(app, "30d").await;
    tick(app).await;
    app.settle().await;
}

pub(super) async fn line_of(app: &TestApp, order: &Value) -> Value {
    line(app, &order["items"][0]["targetSubscriptionId"]).await
}

#[tokio::test]
async fn a_code_for_three_periods_lowers_three_charges_and_not_the_fourth() {
    let app = frozen().await;
    create(&app, "PROMO_1", json!({"durationKind": "multi", "periodsTotal": 3})).await.ok();
    let customer = app.customer(VISA).await;
    let placed = place(&app, &customer, " summer25 ").await;
    let item = &placed["items"][0];
    assert_eq!((&item["priceAmount"], &item["effectiveAmount"]), (&json!("25.00"), &json!("20.00")));
    assert_eq!(
        (&item["discountCode"], &item["promoOfferId"]),
        (&json!("SUMMER25"), &Value::Null),
        "nothing is used yet"
    );
    assert!(reasons(&placed).contains(&"20% off by SUMMER25"), "{:?}", reasons(&placed));
    let done = ended(&app, &placed["id"]).await;
    app.settle().await;
    assert_eq!(done["items"][0]["promoOfferId"], "ENT-0001");
    assert_eq!(claims(&app).await, ["ORD-0001 redeemed"]);
    let booked = line_of(&app, &done).await;
    assert_eq!((&booked["discountPeriodsRemaining"], &booked["promoCode"]), (&json!(2), &json!("SUMMER25")));
    assert_eq!(booked["nextChargeAmount"], "20.00");
    for _ in 0..4 {
        renew(&app).await;
    }
    assert_eq!(charged(&app, &customer).await, ["20.00", "20.00", "20.00", "25.00", "25.00"]);
    app.finish().await;
}

#[tokio::test]
async fn a_period_that_is_paid_by_hand_counts_and_one_that_is_declined_does_not() {
    let app = frozen().await;
    create(&app, "PROMO_1", json!({"durationKind": "multi", "periodsTotal": 3})).await.ok();
    let customer = app.customer(VISA).await;
    let done = ended(&app, &place(&app, &customer, "SUMMER25").await["id"]).await;
    app.settle().await;
    let now = json!({"subscriptionId": done["items"][0]["targetSubscriptionId"]});
    app.op("subscription.renew_now", now.clone()).await.ok();
    let booked = line_of(&app, &done).await;
    assert_eq!(booked["discountPeriodsRemaining"], 1);
    charge_to(&app, &booked, DECLINES).await;
    advance(&app, "30d").await;
    renew(&app).await;
    let blocked = line_of(&app, &done).await;
    assert_eq!((&blocked["state"], &blocked["discountPeriodsRemaining"]), (&json!("blocked"), &json!(1)));
    charge_to(&app, &booked, VISA).await;
    app.op("subscription.renew_now", now.clone()).await.ok();
    app.op("subscription.renew_now", now).await.ok();
    assert_eq!(charged(&app, &customer).await, ["20.00", "20.00", "20.00", "25.00"]);
    app.finish().await;
}

#[tokio::test]
async fn a_perpetual_one_lasts_until_the_plan_changes() {
    let app = frozen().await;
    create(&app, "PROMO_1", json!({"durationKind": "perpetual"})).await.ok();
    let customer = app.customer(VISA).await;
    let done = ended(&app, &place(&app, &customer, "SUMMER25").await["id"]).await;
    app.settle().await;
    for _ in 0..3 {
        renew(&app).await;
    }
    let subscription = &done["items"][0]["targetSubscriptionId"];
    let change = json!({"subscriptionId": subscription, "newOfferingId": "PLAN_L"});
    app.op("subscription.schedule_plan_change", change).await.ok();
    renew(&app).await;
    renew(&app).await;
    assert_eq!(charged(&app, &customer).await, ["20.00", "20.00", "20.00", "20.00", "45.00", "45.00"]);
    let now = line(&app, subscription).await;
    assert_eq!((&now["discountType"], &now["promoCode"]), (&Value::Null, &Value::Null));
    app.finish().await;
}

#[tokio::test]
async fn without_a_code_that_counts_the_best_assigned_one_does() {
    let app = TestApp::new().await;
    for (id, percent) in [("PROMO_10", "10"), ("PROMO_40", "40"), ("PROMO_40_TWIN", "40")] {
        targeted(&app, id, percent).await;
    }
    create(&app, "PROMO_1", json!({})).await.ok();
    let customer = app.customer(VISA).await;
    for id in ["PROMO_40_TWIN", "PROMO_10", "PROMO_40"] {
        assign(&app, id, &[&customer]).await;
    }
    let basket = |code: Value, skip: bool| {
        json!({"customerId": customer, "offeringId": "PLAN_M", "submit": false, "discountCode": code,
            "skipAssignedOffer": skip})
    };
    let promised = async |code: Value, skip: bool| {
        let order = app.op("order.create", basket(code, skip)).await.ok();
        (order["items"][0]["discountCode"].clone(), reasons(&order).join("; "))
    };
    assert_eq!(promised(Value::Null, false).await.0, "PROMO_40", "the lowest price, then the lowest id");
    assert_eq!(
        promised(json!("SUMMER25"), false).await.0,
        "SUMMER25",
        "a code that counts wins, whatever it takes off"
    );
    let (code, said) = promised(json!("NOWHERE"), false).await;
    assert_eq!(code, "PROMO_40");
    assert!(said.contains("the code was not accepted: unknown_code; 40% off by PROMO_40"), "{said}");
    assert_eq!(promised(json!("no such thing!"), true).await.0, Value::Null, "never an error");
    assert_eq!(promised(Value::Null, true).await.0, Value::Null);
    let used =
        ended(&app, &app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_M"})).await.ok()["id"])
            .await;
    assert_eq!(used["items"][0]["promoOfferDefinitionId"], "OD_PROMO_40");
    assert_eq!(promised(Value::Null, false).await.0, "PROMO_40_TWIN", "each is used once by a customer");
    assert_eq!(reason(&app, "PROMO_40", "PLAN_M", Some(&customer)).await, "already_used");
    let modify = json!({"customerId": customer, "action": "modify", "offeringId": "PLAN_L", "discountCode": "SUMMER25",
        "subscriptionId": used["items"][0]["targetSubscriptionId"]});
    assert_eq!(app.op("order.create", modify).await.status.as_u16(), 400);
    app.finish().await;
}

#[tokio::test]
async fn a_targeted_one_of_many_uses_stays_after_the_first() {
    let app = TestApp::new().await;
    let many = json!({"promotionId": "PROMO_MANY", "discountType": "percent", "discountValue": "10",
        "durationKind": "single", "audience": "targeted", "promoCodeKind": "multi_use"});
    app.op("promo.create", many).await.ok();
    let customer = app.customer(VISA).await;
    assign(&app, "PROMO_MANY", &[&customer]).await;
    for _ in 0..2 {
        let done = app.order(&customer, "PLAN_M").await;
        assert_eq!(done["items"][0]["effectiveAmount"], "22.50", "{done:#}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_code_per_customer_is_used_once_by_each() {
    let app = TestApp::new().await;
    create(&app, "PROMO_1", json!({"promoCodeKind": "single_use_unique_per_customer"})).await.ok();
    let (ada, ben) = (app.customer(VISA).await, app.customer(VISA).await);
    for customer in [&ada, &ben, &ada] {
        ended(&app, &place(&app, customer, "SUMMER25").await["id"]).await;
    }
    app.settle().await;
    assert_eq!(charged(&app, &ada).await, ["20.00", "25.00"]);
    assert_eq!(charged(&app, &ben).await, ["20.00"]);
    assert_eq!(claims(&app).await, ["ORD-0001 redeemed", "ORD-0002 redeemed"]);
    app.finish().await;
}

#[tokio::test]
async fn what_ends_before_the_charge_uses_nothing_and_what_is_declined_gives_it_back() {
    let app = TestApp::new().await;
    create(&app, "PROMO_1", json!({"promoCodeKind": "single_use_shared"})).await.ok();
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "fail_always", true).await;
    let placed = place(&app, &customer, "SUMMER25").await;
    assert_eq!(placed["items"][0]["effectiveAmount"], "20.00");
    assert_eq!(ended(&app, &placed["id"]).await["state"], "failed");
    fault(&app, "HLR_PROVISION", "fail_always", false).await;
    app.settle().await;
    assert_eq!(claims(&app).await, Vec::<String>::new(), "nothing was claimed");
    assert_eq!(reason(&app, "SUMMER25", "PLAN_M", Some(&customer)).await, Value::Null);

    let poor = app.customer("4000000000000002").await;
    let declined = ended(&app, &place(&app, &poor, "SUMMER25").await["id"]).await;
    assert_eq!(declined["state"], "failed");
    app.settle().await;
    assert_eq!(claims(&app).await, ["ORD-0002 revoked"]);
    let revoked = app.op("events.list", json!({"eventType": "entitlement.revoked"})).await.ok();
    assert_eq!(revoked["events"][0]["payload"]["commercialOrderId"], declined["id"]);

    ended(&app, &place(&app, &customer, "SUMMER25").await["id"]).await;
    app.settle().await;
    assert_eq!(charged(&app, &customer).await, ["20.00"], "somebody else can have it");
    assert_eq!(reason(&app, "SUMMER25", "PLAN_M", Some(&poor)).await, "code_exhausted");
    app.finish().await;
}

#[tokio::test]
async fn an_order_that_is_called_off_while_it_is_charged_gives_it_back() {
    let app = TestApp::new().await;
    create(&app, "PROMO_1", json!({"promoCodeKind": "single_use_shared"})).await.ok();
    let before = pools(&app).await;
    let customer = app.customer(SLOW).await;
    let placed = place(&app, &customer, "SUMMER25").await;
    app.until("the order has claimed", async || {
        let now = order(&app, &placed["id"]).await;
        now["items"][0]["promoOfferId"].is_string().then_some(())
    })
    .await;
    assert_eq!(claims(&app).await, ["ORD-0001 claimed"]);
    assert_eq!(preview(&app, "SUMMER25", "PLAN_M", None).await["reason"], "code_exhausted");
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    app.settle().await;
    assert_eq!(claims(&app).await, ["ORD-0001 revoked"]);
    assert_eq!(reason(&app, "SUMMER25", "PLAN_M", None).await, Value::Null);
    app.until("everything went back", async || (pools(&app).await == before).then_some(())).await;
    app.finish().await;
}

#[tokio::test]
async fn steps_that_come_twice_claim_charge_and_redeem_once() {
    let app = TestApp::with(&[("BSS_CHAOS", "duplicate=0.9,fail=0.3")]).await;
    create(&app, "PROMO_1", json!({})).await.ok();
    let customer = app.customer(VISA).await;
    let mut orders = Vec::new();
    for _ in 0..5 {
        orders.push(place(&app, &customer, "SUMMER25").await["id"].clone());
    }
    for id in &orders {
        assert_eq!(ended(&app, id).await["state"], "completed");
    }
    app.settle().await;
    assert_eq!(charged(&app, &customer).await, ["20.00"; 5]);
    for event in ["entitlement.claimed", "entitlement.redeemed"] {
        let told = app.op("events.list", json!({"eventType": event})).await.ok();
        assert_eq!(told["events"].as_array().map(Vec::len), Some(5), "{event}");
    }
    app.finish().await;
}

#[tokio::test]
async fn all_of_the_price_can_be_taken_off() {
    let app = frozen().await;
    create(&app, "PROMO_1", json!({"discountValue": "100"})).await.ok();
    let customer = app.customer(VISA).await;
    let done = ended(&app, &place(&app, &customer, "SUMMER25").await["id"]).await;
    assert_eq!((&done["state"], &done["items"][0]["effectiveAmount"]), (&json!("completed"), &json!("0.00")));
    app.settle().await;
    renew(&app).await;
    assert_eq!(charged(&app, &customer).await, ["0.00", "25.00"]);
    app.finish().await;
}

#[tokio::test]
async fn tmf622_takes_the_code_as_a_characteristic_and_shows_what_it_takes_off() {
    let app = TestApp::new().await;
    create(&app, "PROMO_1", json!({"durationKind": "multi", "periodsTotal": 3})).await.ok();
    let customer = app.customer(VISA).await;
    let sent = json!({
        "relatedParty": [{"id": customer, "role": "customer", "@referredType": "Customer"}],
        "productOrderItem": [{
            "id": "1", "action": "add", "productOffering": {"id": "PLAN_M"},
            "product": {"productCharacteristic": [
                {"name": "discountCode", "value": "summer25"}, {"name": "skipAssignedOffer", "value": true}
            ]}
        }]
    });
    let made = app.send(Method::POST, "/tmf-api/productOrderingManagement/v4/productOrder", &sent).await.ok();
    let item = &made["productOrderItem"][0];
    assert_eq!(made["orderTotalPrice"][0]["price"]["taxIncludedAmount"]["value"], 20.0);
    let alteration = &item["itemPrice"][0]["priceAlteration"][0];
    assert_eq!((&alteration["name"], &alteration["applicationDuration"]), (&json!("SUMMER25"), &json!(3)));
    assert_eq!(alteration["price"]["percentage"], 20.0);
    assert_eq!(item["product"]["productCharacteristic"][0]["value"], "summer25", "echoed as it came");
    app.finish().await;
}
