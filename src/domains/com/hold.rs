//! Holding an order back for an operator, before its fulfilment starts. `order.submit` lets it go on, at the price that was
//! promised when it was placed, however long that is ago.

use crate::domains::com::events::OrderHeld;
use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::HoldOrder;
use crate::domains::com::{Service, policy, store};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::{crash, outbox};

impl Service {
    /// Holds an acknowledged order; the reason is what everybody sees beside it until it goes on.
    pub(super) async fn hold_order(&self, cx: &Context, command: HoldOrder) -> Result<Order> {
        let reason = command.reason.trim();
        if reason.is_empty() {
            return Err(Error::invalid("/reason", "says why the order is held, and for whom"));
        }
        policy::text_form("/reason", Some(reason))?;
        let tx = self.platform.db.begin().await?;
        let mut order = store::lock(&tx, cx, &command.order_id).await?;
        order.step(cx, Trigger::Hold, reason)?;
        store::save(&tx, cx, &order).await?;
        let held = OrderHeld {
            order_id: &order.id,
            customer_id: &order.customer_id,
            state_reason: reason,
            version: order.version,
        };
        outbox::stage(&tx, cx, &held).await?;
        let summary = format!("Order {} is held: {reason}", order.id);
        self.customers.note(&tx, cx, &order.customer_id, Direction::Internal, &summary).await?;
        crash::point("order.hold.before_commit");
        tx.commit().await?;
        crash::point("order.hold.after_commit");
        Ok(order)
    }
}
