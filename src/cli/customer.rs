//! `bss customer`: who the customers are.

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use futures::future::try_join4;
use serde_json::{Value, json};

use super::operations as op;
use super::payment;
use super::session::{Gate, Outcome, Session, next_page};
use crate::render;

/// How many of the last interactions the page of a customer shows.
const INTERACTIONS_SHOWN: u32 = 10;
const ORDERS_SHOWN: u32 = 10;

/// Commands about customers.
#[derive(Debug, Subcommand)]
pub enum CustomerCommand {
    /// Create a customer, with a card if one is given
    #[command(after_help = "\
Examples:
  bss customer create --name 'Ada Lovelace' --email ada@example.test
  bss customer create --given-name Ada --family-name Lovelace \\
    --phone +6590000001 --card visa
  CUSTOMER=$(bss -q customer create --name Ada)")]
    Create(CreateArgs),
    /// List customers
    #[command(
        after_help = "Examples:\n  bss customer list --name lovelace\n  bss customer list --status active --limit 50 -o json"
    )]
    List(ListArgs),
    /// Show everything about a customer: contact, lines, cards, orders, interactions
    #[command(after_help = "\
Examples:
  bss customer show CUST-0a1b2c3d4e5f
  bss customer show ada@example.test
  bss customer show 90000000 -o yaml")]
    Show {
        /// Customer id, e-mail address or phone number of a line
        #[arg(value_name = "CUSTOMER")]
        who: String,
    },
    /// Find a customer by e-mail address or by the number of a line
    #[command(after_help = "Examples:\n  bss customer find ada@example.test\n  bss customer find 90000000")]
    Find {
        /// E-mail address or number
        #[arg(value_name = "EMAIL|NUMBER")]
        by: String,
    },
    /// Attest the identity of a customer
    #[command(after_help = "\
Examples:
  bss customer kyc CUST-0a1b2c3d4e5f
  bss customer kyc CUST-0a1b2c3d4e5f --document-type passport \\
    --document-country SG --date-of-birth 1990-01-01")]
    Kyc(KycArgs),
    /// Add a way to reach a customer
    #[command(
        override_usage = "bss customer add-contact [OPTIONS] <CUSTOMER>\n           --type <TYPE> --value <VALUE>",
        after_help = "\
Examples:
  bss customer add-contact CUST-0a1b2c3d4e5f --type email \\
    --value ada@example.test --primary
  bss customer add-contact CUST-0a1b2c3d4e5f --type mobile --value +6590000001"
    )]
    AddContact(AddContactArgs),
    /// Change a number or postal address, or make a contact the preferred one
    #[command(after_help = "\
Examples:
  bss customer change-contact CUST-0a1b2c3d4e5f CM-0d2f6a11 \\
    --value +6590000002
  bss customer change-contact CUST-0a1b2c3d4e5f CM-0d2f6a11 --primary

An e-mail address is replaced: add the new one with --primary, then remove the
former one. The ids are those of 'bss customer show … -o json'.")]
    ChangeContact {
        /// Customer id
        #[arg(value_name = "CUSTOMER")]
        customer_id: String,
        /// Contact medium, CM-…
        #[arg(value_name = "MEDIUM")]
        medium: String,
        /// New number or postal address
        #[arg(long, required_unless_present = "primary")]
        value: Option<String>,
        /// Make it the preferred one of its kind
        #[arg(long)]
        primary: bool,
    },
    /// Remove a way to reach a customer; the last one stays
    #[command(after_help = "\
Examples:
  bss customer remove-contact CUST-0a1b2c3d4e5f CM-0d2f6a11 --yes
  bss customer remove-contact CUST-0a1b2c3d4e5f CM-0d2f6a11 --dry-run")]
    RemoveContact {
        /// Customer id
        #[arg(value_name = "CUSTOMER")]
        customer_id: String,
        /// Contact medium, CM-…
        #[arg(value_name = "MEDIUM")]
        medium: String,
        #[command(flatten)]
        gate: Gate,
    },
    /// Write a line into what happened with a customer
    #[command(after_help = "\
Examples:
  bss customer note CUST-0a1b2c3d4e5f 'Asked for the price of roaming'
  bss customer note CUST-0a1b2c3d4e5f 'Called about a bill' --direction inbound")]
    Note {
        /// Customer id
        #[arg(value_name = "CUSTOMER")]
        customer_id: String,
        /// One line
        summary: String,
        /// Who spoke first
        #[arg(long, value_parser = ["inbound", "outbound", "internal"], default_value = "internal")]
        direction: String,
        /// More than one line of it
        #[arg(long)]
        body: Option<String>,
    },
    /// Close a customer who has no line left
    #[command(after_help = "\
Examples:
  bss customer close CUST-0a1b2c3d4e5f --reason 'moved away' --yes
  bss customer close CUST-0a1b2c3d4e5f --dry-run")]
    Close {
        /// Customer id
        #[arg(value_name = "CUSTOMER")]
        customer_id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        gate: Gate,
    },
}

/// A new customer.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Full name; the first word is the given name
    #[arg(long, required_unless_present = "given_name", conflicts_with_all = ["given_name", "family_name"])]
    name: Option<String>,
    /// Given name
    #[arg(long, requires = "family_name")]
    given_name: Option<String>,
    /// Family name
    #[arg(long, requires = "given_name")]
    family_name: Option<String>,
    /// E-mail address
    #[arg(long)]
    email: Option<String>,
    /// Phone number to reach them on
    #[arg(long)]
    phone: Option<String>,
    /// Date of birth
    #[arg(long, value_name = "YYYY-MM-DD")]
    date_of_birth: Option<NaiveDate>,
    /// Card to put on file: a test card, or - to read a number from standard input
    #[arg(long)]
    card: Option<String>,
}

/// Which customers.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Beginning of the name, or of the family name
    #[arg(long)]
    name: Option<String>,
    /// Status
    #[arg(long, alias = "state", value_parser = ["pending", "active", "suspended", "closed"])]
    status: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// How many to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

/// What is attested.
#[derive(Debug, Args)]
pub struct KycArgs {
    /// Customer id
    #[arg(value_name = "CUSTOMER")]
    customer_id: String,
    /// Who attests
    #[arg(long, default_value = "prebaked")]
    provider: String,
    /// Proof of the provider; the prebaked provider takes any
    #[arg(long)]
    attestation_token: Option<String>,
    /// Document shown, e.g. nric or passport
    #[arg(long)]
    document_type: Option<String>,
    /// Country of the document
    #[arg(long)]
    document_country: Option<String>,
    /// - reads the number of the document from standard input; only a keyed hash of it is stored
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    document_number: Option<String>,
    /// Date of birth on the document
    #[arg(long, value_name = "YYYY-MM-DD")]
    date_of_birth: Option<NaiveDate>,
    /// Nationality
    #[arg(long)]
    nationality: Option<String>,
}

/// A way to reach somebody.
#[derive(Debug, Args)]
pub struct AddContactArgs {
    /// Customer id
    #[arg(value_name = "CUSTOMER")]
    customer_id: String,
    /// What kind
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    medium_type: MediumType,
    /// Address or number
    #[arg(long)]
    value: String,
    /// Make it the preferred one of its kind
    #[arg(long)]
    primary: bool,
}

/// Kinds of contact media.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum MediumType {
    /// E-mail address
    Email,
    /// Phone number
    Mobile,
    /// Postal address
    Postal,
}

impl MediumType {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Mobile => "mobile",
            Self::Postal => "postal",
        }
    }
}

pub(super) async fn run(command: CustomerCommand, session: &mut Session<'_>) -> Outcome {
    match command {
        CustomerCommand::Create(args) => create(args, session).await,
        CustomerCommand::List(args) => {
            let filter = json!({"name": args.name, "status": args.status, "limit": args.limit, "offset": args.offset});
            let customers = session.call(op::CUSTOMER_LIST, filter).await?;
            session.show_page(&customers, args.limit, &next_page(args.limit, args.offset), render::customer::list).await
        }
        CustomerCommand::Show { who } => show(&who, session).await,
        CustomerCommand::Find { by } => {
            let customer = find(&by, session).await?;
            session.show(&customer, render::customer::page).await
        }
        CustomerCommand::Kyc(args) => attest(args, session).await,
        CustomerCommand::AddContact(args) => {
            let medium = json!({"customerId": args.customer_id, "mediumType": args.medium_type.name(),
                                "value": args.value, "isPrimary": args.primary});
            let answer = session.call(op::CUSTOMER_ADD_CONTACT_MEDIUM, medium).await?;
            session.note(&format!("added to {}", args.customer_id));
            session.show(&answer, customer_or_part).await
        }
        CustomerCommand::ChangeContact { customer_id, medium, value, primary } => {
            let change = json!({"customerId": customer_id, "contactMediumId": medium, "value": value,
                                "makePrimary": primary});
            let medium = session.call(op::CUSTOMER_UPDATE_CONTACT_MEDIUM, change).await?;
            session.show(&medium, render::generic::object).await
        }
        CustomerCommand::RemoveContact { customer_id, medium, gate } => {
            session.confirm(gate, &format!("{customer_id} is not reached by {medium} any more."))?;
            let medium = json!({"customerId": customer_id, "contactMediumId": medium});
            let medium = session.call(op::CUSTOMER_REMOVE_CONTACT_MEDIUM, medium).await?;
            session.show(&medium, render::generic::object).await
        }
        CustomerCommand::Note { customer_id, summary, direction, body } => {
            let note = json!({"customerId": customer_id, "summary": summary, "direction": direction, "body": body});
            let note = session.call(op::INTERACTION_LOG, note).await?;
            session.show(&note, render::generic::object).await
        }
        CustomerCommand::Close { customer_id, reason, gate } => {
            session.confirm(
                gate,
                &format!("Closing {customer_id} is final: no order is taken for this customer again."),
            )?;
            let customer =
                session.call(op::CUSTOMER_CLOSE, json!({"customerId": customer_id, "reason": reason})).await?;
            session.show(&customer, render::customer::page).await
        }
    }
}

async fn create(args: CreateArgs, session: &mut Session<'_>) -> Outcome {
    // Read before anything is created: a card that cannot be read leaves no customer behind.
    let card = args.card.as_deref().map(|card| payment::card_number(Some(card), session)).transpose()?;
    let person = json!({"name": args.name, "givenName": args.given_name, "familyName": args.family_name,
                        "email": args.email, "phone": args.phone, "dateOfBirth": args.date_of_birth});
    let mut customer = session.call(op::CUSTOMER_CREATE, person).await?;
    let id = render::text::field(&customer, "id");
    session.note(&format!("created {id}"));
    if let Some(number) = card {
        let method = session.call(op::PAYMENT_ADD_CARD, json!({"customerId": id, "cardNumber": number})).await?;
        customer["paymentMethods"] = json!([method]);
    }
    session.show(&customer, render::customer::page).await
}

async fn show(who: &str, session: &mut Session<'_>) -> Outcome {
    let mut customer = find(who, session).await?;
    let id = &customer["id"].clone();
    let (subscriptions, methods, orders, interactions) = try_join4(
        session.call(op::SUBSCRIPTION_LIST_FOR_CUSTOMER, json!({"customerId": id})),
        session.call(op::PAYMENT_LIST_METHODS, json!({"customerId": id})),
        session.call(op::ORDER_LIST, json!({"customerId": id, "limit": ORDERS_SHOWN})),
        session.call(op::INTERACTION_LIST, json!({"customerId": id, "limit": INTERACTIONS_SHOWN})),
    )
    .await?;
    customer["subscriptions"] = subscriptions;
    customer["paymentMethods"] = methods;
    customer["orders"] = orders;
    customer["interactions"] = interactions;
    session.show(&customer, render::customer::page).await
}

/// The customer that an id, an e-mail address or a number names.
async fn find(who: &str, session: &Session<'_>) -> Result<Value, super::error::CliError> {
    if who.contains('@') {
        session.call(op::CUSTOMER_FIND_BY_EMAIL, json!({"email": who})).await
    } else if is_number(who) {
        let msisdn = who.trim_start_matches('+');
        session.call(op::CUSTOMER_FIND_BY_MSISDN, json!({"msisdn": msisdn})).await
    } else {
        session.call(op::CUSTOMER_GET, json!({"customerId": who})).await
    }
}

/// Is this a phone number rather than an id?
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

async fn attest(args: KycArgs, session: &mut Session<'_>) -> Outcome {
    let document_number = match args.document_number.as_deref() {
        None => None,
        Some("-") => Some(session.console.ask_hidden("")?),
        Some(_) => {
            // It is not repeated.
            let refusal =
                "others on this machine can read a number on the command line: pipe it in with --document-number -";
            return Err(super::error::CliError::Usage(refusal.into()));
        }
    };
    // The prebaked provider believes anyone; a token of the customer's own keeps two attestations apart.
    let prebaked = || (args.provider == "prebaked").then(|| format!("prebaked-{}", args.customer_id));
    let token = args.attestation_token.clone().or_else(prebaked).ok_or_else(|| {
        super::error::CliError::Usage(format!("the provider '{}' needs --attestation-token", args.provider))
    })?;
    let attestation = json!({
        "customerId": args.customer_id, "provider": args.provider, "attestationToken": token,
        "documentType": args.document_type, "documentCountry": args.document_country,
        "documentNumber": document_number, "dateOfBirth": args.date_of_birth, "nationality": args.nationality,
    });
    let customer = session.call(op::CUSTOMER_ATTEST_KYC, attestation).await?;
    session.show(&customer, customer_or_part).await
}

/// The page when the answer is the whole customer, else what it holds.
fn customer_or_part(answer: &Value, style: render::Style) -> String {
    if answer["individual"].is_object() {
        render::customer::page(answer, style)
    } else {
        render::generic::object(answer, style)
    }
}
