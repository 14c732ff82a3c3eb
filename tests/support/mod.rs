//! What the integration tests share.

pub(crate) mod tmf_gate;
