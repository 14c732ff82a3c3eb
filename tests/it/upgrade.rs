//! The schema of an installation that is in use is brought to a newer version.

use bss::platform::db::schema::{self, SchemaState};
use bss_migrations::Migrator;
use sea_orm_migration::MigratorTrait as _;
use sqlx::{Connection as _, PgConnection};

use crate::support::cluster;

/// A step on a big table takes longer than any statement may while the product runs.
#[tokio::test]
async fn a_step_may_take_longer_than_a_statement_of_a_request() {
    let url = cluster::empty_database().await;
    let platform = cluster::replica(&url, &[]);
    let steps = u32::try_from(bss_migrations::known().count()).expect("a few");
    Migrator::up(platform.db.connection(), Some(steps - 1)).await.expect("the steps before the last apply");
    assert!(
        matches!(schema::state(&platform.db).await.expect("a state"), SchemaState::Behind { missing } if missing.len() == 1)
    );

    // The last step, and whatever it is: its record cannot be written while somebody holds the table of records.
    let mut holder = PgConnection::connect(&url).await.expect("the database answers");
    sqlx::raw_sql("begin; lock table public.seaql_migrations in exclusive mode")
        .execute(&mut holder)
        .await
        .expect("a lock");
    let migrating = tokio::spawn({
        let db = platform.db.clone();
        async move { schema::migrate(&db).await }
    });
    let waits_for_longer = "select exists (select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and clock_timestamp() - query_start > interval '4500 ms')";
    while !sqlx::query_scalar::<_, bool>(waits_for_longer).fetch_one(platform.db.pool()).await.expect("an answer") {
        assert!(!migrating.is_finished(), "it did not wait: {:?}", migrating.await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    sqlx::raw_sql("rollback").execute(&mut holder).await.expect("the lock is let go");
    migrating.await.expect("no panic").expect("the last step applies");
    assert_eq!(schema::state(&platform.db).await.expect("a state"), SchemaState::Current);
    holder.close().await.ok();
    platform.db.close().await;
}
