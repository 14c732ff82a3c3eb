//! The facts about a line that the network, the mail and others react to.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BlockReason, PriceMigrationId, SubscriptionId, VasPurchaseId};
use crate::domains::catalog::port::{AllowanceType, OfferingId, PriceId, VasId};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::payment::port::{AttemptId, RefundId};
use crate::domains::som::port::ServiceId;
use crate::platform::outbox::Event;

macro_rules! public_line_event {
    ($(#[$meta:meta])* $name:ident, $type:literal, { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            pub subscription_id: SubscriptionId,
            pub customer_id: CustomerId,
            $($(#[$field_meta])* pub $field: $kind,)*
            /// The version of the line's row after the change.
            pub version: i64,
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

public_line_event!(
    /// No reason to block the line is left: it is in service again; the network is to resume it.
    SubscriptionUnblocked,
    "subscription.unblocked",
    {
        cfs_service_id: ServiceId,
        /// `vas_top_up`, `renewed`, `request_lifted` or `fraud_cleared`.
        reason: String,
    }
);

public_line_event!(
    /// A period on another plan has begun; the network is to apply its policy.
    PlanChanged,
    "subscription.plan_changed",
    {
        cfs_service_id: ServiceId,
        msisdn: Msisdn,
        previous_offering_id: OfferingId,
        new_offering_id: OfferingId,
        new_price_amount: String,
        new_price_currency: String,
        new_price_offering_price_id: PriceId,
        /// Whether a discount ended with it.
        discount_ended: bool,
        period_index: i32,
        period_start: DateTime<Utc>,
        period_end: DateTime<Utc>,
    }
);

public_line_event!(
    /// The customer has chosen a plan for a coming renewal; nothing is charged today.
    PlanChangeScheduled,
    "subscription.plan_change_scheduled",
    {
        msisdn: Msisdn,
        current_offering_id: OfferingId,
        new_offering_id: OfferingId,
        new_price_amount: String,
        new_price_currency: String,
        effective_at: DateTime<Utc>,
        /// Whether a discount will end with it.
        ends_discount: bool,
    }
);

public_line_event!(
    /// The customer is to be told of a new price: the notice of a price migration, once per line.
    PriceMigrationScheduled,
    "subscription.price_migration_scheduled",
    {
        migration_id: PriceMigrationId,
        msisdn: Msisdn,
        offering_id: OfferingId,
        old_amount: String,
        new_amount: String,
        new_currency: String,
        /// The first renewal from then on is charged by the new price.
        effective_at: DateTime<Utc>,
        notice_days: i32,
        initiated_by: String,
    }
);

public_line_event!(
    /// The first period at the new price has begun.
    PriceMigrated,
    "subscription.price_migrated",
    {
        migration_id: PriceMigrationId,
        offering_id: OfferingId,
        previous_price_amount: String,
        new_price_amount: String,
        new_price_currency: String,
        new_price_offering_price_id: PriceId,
        period_index: i32,
    }
);

public_line_event!(
    /// The line will be renewed soon; once per boundary.
    RenewalReminderDue,
    "subscription.renewal_reminder_due",
    {
        msisdn: Msisdn,
        /// The plan of the coming period.
        offering_id: OfferingId,
        renews_at: DateTime<Utc>,
        /// What will be charged, decimal text.
        amount: String,
        currency: String,
        /// What the contract charges without the discount.
        full_amount: String,
        /// What the running period cost; a higher `amount` needs saying.
        previous_amount: String,
        /// Whether another plan begins with the renewal.
        changes_plan: bool,
        /// The plan of the running period; None in events from before it was told.
        current_offering_id: Option<OfferingId>,
        /// Whether the running period has a discount and the coming one has none; None as above.
        ends_discount: Option<bool>,
    }
);

public_line_event!(
    /// The top-up that an order asked for is settled: it was added, or it never will be.
    OrderedTopUpSettled,
    "subscription.ordered_top_up_settled",
    {
        order_id: OrderId,
        vas_purchase_id: VasPurchaseId,
        payment_attempt_id: Option<AttemptId>,
        /// Why it was not added, for people; None: it was.
        refusal: Option<String>,
        /// What was paid goes back.
        refund_id: Option<RefundId>,
    }
);

public_line_event!(
    /// Quota with an end of its own has ended.
    GrantExpired,
    "subscription.grant_expired",
    {
        vas_purchase_id: VasPurchaseId,
        vas_offering_id: VasId,
        allowance_type: AllowanceType,
        /// What was left and is lost; 0 for a pass.
        expired: i64,
        /// What blocks the line now.
        block_reasons: Vec<BlockReason>,
    }
);
