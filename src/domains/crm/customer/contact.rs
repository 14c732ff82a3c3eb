//! The ways to reach a customer: added, changed, removed. What was removed stays on record with its end.

use super::events::{ContactMediumAdded, ContactMediumRemoved, ContactMediumUpdated};
use super::model::{Customer, Medium, contact_value};
use super::{policy, store};
use crate::domains::crm::Service;
use crate::domains::crm::interaction::direction_of;
use crate::domains::crm::port::{
    AddContactMedium, ContactMediumView, CustomerId, RemoveContactMedium, UpdateContactMedium,
};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result, Rule};
use crate::platform::{idempotency, outbox};

impl Service {
    pub(crate) async fn add_medium(&self, cx: &Context, command: AddContactMedium) -> Result<ContactMediumView> {
        if let Some(kept) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(kept);
        }
        let value = contact_value(command.medium_type, &command.value).map_err(|m| Error::invalid("/value", m))?;
        let medium = Medium {
            id: self.platform.ids.short("CM"),
            kind: command.medium_type,
            value,
            is_primary: command.is_primary,
            valid_from: cx.now,
            attributes: serde_json::Map::new(),
        };
        let tx = self.platform.db.begin().await?;
        let view = ContactMediumView::from(medium.clone());
        idempotency::keep(&tx, cx, &medium.id, &view).await?;
        let mut customer = changeable(&tx, cx, &command.customer_id).await?;
        store::add_medium(&tx, cx, &customer.party_id, &medium).await.map_err(policy::email_taken)?;
        store::save(&tx, cx, &mut customer).await?;
        let summary = format!("Contact medium added: {}", medium.kind.as_str());
        self.note_interaction(&tx, cx, &customer.id, direction_of(cx.channel), &summary).await?;
        let added = ContactMediumAdded {
            customer_id: customer.id,
            party_id: customer.party_id,
            contact_medium_id: medium.id,
            medium_type: medium.kind,
            is_primary: medium.is_primary,
            version: customer.version,
        };
        outbox::stage(&tx, cx, &added).await?;
        tx.commit().await?;
        Ok(view)
    }

    /// What comes out as it was is not written.
    pub(crate) async fn update_medium(&self, cx: &Context, command: UpdateContactMedium) -> Result<ContactMediumView> {
        if command.value.is_none() && !command.make_primary {
            return Err(Error::invalid("", "give value, makePrimary, or both"));
        }
        let tx = self.platform.db.begin().await?;
        let mut customer = changeable(&tx, cx, &command.customer_id).await?;
        let was = found(&customer, &command.contact_medium_id, policy::MEDIUM_UNKNOWN)?;
        let mut medium = was.clone();
        if let Some(value) = command.value {
            policy::rewritable(&medium)?;
            medium.value = contact_value(medium.kind, &value).map_err(|m| Error::invalid("/value", m))?;
        }
        medium.is_primary |= command.make_primary;
        if medium == was {
            return Ok(medium.into());
        }
        store::save_medium(&tx, cx, &customer.party_id, &medium).await?;
        store::save(&tx, cx, &mut customer).await?;
        let summary = format!("Contact medium updated: {}", medium.kind.as_str());
        self.note_interaction(&tx, cx, &customer.id, direction_of(cx.channel), &summary).await?;
        let updated = ContactMediumUpdated {
            customer_id: customer.id,
            party_id: customer.party_id,
            contact_medium_id: medium.id.clone(),
            medium_type: medium.kind,
            is_primary: medium.is_primary,
            version: customer.version,
        };
        outbox::stage(&tx, cx, &updated).await?;
        tx.commit().await?;
        Ok(medium.into())
    }

    pub(crate) async fn remove_medium(&self, cx: &Context, command: RemoveContactMedium) -> Result<ContactMediumView> {
        let tx = self.platform.db.begin().await?;
        let mut customer = changeable(&tx, cx, &command.customer_id).await?;
        let medium = found(&customer, &command.contact_medium_id, policy::MEDIUM_NOT_FOUND)?;
        policy::removable(&medium, &customer.media)?;
        store::end_medium(&tx, cx, &medium.id).await?;
        store::save(&tx, cx, &mut customer).await?;
        let summary = format!("Contact medium removed: {}", medium.kind.as_str());
        self.note_interaction(&tx, cx, &customer.id, direction_of(cx.channel), &summary).await?;
        let removed = ContactMediumRemoved {
            customer_id: customer.id,
            party_id: customer.party_id,
            contact_medium_id: medium.id.clone(),
            medium_type: medium.kind,
            version: customer.version,
        };
        outbox::stage(&tx, cx, &removed).await?;
        tx.commit().await?;
        Ok(ContactMediumView { valid_to: Some(cx.now), ..medium.into() })
    }
}

/// The customer under its lock, not closed.
async fn changeable(tx: &Tx, cx: &Context, id: &CustomerId) -> Result<Customer> {
    let customer = store::lock(tx, cx, id).await?;
    let customer = customer.ok_or_else(|| Error::not_found("customer", id))?;
    policy::changeable(&customer.id, customer.status)?;
    Ok(customer)
}

/// One of the customer's live media.
fn found(customer: &Customer, id: &str, rule: Rule) -> Result<Medium> {
    let medium = customer.media.iter().find(|medium| medium.id == id).cloned();
    medium.ok_or_else(|| {
        let violation = rule.violated("The customer has no such contact medium");
        violation.with("customerId", &customer.id).with("contactMediumId", id).into()
    })
}
