//! The rules of commercial orders: pure functions over facts handed in, answering what they proved.

use crate::domains::catalog::port::{OfferingId, OfferingView, PriceView};
use crate::domains::com::model::Order;
use crate::domains::com::port::{OrderState, OrderView};
use crate::domains::crm::port::{CustomerId, Msisdn, Standing};
use crate::platform::error::{Error, Result, Violation};

/// Every rule id of the domain.
pub mod rule {
    use crate::platform::error::Rule;

    pub const CUSTOMER_NOT_FOUND: Rule = Rule::new("order.create.customer_not_found");
    pub const CUSTOMER_CLOSED: Rule = Rule::new("order.create.customer_closed");
    pub const REQUIRES_VERIFIED_CUSTOMER: Rule = Rule::new("order.create.requires_verified_customer");
    pub const OFFERING_NOT_FOUND: Rule = Rule::new("order.create.offering_not_found");
    pub const NOT_SELLABLE_NOW: Rule = Rule::new("policy.offering.not_sellable_now");
    pub const NO_PAYMENT_METHOD: Rule = Rule::new("order.create.no_payment_method");
    pub const TRANSITION_INVALID: Rule = Rule::new("order.transition.invalid");
    pub const CANCEL_FORBIDDEN: Rule = Rule::new("order.cancel.forbidden_after_som_started");
    pub const OTHER_TERMINAL_STATE: Rule = Rule::new("order.wait.other_terminal_state");
}

/// Longest free text of an order.
const TEXT_CHARS_MAX: usize = 1_000;

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

/// May this order be cancelled? Once a line is booked its charge is under way, and the order ends with the charge.
pub(super) fn cancel(order: &Order) -> Result<(), Violation> {
    match (order.state, &order.item.target_subscription_id) {
        (OrderState::InProgress, Some(line)) => Err(rule::CANCEL_FORBIDDEN
            .violated("The line is booked and its charge under way; wait for the order to end, then terminate the line")
            .with("orderId", &order.id)
            .with("subscriptionId", line)),
        _ => Ok(()),
    }
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
