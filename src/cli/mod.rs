//! The command line: thin HTTP clients of a running server, one file per command group.
//!
//! A command turns its arguments into one or few calls of the operations API and its answer into text. It decides
//! nothing: rules live in the server, and the reader sees the server's own words. Data goes to standard output,
//! everything else to standard error; [`error`] holds the exit codes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde_json::{Value, json};
use url::Url;

mod admin;
mod audit;
mod backup;
pub mod bench;
mod catalog;
mod client;
mod clock;
mod complete;
mod completions;
mod console;
mod context;
mod contexts;
mod customer;
mod demo;
mod error;
mod events;
mod hints;
mod inventory;
mod man;
mod message;
mod op;
pub mod operations;
mod order;
mod output;
mod pager;
mod payment;
mod promo;
mod prov;
mod quantity;
mod queue;
mod rating;
mod repetition;
mod scenario;
mod server;
mod session;
mod soak;
mod som;
mod subscription;
mod suggest;
mod target;
#[cfg(test)]
mod tests;
mod tokens;
mod trace;
mod usage;
mod usage_import;
mod worker;

pub use backup::{BackupArgs, RestoreArgs, consent, print_backup, print_offenders, print_progress, print_restored};
pub use output::Format;
pub use server::{Role, SeedArgs, ServeArgs, ServerCommand};

use console::Console;
use error::CliError;
use output::Wanted;
use session::{Outcome, Session};
use target::Target;

use crate::render;

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default());

/// The whole Business Support System of a small prepaid, eSIM-only mobile operator
#[derive(Debug, Parser)]
#[command(name = "bss", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = "\
Examples:
  bss serve
  bss customer create --name 'Ada Lovelace' --email ada@example.test --card visa
  bss order create --customer CUST-0a1b2c3d4e5f --offering PLAN_M
  bss order list --fields id,state,items.offeringId -o csv
  bss subscription show 90000000 --jq '.balances[] | .remaining'

Answers go to standard output, everything else to standard error. The field
names of json, yaml, jsonl, csv, wide, --fields and --jq are the same.

Where to go: --url or --context, then BSS_URL or BSS_CONTEXT, then the context
in use, then http://127.0.0.1:8000.

Exit codes:
  0 done            1 error                2 wrong usage or configuration
  3 a rule says no  4 not authenticated    5 not found
  6 conflict        7 server not available")]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Address of the server's API [default: that of the context, or port 8000 of this machine]
    #[arg(long, global = true, env = "BSS_URL", hide_env_values = true, value_parser = server_url)]
    pub url: Option<Url>,
    /// File with the token to call with, - for standard input; else `BSS_API_TOKEN`, or the one in `<data dir>/tokens.env`
    #[arg(long, global = true, value_name = "FILE")]
    pub token_from: Option<PathBuf>,
    /// The token itself. Everybody on a machine can read its command lines: there it is refused.
    #[arg(long, global = true, env = "BSS_API_TOKEN", hide = true)]
    pub token: Option<String>,
    /// Context to use, instead of the one in use; see bss context
    #[arg(long, global = true, env = "BSS_CONTEXT", hide_env_values = true, value_name = "NAME")]
    pub context: Option<String>,
    /// How answers are printed: table, wide, json, yaml, jsonl or csv
    // Explained in docs/CLI.md: with the values explained here, every page of help would be twice as long.
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT", hide_possible_values = true)]
    pub output: Format,
    /// Only these fields, by their names in the JSON: id,price.amount
    #[arg(long, global = true, value_name = "A,B.C", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// What this filter makes of the JSON, in the language of jq
    #[arg(long, global = true, value_name = "FILTER")]
    pub jq: Option<String>,
    /// Say what would be sent, and send nothing that changes anything
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Do once what is asked for with this key, however often; after an error that names one
    #[arg(long, global = true, value_name = "KEY", value_parser = repetition::key)]
    pub idempotency_key: Option<String>,
    /// Data directory of the server on this machine
    #[arg(long, global = true, env = "BSS_DATA_DIR", hide_env_values = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// No colour, also where a terminal could show it
    #[arg(long, global = true, env = "NO_COLOR", hide_env_values = true, value_parser = wants_no_color)]
    pub no_color: bool,
    /// Long output straight to the terminal, without `BSS_PAGER`, `PAGER` or less
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// Only what was asked for: no messages, and ids instead of tables
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Our own pager.
    #[arg(long, global = true, env = "BSS_PAGER", hide = true)]
    bss_pager: Option<String>,
    /// Everybody's pager.
    #[arg(long, global = true, env = "PAGER", hide = true)]
    pager: Option<String>,
    /// What stands on the command line itself.
    #[arg(skip)]
    said: Said,
}

/// Options that were typed, not taken from the environment.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    token: bool,
    context: bool,
}

impl Cli {
    /// Reads a command line. Where it names a context or an address, the environment's does not count.
    ///
    /// # Errors
    /// The command line is wrong, holds a token, or asks for help.
    pub fn read<I: IntoIterator<Item: Into<OsString> + Clone>>(arguments: I) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let mut command = Self::command();
        let matches =
            command.try_get_matches_from_mut(arguments.clone()).map_err(|error| as_typed(error, &arguments))?;
        let mut cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let said = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        if said("token") {
            let message = "others on this machine can read a token on the command line: \
                           set BSS_API_TOKEN, or use --token-from FILE, or bss context";
            return Err(command.error(ErrorKind::ValueValidation, message));
        }
        let global = &mut cli.global;
        if let Some(file) = &global.token_from {
            let token = token_in(file)
                .map_err(|error| command.error(ErrorKind::Io, format!("--token-from {}: {error}", file.display())))?;
            global.token = Some(token);
        }
        global.said = Said { token: global.token_from.is_some(), context: said("context") };
        match (said("context"), said("url")) {
            (true, false) => {
                global.url = None;
                global.token = global.token.take().filter(|_| global.said.token);
                global.data_dir = global.data_dir.take().filter(|_| said("data_dir"));
            }
            (false, true) => global.context = None,
            _ => {}
        }
        global.context = global.context.take().filter(|name| !name.is_empty());
        Ok(cli)
    }
}

/// What is wrong, by what was typed alone: with options that come from the environment, a group alone would be an error
/// instead of its help, and the usage would name options that nobody used.
fn as_typed(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    fn without_environment(command: clap::Command) -> clap::Command {
        command.mut_args(|argument| argument.env(None::<&str>)).mut_subcommands(without_environment)
    }
    without_environment(Cli::command()).try_get_matches_from(arguments).err().unwrap_or(error)
}

/// The token in a file, without the end of its line; - is standard input.
fn token_in(file: &Path) -> std::io::Result<String> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file)?
    };
    Ok(text.trim().to_owned())
}

/// Everything `bss` can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Handled by this process.
    #[command(flatten)]
    Server(ServerCommand),
    /// Handled by a running server.
    #[command(flatten)]
    Client(ClientCommand),
}

/// Commands that call a running server.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Customers: who they are, how to reach them, their identity check
    #[command(
        subcommand,
        after_help = "Examples:\n  bss customer create --name 'Ada Lovelace' --email ada@example.test\n  bss customer show ada@example.test"
    )]
    Customer(customer::CustomerCommand),
    /// Messages to customers: what they were told, and what they want to be told
    #[command(
        subcommand,
        after_help = "Examples:\n  bss message list --customer CUST-0a1b2c3d4e5f\n  bss message resend MSG-0a1b2c3d4e5f"
    )]
    Message(message::MessageCommand),
    /// Cards on file, payment attempts, refunds
    #[command(
        subcommand,
        after_help = "Examples:\n  bss payment add-card --customer CUST-0a1b2c3d4e5f --card visa\n  bss payment attempts --subject ORD-0042"
    )]
    Payment(payment::PaymentCommand),
    /// Plans and top-ups on sale
    #[command(subcommand, after_help = "Examples:\n  bss catalog list\n  bss catalog vas")]
    Catalog(catalog::CatalogCommand),
    /// Promotions: discounts, and who may have them
    #[command(subcommand, after_help = "Examples:\n  bss promo list\n  bss promo preview SUMMER25 --offering PLAN_M")]
    Promo(promo::PromoCommand),
    /// Orders, from basket to active line
    #[command(
        subcommand,
        after_help = "Examples:\n  bss order create --customer CUST-0a1b2c3d4e5f --offering PLAN_M\n  bss order show ORD-0042"
    )]
    Order(order::OrderCommand),
    /// Lines: balances, top-ups, renewal, end
    #[command(
        subcommand,
        after_help = "Examples:\n  bss subscription show SUB-0042\n  bss subscription vas SUB-0042 VAS_DATA_1GB"
    )]
    Subscription(subscription::SubscriptionCommand),
    /// Usage: simulate it, look at it
    #[command(
        subcommand,
        after_help = "Examples:\n  bss usage simulate --msisdn 90000042 --quantity 1GB\n  bss usage history --msisdn 90000042"
    )]
    Usage(usage::UsageCommand),
    /// Why usage was answered as it was, and what a plan takes off for it
    #[command(
        subcommand,
        after_help = "\
Examples:
  bss rating explain UE-000007
  bss rating tariff PLAN_M"
    )]
    Rating(rating::RatingCommand),
    /// Numbers and eSIM profiles
    #[command(
        subcommand,
        after_help = "Examples:\n  bss inventory msisdn list --state available\n  bss inventory esim list"
    )]
    Inventory(inventory::InventoryCommand),
    /// Network tasks and simulated faults
    #[command(subcommand, after_help = "Examples:\n  bss prov tasks --state failed\n  bss prov retry PTK-0003")]
    Prov(prov::ProvCommand),
    /// Services and service orders
    #[command(
        subcommand,
        after_help = "Examples:\n  bss som service list --subscription SUB-0042\n  bss som so-show SO-0042"
    )]
    Som(som::SomCommand),
    /// The event log
    #[command(
        subcommand,
        after_help = "Examples:\n  bss events list --aggregate-id SUB-0042\n  bss events tail --follow"
    )]
    Events(events::EventsCommand),
    /// Are the books right, and who did what?
    #[command(subcommand, after_help = "Examples:\n  bss audit verify\n  bss audit events --identity default")]
    Audit(audit::AuditCommand),
    /// Events that wait for their consumers, and parked ones
    #[command(subcommand, after_help = "Examples:\n  bss queue status\n  bss queue parked")]
    Queue(queue::QueueCommand),
    /// The way of an order through the modules, drawn
    #[command(subcommand, after_help = "Examples:\n  bss trace for-order ORD-0042\n  bss trace list --failed")]
    Trace(trace::TraceCommand),
    /// Replicas and periodic work
    #[command(subcommand, after_help = "Examples:\n  bss worker list\n  bss worker tick renewal")]
    Worker(worker::WorkerCommand),
    /// The product clock
    #[command(subcommand, after_help = "Examples:\n  bss clock now\n  bss clock advance 30d")]
    Clock(clock::ClockCommand),
    /// Business stories in YAML, run against the server
    #[command(subcommand, after_help = "Examples:\n  bss scenario list\n  bss scenario run-all --tag hero")]
    Scenario(scenario::ScenarioCommand),
    /// Load on a running server: how fast does it answer?
    #[command(after_help = "Examples:\n  bss bench usage --connections 32 --seconds 10\n  bss bench read --json")]
    Bench(bench::BenchArgs),
    /// A simulated year, kills included: is every customer as an independent model says?
    #[command(
        after_help = "Examples:\n  bss soak\n  bss soak --customers 2000 --days 365 --seed 1 --kills 20 --report soak.md"
    )]
    Soak(soak::SoakArgs),
    /// What only an administrator does: the catalog, the pools, the reset
    #[command(
        subcommand,
        after_help = "Examples:\n  bss admin catalog show\n  bss admin catalog window-offering PLAN_S --valid-to 2027-01-01T00:00:00Z"
    )]
    Admin(admin::AdminCommand),
    /// Any operation by its name
    Op(op::OpArgs),
    /// The servers that you work with, by name
    #[command(
        subcommand,
        after_help = "Examples:\n  bss context add local --url http://127.0.0.1:8000\n  bss context use local"
    )]
    Context(context::ContextCommand),
    /// Completions for a shell, with the ids of the server, to be sourced by it
    Completions(completions::CompletionsArgs),
    /// Manual pages of every command
    Man(man::ManArgs),
}

/// The `clap` command with everything that completes it, for `COMPLETE=bash bss` and its like.
pub fn command_to_complete() -> clap::Command {
    complete::command()
}

/// Runs a command against the server that `global` names; answers the exit code.
pub async fn run(global: Global, command: ClientCommand) -> u8 {
    let mut console = Console::standard(&global);
    run_on(&global, command, &mut console).await
}

/// Fills the running server that `global` names with the demo; answers the exit code.
pub async fn seed_demo(global: Global, production: bool) -> u8 {
    let mut console = Console::standard(&global);
    let outcome = demo::run(&global, production, &mut console).await;
    told(outcome, &global, &mut console)
}

/// Prints what was looked at, for the commands that need no server; answers the exit code.
pub fn print_findings(global: &Global, findings: &Value) -> u8 {
    print_answer(global, findings, render::platform::findings)
}

/// Prints that something is done, for the commands that need no server; answers the exit code.
pub fn print_done(global: &Global, message: &str) -> u8 {
    print_answer(global, &json!({"ok": true, "message": message}), |answer, _| render::text::field(answer, "message"))
}

fn print_answer(global: &Global, answer: &Value, text: impl FnOnce(&Value, render::Style) -> String) -> u8 {
    let console = &mut Console::standard(global);
    let outcome = Wanted::new(global).and_then(|wanted| wanted.text(answer, console.style, text));
    let outcome = outcome.and_then(|text| Ok(console.show(&text)?));
    told(outcome, global, console)
}

async fn run_on(global: &Global, command: ClientCommand, console: &mut Console) -> u8 {
    let outcome = dispatch(global, command, console).await;
    finished(outcome, global, console)
}

fn finished(outcome: Result<u8, CliError>, global: &Global, console: &mut Console) -> u8 {
    match outcome {
        Ok(code) => code,
        Err(error) => told(Err(error), global, console),
    }
}

/// Tells the reader how it went; answers the exit code.
fn told(outcome: Outcome, global: &Global, console: &mut Console) -> u8 {
    let outcome = match outcome {
        Err(CliError::NotSent { operation, arguments }) => not_sent(global, operation, arguments, console),
        outcome => outcome,
    };
    match outcome {
        Ok(()) => error::exit::OK,
        Err(error) => {
            let report = error.report(console.err_colour);
            console.say(&report);
            error.exit_code()
        }
    }
}

/// What `--dry-run` shows instead of an answer.
fn not_sent(global: &Global, operation: String, arguments: Value, console: &mut Console) -> Outcome {
    let request = json!({"dryRun": true, "operation": operation, "arguments": masked(arguments)});
    let text = Wanted::new(global)?.text(&request, console.style, render::operation::request)?;
    console.show(&text)?;
    if !global.quiet {
        console.say("nothing was sent; what would follow depends on the answer\n");
    }
    Ok(())
}

/// The arguments without what must not stand on a screen or in a log.
fn masked(mut arguments: Value) -> Value {
    for name in ["cardNumber", "documentNumber", "attestationToken"] {
        if let Some(secret) = arguments.get_mut(name).filter(|value| value.is_string()) {
            *secret = "…".into();
        }
    }
    arguments
}

async fn dispatch(global: &Global, command: ClientCommand, console: &mut Console) -> Result<u8, CliError> {
    let done = |outcome: Outcome| outcome.map(|()| error::exit::OK);
    match command {
        ClientCommand::Completions(args) => return done(completions::run(&args, console)),
        ClientCommand::Man(args) => return done(man::run(&args, global, console)),
        ClientCommand::Context(command) => return done(context::run(command, global, console)),
        ClientCommand::Soak(args) => return soak::run(args, global, console).await,
        _ => {}
    }
    on_target(global, command, &Target::resolve(global)?, console).await
}

async fn on_target(
    global: &Global,
    command: ClientCommand,
    target: &Target,
    console: &mut Console,
) -> Result<u8, CliError> {
    if let Some(context) = target.production()
        && !global.quiet
    {
        console.say_strongly(&format!("{} (production)", context.name));
    }
    if let ClientCommand::Bench(args) = command {
        refuse_dry_run(global, "bench")?;
        return bench::run(args, target, global, console).await;
    }
    let session = &mut Session::new(global, target, console)?;
    call(global, command, session).await.map(|()| error::exit::OK)
}

async fn call(global: &Global, command: ClientCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        ClientCommand::Customer(command) => customer::run(command, session).await,
        ClientCommand::Message(command) => message::run(command, session).await,
        ClientCommand::Payment(command) => payment::run(command, session).await,
        ClientCommand::Catalog(command) => catalog::run(command, session).await,
        ClientCommand::Promo(command) => promo::run(command, session).await,
        ClientCommand::Order(command) => order::run(command, session).await,
        ClientCommand::Subscription(command) => subscription::run(command, session).await,
        ClientCommand::Usage(command) => usage::run(command, session).await,
        ClientCommand::Rating(command) => rating::run(command, session).await,
        ClientCommand::Inventory(command) => inventory::run(command, session).await,
        ClientCommand::Prov(command) => prov::run(command, session).await,
        ClientCommand::Som(command) => som::run(command, session).await,
        ClientCommand::Events(command) => events::run(command, session).await,
        ClientCommand::Audit(command) => audit::run(command, session).await,
        ClientCommand::Queue(command) => queue::run(command, session).await,
        ClientCommand::Trace(command) => trace::run(command, session).await,
        ClientCommand::Worker(command) => worker::run(command, session).await,
        ClientCommand::Clock(command) => clock::run(command, session).await,
        ClientCommand::Admin(command) => admin::run(command, session).await,
        ClientCommand::Scenario(command) => scenario::run(command, global, session).await,
        ClientCommand::Op(args) => op::run(args, session).await,
        ClientCommand::Bench(_)
        | ClientCommand::Soak(_)
        | ClientCommand::Completions(_)
        | ClientCommand::Context(_)
        | ClientCommand::Man(_) => unreachable!("it was run before there was a session"),
    }
}

/// Commands that make many requests of their own have no single one to show.
fn refuse_dry_run(global: &Global, name: &str) -> Outcome {
    if global.dry_run { Err(CliError::Usage(format!("{name} cannot be tried without sending"))) } else { Ok(()) }
}

fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; an address looks like http://127.0.0.1:8000"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err("an address starts with http:// or https://".into())
    }
}

/// `NO_COLOR` counts when it is set to anything but nothing; the flag itself arrives as `true` or `false`.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
fn wants_no_color(text: &str) -> Result<bool, std::convert::Infallible> {
    Ok(!text.is_empty() && text != "false")
}
