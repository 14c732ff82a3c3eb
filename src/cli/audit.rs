//! `bss audit`: are the books right, and who did what?

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::error::CliError;
use super::operations as op;
use super::session::{Outcome, Session};
use crate::render::{self, text};

/// Every book is read through.
const VERIFY_TIMEOUT: Duration = Duration::from_mins(10);

/// Commands about the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Prove that money, quota, numbers, orders and events agree; names each offender and exits 1 if they do not
    #[command(after_help = "Examples:\n  bss audit verify\n  bss audit verify -o json")]
    Verify,
    /// List what the nightly check found wrong and has not seen healed
    #[command(after_help = "Examples:\n  bss audit findings\n  bss audit findings -o json")]
    Findings,
    /// List or count what one identity did
    #[command(after_help = "\
Examples:
  bss audit events --identity portal_self_serve
  bss audit events --identity default --type-prefix customer. --count")]
    Events(EventsArgs),
}

/// Which events.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// The service identity behind the token that was used
    #[arg(long)]
    identity: String,
    /// Type of thing, e.g. customer
    #[arg(long)]
    aggregate_type: Option<String>,
    /// Id of the thing
    #[arg(long)]
    aggregate_id: Option<String>,
    /// Only event types that start so
    #[arg(long)]
    type_prefix: Option<String>,
    /// Go on behind this place: seq of the last one before
    #[arg(long, value_name = "SEQ", conflicts_with = "count")]
    after: Option<i64>,
    /// How many at most
    #[arg(long, default_value_t = 200)]
    limit: u32,
    /// Only how many there are
    #[arg(long)]
    count: bool,
}

pub(super) async fn run(command: AuditCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        AuditCommand::Verify => verify(session).await,
        AuditCommand::Findings => {
            let findings = session.call(op::AUDIT_FINDINGS, json!({})).await?;
            session.show(&findings, render::audit::findings).await
        }
        AuditCommand::Events(args) => {
            // How many there are has no limit.
            let limit = (!args.count).then_some(args.limit);
            let filter = json!({
                "serviceIdentity": args.identity, "aggregateType": args.aggregate_type, "aggregateId": args.aggregate_id,
                "eventTypePrefix": args.type_prefix, "after": args.after, "limit": limit,
            });
            if args.count {
                let count = session.call(op::AUDIT_COUNT_BY_IDENTITY, filter).await?;
                return session.show(&count, render::generic::object).await;
            }
            let events = session.call(op::AUDIT_EVENTS_BY_IDENTITY, filter).await?;
            let last = text::rows(&events).last().map(|event| text::field(event, "seq")).unwrap_or_default();
            session.show_page(&events, args.limit, &format!("--after {last}"), render::audit::events).await
        }
    }
}

async fn verify(session: &mut Session<'_>) -> Outcome {
    let report = session.call_within(VERIFY_TIMEOUT, op::AUDIT_VERIFY, json!({})).await?;
    session.show(&report, render::audit::verification).await?;
    // Anything but a plain yes is a no.
    if report["ok"] == true {
        return Ok(());
    }
    let checks = text::rows(&report["checks"]);
    let failed = checks.iter().filter(|check| !text::rows(&check["offenders"]).is_empty()).count();
    Err(CliError::Failed(format!("{failed} of {} checks failed", checks.len())))
}
