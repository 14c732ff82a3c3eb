//! How this process is, as it can say without asking anybody: when its lanes of deliveries last looked for work, and how long
//! the oldest delivery had waited when somebody last counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::platform::delivery::Kind;

/// A lane that has not looked for work for this long stands still: no delivery takes so long.
const STILL_AFTER: Duration = Duration::from_secs(60);

/// A delivery that has waited for this long is not about to be taken up.
const BEHIND_AFTER_SECONDS: u64 = 60;

/// See the module.
#[derive(Debug)]
pub struct Vitals {
    began: Instant,
    /// Milliseconds from the beginning to the last look of each lane; 0 for one that never looked.
    lanes: [AtomicU64; 4],
    oldest_pending_seconds: AtomicU64,
}

impl Default for Vitals {
    fn default() -> Self {
        Self { began: Instant::now(), lanes: Default::default(), oldest_pending_seconds: AtomicU64::new(0) }
    }
}

impl Vitals {
    /// A lane looks for work.
    pub(in crate::platform) fn look(&self, kind: Kind) {
        self.lanes[kind as usize].store(self.since_began(Instant::now()), Ordering::Relaxed);
    }

    /// The oldest delivery of the installation has waited for so long.
    pub fn counted(&self, oldest_pending: Duration) {
        self.oldest_pending_seconds.store(oldest_pending.as_secs(), Ordering::Relaxed);
    }

    /// `none` where this process works on no deliveries, `still` when a lane of it does not look for any more, else `up`.
    pub fn workers(&self) -> &'static str {
        self.workers_at(Instant::now())
    }

    fn workers_at(&self, now: Instant) -> &'static str {
        let looks = self.lanes.each_ref().map(|lane| lane.load(Ordering::Relaxed));
        let now = self.since_began(now);
        let is_still = |look: u64| Duration::from_millis(now.saturating_sub(look)) > STILL_AFTER;
        if looks.iter().all(|look| *look == 0) {
            "none"
        } else if looks.into_iter().any(is_still) {
            "still"
        } else {
            "up"
        }
    }

    /// `behind` when deliveries wait too long, whichever process should work on them, else `moving`.
    pub fn queue(&self) -> &'static str {
        let is_behind = self.oldest_pending_seconds.load(Ordering::Relaxed) > BEHIND_AFTER_SECONDS;
        if is_behind { "behind" } else { "moving" }
    }

    fn since_began(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_up_while_all_of_its_lanes_look_for_work() {
        let vitals = Vitals::default();
        assert_eq!(vitals.workers(), "none");
        for kind in [Kind::Consumer, Kind::Effect, Kind::Hub, Kind::Message] {
            vitals.look(kind);
        }
        assert_eq!(vitals.workers(), "up");
        assert_eq!(vitals.workers_at(Instant::now() + STILL_AFTER * 2), "still");
    }

    #[test]
    fn a_queue_is_behind_when_its_oldest_delivery_waits_for_long() {
        let vitals = Vitals::default();
        assert_eq!(vitals.queue(), "moving");
        vitals.counted(Duration::from_secs(61));
        assert_eq!(vitals.queue(), "behind");
    }
}
