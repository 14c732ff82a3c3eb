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
    /// Moves on at every wake-up; each waiter remembers what it has seen, so none is lost between two waits.
    generation: watch::Sender<u64>,
    /// For the one task that tells the other replicas.
    local: Notify,
}

impl Default for Wake {
    fn default() -> Self {
        Self { inner: Arc::new(Inner { generation: watch::Sender::new(0), local: Notify::new() }) }
    }
}

impl Wake {
    /// Something was committed here that workers, here or elsewhere, wait for.
    pub fn staged(&self) {
        self.inner.local.notify_one();
        self.heard();
    }

    /// Another replica, or a delivery that ended here, says that something changed.
    pub fn heard(&self) {
        self.inner.generation.send_modify(|generation| *generation = generation.wrapping_add(1));
    }

    /// A waiter that sees every wake-up from now on.
    pub fn waiter(&self) -> Waiter {
        Waiter { seen: self.inner.generation.subscribe() }
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
