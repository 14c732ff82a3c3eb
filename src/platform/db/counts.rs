//! How long a list is. To count a hundred thousand rows takes longer than to show twenty of them, and millions longer than
//! any caller waits. So rows are counted up to a bound; beyond it the planner's estimate is the answer. A large count is
//! remembered for a moment besides: a caller who pages through such a list asks the same question again and again, and nobody
//! can tell 100,003 from 100,004. When the moment is over one caller counts again, and who comes meanwhile is answered as
//! before: otherwise all of them would count at once. Small ones are always counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use serde_json::Value;
use tokio::time::Instant;

use crate::platform::error::Result;

/// From this count on it is remembered.
const LARGE: u64 = 10_000;

/// Up to this count it is exact.
const EXACT_MAX: u64 = 200_000;

/// For so long.
const MOMENT: Duration = Duration::from_secs(2);

/// Most questions that are remembered at once.
const REMEMBERED_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Counts {
    known: Mutex<HashMap<String, Known>>,
}

/// A large count.
#[derive(Debug, Clone, Copy)]
struct Known {
    total: u64,
    counted: Instant,
    /// When somebody last set out to count again.
    asked: Instant,
}

impl Counts {
    /// How many rows `from` has that fulfil the condition at its end, with `values` for its placeholders.
    pub(super) async fn of(
        &self,
        connection: &impl ConnectionTrait,
        from: &str,
        values: &[sea_orm::Value],
    ) -> Result<u64> {
        #[derive(FromQueryResult)]
        struct Total {
            total: i64,
        }
        let statement = |text: String| Statement::from_sql_and_values(DbBackend::Postgres, text, values.to_vec());
        let most = EXACT_MAX + 1;
        let counting = statement(format!("select count(*) as total from (select from {from} limit {most}) as counted"));
        let question = counting.to_string();
        if let Some(total) = self.remembered(&question) {
            return Ok(total);
        }
        let total = Total::find_by_statement(counting).one(connection).await?.map_or(0, |row| row.total);
        let mut total = total.unsigned_abs();
        if total > EXACT_MAX {
            let plan = connection.query_one_raw(statement(format!("explain (format json) select from {from}"))).await?;
            let plan: Option<Value> = plan.map(|row| row.try_get_by_index(0)).transpose()?;
            // Less than what was counted it is not.
            total = total.max(plan.as_ref().and_then(estimated).unwrap_or_default());
        }
        if total >= LARGE {
            self.remember(question, total);
        }
        Ok(total)
    }

    /// The answer of before; none for whoever is to count.
    fn remembered(&self, question: &str) -> Option<u64> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_mut(question).filter(|known| known.counted.elapsed() < 2 * MOMENT)?;
        if known.counted.elapsed() < MOMENT || known.asked.elapsed() < MOMENT {
            return Some(known.total);
        }
        known.asked = Instant::now();
        None
    }

    fn remember(&self, question: String, total: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.counted.elapsed() < 2 * MOMENT);
        if known.len() < REMEMBERED_MAX || known.contains_key(&question) {
            let now = Instant::now();
            known.insert(question, Known { total, counted: now, asked: now });
        }
    }
}

/// How many rows the planner expects of this plan.
fn estimated(plan: &Value) -> Option<u64> {
    plan.pointer("/0/Plan/Plan Rows")?.as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_estimate_stands_in_the_plan() {
        assert_eq!(
            estimated(&json!([{ "Plan": { "Node Type": "Seq Scan", "Plan Rows": 5_000_000 } }])),
            Some(5_000_000)
        );
        assert_eq!(estimated(&json!([])), None);
    }

    #[test]
    fn a_count_is_remembered_for_a_moment_and_the_memory_is_bounded() {
        let counts = Counts::default();
        counts.remember("a".to_owned(), 12_000);
        assert_eq!(counts.remembered("a"), Some(12_000));
        for n in 0..1_000 {
            counts.remember(format!("q{n}"), 12_000);
        }
        assert!(counts.known.lock().unwrap().len() <= REMEMBERED_MAX);
        let age = |by: Duration| {
            for known in counts.known.lock().unwrap().values_mut() {
                known.counted -= by;
                known.asked -= by;
            }
        };
        age(MOMENT);
        assert_eq!(counts.remembered("a"), None, "one counts again");
        assert_eq!(counts.remembered("a"), Some(12_000), "and the others do not wait for that");
        counts.remember("a".to_owned(), 12_001);
        assert_eq!(counts.remembered("a"), Some(12_001));
        age(2 * MOMENT);
        assert_eq!(counts.remembered("a"), None);
        assert_eq!(counts.remembered("a"), None, "where that comes to nothing, the old answer ends too");
    }
}
