//! Revenue: money becomes ours when what was paid for was given.

use super::Service;
use super::model::{Entry, EntryKind};
use super::port::{AttemptId, AttemptStatus};
use super::store::{attempts, journal};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};

impl Service {
    /// See [`Payments::recognise`](super::port::Payments::recognise).
    pub(super) async fn book_revenue(&self, tx: &Tx, cx: &Context, id: &AttemptId) -> Result<()> {
        let attempt = attempts::lock(tx, cx, id).await?.ok_or_else(|| Error::not_found("payment attempt", id))?;
        if attempt.status != AttemptStatus::Approved {
            return Err(Error::Internal(format!("{id} is {} and was to become revenue", attempt.status.as_str())));
        }
        if attempt.amount.is_zero() {
            return Ok(());
        }
        // Booked before; or an operator gives the money back, and it never becomes ours.
        let unless = [EntryKind::Revenue, EntryKind::RefundDue];
        let (entry_id, entry) = (self.platform.ids.uuid(), Entry::revenue(attempt.purpose));
        journal::book_unless(tx, cx, entry_id, &attempt, entry, &unless).await
    }
}
