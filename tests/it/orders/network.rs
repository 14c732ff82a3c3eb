//! Network tasks: attempts, faults, and what an operator does with those that ended badly.

use serde_json::json;

use super::{VISA, ended, fault, order, place, task_in};
use crate::support::app::TestApp;
use crate::support::client::Client;

#[tokio::test]
async fn a_first_attempt_that_fails_is_followed_by_one_that_works() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "fail_first_attempt", true).await;
    assert_eq!(app.order(&customer, "PLAN_S").await["state"], "completed");
    let task = task_in(&app, "HLR_PROVISION", "completed").await;
    assert_eq!(
        (&task["attempts"], &task["lastError"]),
        (&json!(2), &json!("Simulated fail_first_attempt for HLR_PROVISION"))
    );
    assert!(task["startedAt"].is_string() && task["completedAt"].is_string());
    app.finish().await;
}

#[tokio::test]
async fn a_stuck_task_is_resolved_and_the_same_one_completes() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    assert_eq!(task["attempts"], 0, "it was decided before any attempt");
    app.settle().await;
    assert_eq!(order(&app, &placed["id"]).await["state"], "in_progress");
    app.assert_books().await;
    let listed = app.op("provisioning.list_tasks", json!({"state": "stuck"})).await.ok();
    assert!(listed.as_array().unwrap().iter().all(|task| task["state"] == "stuck"), "{listed:#}");

    let resolve =
        async |id: &str, note: &str| app.op("provisioning.resolve_stuck", json!({"taskId": id, "note": note})).await;
    let id = task["id"].as_str().unwrap();
    resolve("PTK-9999", "  ").await.violates("provisioning.resolve_stuck.requires_note");
    assert_eq!(resolve("PTK-9999", "x").await.status, 404);
    app.op("provisioning.retry_failed", json!({"taskId": id}))
        .await
        .violates("provisioning_task.retry.requires_failed_state");
    let resolved = resolve(id, "HLR restarted").await.ok();
    assert_eq!((&resolved["id"], &resolved["state"]), (&task["id"], &json!("completed")), "{resolved:#}");
    assert_eq!(resolved["lastError"], "Resolved by operator: HLR restarted");
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    resolve(id, "again").await.violates("provisioning_task.resolve.requires_stuck_state");
    assert_eq!(app.number("select count(*) from provisioning.provisioning_task").await, 4, "no second task");
    let events = app.op("events.list", json!({"aggregateId": id})).await.ok();
    let types: Vec<&str> =
        events["events"].as_array().unwrap().iter().filter_map(|e| e["eventType"].as_str()).collect();
    assert_eq!(types, ["created", "stuck", "restarted", "completed"].map(|end| format!("provisioning.task.{end}")));
    app.finish().await;
}

#[tokio::test]
async fn as_many_attempts_fail_as_the_rule_says() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let rule = |attempts: i64| json!({"taskType": "OCS_BALANCE_INIT", "faultType": "fail_first_attempt", "attempts": attempts});
    for bad in [0, 101] {
        assert_eq!(app.op("provisioning.set_fault_injection", rule(bad)).await.status, 400, "{bad}");
    }
    assert_eq!(app.op("provisioning.set_fault_injection", rule(2)).await.ok()["attempts"], 2);
    assert_eq!(app.order(&customer, "PLAN_S").await["state"], "completed");
    assert_eq!(task_in(&app, "OCS_BALANCE_INIT", "completed").await["attempts"], 3);
    app.op("provisioning.set_fault_injection", rule(3)).await.ok();
    assert_eq!(app.order(&customer, "PLAN_S").await["state"], "failed", "a task has three attempts");
    app.finish().await;
}

#[tokio::test]
async fn a_slow_task_takes_its_time_and_completes() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    fault(&app, "OCS_BALANCE_INIT", "slow", true).await;
    assert_eq!(app.order(&customer, "PLAN_S").await["state"], "completed");
    let task = task_in(&app, "OCS_BALANCE_INIT", "completed").await;
    let at = |name: &str| task[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let took = (at("completedAt") - at("startedAt")).num_milliseconds();
    assert!((400..3_000).contains(&took), "two to five times 200 ms: {took} ms");
    app.finish().await;
}

#[tokio::test]
async fn several_faults_of_one_task_type_do_not_lose_the_task() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    for fault_type in ["stuck", "fail_first_attempt", "slow"] {
        fault(&app, "OCS_BALANCE_INIT", fault_type, true).await;
    }
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "OCS_BALANCE_INIT", "stuck").await;
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "go on"})).await.ok();
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    let task = task_in(&app, "OCS_BALANCE_INIT", "completed").await;
    assert_eq!(task["attempts"], 2);
    app.finish().await;
}

#[tokio::test]
async fn fault_rules_are_an_administrators_and_have_bounds() {
    let app = TestApp::new().await;
    let rules = app.op("provisioning.list_fault_injections", json!({})).await.ok();
    assert_eq!(rules.as_array().unwrap().len(), 6);
    assert!(rules.as_array().unwrap().iter().all(|rule| rule["enabled"] == false));
    let body = json!({"taskType": "HLR_PROVISION", "faultType": "stuck", "probability": 0.25});
    let refused = Client::plain()
        .post(app.url("/ops/v1/provisioning.set_fault_injection"))
        .header("x-bss-api-token", "b2".repeat(32))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    let changed = app.op("provisioning.set_fault_injection", body).await.ok();
    assert_eq!(
        (&changed["id"], &changed["probability"], &changed["enabled"]),
        (&json!("FI_HLR_PROV_STUCK"), &json!(0.25), &json!(true))
    );
    let made = json!({"taskType": "SERVICE_RESUME", "faultType": "fail_always"});
    let made = app.op("provisioning.set_fault_injection", made).await.ok();
    assert_eq!((&made["id"], &made["probability"]), (&json!("FI_SERVICE_RESUME_FAIL_ALWAYS"), &json!(1.0)));
    for bad in [json!(1.01), json!(-0.5), json!("1")] {
        let body = json!({"taskType": "HLR_PROVISION", "faultType": "stuck", "probability": bad});
        assert_eq!(app.op("provisioning.set_fault_injection", body).await.status, 400, "{bad}");
    }
    let body = json!({"taskType": "NOTHING", "faultType": "stuck"});
    assert_eq!(app.op("provisioning.set_fault_injection", body).await.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_task_that_a_process_left_behind_is_taken_over() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    app.settle().await;
    // As a process leaves it that dies in the middle of an attempt, and whose delivery is lost on top.
    app.sql(
        "update provisioning.provisioning_task set state = 'running', attempts = 1, leased_by = gen_random_uuid(),
             lease_until = clock_timestamp() - interval '1 s' where state = 'stuck'",
    )
    .await;
    let report = app.op("worker.tick", json!({"name": "provisioning_recovery"})).await.ok();
    // The periodic run of the same tick may have been faster.
    assert!(report["recovered"].as_u64().is_some_and(|n| n <= 1), "{report}");
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    let taken = app.op("provisioning.get_task", json!({"taskId": task["id"]})).await.ok();
    assert_eq!((&taken["state"], &taken["attempts"]), (&json!("completed"), &json!(2)));
    app.finish().await;
}

#[tokio::test]
async fn a_task_under_somebody_elses_lease_is_left_alone() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    place(&app, &customer).await;
    task_in(&app, "HLR_PROVISION", "stuck").await;
    app.settle().await;
    app.sql(
        "update provisioning.provisioning_task set state = 'running', attempts = 1, leased_by = gen_random_uuid(),
             lease_until = clock_timestamp() + interval '8 s' where state = 'stuck'",
    )
    .await;
    app.sql("update audit.delivery set state = 'pending', next_attempt_at = clock_timestamp() where consumer = 'provisioning.run_task'").await;
    app.platform.db.wake().heard();
    app.settle().await;
    assert_eq!(app.number("select count(*) from provisioning.provisioning_task where state = 'running'").await, 1);
    // Its lease ends, and recovery finishes the order.
    app.until("the task is taken over", async || {
        app.op("worker.tick", json!({"name": "provisioning_recovery"})).await.ok();
        (app.number("select count(*) from provisioning.provisioning_task where state = 'completed'").await == 4)
            .then_some(())
    })
    .await;
    app.finish().await;
}
