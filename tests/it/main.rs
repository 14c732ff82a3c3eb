//! The integration tests: one binary, so that they are compiled and linked once.

#[path = "../support/mod.rs"]
mod support;

mod delivery;
mod embedded_cluster;
mod mediation;
mod tmf_gate;
