//! Ending a line.

use super::Service;
use super::policy;
use super::port::{SubscriptionId, SubscriptionTerminated, SubscriptionView, Subscriptions as _};
use super::state::Trigger;
use super::store;
use super::store::change::{Ended, Kind};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

/// Longest reason that is kept, in characters.
const REASON_LENGTH_MAX: usize = 200;

impl Service {
    /// See [`Subscriptions::terminate`](super::port::Subscriptions::terminate). A charge that is still under way is paid
    /// back when it is approved.
    pub(super) async fn end_line(&self, cx: &Context, id: &SubscriptionId, reason: &str) -> Result<SubscriptionView> {
        let tx = self.platform.db.begin().await?;
        self.end_line_within(&tx, cx, id, reason).await?;
        tx.commit().await?;
        self.line(cx, id).await
    }

    pub(super) async fn end_line_within(&self, tx: &Tx, cx: &Context, id: &SubscriptionId, reason: &str) -> Result<()> {
        if reason.trim().is_empty() || reason.chars().count() > REASON_LENGTH_MAX {
            return Err(Error::invalid("/reason", format!("must be 1 to {REASON_LENGTH_MAX} characters")));
        }
        let mut line = store::lock(tx, cx, id).await?;
        policy::terminable(&line)?;
        let ledger = store::quota::ledger(tx, cx, &line).await?;
        let step = line.apply(Trigger::Terminate, reason)?;
        line.terminated_at = Some(cx.now);
        store::save(tx, cx, &mut line, Some(step)).await?;
        if line.pending_plan.is_some() || line.pending_price.is_some() {
            line.drop_pending();
            store::contract::save(tx, cx, &line).await?;
            for kind in [Kind::PlanChange, Kind::PriceMigration] {
                store::change::end(tx, cx, id, kind, Ended::Dropped, None).await?;
            }
        }
        if let Some(mut ledger) = ledger {
            ledger.end();
            store::quota::save(tx, cx, &line.id, &ledger).await?;
        }
        self.inventory.retire(tx, cx, line.id.as_str()).await?;
        self.note(tx, cx, &line.customer_id, &format!("Line {} was terminated: {reason}", line.id)).await?;
        let terminated = SubscriptionTerminated {
            iccid_last4: line.iccid_last4(),
            subscription_id: line.id,
            customer_id: line.customer_id,
            cfs_service_id: line.cfs_service_id,
            msisdn: line.msisdn,
            reason: reason.to_owned(),
            terminated_at: line.terminated_at,
        };
        outbox::stage(tx, cx, &terminated).await.map(drop)
    }
}
