//! Nothing with lasting consequences happens by accident.

use serde_json::json;

use super::Stub;

const DESTRUCTIVE: &[&str] = &[
    "customer close CUST-1",
    "payment remove-method PM-0001",
    "payment refund PAY-000001 --reason error",
    "order cancel ORD-0001",
    "subscription terminate SUB-0001",
    "subscription migrate-price --offering PLAN_M --new-price-id P2 --effective-from 2027-01-01T00:00:00Z",
    "prov fault HLR_PROVISION fail_always",
    "prov abandon PTK-0001 --note gone",
    "order cease SUB-0001 --customer CUST-1",
    "queue discard 0196 --consumer c --reason r",
    "op order.cancel --arg orderId=ORD-0001",
];

async fn stub() -> Stub {
    Stub::answering(|operation, _| match operation {
        "" => (200, json!([{"name": "order.cancel", "effect": "destructive", "arguments": {}}])),
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
        assert!(ran.err.contains("Continue? [y/N]") && ran.err.contains("nothing was changed"), "{line}: {}", ran.err);
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
        let ran = stub.run_with_person(line, "y\n").await;
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
async fn turning_a_fault_off_needs_no_consent() {
    let stub = stub().await;
    assert_eq!(stub.run("prov fault HLR_PROVISION fail_always --disable").await.code, 0);
    let rule = json!({"taskType": "HLR_PROVISION", "faultType": "fail_always", "enabled": false});
    assert_eq!(stub.calls(), [("provisioning.set_fault_injection".into(), rule)]);
}
