//! The sweep over orders that do not end. Those in progress for too long it flags, once each, and repairs nothing: that is
//! decided by people. Those that nobody submits it cancels: nothing was taken for them, and a price is not promised for ever.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;

use crate::domains::com::events::OrderStuck;
use crate::domains::com::{Service, store};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::scheduler::Ticks;
use crate::platform::{crash, outbox};

/// Orders per transaction.
const BATCH: i64 = 100;

pub(super) fn ticks(service: &Arc<Service>) -> Ticks {
    let every = service.platform.config.reconciliation_tick;
    let service = Arc::clone(service);
    Ticks::default().add("stuck_orders", every, "system:reconciliation", move |cx| {
        let service = Arc::clone(&service);
        async move {
            let expired = service.expire_unsubmitted(&cx).await?;
            let flagged = service.flag_stuck(&cx).await?;
            Ok(json!({ "flagged": flagged, "expired": expired }))
        }
    })
}

impl Service {
    /// Cancels every order that was acknowledged longer ago than allowed, by product time.
    async fn expire_unsubmitted(&self, cx: &Context) -> Result<u64> {
        let Some(within) = self.platform.config.order_submit_within else { return Ok(0) };
        let within = TimeDelta::from_std(within).unwrap_or(TimeDelta::MAX);
        let Some(before) = cx.now.checked_sub_signed(within) else { return Ok(0) };
        let reason = format!("not submitted within {} hours", within.num_hours());
        let mut expired = 0;
        loop {
            let tx = self.platform.db.begin().await?;
            let orders = store::lock_unsubmitted(&tx, cx, before, BATCH).await?;
            if orders.is_empty() {
                return Ok(expired);
            }
            for order in orders {
                self.call_off(&tx, cx, order, &reason, Direction::Internal).await?;
                expired += 1;
            }
            crash::point("order.expire.before_commit");
            tx.commit().await?;
            crash::point("order.expire.after_commit");
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
            crash::point("order.flag.before_commit");
            tx.commit().await?;
            crash::point("order.flag.after_commit");
        }
    }
}
