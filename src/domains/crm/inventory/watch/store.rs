//! The table of the watch, and bounded counts of the pools.

use sea_orm::FromQueryResult;

use super::Pool;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::Result;

impl Pool {
    const fn name(self) -> &'static str {
        match self {
            Self::Numbers => "msisdn",
            Self::Profiles => "esim",
        }
    }

    /// Counts what is available, no further than one above `$2`: more does not matter, and a big pool costs nothing.
    const fn count(self) -> &'static str {
        match self {
            Self::Numbers => {
                "(select count(*) from (select from inventory.msisdn_pool
                  where tenant_id = $1 and status = 'available' limit $2 + 1) as counted)"
            }
            Self::Profiles => {
                "(select count(*) from (select from inventory.esim_profile
                  where tenant_id = $1 and profile_state = 'available' limit $2 + 1) as counted)"
            }
        }
    }
}

/// Notes that the pool is low, when it is and was not noted. Answers what is left then; of callers at once only one is told.
pub(super) async fn note_low(tx: &Tx, cx: &Context, pool: Pool, threshold: u32) -> Result<Option<i64>> {
    #[derive(FromQueryResult)]
    struct Low {
        available: i64,
    }
    // Where the alarm stands already nothing is locked, so that orders do not queue up behind each other in a low pool.
    let query = format!(
        "insert into inventory.pool_watch as w (tenant_id, pool, is_low)
         select $1, $3, true
         where not exists (select from inventory.pool_watch where tenant_id = $1 and pool = $3 and is_low) and {count} <= $2
         on conflict (tenant_id, pool) do update set is_low = true, changed_at = clock_timestamp() where not w.is_low
         returning {count} as available",
        count = pool.count()
    );
    let statement = sql!(query, cx.tenant.as_ref(), i64::from(threshold), pool.name());
    Ok(Low::find_by_statement(statement).one(&**tx).await?.map(|low| low.available))
}

/// Notes that the pool is filled again, when it is.
pub(super) async fn rearm(tx: &Tx, cx: &Context, pool: Pool, threshold: u32) -> Result<()> {
    let query = format!(
        "update inventory.pool_watch set is_low = false, changed_at = clock_timestamp()
         where tenant_id = $1 and pool = $3 and is_low and {} > $2",
        pool.count()
    );
    execute(&**tx, sql!(query, cx.tenant.as_ref(), i64::from(threshold), pool.name())).await.map(drop)
}
