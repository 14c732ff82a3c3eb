//! The end of a customer.

use super::events::CustomerClosed;
use super::{policy, store};
use crate::domains::crm::Service;
use crate::domains::crm::input::line;
use crate::domains::crm::interaction::direction_of;
use crate::domains::crm::port::{CloseCustomer, CustomerStatus, CustomerView};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;

impl Service {
    pub(crate) async fn close_customer(&self, cx: &Context, command: CloseCustomer) -> Result<CustomerView> {
        let reason = command.reason.as_deref().map(|text| line(text, "/reason")).transpose()?;
        let tx = self.platform.db.begin().await?;
        let customer = store::lock(&tx, cx, &command.customer_id).await?;
        let mut customer = customer.ok_or_else(|| Error::not_found("customer", &command.customer_id))?;
        // Under the lock, and in a snapshot of its own: whoever books a line holds the customer open until its commit.
        let open_lines = self.subscriptions()?.open_lines(cx, &customer.id).await?;
        policy::closable(&customer.id, customer.status, &open_lines)?;
        customer.status = CustomerStatus::Closed;
        customer.status_reason = reason;
        customer.closed_at = Some(cx.now);
        store::save(&tx, cx, &mut customer).await?;
        self.note_interaction(&tx, cx, &customer.id, direction_of(cx.channel), "Customer closed").await?;
        let closed = CustomerClosed { customer_id: customer.id.clone(), version: customer.version };
        outbox::stage(&tx, cx, &closed).await?;
        tx.commit().await?;
        Ok(customer.into())
    }
}
