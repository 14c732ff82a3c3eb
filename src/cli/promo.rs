//! `bss promo`: discounts, and who may have them.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::operations as op;
use super::session::{Gate, Outcome, Session, next_page};
use crate::render;

/// Commands about promotions.
#[derive(Debug, Subcommand)]
pub enum PromoCommand {
    /// Create a promotion with its code; it is active at once
    #[command(override_usage = "\
bss promo create [OPTIONS]
           --id <PROMOTION> --type <TYPE> --value <VALUE> --duration <DURATION>")]
    #[command(after_help = "\
Examples:
  bss promo create --id PROMO_SUMMER25 --type percent --value 20 \\
    --duration multi --periods 3 --code SUMMER25 --code-kind multi_use
  bss promo create --id PROMO_VIP --type absolute --value 5.00 \\
    --duration single --audience targeted --name 'VIP welcome'

A targeted promotion needs no code: it is for the customers that it is
assigned to, once for each.")]
    Create(CreateArgs),
    /// List promotions
    #[command(after_help = "Examples:\n  bss promo list\n  bss promo list --state active -o json")]
    List {
        /// State
        #[arg(long, value_enum)]
        state: Option<PromotionState>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// How many to skip
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Show a promotion: terms, code, who may use it, how often it was used
    #[command(after_help = "Examples:\n  bss promo show PROMO_SUMMER25\n  bss promo show PROMO_VIP -o json")]
    Show {
        /// Promotion id
        #[arg(value_name = "PROMOTION")]
        promotion: String,
    },
    /// Let customers use a targeted promotion
    #[command(after_help = "\
Examples:
  bss promo assign --promo PROMO_VIP --customers CUST-0a1b2c3d4e5f
  bss promo assign --promo PROMO_VIP --customers CUST-0a1b2c3d4e5f -o json")]
    Assign(Customers),
    /// Take a targeted promotion back from customers
    #[command(after_help = "\
Examples:
  bss promo unassign --promo PROMO_VIP --customers CUST-0a1b2c3d4e5f
  bss promo unassign --promo PROMO_VIP --customers CUST-0a1b2c3d4e5f --dry-run")]
    Unassign(Customers),
    /// End a promotion for new orders; what was promised is kept
    #[command(after_help = "\
Examples:
  bss promo exhaust PROMO_SUMMER25 --yes
  bss promo exhaust PROMO_SUMMER25 --dry-run")]
    Exhaust {
        /// Promotion id
        #[arg(value_name = "PROMOTION")]
        promotion: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// What a code would take off a plan now; nothing is used
    #[command(after_help = "\
Examples:
  bss promo preview SUMMER25 --offering PLAN_M
  bss promo preview summer25 --offering PLAN_M --customer CUST-0a1b2c3d4e5f")]
    Preview {
        /// What the customer types
        #[arg(value_name = "CODE")]
        code: String,
        /// Plan id
        #[arg(long)]
        offering: String,
        /// Customer id: who would use it
        #[arg(long)]
        customer: Option<String>,
    },
}

/// A new promotion.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Promotion id, by habit PROMO_…
    #[arg(long, value_name = "PROMOTION")]
    id: String,
    /// How it is taken off
    #[arg(long = "type", value_name = "TYPE", value_parser = ["percent", "absolute"])]
    discount_type: String,
    /// How much: 20, or 5.00
    #[arg(long)]
    value: String,
    /// For how many periods
    #[arg(long, value_name = "DURATION", value_parser = ["single", "multi", "perpetual"])]
    duration: String,
    /// Of multi: how many periods, the first included
    #[arg(long)]
    periods: Option<i64>,
    /// Who may use it
    #[arg(long, default_value = "public", value_parser = ["public", "targeted"])]
    audience: String,
    /// What customers type, in any case
    #[arg(long)]
    code: Option<String>,
    /// How often the code can be used
    #[arg(long, value_name = "KIND",
        value_parser = ["single_use_shared", "single_use_unique_per_customer", "multi_use"])]
    code_kind: Option<String>,
    /// Plan ids that it is for, with commas; every plan when not given
    #[arg(long, value_name = "PLANS", value_delimiter = ',')]
    offerings: Vec<String>,
    /// First instant at which it can be ordered with
    #[arg(long, value_name = "INSTANT")]
    valid_from: Option<DateTime<Utc>>,
    /// First instant at which it no longer can
    #[arg(long, value_name = "INSTANT")]
    valid_to: Option<DateTime<Utc>>,
    /// What customers read; the discount itself when not given
    #[arg(long)]
    name: Option<String>,
    /// Currency; the operator's own when not given
    #[arg(long)]
    currency: Option<String>,
}

/// A promotion and customers.
#[derive(Debug, Args)]
pub struct Customers {
    /// Promotion id
    #[arg(long, value_name = "PROMOTION")]
    promo: String,
    /// Customer ids, with commas
    #[arg(long, value_name = "CUSTOMERS", value_delimiter = ',', required = true)]
    customers: Vec<String>,
}

/// The states of a promotion.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PromotionState {
    /// New orders may use it
    Active,
    /// It has ended
    Exhausted,
}

impl PromotionState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Exhausted => "exhausted",
        }
    }
}

pub(super) async fn run(command: PromoCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        PromoCommand::Create(args) => {
            let offerings = if args.offerings.is_empty() { Value::Null } else { json!(args.offerings) };
            let promotion = json!({
                "promotionId": args.id, "discountType": args.discount_type, "discountValue": args.value,
                "durationKind": args.duration, "periodsTotal": args.periods, "audience": args.audience,
                "code": args.code, "promoCodeKind": args.code_kind, "applicableOfferingIds": offerings,
                "validFrom": args.valid_from, "validTo": args.valid_to, "displayName": args.name,
                "currency": args.currency,
            });
            let promotion = session.call(op::PROMO_CREATE, promotion).await?;
            session.show(&promotion, render::promotion::card).await
        }
        PromoCommand::List { state, limit, offset } => {
            let query = json!({"state": state.map(PromotionState::as_str), "limit": limit, "offset": offset});
            let promotions = session.call(op::PROMO_LIST, query).await?;
            session.show_page(&promotions, limit, &next_page(limit, offset), render::promotion::list).await
        }
        PromoCommand::Show { promotion } => {
            let promotion = session.call(op::PROMO_SHOW, json!({"promotionId": promotion})).await?;
            session.show(&promotion, render::promotion::card).await
        }
        PromoCommand::Assign(Customers { promo, customers }) => {
            let arguments = json!({"promotionId": promo, "customerIds": customers});
            let assigned = session.call(op::PROMO_ASSIGN, arguments).await?;
            session.show(&assigned, render::promotion::assigned).await
        }
        PromoCommand::Unassign(Customers { promo, customers }) => {
            let arguments = json!({"promotionId": promo, "customerIds": customers});
            let unassigned = session.call(op::PROMO_UNASSIGN, arguments).await?;
            session.show(&unassigned, render::promotion::unassigned).await
        }
        PromoCommand::Exhaust { promotion, gate } => {
            session.confirm(gate, &format!("Ending {promotion} is final: no new order has it."))?;
            let promotion = session.call(op::PROMO_EXHAUST, json!({"promotionId": promotion})).await?;
            session.show(&promotion, render::promotion::card).await
        }
        PromoCommand::Preview { code, offering, customer } => {
            let query = json!({"code": code, "offeringId": offering, "customerId": customer});
            let preview = session.call(op::PROMO_PREVIEW, query).await?;
            session.show(&preview, render::promotion::preview).await
        }
    }
}
