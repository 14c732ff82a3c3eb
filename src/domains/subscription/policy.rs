//! Every rule of the domain: pure functions over facts handed in, returning what they proved.

use super::ledger::Balance;
use super::model::Line;
use super::port::{BlockReason, HoldReason, LineStatus, PriceMigrationId};
use super::state::State;
use crate::domains::catalog::port::{OfferingId, PriceId, PriceView, UNLIMITED, VasId, VasView};
use crate::domains::crm::port::CustomerId;
use crate::platform::context::{Channel, Context};
use crate::platform::error::{Error, Violation};
use crate::platform::money::Currency;

/// The rule ids.
pub mod rule {
    use crate::platform::error::Rule;

    pub const TRANSITION_INVALID: Rule = Rule::new("subscription.transition.invalid");
    pub const RENEW_STATE: Rule = Rule::new("subscription.renew.only_if_active_or_blocked");
    pub const RENEW_NOT_BLOCKED: Rule = Rule::new("subscription.renew.not_blocked_for_payment");
    pub const RENEW_NO_METHOD: Rule = Rule::new("subscription.renew.no_payment_method");
    pub const TERMINATE_STATE: Rule = Rule::new("subscription.terminate.invalid_state");
    pub const VAS_TERMINATED: Rule = Rule::new("subscription.vas_purchase.not_if_terminated");
    pub const VAS_PENDING: Rule = Rule::new("subscription.vas_purchase.not_if_pending");
    pub const VAS_NOT_SOLD: Rule = Rule::new("subscription.vas_purchase.vas_offering_sellable");
    pub const VAS_UNLIMITED: Rule = Rule::new("subscription.vas_purchase.already_unlimited");
    pub const VAS_CARD: Rule = Rule::new("subscription.vas_purchase.requires_active_cof");
    pub const BLOCK_STATE: Rule = Rule::new("subscription.block.invalid_state");
    pub const BLOCK_FRAUD_OPERATOR: Rule = Rule::new("subscription.block.fraud_operator_only");
    pub const UNBLOCK_NOTHING: Rule = Rule::new("subscription.unblock.nothing_to_lift");
    pub const UNBLOCK_FRAUD_OPERATOR: Rule = Rule::new("subscription.unblock.fraud_operator_only");
    pub const UNBLOCK_FRAUD_NOTE: Rule = Rule::new("subscription.unblock.fraud_requires_note");
    pub const PLAN_CHANGE_STATE: Rule = Rule::new("subscription.plan_change.not_eligible_state");
    pub const PLAN_CHANGE_SAME: Rule = Rule::new("subscription.plan_change.same_offering");
    pub const PLAN_CHANGE_PENDING: Rule = Rule::new("subscription.plan_change.already_pending");
    pub const PLAN_CHANGE_NOT_SOLD: Rule = Rule::new("subscription.plan_change.target_not_sellable_now");
    pub const PLAN_CHANGE_NO_PRICE: Rule = Rule::new("subscription.plan_change.target_no_active_price");
    pub const MIGRATE_UNKNOWN_PRICE: Rule = Rule::new("subscription.migrate_price.unknown_price");
    pub const MIGRATE_OTHER_OFFERING: Rule = Rule::new("subscription.migrate_price.price_not_on_offering");
    pub const MIGRATE_CURRENCY: Rule = Rule::new("subscription.migrate_price.other_currency");
    pub const MIGRATE_DIFFERS: Rule = Rule::new("subscription.migrate_price.already_scheduled");
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

/// Does this line owe a renewal? "Pay now" pays that and nothing else.
pub(super) fn payable(line: &Line) -> Result<(), Violation> {
    renewable(line)?;
    if line.state.is_blocked_for(BlockReason::Payment) {
        return Ok(());
    }
    Err(rule::RENEW_NOT_BLOCKED
        .violated("The line owes nothing, so nothing was charged; a period is begun early with subscription.renew_now")
        .with("subscriptionId", &line.id)
        .with("state", line.state.status())
        .with("blockReasons", line.state.reasons()))
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

/// Is this top-up sold, and would the line get something for its money?
pub(super) fn sellable(id: &VasId, vas: Option<VasView>, balances: &[Balance]) -> Result<VasView, Violation> {
    let gives = vas.filter(|vas| vas.allowance_quantity > 0 || vas.allowance_quantity == UNLIMITED);
    let Some(vas) = gives else {
        return Err(rule::VAS_NOT_SOLD.violated("This top-up is not sold").with("vasOfferingId", id));
    };
    if balances.iter().any(|balance| balance.kind == vas.allowance_type && balance.unlimited) {
        return Err(rule::VAS_UNLIMITED
            .violated("The line has this allowance without limit; the top-up would add nothing")
            .with("vasOfferingId", id)
            .with("allowanceType", vas.allowance_type));
    }
    Ok(vas)
}

/// Whether a customer acts, by a surface of theirs.
fn is_customer(cx: &Context) -> bool {
    cx.service_identity.as_ref() == "portal_self_serve"
        || matches!(cx.channel, Channel::PortalSelfServe | Channel::PortalChat)
}

/// May this line be taken out of service for `reason` by whoever acts?
pub(super) fn can_block(cx: &Context, line: &Line, reason: HoldReason) -> Result<(), Violation> {
    if reason == HoldReason::Fraud && is_customer(cx) {
        return Err(rule::BLOCK_FRAUD_OPERATOR.violated("Only the operator can block a line for fraud"));
    }
    match line.state {
        State::Active | State::Blocked(_) => Ok(()),
        State::Pending | State::Terminated => Err(rule::BLOCK_STATE
            .violated("Only an active or blocked line can be blocked")
            .with("subscriptionId", &line.id)
            .with("state", line.state.status())),
    }
}

/// What may be lifted by whoever acts: `reason`, or all that a person has set. Never empty.
pub(super) fn can_unblock(
    cx: &Context,
    line: &Line,
    reason: Option<HoldReason>,
    note: Option<&str>,
) -> Result<Vec<HoldReason>, Violation> {
    let asked = [HoldReason::Requested, HoldReason::Fraud].into_iter();
    let asked = asked.filter(|hold| reason.is_none_or(|reason| reason == *hold));
    let lifted: Vec<HoldReason> = asked.filter(|hold| line.state.is_blocked_for(hold.block_reason())).collect();
    let refused = |violation: Violation| violation.with("subscriptionId", &line.id);
    if lifted.is_empty() {
        return Err(refused(
            rule::UNBLOCK_NOTHING
                .violated("Nobody has blocked the line by hand; a top-up or a renewal lifts the other blocks")
                .with("state", line.state.status())
                .with("blockReasons", line.state.reasons()),
        ));
    }
    if lifted.contains(&HoldReason::Fraud) {
        if is_customer(cx) {
            return Err(refused(rule::UNBLOCK_FRAUD_OPERATOR.violated("Only the operator can lift this block")));
        }
        if note.is_none() {
            return Err(refused(
                rule::UNBLOCK_FRAUD_NOTE.violated("Lifting a block for fraud needs a note that says why"),
            ));
        }
    }
    Ok(lifted)
}

/// May this line move to `target` at its next renewal? Answers the price that it will pay.
///
/// The order is part of the contract: the caller sees the first rule that fails. `price` is what the catalog says of a
/// target that it sells.
pub(super) fn plan_change(
    line: &Line,
    target: &OfferingId,
    is_on_sale: bool,
    price: Option<PriceView>,
) -> Result<PriceView, Violation> {
    plan_change_of_line(line, target)?;
    if !is_on_sale {
        return Err(rule::PLAN_CHANGE_NOT_SOLD.violated("This plan is not on sale").with("newOfferingId", target));
    }
    price.ok_or_else(|| {
        rule::PLAN_CHANGE_NO_PRICE.violated("This plan has no price in force").with("newOfferingId", target)
    })
}

/// The part of [`plan_change`] that the line alone decides.
pub(super) fn plan_change_of_line(line: &Line, target: &OfferingId) -> Result<(), Violation> {
    if line.state != State::Active {
        return Err(rule::PLAN_CHANGE_STATE
            .violated("Only an active line can change its plan")
            .with("subscriptionId", &line.id)
            .with("state", line.state.status()));
    }
    if line.offering_id == *target {
        return Err(rule::PLAN_CHANGE_SAME
            .violated("The line is on this plan already")
            .with("currentOfferingId", &line.offering_id)
            .with("newOfferingId", target));
    }
    if let Some(pending) = &line.pending_plan {
        return Err(rule::PLAN_CHANGE_PENDING
            .violated("A plan change is booked already; cancel it first")
            .with("subscriptionId", &line.id)
            .with("pendingOfferingId", &pending.offering_id));
    }
    Ok(())
}

/// Can the lines of `offering` be moved to this price?
pub(super) fn migration_price(
    offering: &OfferingId,
    price_id: &PriceId,
    price: Option<PriceView>,
    currency: Option<Currency>,
) -> Result<PriceView, Violation> {
    let price = price
        .ok_or_else(|| rule::MIGRATE_UNKNOWN_PRICE.violated("There is no such price").with("newPriceId", price_id))?;
    if price.offering_id != *offering {
        return Err(rule::MIGRATE_OTHER_OFFERING
            .violated("This price belongs to another plan")
            .with("newPriceId", price_id)
            .with("offeringId", offering));
    }
    if currency.is_some_and(|currency| currency != price.money.currency) {
        return Err(rule::MIGRATE_CURRENCY
            .violated("The plan is sold in another currency")
            .with("newPriceId", price_id)
            .with("currency", price.money.currency));
    }
    Ok(price)
}

/// The same move was asked for before, with another date or notice.
pub(super) fn migration_differs(id: &PriceMigrationId) -> Violation {
    rule::MIGRATE_DIFFERS
        .violated("The lines of this plan are being moved to this price already, with another date or notice")
        .with("migrationId", id)
}

/// There is nothing to charge a top-up to.
pub(super) fn top_up_without_card(customer_id: &CustomerId) -> Violation {
    rule::VAS_CARD.violated("The customer has no active card; add one, then buy again").with("customerId", customer_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::port::{AllowanceType, Unit};
    use crate::domains::subscription::model::tests::line;
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
        assert_eq!(refusals(payable), [renew, Some(rule::RENEW_NOT_BLOCKED.id()), None, renew]);
        let exhausted = Line { state: State::Blocked(Reasons::of(BlockReason::Exhausted)), ..line() };
        assert_eq!(payable(&exhausted).unwrap_err().rule, rule::RENEW_NOT_BLOCKED);
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
            valid_from: None,
            valid_to: None,
        }
    }

    #[test]
    fn nobody_pays_for_nothing() {
        let id: VasId = "VAS".parse().unwrap();
        let refused = |vas: Option<VasView>, unlimited| {
            let data = Balance { unlimited, ..Balance::empty(AllowanceType::Data) };
            sellable(&id, vas, &[data]).map(|vas| vas.allowance_quantity).map_err(|v| v.rule.id())
        };
        assert_eq!(refused(Some(vas(1_024, None)), false), Ok(1_024));
        assert_eq!(refused(Some(vas(1_024, Some(72))), false), Ok(1_024));
        assert_eq!(refused(None, false), Err(rule::VAS_NOT_SOLD.id()));
        assert_eq!(refused(Some(vas(0, None)), false), Err(rule::VAS_NOT_SOLD.id()));
        assert_eq!(refused(Some(vas(UNLIMITED, Some(24))), false), Ok(UNLIMITED), "a day pass");
        assert_eq!(refused(Some(vas(1_024, None)), true), Err(rule::VAS_UNLIMITED.id()));
    }

    fn operator() -> Context {
        Context::system("ops", "r".into(), chrono::DateTime::UNIX_EPOCH)
    }

    fn blocked(reasons: &[BlockReason]) -> Line {
        Line { state: State::Blocked(reasons.iter().copied().collect::<Reasons>()), ..line() }
    }

    #[test]
    fn what_a_person_blocked_a_person_lifts() {
        use BlockReason::{Exhausted, Fraud, Requested};
        let customer = Context { service_identity: "portal_self_serve".into(), ..operator() };
        let lift = |cx: &Context, reasons: &[BlockReason], reason, note| {
            can_unblock(cx, &blocked(reasons), reason, note).map_err(|violation| violation.rule.id())
        };
        assert_eq!(lift(&operator(), &[Exhausted], None, None), Err(rule::UNBLOCK_NOTHING.id()));
        assert_eq!(lift(&customer, &[Requested, Exhausted], None, None), Ok(vec![HoldReason::Requested]));
        assert_eq!(lift(&operator(), &[Fraud], None, None), Err(rule::UNBLOCK_FRAUD_NOTE.id()));
        assert_eq!(lift(&customer, &[Fraud], None, Some("me")), Err(rule::UNBLOCK_FRAUD_OPERATOR.id()));
        assert_eq!(
            lift(&customer, &[Fraud, Requested], Some(HoldReason::Requested), None),
            Ok(vec![HoldReason::Requested])
        );
        let both = Ok(vec![HoldReason::Requested, HoldReason::Fraud]);
        assert_eq!(lift(&operator(), &[Fraud, Requested], None, Some("cleared")), both);
        assert_eq!(can_block(&customer, &line(), HoldReason::Fraud).unwrap_err().rule, rule::BLOCK_FRAUD_OPERATOR);
        let hold = Some(rule::BLOCK_STATE.id());
        assert_eq!(refusals(|line| can_block(&operator(), line, HoldReason::Requested)), [hold, None, None, hold]);
    }

    #[test]
    fn a_plan_change_meets_its_rules_in_order() {
        let other: OfferingId = "PLAN_L".parse().unwrap();
        let price = PriceView {
            id: "PRICE_PLAN_L".parse().unwrap(),
            offering_id: other.clone(),
            money: Money::new(4_500, "SGD".parse().unwrap()),
            valid_from: None,
            valid_to: None,
        };
        let mut line = line();
        let broken = |line: &Line, target: &OfferingId, on_sale, price: Option<&PriceView>| {
            plan_change(line, target, on_sale, price.cloned()).map(drop).map_err(|violation| violation.rule.id())
        };
        assert_eq!(broken(&line, &line.offering_id, false, None), Err(rule::PLAN_CHANGE_STATE.id()));
        line.state = State::Active;
        let pending = crate::domains::subscription::terms::PendingPlan::new(
            other.clone(),
            price.clone(),
            chrono::DateTime::UNIX_EPOCH,
        );
        let booked = Line { pending_plan: Some(pending), ..line.clone() };
        assert_eq!(broken(&booked, &line.offering_id, false, None), Err(rule::PLAN_CHANGE_SAME.id()));
        assert_eq!(broken(&booked, &other, false, None), Err(rule::PLAN_CHANGE_PENDING.id()));
        assert_eq!(broken(&line, &other, false, None), Err(rule::PLAN_CHANGE_NOT_SOLD.id()));
        assert_eq!(broken(&line, &other, true, None), Err(rule::PLAN_CHANGE_NO_PRICE.id()));
        assert_eq!(broken(&line, &other, true, Some(&price)), Ok(()));
    }
}
