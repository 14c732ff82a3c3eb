//! What the network must know of a line. A line does not wait for the network; the network is told what happens to it, in
//! order, and in the end has done all of it but for what the operator gave up.

use std::collections::BTreeSet;

use super::Reason;
use crate::soak::account::NetworkAccount;
use crate::soak::outage::{Outage, Task};

/// What the network does with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    InService,
    Suspended,
    Removed,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InService => "in_service",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
        }
    }
}

/// The network's side of one line.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// As the line was when the network was told last.
    reasons: BTreeSet<Reason>,
    plan: String,
    wanted: State,
    confirmed: State,
    /// Otherwise than `confirmed` only where the operator has confirmed an end by hand.
    did: State,
    policy: String,
}

impl Network {
    pub(super) fn begun(plan: &str) -> Self {
        Self {
            reasons: BTreeSet::new(),
            plan: plan.to_owned(),
            wanted: State::InService,
            confirmed: State::InService,
            did: State::InService,
            policy: plan.to_owned(),
        }
    }

    /// The line is like this now. Each reason to block it is told unless the network has suspended it already; that the last
    /// one is gone, another plan and the end are told always.
    pub(super) fn follow(&mut self, reasons: &BTreeSet<Reason>, plan: &str, has_ended: bool, outage: Option<Outage>) {
        let does = |task| !outage.is_some_and(|outage| outage.gives_up(task));
        if self.wanted == State::Removed {
            return;
        }
        if self.plan != plan {
            plan.clone_into(&mut self.plan);
            if does(Task::Policy) {
                plan.clone_into(&mut self.policy);
            }
        }
        if has_ended {
            // An operator who gives this up has seen to it.
            (self.wanted, self.confirmed) = (State::Removed, State::Removed);
            if does(Task::Remove) {
                self.did = State::Removed;
            }
            return;
        }
        let is_new = reasons.difference(&self.reasons).next().is_some();
        let is_free = !self.reasons.is_empty() && reasons.is_empty();
        self.reasons.clone_from(reasons);
        if is_new {
            self.wanted = State::Suspended;
            if does(Task::Suspend) {
                (self.confirmed, self.did) = (State::Suspended, State::Suspended);
            }
        } else if is_free {
            self.wanted = State::InService;
            if does(Task::Resume) {
                (self.confirmed, self.did) = (State::InService, State::InService);
            }
        }
    }

    pub(super) fn account(&self) -> NetworkAccount {
        NetworkAccount {
            state: if self.wanted == State::Removed { "terminated" } else { "activated" }.to_owned(),
            wanted: self.wanted.as_str().to_owned(),
            confirmed: self.confirmed.as_str().to_owned(),
            did: self.did.as_str().to_owned(),
            policy_wanted: self.plan.clone(),
            policy_confirmed: self.policy.clone(),
            open_tasks: 0,
        }
    }
}
