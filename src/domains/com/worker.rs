//! The sweep over orders in progress: keeps what they have reserved, and says of those that take too long that they are
//! stuck, once per order. It repairs nothing: that is decided by people.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::domains::com::events::OrderStuck;
use crate::domains::com::port::OrderState;
use crate::domains::com::{Service, store};
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox;
use crate::platform::scheduler::Ticks;

/// Orders per transaction or page.
const BATCH: i64 = 100;

pub(super) fn ticks(service: &Arc<Service>) -> Ticks {
    let every = service.platform.config.reconciliation_tick;
    let service = Arc::clone(service);
    Ticks::default().add("stuck_orders", every, "system:reconciliation", move |cx| {
        let service = Arc::clone(&service);
        async move { service.sweep(&cx).await }
    })
}

impl Service {
    async fn sweep(&self, cx: &Context) -> Result<Value> {
        let extended = self.extend_reservations(cx).await?;
        let flagged = self.flag_stuck(cx).await?;
        Ok(json!({ "flagged": flagged, "extended": extended }))
    }

    /// An order that waits for an operator does not lose its number meanwhile. One that is quick needs no extension: only
    /// those are looked at for which a quarter of the time is over.
    async fn extend_reservations(&self, cx: &Context) -> Result<u64> {
        let ttl = TimeDelta::from_std(self.platform.config.reservation_ttl).unwrap_or(TimeDelta::MAX);
        let (Some(since), Some(until)) = (cx.now.checked_sub_signed(ttl / 4), cx.now.checked_add_signed(ttl)) else {
            return Ok(0);
        };
        let (mut extended, mut after) = (0, String::new());
        loop {
            let page = store::in_progress_since(self.platform.db.connection(), cx, since, &after, BATCH).await?;
            let Some(last) = page.last() else { return Ok(extended) };
            after = last.to_string();
            for id in &page {
                let tx = self.platform.db.begin().await?;
                if store::hold_state(&tx, cx, id).await? == Some(OrderState::InProgress)
                    && self.inventory.extend(&tx, cx, id.as_str(), until).await?
                {
                    extended += 1;
                }
                tx.commit().await?;
            }
        }
    }

    /// Flags every order that has been in progress longer than allowed, by product time since it was submitted.
    async fn flag_stuck(&self, cx: &Context) -> Result<u64> {
        let allowed = TimeDelta::from_std(self.platform.config.order_stuck_after).unwrap_or(TimeDelta::MAX);
        let Some(since) = cx.now.checked_sub_signed(allowed) else { return Ok(0) };
        let mut flagged = 0;
        loop {
            let tx = self.platform.db.begin().await?;
            let orders = store::lock_stuck(&tx, cx, since, BATCH).await?;
            if orders.is_empty() {
                return Ok(flagged);
            }
            for mut order in orders {
                order.stuck_flagged_at = Some(cx.now);
                order.remark(cx, format!("in progress for more than {} s: flagged as stuck", allowed.num_seconds()));
                store::save(&tx, cx, &order).await?;
                tracing::warn!(order.id = %order.id, "order is stuck");
                let stuck = OrderStuck {
                    in_progress_since: order.submitted_at.unwrap_or(order.order_date),
                    order_id: order.id,
                    customer_id: order.customer_id,
                    state: order.state,
                    version: order.version,
                };
                outbox::stage(&tx, cx, &stuck).await?;
                flagged += 1;
            }
            tx.commit().await?;
        }
    }
}
