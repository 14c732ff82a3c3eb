//! The sweeps: reservations that ran out and numbers that have rested. Both compare with the product clock, drain what is
//! due in bounded batches, ask others before they free anything, and may run on many replicas at once.

use std::collections::BTreeSet;

use super::events::{Cause, NumberReleased};
use super::number::model::Number;
use super::number::store as numbers;
use super::profile::store as profiles;
use super::watch::Pool;
use crate::domains::crm::Service;
use crate::domains::crm::port::Msisdn;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox;

/// Rows that are looked up at once.
const BATCH: i64 = 100;

impl Service {
    /// Frees the reservations that ran out, and says how many orders lost one, and how many keep theirs for as long again
    /// because somebody is not done with them.
    pub(crate) async fn free_expired_reservations(&self, cx: &Context) -> Result<(u64, u64)> {
        let (mut released, mut kept) = (0, 0);
        let mut seen = BTreeSet::new();
        loop {
            let orders: BTreeSet<String> = numbers::expired(&self.platform.db, cx, BATCH)
                .await?
                .into_iter()
                .chain(profiles::expired(&self.platform.db, cx, BATCH).await?)
                .collect();
            // Each order once a run, so that the run ends: what is due again at once is for the next one.
            let orders: Vec<String> = orders.into_iter().filter(|order| seen.insert(order.clone())).collect();
            if orders.is_empty() {
                break;
            }
            let mut needed = BTreeSet::new();
            for keeper in self.keepers() {
                needed.extend(keeper.still_need(cx, &orders).await?);
            }
            for order_id in &orders {
                if needed.contains(order_id) {
                    kept += u64::from(self.keep_if_expired(cx, order_id).await?);
                } else {
                    released += u64::from(self.free_if_expired(cx, order_id).await?);
                }
            }
        }
        // Orders that took the last numbers at the same moment did not see each other: here it is seen at the latest.
        let tx = self.platform.db.begin().await?;
        self.watch(&tx, cx, Pool::Numbers).await?;
        self.watch(&tx, cx, Pool::Profiles).await?;
        self.rearm(&tx, cx).await?;
        tx.commit().await?;
        Ok((released, kept))
    }

    /// As [`Self::free_if_expired`], for an order that needs its number and profile still.
    async fn keep_if_expired(&self, cx: &Context, order_id: &str) -> Result<bool> {
        let until = cx.now + self.platform.config.reservation_ttl;
        let tx = self.platform.db.begin().await?;
        let number = numbers::lock_reserved(&tx, cx, order_id).await?.filter(|number| number.is_expired(cx.now));
        let profile = profiles::lock_reserved(&tx, cx, order_id).await?.filter(|profile| profile.is_expired(cx.now));
        let kept = number.is_some() || profile.is_some();
        if let Some(mut number) = number {
            number.extend(until);
            numbers::save(&tx, cx, &mut number).await?;
        }
        if let Some(mut profile) = profile {
            profile.extend(until);
            profiles::save(&tx, cx, &mut profile).await?;
        }
        tx.commit().await?;
        Ok(kept)
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

    /// Makes the numbers available that have rested long enough and that the network has forgotten. Says how many, and how
    /// many rest on until the network has, for the next run to look at.
    pub(crate) async fn end_quarantines(&self, cx: &Context) -> Result<(u64, u64)> {
        let (mut released, mut kept) = (0, 0);
        let mut after = None;
        loop {
            let rested = numbers::rested(&self.platform.db, cx, after.as_ref(), BATCH).await?;
            let Some(last) = rested.last() else { return Ok((released, kept)) };
            after = Some(last.clone());
            let rested: Vec<Msisdn> = rested.into_iter().map(|rested| rested.msisdn.into()).collect();
            let mut known = BTreeSet::new();
            for keeper in self.keepers() {
                known.extend(keeper.still_known(cx, &rested).await?);
            }
            kept += known.len() as u64;
            let forgotten: Vec<Msisdn> = rested.into_iter().filter(|msisdn| !known.contains(msisdn)).collect();
            released += self.free_rested(cx, &forgotten).await?;
        }
    }

    /// Those of `msisdns` that nobody else is freeing, in one transaction.
    async fn free_rested(&self, cx: &Context, msisdns: &[Msisdn]) -> Result<u64> {
        let tx = self.platform.db.begin().await?;
        let mut rested = numbers::lock_rested(&tx, cx, msisdns).await?;
        if rested.is_empty() {
            return Ok(0);
        }
        for number in &mut rested {
            number.rested()?;
        }
        numbers::save_freed(&tx, cx, &mut rested).await?;
        let released = rested.len() as u64;
        let cause = Cause::QuarantineEnded;
        let event = |number: Number| {
            let version = number.version();
            NumberReleased { msisdn: number.msisdn, order_id: None, cause, reason: None, version }
        };
        let events: Vec<NumberReleased> = rested.into_iter().map(event).collect();
        outbox::stage_all(&tx, cx, &events).await?;
        self.rearm(&tx, cx).await?;
        tx.commit().await?;
        Ok(released)
    }
}
