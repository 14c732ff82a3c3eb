//! The end of quota that ends by itself: what is left of it expires, and a line whose data ran out with it is blocked.

use serde::Serialize;

use super::Service;
use super::ledger::Grant;
use super::model::Line;
use super::port::{BlockReason, GrantExpired, SubscriptionId};
use super::state::{State, Trigger};
use super::store;
use super::worker::BATCH;
use crate::domains::catalog::port::AllowanceType;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct ExpiryReport {
    /// Grants that have ended.
    pub(super) expired: u64,
    /// Lines that are blocked for it.
    pub(super) blocked: u64,
    /// Lines that could not be looked at; the next sweep does.
    pub(super) failed: u64,
}

impl Service {
    /// Ends every grant whose time has come, each line in a unit of work of its own.
    pub(super) async fn expire_grants(&self, cx: &Context) -> Result<ExpiryReport> {
        let mut report = ExpiryReport::default();
        let mut after = None;
        loop {
            let lines = store::purchase::lines_with_ended_grants(&self.platform.db, cx, after.as_ref(), BATCH).await?;
            let Some(last) = lines.last() else { return Ok(report) };
            after = Some(last.clone());
            for id in &lines {
                match self.expire_line(cx, id).await {
                    Ok((expired, blocked)) => {
                        report.expired += expired;
                        report.blocked += u64::from(blocked);
                    }
                    Err(error) => {
                        tracing::warn!(subscription.id = %id, %error, "grants could not be ended, they are tried again");
                        report.failed += 1;
                    }
                }
            }
        }
    }

    /// Answers how many grants ended, and whether the line was blocked for it.
    async fn expire_line(&self, cx: &Context, id: &SubscriptionId) -> Result<(u64, bool)> {
        let tx = self.platform.db.begin().await?;
        let mut line = store::lock(&tx, cx, id).await?;
        if matches!(line.state, State::Pending | State::Terminated) {
            return Ok((0, false));
        }
        let Some(mut ledger) = store::quota::ledger(&tx, cx, &line).await? else { return Ok((0, false)) };
        let ended = ledger.expire(cx.now);
        if ended.is_empty() {
            return Ok((0, false));
        }
        let ran_out = ended.iter().any(|grant| grant.allowance == AllowanceType::Data) && ledger.data_ran_out(cx.now);
        let step = if ran_out && !line.state.is_blocked_for(BlockReason::Exhausted) {
            Some(line.apply(Trigger::Exhaust, "data_grant_expired")?)
        } else {
            None
        };
        store::save(&tx, cx, &mut line, step).await?;
        store::quota::save(&tx, cx, &line.id, &ledger).await?;
        for grant in &ended {
            self.tell_expired(&tx, cx, &line, grant).await?;
        }
        if let Some(step) = step {
            let summary = format!("Line {id} is blocked: its data is used up and its extra data has ended");
            self.note(&tx, cx, &line.customer_id, &summary).await?;
            self.tell_blocked(&tx, cx, &line, step).await?;
        }
        tx.commit().await?;
        Ok((ended.len() as u64, step.is_some()))
    }

    /// Tells that a grant of the line has ended.
    pub(super) async fn tell_expired(&self, tx: &Tx, cx: &Context, line: &Line, grant: &Grant) -> Result<()> {
        let purchase = store::purchase::find(&**tx, cx, &grant.purchase_id).await?;
        let summary = format!("{} of line {} has ended", purchase.vas_id, line.id);
        self.note(tx, cx, &line.customer_id, &summary).await?;
        let expired = GrantExpired {
            subscription_id: line.id.clone(),
            customer_id: line.customer_id.clone(),
            vas_purchase_id: purchase.id,
            vas_offering_id: purchase.vas_id,
            allowance_type: grant.allowance,
            expired: grant.left,
            block_reasons: line.state.reasons().iter().collect(),
            version: line.version,
        };
        outbox::stage(tx, cx, &expired).await.map(drop)
    }
}
