//! `bss rating`: why usage was answered as it was, and what a plan takes off for it.

use clap::{Args, Subcommand};
use serde_json::json;

use super::operations as op;
use super::quantity::{Quantity, UsageType, used};
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
    /// Show what a plan takes off for each kind of usage
    #[command(after_help = "\
Examples:
  bss rating tariff PLAN_M
  bss rating tariff PLAN_M -o json")]
    Tariff {
        /// Plan id
        #[arg(value_name = "PLAN")]
        offering: String,
    },
    /// Rate an event as the first one of a period on a plan; nothing is recorded
    #[command(after_help = "\
Examples:
  bss rating test PLAN_M 1GB
  bss rating test PLAN_M 100MB --roaming
  bss rating test PLAN_S 5 --type sms")]
    Test(TestArgs),
}

/// An event that nobody used.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Plan id
    #[arg(value_name = "PLAN")]
    offering: String,
    /// How much: 1GB, 500MB, 3min, 5sms, 5
    quantity: Quantity,
    /// What is used; a quantity with a unit says it already
    #[arg(long = "type", value_enum)]
    kind: Option<UsageType>,
    /// Used abroad
    #[arg(long)]
    roaming: bool,
}

pub(super) async fn run(command: RatingCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        RatingCommand::Explain { usage } => {
            let explanation = session.call(op::RATING_EXPLAIN, json!({"usageId": usage})).await?;
            session.show(&explanation, render::usage::explanation).await
        }
        RatingCommand::Tariff { offering } => {
            let tariff = session.call(op::RATING_TARIFF, json!({"offeringId": offering})).await?;
            session.show(&tariff, render::usage::tariff).await
        }
        RatingCommand::Test(args) => {
            let used = used(args.kind, args.quantity)?;
            let event = json!({"offeringId": args.offering, "eventType": used.event_type, "quantity": used.quantity,
                               "unit": used.unit, "roamingIndicator": args.roaming});
            let tested = session.call(op::RATING_TEST, event).await?;
            session.show(&tested, render::generic::object).await
        }
    }
}
