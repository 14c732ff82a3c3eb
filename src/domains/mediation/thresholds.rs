//! The shares of an allowance at whose use somebody may want to know.
//!
//! Nothing is remembered of them. What is left of an allowance only falls in a period, under the lock of its line, so each
//! share is passed once; a top-up raises the total, and with it the share to be passed anew.

/// In per cent of what was granted in the period.
pub(super) const PERCENTS: [u8; 3] = [50, 80, 100];

/// Some of [`PERCENTS`], lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thresholds {
    next: usize,
    end: usize,
}

impl Thresholds {
    pub(super) const NONE: Self = Self { next: 0, end: 0 };
}

impl Iterator for Thresholds {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let percent = *PERCENTS[..self.end].get(self.next)?;
        self.next += 1;
        Some(percent)
    }
}

/// What was passed when what is left of `total` fell from `before` to `after`.
pub(super) fn crossed(total: i64, before: i64, after: i64) -> Thresholds {
    Thresholds { next: reached(total, before), end: reached(total, after) }
}

/// How many of the shares are used up when this much is left. An allowance of nothing has none.
fn reached(total: i64, remaining: i64) -> usize {
    let used = i128::from(total - remaining);
    let is_reached = |percent: &&u8| total > 0 && used * 100 >= i128::from(total) * i128::from(**percent);
    PERCENTS.iter().filter(is_reached).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(total: i64, before: i64, after: i64) -> Vec<u8> {
        crossed(total, before, after).collect()
    }

    #[test]
    fn each_share_is_passed_by_the_event_that_reaches_it() {
        assert!(all(100, 100, 51).is_empty());
        assert_eq!(all(100, 51, 50), [50]);
        assert_eq!(all(100, 50, 20), [80]);
        assert_eq!(all(100, 20, 0), [100]);
        assert_eq!(all(100, 100, 0), PERCENTS);
        assert_eq!(all(3, 3, 1), [50], "two of three are 66 per cent");
        assert!(all(0, 0, 0).is_empty());
        assert_eq!(all(i64::MAX, i64::MAX, 0), PERCENTS);
    }

    proptest! {
        #[test]
        fn a_period_passes_each_share_once_however_it_is_used(
            total in 1_i64..1_000, uses in prop::collection::vec(1_i64..300, 0..40),
        ) {
            let (mut left, mut passed) = (total, Vec::new());
            for used in uses {
                let after = (left - used).max(0);
                passed.extend(crossed(total, left, after));
                left = after;
            }
            let expected: Vec<u8> = PERCENTS.into_iter().filter(|p| (total - left) * 100 >= total * i64::from(*p)).collect();
            prop_assert_eq!(passed, expected);
        }
    }
}
