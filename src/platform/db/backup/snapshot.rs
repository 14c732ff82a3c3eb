//! What a database holds, as one transaction sees it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use super::BackupError;

/// Schemas of the server's own.
const NOT_OURS: &str = "n.nspname <> 'information_schema' and n.nspname !~ '^pg_'";

/// A snapshot that another session can share for as long as this transaction is open.
pub(super) struct Exported {
    pub(super) id: String,
    pub(super) taken_at: DateTime<Utc>,
}

/// Begins a transaction that sees one instant, and lends that instant out.
pub(super) async fn export(session: &mut PgConnection) -> Result<Exported, BackupError> {
    sqlx::raw_sql("begin transaction isolation level repeatable read, read only").execute(&mut *session).await?;
    let (id, taken_at) =
        sqlx::query_as("select pg_export_snapshot(), clock_timestamp()").fetch_one(&mut *session).await?;
    Ok(Exported { id, taken_at })
}

/// Major version of the server.
pub(super) async fn server_major(session: &mut PgConnection) -> Result<u32, BackupError> {
    let number: i32 =
        sqlx::query_scalar("select current_setting('server_version_num')::integer").fetch_one(session).await?;
    Ok(number.unsigned_abs() / 10_000)
}

/// The migrations that the database has seen, oldest first; none where it is not ours.
pub(super) async fn migrations(session: &mut PgConnection) -> Result<Vec<String>, BackupError> {
    let ours: bool = sqlx::query_scalar("select to_regclass('public.seaql_migrations') is not null")
        .fetch_one(&mut *session)
        .await?;
    if !ours {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_scalar("select version::text from public.seaql_migrations order by version")
        .fetch_all(session)
        .await?)
}

/// Rows of each table, partitions one by one.
pub(super) async fn rows(session: &mut PgConnection) -> Result<BTreeMap<String, u64>, BackupError> {
    let tables = format!(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'r' and {NOT_OURS} order by 1"
    );
    let tables: Vec<String> = sqlx::query_scalar(AssertSqlSafe(tables)).fetch_all(&mut *session).await?;
    let mut rows = BTreeMap::new();
    for table in tables {
        // The name is quoted by the database itself.
        let count = AssertSqlSafe(format!("select count(*) from {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *session).await?;
        rows.insert(table, count.unsigned_abs());
    }
    Ok(rows)
}

/// Roles that were granted something, beside the owners: a restore needs them, too.
pub(super) async fn grantees(session: &mut PgConnection) -> Result<Vec<String>, BackupError> {
    let query = format!(
        "select distinct r.rolname::text from (
             select c.relowner as owner, a.grantee from pg_class c join pg_namespace n on n.oid = c.relnamespace,
                 aclexplode(c.relacl) a where {NOT_OURS}
             union all
             select n.nspowner, a.grantee from pg_namespace n, aclexplode(n.nspacl) a where {NOT_OURS}
             union all
             select p.proowner, a.grantee from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
                 aclexplode(p.proacl) a where {NOT_OURS}
             union all
             select d.defaclrole, a.grantee from pg_default_acl d, aclexplode(d.defaclacl) a
         ) granted join pg_roles r on r.oid = granted.grantee
         where granted.grantee <> granted.owner and r.rolname !~ '^pg_' order by 1"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(session).await?)
}

/// Those of the roles that the server does not have.
pub(super) async fn missing_roles(session: &mut PgConnection, roles: &[String]) -> Result<Vec<String>, BackupError> {
    let query =
        "select name from unnest($1::text[]) name where not exists (select 1 from pg_roles where rolname = name)";
    Ok(sqlx::query_scalar(query).bind(roles).fetch_all(session).await?)
}

/// Where the two differ, in words.
pub(super) fn differences(expected: &BTreeMap<String, u64>, found: &BTreeMap<String, u64>) -> Vec<String> {
    let tables = expected.keys().chain(found.keys().filter(|table| !expected.contains_key(*table)));
    let told = |count: Option<&u64>| count.map_or_else(|| "no table".to_owned(), |count| format!("{count} rows"));
    tables
        .filter(|table| expected.get(*table) != found.get(*table))
        .map(|table| format!("{table} has {}, the backup {}", told(found.get(table)), told(expected.get(table))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_differs_is_named() {
        let counts = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let backup = counts(&[("a.lost", 1), ("a.same", 2), ("a.short", 3)]);
        assert_eq!(differences(&backup, &backup), Vec::<String>::new());
        assert_eq!(
            differences(&backup, &counts(&[("a.more", 9), ("a.same", 2), ("a.short", 1)])),
            [
                "a.lost has no table, the backup 1 rows",
                "a.short has 1 rows, the backup 3 rows",
                "a.more has 9 rows, the backup no table"
            ]
        );
    }
}
