//! The watch on the pools: one alarm on the way down, armed again by a refill. It never stays silent about an empty pool.
//!
//! What decides is a row that says whether the alarm was raised, not a comparison with the last count: of several orders at
//! once none may see the very number at which the threshold is crossed.

mod store;

use super::events::{NumbersLow, ProfilesLow};
use crate::domains::crm::Service;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

/// What can run low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    Numbers,
    Profiles,
}

impl Service {
    /// Raises the alarm when the pool is low and it was not raised yet. Called after something was taken.
    pub(super) async fn watch(&self, tx: &Tx, cx: &Context, pool: Pool) -> Result<()> {
        let threshold = self.platform.config.msisdn_low_threshold;
        let Some(available) = store::note_low(tx, cx, pool, threshold).await? else { return Ok(()) };
        tracing::warn!(pool = ?pool, available, threshold, "a pool runs low");
        let tenant = cx.tenant.as_ref().to_owned();
        match pool {
            Pool::Numbers => outbox::stage(tx, cx, &NumbersLow { tenant, available, threshold }).await,
            Pool::Profiles => outbox::stage(tx, cx, &ProfilesLow { tenant, available, threshold }).await,
        }
        .map(drop)
    }

    /// Arms the alarms of the pools that are filled again.
    pub(super) async fn rearm(&self, tx: &Tx, cx: &Context) -> Result<()> {
        store::rearm(tx, cx, Pool::Numbers, self.platform.config.msisdn_low_threshold).await?;
        store::rearm(tx, cx, Pool::Profiles, self.platform.config.msisdn_low_threshold).await
    }
}
