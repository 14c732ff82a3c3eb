//! Network tasks as values: the state machine of one row that is tried again and again. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domains::provisioning::policy::rule;
use crate::domains::provisioning::port::{TaskId, TaskState, TaskType, TaskView};
use crate::platform::error::Violation;

/// What can happen to a task once it is taken. Taking one (pending, or running under an ended lease) is one statement of the
/// store, since only the database's clock knows whose lease has ended; so is withdrawing all tasks of a service order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// The attempt worked.
    Complete,
    /// The attempt failed and another one follows.
    AttemptAgain,
    /// The last attempt failed.
    Fail,
    /// The network does not answer.
    Stick,
    /// An operator starts it again.
    Restart,
    /// An operator gives it up.
    Abandon,
}

impl Trigger {
    const fn leads_to(self) -> TaskState {
        match self {
            Self::Complete => TaskState::Completed,
            Self::AttemptAgain | Self::Restart => TaskState::Pending,
            Self::Fail => TaskState::Failed,
            Self::Stick => TaskState::Stuck,
            Self::Abandon => TaskState::Abandoned,
        }
    }
}

impl TaskState {
    /// The state after `trigger`.
    pub(super) fn after(self, trigger: Trigger) -> Result<Self, Violation> {
        match (self, trigger) {
            (Self::Running, Trigger::Complete | Trigger::AttemptAgain | Trigger::Fail | Trigger::Stick)
            | (Self::Failed | Self::Stuck, Trigger::Restart | Trigger::Abandon) => Ok(trigger.leads_to()),
            (
                Self::Pending,
                Trigger::Complete
                | Trigger::AttemptAgain
                | Trigger::Fail
                | Trigger::Stick
                | Trigger::Restart
                | Trigger::Abandon,
            )
            | (Self::Running, Trigger::Restart | Trigger::Abandon)
            | (
                Self::Failed | Self::Stuck,
                Trigger::Complete | Trigger::AttemptAgain | Trigger::Fail | Trigger::Stick,
            )
            | (Self::Completed | Self::Withdrawn | Self::Abandoned, _) => Err(rule::TRANSITION_INVALID
                .violated(format!("A task that is {} cannot become {}", self.as_str(), trigger.leads_to().as_str()))
                .with("state", self)
                .with("targetState", trigger.leads_to())),
        }
    }
}

/// How an attempt ended, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    /// Tried again after this long.
    Again {
        error: String,
        after: Duration,
    },
    Failed {
        error: String,
    },
    /// The network is not done, or cannot be reached: asked again after this long, at the cost of no attempt.
    Waits {
        error: String,
        after: Duration,
    },
    /// No attempt was made.
    Stuck {
        error: String,
    },
}

impl Outcome {
    pub(super) const fn trigger(&self) -> Trigger {
        match self {
            Self::Completed => Trigger::Complete,
            Self::Again { .. } | Self::Waits { .. } => Trigger::AttemptAgain,
            Self::Failed { .. } => Trigger::Fail,
            Self::Stuck { .. } => Trigger::Stick,
        }
    }

    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Completed => None,
            Self::Again { error, .. } | Self::Waits { error, .. } | Self::Failed { error } | Self::Stuck { error } => {
                Some(error)
            }
        }
    }

    /// How long until the next attempt.
    pub(super) const fn pause(&self) -> Duration {
        match self {
            Self::Again { after, .. } | Self::Waits { after, .. } => *after,
            Self::Completed | Self::Failed { .. } | Self::Stuck { .. } => Duration::ZERO,
        }
    }
}

/// The wait after a failed attempt: 50 ms, 200 ms, 800 ms, … up to 10 s.
pub(super) fn pause_after(attempt: i16) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(8) * 2;
    Duration::from_millis(50 << doublings).min(Duration::from_secs(10))
}

/// How often a network that is not done, or away, is asked before an operator has to look: with the growing pauses, most of
/// an hour.
const POLLS_MAX: i16 = 120;

/// What follows when the network is not done, or away, after `polls` times of asking. `after` is what the network wishes.
pub(super) fn not_yet(error: String, polls: i16, after: Duration) -> Outcome {
    if polls >= POLLS_MAX {
        return Outcome::Stuck { error: format!("{error}; asked {polls} times") };
    }
    let doublings = u32::try_from(polls).unwrap_or(0).min(6);
    let growing = Duration::from_millis(500 << doublings).min(Duration::from_secs(30));
    Outcome::Waits { error, after: if polls < 4 { after } else { after.max(growing) } }
}

/// A task for the network.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) service_id: String,
    pub(super) service_order_id: String,
    pub(super) commercial_order_id: Option<String>,
    pub(super) subscription_id: Option<String>,
    pub(super) task_type: TaskType,
    pub(super) state: TaskState,
    pub(super) attempts: i16,
    pub(super) max_attempts: i16,
    pub(super) payload: Value,
    /// How often the network was asked and had no answer yet.
    pub(super) polls: i16,
    /// Its service order has ended: the network is only asked how it came out.
    pub(super) withdrawal_wanted: bool,
    pub(super) last_error: Option<String>,
    /// The task of the same service that has to end first; known only where it was asked for.
    pub(super) waits_for: Option<TaskId>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

impl Task {
    /// Whether a task that was just taken was never tried before: it was booked (version 1) and taken (2), nothing else.
    pub(super) const fn is_new(&self) -> bool {
        self.version == 2
    }

    /// Whether the network was told of it and has not said how it ended, between two attempts.
    pub(super) fn may_be_at_the_network(&self) -> bool {
        matches!(self.state, TaskState::Pending | TaskState::Stuck) && self.polls > 0
    }
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            service_id: task.service_id,
            service_order_id: task.service_order_id,
            commercial_order_id: task.commercial_order_id,
            subscription_id: task.subscription_id,
            task_type: task.task_type,
            state: task.state,
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            last_error: task.last_error,
            waits_for: task.waits_for,
            created_at: task.created_at,
            started_at: task.started_at,
            completed_at: task.completed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRIGGERS: [Trigger; 6] =
        [Trigger::Complete, Trigger::AttemptAgain, Trigger::Fail, Trigger::Stick, Trigger::Restart, Trigger::Abandon];

    #[test]
    fn every_pair_of_state_and_trigger_is_defined() {
        let machine = [
            //                     complete again fail stick restart abandon
            (TaskState::Pending, [false; 6]),
            (TaskState::Running, [true, true, true, true, false, false]),
            (TaskState::Completed, [false; 6]),
            (TaskState::Failed, [false, false, false, false, true, true]),
            (TaskState::Stuck, [false, false, false, false, true, true]),
            (TaskState::Withdrawn, [false; 6]),
            (TaskState::Abandoned, [false; 6]),
        ];
        assert_eq!(machine.map(|(state, _)| state), TaskState::ALL);
        for (state, row) in machine {
            for (trigger, open) in TRIGGERS.into_iter().zip(row) {
                assert_eq!(state.after(trigger).ok(), open.then(|| trigger.leads_to()), "{state:?} {trigger:?}");
            }
            assert_eq!(TaskState::parse(state.as_str()), Some(state));
            assert!(!state.is_final() || (state.is_settled() && row == [false; 6]), "{state:?}");
        }
    }

    proptest! {
        #[test]
        fn pauses_grow_and_are_bounded(attempt in -5_i16..200) {
            let (this, next) = (pause_after(attempt), pause_after(attempt + 1));
            prop_assert!(this <= next && next <= Duration::from_secs(10));
            prop_assert!(this >= Duration::from_millis(50));
        }
    }

    #[test]
    fn a_network_that_is_away_is_asked_ever_less_often_and_not_for_ever() {
        let after = |polls| match not_yet("away".into(), polls, Duration::from_secs(1)) {
            Outcome::Waits { after, .. } => Some(after),
            _ => None,
        };
        assert_eq!([0, 3, 4, 6, 119].map(|polls| after(polls).unwrap().as_secs()), [1, 1, 8, 30, 30]);
        assert_eq!(after(120), None, "somebody has to look");
        assert!(matches!(not_yet("away".into(), 120, Duration::ZERO), Outcome::Stuck { .. }));
    }

    #[test]
    fn the_first_pauses_are_short() {
        assert_eq!([1, 2, 3].map(pause_after), [50, 200, 800].map(Duration::from_millis));
    }
}
