//! Whether the database has exactly the schema that this binary was built for, and how it gets there.

use bss_migrations::Migrator;
use sea_orm::{ConnectionTrait as _, FromQueryResult};
use sea_orm_migration::MigratorTrait as _;

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

/// Applies the missing steps. Two processes at once are safe: the second waits, then finds nothing to do.
pub async fn migrate(db: &Db) -> Result<()> {
    // Steps may take long on big tables and several processes may start at once.
    let mut guard = db.pool().acquire().await?;
    sqlx::query("set statement_timeout = 0").execute(&mut *guard).await?;
    sqlx::query("set lock_timeout = 0").execute(&mut *guard).await?;
    sqlx::query("select pg_advisory_lock(hashtext('bss.migrate'))").execute(&mut *guard).await?;
    let outcome = Migrator::up(db.connection(), None).await;
    sqlx::query("select pg_advisory_unlock(hashtext('bss.migrate'))").execute(&mut *guard).await?;
    // The session was changed: it must not go back into the pool.
    let _ = guard.close().await;
    Ok(outcome?)
}
