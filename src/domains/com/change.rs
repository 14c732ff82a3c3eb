//! Orders about a line that is there: a top-up is bought, another plan is booked, or the line ends. The line's own domain does
//! it; the order says who wanted it, at which price, and how it went.
//!
//! Carried out as an effect, since the top-up is charged: the line is asked with a key of the order's, or looks at what it
//! has become, so that however often it is asked it does it once.

use crate::domains::catalog::port::VasId;
use crate::domains::com::events::OrderCompleted;
use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::{OrderAction, OrderId, OrderState};
use crate::domains::com::{Service, policy, store};
use crate::domains::subscription::port::{LineStatus, SubscriptionId};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::idempotency::IdempotencyRequest;
use crate::platform::{crash, outbox};

impl Service {
    /// Does what the order says, and ends it. A refusal of the line is the order's failure; what may heal is tried again.
    pub(super) async fn carry_out(&self, cx: &Context, order_id: &OrderId) -> Result<()> {
        let order = store::find(self.platform.db.connection(), cx, order_id).await?;
        if order.state != OrderState::InProgress {
            return Ok(());
        }
        let line = order.item.target_subscription_id.clone().map(SubscriptionId::from);
        let line = line.ok_or_else(|| Error::Internal(format!("order {order_id} is about no line")))?;
        let done = match order.item.action {
            OrderAction::Add => return Err(Error::Internal(format!("order {order_id} is no change"))),
            OrderAction::Modify if order.item.is_top_up() => self.buy_top_up(cx, &order, &line).await,
            OrderAction::Modify => self.change_plan(cx, &order, &line).await,
            OrderAction::Delete => self.end_line(cx, &order, &line).await,
        };
        match done {
            Ok(what) => self.end_change(cx, order_id, Trigger::Complete, what).await,
            Err(Error::Policy(refusal)) => self.end_change(cx, order_id, Trigger::Fail, &refusal.message).await,
            Err(error) => Err(error),
        }
    }

    async fn buy_top_up(&self, cx: &Context, order: &Order, line: &SubscriptionId) -> Result<&'static str> {
        let vas_id = VasId::from(order.item.offering_id.to_string());
        policy::price_kept(&order.item, self.catalog.vas_offering(cx, &vas_id).await?.money)?;
        let key = IdempotencyRequest::new(order.id.as_str(), "order.top_up", order.id.as_str().as_bytes())?;
        let cx = &Context { idempotency: Some(key.into()), ..cx.clone() };
        self.subscriptions.purchase_vas(cx, line, &vas_id).await?;
        Ok("the top-up is paid and added")
    }

    /// The order is done when the plan is booked. What the line has booked, or is on, says whether that was so already.
    async fn change_plan(&self, cx: &Context, order: &Order, line: &SubscriptionId) -> Result<&'static str> {
        let (plan, price) = (&order.item.offering_id, &order.item.price_id);
        let seen = self.subscriptions.line(cx, line).await?;
        let booked =
            seen.pending_offering_id.as_ref() == Some(plan) && seen.pending_offering_price_id.as_ref() == Some(price);
        let begun = seen.offering_id == *plan && seen.price_offering_price_id == *price;
        if !booked && !begun {
            policy::price_kept(&order.item, self.catalog.active_price(cx, plan, cx.now).await?.money)?;
            self.subscriptions.schedule_plan_change(cx, line, plan).await?;
        }
        Ok("the new plan begins with the next renewal")
    }

    /// The reason that is kept with the line says whether it was this order that ended it.
    async fn end_line(&self, cx: &Context, order: &Order, line: &SubscriptionId) -> Result<&'static str> {
        let reason = format!("ordered by {}", order.id);
        match self.subscriptions.terminate(cx, line, &reason).await {
            Err(refusal) if refusal.violation().is_some() => {
                let seen = self.subscriptions.line(cx, line).await?;
                let by_us = seen.state == LineStatus::Terminated && seen.state_reason.as_deref() == Some(&reason);
                if by_us { Ok("the line has ended") } else { Err(refusal) }
            }
            answer => answer.map(|_| "the line has ended"),
        }
    }

    async fn end_change(&self, cx: &Context, order_id: &OrderId, trigger: Trigger, reason: &str) -> Result<()> {
        let tx = self.platform.db.begin().await?;
        let mut order = store::lock(&tx, cx, order_id).await?;
        if order.state != OrderState::InProgress {
            return Ok(());
        }
        if trigger == Trigger::Fail {
            self.fail_because(&tx, cx, order, reason.to_owned()).await?;
            return tx.commit().await;
        }
        order.step(cx, trigger, reason)?;
        store::save(&tx, cx, &order).await?;
        let completed = OrderCompleted {
            order_id: &order.id,
            customer_id: &order.customer_id,
            subscription_id: order.item.target_subscription_id.as_deref().unwrap_or_default(),
            cfs_service_id: None,
            payment_attempt_id: None,
            version: order.version,
        };
        outbox::stage(&tx, cx, &completed).await?;
        crash::point("order.change.before_commit");
        tx.commit().await?;
        crash::point("order.change.after_commit");
        Ok(())
    }
}
