//! The HTTP edge that every surface shares: errors as answers, extractors, the layers around all routes, health.
//!
//! Knows no domain. A handler turns HTTP into a command and a view into a body; everything else is here.

pub mod bounds;
pub mod connections;
pub mod error;
pub mod extract;
pub mod gates;
pub mod health;
pub mod layers;
pub mod resource;

pub use error::ApiError;
pub use extract::{Administrator, ApiJson, ApiPath, ApiQuery, ListRequest, Reader, Recorder, Writer};
pub use layers::{Caller, Edge, Limits};
