//! Calling an order off, at any stage before its line is in service.
//!
//! A booked line ends in the same unit of work, and a charge that is under way is paid back when it is approved. The service
//! order follows by event: it withdraws its tasks, takes out of the network what it may have heard of, and only then gives back
//! number and profile.
//!
//! A change of a line is called off only when nobody will carry it out and nothing was begun for it: what was parked of it is
//! given up in the same unit of work.

use crate::domains::com::consumers::CarryOutChange;
use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::{CancelOrder, OrderAction, OrderCancelled};
use crate::domains::com::{Service, policy, store};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{Effect as _, parked};
use crate::platform::error::Result;
use crate::platform::{crash, outbox};

const REASON: &str = "cancelled by user";

impl Service {
    /// Cancels; `expected` is the version that the caller last saw, when it says so.
    ///
    /// Decomposition holds the order's lock while it reserves, so what it took is there for the event of the cancellation to
    /// find, or it sees the cancellation and takes nothing.
    pub(super) async fn cancel_order(
        &self,
        cx: &Context,
        command: CancelOrder,
        expected: Option<i64>,
    ) -> Result<Order> {
        policy::text_form("/reason", command.reason.as_deref())?;
        let tx = self.platform.db.begin().await?;
        let order = store::lock(&tx, cx, &command.order_id).await?;
        order.expect_version(expected)?;
        let is_worked_on = policy::is_change_in_progress(&order)
            && parked::withdraw(&tx, cx, CarryOutChange::NAME, order.id.as_str(), "the order was cancelled").await?;
        policy::cancel(&order, is_worked_on)?;
        let is_new = order.item.action == OrderAction::Add;
        let booked = order.item.target_subscription_id.clone().filter(|_| is_new && !order.state.is_terminal());
        let reason = command.reason.as_deref().unwrap_or(REASON);
        if let Some(line) = booked {
            let ended = self.subscriptions.cancel_booking(&tx, cx, &order.id).await;
            ended.map_err(|refusal| policy::line_in_service(&order.id, &line, refusal))?;
        }
        let order = self.call_off(&tx, cx, order, reason, Direction::Inbound).await?;
        crash::point("order.cancel.before_commit");
        tx.commit().await?;
        crash::point("order.cancel.after_commit");
        Ok(order)
    }

    /// The part of a cancellation that is the order's own.
    pub(super) async fn call_off(
        &self,
        tx: &Tx,
        cx: &Context,
        mut order: Order,
        reason: &str,
        direction: Direction,
    ) -> Result<Order> {
        order.step(cx, Trigger::Cancel, reason)?;
        store::save(tx, cx, &order).await?;
        self.give_up_claim(tx, cx, &order).await?;
        let cancelled = OrderCancelled {
            order_id: order.id.clone(),
            customer_id: order.customer_id.clone(),
            version: order.version,
        };
        outbox::stage(tx, cx, &cancelled).await?;
        let summary = format!("Order {} cancelled: {reason}", order.id);
        self.customers.note(tx, cx, &order.customer_id, direction, &summary).await?;
        Ok(order)
    }
}
