//! Messages to customers: commands, views, the trait, and the port through which they leave.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CustomerId, limit_default};
use crate::domains::subscription::port::SubscriptionId;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::error::Result;

id_type!(pub MessageId, "message to a customer, MSG-…");

/// What a message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// The customer is one now.
    Welcome,
    /// The line is in service.
    Activation,
    /// Four fifths of an allowance are used. Can be opted out of.
    LowBalance,
    /// The line is out of service.
    Blocked,
    TopUpReceipt,
    RenewalReceipt,
    /// The next period could not be charged, and how to pay it.
    RenewalFailed,
    /// The next period is about to be charged. Can be opted out of, but for one that costs more than the last.
    RenewalReminder,
    PriceChange,
    PlanChange,
    /// A card can no longer be charged, since the operator changed the payment gateway.
    CardInvalidated,
    /// The line has ended.
    Termination,
}

impl Template {
    pub const ALL: [Self; 12] = [
        Self::Welcome,
        Self::Activation,
        Self::LowBalance,
        Self::Blocked,
        Self::TopUpReceipt,
        Self::RenewalReceipt,
        Self::RenewalFailed,
        Self::RenewalReminder,
        Self::PriceChange,
        Self::PlanChange,
        Self::CardInvalidated,
        Self::Termination,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Activation => "activation",
            Self::LowBalance => "low_balance",
            Self::Blocked => "blocked",
            Self::TopUpReceipt => "top_up_receipt",
            Self::RenewalReceipt => "renewal_receipt",
            Self::RenewalFailed => "renewal_failed",
            Self::RenewalReminder => "renewal_reminder",
            Self::PriceChange => "price_change",
            Self::PlanChange => "plan_change",
            Self::CardInvalidated => "card_invalidated",
            Self::Termination => "termination",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.as_str() == text)
    }

    /// Whether a customer may do without it. Receipts, and what changes the contract or the service, are owed to them.
    pub const fn is_optional(self) -> bool {
        match self {
            Self::LowBalance | Self::RenewalReminder => true,
            Self::Welcome
            | Self::Activation
            | Self::Blocked
            | Self::TopUpReceipt
            | Self::RenewalReceipt
            | Self::RenewalFailed
            | Self::PriceChange
            | Self::PlanChange
            | Self::CardInvalidated
            | Self::Termination => false,
        }
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// To be sent, or being sent.
    Pending,
    /// The mail server has taken it.
    Sent,
    /// Not sent on purpose: the customer does not want it, or has no address.
    Suppressed,
    /// The mail server refused it for good.
    Failed,
}

impl MessageState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Sent, Self::Suppressed, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Suppressed => "suppressed",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// List messages to customers, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListMessages {
    pub customer_id: Option<CustomerId>,
    /// Messages about this line.
    pub subscription_id: Option<SubscriptionId>,
    pub template: Option<Template>,
    pub state: Option<MessageState>,
    /// How the id begins, as far as somebody has typed it.
    pub id_prefix: Option<String>,
    /// How many at most, 1 to 1000.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    #[serde(default)]
    pub offset: u32,
}

/// Show one message to a customer, with its text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetMessage {
    pub message_id: MessageId,
}

/// Send a message once more, to the address that the customer has now. It says what it said before.
///
/// Fails with `communication.resend.still_pending` while it is on its way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResendMessage {
    pub message_id: MessageId,
}

/// Say whether a customer wants messages of a kind. Only `low_balance` and `renewal_reminder` can be opted out of.
///
/// Fails with `communication.preference.mandatory` for every other kind: receipts, and what changes the contract or the
/// service, are owed to the customer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPreference {
    pub customer_id: CustomerId,
    pub template: Template,
    /// False: no more of these.
    pub wanted: bool,
}

/// Show which messages a customer gets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListPreferences {
    pub customer_id: CustomerId,
}

/// A message to a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    pub id: MessageId,
    pub customer_id: CustomerId,
    /// The line it is about.
    pub subscription_id: Option<SubscriptionId>,
    pub template: Template,
    pub state: MessageState,
    /// `opted_out`, `no_address`, or what the mail server said.
    pub state_reason: Option<String>,
    /// Null until it was composed.
    pub subject: Option<String>,
    /// The plain text; only where one message is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// SHA-256 of subject, text and HTML.
    pub content_hash: Option<String>,
    /// The part of the address behind the @.
    pub recipient_domain: Option<String>,
    /// 1, and one more for every resending.
    pub send_number: i32,
    /// How often the mail server was asked.
    pub attempts: i32,
    pub requested_at: DateTime<Utc>,
    /// When it came to the end that `state` says.
    pub completed_at: Option<DateTime<Utc>>,
    pub version: i64,
}

/// Whether a customer gets messages of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreferenceView {
    pub template: Template,
    pub wanted: bool,
    /// False: it is owed to the customer.
    pub optional: bool,
}

/// Messages to customers.
#[async_trait]
pub trait Communications: Send + Sync {
    async fn messages(&self, cx: &Context, filter: ListMessages) -> Result<Vec<MessageView>>;

    /// With its text.
    async fn message(&self, cx: &Context, id: &MessageId) -> Result<MessageView>;

    async fn resend(&self, cx: &Context, id: &MessageId) -> Result<MessageView>;

    /// Answers all preferences of the customer.
    async fn set_preference(&self, cx: &Context, command: SetPreference) -> Result<Vec<PreferenceView>>;

    async fn preferences(&self, cx: &Context, id: &CustomerId) -> Result<Vec<PreferenceView>>;
}

/// One mail, ready to go.
#[derive(Clone)]
pub struct Mail {
    /// The same mail always has the same one, and no other mail has it.
    pub key: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// When it was written, by the product clock.
    pub at: DateTime<Utc>,
}

/// Neither address nor content show.
impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Why a mail was not taken. The text holds no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It never will be: the address is wrong or refused.
    #[error("the mail was refused: {0}")]
    Refused(String),
    /// It may be later.
    #[error("the mail cannot be sent now: {0}")]
    Away(String),
}

/// Where mails leave: an outside system.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// What it is called in the books: `mailbox`, `smtp`.
    fn name(&self) -> &'static str;

    /// Sends a mail; answers what the other side calls it. Asked again with the same key, it does what it can that the
    /// customer reads it once.
    async fn send(&self, mail: &Mail) -> Result<Option<String>, MailError>;
}
