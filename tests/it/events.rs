//! The event log as somebody follows it while others write.

use bss::platform::clock;
use bss::platform::context::Context;
use bss::platform::outbox::{self, Event};
use sea_orm::ConnectionTrait as _;
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
    // The other tests' databases are of the same cluster: what one of them has open holds back what counts as settled.
    app.until("the first event is settled", async || {
        let page = app.op("events.list", json!({"order": "desc", "limit": 1, "settled": true})).await.ok();
        (!seqs(&page).is_empty()).then_some(())
    })
    .await;
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

#[tokio::test]
async fn an_event_whose_lower_place_shows_later_is_not_passed_over() {
    let app = TestApp::new().await;
    app.op("customer.create", json!({"name": "Ada Lovelace", "email": "ada@example.test"})).await.ok();
    app.settle().await;
    let start = app.op("events.list", json!({"order": "desc", "limit": 1})).await.ok()["next"].clone();
    let cx = Context::system("system:test", "request".into(), clock::wall());
    let begin = async || {
        let tx = app.platform.db.begin().await.expect("the database is there");
        tx.execute_unprepared("select pg_current_xact_id()").await.expect("a number of its own");
        tx
    };
    let older = begin().await;
    let younger = begin().await;
    // The younger transaction takes the lower place in the log, and ends last.
    outbox::stage(&younger, &cx, &Happened).await.expect("staged");
    outbox::stage(&older, &cx, &Happened).await.expect("staged");
    older.commit().await.expect("committed");
    let follow = async |after: Value| {
        let page = app
            .until("one is settled", async || {
                let page = app.op("events.list", json!({"after": after, "eventType": "test.happened"})).await.ok();
                (!seqs(&page).is_empty()).then_some(page)
            })
            .await;
        (seqs(&page), page["next"].clone())
    };
    let (first, place) = follow(start).await;
    younger.commit().await.expect("committed");
    let (second, _) = follow(place).await;
    assert_eq!((first.len(), second.len()), (1, 1), "{first:?} {second:?}");
    assert!(second[0] < first[0], "the lower place shows later: {first:?} {second:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_card_number_that_somebody_typed_into_a_text_is_in_no_event() {
    let mut app = TestApp::new().await;
    let customer = app.customer("4242424242424242").await;
    let wish =
        json!({"customerId": customer, "offeringId": "PLAN_S", "submit": false, "notes": "card 4000000000000002"});
    let order = app.op("order.create", wish).await.ok()["id"].clone();
    let reason = json!({"orderId": order, "reason": "says that 4242 4242 4242 4242 is not hers"});
    app.op("order.hold", reason).await.ok();
    let events = app.op("events.list", json!({"aggregateId": order})).await.ok();
    let payloads: Vec<&Value> = events["events"].as_array().expect("events").iter().map(|e| &e["payload"]).collect();
    let held =
        payloads.iter().filter_map(|payload| payload["stateReason"].as_str()).find(|reason| reason.contains("hers"));
    assert_eq!(held, Some("says that …4242 is not hers"), "{payloads:#?}");
    let leaked = app
        .number("select count(*) from audit.domain_event where payload::text ~ '4242 4242 4242|4000000000000002'")
        .await;
    assert_eq!(leaked, 0);
    app.stop().await;
}
