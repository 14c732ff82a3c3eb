//! The rules on customers.

use super::model::NewMedium;
use crate::domains::crm::port::{CustomerId, CustomerStatus};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::error::{Error, Rule, Violation};

pub const REQUIRES_CONTACT_MEDIUM: Rule = Rule::new("customer.create.requires_contact_medium");
pub const EMAIL_UNIQUE: Rule = Rule::new("customer.create.email_unique");
pub const UPDATE_CLOSED: Rule = Rule::new("customer.update.customer_is_closed");
pub const STATUS_INVALID: Rule = Rule::new("customer.update.status_invalid");
pub const HOLD_CLOSED: Rule = Rule::new("customer.hold.closed");
pub const ALREADY_CLOSED: Rule = Rule::new("customer.close.already_closed");
pub const NO_ACTIVE_SUBSCRIPTIONS: Rule = Rule::new("customer.close.no_active_subscriptions");
pub const UNCORROBORATED: Rule = Rule::new("kyc.attestation.uncorroborated");
pub const SIGNATURE_INVALID: Rule = Rule::new("customer.attest_kyc.signature_invalid");
pub const DOCUMENT_REQUIRED: Rule = Rule::new("customer.attest_kyc.document_required");
pub const DOCUMENT_UNIQUE: Rule = Rule::new("customer.attest_kyc.document_hash_unique_per_tenant");

/// The provider whose attestations nobody signed: for demonstrations and tests.
pub(super) const PREBAKED: &str = "prebaked";

/// Somebody who cannot be reached cannot be a customer.
pub(super) fn reachable(media: &[NewMedium]) -> Result<(), Violation> {
    if media.is_empty() {
        return Err(REQUIRES_CONTACT_MEDIUM.violated("A customer needs at least one way to be reached"));
    }
    Ok(())
}

/// Turns the refusal of the unique index into the rule it stands for; the address itself is not repeated.
pub(super) fn email_taken(error: Error) -> Error {
    if error.breaks_unique("uq_contact_medium_email") {
        return EMAIL_UNIQUE.violated("This e-mail address belongs to a customer already").into();
    }
    error
}

/// Turns the refusal of the unique constraint into the rule it stands for.
pub(super) fn document_taken(error: Error, document_type: &str) -> Error {
    if error.breaks_unique("uq_customer_identity_document") {
        let violation = DOCUMENT_UNIQUE.violated("This document belongs to another customer");
        return violation.with("documentType", document_type).into();
    }
    error
}

/// A closed customer is history.
pub(super) fn changeable(id: &CustomerId, status: CustomerStatus) -> Result<(), Violation> {
    match status {
        CustomerStatus::Pending | CustomerStatus::Active | CustomerStatus::Suspended => Ok(()),
        CustomerStatus::Closed => Err(UPDATE_CLOSED.violated("The customer is closed").with("customerId", id)),
    }
}

/// The next status of a customer who is not closed; closing has rules of its own. Nobody becomes pending again.
pub(super) fn status_change(
    id: &CustomerId,
    from: CustomerStatus,
    to: CustomerStatus,
) -> Result<CustomerStatus, Violation> {
    use CustomerStatus::{Active, Closed, Pending, Suspended};
    match (from, to) {
        (Pending, Pending) | (Pending | Active | Suspended, Active | Suspended) => Ok(to),
        (Active | Suspended, Pending) | (Closed, _) | (Pending | Active | Suspended, Closed) => Err(STATUS_INVALID
            .violated("This status does not follow")
            .with("customerId", id)
            .with("from", from)
            .with("to", to)),
    }
}

/// Whether a line may be booked for the customer while it is held.
pub(super) fn holdable(id: &CustomerId, status: CustomerStatus) -> Result<(), Violation> {
    match status {
        CustomerStatus::Pending | CustomerStatus::Active | CustomerStatus::Suspended => Ok(()),
        CustomerStatus::Closed => Err(HOLD_CLOSED.violated("The customer is closed").with("customerId", id)),
    }
}

/// May the customer be closed? `open_lines` are those that are not terminated, blocked ones too.
pub(super) fn closable(
    id: &CustomerId,
    status: CustomerStatus,
    open_lines: &[SubscriptionId],
) -> Result<(), Violation> {
    if status == CustomerStatus::Closed {
        return Err(ALREADY_CLOSED.violated("The customer is closed already").with("customerId", id));
    }
    if !open_lines.is_empty() {
        return Err(NO_ACTIVE_SUBSCRIPTIONS
            .violated("The customer still has lines; terminate them first")
            .with("customerId", id)
            .with("activeSubscriptions", open_lines));
    }
    Ok(())
}

/// Is this attestation to be believed? Signed webhooks, the trust anchor of real providers, are not received yet.
pub(super) fn corroborated(provider: &str, token: &str, prebaked_allowed: bool) -> Result<(), Violation> {
    if provider != PREBAKED {
        let violation = UNCORROBORATED.violated("No signed decision of this provider has arrived for the customer");
        return Err(violation.with("provider", provider));
    }
    if !prebaked_allowed {
        let violation = UNCORROBORATED.violated("Prebaked attestations are not accepted here");
        return Err(violation.with("provider", provider));
    }
    if token.trim().is_empty() {
        return Err(SIGNATURE_INVALID.violated("The attestation token is missing").with("provider", provider));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule<T: std::fmt::Debug>(result: Result<T, Violation>) -> Rule {
        result.unwrap_err().rule
    }

    #[test]
    fn a_customer_closes_once_and_only_without_lines() {
        let id: CustomerId = "CUST-1".parse().unwrap();
        let line: SubscriptionId = "SUB-0001".parse().unwrap();
        for status in [CustomerStatus::Pending, CustomerStatus::Active, CustomerStatus::Suspended] {
            assert_eq!(closable(&id, status, &[]), Ok(()));
            assert_eq!(rule(closable(&id, status, std::slice::from_ref(&line))), NO_ACTIVE_SUBSCRIPTIONS);
            assert!(changeable(&id, status).is_ok() && holdable(&id, status).is_ok());
        }
        assert_eq!(rule(closable(&id, CustomerStatus::Closed, &[])), ALREADY_CLOSED);
        assert_eq!(rule(changeable(&id, CustomerStatus::Closed)), UPDATE_CLOSED);
        assert_eq!(rule(holdable(&id, CustomerStatus::Closed)), HOLD_CLOSED);
    }

    #[test]
    fn only_prebaked_attestations_with_a_token_are_believed_and_only_where_allowed() {
        assert_eq!(corroborated(PREBAKED, "t", true), Ok(()));
        assert_eq!(rule(corroborated(PREBAKED, "t", false)), UNCORROBORATED);
        assert_eq!(rule(corroborated("didit", "t", true)), UNCORROBORATED);
        assert_eq!(rule(corroborated(PREBAKED, " ", true)), SIGNATURE_INVALID);
    }
}
