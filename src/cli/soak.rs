//! `bss soak`: lives a simulated year on a server of its own, or on the one that `--attach` allows, and compares every
//! customer with an independent model. The work is done in [`crate::soak`].

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::console::Console;
use super::error::CliError;
use super::output::{Format, Wanted};
use super::target::Target;
use super::{Global, refuse_dry_run, tokens};
use crate::soak::client::{Client, Fault};
use crate::soak::report::Report;
use crate::soak::server::Server;
use crate::soak::{Size, Soak};

/// What a run is to be.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// Customers who live through it
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    customers: u32,
    /// Days of product time
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// What is drawn; the same seed ends the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often the server is killed
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=1_000), conflicts_with = "attach")]
    kills: u32,
    /// Customers who act at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The digest that the run must end with, from an earlier one
    #[arg(long, value_name = "SHA256")]
    expect_digest: Option<String>,
    /// Use the server at --url, which must be without customers and allow clock control, and kill nothing
    #[arg(long)]
    attach: bool,
    /// Leave the data directory of the run's own server behind
    #[arg(long)]
    keep: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs it. 0: everything is as the model says; 1: something is not; 7: there is no server; 2, 4: see the exit codes of the
/// command line.
pub(super) async fn run(args: SoakArgs, global: &Global, console: &mut Console) -> Result<u8, CliError> {
    refuse_dry_run(global, "a soak")?;
    let format = if args.json { Format::Json } else { global.output };
    let wanted = Wanted::new(&Global { output: format, ..global.clone() })?;
    let target = if args.attach { Some(Target::resolve(global)?) } else { None };
    if let Some(context) = target.as_ref().and_then(Target::production) {
        return Err(CliError::Usage(format!(
            "{} is a production context; a soak would change all of it",
            context.name
        )));
    }
    let lived = lived(&args, target.as_ref(), &mut console.err).await;
    match lived.and_then(|report| told(&args, &report).map(|code| (report, code))) {
        Ok((report, code)) => {
            let answer = serde_json::to_value(&report)
                .map_err(|error| CliError::Failed(format!("the report cannot be written: {error}")))?;
            let text = wanted.text(&answer, console.style, |_, _| report.markdown())?;
            console.show(&text)?;
            if let Some(digest) = unexpected(&args, &report) {
                console.say(&format!("the digest was to be {digest}\n"));
            }
            Ok(code)
        }
        Err(fault) => {
            console.say(&format!("error: {fault}\n"));
            Ok(exit_code(&fault))
        }
    }
}

fn exit_code(fault: &Fault) -> u8 {
    match fault {
        Fault::Usage(_) => 2,
        Fault::Refused { status: 401 | 403, .. } => 4,
        Fault::Unavailable(_) => 7,
        Fault::Refused { .. } | Fault::Answer(_) | Fault::Server(_) => 1,
    }
}

async fn lived(args: &SoakArgs, attached: Option<&Target>, err: &mut dyn Write) -> Result<Report, Fault> {
    if let Some(target) = attached {
        let client = Client::new(target.url.as_str(), target.token.as_ref().map_or("", tokens::Token::reveal))?;
        return soak(args, client, None, err).await;
    }
    let data_dir = scratch()?;
    let program = std::env::current_exe().map_err(|error| Fault::Server(error.to_string()))?;
    let report = on_server_of_ours(args, &program, &data_dir, err).await;
    if args.keep {
        let _ = writeln!(err, "the data directory is {}", data_dir.display());
    } else {
        remove(&data_dir);
    }
    report
}

async fn on_server_of_ours(
    args: &SoakArgs,
    program: &Path,
    data_dir: &Path,
    err: &mut dyn Write,
) -> Result<Report, Fault> {
    let server = Server::start(program, data_dir).await?;
    let report = match server.token().and_then(|token| Client::new(&server.url(), &token)) {
        Ok(client) => soak(args, client, Some(server.clone()), err).await,
        Err(fault) => Err(fault),
    };
    // However it went: its database server must not be left behind.
    let stopped = server.stop().await;
    report.and_then(|report| stopped.map(|()| report))
}

async fn soak(args: &SoakArgs, client: Client, server: Option<Server>, err: &mut dyn Write) -> Result<Report, Fault> {
    let size = Size {
        seed: args.seed,
        customers: args.customers,
        days: args.days,
        kills: if server.is_some() { args.kills } else { 0 },
        hands: args.connections.into(),
    };
    let mut soak = Soak::prepare(size, client, server).await?;
    let progress = |day| {
        if day % 10 == 0 || day == args.days {
            let _ = writeln!(err, "day {day} of {}", args.days);
        }
    };
    soak.live(progress).await?;
    soak.report().await
}

/// The exit code; writes the file, if one is asked for.
fn told(args: &SoakArgs, report: &Report) -> Result<u8, Fault> {
    if let Some(path) = &args.report {
        let written = std::fs::write(path, report.markdown());
        written.map_err(|error| Fault::Usage(format!("{}: {error}", path.display())))?;
    }
    Ok(u8::from(!report.is_clean() || unexpected(args, report).is_some()))
}

/// The digest that was to come out, if another one did.
fn unexpected<'a>(args: &'a SoakArgs, report: &Report) -> Option<&'a str> {
    args.expect_digest.as_deref().filter(|digest| *digest != report.digest)
}

/// A fresh folder that the account of the database server can get through.
fn scratch() -> Result<PathBuf, Fault> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = std::env::temp_dir().join(format!("bss-soak-{}", std::process::id()));
    let made = std::fs::DirBuilder::new().mode(0o755).create(&path);
    made.map_err(|error| Fault::Usage(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// The cluster may live elsewhere, behind a link.
fn remove(data_dir: &Path) {
    if let Ok(cluster) = data_dir.join("postgres").canonicalize() {
        let _ = std::fs::remove_dir_all(cluster);
    }
    let _ = std::fs::remove_dir_all(data_dir);
}
