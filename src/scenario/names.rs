//! Checks, before anything runs, that every variable a scenario uses is defined by then, and that a server knows every
//! operation it calls.

use std::collections::BTreeSet;

use serde_json::Value;

use super::client::Operations;
use super::expect::Expectation;
use super::format::{Body, HttpExpectation, HttpStep, Scenario, Step, StepKind};
use super::load::Fault;
use super::template::{self, TemplateError};
use super::verbs;

/// The variable that every run defines: 8 hexadecimal digits, fresh per run.
pub const RUN_ID: &str = "run_id";

/// Adds a fault for every variable that is used before it is defined.
///
/// Teardown steps may use whatever any step captures; at the run, one whose variable was never captured is skipped.
pub(super) fn check(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let mut defined = BTreeSet::from([RUN_ID.to_owned()]);
    for (name, value) in &scenario.variables {
        if !template::is_name(name) || name == RUN_ID {
            faults.push(Fault::new(
                None,
                format!("`{name}` cannot be a variable: letters, digits, underscores, not {RUN_ID}"),
            ));
        }
        expect_defined(value, &defined, &format!("variable `{name}`"), None, faults);
        defined.insert(name.clone());
    }
    if let Some(instant) = &scenario.setup.freeze_clock_at {
        expect_defined(&Value::from(instant.as_str()), &defined, "freeze_clock_at", None, faults);
    }
    for step in scenario.steps.iter().chain(&scenario.teardown.steps) {
        for template in templates(step) {
            expect_defined(&template, &defined, &format!("step `{}`", step.name), Some(step.line), faults);
        }
        defined.extend(step.captured_names().map(str::to_owned));
    }
}

/// A fault for every operation that neither the server nor the runner knows.
pub fn unknown_verbs(scenario: &Scenario, operations: &Operations) -> Vec<Fault> {
    let steps = scenario.steps.iter().chain(&scenario.teardown.steps);
    steps
        .filter_map(|step| Some((step, step.verb()?)))
        .filter(|(_, verb)| !verbs::is_own(verb) && !operations.contains(*verb))
        .map(|(step, verb)| Fault::new(Some(step.line), format!("step `{}`: unknown action `{verb}`", step.name)))
        .collect()
}

/// The variables that a step uses.
pub(super) fn needed(step: &Step) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for template in templates(step) {
        // A malformed placeholder was refused when the file was read.
        template::collect_names(&template, &mut names).unwrap_or_default();
    }
    names
}

fn expect_defined(
    template: &Value,
    defined: &BTreeSet<String>,
    place: &str,
    line: Option<u64>,
    faults: &mut Vec<Fault>,
) {
    let mut names = BTreeSet::new();
    if let Err(error) = template::collect_names(template, &mut names) {
        faults.push(Fault::new(line, format!("{place}: {error}")));
    }
    for name in names.into_iter().filter(|name| !defined.contains(name)) {
        faults.push(Fault::new(line, format!("{place}: {}", TemplateError::Undefined(name))));
    }
}

/// Every text and value of a step in which placeholders are replaced.
fn templates(step: &Step) -> Vec<Value> {
    match &step.kind {
        StepKind::Action(action) => {
            let refusal = action.expect_refusal.as_deref().map(Value::from);
            std::iter::once(Value::Object(action.args.clone())).chain(refusal).collect()
        }
        StepKind::Assert(assertion) => {
            let mut found = vec![Value::Object(assertion.args.clone())];
            found.extend(assertion.expect.templates().into_iter().cloned());
            found
        }
        StepKind::Http(step) => http_templates(step),
        StepKind::File(step) => vec![Value::from(step.path.as_str())],
    }
}

fn http_templates(step: &HttpStep) -> Vec<Value> {
    let HttpExpectation { body_contains, body_not_contains, headers_match, body_json_equals, body_json, .. } =
        &step.expect;
    let mut found = vec![
        Value::from(step.url.as_str()),
        Value::Object(step.headers.clone()),
        Value::Object(step.cookies.clone()),
        Value::Object(headers_match.clone()),
        Value::Object(body_json_equals.clone()),
        Value::from(body_contains.as_slice()),
        Value::from(body_not_contains.as_slice()),
    ];
    found.extend(step.base_url.as_deref().map(Value::from));
    found.extend(body_json.iter().flat_map(Expectation::templates).cloned());
    match &step.body {
        Body::Empty => {}
        Body::Form(fields) => found.push(Value::Object(fields.clone())),
        Body::Json(json) => found.push(json.clone()),
    }
    found
}
