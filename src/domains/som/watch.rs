//! What is looked at from time to time: what the network has not confirmed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domains::som::port::NetworkState;
use crate::domains::som::{Service, store};
use crate::platform::error::Result;
use crate::platform::scheduler::Ticks;

const EVERY: Duration = Duration::from_secs(10);

pub(super) fn ticks(service: &Arc<Service>) -> Ticks {
    let service = Arc::clone(service);
    Ticks::default().add("network_watch", Some(EVERY), "system:network_watch", move |_| {
        let service = Arc::clone(&service);
        async move { service.watch_network().await }
    })
}

impl Service {
    /// Counts what the network has not confirmed.
    async fn watch_network(&self) -> Result<Value> {
        let counts = store::network::unconfirmed_counts(&self.platform.db).await?;
        let mut report = json!({});
        for wanted in NetworkState::ALL.map(NetworkState::as_str).into_iter().chain(["policy"]) {
            let waiting = counts.iter().find(|(what, _)| what == wanted).map_or(0, |(_, waiting)| *waiting);
            #[expect(clippy::cast_precision_loss, reason = "a gauge of counts")]
            metrics::gauge!("bss_network_unconfirmed", "wanted" => wanted).set(waiting as f64);
            report[wanted] = json!(waiting);
        }
        Ok(report)
    }
}
