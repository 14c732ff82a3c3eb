//! Reads: one customer, lists, what an order needs to know.

use std::sync::Arc;

use super::model::Customer;
use super::policy;
use super::store;
use crate::domains::crm::Service;
use crate::domains::crm::input::page;
use crate::domains::crm::port::{CustomerId, CustomerView, ListCustomers, Standing};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx};
use crate::platform::error::{Error, Result};
use crate::platform::gather::ById;

/// Customers that are asked for at the same time are read together.
pub(in crate::domains::crm) fn by_id(db: &Db) -> ById<CustomerId, Customer> {
    let db = db.clone();
    ById::by_id(move |tenant, ids| store::customers(db.clone(), tenant, ids))
}

impl Service {
    /// The customer as the domain has it.
    pub(super) async fn found(&self, cx: &Context, id: &CustomerId) -> Result<Customer> {
        let found = self.by_id.ask((Arc::clone(&cx.tenant), id.clone())).await?;
        found.ok_or_else(|| Error::not_found("customer", id))
    }

    pub(crate) async fn customer_view(&self, cx: &Context, id: &CustomerId) -> Result<CustomerView> {
        self.found(cx, id).await.map(CustomerView::from)
    }

    pub(crate) async fn customer_list(&self, cx: &Context, mut filter: ListCustomers) -> Result<Vec<CustomerView>> {
        page(filter.limit, filter.offset)?;
        // A text of blanks asks for nothing.
        filter.name = filter.name.filter(|name| !name.trim().is_empty());
        if filter.name.as_ref().is_some_and(|name| name.chars().count() > 100) {
            return Err(Error::invalid("/name", "must be at most 100 characters"));
        }
        let customers = store::named(&self.platform.db, cx, &filter).await?;
        Ok(customers.into_iter().map(CustomerView::from).collect())
    }

    pub(crate) async fn customer_by_email(&self, cx: &Context, email: &str) -> Result<CustomerView> {
        // The address is personal data: the answer does not repeat it.
        let unknown = || Error::not_found("customer", "with this e-mail address");
        store::by_email(&self.platform.db, cx, email.trim()).await?.map(CustomerView::from).ok_or_else(unknown)
    }

    pub(crate) async fn customer_standing(&self, cx: &Context, id: &CustomerId) -> Result<Option<Standing>> {
        let facts = store::standing(&self.platform.db, cx, id).await?;
        Ok(facts.map(|facts| standing(id, &facts)))
    }

    /// Closing takes the same lock exclusively, and looks for lines only once it has it: a line is booked before the
    /// customer is closed, or not at all.
    pub(crate) async fn hold_customer_open(&self, tx: &Tx, cx: &Context, id: &CustomerId) -> Result<Standing> {
        let facts = store::share(tx, cx, id).await?.ok_or_else(|| Error::not_found("customer", id))?;
        policy::holdable(id, facts.status)?;
        Ok(standing(id, &facts))
    }
}

fn standing(id: &CustomerId, facts: &store::Facts) -> Standing {
    Standing { id: id.clone(), status: facts.status.as_str().to_owned(), kyc_verified: facts.kyc_verified }
}
