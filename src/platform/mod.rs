//! What every domain stands on: configuration, clock, ids, money, context, errors, database, events and their delivery.
//!
//! Nothing here knows a domain; a type that only one domain needs lives in that domain.

pub mod clock;
pub mod config;
pub mod context;
pub mod crash;
pub mod db;
pub mod delivery;
pub mod error;
pub mod http;
pub mod idempotency;
pub mod ids;
pub mod money;
pub mod outbox;
pub mod perimeter;
pub mod replica;
pub mod scheduler;
pub mod tmf;
