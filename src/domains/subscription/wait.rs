//! Waiting for the outcome of a charge that was booked here and is made elsewhere.

use std::time::Duration;

use tokio::time::Instant;

use super::Service;
use crate::domains::payment::port::AttemptId;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};

/// Longest pause between two looks, should a wake-up be lost.
const LOOK: Duration = Duration::from_millis(50);

/// Wake-ups come with every delivery. The least pause between two looks grows with the time already waited: an eighth of it,
/// within these bounds.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(100);

impl Service {
    /// Looks until `look` finds an outcome; None at the caller's deadline. While the database is away there is no outcome.
    pub(super) async fn settled<T, F>(&self, cx: &Context, look: impl Fn() -> F) -> Result<Option<T>>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let mut waiter = self.platform.db.wake().waiter();
        let started = Instant::now();
        loop {
            match look().await {
                Ok(Some(outcome)) => return Ok(Some(outcome)),
                Ok(None) => {}
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            let left = cx.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            tokio::time::sleep((started.elapsed() / 8).clamp(PAUSE_MIN, PAUSE_MAX).min(left)).await;
            waiter.wait(left.min(LOOK)).await;
        }
    }
}

/// The charge is under way and will be settled; the caller can ask again.
pub(super) fn payment_pending(attempt_id: Option<&AttemptId>) -> Error {
    let context = attempt_id.map(|id| ("paymentAttemptId".to_owned(), id.as_str().into())).into_iter().collect();
    Error::Unavailable { message: "payment pending".into(), context }
}
