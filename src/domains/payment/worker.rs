//! The sweep `payment_recovery`: charges and refunds that nobody is at. Their delivery was lost or parked, the process that
//! held them died, or the gateway did not answer. It asks with the same key, as often as it takes, and never gives up on an
//! unknown outcome.

use std::future::Future;

use futures::StreamExt as _;
use serde::Serialize;

use super::Service;
use super::charge::Visit;
use super::store::leases::{self, Due};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};

/// Rows of one look at the table.
const BATCH: i64 = 64;
/// Looks of one run. What is left comes with the next run.
const LOOKS_MAX: usize = 100;
/// Gateway calls of one run at a time.
const CALLS_AT_ONCE: usize = 16;

/// What one kind of work came to.
#[derive(Debug, Default, Serialize)]
struct Tally {
    /// The answer is in the books.
    settled: u32,
    /// Somebody else had it.
    skipped: u32,
    /// The gateway did not answer; tried again later.
    postponed: u32,
    /// Our own trouble, such as the database; the log says which. Tried again later.
    failed: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    charges: Tally,
    refunds: Tally,
}

impl Service {
    /// Finishes what is due, until nothing is left that can be finished now.
    pub(super) async fn recover(&self, cx: &Context) -> Result<serde_json::Value> {
        let mut report = Report { charges: Tally::default(), refunds: Tally::default() };
        for _ in 0..LOOKS_MAX {
            let due = leases::due_charges(&self.platform.db, BATCH).await?;
            if due.is_empty() {
                break;
            }
            visit_all(cx, due, &mut report.charges, |cx, id| async move { self.charge(&cx, &id.into()).await }).await;
        }
        for _ in 0..LOOKS_MAX {
            let due = leases::due_refunds(&self.platform.db, BATCH).await?;
            if due.is_empty() {
                break;
            }
            visit_all(cx, due, &mut report.refunds, |cx, id| async move { self.give_back(&cx, &id.into()).await })
                .await;
        }
        serde_json::to_value(report).map_err(|e| Error::Internal(e.to_string()))
    }
}

/// Visits each row in its own tenant. A row that was visited is settled, leased or postponed: it is not due again at once.
async fn visit_all<F>(cx: &Context, due: Vec<Due>, tally: &mut Tally, visit: impl Fn(Context, String) -> F)
where
    F: Future<Output = Result<Visit>>,
{
    let visits = futures::stream::iter(due).map(|due| {
        let cx = Context { tenant: due.tenant_id.as_str().into(), ..cx.clone() };
        visit(cx, due.id)
    });
    let mut outcomes = visits.buffer_unordered(CALLS_AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(Visit::Settled) => tally.settled += 1,
            Ok(Visit::NothingToDo) => tally.skipped += 1,
            Ok(Visit::LeftToSweep) | Err(Error::Unavailable { .. }) => tally.postponed += 1,
            Err(error) => {
                tracing::warn!(%error, "a payment could not be finished, will be tried again");
                tally.failed += 1;
            }
        }
    }
}
