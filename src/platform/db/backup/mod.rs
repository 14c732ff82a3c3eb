//! Backup of a whole database into one file, and its way back.
//!
//! A file is a tar of two members: `database.dump`, what `pg_dump` wrote in its custom format, and `manifest.json`, which
//! says of what version it is and how many rows each table had in the dump's own snapshot. `tar` and `pg_restore` alone can
//! bring the data back; this room adds the proof that all of it came back.
//!
//! A restore fills a fresh database beside the old one ([`mod@load`]) and takes the old one's name at the very end ([`mod@swap`]), so
//! that one that fails has changed nothing. Where no other database can be made, an empty one is filled itself, and emptied
//! again when what came back does not stand the test. Between the two, the composition root migrates and checks the books.
//!
//! Not here: secrets of the installation (`tokens.env`), the mailbox file, what a gateway or a network outside remembers.

mod address;
mod archive;
mod error;
mod load;
mod snapshot;
mod swap;
mod take;
mod target;
mod tools;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::archive::Backup;
pub use self::error::BackupError;
pub use self::load::{Fresh, load, settle};
pub use self::swap::{Placed, discard, swap};
pub use self::take::take;
pub use self::target::{Target, look};

/// The layout of the file that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// A database that can be reached, and where PostgreSQL's own programs may be.
#[derive(Clone)]
pub struct Place {
    /// As for the pool, password included.
    pub url: String,
    /// Searched first for `pg_dump` and `pg_restore`; then `PATH` and `/usr/lib/postgresql/*/bin`.
    pub programs: Option<PathBuf>,
}

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Layout of the file.
    pub format: u32,
    /// The `bss` that made it.
    pub bss_version: String,
    /// The newest migration that the database had seen.
    pub schema_version: String,
    /// All of them.
    pub migrations: Vec<String>,
    /// The instant of the snapshot, by the database's clock.
    pub taken_at: DateTime<Utc>,
    /// Name of the database.
    pub database: String,
    /// Major version of the server.
    pub postgres_major: u32,
    /// Major version of the `pg_dump` that wrote it: an older `pg_restore` cannot read it.
    pub pg_dump_major: u32,
    /// Tells whether two installations hash document numbers alike, without telling the key.
    pub kyc_key_fingerprint: Option<String>,
    /// Roles beside the owner that were granted something.
    pub grantees: Vec<String>,
    /// Rows of each table in the snapshot.
    pub rows: BTreeMap<String, u64>,
    /// The dump itself.
    pub dump: Dump,
}

/// Size and digest of the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Rows of all tables.
    pub fn rows_total(&self) -> u64 {
        self.rows.values().sum()
    }
}
