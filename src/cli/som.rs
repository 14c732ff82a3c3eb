//! `bss som`: services and the orders that make them.

use clap::Subcommand;
use serde_json::json;

use super::operations as op;
use super::session::{Outcome, Session, next_page};
use crate::render;

/// Commands about services.
#[derive(Debug, Subcommand)]
pub enum SomCommand {
    /// Services
    #[command(
        subcommand,
        after_help = "\
Examples:
  bss som service list --subscription SUB-0042
  bss som service unconfirmed"
    )]
    Service(ServiceCommand),
    /// Show a service; the same as bss som service show
    #[command(
        hide = true,
        after_help = "Examples:\n  bss som service-show SVC-0041\n  bss som service-show SVC-0041 -o json"
    )]
    ServiceShow {
        /// Service id
        #[arg(value_name = "SERVICE")]
        service: String,
    },
    /// Show a service order
    #[command(after_help = "\
Examples:
  bss som so-show SO-0042
  bss som so-show SO-0042 -o json")]
    SoShow {
        /// Service order id
        #[arg(value_name = "SERVICE_ORDER")]
        service_order: String,
    },
}

/// Commands about one line's services.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// List the services of a line
    #[command(after_help = "\
Examples:
  bss som service list --subscription SUB-0042
  bss som service list --subscription SUB-0042 -o json")]
    List {
        /// Line id
        #[arg(long, value_name = "LINE")]
        subscription: String,
    },
    /// List the services of which the network has not confirmed what it was asked for
    #[command(
        after_help = "Examples:\n  bss som service unconfirmed\n  bss som service unconfirmed --wanted suspended"
    )]
    Unconfirmed {
        /// Only those that are to be in this state
        #[arg(long, value_parser = ["in_service", "suspended", "removed"])]
        wanted: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        /// How many to skip
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Show a service
    #[command(after_help = "\
Examples:
  bss som service show SVC-0041
  bss som service show SVC-0041 -o json")]
    Show {
        /// Service id
        #[arg(value_name = "SERVICE")]
        service: String,
    },
}

pub(super) async fn run(command: SomCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        SomCommand::Service(ServiceCommand::List { subscription }) => {
            let filter = json!({"subscriptionId": subscription});
            let services = session.call(op::SERVICE_LIST_FOR_SUBSCRIPTION, filter).await?;
            session.show(&services, render::service::list).await
        }
        SomCommand::Service(ServiceCommand::Unconfirmed { wanted, limit, offset }) => {
            let filter = json!({"wanted": wanted, "limit": limit, "offset": offset});
            let services = session.call(op::SERVICE_LIST_UNCONFIRMED, filter).await?;
            session.show_page(&services, limit, &next_page(limit, offset), render::service::list).await
        }
        SomCommand::Service(ServiceCommand::Show { service }) | SomCommand::ServiceShow { service } => {
            let service = session.call(op::SERVICE_GET, json!({"serviceId": service})).await?;
            session.show(&service, render::generic::object).await
        }
        SomCommand::SoShow { service_order } => {
            let service_order = session.call(op::SERVICE_ORDER_GET, json!({"serviceOrderId": service_order})).await?;
            session.show(&service_order, render::generic::object).await
        }
    }
}
