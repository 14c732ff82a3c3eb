//! What every domain stands on: configuration, clock, ids, money, context, errors, database, events and their delivery.
//!
//! Nothing here knows a domain; a type that only one domain needs lives in that domain.

pub mod db;
pub mod paths;
pub mod tmf;
