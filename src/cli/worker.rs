//! `bss worker`: replicas and periodic work.

use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use super::operations as op;
use super::session::{Outcome, Session};
use crate::render;

/// A tick works through everything that is due.
const TICK_TIMEOUT: Duration = Duration::from_mins(10);

/// Commands about workers.
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// List running replicas and when each tick last ran
    #[command(after_help = "\
Examples:
  bss worker list
  bss worker list -o json")]
    List,
    /// Run a tick now and show its report
    #[command(after_help = "\
Examples:
  bss worker tick renewal
  bss worker tick renewal -o json")]
    Tick {
        /// Name, see bss worker list
        #[arg(value_name = "TICK")]
        name: String,
    },
}

pub(super) async fn run(command: WorkerCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        WorkerCommand::List => {
            let workers = session.call(op::WORKER_LIST, json!({})).await?;
            session.show(&workers, render::platform::workers).await
        }
        WorkerCommand::Tick { name } => {
            let report = session.call_within(TICK_TIMEOUT, op::WORKER_TICK, json!({"name": name})).await?;
            session.show(&report, render::platform::report).await
        }
    }
}
