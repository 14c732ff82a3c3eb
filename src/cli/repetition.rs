//! The idempotency keys of one run of the command line: what a repeated run does again is answered, not done twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::client;

/// Longest key that may be given, so that there is room for the number of a call.
const LENGTH_MAX: usize = 200;

/// The key of a run, and how often each operation was called in it.
#[derive(Debug)]
pub(crate) struct Keys {
    run: String,
    calls: Mutex<BTreeMap<String, u32>>,
}

impl Keys {
    /// The keys of a run that repeats the one with the `given` key, or repeats none.
    pub(crate) fn new(given: Option<&str>) -> Self {
        let run = given.map_or_else(client::request_id, str::to_owned);
        Self { run, calls: Mutex::default() }
    }

    /// What to repeat this run with.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// The key of the next call of the operation: a run that calls the same ones again gets the same keys again.
    pub(crate) fn next(&self, operation: &str) -> String {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let number = calls.entry(operation.to_owned()).or_default();
        *number += 1;
        if *number == 1 { self.run.clone() } else { format!("{}-{number}", self.run) }
    }
}

/// Reads a key from the command line.
pub(super) fn key(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(format!("a key is 1 to {LENGTH_MAX} visible ASCII characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_calls_get_the_same_keys_again_and_two_calls_get_two() {
        let keys = |keys: &Keys| ["a", "b", "a"].map(|operation| keys.next(operation));
        assert_eq!(keys(&Keys::new(Some("k"))), ["k", "k", "k-2"]);
        assert_eq!(keys(&Keys::new(Some("k"))), ["k", "k", "k-2"]);
        assert_ne!(Keys::new(None).run(), Keys::new(None).run());
    }

    #[test]
    fn a_key_is_what_a_header_takes() {
        assert!(key("run-7/a").is_ok());
        for bad in ["", "two words", "\u{e9}", &"x".repeat(201)] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }
}
