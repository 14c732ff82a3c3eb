//! Every rule of the domain: pure functions over facts handed in, returning what they proved.

use super::ledger::Balance;
use super::model::Line;
use super::port::LineStatus;
use super::state::State;
use crate::domains::catalog::port::{VasId, VasView};
use crate::domains::crm::port::CustomerId;
use crate::platform::error::{Error, Violation};

/// The rule ids.
pub mod rule {
    use crate::platform::error::Rule;

    pub const TRANSITION_INVALID: Rule = Rule::new("subscription.transition.invalid");
    pub const RENEW_STATE: Rule = Rule::new("subscription.renew.only_if_active_or_blocked");
    pub const RENEW_NO_METHOD: Rule = Rule::new("subscription.renew.no_payment_method");
    pub const TERMINATE_STATE: Rule = Rule::new("subscription.terminate.invalid_state");
    pub const VAS_TERMINATED: Rule = Rule::new("subscription.vas_purchase.not_if_terminated");
    pub const VAS_PENDING: Rule = Rule::new("subscription.vas_purchase.not_if_pending");
    pub const VAS_NOT_SOLD: Rule = Rule::new("subscription.vas_purchase.vas_offering_sellable");
    pub const VAS_UNLIMITED: Rule = Rule::new("subscription.vas_purchase.already_unlimited");
    pub const VAS_CARD: Rule = Rule::new("subscription.vas_purchase.requires_active_cof");
}

/// A customer without an active card cannot be charged (a rule of payment).
const CHARGE_NO_METHOD: &str = "payment.charge.no_method";
/// The order no longer holds its number and profile (a rule of inventory).
const RESERVATION_LOST: &str = "inventory.assign.reservation_lost";

/// Whether a charge was refused because there is no card to charge.
pub(super) fn is_no_method(error: &Error) -> bool {
    error.violation().is_some_and(|violation| violation.rule.id() == CHARGE_NO_METHOD)
}

/// Whether an assignment was refused because the reservation is gone.
pub(super) fn is_reservation_lost(error: &Error) -> bool {
    error.violation().is_some_and(|violation| violation.rule.id() == RESERVATION_LOST)
}

/// May the next period of this line be charged?
pub(super) fn renewable(line: &Line) -> Result<(), Violation> {
    match line.state {
        State::Active | State::Blocked(_) => Ok(()),
        State::Pending | State::Terminated => Err(rule::RENEW_STATE
            .violated("Only an active or blocked line can be renewed")
            .with("subscriptionId", &line.id)
            .with("state", line.state.status())),
    }
}

/// There is nothing to charge a renewal to.
pub(super) fn renewal_without_card(customer_id: &CustomerId) -> Violation {
    rule::RENEW_NO_METHOD
        .violated("The customer has no active card; add one, then renew again")
        .with("customerId", customer_id)
}

/// May this line be ended?
pub(super) fn terminable(line: &Line) -> Result<(), Violation> {
    match line.state {
        State::Active | State::Blocked(_) => Ok(()),
        State::Pending | State::Terminated => Err(rule::TERMINATE_STATE
            .violated("Only an active or blocked line can be terminated")
            .with("subscriptionId", &line.id)
            .with("state", line.state.status())),
    }
}

/// May this line be topped up at all?
pub(super) fn can_top_up(line: &Line) -> Result<(), Violation> {
    match line.state.status() {
        LineStatus::Active | LineStatus::Blocked => Ok(()),
        LineStatus::Terminated => {
            let gone = rule::VAS_TERMINATED.violated("The line has ended");
            Err(gone.with("subscriptionId", &line.id).with("state", LineStatus::Terminated))
        }
        LineStatus::Pending => {
            let early = rule::VAS_PENDING.violated("The line is not active yet");
            Err(early.with("subscriptionId", &line.id).with("state", LineStatus::Pending))
        }
    }
}

/// Is this top-up sold, and would the line get something for its money? Answers the quantity that it adds.
///
/// Top-ups without a limit or with an end of their own are not sold: nothing would enforce their end.
pub(super) fn sellable(id: &VasId, vas: Option<&VasView>, balances: &[Balance]) -> Result<i64, Violation> {
    let finite = vas.filter(|vas| vas.allowance_quantity > 0 && vas.expiry_hours.is_none());
    let Some(vas) = finite else {
        return Err(rule::VAS_NOT_SOLD.violated("This top-up is not sold").with("vasOfferingId", id));
    };
    if balances.iter().any(|balance| balance.kind == vas.allowance_type && balance.unlimited) {
        return Err(rule::VAS_UNLIMITED
            .violated("The line has this allowance without limit; the top-up would add nothing")
            .with("vasOfferingId", id)
            .with("allowanceType", vas.allowance_type));
    }
    Ok(vas.allowance_quantity)
}

/// There is nothing to charge a top-up to.
pub(super) fn top_up_without_card(customer_id: &CustomerId) -> Violation {
    rule::VAS_CARD.violated("The customer has no active card; add one, then buy again").with("customerId", customer_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::port::{AllowanceType, UNLIMITED, Unit};
    use crate::domains::subscription::model::tests::line;
    use crate::domains::subscription::port::BlockReason;
    use crate::domains::subscription::state::Reasons;
    use crate::platform::money::Money;

    fn states() -> [State; 4] {
        [State::Pending, State::Active, State::Blocked(Reasons::of(BlockReason::Payment)), State::Terminated]
    }

    fn refusals(check: impl Fn(&Line) -> Result<(), Violation>) -> [Option<&'static str>; 4] {
        states().map(|state| check(&Line { state, ..line() }).err().map(|violation| violation.rule.id()))
    }

    #[test]
    fn what_a_line_may_do_in_each_state() {
        let renew = Some(rule::RENEW_STATE.id());
        assert_eq!(refusals(renewable), [renew, None, None, renew]);
        let terminate = Some(rule::TERMINATE_STATE.id());
        assert_eq!(refusals(terminable), [terminate, None, None, terminate]);
        assert_eq!(refusals(can_top_up), [Some(rule::VAS_PENDING.id()), None, None, Some(rule::VAS_TERMINATED.id())]);
    }

    fn vas(quantity: i64, expiry_hours: Option<i32>) -> VasView {
        VasView {
            id: "VAS".parse().unwrap(),
            name: "Top-up".into(),
            money: Money::new(300, "SGD".parse().unwrap()),
            allowance_type: AllowanceType::Data,
            allowance_quantity: quantity,
            allowance_unit: Unit::Mb,
            expiry_hours,
        }
    }

    #[test]
    fn nobody_pays_for_nothing() {
        let id: VasId = "VAS".parse().unwrap();
        let data = |unlimited| Balance { kind: AllowanceType::Data, unlimited, total: 0, remaining: 0 };
        let refused =
            |vas: Option<&VasView>, unlimited| sellable(&id, vas, &[data(unlimited)]).map_err(|v| v.rule.id());
        assert_eq!(refused(Some(&vas(1_024, None)), false), Ok(1_024));
        assert_eq!(refused(None, false), Err(rule::VAS_NOT_SOLD.id()));
        assert_eq!(refused(Some(&vas(0, None)), false), Err(rule::VAS_NOT_SOLD.id()));
        assert_eq!(refused(Some(&vas(UNLIMITED, Some(24))), false), Err(rule::VAS_NOT_SOLD.id()));
        assert_eq!(refused(Some(&vas(1_024, None)), true), Err(rule::VAS_UNLIMITED.id()));
    }
}
