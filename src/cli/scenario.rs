//! `bss scenario`: list, check and run business stories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::error::{CliError, Refusal};
use super::session::{Gate, Outcome, Session};
use super::target::Target;
use super::{Global, refuse_dry_run, tokens};
use crate::render::Style;
use crate::render::styled::{Look, Styled};
use crate::scenario::client::{CallError, Caller, Identity, Operations, OpsClient};
use crate::scenario::format::Scenario;
use crate::scenario::load::{self, Invalid};
use crate::scenario::report::{self, ScenarioReport, Status, SuiteReport};
use crate::scenario::runner::{self, Options};
use crate::scenario::suite::{self, Choice, Listed};

/// Where scenarios are, unless said otherwise.
const DIRECTORY: &str = "scenarios";

/// Commands about scenarios.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// Show the scenarios of a directory; needs no server
    #[command(after_help = "Examples:\n  bss scenario list\n  bss scenario list scenarios -o json")]
    List(DirectoryArgs),
    /// Check files, and where a server answers, that it knows every operation they call
    #[command(after_help = "\
Examples:
  bss scenario validate scenarios/customer_signup_and_exhaust.yaml
  bss scenario validate scenarios/customer_renews_automatically.yaml -o json")]
    Validate(ValidateArgs),
    /// Run one scenario; Ctrl-C ends it early and still puts everything back
    #[command(after_help = "\
Examples:
  bss scenario run scenarios/customer_signup_and_exhaust.yaml
  bss scenario run scenarios/customer_signup_and_exhaust.yaml -o json")]
    Run(RunArgs),
    /// Run the scenarios of a directory, one after the other
    #[command(
        after_help = "Examples:\n  bss scenario run-all --tag hero\n  bss scenario run-all scenarios --fail-fast"
    )]
    RunAll(RunAllArgs),
}

/// Which directory.
#[derive(Debug, Args)]
pub struct DirectoryArgs {
    /// Where the scenarios are
    #[arg(default_value = DIRECTORY)]
    directory: PathBuf,
}

/// Which files.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// The files to check
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Which scenario.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The file to run
    file: PathBuf,
    #[command(flatten)]
    portal: PortalToken,
    #[command(flatten)]
    gate: Gate,
}

/// Which scenarios.
#[derive(Debug, Args)]
pub struct RunAllArgs {
    #[command(flatten)]
    place: DirectoryArgs,
    /// Only those with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Stop after the first that fails
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    portal: PortalToken,
    #[command(flatten)]
    gate: Gate,
}

/// The second identity that scenarios can act as.
#[derive(Debug, Args)]
struct PortalToken {
    /// Token of the self-serve portal; otherwise the one in `<data dir>/tokens.env`
    #[arg(long, env = "BSS_PORTAL_SELF_SERVE_API_TOKEN", hide_env_values = true)]
    portal_token: Option<String>,
}

pub(super) async fn run(command: ScenarioCommand, global: &Global, session: &mut Session<'_>) -> Outcome {
    match command {
        ScenarioCommand::List(args) => list(&args.directory, session).await,
        ScenarioCommand::Validate(args) => {
            let operations = caller(session.target, None)?.operations().await.ok();
            validate(&args.files, operations.as_ref(), session).await
        }
        ScenarioCommand::Run(args) => {
            allow(global, args.gate, session)?;
            run_one(&args.file, &caller(session.target, args.portal.portal_token)?, session).await
        }
        ScenarioCommand::RunAll(args) => {
            allow(global, args.gate, session)?;
            let caller = caller(session.target, args.portal.portal_token)?;
            let choice = Choice { tag: args.tag, fail_fast: args.fail_fast };
            run_all(&args.place.directory, &choice, &caller, session).await
        }
    }
}

/// Scenarios empty the operational data and move the clock, as far as the server lets them.
fn allow(global: &Global, gate: Gate, session: &mut Session<'_>) -> Outcome {
    refuse_dry_run(global, "a scenario")?;
    session.confirm_in_production(gate, "A scenario may delete everything and move the clock.")
}

fn caller(target: &Target, portal_token: Option<String>) -> Result<OpsClient, CliError> {
    let portal_token = portal_token.filter(|token| !token.is_empty()).map(|token| token.as_str().into());
    let found = [
        (Identity::Default, target.token.clone()),
        (Identity::PortalSelfServe, portal_token.or_else(|| tokens::discover_portal(target))),
    ];
    let held = found.into_iter().filter_map(|(identity, token)| Some((identity, token?.reveal().to_owned())));
    OpsClient::new(target.url.clone(), held.collect::<BTreeMap<_, _>>())
        .map_err(|error| CliError::Failed(format!("cannot set up HTTP: {error}")))
}

async fn list(directory: &Path, session: &mut Session<'_>) -> Outcome {
    let listed = read_directory(directory)?;
    let data = Value::Array(listed.iter().map(listed_as_data).collect());
    session.show(&data, |_, style| report::listing(&listed, style)).await
}

async fn validate(files: &[PathBuf], operations: Option<&Operations>, session: &mut Session<'_>) -> Outcome {
    let checked: Vec<(&PathBuf, Option<Invalid>)> =
        files.iter().map(|file| (file, suite::validate(file, operations).err())).collect();
    let rows = checked.iter().map(|(file, invalid)| {
        json!({ "file": file, "ok": invalid.is_none(), "faults": invalid.as_ref().map(faults).unwrap_or_default() })
    });
    let data = json!({ "operationsChecked": operations.is_some(), "files": rows.collect::<Vec<_>>() });
    session
        .show(&data, |_, style| {
            let lines = checked.iter().map(|(file, invalid)| match invalid {
                None => format!("{} {}\n", Styled::of(Look::Good, "✓").paint(style), file.display()),
                Some(invalid) => format!("{} {invalid}\n", Styled::of(Look::Bad, "✗").paint(style)),
            });
            lines.collect()
        })
        .await?;
    if operations.is_none() {
        session.note("no server answers: whether the operations exist was not checked");
    }
    match checked.iter().filter(|(_, invalid)| invalid.is_some()).count() {
        0 => Ok(()),
        bad => Err(CliError::Usage(format!("{bad} of {} files are no valid scenario", checked.len()))),
    }
}

async fn run_one(file: &Path, caller: &OpsClient, session: &mut Session<'_>) -> Outcome {
    let scenario = match load::load(file) {
        Ok(scenario) => scenario,
        Err(invalid) => return refuse(&invalid, session).await,
    };
    let operations = caller.operations().await.map_err(|error| unavailable(error, caller))?;
    let report = runner::run(caller, &scenario, &operations, &stoppable()).await;
    session.show(&data(&report)?, |_, style| report::scenario(&report, style)).await?;
    match report.status {
        Status::Passed | Status::Skipped => Ok(()),
        Status::Failed | Status::Invalid => Err(CliError::Failed(format!("the scenario {} failed", report.name))),
    }
}

/// Runs a story that is part of the binary, as the operator alone.
pub(super) async fn play(story: &Scenario, target: &Target) -> Result<ScenarioReport, CliError> {
    let caller = caller(target, None)?;
    let operations = caller.operations().await.map_err(|error| unavailable(error, &caller))?;
    Ok(runner::run(&caller, story, &operations, &stoppable()).await)
}

async fn run_all(directory: &Path, choice: &Choice, caller: &OpsClient, session: &mut Session<'_>) -> Outcome {
    let listed = read_directory(directory)?;
    let operations = caller.operations().await.map_err(|error| unavailable(error, caller))?;
    let style = session.console.style;
    let mut told = Ok(());
    let report = suite::run_all(caller, listed, &operations, choice, &stoppable(), |done| {
        if session.wanted.is_prose() && told.is_ok() {
            told = session.console.print(&report::scenario(done, style));
        }
    })
    .await;
    told?;
    if report.scenarios.is_empty() {
        session.note("no scenario matches");
    }
    let told_already = session.wanted.is_prose();
    session
        .show(&data(&report)?, |_, _| if told_already { summary(&report, style) } else { whole(&report, style) })
        .await?;
    match (report.failed, report.invalid) {
        (0, 0) => Ok(()),
        (0, invalid) => Err(CliError::Usage(format!("{invalid} files are no valid scenario"))),
        (failed, _) => Err(CliError::Failed(format!("{failed} of {} scenarios failed", report.scenarios.len()))),
    }
}

/// Each scenario and the summary, for a format that waited until all had run.
fn whole(report: &SuiteReport, style: Style) -> String {
    report.scenarios.iter().map(|done| report::scenario(done, style)).collect::<String>() + &summary(report, style)
}

fn summary(report: &SuiteReport, style: Style) -> String {
    if report.scenarios.is_empty() { String::new() } else { format!("\n{}", report::suite(report, style)) }
}

/// An invalid file: programs get the report that they would have got, people get the reasons.
async fn refuse(invalid: &Invalid, session: &mut Session<'_>) -> Outcome {
    if !session.wanted.is_prose() {
        session.show(&data(&ScenarioReport::invalid(invalid))?, |_, _| String::new()).await?;
    }
    Err(CliError::Usage(invalid.to_string()))
}

fn read_directory(directory: &Path) -> Result<Vec<Listed>, CliError> {
    suite::list(directory).map_err(|error| CliError::Usage(format!("{}: {error}", directory.display())))
}

/// The server does not answer, or does not let us in: the same words as from any other command.
fn unavailable(error: CallError, caller: &OpsClient) -> CliError {
    let address = caller.base_url().origin().ascii_serialization();
    match error.code.as_str() {
        "UNREACHABLE" => CliError::Unreachable { address },
        "TIMEOUT" => CliError::NotAnswered { address, key: None },
        "MALFORMED_ANSWER" => CliError::Unexpected(error.message),
        _ => CliError::Refused(Box::new(Refusal {
            status: error.status,
            code: error.code,
            reason: error.reason,
            message: error.message,
            context: error.context.as_object().cloned().unwrap_or_else(Map::new),
            request_id: error.request_id,
            retry_after_seconds: None,
            key: None,
        })),
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

fn data(report: &impl serde::Serialize) -> Result<Value, CliError> {
    serde_json::to_value(report).map_err(|error| CliError::Failed(format!("the report cannot be written: {error}")))
}

fn listed_as_data(listed: &Listed) -> Value {
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

fn faults(invalid: &Invalid) -> Vec<Value> {
    invalid.faults.iter().map(|fault| json!({ "line": fault.line, "message": fault.message })).collect()
}
