//! Periodic work: named ticks, one scheduler. A tick drains what is due in SKIP LOCKED batches until nothing is left, so it
//! may run on every replica, be called by hand (`bss worker tick renewal`) and by tests, all through the same function.
//!
//! The cadence runs on the wall clock; what is due is compared with the product clock where it is a business date.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::platform::clock::Clock;
use crate::platform::context::Context;
use crate::platform::db::{Db, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids::Ids;

type TickFuture = Pin<Box<dyn Future<Output = Result<Value>> + Send>>;
type TickFn = Box<dyn Fn(Context) -> TickFuture + Send + Sync>;

struct Tick {
    /// None: only by hand.
    every: Option<Duration>,
    actor: &'static str,
    run: TickFn,
}

/// How long a run may take. The longest, the renewals of a month's first day, take minutes; what has not ended after this long
/// waits for something that is gone.
const RUN_MAX: Duration = Duration::from_secs(3_600);

/// The ticks of all domains, by name.
#[derive(Default)]
pub struct Ticks {
    by_name: BTreeMap<&'static str, Tick>,
}

impl std::fmt::Debug for Ticks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

impl Ticks {
    /// Adds a tick. `actor` is who its writes name (`system:renewal_worker`); its report is what `bss worker tick` prints.
    #[must_use]
    pub fn add<F, R>(mut self, name: &'static str, every: Option<Duration>, actor: &'static str, run: F) -> Self
    where
        F: Fn(Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value>> + Send + 'static,
    {
        let run: TickFn = Box::new(move |cx| Box::pin(run(cx)));
        let former = self.by_name.insert(name, Tick { every, actor, run });
        assert!(former.is_none(), "two ticks are called {name}");
        self
    }

    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.by_name.extend(other.by_name);
        self
    }
}

/// What is known of a tick's last run, on whichever replica.
#[derive(Debug, Clone, Serialize, FromQueryResult, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TickView {
    pub name: String,
    pub last_started_at: Option<DateTime<Utc>>,
    pub last_finished_at: Option<DateTime<Utc>>,
    pub last_report: Option<Value>,
    pub last_error: Option<String>,
}

/// Runs ticks, on time and on demand.
#[derive(Debug)]
pub struct Scheduler {
    db: Db,
    clock: Clock,
    ids: Ids,
    ticks: Ticks,
}

impl Scheduler {
    pub const fn new(db: Db, clock: Clock, ids: Ids, ticks: Ticks) -> Self {
        Self { db, clock, ids, ticks }
    }

    /// Starts one loop per tick; they end when `stop` is cancelled, and for no other reason: a run that fails or panics is
    /// followed by the next one on time.
    pub fn start(self: &Arc<Self>, stop: &CancellationToken, tasks: &TaskTracker) {
        for (name, tick) in &self.ticks.by_name {
            let Some(every) = tick.every else { continue };
            let (scheduler, stop, name) = (Arc::clone(self), stop.clone(), *name);
            tasks.spawn(async move {
                loop {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(every) => {}
                    }
                    if let Err(error) = scheduler.run(name).await {
                        tracing::warn!(tick = name, %error, "tick failed, next one on time");
                    }
                }
            });
        }
    }

    /// Runs a tick now and answers its report.
    pub async fn run(&self, name: &str) -> Result<Value> {
        let Some((name, tick)) = self.ticks.by_name.get_key_value(name) else {
            return Err(Error::not_found("tick", name));
        };
        let cx = Context::system(tick.actor, self.ids.uuid().to_string(), self.clock.now().await?);
        self.note(sql!(
            "insert into platform.tick (name, last_started_at) values ($1, clock_timestamp())
             on conflict (name) do update set last_started_at = excluded.last_started_at",
            *name
        ))
        .await;
        let run = tokio::time::timeout(RUN_MAX, async { (tick.run)(cx).await });
        let run =
            run.map(|ended| ended.unwrap_or_else(|_| Err(Error::unavailable("The tick did not end within an hour"))));
        let outcome = AssertUnwindSafe(run).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| {
            // The panic hook has said where.
            tracing::error!(tick = *name, "tick panicked");
            Err(Error::Internal(format!("the tick {name} panicked; the log of this process says where")))
        });
        let (report, error) = match &outcome {
            Ok(report) => (Some(report.clone()), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.note(sql!(
            "update platform.tick set last_finished_at = clock_timestamp(), last_report = coalesce($2, last_report), last_error = $3
             where name = $1",
            *name,
            report,
            error
        ))
        .await;
        outcome
    }

    async fn note(&self, statement: sea_orm::Statement) {
        if let Err(error) = execute(self.db.connection(), statement).await {
            tracing::debug!(%error, "run of a tick not noted");
        }
    }

    /// All ticks, with their last run.
    pub async fn list(&self) -> Result<Vec<TickView>> {
        let names: Vec<String> = self.ticks.by_name.keys().map(ToString::to_string).collect();
        let statement = sql!(
            "select n.name, t.last_started_at, t.last_finished_at, t.last_report, t.last_error
             from unnest($1::text[]) as n (name) left join platform.tick t using (name) order by n.name",
            names
        );
        Ok(TickView::find_by_statement(statement).all(self.db.connection()).await?)
    }
}
