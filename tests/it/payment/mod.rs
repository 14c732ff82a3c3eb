//! Payment on a real database, through the real outbox and workers, with the mock gateway behind a spy.

mod cards;
mod charges;
mod http;
mod recovery;
mod refunds;
mod world;
