//! The network of a run: on which days it does not do which of its tasks, and what the operator does about it, drawn from the
//! seed alone. A day has one outage at most, and it is the same for everybody: who comes first changes nothing. What it means
//! for a line is the model's to say.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Sets the outages apart from the years.
const OUTAGES: u64 = 0x6f75_7467;

/// Most days that tasks wait for the operator after the first one.
const WAITS_DAYS_MAX: u32 = 3;

/// Most days between two outages.
const APART_DAYS_MAX: u32 = 2;

/// What the network is told of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    Subscriber,
    Policy,
    Charging,
    Profile,
    Suspend,
    Resume,
    Remove,
}

impl Task {
    /// Outages are drawn from these: what happens to many lines comes more often.
    const DRAWN: [Self; 12] = [
        Self::Subscriber,
        Self::Charging,
        Self::Profile,
        Self::Policy,
        Self::Policy,
        Self::Suspend,
        Self::Suspend,
        Self::Suspend,
        Self::Resume,
        Self::Resume,
        Self::Resume,
        Self::Remove,
    ];

    /// As the product calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscriber => "HLR_PROVISION",
            Self::Policy => "PCRF_POLICY_PUSH",
            Self::Charging => "OCS_BALANCE_INIT",
            Self::Profile => "ESIM_PROFILE_PREPARE",
            Self::Suspend => "SERVICE_SUSPEND",
            Self::Resume => "SERVICE_RESUME",
            Self::Remove => "HLR_DEPROVISION",
        }
    }

    /// Whether a new line needs it.
    pub const fn activates(self) -> bool {
        matches!(self, Self::Subscriber | Self::Policy | Self::Charging | Self::Profile)
    }
}

/// What the network does instead, and the operator with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It takes the task and does not answer. When the outage is over the operator resolves it; of a new line at once.
    Hangs,
    /// Every attempt fails. When the outage is over the operator has it tried again; the order for a new line has failed.
    Fails,
    /// It does not answer, and the operator gives the task up.
    HangsForGood,
    /// Every attempt fails, and the operator gives the task up.
    FailsForGood,
}

impl How {
    const ALL: [Self; 4] = [Self::Hangs, Self::Fails, Self::HangsForGood, Self::FailsForGood];

    /// Whether the task is given up.
    pub const fn is_for_good(self) -> bool {
        matches!(self, Self::HangsForGood | Self::FailsForGood)
    }

    /// The faults of the simulated network that make it so. One that hangs is decided before its first attempt: of a server
    /// that dies with that attempt the next one must not work where the operator is to give the task up.
    pub const fn faults(self) -> &'static [&'static str] {
        match self {
            Self::Hangs => &["stuck"],
            Self::Fails | Self::FailsForGood => &["fail_always"],
            Self::HangsForGood => &["stuck", "fail_always"],
        }
    }
}

/// The network does not do tasks of a kind, from a day to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    pub task: Task,
    pub how: How,
    pub first: u32,
    /// On its evening the operator does away with the fault, and with what has piled up.
    pub last: u32,
}

impl Outage {
    /// Whether tasks of this kind are given up.
    pub fn gives_up(&self, task: Task) -> bool {
        self.task == task && self.how.is_for_good()
    }

    /// Whether an order for a new line fails.
    pub fn fails_orders(&self) -> bool {
        self.task.activates() && self.how != How::Hangs
    }
}

/// All outages of a run of `days` days; all are over when it is.
pub fn draw(seed: u64, days: u32) -> Vec<Outage> {
    let mut random = StdRng::seed_from_u64(seed ^ OUTAGES);
    let mut outages = Vec::new();
    let mut first = random.random_range(1..=1 + APART_DAYS_MAX);
    loop {
        let task = Task::DRAWN[random.random_range(0..Task::DRAWN.len())];
        let how = How::ALL[random.random_range(0..How::ALL.len())];
        // What is given up is so on its day: the next outage finds nothing that waits for something else.
        let more = if how.is_for_good() { 0 } else { random.random_range(0..=WAITS_DAYS_MAX) };
        let last = first + more;
        if last > days {
            return outages;
        }
        outages.push(Outage { task, how, first, last });
        first = last + 1 + random.random_range(0..=APART_DAYS_MAX);
    }
}

/// The outage of a day.
pub fn on(outages: &[Outage], day: u32) -> Option<Outage> {
    outages.iter().copied().find(|outage| (outage.first..=outage.last).contains(&day))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn outages_follow_from_the_seed_and_a_day_has_one_at_most() {
        let outages = draw(1, 365);
        assert_eq!(outages, draw(1, 365));
        assert_ne!(outages, draw(2, 365));
        assert!(outages.windows(2).all(|pair| pair[0].last < pair[1].first), "{outages:?}");
        assert!(outages.iter().all(|outage| outage.last <= 365));
        assert!(outages.iter().all(|outage| !outage.how.is_for_good() || outage.first == outage.last));
        let ways: BTreeSet<(Task, How)> =
            (1..10).flat_map(|seed| draw(seed, 365)).map(|outage| (outage.task, outage.how)).collect();
        assert_eq!(ways.len(), 28, "every task in every way");
        assert_eq!(draw(1, 0), []);
    }
}
