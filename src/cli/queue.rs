//! `bss queue`: events on their way to their consumers.

use clap::{Args, Subcommand};
use serde_json::json;

use super::operations as op;
use super::session::{Gate, Outcome, Session, next_page};
use crate::render;

/// Commands about deliveries.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Show the backlog of each consumer
    #[command(after_help = "Examples:\n  bss queue status\n  bss queue status -o json")]
    Status,
    /// List deliveries that were given up
    #[command(after_help = "Examples:\n  bss queue parked\n  bss queue parked --consumer subscription.activate")]
    Parked {
        /// Only of this consumer
        #[arg(long)]
        consumer: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// How many to skip
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Show the deliveries of an event, with what went wrong before
    #[command(after_help = "\
Examples:
  bss queue show 01960000-0000-7000-8000-000000000001
  bss queue show 01960000-0000-7000-8000-000000000001 -o json")]
    Show(WhichArgs),
    /// Deliver parked events again
    #[command(after_help = "\
Examples:
  bss queue replay 01960000-0000-7000-8000-000000000001
  bss queue replay 01960000-0000-7000-8000-000000000001 --consumer som.decompose")]
    Replay(WhichArgs),
    /// Deliver every parked event of one consumer again
    #[command(after_help = "\
Examples:
  bss queue replay-all --consumer som.decompose
  bss queue replay-all --consumer som.decompose --limit 1")]
    ReplayAll {
        /// The consumer
        #[arg(long)]
        consumer: String,
        /// How many at most, oldest first
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Find what nobody works on any more, and what can be done about it
    #[command(after_help = "\
Examples:
  bss queue orphans
  bss queue orphans -o json")]
    Orphans,
    /// Give a parked delivery up for good
    #[command(after_help = "\
Examples:
  bss queue discard 01960000-0000-7000-8000-000000000001 \\
    --consumer subscription.activate --reason 'line is gone' --yes
  bss queue discard 01960000-0000-7000-8000-000000000001 \\
    --consumer som.decompose --reason 'done by hand' --dry-run")]
    Discard {
        /// Event id
        #[arg(value_name = "EVENT")]
        event: String,
        /// The consumer that shall not get it
        #[arg(long)]
        consumer: String,
        /// Why
        #[arg(long, value_name = "WHY")]
        reason: String,
        #[command(flatten)]
        gate: Gate,
    },
}

/// Which deliveries.
#[derive(Debug, Args)]
pub struct WhichArgs {
    /// Event id
    #[arg(value_name = "EVENT")]
    event: String,
    /// Only to this consumer
    #[arg(long)]
    consumer: Option<String>,
}

pub(super) async fn run(command: QueueCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        QueueCommand::Status => {
            let status = session.call(op::QUEUE_STATUS, json!({})).await?;
            session.show(&status, render::queue::status).await
        }
        QueueCommand::Parked { consumer, limit, offset } => {
            let filter = json!({"consumer": consumer, "limit": limit, "offset": offset});
            let parked = session.call(op::QUEUE_PARKED, filter).await?;
            session.show_page(&parked, limit, &next_page(limit, offset), render::queue::parked).await
        }
        QueueCommand::Show(which) => {
            let filter = json!({"eventId": which.event, "consumer": which.consumer});
            let deliveries = session.call(op::QUEUE_SHOW, filter).await?;
            session.show(&deliveries, render::queue::entry).await
        }
        QueueCommand::Replay(which) => {
            let filter = json!({"eventId": which.event, "consumer": which.consumer});
            let replayed = session.call(op::QUEUE_REPLAY, filter).await?;
            session.show(&replayed, render::generic::object).await
        }
        QueueCommand::ReplayAll { consumer, limit } => {
            let replayed = session.call(op::QUEUE_REPLAY_ALL, json!({"consumer": consumer, "limit": limit})).await?;
            session.show(&replayed, render::generic::object).await
        }
        QueueCommand::Orphans => {
            let orphans = session.call(op::AUDIT_FIND_ORPHANS, json!({})).await?;
            session.show(&orphans, render::queue::orphans).await
        }
        QueueCommand::Discard { event, consumer, reason, gate } => {
            session
                .confirm(gate, &format!("Discarding {event} for {consumer} is final: its effect will never happen."))?;
            let discard = json!({"eventId": event, "consumer": consumer, "reason": reason});
            let discarded = session.call(op::QUEUE_DISCARD, discard).await?;
            session.show(&discarded, render::generic::object).await
        }
    }
}
