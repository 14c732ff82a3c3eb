//! A new customer: party, person, media, account, timeline and event, all or nothing.

use super::events::CustomerCreated;
use super::model::{Customer, Medium, NewCustomer};
use super::{policy, store};
use crate::domains::crm::Service;
use crate::domains::crm::interaction::direction_of;
use crate::domains::crm::port::{CreateCustomer, CustomerStatus, CustomerView, KycStatus};
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::{idempotency, outbox};

impl Service {
    /// The flat command of the operations.
    pub(crate) async fn create_customer(&self, cx: &Context, command: CreateCustomer) -> Result<CustomerView> {
        let placeholder = self.platform.ids.short("").trim_start_matches('-').to_owned();
        let new = NewCustomer::of(command, cx.now.date_naive(), &placeholder)?;
        self.create_checked(cx, new).await.map(CustomerView::from)
    }

    /// Creates a customer whose parts were checked.
    pub(super) async fn create_checked(&self, cx: &Context, new: NewCustomer) -> Result<Customer> {
        if let Some(kept) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(kept);
        }
        policy::reachable(&new.media)?;
        let customer = self.newborn(cx, new);
        let tx = self.platform.db.begin().await?;
        // First of all: a twin of this request waits here and gets this answer, not "the address is taken".
        idempotency::keep(&tx, cx, customer.id.as_str(), &customer).await?;
        store::insert(&tx, cx, &customer).await.map_err(policy::email_taken)?;
        let summary = format!("Customer created: {}", customer.full_name());
        self.note_interaction(&tx, cx, &customer.id, direction_of(cx.channel), &summary).await?;
        let created = CustomerCreated {
            customer_id: customer.id.clone(),
            party_id: customer.party_id.clone(),
            account_id: customer.account_id.clone(),
            contact_medium_types: customer.media.iter().map(|medium| medium.kind).collect(),
            version: customer.version,
        };
        outbox::stage(&tx, cx, &created).await?;
        tx.commit().await?;
        Ok(customer)
    }

    fn newborn(&self, cx: &Context, new: NewCustomer) -> Customer {
        let ids = &self.platform.ids;
        let mut media: Vec<Medium> = new
            .media
            .into_iter()
            .map(|medium| Medium {
                id: ids.short("CM"),
                kind: medium.kind,
                value: medium.value,
                is_primary: medium.is_primary,
                valid_from: medium.valid_from.unwrap_or(cx.now),
                attributes: medium.attributes,
            })
            .collect();
        media.sort_by(|a, b| a.order().cmp(&b.order()));
        Customer {
            id: ids.short("CUST").into(),
            party_id: ids.short("PTY"),
            account_id: ids.short("ACC"),
            status: CustomerStatus::Active,
            status_reason: None,
            since: cx.now,
            closed_at: None,
            kyc_status: KycStatus::NotVerified,
            kyc_verified_at: None,
            given_name: new.given_name,
            family_name: new.family_name,
            date_of_birth: new.date_of_birth,
            media,
            attributes: new.attributes,
            version: 1,
        }
    }
}
