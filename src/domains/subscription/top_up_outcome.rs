//! The outcome of a top-up's charge: the quota is added, or the purchase is over.

use chrono::{DateTime, Utc};

use super::Service;
use super::events::VasPurchased;
use super::model::Line;
use super::port::{OrderedTopUpSettled, VasPurchaseId};
use super::state::{Change, State, Trigger};
use super::store;
use super::store::purchase::{Purchase, PurchaseState, Settled};
use super::top_up::{DECLINED, ENDED_MEANWHILE};
use crate::domains::payment::port::{PaymentApproved, PaymentDeclined, RefundId};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

/// Why a top-up was not added.
struct Refusal {
    why: &'static str,
    refund_id: Option<RefundId>,
}

impl Service {
    /// The top-up is paid: it counts in the period that the line is in now. Top-ups at once wait for the line's lock, so
    /// each of them counts.
    pub(super) async fn top_up_paid(&self, tx: &Tx, cx: &Context, paid: PaymentApproved) -> Result<()> {
        let (mut line, purchase) = locked(tx, cx, paid.subject_id.clone().into()).await?;
        if purchase.state != PurchaseState::Pending {
            return Ok(());
        }
        let ledger = if line.state == State::Terminated { None } else { store::quota::ledger(tx, cx, &line).await? };
        let Some(mut ledger) = ledger else {
            return self.top_up_too_late(tx, cx, &line, &purchase, &paid).await;
        };
        let expires_at = ledger.top_up(purchase.bought(), cx.now);
        let step = line.apply(Trigger::TopUp { data_left: ledger.data_left(cx.now) }, "vas_top_up")?;
        store::save(tx, cx, &mut line, Some(step)).await?;
        let applied = Settled { state: PurchaseState::Applied, reason: None, expires_at };
        store::purchase::settle(tx, cx, &purchase.id, applied).await?;
        store::quota::save(tx, cx, &line.id, &ledger).await?;
        self.payments.recognise(tx, cx, &paid.attempt_id).await?;
        let summary =
            format!("Line {} topped up with {} for {} {}", line.id, purchase.vas_id, paid.currency, paid.amount);
        self.note(tx, cx, &line.customer_id, &summary).await?;
        self.tell_order(tx, cx, &line, &purchase, None).await?;
        outbox::stage(tx, cx, &purchased(&line, purchase, paid, step, expires_at)).await?;
        self.tell_unblocked(tx, cx, &line, step, "vas_top_up").await
    }

    /// The card was declined: nothing changes but the purchase.
    pub(super) async fn top_up_declined(&self, tx: &Tx, cx: &Context, declined: PaymentDeclined) -> Result<()> {
        let (line, purchase) = locked(tx, cx, declined.subject_id.into()).await?;
        if purchase.state != PurchaseState::Pending {
            return Ok(());
        }
        let over = Settled { state: PurchaseState::Declined, reason: Some(&declined.decline_code), expires_at: None };
        store::purchase::settle(tx, cx, &purchase.id, over).await?;
        self.tell_order(tx, cx, &line, &purchase, Some(Refusal { why: DECLINED, refund_id: None })).await?;
        let summary = format!("The card was declined for {} on line {}", purchase.vas_id, line.id);
        self.note(tx, cx, &line.customer_id, &summary).await
    }

    /// The line ended while the charge was under way: the money goes back.
    async fn top_up_too_late(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &Line,
        purchase: &Purchase,
        paid: &PaymentApproved,
    ) -> Result<()> {
        let reason = "the line ended before it was topped up";
        let over = Settled { state: PurchaseState::Refunded, reason: Some(reason), expires_at: None };
        store::purchase::settle(tx, cx, &purchase.id, over).await?;
        let refund_id = self.payments.refund(tx, cx, &paid.attempt_id, reason).await?;
        self.tell_order(tx, cx, line, purchase, Some(Refusal { why: ENDED_MEANWHILE, refund_id })).await?;
        let summary = format!("{} for line {} is paid back: the line has ended", purchase.vas_id, line.id);
        self.note(tx, cx, &line.customer_id, &summary).await
    }

    /// The order that asked for the purchase, if one did, ends by this.
    async fn tell_order(
        &self,
        tx: &Tx,
        cx: &Context,
        line: &Line,
        purchase: &Purchase,
        refusal: Option<Refusal>,
    ) -> Result<()> {
        let Some(order_id) = purchase.order_id.clone() else { return Ok(()) };
        let (refusal, refund_id) = refusal.map_or((None, None), |refusal| (Some(refusal.why), refusal.refund_id));
        let settled = OrderedTopUpSettled {
            subscription_id: line.id.clone(),
            customer_id: line.customer_id.clone(),
            order_id,
            vas_purchase_id: purchase.id.clone(),
            payment_attempt_id: purchase.attempt_id.clone(),
            refusal: refusal.map(str::to_owned),
            refund_id,
            version: line.version,
        };
        outbox::stage(tx, cx, &settled).await.map(drop)
    }
}

/// Locks the line of a purchase, then reads the purchase, whose state changes only under that lock.
async fn locked(tx: &Tx, cx: &Context, id: VasPurchaseId) -> Result<(Line, Purchase)> {
    let line_id = store::purchase::find(&**tx, cx, &id).await?.line_id;
    let line = store::lock(tx, cx, &line_id).await?;
    Ok((line, store::purchase::find(&**tx, cx, &id).await?))
}

fn purchased(
    line: &Line,
    purchase: Purchase,
    paid: PaymentApproved,
    step: Change,
    expires_at: Option<DateTime<Utc>>,
) -> VasPurchased {
    VasPurchased {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        vas_purchase_id: purchase.id,
        vas_offering_id: purchase.vas_id,
        payment_attempt_id: paid.attempt_id,
        allowance_type: purchase.allowance,
        allowance_added: purchase.quantity,
        expires_at,
        amount_charged: paid.amount,
        currency: paid.currency,
        previous_state: step.from.status(),
        block_reasons: line.state.reasons(),
        version: line.version,
    }
}
