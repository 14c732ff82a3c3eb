//! Rating: what a usage event costs its line, as a pure function over facts that are handed in.
//!
//! Everything is bundled: the price of an event is what it takes off an allowance, never money. Owns no tables, reads no
//! clock, asks nobody.
//!
//! Not here: whether a line may use anything at all (`mediation`), where balances are kept (`subscription`).

mod policy;
pub mod port;
mod tariff;
