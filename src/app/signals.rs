//! The signals that ask a process to end in an orderly way. Installed before anything is started that has to be stopped.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::error::StartError;

/// SIGTERM and SIGINT, from the moment on when they were installed: until then they end the process as it stands.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Call inside the runtime.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub(super) fn install() -> Result<Self, StartError> {
        let of = |kind| signal(kind).map_err(|source| StartError::Io { what: "signal handling", source });
        Ok(Self { terminate: of(SignalKind::terminate())?, interrupt: of(SignalKind::interrupt())? })
    }

    /// Ends when one of them has come, or had come before.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
