//! Blocks that people set and lift, alone and beside those of quota and payment.

use serde_json::{Value, json};

use super::{DECLINES, GOOD, advance, charge_to, charges, events, frozen, line, tick, use_data};
use crate::support::app::{Answer, TestApp};

async fn block(app: &TestApp, id: &Value, reason: &str) -> Value {
    app.op("subscription.block", json!({"subscriptionId": id, "reason": reason})).await.ok()
}

async fn unblock(app: &TestApp, id: &Value, more: Value) -> Answer {
    let mut body = json!({"subscriptionId": id});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    app.op("subscription.unblock", body).await
}

async fn renew(app: &TestApp, id: &Value) -> Value {
    app.op("subscription.renew_now", json!({"subscriptionId": id})).await.ok()
}

async fn top_up(app: &TestApp, id: &Value) -> Value {
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"})).await.ok()
}

#[tokio::test]
async fn a_lost_phone_is_out_of_service_until_it_is_found() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    let body = json!({"subscriptionId": id, "reason": "requested", "note": "left in a taxi"});
    let lost = app.op("subscription.block", body.clone()).await.ok();
    assert_eq!((&lost["state"], &lost["blockReasons"]), (&json!("blocked"), &json!(["requested"])));
    assert_eq!(app.op("subscription.block", body).await.ok()["version"], lost["version"], "twice changes nothing");
    let usage = json!({"msisdn": first["msisdn"], "eventType": "data", "quantity": 1, "unit": "mb"});
    app.op("usage.simulate", usage).await.violates("usage.record.subscription_must_be_active");
    assert_eq!(top_up(&app, id).await["blockReasons"], json!(["requested"]), "a top-up does not lift it");
    assert_eq!(renew(&app, id).await["blockReasons"], json!(["requested"]), "nor does a renewal");

    let found = unblock(&app, id, json!({})).await.ok();
    assert_eq!((&found["state"], &found["stateReason"]), (&json!("active"), &json!("request_lifted")));
    use_data(&app, &first, 10).await;
    unblock(&app, id, json!({})).await.violates("subscription.unblock.nothing_to_lift");

    let blocked = events(&app, &first, "subscription.blocked").await;
    let unblocked = events(&app, &first, "subscription.unblocked").await;
    assert_eq!((blocked.len(), unblocked.len()), (1, 1));
    assert_eq!(blocked[0]["payload"]["reason"], "requested");
    assert_eq!(blocked[0]["payload"]["cfsServiceId"], first["cfsServiceId"]);
    assert_eq!(unblocked[0]["payload"]["reason"], "request_lifted");
    assert_eq!(unblocked[0]["payload"]["cfsServiceId"], first["cfsServiceId"]);
    let history = app.op("subscription.history", json!({"subscriptionId": id})).await.ok();
    assert_eq!((&history[2]["reason"], &history[2]["note"]), (&json!("block_requested"), &json!("left in a taxi")));
    app.finish().await;
}

#[tokio::test]
async fn fraud_is_the_operators_and_needs_a_note() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    let as_customer = |operation: &'static str, body: Value| {
        let app = &app;
        async move {
            let headers = [("x-bss-channel", "portal-self-serve")];
            app.send_with(reqwest::Method::POST, &format!("/ops/v1/{operation}"), &body, &headers).await
        }
    };
    let fraud = json!({"subscriptionId": id, "reason": "fraud"});
    as_customer("subscription.block", fraud.clone()).await.violates("subscription.block.fraud_operator_only");
    block(&app, id, "fraud").await;
    let cleared = json!({"subscriptionId": id, "note": "it was me"});
    as_customer("subscription.unblock", cleared).await.violates("subscription.unblock.fraud_operator_only");
    unblock(&app, id, json!({})).await.violates("subscription.unblock.fraud_requires_note");
    unblock(&app, id, json!({"note": "  "})).await.violates("subscription.unblock.fraud_requires_note");
    let long = "x".repeat(501);
    assert_eq!(unblock(&app, id, json!({"note": long})).await.status.as_u16(), 400);
    assert_eq!(line(&app, id).await["blockReasons"], json!(["fraud"]));
    let back = unblock(&app, id, json!({"note": "identity checked"})).await.ok();
    assert_eq!(back["state"], "active");
    assert_eq!(events(&app, &first, "subscription.unblocked").await[0]["payload"]["reason"], "fraud_cleared");
    app.finish().await;
}

#[tokio::test]
async fn a_line_keeps_every_reason_and_each_has_its_own_way_back() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    use_data(&app, &first, 5_120).await;
    block(&app, id, "requested").await;
    let all = block(&app, id, "fraud").await;
    assert_eq!(all["blockReasons"], json!(["exhausted", "requested", "fraud"]));
    assert_eq!(top_up(&app, id).await["blockReasons"], json!(["requested", "fraud"]), "data is back");
    let one = unblock(&app, id, json!({"reason": "requested"})).await.ok();
    assert_eq!((&one["state"], &one["blockReasons"]), (&json!("blocked"), &json!(["fraud"])));
    assert!(events(&app, &first, "subscription.unblocked").await.is_empty(), "not in service yet");
    assert_eq!(events(&app, &first, "subscription.block_reason_lifted").await.len(), 1);
    assert_eq!(unblock(&app, id, json!({"note": "checked"})).await.ok()["state"], "active");
    assert_eq!(events(&app, &first, "subscription.blocked").await.len(), 3, "one per reason");
    assert_eq!(events(&app, &first, "subscription.unblocked").await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_found_phone_is_charged_for_the_period_that_it_missed() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    block(&app, id, "requested").await;
    advance(&app, "35d").await;
    assert_eq!((&tick(&app).await["skipped"], &tick(&app).await["skipped"]), (&json!(1), &json!(0)));
    unblock(&app, id, json!({})).await.ok();
    assert_eq!(tick(&app).await["renewed"], 1);
    let back = line(&app, id).await;
    assert_eq!((&back["state"], &back["currentPeriodStart"]), (&json!("active"), &first["currentPeriodEnd"]));
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn payment_and_a_lost_phone_are_two_things() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    charge_to(&app, &first, DECLINES).await;
    advance(&app, "30d").await;
    tick(&app).await;
    assert_eq!(block(&app, id, "requested").await["blockReasons"], json!(["payment", "requested"]));
    assert_eq!(unblock(&app, id, json!({})).await.ok()["blockReasons"], json!(["payment"]));
    unblock(&app, id, json!({})).await.violates("subscription.unblock.nothing_to_lift");
    charge_to(&app, &first, GOOD).await;
    assert_eq!(renew(&app, id).await["state"], "active");
    app.finish().await;
}

#[tokio::test]
async fn blocks_and_their_lifting_at_once_leave_one_truth() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    for _ in 0..3 {
        tokio::join!(
            block(&app, id, "requested"),
            block(&app, id, "requested"),
            block(&app, id, "fraud"),
            unblock(&app, id, json!({"note": "checked"})),
            top_up(&app, id),
        );
        unblock(&app, id, json!({"note": "checked"})).await;
    }
    let last = line(&app, id).await;
    assert_eq!((&last["state"], &last["blockReasons"]), (&json!("active"), &json!([])));
    let (blocked, unblocked) =
        (events(&app, &first, "subscription.blocked").await, events(&app, &first, "subscription.unblocked").await);
    let lifted = events(&app, &first, "subscription.block_reason_lifted").await;
    assert_eq!(blocked.len(), unblocked.len() + lifted.len(), "each reason that was set was lifted");
    app.finish().await;
}

#[tokio::test]
async fn only_a_living_line_can_be_blocked() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    app.op("subscription.terminate", json!({"subscriptionId": first["id"]})).await.ok();
    let body = json!({"subscriptionId": first["id"], "reason": "requested"});
    app.op("subscription.block", body).await.violates("subscription.block.invalid_state");
    unblock(&app, &first["id"], json!({})).await.violates("subscription.unblock.nothing_to_lift");
    for operation in ["block", "unblock", "timeline", "cancel_pending_plan_change"] {
        let mut body = json!({"subscriptionId": "SUB-9999"});
        if operation == "block" {
            body["reason"] = json!("requested");
        }
        assert_eq!(app.op(&format!("subscription.{operation}"), body).await.status.as_u16(), 404, "{operation}");
    }
    let other = json!({"subscriptionId": first["id"], "reason": "payment"});
    assert_eq!(app.op("subscription.block", other).await.status.as_u16(), 400, "not by hand");
    app.finish().await;
}
