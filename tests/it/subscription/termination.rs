//! The end of a line, and payments that come too late.

use serde_json::{Value, json};

use super::{SLOW, charge_to, events, frozen, line, remaining, use_data};
use crate::support::app::TestApp;

async fn terminate(app: &TestApp, id: &Value) -> crate::support::app::Answer {
    app.op("subscription.terminate", json!({"subscriptionId": id})).await
}

#[tokio::test]
async fn an_ended_line_gives_back_what_it_held() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    use_data(&app, &first, 1_000).await;
    let wordy = json!({"subscriptionId": id, "reason": "x".repeat(201)});
    assert_eq!(app.op("subscription.terminate", wordy).await.status.as_u16(), 400);
    let ended = terminate(&app, id).await.ok();
    assert_eq!((&ended["state"], &ended["stateReason"]), (&json!("terminated"), &json!("customer_requested")));
    assert_eq!((&ended["terminatedAt"], &ended["nextRenewalAt"]), (&json!("2026-05-04T09:00:00Z"), &Value::Null));
    assert_eq!(remaining(&ended, "data"), 0, "closing entries");
    terminate(&app, id).await.violates("subscription.terminate.invalid_state");
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"}))
        .await
        .violates("subscription.vas_purchase.not_if_terminated");
    app.op("subscription.renew_now", json!({"subscriptionId": id}))
        .await
        .violates("subscription.renew.only_if_active_or_blocked");
    let number = app.op("inventory.msisdn.get", json!({"msisdn": first["msisdn"]})).await.ok();
    assert_eq!(number["status"], "quarantine");
    app.settle().await;
    let services = app.op("service.list_for_subscription", json!({"subscriptionId": id})).await.ok();
    assert!(
        services.as_array().expect("services").iter().all(|service| service["state"] == "terminated"),
        "{services:#}"
    );
    assert_eq!(events(&app, &first, "subscription.terminated").await.len(), 1);
    super::advance(&app, "40d").await;
    assert_eq!(super::tick(&app).await["due"], 0);
    app.finish().await;
}

#[tokio::test]
async fn payments_that_come_after_the_end_go_back() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    charge_to(&app, &first, SLOW).await;
    let top_up = app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"}));
    let renewal = app.op("subscription.renew_now", json!({"subscriptionId": id}));
    let end = async {
        app.until("both are charged", async || {
            (app.number("select count(*) from payment.payment_attempt where status = 'pending'").await == 2)
                .then_some(())
        })
        .await;
        terminate(&app, id).await.ok()
    };
    let (top_up, renewal, ended) = tokio::join!(top_up, renewal, end);
    assert_eq!(ended["state"], "terminated");
    top_up.violates("subscription.vas_purchase.not_if_terminated");
    assert_eq!(renewal.ok()["state"], "terminated");
    app.settle().await;
    let attempts = app.op("payment.list_attempts", json!({"customerId": first["customerId"]})).await.ok();
    let refunds: Vec<_> =
        attempts.as_array().expect("attempts").iter().map(|attempt| &attempt["refund"]["status"]).collect();
    assert_eq!(refunds, [&json!("succeeded"), &json!("succeeded"), &Value::Null]);
    assert_eq!(line(&app, id).await["currentPeriodEnd"], first["currentPeriodEnd"]);
    app.finish().await;
}
