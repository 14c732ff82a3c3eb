//! Wake-ups: in-process first, one coalesced `NOTIFY` for other replicas, and a poll as the net.
//!
//! A wake-up is a hint. Losing one costs a poll interval, never a delivery.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// The channel that replicas listen on.
pub(super) const CHANNEL: &str = "bss_delivery";

/// The net below the wake-ups.
pub const POLL: Duration = Duration::from_millis(250);

#[derive(Debug, Clone)]
pub struct Wake {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Moves on whenever there may be deliveries to claim; each waiter remembers what it has seen, so none is lost between
    /// two waits.
    work: watch::Sender<u64>,
    /// Moves on with that, and with each delivery that ends here: for those who wait for an outcome.
    outcomes: watch::Sender<u64>,
    /// For the one task that tells the other replicas.
    local: Notify,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                work: watch::Sender::new(0),
                outcomes: watch::Sender::new(0),
                local: Notify::new(),
            }),
        }
    }
}

impl Wake {
    /// Something was committed here that workers, here or elsewhere, wait for.
    pub fn staged(&self) {
        self.inner.local.notify_one();
        self.heard();
    }

    /// Another replica says that something was committed.
    pub fn heard(&self) {
        self.inner.work.send_modify(|generation| *generation = generation.wrapping_add(1));
        self.ended();
    }

    /// A delivery ended here. What it staged was told by its commit; there is nothing more to claim.
    pub(super) fn ended(&self) {
        self.inner.outcomes.send_modify(|generation| *generation = generation.wrapping_add(1));
    }

    /// A waiter for outcomes, which sees every wake-up from now on.
    pub fn waiter(&self) -> Waiter {
        Waiter { seen: self.inner.outcomes.subscribe() }
    }

    /// A waiter for deliveries to claim.
    pub(super) fn claimer(&self) -> Waiter {
        Waiter { seen: self.inner.work.subscribe() }
    }

    /// Returns when something was committed here since the last call.
    pub(super) async fn staged_here(&self) {
        self.inner.local.notified().await;
    }
}

/// See [`Wake::waiter`].
#[derive(Debug)]
pub struct Waiter {
    seen: watch::Receiver<u64>,
}

impl Waiter {
    /// Waits for a wake-up, at most `longest`.
    pub async fn wait(&mut self, longest: Duration) {
        // The sender lives as long as the database handle; its end is a shutdown, where waiting on is harmless.
        let _ = tokio::time::timeout(longest, self.seen.changed()).await;
    }
}
