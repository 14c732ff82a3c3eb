//! What callers see of a line's contract and of its life.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PriceMigrationId, SubscriptionId};
use crate::domains::catalog::port::{AllowanceType, OfferingId, PriceId, Unit};

/// What is booked to change at a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PendingChange {
    /// The customer has chosen another plan.
    PlanChange,
    /// The operator has set another price for this one.
    PriceMigration,
}

/// Move every line of a plan to a new price.
#[derive(Debug, Clone)]
pub struct MigratePrice {
    pub offering_id: OfferingId,
    pub new_price_id: PriceId,
    pub effective_from: DateTime<Utc>,
    pub notice_days: i32,
    pub initiated_by: String,
}

/// A move of a plan's lines to a new price.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceMigrationView {
    pub id: PriceMigrationId,
    pub offering_id: OfferingId,
    pub new_price_id: PriceId,
    /// Decimal text.
    pub new_amount: String,
    pub new_currency: String,
    pub effective_from: DateTime<Utc>,
    pub notice_days: i32,
    pub initiated_by: String,
    /// `open`: lines that join until the date are moved as well; `closed`: over, or ended by a later move.
    pub state: String,
    /// Lines that were given notice by this call.
    pub count: u64,
    /// Their ids, the first thousand.
    pub subscription_ids: Vec<SubscriptionId>,
    /// Lines that were given notice in all.
    pub notified: u64,
    /// Lines that are charged the new price.
    pub applied: u64,
    /// Somebody was working on these lines; the worker gives them their notice within the next minute.
    pub left: u64,
}

/// What a timeline entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// A step of the state machine that is neither of the next two.
    State,
    Block,
    Unblock,
    /// A period was paid.
    Charge,
    /// A period could not be paid.
    Decline,
    /// What was paid goes back.
    Refund,
    /// A top-up was asked for.
    TopUp,
    Grant,
    Expiry,
    /// What was used, summed up when its single records went.
    Use,
    PlanChange,
    PriceMigration,
}

/// One thing that happened to a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    pub at: DateTime<Utc>,
    pub kind: TimelineKind,
    /// In words.
    pub summary: String,
    pub reason: Option<String>,
    pub note: Option<String>,
    /// Decimal text.
    pub amount: Option<String>,
    pub currency: Option<String>,
    pub allowance_type: Option<AllowanceType>,
    /// Signed, in `unit`.
    pub quantity: Option<i64>,
    pub unit: Option<Unit>,
    pub offering_id: Option<OfferingId>,
    /// The period that it belongs to; 1 began with the activation.
    pub period_index: Option<i32>,
    /// The payment attempt, purchase or migration behind it.
    pub reference: Option<String>,
    pub by: Option<String>,
}
