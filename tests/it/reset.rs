//! The operational reset: who may, where, what it waits for, and what it leaves.

use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::Client;

const RESET: &str = "/ops/v1/admin.reset_operational_data";

#[tokio::test]
async fn only_where_it_is_allowed() {
    let mut app = TestApp::with(&[("BSS_ALLOW_ADMIN_RESET", "false")]).await;
    app.customer("4242424242424242").await;
    let refused = app.send(Method::POST, RESET, &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.body["code"].as_str()), (403, Some("ADMIN_RESET_DISABLED")));
    assert_eq!(app.number("select count(*) from crm.customer").await, 1);
    app.settle().await;
    app.stop().await;
}

#[tokio::test]
async fn only_by_an_administrator() {
    let app = TestApp::new().await;
    app.customer("4242424242424242").await;
    let request = Client::plain().post(app.url(RESET)).header("x-bss-api-token", "b2".repeat(32)).json(&json!({}));
    assert_eq!(request.send().await.expect("it answers").status().as_u16(), 403);
    assert_eq!(app.number("select count(*) from crm.customer").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn it_waits_for_a_charge_that_is_under_way_and_leaves_what_the_operation_stands_on() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    // Approved after three seconds: the gateway is being asked when the reset begins.
    let customer = app.customer("4000000000006975").await;
    app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_S"})).await.ok();
    app.until("the gateway is being asked", async || {
        let leased = "select count(*) from payment.payment_attempt where leased_by is not null";
        (app.number(leased).await == 1).then_some(())
    })
    .await;
    let catalog = app.number("select count(*) from catalog.product_offering").await;
    let events = app.number("select count(*) from audit.domain_event").await;

    let report = app.op("admin.reset_operational_data", json!({})).await.ok();
    assert!(report["schemas"].as_array().is_some_and(|schemas| schemas.len() > 5), "{report:#}");
    // Its answer has found its row: the record of the gateway and the books went together.
    for query in [
        "select count(*) from crm.customer",
        "select count(*) from subscription.subscription",
        "select count(*) from order_mgmt.product_order",
        "select count(*) from payment.payment_attempt",
        "select count(*) from mock_gateway.charge",
        "select count(*) from inventory.msisdn_pool where status <> 'available'",
        "select count(*) from inventory.esim_profile where profile_state <> 'available'",
    ] {
        assert_eq!(app.number(query).await, 0, "{query}");
    }
    assert_eq!(app.number("select count(*) from catalog.product_offering").await, catalog);
    assert!(app.number("select count(*) from audit.domain_event").await > events, "the log keeps all and says so");
    let mark = "select count(*) from audit.domain_event where event_type = 'admin.operational_data_reset'";
    assert_eq!(app.number(mark).await, 1);
    // And it goes on, with ids that were never used.
    let next = app.line("PLAN_S").await;
    assert_ne!(next["id"], line["id"]);
    app.finish().await;
}
