//! The rules on customers.

use super::model::{Medium, NewMedium};
use crate::domains::crm::port::{CustomerId, CustomerStatus, MediumType};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::error::{Error, Rule, Violation};

pub const REQUIRES_CONTACT_MEDIUM: Rule = Rule::new("customer.create.requires_contact_medium");
pub const EMAIL_UNIQUE: Rule = Rule::new("customer.create.email_unique");
pub const MEDIUM_UNKNOWN: Rule = Rule::new("customer.contact_medium.unknown");
pub const MEDIUM_NOT_FOUND: Rule = Rule::new("customer.contact_medium.medium_not_found");
pub const EMAIL_CHANGE_FLOW: Rule = Rule::new("customer.contact_medium.email_must_use_change_flow");
pub const LAST_MEDIUM: Rule = Rule::new("customer.contact_medium.last_one");
pub const LOGIN_EMAIL: Rule = Rule::new("customer.contact_medium.login_email");
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

/// May this medium get another value? An e-mail address is the customer's identity, and is replaced by adding another one.
pub(super) fn rewritable(medium: &Medium) -> Result<(), Violation> {
    match medium.kind {
        MediumType::Mobile | MediumType::Postal => Ok(()),
        MediumType::Email => Err(EMAIL_CHANGE_FLOW
            .violated("An e-mail address is replaced: add the new one as the primary one, then remove this one")
            .with("contactMediumId", &medium.id)),
    }
}

/// May this one of the live media go? `media` has them in the order of [`Medium::order`].
pub(super) fn removable(medium: &Medium, media: &[Medium]) -> Result<(), Violation> {
    if media.len() == 1 {
        let violation = LAST_MEDIUM.violated("This is the last way to reach the customer: add another one first");
        return Err(violation.with("contactMediumId", &medium.id));
    }
    // The first address is the one that mail goes to.
    let login = media.iter().find(|other| other.kind == MediumType::Email);
    if login.is_some_and(|login| login.id == medium.id) {
        return Err(LOGIN_EMAIL
            .violated("Mail to the customer goes to this address: make another one the primary one first")
            .with("contactMediumId", &medium.id));
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
    fn somebody_can_always_be_reached_and_mail_has_somewhere_to_go() {
        let medium = |id: &str, kind: MediumType, is_primary: bool| Medium {
            id: id.into(),
            kind,
            value: "x".into(),
            is_primary,
            valid_from: chrono::DateTime::UNIX_EPOCH,
            attributes: serde_json::Map::new(),
        };
        let (mail, spare) = (medium("A", MediumType::Email, true), medium("B", MediumType::Email, false));
        let phone = medium("C", MediumType::Mobile, false);
        let all = [mail.clone(), spare.clone(), phone.clone()];
        assert_eq!(rule(removable(&mail, &all)), LOGIN_EMAIL);
        assert!(removable(&spare, &all).is_ok() && removable(&phone, &all).is_ok());
        assert_eq!(rule(removable(&phone, std::slice::from_ref(&phone))), LAST_MEDIUM);
        assert_eq!(rule(removable(&mail, std::slice::from_ref(&mail))), LAST_MEDIUM);
        assert_eq!(rule(rewritable(&spare)), EMAIL_CHANGE_FLOW);
        assert!(rewritable(&phone).is_ok());
    }

    #[test]
    fn only_prebaked_attestations_with_a_token_are_believed_and_only_where_allowed() {
        assert_eq!(corroborated(PREBAKED, "t", true), Ok(()));
        assert_eq!(rule(corroborated(PREBAKED, "t", false)), UNCORROBORATED);
        assert_eq!(rule(corroborated("didit", "t", true)), UNCORROBORATED);
        assert_eq!(rule(corroborated(PREBAKED, " ", true)), SIGNATURE_INVALID);
    }
}
