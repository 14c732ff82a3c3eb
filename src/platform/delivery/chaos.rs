//! Trouble on purpose, for tests: handlers that fail before or after their work, deliveries that come twice at once, and late.
//!
//! `BSS_CHAOS=fail=0.2,duplicate=0.2,delay_ms=30`, refused in production. Whatever a test asserts without it must hold with it.

use std::time::Duration;

use crate::platform::delivery::Failure;

/// Longest delay that can be asked for: shorter than a handler may take.
const DELAY_MS_MAX: u64 = 5_000;

/// Waits between tries while there is chaos: a test shall see many of them.
pub(super) const BACKOFF: [Duration; 5] = [Duration::from_millis(30); 5];

/// Tries of a delivery that may be troubled. The later ones are spared: enough bad luck in a row would park the delivery, which
/// is what trouble that never ends does, and nothing would hold any more.
const TROUBLED_TRIES: i16 = 3;

/// How much trouble; see the module.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Chaos {
    fail: f64,
    duplicate: f64,
    delay_ms: u64,
}

impl Chaos {
    /// Reads `name=value` pairs; None for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut chaos = Self::default();
        for pair in text.split(',') {
            let (name, value) = pair.split_once('=')?;
            let share = || value.parse::<f64>().ok().filter(|share| (0.0..=0.9).contains(share));
            match name.trim() {
                "fail" => chaos.fail = share()?,
                "duplicate" => chaos.duplicate = share()?,
                "delay_ms" => chaos.delay_ms = value.parse().ok().filter(|ms| *ms <= DELAY_MS_MAX)?,
                _ => return None,
            }
        }
        Some(chaos)
    }

    /// The delivery comes late, or its handler fails before it begins. `tries` are those that it has had.
    pub(super) async fn before(&self, tries: i16) -> Result<(), Failure> {
        if self.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..=self.delay_ms))).await;
        }
        self.fail(tries, "chaos: the handler failed before its work")
    }

    /// The handler fails after its work, before that is recorded.
    pub(super) fn after(&self, tries: i16) -> Result<(), Failure> {
        self.fail(tries, "chaos: the handler failed after its work")
    }

    /// The delivery comes twice at once.
    pub(super) fn is_double(&self) -> bool {
        rand::random::<f64>() < self.duplicate
    }

    /// Before and after the work, each with half of the probability.
    fn fail(&self, tries: i16, reason: &str) -> Result<(), Failure> {
        let fails = tries < TROUBLED_TRIES && rand::random::<f64>() < self.fail / 2.0;
        if fails { Err(Failure::retry(reason)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_tries_of_a_delivery_are_spared() {
        let chaos = Chaos { fail: 0.9, ..Chaos::default() };
        for _ in 0..1_000 {
            assert!(chaos.before(TROUBLED_TRIES).await.is_ok() && chaos.after(TROUBLED_TRIES).is_ok());
        }
        assert!((0..1_000).any(|_| chaos.after(TROUBLED_TRIES - 1).is_err()), "the earlier ones are not");
    }

    #[test]
    fn only_known_troubles_within_bounds_can_be_asked_for() {
        assert_eq!(
            Chaos::parse("fail=0.2,duplicate=0.5,delay_ms=30"),
            Some(Chaos { fail: 0.2, duplicate: 0.5, delay_ms: 30 })
        );
        assert_eq!(Chaos::parse("delay_ms=1"), Some(Chaos { delay_ms: 1, ..Chaos::default() }));
        for bad in ["", "fail", "fail=1", "fail=x", "duplicate=-0.1", "delay_ms=60000", "explode=1"] {
            assert_eq!(Chaos::parse(bad), None, "{bad}");
        }
    }
}
