//! Quota that ends by itself: passes, hours of validity, and the limit of fair use.

use serde_json::{Value, json};

use super::{advance, charges, events, frozen, line, pairs, remaining, tick, use_data};
use crate::support::app::{Answer, TestApp};

async fn buy(app: &TestApp, id: &Value, vas: &str) -> Value {
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": vas})).await.ok()
}

async fn expire(app: &TestApp) -> Value {
    app.op("worker.tick", json!({"name": "vas_expiry"})).await.ok()
}

async fn try_data(app: &TestApp, line: &Value, mb: i64) -> Answer {
    let usage = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": mb, "unit": "mb"});
    app.op("usage.simulate", usage).await
}

fn balance<'a>(line: &'a Value, allowance: &str) -> &'a Value {
    let balances = line["balances"].as_array().expect("balances");
    balances.iter().find(|balance| balance["allowanceType"] == allowance).expect("the allowance")
}

#[tokio::test]
async fn a_day_pass_is_unlimited_for_a_day_and_then_ends() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    use_data(&app, &first, 5_120).await;
    assert_eq!(line(&app, id).await["state"], "blocked");
    let passed = buy(&app, id, "VAS_UNLIMITED_DAY").await;
    assert_eq!((&passed["state"], remaining(&passed, "data")), (&json!("active"), -1));
    assert_eq!(balance(&passed, "data")["unlimitedUntil"], "2026-05-05T09:00:00Z");
    advance(&app, "23h").await;
    assert_eq!(try_data(&app, &first, 100_000).await.ok()["remaining"], Value::Null);
    expire(&app).await;
    assert_eq!(line(&app, id).await["state"], "active", "an hour is left");
    advance(&app, "1h").await;
    try_data(&app, &first, 1).await.violates("usage.allowance_exhausted");
    expire(&app).await;
    let ended = line(&app, id).await;
    assert_eq!((&ended["blockReasons"], remaining(&ended, "data")), (&json!(["exhausted"]), 0));
    assert_eq!(ended["stateReason"], "data_grant_expired");
    expire(&app).await;
    let expired = events(&app, &first, "subscription.grant_expired").await;
    assert_eq!((expired.len(), &expired[0]["payload"]["vasOfferingId"]), (1, &json!("VAS_UNLIMITED_DAY")));
    assert_eq!(events(&app, &first, "subscription.blocked").await.len(), 2);
    assert_eq!(buy(&app, id, "VAS_DATA_1GB").await["state"], "active");
    assert_eq!(
        charges(&app, &first, "approved").await,
        pairs(&[("activation", "10.00"), ("vas", "5.00"), ("vas", "3.00")])
    );
    app.finish().await;
}

#[tokio::test]
async fn two_passes_run_one_after_the_other_and_over_a_renewal() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    use_data(&app, &first, 120).await;
    advance(&app, "29d").await;
    tokio::join!(buy(&app, id, "VAS_UNLIMITED_DAY"), buy(&app, id, "VAS_UNLIMITED_DAY"));
    let until = balance(&line(&app, id).await, "data")["unlimitedUntil"].clone();
    assert_eq!(until, "2026-06-04T09:00:00Z", "two days");
    advance(&app, "1d").await;
    tick(&app).await;
    let renewed = line(&app, id).await;
    assert_eq!((balance(&renewed, "data")["unlimitedUntil"].clone(), remaining(&renewed, "data")), (until, -1));
    use_data(&app, &first, 9_000).await;
    expire(&app).await;
    advance(&app, "1d").await;
    expire(&app).await;
    let after = line(&app, id).await;
    assert_eq!((&after["state"], remaining(&after, "data")), (&json!("active"), 5_120), "the bundle was not touched");
    assert_eq!(events(&app, &first, "subscription.grant_expired").await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn a_quantity_with_hours_loses_only_what_is_left_of_it() {
    let app = frozen().await;
    app.sql("update catalog.vas_offering set expiry_hours = 48 where id = 'VAS_DATA_1GB'").await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    buy(&app, id, "VAS_DATA_1GB").await;
    use_data(&app, &first, 24).await;
    advance(&app, "1d").await;
    buy(&app, id, "VAS_DATA_1GB").await;
    use_data(&app, &first, 500).await;
    advance(&app, "1d").await;
    let reports = tokio::join!(expire(&app), expire(&app));
    drop(reports);
    assert_eq!(remaining(&line(&app, id).await, "data"), 5_120 + 1_024, "500 of the first were left");
    use_data(&app, &first, 2_000).await;
    advance(&app, "1d").await;
    expire(&app).await;
    assert_eq!(remaining(&line(&app, id).await, "data"), 4_144, "the second was used up before its end");
    let expired: Vec<_> = events(&app, &first, "subscription.grant_expired")
        .await
        .iter()
        .map(|event| event["payload"]["expired"].clone())
        .collect();
    assert_eq!(expired, [500, 0]);
    assert_eq!(app.number("select count(*) from subscription.quota_entry where kind = 'expiry'").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn what_ends_with_the_period_ends_with_it() {
    let app = frozen().await;
    app.sql("update catalog.vas_offering set expiry_hours = 240 where id = 'VAS_ROAMING_1GB'").await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    advance(&app, "28d").await;
    buy(&app, id, "VAS_ROAMING_1GB").await;
    let usage = json!({"msisdn": first["msisdn"], "eventType": "data", "quantity": 524, "unit": "mb", "roamingIndicator": true});
    assert_eq!(app.op("usage.simulate", usage).await.ok()["remaining"], 1_000);
    let purchased = events(&app, &first, "subscription.vas_purchased").await;
    assert_eq!(purchased[0]["payload"]["expiresAt"], first["currentPeriodEnd"]);
    advance(&app, "2d").await;
    tick(&app).await;
    expire(&app).await;
    assert_eq!(remaining(&line(&app, id).await, "data_roaming"), 500);
    app.finish().await;
}

#[tokio::test]
async fn a_terminated_line_has_no_pass() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    buy(&app, &first["id"], "VAS_UNLIMITED_DAY").await;
    let ended = app.op("subscription.terminate", json!({"subscriptionId": first["id"]})).await.ok();
    assert_eq!(balance(&ended, "data")["unlimitedUntil"], Value::Null);
    advance(&app, "2d").await;
    expire(&app).await;
    assert!(events(&app, &first, "subscription.grant_expired").await.is_empty());
    app.finish().await;
}

#[tokio::test]
async fn fair_use_is_refused_beyond_its_limit_and_starts_anew() {
    let app = frozen().await;
    app.sql(
        "update catalog.bundle_allowance set quantity = -1, fair_use_quantity = 1000
         where offering_id = 'PLAN_L' and allowance_type = 'data'",
    )
    .await;
    let first = app.line("PLAN_L").await;
    let id = &first["id"];
    assert_eq!((remaining(&first, "data"), &balance(&first, "data")["fairUseLimit"]), (-1, &json!(1_000)));
    use_data(&app, &first, 900).await;
    let last = try_data(&app, &first, 300).await.ok();
    assert_eq!((&last["ratedQuantity"], &last["refusedQuantity"]), (&json!(100), &json!(200)));
    try_data(&app, &first, 1).await.violates("usage.fair_use_exceeded");
    let reached = line(&app, id).await;
    assert_eq!((&reached["state"], &balance(&reached, "data")["fairUseRemaining"]), (&json!("active"), &json!(0)));
    let voice = json!({"msisdn": first["msisdn"], "eventType": "voice_minutes", "quantity": 5, "unit": "minutes"});
    app.op("usage.simulate", voice).await.ok();
    buy(&app, id, "VAS_DATA_1GB").await;
    use_data(&app, &first, 1_024).await;
    try_data(&app, &first, 1).await.violates("usage.fair_use_exceeded");
    advance(&app, "30d").await;
    tick(&app).await;
    use_data(&app, &first, 1_000).await;
    app.finish().await;
}
