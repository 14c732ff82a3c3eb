//! A line's life told in order.

use serde_json::{Value, json};

use super::plan_change::schedule;
use super::{DECLINES, GOOD, advance, charge_to, frozen, tick, use_data};

#[tokio::test]
async fn days_are_those_of_the_operator() {
    let app = frozen().await;
    // Three in the morning of the fifth, in Singapore.
    app.op("clock.freeze", json!({"at": "2026-05-04T19:00:00Z"})).await.ok();
    let first = app.line("PLAN_M").await;
    schedule(&app, &first["id"], "PLAN_L").await.ok();
    let told = app.op("subscription.timeline", json!({"subscriptionId": first["id"]})).await.ok();
    let change = told.as_array().unwrap().iter().find(|entry| entry["kind"] == "plan_change").unwrap();
    assert!(change["summary"].as_str().unwrap().ends_with("booked from 2026-06-04 on"), "{change:#}");
    advance(&app, "30d").await;
    tick(&app).await;
    app.settle().await;
    let notes = app.op("interaction.list", json!({"customerId": first["customerId"], "limit": 100})).await.ok();
    let notes = notes.to_string();
    for day in ["the period ends 2026-06-04", "on 2026-06-04", "the period ends 2026-07-04"] {
        assert!(notes.contains(day), "{day} in {notes}");
    }
    app.finish().await;
}

#[tokio::test]
async fn everything_that_happened_is_told_in_order() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    advance(&app, "1h").await;
    use_data(&app, &first, 30_720).await;
    advance(&app, "1h").await;
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"})).await.ok();
    advance(&app, "1h").await;
    let note = json!({"subscriptionId": id, "reason": "requested", "note": "left in a taxi"});
    app.op("subscription.block", note).await.ok();
    advance(&app, "1h").await;
    app.op("subscription.unblock", json!({"subscriptionId": id})).await.ok();
    schedule(&app, id, "PLAN_L").await.ok();
    charge_to(&app, &first, DECLINES).await;
    advance(&app, "30d").await;
    tick(&app).await;
    charge_to(&app, &first, GOOD).await;
    advance(&app, "1h").await;
    app.op("subscription.renew_now", json!({"subscriptionId": id})).await.ok();
    advance(&app, "1h").await;
    app.op("subscription.terminate", json!({"subscriptionId": id, "reason": "moved away"})).await.ok();

    let told = app.op("subscription.timeline", json!({"subscriptionId": id})).await.ok();
    let told = told.as_array().expect("entries").clone();
    let order: Vec<&str> = told.iter().map(|entry| entry["kind"].as_str().expect("a kind")).collect();
    let expected = [
        "state",
        "charge",
        "state",
        "grant",
        "grant",
        "block",
        "top_up",
        "unblock",
        "grant",
        "block",
        "plan_change",
        "unblock",
        "decline",
        "block",
        "charge",
        "unblock",
        "expiry",
        "expiry",
        "grant",
        "grant",
        "plan_change",
        "state",
        "expiry",
        "expiry",
    ];
    assert_eq!(order, expected, "{}", serde_json::to_string_pretty(&told).expect("JSON"));
    let of = |kind: &str| told.iter().filter(|entry| entry["kind"] == kind).cloned().collect::<Vec<Value>>();
    let charge = &of("charge")[1];
    assert_eq!(
        (&charge["amount"], &charge["periodIndex"], &charge["offeringId"]),
        (&json!("45.00"), &json!(2), &json!("PLAN_L"))
    );
    assert!(charge["summary"].as_str().expect("text").contains("paid late"), "{charge:#}");
    assert!(charge["reference"].as_str().expect("an attempt").starts_with("PAY-"));
    let decline = &of("decline")[0];
    assert_eq!((&decline["amount"], &decline["reason"]), (&json!("45.00"), &json!("payment_declined")));
    assert_eq!(decline["by"], "system:renewal_worker");
    let blocks = of("block");
    let whys: Vec<_> = blocks.iter().map(|block| block["reason"].as_str().expect("a reason")).collect();
    assert_eq!(whys, ["primary_allowance_exhausted", "block_requested", "renewal_payment_declined"]);
    assert_eq!(blocks[1]["note"], "left in a taxi");
    let changes: Vec<_> = of("plan_change").iter().map(|change| change["reason"].clone()).collect();
    assert_eq!(changes[1], "applied");
    let grant = &of("grant")[2];
    assert_eq!((&grant["quantity"], &grant["unit"], &grant["periodIndex"]), (&json!(1_024), &json!("mb"), &json!(1)));

    let last = app.op("subscription.timeline", json!({"subscriptionId": id, "limit": 3})).await.ok();
    assert_eq!(last.as_array().expect("entries")[..], told[told.len() - 3..]);
    let page = async |offset: usize| {
        let page = json!({"subscriptionId": id, "limit": 3, "offset": offset});
        app.op("subscription.timeline", page).await.ok().as_array().expect("entries").clone()
    };
    let mut paged = Vec::new();
    while paged.len() < told.len() {
        let mut before = page(paged.len()).await;
        assert!(!before.is_empty(), "{} of {} were there", paged.len(), told.len());
        before.append(&mut paged);
        paged = before;
    }
    assert_eq!(paged[..], told[..]);
    assert!(page(told.len()).await.is_empty());
    let too_far = json!({"subscriptionId": id, "offset": 10_001});
    assert_eq!(app.op("subscription.timeline", too_far).await.status.as_u16(), 400);
    for limit in [0, 1_001] {
        let answer = app.op("subscription.timeline", json!({"subscriptionId": id, "limit": limit})).await;
        assert_eq!(answer.status.as_u16(), 400);
    }
    app.finish().await;
}

#[tokio::test]
async fn money_that_goes_back_is_told() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    advance(&app, "1h").await;
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"})).await.ok();
    advance(&app, "1h").await;
    let attempts = app.op("payment.list_attempts", json!({"customerId": first["customerId"]})).await.ok();
    for attempt in attempts.as_array().expect("attempts") {
        app.op("payment.refund", json!({"paymentAttemptId": attempt["id"], "reason": "goodwill"})).await.ok();
    }
    app.settle().await;
    let told = app.op("subscription.timeline", json!({"subscriptionId": id})).await.ok();
    let back: Vec<&Value> = told.as_array().expect("entries").iter().filter(|one| one["kind"] == "refund").collect();
    let amounts: Vec<&str> = back.iter().filter_map(|one| one["amount"].as_str()).collect();
    assert_eq!(amounts, ["3.00", "25.00"], "of the top-up and of the period, as they were asked for: {told:#}");
    assert_eq!((&back[0]["reason"], &back[0]["at"]), (&json!("goodwill"), &json!("2026-05-04T11:00:00Z")));
    assert!(back[1]["summary"].as_str().expect("text").ends_with("was paid back"), "{told:#}");
    app.finish().await;
}
