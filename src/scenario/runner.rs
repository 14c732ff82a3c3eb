//! Runs one scenario: set-up, steps until the first failure, teardown whatever happened, report. Never panics, never
//! gives up half-way: a run that began is always put back.

mod steps;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use self::steps::Stage;
use super::client::{CallError, Caller, Identity, Operations};
use super::format::{Capability, Scenario, Step};
use super::names::{self, RUN_ID};
use super::poll::Failed;
use super::report::{Phase, ScenarioReport, Status, StepReport, StepStatus};
use super::{template, verbs};

/// What a run goes by.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Stop at the step in progress, put things back and report; for Ctrl-C.
    pub stop: CancellationToken,
}

/// Runs a scenario against a server that knows `operations`.
pub async fn run<C: Caller>(
    caller: &C,
    scenario: &Scenario,
    operations: &Operations,
    options: &Options,
) -> ScenarioReport {
    let began = Instant::now();
    let mut report = ScenarioReport::begin(scenario, format!("{:08x}", rand::random::<u32>()));
    if let Some(reason) = missing(scenario, caller, operations) {
        report.status = Status::Skipped;
        report.reason = Some(reason);
        return report;
    }
    let mut stage = Stage::new(caller, scenario, operations);
    stage.variables.insert(RUN_ID.to_owned(), Value::from(report.run_id.as_str()));

    let outcome = match set_up(&mut stage, scenario).await {
        Ok(()) => walk(&mut stage, scenario, options, &mut report).await,
        Err(failed) => {
            report.setup_error = Some(failed.message.clone());
            Err(failed)
        }
    };
    report.status = if outcome.is_ok() { Status::Passed } else { Status::Failed };
    if let Some(reason) = outcome.err().and_then(|failed| switched_off(scenario, failed.call.as_deref())) {
        report.status = Status::Skipped;
        report.reason = Some(reason);
    }
    tear_down(&mut stage, scenario, &mut report).await;
    report.duration_ms = milliseconds(began.elapsed());
    report
}

/// What the scenario requires and is not there.
fn missing(scenario: &Scenario, caller: &impl Caller, operations: &Operations) -> Option<String> {
    scenario.requires.iter().find_map(|capability| match capability {
        Capability::PortalToken if !caller.holds(Identity::PortalSelfServe) => {
            Some("requires portal_token: no token of the self-serve portal is at hand".to_owned())
        }
        Capability::Operation(name) if !operations.contains(name) => {
            Some(format!("requires {name}: the server has no such operation"))
        }
        Capability::Clock | Capability::Reset | Capability::PortalToken | Capability::Operation(_) => None,
    })
}

/// Whether a failure only says that a required capability is switched off; then the scenario is skipped, not failed.
fn switched_off(scenario: &Scenario, call: Option<&CallError>) -> Option<String> {
    let call = call?;
    let says = |code: &str| call.status == 403 && (call.code == code || call.reason == code);
    let capability = scenario.requires.iter().find(|capability| match capability {
        Capability::Clock => says("ADMIN_CLOCK_DISABLED"),
        Capability::Reset => says("ADMIN_RESET_DISABLED"),
        Capability::PortalToken | Capability::Operation(_) => false,
    })?;
    Some(format!("requires {capability}: {}", call.message))
}

async fn set_up<C: Caller>(stage: &mut Stage<'_, C>, scenario: &Scenario) -> Result<(), Failed> {
    for (name, value) in &scenario.variables {
        let value = template::fill(value, &stage.variables)
            .map_err(|error| Failed::for_good(format!("variable `{name}`: {error}")))?;
        stage.variables.insert(name.clone(), value);
    }
    if scenario.setup.reset_operational_data {
        stage.call("admin.reset_operational_data", Map::new()).await?;
    }
    if let Some(instant) = &scenario.setup.freeze_clock_at {
        let at = template::fill_text(instant, &stage.variables)?;
        let args = Map::from_iter([("at".to_owned(), json!(at))]);
        stage.call("clock.freeze", args).await?;
    }
    Ok(())
}

/// Performs the steps until one fails; those behind it are reported as not run.
async fn walk<C: Caller>(
    stage: &mut Stage<'_, C>,
    scenario: &Scenario,
    options: &Options,
    report: &mut ScenarioReport,
) -> Result<(), Failed> {
    for (index, step) in scenario.steps.iter().enumerate() {
        let began = Instant::now();
        let outcome = tokio::select! {
            biased;
            () = options.stop.cancelled() => Err(Failed::for_good("interrupted")),
            outcome = stage.perform(step) => outcome,
        };
        let row = &mut report.steps[index];
        row.finish(&outcome, began.elapsed());
        outcome?;
    }
    Ok(())
}

/// Puts things back: every step runs, and the clock is released, whatever fails on the way.
async fn tear_down<C: Caller>(stage: &mut Stage<'_, C>, scenario: &Scenario, report: &mut ScenarioReport) {
    let passed = report.status == Status::Passed;
    for step in &scenario.teardown.steps {
        let mut row = StepReport::new(Phase::Teardown, report.steps.len() + 1, step);
        if let Some(variable) = never_captured(stage, scenario, step).filter(|_| !passed) {
            row.status = StepStatus::Skipped;
            row.error = Some(format!("`{variable}` was never captured"));
        } else {
            let began = Instant::now();
            let outcome = stage.perform(step).await;
            row.finish(&outcome, began.elapsed());
            if let Err(failed) = outcome {
                report.teardown_errors.push(format!("step `{}`: {failed}", step.name));
            }
        }
        report.steps.push(row);
    }
    if scenario.teardown.unfreeze_clock
        && let Err(failed) = stage.call("clock.unfreeze", Map::new()).await
        && report.status != Status::Skipped
    {
        report.teardown_errors.push(failed.message);
    }
    if !report.teardown_errors.is_empty() {
        report.status = Status::Failed;
    }
}

/// A variable of a teardown step that some step would have captured, had the run come that far.
fn never_captured<C>(stage: &Stage<'_, C>, scenario: &Scenario, step: &Step) -> Option<String> {
    let needed = names::needed(step);
    let capturable: BTreeSet<&str> = scenario.steps.iter().flat_map(Step::captured_names).collect();
    needed.into_iter().find(|name| !stage.variables.contains_key(name) && capturable.contains(name.as_str()))
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl<C: Caller> Stage<'_, C> {
    /// A call outside of any step, named in its error.
    async fn call(&self, verb: &str, args: Map<String, Value>) -> Result<(), Failed> {
        verbs::call(self.caller, &self.actor, verb, args).await.map(drop).map_err(|error| {
            let mut failed = Failed::by_call(error);
            failed.message.insert_str(0, &format!("{verb}: "));
            failed
        })
    }
}

#[cfg(test)]
mod tests;
