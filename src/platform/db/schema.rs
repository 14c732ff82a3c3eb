//! Whether the database has exactly the schema that this binary was built for, and how it gets there.

use bss_migrations::Migrator;
use sea_orm::{ConnectionTrait as _, FromQueryResult, SqlxPostgresConnector};
use sea_orm_migration::MigratorTrait as _;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::platform::db::{Db, sql};
use crate::platform::error::Result;

/// How the database's schema compares with the one this binary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    Current,
    /// Steps are missing: `bss migrate` applies them.
    Behind {
        missing: Vec<String>,
    },
    /// A newer binary has been here: this one must not write.
    Ahead {
        unknown: Vec<String>,
    },
}

/// The newest step that this binary knows: its schema version.
pub fn version() -> &'static str {
    bss_migrations::known().last().expect("there is at least one migration")
}

/// Whether this binary knows the step.
pub fn knows(step: &str) -> bool {
    bss_migrations::known().any(|known| known == step)
}

/// Compares; changes nothing.
pub async fn state(db: &Db) -> Result<SchemaState> {
    #[derive(FromQueryResult)]
    struct Applied {
        version: String,
    }
    let present = db
        .connection()
        .query_one_raw(sql!("select 1 as present where to_regclass('public.seaql_migrations') is not null"))
        .await?;
    let applied = if present.is_some() {
        Applied::find_by_statement(sql!("select version from public.seaql_migrations")).all(db.connection()).await?
    } else {
        Vec::new()
    };
    let applied: Vec<String> = applied.into_iter().map(|row| row.version).collect();
    let known: Vec<&str> = bss_migrations::known().collect();
    let unknown: Vec<String> = applied.iter().filter(|name| !known.contains(&name.as_str())).cloned().collect();
    if !unknown.is_empty() {
        return Ok(SchemaState::Ahead { unknown });
    }
    let missing: Vec<String> =
        known.iter().filter(|name| !applied.iter().any(|a| a == *name)).map(ToString::to_string).collect();
    Ok(if missing.is_empty() { SchemaState::Current } else { SchemaState::Behind { missing } })
}

/// How long a step may wait for a table that is in use. Whoever asks for the table meanwhile waits behind it.
const LOCK_TIMEOUT: &str = "10s";

/// Applies the missing steps, each in its own transaction. Two processes at once are safe: the second waits, then finds
/// nothing to do.
///
/// # Errors
/// A step fails, or a table stays in use: the steps before it are applied, and the next run goes on there.
pub async fn migrate(db: &Db) -> Result<()> {
    // Steps may take long on big tables, and the other process just as long: one session without a limit.
    let options = db.pool().connect_options().as_ref().clone();
    let options = options.options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let pool =
        PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).connect_with(options).await?;
    let outcome = apply(&pool).await;
    pool.close().await;
    outcome
}

async fn apply(pool: &PgPool) -> Result<()> {
    // Both belong to the session, which ends with the pool. The lock of the session is waited for without a limit.
    sqlx::query("select pg_advisory_lock(hashtext('bss.migrate'))").execute(pool).await?;
    sqlx::query("select set_config('lock_timeout', $1, false)").bind(LOCK_TIMEOUT).execute(pool).await?;
    Ok(Migrator::up(&SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()), None).await?)
}
