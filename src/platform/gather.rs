//! Questions that come at the same time share a query.
//!
//! While a query is under way the questions that arrive wait; the next query answers all of them, and those whose requests
//! are here already but were not looked at yet. It begins after each of them was asked, so whatever was committed before a
//! question is in its answer: nothing is cached, nothing can be stale. Alone, a question is asked at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sea_orm::DbErr;
use tokio::sync::oneshot;

use crate::platform::db;
use crate::platform::error::{Error, Result};

/// Questions that one query answers.
const BATCH_MAX: usize = 256;

/// How often everybody else who can run goes first, before a query begins. More of it makes hardly larger queries.
const ROUNDS: usize = 4;

/// Answers the keys that have an answer. The keys are distinct.
type Query<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>>> + Send + Sync;

/// One kind of question. Cheap to clone; clones share their queries.
pub struct Gather<K, V> {
    inner: Arc<Inner<K, V>>,
}

struct Inner<K, V> {
    query: Box<Query<K, V>>,
    state: Mutex<Waiting<K, V>>,
}

struct Waiting<K, V> {
    /// Whether a query is under way: it takes the waiting ones along when it is done.
    asking: bool,
    /// Bounded by the callers: each has one question at a time.
    waiting: Vec<(K, oneshot::Sender<Answer<V>>)>,
}

type Answer<V> = Result<Option<V>, Failed>;

/// Who asked for each key.
type Questions<K, V> = HashMap<K, Vec<oneshot::Sender<Answer<V>>>>;

/// Why a query failed, for each of those who asked.
#[derive(Debug, Clone)]
enum Failed {
    Database(DbErr),
    Otherwise(String),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(cause) => Self::Database(cause),
            other => Self::Otherwise(other.to_string()),
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Database(cause) => Self::Database(cause),
            Failed::Otherwise(text) => Self::Internal(text),
        }
    }
}

impl<K, V> Clone for Gather<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V> std::fmt::Debug for Gather<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gather").finish_non_exhaustive()
    }
}

impl<K, V> Gather<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// `query` is given distinct keys and answers those that it finds.
    pub fn new<F>(query: impl Fn(Vec<K>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<HashMap<K, V>>> + Send + 'static,
    {
        let query = Box::new(move |keys| query(keys).boxed());
        Self { inner: Arc::new(Inner { query, state: Mutex::new(Waiting { asking: false, waiting: Vec::new() }) }) }
    }

    /// The answer for `key`; None when there is none.
    ///
    /// # Errors
    /// What the query failed with.
    pub async fn ask(&self, key: K) -> Result<Option<V>> {
        let (reply, answer) = oneshot::channel();
        let idle = {
            let mut state = self.inner.state();
            state.waiting.push((key, reply));
            !std::mem::replace(&mut state.asking, true)
        };
        if idle {
            // A task of its own: it serves the others too, and must not end with this caller.
            tokio::spawn(Arc::clone(&self.inner).answer_all());
        }
        match answer.await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Error::Internal("a question was dropped without an answer".into())),
        }
    }
}

/// Rows by tenant and id.
pub type ById<Id, V> = Gather<(Arc<str>, Id), V>;

impl<Id, V> ById<Id, V>
where
    Id: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// `query` answers the rows of one tenant with these ids.
    pub fn by_id<F>(query: impl Fn(Arc<str>, Vec<Id>) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<(Id, V)>>> + Send + 'static,
    {
        Self::new(move |keys: Vec<(Arc<str>, Id)>| {
            let query = query.clone();
            let mut tenants: HashMap<Arc<str>, Vec<Id>> = HashMap::new();
            for (tenant, id) in keys {
                tenants.entry(tenant).or_default().push(id);
            }
            async move {
                let mut found = HashMap::new();
                for (tenant, ids) in tenants {
                    let rows = query(Arc::clone(&tenant), ids).await?;
                    found.extend(rows.into_iter().map(|(id, row)| ((Arc::clone(&tenant), id), row)));
                }
                Ok(found)
            }
        })
    }
}

impl<K, V> Inner<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// No await and nothing that panics happens under this lock.
    fn state(&self) -> MutexGuard<'_, Waiting<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer_all(self: Arc<Self>) {
        while self.goes_on() {
            Self::company().await;
            let questions = self.next();
            let keys: Vec<K> = questions.keys().cloned().collect();
            let answers = AssertUnwindSafe(db::answered(async { (self.query)(keys).await })).catch_unwind().await;
            let answers = answers.unwrap_or_else(|_| Err(Error::Internal("a gathered query panicked".into())));
            let mut answers = answers.map_err(Failed::from);
            for (key, mut replies) in questions {
                let answer = answers.as_mut().map(|found| found.remove(&key)).map_err(|failed| failed.clone());
                // Who has gone does not want the answer any more.
                let last = replies.pop();
                for reply in replies {
                    let _ = reply.send(answer.clone());
                }
                let _ = last.map(|reply| reply.send(answer));
            }
        }
    }

    /// Whether anybody waits; otherwise nothing is under way any more.
    fn goes_on(&self) -> bool {
        let mut state = self.state();
        state.asking = !state.waiting.is_empty();
        state.asking
    }

    /// Lets those who are on their way come along: tasks that can run already, and requests that have arrived. Alone, that is
    /// a moment; in a crowd it makes one query of many, which costs each of them less than it waits.
    async fn company() {
        for _ in 0..ROUNDS {
            tokio::task::yield_now().await;
        }
    }

    /// What waits, by key.
    fn next(&self) -> Questions<K, V> {
        let mut state = self.state();
        // From the front: first come, first served.
        let served = state.waiting.len().min(BATCH_MAX);
        let later = state.waiting.split_off(served);
        let now = std::mem::replace(&mut state.waiting, later);
        drop(state);
        let mut questions: Questions<K, V> = HashMap::with_capacity(now.len());
        for (key, reply) in now {
            questions.entry(key).or_default().push(reply);
        }
        questions
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Answers a number with its double, odd ones not at all; each query needs a permit, and is counted.
    fn doubling(gate: &Arc<Semaphore>, queries: &Arc<AtomicU32>) -> Gather<u32, u32> {
        let (gate, queries) = (Arc::clone(gate), Arc::clone(queries));
        Gather::new(move |keys: Vec<u32>| {
            let (gate, queries) = (Arc::clone(&gate), Arc::clone(&queries));
            async move {
                gate.acquire().await.expect("never closed").forget();
                queries.fetch_add(1, Ordering::SeqCst);
                assert!(!keys.contains(&13), "an unlucky number");
                if keys.contains(&99) {
                    return Err(Error::Internal("too much".into()));
                }
                Ok(keys.into_iter().filter(|key| key % 2 == 0).map(|key| (key, 2 * key)).collect())
            }
        })
    }

    #[tokio::test]
    async fn what_comes_while_a_query_is_under_way_shares_the_next_one() {
        let (gate, queries) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
        let numbers = doubling(&gate, &queries);
        let ask = |key| {
            let numbers = numbers.clone();
            tokio::spawn(async move { numbers.ask(key).await.unwrap() })
        };
        let first = ask(2);
        while !numbers.inner.state().asking || !numbers.inner.state().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = [4, 4, 6, 7].map(ask).into();
        while numbers.inner.state().waiting.len() < others.len() {
            tokio::task::yield_now().await;
        }
        assert_eq!(queries.load(Ordering::SeqCst), 0);
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Some(4));
        let answers = futures::future::join_all(others).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [Some(8), Some(8), Some(12), None]);
        assert_eq!(queries.load(Ordering::SeqCst), 2);
        assert!(!numbers.inner.state().asking);
    }

    #[tokio::test]
    async fn whoever_is_on_the_way_shares_the_first_query() {
        let (gate, queries) = (Arc::new(Semaphore::new(10)), Arc::new(AtomicU32::new(0)));
        let numbers = doubling(&gate, &queries);
        let late = tokio::spawn({
            let numbers = numbers.clone();
            async move {
                // As a request does that has arrived but was not looked at yet.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                numbers.ask(4).await.unwrap()
            }
        });
        assert_eq!(numbers.ask(2).await.unwrap(), Some(4));
        assert_eq!(late.await.unwrap(), Some(8));
        assert_eq!(queries.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_query_that_fails_or_panics_fails_its_askers_and_nobody_after_them() {
        let (gate, queries) = (Arc::new(Semaphore::new(10)), Arc::new(AtomicU32::new(0)));
        let numbers = doubling(&gate, &queries);
        assert!(matches!(numbers.ask(13).await, Err(Error::Internal(text)) if text.contains("panicked")));
        assert!(matches!(numbers.ask(99).await, Err(Error::Internal(text)) if text.contains("too much")));
        assert_eq!(numbers.ask(8).await.unwrap(), Some(16));
    }

    #[tokio::test]
    async fn a_crowd_is_served_in_bounded_batches() {
        let (gate, queries) = (Arc::new(Semaphore::new(1_000)), Arc::new(AtomicU32::new(0)));
        let numbers = doubling(&gate, &queries);
        let crowd = (0..1_000).map(|n| {
            let numbers = numbers.clone();
            async move { numbers.ask(2 * n).await.unwrap() }
        });
        let answers = futures::future::join_all(crowd).await;
        assert_eq!(answers, (0..1_000).map(|n| Some(4 * n)).collect::<Vec<_>>());
        assert!((2..=20).contains(&queries.load(Ordering::SeqCst)), "{queries:?}");
    }
}
