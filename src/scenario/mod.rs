//! Scenarios: business stories in YAML, run against a server through its operations.
//!
//! A scenario says how to prepare (reset, frozen clock), what to do, what must then hold, and what to put back; see
//! `scenarios/README.md` for the format. The runner is a thin HTTP client: it knows no domain, and no rule but those of
//! its own format. It runs strictly one step after the other, because the product clock it freezes is everyone's.
//!
//! In reading order: [`mod@format`] what a scenario is, [`load`] how it is read and checked, [`runner`] how it is run,
//! [`report`] what came of it, [`suite`] the same for a directory; [`client`] speaks to the server.
//!
//! Not here: starting a server, deciding what an operation may do, steps that talk to a language model.

pub mod client;
pub mod expect;
pub mod format;
pub mod load;
pub mod names;
pub mod path;
pub mod report;
pub mod runner;
pub mod suite;
pub mod template;

mod capture;
mod files;
mod poll;
mod verbs;
mod web;

#[cfg(test)]
pub(crate) mod stub;
