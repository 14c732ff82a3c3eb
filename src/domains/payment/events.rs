//! Events that payment stages beside those of its port. No token, no name: brand and last four digits at most.

use serde::{Deserialize, Serialize};

use super::model::{Attempt, Method, Refund};
use super::port::{AttemptId, PaymentApproved, PaymentDeclined, PaymentMethodId, Purpose, RefundId};
use crate::domains::crm::port::CustomerId;
use crate::platform::outbox::Event;

/// What the events about a card say of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct CardFacts<'a> {
    payment_method_id: &'a PaymentMethodId,
    customer_id: &'a CustomerId,
    brand: &'a str,
    last4: &'a str,
    token_provider: &'a str,
    #[serde(skip)]
    version: i64,
}

impl<'a> From<&'a Method> for CardFacts<'a> {
    fn from(method: &'a Method) -> Self {
        Self {
            payment_method_id: &method.id,
            customer_id: &method.customer_id,
            brand: &method.brand,
            last4: &method.last4,
            token_provider: &method.token_provider,
            version: method.version,
        }
    }
}

macro_rules! card_event {
    ($(#[$meta:meta])* $name:ident, $type:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(transparent)]
        pub(super) struct $name<'a>(CardFacts<'a>);

        impl<'a> From<&'a Method> for $name<'a> {
            fn from(method: &'a Method) -> Self {
                Self(method.into())
            }
        }

        impl Event for $name<'_> {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "payment_method";
            fn aggregate_id(&self) -> &str {
                self.0.payment_method_id.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.0.version
            }
        }
    };
}

card_event!(
    /// A card was put on file.
    MethodAdded, "payment_method.added");
card_event!(
    /// Another card is charged from now on.
    MethodDefaultChanged, "payment_method.default_changed");
card_event!(
    /// A card was taken off file.
    MethodRemoved, "payment_method.removed");

/// A card that only the gateway of before knows was invalidated: its customer must add one again.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MethodInvalidated<'a> {
    #[serde(flatten)]
    card: CardFacts<'a>,
    reason: &'static str,
}

impl<'a> From<&'a Method> for MethodInvalidated<'a> {
    fn from(method: &'a Method) -> Self {
        Self { card: method.into(), reason: "operator_cutover" }
    }
}

impl Event for MethodInvalidated<'_> {
    const TYPE: &'static str = "payment_method.cutover_invalidated";
    const AGGREGATE: &'static str = "payment_method";
    fn aggregate_id(&self) -> &str {
        self.card.payment_method_id.as_str()
    }
    fn aggregate_version(&self) -> i64 {
        self.card.version
    }
}

/// A charge is to be made; the attempt row says which. Consumed by the effect `payment.charge`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentRequested {
    pub(super) attempt_id: AttemptId,
    pub(super) customer_id: CustomerId,
    pub(super) purpose: Purpose,
    pub(super) subject_id: String,
    pub(super) business_key: String,
    pub(super) amount: String,
    pub(super) currency: String,
}

impl Event for PaymentRequested {
    const TYPE: &'static str = "payment.requested";
    const AGGREGATE: &'static str = "payment_attempt";
    fn aggregate_id(&self) -> &str {
        self.attempt_id.as_str()
    }
}

impl From<&Attempt> for PaymentRequested {
    fn from(attempt: &Attempt) -> Self {
        Self {
            attempt_id: attempt.id.clone(),
            customer_id: attempt.customer_id.clone(),
            purpose: attempt.purpose,
            subject_id: attempt.subject_id.clone(),
            business_key: attempt.business_key.clone(),
            amount: attempt.amount.decimal(),
            currency: attempt.amount.currency.to_string(),
        }
    }
}

impl From<&Attempt> for PaymentApproved {
    fn from(attempt: &Attempt) -> Self {
        Self {
            attempt_id: attempt.id.clone(),
            customer_id: attempt.customer_id.clone(),
            purpose: attempt.purpose,
            subject_id: attempt.subject_id.clone(),
            business_key: attempt.business_key.clone(),
            amount: attempt.amount.decimal(),
            currency: attempt.amount.currency.to_string(),
            gateway_ref: attempt.gateway_ref.clone(),
        }
    }
}

impl From<&Attempt> for PaymentDeclined {
    fn from(attempt: &Attempt) -> Self {
        Self {
            attempt_id: attempt.id.clone(),
            customer_id: attempt.customer_id.clone(),
            purpose: attempt.purpose,
            subject_id: attempt.subject_id.clone(),
            business_key: attempt.business_key.clone(),
            amount: attempt.amount.decimal(),
            currency: attempt.amount.currency.to_string(),
            decline_code: attempt.decline_code.clone().unwrap_or_default(),
            decline_reason: attempt.decline_reason.clone().unwrap_or_default(),
        }
    }
}

macro_rules! refund_event {
    ($(#[$meta:meta])* $name:ident, $type:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            pub(super) refund_id: RefundId,
            pub(super) attempt_id: AttemptId,
            pub(super) customer_id: CustomerId,
            pub(super) amount: String,
            pub(super) currency: String,
        }

        impl $name {
            pub(super) fn of(attempt: &Attempt, refund: &Refund) -> Self {
                Self {
                    refund_id: refund.id.clone(),
                    attempt_id: attempt.id.clone(),
                    customer_id: attempt.customer_id.clone(),
                    amount: refund.amount.decimal(),
                    currency: refund.amount.currency.to_string(),
                }
            }
        }

        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "payment_attempt";
            fn aggregate_id(&self) -> &str {
                self.attempt_id.as_str()
            }
        }
    };
}

refund_event!(
    /// Money is to go back; the refund row says how much. Consumed by the effect `payment.refund`.
    RefundRequested, "payment.refund_requested");
refund_event!(
    /// The gateway gave the money back.
    PaymentRefunded, "payment.refunded");
refund_event!(
    /// The gateway refused to give the money back: it is still owed, an operator must look.
    RefundFailed, "payment.refund_failed");
