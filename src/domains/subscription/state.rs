//! The states of a line and every step between them. Pure, and total: each pair of state and trigger is decided here.

use serde::{Serialize, Serializer};

use super::policy::rule;
use super::port::{BlockReason, HoldReason, LineStatus};
use crate::platform::error::Violation;

/// The reasons that a line is blocked for. A line keeps every reason that applies and is active again when none is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reasons(u8);

impl Reasons {
    pub(super) const fn of(reason: BlockReason) -> Self {
        Self(1 << reason as u8)
    }

    pub(super) const fn with(self, reason: BlockReason) -> Self {
        Self(self.0 | 1 << reason as u8)
    }

    pub(super) const fn without(self, reason: BlockReason) -> Self {
        Self(self.0 & !(1 << reason as u8))
    }

    pub(super) const fn contains(self, reason: BlockReason) -> bool {
        self.0 & (1 << reason as u8) != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = BlockReason> {
        BlockReason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }

    /// As the row holds them.
    pub(super) fn texts(self) -> Vec<String> {
        self.iter().map(|reason| reason.as_str().to_owned()).collect()
    }
}

impl FromIterator<BlockReason> for Reasons {
    fn from_iter<I: IntoIterator<Item = BlockReason>>(reasons: I) -> Self {
        reasons.into_iter().fold(Self::default(), Self::with)
    }
}

impl Serialize for Reasons {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// The state of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Booked; its first charge is not settled.
    Pending,
    Active,
    /// Never without a reason.
    Blocked(Reasons),
    Terminated,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trigger {
    /// The first period is paid and the number assigned.
    Activate,
    /// The first period cannot be paid, or the service cannot be given.
    FailActivation,
    /// Home data went from above zero to zero, by use or by the end of a grant.
    Exhaust,
    /// Somebody wants the line out of service.
    Hold(HoldReason),
    /// Somebody wants it back.
    Release(HoldReason),
    /// A top-up was paid; `data_left` says whether there is home data after it.
    TopUp {
        data_left: bool,
    },
    /// The next period was paid.
    Renew,
    /// The charge for the next period was declined.
    RenewFail,
    Terminate,
}

impl State {
    pub(super) const fn status(self) -> LineStatus {
        match self {
            Self::Pending => LineStatus::Pending,
            Self::Active => LineStatus::Active,
            Self::Blocked(_) => LineStatus::Blocked,
            Self::Terminated => LineStatus::Terminated,
        }
    }

    /// The reasons of a blocked line; empty in every other state.
    pub(super) const fn reasons(self) -> Reasons {
        match self {
            Self::Blocked(reasons) => reasons,
            Self::Pending | Self::Active | Self::Terminated => Reasons(0),
        }
    }

    pub(super) const fn is_blocked_for(self, reason: BlockReason) -> bool {
        self.reasons().contains(reason)
    }

    /// The state after `trigger`, or `subscription.transition.invalid`.
    pub(super) fn after(self, trigger: Trigger) -> Result<Self, Violation> {
        use BlockReason::{Exhausted, Payment};
        match (self, trigger) {
            (Self::Pending, Trigger::Activate) | (Self::Active, Trigger::TopUp { .. } | Trigger::Renew) => {
                Ok(Self::Active)
            }
            (Self::Pending, Trigger::FailActivation) | (Self::Active | Self::Blocked(_), Trigger::Terminate) => {
                Ok(Self::Terminated)
            }
            (Self::Active, Trigger::Exhaust) => Ok(Self::Blocked(Reasons::of(Exhausted))),
            (Self::Active, Trigger::RenewFail) => Ok(Self::Blocked(Reasons::of(Payment))),
            (Self::Active, Trigger::Hold(hold)) => Ok(Self::Blocked(Reasons::of(hold.block_reason()))),
            (Self::Blocked(reasons), Trigger::Exhaust) => Ok(Self::Blocked(reasons.with(Exhausted))),
            (Self::Blocked(reasons), Trigger::Hold(hold)) => Ok(Self::Blocked(reasons.with(hold.block_reason()))),
            (Self::Blocked(reasons), Trigger::Release(hold)) => {
                Ok(Self::left_with(reasons.without(hold.block_reason())))
            }
            (Self::Blocked(reasons), Trigger::TopUp { data_left: true }) => {
                Ok(Self::left_with(reasons.without(Exhausted)))
            }
            (Self::Blocked(reasons), Trigger::TopUp { data_left: false }) => Ok(Self::Blocked(reasons)),
            (Self::Blocked(reasons), Trigger::Renew) => {
                Ok(Self::left_with(reasons.without(Exhausted).without(Payment)))
            }
            (Self::Blocked(reasons), Trigger::RenewFail) => Ok(Self::Blocked(reasons.with(Payment))),
            (Self::Pending | Self::Terminated, _)
            | (Self::Active, Trigger::Activate | Trigger::FailActivation | Trigger::Release(_))
            | (Self::Blocked(_), Trigger::Activate | Trigger::FailActivation) => Err(self.refused(trigger)),
        }
    }

    fn left_with(reasons: Reasons) -> Self {
        if reasons.is_empty() { Self::Active } else { Self::Blocked(reasons) }
    }

    fn refused(self, trigger: Trigger) -> Violation {
        rule::TRANSITION_INVALID
            .violated("This step is not open to the line in its state")
            .with("state", self.status())
            .with("trigger", trigger)
    }
}

/// A step that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: State,
    pub(super) to: State,
}

impl Change {
    /// Whether the step is one for the history: staying active is not.
    pub(super) fn is_visible(self) -> bool {
        self.from != self.to
    }

    /// The reason that this step added.
    pub(super) fn blocked_for(self) -> Option<BlockReason> {
        let before = self.from.reasons();
        self.to.reasons().iter().find(|reason| !before.contains(*reason))
    }

    /// Whether the line was blocked and is in service again.
    pub(super) fn unblocked(self) -> bool {
        self.from.status() == LineStatus::Blocked && self.to == State::Active
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRIGGERS: [Trigger; 12] = [
        Trigger::Activate,
        Trigger::FailActivation,
        Trigger::Exhaust,
        Trigger::Hold(HoldReason::Requested),
        Trigger::Hold(HoldReason::Fraud),
        Trigger::Release(HoldReason::Requested),
        Trigger::Release(HoldReason::Fraud),
        Trigger::TopUp { data_left: true },
        Trigger::TopUp { data_left: false },
        Trigger::Renew,
        Trigger::RenewFail,
        Trigger::Terminate,
    ];

    /// All there are: three plain states and the fifteen sets of reasons.
    fn states() -> Vec<State> {
        let blocked = (1..16).map(|bits| State::Blocked(Reasons(bits)));
        [State::Pending, State::Active, State::Terminated].into_iter().chain(blocked).collect()
    }

    fn blocked(reasons: &[BlockReason]) -> State {
        State::Blocked(reasons.iter().copied().collect())
    }

    #[test]
    fn every_pair_is_decided_and_keeps_the_invariant() {
        for state in states() {
            for trigger in TRIGGERS {
                match state.after(trigger) {
                    Ok(State::Blocked(reasons)) => assert!(!reasons.is_empty(), "{state:?} {trigger:?}"),
                    Ok(_) => {}
                    Err(violation) => {
                        assert_eq!(violation.rule, rule::TRANSITION_INVALID);
                        assert_eq!(violation.context["state"], serde_json::to_value(state.status()).unwrap());
                    }
                }
            }
        }
        assert!(TRIGGERS.iter().all(|trigger| State::Terminated.after(*trigger).is_err()), "the end is the end");
    }

    #[test]
    fn the_ways_back_lift_only_what_they_pay_for() {
        use BlockReason::{Exhausted, Fraud, Payment, Requested};
        let top_up = Trigger::TopUp { data_left: true };
        assert_eq!(blocked(&[Exhausted]).after(top_up), Ok(State::Active));
        assert_eq!(blocked(&[Payment]).after(top_up), Ok(blocked(&[Payment])));
        assert_eq!(blocked(&[Exhausted, Payment]).after(top_up), Ok(blocked(&[Payment])));
        assert_eq!(blocked(&[Exhausted]).after(Trigger::TopUp { data_left: false }), Ok(blocked(&[Exhausted])));
        assert_eq!(blocked(&[Exhausted, Payment]).after(Trigger::Renew), Ok(State::Active));
        assert_eq!(blocked(&[Payment, Requested, Fraud]).after(Trigger::Renew), Ok(blocked(&[Requested, Fraud])));
        assert_eq!(blocked(&[Payment]).after(Trigger::RenewFail), Ok(blocked(&[Payment])));
        assert_eq!(blocked(&[Exhausted]).after(Trigger::RenewFail), Ok(blocked(&[Exhausted, Payment])));
        let release = Trigger::Release(HoldReason::Requested);
        assert_eq!(blocked(&[Exhausted, Requested]).after(release), Ok(blocked(&[Exhausted])));
        assert_eq!(blocked(&[Fraud, Requested]).after(release), Ok(blocked(&[Fraud])));
        assert_eq!(blocked(&[Requested]).after(release), Ok(State::Active));
        assert_eq!(blocked(&[Requested]).after(Trigger::Exhaust), Ok(blocked(&[Requested, Exhausted])));
    }

    #[test]
    fn a_change_says_what_it_did() {
        use BlockReason::{Exhausted, Payment};
        let failed = Change { from: State::Active, to: blocked(&[Payment]) };
        assert_eq!((failed.blocked_for(), failed.unblocked()), (Some(Payment), false));
        let again = Change { from: blocked(&[Payment]), to: blocked(&[Payment]) };
        assert_eq!((again.blocked_for(), again.is_visible()), (None, false), "a second decline blocks nothing");
        let back = Change { from: blocked(&[Exhausted]), to: State::Active };
        assert_eq!((back.blocked_for(), back.unblocked()), (None, true));
    }

    proptest! {
        #[test]
        fn only_its_own_triggers_add_a_reason(walk in prop::collection::vec(prop::sample::select(TRIGGERS.to_vec()), 0..40)) {
            let mut state = State::Pending;
            for trigger in walk {
                let Ok(next) = state.after(trigger) else { continue };
                let added = Change { from: state, to: next }.blocked_for();
                let expected = match trigger {
                    Trigger::Exhaust => Some(BlockReason::Exhausted),
                    Trigger::RenewFail => Some(BlockReason::Payment),
                    Trigger::Hold(hold) => Some(hold.block_reason()),
                    _ => None,
                };
                prop_assert_eq!(added, expected.filter(|reason| !state.is_blocked_for(*reason)));
                prop_assert_eq!(next.reasons().is_empty(), next.status() != LineStatus::Blocked);
                state = next;
            }
        }
    }
}
