//! The integration tests: one binary, so that they are compiled and linked once.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tests that measure print their figures")]

#[path = "../support/mod.rs"]
mod support;

mod authorisation;
mod backup;
mod bad_input;
mod canaries;
mod catalog;
mod cli;
mod cli_alone;
mod clock;
mod connections;
mod coverage;
mod crm;
mod damage;
mod data_model;
mod delivery;
mod delivery_sets;
mod demo;
mod documents;
mod embedded_cluster;
mod events;
mod fail_points;
mod hub;
mod inventory;
mod kill;
mod light;
mod looking;
mod mediation;
mod notices;
mod official;
mod openapi;
mod operator;
mod orders;
mod outage;
mod packaging;
mod payment;
mod perimeter;
mod promotions;
mod races;
mod refused_start;
mod renewals_at_scale;
mod reset;
mod resources;
mod scenarios;
mod set_points;
mod smtp;
mod soak;
mod subscription;
mod telemetry;
mod ticks;
mod tidy;
mod tmf_gate;
mod tmf_lists;
mod tmf_table;
mod traces;
mod upgrade;
mod usage;
