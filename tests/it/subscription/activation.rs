//! From a booked line to one in service, or to its end.

use serde_json::{Value, json};

use super::{DECLINES, SLOW, events, frozen, line, remaining};
use crate::support::app::TestApp;

async fn only_line(app: &TestApp, customer: &str) -> Option<Value> {
    let lines = app.op("subscription.list_for_customer", json!({"customerId": customer})).await.ok();
    lines.as_array().expect("lines").first().cloned()
}

#[tokio::test]
async fn a_paid_line_has_its_period_its_price_and_its_quota() {
    let app = frozen().await;
    let line = app.line("PLAN_M").await;
    assert_eq!((line["state"].as_str(), line["blockReasons"].as_array().map(Vec::len)), (Some("active"), Some(0)));
    assert_eq!(line["currentPeriodStart"], "2026-05-04T09:00:00Z");
    assert_eq!(line["currentPeriodEnd"], "2026-06-03T09:00:00Z");
    assert_eq!(line["nextRenewalAt"], line["currentPeriodEnd"]);
    assert_eq!(
        (&line["priceAmount"], &line["effectiveAmount"], &line["priceCurrency"]),
        (&json!("25.00"), &json!("25.00"), &json!("SGD"))
    );
    assert_eq!(
        (remaining(&line, "data"), remaining(&line, "voice"), remaining(&line, "data_roaming")),
        (30_720, -1, 500)
    );
    assert!(line["iccid"].as_str().expect("masked").chars().count() == 5, "{}", line["iccid"]);

    let activated = events(&app, &line, "subscription.activated").await;
    assert_eq!((activated.len(), &activated[0]["payload"]["amountCharged"]), (1, &json!("25.00")));
    let history = app.op("subscription.history", json!({"subscriptionId": line["id"]})).await.ok();
    let states: Vec<_> = history.as_array().expect("steps").iter().map(|step| step["toState"].clone()).collect();
    assert_eq!(states, ["pending", "active"]);
    let found = app.op("subscription.find_by_msisdn", json!({"msisdn": line["msisdn"]})).await.ok();
    assert_eq!(found["id"], line["id"]);
    let esim = app.op("subscription.get_esim_activation", json!({"subscriptionId": line["id"]})).await.ok();
    assert!(esim["activationCode"].as_str().is_some_and(|code| code.starts_with("LPA:1$")), "{esim:#}");
    let timeline = app.op("interaction.list", json!({"customerId": line["customerId"]})).await.ok();
    let told = format!("Line {} is active on PLAN_M", line["id"].as_str().expect("id"));
    assert!(
        timeline
            .as_array()
            .expect("interactions")
            .iter()
            .any(|note| note["summary"].as_str().is_some_and(|s| s.starts_with(&told)))
    );
    app.finish().await;
}

#[tokio::test]
async fn lines_are_listed_by_state_and_by_how_their_ids_begin() {
    let app = TestApp::new().await;
    let (first, second) = (app.line("PLAN_S").await, app.line("PLAN_M").await);
    let listed = async |wish: Value| {
        let lines = app.op("subscription.list", wish).await.ok();
        lines.as_array().expect("lines").iter().map(|line| line["id"].clone()).collect::<Value>()
    };
    let (first, second) = (&first["id"], &second["id"]);
    assert_eq!(listed(json!({})).await, json!([second, first]), "newest first");
    assert_eq!(listed(json!({"state": "active", "limit": 1, "offset": 1})).await, json!([first]));
    assert_eq!(listed(json!({"state": "blocked"})).await, json!([]));
    assert_eq!(listed(json!({"idPrefix": first})).await, json!([first]));
    assert_eq!(listed(json!({"idPrefix": "SUB"})).await, json!([second, first]));
    assert_eq!(listed(json!({"idPrefix": "sub-%"})).await, json!([]));
    assert_eq!(app.op("subscription.list", json!({"limit": 201})).await.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_declined_card_ends_the_booked_line() {
    let app = TestApp::new().await;
    let customer = app.customer(DECLINES).await;
    let order = app.order(&customer, "PLAN_S").await;
    assert_eq!(
        (order["state"].as_str(), order["stateReason"].as_str()),
        (Some("failed"), Some("card declined: card_declined"))
    );
    let line = only_line(&app, &customer).await.expect("it was booked");
    assert_eq!((line["state"].as_str(), &line["nextRenewalAt"]), (Some("terminated"), &Value::Null));
    assert_eq!(line["balances"], json!([]));
    assert_eq!(events(&app, &line, "subscription.activation_failed").await.len(), 1);
    // The network forgets the number before it is free again.
    app.settle().await;
    let number = app.op("inventory.msisdn.get", json!({"msisdn": line["msisdn"]})).await.ok();
    assert_eq!(number["status"], "available");
    app.finish().await;
}

#[tokio::test]
async fn a_number_that_was_taken_away_is_paid_back() {
    let app = TestApp::new().await;
    let customer = app.customer(SLOW).await;
    app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_S"})).await.ok();
    let booked = app.until("the line is booked", async || only_line(&app, &customer).await).await;
    assert_eq!(booked["state"], "pending");
    let early = json!({"subscriptionId": booked["id"], "vasOfferingId": "VAS_DATA_1GB"});
    app.op("subscription.purchase_vas", early).await.violates("subscription.vas_purchase.not_if_pending");
    app.op("subscription.renew_now", json!({"subscriptionId": booked["id"]}))
        .await
        .violates("subscription.renew.only_if_active_or_blocked");
    app.op("subscription.terminate", json!({"subscriptionId": booked["id"]}))
        .await
        .violates("subscription.terminate.invalid_state");
    app.op("inventory.msisdn.release", json!({"msisdn": booked["msisdn"], "reason": "test"})).await.ok();
    let ended = app
        .until("the line ends", async || only_line(&app, &customer).await.filter(|line| line["state"] == "terminated"))
        .await;
    app.settle().await;
    let failed = events(&app, &ended, "subscription.activation_failed").await;
    assert!(failed[0]["payload"]["refundId"].is_string(), "{failed:#?}");
    let attempts = app.op("payment.list_attempts", json!({"customerId": customer})).await.ok();
    assert_eq!((&attempts[0]["status"], &attempts[0]["refund"]["status"]), (&json!("approved"), &json!("succeeded")));
    app.finish().await;
}

#[tokio::test]
async fn the_same_payment_delivered_again_changes_nothing() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"})).await.ok();
    super::advance(&app, "31d").await;
    super::tick(&app).await;
    app.settle().await;
    let before = line(&app, id).await;
    let events_before = app.number("select count(*) from audit.domain_event").await;
    let again = app.sql("update audit.delivery set state = 'pending', next_attempt_at = clock_timestamp() where consumer = 'subscription.apply_payment'").await;
    assert_eq!(again, 3, "an activation, a top-up and a renewal");
    app.settle().await;
    assert_eq!(line(&app, id).await, before);
    assert_eq!(app.number("select count(*) from audit.domain_event").await, events_before);
    app.finish().await;
}

#[tokio::test]
async fn lines_that_are_not_there_are_not_found() {
    let app = TestApp::new().await;
    for operation in ["get", "get_balance", "history", "get_esim_activation", "renew_now", "terminate"] {
        let answer = app.op(&format!("subscription.{operation}"), json!({"subscriptionId": "SUB-9999"})).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (404, &json!("NOT_FOUND")), "{operation}");
    }
    let answer = app.op("subscription.find_by_msisdn", json!({"msisdn": "90000999"})).await;
    assert_eq!(answer.status.as_u16(), 404);
    let nobody = app.op("subscription.list_for_customer", json!({"customerId": "CUST-000000000000"})).await.ok();
    assert_eq!(nobody, json!([]));
    app.finish().await;
}
