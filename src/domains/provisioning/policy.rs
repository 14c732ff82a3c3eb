//! The rules of network tasks: pure functions over facts handed in.

use crate::domains::provisioning::model::Task;
use crate::domains::provisioning::port::{TaskId, TaskState};
use crate::platform::error::{Error, Result, Rule, Violation};

/// Every rule id of the domain.
pub mod rule {
    use crate::platform::error::Rule;

    pub const RESOLVE_REQUIRES_NOTE: Rule = Rule::new("provisioning.resolve_stuck.requires_note");
    pub const RESOLVE_REQUIRES_STUCK: Rule = Rule::new("provisioning_task.resolve.requires_stuck_state");
    pub const RETRY_REQUIRES_FAILED: Rule = Rule::new("provisioning_task.retry.requires_failed_state");
    pub const ABANDON_REQUIRES_NOTE: Rule = Rule::new("provisioning.abandon.requires_note");
    pub const ABANDON_REQUIRES_FAILED_OR_STUCK: Rule =
        Rule::new("provisioning_task.abandon.requires_failed_or_stuck_state");
    pub const TRANSITION_INVALID: Rule = Rule::new("provisioning_task.transition.invalid");
}

/// Longest note of an operator.
const NOTE_CHARS_MAX: usize = 500;

/// The note says something; else `rule` is broken. Checked before the task is looked at.
pub(super) fn note(rule: Rule, task_id: &TaskId, note: &str) -> Result<()> {
    if note.trim().is_empty() {
        return Err(rule.violated("Say in the note what was found and done").with("taskId", task_id).into());
    }
    if note.chars().count() > NOTE_CHARS_MAX {
        return Err(Error::invalid("/note", format!("must have at most {NOTE_CHARS_MAX} characters")));
    }
    Ok(())
}

/// Only a stuck task is resolved.
pub(super) fn resolve(task: &Task) -> Result<(), Violation> {
    match task.state {
        TaskState::Stuck => Ok(()),
        state => Err(rule::RESOLVE_REQUIRES_STUCK
            .violated("Only a stuck task can be resolved")
            .with("taskId", &task.id)
            .with("state", state)),
    }
}

/// Only a failed task is tried again by hand.
pub(super) fn retry(task: &Task) -> Result<(), Violation> {
    match task.state {
        TaskState::Failed => Ok(()),
        state => Err(rule::RETRY_REQUIRES_FAILED
            .violated("Only a failed task can be tried again")
            .with("taskId", &task.id)
            .with("state", state)),
    }
}

/// Only what waits for an operator can be given up.
pub(super) fn abandon(task: &Task) -> Result<(), Violation> {
    match task.state {
        TaskState::Failed | TaskState::Stuck => Ok(()),
        state => Err(rule::ABANDON_REQUIRES_FAILED_OR_STUCK
            .violated("Only a failed or stuck task can be given up")
            .with("taskId", &task.id)
            .with("state", state)),
    }
}

/// The probability as hundredths, which is what is stored.
pub(super) fn hundredths(probability: f64) -> Result<i16> {
    if !(0.0..=1.0).contains(&probability) {
        return Err(Error::invalid("/probability", "must be from 0 to 1"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "0 to 100, checked above")]
    let hundredths = (probability * 100.0).round() as i16;
    Ok(hundredths)
}

/// How many attempts a rule lets fail.
pub(super) fn failing_attempts(attempts: i16) -> Result<()> {
    if (1..=100).contains(&attempts) { Ok(()) } else { Err(Error::invalid("/attempts", "must be 1 to 100")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_bounded_and_rounded_to_hundredths() {
        assert_eq!(hundredths(0.0).unwrap(), 0);
        assert_eq!(hundredths(1.0).unwrap(), 100);
        assert_eq!(hundredths(0.29).unwrap(), 29);
        for bad in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
            assert!(hundredths(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_blank_note_breaks_the_rule_and_an_endless_one_is_malformed() {
        let id = TaskId::from("PTK-0001".to_owned());
        let note = |text: &str| note(rule::RESOLVE_REQUIRES_NOTE, &id, text);
        assert_eq!(note(" \n").unwrap_err().violation().unwrap().rule, rule::RESOLVE_REQUIRES_NOTE);
        assert!(matches!(note(&"x".repeat(501)), Err(Error::Invalid { .. })));
        assert!(note("restarted the HLR").is_ok());
    }
}
