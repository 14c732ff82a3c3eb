//! Customers: commands, views and the trait.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit_default;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;

id_type!(pub CustomerId, "customer, CUST-…");
id_type!(pub PartyId, "party, PTY-…");
id_type!(pub InteractionId, "line of a customer's timeline, INT-…");

/// Where a customer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerStatus {
    Pending,
    Active,
    Suspended,
    /// Terminal.
    Closed,
}

impl CustomerStatus {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Suspended, Self::Closed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What is known of a customer's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KycStatus {
    NotVerified,
    Pending,
    Verified,
    Rejected,
    Expired,
}

impl KycStatus {
    pub const ALL: [Self; 5] = [Self::NotVerified, Self::Pending, Self::Verified, Self::Rejected, Self::Expired];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotVerified => "not_verified",
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A way to reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediumType {
    /// An address that one customer alone has: it is their identity.
    Email,
    Mobile,
    Postal,
}

impl MediumType {
    pub const ALL: [Self; 3] = [Self::Email, Self::Mobile, Self::Postal];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Mobile => "mobile",
            Self::Postal => "postal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Which way a contact went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
    Internal,
}

impl Direction {
    pub const ALL: [Self; 3] = [Self::Inbound, Self::Outbound, Self::Internal];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == text)
    }
}

/// Create a customer, active at once, with the person behind it and how to reach them.
///
/// Give `name`, or `givenName` and `familyName`. An e-mail address belongs to one customer only: a second one with it fails
/// with `customer.create.email_unique`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateCustomer {
    /// Full name: the first word is the given name, the rest the family name.
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    /// Becomes the primary e-mail address. Without e-mail and phone the customer gets a placeholder address.
    pub email: Option<String>,
    /// A number to reach the person on, in international form such as +6591234567.
    pub phone: Option<String>,
    pub date_of_birth: Option<NaiveDate>,
}

/// List customers by id.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListCustomers {
    /// The beginning of the whole name or of the family name, in any case.
    pub name: Option<String>,
    pub status: Option<CustomerStatus>,
    /// How the id begins, as far as somebody has typed it.
    pub id_prefix: Option<String>,
    /// How many at most, 1 to 1000.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    /// How many to skip.
    #[serde(default)]
    pub offset: u32,
}

/// Add a way to reach a customer. An e-mail address that somebody has fails with `customer.create.email_unique`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddContactMedium {
    pub customer_id: CustomerId,
    pub medium_type: MediumType,
    /// The e-mail address, number or postal address.
    pub value: String,
    /// Makes it the primary one of its type; the former one stays, but is no longer primary.
    #[serde(default)]
    pub is_primary: bool,
}

/// Change a number or a postal address, or make a way to reach a customer the primary one of its type.
///
/// An e-mail address is who the customer is and is never rewritten: add the new one as the primary one, then remove the former.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateContactMedium {
    pub customer_id: CustomerId,
    /// As the customer shows it, CM-…
    pub contact_medium_id: String,
    /// The new number or postal address.
    pub value: Option<String>,
    /// Makes it the primary one of its type; the former one stays, but is no longer primary.
    #[serde(default)]
    pub make_primary: bool,
}

/// Remove a way to reach a customer; the record of it stays.
///
/// The last one stays, and so does the e-mail address that mail goes to while no other address is the primary one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveContactMedium {
    pub customer_id: CustomerId,
    /// As the customer shows it, CM-…
    pub contact_medium_id: String,
}

/// Record that a provider has attested a customer's identity. Attesting again replaces what was known.
///
/// Of the document number only a keyed hash and the last four characters are kept. A document belongs to one customer only:
/// a second one fails with `customer.attest_kyc.document_hash_unique_per_tenant`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttestKyc {
    pub customer_id: CustomerId,
    /// Who attests: `prebaked` takes any token and is refused in production.
    #[serde(default = "provider_default")]
    pub provider: String,
    /// The provider's proof; never stored.
    pub attestation_token: String,
    /// Such as nric, passport, fin or `driving_license`.
    #[serde(default = "document_type_default")]
    pub document_type: String,
    /// ISO 3166-1 alpha-2; the operator's country when not given.
    pub document_country: Option<String>,
    /// Number of the document. Only for `prebaked` it may be left out; then it is made from the customer's id.
    pub document_number: Option<String>,
    #[serde(default = "date_of_birth_default")]
    pub date_of_birth: NaiveDate,
    /// ISO 3166-1 alpha-2.
    pub nationality: Option<String>,
}

/// The document number and the token do not show.
impl std::fmt::Debug for AttestKyc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttestKyc")
            .field("customer_id", &self.customer_id)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

fn provider_default() -> String {
    "prebaked".to_owned()
}

fn document_type_default() -> String {
    "nric".to_owned()
}

fn date_of_birth_default() -> NaiveDate {
    NaiveDate::from_ymd_opt(1990, 1, 1).expect("the first day of 1990 exists")
}

/// Close a customer for ever. Fails with `customer.close.no_active_subscriptions` while a line is not terminated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloseCustomer {
    pub customer_id: CustomerId,
    /// Why, for the customer's record.
    pub reason: Option<String>,
}

/// Write a line into a customer's timeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogInteraction {
    pub customer_id: CustomerId,
    /// One line.
    pub summary: String,
    pub body: Option<String>,
    #[serde(default = "direction_default")]
    pub direction: Direction,
}

const fn direction_default() -> Direction {
    Direction::Internal
}

/// Show a customer's timeline, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListInteractions {
    pub customer_id: CustomerId,
    /// How many at most, 1 to 1000.
    #[serde(default = "interactions_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
}

const fn interactions_default() -> u32 {
    50
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerView {
    pub id: CustomerId,
    pub account_id: String,
    pub status: CustomerStatus,
    pub status_reason: Option<String>,
    pub kyc_status: KycStatus,
    pub kyc_verified_at: Option<DateTime<Utc>>,
    pub customer_since: DateTime<Utc>,
    pub individual: IndividualView,
    /// The live ones.
    pub contact_medium: Vec<ContactMediumView>,
    pub version: i64,
}

/// The person behind a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndividualView {
    pub given_name: String,
    pub family_name: String,
    pub date_of_birth: Option<NaiveDate>,
}

/// One way to reach a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactMediumView {
    pub id: String,
    pub medium_type: MediumType,
    pub value: String,
    /// At most one of each type is.
    pub is_primary: bool,
    pub valid_from: DateTime<Utc>,
    /// Null: live.
    pub valid_to: Option<DateTime<Utc>>,
}

/// One line of a customer's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InteractionView {
    pub id: String,
    pub customer_id: CustomerId,
    /// The surface on which it happened.
    pub channel: String,
    pub direction: Direction,
    pub summary: String,
    pub body: Option<String>,
    /// Who acted.
    pub actor: String,
    /// The agent behind the actor, where it is one.
    pub agent_id: Option<String>,
    pub occurred_at: DateTime<Utc>,
}

/// What an order needs to know of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub id: CustomerId,
    /// `pending`, `active`, `suspended` or `closed`.
    pub status: String,
    pub kyc_verified: bool,
}

/// Customers.
#[async_trait]
pub trait Customers: Send + Sync {
    /// None when there is no such customer.
    async fn standing(&self, cx: &Context, id: &CustomerId) -> Result<Option<Standing>>;

    /// Keeps the customer from being closed until the caller's unit of work ends: whoever books a line holds this first.
    ///
    /// Not found when there is no such customer; violates `customer.hold.closed` when it is closed already.
    async fn hold_open(&self, tx: &Tx, cx: &Context, id: &CustomerId) -> Result<Standing>;

    /// Writes one line into the customer's timeline, in the caller's unit of work.
    async fn note(&self, tx: &Tx, cx: &Context, id: &CustomerId, direction: Direction, summary: &str) -> Result<()>;

    /// The same for many lines, whosever they are, in one statement.
    async fn note_all(&self, tx: &Tx, cx: &Context, direction: Direction, notes: &[(CustomerId, String)])
    -> Result<()>;

    async fn create(&self, cx: &Context, command: CreateCustomer) -> Result<CustomerView>;

    async fn customer(&self, cx: &Context, id: &CustomerId) -> Result<CustomerView>;

    async fn customers(&self, cx: &Context, filter: ListCustomers) -> Result<Vec<CustomerView>>;

    /// The customer with this live address, in any case; not found when nobody has it.
    async fn find_by_email(&self, cx: &Context, email: &str) -> Result<CustomerView>;

    async fn add_contact_medium(&self, cx: &Context, command: AddContactMedium) -> Result<ContactMediumView>;

    async fn update_contact_medium(&self, cx: &Context, command: UpdateContactMedium) -> Result<ContactMediumView>;

    /// Answers what was removed, with its end.
    async fn remove_contact_medium(&self, cx: &Context, command: RemoveContactMedium) -> Result<ContactMediumView>;

    async fn attest_kyc(&self, cx: &Context, command: AttestKyc) -> Result<CustomerView>;

    async fn close(&self, cx: &Context, command: CloseCustomer) -> Result<CustomerView>;

    async fn log_interaction(&self, cx: &Context, command: LogInteraction) -> Result<InteractionView>;

    async fn interactions(&self, cx: &Context, filter: ListInteractions) -> Result<Vec<InteractionView>>;
}
