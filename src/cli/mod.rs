//! The command line: thin HTTP clients of a running server, one file per command group.
//!
//! A command turns its arguments into one or few calls of the operations API and its answer into text. It decides
//! nothing: rules live in the server, and the reader sees the server's own words. Data goes to standard output,
//! everything else to standard error; [`error`] holds the exit codes.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

mod audit;
pub mod bench;
mod catalog;
mod client;
mod clock;
mod completions;
mod console;
mod customer;
mod error;
mod events;
mod hints;
mod inventory;
mod message;
mod op;
pub mod operations;
mod order;
mod payment;
mod prov;
mod quantity;
mod queue;
mod rating;
mod scenario;
mod server;
mod session;
mod soak;
mod som;
mod subscription;
#[cfg(test)]
mod tests;
mod tokens;
mod trace;
mod usage;
mod usage_import;
mod worker;

pub use server::{Role, ServeArgs, ServerCommand};

use console::Console;
use session::{Outcome, Session};

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
  bss subscription show 90000000 -o json

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
    /// Address of the server's API
    #[arg(long, global = true, env = "BSS_URL", default_value = "http://127.0.0.1:8000", value_parser = server_url)]
    pub url: Url,
    /// Token to call with; otherwise the one in `<data dir>/tokens.env`
    #[arg(long, global = true, env = "BSS_API_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// How answers are printed
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub output: Format,
    /// Data directory of the server on this machine
    #[arg(long, global = true, env = "BSS_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// No colour, also where a terminal could show it
    #[arg(long, global = true, env = "NO_COLOR", value_parser = wants_no_color)]
    pub no_color: bool,
    /// Only what was asked for: no messages, and ids instead of tables
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// How an answer is printed; JSON and YAML have the operation's own field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For both.
    Yaml,
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
    /// Why usage was answered as it was
    #[command(subcommand, after_help = "Examples:\n  bss rating explain UE-000007")]
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
    /// Any operation by its name
    Op(op::OpArgs),
    /// Completions for a shell, to be sourced by it
    Completions(completions::CompletionsArgs),
}

/// Runs a command against the server that `global` names; answers the exit code.
pub async fn run(global: Global, command: ClientCommand) -> u8 {
    let mut console = Console::standard(global.no_color);
    run_on(&global, command, &mut console).await
}

async fn run_on(global: &Global, command: ClientCommand, console: &mut Console) -> u8 {
    if let ClientCommand::Bench(args) = command {
        let token = tokens::discover(global);
        return bench::run(
            args,
            global.url.as_str(),
            token.as_ref().map_or("", tokens::Token::reveal),
            &mut console.out,
        )
        .await;
    }
    if let ClientCommand::Soak(args) = command {
        return soak::run(args, global, &mut console.out, &mut console.err).await;
    }
    match dispatch(global, command, console).await {
        Ok(()) => error::exit::OK,
        Err(error) => {
            let report = error.report(console.err_colour);
            console.say(&report);
            error.exit_code()
        }
    }
}

async fn dispatch(global: &Global, command: ClientCommand, console: &mut Console) -> Outcome {
    if let ClientCommand::Completions(args) = command {
        return completions::run(&args, console);
    }
    let session = &mut Session::new(global, console)?;
    match command {
        ClientCommand::Customer(command) => customer::run(command, session).await,
        ClientCommand::Message(command) => message::run(command, session).await,
        ClientCommand::Payment(command) => payment::run(command, session).await,
        ClientCommand::Catalog(command) => catalog::run(command, session).await,
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
        ClientCommand::Scenario(command) => scenario::run(command, global, session).await,
        ClientCommand::Op(args) => op::run(args, session).await,
        ClientCommand::Completions(args) => completions::run(&args, session.console),
        ClientCommand::Bench(_) | ClientCommand::Soak(_) => unreachable!("it was run before there was a session"),
    }
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
