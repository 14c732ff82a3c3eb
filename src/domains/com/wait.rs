//! Waiting for an order's state: one request instead of many.

use std::time::Duration;

use tokio::time::Instant;

use crate::domains::com::port::{OrderView, WaitUntilOrder};
use crate::domains::com::{Service, policy, store, view};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};

/// The net below the wake-ups, which reach only waiters in the process where the work was done.
const POLL: Duration = Duration::from_millis(50);

/// Wake-ups come with every delivery of every order. Reading at each would cost as much as the work itself when many wait, so
/// the least pause between two reads grows with the time already waited: an eighth of it, within these bounds.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(100);

impl Service {
    /// See [`Orders::wait_until`](crate::domains::com::port::Orders::wait_until).
    pub(super) async fn wait_until_state(&self, cx: &Context, query: &WaitUntilOrder) -> Result<OrderView> {
        if !(1..=60).contains(&query.timeout_seconds) {
            return Err(Error::invalid("/timeoutSeconds", "must be 1 to 60"));
        }
        let started = Instant::now();
        let deadline = cx.deadline.min(started + Duration::from_secs(query.timeout_seconds.into()));
        let mut waiter = self.platform.db.wake().waiter();
        loop {
            let state = store::state(self.platform.db.connection(), cx, &query.order_id).await?;
            if state == query.state || state.is_terminal() {
                let connection = self.platform.db.connection();
                let order = store::find(connection, cx, &query.order_id).await?;
                // An order can move on between the two reads, but never out of a terminal state.
                if order.state == query.state || order.state.is_terminal() {
                    return Ok(policy::waited(view::one(connection, cx, order).await?, query.state)?);
                }
            }
            let now = Instant::now();
            if now >= deadline {
                let mut context = serde_json::Map::new();
                context.insert("orderId".into(), query.order_id.as_str().into());
                context.insert("state".into(), state.as_str().into());
                let message = format!("The order is still {}; wait again", state.as_str());
                return Err(Error::Unavailable { message, context });
            }
            let left = deadline - now;
            tokio::time::sleep(((now - started) / 8).clamp(PAUSE_MIN, PAUSE_MAX).min(left)).await;
            waiter.wait(POLL.min(deadline.saturating_duration_since(Instant::now()))).await;
        }
    }
}
