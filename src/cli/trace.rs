//! `bss trace`: the way of an order through the modules, drawn.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::operations as op;
use super::output::Format;
use super::session::{Outcome, Session};
use crate::render::{self, Style, text};

/// Commands about traces.
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Draw the latest trace of an order: a lane for each module, a bar for each step
    #[command(after_help = "Examples:\n  bss trace for-order ORD-0042\n  bss trace for-order ORD-0042 --width 200")]
    ForOrder {
        /// Order id
        #[arg(value_name = "ORDER")]
        order: String,
        #[command(flatten)]
        drawing: Drawing,
    },
    /// Draw the latest trace of a line
    #[command(
        after_help = "Examples:\n  bss trace for-subscription SUB-0042\n  bss trace for-subscription SUB-0042 -o json"
    )]
    ForSubscription {
        /// Line id
        #[arg(value_name = "LINE")]
        line: String,
        #[command(flatten)]
        drawing: Drawing,
    },
    /// Draw one trace
    #[command(after_help = "\
Examples:
  bss trace get 4bf92f3577b34da6a3ce929d0e0e4736
  bss trace get 4bf92f3577b34da6a3ce929d0e0e4736 --service payment
  bss trace get 4bf92f3577b34da6a3ce929d0e0e4736 -o json")]
    Get {
        /// Trace id: traceId of an event, or of bss trace list
        #[arg(value_name = "TRACE")]
        trace: String,
        #[command(flatten)]
        drawing: Drawing,
    },
    /// List the modules that the traces kept tell of
    #[command(after_help = "Examples:\n  bss trace services\n  bss trace services -o json")]
    Services {
        #[command(flatten)]
        from: From,
    },
    /// List the traces that are kept, newest first
    #[command(after_help = "\
Examples:
  bss trace list
  bss trace list --failed --limit 50
  bss trace list --source store")]
    List {
        /// Only those in which a step failed
        #[arg(long)]
        failed: bool,
        /// Only those before this position, which -o json shows
        #[arg(long)]
        before: Option<i64>,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        #[command(flatten)]
        from: From,
    },
}

/// How a trace is drawn.
#[derive(Debug, Args)]
pub struct Drawing {
    /// Columns to draw in; else as many as the terminal has
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    width: Option<u16>,
    /// Only the steps of this module
    #[arg(long, value_name = "MODULE")]
    service: Option<String>,
    #[command(flatten)]
    from: From,
    /// The same as -o json
    #[arg(long, hide = true)]
    json: bool,
}

/// Where traces are looked for.
#[derive(Debug, Args)]
pub struct From {
    /// Where to look; else in Jaeger, when the server knows one
    #[arg(long, value_name = "WHERE")]
    source: Option<Source>,
}

#[derive(Debug, Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Source {
    /// The Jaeger that the server is told of
    Jaeger,
    /// What the server keeps itself
    Store,
}

pub(super) async fn run(command: TraceCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        TraceCommand::ForOrder { order, drawing } => {
            let summary =
                session.call(op::TRACE_FOR_ORDER, json!({"orderId": order, "source": drawing.from.source})).await?;
            draw(&text::field(&summary, "traceId"), &drawing, session).await
        }
        TraceCommand::ForSubscription { line, drawing } => {
            let summary = session
                .call(op::TRACE_FOR_SUBSCRIPTION, json!({"subscriptionId": line, "source": drawing.from.source}))
                .await?;
            draw(&text::field(&summary, "traceId"), &drawing, session).await
        }
        TraceCommand::Get { trace, drawing } => draw(&trace, &drawing, session).await,
        TraceCommand::Services { from } => {
            let services = session.call(op::TRACE_SERVICES, json!({"source": from.source})).await?;
            session.show(&services, render::trace::services).await
        }
        TraceCommand::List { failed, before, limit, from } => {
            let filter = json!({"failed": failed, "before": before, "limit": limit, "source": from.source});
            let traces = session.call(op::TRACE_LIST, filter).await?;
            let last = text::rows(&traces).last().map_or(0, |trace| trace["position"].as_i64().unwrap_or_default());
            // A position means nothing elsewhere.
            let source = match from.source {
                Some(Source::Jaeger) => " --source jaeger",
                Some(Source::Store) => " --source store",
                None => "",
            };
            session.show_page(&traces, limit, &format!("--before {last}{source}"), render::trace::list).await
        }
    }
}

async fn draw(trace: &str, drawing: &Drawing, session: &mut Session<'_>) -> Outcome {
    if drawing.json && session.wanted.format == Format::Table {
        session.wanted.format = Format::Json;
    }
    let trace: Value = session.call(op::TRACE_GET, json!({"traceId": trace, "source": drawing.from.source})).await?;
    session
        .show(&trace, |trace, style| {
            let style = Style { width: drawing.width.or(style.width), ..style };
            render::trace::swimlanes(trace, drawing.service.as_deref(), style)
        })
        .await
}
