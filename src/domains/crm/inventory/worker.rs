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

/// Rows that are looked up at once.
const BATCH: i64 = 100;

impl Service {
    /// Frees the reservations that ran out, and says how many orders lost one. Whoever works on an order longer than its
    /// reservation lasts extends it in time.
    pub(crate) async fn free_expired_reservations(&self, cx: &Context) -> Result<u64> {
        let mut released = 0;
        loop {
            let orders: BTreeSet<String> = numbers::expired(&self.platform.db, cx, BATCH)
                .await?
                .into_iter()
                .chain(profiles::expired(&self.platform.db, cx, BATCH).await?)
                .collect();
            if orders.is_empty() {
                break;
            }
            for order_id in &orders {
                released += u64::from(self.free_if_expired(cx, order_id).await?);
            }
        }
        // Orders that took the last numbers at the same moment did not see each other: here it is seen at the latest.
        let tx = self.platform.db.begin().await?;
        self.watch(&tx, cx, Pool::Numbers).await?;
        self.watch(&tx, cx, Pool::Profiles).await?;
        self.rearm(&tx, cx).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// One order in one transaction, its number before its profile as everywhere, so that sweeps at once wait for each
    /// other and never both ways.
    async fn free_if_expired(&self, cx: &Context, order_id: &str) -> Result<bool> {
        let tx = self.platform.db.begin().await?;
        let number = numbers::lock_reserved(&tx, cx, order_id).await?.filter(|number| number.is_expired(cx.now));
        let profile = profiles::lock_reserved(&tx, cx, order_id).await?.filter(|profile| profile.is_expired(cx.now));
        if number.is_none() && profile.is_none() {
            return Ok(false);
        }
        self.give_back(&tx, cx, number, profile, (Cause::Expired, None)).await?;
        tx.commit().await?;
        Ok(true)
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
