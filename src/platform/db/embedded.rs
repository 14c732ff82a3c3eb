//! The private PostgreSQL cluster of a local installation.
