//! The fresh database takes the place of the old one, at one stroke.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::BackupError;
use super::load::Fresh;
use super::target::Target;
use crate::platform::clock;

/// What PostgreSQL keeps of a name.
const NAME_BYTES_MAX: usize = 63;

/// What became of the database that was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its name now; none where it was empty, or is dropped.
    pub replaced: Option<String>,
}

/// The name of a database that is being filled.
pub(super) fn workshop(name: &str) -> String {
    with_suffix(name, "_restoring")
}

/// Gives the fresh database the name of the old one, which is kept under another name unless it was empty or is to go.
///
/// # Errors
/// Somebody has connected to the old one meanwhile. Then both are as they were.
pub async fn swap(target: &Target, fresh: Fresh, drop_old: bool) -> Result<Placed, BackupError> {
    if !fresh.is_beside {
        return Ok(Placed { replaced: None });
    }
    let old = with_suffix(target.name(), &clock::wall().format("_replaced_%Y%m%d%H%M%S%3f").to_string());
    let mut session = target.beside.connect().await?;
    let away = statement(&mut session, "alter database %I rename to %I", &[target.name(), &old]).await?;
    let here =
        statement(&mut session, "alter database %I rename to %I", &[fresh.address.name(), target.name()]).await?;
    let renamed = sqlx::raw_sql(AssertSqlSafe(format!("begin; {away}; {here}; commit"))).execute(&mut session).await;
    if let Err(error) = renamed {
        session.close_hard().await?;
        return Err(in_use(error, target));
    }
    let keeps = target.filled && !drop_old;
    if !keeps {
        let drop = statement(&mut session, "drop database %I", &[&old]).await?;
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut session).await?;
    }
    session.close().await?;
    Ok(Placed { replaced: keeps.then_some(old) })
}

/// Renaming waits a while for sessions to end, and then says so.
fn in_use(error: sqlx::Error, target: &Target) -> BackupError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.is_some_and(|code| code == "55006") {
        BackupError::InUse { database: target.name().to_owned() }
    } else {
        error.into()
    }
}

/// Removes a fresh database that is not wanted. One that does not stand beside the old one is that one, which was empty: it is
/// emptied again.
///
/// # Errors
/// The database refuses. Then one that was filled itself is still full, and the error says so.
pub async fn discard(target: &Target, fresh: Fresh) -> Result<(), BackupError> {
    if !fresh.is_beside {
        let database = target.name().to_owned();
        let emptied = empty(target, &fresh).await;
        return emptied.map_err(|cause| BackupError::NotEmptied { database, cause: Box::new(cause) });
    }
    let mut session = target.beside.connect().await?;
    let drop = statement(&mut session, "drop database if exists %I", &[fresh.address.name()]).await?;
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut session).await?;
    session.close().await?;
    Ok(())
}

/// Takes everything out that was not there when [`look`](super::look) found the database empty.
async fn empty(target: &Target, fresh: &Fresh) -> Result<(), BackupError> {
    let mut session = fresh.address.connect().await?;
    let drops: Vec<String> = sqlx::query_scalar(
        "select format('drop schema %I cascade', nspname) from pg_namespace
         where nspname !~ '^pg_' and nspname <> 'information_schema' and nspname <> all($1)
         union all
         select format('drop %s if exists %I.%I cascade',
                       case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
                       nspname, relname)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where nspname = any($1) and relkind in ('r', 'p', 'v', 'm', 'S')",
    )
    .bind(&target.schemas)
    .fetch_all(&mut session)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(format!("begin; {}; commit", drops.join("; ")))).execute(&mut session).await?;
    session.close().await?;
    Ok(())
}

/// A statement with names in it, quoted by the database itself.
pub(super) async fn statement(
    session: &mut PgConnection,
    template: &str,
    names: &[&str],
) -> Result<String, BackupError> {
    Ok(sqlx::query_scalar("select format($1, variadic $2::text[])")
        .bind(template)
        .bind(names)
        .fetch_one(session)
        .await?)
}

/// The name with the suffix, cut where PostgreSQL would cut it without a word.
fn with_suffix(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(NAME_BYTES_MAX - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_leaves_room_for_its_suffix() {
        assert_eq!(workshop("bss"), "bss_restoring");
        let long = with_suffix(&"é".repeat(31), "_restoring");
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with("é_restoring"), "{long}");
    }
}
