//! The composition root: configuration, database, domains, workers, listeners. Alone names concrete adapters.

mod backup;
pub mod command;
pub mod compose;
mod doctor;
mod error;
mod hubs;
pub mod metrics;
pub mod open;
pub mod openapi;
pub mod serve;
mod signals;
mod tokens;
mod topics;

pub use error::StartError;
