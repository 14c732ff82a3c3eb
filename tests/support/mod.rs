//! What the integration tests share.

pub(crate) mod app;
pub(crate) mod cluster;
pub(crate) mod raw;
pub(crate) mod routes;
pub(crate) mod tmf_gate;
