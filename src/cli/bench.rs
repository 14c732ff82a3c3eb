//! `bss bench`: drives a running server over HTTP and says how fast it answered.
//!
//! The driver shares the machine with the server, so it is a bare keep-alive HTTP/1.1 writer: what it costs, the server
//! does not get. It makes its own customers and lines through operations, and leaves them there.

mod connection;
mod load;
mod prepare;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use connection::{Connection, Fault, Target};
use load::{Load, Report};
use prepare::Line;

/// Load on a running server; meant for installations without customers.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read a plan and a customer by id, in turn, at the TMF paths
    #[command(after_help = "Examples:\n  bss bench read --connections 32 --seconds 10")]
    Read(LoadArgs),
    /// List customers at the TMF path: filters, fields, counts, pages near and far, in turn
    #[command(after_help = "Examples:\n  bss bench list --customers 100000 --connections 8")]
    List {
        #[command(flatten)]
        load: LoadArgs,
        /// Customers that there are to be; those that are missing are made first
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        customers: u32,
    },
    /// Customer, identity check, card, order, active line: the whole sign-up, one after the other
    #[command(after_help = "Examples:\n  bss bench signup --seconds 20")]
    Signup {
        /// Customers who sign up at once
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=512))]
        connections: u16,
        #[command(flatten)]
        time: TimeArgs,
    },
    /// Usage, one event per request, spread over lines
    #[command(after_help = "Examples:\n  bss bench usage --connections 128 --lines 500")]
    Usage {
        #[command(flatten)]
        load: LoadArgs,
        /// Lines that are used
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=5000))]
        lines: u16,
    },
    /// Renew lines that are all due at once; moves the product clock by a month
    #[command(after_help = "Examples:\n  bss bench renewal --lines 1000 --json")]
    Renewal {
        /// Lines that are due
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=5000))]
        lines: u16,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
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
        }
    }
}

impl What {
    const fn wants_json(&self) -> bool {
        match self {
            Self::Read(LoadArgs { time, .. })
            | Self::List { load: LoadArgs { time, .. }, .. }
            | Self::Signup { time, .. }
            | Self::Usage { load: LoadArgs { time, .. }, .. } => time.json,
            Self::Renewal { json, .. } => *json,
        }
    }
}

/// Runs one load and prints its report. 0: every request succeeded; 1: some did not; 7: there is no server; 2, 4: see the
/// exit codes of the command line.
pub async fn run(args: BenchArgs, base_url: &str, token: &str, out: &mut dyn Write) -> u8 {
    let json = args.what.wants_json();
    let outcome = match Target::new(base_url, token) {
        Ok(target) => measure(args.what, &target).await,
        Err(fault) => Err(fault),
    };
    let (text, code) = match outcome {
        Ok(report) if json => (format!("{:#}\n", report.json()), report.exit_code()),
        Ok(report) => (report.text(), report.exit_code()),
        Err(fault) => (format!("error: {fault}\n"), fault.exit_code()),
    };
    // A reader that went away is no error of ours.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    code
}

async fn measure(what: What, target: &Target) -> Result<Report, Fault> {
    match what {
        What::Read(args) => read(target, args.time.load(args.connections)).await,
        What::List { load, customers } => list(target, load.time.load(load.connections), customers.into()).await,
        What::Signup { connections, time } => signup(target, time.load(connections)).await,
        What::Usage { load, lines } => usage(target, load.time.load(load.connections), lines.into()).await,
        What::Renewal { lines, .. } => renewal(target, lines.into()).await,
    }
}

async fn read(target: &Target, load: Load) -> Result<Report, Fault> {
    let mut connection = target.connect().await?;
    let customer = prepare::customer(&mut connection).await?;
    let paths = [
        "/tmf-api/productCatalogManagement/v4/productOffering/PLAN_M".to_owned(),
        format!("/tmf-api/customerManagement/v4/customer/{customer}"),
    ];
    let workers = load.connect(target).await?.into_iter().enumerate().map(|(n, connection)| {
        let requests = paths.iter().map(|path| target.request("GET", path, &[])).collect();
        Reading { connection, requests, turn: n }
    });
    load.drive("read", workers.collect()).await
}

struct Reading {
    connection: Connection,
    requests: Vec<Vec<u8>>,
    turn: usize,
}

impl load::Worker for Reading {
    async fn step(&mut self) -> Result<(), Fault> {
        self.turn += 1;
        self.connection.send(&self.requests[self.turn % self.requests.len()]).await?.ok().map(drop)
    }
}

async fn list(target: &Target, load: Load, count: u64) -> Result<Report, Fault> {
    let one = prepare::customers(target, count).await?;
    let collection = "/tmf-api/customerManagement/v4/customer";
    let paths = [
        format!("{collection}?limit=20"),
        format!("{collection}?limit=20&offset={}", count / 2),
        format!("{collection}?status=active&limit=20&fields=name,status"),
        format!("{collection}?status=suspended&limit=20"),
        format!("{collection}?contactMedium.characteristic.emailAddress={one}&fields=name"),
        format!("{collection}?name=Bench%20Customer&limit=20&fields=name"),
        format!("{collection}?validFor.startDateTime.gt=2020-01-01T00:00:00Z&sort=-validFor.startDateTime&limit=20"),
    ];
    let workers = load.connect(target).await?.into_iter().enumerate().map(|(n, connection)| {
        let requests = paths.iter().map(|path| target.request("GET", path, &[])).collect();
        Reading { connection, requests, turn: n }
    });
    load.drive("list", workers.collect()).await
}

async fn signup(target: &Target, load: Load) -> Result<Report, Fault> {
    let mut connection = target.connect().await?;
    // More than a fast server signs up in that time.
    let seconds = (load.warmup + load.measured).as_secs();
    prepare::stock(&mut connection, (seconds * 40 * load.connections as u64).clamp(200, 9_000)).await?;
    let workers = load.connect(target).await?.into_iter().map(|connection| SigningUp { connection });
    load.drive("signup", workers.collect()).await
}

struct SigningUp {
    connection: Connection,
}

impl load::Worker for SigningUp {
    async fn step(&mut self) -> Result<(), Fault> {
        prepare::line(&mut self.connection, "PLAN_M").await.map(drop)
    }
}

async fn usage(target: &Target, load: Load, count: usize) -> Result<Report, Fault> {
    let lines = prepare::lines(target, "PLAN_L", count).await?;
    let mut connection = target.connect().await?;
    let run = prepare::unique();
    let now = connection.op("clock.now", &json!({})).await?["now"].as_str().unwrap_or_default().to_owned();
    let workers = load.connect(target).await?.into_iter().enumerate().map(|(n, connection)| Using {
        connection,
        target: target.clone(),
        numbers: lines.iter().map(|line| line.msisdn.clone()).collect(),
        now: now.clone(),
        external_id: format!("{run}-{n}"),
        // Neighbours begin at different lines.
        turn: n * lines.len() / load.connections,
    });
    load.drive("usage", workers.collect()).await
}

struct Using {
    connection: Connection,
    target: Target,
    numbers: Vec<String>,
    now: String,
    external_id: String,
    turn: usize,
}

impl load::Worker for Using {
    async fn step(&mut self) -> Result<(), Fault> {
        self.turn += 1;
        let number = &self.numbers[self.turn % self.numbers.len()];
        let body = format!(
            r#"{{"usageDate":"{}","usageType":"data","usageCharacteristic":[{{"name":"msisdn","value":"{number}"}},{{"name":"quantity","value":1}},{{"name":"source","value":"bench"}},{{"name":"externalId","value":"{}-{}"}}]}}"#,
            self.now, self.external_id, self.turn
        );
        let request = self.target.request("POST", "/tmf-api/usageManagement/v4/usage", body.as_bytes());
        self.connection.send(&request).await?.ok().map(drop)
    }
}

/// One sample: all lines fall due at once, and the time is taken until the last one has its next period.
async fn renewal(target: &Target, count: usize) -> Result<Report, Fault> {
    const PATIENCE: Duration = Duration::from_secs(300);
    let lines = prepare::lines(target, "PLAN_M", count).await?;
    let mut connection = target.connect().await?;
    connection.op("clock.advance", &json!({ "duration": "30d" })).await?;
    connection.op("clock.advance", &json!({ "duration": "1m" })).await?;
    let started = Instant::now();
    connection.op("subscription.tick_renewals_now", &json!({})).await?;
    while is_busy(&connection.op("queue.status", &json!({})).await?) && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let elapsed = started.elapsed();
    let mut renewed = 0;
    for line in &lines {
        renewed += usize::from(is_renewed(&mut connection, line).await?);
    }
    Ok(Report::once("renewal", renewed, lines.len() - renewed, elapsed))
}

fn is_busy(status: &Value) -> bool {
    let consumers = status["consumers"].as_array().map_or(&[][..], Vec::as_slice);
    consumers.iter().any(|consumer| consumer["pending"].as_i64().unwrap_or(0) > 0)
}

async fn is_renewed(connection: &mut Connection, line: &Line) -> Result<bool, Fault> {
    let now = connection.op("subscription.get", &json!({ "subscriptionId": line.id })).await?;
    Ok(now["state"] == "active" && now["currentPeriodEnd"].as_str().is_some_and(|end| end > line.period_end.as_str()))
}
