//! The runner against a real HTTP server that answers like the product would.

use std::path::Path;

use super::*;
use crate::scenario::load;
use crate::scenario::stub::{Stub, client};

async fn run_text(stub: &Stub, text: &str) -> ScenarioReport {
    let scenario = load::parse(Path::new("x.yaml"), text).expect("a scenario");
    let client = client(stub);
    let operations = client.operations().await.expect("the list of operations");
    run(&client, &scenario, &operations, &Options::default()).await
}

fn statuses(report: &ScenarioReport) -> Vec<StepStatus> {
    report.steps.iter().map(|step| step.status).collect()
}

fn error(report: &ScenarioReport) -> &str {
    report.failed_step().and_then(|step| step.error.as_deref()).unwrap_or_default()
}

const TEARDOWN: &str = "
teardown:
  unfreeze_clock: true
  steps:
    - {name: first, action: broken.op}
    - {name: second, action: echo, args: {tidy: true}}
";

#[tokio::test]
async fn a_story_runs_from_setup_to_teardown() {
    let stub = Stub::start().await;
    let report = run_text(
        &stub,
        r#"
name: story
setup: {reset_operational_data: true, freeze_clock_at: "2026-05-04T09:00:00Z"}
variables: {mail: "neo-{{ run_id }}@example.test", n: 5}
steps:
  - {name: create, action: echo, args: {id: "CUST-1", n: "{{ n }}", mail: "{{ mail }}"}, capture: {id: $.id, n: $.n}}
  - {name: check, assert: {tool: echo, args: {a: {id: "{{ id }}", n: "{{ n }}"}}, expect: {a.id: CUST-1, a.n: {gt: 4}}}}
  - {name: wait, assert: {tool: third.time, expect: {tries: {gte: 3}}, poll: {interval_ms: 10}}}
teardown:
  unfreeze_clock: true
  steps: [{name: tidy, action: echo, args: {of: "{{ id }}"}}]
"#,
    )
    .await;
    assert_eq!((report.status, error(&report)), (Status::Passed, ""));
    assert_eq!(report.run_id.len(), 8);
    assert_eq!(
        stub.called(),
        [
            "admin.reset_operational_data",
            "clock.freeze",
            "echo",
            "echo",
            "third.time",
            "third.time",
            "third.time",
            "echo",
            "clock.unfreeze"
        ]
    );
    let calls = stub.calls();
    assert_eq!(calls[1].args["at"], "2026-05-04T09:00:00Z");
    assert_eq!(calls[2].args, json!({ "id": "CUST-1", "n": 5, "mail": format!("neo-{}@example.test", report.run_id) }));
    assert!(
        calls
            .iter()
            .all(|call| call.actor == "scenario:story" && call.channel == "scenario" && call.token == "t-default")
    );
    let ids: std::collections::BTreeSet<_> = calls.iter().map(|call| call.request_id.clone()).collect();
    assert_eq!(ids.len(), calls.len(), "every call has a request id of its own");
}

#[tokio::test]
async fn the_first_failure_ends_the_story_and_every_teardown_step_runs() {
    let stub = Stub::start().await;
    let steps = "name: x\nsteps:\n  - {name: a, action: echo}\n  - {name: b, assert: {tool: echo, args: {n: 1}, expect: {n: 2}}}\n  - {name: c, action: echo}\n";
    let report = run_text(&stub, &format!("{steps}{TEARDOWN}")).await;
    assert_eq!((report.status, error(&report)), (Status::Failed, "`n` is 1, expected 2"));
    assert_eq!(
        statuses(&report),
        [StepStatus::Passed, StepStatus::Failed, StepStatus::NotRun, StepStatus::Failed, StepStatus::Passed]
    );
    assert_eq!(stub.called(), ["echo", "echo", "broken.op", "echo", "clock.unfreeze"]);
    assert_eq!(report.teardown_errors, ["step `first`: server error 500: INTERNAL: broken (request r-1)"]);
}

#[tokio::test]
async fn a_failing_teardown_fails_the_scenario() {
    let stub = Stub::start().await;
    let report = run_text(&stub, &format!("name: x\nsteps: [{{name: a, action: echo}}]\n{TEARDOWN}")).await;
    assert_eq!(report.status, Status::Failed);
    assert_eq!(report.progress(), (1, 1));
}

#[tokio::test]
async fn a_failing_setup_skips_the_steps_and_still_tears_down() {
    let stub = Stub::start().await;
    stub.break_operation("clock.freeze");
    let text = "name: x\nsetup: {freeze_clock_at: 2026-05-04T09:00:00Z}\nsteps: [{name: a, action: echo, capture: {id: $.id}}]\nteardown:\n  unfreeze_clock: true\n  steps:\n    - {name: always, action: echo}\n    - {name: of what, action: echo, args: {id: \"{{ id }}\"}}\n";
    let report = run_text(&stub, text).await;
    assert_eq!(report.status, Status::Failed);
    assert_eq!(report.setup_error.as_deref(), Some("clock.freeze: server error 500: INTERNAL: broken (request r-1)"));
    assert_eq!(statuses(&report), [StepStatus::NotRun, StepStatus::Passed, StepStatus::Skipped]);
    assert_eq!(stub.called(), ["clock.freeze", "echo", "clock.unfreeze"]);
    assert!(report.teardown_errors.is_empty());
}

#[tokio::test]
async fn a_missing_capture_fails_the_step() {
    let stub = Stub::start().await;
    let report =
        run_text(&stub, "name: x\nsteps: [{name: a, action: echo, capture: {id: $.id}}, {name: b, action: echo}]\n")
            .await;
    assert_eq!(error(&report), "capture of `id`: path did not resolve: `$.id` (no `id`)");
    assert_eq!(statuses(&report), [StepStatus::Failed, StepStatus::NotRun]);
}

#[tokio::test]
async fn an_unknown_verb_and_other_errors_are_told_apart() {
    let stub = Stub::start().await;
    for (verb, message) in [
        ("nobody.knows", "unknown action `nobody.knows`"),
        ("missing.thing", "client error 404: NOT_FOUND: no such thing"),
        ("refused.op", "policy violation: toy.rule: not like this"),
        ("broken.op", "server error 500: INTERNAL: broken (request r-1)"),
    ] {
        let report = run_text(&stub, &format!("name: x\nsteps: [{{name: a, action: {verb}}}]\n")).await;
        assert_eq!(error(&report), message);
    }
}

#[tokio::test]
async fn an_expected_refusal_passes_and_can_be_captured_from() {
    let stub = Stub::start().await;
    let refused = "name: x\nsteps: [{name: a, action: refused.op, expect_refusal: toy.rule, capture: {id: $.context.usageId, rule: $.reason}}]\n";
    let report = run_text(&stub, refused).await;
    assert_eq!(report.status, Status::Passed);
    assert_eq!(Value::Object(report.steps[0].captured.clone()), json!({ "id": "UE-000001", "rule": "toy.rule" }));

    for (verb, rule, message) in [
        ("refused.op", "other.rule", "expected a refusal by other.rule, got policy violation: toy.rule: not like this"),
        ("echo", "toy.rule", "expected a refusal by toy.rule, but it was accepted"),
        (
            "broken.op",
            "toy.rule",
            "expected a refusal by toy.rule, got server error 500: INTERNAL: broken (request r-1)",
        ),
        ("nobody.knows", "NOT_FOUND", "unknown action `nobody.knows`"),
    ] {
        let report =
            run_text(&stub, &format!("name: x\nsteps: [{{name: a, action: {verb}, expect_refusal: {rule}}}]\n")).await;
        assert_eq!(error(&report), message);
    }
    let report =
        run_text(&stub, "name: x\nsteps: [{name: a, action: missing.thing, expect_refusal: NOT_FOUND}]\n").await;
    assert_eq!(report.status, Status::Passed, "other refusals are known by their code");
}

#[tokio::test]
async fn polling_reports_the_last_failure() {
    let stub = Stub::start().await;
    let poll = "poll: {interval_ms: 10, timeout_seconds: 0.05}";
    let report = run_text(
        &stub,
        &format!("name: x\nsteps: [{{name: a, assert: {{tool: third.time, expect: {{tries: 0}}, {poll}}}}}]\n"),
    )
    .await;
    let tries = stub.called().len();
    assert_eq!(error(&report), format!("`tries` is {tries}, expected 0\n(after {tries} tries in 0.05 s)"));
    assert!(tries > 1);
}

#[tokio::test]
async fn what_the_server_cannot_do_skips_the_scenario() {
    let stub = Stub::start().await;
    let report = run_text(&stub, "name: x\nrequires: [echo.more]\nsteps: [{name: a, action: echo}]\n").await;
    assert_eq!(report.reason.as_deref(), Some("requires echo.more: the server has no such operation"));
    assert!(stub.called().is_empty());

    stub.switch_off("clock.freeze", "ADMIN_CLOCK_DISABLED");
    stub.switch_off("clock.unfreeze", "ADMIN_CLOCK_DISABLED");
    let text = "name: x\nsetup: {freeze_clock_at: 2026-05-04T09:00:00Z}\nsteps: [{name: a, action: echo}]\nteardown: {unfreeze_clock: true}\n";
    let report = run_text(&stub, &format!("{text}requires: [clock]\n")).await;
    assert_eq!((report.status, report.reason.as_deref()), (Status::Skipped, Some("requires clock: switched off")));
    let report = run_text(&stub, text).await;
    assert_eq!(report.status, Status::Failed, "who does not require the clock fails without it");
}

#[tokio::test]
async fn the_demo_contact_is_written_by_the_portal() {
    let stub = Stub::start().await;
    let text = "name: x\nsteps: [{name: a, action: portal.write_demo_contact, args: {customer_id: CUST-1, value: a@example.test}, capture: {by: $.identity, id: $.customerId, type: $.result.mediumType}}]\n";
    let report = run_text(&stub, text).await;
    assert_eq!(
        Value::Object(report.steps[0].captured.clone()),
        json!({ "by": "portal_self_serve", "id": "CUST-1", "type": "email" })
    );
    let call = &stub.calls()[0];
    assert_eq!((call.operation.as_str(), call.token.as_str()), ("customer.add_contact_medium", "t-portal"));
}

#[tokio::test]
async fn an_interrupted_run_still_tears_down() {
    let stub = Stub::start().await;
    let text = format!(
        "name: x\nsteps: [{{name: a, assert: {{tool: echo, expect: {{x: 1}}, poll: {{interval_ms: 10, timeout_seconds: 60}}}}}}]\n{TEARDOWN}"
    );
    let scenario = load::parse(Path::new("x.yaml"), &text).expect("a scenario");
    let client = client(&stub);
    let operations = client.operations().await.expect("the list of operations");
    let options = Options::default();
    let (report, ()) = tokio::join!(run(&client, &scenario, &operations, &options), async {
        while stub.called().is_empty() {
            tokio::task::yield_now().await;
        }
        options.stop.cancel();
    });
    assert_eq!((report.status, error(&report)), (Status::Failed, "interrupted"));
    assert_eq!(stub.called().last().map(String::as_str), Some("clock.unfreeze"));
}

#[tokio::test]
async fn a_browser_keeps_cookies_follows_redirects_and_reads_streams() {
    let stub = Stub::start().await;
    let report = run_text(
        &stub,
        r#"
name: web
variables: {who: "ada & co"}
steps:
  - name: log in
    http: POST /login
    form: {email: "{{ who }}", tag: [a, b]}
    expect: {status: 303, headers_match: {Location: "/sessions/SES-42?email=ada+%26+co&tag=a&tag=b"}}
    capture: {cookie: $.cookies.session}
    capture_regex: {session: {source: headers.location, pattern: "/sessions/(SES-\\d+)"}}
  - name: whoami with the jar
    http: GET /whoami
    expect: {body_json_equals: {cookie: "session=s3cret"}}
  - name: one cookie more
    http: GET /whoami
    cookies: {grant: "{{ session }}"}
    headers: {X-Sample: "{{ who }}"}
    expect: {body_json: {cookie: {contains: "grant=SES-42"}, sample: "ada & co"}}
  - {name: put, http: PUT /echo, json: {a: [1]}, expect: {status: [200, 201], body_json_equals: {method: PUT, body: '{"a":[1]}'}}}
  - {name: delete, http: DELETE /echo, expect: {body_json_equals: {method: DELETE, body: ""}}}
  - name: follow
    http: POST /login
    form: {email: x}
    follow_redirects: true
    expect: {status: 200, body_contains: SES-42, body_not_contains: [tag]}
  - {name: unread stream, http: GET /stream, expect: {status: 200, body_not_contains: data}}
  - {name: drained stream, http: GET /stream, drain_stream: true, expect: {body_contains: ["data: one", "data: two"]}}
  - {name: the third time, http: GET /third, expect: {status: 200}, poll: {interval_ms: 50}}
"#,
    )
    .await;
    assert_eq!((report.status, error(&report)), (Status::Passed, ""));
    assert_eq!(report.steps[0].captured["cookie"], "s3cret");
    assert_eq!(report.steps[0].captured["session"], "SES-42");
}

#[tokio::test]
async fn a_page_that_is_not_as_expected_is_shown() {
    let stub = Stub::start().await;
    for (step, message) in [
        ("http: GET /nowhere", "status is 404, expected less than 400"),
        ("http: GET /third\nexpect: {status: [200, 204]}", "status is 503, expected 200 or 204\nthe body begins: wait"),
        (
            "http: GET /whoami\nexpect: {body_contains: Ada, headers_match: {x-none: a}, body_json_equals: {cookie: 1}}",
            "the body does not contain \"Ada\"\nheader x-none is null, expected \"a\"\nfield cookie of the body is \"\", expected 1\nthe body begins: {\"cookie\":\"\",\"sample\":\"\"}",
        ),
        ("http: GET http://127.0.0.1:9/x", "http://127.0.0.1:9/x: Connection refused (os error 111)"),
    ] {
        let step = step.lines().flat_map(|line| ["    ", line, "\n"]).collect::<String>();
        let report = run_text(&stub, &format!("name: x\nsteps:\n  - name: a\n{step}")).await;
        assert_eq!(error(&report), message);
    }
}

#[tokio::test]
async fn a_file_step_waits_and_takes_the_last_match() {
    let stub = Stub::start().await;
    let file = std::env::temp_dir().join(format!("bss-scenario-{}-{}.log", std::process::id(), rand::random::<u32>()));
    let text = |pattern: &str| {
        format!(
            "name: x\nvariables: {{f: {:?}}}\nsteps:\n  - name: a\n    file: \"{{{{ f }}}}\"\n    capture_regex: {{otp: {{pattern: '{pattern}'}}}}\n    poll: {{interval_ms: 50, timeout_seconds: 5}}\n",
            file.display().to_string()
        )
    };
    let waiting = text("^OTP: (\\d{6})$");
    let (report, ()) = tokio::join!(run_text(&stub, &waiting), async {
        tokio::time::sleep(Duration::from_millis(80)).await;
        std::fs::write(&file, "OTP: 111111\nhello\nOTP: 222222\n").expect("a temporary file");
    });
    assert_eq!((report.status, error(&report)), (Status::Passed, ""));
    assert_eq!(report.steps[0].captured["otp"], "222222");

    let absent = text("PIN: (x)").replace("timeout_seconds: 5", "timeout_seconds: 0.1");
    let report = run_text(&stub, &absent).await;
    assert!(error(&report).starts_with("capture of `otp`: nothing matches PIN: (x)\n(after"), "{}", error(&report));
    std::fs::remove_file(&file).expect("the file is still there");
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let client = crate::scenario::stub::client_of("http://127.0.0.1:9/".parse().expect("an address"));
    let error = client.operations().await.expect_err("nobody listens there");
    assert_eq!(error.to_string(), "cannot reach http://127.0.0.1:9/: Connection refused (os error 111)");
    assert_eq!(error.status, 0);
}
