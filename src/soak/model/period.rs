//! When a period ends, by dates.

use chrono::{Datelike as _, Days, Months, NaiveDate};

use crate::soak::catalog::Counted;

/// How a line's periods are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    Days30,
    /// To this day of the month, or to the last one of a shorter month.
    Months {
        day: u32,
    },
}

impl Counting {
    /// Counted from `start` on.
    pub(super) fn anchored(counted: Counted, start: NaiveDate) -> Self {
        match counted {
            Counted::Days30 => Self::Days30,
            Counted::Months => Self::Months { day: start.day() },
        }
    }

    pub(super) const fn counted(self) -> Counted {
        match self {
            Self::Days30 => Counted::Days30,
            Self::Months { .. } => Counted::Months,
        }
    }

    /// Counted as the plan wants it from `boundary` on; who counts that way already goes on.
    pub(super) fn carried_to(self, counted: Counted, boundary: NaiveDate) -> Self {
        if self.counted() == counted { self } else { Self::anchored(counted, boundary) }
    }

    /// The boundary that follows.
    pub(super) fn after(self, boundary: NaiveDate) -> NaiveDate {
        match self {
            Self::Days30 => boundary + Days::new(30),
            Self::Months { day } => {
                let next = boundary.with_day(1).unwrap_or(boundary) + Months::new(1);
                (1..=day).rev().find_map(|day| next.with_day(day)).unwrap_or(next)
            }
        }
    }

    /// The last boundary that is not after `today`, counted on from `boundary`.
    pub(super) fn latest(self, boundary: NaiveDate, today: NaiveDate) -> NaiveDate {
        let mut at = boundary;
        while self.after(at) <= today {
            at = self.after(at);
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_from_the_31st_ends_on_the_last_day_and_comes_back() {
        let counting = Counting::anchored(Counted::Months, day("2027-01-31"));
        let ends = std::iter::successors(Some(day("2027-01-31")), |at| Some(counting.after(*at)));
        let ends: Vec<String> = ends.skip(1).take(4).map(|end| end.to_string()).collect();
        assert_eq!(ends, ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]);
        assert_eq!(counting.latest(day("2027-02-28"), day("2027-05-30")), day("2027-04-30"));
    }

    #[test]
    fn thirty_days_and_a_change_of_counting() {
        assert_eq!(Counting::Days30.after(day("2027-02-15")), day("2027-03-17"));
        assert_eq!(Counting::Days30.latest(day("2027-02-15"), day("2027-03-16")), day("2027-02-15"));
        let months = Counting::Days30.carried_to(Counted::Months, day("2027-03-17"));
        assert_eq!(months, Counting::Months { day: 17 });
        assert_eq!(months.carried_to(Counted::Months, day("2027-05-01")), months);
    }
}
