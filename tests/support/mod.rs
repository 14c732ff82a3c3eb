//! What the integration tests share.

pub(crate) mod app;
pub(crate) mod books;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod collector;
pub(crate) mod driver;
pub(crate) mod installation;
pub(crate) mod mail_server;
pub(crate) mod page;
pub(crate) mod raw;
pub(crate) mod record;
pub(crate) mod routes;
pub(crate) mod samples;
pub(crate) mod server;
pub(crate) mod tmf_gate;
pub(crate) mod workers;
