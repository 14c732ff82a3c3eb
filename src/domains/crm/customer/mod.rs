//! Customers: the person, how to reach them, whether their identity is attested.
//!
//! Invariants:
//! - A live e-mail address belongs to one customer of a tenant, in whatever case it is written.
//! - An identity document belongs to one customer of a tenant, whoever attested it; its number is never stored.
//! - `closed` is terminal, and a closed customer has no line that is not terminated.

mod attest_kyc;
mod body;
mod change;
mod close;
mod contact;
mod create;
pub(super) mod events;
mod find;
pub(super) mod http;
pub(super) mod individual;
mod model;
pub(super) mod policy;
mod shown;
mod store;

pub(super) use find::by_id;
pub(super) use model::Customer;
