//! The database: the connection pool, the private cluster of a local installation, the unit of work.
//!
//! SQL is written as SQL, with `$n` parameters that are always bound; [`sql!`] makes the statement, `FromQueryResult` reads
//! the rows. Only `store.rs` files of the domains and the stores of the platform use it.

pub mod backup;
mod counts;
pub mod embedded;
pub mod schema;

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, FromQueryResult, SqlxPostgresConnector,
    Statement, TransactionTrait as _, TryGetableFromJson,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::platform::delivery::Subscribers;
use crate::platform::delivery::wake::Wake;
use crate::platform::error::{Error, Result};
use crate::platform::tmf::filter::SqlFilter;
use crate::platform::vitals::Vitals;

/// Makes a statement: SQL text with `$1`, `$2`, … and the values for them, in order.
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {
        ::sea_orm::Statement::from_sql_and_values(
            ::sea_orm::DbBackend::Postgres,
            $text,
            [$(::sea_orm::Value::from($value)),*] as [::sea_orm::Value; _],
        )
    };
}
pub(crate) use sql;

/// A JSON column read straight into its type.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> TryGetableFromJson for Json<T> {}

/// How long work outside a request may wait for the database. A server that is there ends a statement itself, far sooner; one
/// whose machine has vanished says nothing, and its connections look alive for many minutes.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// `work`, unless the database does not answer at all: then a loop that waits for it goes on with another connection.
///
/// # Errors
/// Unavailable when nothing came within [`SILENCE_MAX`]; what was asked for may have been done.
pub async fn answered<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let silent = |_| Error::unavailable("The database does not answer");
    tokio::time::timeout(SILENCE_MAX, work).await.map_err(silent)?
}

/// Runs a statement and says how many rows it touched.
pub async fn execute(connection: &impl ConnectionTrait, statement: Statement) -> Result<u64> {
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

/// One page of a TMF list, and how many rows there are in all, as [`counts`] says it. `from` ends in a condition that binds
/// the tenant as `$1`, such as `crm.customer c where c.tenant_id = $1`; `filter` was made with 2 as its first placeholder.
pub async fn list<T: FromQueryResult>(
    db: &Db,
    select: &str,
    from: &str,
    tenant: &str,
    filter: &SqlFilter,
) -> Result<(u64, Vec<T>)> {
    let page = format!(
        "select {select} from {from} and ({}) order by {} {}",
        filter.conditions(),
        filter.order_by(),
        filter.page()
    );
    counted(db, from, tenant, filter, page).await
}

/// [`list`] for rows that are wide or joined: only those of the page are put together, however far it is. `lean` has the
/// rows and what the filter needs and no more, `key` is their primary key under the alias that all of it uses.
pub async fn list_wide<T: FromQueryResult>(
    db: &Db,
    select: &str,
    from: &str,
    lean: &str,
    key: &str,
    tenant: &str,
    filter: &SqlFilter,
) -> Result<(u64, Vec<T>)> {
    let order = filter.order_by();
    let page = format!(
        "select {select} from {from} and {key} in (select {key} from {lean} and ({}) order by {order} {}) order by {order}",
        filter.conditions(),
        filter.page()
    );
    counted(db, lean, tenant, filter, page).await
}

/// The rows of the page, and how many of `from` fit.
async fn counted<T: FromQueryResult>(
    db: &Db,
    from: &str,
    tenant: &str,
    filter: &SqlFilter,
    page: String,
) -> Result<(u64, Vec<T>)> {
    let with_tenant =
        |values: Vec<sea_orm::Value>| -> Vec<_> { std::iter::once(tenant.into()).chain(values).collect() };
    let fitting = format!("{from} and ({})", filter.conditions());
    let total = db.counts.of(db.connection(), &fitting, &with_tenant(filter.values().collect())).await?;
    let page = Statement::from_sql_and_values(DbBackend::Postgres, page, with_tenant(filter.page_values().collect()));
    let rows = T::find_by_statement(page).all(db.connection()).await?;
    Ok((total, rows))
}

/// Bounds of the pool. Statement, lock and idle times are enforced by the server, acquire time by the pool.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    pub connections_max: u32,
    pub acquire_timeout: Duration,
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
    pub idle_in_transaction_timeout: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            connections_max: 24,
            acquire_timeout: Duration::from_millis(2_500),
            statement_timeout: Duration::from_secs(4),
            lock_timeout: Duration::from_secs(2),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }
}

impl PoolConfig {
    /// How the connections are shared out: single statements, reads by key, usage, units of work. A unit of work may ask a
    /// single statement while it holds its own connection; never the other way round, so they cannot wait for each other.
    fn shares(&self) -> [u32; 4] {
        // One of the first is the listener's for good.
        let single = (self.connections_max / 3).max(2);
        let keyed = (self.connections_max / 6).max(1);
        // Two lanes, and who finishes beside them.
        let usage = (self.connections_max / 6).max(3);
        [single, keyed, usage, self.connections_max.saturating_sub(single + keyed + usage).max(1)]
    }
}

/// Statements that a connection keeps prepared. All hot paths together have fewer; beyond it the oldest is parsed and
/// planned anew when it comes again.
const STATEMENTS_MAX: usize = 256;

/// The database handle that everything shares. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    connection: DatabaseConnection,
    keyed: DatabaseConnection,
    usage: sqlx::PgPool,
    work: DatabaseConnection,
    wake: Wake,
    subscribers: Arc<Subscribers>,
    counts: Arc<counts::Counts>,
    vitals: Arc<Vitals>,
}

impl Db {
    /// Prepares the pool; connections are made when they are needed, so a database that is away does not stop the start.
    ///
    /// # Errors
    /// When `url` is not a PostgreSQL URL.
    pub fn connect(url: &str, config: &PoolConfig, subscribers: Subscribers) -> Result<Self> {
        let ms = |duration: Duration| duration.as_millis().to_string();
        let options: PgConnectOptions = url.parse().map_err(|_| {
            // The URL holds a password: it is not repeated.
            Error::invalid("BSS_DB_URL", "is not a PostgreSQL URL such as postgres://user:password@host:5432/database")
        })?;
        let options = options.application_name("bss").options([
            ("statement_timeout", ms(config.statement_timeout)),
            ("lock_timeout", ms(config.lock_timeout)),
            ("idle_in_transaction_session_timeout", ms(config.idle_in_transaction_timeout)),
            ("timezone", "UTC".to_owned()),
        ]);
        use sqlx::ConnectOptions as _;
        let options = options.disable_statement_logging().statement_cache_capacity(STATEMENTS_MAX);
        // Left to itself the planner would plan a statement over a few keys anew each time, which takes longer than to run
        // it, and choose scans while the tables are small.
        let by_key = options.clone().options([("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")]);
        let pool = |connections: u32, options: PgConnectOptions| {
            PgPoolOptions::new()
                .max_connections(connections)
                .min_connections(0)
                .acquire_timeout(config.acquire_timeout)
                .idle_timeout(Duration::from_secs(60))
                // A ping per acquire would cost a round trip on every hot path; a dead connection answers with an error
                // that is classified as an outage, and the caller's retry gets a fresh one.
                .test_before_acquire(false)
                .connect_lazy_with(options)
        };
        let orm = SqlxPostgresConnector::from_sqlx_postgres_pool;
        let [single, keyed, usage, work] = config.shares();
        Ok(Self {
            connection: orm(pool(single, options)),
            keyed: orm(pool(keyed, by_key.clone())),
            usage: pool(usage, by_key.clone()),
            work: orm(pool(work, by_key)),
            wake: Wake::default(),
            subscribers: Arc::new(subscribers),
            counts: Arc::default(),
            vitals: Arc::default(),
        })
    }

    /// For single statements outside a transaction.
    pub const fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// For statements that find their rows by key, however many or few there are: they are planned once per connection.
    pub const fn keyed(&self) -> &DatabaseConnection {
        &self.keyed
    }

    /// The pool of [`Db::connection`] for those who speak sqlx.
    pub fn pool(&self) -> &sqlx::PgPool {
        self.connection.get_postgres_connection_pool()
    }

    /// The pool of [`Db::keyed`] for those who speak sqlx.
    pub fn keyed_pool(&self) -> &sqlx::PgPool {
        self.keyed.get_postgres_connection_pool()
    }

    /// For units of work that find their rows by key, of the usage batcher alone: a connection belongs to the runtime that
    /// made it, and the batcher has one of its own.
    pub const fn usage_pool(&self) -> &sqlx::PgPool {
        &self.usage
    }

    /// Connections that are open now.
    pub fn size(&self) -> u32 {
        self.pools().map(sqlx::PgPool::size).sum()
    }

    fn pools(&self) -> impl Iterator<Item = &sqlx::PgPool> {
        let orm = [&self.connection, &self.keyed, &self.work];
        orm.into_iter().map(DatabaseConnection::get_postgres_connection_pool).chain([&self.usage])
    }

    /// Begins a unit of work, whose statements find their rows by key, too. Dropped without [`Tx::commit`], it rolls back.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = self.work.begin().await?;
        let subscribers = Arc::clone(&self.subscribers);
        Ok(Tx { inner, wake: self.wake.clone(), subscribers, staged: AtomicBool::new(false) })
    }

    pub const fn wake(&self) -> &Wake {
        &self.wake
    }

    /// How the process is that works with this database.
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    pub fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// Closes the pools; waits for the connections that are in use.
    pub async fn close(&self) {
        for pool in self.pools() {
            pool.close().await;
        }
    }
}

/// One unit of work: the change and its events. Nothing is visible to anybody before [`Tx::commit`].
#[derive(Debug)]
pub struct Tx {
    inner: DatabaseTransaction,
    wake: Wake,
    subscribers: Arc<Subscribers>,
    staged: AtomicBool,
}

impl Tx {
    /// Commits, then wakes the workers when events were staged.
    pub async fn commit(self) -> Result<()> {
        let staged = self.staged.load(Ordering::Relaxed);
        self.inner.commit().await?;
        if staged {
            self.wake.staged();
        }
        Ok(())
    }

    /// Rolls back and waits for it: whoever goes on with the same rows at once finds them free. A connection that is lost has
    /// let go of them, too.
    pub async fn roll_back(self) {
        if let Err(error) = self.inner.rollback().await {
            tracing::debug!(%error, "a unit of work could not be rolled back; its connection is gone");
        }
    }

    pub(in crate::platform) fn mark_staged(&self) {
        self.staged.store(true, Ordering::Relaxed);
    }

    pub(in crate::platform) fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_the_connections_are_all_of_them_and_none_is_too_small() {
        for connections_max in 8..=200 {
            let shares @ [single, keyed, usage, work] =
                PoolConfig { connections_max, ..PoolConfig::default() }.shares();
            assert_eq!(shares.iter().sum::<u32>(), connections_max, "{shares:?}");
            assert!(single >= 2 && keyed >= 1 && usage >= 3 && work >= 2, "{shares:?}");
        }
    }
}
