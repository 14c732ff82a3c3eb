//! `bss catalog`: what is on sale.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::{Value, json};

use super::operations as op;
use super::session::{Outcome, Session};
use crate::render;

/// Commands about the catalog.
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Compare the plans on sale, or list all there are
    #[command(after_help = "\
Examples:
  bss catalog list
  bss catalog list --at 2026-12-01T00:00:00Z
  bss catalog list --all -o json")]
    List {
        /// On sale at this instant instead of now
        #[arg(long, value_name = "INSTANT", conflicts_with = "all")]
        at: Option<DateTime<Utc>>,
        /// Every plan, on sale or not
        #[arg(long)]
        all: bool,
    },
    /// Show a plan: allowances, prices over time
    #[command(after_help = "\
Examples:
  bss catalog show PLAN_M
  bss catalog show PLAN_M -o yaml")]
    Show {
        /// Plan id
        #[arg(value_name = "PLAN")]
        offering: String,
    },
    /// List the top-ups, or show one
    #[command(after_help = "Examples:\n  bss catalog vas\n  bss catalog vas VAS_DATA_1GB -o json")]
    Vas {
        /// Top-up id
        #[arg(value_name = "VAS")]
        vas: Option<String>,
    },
}

pub(super) async fn run(command: CatalogCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        CatalogCommand::List { all: true, .. } => {
            let offerings = session.call(op::CATALOG_LIST_OFFERINGS, json!({})).await?;
            session.show(&offerings, render::catalog::offerings).await
        }
        CatalogCommand::List { at, .. } => on_sale(at, session).await,
        CatalogCommand::Show { offering } => {
            let offering = session.call(op::CATALOG_GET_OFFERING, json!({"offeringId": offering})).await?;
            session.show(&offering, render::catalog::offering).await
        }
        CatalogCommand::Vas { vas: Some(vas) } => {
            let vas = session.call(op::CATALOG_GET_VAS, json!({"vasOfferingId": vas})).await?;
            session.show(&vas, render::catalog::vas).await
        }
        CatalogCommand::Vas { vas: None } => {
            let vas = session.call(op::CATALOG_LIST_VAS, json!({})).await?;
            session.show(&vas, render::catalog::vas_list).await
        }
    }
}

/// The plans on sale at an instant, or now.
pub(super) async fn on_sale(at: Option<DateTime<Utc>>, session: &mut Session<'_>) -> Outcome {
    let offerings = session.call(op::CATALOG_LIST_ACTIVE_OFFERINGS, json!({"at": at})).await?;
    let profile = if session.draws() { session.profile().await } else { Value::Null };
    session.show(&offerings, |offerings, style| render::catalog::plans(offerings, &profile, style)).await
}
