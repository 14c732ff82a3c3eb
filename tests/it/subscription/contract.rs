//! The books find what is wrong with a contract.

use serde_json::{Value, json};

use super::plan_change::schedule;
use super::{advance, frozen, tick};
use crate::support::app::TestApp;

/// The checks that do not hold.
async fn broken(app: &TestApp) -> Vec<String> {
    let report = app.op("audit.verify", json!({})).await.ok();
    let checks = report["checks"].as_array().expect("checks");
    let name = |check: &Value| check["name"].as_str().expect("a name").to_owned();
    checks.iter().filter(|check| check["ok"] != true).map(name).collect()
}

#[tokio::test]
async fn damage_to_contracts_is_named() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_UNLIMITED_DAY"})).await.ok();
    schedule(&app, id, "PLAN_L").await.ok();
    advance(&app, "30d").await;
    tick(&app).await;
    schedule(&app, id, "PLAN_M").await.ok();
    app.settle().await;
    assert_eq!(broken(&app).await, [""; 0]);
    let damages = [
        (
            "subscription.period_is_what_was_charged_for",
            "update subscription.subscription set price_amount_minor = 1",
            "update subscription.subscription set price_amount_minor = 4500",
        ),
        (
            "subscription.discount_counts_down",
            "update subscription.subscription set discount_periods_remaining = 3",
            "update subscription.subscription set discount_periods_remaining = 0",
        ),
        (
            "subscription.pending_change_is_booked",
            "update subscription.subscription set pending_offering_id = 'PLAN_S'",
            "update subscription.subscription set pending_offering_id = 'PLAN_M'",
        ),
        (
            "subscription.change_begins_with_its_period",
            "update subscription.period_contract set pivot = null where period_index = 2",
            "update subscription.period_contract set pivot = 'plan_change' where period_index = 2",
        ),
        (
            "subscription.grants_end",
            "update subscription.bundle_balance set unlimited_until = '2026-01-01' where allowance_type = 'data'",
            "update subscription.bundle_balance set unlimited_until = null",
        ),
        (
            "subscription.grants_end",
            "update subscription.bundle_balance set total = total + 1, settled_used = settled_used + 1 where allowance_type = 'sms' and not unlimited",
            "select 1",
        ),
        (
            "subscription.periods_are_contiguous",
            "update subscription.period set gap = 'missed' where period_index = 2",
            "update subscription.period set gap = null",
        ),
    ];
    for (check, damage, repair) in damages {
        if app.sql(damage).await == 0 {
            continue;
        }
        assert_eq!(broken(&app).await, [check], "{damage}");
        app.sql(repair).await;
    }
    assert_eq!(broken(&app).await, [""; 0]);
    app.finish().await;
}
