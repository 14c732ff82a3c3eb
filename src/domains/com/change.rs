//! Orders about a line that is there: a top-up is bought, another plan is booked, or the line ends. The line's own domain does
//! it; the order says who wanted it, at which price, and how it went.
//!
//! What the line does and what the order notes of it are one unit of work that holds the order: it is done once however often
//! the order is carried out, and a cancellation comes before it or finds it done. An effect all the same, since the catalog is
//! asked first. A top-up is charged elsewhere: its order ends when the line's domain tells how that went.

use crate::domains::catalog::port::{VasId, VasView};
use crate::domains::com::events::OrderCompleted;
use crate::domains::com::fulfil::Outcome;
use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::{OrderAction, OrderId, OrderState};
use crate::domains::com::{Service, policy, store, submit};
use crate::domains::payment::port::AttemptId;
use crate::domains::subscription::port::{
    LineStatus, OrderedTopUp, OrderedTopUpSettled, SubscriptionId, TopUpOrder, TopUpProgress,
};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::{crash, outbox};

const ADDED: &str = "the top-up is paid and added";
const PLAN_BOOKED: &str = "the new plan begins with the next renewal";
const LINE_ENDED: &str = "the line has ended";

impl Service {
    /// Does what the order says. A refusal of the line, and what is not to be had any more, is the order's failure; what may
    /// heal is tried again.
    pub(super) async fn carry_out(&self, cx: &Context, order_id: &OrderId) -> Result<()> {
        let order = store::find(self.platform.db.connection(), cx, order_id).await?;
        if order.state != OrderState::InProgress {
            return Ok(());
        }
        let line = order.item.target_subscription_id.clone().map(SubscriptionId::from);
        let line = line.ok_or_else(|| Error::Internal(format!("order {order_id} is about no line")))?;
        let done = match order.item.action {
            OrderAction::Add => return Err(Error::Internal(format!("order {order_id} is no change"))),
            OrderAction::Modify if order.item.is_top_up() => self.buy_top_up(cx, &order, line).await,
            OrderAction::Modify => self.change_plan(cx, &order, &line).await,
            OrderAction::Delete => self.end_line(cx, &order, &line).await,
        };
        match done {
            Err(Error::Policy(refusal)) => self.fail_change(cx, order_id, refusal.message.into_owned()).await,
            Err(gone @ Error::NotFound { .. }) => self.fail_change(cx, order_id, gone.to_string()).await,
            done => done,
        }
    }

    /// What was begun decides, whatever is sold now, and for how much.
    async fn buy_top_up(&self, cx: &Context, order: &Order, line: SubscriptionId) -> Result<()> {
        if let Some(begun) = self.subscriptions.top_up_of_order(cx, &order.id).await? {
            return self.go_on_with_top_up(cx, &order.id, begun).await;
        }
        let vas_id = VasId::from(order.item.offering_id.to_string());
        let vas = policy::still_sold(&order.item, self.catalog.vas_offering(cx, &vas_id).await)?;
        policy::price_kept(&order.item, vas.money)?;
        self.book_top_up(cx, &order.id, line, vas).await
    }

    async fn book_top_up(&self, cx: &Context, order_id: &OrderId, line: SubscriptionId, vas: VasView) -> Result<()> {
        let tx = self.platform.db.begin().await?;
        let mut order = store::lock(&tx, cx, order_id).await?;
        if order.state != OrderState::InProgress || order.item.payment_attempt_id.is_some() {
            return Ok(());
        }
        let wanted = TopUpOrder { order_id: order_id.clone(), subscription_id: line, vas };
        let attempt_id = self.subscriptions.book_top_up(&tx, cx, wanted).await?;
        order.remark(cx, format!("the top-up is booked, its charge {attempt_id} is under way"));
        order.item.payment_attempt_id = Some(attempt_id.into());
        store::save(&tx, cx, &order).await?;
        crash::point("order.top_up.before_commit");
        tx.commit().await?;
        crash::point("order.top_up.after_commit");
        Ok(())
    }

    /// A top-up that is settled ends its order; one that is not tells it by its event.
    async fn go_on_with_top_up(&self, cx: &Context, order_id: &OrderId, begun: OrderedTopUp) -> Result<()> {
        let refusal = match begun.progress {
            TopUpProgress::Pending => return Ok(()),
            TopUpProgress::Added => None,
            TopUpProgress::Refused(why) => Some(why),
        };
        let refund_id = match &begun.payment_attempt_id {
            Some(attempt_id) if refusal.is_some() => self.payments.attempt(cx, attempt_id).await?.refund,
            _ => None,
        };
        let refund_id = refund_id.map(|refund| refund.id.to_string());
        let tx = self.platform.db.begin().await?;
        let order = store::lock(&tx, cx, order_id).await?;
        let ended = TopUpEnd { payment_attempt_id: begun.payment_attempt_id, refusal, refund_id };
        self.end_top_up(&tx, cx, order, ended).await?;
        crash::point("order.change.before_commit");
        tx.commit().await?;
        crash::point("order.change.after_commit");
        Ok(())
    }

    /// The charge of an ordered top-up is settled.
    pub(super) async fn top_up_settled(&self, tx: &Tx, cx: &Context, settled: OrderedTopUpSettled) -> Result<()> {
        let order = store::lock(tx, cx, &settled.order_id).await?;
        let ended = TopUpEnd {
            payment_attempt_id: settled.payment_attempt_id,
            refusal: settled.refusal,
            refund_id: settled.refund_id.map(Into::into),
        };
        self.end_top_up(tx, cx, order, ended).await
    }

    async fn end_top_up(&self, tx: &Tx, cx: &Context, mut order: Order, ended: TopUpEnd) -> Result<()> {
        if order.state != OrderState::InProgress {
            return Ok(());
        }
        let payment_attempt_id = ended.payment_attempt_id.map(Into::into);
        if let Some(reason) = ended.refusal {
            let outcome = Outcome { reason, payment_attempt_id, refund_id: ended.refund_id };
            return self.fail(tx, cx, order, outcome).await;
        }
        order.item.payment_attempt_id = payment_attempt_id;
        complete(tx, cx, order, ADDED).await
    }

    /// The order is done when the plan is booked. What the line has booked, or is on, says whether that was so already.
    async fn change_plan(&self, cx: &Context, order: &Order, line: &SubscriptionId) -> Result<()> {
        let (plan, price) = (&order.item.offering_id, &order.item.price_id);
        let seen = self.subscriptions.line(cx, line).await?;
        let booked =
            seen.pending_offering_id.as_ref() == Some(plan) && seen.pending_offering_price_id.as_ref() == Some(price);
        let begun = seen.offering_id == *plan && seen.price_offering_price_id == *price;
        let wanted = if booked || begun {
            None
        } else {
            let price = self.subscriptions.may_change_plan(cx, line, plan).await?;
            policy::price_kept(&order.item, price.money)?;
            Some(price)
        };

        let tx = self.platform.db.begin().await?;
        let order = store::lock(&tx, cx, &order.id).await?;
        if order.state != OrderState::InProgress {
            return Ok(());
        }
        if let Some(price) = wanted {
            self.subscriptions.book_plan_change(&tx, cx, line, price).await?;
        }
        end(tx, cx, order, PLAN_BOOKED).await
    }

    /// The reason that is kept with the line says whether it was this order that ended it.
    async fn end_line(&self, cx: &Context, order: &Order, line: &SubscriptionId) -> Result<()> {
        let reason = format!("ordered by {}", order.id);
        let seen = self.subscriptions.line(cx, line).await?;
        let by_us = seen.state == LineStatus::Terminated && seen.state_reason.as_deref() == Some(&reason);

        let tx = self.platform.db.begin().await?;
        let order = store::lock(&tx, cx, &order.id).await?;
        if order.state != OrderState::InProgress {
            return Ok(());
        }
        if !by_us {
            self.subscriptions.terminate_within(&tx, cx, line, &reason).await?;
        }
        end(tx, cx, order, LINE_ENDED).await
    }

    /// Fails an order for which nothing was begun.
    async fn fail_change(&self, cx: &Context, order_id: &OrderId, reason: String) -> Result<()> {
        let tx = self.platform.db.begin().await?;
        let order = store::lock(&tx, cx, order_id).await?;
        if order.state != OrderState::InProgress || order.item.payment_attempt_id.is_some() {
            return Ok(());
        }
        self.fail(&tx, cx, order, Outcome { reason, ..Outcome::default() }).await?;
        crash::point("order.change.before_commit");
        tx.commit().await?;
        crash::point("order.change.after_commit");
        Ok(())
    }

    /// See [`Orders::carry_on`](super::port::Orders::carry_on).
    pub(super) async fn carry_on_change(&self, cx: &Context, order_id: &OrderId) -> Result<bool> {
        let tx = self.platform.db.begin().await?;
        let mut order = store::lock(&tx, cx, order_id).await?;
        if order.state != OrderState::InProgress || order.item.action == OrderAction::Add {
            return Ok(false);
        }
        order.remark(cx, "to be carried out again");
        store::save(&tx, cx, &order).await?;
        submit::stage_in_progress(&tx, cx, &order).await?;
        crash::point("order.carry_on.before_commit");
        tx.commit().await?;
        crash::point("order.carry_on.after_commit");
        Ok(true)
    }
}

/// How an ordered top-up ended.
struct TopUpEnd {
    payment_attempt_id: Option<AttemptId>,
    /// None: it was added.
    refusal: Option<String>,
    refund_id: Option<String>,
}

async fn end(tx: Tx, cx: &Context, order: Order, reason: &str) -> Result<()> {
    complete(&tx, cx, order, reason).await?;
    crash::point("order.change.before_commit");
    tx.commit().await?;
    crash::point("order.change.after_commit");
    Ok(())
}

async fn complete(tx: &Tx, cx: &Context, mut order: Order, reason: &str) -> Result<()> {
    order.step(cx, Trigger::Complete, reason)?;
    store::save(tx, cx, &order).await?;
    let completed = OrderCompleted {
        order_id: &order.id,
        customer_id: &order.customer_id,
        subscription_id: order.item.target_subscription_id.as_deref().unwrap_or_default(),
        cfs_service_id: None,
        payment_attempt_id: order.item.payment_attempt_id.as_deref(),
        version: order.version,
    };
    outbox::stage(tx, cx, &completed).await.map(drop)
}
