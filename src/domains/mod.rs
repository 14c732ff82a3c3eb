//! The nine business modules. Each owns its schema and publishes one `port`; a domain sees another only through that.
//!
//! A port holds the trait others may call, its commands and views, and the events others may react to. Methods that take a
//! [`Tx`](crate::platform::db::Tx) join the caller's unit of work.

pub mod catalog;
pub mod com;
pub mod crm;
pub mod mediation;
pub mod payment;
pub mod provisioning;
pub mod rating;
pub mod som;
pub mod subscription;
