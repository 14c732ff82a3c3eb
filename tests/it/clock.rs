//! The product clock, set by hand: every change counts, is on record, and stays within the calendar.

use futures::future::join_all;
use serde_json::json;

use crate::support::app::TestApp;

#[tokio::test]
async fn advances_at_once_all_count_and_each_leaves_an_event() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({ "at": "2027-01-10T08:00:00Z" })).await.ok();
    for advanced in join_all((0..8).map(|_| app.op("clock.advance", json!({ "duration": "1d" })))).await {
        advanced.ok();
    }
    let now = app.op("clock.now", json!({})).await.ok();
    assert_eq!(now["frozenAt"], "2027-01-18T08:00:00Z", "{now:#}");
    app.op("clock.unfreeze", json!({})).await.ok();
    let events = app.op("events.list", json!({ "eventType": "clock.changed" })).await.ok();
    let events = events["events"].as_array().expect("events");
    let changes: Vec<&str> = events.iter().filter_map(|event| event["payload"]["change"].as_str()).collect();
    assert_eq!(changes, [&["frozen"][..], &["advanced"; 8], &["unfrozen"]].concat());
    let last = &events[8];
    assert_eq!(
        (&last["payload"]["from"], &last["payload"]["to"], &last["serviceIdentity"]),
        (&json!("2027-01-17T08:00:00Z"), &json!("2027-01-18T08:00:00Z"), &json!("default"))
    );
    app.finish().await;
}

#[tokio::test]
async fn product_time_stays_within_the_calendar() {
    let mut app = TestApp::new().await;
    for beyond in ["+10000-01-01T00:00:00Z", "0000-12-31T00:00:00Z", "-0001-01-01T00:00:00Z"] {
        let refused = app.op("clock.freeze", json!({ "at": beyond })).await;
        assert_eq!((refused.status.as_u16(), &refused.body["reason"]), (400, &json!("/at")), "{beyond}");
    }
    app.op("clock.freeze", json!({ "at": "9999-12-01T00:00:00Z" })).await.ok();
    for beyond in ["31d", "36500d"] {
        let refused = app.op("clock.advance", json!({ "duration": beyond })).await;
        assert_eq!((refused.status.as_u16(), &refused.body["reason"]), (400, &json!("/duration")), "{beyond}");
    }
    assert_eq!(app.op("clock.now", json!({})).await.ok()["frozenAt"], "9999-12-01T00:00:00Z");
    app.op("clock.advance", json!({ "duration": "30d" })).await.ok();
    // A running clock is as bounded as one that stands.
    app.op("clock.unfreeze", json!({})).await.ok();
    let mut refusals = 0;
    for _ in 0..90 {
        refusals += u32::from(app.op("clock.advance", json!({ "duration": "36500d" })).await.status == 400);
    }
    assert!((8..15).contains(&refusals), "{refusals} of 90 centuries are too many for four digits");
    app.op("clock.unfreeze", json!({})).await.ok();
    app.stop().await;
}
