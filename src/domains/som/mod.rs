//! TBD

pub mod port;
