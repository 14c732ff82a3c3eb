//! The commands that need no running server, because they are it or prepare for it. Their work is done elsewhere; this
//! is only how they are spelled.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};

use super::backup::{BackupArgs, RestoreArgs};

/// Commands that run in this process.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Run the whole product: API, workers and, where no database is configured, its own
    #[command(after_help = "\
Examples:
  bss serve
  bss serve --api-addr 127.0.0.1:8000 --data-dir /srv/bss
  bss serve --role worker

Each option has a variable: BSS_API_ADDR, BSS_SELF_SERVE_ADDR,
BSS_COCKPIT_ADDR, BSS_DATA_DIR, BSS_ROLE.")]
    Serve(ServeArgs),
    /// Bring the database to the schema of this version
    #[command(after_help = "\
Examples:
  bss migrate
  BSS_DB_URL=postgres://bss@db.example.test/prod bss migrate")]
    Migrate,
    /// Load the reference data: plans, numbers, eSIM profiles; or a demo
    #[command(after_help = "\
Examples:
  bss seed
  BSS_DB_URL=postgres://bss@db.example.test/prod bss seed
  bss seed --demo

The demo fills a running server, never one in production, with a small operator:
customers, lines in every state, usage, and what went wrong. It is made once.")]
    Seed(SeedArgs),
    /// Write the whole database to one file, while servers run
    #[command(after_help = "\
Examples:
  bss backup
  bss backup /srv/backups/bss.tar --force
  BSS_DB_URL=postgres://bss@db.example.test/prod bss backup prod.tar

The file holds personal data: keep it as safe as the database. The secrets of
the installation (tokens.env) are not in it: keep them, too, elsewhere.")]
    Backup(BackupArgs),
    /// Bring a backup back and prove it, with every server stopped
    #[command(after_help = "\
Examples:
  bss restore /srv/backups/bss.tar --dry-run
  bss restore /srv/backups/bss.tar --yes
  bss restore bss.tar --data-dir /srv/bss-2 --skip-ids 0

Nothing is changed unless all of it came back: the rows of every table as they
were counted, and books that balance. --skip-ids 0 is for a move, when no server
has worked since the backup.")]
    Restore(RestoreArgs),
    /// Look for what could keep the server from working
    #[command(after_help = "Examples:\n  bss doctor\n  bss doctor -o json")]
    Doctor,
}

/// What is loaded.
#[derive(Debug, Clone, Copy, Args)]
pub struct SeedArgs {
    /// A small operator to look at, made through a running server's operations
    #[arg(long)]
    pub demo: bool,
}

/// Where `bss serve` listens and what it runs; what is not given comes from the environment.
///
/// The data directory is a global option, since clients look there for their token.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Address of the API [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS")]
    pub api_addr: Option<SocketAddr>,
    /// Address of the customers' portal [default: 127.0.0.1:9001]
    #[arg(long, value_name = "ADDRESS")]
    pub self_serve_addr: Option<SocketAddr>,
    /// Address of the operators' cockpit [default: 127.0.0.1:9002]
    #[arg(long, value_name = "ADDRESS")]
    pub cockpit_addr: Option<SocketAddr>,
    /// What this process does [default: all]
    #[arg(long, value_enum)]
    pub role: Option<Role>,
}

/// The share of the work that one process takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Listeners and workers.
    All,
    /// Listeners only.
    Api,
    /// Workers only.
    Worker,
}
