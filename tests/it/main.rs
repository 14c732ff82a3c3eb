//! The integration tests: one binary, so that they are compiled and linked once.

#[path = "../support/mod.rs"]
mod support;

mod crm;
mod delivery;
mod embedded_cluster;
mod mediation;
mod payment;
mod inventory;
mod tmf_gate;
