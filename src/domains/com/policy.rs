//! The rules of commercial orders: pure functions over facts handed in, answering what they proved.

use crate::domains::catalog::port::{OfferingId, OfferingView, PriceView};
use crate::domains::com::model::{Item, Order};
use crate::domains::com::port::{CreateOrder, OrderAction, OrderId, OrderState, OrderView};
use crate::domains::crm::port::{CustomerId, Msisdn, Standing};
use crate::domains::subscription::port::{LineStatus, SubscriptionId, SubscriptionView};
use crate::platform::error::{Error, Result, Violation};
use crate::platform::money::Money;

/// Every rule id of the domain.
pub mod rule {
    use crate::platform::error::Rule;

    pub const CUSTOMER_NOT_FOUND: Rule = Rule::new("order.create.customer_not_found");
    pub const CUSTOMER_CLOSED: Rule = Rule::new("order.create.customer_closed");
    pub const REQUIRES_VERIFIED_CUSTOMER: Rule = Rule::new("order.create.requires_verified_customer");
    pub const OFFERING_NOT_FOUND: Rule = Rule::new("order.create.offering_not_found");
    pub const NOT_SELLABLE_NOW: Rule = Rule::new("policy.offering.not_sellable_now");
    pub const NO_PAYMENT_METHOD: Rule = Rule::new("order.create.no_payment_method");
    pub const LINE_NOT_FOUND: Rule = Rule::new("order.create.line_not_found");
    pub const LINE_OF_ANOTHER_CUSTOMER: Rule = Rule::new("order.create.line_of_another_customer");
    pub const LINE_NOT_IN_SERVICE: Rule = Rule::new("order.create.line_has_no_service");
    pub const PRICE_CHANGED: Rule = Rule::new("order.change.price_has_changed");
    pub const NO_LONGER_SOLD: Rule = Rule::new("order.change.no_longer_sold");
    pub const TRANSITION_INVALID: Rule = Rule::new("order.transition.invalid");
    pub const CANCEL_FORBIDDEN: Rule = Rule::new("order.cancel.forbidden_after_som_started");
    pub const NOTHING_TO_RETRY: Rule = Rule::new("order.retry.nothing_to_retry");
    pub const OTHER_TERMINAL_STATE: Rule = Rule::new("order.wait.other_terminal_state");
}

/// Longest free text of an order.
const TEXT_CHARS_MAX: usize = 1_000;

/// Longest text that is looked at as a promotion's code.
const CODE_CHARS_MAX: usize = 80;

/// May this customer order anything? Checked before the plan is looked at.
pub(super) fn customer(id: &CustomerId, standing: Option<Standing>, require_kyc: bool) -> Result<(), Violation> {
    let Some(standing) = standing else {
        return Err(rule::CUSTOMER_NOT_FOUND.violated("There is no such customer").with("customerId", id));
    };
    if standing.status == "closed" {
        return Err(rule::CUSTOMER_CLOSED.violated("The customer is closed").with("customerId", id));
    }
    if require_kyc && !standing.kyc_verified {
        return Err(rule::REQUIRES_VERIFIED_CUSTOMER
            .violated("The customer's identity is not verified; attest it with customer.attest_kyc")
            .with("customerId", id));
    }
    Ok(())
}

/// Is there such a plan? `found` is the catalog's answer.
pub(super) fn offering(id: &OfferingId, found: Result<OfferingView>) -> Result<OfferingView> {
    match found {
        Err(Error::NotFound { .. }) => {
            Err(rule::OFFERING_NOT_FOUND.violated("There is no such plan").with("offeringId", id).into())
        }
        answer => answer,
    }
}

/// What an order asks for.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    Plan(&'a OfferingId),
    /// A top-up or another plan: the catalog knows which.
    Change(&'a OfferingId, &'a SubscriptionId),
    End(&'a SubscriptionId),
}

/// The action says which of the other members an order has.
pub(super) fn asked(order: &CreateOrder) -> Result<Asked<'_>> {
    let not_with = |pointer| Error::invalid(pointer, format!("does not go with the action {}", order.action.as_str()));
    if order.msisdn_preference.is_some() && order.action != OrderAction::Add {
        return Err(not_with("/msisdnPreference"));
    }
    if order.discount_code.is_some() && order.action != OrderAction::Add {
        return Err(not_with("/discountCode"));
    }
    let (offering, line) = (order.offering_id.as_ref(), order.subscription_id.as_ref());
    let offering_missing = || Error::invalid("/offeringId", "is required");
    let line_missing = || Error::invalid("/subscriptionId", "is required with this action");
    match order.action {
        OrderAction::Add if line.is_some() => Err(not_with("/subscriptionId")),
        OrderAction::Add => Ok(Asked::Plan(offering.ok_or_else(offering_missing)?)),
        OrderAction::Modify => {
            Ok(Asked::Change(offering.ok_or_else(offering_missing)?, line.ok_or_else(line_missing)?))
        }
        OrderAction::Delete if offering.is_some() => Err(not_with("/offeringId")),
        OrderAction::Delete => Ok(Asked::End(line.ok_or_else(line_missing)?)),
    }
}

/// Is there such a line, the customer's own, that has not ended? `found` is the answer of the line's domain.
pub(super) fn line(
    customer: &CustomerId,
    id: &SubscriptionId,
    found: Result<SubscriptionView>,
) -> Result<SubscriptionView> {
    let line = match found {
        Err(Error::NotFound { .. }) => {
            return Err(rule::LINE_NOT_FOUND.violated("There is no such line").with("subscriptionId", id).into());
        }
        answer => answer?,
    };
    if line.customer_id != *customer {
        let refused = rule::LINE_OF_ANOTHER_CUSTOMER.violated("The line belongs to another customer");
        return Err(refused.with("subscriptionId", id).with("customerId", customer).into());
    }
    if matches!(line.state, LineStatus::Pending | LineStatus::Terminated) {
        let refused = rule::LINE_NOT_IN_SERVICE.violated("The line is not in service yet, or no more");
        return Err(refused.with("subscriptionId", id).with("state", line.state).into());
    }
    Ok(line)
}

/// The plan that a line is to change to, where there is no top-up of this id. `found` is the catalog's answer.
pub(super) fn other_plan(id: &OfferingId, found: Result<OfferingView>) -> Result<OfferingView> {
    match found {
        Err(Error::NotFound { .. }) => Err(rule::OFFERING_NOT_FOUND
            .violated("There is no such top-up or plan; see catalog.list_vas and catalog.list_active_offerings")
            .with("offeringId", id)
            .into()),
        answer => answer,
    }
}

/// Nobody pays another price than the order says.
pub(super) fn price_kept(ordered: &Item, price: Money) -> Result<(), Violation> {
    if ordered.price == price {
        return Ok(());
    }
    Err(rule::PRICE_CHANGED
        .violated("The price has changed since the order was placed; order anew")
        .with("ordered", ordered.price.decimal())
        .with("now", price.decimal()))
}

/// Is what was ordered still sold? `found` is the catalog's answer.
pub(super) fn still_sold<T>(ordered: &Item, found: Result<T>) -> Result<T> {
    match found {
        Err(Error::NotFound { .. }) => Err(rule::NO_LONGER_SOLD
            .violated("What was ordered is no longer sold; nothing was charged")
            .with("offeringId", &ordered.offering_id)
            .into()),
        answer => answer,
    }
}

/// A change that is under way is the line's business: it is not called off. One that was given up before anything was begun is.
pub(super) fn cancel(order: &Order, is_worked_on: bool) -> Result<(), Violation> {
    if !is_change_in_progress(order) || (!is_worked_on && order.item.payment_attempt_id.is_none()) {
        return Ok(());
    }
    Err(rule::CANCEL_FORBIDDEN
        .violated("The change of the line is under way; wait for the order to end")
        .with("orderId", &order.id)
        .with("subscriptionId", &order.item.target_subscription_id)
        .with("paymentAttemptId", &order.item.payment_attempt_id))
}

/// Whether the line's domain is to change a line for this order, or has begun to.
pub(super) fn is_change_in_progress(order: &Order) -> bool {
    order.state == OrderState::InProgress && order.item.action != OrderAction::Add
}

/// Can the plan be bought now, and at which price? `price` is the catalog's answer for this instant.
pub(super) fn price_now(offering: &OfferingView, price: Result<PriceView>) -> Result<PriceView> {
    let refused = |underlying: &str| {
        let violation =
            rule::NOT_SELLABLE_NOW.violated("This plan is not on sale now; see catalog.list_active_offerings");
        violation.with("offeringId", &offering.id).with("underlying", underlying)
    };
    match price {
        Err(Error::Policy(cause)) => Err(refused(cause.rule.id()).into()),
        Ok(_) if !offering.is_sellable => Err(refused("catalog.offering.not_sellable").into()),
        answer => answer,
    }
}

/// Can the customer be charged?
pub(super) fn payment_method(id: &CustomerId, has_method: bool) -> Result<(), Violation> {
    if has_method {
        return Ok(());
    }
    Err(rule::NO_PAYMENT_METHOD
        .violated("The customer has no card on file; add one with payment.add_card")
        .with("customerId", id))
}

/// The booked line would not end: it is in service already, and the order about to complete.
pub(super) fn line_in_service(id: &OrderId, line: &str, refusal: Error) -> Error {
    if refusal.violation().is_none() {
        return refusal;
    }
    let message = "The line is paid for and in service; let the order end, then terminate the line";
    rule::CANCEL_FORBIDDEN.violated(message).with("orderId", id).with("subscriptionId", line).into()
}

/// The order has ended, or is in the state that was waited for: which of the two?
pub(super) fn waited(order: OrderView, wanted: OrderState) -> Result<OrderView, Violation> {
    if order.state == wanted {
        return Ok(order);
    }
    Err(rule::OTHER_TERMINAL_STATE
        .violated(format!("The order is {} and will not become {}", order.state.as_str(), wanted.as_str()))
        .with("orderId", &order.id)
        .with("state", order.state)
        .with("stateReason", &order.state_reason))
}

/// A wished-for number has the form of one; whether it is free is for the pool to say.
pub(super) fn number_form(preference: Option<&Msisdn>) -> Result<()> {
    let well_formed = |text: &str| (4..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match preference {
        Some(number) if !well_formed(number.as_str()) => {
            Err(Error::invalid("/msisdnPreference", "must be 4 to 15 digits, without the calling code"))
        }
        _ => Ok(()),
    }
}

/// A typed code is bounded, too; whether it means anything is for the promotions to say.
pub(super) fn code_form(typed: Option<&str>) -> Result<()> {
    match typed {
        Some(text) if text.chars().count() > CODE_CHARS_MAX => {
            Err(Error::invalid("/discountCode", format!("must have at most {CODE_CHARS_MAX} characters")))
        }
        _ => Ok(()),
    }
}

/// Free text is bounded.
pub(super) fn text_form(pointer: &str, text: Option<&str>) -> Result<()> {
    match text {
        Some(text) if text.chars().count() > TEXT_CHARS_MAX => {
            Err(Error::invalid(pointer, format!("must have at most {TEXT_CHARS_MAX} characters")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as the port answers it")]
    fn standing(status: &str, kyc_verified: bool) -> Option<Standing> {
        Some(Standing { id: "CUST-1".to_owned().into(), status: status.into(), kyc_verified })
    }

    fn refused(standing: Option<Standing>, require_kyc: bool) -> &'static str {
        customer(&"CUST-1".to_owned().into(), standing, require_kyc).unwrap_err().rule.id()
    }

    #[test]
    fn a_customer_must_exist_be_open_and_be_verified_where_that_is_asked() {
        assert_eq!(refused(None, false), "order.create.customer_not_found");
        assert_eq!(refused(standing("closed", true), true), "order.create.customer_closed");
        assert_eq!(refused(standing("active", false), true), "order.create.requires_verified_customer");
        assert!(customer(&"CUST-1".to_owned().into(), standing("active", false), false).is_ok());
        assert!(customer(&"CUST-1".to_owned().into(), standing("active", true), true).is_ok());
    }

    #[test]
    fn the_action_says_what_an_order_has() {
        let place = |action: OrderAction,
                     offering: Option<&str>,
                     line: Option<&str>,
                     number: Option<&str>,
                     code: Option<&str>| {
            let order = CreateOrder {
                customer_id: "CUST-1".to_owned().into(),
                action,
                offering_id: offering.map(|id| id.to_owned().into()),
                subscription_id: line.map(|id| id.to_owned().into()),
                msisdn_preference: number.map(|number| number.to_owned().into()),
                discount_code: code.map(str::to_owned),
                skip_assigned_offer: false,
                notes: None,
                submit: true,
            };
            match asked(&order) {
                Ok(_) => "",
                Err(Error::Invalid { pointer, .. }) if pointer == "/offeringId" => "offering",
                Err(Error::Invalid { pointer, .. }) if pointer == "/subscriptionId" => "line",
                Err(Error::Invalid { pointer, .. }) if pointer == "/msisdnPreference" => "number",
                Err(Error::Invalid { pointer, .. }) if pointer == "/discountCode" => "code",
                Err(other) => panic!("{other}"),
            }
        };
        use OrderAction::{Add, Delete, Modify};
        assert_eq!(place(Add, Some("PLAN_S"), None, Some("90000001"), None), "");
        assert_eq!(place(Add, None, None, None, None), "offering");
        assert_eq!(place(Add, Some("PLAN_S"), Some("SUB-1"), None, None), "line");
        assert_eq!(place(Modify, Some("VAS_1"), Some("SUB-1"), None, None), "");
        assert_eq!(place(Modify, None, Some("SUB-1"), None, None), "offering");
        assert_eq!(place(Modify, Some("VAS_1"), None, None, None), "line");
        assert_eq!(place(Modify, Some("VAS_1"), Some("SUB-1"), Some("90000001"), None), "number");
        assert_eq!(place(Add, Some("PLAN_S"), None, None, Some("SUMMER25")), "");
        assert_eq!(place(Modify, Some("VAS_1"), Some("SUB-1"), None, Some("SUMMER25")), "code");
        assert_eq!(place(Delete, None, Some("SUB-1"), None, None), "");
        assert_eq!(place(Delete, Some("PLAN_S"), Some("SUB-1"), None, None), "offering");
        assert_eq!(place(Delete, None, None, None, None), "line");
    }

    #[test]
    fn malformed_wishes_are_invalid_input() {
        let number = |text: &str| number_form(Some(&text.to_owned().into()));
        assert!(number("90000123").is_ok());
        for bad in ["9", "+6590000123", "9000012a", "1234567890123456"] {
            assert!(number(bad).is_err(), "{bad}");
        }
        assert!(text_form("/notes", Some(&"é".repeat(1_000))).is_ok());
        assert!(text_form("/notes", Some(&"é".repeat(1_001))).is_err());
    }
}
