//! TBD

pub mod port;
mod usage;
