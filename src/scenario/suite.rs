//! Many scenarios: the files of a directory, in order, by tag.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use super::client::{Caller, Operations};
use super::format::Scenario;
use super::load::{self, Invalid};
use super::names;
use super::report::{ScenarioReport, Status, SuiteReport};
use super::runner::{self, Options};

/// A file of a directory, and the scenario in it.
#[derive(Debug)]
pub struct Listed {
    /// The file.
    pub file: PathBuf,
    /// What it holds.
    pub scenario: Result<Scenario, Invalid>,
}

/// Which scenarios to run, and when to stop.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Run no other after the first that fails or is invalid.
    pub fail_fast: bool,
}

/// Reads a file and, when the server told what it knows, checks that it knows every operation of it.
pub fn validate(file: &Path, operations: Option<&Operations>) -> Result<Scenario, Invalid> {
    let scenario = load::load(file)?;
    let faults = operations.map(|operations| names::unknown_verbs(&scenario, operations)).unwrap_or_default();
    if faults.is_empty() { Ok(scenario) } else { Err(Invalid { file: file.to_owned(), faults }) }
}

/// The scenarios of a directory, not of those below it: `*.yaml`, then `*.yml`, each by name.
pub fn list(directory: &Path) -> io::Result<Vec<Listed>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() && suffix_rank(&path).is_some() {
            files.push(path);
        }
    }
    files.sort_by(|left, right| (suffix_rank(left), left).cmp(&(suffix_rank(right), right)));
    Ok(files.into_iter().map(|file| Listed { scenario: load::load(&file), file }).collect())
}

/// Runs the chosen scenarios of a directory one after the other; `on_done` hears of each as it ends.
///
/// An invalid file is reported and does not keep the others from running. It has no tags, so no tag leaves it out.
pub async fn run_all<C: Caller>(
    caller: &C,
    listed: Vec<Listed>,
    operations: &Operations,
    choice: &Choice,
    options: &Options,
    mut on_done: impl FnMut(&ScenarioReport),
) -> SuiteReport {
    let began = Instant::now();
    let chosen = listed.into_iter().filter(|listed| is_chosen(listed, choice));
    let mut waiting: Vec<Listed> = chosen.collect();
    let mut reports = Vec::with_capacity(waiting.len());
    waiting.reverse();
    while let Some(next) = waiting.pop() {
        let report = match &next.scenario {
            Ok(scenario) => runner::run(caller, scenario, operations, options).await,
            Err(invalid) => ScenarioReport::invalid(invalid),
        };
        let is_bad = matches!(report.status, Status::Failed | Status::Invalid);
        on_done(&report);
        reports.push(report);
        if options.stop.is_cancelled() || (is_bad && choice.fail_fast) {
            break;
        }
    }
    SuiteReport::of(reports, waiting.len(), began.elapsed())
}

fn is_chosen(listed: &Listed, choice: &Choice) -> bool {
    match (&listed.scenario, &choice.tag) {
        (Ok(scenario), Some(tag)) => scenario.tags.contains(tag),
        (Ok(_), None) | (Err(_), _) => true,
    }
}

fn suffix_rank(file: &Path) -> Option<u8> {
    match file.extension()?.to_str()? {
        "yaml" => Some(0),
        "yml" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
