//! How long a list is. To count a hundred thousand rows takes longer than to show twenty of them, so a large count is
//! remembered for a moment: a caller who pages through such a list asks the same question again and again, and nobody can
//! tell 100,003 from 100,004. Small ones are always counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use tokio::time::Instant;

use crate::platform::error::Result;

/// From this count on it is remembered.
const LARGE: u64 = 10_000;

/// For so long.
const MOMENT: Duration = Duration::from_secs(2);

/// Most questions that are remembered at once.
const REMEMBERED_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Counts {
    known: Mutex<HashMap<String, (Instant, u64)>>,
}

impl Counts {
    /// The count that the statement asks for, in the column `total`.
    pub(super) async fn of(&self, connection: &impl ConnectionTrait, statement: Statement) -> Result<u64> {
        #[derive(FromQueryResult)]
        struct Total {
            total: i64,
        }
        let question = statement.to_string();
        if let Some(total) = self.remembered(&question) {
            return Ok(total);
        }
        let total = Total::find_by_statement(statement).one(connection).await?.map_or(0, |row| row.total);
        let total = total.unsigned_abs();
        if total >= LARGE {
            self.remember(question, total);
        }
        Ok(total)
    }

    fn remembered(&self, question: &str) -> Option<u64> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(question).filter(|(at, _)| at.elapsed() < MOMENT).map(|(_, total)| *total)
    }

    fn remember(&self, question: String, total: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| at.elapsed() < MOMENT);
        if known.len() < REMEMBERED_MAX {
            known.insert(question, (Instant::now(), total));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_remembered_for_a_moment_and_the_memory_is_bounded() {
        let counts = Counts::default();
        counts.remember("a".to_owned(), 12_000);
        assert_eq!(counts.remembered("a"), Some(12_000));
        for n in 0..1_000 {
            counts.remember(format!("q{n}"), 12_000);
        }
        assert!(counts.known.lock().unwrap().len() <= REMEMBERED_MAX);
        counts.known.lock().unwrap().values_mut().for_each(|(at, _)| *at -= MOMENT);
        assert_eq!(counts.remembered("a"), None);
    }
}
