//! Taking leave of the mock gateway: its tokens mean nothing to another one, so the cards behind them are invalidated before
//! the switch, and their customers have time to add a card again.
//!
//! There may be as many cards as customers. They go in batches, each its own transaction with an event per card: a crash
//! leaves whole batches behind, and the operation asked again goes on with the rest.

use std::time::Duration;

use tokio::time::Instant;

use super::Service;
use super::events::{MethodDefaultChanged, MethodInvalidated};
use super::methods::name;
use super::model::Method;
use super::port::{CutoverPreview, CutoverView, PreviewCutover};
use super::store::methods;
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::{crash, outbox, page};

/// Customers whose cards go in one transaction; each of them is locked.
const BATCH: u32 = 500;

/// Most ids that an answer names.
const IDS_MAX: usize = 1_000;

/// What a batch and the answer after it may take: none is begun with less time left.
const MARGIN: Duration = Duration::from_secs(1);

impl Service {
    /// See [`Payments::preview_cutover`](super::port::Payments::preview_cutover).
    pub(super) async fn cutover_candidates(&self, cx: &Context, query: PreviewCutover) -> Result<CutoverPreview> {
        page::within(query.limit, 1_000, query.offset)?;
        let db = &self.platform.db;
        Ok(CutoverPreview {
            candidate_count: methods::count_mock(db, cx).await?,
            candidate_ids: methods::mock_ids(db, cx, query.limit, query.offset).await?,
        })
    }

    /// See [`Payments::cutover`](super::port::Payments::cutover).
    pub(super) async fn invalidate_mock_cards(&self, cx: &Context) -> Result<CutoverView> {
        let mut view = CutoverView { invalidated_count: 0, invalidated_ids: Vec::new(), left: 0 };
        while Instant::now() + MARGIN < cx.deadline {
            let invalidated = self.invalidate_batch(cx).await?;
            if invalidated.is_empty() {
                return Ok(view);
            }
            view.invalidated_count += invalidated.len() as u64;
            let room = IDS_MAX.saturating_sub(view.invalidated_ids.len());
            view.invalidated_ids.extend(invalidated.into_iter().take(room).map(|method| method.id));
        }
        view.left = methods::count_mock(&self.platform.db, cx).await?;
        Ok(view)
    }

    async fn invalidate_batch(&self, cx: &Context) -> Result<Vec<Method>> {
        let tx = self.platform.db.begin().await?;
        let customers = methods::customers_of_mock(&tx, cx, BATCH).await?;
        if customers.is_empty() {
            return Ok(Vec::new());
        }
        methods::lock_customers(&tx, cx, customers.iter()).await?;
        let invalidated = methods::expire_mock(&tx, cx, &customers).await?;
        let events: Vec<MethodInvalidated<'_>> = invalidated.iter().map(Into::into).collect();
        outbox::stage_all(&tx, cx, &events).await?;
        let successors = methods::make_newest_default(&tx, cx, &customers).await?;
        let events: Vec<MethodDefaultChanged<'_>> = successors.iter().map(Into::into).collect();
        outbox::stage_all(&tx, cx, &events).await?;
        let note = |method: &Method| {
            let summary = format!("Card invalidated: {}; the payment gateway is changed", name(method));
            (method.customer_id.clone(), summary)
        };
        let notes: Vec<_> = invalidated.iter().map(note).collect();
        self.customers.note_all(&tx, cx, Direction::Internal, &notes).await?;
        crash::point("payment.card.before_commit");
        tx.commit().await?;
        crash::point("payment.card.after_commit");
        Ok(invalidated)
    }
}
