//! `bss scenario`: list, check and run business stories.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;

use crate::scenario::client::{CallError, Caller, Operations};
use crate::scenario::format::Scenario;
use crate::scenario::load::{self, Invalid};
use crate::scenario::report::{self, Paint, ScenarioReport, Status};
use crate::scenario::runner::{self, Options};
use crate::scenario::suite::{self, Choice, Listed};

/// Business stories in YAML, run against a server.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    #[command(subcommand)]
    command: Command,
    /// How to answer.
    #[arg(short, long, value_enum, default_value = "text", global = true)]
    output: Output,
    /// Whether text may have colour.
    #[arg(long, value_enum, default_value = "auto", global = true)]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the scenarios of a directory.
    List {
        /// Where they are.
        #[arg(default_value = "scenarios")]
        directory: PathBuf,
    },
    /// Check files; when a server answers, also that it knows every operation they call.
    Validate {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run one scenario.
    Run {
        /// The file.
        file: PathBuf,
    },
    /// Run the scenarios of a directory, one after the other.
    RunAll {
        /// Where they are.
        #[arg(default_value = "scenarios")]
        directory: PathBuf,
        /// Only those with this tag.
        #[arg(long)]
        tag: Option<String>,
        /// Stop after the first that fails.
        #[arg(long)]
        fail_fast: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// Everything that was asked for is so.
const OK: u8 = 0;
/// A scenario failed.
const FAILED: u8 = 1;
/// A file is no scenario, or there is no such file.
const INVALID: u8 = 2;

/// Runs the command and returns the exit code of the program: 0 well, 1 a scenario failed, 2 a file is invalid, 4 the
/// server does not let us in, 7 it does not answer.
pub async fn run(args: ScenarioArgs, caller: impl Caller, out: &mut (dyn Write + Send)) -> io::Result<u8> {
    let mut screen = Screen { out, output: args.output, paint: args.color.paint() };
    match args.command {
        Command::List { directory } => screen.list(&directory),
        Command::Validate { files } => screen.validate(&files, caller.operations().await.ok().as_ref()),
        Command::Run { file } => {
            let scenario = match load::load(&file) {
                Ok(scenario) => scenario,
                Err(invalid) => return screen.refuse(&invalid),
            };
            match caller.operations().await {
                Ok(operations) => screen.run(&caller, &scenario, &operations).await,
                Err(error) => screen.unavailable(&error),
            }
        }
        Command::RunAll { directory, tag, fail_fast } => {
            let listed = match suite::list(&directory) {
                Ok(listed) => listed,
                Err(error) => return screen.unreadable(&directory, &error),
            };
            match caller.operations().await {
                Ok(operations) => screen.run_all(&caller, listed, &operations, &Choice { tag, fail_fast }).await,
                Err(error) => screen.unavailable(&error),
            }
        }
    }
}

/// Where answers go, and how they look.
struct Screen<'o> {
    out: &'o mut (dyn Write + Send),
    output: Output,
    paint: Paint,
}

impl Screen<'_> {
    fn list(&mut self, directory: &std::path::Path) -> io::Result<u8> {
        let listed = match suite::list(directory) {
            Ok(listed) => listed,
            Err(error) => return self.unreadable(directory, &error),
        };
        match self.output {
            Output::Text => self.out.write_all(report::listing(&listed, self.paint).as_bytes())?,
            Output::Json => self.json(&listed.iter().map(listed_as_json).collect::<Vec<_>>())?,
        }
        Ok(OK)
    }

    fn validate(&mut self, files: &[PathBuf], operations: Option<&Operations>) -> io::Result<u8> {
        let checked: Vec<(&PathBuf, Option<Invalid>)> =
            files.iter().map(|file| (file, suite::validate(file, operations).err())).collect();
        match self.output {
            Output::Text => {
                for (file, invalid) in &checked {
                    match invalid {
                        None => writeln!(self.out, "{} {}", self.paint.green("✓"), file.display())?,
                        Some(invalid) => writeln!(self.out, "{} {invalid}", self.paint.red("✗"))?,
                    }
                }
                if operations.is_none() {
                    writeln!(self.out, "no server answers: names of operations were not checked")?;
                }
            }
            Output::Json => {
                let rows = checked.iter().map(|(file, invalid)| {
                    json!({ "file": file, "ok": invalid.is_none(), "faults": invalid.as_ref().map(faults).unwrap_or_default() })
                });
                let files: Vec<_> = rows.collect();
                self.json(&json!({ "operationsChecked": operations.is_some(), "files": files }))?;
            }
        }
        let is_well = checked.iter().all(|(_, invalid)| invalid.is_none());
        Ok(if is_well { OK } else { INVALID })
    }

    async fn run(&mut self, caller: &impl Caller, scenario: &Scenario, operations: &Operations) -> io::Result<u8> {
        let report = runner::run(caller, scenario, operations, &stoppable()).await;
        match self.output {
            Output::Text => self.out.write_all(report::scenario(&report, self.paint).as_bytes())?,
            Output::Json => self.json(&report)?,
        }
        Ok(exit_code(&report))
    }

    async fn run_all(
        &mut self,
        caller: &impl Caller,
        listed: Vec<Listed>,
        operations: &Operations,
        choice: &Choice,
    ) -> io::Result<u8> {
        let mut told = Ok(());
        let report = suite::run_all(caller, listed, operations, choice, &stoppable(), |done| {
            if self.output == Output::Text && told.is_ok() {
                told =
                    self.out.write_all(report::scenario(done, self.paint).as_bytes()).and_then(|()| self.out.flush());
            }
        })
        .await;
        told?;
        match self.output {
            Output::Text if report.scenarios.is_empty() => writeln!(self.out, "no scenario matches")?,
            Output::Text => write!(self.out, "\n{}", report::suite(&report, self.paint))?,
            Output::Json => self.json(&report)?,
        }
        Ok(match (report.failed, report.invalid) {
            (0, 0) => OK,
            (0, _) => INVALID,
            (_, _) => FAILED,
        })
    }

    fn refuse(&mut self, invalid: &Invalid) -> io::Result<u8> {
        match self.output {
            Output::Text => writeln!(self.out, "{invalid}")?,
            Output::Json => self.json(&ScenarioReport::invalid(invalid))?,
        }
        Ok(INVALID)
    }

    fn unreadable(&mut self, directory: &std::path::Path, error: &io::Error) -> io::Result<u8> {
        let message = format!("{}: {error}", directory.display());
        match self.output {
            Output::Text => writeln!(self.out, "{message}")?,
            Output::Json => self.json(&json!({ "error": { "message": message } }))?,
        }
        Ok(INVALID)
    }

    fn unavailable(&mut self, error: &CallError) -> io::Result<u8> {
        match self.output {
            Output::Text => writeln!(self.out, "{error}")?,
            Output::Json => self.json(&json!({ "error": error }))?,
        }
        Ok(match error.status {
            401 | 403 => 4,
            0 | 429 | 503 => 7,
            _ => FAILED,
        })
    }

    fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self.out, value)?;
        writeln!(self.out)
    }
}

impl Color {
    fn paint(self) -> Paint {
        match self {
            Self::Auto if io::stdout().is_terminal() => Paint::Colour,
            Self::Always => Paint::Colour,
            Self::Auto | Self::Never => Paint::Plain,
        }
    }
}

/// Ctrl-C ends the step in progress; the teardown still runs, so that no clock stays frozen and no fault stays on.
fn stoppable() -> Options {
    let options = Options::default();
    let stop = options.stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    options
}

fn exit_code(report: &ScenarioReport) -> u8 {
    match report.status {
        Status::Passed | Status::Skipped => OK,
        Status::Failed => FAILED,
        Status::Invalid => INVALID,
    }
}

fn listed_as_json(listed: &Listed) -> serde_json::Value {
    match &listed.scenario {
        Ok(scenario) => json!({
            "file": listed.file,
            "name": scenario.name,
            "description": scenario.description,
            "tags": scenario.tags,
            "requires": scenario.requires.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "steps": scenario.steps.len(),
            "ok": true,
        }),
        Err(invalid) => json!({ "file": listed.file, "ok": false, "faults": faults(invalid) }),
    }
}

fn faults(invalid: &Invalid) -> Vec<serde_json::Value> {
    invalid.faults.iter().map(|fault| json!({ "line": fault.line, "message": fault.message })).collect()
}

#[cfg(test)]
mod tests;
