//! How a submitted order ends: its line is booked, then it completes, or it fails and everything goes back.
//!
//! Every step locks the order and lets its state decide, so the events may come in any order and more than once.

use crate::domains::com::discount::Entitled;
use crate::domains::com::events::OrderCompleted;
use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::{OrderFailed, OrderState};
use crate::domains::com::{Service, store};
use crate::domains::crm::port::Direction;
use crate::domains::som::port::{ServiceOrderCompleted, ServiceOrderFailed, ServiceOrderKind};
use crate::domains::subscription::port::{ActivationFailed, Booking, SubscriptionActivated};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::outbox;

/// Why an order fails and what is known of its money.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) reason: String,
    pub(super) payment_attempt_id: Option<String>,
    pub(super) refund_id: Option<String>,
}

impl Service {
    /// The network side stands: books the line and its charge, in this unit of work.
    pub(super) async fn book_line(&self, tx: &Tx, cx: &Context, done: ServiceOrderCompleted) -> Result<()> {
        if done.kind != ServiceOrderKind::Activation {
            return Ok(());
        }
        let mut order = store::lock(tx, cx, &done.commercial_order_id).await?;
        if order.state != OrderState::InProgress {
            return self.give_back(tx, cx, order, &done).await;
        }
        if order.item.target_subscription_id.is_some() {
            return Ok(());
        }
        let Some(held) = self.inventory.reservation(tx, cx, order.id.as_str()).await? else {
            let reason = "the reservation of the number was lost before the line could be booked".to_owned();
            return self.fail(tx, cx, order, Outcome { reason, ..Outcome::default() }).await;
        };
        // Until this unit of work ends the customer cannot be closed: nobody is left with a line and no account.
        match self.customers.hold_open(tx, cx, &order.customer_id).await {
            Ok(_) => {}
            Err(error) if error.violation().is_some() => {
                let reason = "the customer was closed before the line could be booked".to_owned();
                return self.fail(tx, cx, order, Outcome { reason, ..Outcome::default() }).await;
            }
            Err(error) => return Err(error),
        }
        let discount = match self.entitled(tx, cx, &mut order).await? {
            Entitled::To(discount) => discount,
            Entitled::Lost => {
                let reason = "promo_refused: the discount that the order promised is not to be had any more".to_owned();
                return self.fail(tx, cx, order, Outcome { reason, ..Outcome::default() }).await;
            }
        };
        let booking = Booking {
            order_id: order.id.clone(),
            customer_id: order.customer_id.clone(),
            offering_id: order.item.offering_id.clone(),
            msisdn: held.msisdn,
            iccid: held.iccid,
            cfs_service_id: done.cfs_service_id,
            price: order.item.price,
            price_id: order.item.price_id.clone(),
            discount,
        };
        let line = self.subscriptions.book(tx, cx, booking).await?;
        order.remark(cx, format!("line {line} booked, its charge is under way"));
        order.item.target_subscription_id = Some(line.into());
        store::save(tx, cx, &order).await
    }

    /// The network was ready for an order that had ended: its services end by the event of that, and the number with them.
    async fn give_back(&self, tx: &Tx, cx: &Context, mut order: Order, done: &ServiceOrderCompleted) -> Result<()> {
        if order.state == OrderState::Completed {
            return Ok(());
        }
        let ended = order.state.as_str();
        order.remark(
            cx,
            format!("service order {} completed after the order was {ended}; nothing is kept", done.service_order_id),
        );
        store::save(tx, cx, &order).await
    }

    /// The network cannot give the service.
    pub(super) async fn fail_on_service_order(&self, tx: &Tx, cx: &Context, failed: ServiceOrderFailed) -> Result<()> {
        if failed.kind != ServiceOrderKind::Activation {
            return Ok(());
        }
        let order = store::lock(tx, cx, &failed.commercial_order_id).await?;
        self.fail(tx, cx, order, Outcome { reason: failed.reason, ..Outcome::default() }).await
    }

    /// The charge was declined, or the service could not be given after it. Of an order that was called off meanwhile: what
    /// became of its charge.
    pub(super) async fn fail_on_activation(&self, tx: &Tx, cx: &Context, failed: ActivationFailed) -> Result<()> {
        let mut order = store::lock(tx, cx, &failed.commercial_order_id).await?;
        let outcome = Outcome {
            reason: failed.reason,
            payment_attempt_id: failed.payment_attempt_id.map(Into::into),
            refund_id: failed.refund_id.map(Into::into),
        };
        if order.state != OrderState::Cancelled {
            return self.fail(tx, cx, order, outcome).await;
        }
        if let Some(refund) = outcome.refund_id.filter(|_| order.item.refund_id.is_none()) {
            order.remark(cx, format!("what was charged meanwhile goes back by {refund}"));
            order.item.payment_attempt_id = outcome.payment_attempt_id;
            order.item.refund_id = Some(refund);
            store::save(tx, cx, &order).await?;
        }
        Ok(())
    }

    /// Fails the order once; one that has ended stays as it ended.
    pub(super) async fn fail(&self, tx: &Tx, cx: &Context, mut order: Order, outcome: Outcome) -> Result<()> {
        if order.state.is_terminal() {
            return Ok(());
        }
        order.step(cx, Trigger::Fail, &outcome.reason)?;
        order.item.payment_attempt_id = outcome.payment_attempt_id.or(order.item.payment_attempt_id);
        order.item.refund_id = outcome.refund_id;
        store::save(tx, cx, &order).await?;
        self.give_up_claim(tx, cx, &order).await?;
        let failed = OrderFailed {
            order_id: order.id.clone(),
            customer_id: order.customer_id.clone(),
            reason: outcome.reason,
            payment_attempt_id: order.item.payment_attempt_id.clone(),
            refund_id: order.item.refund_id.clone(),
            version: order.version,
        };
        outbox::stage(tx, cx, &failed).await?;
        let summary = format!("Order {} failed: {}", order.id, failed.reason);
        self.customers.note(tx, cx, &order.customer_id, Direction::Outbound, &summary).await
    }

    /// The line is paid for and in service.
    pub(super) async fn complete(&self, tx: &Tx, cx: &Context, activated: SubscriptionActivated) -> Result<()> {
        let mut order = store::lock(tx, cx, &activated.commercial_order_id).await?;
        if order.state == OrderState::Completed {
            return Ok(());
        }
        // A line in service under an order that ended otherwise is a broken invariant: the refusal parks it for an operator.
        order.step(cx, Trigger::Complete, "the line is in service")?;
        order.item.target_subscription_id = Some(activated.subscription_id.into());
        order.item.payment_attempt_id = Some(activated.payment_attempt_id.into());
        store::save(tx, cx, &order).await?;
        self.use_claim(tx, cx, &order).await?;
        let completed = OrderCompleted {
            order_id: &order.id,
            customer_id: &order.customer_id,
            subscription_id: order.item.target_subscription_id.as_deref().unwrap_or_default(),
            cfs_service_id: Some(activated.cfs_service_id.as_str()),
            payment_attempt_id: order.item.payment_attempt_id.as_deref(),
            version: order.version,
        };
        outbox::stage(tx, cx, &completed).await?;
        Ok(())
    }
}
