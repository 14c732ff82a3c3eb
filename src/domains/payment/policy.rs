//! The rules of payment. Each function answers one question; its order of checks is part of the contract.

use chrono::Datelike as _;
use chrono_tz::Tz;

use super::model::{Attempt, Method};
use super::port::card::Card;
use super::port::{AttemptId, AttemptStatus, ChargeRequest};
use crate::domains::crm::port::{CustomerId, Standing};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::error::{Rule, Violation};
use crate::platform::money::Money;

pub const ADD_CUSTOMER_EXISTS: Rule = Rule::new("payment_method.add.customer_exists");
pub const ADD_CUSTOMER_STATE: Rule = Rule::new("payment_method.add.customer_active_or_pending");
pub const ADD_CARD_NUMBER: Rule = Rule::new("payment_method.add.card_number_invalid");
pub const ADD_CARD_EXPIRED: Rule = Rule::new("payment_method.add.card_not_expired");
pub const ADD_CARD_REFUSED: Rule = Rule::new("payment_method.add.card_refused");
pub const ADD_TOO_MANY: Rule = Rule::new("payment_method.add.at_most_n_methods");
pub const DEFAULT_REMOVED: Rule = Rule::new("payment_method.set_default.removed");
pub const DEFAULT_EXPIRED: Rule = Rule::new("payment_method.set_default.expired");
pub const REMOVE_TWICE: Rule = Rule::new("payment_method.remove.already_removed");
pub const REMOVE_LAST: Rule = Rule::new("payment_method.remove.not_last_if_active_subscription");
pub const REMOVE_PENDING: Rule = Rule::new("payment_method.remove.not_while_charge_pending");
pub const CHARGE_NO_METHOD: Rule = Rule::new("payment.charge.no_method");
pub const CHARGE_METHOD_NOT_FOUND: Rule = Rule::new("payment.charge.method_not_found");
pub const CHARGE_METHOD_ACTIVE: Rule = Rule::new("payment.charge.method_active");
pub const CHARGE_POSITIVE: Rule = Rule::new("payment.charge.positive_amount");
pub const CHARGE_OWNER: Rule = Rule::new("payment.charge.customer_matches_method");
pub const CHARGE_PROVIDER: Rule = Rule::new("payment.charge.token_provider_matches_active");
pub const CHARGE_KEY_IN_USE: Rule = Rule::new("payment.charge.business_key_in_use");
pub const REFUND_NOTHING: Rule = Rule::new("payment.refund.nothing_charged");

/// Active cards that one customer may have.
pub(super) const METHODS_MAX: usize = 5;

/// May this customer put this card on file? Whether there is room for it is asked under the lock ([`room_for_card`]).
pub(super) fn add_card(
    customer_id: &CustomerId,
    standing: Option<&Standing>,
    card: &Card,
    now: chrono::DateTime<chrono::Utc>,
    zone: Tz,
) -> Result<(), Violation> {
    may_add(customer_id, standing)?;
    if !card.number.is_valid() {
        return Err(ADD_CARD_NUMBER.violated("This is not a card number; check the digits"));
    }
    if is_past(card.exp_year.into(), card.exp_month.into(), now, zone) {
        let violation = ADD_CARD_EXPIRED.violated("The card has expired");
        return Err(violation.with("expMonth", card.exp_month).with("expYear", card.exp_year));
    }
    Ok(())
}

/// May this customer put any card on file?
pub(super) fn may_add(customer_id: &CustomerId, standing: Option<&Standing>) -> Result<(), Violation> {
    match standing {
        None => Err(ADD_CUSTOMER_EXISTS.violated("There is no such customer").with("customerId", customer_id)),
        Some(standing) if matches!(standing.status.as_str(), "active" | "pending") => Ok(()),
        Some(standing) => Err(not_open(customer_id, &standing.status)),
    }
}

pub(super) fn not_open(customer_id: &CustomerId, status: &str) -> Violation {
    let violation = ADD_CUSTOMER_STATE.violated("Only an active or pending customer can add a card");
    violation.with("customerId", customer_id).with("status", status)
}

pub(super) fn room_for_card(customer_id: &CustomerId, active: usize) -> Result<(), Violation> {
    if active < METHODS_MAX {
        return Ok(());
    }
    let violation = ADD_TOO_MANY.violated(format!("A customer can have {METHODS_MAX} cards; remove one first"));
    Err(violation.with("customerId", customer_id).with("currentCount", active).with("max", METHODS_MAX))
}

/// A card is good to the end of its month, in the operator's time zone.
fn is_past(year: i32, month: u32, now: chrono::DateTime<chrono::Utc>, zone: Tz) -> bool {
    let today = now.with_timezone(&zone);
    (year, month) < (today.year(), today.month())
}

/// May this card be made the default?
pub(super) fn set_default(method: &Method, now: chrono::DateTime<chrono::Utc>, zone: Tz) -> Result<(), Violation> {
    if method.status == "removed" {
        return Err(DEFAULT_REMOVED.violated("The card was removed").with("paymentMethodId", &method.id));
    }
    let month = u32::try_from(method.exp_month).unwrap_or_default();
    if method.status != "active" || is_past(method.exp_year.into(), month, now, zone) {
        return Err(DEFAULT_EXPIRED
            .violated("The card has expired; add a new one")
            .with("paymentMethodId", &method.id));
    }
    Ok(())
}

/// May this card be removed? `others` counts the customer's other active cards; `pending` is a charge of this one whose
/// outcome is not known: it takes the money when the gateway comes round to it.
pub(super) fn remove(
    method: &Method,
    others: usize,
    open_lines: &[SubscriptionId],
    pending: Option<&AttemptId>,
) -> Result<(), Violation> {
    if method.status == "removed" {
        return Err(REMOVE_TWICE.violated("The card was removed before").with("paymentMethodId", &method.id));
    }
    if method.status == "active" && others == 0 && !open_lines.is_empty() {
        let violation = REMOVE_LAST.violated("This is the last card of a customer with a line; add another one first");
        return Err(violation
            .with("customerId", &method.customer_id)
            .with("activeSubscriptions", open_lines)
            .with("paymentMethodId", &method.id));
    }
    if let Some(attempt_id) = pending {
        let message = "A charge of this card is under way; remove the card when payment.get_attempt shows its outcome";
        return Err(REMOVE_PENDING
            .violated(message)
            .with("paymentMethodId", &method.id)
            .with("paymentAttemptId", attempt_id));
    }
    Ok(())
}

/// The card that pays for a booked charge; it must be one that the active gateway knows.
pub(super) fn method_for_charge(
    method: Option<Method>,
    customer_id: &CustomerId,
    provider: &str,
) -> Result<Method, Violation> {
    let Some(method) = method else {
        let message = "The customer has no card on file; add one with payment.add_card";
        return Err(CHARGE_NO_METHOD.violated(message).with("customerId", customer_id));
    };
    known_to(provider, method)
}

fn known_to(provider: &str, method: Method) -> Result<Method, Violation> {
    if method.token_provider == provider {
        return Ok(method);
    }
    let message = format!("{} is known to another payment gateway; the customer must add the card again", method.id);
    let violation = CHARGE_PROVIDER.violated(message).with("paymentMethodId", &method.id);
    Err(violation.with("rowTokenProvider", &method.token_provider).with("activeAdapter", provider))
}

/// May this card of somebody's choice be charged for a manual payment?
pub(super) fn manual_charge(
    method: Option<Method>,
    method_id: &super::port::PaymentMethodId,
    customer_id: &CustomerId,
    amount: Money,
    provider: &str,
) -> Result<Method, Violation> {
    let Some(method) = method else {
        return Err(CHARGE_METHOD_NOT_FOUND.violated("There is no such card").with("paymentMethodId", method_id));
    };
    if method.status != "active" {
        let violation = CHARGE_METHOD_ACTIVE.violated("The card is not active").with("paymentMethodId", method_id);
        return Err(violation.with("status", method.status));
    }
    if amount.minor <= 0 {
        return Err(CHARGE_POSITIVE.violated("The amount must be more than zero").with("amount", amount.decimal()));
    }
    if method.customer_id != *customer_id {
        let violation =
            CHARGE_OWNER.violated("The card belongs to another customer").with("paymentMethodId", method_id);
        return Err(violation.with("requestedCustomerId", customer_id));
    }
    known_to(provider, method)
}

/// Is the live attempt with this business key the one that is asked for? Taking it for another would hide a wrong amount.
pub(super) fn same_charge(live: &Attempt, request: &ChargeRequest) -> Result<(), Violation> {
    let same = live.customer_id == request.customer_id
        && live.amount == request.amount
        && live.purpose == request.purpose
        && live.subject_id == request.subject_id;
    if same { Ok(()) } else { Err(key_in_use(live)) }
}

/// This business key has a pending or approved attempt.
pub(super) fn key_in_use(live: &Attempt) -> Violation {
    let violation = CHARGE_KEY_IN_USE.violated("A payment with this key is under way or done");
    violation.with("paymentAttemptId", &live.id).with("status", live.status).with("businessKey", &live.business_key)
}

/// Was, or may still be, something charged that can be given back?
pub(super) fn has_charge(attempt: &Attempt) -> bool {
    match attempt.status {
        AttemptStatus::Pending | AttemptStatus::Approved => !attempt.amount.is_zero(),
        AttemptStatus::Declined | AttemptStatus::Errored => false,
    }
}

pub(super) fn nothing_charged(attempt_id: &AttemptId) -> Violation {
    REFUND_NOTHING
        .violated("Nothing was charged, so there is nothing to give back")
        .with("paymentAttemptId", attempt_id)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeZone as _, Utc};

    use super::*;
    use crate::domains::payment::port::card::CardNumber;

    fn at(year: i32, month: u32, day: u32, hour: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(year, month, day, hour, 0, 0).unwrap()
    }

    fn card(number: &str, exp_month: u8, exp_year: u16) -> Card {
        Card { number: CardNumber::entered(number), exp_month, exp_year }
    }

    fn rule(standing: Option<&str>, card: &Card, now: DateTime<Utc>) -> Option<&'static str> {
        let id: CustomerId = "CUST-1".parse().unwrap();
        let standing = standing.map(|status| Standing { id: id.clone(), status: status.into(), kyc_verified: true });
        add_card(&id, standing.as_ref(), card, now, chrono_tz::Asia::Singapore)
            .err()
            .map(|violation| violation.rule.id())
    }

    #[test]
    fn a_card_is_refused_by_the_first_rule_that_it_breaks() {
        let now = at(2026, 5, 10, 9);
        let (good, expired, wrong) =
            (card("4242424242424242", 5, 2026), card("4242424242424242", 4, 2026), card("4242", 4, 2026));
        assert_eq!(rule(Some("active"), &good, now), None, "good to the end of its month");
        assert_eq!(rule(Some("pending"), &good, now), None);
        assert_eq!(rule(None, &wrong, now), Some("payment_method.add.customer_exists"));
        for status in ["suspended", "closed", ""] {
            assert_eq!(rule(Some(status), &wrong, now), Some("payment_method.add.customer_active_or_pending"));
        }
        assert_eq!(rule(Some("active"), &wrong, now), Some("payment_method.add.card_number_invalid"));
        assert_eq!(rule(Some("active"), &expired, now), Some("payment_method.add.card_not_expired"));
    }

    #[test]
    fn a_card_expires_when_the_month_ends_where_the_operator_is() {
        let may = card("4242424242424242", 5, 2026);
        assert_eq!(rule(Some("active"), &may, at(2026, 5, 31, 15)), None);
        assert_eq!(rule(Some("active"), &may, at(2026, 5, 31, 16)), Some("payment_method.add.card_not_expired"));
    }

    fn method(status: &str) -> Method {
        Method {
            id: "PM-0001".parse().unwrap(),
            customer_id: "CUST-1".parse().unwrap(),
            method_type: "card".into(),
            token_provider: "mock".into(),
            last4: "4242".into(),
            brand: "visa".into(),
            exp_month: 5,
            exp_year: 2026,
            is_default: false,
            status: status.into(),
            version: 1,
        }
    }

    #[test]
    fn the_last_card_stays_while_there_is_a_line() {
        let lines = ["SUB-0001".parse().unwrap()];
        let rule = |status: &str, others, lines: &[SubscriptionId]| {
            remove(&method(status), others, lines, None).err().map(|v| v.rule.id())
        };
        assert_eq!(rule("active", 0, &lines), Some("payment_method.remove.not_last_if_active_subscription"));
        assert_eq!(rule("active", 1, &lines), None);
        assert_eq!(rule("active", 0, &[]), None);
        assert_eq!(rule("expired", 0, &lines), None, "it could not be charged anyway");
        assert_eq!(rule("removed", 1, &[]), Some("payment_method.remove.already_removed"));
    }

    #[test]
    fn a_card_that_is_being_charged_stays_last_of_all() {
        let (lines, pending) = (["SUB-0001".parse().unwrap()], "PAY-000001".parse().unwrap());
        let refused = |status: &str, others| remove(&method(status), others, &lines, Some(&pending)).unwrap_err();
        assert_eq!(refused("removed", 1).rule, REMOVE_TWICE);
        assert_eq!(refused("active", 0).rule, REMOVE_LAST);
        let refused = refused("active", 1);
        assert_eq!(refused.rule.id(), "payment_method.remove.not_while_charge_pending");
        assert_eq!(refused.context["paymentAttemptId"], "PAY-000001");
    }

    #[test]
    fn only_a_good_card_becomes_the_default() {
        let rule = |status: &str, now| set_default(&method(status), now, chrono_tz::UTC).err().map(|v| v.rule.id());
        assert_eq!(rule("active", at(2026, 5, 31, 23)), None);
        assert_eq!(rule("active", at(2026, 6, 1, 0)), Some("payment_method.set_default.expired"));
        assert_eq!(rule("expired", at(2026, 5, 1, 0)), Some("payment_method.set_default.expired"));
        assert_eq!(rule("removed", at(2026, 6, 1, 0)), Some("payment_method.set_default.removed"));
    }

    #[test]
    fn a_manual_charge_is_refused_in_the_order_of_the_rules() {
        let id = "PM-0001".parse().unwrap();
        let rule = |method, customer: &str, minor, provider| {
            let amount = Money::new(minor, "SGD".parse().unwrap());
            manual_charge(method, &id, &customer.parse().unwrap(), amount, provider).err().map(|v| v.rule.id())
        };
        assert_eq!(rule(None, "CUST-2", 0, "stripe"), Some("payment.charge.method_not_found"));
        assert_eq!(rule(Some(method("removed")), "CUST-2", 0, "stripe"), Some("payment.charge.method_active"));
        for minor in [0, -500] {
            assert_eq!(rule(Some(method("active")), "CUST-2", minor, "stripe"), Some("payment.charge.positive_amount"));
        }
        assert_eq!(rule(Some(method("active")), "CUST-2", 1, "stripe"), Some("payment.charge.customer_matches_method"));
        assert_eq!(
            rule(Some(method("active")), "CUST-1", 1, "stripe"),
            Some("payment.charge.token_provider_matches_active")
        );
        assert_eq!(rule(Some(method("active")), "CUST-1", 1, "mock"), None);
    }
}
