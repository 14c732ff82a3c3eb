//! The rules on numbers and eSIM profiles.

use crate::domains::crm::port::NumberStatus;
use crate::platform::error::{Rule, Violation};

pub(crate) const NUMBER_TRANSITION: Rule = Rule::new("msisdn.transition.invalid");
pub(crate) const PROFILE_TRANSITION: Rule = Rule::new("esim.transition.invalid");
pub const ADD_RANGE_SANE_PREFIX: Rule = Rule::new("msisdn.add_range.sane_prefix");
pub const NO_NUMBER: Rule = Rule::new("msisdn.reserve.no_available");
pub const NO_PROFILE: Rule = Rule::new("esim.reserve.no_available");
pub const RESERVATION_LOST: Rule = Rule::new("inventory.assign.reservation_lost");
pub const RELEASE_ONLY_RESERVED: Rule = Rule::new("msisdn.release.only_if_reserved_or_assigned");
pub const RELEASE_IN_USE: Rule = Rule::new("msisdn.release.in_use");
pub const RELEASE_TERMINAL: Rule = Rule::new("msisdn.release.terminal_status");

/// May an operator take this number back? Never from a line.
pub(crate) fn releasable(status: NumberStatus) -> Result<(), Violation> {
    match status {
        NumberStatus::Reserved => Ok(()),
        NumberStatus::Assigned => Err(RELEASE_IN_USE.violated("A line uses this number; terminate the line instead")),
        NumberStatus::PortedOut => Err(RELEASE_TERMINAL.violated("This number belongs to another operator now")),
        NumberStatus::Available | NumberStatus::Quarantine => {
            Err(RELEASE_ONLY_RESERVED.violated("Nobody holds this number").with("status", status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reservation_can_be_taken_back() {
        let rule = |status| releasable(status).err().map(|violation| violation.rule);
        assert_eq!(rule(NumberStatus::Reserved), None);
        assert_eq!(rule(NumberStatus::Available), Some(RELEASE_ONLY_RESERVED));
        assert_eq!(rule(NumberStatus::Quarantine), Some(RELEASE_ONLY_RESERVED));
        assert_eq!(rule(NumberStatus::Assigned), Some(RELEASE_IN_USE));
        assert_eq!(rule(NumberStatus::PortedOut), Some(RELEASE_TERMINAL));
    }
}
