//! The event log as somebody follows it while others write.

use bss::platform::clock;
use bss::platform::context::Context;
use bss::platform::outbox::{self, Event};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::app::TestApp;

#[derive(Debug, Serialize)]
struct Happened;

impl Event for Happened {
    const TYPE: &'static str = "test.happened";
    const AGGREGATE: &'static str = "test";
    fn aggregate_id(&self) -> &'static str {
        "T-1"
    }
}

fn seqs(page: &Value) -> Vec<i64> {
    page["events"].as_array().expect("events").iter().filter_map(|event| event["seq"].as_i64()).collect()
}

#[tokio::test]
async fn whoever_begins_to_follow_passes_over_nothing_that_is_still_to_be_committed() {
    let app = TestApp::new().await;
    app.op("customer.create", json!({"name": "Ada Lovelace", "email": "ada@example.test"})).await.ok();
    app.settle().await;
    // An event with a place in the log that nobody sees yet, and a later one that everybody sees.
    let slow = app.platform.db.begin().await.expect("the database is there");
    let cx = Context::system("system:test", "request".into(), clock::wall());
    outbox::stage(&slow, &cx, &Happened).await.expect("staged");
    app.op("customer.create", json!({"name": "Alan Turing", "email": "alan@example.test"})).await.ok();

    let newest = app.op("events.list", json!({"order": "desc", "limit": 1})).await.ok();
    let settled = app.op("events.list", json!({"order": "desc", "limit": 1, "settled": true})).await.ok();
    let (newest, place) = (seqs(&newest)[0], seqs(&settled)[0]);
    assert!(place < newest, "{place} {newest}");
    slow.commit().await.expect("committed");
    let followed = app
        .until("everything is settled", async || {
            let page = app.op("events.list", json!({"order": "asc", "after": place})).await.ok();
            seqs(&page).contains(&newest).then_some(page)
        })
        .await;
    let types: Vec<&str> =
        followed["events"].as_array().expect("events").iter().filter_map(|e| e["eventType"].as_str()).collect();
    assert!(types.contains(&"test.happened"), "{types:?}");
    app.finish().await;
}
