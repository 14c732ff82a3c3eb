//! The database that a backup is to be restored to, before anything is changed.

use sqlx::{Connection as _, PgConnection};

use super::address::Address;
use super::tools::Tools;
use super::{Backup, BackupError, Place, snapshot};

/// Databases that are always there, to connect to while another one is renamed.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// Where a backup goes.
pub struct Target {
    pub(super) address: Address,
    /// A database beside it, for statements about databases.
    pub(super) beside: Address,
    pub(super) tools: Tools,
    /// Rights of roles that this server has not are left out.
    pub missing_roles: Vec<String>,
    /// Whether there is anything that would be replaced.
    pub filled: bool,
    /// The schemas that are there before anything is restored, PostgreSQL's own left out.
    pub(super) schemas: Vec<String>,
    /// Whether a database can be made beside it; otherwise it is filled itself, being empty.
    pub(super) makes_room: bool,
}

impl Target {
    /// Name of the database.
    pub fn name(&self) -> &str {
        self.address.name()
    }
}

/// Looks whether `backup` can be restored there.
///
/// # Errors
/// A server works on the database, it is in use, it is too old, or there is no room for another one.
pub async fn look(place: &Place, backup: &Backup) -> Result<Target, BackupError> {
    let address = Address::parse(&place.url)?;
    let mut session = address.connect().await?;
    let major = snapshot::server_major(&mut session).await?;
    if major < backup.manifest.postgres_major {
        return Err(BackupError::OlderServer { backup: backup.manifest.postgres_major, server: major });
    }
    let tools = Tools::find(place.programs.as_deref(), major.max(backup.manifest.pg_dump_major))?;
    nobody_works_there(&mut session, address.name()).await?;
    let filled = is_filled(&mut session).await?;
    let schemas = sqlx::query_scalar(
        "select nspname::text from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'",
    )
    .fetch_all(&mut session)
    .await?;
    let missing_roles = snapshot::missing_roles(&mut session, &backup.manifest.grantees).await?;
    let (role, may_make): (String, bool) = sqlx::query_as(
        "select rolname::text, rolsuper or (rolcreatedb and pg_has_role(d.datdba, 'usage'))
         from pg_roles, pg_database d where rolname = current_user and d.datname = current_database()",
    )
    .fetch_one(&mut session)
    .await?;
    session.close().await?;
    let beside = if may_make { maintenance(&address).await } else { None };
    let makes_room = beside.is_some();
    if filled && !makes_room {
        return Err(BackupError::NoRoom { role, database: address.name().to_owned() });
    }
    let beside = beside.unwrap_or_else(|| address.clone());
    Ok(Target { address, beside, tools, missing_roles, filled, schemas, makes_room })
}

async fn maintenance(address: &Address) -> Option<Address> {
    for name in MAINTENANCE.into_iter().filter(|name| *name != address.name()) {
        let beside = address.beside(name);
        if let Ok(session) = beside.connect().await {
            // It has shown what it was to show.
            let _ = session.close().await;
            return Some(beside);
        }
    }
    None
}

async fn nobody_works_there(session: &mut PgConnection, database: &str) -> Result<(), BackupError> {
    let knows_replicas: bool =
        sqlx::query_scalar("select to_regclass('platform.replica') is not null").fetch_one(&mut *session).await?;
    if knows_replicas {
        let replicas: i64 =
            sqlx::query_scalar("select count(*) from platform.replica where lease_until > clock_timestamp()")
                .fetch_one(&mut *session)
                .await?;
        if replicas > 0 {
            return Err(BackupError::Running { database: database.to_owned(), replicas });
        }
    }
    // The server's own workers have no name of a user.
    let others = "select exists (select 1 from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and usename is not null)";
    if sqlx::query_scalar(others).fetch_one(session).await? {
        return Err(BackupError::InUse { database: database.to_owned() });
    }
    Ok(())
}

/// Any table or sequence of anybody's.
async fn is_filled(session: &mut PgConnection) -> Result<bool, BackupError> {
    let query = "select exists (
        select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'S', 'v', 'm') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_')";
    Ok(sqlx::query_scalar(query).fetch_one(session).await?)
}
