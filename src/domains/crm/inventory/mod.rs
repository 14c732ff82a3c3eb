//! The numbers and eSIM profiles that the operator can hand out.
//!
//! Invariants:
//! - A number, and a profile, has at most one holder: an order while it is reserved, a line afterwards. The unique indexes
//!   say so, too.
//! - An order holds a number and a profile, or neither.
//! - A number whose line has ended rests before somebody else gets it, and longer where the network still knows it; a
//!   profile is not used twice; a number that was ported
//!   out never comes back by itself.
//! - A full ICCID leaves in the activation read only, which is recorded. A Ki is never here, only a pointer to its HSM slot.
//!
//! Locks: numbers before profiles, both before the watch on the pools.

mod activation;
mod events;
mod hold;
pub(super) mod http;
mod number;
pub(super) mod policy;
mod pool;
mod profile;
mod reserve;
mod store;
mod watch;
mod worker;
