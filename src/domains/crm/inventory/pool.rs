//! The operator's hand on the pools: more numbers, more profiles, a reserved number back.

use super::events::{Cause, ProfilesAdded, RangeAdded};
use super::number::model::Range;
use super::number::store as numbers;
use super::policy;
use super::profile::store::{self as profiles, NewProfile};
use crate::domains::crm::Service;
use crate::domains::crm::input::line;
use crate::domains::crm::port::{AddNumberRange, AddProfiles, AddedProfiles, AddedRange, NumberView, ReleaseNumber};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::{idempotency, outbox};

/// Most profiles that one call makes.
const BATCH_MAX: u32 = 10_000;

impl Service {
    pub(crate) async fn add_number_range(&self, cx: &Context, command: AddNumberRange) -> Result<AddedRange> {
        let range = Range::new(&command.prefix, command.count, self.platform.config.profile.number_length)?;
        let tx = self.platform.db.begin().await?;
        let inserted = numbers::add(&tx, cx, &range).await?;
        let added = RangeAdded {
            prefix: range.prefix.clone(),
            count: range.count,
            inserted,
            skipped: range.count - inserted,
            first: range.first(),
            last: range.last(),
        };
        outbox::stage(&tx, cx, &added).await?;
        self.rearm(&tx, cx).await?;
        tx.commit().await?;
        let RangeAdded { prefix, count, inserted, skipped, first, last } = added;
        Ok(AddedRange { prefix, count, inserted, skipped, first, last })
    }

    pub(crate) async fn add_profile_batch(&self, cx: &Context, command: AddProfiles) -> Result<AddedProfiles> {
        if let Some(kept) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(kept);
        }
        if !(1..=BATCH_MAX).contains(&command.count) {
            return Err(Error::invalid("/count", format!("must be from 1 to {BATCH_MAX}")));
        }
        let new: Vec<NewProfile> = (0..command.count).map(|_| self.new_profile()).collect();
        let tx = self.platform.db.begin().await?;
        let inserted = profiles::add(&tx, cx, &self.platform.config.profile, &new).await?;
        let added = AddedProfiles { inserted, available: profiles::count_available(&tx, cx).await? };
        outbox::stage(&tx, cx, &ProfilesAdded { tenant: cx.tenant.as_ref().to_owned(), inserted }).await?;
        self.rearm(&tx, cx).await?;
        idempotency::keep(&tx, cx, "esim", &added).await?;
        tx.commit().await?;
        Ok(added)
    }

    fn new_profile(&self) -> NewProfile {
        let ids = &self.platform.ids;
        let random = ids.uuid().simple().to_string();
        NewProfile { key_slot: ids.uuid(), matching_id: random[..16].to_ascii_uppercase() }
    }

    pub(crate) async fn take_number_back(&self, cx: &Context, command: ReleaseNumber) -> Result<NumberView> {
        let reason = line(&command.reason, "/reason")?;
        let tx = self.platform.db.begin().await?;
        let number = numbers::lock(&tx, cx, &command.msisdn).await?;
        let number = number.ok_or_else(|| Error::not_found("msisdn", &command.msisdn))?;
        policy::releasable(number.status()).map_err(|violation| violation.with("msisdn", &command.msisdn))?;
        // An order holds both or neither.
        let profile = match number.reserved_for() {
            Some(order_id) => profiles::lock_reserved(&tx, cx, order_id).await?,
            None => None,
        };
        let released = self.give_back(&tx, cx, Some(number), profile, (Cause::Operator, Some(reason))).await?;
        tx.commit().await?;
        released.map(NumberView::from).ok_or_else(|| Error::Internal("a released number vanished".into()))
    }
}
