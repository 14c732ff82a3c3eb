//! Payment's tables. Rows become domain values here; nothing else knows SQL.
//!
//! Locks are taken in one order: the customer's cards, then an attempt, then its refund.

pub(super) mod attempts;
pub(super) mod journal;
pub(super) mod leases;
pub(super) mod listing;
pub(super) mod methods;
pub(super) mod refund_listing;
pub(super) mod refunds;

use crate::platform::error::{Error, Result};
use crate::platform::money::Money;

fn money(minor: i64, currency: &str) -> Result<Money> {
    let currency = currency.parse().map_err(|_| Error::Internal(format!("payment holds the currency {currency}")))?;
    Ok(Money::new(minor, currency))
}

/// A word of a closed list that the table also checks.
fn word<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    parse(text).ok_or_else(|| Error::Internal(format!("payment holds the unknown word {text}")))
}
