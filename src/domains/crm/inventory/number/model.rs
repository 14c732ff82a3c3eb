//! A number and what can happen to it: pure.

use chrono::{DateTime, Utc};

use crate::domains::crm::inventory::policy::{ADD_RANGE_SANE_PREFIX, NUMBER_TRANSITION};
use crate::domains::crm::port::{Msisdn, NumberStatus, NumberView};
use crate::platform::error::Violation;

/// What can be done with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// An order takes it.
    Reserve,
    /// The order's line takes it.
    Assign,
    /// The order does not need it any more.
    Release,
    /// The line has ended.
    Retire,
    /// It has rested long enough.
    Rested,
}

/// The next status; a status that a step does not fit stays a violation, and a new one does not compile until it is thought of.
pub(crate) fn after(status: NumberStatus, step: Step) -> Result<NumberStatus, Violation> {
    use NumberStatus::{Assigned, Available, PortedOut, Quarantine, Reserved};
    match (status, step) {
        (Available, Step::Reserve) => Ok(Reserved),
        (Reserved, Step::Assign) => Ok(Assigned),
        (Reserved, Step::Release) | (Quarantine, Step::Rested) => Ok(Available),
        (Assigned, Step::Retire) => Ok(Quarantine),
        (Available | Reserved | Assigned | Quarantine | PortedOut, _) => Err(NUMBER_TRANSITION
            .violated("This is not possible in the number's status")
            .with("status", status)
            .with("trigger", step)),
    }
}

/// A number of the pool. The holder fields follow from the status, so that they are changed by the steps only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) msisdn: Msisdn,
    pub(super) status: NumberStatus,
    pub(super) reserved_for: Option<String>,
    pub(super) reserved_at: Option<DateTime<Utc>>,
    pub(super) reserved_until: Option<DateTime<Utc>>,
    pub(super) assigned_to_subscription_id: Option<String>,
    pub(super) quarantine_until: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

impl Number {
    pub(crate) const fn status(&self) -> NumberStatus {
        self.status
    }

    pub(crate) fn reserved_for(&self) -> Option<&str> {
        self.reserved_for.as_deref()
    }

    /// Whether its reservation has run out.
    pub(crate) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.reserved_until.is_some_and(|until| until <= now)
    }

    pub(crate) const fn version(&self) -> i64 {
        self.version
    }

    pub(crate) fn reserve(&mut self, order_id: &str, at: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), Violation> {
        self.take(Step::Reserve)?;
        self.reserved_for = Some(order_id.to_owned());
        self.reserved_at = Some(at);
        self.reserved_until = Some(until);
        Ok(())
    }

    pub(crate) fn extend(&mut self, until: DateTime<Utc>) {
        self.reserved_until = self.reserved_until.map(|former| former.max(until));
    }

    pub(crate) fn assign(&mut self, subscription_id: &str) -> Result<(), Violation> {
        self.take(Step::Assign)?;
        self.assigned_to_subscription_id = Some(subscription_id.to_owned());
        Ok(())
    }

    pub(crate) fn release(&mut self) -> Result<(), Violation> {
        self.take(Step::Release)
    }

    pub(crate) fn retire(&mut self, rests_until: DateTime<Utc>) -> Result<(), Violation> {
        self.take(Step::Retire)?;
        self.quarantine_until = Some(rests_until);
        Ok(())
    }

    pub(crate) fn rested(&mut self) -> Result<(), Violation> {
        self.take(Step::Rested)
    }

    /// Moves on and lets go of what belonged to the former status.
    fn take(&mut self, step: Step) -> Result<(), Violation> {
        self.status = after(self.status, step)?;
        self.reserved_for = None;
        self.reserved_at = None;
        self.reserved_until = None;
        self.assigned_to_subscription_id = None;
        self.quarantine_until = None;
        Ok(())
    }
}

impl From<Number> for NumberView {
    fn from(number: Number) -> Self {
        Self {
            msisdn: number.msisdn,
            status: number.status,
            reserved_for: number.reserved_for,
            reserved_until: number.reserved_until,
            assigned_to_subscription_id: number.assigned_to_subscription_id,
            quarantine_until: number.quarantine_until,
        }
    }
}

/// A range of numbers: the prefix, then so many digits counted up from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) prefix: String,
    pub(crate) counted_digits: usize,
    pub(crate) count: u32,
}

impl Range {
    /// A range of numbers of `number_length` digits.
    pub(crate) fn new(prefix: &str, count: u32, number_length: usize) -> Result<Self, Violation> {
        let refused = |message: String| {
            Err(ADD_RANGE_SANE_PREFIX
                .violated(message)
                .with("prefix", prefix.chars().take(20).collect::<String>())
                .with("count", count))
        };
        let counted_digits = number_length.saturating_sub(prefix.len());
        if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) || !(1..=4).contains(&counted_digits) {
            let shortest = number_length.saturating_sub(4).max(1);
            let longest = number_length.saturating_sub(1);
            return refused(format!("The prefix must be {shortest} to {longest} digits: numbers have {number_length}"));
        }
        // At most four digits are counted: ten thousand numbers.
        let room = [10, 100, 1_000, 10_000][counted_digits - 1];
        if !(1..=room).contains(&count) {
            return refused(format!("Behind this prefix there are 1 to {room} numbers"));
        }
        Ok(Self { prefix: prefix.to_owned(), counted_digits, count })
    }

    pub(crate) fn first(&self) -> Msisdn {
        self.at(0)
    }

    pub(crate) fn last(&self) -> Msisdn {
        self.at(self.count - 1)
    }

    fn at(&self, index: u32) -> Msisdn {
        format!("{}{index:0width$}", self.prefix, width = self.counted_digits).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEPS: [Step; 5] = [Step::Reserve, Step::Assign, Step::Release, Step::Retire, Step::Rested];

    fn fresh() -> Number {
        Number {
            msisdn: "90000000".parse().unwrap(),
            status: NumberStatus::Available,
            reserved_for: None,
            reserved_at: None,
            reserved_until: None,
            assigned_to_subscription_id: None,
            quarantine_until: None,
            version: 1,
        }
    }

    fn apply(number: &mut Number, step: Step) -> Result<(), Violation> {
        let at = DateTime::UNIX_EPOCH;
        match step {
            Step::Reserve => number.reserve("ORD-0001", at, at),
            Step::Assign => number.assign("SUB-0001"),
            Step::Release => number.release(),
            Step::Retire => number.retire(at),
            Step::Rested => number.rested(),
        }
    }

    #[test]
    fn every_pair_of_status_and_step_is_defined() {
        use NumberStatus::{Assigned, Available, Quarantine, Reserved};
        let legal = [
            (Available, Step::Reserve, Reserved),
            (Reserved, Step::Assign, Assigned),
            (Reserved, Step::Release, Available),
            (Assigned, Step::Retire, Quarantine),
            (Quarantine, Step::Rested, Available),
        ];
        for status in NumberStatus::ALL {
            for step in STEPS {
                let expected = legal.iter().find(|(from, by, _)| (*from, *by) == (status, step)).map(|(.., to)| *to);
                let actual = after(status, step);
                assert_eq!(actual.clone().ok(), expected, "{status:?} {step:?}");
                assert!(expected.is_some() || actual.unwrap_err().rule == NUMBER_TRANSITION);
            }
        }
    }

    proptest! {
        /// The database demands it, too: a holder exactly where the status has one.
        #[test]
        fn holders_follow_from_the_status(steps in prop::collection::vec(0_usize..5, 0..30)) {
            let mut number = fresh();
            for step in steps {
                let before = number.clone();
                if apply(&mut number, STEPS[step]).is_err() {
                    prop_assert_eq!(&number, &before, "a refused step changes nothing");
                }
                prop_assert_eq!(number.reserved_for.is_some(), number.status == NumberStatus::Reserved);
                prop_assert_eq!(number.reserved_until.is_some(), number.status == NumberStatus::Reserved);
                prop_assert_eq!(number.assigned_to_subscription_id.is_some(), number.status == NumberStatus::Assigned);
                prop_assert_eq!(number.quarantine_until.is_some(), number.status == NumberStatus::Quarantine);
            }
        }

        #[test]
        fn a_range_has_numbers_of_the_operators_length_only(
            prefix in "[0-9]{0,12}", count in 0_u32..20_000, length in 4_usize..=12,
        ) {
            if let Ok(range) = Range::new(&prefix, count, length) {
                for msisdn in [range.first(), range.last()] {
                    prop_assert_eq!(msisdn.as_str().len(), length);
                    prop_assert!(msisdn.as_str().starts_with(&prefix));
                }
                prop_assert!((1..=10_000).contains(&count));
                let span: u64 = range.last().as_str().parse::<u64>().unwrap() - range.first().as_str().parse::<u64>().unwrap();
                prop_assert_eq!(span, u64::from(count) - 1);
            }
        }
    }

    #[test]
    fn an_extension_never_shortens() {
        let mut number = fresh();
        number.reserve("ORD-0001", DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(2)).unwrap();
        number.extend(DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1));
        assert_eq!(number.reserved_until, Some(DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(2)));
        number.extend(DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(3));
        assert_eq!(number.reserved_until, Some(DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(3)));
    }

    #[test]
    fn prefixes_that_make_no_number_are_refused() {
        assert_eq!(
            Range::new("9100", 10, 8).map(|r| (r.first().into(), r.last().into())),
            Ok(("91000000".to_owned(), "91000009".to_owned()))
        );
        for (prefix, count) in [
            ("123", 1),
            ("12345678", 1),
            ("9X00", 1),
            ("９１００", 1),
            ("", 1),
            ("9100", 0),
            ("9100", 10_001),
            ("9100000", 11),
        ] {
            let refused = Range::new(prefix, count, 8).unwrap_err();
            assert_eq!(refused.rule, ADD_RANGE_SANE_PREFIX, "{prefix} {count}");
        }
    }
}
