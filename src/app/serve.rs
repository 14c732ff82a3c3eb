//! `bss serve`: the whole product in one process, from the first line to a clean end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::compose::{self, App};
use crate::app::error::StartError;
use crate::app::metrics::{self, Metrics};
use crate::app::open::{self, Opened, Prepare};
use crate::app::openapi;
use crate::app::signals::Signals;
use crate::platform::config::Config;
use crate::platform::crash;
use crate::platform::db::embedded::{Cluster, EmbeddedError};
use crate::platform::delivery::{Concurrency, Runner, run_workers};
use crate::platform::http::connections::{self, Bounds};
use crate::platform::http::gates::Gates;
use crate::platform::http::{Edge, Limits, health, layers};
use crate::platform::perimeter::TokenMap;
use crate::platform::{Platform, clock, partitions, replica, telemetry, trace};

/// How long requests and deliveries in work may take to end after a signal; the private cluster stops after that.
const DRAIN: Duration = Duration::from_millis(2_500);

/// How long the connections may then take. One that waits for a database which does not answer never ends.
const CLOSE: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT, then drains and stops.
pub async fn serve(config: Config, environment: &BTreeMap<String, String>) -> Result<(), StartError> {
    let started = Instant::now();
    let mut signals = Signals::install()?;
    let mut telemetry = telemetry::start(&config.log, config.traces);
    if let Some(place) = config.crash_point.clone() {
        let of_nobody = |name: &String| !compose::subscribers().names().any(|known| known == name);
        if let Some(name) = place.subscriber.as_ref().filter(|name| of_nobody(name)) {
            return Err(StartError::CrashPoint(name.clone()));
        }
        tracing::warn!(?place, "a crash point is armed");
        crash::arm(place);
    }
    let metrics = metrics::install();
    let Opened { platform, cluster } = open::open(config, environment, Prepare::Serve, signals.asked()).await?;
    let segments = telemetry.segments.take();
    // Whether it serves or cannot start: nothing is left behind.
    let served = async {
        open::require_hash_key(&platform.config)?;
        let running = start(&platform, metrics).await?;
        if let Some(segments) = segments {
            running.tasks.spawn(trace::keep(platform.db.clone(), segments, running.stop.clone()));
        }
        announce(&platform, running.api_addr, started);
        let lost = tokio::select! {
            () = signals.asked() => None,
            error = keep(cluster.as_ref()) => Some(error),
        };
        tracing::info!("stopping");
        running.stop().await;
        lost.map_or(Ok(()), |error| Err(error.into()))
    }
    .await;
    if tokio::time::timeout(CLOSE, platform.db.close()).await.is_err() {
        tracing::warn!("some connections to the database did not end in time");
    }
    if let Some(cluster) = cluster {
        cluster.stop().await?;
    }
    telemetry.shutdown();
    served
}

/// Looks after the private cluster, if it is that one; returns when it is lost, and whoever looks after us may try anew.
async fn keep(cluster: Option<&Cluster>) -> EmbeddedError {
    match cluster {
        Some(cluster) => cluster.keep().await,
        None => std::future::pending().await,
    }
}

/// A process at work; tests start one in-process as `serve` does.
#[derive(Debug)]
pub struct Running {
    pub app: App,
    /// Where the API listens; None for a pure worker.
    pub api_addr: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Starts listeners, workers and ticks as the role says.
pub async fn start(platform: &Platform, metrics: Metrics) -> Result<Running, StartError> {
    let config = &platform.config;
    let tokens: Vec<(String, String)> =
        config.tokens.iter().map(|(name, secret)| (name.clone(), secret.reveal().to_owned())).collect();
    let tokens = TokenMap::new(&tokens, &config.grants).map_err(StartError::Perimeter)?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    // Before anything works: a process that cannot listen has done nothing.
    let listener = if config.role.serves() { Some(listen(config.api_addr).await?) } else { None };
    // The first row of a month must find its partition.
    partitions::ensure(&platform.db, clock::wall()).await?;
    let app = compose::app(platform)?;
    // Before the first claim: leases of a process that is not alive are taken away.
    replica::renew(&platform.db, platform.boot_id, config.role.as_str()).await?;
    tasks.spawn(replica::keep_alive(platform.db.clone(), platform.boot_id, config.role.as_str(), stop.clone()));
    if config.role.works() {
        let runner = Runner::new(platform.db.clone(), platform.boot_id, platform.clock.clone(), app.handlers());
        let runner = Arc::new(runner.with_chaos(config.chaos));
        run_workers(&runner, Concurrency::default(), &stop, &tasks);
        app.services.scheduler.start(&stop, &tasks);
    }
    let subscriptions = Arc::clone(&app.services.subscriptions);
    tasks.spawn(metrics::observe(platform.clone(), subscriptions, stop.clone()));
    let api_addr = if let Some(listener) = listener {
        let addr = listener.local_addr().map_err(|source| StartError::Listen { addr: config.api_addr, source })?;
        let router = api(&app, tokens, platform, metrics);
        let gates = Gates::new(app.gates(), platform.ids.clone());
        tasks.spawn(connections::serve(listener, router, gates, Bounds::default(), stop.clone()));
        Some(addr)
    } else {
        None
    };
    Ok(Running { app, api_addr, stop, tasks })
}

/// Everything that the API serves, inside the layer that guards it: only who shows one of these tokens gets through.
pub fn api(app: &App, tokens: TokenMap, platform: &Platform, metrics: Metrics) -> Router {
    let edge = Arc::new(Edge::new(tokens, platform.clock.clone(), platform.ids.clone(), Limits::default()));
    app.router()
        .merge(openapi::router(&openapi::document(&app.registry)))
        .merge(metrics.router())
        .merge(health::router(platform.db.clone()))
        .layer(middleware::from_fn_with_state(edge, layers::guard))
}

async fn listen(addr: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr).await.map_err(|source| StartError::Listen { addr, source })
}

impl Running {
    /// Takes no more work, lets what is in work end, and returns.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            // Nothing is lost: leases end and somebody claims again.
            tracing::warn!("some work did not end in time and will be taken up again");
        }
    }
}

/// One line per listener on standard output, for people and for scripts that wait for it.
#[expect(clippy::print_stdout, reason = "the start summary is the command's answer")]
fn announce(platform: &Platform, api_addr: Option<SocketAddr>, started: Instant) {
    let config = &platform.config;
    let database = if config.database.url.is_some() { "given database" } else { "private cluster" };
    if let Some(addr) = api_addr {
        // Where it listens, which is not what was asked for when that was any free port.
        println!(
            "bss api ready on http://{addr} ({} ms, {database}, {})",
            started.elapsed().as_millis(),
            config.data_dir.display()
        );
        if !addr.ip().is_loopback() {
            tracing::warn!(%addr, "the API listens beyond this machine; put TLS in front of it");
        }
    }
    if config.role.works() {
        println!("bss workers ready");
    }
    println!(
        "try: bss customer create --name 'Ada Lovelace' --email ada@example.test --card visa   (in another terminal)"
    );
}
