//! What came of a run: for machines as JSON, for people as text. Pure functions; whoever calls decides where it goes and
//! whether it may have colour.

mod text;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use self::text::{listing, scenario, suite};
use super::capture::Captured;
use super::format::{Kind, Scenario, Step};
use super::load::Invalid;
use super::poll::Failed;
use super::runner::milliseconds;

/// What came of one scenario.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    /// Its name; of an invalid file the file's.
    pub name: String,
    /// The file it came from.
    pub file: PathBuf,
    /// How it ended.
    pub status: Status,
    /// Why it was skipped or is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The `run_id` of this run; empty when there was none.
    pub run_id: String,
    /// From the first call to the end of the teardown, in milliseconds.
    pub duration_ms: u64,
    /// Why no step ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup_error: Option<String>,
    /// Every step, also those that did not run; those of the teardown last.
    pub steps: Vec<StepReport>,
    /// What could not be put back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teardown_errors: Vec<String>,
}

/// What came of one step.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// Its place in the file, from 1; teardown steps count on.
    pub number: usize,
    /// Where it belongs.
    pub phase: Phase,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The line of the file at which it begins.
    pub line: u64,
    /// How it ended.
    pub status: StepStatus,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What it captured.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub captured: Map<String, Value>,
    /// Why it failed or was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What came of many scenarios.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteReport {
    /// Whether nothing failed and no file was invalid.
    pub ok: bool,
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were skipped.
    pub skipped: usize,
    /// How many files are no scenario.
    pub invalid: usize,
    /// How many were left out because one before them failed.
    pub not_run: usize,
    /// All together, in milliseconds.
    pub duration_ms: u64,
    /// One by one.
    pub scenarios: Vec<ScenarioReport>,
}

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every step and the teardown worked.
    Passed,
    /// Something did not.
    Failed,
    /// The server cannot do what it requires.
    Skipped,
    /// The file is no scenario.
    Invalid,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It worked.
    Passed,
    /// It did not.
    Failed,
    /// A teardown step with nothing to put back.
    Skipped,
    /// The run ended before it.
    NotRun,
}

/// Where a step belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The story.
    Steps,
    /// What puts things back.
    Teardown,
}

impl ScenarioReport {
    /// The report of an invalid file.
    pub fn invalid(invalid: &Invalid) -> Self {
        let name = invalid.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { reason: Some(invalid.to_string()), status: Status::Invalid, ..Self::blank(name, invalid.file.clone()) }
    }

    /// The failed step, when one failed.
    pub fn failed_step(&self) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.phase == Phase::Steps && step.status == StepStatus::Failed)
    }

    /// How many steps of the story worked, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        let story = || self.steps.iter().filter(|step| step.phase == Phase::Steps);
        (story().filter(|step| step.status == StepStatus::Passed).count(), story().count())
    }

    /// A report in which nothing has happened yet.
    pub(super) fn begin(scenario: &Scenario, run_id: String) -> Self {
        let steps = scenario.steps.iter().enumerate();
        let steps = steps.map(|(index, step)| StepReport::new(Phase::Steps, index + 1, step)).collect();
        Self { run_id, steps, ..Self::blank(scenario.name.clone(), scenario.file.clone()) }
    }

    fn blank(name: String, file: PathBuf) -> Self {
        Self {
            name,
            file,
            status: Status::Failed,
            reason: None,
            run_id: String::new(),
            duration_ms: 0,
            setup_error: None,
            steps: Vec::new(),
            teardown_errors: Vec::new(),
        }
    }
}

impl StepReport {
    pub(super) fn new(phase: Phase, number: usize, step: &Step) -> Self {
        Self {
            number,
            phase,
            kind: step.kind(),
            name: step.name.clone(),
            line: step.line,
            status: StepStatus::NotRun,
            duration_ms: 0,
            captured: Map::new(),
            error: None,
        }
    }

    pub(super) fn finish(&mut self, outcome: &Result<Vec<Captured>, Failed>, took: Duration) {
        self.duration_ms = milliseconds(took);
        match outcome {
            Ok(captured) => {
                self.status = StepStatus::Passed;
                self.captured = captured.iter().cloned().collect();
            }
            Err(failed) => {
                self.status = StepStatus::Failed;
                self.error = Some(failed.message.clone());
            }
        }
    }
}

impl SuiteReport {
    /// Sums up what was run; `not_run` files were left out.
    pub(super) fn of(scenarios: Vec<ScenarioReport>, not_run: usize, took: Duration) -> Self {
        let count = |status| scenarios.iter().filter(|report| report.status == status).count();
        let (failed, invalid) = (count(Status::Failed), count(Status::Invalid));
        Self {
            ok: failed == 0 && invalid == 0,
            passed: count(Status::Passed),
            failed,
            skipped: count(Status::Skipped),
            invalid,
            not_run,
            duration_ms: milliseconds(took),
            scenarios,
        }
    }
}
