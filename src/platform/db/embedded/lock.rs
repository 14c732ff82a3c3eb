//! File locks (`flock`). The kernel lets go of them when their last holder is gone, however it went.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{EmbeddedError, error::at};

/// Longer than the deadlines within a first start together, so that waiting longer means that somebody hangs.
const PATIENCE: Duration = Duration::from_secs(150);
const POLL: Duration = Duration::from_millis(5);

/// Waits for the lock, held until the file is dropped.
pub(super) async fn exclusive(path: &Path) -> Result<File, EmbeddedError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(held) = try_exclusive(path)? {
            return Ok(held);
        }
        if Instant::now() > deadline {
            return Err(EmbeddedError::Busy { lock: path.to_owned(), seconds: PATIENCE.as_secs() });
        }
        sleep(POLL).await;
    }
}

/// Takes the lock unless anybody holds it, shared or not.
pub(super) fn try_exclusive(path: &Path) -> Result<Option<File>, EmbeddedError> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(at("lock", path)(error)),
    }
}

/// Takes the lock beside others that share it. Blocks only while it is held exclusively, which callers rule out.
pub(super) fn shared(path: &Path) -> Result<File, EmbeddedError> {
    let file = open(path)?;
    file.lock_shared().map_err(at("lock", path))?;
    Ok(file)
}

fn open(path: &Path) -> Result<File, EmbeddedError> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(at("open", path))
}
