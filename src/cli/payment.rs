//! `bss payment`: cards on file, attempts, refunds.

use clap::{Args, Subcommand};
use futures::future::try_join;
use serde_json::{Value, json};

use super::error::CliError;
use super::operations as op;
use super::session::{Gate, Outcome, Session, next_page};
use crate::render::{self, text};

/// The cards that the mock gateway knows, by what they do.
const TEST_CARDS: &[(&str, &str)] = &[
    ("visa", "4242424242424242"),
    ("mastercard", "5555555555554444"),
    ("declined", "4000000000000002"),
    ("insufficient-funds", "4000000000009995"),
    ("attach-then-decline", "4000000000000341"),
    ("slow", "4000000000006975"),
    ("timeout", "4000000000000119"),
    ("gateway-error", "4000000000000259"),
];

/// Most ids in one answer about a cutover.
const CUTOVER_IDS_MAX: usize = 1_000;

/// Commands about money.
#[derive(Debug, Subcommand)]
pub enum PaymentCommand {
    /// Put a card on file
    #[command(after_help = "\
Examples:
  bss payment add-card --customer CUST-0a1b2c3d4e5f
  bss payment add-card --customer CUST-0a1b2c3d4e5f --card visa
  bss payment add-card --customer CUST-0a1b2c3d4e5f --card - --exp-year 2031

Test cards of the mock gateway, by name or number:
  visa                 4242424242424242  approved
  mastercard           5555555555554444  approved
  declined             4000000000000002  declined: card_declined
  insufficient-funds   4000000000009995  declined: insufficient_funds
  attach-then-decline  4000000000000341  goes on file, every charge is declined
  slow                 4000000000006975  approved after 3 s
  timeout              4000000000000119  charged, the first answer never arrives
  gateway-error        4000000000000259  fails once, then approved")]
    AddCard(AddCardArgs),
    /// List the cards of a customer
    #[command(after_help = "\
Examples:
  bss payment list-methods --customer CUST-0a1b2c3d4e5f
  bss payment list-methods --customer CUST-0a1b2c3d4e5f --fields id,brand,last4")]
    ListMethods {
        /// Customer id
        #[arg(long)]
        customer: String,
    },
    /// Charge this card from now on
    #[command(after_help = "\
Examples:
  bss payment set-default PM-0007
  bss payment set-default PM-0007 --dry-run")]
    SetDefault {
        /// Card id
        #[arg(value_name = "METHOD")]
        method: String,
    },
    /// Take a card off file
    #[command(after_help = "\
Examples:
  bss payment remove-method PM-0007 --yes
  bss payment remove-method PM-0007 --dry-run")]
    RemoveMethod {
        /// Card id
        #[arg(value_name = "METHOD")]
        method: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Invalidate the cards that only the mock gateway knows, before another gateway takes its place
    #[command(after_help = "\
Examples:
  bss payment cutover --invalidate-mock-tokens --dry-run
  bss payment cutover --invalidate-mock-tokens --yes")]
    Cutover {
        /// Without this, nothing is done
        #[arg(long)]
        invalidate_mock_tokens: bool,
        #[command(flatten)]
        gate: Gate,
    },
    /// Tell what a customer paid: cards, attempts, refunds, and what they add up to
    #[command(
        after_help = "Examples:\n  bss payment history CUST-0a1b2c3d4e5f\n  bss payment history CUST-0a1b2c3d4e5f --limit 200 -o json"
    )]
    History {
        /// Customer id
        #[arg(value_name = "CUSTOMER")]
        customer: String,
        /// The latest so many attempts
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Without the latest so many
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// List payment attempts, or show one
    #[command(
        visible_alias = "list",
        after_help = "\
Examples:
  bss payment attempts --customer CUST-0a1b2c3d4e5f
  bss payment attempts --subject ORD-0042 -o json
  bss payment attempts PAY-000042"
    )]
    Attempts(AttemptsArgs),
    /// Give the money of an approved attempt back
    #[command(after_help = "\
Examples:
  bss payment refund PAY-000042 --reason 'charged by mistake' --yes
  bss payment refund PAY-000042 --reason goodwill --dry-run")]
    Refund {
        /// Attempt id
        #[arg(value_name = "ATTEMPT")]
        attempt: String,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        gate: Gate,
    },
}

/// A card.
#[derive(Debug, Args)]
pub struct AddCardArgs {
    /// Customer id
    #[arg(long)]
    customer: String,
    /// Name or number of a test card; - reads a number from standard input; left out, a terminal asks without showing it
    #[arg(long)]
    card: Option<String>,
    /// Month of expiry
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8).range(1..=12))]
    exp_month: u8,
    /// Year of expiry
    #[arg(long, default_value_t = 2030)]
    exp_year: u16,
}

/// Which attempts.
#[derive(Debug, Args)]
pub struct AttemptsArgs {
    /// Attempt id, to show it alone
    #[arg(value_name = "ATTEMPT", conflicts_with_all = ["customer", "subject", "status"])]
    attempt: Option<String>,
    /// Customer id
    #[arg(long)]
    customer: Option<String>,
    /// What was paid for: an order or a line
    #[arg(long)]
    subject: Option<String>,
    /// Status
    #[arg(long, alias = "state", value_parser = ["pending", "approved", "declined", "errored"])]
    status: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

pub(super) async fn run(command: PaymentCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        PaymentCommand::AddCard(args) => {
            let number = card_number(args.card.as_deref(), session)?;
            let card = json!({"customerId": args.customer, "cardNumber": number, "expMonth": args.exp_month,
                              "expYear": args.exp_year});
            let method = session.call(op::PAYMENT_ADD_CARD, card).await?;
            session.show(&method, render::payment::method).await
        }
        PaymentCommand::ListMethods { customer } => {
            let methods = session.call(op::PAYMENT_LIST_METHODS, json!({"customerId": customer})).await?;
            session.show(&methods, render::payment::methods).await
        }
        PaymentCommand::SetDefault { method } => {
            let method = session.call(op::PAYMENT_SET_DEFAULT_METHOD, json!({"paymentMethodId": method})).await?;
            session.show(&method, render::payment::method).await
        }
        PaymentCommand::RemoveMethod { method, gate } => {
            session.confirm(gate, &format!("Removing {method} is final: it will not be charged again."))?;
            let removed = session.call(op::PAYMENT_REMOVE_METHOD, json!({"paymentMethodId": method})).await?;
            session.show(&removed, render::payment::method).await
        }
        PaymentCommand::Cutover { invalidate_mock_tokens: true, gate } => cutover(gate, session).await,
        PaymentCommand::Cutover { .. } => {
            session.note("nothing to do: --invalidate-mock-tokens says what a cutover is to do");
            session.show(&nothing_invalidated(), render::payment::invalidated).await
        }
        PaymentCommand::History { customer, limit, offset } => {
            let page = json!({"customerId": customer, "limit": limit, "offset": offset});
            let (methods, attempts) = try_join(
                session.call(op::PAYMENT_LIST_METHODS, json!({"customerId": customer})),
                session.call(op::PAYMENT_LIST_ATTEMPTS, page),
            )
            .await?;
            let shown = text::rows(&attempts).len();
            let history = json!({"customerId": customer, "paymentMethods": methods, "attempts": attempts});
            session.show(&history, |history, style| render::payment::history(history, &customer, style)).await?;
            session.note_more(shown, limit, &next_page(limit, offset));
            Ok(())
        }
        PaymentCommand::Attempts(AttemptsArgs { attempt: Some(id), .. }) => {
            let attempt = session.call(op::PAYMENT_GET_ATTEMPT, json!({"paymentAttemptId": id})).await?;
            session.show(&attempt, render::payment::attempt).await
        }
        PaymentCommand::Attempts(args) => {
            let filter = json!({"customerId": args.customer, "subjectId": args.subject, "status": args.status,
                                "limit": args.limit, "offset": args.offset});
            let attempts = session.call(op::PAYMENT_LIST_ATTEMPTS, filter).await?;
            session
                .show_page(&attempts, args.limit, &next_page(args.limit, args.offset), render::payment::attempts)
                .await
        }
        PaymentCommand::Refund { attempt, reason, gate } => {
            session.confirm(gate, &format!("Refunding {attempt} gives the whole amount back to the card."))?;
            let refund = json!({"paymentAttemptId": attempt, "reason": reason});
            let attempt = session.call(op::PAYMENT_REFUND, refund).await?;
            session.show(&attempt, render::payment::attempt).await
        }
    }
}

/// Ends the cards of the mock gateway, in as many requests as it takes.
async fn cutover(gate: Gate, session: &mut Session<'_>) -> Outcome {
    let mut preview = session.call(op::PAYMENT_PREVIEW_CUTOVER, json!({})).await?;
    let count = preview["candidateCount"].as_u64().unwrap_or_default();
    if session.dry_run {
        name_all(&mut preview, session).await?;
        preview["dryRun"] = true.into();
        preview["operation"] = op::PAYMENT_CUTOVER.name().into();
        return session.show(&preview, render::payment::candidates).await;
    }
    if count == 0 {
        session.note("no active card is one of the mock gateway");
        return session.show(&nothing_invalidated(), render::payment::invalidated).await;
    }
    let cards = if count == 1 { "1 card".to_owned() } else { format!("{count} cards") };
    let consequence =
        format!("{cards} of the mock gateway will not be charged again: each customer must add another one.");
    session.confirm(gate, &consequence).map_err(|error| match error {
        CliError::Declined => CliError::Usage("stopped, no card was invalidated".into()),
        other => other,
    })?;
    let mut done = session.call(op::PAYMENT_CUTOVER, json!({})).await?;
    while let Some(left) = done["left"].as_u64().filter(|left| *left > 0) {
        session.note(&format!("{left} cards are left"));
        let more = session.call(op::PAYMENT_CUTOVER, json!({})).await?;
        if more["invalidatedCount"] == 0 {
            return Err(CliError::Failed(format!(
                "{left} cards are left that cannot be invalidated now; try again later"
            )));
        }
        add(&mut done, &more);
    }
    session.show(&done, render::payment::invalidated).await
}

fn nothing_invalidated() -> Value {
    json!({"invalidatedCount": 0, "invalidatedIds": [], "left": 0})
}

/// What two requests of one cutover did.
fn add(done: &mut Value, more: &Value) {
    let count = |view: &Value| view["invalidatedCount"].as_u64().unwrap_or_default();
    done["invalidatedCount"] = (count(done) + count(more)).into();
    done["left"] = more["left"].clone();
    let room = CUTOVER_IDS_MAX.saturating_sub(text::rows(&done["invalidatedIds"]).len());
    if let Some(ids) = done["invalidatedIds"].as_array_mut() {
        ids.extend(text::rows(&more["invalidatedIds"]).iter().take(room).cloned());
    }
}

/// Adds the pages of candidates after the first.
async fn name_all(preview: &mut Value, session: &Session<'_>) -> Result<(), CliError> {
    let Some(ids) = preview["candidateIds"].as_array_mut() else { return Ok(()) };
    let mut page = ids.len();
    while page == CUTOVER_IDS_MAX {
        let next = session.call(op::PAYMENT_PREVIEW_CUTOVER, json!({"offset": ids.len()})).await?;
        let next = text::rows(&next["candidateIds"]);
        page = next.len();
        ids.extend(next.iter().cloned());
    }
    Ok(())
}

/// The number that was given, by name, on standard input, or to a prompt that does not show it.
pub(super) fn card_number(given: Option<&str>, session: &mut Session<'_>) -> Result<String, CliError> {
    let said = match given {
        Some("-") => session.console.ask("")?,
        Some(said) => said.to_owned(),
        None if session.console.interactive => session.console.ask_hidden("Card number: ")?,
        None => return Err(CliError::Usage("which card? --card takes a number, a test card, or - to read it".into())),
    };
    if let Some((_, number)) = TEST_CARDS.iter().find(|(name, _)| *name == said) {
        return Ok((*number).to_owned());
    }
    let number: String = said.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let is_typed = given.is_some_and(|given| given != "-");
    if is_typed
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !TEST_CARDS.iter().any(|(_, test)| *test == number)
    {
        return Err(CliError::Usage(
            "others on this machine can read a card number on the command line: leave --card out, or pipe it in with --card -"
                .into(),
        ));
    }
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(number)
    } else {
        let names: Vec<_> = TEST_CARDS.iter().map(|(name, _)| *name).collect();
        // What was said is not repeated: it may be a mistyped card number.
        Err(CliError::Usage(format!("that is no card number; the test cards are {}", names.join(", "))))
    }
}
