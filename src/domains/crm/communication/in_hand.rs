//! The sendings that this process is at. A lease of ours on a message that is not in here is what an attempt left behind that
//! could not give it back, as when the database was away: the next one need not wait for it.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domains::crm::port::MessageId;

/// A message and the number of its sending.
pub(super) type Sending = (MessageId, i32);

#[derive(Debug, Default)]
pub(super) struct InHand(Mutex<HashSet<Sending>>);

/// Sendings taken in hand, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    all: &'a InHand,
    pub(super) mine: Vec<Sending>,
}

impl InHand {
    /// Takes those that nobody in this process is at.
    pub(super) fn take(&self, wanted: impl Iterator<Item = Sending>) -> Taken<'_> {
        let mut all = self.lock();
        let mine = wanted.filter(|sending| all.insert(sending.clone())).collect();
        drop(all);
        Taken { all: self, mine }
    }

    /// Nobody panics while holding it.
    fn lock(&self) -> MutexGuard<'_, HashSet<Sending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        for sending in &self.mine {
            all.remove(sending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sending_is_in_one_hand_until_that_is_empty() {
        let in_hand = InHand::default();
        let sending = || -> Sending { ("MSG-1".to_owned().into(), 1) };
        let first = in_hand.take([sending(), sending()].into_iter());
        assert_eq!(first.mine, [sending()]);
        assert!(in_hand.take([sending()].into_iter()).mine.is_empty(), "not while the first is at it");
        drop(first);
        assert_eq!(in_hand.take([sending()].into_iter()).mine, [sending()]);
    }
}
