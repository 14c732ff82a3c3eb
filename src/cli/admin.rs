//! `bss admin`: what only an administrator does.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::catalog;
use super::operations as op;
use super::session::{Gate, Outcome, Session};
use crate::render;

/// Commands of administrators.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Plans and prices, now and later
    #[command(
        subcommand,
        after_help = "Examples:\n  bss admin catalog show --at 2026-12-01T00:00:00Z\n  bss admin catalog retire-offering PLAN_XS --dry-run"
    )]
    Catalog(AdminCatalogCommand),
    /// List the listeners outside that are told of events
    #[command(after_help = "Examples:\n  bss admin listeners\n  bss admin listeners -o json")]
    Listeners,
    /// Empty all operational data; a server in production refuses it
    #[command(after_help = "Examples:\n  bss admin reset\n  bss admin reset --yes")]
    Reset {
        #[command(flatten)]
        gate: Gate,
    },
}

/// Commands about the catalog.
#[derive(Debug, Subcommand)]
pub enum AdminCatalogCommand {
    /// Show what is on sale at an instant
    #[command(after_help = "Examples:\n  bss admin catalog show\n  bss admin catalog show --at 2026-12-01T00:00:00Z")]
    Show {
        /// On sale at this instant instead of now
        #[arg(long, value_name = "INSTANT")]
        at: Option<DateTime<Utc>>,
    },
    /// Add a plan with its price and allowances
    #[command(override_usage = "\
bss admin catalog add-offering [OPTIONS]
           --id <PLAN> --name <NAME> --price <AMOUNT>")]
    #[command(after_help = "\
Examples:
  bss admin catalog add-offering --id PLAN_XS --name 'Extra Lite' --price 5.00 \\
    --data-mb 1024
  bss admin catalog add-offering --id PLAN_ROAM --name Roamer --price 30.00 \\
    --data-mb 20480 --data-roaming-mb 5120 --valid-from 2027-01-01T00:00:00Z

An allowance that is left out is no part of the plan; 0 is none included,
top-up possible; -1 is unlimited.")]
    AddOffering(AddOfferingArgs),
    /// Add a price to a plan; the lowest one in force is what new orders pay
    #[command(override_usage = "\
bss admin catalog set-price [OPTIONS]
           --offering <PLAN> --amount <AMOUNT> --valid-from <INSTANT>")]
    #[command(after_help = "\
Examples:
  bss admin catalog set-price --offering PLAN_M --amount 20.00 \\
    --valid-from 2027-02-10T00:00:00Z --valid-to 2027-02-24T00:00:00Z
  bss admin catalog set-price --offering PLAN_M --amount 27.00 \\
    --valid-from 2027-01-01T00:00:00Z --price-id PRICE_M_SUMMER --retire-current")]
    SetPrice(SetPriceArgs),
    /// Change the window in which a plan is on sale
    #[command(after_help = "\
Examples:
  bss admin catalog window-offering PLAN_S --valid-to 2027-01-01T00:00:00Z
  bss admin catalog window-offering PLAN_S --valid-from none --valid-to none

A bound that is left out stays as it is; none opens it.")]
    WindowOffering {
        /// Plan id
        #[arg(value_name = "PLAN", required_unless_present = "id", conflicts_with = "id")]
        plan: Option<String>,
        /// The same, as an option
        #[arg(long, value_name = "PLAN")]
        id: Option<String>,
        /// First instant, or none
        #[arg(long, value_name = "INSTANT", value_parser = bound)]
        valid_from: Option<Bound>,
        /// First instant at which it is no longer on sale, or none
        #[arg(long, value_name = "INSTANT", value_parser = bound)]
        valid_to: Option<Bound>,
    },
    /// Add a top-up; for another price add another one and end the window of this
    #[command(override_usage = "\
bss admin catalog add-vas [OPTIONS]
           --id <VAS> --name <NAME> --price <AMOUNT> --quantity <QUANTITY>")]
    #[command(after_help = "\
Examples:
  bss admin catalog add-vas --id VAS_DATA_10GB --name 'Data Top-Up 10GB' \\
    --price 20.00 --quantity 10240
  bss admin catalog add-vas --id VAS_ROAM_WEEK --name 'Roaming week' \\
    --price 15.00 --type data_roaming --quantity 3072 --expiry-hours 168

Quantities are in MB, minutes or messages; -1 is unlimited for its hours.")]
    AddVas(AddVasArgs),
    /// Change the window in which a top-up is on sale; what was bought stays
    #[command(after_help = "\
Examples:
  bss admin catalog window-vas VAS_DATA_5GB --valid-to 2027-01-01T00:00:00Z
  bss admin catalog window-vas VAS_DATA_5GB --valid-from none --valid-to none

A bound that is left out stays as it is; none opens it.")]
    WindowVas {
        /// Top-up id
        #[arg(value_name = "VAS")]
        vas: String,
        /// First instant, or none
        #[arg(long, value_name = "INSTANT", value_parser = bound)]
        valid_from: Option<Bound>,
        /// First instant at which it is no longer on sale, or none
        #[arg(long, value_name = "INSTANT", value_parser = bound)]
        valid_to: Option<Bound>,
    },
    /// Move every line of a plan to a new price, with a notice to each customer
    #[command(override_usage = "\
bss admin catalog migrate-price [OPTIONS]
           --offering <PLAN> --new-price-id <PRICE> --effective-from <INSTANT>")]
    #[command(after_help = "\
Examples:
  bss admin catalog migrate-price --offering PLAN_M \\
    --new-price-id PRICE_M_2027 --effective-from 2027-01-01T00:00:00Z --yes
  bss admin catalog migrate-price --offering PLAN_M --notice-days 60 \\
    --new-price-id PRICE_M_2027 --effective-from 2027-01-01T00:00:00Z --dry-run")]
    MigratePrice(super::subscription::MigrateArgs),
    /// Take a plan off sale for good; lines that have it keep it
    #[command(after_help = "\
Examples:
  bss admin catalog retire-offering PLAN_XS --yes
  bss admin catalog retire-offering PLAN_XS --dry-run")]
    RetireOffering {
        /// Plan id
        #[arg(value_name = "PLAN")]
        plan: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// End a price; lines that were sold at it keep it
    #[command(after_help = "\
Examples:
  bss admin catalog retire-price PRICE_M_2027 --dry-run
  bss admin catalog retire-price PRICE_M_2027 --at 2027-06-01T00:00:00Z --yes")]
    RetirePrice {
        /// Price id
        #[arg(value_name = "PRICE")]
        price: String,
        /// First instant at which it is no longer in force; now when not given
        #[arg(long, value_name = "INSTANT")]
        at: Option<DateTime<Utc>>,
        #[command(flatten)]
        gate: Gate,
    },
}

/// A new plan.
#[derive(Debug, Args)]
pub struct AddOfferingArgs {
    /// Plan id, by habit PLAN_…
    #[arg(long)]
    id: String,
    /// Name
    #[arg(long)]
    name: String,
    /// Price of a period, tax included: 25.00
    #[arg(long, value_name = "AMOUNT")]
    price: String,
    /// Currency; the operator's own when not given
    #[arg(long)]
    currency: Option<String>,
    /// First instant on sale
    #[arg(long, value_name = "INSTANT")]
    valid_from: Option<DateTime<Utc>>,
    /// First instant no longer on sale
    #[arg(long, value_name = "INSTANT")]
    valid_to: Option<DateTime<Utc>>,
    /// Data included, in MB
    #[arg(long, value_name = "MB", allow_negative_numbers = true)]
    data_mb: Option<i64>,
    /// Voice included, in minutes
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true)]
    voice_min: Option<i64>,
    /// Messages included
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    sms_count: Option<i64>,
    /// Data abroad included, in MB
    #[arg(long, value_name = "MB", allow_negative_numbers = true)]
    data_roaming_mb: Option<i64>,
}

/// A new price.
#[derive(Debug, Args)]
pub struct SetPriceArgs {
    /// Plan id
    #[arg(long, value_name = "PLAN")]
    offering: String,
    /// Price of a period, tax included: 20.00
    #[arg(long)]
    amount: String,
    /// First instant in force
    #[arg(long, value_name = "INSTANT")]
    valid_from: DateTime<Utc>,
    /// First instant no longer in force
    #[arg(long, value_name = "INSTANT")]
    valid_to: Option<DateTime<Utc>>,
    /// Currency; the operator's own when not given
    #[arg(long)]
    currency: Option<String>,
    /// Price id; made of the plan and the first instant when not given
    #[arg(long, value_name = "PRICE")]
    price_id: Option<String>,
    /// End the price in force when this one begins
    #[arg(long)]
    retire_current: bool,
}

/// A new top-up.
#[derive(Debug, Args)]
pub struct AddVasArgs {
    /// Top-up id, by habit VAS_…
    #[arg(long, value_name = "VAS")]
    id: String,
    /// Name
    #[arg(long)]
    name: String,
    /// Price, tax included: 3.00
    #[arg(long, value_name = "AMOUNT")]
    price: String,
    /// Currency; the operator's own when not given
    #[arg(long)]
    currency: Option<String>,
    /// What it adds to
    #[arg(long = "type", value_name = "ALLOWANCE", default_value = "data",
        value_parser = ["data", "voice", "sms", "data_roaming"])]
    allowance: String,
    /// How much
    #[arg(long, allow_negative_numbers = true)]
    quantity: i64,
    /// How long it lasts; until the period ends when not given
    #[arg(long, value_name = "HOURS")]
    expiry_hours: Option<i32>,
    /// First instant on sale
    #[arg(long, value_name = "INSTANT")]
    valid_from: Option<DateTime<Utc>>,
    /// First instant no longer on sale
    #[arg(long, value_name = "INSTANT")]
    valid_to: Option<DateTime<Utc>>,
}

/// One end of a window.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// There is none.
    Open,
    /// This instant.
    At(DateTime<Utc>),
}

impl Bound {
    fn value(self) -> Value {
        match self {
            Self::Open => Value::Null,
            Self::At(instant) => json!(instant),
        }
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    if text == "none" {
        return Ok(Bound::Open);
    }
    text.parse().map(Bound::At).map_err(|_| "an instant looks like 2027-01-01T00:00:00Z; none opens the window".into())
}

pub(super) async fn run(command: AdminCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        AdminCommand::Catalog(command) => run_catalog(command, session).await,
        AdminCommand::Listeners => {
            let listeners = session.call(op::HUB_LIST, json!({})).await?;
            session.show(&listeners, render::generic::any).await
        }
        AdminCommand::Reset { gate } => {
            let consequence = "All customers, lines, orders, payments and usage are deleted. This is not taken back.";
            session.confirm_with_word(gate, consequence, "reset")?;
            let report = session.call(op::ADMIN_RESET_OPERATIONAL_DATA, json!({})).await?;
            session.show(&report, render::generic::any).await
        }
    }
}

async fn run_catalog(command: AdminCatalogCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        AdminCatalogCommand::Show { at } => catalog::on_sale(at, session).await,
        AdminCatalogCommand::AddOffering(args) => {
            let plan = json!({
                "offeringId": args.id, "name": args.name, "amount": args.price, "currency": args.currency,
                "validFrom": args.valid_from, "validTo": args.valid_to, "dataMb": args.data_mb,
                "voiceMinutes": args.voice_min, "smsCount": args.sms_count, "dataRoamingMb": args.data_roaming_mb,
            });
            let plan = session.call(op::CATALOG_ADD_OFFERING, plan).await?;
            session.show(&plan, render::catalog::offering).await
        }
        AdminCatalogCommand::SetPrice(args) => {
            let id = || format!("PRICE_{}_{}", args.offering, args.valid_from.timestamp());
            let price = json!({
                "offeringId": args.offering, "priceId": args.price_id.clone().unwrap_or_else(id), "amount": args.amount,
                "currency": args.currency, "validFrom": args.valid_from, "validTo": args.valid_to,
                "retireCurrent": args.retire_current,
            });
            let price = session.call(op::CATALOG_ADD_PRICE, price).await?;
            session.show(&price, render::generic::object).await
        }
        AdminCatalogCommand::WindowOffering { plan, id, valid_from, valid_to } => {
            let window = windowed(json!({"offeringId": plan.or(id)}), valid_from, valid_to);
            let plan = session.call_exactly(op::CATALOG_WINDOW_OFFERING, window).await?;
            session.show(&plan, render::catalog::offering).await
        }
        AdminCatalogCommand::AddVas(args) => {
            let vas = json!({
                "vasOfferingId": args.id, "name": args.name, "amount": args.price, "currency": args.currency,
                "allowanceType": args.allowance, "allowanceQuantity": args.quantity,
                "expiryHours": args.expiry_hours, "validFrom": args.valid_from, "validTo": args.valid_to,
            });
            let vas = session.call(op::CATALOG_ADD_VAS, vas).await?;
            session.show(&vas, render::catalog::vas).await
        }
        AdminCatalogCommand::WindowVas { vas, valid_from, valid_to } => {
            let window = windowed(json!({"vasOfferingId": vas}), valid_from, valid_to);
            let vas = session.call_exactly(op::CATALOG_WINDOW_VAS, window).await?;
            session.show(&vas, render::catalog::vas).await
        }
        AdminCatalogCommand::MigratePrice(args) => super::subscription::migrate_price(args, session).await,
        AdminCatalogCommand::RetireOffering { plan, gate } => {
            session.confirm(gate, &format!("Retiring {plan} is final: nobody can order it again."))?;
            let plan = session.call(op::CATALOG_RETIRE_OFFERING, json!({"offeringId": plan})).await?;
            session.show(&plan, render::catalog::offering).await
        }
        AdminCatalogCommand::RetirePrice { price, at, gate } => {
            session.confirm(gate, &format!("Ending {price} is final: nobody is sold at it again."))?;
            let price = session.call(op::CATALOG_RETIRE_PRICE, json!({"priceId": price, "at": at})).await?;
            session.show(&price, render::generic::object).await
        }
    }
}

/// The arguments with the bounds that were given.
fn windowed(mut arguments: Value, valid_from: Option<Bound>, valid_to: Option<Bound>) -> Value {
    for (name, bound) in [("validFrom", valid_from), ("validTo", valid_to)] {
        if let Some(bound) = bound {
            arguments[name] = bound.value();
        }
    }
    arguments
}
