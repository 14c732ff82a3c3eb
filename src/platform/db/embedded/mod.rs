//! The private PostgreSQL cluster of a local installation: a small module over `initdb` and `postgres`.
//!
//! [`Cluster::start`] makes the cluster on first use, starts it or attaches to the one that runs already; the server
//! outlives a `bss` that is killed, and the next one finds it. The last holder that calls [`Cluster::stop`] stops it.
//!
//! In the data directory the cluster is always at `postgres`: a folder or, when the server's account could not reach
//! the data directory, a link to `/var/lib/bss/clusters/<hash of the data directory's path>`. In it:
//!
//! ```text
//! data/           the cluster proper (PGDATA), owned by the account that runs the server; its log is in data/log
//! run/            the unix socket (in /tmp/bss-<hash> when that path would be too long for a socket)
//! password        of the roles `bss` (owns the database `bss`) and `postgres` (superuser, for the operator), 0600
//! port            the loopback port, also part of the socket's name
//! start.log       what the server said before it opened its own log
//! start.lock      held while somebody starts or stops the server
//! attached.lock   shared lock of every process that uses the cluster
//! server.lock     locked for as long as any process of the server lives
//! ```
//!
//! Invariants:
//! - The kernel's file locks, never process ids, decide who is alive, so kills at any moment and reused ids are
//!   harmless. The server itself holds `server.lock`: it inherits the locked file as its standard input.
//! - A folder `data` exists only complete: it is built beside and renamed.
//! - Writes are durable: nothing here turns `fsync` off, and [`verify_durable`] is there to refuse a cluster where
//!   somebody else did.
//!
//! Not here: migrations, the connection pool, a database that the operator names with `BSS_DB_URL`.

mod durability;
mod error;
mod home;
mod init;
mod lock;
mod programs;
mod server;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::sleep;

pub use self::{durability::verify_durable, error::EmbeddedError};
use self::{home::Home, programs::Programs, server::Server};
pub(super) use self::{
    programs::{DEBIAN, major_of},
    server::last_lines,
};

/// How often it is looked whether the server was killed.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Where the private cluster lives and what runs it.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// The data directory of this installation; created when missing.
    pub data_dir: PathBuf,
    /// The folder of `initdb` and `postgres` (`BSS_PG_BIN`). Without it `PATH` and then `/usr/lib/postgresql/*/bin`,
    /// newest first, are searched.
    pub pg_bin: Option<PathBuf>,
    /// The account that runs the server when `bss` runs as root (`BSS_PG_USER`, default `postgres`). An ordinary user
    /// runs the server as themselves.
    pub pg_user: Option<String>,
}

/// A running private cluster, in use by this process for as long as the value lives.
///
/// Dropping it detaches and leaves the server running, exactly as a crash would: call [`Cluster::stop`] to end well.
pub struct Cluster {
    home: Home,
    programs: Programs,
    server: Server,
    attached: File,
}

impl Cluster {
    /// Whether [`Cluster::start`] has made a cluster in this data directory. Changes nothing.
    pub fn is_made(data_dir: &Path) -> bool {
        Home::is_made(data_dir)
    }

    /// Makes the cluster if there is none, starts it or attaches to the running one, and returns once it answers.
    pub async fn start(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let home = Home::open(config)?;
        let programs = programs::find(config.pg_bin.as_deref(), home.cluster_version()?)?;

        let starting = lock::exclusive(&home.start_lock()).await?;
        // Before the server is looked at: whoever stops next must see that it is in use again.
        let attached = lock::shared(&home.attached_lock())?;
        init::sweep_unfinished(&home)?;
        if home.cluster_version()?.is_none() {
            init::create(&home, &programs).await?;
        }
        let server = server::bring_up(&home, &programs).await?;
        drop(starting);
        Ok(Self { home, programs, server, attached })
    }

    /// The address of the database `bss` as its owner, password included: through the unix socket, for sqlx.
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// The folder of the unix socket.
    pub fn socket_dir(&self) -> &Path {
        self.home.socket_dir()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The folder of `postgres`, `psql`, `pg_dump` in the version of this cluster.
    pub fn bin_dir(&self) -> &Path {
        &self.programs.bin
    }

    /// The cluster proper, what PostgreSQL calls PGDATA.
    pub fn data_dir(&self) -> PathBuf {
        self.home.data()
    }

    /// Brings the server back whenever it was killed, by the kernel when memory ran out, say. A server that was told to stop
    /// stays stopped. Returns when it cannot be brought back where it was.
    pub async fn keep(&self) -> EmbeddedError {
        loop {
            sleep(LOOK_AFTER).await;
            if let Err(error) = self.bring_back().await {
                return error;
            }
        }
    }

    async fn bring_back(&self) -> Result<(), EmbeddedError> {
        if !server::was_killed(&self.home)? {
            return Ok(());
        }
        let starting = lock::exclusive(&self.home.start_lock()).await?;
        tracing::error!(db.path = %self.home.data().display(), "the database server was killed; it is started again");
        let server = server::bring_up(&self.home, &self.programs).await?;
        drop(starting);
        if server.url == self.server.url { Ok(()) } else { Err(EmbeddedError::Moved { data: self.home.data() }) }
    }

    /// Detaches; the last one to do so stops the server: open transactions roll back, all that was committed is kept.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let starting = lock::exclusive(&self.home.start_lock()).await?;
        self.attached.unlock().map_err(error::at("give up the lock on", &self.home.attached_lock()))?;
        // Nobody can attach in between: they would need the lock that we hold.
        if lock::try_exclusive(&self.home.attached_lock())?.is_some() {
            server::terminate(&self.home).await?;
        }
        drop(starting);
        Ok(())
    }
}
