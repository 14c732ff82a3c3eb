//! What happens to a line reaches the network, in the order in which it happened, whatever gets stuck on the way.

use serde_json::{Value, json};

use super::{VISA, fault, task_in};
use crate::support::app::TestApp;
use crate::support::cluster;

/// Uses up the data of the line, which blocks it.
async fn exhaust(app: &TestApp, line: &Value) {
    let usage = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 100_000, "unit": "mb"});
    app.op("usage.simulate", usage).await.ok();
}

async fn top_up(app: &TestApp, line: &Value) {
    let purchase = json!({"subscriptionId": line["id"], "vasOfferingId": "VAS_DATA_1GB"});
    app.op("subscription.purchase_vas", purchase).await.ok();
}

/// What the network is to do with the line's service, and what it has confirmed.
async fn network(app: &TestApp, line: &Value) -> (String, String) {
    let service = app.op("service.get", json!({"serviceId": line["cfsServiceId"]})).await.ok();
    let state = |name: &str| service[name].as_str().unwrap_or("nothing").to_owned();
    (state("networkWanted"), state("networkConfirmed"))
}

fn both(state: &str) -> (String, String) {
    (state.to_owned(), state.to_owned())
}

/// The tasks of the line's service in the order of their booking, without those of the activation.
async fn tasks(app: &TestApp, line: &Value) -> Vec<(String, String)> {
    let listed = app.op("provisioning.list_tasks", json!({"serviceId": line["cfsServiceId"], "limit": 200})).await.ok();
    let text = |task: &Value, name: &str| task[name].as_str().expect("a text").to_owned();
    let mut tasks: Vec<(String, String, String)> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|task| (text(task, "id"), text(task, "taskType"), text(task, "state")))
        .collect();
    tasks.sort_by_key(|(id, ..)| id.trim_start_matches("PTK-").parse::<u64>().expect("a number"));
    tasks.into_iter().skip(4).map(|(_, kind, state)| (kind, state)).collect()
}

fn done(kinds: &[&str]) -> Vec<(String, String)> {
    kinds.iter().map(|kind| ((*kind).to_owned(), "completed".to_owned())).collect()
}

#[tokio::test]
async fn a_blocked_line_is_suspended_and_an_unblocked_one_resumed() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    assert_eq!(network(&app, &line).await, both("in_service"));
    exhaust(&app, &line).await;
    app.settle().await;
    assert_eq!(tasks(&app, &line).await, done(&["SERVICE_SUSPEND"]));
    assert_eq!(network(&app, &line).await, both("suspended"));
    let tmf =
        app.get(&format!("/tmf-api/serviceInventory/v4/service/{}", line["cfsServiceId"].as_str().unwrap())).await;
    let tmf = tmf.ok();
    assert_eq!((&tmf["state"], &tmf["isServiceEnabled"]), (&json!("active"), &json!(false)), "{tmf:#}");
    top_up(&app, &line).await;
    app.settle().await;
    assert_eq!(tasks(&app, &line).await, done(&["SERVICE_SUSPEND", "SERVICE_RESUME"]));
    assert_eq!(network(&app, &line).await, both("in_service"));
    let orders = app.op("service_order.list_for_order", json!({"orderId": line["commercialOrderId"]})).await.ok();
    let kinds: Vec<&str> = orders.as_array().unwrap().iter().filter_map(|order| order["kind"].as_str()).collect();
    assert_eq!(kinds, ["activation", "change", "change"], "the order shows what became of its services");
    app.finish().await;
}

#[tokio::test]
async fn a_resume_waits_for_the_suspend_that_is_stuck() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    fault(&app, "SERVICE_SUSPEND", "stuck", true).await;
    exhaust(&app, &line).await;
    let stuck = task_in(&app, "SERVICE_SUSPEND", "stuck").await;
    top_up(&app, &line).await;
    let waiting = task_in(&app, "SERVICE_RESUME", "pending").await;
    app.settle().await;
    assert_eq!(waiting["waitsFor"], stuck["id"]);
    let line_now = app.op("subscription.get", json!({"subscriptionId": line["id"]})).await.ok();
    assert_eq!(line_now["state"], "active", "the line does not wait for the network");
    app.op("worker.tick", json!({"name": "provisioning_recovery"})).await.ok();
    assert_eq!(task_in(&app, "SERVICE_RESUME", "pending").await["attempts"], 0, "nor does recovery overtake");
    app.assert_books().await;
    app.op("provisioning.resolve_stuck", json!({"taskId": stuck["id"], "note": "HLR is back"})).await.ok();
    task_in(&app, "SERVICE_RESUME", "completed").await;
    app.settle().await;
    assert_eq!(tasks(&app, &line).await, done(&["SERVICE_SUSPEND", "SERVICE_RESUME"]));
    assert_eq!(network(&app, &line).await, both("in_service"));
    app.finish().await;
}

#[tokio::test]
async fn a_suspension_that_the_network_has_not_confirmed_is_seen() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    fault(&app, "SERVICE_SUSPEND", "fail_always", true).await;
    exhaust(&app, &line).await;
    let failed = task_in(&app, "SERVICE_SUSPEND", "failed").await;
    app.settle().await;
    assert_eq!(network(&app, &line).await, ("suspended".to_owned(), "in_service".to_owned()));
    let listed = app.op("service.list_unconfirmed", json!({"wanted": "suspended"})).await.ok();
    assert_eq!(listed[0]["id"], line["cfsServiceId"], "{listed:#}");
    assert_eq!(app.op("service.list_unconfirmed", json!({"wanted": "in_service"})).await.ok(), json!([]));
    assert_eq!(app.op("service.list_unconfirmed", json!({"limit": 0})).await.status, 400);
    assert_eq!(app.op("service.list_unconfirmed", json!({"offset": 1})).await.ok(), json!([]), "there is one");
    app.op("worker.tick", json!({"name": "network_watch"})).await.ok();
    let metrics = app.get("/metrics").await.body;
    assert!(metrics.as_str().unwrap().contains("bss_network_unconfirmed{wanted=\"suspended\"}"), "{metrics}");
    let page = app
        .get(&format!("/tmf-api/serviceOrdering/v4/serviceOrder/{}", failed["serviceOrderId"].as_str().unwrap()))
        .await;
    assert_eq!(page.ok()["jeopardyAlert"][0]["jeopardyType"], "failed");
    app.assert_books().await;

    fault(&app, "SERVICE_SUSPEND", "fail_always", false).await;
    app.op("provisioning.retry_failed", json!({"taskId": failed["id"]})).await.ok();
    app.settle().await;
    assert_eq!(network(&app, &line).await, both("suspended"));
    assert_eq!(app.op("service.list_unconfirmed", json!({})).await.ok(), json!([]));
    app.finish().await;
}

#[tokio::test]
async fn a_task_that_is_given_up_lets_the_next_one_run() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    fault(&app, "SERVICE_SUSPEND", "stuck", true).await;
    exhaust(&app, &line).await;
    let stuck = task_in(&app, "SERVICE_SUSPEND", "stuck").await;
    top_up(&app, &line).await;
    task_in(&app, "SERVICE_RESUME", "pending").await;
    let abandon = async |note: &str| app.op("provisioning.abandon", json!({"taskId": stuck["id"], "note": note})).await;
    abandon(" ").await.violates("provisioning.abandon.requires_note");
    let abandoned = abandon("the element is gone").await.ok();
    assert_eq!(
        (&abandoned["state"], &abandoned["lastError"]),
        (&json!("abandoned"), &json!("Abandoned by operator: the element is gone"))
    );
    abandon("again").await.violates("provisioning_task.abandon.requires_failed_or_stuck_state");
    task_in(&app, "SERVICE_RESUME", "completed").await;
    app.settle().await;
    let given_up = app.op("service_order.get", json!({"serviceOrderId": stuck["serviceOrderId"]})).await.ok();
    assert_eq!(given_up["state"], "failed", "{given_up:#}");
    assert_eq!(network(&app, &line).await, both("in_service"));
    assert_eq!(app.number("select count(*) from provisioning.provisioning_task").await, 6, "no second task");
    app.finish().await;
}

async fn block(app: &TestApp, line: &Value, reason: &str) {
    app.op("subscription.block", json!({"subscriptionId": line["id"], "reason": reason})).await.ok();
}

#[tokio::test]
async fn a_line_that_is_stolen_after_its_suspension_was_given_up_is_suspended() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    fault(&app, "SERVICE_SUSPEND", "stuck", true).await;
    exhaust(&app, &line).await;
    let stuck = task_in(&app, "SERVICE_SUSPEND", "stuck").await;
    block(&app, &line, "requested").await;
    app.settle().await;
    assert_eq!(tasks(&app, &line).await.len(), 1, "it is asked for already");
    app.op("provisioning.abandon", json!({"taskId": stuck["id"], "note": "the HLR is down"})).await.ok();
    app.settle().await;
    assert_eq!(network(&app, &line).await, ("suspended".to_owned(), "in_service".to_owned()));
    app.assert_books().await;

    fault(&app, "SERVICE_SUSPEND", "stuck", false).await;
    block(&app, &line, "fraud").await;
    app.settle().await;
    assert_eq!(network(&app, &line).await, both("suspended"));
    let states = ["abandoned", "completed"].map(|state| ("SERVICE_SUSPEND".to_owned(), state.to_owned()));
    assert_eq!(tasks(&app, &line).await, states);
    app.finish().await;
}

#[tokio::test]
async fn a_block_that_overtakes_the_word_of_an_abandoned_task_asks_for_a_new_one() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    fault(&app, "SERVICE_SUSPEND", "stuck", true).await;
    exhaust(&app, &line).await;
    let stuck = task_in(&app, "SERVICE_SUSPEND", "stuck").await;
    app.settle().await;
    app.sql(
        "create function hold() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := clock_timestamp() + interval '1 hour'; return new; end $$",
    )
    .await;
    app.sql(
        "create trigger hold before insert on audit.delivery
         for each row when (new.consumer = 'som.note_abandoned_task') execute function hold()",
    )
    .await;
    fault(&app, "SERVICE_SUSPEND", "stuck", false).await;
    app.op("provisioning.abandon", json!({"taskId": stuck["id"], "note": "the HLR is down"})).await.ok();
    block(&app, &line, "requested").await;
    task_in(&app, "SERVICE_SUSPEND", "completed").await;
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.platform.db.wake().heard();
    app.settle().await;
    assert_eq!(network(&app, &line).await, both("suspended"));
    assert_eq!(tasks(&app, &line).await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn a_cessation_that_is_given_up_ends_the_services() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    fault(&app, "HLR_DEPROVISION", "fail_always", true).await;
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    let task = task_in(&app, "HLR_DEPROVISION", "failed").await;
    app.op("provisioning.abandon", json!({"taskId": task["id"], "note": "removed by hand"})).await.ok();
    app.settle().await;
    let service = app.op("service.get", json!({"serviceId": line["cfsServiceId"]})).await.ok();
    assert_eq!(service["state"], "terminated");
    assert_eq!(network(&app, &line).await, both("removed"), "the operator has seen to it");
    app.finish().await;
}

#[tokio::test]
async fn deliveries_that_overtake_each_other_end_where_the_line_ends() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    app.sql(
        "create function hold() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := clock_timestamp() + interval '1 hour'; return new; end $$",
    )
    .await;
    app.sql(
        "create trigger hold before insert on audit.delivery
         for each row when (new.consumer in ('som.suspend_line', 'som.resume_line', 'som.cease_line')) execute function hold()",
    )
    .await;
    exhaust(&app, &line).await;
    top_up(&app, &line).await;
    exhaust(&app, &line).await;
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    // The last one comes first, alone.
    let last = "update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending' and consumer = 'som.cease_line'";
    app.sql(last).await;
    app.platform.db.wake().heard();
    task_in(&app, "HLR_DEPROVISION", "completed").await;
    let expected = done(&["SERVICE_SUSPEND", "SERVICE_RESUME", "SERVICE_SUSPEND", "HLR_DEPROVISION"]);
    assert_eq!(tasks(&app, &line).await, expected);
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.platform.db.wake().heard();
    app.settle().await;
    assert_eq!(tasks(&app, &line).await, expected, "the others find nothing left to do");
    assert_eq!(network(&app, &line).await, both("removed"));
    app.finish().await;
}

#[tokio::test]
async fn the_order_of_tasks_holds_over_replicas() {
    let url = cluster::database().await;
    let app = TestApp::on(cluster::replica(&url, &[])).await;
    let mut other = TestApp::on(cluster::replica(&url, &[])).await;
    let line = app.line("PLAN_S").await;
    fault(&app, "SERVICE_SUSPEND", "stuck", true).await;
    exhaust(&app, &line).await;
    let stuck = task_in(&app, "SERVICE_SUSPEND", "stuck").await;
    for _ in 0..4 {
        top_up(&app, &line).await;
        exhaust(&app, &line).await;
    }
    app.until("all is booked", async || (tasks(&app, &line).await.len() == 9).then_some(())).await;
    fault(&app, "SERVICE_SUSPEND", "stuck", false).await;
    other.op("provisioning.resolve_stuck", json!({"taskId": stuck["id"], "note": "go on"})).await.ok();
    app.until("all is done", async || {
        tasks(&app, &line).await.iter().all(|(_, state)| state == "completed").then_some(())
    })
    .await;
    let alternating = [["SERVICE_SUSPEND", "SERVICE_RESUME"].as_slice(); 5].concat();
    assert_eq!(tasks(&app, &line).await, done(&alternating[..9]));
    let overtaken = "select count(*) from audit.domain_event a join audit.domain_event b on b.aggregate_type = a.aggregate_type
         where a.event_type = 'provisioning.task.completed' and b.event_type = 'provisioning.task.completed' and a.id < b.id
           and (select position from provisioning.provisioning_task where id = a.aggregate_id and task_type like 'SERVICE%')
             > (select position from provisioning.provisioning_task where id = b.aggregate_id and task_type like 'SERVICE%')";
    assert_eq!(app.number(overtaken).await, 0);
    app.settle().await;
    assert_eq!(network(&app, &line).await, both("suspended"));
    other.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn a_new_plan_is_told_as_policy() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    let change = json!({"subscriptionId": line["id"], "newOfferingId": "PLAN_L"});
    app.op("subscription.schedule_plan_change", change).await.ok();
    app.op("clock.advance", json!({"duration": "30d"})).await.ok();
    app.op("subscription.tick_renewals_now", json!({})).await.ok();
    app.settle().await;
    assert_eq!(tasks(&app, &line).await, done(&["PCRF_POLICY_PUSH"]));
    assert_eq!(
        app.number("select count(*) from provisioning.provisioning_task where payload ->> 'offeringId' = 'PLAN_L' and payload ->> 'previousOfferingId' = 'PLAN_S'").await,
        1
    );
    app.finish().await;
}

/// The plans whose policy the network is to apply to the line's service, and has confirmed.
async fn policy(app: &TestApp, line: &Value) -> (Value, Value) {
    let service = app.op("service.get", json!({"serviceId": line["cfsServiceId"]})).await.ok();
    (service["policyWanted"].clone(), service["policyConfirmed"].clone())
}

#[tokio::test]
async fn a_policy_that_was_given_up_is_seen_until_it_is_pushed_again() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    assert_eq!(policy(&app, &line).await, (json!("PLAN_S"), json!("PLAN_S")));
    fault(&app, "PCRF_POLICY_PUSH", "fail_always", true).await;
    let change = json!({"subscriptionId": line["id"], "newOfferingId": "PLAN_L"});
    app.op("subscription.schedule_plan_change", change).await.ok();
    app.op("clock.advance", json!({"duration": "30d"})).await.ok();
    app.op("subscription.tick_renewals_now", json!({})).await.ok();
    let failed = task_in(&app, "PCRF_POLICY_PUSH", "failed").await;
    app.settle().await;
    let unconfirmed = async |of: Value| app.op("service.list_unconfirmed", of).await.ok();
    assert_eq!(unconfirmed(json!({})).await[0]["id"], line["cfsServiceId"]);
    app.assert_books().await;
    app.op("provisioning.abandon", json!({"taskId": failed["id"], "note": "the PCRF is replaced"})).await.ok();
    app.settle().await;
    assert_eq!(policy(&app, &line).await, (json!("PLAN_L"), json!("PLAN_S")));
    assert_eq!(unconfirmed(json!({})).await[0]["id"], line["cfsServiceId"]);
    assert_eq!(unconfirmed(json!({"wanted": "suspended"})).await, json!([]));
    app.op("worker.tick", json!({"name": "network_watch"})).await.ok();
    let metrics = app.get("/metrics").await.body;
    assert!(metrics.as_str().unwrap().contains("bss_network_unconfirmed{wanted=\"policy\"}"), "{metrics}");
    app.assert_books().await;

    fault(&app, "PCRF_POLICY_PUSH", "fail_always", false).await;
    let again =
        json!({"serviceOrderItem": [{"id": "1", "action": "noChange", "service": {"id": line["cfsServiceId"]}}]});
    app.send(reqwest::Method::POST, "/tmf-api/serviceOrdering/v4/serviceOrder", &again).await.ok();
    app.settle().await;
    assert_eq!(policy(&app, &line).await, (json!("PLAN_L"), json!("PLAN_L")));
    assert_eq!(unconfirmed(json!({})).await, json!([]));
    app.finish().await;
}

#[tokio::test]
async fn the_last_card_is_not_taken_away_while_a_line_is_booked() {
    // An order leaves more events than that.
    const ROUNDS: i64 = 12;
    let app = TestApp::new().await;
    for round in 0..ROUNDS {
        let customer = app.customer(VISA).await;
        let cards = app.op("payment.list_methods", json!({"customerId": customer})).await.ok();
        let events = "select count(*) from audit.domain_event";
        let before = app.number(events).await;
        let placed = super::place(&app, &customer).await;
        let remove = async {
            for _ in 0..40 {
                let answer = app.op("payment.remove_method", json!({"paymentMethodId": cards[0]["id"]})).await;
                if answer.status.is_success() || answer.status == 422 {
                    return answer.status.is_success();
                }
            }
            false
        };
        // At another instant of the order's way each time.
        let (removed, ended) = tokio::join!(
            async {
                app.until("the order has got this far", async || {
                    (app.number(events).await - before >= round).then_some(())
                })
                .await;
                remove.await
            },
            super::ended(&app, &placed["id"])
        );
        let open = ended["state"] == "completed";
        assert!(!(open && removed), "a line in service without a card: {ended:#}");
    }
    app.finish().await;
}
