//! Renewals of a sweep are settled together: what they come to is what they come to one by one.

use serde_json::{Value, json};

use super::{DECLINES, SLOW, advance, charge_to, charges, frozen, line, remaining, tick, use_data};
use crate::support::app::TestApp;

/// What happens to a line before it is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Plain,
    UsedUp,
    ToppedUp,
    WithPass,
    ChangesPlan,
    Declined,
    /// It ends while its charge is under way.
    Terminated,
}

const FATES: [Fate; 9] = [
    Fate::Plain,
    Fate::Declined,
    Fate::UsedUp,
    Fate::ChangesPlan,
    Fate::Plain,
    Fate::ToppedUp,
    Fate::WithPass,
    Fate::Terminated,
    Fate::Plain,
];

async fn prepare(app: &TestApp, line: &Value, fate: Fate) {
    let id = &line["id"];
    match fate {
        Fate::Plain => {}
        Fate::UsedUp => use_data(app, line, 30_720).await,
        Fate::ToppedUp => {
            let bought = json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"});
            app.op("subscription.purchase_vas", bought).await.ok();
            use_data(app, line, 700).await;
        }
        Fate::WithPass => {
            let bought = json!({"subscriptionId": id, "vasOfferingId": "VAS_UNLIMITED_DAY"});
            app.op("subscription.purchase_vas", bought).await.ok();
        }
        Fate::ChangesPlan => {
            let change = json!({"subscriptionId": id, "newOfferingId": "PLAN_L"});
            app.op("subscription.schedule_plan_change", change).await.ok();
        }
        Fate::Declined => charge_to(app, line, DECLINES).await,
        Fate::Terminated => charge_to(app, line, SLOW).await,
    }
}

/// Sweeps; a line that is to end does so once the gateway has its money.
async fn sweep(app: &TestApp, ending: Option<&Value>) {
    let end = async {
        let Some(ending) = ending else { return };
        app.until("the slow charge", async || {
            (app.number("select count(*) from mock_gateway.charge where token like 'tok_slow%'").await > 0)
                .then_some(())
        })
        .await;
        app.op("subscription.terminate", json!({"subscriptionId": ending["id"]})).await.ok();
    };
    tokio::join!(tick(app), end);
    app.settle().await;
}

/// What a customer would call different.
async fn digest(app: &TestApp, before: &Value) -> Value {
    let now = line(app, &before["id"]).await;
    let page = app.op("events.list", json!({"aggregateId": before["id"]})).await.ok();
    let events = page["events"].as_array().expect("events").iter();
    let mut events: Vec<String> =
        events.map(|event| event["eventType"].as_str().unwrap_or_default().to_owned()).collect();
    events.sort_unstable();
    let history = app.op("subscription.history", json!({"subscriptionId": before["id"]})).await.ok();
    let steps: Vec<_> = history.as_array().expect("steps").iter().map(|step| step["toState"].clone()).collect();
    let messages = app.op("communication.list", json!({"customerId": before["customerId"], "limit": 100})).await.ok();
    let messages = messages.as_array().expect("messages").iter();
    let mut messages: Vec<String> =
        messages.map(|message| format!("{} {}", message["template"], message["state"])).collect();
    messages.sort_unstable();
    let left = if now["state"] == "terminated" { json!(null) } else { json!(remaining(&now, "data")) };
    json!({
        "state": now["state"], "blockReasons": now["blockReasons"], "plan": now["offeringId"], "price": now["priceAmount"],
        "data": left, "approved": charges(app, before, "approved").await, "declined": charges(app, before, "declined").await,
        "events": events, "steps": steps, "messages": messages,
    })
}

/// The lines of one run, and in how many units of work their periods began.
async fn run(together: bool) -> (Vec<Value>, i64) {
    let app = frozen().await;
    let mut lines = Vec::new();
    for _ in FATES {
        lines.push(app.line("PLAN_M").await);
        if !together {
            advance(&app, "1h").await;
        }
    }
    for (line, fate) in lines.iter().zip(FATES) {
        prepare(&app, line, fate).await;
    }
    app.settle().await;
    let ending = FATES.iter().position(|fate| *fate == Fate::Terminated).map(|at| &lines[at]);
    // Everybody is reminded before anybody is renewed.
    let passed = if together { 0 } else { FATES.len() };
    advance(&app, &format!("{}h", 29 * 24 + 9 - passed)).await;
    assert_eq!(tick(&app).await["reminded"], FATES.len());
    advance(&app, "15h").await;
    if together {
        sweep(&app, ending).await;
    } else {
        for line in &lines {
            sweep(&app, ending.filter(|ending| ending["id"] == line["id"])).await;
            advance(&app, "1h").await;
        }
    }
    let mut digests = Vec::new();
    for line in &lines {
        digests.push(digest(&app, line).await);
    }
    let renewed = app.number("select count(*) from subscription.period where period_index = 2").await;
    assert_eq!(renewed, i64::try_from(FATES.len()).expect("a few") - 2, "all but the declined and the ended");
    let units = app
        .number("select count(distinct p.xmin::text::bigint) from subscription.period p where period_index = 2")
        .await;
    app.finish().await;
    (digests, units)
}

#[tokio::test]
async fn a_mixed_set_comes_to_the_same_as_one_by_one() {
    let ((together, at_once), (alone, one_by_one)) = tokio::join!(run(true), run(false));
    for ((fate, together), alone) in FATES.iter().zip(&together).zip(&alone) {
        assert_eq!(together, alone, "{fate:?}");
    }
    let renewed = i64::try_from(FATES.len()).unwrap() - 2;
    assert_eq!(one_by_one, renewed);
    assert!(at_once < renewed, "{at_once} units of work for {renewed} lines");
}

#[tokio::test]
async fn sets_hold_in_chaos() {
    const LINES: usize = 12;
    let app = TestApp::with(&[("BSS_CHAOS", "fail=0.2,duplicate=0.3,delay_ms=15")]).await;
    app.op("clock.freeze", json!({"at": "2026-05-04T09:00:00Z"})).await.ok();
    let mut lines = Vec::new();
    for _ in 0..LINES {
        lines.push(app.line("PLAN_M").await);
    }
    for _ in 0..3 {
        advance(&app, "30d").await;
        tick(&app).await;
        app.settle().await;
    }
    for line in &lines {
        assert_eq!(charges(&app, line, "approved").await.len(), 4);
    }
    let count = i64::try_from(LINES).unwrap();
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 4 * count);
    assert_eq!(app.number("select count(*) from subscription.period").await, 4 * count);
    let receipts =
        "select count(*) from crm.communication_message where template = 'renewal_receipt' and state = 'sent'";
    assert_eq!(app.number(receipts).await, 3 * count);
    app.finish().await;
}
