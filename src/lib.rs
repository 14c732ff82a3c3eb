//! `bss`: the whole Business Support System of a small prepaid, eSIM-only mobile operator, in one binary.
//!
//! The modules in reading order; arrows point one way, from the bottom of this list to the top:
//!
//! - [`platform`]: what every domain stands on; knows no domain.
//! - [`domains`]: the nine business modules; each publishes one port and hides the rest.
//! - [`integrations`]: adapters of the ports that reach outside.
//! - [`operations`]: everything one can do, declared once, for HTTP, command line and scenarios.
//! - [`app`]: the composition root; alone names concrete adapters.
//! - [`render`]: views as text, pure functions.
//! - [`soak`]: a simulated year, compared with a model of its own; knows the product through its operations only.
//! - [`scenario`], [`cli`]: thin clients of the operations of a running server.

pub mod app;
pub mod cli;
pub mod domains;
pub mod integrations;
pub mod operations;
pub mod platform;
pub mod render;
pub mod scenario;
pub mod soak;
