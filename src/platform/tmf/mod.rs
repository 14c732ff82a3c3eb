//! TMF630 toolkit: filters, attribute selection, sorting, paging and the timestamp format, shared by every TMF API.
//!
//! Pure functions over text and JSON: no HTTP types, no database connection, no domain. A list request goes through it
//! like this:
//!
//! 1. [`query::pairs`] decodes the query string, [`query::ListQuery::parse`] gives it a meaning;
//! 2. the domain's `store.rs` declares a [`filter::Listing`] (which attribute is which column) and asks
//!    [`filter::SqlFilter::new`] for conditions, order and bound values;
//! 3. [`fields::FieldSelection::apply`] cuts each resource down to what was asked for;
//! 4. [`page::head`] gives status and headers.
//!
//! Every refusal is a [`query::QueryError`] that names the parameter: a 400, never a 500.

pub mod fields;
pub mod filter;
pub mod merge;
pub mod money;
pub mod official;
pub mod page;
pub mod query;
pub mod shape;
pub mod time;

impl From<query::QueryError> for crate::platform::error::Error {
    fn from(error: query::QueryError) -> Self {
        Self::invalid(error.parameter, error.message)
    }
}
