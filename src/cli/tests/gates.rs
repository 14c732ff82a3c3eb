//! Nothing with lasting consequences happens by accident.

use serde_json::json;

use super::Stub;

const DESTRUCTIVE: &[&str] = &[
    "customer close CUST-1",
    "customer remove-contact CUST-1 CM-1",
    "payment remove-method PM-0001",
    "payment refund PAY-000001 --reason error",
    "order cancel ORD-0001",
    "subscription terminate SUB-0001",
    "subscription migrate-price --offering PLAN_M --new-price-id P2 --effective-from 2027-01-01T00:00:00Z",
    "prov fault HLR_PROVISION fail_always",
    "prov abandon PTK-0001 --note gone",
    "order cease SUB-0001 --customer CUST-1",
    "queue discard 0196 --consumer c --reason r",
    "inventory msisdn release 90000042 --reason gone",
    "admin reset",
    "promo exhaust PROMO_1",
    "admin catalog retire-offering PLAN_XS",
    "admin catalog retire-price PRICE_1",
    "op order.cancel --arg orderId=ORD-0001",
];

/// What asks nobody elsewhere and charges somebody in production.
const CHARGING: &[&str] = &[
    "order create --customer CUST-1 --offering PLAN_S --no-wait",
    "order submit ORD-0001",
    "order change SUB-0001 --customer CUST-1 --offering VAS_DATA_1GB",
    "subscription vas SUB-0001 VAS_DATA_1GB",
    "subscription pay SUB-0001",
    "subscription renew SUB-0001",
    "op subscription.renew_now --arg subscriptionId=SUB-0001",
];

async fn stub() -> Stub {
    Stub::answering(|operation, _| match operation {
        "" => (
            200,
            json!([
                {"name": "order.cancel", "effect": "destructive", "arguments": {}},
                {"name": "subscription.renew_now", "effect": "write", "arguments": {}},
            ]),
        ),
        "catalog.get_vas" => (200, json!({"id": "VAS_DATA_1GB", "amount": "3.00", "currency": "SGD"})),
        "subscription.get" => (200, json!({"id": "SUB-0001", "effectiveAmount": "9.00", "priceCurrency": "SGD"})),
        _ => (200, json!({"id": "X-0001"})),
    })
    .await
}

#[tokio::test]
async fn without_consent_nothing_is_called() {
    let stub = stub().await;
    for line in DESTRUCTIVE {
        let ran = stub.run(line).await;
        assert_eq!(ran.code, 2, "{line}");
        assert!(ran.err.contains("--yes"), "{line}: {}", ran.err);
        let ran = stub.run_with_person(line, "n\n").await;
        assert_eq!(ran.code, 1, "{line}");
        let question = if *line == "admin reset" { "Type reset to continue" } else { "Continue? [y/N]" };
        assert!(ran.err.contains(question) && ran.err.contains("nothing was changed"), "{line}: {}", ran.err);
        let ran = stub.run_with_person(line, "").await;
        assert_eq!(ran.code, 1, "{line}: no answer is no consent");
        assert!(stub.calls().is_empty(), "{line}");
    }
}

#[tokio::test]
async fn consent_is_a_flag_or_an_answer() {
    let stub = stub().await;
    for line in DESTRUCTIVE {
        // What is ordered is also waited for.
        let calls = if line.starts_with("order cease") { 2 } else { 1 };
        for flag in ["--yes", "-y", "--allow-destructive"] {
            let ran = stub.run(&format!("{line} {flag}")).await;
            assert_eq!((ran.code, stub.calls().len()), (0, calls), "{line} {flag}: {}", ran.err);
        }
        let consent = if *line == "admin reset" { "reset\n" } else { "y\n" };
        let ran = stub.run_with_person(line, consent).await;
        assert_eq!((ran.code, stub.calls().len()), (0, calls), "{line}: {}", ran.err);
    }
}

#[tokio::test]
async fn the_question_names_the_consequence() {
    let stub = stub().await;
    let ran = stub.run_with_person("subscription terminate SUB-0001", "n\n").await;
    assert!(ran.err.contains("SUB-0001") && ran.err.contains("quarantine"), "{}", ran.err);
}

#[tokio::test]
async fn a_person_is_told_the_price_before_money_moves() {
    let stub = stub().await;
    let ran = stub.run_with_person("subscription vas SUB-0001 VAS_DATA_1GB", "n\n").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("charges 3.00 SGD"), "{}", ran.err);
    let ran = stub.run_with_person("subscription renew SUB-0001", "no\n").await;
    assert!(ran.err.contains("charges 9.00 SGD"), "{}", ran.err);
    let names: Vec<_> = stub.calls().into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(names, ["catalog.get_vas", "subscription.get"]);

    let ran = stub.run_with_person("subscription vas SUB-0001 VAS_DATA_1GB", "yes\n").await;
    assert_eq!(ran.code, 0);
    assert_eq!(stub.calls().len(), 2);
    assert_eq!(stub.run("subscription vas SUB-0001 VAS_DATA_1GB").await.code, 0, "a script has decided");
}

#[tokio::test]
async fn in_production_consent_names_the_context() {
    let stub = stub().await;
    for line in DESTRUCTIVE.iter().chain(CHARGING) {
        for (options, named) in [("", false), ("--yes", false), ("", true)] {
            let ran = stub.run_in_production(&format!("{line} {options}"), named, "", false).await;
            assert_eq!(ran.code, 2, "{line} {options}: {}", ran.err);
            assert!(ran.err.contains("--context prod"), "{line}: {}", ran.err);
        }
        let ran = stub.run_in_production(line, false, "y\ny\n", true).await;
        assert_eq!(ran.code, 1, "{line}: a yes is not enough: {}", ran.err);
        let changed: Vec<_> = stub.calls().into_iter().filter(|(operation, _)| !operation.contains("get")).collect();
        assert!(changed.is_empty(), "{line}: {changed:?}");

        let ran = stub.run_in_production(&format!("{line} --yes"), true, "", false).await;
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        assert!(ran.err.starts_with("prod (production)\n"), "{line}: {}", ran.err);
        let typed = if *line == "admin reset" { "reset\nprod\n" } else { "prod\n" };
        let ran = stub.run_in_production(line, false, typed, true).await;
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        assert!(!stub.calls().is_empty());
    }
    let ran = stub.run_in_production("subscription show SUB-0001", false, "", false).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, "prod (production)\n"), "who only looks is not asked");
    let ran = stub.run_in_production("order list -q", false, "", false).await;
    assert_eq!(ran.err, "");
}

#[tokio::test]
async fn turning_a_fault_off_needs_no_consent() {
    let stub = stub().await;
    assert_eq!(stub.run("prov fault HLR_PROVISION fail_always --disable").await.code, 0);
    let rule = json!({"taskType": "HLR_PROVISION", "faultType": "fail_always", "enabled": false});
    assert_eq!(stub.calls(), [("provisioning.set_fault_injection".into(), rule)]);
}

/// A server with so many cards of the mock gateway, which invalidates 1500 with a request.
async fn with_cards(cards: u64) -> Stub {
    let left = std::sync::Mutex::new(cards);
    Stub::answering(move |operation, arguments| {
        let mut left = left.lock().expect("no test panics here");
        let ids = |from: u64, to: u64| (from..to.min(from + 1000)).map(|id| format!("PM-{id:04}")).collect::<Vec<_>>();
        match operation {
            "payment.preview_cutover" => {
                let from = arguments["offset"].as_u64().unwrap_or_default();
                (200, json!({"candidateCount": *left, "candidateIds": ids(from, *left)}))
            }
            "payment.cutover" => {
                let done = (*left).min(1500);
                *left -= done;
                (200, json!({"invalidatedCount": done, "invalidatedIds": ids(0, done), "left": *left}))
            }
            _ => (200, json!({})),
        }
    })
    .await
}

#[tokio::test]
async fn a_cutover_says_how_many_cards_it_ends_and_ends_all_of_them() {
    const LINE: &str = "payment cutover --invalidate-mock-tokens";
    let stub = with_cards(4000).await;
    let names = |stub: &Stub| stub.calls().into_iter().map(|(operation, _)| operation).collect::<Vec<_>>();
    let ran = stub.run("payment cutover").await;
    assert_eq!((ran.code, names(&stub).len()), (0, 0), "{}", ran.err);
    assert!(ran.err.contains("nothing to do") && ran.out == "Invalidated 0 cards\n", "{}{}", ran.err, ran.out);
    for (typed, interactive) in [("", false), ("n\n", true), ("\n", true)] {
        let ran = if interactive { stub.run_with_person(LINE, typed).await } else { stub.run(LINE).await };
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("4000 cards of the mock gateway"), "{}", ran.err);
        assert_eq!(names(&stub), ["payment.preview_cutover"]);
    }
    let ran = stub.run(&format!("{LINE} --dry-run -o json")).await;
    let tried: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&tried["candidateCount"], tried["candidateIds"].as_array().map(Vec::len)), (&json!(4000), Some(4000)));
    assert_eq!(names(&stub), ["payment.preview_cutover"; 5], "it only looks");
    let ran = stub.run_with_person(&format!("{LINE} -o json"), "y\n").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let done: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&done["invalidatedCount"], &done["left"]), (&json!(4000), &json!(0)));
    assert!(ran.err.contains("2500 cards are left"), "{}", ran.err);
    assert_eq!(names(&stub)[1..], ["payment.cutover"; 3]);
    let ran = stub.run(&format!("{LINE} --yes")).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "Invalidated 0 cards\n"));
    assert_eq!(names(&stub), ["payment.preview_cutover"], "with nothing to end nothing is asked for");
}

#[tokio::test]
async fn in_production_a_cutover_names_the_context() {
    let line = "payment cutover --invalidate-mock-tokens --yes";
    let stub = with_cards(1).await;
    let ran = stub.run_in_production(line, false, "", false).await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("--context prod") && ran.err.contains("1 card of"), "{}", ran.err);
    let ran = stub.run_in_production(line, true, "", false).await;
    assert_eq!((ran.code, ran.out.contains("Invalidated 1 card\n  PM-0000")), (0, true), "{}{}", ran.err, ran.out);
}
