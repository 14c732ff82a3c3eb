//! From a submitted order to services, tasks and a line, and every way in which that can fail.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{VISA, ended, fault, order, place, pools, reasons, service_order, task_in};
use crate::support::app::TestApp;

#[tokio::test]
async fn a_submitted_order_becomes_services_and_four_tasks() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let completed = app.order(&customer, "PLAN_M").await;
    app.settle().await;
    let line = &completed["items"][0]["targetSubscriptionId"];
    let services = service_order(&app, &completed).await;
    assert_eq!(
        (&services["kind"], &services["state"], &services["subscriptionId"]),
        (&json!("activation"), &json!("completed"), line)
    );
    let tasks = services["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 4);
    assert!(tasks.iter().all(|task| task["state"] == "completed"), "{services:#}");

    let services = app.op("service.list_for_subscription", json!({"subscriptionId": line})).await.ok();
    let kinds: Vec<&str> = services.as_array().unwrap().iter().filter_map(|service| service["type"].as_str()).collect();
    assert_eq!(kinds, ["CFS", "RFS", "RFS"]);
    let cfs = app.op("service.get", json!({"serviceId": services[0]["id"]})).await.ok();
    assert_eq!((cfs["state"].as_str(), cfs["children"].as_array().map(Vec::len)), (Some("activated"), Some(2)));
    let states: Vec<&str> =
        cfs["history"].as_array().unwrap().iter().filter_map(|line| line["toState"].as_str()).collect();
    assert_eq!(states, ["designed", "reserved", "activated"]);
    let line = app.op("subscription.get", json!({"subscriptionId": line})).await.ok();
    assert_eq!((&line["cfsServiceId"], &line["msisdn"]), (&cfs["id"], &cfs["msisdn"]));
    let mapping = app
        .number(
            "select count(*) from catalog.service_specification s join service_inventory.service v on v.spec_id = s.id",
        )
        .await;
    assert_eq!(mapping, 3, "what a plan is made of is the catalog's to say");
    app.finish().await;
}

#[tokio::test]
async fn four_tasks_that_complete_at_the_same_instant_two_hundred_times() {
    const ORDERS: usize = 200;
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    // Every answer of the network becomes due at the next full second, so that the four of an order are taken together.
    app.sql(
        "create function at_once() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := date_trunc('second', clock_timestamp()) + interval '1 s'; return new; end $$",
    )
    .await;
    app.sql(
        "create trigger at_once before insert on audit.delivery
         for each row when (new.consumer = 'som.note_completed_task') execute function at_once()",
    )
    .await;
    let started = Instant::now();
    let placed = futures::stream::iter(0..ORDERS).map(|_| place(&app, &customer)).buffer_unordered(16);
    assert_eq!(placed.collect::<Vec<Value>>().await.len(), ORDERS);
    // Looked at from time to time only: two hundred that ask all the time would be the load.
    while app.number("select count(*) from order_mgmt.product_order where state = 'in_progress'").await > 0 {
        assert!(started.elapsed() < Duration::from_secs(120), "orders are stuck");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{ORDERS} orders with four answers at once: {:.1} s", started.elapsed().as_secs_f64());
    assert_eq!(app.number("select count(*) from order_mgmt.product_order where state = 'completed'").await, 200);
    app.settle().await;
    for once in ["service_order.completed", "service.activated", "order.completed", "subscription.activated"] {
        let query = json!({"eventType": once, "limit": 1000});
        assert_eq!(app.op("events.list", query).await.ok()["count"], json!(ORDERS), "{once}");
    }
    assert_eq!(
        app.number("select count(*) from service_inventory.service where state = 'activated' and version = 3").await,
        600
    );
    assert_eq!(
        app.number("select count(*) from provisioning.provisioning_task where state = 'completed' and attempts = 1")
            .await,
        800
    );
    app.finish().await;
}

#[tokio::test]
async fn a_second_decomposition_finds_the_first() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    let again = app
        .sql("update audit.delivery set state = 'pending', next_attempt_at = clock_timestamp() where consumer in ('som.decompose', 'provisioning.run_task')")
        .await;
    assert_eq!(again, 5);
    app.platform.db.wake().heard();
    app.settle().await;
    assert_eq!(app.number("select count(*) from service_inventory.service_order").await, 1);
    assert_eq!(app.number("select count(*) from provisioning.provisioning_task").await, 4);
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1));
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "fine"})).await.ok();
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn an_empty_pool_fails_the_order_and_takes_nothing() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    app.sql(
        "update inventory.msisdn_pool set status = 'ported_out' where status = 'available' and msisdn > '90000000'",
    )
    .await;
    app.sql("update inventory.esim_profile set profile_state = 'recycled' where profile_state = 'available'").await;
    let failed = app.order(&customer, "PLAN_M").await;
    assert_eq!(failed["state"], "failed", "{failed:#}");
    assert!(failed["stateReason"].as_str().unwrap().contains("eSIM"), "{failed:#}");
    assert_eq!(pools(&app).await, (1, 0), "the number that was there still is");
    app.sql("update inventory.msisdn_pool set status = 'ported_out' where status = 'available'").await;
    let failed = app.order(&customer, "PLAN_M").await;
    assert!(failed["stateReason"].as_str().unwrap().contains("number"), "{failed:#}");
    app.settle().await;
    assert_eq!(app.number("select count(*) from service_inventory.service_order").await, 0);
    assert_eq!(
        app.number("select count(*) from audit.delivery where attempts > 1").await,
        0,
        "an outcome, not a retry"
    );
    let events = app.op("events.list", json!({"eventType": "order.failed"})).await.ok();
    assert_eq!(events["count"], 2);
    app.finish().await;
}

#[tokio::test]
async fn a_number_that_was_wished_for_is_given_or_replaced_visibly() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let wish = async |number: &str| {
        let body = json!({"customerId": customer, "offeringId": "PLAN_S", "msisdnPreference": number});
        let placed = app.op("order.create", body).await.ok();
        let completed = ended(&app, &placed["id"]).await;
        assert_eq!(completed["state"], "completed", "{completed:#}");
        let line = app
            .op("subscription.get", json!({"subscriptionId": completed["items"][0]["targetSubscriptionId"]}))
            .await
            .ok();
        (completed, line["msisdn"].as_str().unwrap().to_owned())
    };
    let (first, given) = wish("90000777").await;
    assert_eq!(given, "90000777");
    assert!(!reasons(&first).iter().any(|reason| reason.contains("instead")));
    let (second, given) = wish("90000777").await;
    assert_ne!(given, "90000777");
    let expected = format!("the number 90000777 was not available, {given} was taken instead");
    assert!(reasons(&second).contains(&expected.as_str()), "{second:#}");
    app.finish().await;
}

#[tokio::test]
async fn a_task_that_fails_for_good_fails_the_order_and_gives_everything_back() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    fault(&app, "PCRF_POLICY_PUSH", "fail_always", true).await;
    let failed = app.order(&customer, "PLAN_M").await;
    assert_eq!(failed["stateReason"], "provisioning task PCRF_POLICY_PUSH failed permanently", "{failed:#}");
    assert_eq!(failed["items"][0]["state"], "failed");
    app.settle().await;
    assert_eq!(pools(&app).await, before);
    let task = task_in(&app, "PCRF_POLICY_PUSH", "withdrawn").await;
    assert_eq!((&task["attempts"], &task["maxAttempts"]), (&json!(3), &json!(3)));
    assert_eq!(task["lastError"], "Simulated fail_always for PCRF_POLICY_PUSH");
    assert_eq!(service_order(&app, &failed).await["state"], "failed");
    assert_eq!(app.number("select count(*) from service_inventory.service where state = 'failed'").await, 3);
    assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 0);
    task_in(&app, "HLR_DEPROVISION", "completed").await;

    // What has failed stays failed: nothing can be tried for it any more.
    fault(&app, "PCRF_POLICY_PUSH", "fail_always", false).await;
    let retried = app.op("provisioning.retry_failed", json!({"taskId": task["id"]})).await;
    retried.violates("provisioning_task.retry.requires_failed_state");
    assert_eq!(order(&app, &failed["id"]).await["state"], "failed");
    assert_eq!(app.order(&customer, "PLAN_M").await["state"], "completed", "a new order works");
    app.finish().await;
}

#[tokio::test]
async fn a_provider_of_esims_that_has_no_contract_fails_the_order_with_its_reason() {
    for provider in ["onbglobal", "esim_access"] {
        let app = TestApp::with(&[("BSS_ESIM_PROVIDER", provider)]).await;
        let before = pools(&app).await;
        let customer = app.customer(VISA).await;
        let failed = app.order(&customer, "PLAN_M").await;
        assert_eq!(failed["stateReason"], "provisioning task ESIM_PROFILE_PREPARE failed permanently", "{failed:#}");
        app.settle().await;
        let task = task_in(&app, "ESIM_PROFILE_PREPARE", "withdrawn").await;
        assert_eq!(task["attempts"], task["maxAttempts"]);
        assert_eq!(task["lastError"], format!("the eSIM provider {provider} needs NDA + credentials"));
        task_in(&app, "HLR_DEPROVISION", "completed").await;
        assert_eq!(pools(&app).await, before, "number and profile go back");
        assert_eq!(app.number("select count(*) from mock_gateway.charge").await, 0);
        app.finish().await;
    }
}

#[tokio::test]
async fn two_tasks_that_fail_are_one_failed_order() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    for task_type in ["HLR_PROVISION", "OCS_BALANCE_INIT", "ESIM_PROFILE_PREPARE"] {
        fault(&app, task_type, "fail_always", true).await;
    }
    assert_eq!(app.order(&customer, "PLAN_M").await["state"], "failed");
    app.settle().await;
    for once in ["order.failed", "service_order.failed"] {
        assert_eq!(app.op("events.list", json!({"eventType": once})).await.ok()["count"], 1, "{once}");
    }
    assert_eq!(app.number("select count(*) from provisioning.provisioning_task where state = 'withdrawn'").await, 3);
    assert_eq!(
        app.number("select count(*) from provisioning.provisioning_task where task_type = 'HLR_DEPROVISION'").await,
        1,
        "what did reach the network is taken out of it, once"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_card_removed_on_the_way_fails_the_order() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    let cards = app.op("payment.list_methods", json!({"customerId": customer})).await.ok();
    app.op("payment.remove_method", json!({"paymentMethodId": cards[0]["id"]})).await.ok();
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"})).await.ok();
    let failed = ended(&app, &placed["id"]).await;
    assert_eq!(failed["state"], "failed", "{failed:#}");
    assert!(failed["stateReason"].as_str().unwrap().contains("card"), "{failed:#}");
    app.settle().await;
    assert_eq!(pools(&app).await, before);
    assert_eq!(app.number("select count(*) from service_inventory.service where state = 'terminated'").await, 3);
    app.finish().await;
}

#[tokio::test]
async fn a_customer_closed_on_the_way_gets_no_line() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    app.op("customer.close", json!({"customerId": customer})).await.ok();
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "HLR is back"})).await.ok();
    assert_eq!(ended(&app, &placed["id"]).await["state"], "failed");
    app.settle().await;
    assert_eq!(pools(&app).await, before);
    assert_eq!(app.number("select count(*) from subscription.subscription").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_line_that_ends_leaves_the_network() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    fault(&app, "HLR_DEPROVISION", "stuck", true).await;
    let ended = app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    assert_eq!(ended["state"], "terminated", "at once, whatever the network says");
    let task = task_in(&app, "HLR_DEPROVISION", "stuck").await;
    assert_eq!(task["serviceId"], line["cfsServiceId"]);
    app.assert_books().await;
    let service = async || app.op("service.get", json!({"serviceId": line["cfsServiceId"]})).await.ok();
    assert_eq!(service().await["state"], "activated");
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "done by hand"})).await.ok();
    app.settle().await;
    let cfs = service().await;
    assert_eq!(cfs["state"], "terminated", "{cfs:#}");
    assert!(cfs["children"].as_array().unwrap().iter().all(|child| child["state"] == "terminated"), "{cfs:#}");
    let orders = app.op("service_order.list_for_order", json!({"orderId": line["commercialOrderId"]})).await.ok();
    assert_eq!((&orders[1]["kind"], &orders[1]["state"]), (&json!("cessation"), &json!("completed")));
    app.finish().await;
}

#[tokio::test]
async fn a_cessation_that_fails_waits_for_an_operator() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    fault(&app, "HLR_DEPROVISION", "fail_always", true).await;
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    let task = task_in(&app, "HLR_DEPROVISION", "failed").await;
    app.settle().await;
    app.assert_books().await;
    fault(&app, "HLR_DEPROVISION", "fail_always", false).await;
    app.op("provisioning.retry_failed", json!({"taskId": task["id"]})).await.ok();
    app.settle().await;
    let service = app.op("service.get", json!({"serviceId": line["cfsServiceId"]})).await.ok();
    assert_eq!(service["state"], "terminated");
    app.finish().await;
}

#[tokio::test]
async fn an_order_completes_in_the_blink_of_an_eye() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    app.order(&customer, "PLAN_S").await;
    let started = Instant::now();
    let placed = place(&app, &customer).await;
    app.op("order.wait_until", json!({"orderId": placed["id"]})).await.ok();
    println!("order to active line: {:?}", started.elapsed());
    app.settle().await;
    assert_eq!(app.number("select count(*) from audit.delivery where attempts > 1").await, 0, "nothing is tried twice");
    app.finish().await;
}

#[tokio::test]
async fn what_a_plan_needs_of_the_network_is_the_catalogs_to_say() {
    let app = TestApp::new().await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    app.sql("update catalog.service_specification set activation_tasks = '{PCRF_POLICY_PUSH}' where id = 'SSPEC_RFS_DATA_BEARER'").await;
    let completed = app.order(&customer, "PLAN_S").await;
    app.settle().await;
    let services = service_order(&app, &completed).await;
    let tasks: Vec<&str> =
        services["tasks"].as_array().unwrap().iter().filter_map(|task| task["taskType"].as_str()).collect();
    assert_eq!(tasks.len(), 3, "{tasks:?}");
    assert!(!tasks.contains(&"OCS_BALANCE_INIT"));
    app.sql(
        "update catalog.service_specification set activation_tasks = '{TELEPORT}' where id = 'SSPEC_RFS_VOICE_BEARER'",
    )
    .await;
    let failed = app.order(&customer, "PLAN_S").await;
    assert_eq!(failed["stateReason"], "SSPEC_RFS_VOICE_BEARER has the unknown network task TELEPORT");
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1), "only the first order took something");
    app.finish().await;
}
