//! The commands that are the server or prepare for it.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::app::error::StartError;
use crate::app::open::{self, Prepare};
use crate::app::signals::Signals;
use crate::app::{backup, doctor, serve};
use crate::cli::{self, Global, Role, ServeArgs, ServerCommand};
use crate::platform::config::{self, Config};

/// Runs one command in this process and answers its exit code.
pub async fn run(global: &Global, command: ServerCommand) -> u8 {
    let environment = config::environment();
    if global.dry_run && !matches!(command, ServerCommand::Restore(_)) {
        complain("this command cannot be tried without doing it");
        return 2;
    }
    let outcome = match command {
        ServerCommand::Serve(args) => match Config::read_to_serve(&environment) {
            Ok(mut config) => {
                override_with(&mut config, global, &args);
                serve::serve(config, &environment).await
            }
            Err(error) => Err(error.into()),
        },
        ServerCommand::Migrate => {
            return prepared(&environment, global, Prepare::Migrate, "the schema is current").await;
        }
        ServerCommand::Seed(args) if args.demo => return seed_demo(&environment, global).await,
        ServerCommand::Seed(_) => {
            return prepared(&environment, global, Prepare::Seed, "the reference data is there").await;
        }
        ServerCommand::Backup(args) => {
            return copied(&environment, global, |config| backup::back_up(config, &environment, global, args)).await;
        }
        ServerCommand::Restore(args) => {
            return copied(&environment, global, |config| backup::restore(config, &environment, global, args)).await;
        }
        ServerCommand::Doctor => return examine(&environment, global).await,
    };
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            complain(&error.to_string());
            error.exit_code()
        }
    }
}

/// What the command line says wins over the environment.
fn override_with(config: &mut Config, global: &Global, args: &ServeArgs) {
    if let Some(dir) = global.data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
        config.data_dir.clone_from(dir);
    }
    config.api_addr = args.api_addr.unwrap_or(config.api_addr);
    config.self_serve_addr = args.self_serve_addr.unwrap_or(config.self_serve_addr);
    config.cockpit_addr = args.cockpit_addr.unwrap_or(config.cockpit_addr);
    if let Some(role) = args.role {
        config.role = match role {
            Role::All => config::Role::All,
            Role::Api => config::Role::Api,
            Role::Worker => config::Role::Worker,
        };
    }
}

async fn prepared(environment: &BTreeMap<String, String>, global: &Global, what: Prepare, done: &str) -> u8 {
    match prepare(environment, global, what).await {
        Ok(()) => cli::print_done(global, done),
        Err(error) => {
            complain(&error.to_string());
            error.exit_code()
        }
    }
}

async fn prepare(environment: &BTreeMap<String, String>, global: &Global, what: Prepare) -> Result<(), StartError> {
    let mut config = Config::read(environment)?;
    override_with(&mut config, global, &ServeArgs::default());
    let mut signals = Signals::install()?;
    let opened = open::open(config, environment, what, signals.asked()).await?;
    opened.platform.db.close().await;
    if let Some(cluster) = opened.cluster {
        cluster.stop().await?;
    }
    Ok(())
}

/// The demo goes through a server; whether this is production, the environment may say here, too.
async fn seed_demo(environment: &BTreeMap<String, String>, global: &Global) -> u8 {
    match Config::read(environment) {
        Ok(config) => cli::seed_demo(global.clone(), config.is_production()).await,
        Err(error) => {
            complain(&error.to_string());
            2
        }
    }
}

async fn copied<F: Future<Output = Result<u8, backup::Fault>>>(
    environment: &BTreeMap<String, String>,
    global: &Global,
    work: impl FnOnce(Config) -> F,
) -> u8 {
    let mut config = match Config::read(environment) {
        Ok(config) => config,
        Err(error) => {
            complain(&error.to_string());
            return 2;
        }
    };
    override_with(&mut config, global, &ServeArgs::default());
    match work(config).await {
        Ok(code) => code,
        Err(backup::Fault::Told(code)) => code,
        Err(fault) => {
            complain(&fault.to_string());
            fault.exit_code()
        }
    }
}

async fn examine(environment: &BTreeMap<String, String>, global: &Global) -> u8 {
    let findings = doctor::examine(environment, |config| override_with(config, global, &ServeArgs::default())).await;
    let printed = cli::print_findings(global, &serde_json::json!(findings));
    printed.max(u8::from(findings.iter().any(|finding| !finding.ok)))
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
}
