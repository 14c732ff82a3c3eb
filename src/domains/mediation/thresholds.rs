//! The shares of an allowance at whose use somebody may want to know.
//!
//! Each is told once in a period. The balance remembers the highest one that was told, under the lock of its line: a top-up
//! raises the total and lowers the share that is used, and the end of a grant raises it without any use, so the share before
//! an event does not say what was told. What the end of a grant passed is told by the next event.

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

    pub(super) const fn is_empty(&self) -> bool {
        self.next >= self.end
    }
}

impl Iterator for Thresholds {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let percent = *PERCENTS[..self.end].get(self.next)?;
        self.next += 1;
        Some(percent)
    }
}

/// What is to be told when `remaining` of `total` are left after an event, and `told` per cent were told of before; and the
/// share that is the highest told then.
pub(super) fn crossed(total: i64, remaining: i64, told: u8) -> (Thresholds, u8) {
    let next = PERCENTS.iter().filter(|percent| **percent <= told).count();
    let end = reached(total, remaining);
    let highest = PERCENTS[..end].last().map_or(told, |percent| told.max(*percent));
    (Thresholds { next, end }, highest)
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

    fn all(total: i64, after: i64, told: u8) -> Vec<u8> {
        crossed(total, after, told).0.collect()
    }

    #[test]
    fn each_share_is_passed_by_the_event_that_reaches_it() {
        assert!(all(100, 51, 0).is_empty() && crossed(100, 51, 0).0.is_empty());
        assert!(!crossed(100, 50, 0).0.is_empty() && crossed(100, 50, 50).0.is_empty());
        assert_eq!(all(100, 50, 0), [50]);
        assert_eq!(all(100, 20, 50), [80]);
        assert_eq!(all(100, 0, 80), [100]);
        assert_eq!(all(100, 0, 0), PERCENTS);
        assert_eq!(all(3, 1, 0), [50], "two of three are 66 per cent");
        assert!(all(0, 0, 0).is_empty());
        assert_eq!(all(i64::MAX, 0, 0), PERCENTS);
    }

    #[test]
    fn a_top_up_tells_nothing_again_and_the_end_of_a_grant_hides_nothing() {
        assert!(all(200, 90, 50).is_empty(), "used 110 of 200 after a top-up: 50 was told");
        assert!(all(200, 40, 80).is_empty());
        // 200 of 1100 used, then 800 of the total end: two thirds are used without any event.
        assert_eq!(all(300, 99, 0), [50]);
    }

    proptest! {
        #[test]
        fn a_period_passes_each_share_once_however_it_is_used(
            granted in 1_i64..1_000, steps in prop::collection::vec((0_u8..4, 1_i64..300), 0..40),
        ) {
            let (mut total, mut left, mut told, mut passed) = (granted, granted, 0, Vec::new());
            for (kind, quantity) in steps {
                match kind {
                    // A top-up, and the end of one.
                    0 => (total, left) = (total + quantity, left + quantity),
                    1 => (total, left) = (total - quantity.min(left), left - quantity.min(left)),
                    _ => {
                        left = (left - quantity).max(0);
                        let (crossed, highest) = crossed(total, left, told);
                        passed.extend(crossed);
                        told = highest;
                        let reached: Vec<u8> =
                            PERCENTS.into_iter().filter(|p| total > 0 && (total - left) * 100 >= total * i64::from(*p)).collect();
                        prop_assert!(reached.iter().all(|percent| passed.contains(percent)), "nothing is left out");
                        prop_assert_eq!(passed.last().copied().unwrap_or(0), told);
                    }
                }
            }
            prop_assert!(passed.is_sorted_by(|a, b| a < b), "each once: {:?}", passed);
        }
    }
}
