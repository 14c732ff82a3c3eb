//! What can go wrong with a backup: each error says what happened and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why a backup was not taken or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is there already.
    #[error("{} exists: name another file, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// The file is no backup, or no longer a whole one.
    #[error("{} cannot be restored: {reason}; take another backup", path.display())]
    Damaged { path: PathBuf, reason: String },
    /// The file was written by a newer `bss`.
    #[error(
        "the backup was made by bss {bss_version} and has {what}, which this version does not know; use that version"
    )]
    Newer { bss_version: String, what: String },
    /// The database has no schema of ours.
    #[error("the database {0} holds no bss: there is nothing to back up; look at BSS_DB_URL or BSS_DATA_DIR")]
    NotOurs(String),
    /// The URL cannot be read. It may hold a password: it is not repeated.
    #[error("BSS_DB_URL is not a PostgreSQL URL such as postgres://user:password@host:5432/database")]
    Address,
    /// PostgreSQL's programs are missing or too old.
    #[error(
        "no pg_dump and pg_restore of PostgreSQL {major} or newer found in {searched}: install them (on Debian `apt-get install \
         postgresql-client`), or name their folder in BSS_PG_BIN"
    )]
    NoTools { major: u32, searched: String },
    /// One of them said no.
    #[error("{program} failed ({status}): {output}")]
    ToolFailed { program: &'static str, status: String, output: String },
    /// Somebody works on the database that is to be replaced.
    #[error(
        "bss serve runs on the database {database} (processes: {replicas}): stop it (SIGTERM, `systemctl stop bss`), then \
         restore; one that was killed counts for five more seconds"
    )]
    Running { database: String, replicas: i64 },
    /// Somebody is connected to it.
    #[error("somebody is connected to the database {database}: end these sessions, then restore")]
    InUse { database: String },
    /// The server is older than the one that was backed up.
    #[error("the backup is of PostgreSQL {backup}, this server is {server}: restore it on {backup} or newer")]
    OlderServer { backup: u32, server: u32 },
    /// A database beside the old one cannot be made.
    #[error(
        "the role {role} may not make a database beside {database}, which is not empty: `alter role {role} createdb` and let it \
         own {database}, or name an empty database in BSS_DB_URL"
    )]
    NoRoom { role: String, database: String },
    /// What was restored into the empty database itself did not stand the test and could not be taken out again.
    #[error(
        "what was brought back into {database} was not accepted and could not be taken out again ({cause}): do not use that \
         database; drop its schemas, or make a fresh one, and restore again"
    )]
    NotEmptied { database: String, cause: Box<BackupError> },
    /// What was restored is not what was backed up.
    #[error("what came back is not what was backed up, so nothing was changed: {}", .0.join("; "))]
    Differs(Vec<String>),
    /// The database does not answer, or refuses.
    #[error("the database refuses: {0}")]
    Database(#[from] sqlx::Error),
    /// The file system refuses.
    #[error("could not {action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// The process was interrupted from within.
    #[error("the work was broken off: {0}")]
    BrokenOff(String),
}

impl BackupError {
    /// 2 for what another command line cures, 6 for a database in use, 7 for one that is away, 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exists(_)
            | Self::Newer { .. }
            | Self::NotOurs(_)
            | Self::Address
            | Self::NoTools { .. }
            | Self::OlderServer { .. }
            | Self::NoRoom { .. } => 2,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => 2,
            Self::Running { .. } | Self::InUse { .. } => 6,
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_)) => 7,
            Self::Damaged { .. }
            | Self::ToolFailed { .. }
            | Self::Differs(_)
            | Self::NotEmptied { .. }
            | Self::Database(_)
            | Self::File { .. }
            | Self::BrokenOff(_) => 1,
        }
    }
}

/// Turns an I/O error into one that says what was tried: `file.read(&mut b).map_err(at("read", path))`.
pub(super) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { action, path, source }
}
