//! Calling orders off, at every stage and in every race.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{SLOW, VISA, ended, fault, order, place, pools, reasons, service_order, task_in};
use crate::support::app::TestApp;
use crate::support::driver::DECLINED;

#[tokio::test]
async fn an_acknowledged_order_is_called_off_and_stays_so() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let placed =
        app.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_M", "submit": false})).await.ok();
    let id = json!({"orderId": placed["id"]});
    let cancelled = app.op("order.cancel", id.clone()).await.ok();
    assert_eq!((&cancelled["state"], &cancelled["items"][0]["state"]), (&json!("cancelled"), &json!("cancelled")));
    assert!(cancelled["completedDate"].is_string());
    let refused = app.op("order.submit", id.clone()).await.violates("order.transition.invalid");
    assert_eq!(
        (&refused["context"]["currentState"], &refused["context"]["allowed"]),
        (&json!("cancelled"), &json!([]))
    );
    app.op("order.cancel", id).await.violates("order.transition.invalid");
    for name in ["order.submit", "order.cancel"] {
        let answer = app.op(name, json!({"orderId": "ORD-9999"})).await;
        assert_eq!((answer.status.as_u16(), answer.body["reason"].as_str()), (404, Some("order.not_found")));
    }
    app.finish().await;
}

#[tokio::test]
async fn an_order_in_progress_gives_back_what_it_took() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1));

    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    app.settle().await;
    let services = service_order(&app, &placed).await;
    assert_eq!(
        (&services["state"], &services["stateReason"]),
        (&json!("cancelled"), &json!("the order was cancelled"))
    );
    assert_eq!(app.number("select count(*) from service_inventory.service where state = 'failed'").await, 3);
    let withdrawn = app.op("provisioning.get_task", json!({"taskId": task["id"]})).await.ok();
    assert_eq!(withdrawn["state"], "withdrawn", "nobody is to look at it any more: {withdrawn:#}");
    for (verb, rule) in [
        ("provisioning.resolve_stuck", "provisioning_task.resolve.requires_stuck_state"),
        ("provisioning.abandon", "provisioning_task.abandon.requires_failed_or_stuck_state"),
    ] {
        app.op(verb, json!({"taskId": task["id"], "note": "too late"})).await.violates(rule);
    }

    // Three tasks had reached the network: it forgets the line again, and only then the number is free.
    let taken_out = task_in(&app, "HLR_DEPROVISION", "completed").await;
    assert_eq!(taken_out["serviceId"], task["serviceId"]);
    assert_eq!(pools(&app).await, before);
    assert_eq!(order(&app, &placed["id"]).await["state"], "cancelled");
    assert_eq!(app.number("select count(*) from subscription.subscription").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_number_is_not_given_to_others_before_the_network_has_forgotten_it() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    for (task_type, fault_type) in [("HLR_PROVISION", "stuck"), ("HLR_DEPROVISION", "stuck")] {
        fault(&app, task_type, fault_type, true).await;
    }
    let placed = place(&app, &customer).await;
    task_in(&app, "HLR_PROVISION", "stuck").await;
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    let task = task_in(&app, "HLR_DEPROVISION", "stuck").await;
    app.settle().await;
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1));
    app.assert_books().await;
    let report = app.op("worker.tick", json!({"name": "network_watch"})).await.ok();
    assert_eq!(report["removed"], 1, "{report}");
    app.op("clock.advance", json!({"duration": "2h"})).await.ok();
    app.op("worker.tick", json!({"name": "reservations"})).await.ok();
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1), "the reservation ran out and is kept");
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"})).await.ok();
    app.settle().await;
    assert_eq!(pools(&app).await, before);
    app.finish().await;
}

/// Deliveries to this consumer wait from now on.
async fn hold(app: &TestApp, trigger: &'static str) {
    app.sql(
        "create function hold() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := clock_timestamp() + interval '1 hour'; return new; end $$",
    )
    .await;
    app.sql(trigger).await;
}

async fn let_go(app: &TestApp) {
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.platform.db.wake().heard();
}

/// Two hours on, the reservations are swept.
async fn run_out(app: &TestApp) {
    app.op("clock.advance", json!({"duration": "2h"})).await.ok();
    app.op("worker.tick", json!({"name": "reservations"})).await.ok();
}

#[tokio::test]
async fn a_number_is_kept_until_the_network_has_forgotten_it_however_late_the_withdrawal() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    hold(&app, "create trigger hold before insert on audit.delivery for each row when (new.consumer = 'som.withdraw_cancelled_order') execute function hold()").await;
    // Its activation is under way when it is called off, and the network has begun.
    fault(&app, "OCS_BALANCE_INIT", "stuck", true).await;
    let placed = place(&app, &customer).await;
    task_in(&app, "OCS_BALANCE_INIT", "stuck").await;
    task_in(&app, "HLR_PROVISION", "completed").await;
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    run_out(&app).await;
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1), "nothing was taken out of the network yet");
    fault(&app, "HLR_DEPROVISION", "fail_always", true).await;
    let_go(&app).await;
    let task = task_in(&app, "HLR_DEPROVISION", "failed").await;
    app.settle().await;
    run_out(&app).await;
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1), "the network did not forget it");
    fault(&app, "HLR_DEPROVISION", "fail_always", false).await;
    app.op("provisioning.retry_failed", json!({"taskId": task["id"]})).await.ok();
    app.settle().await;
    assert_eq!(pools(&app).await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_number_in_service_is_kept_though_its_order_failed() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    hold(&app, "create trigger hold before insert on audit.delivery for each row when (new.consumer = 'som.withdraw_failed_order') execute function hold()").await;
    let customer = app.customer(DECLINED).await;
    assert_eq!(app.order(&customer, "PLAN_S").await["state"], "failed");
    let booked = pools(&app).await;
    run_out(&app).await;
    assert_eq!(pools(&app).await, booked);
    assert_eq!(booked, (before.0 - 1, before.1 - 1), "the network has it");
    let_go(&app).await;
    app.settle().await;
    assert_eq!(pools(&app).await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_number_that_need_not_rest_waits_for_the_network_all_the_same() {
    let app = TestApp::with(&[("BSS_NUMBER_QUARANTINE_DAYS", "0")]).await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    hold(&app, "create trigger hold before insert on audit.delivery for each row when (new.consumer = 'som.cease_line') execute function hold()").await;
    fault(&app, "HLR_DEPROVISION", "stuck", true).await;
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    let quarantine = async || app.op("worker.tick", json!({"name": "quarantine"})).await.ok();
    let status =
        async || app.op("inventory.msisdn.get", json!({"msisdn": line["msisdn"]})).await.ok()["status"].clone();
    assert_eq!(quarantine().await, json!({"released": 0, "kept": 1}), "it was not heard yet that the line has ended");
    let_go(&app).await;
    let task = task_in(&app, "HLR_DEPROVISION", "stuck").await;
    assert_eq!(quarantine().await, json!({"released": 0, "kept": 1}), "the task is stuck");
    assert_eq!(status().await, "quarantine");
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"})).await.ok();
    app.settle().await;
    assert_eq!(quarantine().await, json!({"released": 1, "kept": 0}));
    assert_eq!(status().await, "available");
    app.finish().await;
}

#[tokio::test]
async fn nothing_of_an_order_that_was_called_off_is_tried_any_more() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    // The tasks are booked and nobody begins them.
    app.sql(
        "create function hold() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := clock_timestamp() + interval '1 hour'; return new; end $$",
    )
    .await;
    for statement in [
        "create trigger hold before insert on audit.delivery for each row when (new.consumer = 'provisioning.run_task') execute function hold()",
        "create trigger hold before insert on provisioning.provisioning_task for each row execute function hold()",
    ] {
        app.sql(statement).await;
    }
    let placed = place(&app, &customer).await;
    app.until("the tasks are booked", async || {
        (app.number("select count(*) from provisioning.provisioning_task").await == 4).then_some(())
    })
    .await;
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    app.until("the tasks are withdrawn", async || {
        let withdrawn =
            "select count(*) from provisioning.provisioning_task where state = 'withdrawn' and attempts = 0";
        (app.number(withdrawn).await == 4).then_some(())
    })
    .await;
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.settle().await;
    assert_eq!(pools(&app).await, before, "the network has heard nothing: all is free at once");
    assert_eq!(app.number("select count(*) from provisioning.provisioning_task where state <> 'withdrawn'").await, 0);
    let events = app.op("events.list", json!({"eventType": "provisioning.task.withdrawn"})).await.ok();
    assert_eq!(events["count"], 4);
    app.finish().await;
}

#[tokio::test]
async fn an_order_whose_charge_is_under_way_is_called_off_and_paid_back() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(SLOW).await;
    let placed = place(&app, &customer).await;
    let line = app
        .until("the line is booked", async || {
            order(&app, &placed["id"]).await["items"][0]["targetSubscriptionId"].as_str().map(str::to_owned)
        })
        .await;
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    app.settle().await;
    let cancelled = order(&app, &placed["id"]).await;
    assert_eq!(cancelled["state"], "cancelled");
    assert!(cancelled["items"][0]["refundId"].is_string(), "{cancelled:#}");
    assert!(reasons(&cancelled).iter().any(|reason| reason.contains("goes back by REF-")), "{cancelled:#}");
    let line = app.op("subscription.get", json!({"subscriptionId": line})).await.ok();
    assert_eq!((&line["state"], &line["stateReason"]), (&json!("terminated"), &json!("order_cancelled")));
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 1);
    assert_eq!(app.number("select count(*) from mock_gateway.refund").await, 1);
    assert_eq!(pools(&app).await, before);
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.violates("order.transition.invalid");
    app.finish().await;
}

#[tokio::test]
async fn an_order_whose_line_is_in_service_is_not_called_off() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    // The line is in service and its order has not heard of it.
    app.sql(
        "create function hold() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := clock_timestamp() + interval '1 hour'; return new; end $$",
    )
    .await;
    app.sql("create trigger hold before insert on audit.delivery for each row when (new.consumer = 'com.complete_on_activation') execute function hold()")
        .await;
    let placed = place(&app, &customer).await;
    app.until("the line is active", async || {
        (app.number("select count(*) from subscription.subscription where state = 'active'").await == 1).then_some(())
    })
    .await;
    let refused = app.op("order.cancel", json!({"orderId": placed["id"]})).await;
    let refused = refused.violates("order.cancel.forbidden_after_som_started");
    assert!(refused["context"]["subscriptionId"].is_string(), "{refused:#}");
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.settle().await;
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn a_completion_that_comes_after_the_cancellation_is_taken_back() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    // The order is called off between the completion of its service order and the booking of its line: hold the booking back.
    app.sql(
        "create function hold() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := clock_timestamp() + interval '1 hour'; return new; end $$",
    )
    .await;
    app.sql("create trigger hold before insert on audit.delivery for each row when (new.consumer = 'com.book_line') execute function hold()")
        .await;
    let placed = place(&app, &customer).await;
    app.until("the network is ready", async || {
        (service_order(&app, &placed).await["state"] == "completed").then_some(())
    })
    .await;
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    app.sql("drop trigger hold on audit.delivery").await;
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.settle().await;
    let cancelled = order(&app, &placed["id"]).await;
    assert_eq!(cancelled["state"], "cancelled");
    assert!(reasons(&cancelled).iter().any(|reason| reason.contains("nothing is kept")), "{cancelled:#}");
    assert_eq!(pools(&app).await, before);
    assert_eq!(app.number("select count(*) from service_inventory.service where state = 'terminated'").await, 3);
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 0);
    let tasks = app.op("provisioning.list_tasks", json!({"state": "completed"})).await.ok();
    assert!(
        tasks.as_array().unwrap().iter().any(|task| task["taskType"] == "HLR_DEPROVISION"),
        "the network forgets it: {tasks:#}"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_cancellation_that_has_waited_for_the_booking_ends_the_line() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    app.settle().await;
    let mut held = app.platform.db.pool().begin().await.unwrap();
    sqlx::query("select 1 from order_mgmt.product_order for update").execute(&mut *held).await.unwrap();
    let waiting = async |count: i64| {
        let waits =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        app.until("they wait for the order", async || (app.number(waits).await >= count).then_some(())).await;
    };
    let resolve = app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"}));
    let cancel = async {
        // The booking of the line is first.
        waiting(1).await;
        let cancel = async || {
            let answer = app.op("order.cancel", json!({"orderId": placed["id"]})).await;
            // A busy server may ask to be asked again.
            (answer.status != 503).then_some(answer)
        };
        app.until("the cancellation is answered", cancel).await
    };
    let release = async {
        waiting(2).await;
        held.rollback().await.unwrap();
    };
    let (resolved, cancelled, ()) = tokio::join!(resolve, cancel, release);
    resolved.ok();
    assert_eq!(cancelled.ok()["state"], "cancelled");
    app.settle().await;
    // Not because there was no number left for it when its charge was approved.
    let ended = "select count(*) from subscription.subscription where state = 'terminated' and state_reason = 'order_cancelled'";
    assert_eq!(app.number(ended).await, 1);
    let kept = "select (select count(*) from mock_gateway.charge) - (select count(*) from mock_gateway.refund)";
    assert_eq!(app.number(kept).await, 0);
    assert_eq!(pools(&app).await, before);
    app.finish().await;
}

#[tokio::test]
async fn cancelling_races_with_everything_else_and_nothing_leaks() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    let race = async |n: u64| {
        let placed = place(&app, &customer).await;
        tokio::time::sleep(std::time::Duration::from_millis(n % 40)).await;
        let cancel = async || {
            let answer = app.op("order.cancel", json!({"orderId": placed["id"]})).await;
            // A busy server may ask to be asked again.
            (answer.status != 503).then_some(answer)
        };
        let answer = app.until("the cancellation is answered", cancel).await;
        assert!(matches!(answer.status.as_u16(), 200 | 409 | 422), "{}: {:#}", answer.status, answer.body);
        ended(&app, &placed["id"]).await
    };
    let orders: Vec<Value> = futures::stream::iter(0..120).map(race).buffer_unordered(12).collect().await;
    let ends = orders.iter().fold(BTreeMap::<&str, i64>::new(), |mut ends, order| {
        *ends.entry(order["state"].as_str().unwrap()).or_default() += 1;
        ends
    });
    println!("120 orders that were called off on their way: {ends:?}");
    app.settle().await;
    let completed = ends.get("completed").copied().unwrap_or_default();
    assert_eq!(completed + ends.get("cancelled").copied().unwrap_or_default(), 120, "{ends:?}");
    assert_eq!(pools(&app).await, (before.0 - completed, before.1 - completed));
    assert_eq!(app.number("select count(*) from subscription.subscription where state = 'active'").await, completed);
    let kept = "select (select count(*) from mock_gateway.charge) - (select count(*) from mock_gateway.refund)";
    assert_eq!(app.number(kept).await, completed, "what was charged for the others went back");
    app.finish().await;
}
