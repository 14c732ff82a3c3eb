//! What every domain stands on: configuration, clock, ids, money, context, errors, database, events and their delivery.
//!
//! Nothing here knows a domain; a type that only one domain needs lives in that domain.

pub mod audit;
pub mod clock;
pub mod config;
pub mod context;
pub mod crash;
pub mod db;
pub mod delivery;
pub mod descriptors;
pub mod error;
pub mod events;
pub mod gather;
pub mod housekeeping;
pub mod http;
pub mod hub;
pub mod idempotency;
pub mod ids;
pub mod money;
pub mod outbox;
pub mod outgoing;
pub mod page;
pub mod partitions;
pub mod paths;
pub mod perimeter;
pub mod replica;
pub mod reset;
pub mod retention;
pub mod scheduler;
pub mod telemetry;
pub mod tmf;
pub mod trace;
pub mod vitals;
pub mod waves;

use std::sync::Arc;

/// What a domain is given to stand on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Platform {
    pub db: db::Db,
    pub clock: clock::Clock,
    pub ids: ids::Ids,
    pub config: Arc<config::Config>,
    /// Names this process in leases.
    pub boot_id: uuid::Uuid,
}
