//! What the integration tests share.

pub(crate) mod tmf_gate;
pub(crate) mod app;
pub(crate) mod cluster;
