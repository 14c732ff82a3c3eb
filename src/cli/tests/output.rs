//! What goes where: data, messages, errors, exit codes.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{Stub, run, violation};

#[tokio::test]
async fn data_goes_out_and_messages_go_beside_it() {
    let stub = Stub::always(
        json!({"id": "CUST-1", "status": "active", "individual": {"givenName": "Ada", "familyName": "Ada"}}),
    )
    .await;
    let ran = stub.run("customer create --name Ada").await;
    assert_snapshot!(ran.out, @"CUST-1  Ada Ada  ● active");
    assert_snapshot!(ran.err, @"created CUST-1");
    let ran = stub.run("-q customer create --name Ada").await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("CUST-1\n", ""));
}

#[tokio::test]
async fn an_empty_list_says_so_beside_the_data() {
    let stub = Stub::always(json!([])).await;
    let ran = stub.run("customer list").await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "nothing found\n"));
    let ran = stub.run("customer list -q").await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    let ran = stub.run("customer list -o json").await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("[]\n", ""));
}

#[tokio::test]
async fn json_and_yaml_are_the_answer_itself() {
    let answer = json!([{"id": "PM-0007", "last4": "0042", "isDefault": true, "brand": null}]);
    let stub = Stub::always(answer.clone()).await;
    let ran = stub.run("payment list-methods --customer CUST-1 -o json").await;
    assert_eq!(serde_json::from_str::<Value>(&ran.out).expect("JSON"), answer);
    let ran = stub.run("payment list-methods --customer CUST-1 -o yaml").await;
    assert_eq!(serde_saphyr::from_str::<Value>(&ran.out).expect("YAML"), answer);
}

#[tokio::test]
async fn a_broken_rule_is_explained_with_the_next_step() {
    let stub = Stub::answering(|_, arguments| {
        violation(
            "order.create.no_payment_method",
            "The customer has no payment method",
            &json!({"customerId": arguments["customerId"]}),
        )
    })
    .await;
    let ran = stub.run("order create --customer CUST-1 --offering PLAN_S -o json").await;
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert_snapshot!(ran.err, @"
        error: The customer has no payment method
          rule: order.create.no_payment_method
          customerId: CUST-1
        next: add a card: bss payment add-card --customer CUST-1
        ");
}

#[tokio::test]
async fn refusals_keep_their_exit_codes() {
    for (status, code) in [(400, 2), (401, 4), (403, 4), (404, 5), (409, 6), (412, 6), (429, 7), (500, 1), (503, 7)] {
        let stub = Stub::answering(move |_, _| (status, json!({"code": "X", "message": "no"}))).await;
        let ran = stub.run("customer list").await;
        assert_eq!(ran.code, code, "status {status}");
        assert!(ran.err.starts_with("error: no\n"), "{}", ran.err);
    }
}

#[tokio::test]
async fn nobody_at_home_is_said_with_the_address() {
    let ran = run("bss --url http://127.0.0.1:1 --token x customer list", "", false).await;
    assert_eq!(ran.code, 7);
    assert_snapshot!(ran.err, @"
        error: no server answers at http://127.0.0.1:1
        next: start the server: bss serve (or name another address with --url)
        ");
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_not_ours() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let app = axum::Router::new().fallback(async || "hello");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let ran = run(&format!("bss --url http://{address} --token x customer list"), "", false).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("something that is not JSON") && ran.err.contains("--url"), "{}", ran.err);
}

#[tokio::test]
async fn a_base_path_in_the_address_is_kept() {
    let stub = Stub::always(json!([])).await;
    let ran = run(&format!("bss --url {}/ --token x customer list", stub.url), "", false).await;
    assert_eq!((ran.code, stub.calls().len()), (0, 1), "{}", ran.err);
    let ran = run(&format!("bss --url {}/below --token x customer list", stub.url), "", false).await;
    assert_eq!(ran.code, 5, "the stub knows nothing below");
}
