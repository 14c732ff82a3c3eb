//! What goes where: data, messages, errors, exit codes.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{PROFILE, Stub, run, violation};

#[tokio::test]
async fn data_goes_out_and_messages_go_beside_it() {
    let stub = Stub::always(
        json!({"id": "CUST-1", "status": "active", "individual": {"givenName": "Ada", "familyName": "Ada"}}),
    )
    .await;
    let ran = stub.run("customer create --name Ada").await;
    assert_snapshot!(ran.out, @"CUST-1  Ada  ● active");
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
async fn a_full_page_says_what_is_behind_it() {
    let stub = Stub::always(json!([{"id": "CUST-1"}, {"id": "CUST-2"}])).await;
    for (line, behind) in [
        ("customer list --limit 2", "2 are shown, there may be more: --offset 2\n"),
        ("order list --limit 2 --offset 4 -o csv", "2 are shown, there may be more: --offset 6\n"),
        ("queue parked --limit 2 --offset 2", "2 are shown, there may be more: --offset 4\n"),
        ("som service unconfirmed --limit 2", "2 are shown, there may be more: --offset 2\n"),
        ("subscription timeline SUB-1 --limit 2", "2 are shown, there may be more: --offset 2\n"),
        ("payment history CUST-1 --limit 2 --offset 2", "2 are shown, there may be more: --offset 4\n"),
        ("customer list --limit 3", ""),
        ("customer list --limit 2 -q", ""),
    ] {
        assert_eq!(stub.run(line).await.err, behind, "{line}");
    }
    let stub = Stub::always(json!([{"seq": 4}, {"seq": 9}])).await;
    let ran = stub.run("audit events --identity default --after 3 --limit 2").await;
    assert_eq!(ran.err, "2 are shown, there may be more: --after 9\n");
    assert_eq!(stub.calls()[0].1["after"], 3);
    let stub = Stub::always(json!({"events": [{"eventId": "0196"}], "count": 1, "next": 7})).await;
    assert_eq!(stub.run("events list --limit 1 -o json").await.err, "1 is shown, there may be more: --after 7\n");
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
async fn fields_are_the_same_in_every_format() {
    let stub = Stub::always(json!([
        {"id": "ORD-1", "state": "completed", "price": {"amount": "9.00", "currency": "SGD"}, "items": [{"id": "OI-1"}]},
        {"id": "ORD-2", "state": "failed", "price": null, "items": []},
    ]))
    .await;
    let out = async |options: &str| {
        let ran = stub.run(&format!("order list {options}")).await;
        assert_eq!(ran.code, 0, "{options}: {}", ran.err);
        ran.out
    };
    assert_snapshot!(out("--fields state,price.amount").await, @"
    state      price.amount
    completed  9.00
    failed     -
    ");
    assert_eq!(out("--fields id,price.amount -o csv").await, "id,price.amount\r\nORD-1,9.00\r\nORD-2,\r\n");
    assert_eq!(
        out("--fields id,items.id -o jsonl").await,
        "{\"id\":\"ORD-1\",\"items\":[{\"id\":\"OI-1\"}]}\n{\"id\":\"ORD-2\",\"items\":[]}\n"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&out("--fields id -o json").await).expect("JSON"),
        json!([{"id": "ORD-1"}, {"id": "ORD-2"}])
    );
    assert_snapshot!(out("--fields id,state -o yaml").await, @"
    - id: ORD-1
      state: completed
    - id: ORD-2
      state: failed
    ");
    assert_snapshot!(out("-o wide").await, @r#"
    id     state      price.amount  price.currency  items
    ORD-1  completed  9.00          SGD             [{"id":"OI-1"}]
    ORD-2  failed     -             -               -
    "#);
    assert_eq!(out("--jq '.[] | select(.state == \"failed\") | .id'").await, "ORD-2\n");
    assert_eq!(out("--jq '.[0].price' -o json").await, "{\"amount\":\"9.00\",\"currency\":\"SGD\"}\n");
}

#[tokio::test]
async fn what_is_asked_for_and_not_there_is_said() {
    let stub = Stub::always(json!([{"id": "ORD-1", "state": "completed", "price": {"amount": "9.00"}}])).await;
    for (asked, meant) in [
        ("sate", "; did you mean 'state'?"),
        ("price.amuont", "; did you mean 'price.amount'?"),
        ("amount", "; did you mean 'price.amount'?"),
        ("somethingElse", ""),
    ] {
        for format in ["table", "json", "csv", "jsonl"] {
            let ran = stub.run(&format!("order list --fields id,{asked} -o {format}")).await;
            assert_eq!((ran.code, ran.out.as_str()), (2, ""));
            let refusal = format!("error: there is no field '{asked}'{meant}\n  fields: id, state, price.amount\n");
            assert_eq!(ran.err, refusal, "{format}");
        }
    }
    stub.calls();
    let ran = stub.run("order list --jq '.[] | nonsense'").await;
    assert_eq!((ran.code, ran.err.as_str()), (2, "error: --jq: there is no filter 'nonsense'\n"));
    assert!(stub.calls().is_empty(), "what cannot be read is refused before anything is called");
    for wrong in ["--jq .id --fields id", "--jq .id -o csv", "--jq '.[].id.deeper'"] {
        assert_eq!(stub.run(&format!("order list {wrong}")).await.code, 2, "{wrong}");
    }
}

#[tokio::test]
async fn a_list_in_an_envelope_is_a_list() {
    let stub = Stub::always(json!({"events": [{"seq": 1, "actor": "a"}, {"seq": 2, "actor": "b"}], "count": 2})).await;
    assert_eq!(stub.run("events list -o jsonl --fields seq").await.out, "{\"seq\":1}\n{\"seq\":2}\n");
    assert_eq!(stub.run("events list -o csv").await.out, "seq,actor\r\n1,a\r\n2,b\r\n");
    let whole: Value = serde_json::from_str(&stub.run("events list -o json").await.out).expect("JSON");
    assert_eq!(whole["count"], 2, "JSON is the answer itself");
}

#[tokio::test]
async fn a_stream_is_one_thing_after_the_other() {
    let stub =
        Stub::always(json!({"events": [{"seq": 2, "eventType": "b"}, {"seq": 1, "eventType": "a"}], "next": 2})).await;
    let tail = "events tail --follow --count 2";
    assert_eq!(stub.run(&format!("{tail} --fields seq,eventType")).await.out, "1  a\n2  b\n");
    assert_eq!(stub.run(&format!("{tail} --jq .eventType")).await.out, "a\nb\n");
    assert_eq!(stub.run(&format!("{tail} -o jsonl --fields seq")).await.out, "{\"seq\":1}\n{\"seq\":2}\n");
    assert_eq!(stub.run(&format!("{tail} -o csv")).await.code, 2, "a stream has no columns");
    let ended: Value = serde_json::from_str(&stub.run("events tail -o json").await.out).expect("what ends is a list");
    assert_eq!(ended[0]["seq"], 1);
}

#[tokio::test]
async fn text_of_others_cannot_steer_the_terminal_in_any_format() {
    let hostile = "\u{1b}[2J\u{9b}31m";
    let view = json!({"id": "X", "note": hostile, "state": hostile, "name": hostile, "individual": {"givenName": hostile},
                      "price": {"amount": hostile}, "payload": {"a": hostile}, "subject": hostile});
    let stub = Stub::answering(move |operation, _| match operation {
        "events.list" | "order.list" | "customer.list" => (200, json!([view])),
        _ => (200, view.clone()),
    })
    .await;
    for line in [
        "customer list",
        "customer find a@example.test",
        "order list",
        "order triage",
        "message show MSG-1",
        "clock now",
    ] {
        for format in ["table", "wide", "json", "yaml", "jsonl", "csv"] {
            let ran = stub.run(&format!("{line} -o {format}")).await;
            let steers = |text: &str| text.contains(['\u{1b}', '\u{9b}']);
            assert!(!steers(&ran.out) && !steers(&ran.err), "{line} -o {format}: {:?}", ran.out);
        }
    }
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

#[tokio::test]
async fn a_person_reads_the_operators_time_and_a_program_reads_utc() {
    let event = json!({"seq": 1, "eventType": "order.completed", "occurredAt": "2026-05-11T22:00:02.123Z"});
    let page = json!({"events": [event], "count": 1, "next": 1});
    let stub = Stub::answering(move |operation, _| match operation {
        PROFILE => (200, json!({"timeZone": "Europe/Berlin"})),
        _ => (200, page.clone()),
    })
    .await;
    for drawn in ["list", "list -o wide", "list --fields seq,occurredAt", "tail", "tail --follow --count 1"] {
        let ran = stub.run(&format!("events {drawn}")).await;
        let says = |text: &str| ran.out.contains(text);
        assert!(ran.code == 0 && says("2026-05-12 00:00:02") && says("+02:00"), "{drawn}: {}{}", ran.out, ran.err);
    }
    stub.full_calls();
    for data in ["-o json", "-o yaml", "-o jsonl", "-o csv", "--jq .events", "--fields occurredAt -o csv"] {
        let ran = stub.run(&format!("events list {data}")).await;
        assert!(ran.out.contains("2026-05-11T22:00:02.123Z"), "{data}: {}{}", ran.out, ran.err);
    }
    assert!(stub.full_calls().iter().all(|call| call.operation != PROFILE), "programs cost no question beside");
}
