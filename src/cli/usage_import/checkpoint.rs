//! Where an import stands, kept beside its file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::beside;
use crate::cli::error::CliError;

/// How much of a file tells it from others: with CSV the header and many records.
const HEAD_BYTES: u64 = 64 * 1024;

/// A place between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) bytes: u64,
    /// Lines before it.
    pub(super) line: u64,
    /// Records before it.
    pub(super) record: u64,
}

/// What was counted up to the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) read: u64,
    pub(super) rated: u64,
    pub(super) refused: u64,
    pub(super) invalid: u64,
}

impl Tally {
    pub(super) const fn rejected(&self) -> u64 {
        self.refused + self.invalid
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// SHA-256 of the first part of the file, and how long that part was.
    head: String,
    head_bytes: u64,
    pub(super) place: Place,
    pub(super) tally: Tally,
    pub(super) reject_bytes: u64,
}

impl Checkpoint {
    pub(super) fn begin(path: &Path) -> Result<Self, CliError> {
        let (head, head_bytes) = head(path, HEAD_BYTES)?;
        Ok(Self { head, head_bytes, place: Place::default(), tally: Tally::default(), reject_bytes: 0 })
    }

    /// Whole or not at all: a torn one would lose the place.
    pub(super) fn save(&self, path: &Path) -> Result<(), CliError> {
        let (kept, next) = (beside(path, "bss-import"), beside(path, "bss-import.next"));
        let text = serde_json::to_string(self).map_err(|e| CliError::Failed(e.to_string()))?;
        std::fs::write(&next, text)
            .and_then(|()| std::fs::rename(&next, &kept))
            .map_err(|e| CliError::Failed(format!("{} cannot be written: {e}", kept.display())))
    }
}

/// The checkpoint of a former import of this very file; it may have grown since.
pub(super) fn load(path: &Path) -> Result<Option<Checkpoint>, CliError> {
    let Ok(text) = std::fs::read_to_string(beside(path, "bss-import")) else { return Ok(None) };
    let Ok(kept) = serde_json::from_str::<Checkpoint>(&text) else { return Ok(None) };
    let now = head(path, kept.head_bytes)?;
    Ok((now == (kept.head.clone(), kept.head_bytes)).then_some(kept))
}

pub(super) fn remove(path: &Path) -> Result<(), CliError> {
    match std::fs::remove_file(beside(path, "bss-import")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CliError::Failed(format!("the checkpoint of {} cannot be removed: {error}", path.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn head(path: &Path, bytes: u64) -> Result<(String, u64), CliError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes).read_to_end(&mut text))
        .map_err(|e| CliError::Failed(format!("{} cannot be read: {e}", path.display())))?;
    let hash = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hash, text.len() as u64))
}
