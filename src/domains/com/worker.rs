//! The sweep that finds orders in progress for too long and says so, once per order. It repairs nothing: that is decided by
//! people.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::domains::com::events::OrderStuck;
use crate::domains::com::{Service, store};
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::outbox;
use crate::platform::scheduler::Ticks;

/// Orders per transaction.
const BATCH: i64 = 100;
/// Late orders whose reservation one sweep extends; more than this is an outage, not an order that takes long.
const KEPT_MAX: i64 = 1_000;

pub(super) fn ticks(service: &Arc<Service>) -> Ticks {
    let every = service.platform.config.reconciliation_tick;
    let service = Arc::clone(service);
    Ticks::default().add("stuck_orders", every, "system:reconciliation", move |cx| {
        let service = Arc::clone(&service);
        async move { service.flag_stuck(&cx).await }
    })
}

impl Service {
    /// An order that is late but still under way keeps its number and profile: the pools take back only what nobody works on.
    async fn keep_reservations(&self, cx: &Context, since: DateTime<Utc>) -> Result<()> {
        let until = cx.now + self.platform.config.reservation_ttl;
        let late = store::in_progress_since(&self.platform.db, cx, since, KEPT_MAX).await?;
        for order_id in late {
            let tx = self.platform.db.begin().await?;
            self.inventory.extend(&tx, cx, order_id.as_str(), until).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Flags every order that has been in progress longer than allowed, by product time since it was submitted.
    async fn flag_stuck(&self, cx: &Context) -> Result<Value> {
        let allowed = TimeDelta::from_std(self.platform.config.order_stuck_after).unwrap_or(TimeDelta::MAX);
        let Some(since) = cx.now.checked_sub_signed(allowed) else { return Ok(json!({ "flagged": 0 })) };
        self.keep_reservations(cx, since).await?;
        let mut flagged = 0;
        loop {
            let tx = self.platform.db.begin().await?;
            let orders = store::lock_stuck(&tx, cx, since, BATCH).await?;
            if orders.is_empty() {
                return Ok(json!({ "flagged": flagged }));
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
