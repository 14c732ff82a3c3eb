//! `bss events`: the event log, past and as it grows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::error::CliError;
use super::operations as op;
use super::session::{Outcome, Session};
use crate::render::{self, text};

/// How often the log is looked at while it is followed.
const POLL: Duration = Duration::from_millis(500);
/// How many events one look takes at most.
const BATCH: u32 = 500;

/// Commands about events.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// List events
    #[command(after_help = "\
Examples:
  bss events list --aggregate-id SUB-0042
  bss events list --type-prefix payment. --desc -o jsonl")]
    List(ListArgs),
    /// Show the last events, and go on with --follow
    #[command(after_help = "\
Examples:
  bss events tail
  bss events tail --follow --type-prefix order.
  bss events tail --follow --jq .eventType
  bss events tail --follow -o jsonl --fields seq,eventType,aggregateId

While it follows, -o json is a line for each event, as -o jsonl is.")]
    Tail(TailArgs),
}

/// Which events.
#[derive(Debug, Clone, Args)]
pub(super) struct Filter {
    /// Type of thing, e.g. subscription
    #[arg(long)]
    aggregate_type: Option<String>,
    /// Id of the thing
    #[arg(long)]
    aggregate_id: Option<String>,
    /// Event type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only event types that start so
    #[arg(long)]
    type_prefix: Option<String>,
    /// Service identity behind the token
    #[arg(long)]
    identity: Option<String>,
    /// Who did it
    #[arg(long)]
    actor: Option<String>,
    /// Through what
    #[arg(long)]
    channel: Option<String>,
    /// Trace id
    #[arg(long)]
    trace: Option<String>,
}

impl Filter {
    fn arguments(&self) -> Value {
        json!({
            "aggregateType": self.aggregate_type, "aggregateId": self.aggregate_id, "eventType": self.event_type,
            "eventTypePrefix": self.type_prefix, "serviceIdentity": self.identity, "actor": self.actor,
            "channel": self.channel, "traceId": self.trace,
        })
    }
}

/// A page of the log.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// Not before this instant
    #[arg(long, value_name = "INSTANT")]
    since: Option<DateTime<Utc>>,
    /// Not after this instant
    #[arg(long, value_name = "INSTANT")]
    until: Option<DateTime<Utc>>,
    /// Newest first
    #[arg(long)]
    desc: bool,
    /// Go on behind this place: `next` of the page before
    #[arg(long)]
    after: Option<i64>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// The end of the log.
#[derive(Debug, Args)]
pub struct TailArgs {
    #[command(flatten)]
    filter: Filter,
    /// How many to begin with
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    lines: u32,
    /// Go on as events come, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Stop after this many events
    #[arg(long, value_name = "N", requires = "follow")]
    count: Option<usize>,
}

pub(super) async fn run(command: EventsCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        EventsCommand::List(args) => {
            let mut arguments = args.filter.arguments();
            arguments["occurredSince"] = json!(args.since);
            arguments["occurredUntil"] = json!(args.until);
            arguments["order"] = json!(if args.desc { "desc" } else { "asc" });
            arguments["after"] = json!(args.after);
            arguments["limit"] = json!(args.limit);
            let events = session.call(op::EVENTS_LIST, arguments).await?;
            let behind = format!("--after {}", events["next"]);
            session.show_page(&events, args.limit, &behind, render::audit::events).await
        }
        EventsCommand::Tail(args) => tail(&args, session).await,
    }
}

async fn tail(args: &TailArgs, session: &mut Session<'_>) -> Outcome {
    let mut arguments = args.filter.arguments();
    arguments["order"] = json!("desc");
    arguments["limit"] = json!(args.lines);
    if args.follow {
        // What is shown is not looked at again: nothing may appear before it any more.
        arguments["settled"] = json!(true);
    }
    let newest_first = session.call(op::EVENTS_LIST, arguments).await?;
    let mut last: Vec<Value> = text::rows(&newest_first["events"]).to_vec();
    last.reverse();
    if !args.follow {
        // What has an end is a list, in every format.
        let lines = |events: &Value, style| {
            text::rows(events).iter().map(|event| render::audit::event_line(event, style)).collect()
        };
        return session.show(&last.into(), lines).await;
    }
    let mut left = args.count;
    print(&last, &mut left, session).await?;
    let mut place = last.last().and_then(|event| event["seq"].as_i64()).unwrap_or_default();
    // Follows until interrupted: that is what was asked for.
    while left != Some(0) {
        match next(&args.filter, place, session).await {
            Ok(page) => {
                let events = text::rows(&page["events"]);
                print(events, &mut left, session).await?;
                place = place_behind(&page).unwrap_or(place);
                if events.is_empty() {
                    tokio::time::sleep(POLL).await;
                }
            }
            // A restart of the server is something one follows the log through.
            Err(error) if error.is_unavailable() => {
                session.note(&format!("{error}; waiting for it"));
                tokio::time::sleep(POLL * 4).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn next(filter: &Filter, after: i64, session: &Session<'_>) -> Result<Value, CliError> {
    let mut arguments = filter.arguments();
    arguments["order"] = json!("asc");
    arguments["after"] = json!(after);
    arguments["limit"] = json!(BATCH);
    session.call(op::EVENTS_LIST, arguments).await
}

/// Where the page after this one begins; the server's own word counts more than the last event's number.
fn place_behind(page: &Value) -> Option<i64> {
    let last = || text::rows(&page["events"]).last().and_then(|event| event["seq"].as_i64());
    page["next"].as_i64().or_else(last)
}

/// Prints events one by one, as a stream, until `left` is used up.
async fn print(events: &[Value], left: &mut Option<usize>, session: &mut Session<'_>) -> Outcome {
    for event in events {
        if *left == Some(0) {
            break;
        }
        session.stream(event, render::audit::event_line).await?;
        *left = left.map(|left| left - 1);
    }
    Ok(())
}
