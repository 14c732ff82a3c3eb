//! Running processes announce themselves: boot id, version, schema, role and a short lease that they renew. Whoever stops
//! renewing is dead, and its leases on deliveries, payments and tasks are taken over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::platform::db::{self, Db, execute, schema, sql};
use crate::platform::delivery;
use crate::platform::error::Result;

/// A process that has not renewed for this long is dead.
pub const LEASE: Duration = Duration::from_secs(5);
const RENEWAL: Duration = Duration::from_secs(1);

/// One running (or lately running) process.
#[derive(Debug, Clone, Serialize, FromQueryResult, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaView {
    pub boot_id: Uuid,
    pub version: String,
    pub schema_version: String,
    pub role: String,
    pub started_at: DateTime<Utc>,
    pub alive: bool,
}

/// Announces this process and keeps its lease until `stop`; frees the leases of the dead as it goes.
pub async fn keep_alive(db: Db, boot_id: Uuid, role: &'static str, stop: CancellationToken) {
    loop {
        if let Err(error) = db::answered(renew(&db, boot_id, role)).await {
            tracing::debug!(%error, "replica lease not renewed");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(RENEWAL) => {}
        }
    }
    let farewell = execute(db.connection(), sql!("delete from platform.replica where boot_id = $1", boot_id)).await;
    if let Err(error) = farewell {
        tracing::debug!(%error, "replica row left to expire");
    }
}

/// Renews the lease of this process and frees what dead ones held.
pub async fn renew(db: &Db, boot_id: Uuid, role: &'static str) -> Result<()> {
    execute(
        db.connection(),
        sql!(
            "insert into platform.replica (boot_id, version, schema_version, role, lease_until)
             values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
             on conflict (boot_id) do update set lease_until = excluded.lease_until",
            boot_id,
            env!("CARGO_PKG_VERSION"),
            schema::version(),
            role,
            LEASE.as_secs_f64()
        ),
    )
    .await?;
    let day_old = "delete from platform.replica where lease_until < clock_timestamp() - interval '1 day'";
    execute(db.connection(), sql!(day_old)).await?;
    if delivery::free_orphans(db).await? > 0 {
        db.wake().heard();
    }
    Ok(())
}

/// Every process that was alive within the last day.
pub async fn list(db: &Db) -> Result<Vec<ReplicaView>> {
    let statement = sql!(
        "select boot_id, version, schema_version, role, started_at, lease_until > clock_timestamp() as alive
         from platform.replica order by started_at"
    );
    Ok(ReplicaView::find_by_statement(statement).all(db.connection()).await?)
}
