//! Plans that count from month to month, in the operator's time zone.

use serde_json::{Value, json};

use super::plan_change::schedule;
use super::{advance, charges, line, tick};
use crate::support::app::TestApp;

async fn monthly(zone: &str, now: &str) -> TestApp {
    let app = TestApp::with(&[("BSS_OPERATOR_TIME_ZONE", zone)]).await;
    app.op("clock.freeze", json!({"at": now})).await.ok();
    app.sql("update catalog.product_offering set period_kind = 'calendar_month' where id = 'PLAN_M'").await;
    app
}

/// The ends of the periods that a line goes through, renewing at each.
async fn boundaries(app: &TestApp, id: &Value, count: usize) -> Vec<String> {
    let mut ends = Vec::new();
    for _ in 0..count {
        let now = line(app, id).await;
        let end = now["currentPeriodEnd"].as_str().expect("an end").to_owned();
        app.op("clock.freeze", json!({"at": end})).await.ok();
        assert_eq!(tick(app).await["renewed"], 1, "at {end}");
        ends.push(end);
    }
    ends
}

#[tokio::test]
async fn the_31st_comes_back_after_a_short_month() {
    let app = monthly("Asia/Singapore", "2027-01-31T10:00:00Z").await;
    let first = app.line("PLAN_M").await;
    assert_eq!(first["periodKind"], "calendar_month");
    let ends = boundaries(&app, &first["id"], 4).await;
    assert_eq!(ends, ["2027-02-28T10:00:00Z", "2027-03-31T10:00:00Z", "2027-04-30T10:00:00Z", "2027-05-31T10:00:00Z"]);
    assert_eq!(charges(&app, &first, "approved").await.len(), 5);
    app.finish().await;
}

#[tokio::test]
async fn wall_time_stays_over_clock_changes() {
    let app = monthly("Europe/Berlin", "2026-02-28T12:00:00Z").await;
    let first = app.line("PLAN_M").await;
    let ends = boundaries(&app, &first["id"], 3).await;
    assert_eq!(ends, ["2026-03-28T12:00:00Z", "2026-04-28T11:00:00Z", "2026-05-28T11:00:00Z"]);
    app.finish().await;
    let app = monthly("America/New_York", "2026-10-15T16:00:00Z").await;
    let first = app.line("PLAN_M").await;
    let ends = boundaries(&app, &first["id"], 2).await;
    assert_eq!(ends, ["2026-11-15T17:00:00Z", "2026-12-15T17:00:00Z"]);
    app.finish().await;
}

#[tokio::test]
async fn missed_months_are_not_charged() {
    let app = monthly("Asia/Singapore", "2027-01-31T10:00:00Z").await;
    let first = app.line("PLAN_M").await;
    app.op("clock.freeze", json!({"at": "2027-06-10T00:00:00Z"})).await.ok();
    assert_eq!(tick(&app).await["renewed"], 1);
    let now = line(&app, &first["id"]).await;
    assert_eq!(
        (&now["currentPeriodStart"], &now["currentPeriodEnd"]),
        (&json!("2027-05-31T10:00:00Z"), &json!("2027-06-30T10:00:00Z"))
    );
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn a_change_of_plan_changes_how_periods_are_counted() {
    let app = monthly("Asia/Singapore", "2027-01-01T00:00:00Z").await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    assert_eq!((&first["periodKind"], &first["currentPeriodEnd"]), (&json!("days_30"), &json!("2027-01-31T00:00:00Z")));
    schedule(&app, id, "PLAN_M").await.ok();
    boundaries(&app, id, 1).await;
    assert_eq!(boundaries(&app, id, 2).await, ["2027-02-28T00:00:00Z", "2027-03-31T00:00:00Z"]);
    // What the catalog says later does not reach the line.
    app.sql("update catalog.product_offering set period_kind = 'days_30' where id = 'PLAN_M'").await;
    assert_eq!(boundaries(&app, id, 1).await, ["2027-04-30T00:00:00Z"]);
    assert_eq!(line(&app, id).await["currentPeriodEnd"], "2027-05-31T00:00:00Z");
    advance(&app, "1d").await;
    app.finish().await;
}
