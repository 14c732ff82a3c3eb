//! The integration tests: one binary, so that they are compiled and linked once.

#[path = "../support/mod.rs"]
mod support;

mod crm;
mod delivery;
mod embedded_cluster;
mod fail_points;
mod inventory;
mod kill;
mod mediation;
mod orders;
mod outage;
mod payment;
mod races;
mod tmf_gate;
