//! How many events of unknown numbers leave a trace in the event log.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use crate::platform::clock::wall;

/// Most of them per minute and process. Nothing else bounds them: they belong to no line, and anybody inside the perimeter
/// can invent numbers. All are counted in the metrics and answered.
const PER_MINUTE: u32 = 600;

/// A budget that is full again with every minute of the wall clock.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    minute: AtomicI64,
    used: AtomicU32,
}

impl Strangers {
    /// Whether one more may be written down.
    pub(super) fn admit(&self) -> bool {
        metrics::counter!("bss_usage_unknown_number_total").increment(1);
        self.admit_at(wall().timestamp() / 60)
    }

    // Two threads at the turn of a minute may let a few more through; the bound is an order of magnitude.
    fn admit_at(&self, minute: i64) -> bool {
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            self.used.store(0, Ordering::Relaxed);
        }
        self.used.fetch_add(1, Ordering::Relaxed) < PER_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_bounded_per_minute() {
        let strangers = Strangers::default();
        let admitted = |minute: i64| (0..PER_MINUTE + 50).filter(|_| strangers.admit_at(minute)).count();
        assert_eq!(admitted(1), PER_MINUTE as usize);
        assert_eq!(admitted(2), PER_MINUTE as usize);
    }
}
