//! `bss clock`: the product clock, which decides what day it is for customers.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::json;

use super::operations as op;
use super::session::{Outcome, Session};
use crate::render;

/// Commands about the clock; all but `now` need a server that allows it.
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// What time is it?
    #[command(after_help = "\
Examples:
  bss clock now
  bss clock now --jq .mode")]
    Now,
    /// Stop the clock, now or at an instant
    #[command(after_help = "Examples:\n  bss clock freeze\n  bss clock freeze --at 2026-04-11T09:00:00Z")]
    Freeze {
        /// The instant to stop at
        #[arg(long, value_name = "INSTANT")]
        at: Option<DateTime<Utc>>,
    },
    /// Let the clock run again
    #[command(after_help = "\
Examples:
  bss clock unfreeze
  bss clock unfreeze -o json")]
    Unfreeze,
    /// Move the clock forward
    #[command(after_help = "Examples:\n  bss clock advance 30d\n  bss clock advance 90m")]
    Advance {
        /// How far: 45s, 90m, 12h, 30d
        duration: String,
    },
}

pub(super) async fn run(command: ClockCommand, session: &mut Session<'_>) -> Outcome {
    let (operation, arguments) = match command {
        ClockCommand::Now => (op::CLOCK_NOW, json!({})),
        ClockCommand::Freeze { at } => (op::CLOCK_FREEZE, json!({"at": at})),
        ClockCommand::Unfreeze => (op::CLOCK_UNFREEZE, json!({})),
        ClockCommand::Advance { duration } => (op::CLOCK_ADVANCE, json!({"duration": duration})),
    };
    let clock = session.call(operation, arguments).await?;
    session.show(&clock, render::platform::clock).await
}
