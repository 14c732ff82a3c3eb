//! Reads scenario files: YAML in, a well-formed [`Scenario`] or every fault with its line out.
//!
//! Nothing is read and then ignored: an unknown key, a key of another kind of step, a value of the wrong type and a
//! variable that nobody defines are all faults, found before anything runs.

mod raw;
mod step;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde_saphyr::MessageFormatter;

use self::raw::{RawScenario, RawTeardown};
use super::format::{Capability, Scenario, Setup, Step, Teardown};
use super::names;

/// A scenario file that cannot be run, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, in the order of the file; never empty.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong with a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1, where it is known.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
}

/// The longest file that is read, in bytes: a scenario is prose, not data.
const LONGEST_FILE: u64 = 1024 * 1024;
/// The longest name, in characters: it travels in a header with every call.
const LONGEST_NAME: usize = 120;

/// Reads and checks one file.
pub fn load(file: &Path) -> Result<Scenario, Invalid> {
    let text = read(file).map_err(|error| Invalid::because(file, None, format!("cannot be read: {error}")))?;
    parse(file, &text)
}

/// Checks the text of a file; `file` is only for messages.
pub fn parse(file: &Path, text: &str) -> Result<Scenario, Invalid> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false, leading_zero_numbers_as_strings: true, underscored_numbers_as_strings: true };
    let raw: RawScenario = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
        let message = serde_saphyr::UserMessageFormatter.format_message(&error).into_owned();
        Invalid::because(file, line, message)
    })?;
    let mut faults = Vec::new();
    let scenario = assemble(file, raw, &mut faults);
    names::check(&scenario, &mut faults);
    if faults.is_empty() { Ok(scenario) } else { Err(Invalid { file: file.to_owned(), faults }) }
}

fn read(file: &Path) -> io::Result<String> {
    let length = fs::metadata(file)?.len();
    if length > LONGEST_FILE {
        return Err(io::Error::other(format!(
            "{length} bytes are more than the {LONGEST_FILE} of the longest scenario"
        )));
    }
    fs::read_to_string(file)
}

fn assemble(file: &Path, raw: RawScenario, faults: &mut Vec<Fault>) -> Scenario {
    check_name(&raw.name, faults);
    if raw.steps.is_empty() {
        faults.push(Fault::new(None, "a scenario needs at least one step"));
    }
    let mut variables = raw.setup.variables;
    variables.extend(raw.variables);
    let mut steps_of =
        |raw: Vec<_>| raw.into_iter().filter_map(|step| step::assemble(step, faults)).collect::<Vec<Step>>();
    let steps = steps_of(raw.steps);
    let RawTeardown { steps: teardown_steps, unfreeze_clock } = raw.teardown;
    let teardown = Teardown { steps: steps_of(teardown_steps), unfreeze_clock };
    Scenario {
        file: file.to_owned(),
        name: raw.name,
        description: raw.description,
        tags: raw.tags,
        requires: raw.requires.iter().filter_map(|text| capability(text, faults)).collect(),
        setup: Setup {
            reset_operational_data: raw.setup.reset_operational_data,
            freeze_clock_at: raw.setup.freeze_clock_at,
        },
        variables,
        steps,
        teardown,
    }
}

fn check_name(name: &str, faults: &mut Vec<Fault>) {
    let is_sendable = name.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if name.trim().is_empty() || name.len() > LONGEST_NAME || !is_sendable {
        let message = format!("`name` is sent with every call: 1 to {LONGEST_NAME} printable ASCII characters");
        faults.push(Fault::new(None, message));
    }
}

fn capability(text: &str, faults: &mut Vec<Fault>) -> Option<Capability> {
    match text {
        "clock" => Some(Capability::Clock),
        "reset" => Some(Capability::Reset),
        "portal_token" => Some(Capability::PortalToken),
        operation if operation.contains('.') => Some(Capability::Operation(operation.to_owned())),
        unknown => {
            let message =
                format!("`requires` knows clock, reset, portal_token and names of operations, not `{unknown}`");
            faults.push(Fault::new(None, message));
            None
        }
    }
}

impl Invalid {
    fn because(file: &Path, line: Option<u64>, message: String) -> Self {
        Self { file: file.to_owned(), faults: vec![Fault { line, message }] }
    }
}

impl Fault {
    pub(super) fn new(line: Option<u64>, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let file = self.file.display();
            match fault.line {
                Some(line) => write!(f, "{separator}{file}:{line}: {}", fault.message)?,
                None => write!(f, "{separator}{file}: {}", fault.message)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
