//! The sweeps: reservations that ran out and numbers that have rested. Both compare with the product clock, drain what is
//! due in bounded batches, and may run on many replicas at once.

use std::collections::BTreeSet;

use super::events::{Cause, NumberReleased};
use super::number::store as numbers;
use super::profile::store as profiles;
use super::watch::Pool;
use crate::domains::crm::Service;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox;

/// Rows of one transaction.
const BATCH: i64 = 100;

impl Service {
    /// Frees the reservations that ran out, and says how many orders lost one. Whoever works on an order longer than its
    /// reservation lasts extends it in time.
    pub(crate) async fn free_expired_reservations(&self, cx: &Context) -> Result<u64> {
        let mut released = 0;
        loop {
            let tx = self.platform.db.begin().await?;
            let expired_numbers = numbers::lock_expired(&tx, cx, BATCH).await?;
            let expired_profiles = profiles::lock_expired(&tx, cx, BATCH).await?;
            let by_number = expired_numbers.iter().filter_map(|number| number.reserved_for());
            let by_profile = expired_profiles.iter().filter_map(|profile| profile.reserved_for());
            let orders: BTreeSet<String> = by_number.chain(by_profile).map(str::to_owned).collect();
            if orders.is_empty() {
                // Orders that took the last numbers at the same moment did not see each other: here it is seen at the latest.
                self.watch(&tx, cx, Pool::Numbers).await?;
                self.watch(&tx, cx, Pool::Profiles).await?;
                self.rearm(&tx, cx).await?;
                tx.commit().await?;
                return Ok(released);
            }
            for order_id in &orders {
                let number = numbers::lock_reserved(&tx, cx, order_id).await?;
                let profile = profiles::lock_reserved(&tx, cx, order_id).await?;
                self.give_back(&tx, cx, number, profile, (Cause::Expired, None)).await?;
            }
            tx.commit().await?;
            released += orders.len() as u64;
        }
    }

    /// Makes the numbers that have rested long enough available, and says how many.
    pub(crate) async fn end_quarantines(&self, cx: &Context) -> Result<u64> {
        let mut released = 0;
        loop {
            let tx = self.platform.db.begin().await?;
            let rested = numbers::lock_rested(&tx, cx, BATCH).await?;
            if rested.is_empty() {
                return Ok(released);
            }
            released += rested.len() as u64;
            for mut number in rested {
                number.rested()?;
                numbers::save(&tx, cx, &mut number).await?;
                let version = number.version();
                let cause = Cause::QuarantineEnded;
                let event = NumberReleased { msisdn: number.msisdn, order_id: None, cause, reason: None, version };
                outbox::stage(&tx, cx, &event).await?;
            }
            self.rearm(&tx, cx).await?;
            tx.commit().await?;
        }
    }
}
