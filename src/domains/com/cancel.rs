//! Calling an order off. What was reserved goes back in the same unit of work; the service order follows by event.

use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::{CancelOrder, OrderCancelled};
use crate::domains::com::{Service, policy, store};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox;

const REASON: &str = "cancelled by user";

impl Service {
    /// Cancels; `expected` is the version that the caller last saw, when it says so.
    ///
    /// Decomposition holds the order's lock while it reserves, so what it took is seen and released here, or it sees the
    /// cancellation and takes nothing.
    pub(super) async fn cancel_order(
        &self,
        cx: &Context,
        command: CancelOrder,
        expected: Option<i64>,
    ) -> Result<Order> {
        policy::text_form("/reason", command.reason.as_deref())?;
        let tx = self.platform.db.begin().await?;
        let mut order = store::lock(&tx, cx, &command.order_id).await?;
        order.expect_version(expected)?;
        policy::cancel(&order)?;
        order.step(cx, Trigger::Cancel, command.reason.as_deref().unwrap_or(REASON))?;
        store::save(&tx, cx, &order).await?;
        self.inventory.release(&tx, cx, order.id.as_str()).await?;
        let cancelled = OrderCancelled {
            order_id: order.id.clone(),
            customer_id: order.customer_id.clone(),
            version: order.version,
        };
        outbox::stage(&tx, cx, &cancelled).await?;
        let summary = format!("Order {} cancelled", order.id);
        self.customers.note(&tx, cx, &order.customer_id, Direction::Inbound, &summary).await?;
        tx.commit().await?;
        Ok(order)
    }
}
