//! Mediation: usage events as the network reports them, one answer each, durable when it is given.
//!
//! Invariants:
//! - Every well-formed event of a known line leaves one row with its answer: rated, or refused by a rule.
//! - A source and external id count once per line, within the window of the keys (45 days); a replay gets the stored answer.
//! - What an event takes off a balance is written in the same transaction as the event; data that reaches zero blocks the
//!   line there and then.
//!
//! Not here: what an event costs (`rating`, pure), the lines and their balances (`subscription`, through the set-based half
//! of its port).

mod audit;
mod batch;
mod batcher;
mod consumption;
mod explain;
mod http;
mod model;
mod policy;
pub mod port;
mod retention;
mod store;
mod strangers;
mod thresholds;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use crate::domains::subscription::port::lines_of_number;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::{Error, Result};
use crate::platform::gather::ById;
use crate::platform::scheduler::Ticks;

pub use audit::CHECKS;
use batcher::Batcher;
pub use consumption::Consumption;
pub use http::{gate, router};
use model::NewUsage;
use port::{Mediation, Recorded, UsageExplanation, UsageFilter, UsageId, UsageView};
use store::UsageRow;

/// Mediation subscribes to nothing: usage is answered while the caller waits.
pub const fn subscribe(subscribers: Subscribers) -> Subscribers {
    subscribers
}

/// Usage over its tables and its batcher.
#[derive(Debug)]
pub struct Service {
    platform: Platform,
    batcher: Batcher,
    by_id: ById<UsageId, UsageRow>,
}

impl Service {
    /// Starts the batcher's lanes, which end with the service. Call inside a runtime.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(platform: Platform) -> std::io::Result<Self> {
        let batcher = Batcher::start(&platform)?;
        let db = platform.db.clone();
        let by_id = ById::by_id(move |tenant, ids| store::usages(db.clone(), tenant, ids));
        Ok(Self { platform, batcher, by_id })
    }

    pub fn handlers(self: &Arc<Self>) -> Handlers {
        Handlers::default()
    }

    /// `usage_keys` forgets the keys that are past the replay window.
    pub fn ticks(self: &Arc<Self>) -> Ticks {
        let service = Arc::clone(self);
        Ticks::default().add("usage_keys", Some(Duration::from_secs(3600)), "system:usage_keys", move |_| {
            let service = Arc::clone(&service);
            async move { Ok(json!({ "purged": store::purge_keys(&service.platform.db).await? })) }
        })
    }
}

#[async_trait]
impl Mediation for Service {
    async fn record(&self, cx: &Context, mut usage: NewUsage) -> Result<UsageView> {
        // An Idempotency-Key is what an external id is for: the same request again gets the stored answer.
        if let (None, Some(request)) = (&usage.external_id, &cx.idempotency) {
            usage.external_id = Some(request.key().to_owned());
        }
        self.batcher.submit_online(cx, usage).await
    }

    async fn record_all(&self, cx: &Context, usage: Vec<NewUsage>) -> Vec<Recorded> {
        // In their order: those of one line share a lane, which keeps it.
        futures::future::join_all(usage.into_iter().map(|usage| self.batcher.submit(cx, usage))).await
    }

    async fn explain(&self, cx: &Context, id: &UsageId) -> Result<UsageExplanation> {
        self.explained(cx, id).await
    }

    async fn usage(&self, cx: &Context, id: &UsageId) -> Result<UsageView> {
        let row = self.by_id.ask((Arc::clone(&cx.tenant), id.clone())).await?;
        row.ok_or_else(|| Error::not_found("usage", id))?.view()
    }

    async fn history(&self, cx: &Context, filter: UsageFilter) -> Result<Vec<UsageView>> {
        let lines = match (&filter.subscription_id, &filter.msisdn) {
            (Some(id), _) => Some(vec![id.as_str().to_owned()]),
            (None, Some(msisdn)) => {
                let mut connection = self.platform.db.pool().acquire().await?;
                Some(lines_of_number(&mut connection, &cx.tenant, msisdn).await?)
            }
            (None, None) => None,
        };
        let rows = store::history(&self.platform.db, cx, &filter, lines).await?;
        rows.into_iter().map(store::UsageRow::view).collect()
    }
}
