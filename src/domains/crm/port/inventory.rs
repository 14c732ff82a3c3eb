//! Numbers and eSIM profiles: commands, views and the trait.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limit_default;
use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;

id_type!(pub Msisdn, "number without calling code, digits only");
id_type!(pub ResourceId, "number or eSIM profile as a resource, MSISDN-… or ESIM-…");
id_type!(pub Iccid, "eSIM profile (ICCID, 18 to 22 digits)");

/// Where a number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberStatus {
    Available,
    /// An order holds it.
    Reserved,
    /// A line has it.
    Assigned,
    /// Its line has ended; it rests before somebody else may have it.
    Quarantine,
    /// Another operator has it. Terminal.
    PortedOut,
}

impl NumberStatus {
    pub const ALL: [Self; 5] = [Self::Available, Self::Reserved, Self::Assigned, Self::Quarantine, Self::PortedOut];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Reserved => "reserved",
            Self::Assigned => "assigned",
            Self::Quarantine => "quarantine",
            Self::PortedOut => "ported_out",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Where an eSIM profile stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileState {
    Available,
    /// An order holds it.
    Reserved,
    Downloaded,
    /// A line has it.
    Activated,
    Suspended,
    /// Its line has ended. Terminal: a profile is not used twice.
    Recycled,
}

impl ProfileState {
    pub const ALL: [Self; 6] =
        [Self::Available, Self::Reserved, Self::Downloaded, Self::Activated, Self::Suspended, Self::Recycled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Reserved => "reserved",
            Self::Downloaded => "downloaded",
            Self::Activated => "activated",
            Self::Suspended => "suspended",
            Self::Recycled => "recycled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// List numbers, lowest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListNumbers {
    pub status: Option<NumberStatus>,
    /// The first digits.
    pub prefix: Option<String>,
    /// How many at most, 1 to 1000.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    /// How many to skip.
    #[serde(default)]
    pub offset: u32,
}

/// List eSIM profiles, lowest first. ICCIDs are masked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListProfiles {
    /// Null: in whatever state they are.
    pub state: Option<ProfileState>,
    /// How many at most, 1 to 1000.
    #[serde(default = "limit_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
    /// How many to skip.
    #[serde(default)]
    pub offset: u32,
}

/// Add a range of numbers to the pool: the prefix, then 0000 and up, as many digits as a number of the operator has.
///
/// Numbers that exist stay as they are and are counted as skipped, so that a repetition is safe.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddNumberRange {
    /// Digits; all but the last one to four of a number.
    pub prefix: String,
    /// How many numbers, 1 to 10000.
    #[schemars(range(min = 1, max = 10000))]
    pub count: u32,
}

/// Take a reserved number away from the order that holds it, with its eSIM profile; both are available again.
///
/// The order then fails when it comes to activation. A number that a line uses is refused with `msisdn.release.in_use`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseNumber {
    pub msisdn: Msisdn,
    /// Why, for the record.
    pub reason: String,
}

/// Add new eSIM profiles to the pool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddProfiles {
    /// How many, 1 to 10000.
    #[schemars(range(min = 1, max = 10000))]
    pub count: u32,
}

/// A number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberView {
    pub msisdn: Msisdn,
    pub status: NumberStatus,
    /// The order that holds it.
    pub reserved_for: Option<String>,
    pub reserved_until: Option<DateTime<Utc>>,
    /// The line that has it.
    pub assigned_to_subscription_id: Option<String>,
    /// Available again from then on.
    pub quarantine_until: Option<DateTime<Utc>>,
}

/// How many numbers there are, by status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberCount {
    pub available: i64,
    pub reserved: i64,
    pub assigned: i64,
    pub quarantine: i64,
    pub ported_out: i64,
    pub total: i64,
    pub prefix: Option<String>,
}

/// What adding a range did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedRange {
    pub prefix: String,
    pub count: u32,
    pub inserted: u32,
    /// Existed already; left as they were.
    pub skipped: u32,
    pub first: Msisdn,
    pub last: Msisdn,
}

/// An eSIM profile, masked: in full it is shown to the owner of the line only, by `subscription.get_esim_activation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileView {
    /// Masked: `…0042`.
    pub iccid: String,
    pub iccid_last4: String,
    pub profile_state: ProfileState,
    pub smdp_server: String,
    pub assigned_msisdn: Option<Msisdn>,
    /// The line that has, or had, it.
    pub assigned_to_subscription_id: Option<String>,
    /// The order that holds it.
    pub reserved_for: Option<String>,
    pub reserved_until: Option<DateTime<Utc>>,
    pub downloaded_at: Option<DateTime<Utc>>,
    pub activated_at: Option<DateTime<Utc>>,
}

/// What adding profiles did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedProfiles {
    pub inserted: u32,
    /// How many are available now.
    pub available: i64,
}

/// A number and an eSIM profile that an order holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    pub msisdn: Msisdn,
    pub iccid: Iccid,
    pub imsi: String,
    /// The preferred number was not to be had, another one was taken.
    pub substituted: bool,
}

/// What a phone needs to download a profile (GSMA SGP.22, section 4.1 activation code).
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EsimActivation {
    pub subscription_id: String,
    pub profile_state: ProfileState,
    pub iccid: String,
    pub imsi: String,
    pub msisdn: String,
    /// `LPA:1$<SM-DP+ address>$<matching id>`.
    pub activation_code: String,
    pub smdp_server: String,
    pub matching_id: String,
}

/// Whoever works on orders that hold a number and a profile, or on what is left of a line in the network.
#[async_trait]
pub trait ReservationKeeper: Send + Sync {
    /// Of these orders, whose reservations have run out, those that are not done with theirs: the pools take back only what
    /// nobody works on, however long the work takes.
    async fn still_need(&self, cx: &Context, orders: &[String]) -> Result<Vec<String>>;

    /// Of these numbers, whose lines have ended and which have rested, those that the network may still know: whoever got one
    /// would be cut off with its last owner. Nobody who has nothing to do with the network knows of any.
    async fn still_known(&self, _cx: &Context, _numbers: &[Msisdn]) -> Result<Vec<Msisdn>> {
        Ok(Vec::new())
    }
}

/// Numbers and eSIM profiles. Every method that takes a [`Tx`] joins the caller's unit of work; inside it numbers are
/// locked before profiles.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Reserves a number (the preferred one if it is free, else the lowest available) and an eSIM profile for `order_id`
    /// until `until`. Called again for the same order it answers the same reservation.
    ///
    /// Violates `msisdn.reserve.no_available` or `esim.reserve.no_available`; then nothing is reserved.
    async fn reserve(
        &self,
        tx: &Tx,
        cx: &Context,
        order_id: &str,
        preference: Option<&Msisdn>,
        until: DateTime<Utc>,
    ) -> Result<Reservation>;

    /// What `order_id` holds; None when nothing, or no longer. Does not know the preference: `substituted` is false.
    async fn reservation(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<Option<Reservation>>;

    /// The order's number becomes assigned and its profile activated, both for the line. Doing it twice is fine.
    ///
    /// Violates `inventory.assign.reservation_lost` when the order no longer holds both.
    async fn assign(&self, tx: &Tx, cx: &Context, order_id: &str, subscription_id: &str) -> Result<()>;

    /// What the order still holds goes back to the pools. Doing it twice is fine.
    async fn release(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<()>;

    /// The line has ended: its number rests in quarantine, its profile is recycled. Doing it twice is fine.
    async fn retire(&self, tx: &Tx, cx: &Context, subscription_id: &str) -> Result<()>;

    /// The activation data of a line's profile, in full: for the owner's eyes. Leaves an audit event.
    async fn esim_activation(&self, cx: &Context, subscription_id: &str) -> Result<EsimActivation>;

    async fn numbers(&self, cx: &Context, filter: ListNumbers) -> Result<Vec<NumberView>>;

    async fn number(&self, cx: &Context, msisdn: &Msisdn) -> Result<NumberView>;

    /// `prefix`: only numbers that begin so.
    async fn count_numbers(&self, cx: &Context, prefix: Option<String>) -> Result<NumberCount>;

    async fn add_range(&self, cx: &Context, command: AddNumberRange) -> Result<AddedRange>;

    async fn release_number(&self, cx: &Context, command: ReleaseNumber) -> Result<NumberView>;

    /// The lowest available profiles.
    async fn profiles(&self, cx: &Context, filter: ListProfiles) -> Result<Vec<ProfileView>>;

    async fn profile(&self, cx: &Context, iccid: &Iccid) -> Result<ProfileView>;

    async fn add_profiles(&self, cx: &Context, command: AddProfiles) -> Result<AddedProfiles>;
}
