//! Moving the lines of a plan to a new price: booked once, then every line once, in batches, each with its full notice.
//!
//! The booking is a row of its own, so a crash in the middle loses nothing: the operation asked again, and the worker by
//! itself, go on with the lines that were not told yet. Lines that join the plan while the move is open are told as well. One
//! move of a plan is open at a time: a later one ends it, so that nobody is moved back to the price of an earlier decision.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::time::Instant;

use super::Service;
use super::events::PriceMigrationOpened;
use super::model::Line;
use super::policy;
use super::port::{MigratePrice, PriceMigrationScheduled, PriceMigrationView, SubscriptionId};
use super::store;
use super::store::migration::Migration;
use super::terms::PendingPrice;
use super::worker::BATCH;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

/// Shortest and longest notice, in days.
const NOTICE_DAYS: std::ops::RangeInclusive<i32> = 1..=365;

/// Longest name of who asked for it, in characters.
const INITIATOR_LENGTH_MAX: usize = 100;

/// Most ids that an answer names.
const IDS_MAX: usize = 1_000;

/// What the worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct MigrationReport {
    /// Lines that were told of a new price.
    pub(super) notified: u64,
    /// Moves that are complete.
    pub(super) closed: u64,
}

impl Service {
    /// See [`Subscriptions::migrate_price`](super::port::Subscriptions::migrate_price).
    pub(super) async fn move_to_price(&self, cx: &Context, command: MigratePrice) -> Result<PriceMigrationView> {
        checked(&command)?;
        let offering = self.catalog.offering(cx, &command.offering_id).await?;
        let price = match self.catalog.price(cx, &command.new_price_id).await {
            Ok(price) => Some(price),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let currency = offering.active_price.or_else(|| offering.prices.into_iter().next());
        let currency = currency.map(|price| price.money.currency);
        let price = policy::migration_price(&command.offering_id, &command.new_price_id, price, currency)?;

        let tx = self.platform.db.begin().await?;
        let (migration, is_new) = store::migration::open(&tx, cx, &command, price.money).await?;
        let is_same =
            migration.effective_from == command.effective_from && migration.notice_days == command.notice_days;
        if !is_new && !is_same {
            return Err(policy::migration_differs(&migration.id).into());
        }
        if is_new {
            outbox::stage(&tx, cx, &opened(&migration)).await?;
        }
        tx.commit().await?;

        let told = self.tell_lines(cx, &migration).await?;
        self.shown(cx, migration, told).await
    }

    /// Tells the lines that were not told yet, of every move that is open.
    pub(super) async fn go_on_migrating(&self, cx: &Context) -> Result<MigrationReport> {
        let mut report = MigrationReport::default();
        for migration in store::migration::all_open(&self.platform.db, cx).await? {
            report.notified += self.tell_lines(cx, &migration).await?.len() as u64;
            // After the notice of the first ones, whoever joins buys what is on sale then.
            let over = migration.effective_from + TimeDelta::days(migration.notice_days.into());
            if cx.now >= over && store::migration::close(&self.platform.db, cx, &migration.id).await? {
                report.closed += 1;
            }
        }
        Ok(report)
    }

    /// Gives notice to the lines that have none, a batch at a time. Those that somebody works on, and those for which the
    /// caller's time does not suffice, are left for the worker.
    async fn tell_lines(&self, cx: &Context, migration: &Migration) -> Result<Vec<SubscriptionId>> {
        let mut told = Vec::new();
        while Instant::now() < cx.deadline {
            let tx = self.platform.db.begin().await?;
            if !store::migration::hold_open(&tx, cx, &migration.id).await? {
                return Ok(told);
            }
            let mut lines = store::migration::lock_lines(&tx, cx, migration, BATCH).await?;
            if lines.is_empty() {
                return Ok(told);
            }
            let effective_at = effective(migration, cx.now);
            store::migration::book(&tx, cx, migration, &lines, effective_at).await?;
            for line in &mut lines {
                line.pending_price = Some(pending(migration, effective_at));
                line.version += 1;
                outbox::stage(&tx, cx, &notice(line, migration, effective_at)).await?;
            }
            tx.commit().await?;
            told.extend(lines.into_iter().map(|line| line.id));
        }
        Ok(told)
    }

    async fn shown(
        &self,
        cx: &Context,
        migration: Migration,
        mut told: Vec<SubscriptionId>,
    ) -> Result<PriceMigrationView> {
        let progress = store::migration::progress(&self.platform.db, cx, &migration).await?;
        let count = told.len() as u64;
        told.truncate(IDS_MAX);
        Ok(PriceMigrationView {
            new_amount: migration.price.decimal(),
            new_currency: migration.price.currency.to_string(),
            id: migration.id,
            offering_id: migration.offering_id,
            new_price_id: migration.price_id,
            effective_from: migration.effective_from,
            notice_days: migration.notice_days,
            initiated_by: migration.initiated_by,
            state: migration.state,
            count,
            subscription_ids: told,
            notified: progress.notified.unsigned_abs(),
            applied: progress.applied.unsigned_abs(),
            left: progress.untold.unsigned_abs(),
        })
    }
}

fn checked(command: &MigratePrice) -> Result<()> {
    if !NOTICE_DAYS.contains(&command.notice_days) {
        let (least, most) = (NOTICE_DAYS.start(), NOTICE_DAYS.end());
        return Err(Error::invalid("/noticeDays", format!("must be {least} to {most} days")));
    }
    let length = command.initiated_by.trim().chars().count();
    if length == 0 || length > INITIATOR_LENGTH_MAX {
        return Err(Error::invalid("/initiatedBy", format!("must be 1 to {INITIATOR_LENGTH_MAX} characters")));
    }
    Ok(())
}

/// From when a line that is told now pays the new price: nobody's notice is cut short.
fn effective(migration: &Migration, now: DateTime<Utc>) -> DateTime<Utc> {
    migration.effective_from.max(now) + TimeDelta::days(migration.notice_days.into())
}

fn pending(migration: &Migration, effective_at: DateTime<Utc>) -> PendingPrice {
    PendingPrice {
        migration_id: migration.id.clone(),
        price_id: migration.price_id.clone(),
        price: migration.price,
        effective_at,
    }
}

fn notice(line: &Line, migration: &Migration, effective_at: DateTime<Utc>) -> PriceMigrationScheduled {
    PriceMigrationScheduled {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        migration_id: migration.id.clone(),
        msisdn: line.msisdn.clone(),
        offering_id: line.offering_id.clone(),
        old_amount: line.price.decimal(),
        new_amount: migration.price.decimal(),
        new_currency: migration.price.currency.to_string(),
        effective_at,
        notice_days: migration.notice_days,
        initiated_by: migration.initiated_by.clone(),
        version: line.version,
    }
}

fn opened(migration: &Migration) -> PriceMigrationOpened {
    PriceMigrationOpened {
        migration_id: migration.id.clone(),
        offering_id: migration.offering_id.clone(),
        new_price_id: migration.price_id.clone(),
        new_amount: migration.price.decimal(),
        new_currency: migration.price.currency.to_string(),
        effective_from: migration.effective_from,
        notice_days: migration.notice_days,
        initiated_by: migration.initiated_by.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::money::Money;

    #[test]
    fn nobody_gets_a_shorter_notice_than_promised() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let migration = Migration {
            id: "MIG-0001".parse().unwrap(),
            offering_id: "PLAN_M".parse().unwrap(),
            price_id: "PRICE_PLAN_M_2".parse().unwrap(),
            price: Money::new(3_000, "SGD".parse().unwrap()),
            effective_from: at("2026-06-01T00:00:00Z"),
            notice_days: 30,
            initiated_by: "ops".into(),
            state: "open".into(),
        };
        assert_eq!(effective(&migration, at("2026-05-01T00:00:00Z")), at("2026-07-01T00:00:00Z"));
        assert_eq!(effective(&migration, at("2026-06-15T00:00:00Z")), at("2026-07-15T00:00:00Z"), "joined later");
    }
}
