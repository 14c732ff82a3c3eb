//! What happens to numbers and eSIM profiles. Of an ICCID only the last four digits are here.

use serde::{Deserialize, Serialize};

use crate::domains::crm::port::Msisdn;
use crate::platform::outbox::Event;

macro_rules! inventory_event {
    ($name:ident, $type:literal, $aggregate:literal, $id:ident) => {
        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = $aggregate;
            fn aggregate_id(&self) -> &str {
                &self.$id
            }
        }
    };
}

macro_rules! number_event {
    ($name:ident, $type:literal) => {
        impl Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = "msisdn";
            fn aggregate_id(&self) -> &str {
                self.msisdn.as_str()
            }
            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    };
}

/// Why something went back to its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// The order let go of it.
    OrderReleased,
    /// The reservation ran out.
    Expired,
    /// An operator took it back.
    Operator,
    /// It has rested long enough.
    QuarantineEnded,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NumberReserved {
    pub(crate) msisdn: Msisdn,
    pub(crate) order_id: String,
    pub(crate) substituted: bool,
    pub(crate) version: i64,
}
number_event!(NumberReserved, "inventory.msisdn.reserved");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NumberAssigned {
    pub(crate) msisdn: Msisdn,
    pub(crate) order_id: String,
    pub(crate) subscription_id: String,
    pub(crate) version: i64,
}
number_event!(NumberAssigned, "inventory.msisdn.assigned");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NumberReleased {
    pub(crate) msisdn: Msisdn,
    /// The order that held it, where one did.
    pub(crate) order_id: Option<String>,
    pub(crate) cause: Cause,
    /// What the operator said, where one took it back.
    pub(crate) reason: Option<String>,
    pub(crate) version: i64,
}
number_event!(NumberReleased, "inventory.msisdn.released");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NumberQuarantined {
    pub(crate) msisdn: Msisdn,
    pub(crate) subscription_id: String,
    pub(crate) quarantine_until: chrono::DateTime<chrono::Utc>,
    pub(crate) version: i64,
}
number_event!(NumberQuarantined, "inventory.msisdn.quarantined");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RangeAdded {
    pub(crate) prefix: String,
    pub(crate) count: u32,
    pub(crate) inserted: u32,
    pub(crate) skipped: u32,
    pub(crate) first: Msisdn,
    pub(crate) last: Msisdn,
}
inventory_event!(RangeAdded, "inventory.msisdn.range_added", "msisdn", prefix);

/// A pool has fallen to its threshold. Raised once, until a refill arms it again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NumbersLow {
    #[serde(skip)]
    pub(crate) tenant: String,
    pub(crate) available: i64,
    pub(crate) threshold: u32,
}
inventory_event!(NumbersLow, "inventory.msisdn.pool_low", "msisdn", tenant);

/// See [`NumbersLow`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfilesLow {
    #[serde(skip)]
    pub(crate) tenant: String,
    pub(crate) available: i64,
    pub(crate) threshold: u32,
}
inventory_event!(ProfilesLow, "inventory.esim.pool_low", "esim", tenant);

macro_rules! profile_event {
    ($name:ident, $type:literal) => {
        inventory_event!($name, $type, "esim", iccid_last4);
    };
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileReserved {
    pub(crate) iccid_last4: String,
    pub(crate) order_id: String,
    pub(crate) msisdn: Msisdn,
}
profile_event!(ProfileReserved, "inventory.esim.reserved");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileActivated {
    pub(crate) iccid_last4: String,
    pub(crate) order_id: String,
    pub(crate) subscription_id: String,
}
profile_event!(ProfileActivated, "inventory.esim.activated");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileReleased {
    pub(crate) iccid_last4: String,
    pub(crate) order_id: Option<String>,
    pub(crate) cause: Cause,
}
profile_event!(ProfileReleased, "inventory.esim.released");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileRecycled {
    pub(crate) iccid_last4: String,
    pub(crate) subscription_id: String,
}
profile_event!(ProfileRecycled, "inventory.esim.recycled");

/// Somebody has seen the activation data in full.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActivationViewed {
    pub(crate) iccid_last4: String,
    pub(crate) subscription_id: String,
}
profile_event!(ActivationViewed, "inventory.esim.activation_viewed");

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfilesAdded {
    #[serde(skip)]
    pub(crate) tenant: String,
    pub(crate) inserted: u32,
}
inventory_event!(ProfilesAdded, "inventory.esim.batch_added", "esim", tenant);
