//! What can go wrong with the private cluster: each error says what happened and what to do.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

/// Why the private cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Neither the configuration nor the usual places lead to usable server programs.
    #[error(
        "no PostgreSQL server of version {oldest} or newer found in {searched}: install it (on Debian \
         `apt-get install postgresql`), name the folder of `initdb` and `postgres` in BSS_PG_BIN, or name a database \
         of yours in BSS_DB_URL"
    )]
    NoPrograms {
        /// The oldest major version that will do.
        oldest: u32,
        /// Where the programs were looked for.
        searched: String,
    },
    /// The cluster was made by a major version that is not installed.
    #[error(
        "the database in {} was made by PostgreSQL {cluster}, but only {found} is installed: install that version (on \
         Debian `apt-get install postgresql-{cluster}`) or name its folder in BSS_PG_BIN; to move on, dump it with the \
         old version and load it into a new data directory", data.display()
    )]
    VersionMismatch {
        /// The cluster.
        data: PathBuf,
        /// The major version that made it.
        cluster: u32,
        /// The major versions found.
        found: String,
    },
    /// The account that is to run the server does not exist.
    #[error(
        "as root the database server must run under another account, and there is no account `{user}`: install \
         PostgreSQL from your distribution, which makes `postgres`, or name an account in BSS_PG_USER"
    )]
    NoAccount {
        /// The account's name.
        user: String,
    },
    /// The cluster belongs to somebody else.
    #[error(
        "the database in {} belongs to user id {owner}, not {expected}: run bss as its owner (or set BSS_PG_USER to \
         it when root), or choose another BSS_DATA_DIR", data.display()
    )]
    OtherOwner {
        /// The cluster.
        data: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who would run it now.
        expected: u32,
    },
    /// The account that runs the server is shut out of a folder on the way.
    #[error(
        "user id {uid}, which runs the database server, may not enter {}: allow it with `chmod a+x {}`, or choose \
         another BSS_DATA_DIR", blocked.display(), blocked.display()
    )]
    Unreachable {
        /// The folder that shuts it out.
        blocked: PathBuf,
        /// The account.
        uid: u32,
    },
    /// Something is not as this module leaves it.
    #[error("{} is not usable: {reason}", path.display())]
    Damaged {
        /// What is damaged.
        path: PathBuf,
        /// In which way, and what to do.
        reason: String,
    },
    /// Another process keeps starting or stopping the server.
    #[error(
        "another process has been starting or stopping the database for {seconds} s (it holds {}): wait for it or end it",
        lock.display()
    )]
    Busy {
        /// The lock it holds.
        lock: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// A server that was not started by this module runs on the cluster.
    #[error(
        "a server that bss did not start (process {pid}) runs on {}: stop it with `pg_ctl stop -D {}`",
        data.display(), data.display()
    )]
    ForeignServer {
        /// Its process id.
        pid: i32,
        /// The cluster.
        data: PathBuf,
    },
    /// `initdb` or the server ended with an error.
    #[error("{program} failed ({status}): {output}")]
    ProgramFailed {
        /// Which program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
        output: String,
    },
    /// A program did not finish in time.
    #[error("{program} did not finish within {seconds} s: is the machine overloaded or the disk full?")]
    TooSlow {
        /// Which program.
        program: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The server does not answer.
    #[error("the database in {} did not get ready within {seconds} s ({cause}): see its log in {}/log", data.display(), data.display())]
    NotReady {
        /// The cluster.
        data: PathBuf,
        /// How long we waited.
        seconds: u64,
        /// What the last try met.
        cause: String,
    },
    /// The server was brought up again, and not where those who use it look for it.
    #[error("the database in {} came back on another port, since its own was taken: start bss again", data.display())]
    Moved {
        /// The cluster.
        data: PathBuf,
    },
    /// The server still runs after it was told to stop at once.
    #[error("the database server (process {pid}) does not stop: see its log in {}/log, then end it with `kill -9 {pid}`", data.display())]
    StillRunning {
        /// Its process id.
        pid: i32,
        /// The cluster.
        data: PathBuf,
    },
    /// The database may lose or tear what it has acknowledged.
    #[error(
        "the database would lose acknowledged writes in a power cut: {settings} off. Remove the setting from \
         postgresql.conf, postgresql.auto.conf or the role, then restart"
    )]
    NotDurable {
        /// The settings that are off.
        settings: String,
    },
    /// The settings could not be read.
    #[error("could not ask the database for its settings")]
    Query(#[from] sqlx::Error),
    /// The file system refused.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Turns an I/O error into one that says what was tried: `fs::read(&p).map_err(at("read", &p))`.
pub(super) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::File { action, path, source }
}
