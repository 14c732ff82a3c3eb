//! Two clocks. The product clock is everything a customer or operator would call a date; it can be frozen and advanced
//! where clock control is allowed. The wall clock is leases, backoff, retention, partition keys and latency.
//!
//! Where clock control is allowed, the product clock is one database row that each use case reads once, so that all
//! replicas agree; use cases that begin at the same time share the read. Where it is not, there is no row and no read: the
//! wall clock is the product clock.

use std::collections::HashMap;

use chrono::{DateTime, Datelike as _, SubsecRound as _, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;
use sqlx::{FromRow, PgConnection};

use crate::platform::context::Context;
use crate::platform::db::{Db, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::gather::Gather;
use crate::platform::outbox::{self, Event};

/// The wall clock in whole microseconds, which is what PostgreSQL stores.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// The product clock.
#[derive(Debug, Clone)]
pub struct Clock {
    control: Option<Control>,
}

#[derive(Debug, Clone)]
struct Control {
    db: Db,
    reads: Gather<(), Row>,
}

/// What the clock says of itself.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockState {
    /// `wall` or `frozen`.
    pub mode: Mode,
    /// Product time now.
    pub now: DateTime<Utc>,
    /// Seconds that were added by advancing; 0 when product time is wall time.
    pub offset_seconds: f64,
    pub frozen_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Wall,
    Frozen,
}

#[derive(Debug, Clone, Default, FromQueryResult, FromRow)]
struct Row {
    offset_ms: i64,
    frozen_at: Option<DateTime<Utc>>,
}

impl Row {
    fn now(&self) -> DateTime<Utc> {
        self.frozen_at.unwrap_or_else(|| wall() + TimeDelta::milliseconds(self.offset_ms))
    }

    fn state(&self) -> ClockState {
        let mode = if self.frozen_at.is_some() { Mode::Frozen } else { Mode::Wall };
        #[expect(clippy::cast_precision_loss, reason = "an offset of centuries still fits 53 bits of milliseconds")]
        let offset_seconds = self.offset_ms as f64 / 1000.0;
        ClockState { mode, now: self.now(), offset_seconds, frozen_at: self.frozen_at }
    }
}

impl Clock {
    /// A clock that nobody can set: product time is wall time.
    pub const fn wall() -> Self {
        Self { control: None }
    }

    /// A clock whose state is a row of `db`.
    pub fn controlled(db: Db) -> Self {
        let reader = db.clone();
        let reads = Gather::new(move |_| {
            let db = reader.clone();
            async move { Ok(HashMap::from([((), read(db.keyed()).await?)])) }
        });
        Self { control: Some(Control { db, reads }) }
    }

    /// Product time, read once per use case and then handed on as [`Context::now`](crate::platform::context::Context).
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        match &self.control {
            None => Ok(wall()),
            // Shared with whoever asks at the same time, never kept: an advance that was answered is seen by all.
            Some(control) => Ok(control.reads.ask(()).await?.unwrap_or_default().now()),
        }
    }

    /// As [`Self::now`], over the connection of a unit of work that asks for nobody else.
    pub async fn now_over(&self, connection: &mut PgConnection) -> Result<DateTime<Utc>> {
        if self.control.is_none() {
            return Ok(wall());
        }
        Ok(sqlx::query_as(READ).fetch_optional(connection).await?.unwrap_or_else(Row::default).now())
    }

    pub async fn state(&self) -> Result<ClockState> {
        let row = match &self.control {
            None => Row::default(),
            Some(control) => read(control.db.connection()).await?,
        };
        Ok(row.state())
    }

    /// Stops product time at `at`, or where it is.
    ///
    /// # Errors
    /// Forbidden where nobody can set it; an instant outside the years 1 to 9999.
    pub async fn freeze(&self, cx: &Context, at: Option<DateTime<Utc>>) -> Result<ClockState> {
        self.change(cx, "frozen", |row| {
            let at = at.unwrap_or_else(|| row.now());
            has_a_date(at).then_some(Row { frozen_at: Some(at), ..row }).ok_or_else(|| beyond("/at"))
        })
        .await
    }

    /// Back to wall time; nothing of a former freeze or advance is kept.
    pub async fn unfreeze(&self, cx: &Context) -> Result<ClockState> {
        self.change(cx, "unfrozen", |_| Ok(Row::default())).await
    }

    /// Moves product time forward. `by` is never negative.
    ///
    /// # Errors
    /// Forbidden where nobody can set it; an instant after the year 9999.
    pub async fn advance(&self, cx: &Context, by: TimeDelta) -> Result<ClockState> {
        self.change(cx, "advanced", |row| {
            row.now().checked_add_signed(by).filter(|at| has_a_date(*at)).ok_or_else(|| beyond("/duration"))?;
            Ok(match row.frozen_at {
                Some(at) => Row { frozen_at: Some(at + by), ..row },
                None => Row { offset_ms: row.offset_ms + by.num_milliseconds(), ..row },
            })
        })
        .await
    }

    /// One change at a time: the next one starts from what this one left.
    async fn change(&self, cx: &Context, what: &str, to: impl FnOnce(Row) -> Result<Row>) -> Result<ClockState> {
        let tx = self.writable()?.begin().await?;
        // There must be a row before it can be locked.
        execute(&*tx, sql!("insert into platform.product_clock default values on conflict (singleton) do nothing"))
            .await?;
        let locked = sql!("select offset_ms, frozen_at from platform.product_clock for update");
        let before = Row::find_by_statement(locked).one(&*tx).await?.unwrap_or_default();
        let after = to(before.clone())?;
        let statement = sql!(
            "update platform.product_clock
             set mode = $1, offset_ms = $2, frozen_at = $3, updated_at = clock_timestamp()",
            if after.frozen_at.is_some() { "frozen" } else { "wall" },
            after.offset_ms,
            after.frozen_at
        );
        execute(&*tx, statement).await?;
        outbox::stage(&tx, cx, &ClockChanged { change: what, from: before.now(), to: after.now() }).await?;
        tx.commit().await?;
        Ok(after.state())
    }

    fn writable(&self) -> Result<&Db> {
        self.control.as_ref().map(|control| &control.db).ok_or_else(|| Error::Forbidden {
            code: "ADMIN_CLOCK_DISABLED",
            message:
                "The clock cannot be set here. Start the server with BSS_ALLOW_ADMIN_RESET=true, never in production."
                    .into(),
        })
    }
}

/// Somebody set the product clock.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClockChanged<'a> {
    /// `frozen`, `advanced` or `unfrozen`.
    change: &'a str,
    /// Product time before.
    from: DateTime<Utc>,
    /// Product time after.
    to: DateTime<Utc>,
}

impl Event for ClockChanged<'_> {
    const TYPE: &'static str = "clock.changed";
    const AGGREGATE: &'static str = "product_clock";
    fn aggregate_id(&self) -> &'static str {
        "product_clock"
    }
}

/// Whether an instant can be written as a date that everybody reads.
fn has_a_date(at: DateTime<Utc>) -> bool {
    (1..=9_999).contains(&at.year())
}

fn beyond(pointer: &str) -> Error {
    Error::invalid(pointer, "takes product time out of the years 1 to 9999")
}

const READ: &str = "select offset_ms, frozen_at from platform.product_clock";

async fn read(connection: &impl ConnectionTrait) -> Result<Row> {
    Ok(Row::find_by_statement(sql!(READ)).one(connection).await?.unwrap_or_default())
}

/// Reads `45s`, `15m`, `2h` or `30d`: an integer and one unit, nothing compound, never negative.
pub fn parse_duration(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i32 = number.trim().parse().ok().filter(|n| *n >= 0)?;
    match unit {
        "s" => TimeDelta::try_seconds(number.into()),
        "m" => TimeDelta::try_minutes(number.into()),
        "h" => TimeDelta::try_hours(number.into()),
        "d" => TimeDelta::try_days(number.into()).filter(|d| d.num_days() <= 36_500),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        assert_eq!(parse_duration("45s"), TimeDelta::try_seconds(45));
        assert_eq!(parse_duration(" 30d "), TimeDelta::try_days(30));
        for bad in ["", "d", "3w", "-1d", "1h30m", "1.5h", "99999999999d", "é"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
