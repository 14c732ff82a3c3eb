//! The facts about messages, and what is read of other domains' events. No address, no content.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::{AllowanceType, OfferingId, VasId};
use crate::domains::crm::port::{CustomerId, MessageId, Template};
use crate::domains::payment::port::PaymentMethodId;
use crate::domains::subscription::port::{SubscriptionId, VasPurchaseId};
use crate::platform::outbox::Event;

/// A message is to be sent; its row says which. Consumed by the effect `crm.send_message`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageRequested {
    pub(super) message_id: MessageId,
    pub(super) customer_id: CustomerId,
    pub(super) template: Template,
    /// 1, and one more for every resending.
    pub(super) send_number: i32,
}

/// A message came to the end of a sending.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageEnded {
    pub(super) message_id: MessageId,
    pub(super) customer_id: CustomerId,
    pub(super) template: Template,
    pub(super) send_number: i32,
    pub(super) reason: Option<String>,
    pub(super) content_hash: Option<String>,
    pub(super) recipient_domain: Option<String>,
    #[serde(skip)]
    pub(super) version: i64,
}

/// The mail server has taken it.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct MessageSent(pub(super) MessageEnded);

/// It was not sent on purpose.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct MessageSuppressed(pub(super) MessageEnded);

/// The mail server refused it for good.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct MessageFailed(pub(super) MessageEnded);

/// A customer wants, or no longer wants, messages of a kind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PreferenceChanged {
    pub(super) customer_id: CustomerId,
    pub(super) template: Template,
    pub(super) wanted: bool,
}

impl Event for MessageRequested {
    const TYPE: &'static str = "communication.message_requested";
    const AGGREGATE: &'static str = "communication_message";
    fn aggregate_id(&self) -> &str {
        self.message_id.as_str()
    }
}

macro_rules! ended {
    ($name:ident, $type:literal) => {
        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "communication_message";
            fn aggregate_id(&self) -> &str {
                self.0.message_id.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.0.version
            }
        }
    };
}
ended!(MessageSent, "communication.message_sent");
ended!(MessageSuppressed, "communication.message_suppressed");
ended!(MessageFailed, "communication.message_failed");

impl Event for PreferenceChanged {
    const TYPE: &'static str = "communication.preference_changed";
    const AGGREGATE: &'static str = "customer";
    fn aggregate_id(&self) -> &str {
        self.customer_id.as_str()
    }
}

/// What a message needs of an event that another domain stages for nobody in particular. A reader takes what it needs, so
/// that the rest may change without it.
macro_rules! line_fact {
    ($(#[$meta:meta])* $name:ident, $type:literal, { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            pub(super) subscription_id: SubscriptionId,
            pub(super) customer_id: CustomerId,
            $($(#[$field_meta])* pub(super) $field: $kind,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "subscription";
            fn aggregate_id(&self) -> &str {
                self.subscription_id.as_str()
            }
        }
    };
}

/// The contract that a period was charged by.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PriceSnapshot {
    pub(super) price_currency: String,
}

line_fact!(
    /// A top-up was paid and added.
    VasPurchased,
    "subscription.vas_purchased",
    {
        vas_purchase_id: VasPurchaseId,
        vas_offering_id: VasId,
        allowance_type: AllowanceType,
        allowance_added: i64,
        amount_charged: String,
        currency: String,
    }
);

line_fact!(
    /// The next period was paid and has begun.
    SubscriptionRenewed,
    "subscription.renewed",
    {
        /// None in events from before it was read.
        offering_id: Option<OfferingId>,
        period_index: i32,
        period_start: DateTime<Utc>,
        period_end: DateTime<Utc>,
        price_snapshot: PriceSnapshot,
        amount_charged: String,
    }
);

/// What that period costs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owed {
    pub(super) offering_id: OfferingId,
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) full_amount: String,
    pub(super) changes_plan: bool,
}

line_fact!(
    /// The next period could not be charged.
    RenewFailed,
    "subscription.renew_failed",
    {
        reason: String,
        /// The plan of the period that was paid last; None in events from before it was told.
        offering_id: Option<OfferingId>,
        /// None in events from before it was told.
        owed: Option<Owed>,
        /// Until when the line is paid for all the same; None: it is blocked.
        paid_until: Option<DateTime<Utc>>,
        version: i64,
    }
);

/// A card was invalidated, since the gateway that knows it is left.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CardInvalidated {
    pub(super) payment_method_id: PaymentMethodId,
    pub(super) customer_id: CustomerId,
    pub(super) brand: String,
    pub(super) last4: String,
}

impl Event for CardInvalidated {
    const TYPE: &'static str = "payment_method.cutover_invalidated";
    const AGGREGATE: &'static str = "payment_method";
    fn aggregate_id(&self) -> &str {
        self.payment_method_id.as_str()
    }
}
