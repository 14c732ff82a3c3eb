//! One number of the pool: its states, its table, its reads.

pub(super) mod model;
pub(super) mod store;

use crate::domains::crm::Service;
use crate::domains::crm::input::page;
use crate::domains::crm::port::{ListNumbers, Msisdn, NumberCount, NumberView};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};

impl Service {
    pub(crate) async fn number_list(&self, cx: &Context, filter: ListNumbers) -> Result<Vec<NumberView>> {
        page(filter.limit, filter.offset)?;
        check_prefix(filter.prefix.as_deref())?;
        let numbers = store::list(&self.platform.db, cx, &filter).await?;
        Ok(numbers.into_iter().map(NumberView::from).collect())
    }

    pub(crate) async fn number_view(&self, cx: &Context, msisdn: &Msisdn) -> Result<NumberView> {
        let number = store::number(&self.platform.db, cx, msisdn).await?;
        number.map(NumberView::from).ok_or_else(|| Error::not_found("msisdn", msisdn))
    }

    pub(crate) async fn number_count(&self, cx: &Context, prefix: Option<String>) -> Result<NumberCount> {
        check_prefix(prefix.as_deref())?;
        store::count(&self.platform.db, cx, prefix).await
    }
}

/// Digits only: a prefix is not a pattern.
fn check_prefix(prefix: Option<&str>) -> Result<()> {
    match prefix {
        Some(prefix) if !(1..=15).contains(&prefix.len()) || !prefix.bytes().all(|b| b.is_ascii_digit()) => {
            Err(Error::invalid("/prefix", "must be 1 to 15 digits"))
        }
        _ => Ok(()),
    }
}
