use std::path::Path as FilePath;

use super::*;
use crate::scenario::format::StepKind;

fn read(text: &str) -> Result<Scenario, Invalid> {
    parse(FilePath::new("x.yaml"), text)
}

fn faults(text: &str) -> String {
    read(text).expect_err("it should be refused").to_string()
}

/// A scenario around the lines of one step.
fn with_step(step: &str) -> String {
    format!(
        "name: x\nvariables: {{n: 1}}\nsteps:\n  - name: s\n{}\n",
        step.lines().flat_map(|line| ["    ", line, "\n"]).collect::<String>()
    )
}

#[test]
fn a_whole_file_is_read() {
    let scenario = read(
        r#"
name: topup_restores_service
description: A line comes back.
tags: [smoke, hero]
requires: [clock, reset, portal_token, agent.ask]
setup:
  reset_operational_data: true
  freeze_clock_at: "2027-01-10T08:00:00{{ zone }}"
  variables: {zone: Z, plan: PLAN_S}
variables: {mail: "neo-{{ run_id }}@example.test", plan: PLAN_M}
steps:
  - name: join
    action: customer.create
    args: {name: "Neo Sample", email: "{{ mail }}"}
    capture: {cid: "$.id"}
  - name: refused
    action: usage.simulate
    expect_refusal: usage.allowance_exhausted
  - name: blocked after exhaust
    assert:
      tool: subscription.get
      args: {subscription_id: "{{ cid }}"}
      expect: {state: blocked, balances.data.remaining: {lte: 0}}
      poll: {interval_ms: 100}
  - name: portal home
    http: GET /welcome
    base_url: "http://localhost:9001"
    expect: {status: [200, 304], body_contains: ["Sign in"]}
    capture_regex: {session: {source: headers.location, pattern: '(SES-\d+)'}}
  - name: mail
    file: ./mailbox.log
    capture_regex: {otp: {pattern: 'OTP: (\d{6})'}}
    poll: {interval_ms: 200, timeout_seconds: 10}
teardown:
  unfreeze_clock: true
  steps:
    - {name: tidy, action: customer.close, args: {customerId: "{{ cid }}", note: "{{ otp }}"}}
"#,
    )
    .expect("a scenario");
    assert_eq!(scenario.name, "topup_restores_service");
    assert_eq!(scenario.variables.keys().collect::<Vec<_>>(), ["zone", "plan", "mail"]);
    assert_eq!(scenario.variables["plan"], "PLAN_M");
    assert_eq!(scenario.steps.iter().map(|step| step.line).collect::<Vec<_>>(), [12, 16, 19, 25, 30]);
    let StepKind::Assert(assertion) = &scenario.steps[2].kind else { panic!("an assert step") };
    let poll = assertion.poll.expect("polled");
    assert_eq!((poll.interval.as_millis(), poll.timeout.as_millis()), (100, 5000));
    let StepKind::Http(http) = &scenario.steps[3].kind else { panic!("an http step") };
    assert_eq!((http.method.as_str(), http.url.as_str(), http.timeout.as_secs()), ("GET", "/welcome", 30));
    assert!(scenario.teardown.unfreeze_clock);
    assert_eq!(scenario.teardown.steps.len(), 1);
}

/// Unknown keys are errors at every level: nothing is read and then ignored.
#[test]
fn unknown_keys_are_named_with_their_line() {
    for (text, line, key) in [
        ("name: x\nretries: 3\nsteps: []\n", 2, "retries"),
        ("name: x\nsetup:\n  reset_sequences: true\nsteps: []\n", 3, "reset_sequences"),
        ("name: x\nsteps: []\nteardown:\n  always: []\n", 4, "always"),
        ("name: x\nsteps:\n  - name: s\n    action: a.b\n    argz: {}\n", 5, "argz"),
        ("name: x\nsteps:\n  - name: s\n    ask: why?\n", 4, "ask"),
        ("name: x\nsteps:\n  - name: s\n    assert:\n      tool: a.b\n      expects: {}\n", 6, "expects"),
        ("name: x\nsteps:\n  - name: s\n    assert: {tool: a.b, expect: {a: 1}, poll: {every: 1}}\n", 4, "every"),
        ("name: x\nsteps:\n  - name: s\n    http: GET /\n    expect: {stats: 200}\n", 5, "stats"),
        ("name: x\nsteps:\n  - name: s\n    file: f\n    capture_regex: {v: {regex: x}}\n", 5, "regex"),
    ] {
        let message = faults(text);
        assert!(message.starts_with(&format!("x.yaml:{line}: ")) && message.contains(&format!("`{key}`")), "{message}");
    }
}

#[test]
fn a_step_of_an_unknown_kind_learns_the_known_ones() {
    let message = faults(&with_step("ask: why?"));
    for kind in ["action", "assert", "http", "file"] {
        assert!(message.contains(kind), "{message}");
    }
    insta::assert_snapshot!(faults(&with_step("args: {}")), @"x.yaml:4: step `s`: a step needs one of action, assert, http, file");
    insta::assert_snapshot!(
        faults(&with_step("action: a.b\nfile: f")),
        @"x.yaml:4: step `s`: a step is only one of action, assert, http, file"
    );
}

#[test]
fn steps_that_make_no_sense_are_refused() {
    for (step, reason) in [
        ("action: a.b\nform: {}", "`form` does not belong to an action step"),
        ("action: a.b\npoll: {}", "`poll` does not belong to an action step"),
        ("assert: {tool: a.b, expect: {a: 1}}\nargs: {}", "`args` does not belong to an assert step"),
        ("assert: {tool: a.b, expect: {a: 1}}\ncapture: {v: $.id}", "`capture` does not belong to assert steps"),
        ("assert: {tool: a.b, expect: {}}", "`expect` is empty"),
        ("assert: {tool: a.b, expect: {a: {like: 1}}}", "unknown operator `like`"),
        ("http: GET /\nform: {}\njson: {}", "`form` and `json` exclude each other"),
        ("http: FETCH /", "`http` is a method and an address"),
        ("http: /welcome", "`http` is a method and an address"),
        ("http: GET /\nencoding: utf-8", "`encoding` does not belong to an http step"),
        ("http: GET /\ntimeout_seconds: 0", "`timeout_seconds` is more than 0"),
        ("http: GET /\npoll: {interval_ms: 20}", "`interval_ms` is at least 50"),
        ("http: GET /\ncapture_regex: {v: {pattern: '(x)'}}", "`source` is missing"),
        ("http: GET /\ncapture_regex: {v: {source: body_text, pattern: 'x'}}", "the pattern has no group 1"),
        ("http: GET /\ncapture_regex: {v: {source: body_text, pattern: '('}}", "capture_regex of `v`"),
        ("file: f\nencoding: utf-16", "utf-16"),
        ("file: f\ncapture_regex: {v: {source: text, pattern: '(x)'}}", "a file has no `source`"),
        ("file: f\nexpect_refusal: x.y", "`expect_refusal` does not belong to a file step"),
        ("action: a.b\ncapture: {v: id}", "is not a path like $.id"),
        ("action: a.b\ncapture: {v: '$..id'}", "is not a path"),
        ("action: a.b\ncapture: {'a b': $.id}", "`a b` cannot be a variable"),
        ("action: 'a b'", "is not the name of an operation"),
        ("assert: {tool: a.b, expect: {a: 1}, poll: {interval_ms: 5}}", "`interval_ms` is at least 10"),
        ("assert: {tool: a.b, expect: {a: 1}, poll: {timeout_seconds: 9999}}", "at most 600"),
        ("action: a.b\nargs: {x: '{{ nobody }}'}", "step `s`: undefined variable `nobody`"),
        ("action: a.b\nargs: {x: '{{ n | upper }}'}", "is not a placeholder"),
        ("assert: {tool: a.b, expect: {any_match: {a: '{{ nobody }}'}}}", "undefined variable `nobody`"),
        ("http: GET /{{ nobody }}", "undefined variable `nobody`"),
        ("http: GET /\nexpect: {body_contains: '{{ nobody }}'}", "undefined variable `nobody`"),
        ("action: a.b\ncapture: {v: $.id}\nargs: {x: '{{ v }}'}", "undefined variable `v`"),
    ] {
        let message = faults(&with_step(step));
        assert!(message.contains(reason), "{step}\n{message}");
        assert!(message.starts_with("x.yaml:"), "{message}");
    }
}

#[test]
fn files_that_make_no_sense_are_refused() {
    for (text, reason) in [
        ("", "x.yaml"),
        ("name: x\n", "steps"),
        ("name: x\nsteps: []\n", "at least one step"),
        ("name: \"ä\"\nsteps: [{name: s, action: a.b}]\n", "printable ASCII"),
        ("name: x\nname: y\nsteps: []\n", "x.yaml:2"),
        ("name: x\nrequires: [moon]\nsteps: [{name: s, action: a.b}]\n", "not `moon`"),
        ("name: x\nvariables: {run_id: 1}\nsteps: [{name: s, action: a.b}]\n", "`run_id` cannot be a variable"),
        (
            "name: x\nvariables: {a: \"{{ b }}\", b: 1}\nsteps: [{name: s, action: a.b}]\n",
            "variable `a`: undefined variable `b`",
        ),
        ("name: x\nsetup: {reset_operational_data: yes}\nsteps: [{name: s, action: a.b}]\n", "x.yaml:2"),
        ("name: x\nsteps: [{name: s, action: a.b\n", "x.yaml:"),
    ] {
        let message = faults(text);
        assert!(message.contains(reason), "{text}\n{message}");
    }
}

#[test]
fn every_fault_of_a_file_is_told_at_once() {
    insta::assert_snapshot!(
        faults("name: x\nsteps:\n  - name: a\n    action: a.b\n    poll: {}\n  - name: b\n    http: GET\n  - name: c\n    action: a.b\n    args: {v: '{{ w }}'}\n"),
        @r"
    x.yaml:3: step `a`: `poll` does not belong to an action step
    x.yaml:6: step `b`: `http` is a method and an address: GET /welcome
    x.yaml:8: step `c`: undefined variable `w`
    "
    );
}

/// A step that is refused defines nothing, which would make the ones behind it look wrong too.
#[test]
fn teardown_may_use_what_any_step_captures() {
    let text = "name: x\nsteps:\n  - {name: s, action: a.b, capture: {id: $.id}}\nteardown:\n  steps:\n    - {name: t, action: a.b, args: {id: '{{ id }}'}}\n";
    assert!(read(text).is_ok());
    assert!(faults(&text.replace("'{{ id }}'", "'{{ other }}'")).contains("undefined variable `other`"));
}

#[test]
fn texts_stay_texts() {
    let scenario = read(&with_step(
        "action: a.b\nargs: {a: 90000042, b: '90000042', c: 5120.5, d: yes, e: null, f: 2026-05-04T09:00:00Z, g: 007}",
    ));
    let StepKind::Action(action) = &scenario.expect("a scenario").steps[0].kind else { panic!("an action") };
    insta::assert_json_snapshot!(action.args, @r#"
    {
      "a": 90000042,
      "b": "90000042",
      "c": 5120.5,
      "d": "yes",
      "e": null,
      "f": "2026-05-04T09:00:00Z",
      "g": "007"
    }
    "#);
}
