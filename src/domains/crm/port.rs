//! What others may ask crm: customers and their timeline ([`Customers`]), messages to them ([`Communications`]), numbers and
//! eSIM profiles ([`Inventory`]).

mod communication;
mod customer;
mod inventory;

pub use communication::*;
pub use customer::*;
pub use inventory::*;

/// The rules of this domain that a caller may meet.
pub mod rule {
    pub use crate::domains::crm::communication::policy::{PREFERENCE_MANDATORY, RESEND_STILL_PENDING};
    pub use crate::domains::crm::customer::policy::{
        ALREADY_CLOSED, DOCUMENT_REQUIRED, DOCUMENT_UNIQUE, EMAIL_CHANGE_FLOW, EMAIL_UNIQUE, HOLD_CLOSED, LAST_MEDIUM,
        LOGIN_EMAIL, MEDIUM_NOT_FOUND, MEDIUM_UNKNOWN, NO_ACTIVE_SUBSCRIPTIONS, REQUIRES_CONTACT_MEDIUM,
        SIGNATURE_INVALID, STATUS_INVALID, UNCORROBORATED, UPDATE_CLOSED,
    };
    pub use crate::domains::crm::inventory::policy::{
        ADD_RANGE_SANE_PREFIX, NO_NUMBER, NO_PROFILE, RELEASE_IN_USE, RELEASE_ONLY_RESERVED, RELEASE_TERMINAL,
        RESERVATION_LOST,
    };
}

/// Rows that a list operation gives when the caller does not say.
const fn limit_default() -> u32 {
    20
}
