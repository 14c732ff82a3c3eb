//! A further way to reach a customer.

use super::events::ContactMediumAdded;
use super::model::{Medium, contact_value};
use super::{policy, store};
use crate::domains::crm::Service;
use crate::domains::crm::interaction::direction_of;
use crate::domains::crm::port::{AddContactMedium, ContactMediumView};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
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
        let customer = store::lock(&tx, cx, &command.customer_id).await?;
        let mut customer = customer.ok_or_else(|| Error::not_found("customer", &command.customer_id))?;
        policy::changeable(&customer.id, customer.status)?;
        store::add_medium(&tx, cx, &customer.party_id, &medium).await.map_err(policy::email_taken)?;
        store::save(&tx, cx, &mut customer).await?;
        let summary = format!("Contact medium added: {}", medium.kind.as_str());
        self.note_interaction(&tx, cx, &customer.id, direction_of(cx.channel), &summary).await?;
        let added = ContactMediumAdded {
            customer_id: customer.id,
            contact_medium_id: medium.id,
            medium_type: medium.kind,
            is_primary: medium.is_primary,
            version: customer.version,
        };
        outbox::stage(&tx, cx, &added).await?;
        tx.commit().await?;
        Ok(view)
    }
}
