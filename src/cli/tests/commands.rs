//! What each command sends.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Cli, PROFILE, Stub, run, violation};
use crate::cli::operations;

/// Every command with arguments, and the calls it makes.
const COMMANDS: &[(&str, &[&str])] = &[
    ("customer create --name Ada", &["customer.create"]),
    ("customer create --name Ada --card visa", &["customer.create", "payment.add_card"]),
    ("customer list", &["customer.list"]),
    (
        "customer show CUST-1",
        &["customer.get", "interaction.list", "order.list", "payment.list_methods", "subscription.list_for_customer"],
    ),
    ("customer find ada@example.test", &["customer.find_by_email"]),
    ("customer find 90000042", &["customer.find_by_msisdn"]),
    ("customer kyc CUST-1", &["customer.attest_kyc"]),
    ("customer add-contact CUST-1 --type email --value a@example.test", &["customer.add_contact_medium"]),
    ("customer change-contact CUST-1 CM-1 --value +6590000002", &["customer.update_contact_medium"]),
    ("customer remove-contact CUST-1 CM-1 --yes", &["customer.remove_contact_medium"]),
    ("customer note CUST-1 called", &["interaction.log"]),
    ("customer close CUST-1 --yes", &["customer.close"]),
    ("message list --customer CUST-1 --state failed", &["communication.list"]),
    ("message show MSG-1", &["communication.get"]),
    ("message resend MSG-1", &["communication.resend"]),
    ("message preferences CUST-1", &["communication.list_preferences"]),
    ("message opt-out CUST-1 low_balance", &["communication.set_preference"]),
    ("message opt-in CUST-1 low_balance", &["communication.set_preference"]),
    ("payment add-card --customer CUST-1 --card visa", &["payment.add_card"]),
    ("payment list-methods --customer CUST-1", &["payment.list_methods"]),
    ("payment set-default PM-0001", &["payment.set_default_method"]),
    ("payment remove-method PM-0001 --yes", &["payment.remove_method"]),
    ("payment cutover", &[]),
    ("payment cutover --invalidate-mock-tokens --yes", &["payment.cutover", "payment.preview_cutover"]),
    ("payment history CUST-1", &["payment.list_attempts", "payment.list_methods"]),
    ("payment attempts", &["payment.list_attempts"]),
    ("payment attempts PAY-000001", &["payment.get_attempt"]),
    ("payment refund PAY-000001 --reason error --yes", &["payment.refund"]),
    ("catalog list", &["catalog.list_active_offerings"]),
    ("catalog list --all", &["catalog.list_offerings"]),
    ("catalog show PLAN_M", &["catalog.get_offering"]),
    ("catalog vas", &["catalog.list_vas"]),
    ("catalog vas VAS_DATA_1GB", &["catalog.get_vas"]),
    (
        "promo create --id PROMO_1 --type percent --value 20 --duration single --code X --code-kind multi_use",
        &["promo.create"],
    ),
    ("promo list", &["promo.list"]),
    ("promo show PROMO_1", &["promo.show"]),
    ("promo assign --promo PROMO_1 --customers CUST-1,CUST-2", &["promo.assign"]),
    ("promo unassign --promo PROMO_1 --customers CUST-1", &["promo.unassign"]),
    ("promo exhaust PROMO_1 --yes", &["promo.exhaust"]),
    ("promo preview X --offering PLAN_S", &["promo.preview"]),
    ("order create --customer CUST-1 --offering PLAN_S --code X", &["order.create", "order.wait_until"]),
    ("order create --customer CUST-1 --offering PLAN_S", &["order.create", "order.wait_until"]),
    ("order create --customer CUST-1 --offering PLAN_S --no-wait", &["order.create"]),
    ("order create --customer CUST-1 --offering PLAN_S --no-submit", &["order.create"]),
    ("order show ORD-0001", &["order.get", "service_order.list_for_order"]),
    ("order triage", &["order.triage"]),
    ("order triage ORD-0001", &["order.triage"]),
    ("order retry ORD-0001", &["order.retry"]),
    ("order change SUB-0001 --customer CUST-1 --offering VAS_DATA_1GB", &["order.create", "order.wait_until"]),
    ("order cease SUB-0001 --customer CUST-1 --yes", &["order.cease", "order.wait_until"]),
    ("order list", &["order.list"]),
    ("order hold ORD-0001 --reason why", &["order.hold"]),
    ("order submit ORD-0001", &["order.submit"]),
    ("order cancel ORD-0001 --yes", &["order.cancel"]),
    ("order wait ORD-0001", &["order.wait_until"]),
    ("subscription show SUB-0001", &["subscription.get"]),
    ("subscription show SUB-0001 --show-esim", &["subscription.get", "subscription.get_esim_activation"]),
    ("subscription show 90000042", &["subscription.find_by_msisdn"]),
    ("subscription show SUB-0001 --show-esim", &["subscription.get", "subscription.get_esim_activation"]),
    ("subscription list --customer CUST-1", &["subscription.list_for_customer"]),
    ("subscription list --state blocked", &["subscription.list"]),
    ("subscription balance SUB-0001", &["subscription.get_balance"]),
    ("subscription vas SUB-0001 VAS_DATA_1GB", &["subscription.purchase_vas"]),
    ("subscription pay SUB-0001", &["subscription.pay_now"]),
    ("subscription renew SUB-0001", &["subscription.renew_now"]),
    ("subscription renewals", &["subscription.renewal_progress"]),
    ("subscription block SUB-0001 --note lost", &["subscription.block"]),
    ("subscription unblock SUB-0001 --reason fraud --note cleared", &["subscription.unblock"]),
    ("subscription change-plan SUB-0001 PLAN_L", &["subscription.schedule_plan_change"]),
    ("subscription keep-plan SUB-0001", &["subscription.cancel_pending_plan_change"]),
    (
        "subscription migrate-price --offering PLAN_M --new-price-id P2 --effective-from 2027-01-01T00:00:00Z --yes",
        &["subscription.migrate_to_new_price"],
    ),
    ("subscription timeline SUB-0001 --limit 5", &["subscription.timeline"]),
    ("subscription terminate SUB-0001 --yes", &["subscription.terminate"]),
    ("subscription history SUB-0001", &["subscription.history"]),
    ("subscription esim SUB-0001", &["subscription.get_esim_activation"]),
    ("usage simulate --msisdn 90000042", &["usage.simulate"]),
    ("rating explain UE-000001", &["rating.explain"]),
    ("rating tariff PLAN_M", &["rating.tariff"]),
    ("rating test PLAN_M 1GB --roaming", &["rating.test"]),
    ("usage show UE-000001", &["usage.get"]),
    ("usage history --msisdn 90000042", &["usage.history"]),
    ("usage import src/cli/tests/usage.csv --restart", &["usage.import_batch"]),
    ("inventory msisdn list", &["inventory.msisdn.list"]),
    ("inventory msisdn show 90000042", &["inventory.msisdn.get"]),
    ("inventory msisdn count", &["inventory.msisdn.count"]),
    ("inventory msisdn add-range 9100 10", &["inventory.msisdn.add_range"]),
    ("inventory msisdn release 90000042 --reason gone --yes", &["inventory.msisdn.release"]),
    ("inventory esim add 10", &["inventory.esim.add_batch"]),
    ("inventory esim list --state available", &["inventory.esim.list"]),
    ("inventory esim show 8965000000000000042", &["inventory.esim.get"]),
    ("inventory esim activation 8965000000000000042", &["inventory.esim.get", "subscription.get_esim_activation"]),
    ("prov tasks", &["provisioning.list_tasks"]),
    ("prov show PTK-0001", &["provisioning.get_task"]),
    ("prov resolve PTK-0001 --note done", &["provisioning.resolve_stuck"]),
    ("prov retry PTK-0001", &["provisioning.retry_failed"]),
    ("prov abandon PTK-0001 --note gone --yes", &["provisioning.abandon"]),
    ("prov fault HLR_PROVISION slow --yes", &["provisioning.set_fault_injection"]),
    ("prov faults", &["provisioning.list_fault_injections"]),
    ("som service list --subscription SUB-0001", &["service.list_for_subscription"]),
    ("som service show SVC-0001", &["service.get"]),
    ("som service unconfirmed --wanted suspended", &["service.list_unconfirmed"]),
    ("queue replay-all --consumer som.decompose", &["queue.replay_all"]),
    ("queue orphans", &["audit.find_orphans"]),
    ("som so-show SO-0001", &["service_order.get"]),
    ("events list", &["events.list"]),
    ("events tail", &["events.list"]),
    ("audit events --identity default", &["audit.events_by_identity"]),
    ("audit events --identity default --count", &["audit.count_by_identity"]),
    ("audit verify", &["audit.verify"]),
    ("audit findings", &["audit.findings"]),
    ("queue status", &["queue.status"]),
    ("queue parked", &["queue.parked"]),
    ("queue show 0196", &["queue.show"]),
    ("queue replay 0196", &["queue.replay"]),
    ("queue discard 0196 --consumer c --reason r --yes", &["queue.discard"]),
    ("trace for-order ORD-0001", &["trace.for_order", "trace.get"]),
    ("trace for-subscription SUB-0001", &["trace.for_subscription", "trace.get"]),
    ("trace get 4bf92f3577b34da6a3ce929d0e0e4736", &["trace.get"]),
    ("trace get 4bf92f3577b34da6a3ce929d0e0e4736 --json", &["trace.get"]),
    ("trace list --failed", &["trace.list"]),
    ("trace services", &["trace.services"]),
    ("worker list", &["worker.list"]),
    ("worker tick renewal", &["worker.tick"]),
    ("som service-show SVC-0001", &["service.get"]),
    ("admin listeners", &["hub.list"]),
    ("admin reset --yes", &["admin.reset_operational_data"]),
    ("admin catalog show", &["catalog.list_active_offerings"]),
    ("admin catalog add-offering --id PLAN_XS --name XS --price 5.00 --data-roaming-mb 0", &["catalog.add_offering"]),
    (
        "admin catalog set-price --offering PLAN_M --amount 20.00 --valid-from 2027-01-01T00:00:00Z",
        &["catalog.add_price"],
    ),
    ("admin catalog window-offering --id PLAN_S --valid-to none", &["catalog.window_offering"]),
    (
        "admin catalog migrate-price --offering PLAN_M --new-price-id P2 --effective-from 2027-01-01T00:00:00Z --yes",
        &["subscription.migrate_to_new_price"],
    ),
    ("admin catalog add-vas --id VAS_1 --name One --price 1.00 --quantity 1024", &["catalog.add_vas"]),
    ("admin catalog window-vas VAS_1 --valid-to none", &["catalog.window_vas"]),
    ("admin catalog retire-offering PLAN_XS --yes", &["catalog.retire_offering"]),
    ("admin catalog retire-price PRICE_1 --yes", &["catalog.retire_price"]),
    ("clock now", &["clock.now"]),
    ("clock freeze", &["clock.freeze"]),
    ("clock unfreeze", &["clock.unfreeze"]),
    ("clock advance 30d", &["clock.advance"]),
];

/// What a drawn card asks beside.
const ASIDES: &[(&str, &[&str])] = &[
    ("subscription show SUB-0001", &["catalog.get_offering", "clock.now", "customer.get", "subscription.timeline"]),
    ("subscription show 90000042", &["catalog.get_offering", "clock.now", "customer.get", "subscription.timeline"]),
    (
        "subscription show SUB-0001 --show-esim",
        &["catalog.get_offering", "clock.now", "customer.get", "subscription.timeline"],
    ),
];

#[tokio::test]
async fn every_command_calls_its_operations_and_prints_data_in_every_format() {
    let stub = Stub::answering(|operation, arguments| {
        let records = arguments["records"].as_array().map_or(0, Vec::len);
        let outcomes = vec![json!({"outcome": "rated", "usageId": "UE-000001"}); records];
        let import = operation == "usage.import_batch";
        (
            200,
            if import {
                json!({ "outcomes": outcomes })
            } else {
                json!({"id": "X-0001", "ok": true, "state": "active", "assignedToSubscriptionId": "SUB-0001", "candidateCount": 1})
            },
        )
    })
    .await;
    let mut called = BTreeSet::new();
    for (line, expected) in COMMANDS {
        for format in ["table", "wide", "json", "yaml", "jsonl", "csv"] {
            let ran = stub.run(&format!("{line} -o {format}")).await;
            assert_eq!(ran.code, 0, "{line}: {}", ran.err);
            assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{line}: colour without a terminal");
            parses(format, &ran.out).unwrap_or_else(|error| panic!("{line} -o {format}: {error}: {}", ran.out));
            let mut names: Vec<String> = stub.full_calls().into_iter().map(|call| call.operation).collect();
            // How dates are written is asked once, where somebody reads them.
            let profiles = names.iter().filter(|name| *name == PROFILE).count();
            assert!(profiles <= usize::from(format == "table"), "{line} -o {format}: {profiles}");
            called.extend(names.iter().filter(|name| *name == PROFILE).cloned());
            names.retain(|name| name != PROFILE);
            names.sort(); // some run side by side
            let asides = ASIDES.iter().find(|(drawn, _)| format == "table" && drawn == line).map(|(_, asides)| *asides);
            let mut expected: Vec<_> = expected.iter().chain(asides.unwrap_or_default()).copied().collect();
            expected.sort_unstable();
            assert_eq!(names, expected, "{line} -o {format}");
            called.extend(names);
        }
    }
    let known: BTreeSet<String> = operations::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(called, known, "a command for every operation that is listed, and none beside them");
}

/// Is it what the format promises?
fn parses(format: &str, out: &str) -> Result<(), String> {
    match format {
        "json" => serde_json::from_str::<Value>(out).map(drop).map_err(|error| error.to_string()),
        "jsonl" => out
            .lines()
            .try_for_each(|line| serde_json::from_str::<Value>(line).map(drop).map_err(|error| error.to_string())),
        "yaml" => serde_saphyr::from_str::<Value>(out).map(drop).map_err(|error| error.to_string()),
        "csv" => csv::Reader::from_reader(out.as_bytes())
            .records()
            .try_for_each(|record| record.map(drop).map_err(|error| error.to_string())),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_sent_and_sends_only_reads() {
    let stub = Stub::answering(|operation, _| match operation {
        "" => (200, json!([{"name": "order.cancel", "effect": "destructive", "arguments": {}}])),
        _ => (200, json!({"id": "X-0001", "ok": true, "state": "active", "assignedToSubscriptionId": "SUB-0001", "candidateCount": 1})),
    })
    .await;
    let writes: BTreeSet<&str> = operations::ALL
        .iter()
        .filter(|(_, effect)| *effect != operations::Effect::Read)
        .map(|(name, _)| *name)
        .collect();
    let mut shown = BTreeSet::new();
    for (line, expected) in COMMANDS.iter().filter(|(line, _)| !line.starts_with("usage import")) {
        let line = line.trim_end_matches(" --yes");
        let ran = stub.run(&format!("{line} --dry-run -o json")).await;
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        let called = stub.calls();
        assert!(called.iter().all(|(operation, _)| !writes.contains(operation.as_str())), "{line} sent {called:?}");
        if let Some(first) = expected.iter().find(|operation| writes.contains(**operation)) {
            let request: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((&request["operation"], &request["dryRun"]), (&json!(first), &json!(true)), "{line}");
            shown.insert(*first);
        }
    }
    for (operation, reason) in [("usage.import_batch", "is refused"), ("payment.add_card", "")] {
        assert!(writes.contains(operation), "{operation} {reason}");
    }
    let unseen: Vec<_> = writes.difference(&shown).filter(|name| **name != "usage.import_batch").collect();
    assert!(unseen.is_empty(), "{unseen:?}");

    let ran = stub.run("payment add-card --customer CUST-1 --card visa --dry-run").await;
    insta::assert_snapshot!(ran.out, @r#"
    would call payment.add_card
    {
      "customerId": "CUST-1",
      "cardNumber": "…",
      "expMonth": 12,
      "expYear": 2030
    }
    "#);
    assert_eq!(ran.err, "nothing was sent; what would follow depends on the answer\n");
    let ran = stub.run("op order.cancel --arg orderId=ORD-1 --dry-run --jq .arguments.orderId").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "ORD-1\n"), "{}", ran.err);
    for refused in ["usage import src/cli/tests/usage.csv", "scenario run scenarios/none.yaml", "soak", "bench read"] {
        assert_eq!(stub.run(&format!("{refused} --dry-run")).await.code, 2, "{refused}");
    }
    assert!(stub.calls().is_empty());
}

#[tokio::test]
async fn the_window_of_a_plan_can_be_opened() {
    let stub = Stub::always(json!({"id": "PLAN_S"})).await;
    stub.run("admin catalog window-offering PLAN_S --valid-from 2027-01-01T00:00:00Z --valid-to none").await;
    let window = json!({"offeringId": "PLAN_S", "validFrom": "2027-01-01T00:00:00Z", "validTo": null});
    assert_eq!(stub.calls(), [("catalog.window_offering".into(), window)]);
    stub.run("admin catalog set-price --offering PLAN_M --amount 20.00 --valid-from 2027-01-01T00:00:00Z").await;
    assert_eq!(stub.calls()[0].1["priceId"], "PRICE_PLAN_M_1798761600");
}

#[tokio::test]
async fn the_caller_says_who_it_is() {
    let stub = Stub::always(json!([])).await;
    stub.run("customer list").await;
    stub.run("customer list").await;
    let calls = stub.full_calls();
    let header = |call: usize, name: &str| calls[call].headers[name].to_str().expect("text").to_owned();
    assert_eq!(header(0, "x-bss-api-token"), "secret");
    assert_eq!(header(0, "x-bss-actor"), "cli-user");
    assert_eq!(header(0, "x-bss-channel"), "cli");
    assert_ne!(header(0, "x-request-id"), header(1, "x-request-id"));
}

#[tokio::test]
async fn only_what_was_given_is_sent() {
    let stub = Stub::always(json!({"id": "CUST-1"})).await;
    stub.run("customer create --name 'Ada Lovelace' --email ada@example.test --date-of-birth 1990-01-01 --card visa")
        .await;
    assert_eq!(
        stub.calls(),
        [
            (
                "customer.create".into(),
                json!({"name": "Ada Lovelace", "email": "ada@example.test", "dateOfBirth": "1990-01-01"})
            ),
            ("payment.add_card".into(), json!({"customerId": "CUST-1", "cardNumber": "4242424242424242"})),
        ]
    );
    stub.run("customer kyc CUST-1 --document-type passport").await;
    let attestation = json!({"customerId": "CUST-1", "provider": "prebaked", "attestationToken": "prebaked-CUST-1",
                             "documentType": "passport"});
    assert_eq!(stub.calls(), [("customer.attest_kyc".into(), attestation)]);
    assert_eq!(stub.run("customer kyc CUST-1 --provider didit").await.code, 2);
}

#[tokio::test]
async fn quantities_are_sent_in_the_units_of_the_network() {
    let stub = Stub::always(json!({"id": "UE-000001"})).await;
    let sent = async |line: &str| {
        let ran = stub.run(&format!("usage simulate --msisdn 90000042 {line}")).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        stub.calls().remove(0).1
    };
    assert_eq!(
        sent("--quantity 1GB").await,
        json!({"msisdn": "90000042", "eventType": "data", "quantity": 1024, "unit": "mb", "roamingIndicator": false})
    );
    assert_eq!(
        sent("--type sms --quantity 5 --external-id cdr-1").await,
        json!({"msisdn": "90000042", "eventType": "sms", "quantity": 5, "unit": "count", "roamingIndicator": false,
               "externalId": "cdr-1"})
    );
    assert_eq!(
        sent("--quantity 100MB --roaming --event-time 2026-04-11T09:00:00Z").await,
        json!({"msisdn": "90000042", "eventType": "data", "quantity": 100, "unit": "mb", "roamingIndicator": true,
               "eventTime": "2026-04-11T09:00:00Z"})
    );
    assert_eq!(stub.run("usage simulate --msisdn 9 --type data --quantity 3min").await.code, 2);
    assert!(stub.calls().is_empty());
}

#[tokio::test]
async fn an_order_is_created_and_waited_for() {
    let stub = Stub::answering(|operation, _| match operation {
        "order.create" => (200, json!({"id": "ORD-0042", "state": "in_progress"})),
        _ => (200, json!({"id": "ORD-0042", "state": "completed"})),
    })
    .await;
    let ran = stub.run("order create --customer CUST-1 --offering PLAN_S --msisdn 90000007 --timeout 45").await;
    assert_eq!(ran.out, "ORD-0042  ● completed\n");
    assert_eq!(ran.err, "created ORD-0042, in_progress\n");
    let basket =
        json!({"customerId": "CUST-1", "offeringId": "PLAN_S", "msisdnPreference": "90000007", "submit": true});
    let wish = json!({"orderId": "ORD-0042", "state": "completed", "timeoutSeconds": 45});
    assert_eq!(stub.calls(), [("order.create".into(), basket), ("order.wait_until".into(), wish)]);

    let ran = stub.run("order create --customer CUST-1 --offering PLAN_S --wait --no-wait").await;
    assert_eq!(ran.out, "ORD-0042  ● in progress\n", "the last word counts");
}

#[tokio::test]
async fn an_order_that_fails_names_the_rule_and_where_to_look() {
    let stub = Stub::answering(|operation, _| match operation {
        "order.create" => (200, json!({"id": "ORD-0042", "state": "in_progress"})),
        _ => violation(
            "order.wait.other_terminal_state",
            "The order is failed",
            &json!({"orderId": "ORD-0042", "state": "failed"}),
        ),
    })
    .await;
    let ran = stub.run("order create --customer CUST-1 --offering PLAN_S").await;
    assert_eq!(ran.code, 3);
    assert_eq!(ran.out, "");
    insta::assert_snapshot!(ran.err, @"
        created ORD-0042, in_progress
        error: The order is failed
          rule: order.wait.other_terminal_state
          orderId: ORD-0042
          state: failed
        next: see what happened: bss order show ORD-0042
        ");
}

#[tokio::test]
async fn an_order_is_shown_with_its_tasks() {
    let stub = Stub::answering(|operation, arguments| match operation {
        "order.get" => (200, json!({"id": "ORD-0042", "state": "in_progress"})),
        "service_order.list_for_order" => (200, json!([{"id": "SO-0001", "state": "in_progress"}])),
        _ => (200, json!([{"id": "PTK-0001", "serviceOrderId": arguments["serviceOrderId"]}])),
    })
    .await;
    let ran = stub.run("order show ORD-0042 -o json").await;
    let order: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(order["serviceOrders"][0]["tasks"][0]["serviceOrderId"], "SO-0001");
    let drawn = stub.run("order show ORD-0042").await.out;
    assert!(drawn.contains("SO-0001") && drawn.contains("● in progress") && drawn.contains("└─ PTK-0001"), "{drawn}");
}

#[tokio::test]
async fn books_that_do_not_balance_are_an_error_after_the_report() {
    let bad = json!({"ok": false, "checks": [
        {"name": "journal.balances", "description": "entries sum to zero", "checked": 2, "offenders": []},
        {"name": "one.holder", "description": "one holder each", "checked": 2, "offenders": [{"id": "9", "detail": "two"}]},
    ]});
    let stub = Stub::always(bad).await;
    let ran = stub.run("audit verify").await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "error: 1 of 2 checks failed\n");
    assert!(ran.out.contains("1 offender") && ran.out.contains("two"), "{}", ran.out);

    let ran = stub.run("audit verify -o json").await;
    assert_eq!(ran.code, 1);
    assert!(serde_json::from_str::<Value>(&ran.out).is_ok(), "{}", ran.out);
}

#[tokio::test]
async fn the_log_is_followed_from_where_it_was() {
    let stub = Stub::answering(|_, arguments| {
        let event =
            |seq: i64| json!({"seq": seq, "eventType": "order.completed", "occurredAt": "2026-04-11T09:00:00Z"});
        match (arguments["order"].as_str(), arguments["after"].as_i64()) {
            (Some("desc"), _) => (200, json!({"events": [event(7), event(6)], "count": 2, "next": 6})),
            (_, Some(7)) => (200, json!({"events": [event(8)], "count": 1, "next": null})),
            (_, Some(8)) => (200, json!({"events": [event(11), event(12)], "count": 2, "next": 12})),
            other => (400, json!({"message": format!("asked {other:?}")})),
        }
    })
    .await;
    let ran = stub.run("events tail --follow --count 4 -n 2 -o json").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let seqs: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON")["seq"].clone())
        .collect();
    assert_eq!(seqs, [6, 7, 8, 11]);
}

#[tokio::test]
async fn an_operation_is_called_by_its_name() {
    let stub = Stub::answering(|operation, arguments| match operation {
        "" => (200, json!([
            {"name": "usage.simulate", "effect": "write", "hidden": false, "description": "Use it",
             "arguments": {"properties": {"quantity": {"type": "integer"}, "msisdn": {"type": "string"}}}},
            {"name": "clock.freeze", "effect": "write", "hidden": true, "description": "Stop the clock", "arguments": {}},
        ])),
        _ => (200, arguments.clone()),
    })
    .await;
    let ran = stub
        .run("op usage.simulate --json '{\"eventType\": \"data\"}' --arg quantity=7 --arg msisdn=90000042 -o json")
        .await;
    let sent = json!({"eventType": "data", "quantity": 7, "msisdn": "90000042"});
    assert_eq!(stub.calls(), [("usage.simulate".into(), sent.clone())]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).expect("JSON"), sent);

    let ran = stub.run_with_person("op usage.simulate --json -", "{\"quantity\":\n null}").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(stub.calls(), [("usage.simulate".into(), json!({"quantity": null}))], "JSON is sent as it is");

    assert_eq!(stub.run("op usage.simulate --json nonsense").await.code, 2);
    assert_eq!(stub.run("op usage.simulate --json [1]").await.code, 2);
    let ran = stub.run("op usage.simulat").await;
    assert_eq!(ran.code, 5);
    insta::assert_snapshot!(ran.err, @"
        error: there is no operation 'usage.simulat'; did you mean 'usage.simulate'?
        next: see the operations: bss op --list
        ");
    assert!(stub.calls().is_empty());

    assert!(!stub.run("op --list").await.out.contains("clock.freeze"));
    assert!(stub.run("op --list --all").await.out.contains("clock.freeze"));
    assert!(stub.run("op --describe usage.simulate").await.out.contains("quantity"));
}

#[tokio::test]
async fn a_card_is_named_typed_or_read_but_never_repeated() {
    let stub = Stub::always(json!({"id": "PM-0001"})).await;
    let add = "payment add-card --customer CUST-1";
    let number = |stub: &Stub| stub.calls().remove(0).1["cardNumber"].clone();
    stub.run(&format!("{add} --card insufficient-funds")).await;
    assert_eq!(number(&stub), "4000000000009995");
    stub.run(&format!("{add} --card '5555 5555 5555 4444'")).await;
    assert_eq!(number(&stub), "5555555555554444");
    stub.run_with_person(&format!("{add} --card -"), "4242424242424242\n").await;
    assert_eq!(number(&stub), "4242424242424242");
    let ran = stub.run_with_person(add, "4242424242424242\n").await;
    assert_eq!(number(&stub), "4242424242424242");
    assert_eq!(ran.err, "Card number: ");
    for wrong in [add.to_owned(), format!("{add} --card 4242x4242")] {
        let ran = stub.run(&wrong).await;
        assert_eq!(ran.code, 2);
        assert!(!ran.err.contains("4242x"), "{}", ran.err);
    }
    assert!(stub.calls().is_empty());
}

#[tokio::test]
async fn completions_need_no_server() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&format!("bss --url http://127.0.0.1:1 completions {shell}"), "", false).await;
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("COMPLETE"), "{}", ran.out);
    }
}

#[tokio::test]
async fn a_long_wait_is_asked_for_in_pieces_and_orders_once() {
    let waits = std::sync::atomic::AtomicU32::new(0);
    let stub = Stub::answering(move |operation, _| {
        let order = json!({"id": "ORD-1", "state": "completed"});
        match operation {
            "order.wait_until" if waits.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 => {
                let context = json!({"orderId": "ORD-1", "state": "in_progress"});
                (
                    503,
                    json!({"code": "UNAVAILABLE", "status": "503", "message": "still in progress", "context": context}),
                )
            }
            _ => (200, order),
        }
    })
    .await;
    let ran = stub.run("order create --customer CUST-1 --offering PLAN_S --timeout 3600").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let calls = stub.calls();
    let names: Vec<&str> = calls.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(names, ["order.create", "order.wait_until", "order.wait_until", "order.wait_until"]);
    assert!(calls[1..].iter().all(|(_, wish)| wish["timeoutSeconds"] == 60), "{calls:?}");
}

#[tokio::test]
async fn a_run_that_was_not_answered_can_be_repeated_with_its_key() {
    let stub = Stub::answering(|operation, _| match operation {
        "order.create" => (503, json!({"code": "UNAVAILABLE", "status": "503", "message": "too late"})),
        _ => (200, json!([])),
    })
    .await;
    let line = "order create --customer CUST-1 --offering PLAN_S";
    stub.run(line).await;
    stub.run(line).await;
    stub.run(&format!("{line} --idempotency-key again-7")).await;
    stub.run("customer list").await;
    let calls = stub.full_calls();
    let keys: Vec<Option<&str>> =
        calls.iter().map(|call| call.headers.get("idempotency-key").and_then(|key| key.to_str().ok())).collect();
    assert!(keys[0].is_some() && keys[0] != keys[1], "each run has its own: {keys:?}");
    assert_eq!(keys[2..], [Some("again-7"), None], "and what only reads has none");
    assert_eq!(
        Cli::read(["bss", "--idempotency-key", "two words", "order", "list"]).map(drop).unwrap_err().exit_code(),
        2
    );

    // A server that takes the request and goes away.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound listener"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        let mut asked = [0; 1_024];
        tokio::io::AsyncReadExt::read(&mut stream, &mut asked).await.expect("the client asks");
    });
    let ran = run(&format!("bss --url {url} --token secret {line} --idempotency-key again-8"), "", false).await;
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("--idempotency-key again-8"), "{ran:?}");
}

#[tokio::test]
async fn what_is_secret_is_not_taken_from_the_command_line() {
    let stub = Stub::always(json!({"id": "PM-0001"})).await;
    for line in [
        "payment add-card --customer CUST-1 --card 4111111111111111",
        "customer create --name A --card '4111 1111 1111 1111'",
    ] {
        let ran = stub.run(line).await;
        assert!(ran.code == 2 && ran.err.contains("--card -") && !ran.err.contains("1111"), "{ran:?}");
    }
    assert!(stub.calls().is_empty(), "nothing was begun");
    stub.run_with_person("customer kyc CUST-1 --document-type nric --document-number -", "S1234567D\n").await;
    assert_eq!(stub.calls()[0].1["documentNumber"], "S1234567D");
    let ran = stub.run("customer kyc CUST-1 --document-number S7654321D").await;
    assert!(ran.code == 2 && !ran.err.contains("S7654321D"), "{ran:?}");
    let error = Cli::read(["bss", "--token", "s3cr3t", "order", "list"]).map(drop).unwrap_err();
    assert!(error.exit_code() == 2 && !error.to_string().contains("s3cr3t"), "{error}");
    let file = std::env::temp_dir().join(format!("bss-token-{}", std::process::id()));
    std::fs::write(&file, "kept-in-a-file\n").expect("a file of ours");
    let cli = Cli::read(["bss", "order", "list", "--token-from", &file.display().to_string()]).expect("a command line");
    assert_eq!(cli.global.token.as_deref(), Some("kept-in-a-file"));
    std::fs::remove_file(&file).expect("our file");
}
