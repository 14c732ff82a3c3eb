//! An order takes a number and an eSIM profile, or neither.

use chrono::{DateTime, Utc};

use super::events::{NumberReserved, ProfileReserved};
use super::number::model::Number;
use super::number::store as numbers;
use super::policy::{NO_NUMBER, NO_PROFILE};
use super::profile::model::Profile;
use super::profile::store as profiles;
use super::watch::Pool;
use crate::domains::crm::Service;
use crate::domains::crm::port::{Msisdn, Reservation};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

impl Service {
    pub(crate) async fn reserve_pair(
        &self,
        tx: &Tx,
        cx: &Context,
        order_id: &str,
        preference: Option<&Msisdn>,
        until: DateTime<Utc>,
    ) -> Result<Reservation> {
        if let Some(mut held) = self.reserved_pair(tx, cx, order_id).await? {
            held.substituted = preference.is_some_and(|preferred| *preferred != held.msisdn);
            return Ok(held);
        }
        // Both are found before either is changed: the caller may go on with its unit of work after a refusal.
        let mut number = free_number(tx, cx, preference).await?;
        let profile = profiles::lock_lowest_free(tx, cx).await?;
        let mut profile = profile.ok_or_else(|| NO_PROFILE.violated("No eSIM profile is left in the pool"))?;
        let substituted = preference.is_some_and(|preferred| *preferred != number.msisdn);

        number.reserve(order_id, cx.now, until)?;
        profile.reserve(order_id, &number.msisdn, cx.now, until)?;
        numbers::save(tx, cx, &mut number).await?;
        profiles::save(tx, cx, &mut profile).await?;
        let (msisdn, order_id) = (number.msisdn.clone(), order_id.to_owned());
        let taken = NumberReserved {
            msisdn: msisdn.clone(),
            order_id: order_id.clone(),
            substituted,
            version: number.version(),
        };
        outbox::stage(tx, cx, &taken).await?;
        outbox::stage(tx, cx, &ProfileReserved { iccid_last4: profile.last4(), order_id, msisdn }).await?;
        self.watch(tx, cx, Pool::Numbers).await?;
        self.watch(tx, cx, Pool::Profiles).await?;
        Ok(reservation(number, profile, substituted))
    }

    pub(crate) async fn reserved_pair(&self, tx: &Tx, cx: &Context, order_id: &str) -> Result<Option<Reservation>> {
        let number = numbers::lock_reserved(tx, cx, order_id).await?;
        let profile = profiles::lock_reserved(tx, cx, order_id).await?;
        Ok(number.zip(profile).map(|(number, profile)| reservation(number, profile, false)))
    }
}

/// The preferred number if it is to be had, else the lowest that is. Never waits for another order.
async fn free_number(tx: &Tx, cx: &Context, preference: Option<&Msisdn>) -> Result<Number> {
    if let Some(preferred) = preference
        && let Some(number) = numbers::lock_free(tx, cx, preferred).await?
    {
        return Ok(number);
    }
    let lowest = numbers::lock_lowest_free(tx, cx).await?;
    Ok(lowest.ok_or_else(|| NO_NUMBER.violated("No number is left in the pool").with("preference", preference))?)
}

fn reservation(number: Number, profile: Profile, substituted: bool) -> Reservation {
    Reservation { msisdn: number.msisdn, iccid: profile.iccid, imsi: profile.imsi, substituted }
}
