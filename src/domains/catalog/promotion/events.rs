//! What happens to promotions and to what entitles to them.

use serde::Serialize;
use serde_json::Value;

use crate::domains::catalog::port::{EntitlementId, PromotionId};
use crate::domains::com::port::OrderId;
use crate::platform::outbox::Event;

macro_rules! promotion_event {
    ($name:ident, $type:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name {
            pub(super) id: PromotionId,
            /// Null where there was nothing.
            pub(super) before: Value,
            pub(super) after: Value,
            pub(super) version: i64,
        }

        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "promotion";
            fn aggregate_id(&self) -> &str {
                self.id.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    };
}

promotion_event!(PromotionCreated, "promotion.created", "A promotion is new, and active.");
promotion_event!(PromotionExhausted, "promotion.exhausted", "A promotion has ended for new orders.");
promotion_event!(PromotionAssigned, "promotion.assigned", "Customers may use a promotion.");
promotion_event!(PromotionUnassigned, "promotion.unassigned", "Customers may not use a promotion any more.");

macro_rules! entitlement_event {
    ($name:ident, $type:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name<'a> {
            pub(super) entitlement_id: &'a EntitlementId,
            pub(super) promotion_id: &'a PromotionId,
            pub(super) customer_id: &'a str,
            pub(super) commercial_order_id: &'a OrderId,
            #[serde(skip)]
            pub(super) version: i64,
        }

        impl Event for $name<'_> {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "entitlement";
            fn aggregate_id(&self) -> &str {
                self.entitlement_id.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    };
}

entitlement_event!(
    EntitlementClaimed,
    "entitlement.claimed",
    "An order that is about to be charged holds a promotion."
);
entitlement_event!(
    EntitlementRedeemed,
    "entitlement.redeemed",
    "An order has ended with its line in service: used for good."
);
entitlement_event!(EntitlementRevoked, "entitlement.revoked", "An order has ended otherwise: nothing was used.");
