//! Filling a fresh database from a backup, and settling what must not be as it was.

use sea_orm::ConnectionTrait as _;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::address::Address;
use super::take::blocking;
use super::target::Target;
use super::{Backup, BackupError, Manifest, snapshot, swap};
use crate::platform::context::Context;
use crate::platform::db::Db;
use crate::platform::error::Result;
use crate::platform::outbox::{self, Event};

/// A database that holds a backup and that nobody uses yet.
pub struct Fresh {
    pub(super) address: Address,
    /// It stands beside the one that it is to replace; otherwise it is that one.
    pub(super) is_beside: bool,
}

impl Fresh {
    /// As for the pool.
    pub fn url(&self) -> String {
        self.address.url()
    }
}

/// Brings the backup into a database of its own and compares it with the manifest.
///
/// # Errors
/// `pg_restore` fails, or a table has not the rows that it should have. Then nothing is left of it, unless the error says so.
pub async fn load(backup: Backup, target: &Target) -> Result<(Fresh, Manifest), BackupError> {
    let fresh = if target.makes_room {
        let address = target.address.beside(&swap::workshop(target.name()));
        create(target, address.name()).await?;
        Fresh { address, is_beside: true }
    } else {
        Fresh { address: target.address.clone(), is_beside: false }
    };
    match fill(backup, target, &fresh).await {
        Ok(manifest) => Ok((fresh, manifest)),
        Err(error) => {
            swap::discard(target, fresh).await?;
            Err(error)
        }
    }
}

async fn fill(backup: Backup, target: &Target, fresh: &Fresh) -> Result<Manifest, BackupError> {
    let (tools, address, grants) = (target.tools.clone(), fresh.address.clone(), target.missing_roles.is_empty());
    let manifest = blocking(move || {
        tools.restore(&address, grants, &mut backup.dump()?)?;
        Ok(backup.manifest)
    })
    .await?;
    let mut session = fresh.address.connect().await?;
    let found = snapshot::rows(&mut session).await?;
    session.close().await?;
    match snapshot::differences(&manifest.rows, &found) {
        differences if differences.is_empty() => Ok(manifest),
        differences => Err(BackupError::Differs(differences)),
    }
}

/// As the one that it is to replace: the order of texts is part of what an index is.
async fn create(target: &Target, name: &str) -> Result<(), BackupError> {
    let mut session = target.beside.connect().await?;
    // One that was broken off has left it. If it is in use, another restore is under way, and this fails.
    let drop = swap::statement(&mut session, "drop database if exists %I", &[name]).await?;
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut session).await?;
    let like = locale(&mut session, target.name()).await?;
    let create = swap::statement(&mut session, "create database %I template template0", &[name]).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("{create} {like}"))).execute(&mut session).await?;
    session.close().await?;
    Ok(())
}

async fn locale(session: &mut PgConnection, database: &str) -> Result<String, BackupError> {
    // The column of the provider's locale has had two names (PostgreSQL 15 and 17).
    let query =
        "select format('encoding %L lc_collate %L lc_ctype %L', pg_encoding_to_char(encoding), datcollate, datctype)
            || case datlocprovider when 'i' then format(' locale_provider icu icu_locale %L', provider_locale)
                                   when 'b' then format(' locale_provider builtin builtin_locale %L', provider_locale)
                                   else '' end
        from (select d.*, coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as provider_locale
              from pg_database d where datname = $1) d";
    Ok(sqlx::query_scalar(query).bind(database).fetch_one(session).await?)
}

/// The mark that a restore leaves in the log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DatabaseRestored<'a> {
    taken_at: chrono::DateTime<chrono::Utc>,
    bss_version: &'a str,
    schema_version: &'a str,
    skipped_ids: u32,
}

impl Event for DatabaseRestored<'_> {
    const TYPE: &'static str = "admin.database_restored";
    const AGGREGATE: &'static str = "service";
    fn aggregate_id(&self) -> &'static str {
        "bss"
    }
}

/// Makes a restored database of the current schema fit to go on.
///
/// - The processes of then are gone, so their leases are free at once.
/// - Numbers that were handed out after the backup are known outside, for example to a payment gateway by its idempotency
///   keys: `skip_ids` numbers of each sequence are left out, so that none of them is ever handed out a second time.
/// - Events carry the number of their transaction, by which a reader follows the log without gaps. Another cluster counts its
///   own: numbers that lie ahead of it would hide their events for as long.
pub async fn settle(db: &Db, cx: &Context, manifest: &Manifest, skip_ids: u32) -> Result<()> {
    let tx = db.begin().await?;
    let statements = format!(
        "set local statement_timeout = 0; set local lock_timeout = 0; set local idle_in_transaction_session_timeout = 0;
         delete from platform.replica;
         do $$
         declare s record;
         begin
             for s in select format('%I.%I', schemaname, sequencename)::regclass as id, coalesce(last_value, start_value - 1) as last
                      from pg_sequences where schemaname !~ '^pg_' and {skip_ids} > 0 loop
                 perform setval(s.id, s.last + {skip_ids});
             end loop;
             if exists (select 1 from audit.domain_event where transaction_id >= pg_current_xact_id()) then
                 -- Not an update: the log refuses those. Three is the number of no transaction that can still be open.
                 alter table audit.domain_event alter column transaction_id type xid8 using '3'::xid8;
             end if;
         end
         $$"
    );
    tx.execute_unprepared(&statements).await?;
    let restored = DatabaseRestored {
        taken_at: manifest.taken_at,
        bss_version: &manifest.bss_version,
        schema_version: &manifest.schema_version,
        skipped_ids: skip_ids,
    };
    outbox::stage(&tx, cx, &restored).await?;
    tx.commit().await?;
    // A restored table has no statistics; without them the planner guesses until autovacuum comes by.
    let mut session = db.pool().acquire().await?;
    sqlx::raw_sql("set statement_timeout = 0").execute(&mut *session).await?;
    sqlx::raw_sql("analyze").execute(&mut *session).await?;
    let _ = session.close().await;
    Ok(())
}
