//! The facts about a line that this domain alone states. Those that others react to are in the port.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::port::{BlockReason, LineStatus, PriceMigrationId, SubscriptionId, VasPurchaseId};
use super::state::Reasons;
use crate::domains::catalog::port::{AllowanceType, OfferingId, PriceId, VasId};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::payment::port::AttemptId;
use crate::platform::outbox::Event;

macro_rules! line_event {
    ($(#[$meta:meta])* $name:ident, $type:literal, { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            pub(super) subscription_id: SubscriptionId,
            pub(super) customer_id: CustomerId,
            $($(#[$field_meta])* pub(super) $field: $kind,)*
            /// The version of the line's row after the change.
            pub(super) version: i64,
        }

        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "subscription";
            fn aggregate_id(&self) -> &str {
                self.subscription_id.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    };
}

line_event!(
    /// A line was booked for an order; its first charge is under way.
    SubscriptionBooked,
    "subscription.booked",
    {
        offering_id: OfferingId,
        commercial_order_id: OrderId,
        msisdn: Msisdn,
        iccid_last4: String,
        /// What the first period costs, decimal text.
        amount: String,
        currency: String,
        payment_attempt_id: AttemptId,
    }
);

line_event!(
    /// The order was cancelled before its line went live.
    BookingCancelled,
    "subscription.booking_cancelled",
    {
        commercial_order_id: OrderId,
    }
);

line_event!(
    /// One of several reasons to block the line is lifted; it stays out of service for the others.
    BlockReasonLifted,
    "subscription.block_reason_lifted",
    {
        reason: BlockReason,
        block_reasons: Reasons,
    }
);

line_event!(
    /// A booked plan change was taken back.
    PlanChangeCancelled,
    "subscription.plan_change_cancelled",
    {
        previous_pending: PreviousPending,
    }
);

/// The plan change that was taken back.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PreviousPending {
    pub(super) offering_id: OfferingId,
    pub(super) offering_price_id: PriceId,
    pub(super) effective_at: DateTime<Utc>,
}

line_event!(
    /// The renewal that was to begin the new plan could not be charged; the change stays booked.
    PlanChangePaymentFailed,
    "subscription.plan_change_payment_failed",
    {
        current_offering_id: OfferingId,
        pending_offering_id: OfferingId,
        payment_attempt_id: Option<AttemptId>,
    }
);

line_event!(
    /// A top-up was paid and added.
    VasPurchased,
    "subscription.vas_purchased",
    {
        vas_purchase_id: VasPurchaseId,
        vas_offering_id: VasId,
        payment_attempt_id: AttemptId,
        allowance_type: AllowanceType,
        allowance_added: i64,
        /// None: with the period.
        expires_at: Option<DateTime<Utc>>,
        amount_charged: String,
        currency: String,
        previous_state: LineStatus,
        /// What still blocks the line.
        block_reasons: Reasons,
    }
);

/// The contract that a period was charged by.
#[expect(clippy::struct_field_names, reason = "the fields are named as they are in the answers about a line")]
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PriceSnapshot {
    pub(super) price_amount: String,
    pub(super) price_currency: String,
    pub(super) price_offering_price_id: PriceId,
}

line_event!(
    /// The next period was paid and has begun.
    SubscriptionRenewed,
    "subscription.renewed",
    {
        offering_id: OfferingId,
        payment_attempt_id: AttemptId,
        period_index: i32,
        period_start: DateTime<Utc>,
        period_end: DateTime<Utc>,
        price_snapshot: PriceSnapshot,
        amount_charged: String,
        discount_applied: bool,
    }
);

line_event!(
    /// The next period could not be charged; the line is blocked for payment, unless that was asked for before it was due.
    RenewFailed,
    "subscription.renew_failed",
    {
        /// `payment_declined` or `no_payment_method`.
        reason: &'static str,
        payment_attempt_id: Option<AttemptId>,
        decline_code: Option<String>,
        /// The plan of the period that was paid last.
        offering_id: OfferingId,
        owed: Owed,
        /// The end of the running period, which is paid; None: the line is blocked.
        paid_until: Option<DateTime<Utc>>,
    }
);

/// What a period costs that could not be charged.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owed {
    /// The plan of that period.
    pub(super) offering_id: OfferingId,
    /// Decimal text.
    pub(super) amount: String,
    pub(super) currency: String,
    /// The same without the discount.
    pub(super) full_amount: String,
    /// Whether another plan begins when it is paid.
    pub(super) changes_plan: bool,
}

line_event!(
    /// The renewal of an overdue line could not be begun again and again; somebody must look. It is tried on, once an hour.
    RenewalStalled,
    "subscription.renewal_stalled",
    {
        due_since: DateTime<Utc>,
        tries: i16,
    }
);

line_event!(
    /// An overdue line was not charged, since it is blocked for something that a renewal does not lift.
    RenewalSkipped,
    "subscription.renewal_skipped",
    {
        /// Always `blocked`.
        reason: &'static str,
        block_reasons: Reasons,
        skipped_at: DateTime<Utc>,
    }
);

/// The lines of a plan are to be moved to a new price; each is told by an event of its own.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PriceMigrationOpened {
    pub(super) migration_id: PriceMigrationId,
    pub(super) offering_id: OfferingId,
    pub(super) new_price_id: PriceId,
    pub(super) new_amount: String,
    pub(super) new_currency: String,
    pub(super) effective_from: DateTime<Utc>,
    pub(super) notice_days: i32,
    pub(super) initiated_by: String,
}

impl Event for PriceMigrationOpened {
    const TYPE: &'static str = "price_migration.opened";
    const AGGREGATE: &'static str = "price_migration";
    fn aggregate_id(&self) -> &str {
        self.migration_id.as_str()
    }
}
