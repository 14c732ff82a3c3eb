//! Usage is kept for a stated number of months. What the rows of an old month took off balances becomes entries of the quota
//! ledger in the transaction in which the month goes, so a balance is the sum of its entries at any moment.

use chrono::{DateTime, Utc};

use super::Service;
use super::store::{self, USAGE_TABLE};
use crate::domains::subscription::port::close_uses;
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::retention::{self, Expired, Report};

/// Closing entries written per statement.
const CLOSED_AT_ONCE: i64 = 5_000;

impl Service {
    /// Drops the usage partitions that are past their time at `wall`. Zero months keep everything.
    pub async fn drop_expired_usage(&self, cx: &Context, wall: DateTime<Utc>) -> Result<Report> {
        let months = self.platform.config.usage_retention_months;
        let mut report = Report::default();
        for partition in retention::expired(&self.platform.db, USAGE_TABLE, months, wall).await? {
            match self.drop_month(cx, &partition).await {
                Ok(true) => report.dropped.push(partition.name),
                Ok(false) => report.kept.push(format!("{}: the books are being verified", partition.name)),
                Err(error) if error.is_transient() => report.kept.push(format!("{}: {error}", partition.name)),
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }

    /// False when the books are being verified just now: the next run drops it.
    async fn drop_month(&self, cx: &Context, partition: &Expired) -> Result<bool> {
        let mut tx = self.platform.db.pool().begin().await?;
        if !retention::begin(&mut tx).await? {
            return Ok(false);
        }
        let source = format!("usage:{}", partition.month);
        store::begin_closing(&mut tx, &partition.name).await?;
        loop {
            let uses = store::next_uses(&mut tx, CLOSED_AT_ONCE).await?;
            if uses.is_empty() {
                break;
            }
            close_uses(&mut tx, &uses, &source, cx.now).await?;
        }
        store::end_closing(&mut tx).await?;
        retention::drop_partition(&mut tx, partition).await?;
        tx.commit().await?;
        tracing::info!(partition = partition.name, "usage past its retention dropped");
        Ok(true)
    }
}
