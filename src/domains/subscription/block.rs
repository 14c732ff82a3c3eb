//! Taking a line out of service by hand, and letting it back: a lost or stolen phone, a suspicion of fraud.

use super::Service;
use super::events::BlockReasonLifted;
use super::model::Line;
use super::policy;
use super::port::{
    BlockReason, HoldReason, SubscriptionBlocked, SubscriptionId, SubscriptionUnblocked, SubscriptionView,
    Subscriptions as _,
};
use super::state::{Change, Trigger};
use super::store;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

/// Longest note that is kept, in characters.
const NOTE_LENGTH_MAX: usize = 500;

impl HoldReason {
    const fn blocked(self) -> &'static str {
        match self {
            Self::Requested => "block_requested",
            Self::Fraud => "block_for_fraud",
        }
    }

    const fn lifted(self) -> &'static str {
        match self {
            Self::Requested => "request_lifted",
            Self::Fraud => "fraud_cleared",
        }
    }
}

impl Service {
    /// See [`Subscriptions::block`](super::port::Subscriptions::block).
    pub(super) async fn hold_line(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        reason: HoldReason,
        note: Option<&str>,
    ) -> Result<SubscriptionView> {
        let note = checked(note)?;
        let tx = self.platform.db.begin().await?;
        let mut line = store::lock(&tx, cx, id).await?;
        policy::can_block(cx, &line, reason)?;
        let step = line.apply(Trigger::Hold(reason), reason.blocked())?;
        if step.is_visible() {
            store::save_noted(&tx, cx, &mut line, Some(step), note).await?;
            let why = match reason {
                HoldReason::Requested => "the phone was reported lost or stolen",
                HoldReason::Fraud => "the operator has stopped it",
            };
            self.note(&tx, cx, &line.customer_id, &format!("Line {} is blocked: {why}", line.id)).await?;
            self.tell_blocked(&tx, cx, &line, step).await?;
            tx.commit().await?;
        } else {
            drop(tx);
        }
        self.line(cx, id).await
    }

    /// See [`Subscriptions::unblock`](super::port::Subscriptions::unblock).
    pub(super) async fn release_line(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        reason: Option<HoldReason>,
        note: Option<&str>,
    ) -> Result<SubscriptionView> {
        let note = checked(note)?;
        let tx = self.platform.db.begin().await?;
        let mut line = store::lock(&tx, cx, id).await?;
        for hold in policy::can_unblock(cx, &line, reason, note)? {
            let step = line.apply(Trigger::Release(hold), hold.lifted())?;
            store::save_noted(&tx, cx, &mut line, Some(step), note).await?;
            if step.unblocked() {
                let summary = format!("Line {} is in service again", line.id);
                self.note(&tx, cx, &line.customer_id, &summary).await?;
                self.tell_unblocked(&tx, cx, &line, step, hold.lifted()).await?;
            } else {
                outbox::stage(&tx, cx, &lifted(&line, hold.block_reason())).await?;
            }
        }
        tx.commit().await?;
        self.line(cx, id).await
    }

    /// Tells that a reason to block the line was added, when this step did.
    pub(super) async fn tell_blocked(&self, tx: &Tx, cx: &Context, line: &Line, step: Change) -> Result<()> {
        let Some(reason) = step.blocked_for() else { return Ok(()) };
        let blocked = SubscriptionBlocked {
            subscription_id: line.id.clone(),
            customer_id: line.customer_id.clone(),
            cfs_service_id: line.cfs_service_id.clone(),
            msisdn: line.msisdn.clone(),
            reason,
            block_reasons: line.state.reasons().iter().collect(),
            version: line.version,
        };
        outbox::stage(tx, cx, &blocked).await.map(drop)
    }

    /// Tells that a line is in service again, when this step has brought it back.
    pub(super) async fn tell_unblocked(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &Line,
        step: Change,
        reason: &str,
    ) -> Result<()> {
        if !step.unblocked() {
            return Ok(());
        }
        let unblocked = SubscriptionUnblocked {
            subscription_id: line.id.clone(),
            customer_id: line.customer_id.clone(),
            cfs_service_id: line.cfs_service_id.clone(),
            reason: reason.to_owned(),
            version: line.version,
        };
        outbox::stage(tx, cx, &unblocked).await.map(drop)
    }
}

/// A note of a bearable length; one without a letter is none.
fn checked(note: Option<&str>) -> Result<Option<&str>> {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.chars().count() > NOTE_LENGTH_MAX) {
        return Err(Error::invalid("/note", format!("must be at most {NOTE_LENGTH_MAX} characters")));
    }
    Ok(note)
}

fn lifted(line: &Line, reason: BlockReason) -> BlockReasonLifted {
    BlockReasonLifted {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        reason,
        block_reasons: line.state.reasons(),
        version: line.version,
    }
}
