//! The one read that gives a profile in full, for the owner of the line. Each one is recorded.

use super::events::ActivationViewed;
use super::profile::store as profiles;
use crate::domains::crm::Service;
use crate::domains::crm::port::EsimActivation;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

impl Service {
    pub(crate) async fn view_activation(&self, cx: &Context, subscription_id: &str) -> Result<EsimActivation> {
        let not_found = || Error::not_found("esim of subscription", subscription_id);
        let tx = self.platform.db.begin().await?;
        let profile = profiles::share_of_line(&tx, cx, subscription_id).await?.ok_or_else(not_found)?;
        let msisdn = profile.assigned_msisdn().ok_or_else(not_found)?.as_str().to_owned();
        let viewed = ActivationViewed { iccid_last4: profile.last4(), subscription_id: subscription_id.to_owned() };
        outbox::stage(&tx, cx, &viewed).await?;
        tx.commit().await?;
        Ok(EsimActivation {
            subscription_id: subscription_id.to_owned(),
            profile_state: profile.state(),
            iccid: profile.iccid.into(),
            imsi: profile.imsi,
            msisdn,
            activation_code: profile.activation_code,
            smdp_server: profile.smdp_server,
            matching_id: profile.matching_id,
        })
    }
}
