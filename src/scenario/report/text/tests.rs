use serde_json::{Map, json};

use super::*;
use crate::scenario::report::SuiteReport;

fn step(number: usize, kind: Kind, name: &str, status: StepStatus) -> StepReport {
    StepReport {
        number,
        phase: Phase::Steps,
        kind,
        name: name.to_owned(),
        line: 10 + number as u64,
        status,
        duration_ms: 7 * number as u64,
        captured: Map::new(),
        error: None,
    }
}

fn passed() -> ScenarioReport {
    let mut join = step(1, Kind::Action, "join", StepStatus::Passed);
    join.captured =
        json!({ "customer_id": "CUST-0123456789ab", "url": "https://example.test/a/very/long/address/indeed", "n": 3 })
            .as_object()
            .expect("a map")
            .clone();
    ScenarioReport {
        name: "signup".to_owned(),
        file: "scenarios/signup.yaml".into(),
        status: Status::Passed,
        reason: None,
        run_id: "0badcafe".to_owned(),
        duration_ms: 812,
        setup_error: None,
        steps: vec![join, step(2, Kind::Assert, "active", StepStatus::Passed)],
        teardown_errors: Vec::new(),
    }
}

fn failed() -> ScenarioReport {
    let mut wait = step(2, Kind::Assert, "blocked after exhaust", StepStatus::Failed);
    wait.error = Some("`state` is \"active\", expected \"blocked\"\n(after 25 tries in 5 s)".to_owned());
    let mut tidy = StepReport { phase: Phase::Teardown, ..step(4, Kind::Action, "fault off", StepStatus::Failed) };
    tidy.error = Some("client error 404: NOT_FOUND: no such fault".to_owned());
    let steps = vec![
        step(1, Kind::Http, "home", StepStatus::Passed),
        wait,
        step(3, Kind::File, "mail", StepStatus::NotRun),
        tidy,
    ];
    let teardown_errors = vec!["step `fault off`: client error 404: NOT_FOUND: no such fault".to_owned()];
    ScenarioReport { name: "exhaust".to_owned(), status: Status::Failed, steps, teardown_errors, ..passed() }
}

fn skipped() -> ScenarioReport {
    let reason = Some("requires agent.ask: the server has no such operation".to_owned());
    let steps = vec![step(1, Kind::Action, "ask", StepStatus::NotRun)];
    ScenarioReport { name: "chat".to_owned(), status: Status::Skipped, reason, duration_ms: 0, steps, ..passed() }
}

fn invalid() -> ScenarioReport {
    ScenarioReport {
        name: "bad.yaml".to_owned(),
        status: Status::Invalid,
        reason: Some("bad.yaml:3: unknown key `x`".to_owned()),
        duration_ms: 0,
        steps: Vec::new(),
        ..passed()
    }
}

#[test]
fn a_scenario_that_passed() {
    insta::assert_snapshot!(scenario(&passed(), Style::default()), @r"
    PASS — signup (812 ms)
      #  kind      step    ms     detail
      1  ▶ action  join     7  ✓  customer_id=CUST-0123456789ab url=https://example.test/a/very/long/address… n=3
      2  = assert  active  14  ✓
    ");
}

#[test]
fn a_scenario_that_failed_shows_the_whole_error() {
    insta::assert_snapshot!(scenario(&failed(), Style::default()), @r#"
    FAIL — exhaust (812 ms)
      #  kind      step                   ms     detail
      1  ⇄ http    home                    7  ✓
      2  = assert  blocked after exhaust  14  ✗  `state` is "active", expected "blocked"
      3  ▤ file    mail                       –
      4  ▶ action  teardown: fault off    28  ✗  client error 404: NOT_FOUND: no such fault
      ┌ step 2 failed: blocked after exhaust (scenarios/signup.yaml:12)
      │ `state` is "active", expected "blocked"
      │ (after 25 tries in 5 s)
      └
      ┌ teardown failed
      │ step `fault off`: client error 404: NOT_FOUND: no such fault
      └
    "#);
}

#[test]
fn set_up_failures_and_skips_say_why() {
    let set_up = ScenarioReport {
        setup_error: Some("clock.freeze: client error 403: ADMIN_CLOCK_DISABLED: off".to_owned()),
        status: Status::Failed,
        steps: vec![step(1, Kind::Action, "join", StepStatus::NotRun)],
        ..passed()
    };
    insta::assert_snapshot!(scenario(&set_up, Style::default()), @r"
    FAIL — signup (812 ms)
      #  kind      step  ms     detail
      1  ▶ action  join      –
      ┌ set-up failed
      │ clock.freeze: client error 403: ADMIN_CLOCK_DISABLED: off
      └
    ");
    insta::assert_snapshot!(scenario(&skipped(), Style::default()), @r"
    SKIP — chat (0 ms)
      ┌ skipped
      │ requires agent.ask: the server has no such operation
      └
    ");
}

#[test]
fn a_suite_has_a_line_each_and_a_sum() {
    let report =
        SuiteReport::of(vec![passed(), failed(), skipped(), invalid()], 2, std::time::Duration::from_millis(2500));
    insta::assert_snapshot!(suite(&report, Style::default()), @r"
      scenario  status   steps   ms
      signup    PASS       2/2  812
      exhaust   FAIL       1/3  812
      chat      SKIP       0/1    0
      bad.yaml  INVALID           0
      ┌ invalid
      │ bad.yaml:3: unknown key `x`
      └
    1 passed, 1 failed, 1 skipped, 1 invalid, 2 not run in 2500 ms
    ");
}

/// Colour adds control characters and moves nothing.
#[test]
fn colour_is_only_colour() {
    let coloured = scenario(&failed(), Style { colour: true, width: None });
    assert!(coloured.contains("\u{1b}[31mFAIL\u{1b}[0m"));
    let mut stripped = coloured;
    for code in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, scenario(&failed(), Style::default()));
}

fn at(columns: u16) -> Style {
    Style { colour: false, width: Some(columns) }
}

#[test]
fn a_narrow_terminal_costs_details_and_no_id() {
    insta::assert_snapshot!(scenario(&passed(), at(80)), @r"
    PASS — signup (812 ms)
      #  kind      step    ms     detail
      1  ▶ action  join     7  ✓  customer_id=CUST-0123456789ab …
      2  = assert  active  14  ✓
    ");
    insta::assert_snapshot!(scenario(&passed(), at(50)), @r"
    PASS — signup (812 ms)
      #  step       detail
      1  join    ✓  customer_id=CUST-0123456789ab …
      2  active  ✓
    ");
    insta::assert_snapshot!(scenario(&passed(), at(44)), @r"
    PASS — signup (812 ms)
      #  step       detail
      1  join    ✓  …
      2  active  ✓
    ");
    insta::assert_snapshot!(scenario(&failed(), at(60)), @r#"
    FAIL — exhaust (812 ms)
      #  kind      step                 detail
      1  ⇄ http    home              ✓
      2  = assert  blocked after e…  ✗  `state` is "active", …
      3  ▤ file    mail              –
      4  ▶ action  teardown: fault…  ✗  client error 404: …
      ┌ step 2 failed: blocked after exhaust
      │ (scenarios/signup.yaml:12)
      │ `state` is "active", expected "blocked"
      │ (after 25 tries in 5 s)
      └
      ┌ teardown failed
      │ step `fault off`: client error 404: NOT_FOUND: no such
      │   fault
      └
    "#);
    let report = SuiteReport::of(vec![passed(), failed()], 0, std::time::Duration::from_millis(2500));
    insta::assert_snapshot!(suite(&report, at(24)), @r"
      scenar…  status  steps
      signup   PASS      2/2
      exhaust  FAIL      1/3
    1 passed, 1 failed in 2500 ms
    ");
}

#[test]
fn no_table_is_wider_than_the_terminal() {
    let long = |scenario: ScenarioReport| {
        let mut scenario = scenario;
        for step in &mut scenario.steps {
            step.name = format!("{} 王小明 waits for the renewal of a line that was blocked", step.name);
        }
        scenario.name = "a_scenario_with_a_name_that_tells_the_whole_story".to_owned();
        scenario
    };
    let reports = [passed(), failed(), skipped(), invalid(), long(passed()), long(failed())];
    for columns in 30..160 {
        let sums = suite(&SuiteReport::of(reports.to_vec(), 1, std::time::Duration::ZERO), at(columns));
        let all = reports.iter().map(|report| scenario(report, at(columns))).chain([sums]);
        for text in all {
            // The heading of a report and the sum are sentences, not tables.
            for line in text.lines().filter(|line| line.starts_with("  ")) {
                assert!(styled::width(line) <= usize::from(columns), "{columns}: {line}");
                let ids = line.match_indices("CUST-").map(|(at, _)| &line[at..]);
                assert!(ids.into_iter().all(|id| id.starts_with("CUST-0123456789ab")), "{columns}: {line}");
            }
        }
    }
    let colour = Style { colour: true, width: Some(40) };
    let stripped = ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m"];
    let stripped = stripped.iter().fold(scenario(&long(failed()), colour), |text, code| text.replace(code, ""));
    assert_eq!(stripped, scenario(&long(failed()), at(40)), "colour is only colour");
}

#[test]
fn machines_get_json() {
    let report = SuiteReport::of(vec![passed(), skipped()], 0, std::time::Duration::from_millis(2500));
    insta::assert_json_snapshot!(report, @r#"
    {
      "ok": true,
      "passed": 1,
      "failed": 0,
      "skipped": 1,
      "invalid": 0,
      "notRun": 0,
      "durationMs": 2500,
      "scenarios": [
        {
          "name": "signup",
          "file": "scenarios/signup.yaml",
          "status": "passed",
          "runId": "0badcafe",
          "durationMs": 812,
          "steps": [
            {
              "number": 1,
              "phase": "steps",
              "kind": "action",
              "name": "join",
              "line": 11,
              "status": "passed",
              "durationMs": 7,
              "captured": {
                "customer_id": "CUST-0123456789ab",
                "url": "https://example.test/a/very/long/address/indeed",
                "n": 3
              }
            },
            {
              "number": 2,
              "phase": "steps",
              "kind": "assert",
              "name": "active",
              "line": 12,
              "status": "passed",
              "durationMs": 14
            }
          ]
        },
        {
          "name": "chat",
          "file": "scenarios/signup.yaml",
          "status": "skipped",
          "reason": "requires agent.ask: the server has no such operation",
          "runId": "0badcafe",
          "durationMs": 0,
          "steps": [
            {
              "number": 1,
              "phase": "steps",
              "kind": "action",
              "name": "ask",
              "line": 11,
              "status": "not_run",
              "durationMs": 7
            }
          ]
        }
      ]
    }
    "#);
}
