//! What becomes of a number and a profile that an order holds: assigned to the line, back to the pools, retired with the line.

use chrono::TimeDelta;

use super::events::{
    Cause, NumberAssigned, NumberQuarantined, NumberReleased, ProfileActivated, ProfileRecycled, ProfileReleased,
};
use super::number::model::Number;
use super::number::store as numbers;
use super::policy::RESERVATION_LOST;
use super::profile::model::Profile;
use super::profile::store as profiles;
use crate::domains::crm::Service;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

impl Service {
    pub(crate) async fn assign_pair(&self, tx: &Tx, cx: &Context, order_id: &str, subscription_id: &str) -> Result<()> {
        let number = numbers::lock_reserved(tx, cx, order_id).await?;
        let profile = profiles::lock_reserved(tx, cx, order_id).await?;
        let (Some(mut number), Some(mut profile)) = (number, profile) else {
            return self.assigned_already(tx, cx, order_id, subscription_id).await;
        };
        number.assign(subscription_id)?;
        profile.activate(subscription_id, cx.now)?;
        numbers::save(tx, cx, &mut number).await?;
        profiles::save(tx, cx, &mut profile).await?;
        let (order_id, subscription_id) = (order_id.to_owned(), subscription_id.to_owned());
        let activated = ProfileActivated {
            iccid_last4: profile.last4(),
            order_id: order_id.clone(),
            subscription_id: subscription_id.clone(),
        };
        let version = number.version();
        outbox::stage(tx, cx, &NumberAssigned { msisdn: number.msisdn, order_id, subscription_id, version }).await?;
        outbox::stage(tx, cx, &activated).await.map(drop)
    }

    async fn assigned_already(&self, tx: &Tx, cx: &Context, order_id: &str, subscription_id: &str) -> Result<()> {
        let number = numbers::lock_assigned(tx, cx, subscription_id).await?;
        let profile = profiles::lock_of_line(tx, cx, subscription_id).await?;
        if number.is_some() && profile.is_some() {
            return Ok(());
        }
        let violation = RESERVATION_LOST.violated("The order no longer holds its number and eSIM profile");
        Err(violation.with("orderId", order_id).with("subscriptionId", subscription_id).into())
    }

    pub(crate) async fn release_pair(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<()> {
        let number = numbers::lock_reserved(tx, cx, order_id).await?;
        let profile = profiles::lock_reserved(tx, cx, order_id).await?;
        self.give_back(tx, cx, number, profile, (Cause::OrderReleased, None)).await.map(drop)
    }

    /// Puts back what was reserved; the number as it is then. `why` is the cause and what the operator said.
    pub(super) async fn give_back(
        &self,
        tx: &Tx,
        cx: &Context,
        number: Option<Number>,
        profile: Option<Profile>,
        why: (Cause, Option<String>),
    ) -> Result<Option<Number>> {
        let (cause, reason) = why;
        let mut released = None;
        if let Some(mut number) = number {
            let order_id = number.reserved_for().map(str::to_owned);
            number.release()?;
            numbers::save(tx, cx, &mut number).await?;
            let event =
                NumberReleased { msisdn: number.msisdn.clone(), order_id, cause, reason, version: number.version() };
            outbox::stage(tx, cx, &event).await?;
            released = Some(number);
        }
        if let Some(mut profile) = profile {
            let order_id = profile.reserved_for().map(str::to_owned);
            profile.release()?;
            profiles::save(tx, cx, &mut profile).await?;
            outbox::stage(tx, cx, &ProfileReleased { iccid_last4: profile.last4(), order_id, cause }).await?;
        }
        self.rearm(tx, cx).await?;
        Ok(released)
    }

    pub(crate) async fn retire_pair(&self, tx: &Tx, cx: &Context, subscription_id: &str) -> Result<()> {
        if let Some(mut number) = numbers::lock_assigned(tx, cx, subscription_id).await? {
            let quarantine_until = cx.now + TimeDelta::days(self.platform.config.number_quarantine_days.into());
            number.retire(quarantine_until)?;
            numbers::save(tx, cx, &mut number).await?;
            let (subscription_id, version) = (subscription_id.to_owned(), number.version());
            let retired = NumberQuarantined { msisdn: number.msisdn, subscription_id, quarantine_until, version };
            outbox::stage(tx, cx, &retired).await?;
        }
        if let Some(mut profile) = profiles::lock_of_line(tx, cx, subscription_id).await? {
            profile.recycle()?;
            profiles::save(tx, cx, &mut profile).await?;
            let recycled =
                ProfileRecycled { iccid_last4: profile.last4(), subscription_id: subscription_id.to_owned() };
            outbox::stage(tx, cx, &recycled).await?;
        }
        Ok(())
    }
}
