//! `bss rating`: why usage was answered as it was.

use clap::Subcommand;
use serde_json::json;

use super::operations as op;
use super::session::{Outcome, Session};
use crate::render;

/// Commands about rating.
#[derive(Debug, Subcommand)]
pub enum RatingCommand {
    /// Explain one usage event: tariff, bucket, what was left, why it was refused, who blocked the line
    #[command(after_help = "\
Examples:
  bss rating explain UE-000007
  bss rating explain UE-000007 -o json")]
    Explain {
        /// Usage id
        #[arg(value_name = "USAGE")]
        usage: String,
    },
}

pub(super) async fn run(command: RatingCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        RatingCommand::Explain { usage } => {
            let explanation = session.call(op::RATING_EXPLAIN, json!({"usageId": usage})).await?;
            session.show(&explanation, render::usage::explanation)
        }
    }
}
