//! What a TMF629 PATCH does: the person's name, the customer's status, what we only keep.

use super::body::CustomerChange;
use super::events::{CustomerClosed, CustomerUpdated};
use super::model::Customer;
use super::{policy, store};
use crate::domains::crm::Service;
use crate::domains::crm::interaction::direction_of;
use crate::domains::crm::port::{CustomerId, CustomerStatus};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;
use crate::platform::tmf::merge;

impl Service {
    /// Changes a customer; what comes out as it was is not written. The status `closed` closes, with the rules of closing.
    pub(super) async fn change_customer(
        &self,
        cx: &Context,
        id: &CustomerId,
        change: CustomerChange,
        expected: Option<i64>,
    ) -> Result<Customer> {
        let tx = self.platform.db.begin().await?;
        let customer = store::lock(&tx, cx, id).await?;
        let mut customer = customer.ok_or_else(|| Error::not_found("customer", id))?;
        Error::unless_version(customer.version, expected)?;
        let closes = change.status == Some(CustomerStatus::Closed) && customer.status != CustomerStatus::Closed;
        if !closes {
            policy::changeable(id, customer.status)?;
        }
        let before = customer.clone();
        if closes {
            // Under the lock, as in close: whoever books a line holds the customer open until its commit.
            let open_lines = self.subscriptions()?.open_lines(cx, id).await?;
            policy::closable(id, customer.status, &open_lines)?;
            customer.status = CustomerStatus::Closed;
            customer.closed_at = Some(cx.now);
        } else if let Some(status) = change.status {
            customer.status = policy::status_change(id, customer.status, status)?;
        }
        customer.status_reason = change.status_reason.unwrap_or(customer.status_reason);
        if let Some((given_name, family_name)) = change.name {
            (customer.given_name, customer.family_name) = (given_name, family_name);
        }
        merge::apply(&mut customer.attributes, change.attributes);
        let fields = changed_fields(&before, &customer);
        if fields.is_empty() {
            return Ok(customer);
        }
        store::save_person(&tx, cx, &customer).await?;
        store::save(&tx, cx, &mut customer).await?;
        let summary =
            if closes { "Customer closed".to_owned() } else { format!("Customer updated: {}", fields.join(", ")) };
        self.note_interaction(&tx, cx, id, direction_of(cx.channel), &summary).await?;
        if closes {
            let event = CustomerClosed { customer_id: id.clone(), version: customer.version };
            outbox::stage(&tx, cx, &event).await?;
        } else {
            let updated = CustomerUpdated {
                customer_id: id.clone(),
                party_id: customer.party_id.clone(),
                fields_updated: fields,
                version: customer.version,
            };
            outbox::stage(&tx, cx, &updated).await?;
        }
        tx.commit().await?;
        Ok(customer)
    }
}

/// Names only: what they held and hold is personal data.
fn changed_fields(before: &Customer, after: &Customer) -> Vec<&'static str> {
    let names = (&before.given_name, &before.family_name) != (&after.given_name, &after.family_name);
    let changed = [
        ("name", names),
        ("status", before.status != after.status),
        ("statusReason", before.status_reason != after.status_reason),
        ("attributes", before.attributes != after.attributes),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}
