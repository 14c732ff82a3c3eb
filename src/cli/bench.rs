//! `bss bench`: drives a running server over HTTP and says how fast it answered.
//!
//! The driver shares the machine with the server, so it is a bare keep-alive HTTP/1.1 writer: what it costs, the server
//! does not get. It makes its own customers and lines through operations, and leaves them there.

mod connection;
mod load;
mod meter;
mod overload;
mod prepare;
mod reading;
mod renewal;
mod signup;
mod usage;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use connection::{Fault, Target};
use load::{Excess, Load, Report};
use meter::MeterArgs;

use super::Global;
use super::console::Console;
use super::error::CliError;
use super::output::{Format, Wanted};
use super::tokens::Token;

/// How the usage maximum is found before and after a flood.
const NORMAL: Duration = Duration::from_secs(10);
const NORMAL_CONNECTIONS: u16 = 128;

/// Load on a running server; meant for installations without customers.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    meter: MeterArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read plans and customers by id, in turn, at the TMF paths
    #[command(after_help = "\
Examples:
  bss bench read --connections 32 --server-pid 4242
  bss bench read --seconds 30 -o json")]
    Read(LoadArgs),
    /// Read lists at the TMF paths, in turn: pages of plans, customers and usage, and customers searched for with filters,
    /// fields and order, near and far
    #[command(after_help = "\
Examples:
  bss bench list --customers 100000 --connections 32
  bss bench list --fields ratePerSecond,latencyMs.p99")]
    List {
        #[command(flatten)]
        load: LoadArgs,
        /// Customers that there are to be; those that are missing are made first
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        customers: u32,
    },
    /// Read by id with nothing else going on, find the usage maximum, and read again at half of it
    #[command(after_help = "\
Examples:
  bss bench mixed --readers 32 --connections 128
  bss bench mixed --lines 500 --seconds 30")]
    Mixed {
        /// Connections that read
        #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
        readers: u16,
        #[command(flatten)]
        load: LoadArgs,
        #[command(flatten)]
        lines: LinesArgs,
    },
    /// Customer, identity check, card, order, active line: the whole sign-up, one after the other
    #[command(after_help = "\
Examples:
  bss bench signup --seconds 20
  bss bench signup --connections 8 --json")]
    Signup {
        /// Customers who sign up at once
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=512))]
        connections: u16,
        #[command(flatten)]
        time: TimeArgs,
    },
    /// An order, from its submission to the line in service; its customer is made before and does not count
    #[command(after_help = "\
Examples:
  bss bench order --seconds 20
  bss bench order --connections 8 --json")]
    Order {
        /// Customers who order at once
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=512))]
        connections: u16,
        #[command(flatten)]
        time: TimeArgs,
    },
    /// Usage, one event per request, spread over lines
    #[command(after_help = "\
Examples:
  bss bench usage --connections 128 --lines 500
  bss bench usage --per-second 5000 --seconds 1200 --server-pid 4242
  bss bench usage --lines 1 --standing 100000 -o json")]
    Usage {
        #[command(flatten)]
        load: LoadArgs,
        #[command(flatten)]
        lines: LinesArgs,
        /// Lines in service that take part beside them, as scripts/fill-lines.sh makes them
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        standing: u32,
        /// Events that are sent in a second; without it as many as are answered
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        per_second: Option<u32>,
    },
    /// Find the usage maximum, send three times that, and look five seconds later whether all is as before
    #[command(after_help = "\
Examples:
  bss bench overload --seconds 60
  bss bench overload --connections 1500 --lines 500 --json")]
    Overload {
        /// Connections that the flood comes over: three times as many as find the maximum, unless said otherwise
        #[arg(long, default_value_t = 3 * NORMAL_CONNECTIONS, value_parser = clap::value_parser!(u16).range(1..=8192))]
        connections: u16,
        #[command(flatten)]
        time: TimeArgs,
        #[command(flatten)]
        lines: LinesArgs,
    },
    /// Renew lines that are all due at once; moves the product clock by a month
    #[command(after_help = "\
Examples:
  bss bench renewal --lines 1000 --json
  bss bench renewal --lines 100 --standing 10000")]
    Renewal {
        #[command(flatten)]
        lines: LinesArgs,
        /// Lines that are there already and fall due with them, as scripts/fill-lines.sh makes them
        #[arg(long, default_value_t = 0)]
        standing: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct LinesArgs {
    /// Lines that are signed up for it and take part
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    lines: u32,
}

impl LinesArgs {
    fn count(&self) -> usize {
        usize::try_from(self.lines).unwrap_or(usize::MAX)
    }
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    connections: u16,
    #[command(flatten)]
    time: TimeArgs,
}

#[derive(Debug, Args)]
struct TimeArgs {
    /// Seconds that are measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// Seconds before, that are not
    #[arg(long, default_value_t = 1)]
    warmup: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl TimeArgs {
    fn load(&self, connections: u16) -> Load {
        Load {
            connections: usize::from(connections),
            warmup: Duration::from_secs(self.warmup.into()),
            measured: Duration::from_secs(self.seconds.into()),
            excess: Excess::Error,
        }
    }
}

impl LoadArgs {
    fn load(&self) -> Load {
        self.time.load(self.connections)
    }
}

impl What {
    const fn wants_json(&self) -> bool {
        match self {
            Self::Read(LoadArgs { time, .. })
            | Self::List { load: LoadArgs { time, .. }, .. }
            | Self::Mixed { load: LoadArgs { time, .. }, .. }
            | Self::Signup { time, .. }
            | Self::Order { time, .. }
            | Self::Overload { time, .. }
            | Self::Usage { load: LoadArgs { time, .. }, .. } => time.json,
            Self::Renewal { json, .. } => *json,
        }
    }
}

/// Runs one load and prints its report. 0: every request succeeded; 1: some did not; 7: there is no server; 2, 4: see the
/// exit codes of the command line.
pub(super) async fn run(
    args: BenchArgs,
    server: &super::Target,
    global: &Global,
    console: &mut Console,
) -> Result<u8, CliError> {
    let format = if args.what.wants_json() { Format::Json } else { global.output };
    let wanted = Wanted::new(&Global { output: format, ..global.clone() })?;
    let token = server.token.as_ref().map_or("", Token::reveal);
    let measured = match Target::new(server.url.as_str(), token, args.meter.meter()) {
        Ok(target) => measure(args.what, &target).await,
        Err(fault) => Err(fault),
    };
    match measured {
        Ok(reports) => {
            let text = |_: &Value, _| reports.iter().map(Report::text).collect();
            console.show(&wanted.text(&in_json(&reports), console.style, text)?)?;
            Ok(reports.iter().map(Report::exit_code).max().unwrap_or(1))
        }
        Err(fault) => {
            console.say(&format!("error: {fault}\n"));
            Ok(fault.exit_code())
        }
    }
}

/// One report as an object, several as a list.
fn in_json(reports: &[Report]) -> Value {
    match reports {
        [one] => one.json(),
        several => Value::Array(several.iter().map(Report::json).collect()),
    }
}

async fn measure(what: What, target: &Target) -> Result<Vec<Report>, Fault> {
    let report = match what {
        What::Read(args) => reading::by_id(target, args.load()).await?,
        What::List { load, customers } => reading::lists(target, load.load(), customers.into()).await?,
        What::Mixed { readers, load, lines } => {
            return reading::beside_usage(target, readers.into(), load.load(), lines.count()).await;
        }
        What::Overload { connections, time, lines } => {
            let normal = Load { measured: NORMAL, ..time.load(NORMAL_CONNECTIONS) };
            return overload::measure(target, normal, time.load(connections), lines.count()).await;
        }
        What::Signup { connections, time } => signup::measure(target, time.load(connections)).await?,
        What::Order { connections, time } => signup::orders(target, time.load(connections)).await?,
        What::Usage { load, lines, standing, per_second } => {
            let standing = usize::try_from(standing).unwrap_or(usize::MAX);
            usage::measure(target, load.load(), lines.count(), standing, per_second.map(f64::from)).await?
        }
        What::Renewal { lines, standing, .. } => {
            renewal::measure(target, lines.count(), usize::try_from(standing).unwrap_or(usize::MAX)).await?
        }
    };
    Ok(vec![report])
}
