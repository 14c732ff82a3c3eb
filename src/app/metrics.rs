//! Prometheus metrics at `/metrics`, and the gauges that somebody has to look up.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use crate::domains::subscription::port::Subscriptions;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::db::Db;
use crate::platform::delivery::parked;
use crate::platform::error::Result;
use crate::platform::http::{ApiError, Reader};

/// How often the queue is looked at.
const INTERVAL: Duration = Duration::from_secs(5);

/// Seconds; from a quick read to the request time-out.
const BUCKETS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// The recorder of this process.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

/// Installs the recorder, once per process.
pub fn install() -> Metrics {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), BUCKETS)
            .expect("the list of buckets is not empty");
        builder.install_recorder().expect("no other recorder is installed")
    });
    Metrics { handle: handle.clone() }
}

impl Metrics {
    /// `GET /metrics`, for identities that may read.
    pub fn router(self) -> Router {
        Router::new().route("/metrics", get(move |_: Reader| async move { Ok::<_, ApiError>(self.handle.render()) }))
    }
}

/// Keeps the gauges of queue and renewals current and the recorder's buckets from growing.
pub async fn observe(platform: Platform, subscriptions: Arc<dyn Subscriptions>, stop: CancellationToken) {
    let metrics = install();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        metrics.handle.run_upkeep();
        metrics::gauge!("bss_db_connections").set(f64::from(platform.db.size()));
        // What cannot be looked up now keeps its last value: the database is away, which /health/ready says.
        let _ = observe_queue(&platform.db).await;
        let _ = observe_renewals(&platform, &*subscriptions).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges of counts")]
async fn observe_queue(db: &Db) -> Result<()> {
    let depths = parked::depth(db).await?;
    for consumer in db.subscribers().names() {
        let depth = depths.iter().find(|depth| depth.consumer == consumer);
        let (pending, parked) = depth.map_or((0, 0), |depth| (depth.pending, depth.parked));
        let oldest = depth.and_then(|depth| depth.oldest_pending_seconds).unwrap_or(0.0);
        metrics::gauge!("bss_consumer_pending", "consumer" => consumer).set(pending as f64);
        metrics::gauge!("bss_consumer_parked", "consumer" => consumer).set(parked as f64);
        metrics::gauge!("bss_consumer_oldest_pending_seconds", "consumer" => consumer).set(oldest);
    }
    let (mut pending, mut parked, mut oldest) = (0, 0, 0.0_f64);
    for depth in depths {
        pending += depth.pending;
        parked += depth.parked;
        oldest = oldest.max(depth.oldest_pending_seconds.unwrap_or(0.0));
    }
    metrics::gauge!("bss_queue_pending").set(pending as f64);
    metrics::gauge!("bss_queue_parked").set(parked as f64);
    metrics::gauge!("bss_queue_oldest_pending_seconds").set(oldest);
    db.vitals().counted(Duration::try_from_secs_f64(oldest).unwrap_or_default());
    Ok(())
}

/// The renewals of all replicas, as each of them sees them.
#[expect(clippy::cast_precision_loss, reason = "gauges of counts")]
async fn observe_renewals(platform: &Platform, subscriptions: &dyn Subscriptions) -> Result<()> {
    let now = platform.clock.now().await?;
    let cx = Context::system("system:metrics", platform.ids.uuid().to_string(), now);
    let progress = subscriptions.renewal_progress(&cx).await?;
    metrics::gauge!("bss_renewals_due").set(progress.due as f64);
    metrics::gauge!("bss_renewals_under_way").set(progress.under_way as f64);
    let behind = progress.due_since.map_or(0, |since| (now - since).num_seconds());
    metrics::gauge!("bss_renewals_oldest_due_seconds").set(behind as f64);
    Ok(())
}
