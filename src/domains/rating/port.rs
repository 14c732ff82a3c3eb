//! What others may ask rating: which allowance an event uses, and what the event takes off it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domains::catalog::port::AllowanceType;
use crate::platform::error::Rule;

pub use super::policy::{
    ALLOWANCE_EXHAUSTED, FAIR_USE_EXCEEDED, NO_ALLOWANCE, NO_ROAMING_ALLOWANCE, ROAMING_BALANCE_REQUIRED,
};
pub use super::tariff::{RateView, Sample, TEST_RULES, Tariff, Tested, rate_test, tariff};

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageType {
    Data,
    Voice,
    Sms,
}

impl UsageType {
    pub const ALL: [Self; 3] = [Self::Data, Self::Voice, Self::Sms];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Voice => "voice",
            Self::Sms => "sms",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The allowance of the line that an event uses. Only data has one of its own for use abroad: roaming voice and SMS
    /// are used like those at home.
    pub const fn allowance(self, roaming: bool) -> AllowanceType {
        match (self, roaming) {
            (Self::Data, false) => AllowanceType::Data,
            (Self::Data, true) => AllowanceType::DataRoaming,
            (Self::Voice, _) => AllowanceType::Voice,
            (Self::Sms, _) => AllowanceType::Sms,
        }
    }
}

/// What a line has of one allowance just before the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// In the allowance's unit, never negative. Means nothing while unlimited.
    pub remaining: i64,
    pub unlimited: bool,
    /// Sold as unlimited: what remains is what fair use leaves. Its end refuses, and never blocks the line.
    pub fair_use: bool,
}

/// The answer to one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Served(Served),
    /// Nothing is given. `remaining` is what the line has; None when it has no such allowance.
    Refused {
        rule: Rule,
        remaining: Option<i64>,
    },
}

/// What is given, and what that takes off the allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Taken off the bucket: 0 while unlimited; less than `served` for the voice or SMS event that uses up the rest.
    pub applied: i64,
    pub served: i64,
    /// `served + refused` is the quantity of the event.
    pub refused: i64,
    /// Left after the event; None while unlimited.
    pub remaining: Option<i64>,
    /// Home data went from something to nothing: the line is to be blocked.
    pub exhausts: bool,
}

/// Rates `quantity` (positive, in the allowance's unit) against what the line has of `allowance`.
///
/// Data is cut to what is left, and the rest refused. A voice or SMS event is one whole: while anything is left it is
/// served, and what exceeds the allowance is forgiven, at most this one event; with nothing left it is refused.
pub fn rate(allowance: AllowanceType, bucket: Option<Bucket>, quantity: i64) -> Verdict {
    debug_assert!(quantity > 0, "mediation lets no other quantity in");
    match bucket {
        None => Verdict::Refused { rule: missing(allowance), remaining: None },
        Some(Bucket { unlimited: true, .. }) => {
            Verdict::Served(Served { applied: 0, served: quantity, refused: 0, remaining: None, exhausts: false })
        }
        Some(Bucket { remaining, fair_use, .. }) if remaining <= 0 => {
            let rule = if fair_use { FAIR_USE_EXCEEDED } else { used_up(allowance) };
            Verdict::Refused { rule, remaining: Some(0) }
        }
        Some(bucket) => Verdict::Served(serve(allowance, bucket, quantity)),
    }
}

fn serve(allowance: AllowanceType, bucket: Bucket, quantity: i64) -> Served {
    let before = bucket.remaining;
    let applied = quantity.min(before);
    let divisible = matches!(allowance, AllowanceType::Data | AllowanceType::DataRoaming);
    let served = if divisible { applied } else { quantity };
    let exhausts = allowance == AllowanceType::Data && applied == before && !bucket.fair_use;
    Served { applied, served, refused: quantity - served, remaining: Some(before - applied), exhausts }
}

const fn missing(allowance: AllowanceType) -> Rule {
    match allowance {
        AllowanceType::Data => NO_ALLOWANCE,
        AllowanceType::DataRoaming => NO_ROAMING_ALLOWANCE,
        AllowanceType::Voice | AllowanceType::Sms => ALLOWANCE_EXHAUSTED,
    }
}

const fn used_up(allowance: AllowanceType) -> Rule {
    match allowance {
        AllowanceType::DataRoaming => ROAMING_BALANCE_REQUIRED,
        AllowanceType::Data | AllowanceType::Voice | AllowanceType::Sms => ALLOWANCE_EXHAUSTED,
    }
}

#[cfg(test)]
mod tests {
    use AllowanceType::{Data, DataRoaming, Sms, Voice};
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as a line has it: with or without the allowance")]
    fn left(remaining: i64) -> Option<Bucket> {
        Some(Bucket { remaining, unlimited: false, fair_use: false })
    }

    const UNLIMITED: Option<Bucket> = Some(Bucket { remaining: 0, unlimited: true, fair_use: false });

    fn served(verdict: Verdict) -> Served {
        match verdict {
            Verdict::Served(served) => served,
            Verdict::Refused { rule, .. } => panic!("refused by {}", rule.id()),
        }
    }

    fn refused_by(verdict: Verdict) -> Rule {
        match verdict {
            Verdict::Refused { rule, .. } => rule,
            Verdict::Served(served) => panic!("{served:?}"),
        }
    }

    #[test]
    fn each_type_uses_its_own_allowance_and_only_data_roams() {
        assert_eq!(UsageType::ALL.map(|kind| kind.allowance(false)), [Data, Voice, Sms]);
        assert_eq!(UsageType::ALL.map(|kind| kind.allowance(true)), [DataRoaming, Voice, Sms]);
        assert_eq!(UsageType::ALL.map(|kind| UsageType::parse(kind.as_str())), UsageType::ALL.map(Some));
        assert_eq!(UsageType::parse("fax"), None);
    }

    #[test]
    fn data_is_cut_to_what_is_left_and_its_end_exhausts_the_line() {
        let whole = Served { applied: 100, served: 100, refused: 0, remaining: Some(5020), exhausts: false };
        assert_eq!(rate(Data, left(5120), 100), Verdict::Served(whole));
        let exact = served(rate(Data, left(100), 100));
        assert_eq!((exact.served, exact.refused, exact.remaining, exact.exhausts), (100, 0, Some(0), true));
        let part = served(rate(Data, left(100), 130));
        assert_eq!((part.applied, part.served, part.refused, part.exhausts), (100, 100, 30, true));
        assert_eq!(refused_by(rate(Data, left(0), 1)), ALLOWANCE_EXHAUSTED, "already at zero: nothing crosses zero");
        assert_eq!(refused_by(rate(Data, None, 1)), NO_ALLOWANCE);
    }

    #[test]
    fn a_voice_event_that_finds_something_is_served_whole_and_the_next_is_refused() {
        for allowance in [Voice, Sms] {
            let last = served(rate(allowance, left(10), 20));
            assert_eq!((last.applied, last.served, last.refused, last.remaining), (10, 20, 0, Some(0)));
            assert!(!last.exhausts, "only home data blocks a line");
            assert_eq!(refused_by(rate(allowance, left(0), 1)), ALLOWANCE_EXHAUSTED);
            assert_eq!(refused_by(rate(allowance, None, 1)), ALLOWANCE_EXHAUSTED);
        }
    }

    #[test]
    fn roaming_data_needs_a_balance_and_never_exhausts_the_line() {
        let part = served(rate(DataRoaming, left(500), 600));
        assert_eq!((part.served, part.refused, part.remaining, part.exhausts), (500, 100, Some(0), false));
        assert_eq!(refused_by(rate(DataRoaming, left(0), 1)), ROAMING_BALANCE_REQUIRED);
        assert_eq!(refused_by(rate(DataRoaming, None, 1)), NO_ROAMING_ALLOWANCE);
    }

    #[test]
    fn fair_use_is_cut_and_refused_and_blocks_nothing() {
        let fair = |remaining| Some(Bucket { remaining, unlimited: false, fair_use: true });
        let last = served(rate(Data, fair(100), 130));
        assert_eq!((last.served, last.refused, last.exhausts), (100, 30, false));
        for allowance in AllowanceType::ALL {
            assert_eq!(refused_by(rate(allowance, fair(0), 1)), FAIR_USE_EXCEEDED);
        }
        let pass = Some(Bucket { remaining: 0, unlimited: true, fair_use: true });
        assert_eq!(served(rate(Data, pass, 50)).served, 50, "a pass comes before the limit");
    }

    fn allowance() -> impl Strategy<Value = AllowanceType> {
        prop::sample::select(AllowanceType::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_given_twice(
            allowance in allowance(), remaining in 0_i64..1_000_000, quantity in 1_i64..2_000_000,
        ) {
            match rate(allowance, left(remaining), quantity) {
                Verdict::Served(s) => {
                    prop_assert_eq!(s.served + s.refused, quantity);
                    prop_assert_eq!(s.remaining, Some(remaining - s.applied));
                    prop_assert!(0 < s.applied && s.applied <= remaining && s.applied <= s.served);
                    prop_assert_eq!(s.exhausts, allowance == Data && s.applied == remaining);
                }
                Verdict::Refused { .. } => prop_assert_eq!(remaining, 0),
            }
        }

        #[test]
        fn unlimited_is_served_whole_and_never_changes(allowance in allowance(), quantity in 1_i64..i64::MAX) {
            let s = served(rate(allowance, UNLIMITED, quantity));
            prop_assert_eq!(s, Served { applied: 0, served: quantity, refused: 0, remaining: None, exhausts: false });
        }

        #[test]
        fn any_sequence_ends_between_zero_and_the_total_and_exhausts_at_most_once(
            allowance in allowance(), total in 0_i64..1_000, quantities in prop::collection::vec(1_i64..300, 0..40),
        ) {
            let (mut remaining, mut applied, mut exhausted) = (total, 0, 0);
            for quantity in quantities {
                if let Verdict::Served(s) = rate(allowance, left(remaining), quantity) {
                    applied += s.applied;
                    remaining = s.remaining.unwrap();
                    exhausted += usize::from(s.exhausts);
                }
                prop_assert!((0..=total).contains(&remaining));
            }
            prop_assert_eq!(applied, total - remaining);
            prop_assert!(exhausted <= 1);
        }
    }
}
