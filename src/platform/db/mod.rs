//! The database: the connection pool, the private cluster of a local installation, the unit of work.

pub mod embedded;
