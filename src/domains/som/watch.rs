//! What is looked at from time to time: what the network has not confirmed, and what it must forget before others may have it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domains::som::port::NetworkState;
use crate::domains::som::{Service, store};
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::scheduler::Ticks;

const EVERY: Duration = Duration::from_secs(10);

/// Orders whose reservation one look extends; more than this is an outage of the network.
const KEPT_MAX: i64 = 1_000;

pub(super) fn ticks(service: &Arc<Service>) -> Ticks {
    let service = Arc::clone(service);
    Ticks::default().add("network_watch", Some(EVERY), "system:network_watch", move |cx| {
        let service = Arc::clone(&service);
        async move { service.watch_network(&cx).await }
    })
}

impl Service {
    /// Counts what the network has not confirmed, and keeps number and profile of an ended order reserved until the network
    /// has forgotten them: their next owner would be cut off with the last one.
    async fn watch_network(&self, cx: &Context) -> Result<Value> {
        let counts = store::unconfirmed_counts(&self.platform.db).await?;
        let mut report = json!({});
        for wanted in NetworkState::ALL {
            let waiting = counts.iter().find(|(state, _)| *state == wanted).map_or(0, |(_, waiting)| *waiting);
            #[expect(clippy::cast_precision_loss, reason = "a gauge of counts")]
            metrics::gauge!("bss_network_unconfirmed", "wanted" => wanted.as_str()).set(waiting as f64);
            report[wanted.as_str()] = json!(waiting);
        }
        let until = cx.now + self.platform.config.reservation_ttl;
        let mut kept = 0;
        for order_id in store::orders_being_taken_back(&self.platform.db, cx, KEPT_MAX).await? {
            let tx = self.platform.db.begin().await?;
            kept += i32::from(self.inventory.extend(&tx, cx, order_id.as_str(), until).await?);
            tx.commit().await?;
        }
        report["reservationsKept"] = json!(kept);
        Ok(report)
    }
}
