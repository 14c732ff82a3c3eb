//! Crm: who the customer is, how to reach them, what was said and done, what they are told, and the numbers and eSIM
//! profiles one can hand out.
//!
//! Invariants are in the modules of the aggregates: [`customer`], [`interaction`], [`communication`], [`inventory`].
//!
//! Not here: lines (`subscription`), orders (`com`), cards (`payment`). Closing a customer asks `subscription` for open lines.

mod audit;
pub mod communication;
mod customer;
mod input;
mod interaction;
mod inventory;
pub mod port;
mod seed;
mod service;

use std::sync::Arc;

use axum::Router;

pub use audit::CHECKS;
pub use seed::seed;
pub use service::{Service, subscribe};

/// The routes of TMF629, TMF632, TMF683 and TMF639.
pub fn router(service: Arc<Service>) -> Router {
    customer::http::router(Arc::clone(&service))
        .merge(customer::individual::router(Arc::clone(&service)))
        .merge(interaction::http::router(Arc::clone(&service)))
        .merge(inventory::http::router(service))
}
