//! Period arithmetic: when a period ends and which one a renewal starts. Pure; exact over month ends and DST.
//!
//! A thirty-day period is 30 x 24 hours. A calendar month ends on the anchor day of the next month, or on the last day of a
//! shorter one, at the anchor's wall time in the operator's zone; the anchor stays, so February does not move March.

use chrono::{
    DateTime, Datelike as _, MappedLocalTime, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _,
    Utc,
};
use chrono_tz::Tz;

use crate::domains::catalog::port::PlanPeriod;

/// How a line's periods are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeriodKind {
    Days30,
    /// `day` is 1 to 31; `time` is wall time in the operator's zone.
    CalendarMonth {
        day: u32,
        time: NaiveTime,
    },
}

/// From `start` inclusive to `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
}

/// The length of a thirty-day period.
const THIRTY_DAYS: TimeDelta = TimeDelta::days(30);

/// Longest jump of local time that is looked over: Samoa skipped a whole day in 2011.
const GAP_MAX: TimeDelta = TimeDelta::hours(48);
const GAP_STEP: TimeDelta = TimeDelta::minutes(15);

impl PeriodKind {
    /// As a plan counts them; the anchor comes with the first period.
    pub(super) const fn of(plan: PlanPeriod) -> Self {
        match plan {
            PlanPeriod::Days30 => Self::Days30,
            PlanPeriod::CalendarMonth => Self::CalendarMonth { day: 1, time: NaiveTime::MIN },
        }
    }

    pub(super) const fn plan(self) -> PlanPeriod {
        match self {
            Self::Days30 => PlanPeriod::Days30,
            Self::CalendarMonth { .. } => PlanPeriod::CalendarMonth,
        }
    }

    /// How periods are counted from the boundary `from` on, where the plan may have changed: an anchor is kept as long as
    /// the plan counts months.
    fn carried_to(self, plan: PlanPeriod, from: DateTime<Utc>, zone: Tz) -> Self {
        if self.plan() == plan { self } else { Self::of(plan).anchored_at(from, zone) }
    }

    /// The same kind of period, counted from `start` on.
    pub(super) fn anchored_at(self, start: DateTime<Utc>, zone: Tz) -> Self {
        match self {
            Self::Days30 => Self::Days30,
            Self::CalendarMonth { .. } => {
                let local = start.with_timezone(&zone);
                Self::CalendarMonth { day: local.day(), time: local.time() }
            }
        }
    }

    /// The boundary that follows the boundary `from`.
    fn after(self, from: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Days30 => from + THIRTY_DAYS,
            Self::CalendarMonth { day, time } => {
                let local = from.with_timezone(&zone).date_naive();
                // A boundary that a gap pushed over midnight lies in the month of its date; two steps always suffice.
                let boundaries = (0..=2).map(|months| in_month(local, months, day, time, zone));
                boundaries.into_iter().find(|boundary| *boundary > from).unwrap_or(from + THIRTY_DAYS)
            }
        }
    }

    /// The latest boundary that is not after `now`, counted on from `boundary`.
    fn latest(self, boundary: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Days30 => {
                let missed = (now - boundary).num_seconds() / THIRTY_DAYS.num_seconds();
                boundary + TimeDelta::days(30 * missed.max(0))
            }
            Self::CalendarMonth { .. } => {
                let boundaries = std::iter::successors(Some(boundary), |last| Some(self.after(*last, zone)));
                boundaries.take_while(|next| *next <= now).last().unwrap_or(boundary)
            }
        }
    }
}

/// `day` and `time` in the month that lies `months` after the one of `date`.
fn in_month(date: NaiveDate, months: u32, day: u32, time: NaiveTime, zone: Tz) -> DateTime<Utc> {
    let first = date.with_day(1).and_then(|first| first.checked_add_months(Months::new(months))).unwrap_or(date);
    let in_month = (28..=day.max(28)).rev().find_map(|last| first.with_day(last.min(day)));
    resolve(in_month.unwrap_or(first).and_time(time), zone)
}

/// The instant of a wall time: the first of two, and the end of the gap for one that a clock change skips.
fn resolve(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let mut skipped = TimeDelta::zero();
    while skipped <= GAP_MAX {
        match zone.from_local_datetime(&(local + skipped)) {
            MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => return instant.to_utc(),
            MappedLocalTime::None => skipped += GAP_STEP,
        }
    }
    local.and_utc()
}

/// What decides about the period that an approved renewal starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renewal {
    pub(super) kind: PeriodKind,
    /// What the plan of the new period counts by.
    pub(super) plan: PlanPeriod,
    pub(super) current: Period,
    /// The line was blocked for payment: nothing was used since the current period ended.
    pub(super) unpaid: bool,
    pub(super) now: DateTime<Utc>,
    pub(super) zone: Tz,
}

impl Renewal {
    /// The new period, and how the ones after it are counted.
    ///
    /// - Due: it starts where the last one ended, so boundaries do not drift. Missed periods are not charged for: it starts
    ///   at the latest boundary that has passed.
    /// - Early: it starts at once and ends one period after the end of the current one, so no paid day is lost.
    /// - Overdue and blocked for payment: it starts at once and is whole; later boundaries are counted from now.
    pub(super) fn next(self) -> (Period, PeriodKind) {
        let Self { kind, plan, current, unpaid, now, zone } = self;
        if now < current.end {
            // The clock may have been set back behind the start of the period.
            let start = now.max(current.start);
            let kind = kind.carried_to(plan, current.end, zone);
            return (Period { start, end: kind.after(current.end, zone) }, kind);
        }
        if unpaid {
            return first(PeriodKind::of(plan), now, zone);
        }
        let start = kind.latest(current.end, now, zone);
        let kind = kind.carried_to(plan, start, zone);
        // Counted the other way the period may have passed already: a February is shorter than thirty days.
        let start = kind.latest(start, now, zone);
        (Period { start, end: kind.after(start, zone) }, kind)
    }

    /// The instant whose contract is owed: of an overdue renewal that boundary's, whenever it is paid; else the one at
    /// which the new period begins.
    pub(super) fn owed_at(self) -> DateTime<Utc> {
        // The clock may have been set back behind the start of the period.
        if self.unpaid { self.now.clamp(self.current.start, self.current.end) } else { self.next().0.start }
    }
}

/// The first period of a line that goes live at `start`, and how the ones after it are counted.
pub(super) fn first(kind: PeriodKind, start: DateTime<Utc>, zone: Tz) -> (Period, PeriodKind) {
    let kind = kind.anchored_at(start, zone);
    (Period { start, end: kind.after(start, zone) }, kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ZONES: [Tz; 5] =
        [Tz::Asia__Singapore, Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Pacific__Apia];
    const MONTH: PeriodKind = PeriodKind::CalendarMonth { day: 1, time: NaiveTime::MIN };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn boundaries(start: &str, zone: Tz, count: usize) -> Vec<String> {
        let (period, kind) = first(MONTH, at(start), zone);
        let ends = std::iter::successors(Some(period.end), |end| Some(kind.after(*end, zone)));
        ends.take(count).map(|end| end.with_timezone(&zone).format("%m-%d %H:%M %z").to_string()).collect()
    }

    #[test]
    fn a_month_that_began_on_the_31st_ends_on_the_last_day_and_comes_back() {
        let ends = boundaries("2027-01-31T10:00:00Z", Tz::Asia__Singapore, 4);
        assert_eq!(ends, ["02-28 18:00 +0800", "03-31 18:00 +0800", "04-30 18:00 +0800", "05-31 18:00 +0800"]);
        assert_eq!(boundaries("2028-01-30T00:00:00Z", Tz::Asia__Singapore, 1), ["02-29 08:00 +0800"], "a leap year");
    }

    #[test]
    fn wall_time_stays_through_clock_changes() {
        // Berlin: 2026-03-29 02:00 to 03:00 does not exist, 2026-10-25 02:00 to 03:00 exists twice.
        let spring = boundaries("2026-01-29T01:30:00Z", Tz::Europe__Berlin, 3);
        assert_eq!(spring, ["02-28 02:30 +0100", "03-29 03:00 +0200", "04-29 02:30 +0200"]);
        let autumn = boundaries("2026-08-25T00:30:00Z", Tz::Europe__Berlin, 3);
        assert_eq!(autumn, ["09-25 02:30 +0200", "10-25 02:30 +0200", "11-25 02:30 +0100"]);
        assert_eq!(
            boundaries("2011-11-30T08:00:00Z", Tz::Pacific__Apia, 2),
            ["12-29 22:00 -1000", "01-29 22:00 +1400"]
        );
        assert_eq!(
            boundaries("2011-12-01T08:00:00Z", Tz::Pacific__Apia, 1),
            ["12-31 00:00 +1400"],
            "a day that was skipped"
        );
    }

    #[test]
    fn thirty_days_are_hours_not_dates() {
        let (period, _) = first(PeriodKind::Days30, at("2026-03-20T12:00:00Z"), Tz::Europe__Berlin);
        assert_eq!(period.end, at("2026-04-19T12:00:00Z"));
    }

    fn renewal(now: &str, unpaid: bool) -> Period {
        let current = Period { start: at("2026-05-01T09:00:00Z"), end: at("2026-05-31T09:00:00Z") };
        let zone = Tz::Asia__Singapore;
        let plan = PlanPeriod::Days30;
        Renewal { kind: PeriodKind::Days30, plan, current, unpaid, now: at(now), zone }.next().0
    }

    #[test]
    fn a_due_renewal_starts_where_the_last_period_ended() {
        let late = renewal("2026-05-31T09:00:47Z", false);
        assert_eq!(late, Period { start: at("2026-05-31T09:00:00Z"), end: at("2026-06-30T09:00:00Z") });
    }

    #[test]
    fn missed_periods_are_neither_charged_nor_drifted() {
        let after_ten_weeks = renewal("2026-08-09T10:00:00Z", false);
        assert_eq!(after_ten_weeks, Period { start: at("2026-07-30T09:00:00Z"), end: at("2026-08-29T09:00:00Z") });
    }

    #[test]
    fn an_early_renewal_starts_at_once_and_loses_no_day() {
        let early = renewal("2026-05-11T00:00:00Z", false);
        assert_eq!(early, Period { start: at("2026-05-11T00:00:00Z"), end: at("2026-06-30T09:00:00Z") });
        assert_eq!(renewal("2026-05-11T00:00:00Z", true), early, "declined once, paid while the period still runs");
        assert_eq!(renewal("2026-04-01T00:00:00Z", false).start, at("2026-05-01T09:00:00Z"), "the clock was set back");
    }

    #[test]
    fn an_overdue_line_that_pays_gets_a_whole_period() {
        let paid = renewal("2026-06-20T12:00:00Z", true);
        assert_eq!(paid, Period { start: at("2026-06-20T12:00:00Z"), end: at("2026-07-20T12:00:00Z") });
    }

    #[test]
    fn what_is_owed_is_the_boundary_that_was_missed() {
        let current = Period { start: at("2026-05-01T09:00:00Z"), end: at("2026-05-31T09:00:00Z") };
        let owed = |now: &str, unpaid| {
            let (kind, plan, zone) = (PeriodKind::Days30, PlanPeriod::Days30, Tz::Asia__Singapore);
            Renewal { kind, plan, current, unpaid, now: at(now), zone }.owed_at()
        };
        assert_eq!(owed("2026-06-20T12:00:00Z", true), current.end, "paid late");
        assert_eq!(owed("2026-05-10T12:00:00Z", true), at("2026-05-10T12:00:00Z"), "declined early, paid early");
        assert_eq!(owed("2026-05-31T09:00:47Z", false), current.end);
        assert_eq!(owed("2026-08-09T10:00:00Z", false), at("2026-07-30T09:00:00Z"), "missed periods");
    }

    #[test]
    fn a_plan_that_counts_otherwise_begins_at_the_boundary() {
        let current = Period { start: at("2026-05-01T09:00:00Z"), end: at("2026-05-31T09:00:00Z") };
        let zone = Tz::Asia__Singapore;
        let change = |kind: PeriodKind, plan, current| {
            Renewal { kind, plan, current, unpaid: false, now: at("2026-05-31T10:00:00Z"), zone }.next()
        };
        let (monthly, kind) = change(PeriodKind::Days30, PlanPeriod::CalendarMonth, current);
        assert_eq!(monthly, Period { start: current.end, end: at("2026-06-30T09:00:00Z") }, "the last day of June");
        assert_eq!(kind.after(monthly.end, zone), at("2026-07-31T09:00:00Z"), "and back to the 31st");
        let (thirty, kind) = change(kind, PlanPeriod::Days30, current);
        assert_eq!((thirty.end, kind), (at("2026-06-30T09:00:00Z"), PeriodKind::Days30));
    }

    fn days_in(date: NaiveDate) -> u32 {
        (28..=31).rev().find(|day| date.with_day(*day).is_some()).unwrap()
    }

    proptest! {
        #[test]
        fn calendar_boundaries_keep_the_anchor(
            zone in prop::sample::select(ZONES.to_vec()), minute in 0_i64..60 * 24 * 366 * 12,
        ) {
            let start = at("2024-01-01T00:00:00Z") + TimeDelta::minutes(minute);
            let anchor = start.with_timezone(&zone);
            let (mut period, kind) = first(MONTH, start, zone);
            for _ in 0..30 {
                prop_assert!(period.start < period.end);
                let length = period.end - period.start;
                prop_assert!(length >= TimeDelta::hours(28 * 24 - 1) && length <= TimeDelta::hours(31 * 24 + 1), "{length}");
                let end = period.end.with_timezone(&zone);
                prop_assert_eq!(end.day(), anchor.day().min(days_in(end.date_naive())));
                // Only a wall time that a clock change skips is moved, by the length of the gap at most.
                let moved = end.time() - anchor.time();
                prop_assert!(moved == TimeDelta::zero() || (moved > TimeDelta::zero() && moved <= TimeDelta::hours(1)), "{end}");
                period = Period { start: period.end, end: kind.after(period.end, zone) };
            }
        }

        #[test]
        fn a_renewal_never_overlaps_what_is_used_up_nor_ends_in_the_past(
            zone in prop::sample::select(ZONES.to_vec()), calendar in any::<bool>(), to_calendar in any::<bool>(),
            unpaid in any::<bool>(), start in 0_i64..60 * 24 * 700, later in -60_i64..60 * 24 * 400,
        ) {
            let start = at("2025-01-01T00:00:00Z") + TimeDelta::minutes(start);
            let (current, kind) = first(if calendar { MONTH } else { PeriodKind::Days30 }, start, zone);
            let now = start + TimeDelta::minutes(later);
            let plan = if to_calendar { PlanPeriod::CalendarMonth } else { PlanPeriod::Days30 };
            let renewal = Renewal { kind, plan, current, unpaid, now, zone };
            let (next, counted) = renewal.next();
            prop_assert!(next.start < next.end && next.end > now && next.start >= current.start);
            prop_assert_eq!(counted.plan(), plan);
            if plan == kind.plan() && !unpaid {
                prop_assert_eq!(counted, kind, "the anchor stays");
            }
            let owed = renewal.owed_at();
            prop_assert!(owed >= current.start && (owed <= now.max(current.start)));
            if now >= current.end {
                prop_assert!(next.start >= current.end && next.start <= now);
            } else {
                prop_assert!(next.end > current.end, "no paid day is lost");
            }
        }
    }
}
