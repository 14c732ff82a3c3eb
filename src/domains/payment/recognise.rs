//! Revenue: money becomes ours when what was paid for was given.

use super::Service;
use super::model::{Entry, EntryKind};
use super::port::{AttemptId, AttemptStatus};
use super::store::attempts;
use super::store::journal::{self, Booked};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};

impl Service {
    /// See [`Payments::recognise`](super::port::Payments::recognise). The attempts are distinct.
    pub(super) async fn book_revenue(&self, tx: &Tx, cx: &Context, ids: &[AttemptId]) -> Result<()> {
        let attempts = attempts::lock_all(tx, cx, ids).await?;
        if let Some(missing) = ids.iter().find(|id| !attempts.iter().any(|attempt| attempt.id == **id)) {
            return Err(Error::not_found("payment attempt", missing));
        }
        if let Some(other) = attempts.iter().find(|attempt| attempt.status != AttemptStatus::Approved) {
            return Err(Error::Internal(format!(
                "{} is {} and was to become revenue",
                other.id,
                other.status.as_str()
            )));
        }
        let costly = attempts.iter().filter(|attempt| !attempt.amount.is_zero());
        let booked: Vec<Booked<'_>> = costly
            .map(|attempt| Booked {
                entry_id: self.platform.ids.uuid(),
                attempt,
                entry: Entry::revenue(attempt.purpose),
            })
            .collect();
        if booked.is_empty() {
            return Ok(());
        }
        // Booked before; or an operator gives the money back, and it never becomes ours.
        journal::book_all(tx, cx, &booked, &[EntryKind::Revenue, EntryKind::RefundDue]).await
    }
}
