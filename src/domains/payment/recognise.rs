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
        let nothing_to_book = attempt.amount.is_zero()
            || journal::has(tx, cx, id, EntryKind::Revenue).await?
            // An operator gives the money back: it never becomes ours.
            || journal::has(tx, cx, id, EntryKind::RefundDue).await?;
        if nothing_to_book {
            return Ok(());
        }
        self.book(tx, cx, &attempt, Entry::revenue(attempt.purpose)).await
    }
}
