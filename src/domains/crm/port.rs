//! What others may ask crm: customers and interactions here, numbers and eSIM profiles in [`Inventory`].

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id_type;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;

id_type!(pub CustomerId, "customer, CUST-…");
id_type!(pub Msisdn, "number without calling code, digits only");
id_type!(pub Iccid, "eSIM profile (ICCID, 18 to 22 digits)");

/// What an order needs to know of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub id: CustomerId,
    /// `pending`, `active`, `suspended` or `closed`.
    pub status: String,
    pub kyc_verified: bool,
}

/// Which way a contact went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
    Internal,
}

/// Calls on customers that other domains make. The crm helper adds the commands and views of its operations.
#[async_trait]
pub trait Customers: Send + Sync {
    /// None when there is no such customer.
    async fn standing(&self, cx: &Context, id: &CustomerId) -> Result<Option<Standing>>;

    /// Writes one line into the customer's timeline, in the caller's unit of work.
    async fn note(&self, tx: &Tx, cx: &Context, id: &CustomerId, direction: Direction, summary: &str) -> Result<()>;
}

/// A number and an eSIM profile that an order holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    pub msisdn: Msisdn,
    pub iccid: Iccid,
    pub imsi: String,
    pub activation_code: String,
    /// The preferred number was not to be had, another one was taken.
    pub substituted: bool,
}

/// Numbers and eSIM profiles. Every method joins the caller's unit of work.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Reserves a number (the preferred one if it is free, else the lowest available) and an eSIM profile for `order_id`
    /// until `until`. Called again for the same order it answers the same reservation.
    ///
    /// Violates `msisdn.reserve.no_available` or `esim.reserve.no_available`; then nothing is reserved.
    async fn reserve(&self, tx: &Tx, cx: &Context, order_id: &str, preference: Option<&Msisdn>, until: DateTime<Utc>) -> Result<Reservation>;

    /// What `order_id` holds; None when nothing, or no longer.
    async fn reservation(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<Option<Reservation>>;

    /// The order's number becomes assigned and its profile activated, both for the line.
    ///
    /// Violates `inventory.assign.reservation_lost` when the order no longer holds both.
    async fn assign(&self, tx: &Tx, cx: &Context, order_id: &str, subscription_id: &str) -> Result<()>;

    /// What the order still holds goes back to the pools. Doing it twice is fine.
    async fn release(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<()>;

    /// The line has ended: its number rests in quarantine, its profile is recycled. Doing it twice is fine.
    async fn retire(&self, tx: &Tx, cx: &Context, subscription_id: &str) -> Result<()>;

    /// The activation data of a line's profile, in full: for the owner's eyes. Leaves an audit event.
    async fn esim_activation(&self, cx: &Context, subscription_id: &str) -> Result<EsimActivation>;
}

/// What a phone needs to download a profile (GSMA SGP.22, section 4.1 activation code).
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EsimActivation {
    pub subscription_id: String,
    pub iccid: String,
    pub imsi: String,
    pub msisdn: String,
    /// `LPA:1$<SM-DP+ address>$<matching id>`.
    pub activation_code: String,
    pub smdp_server: String,
    pub matching_id: String,
}
