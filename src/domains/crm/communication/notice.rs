//! What a message tells: the facts of one event, without personal data. What else its template needs (names, number, plan) is
//! added when it is composed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{AllowanceType, Unit};
use crate::domains::crm::port::{CustomerId, Template};
use crate::domains::subscription::port::{BlockReason, SubscriptionId};

/// One fact that a customer is to be told, as an event gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) customer_id: CustomerId,
    /// None for what is about the customer as such.
    pub(super) subscription_id: Option<SubscriptionId>,
    /// Names the fact among all of its template.
    pub(super) business_key: String,
    pub(super) notice: Notice,
}

/// The typed context of each template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub(super) enum Notice {
    Welcome,
    Activation(Paid),
    LowBalance(LowBalance),
    Blocked(Blocked),
    TopUpReceipt(TopUp),
    RenewalReceipt(Paid),
    RenewalFailed(RenewalFailed),
    RenewalReminder(Reminder),
    PriceChange(PriceChange),
    PlanChange(PlanChange),
    CardInvalidated(Card),
    Termination(Termination),
}

impl Notice {
    pub(super) const fn template(&self) -> Template {
        match self {
            Self::Welcome => Template::Welcome,
            Self::Activation(_) => Template::Activation,
            Self::LowBalance(_) => Template::LowBalance,
            Self::Blocked(_) => Template::Blocked,
            Self::TopUpReceipt(_) => Template::TopUpReceipt,
            Self::RenewalReceipt(_) => Template::RenewalReceipt,
            Self::RenewalFailed(_) => Template::RenewalFailed,
            Self::RenewalReminder(_) => Template::RenewalReminder,
            Self::PriceChange(_) => Template::PriceChange,
            Self::PlanChange(_) => Template::PlanChange,
            Self::CardInvalidated(_) => Template::CardInvalidated,
            Self::Termination(_) => Template::Termination,
        }
    }

    /// Whether the customer gets it whatever they have opted out of: what the contract or the service changes, and a charge
    /// that is higher than the last.
    pub(super) const fn is_owed(&self) -> bool {
        match self {
            Self::RenewalReminder(Reminder { coming: Some(coming), .. }) => coming.costs_more,
            _ => !self.template().is_optional(),
        }
    }

    /// The plan that the line was on when it happened; None where that is not told.
    pub(super) fn plan(&self) -> Option<&str> {
        match self {
            Self::Activation(Paid { plan, .. })
            | Self::RenewalReceipt(Paid { plan, .. })
            | Self::RenewalFailed(RenewalFailed { plan, .. })
            | Self::RenewalReminder(Reminder { plan, .. })
            | Self::PriceChange(PriceChange { plan, .. })
            | Self::PlanChange(PlanChange { plan, .. }) => plan.as_deref(),
            Self::Welcome
            | Self::LowBalance(_)
            | Self::Blocked(_)
            | Self::TopUpReceipt(_)
            | Self::CardInvalidated(_)
            | Self::Termination(_) => None,
        }
    }
}

/// A period that was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paid {
    /// Decimal text.
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) period_start: DateTime<Utc>,
    pub(super) period_end: DateTime<Utc>,
    /// The plan: its name is looked up. None in messages from before it was kept.
    #[serde(default)]
    pub(super) plan: Option<String>,
}

/// What is left of an allowance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LowBalance {
    pub(super) allowance_type: AllowanceType,
    pub(super) unit: Unit,
    pub(super) percent: u8,
    pub(super) remaining: i64,
    pub(super) total: i64,
}

/// Why the line is out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Blocked {
    pub(super) reason: BlockReason,
}

/// A top-up that was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TopUp {
    /// What was bought: its name is looked up.
    pub(super) offering: String,
    pub(super) allowance_type: AllowanceType,
    pub(super) unit: Unit,
    /// -1 is unlimited.
    pub(super) added: i64,
    pub(super) amount: String,
    pub(super) currency: String,
}

/// Why the next period was not paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RenewalFailed {
    /// `payment_declined` or `no_payment_method`.
    pub(super) reason: String,
    /// None in messages from before it was kept.
    #[serde(default)]
    pub(super) owed: Option<Charge>,
    /// The renewal was asked for early: until then the line is paid for. None: it is blocked.
    #[serde(default)]
    pub(super) paid_until: Option<DateTime<Utc>>,
    /// The plan of the period that was paid last: its name is looked up. None in messages from before it was kept.
    #[serde(default)]
    pub(super) plan: Option<String>,
}

/// When the next period will be charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reminder {
    pub(super) renews_at: DateTime<Utc>,
    /// None in messages from before it was kept.
    #[serde(default)]
    pub(super) coming: Option<Charge>,
    /// The plan of the running period: its name is looked up. None in messages from before it was kept.
    #[serde(default)]
    pub(super) plan: Option<String>,
}

/// What a period costs that is not paid yet: the plan change and the new price that begin with it count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Charge {
    /// The plan of that period: its name is looked up.
    pub(super) offering: String,
    /// Whether that is another plan than the one until now.
    pub(super) changes_plan: bool,
    /// Decimal text.
    pub(super) amount: String,
    pub(super) currency: String,
    /// The same without the discount.
    pub(super) full_amount: String,
    /// What the period before cost; None where that is not told.
    pub(super) previous_amount: Option<String>,
    /// Whether that is more than the period before.
    #[serde(default)]
    pub(super) costs_more: bool,
    /// Whether the discount of the period before ends.
    #[serde(default)]
    pub(super) ends_discount: bool,
}

/// Another price for the same plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PriceChange {
    pub(super) old_amount: String,
    pub(super) new_amount: String,
    pub(super) currency: String,
    pub(super) effective_at: DateTime<Utc>,
    /// The plan: its name is looked up. None in messages from before it was kept.
    #[serde(default)]
    pub(super) plan: Option<String>,
}

/// Another plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PlanChange {
    /// The plan until now: its name is looked up.
    pub(super) offering: String,
    /// The plan that has begun, likewise. None, as what follows, in messages from before it was kept.
    #[serde(default)]
    pub(super) plan: Option<String>,
    /// What it costs, decimal text.
    #[serde(default)]
    pub(super) amount: Option<String>,
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) begins_at: Option<DateTime<Utc>>,
    /// Whether a discount ended with the plan until now.
    #[serde(default)]
    pub(super) discount_ended: bool,
}

/// The end of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Termination {
    /// None in messages from before it was kept.
    #[serde(default)]
    pub(super) ended_at: Option<DateTime<Utc>>,
}

/// A card that was on file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Card {
    pub(super) card_brand: String,
    pub(super) card_last4: String,
}
