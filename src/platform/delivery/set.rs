//! Deliveries that one cause made at once, such as the hundred charges of one step of a sweep, are worked on together.
//!
//! A set is the deliveries of one subscriber whose events have the same cause: actor, channel, identity, tenant, request and
//! trace. So it has one context, and what a customer waits for, alone in its request, is alone here too. A set only ever
//! holds first tries. When it fails for any reason, nothing of it has happened that could not happen again, and each of its
//! deliveries is worked on alone: retries, parking and reasons are those of a single delivery.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
use sea_orm::FromQueryResult;
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::{Tx, sql};
use crate::platform::delivery::claim::Claimed;
use crate::platform::delivery::run::{Runner, mark_performed};
use crate::platform::delivery::{Consumer, Effect, Failure, Handled, decode};
use crate::platform::error::Result;

/// Deliveries of one set: their rows are locked until it ends.
pub(super) const SET_MAX: usize = 100;

/// How long a set may take. What it leaves of the worker's time-out is for working on each delivery alone.
const SET_TIMEOUT: Duration = Duration::from_secs(12);

/// Only deliveries that have not been tried yet join a set.
const FIRST_TRY: i16 = 0;

/// Deliveries of a set that failed that are worked on at once.
const ALONE_AT_ONCE: usize = 8;

/// A consumer that takes many events at once: the same work, with a statement per table instead of one per event.
pub trait ConsumeTogether: Consumer {
    /// Whether this event may be handled beside others. Only what locks in one order, whatever is in the set, may.
    fn joins(event: &Self::Payload) -> bool;

    /// All of them or, with an error, none: then each is handled alone. The events are distinct, their order is no promise.
    fn handle_all(
        &self,
        tx: &Tx,
        cx: &Context,
        events: Vec<Self::Payload>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An effect that takes many events at once.
pub trait PerformTogether: Effect {
    /// One outcome per event, in their order.
    fn perform_all(
        &self,
        cx: &Context,
        events: Vec<Self::Payload>,
    ) -> impl Future<Output = Vec<Result<(), Failure>>> + Send;
}

type Handle = dyn Fn(Arc<Tx>, Context, Vec<Value>) -> Handled<'static> + Send + Sync;
type Perform = dyn Fn(Context, Vec<Value>) -> Performed + Send + Sync;
type Performed = futures::future::BoxFuture<'static, Result<Vec<Result<(), Failure>>, Failure>>;

/// What takes sets, without its payload type.
enum Work {
    Consumer(Box<Handle>),
    Effect(Box<Perform>),
}

/// See [`Work`], and which payloads it takes beside others.
pub(super) struct SetHandler {
    joins: Box<dyn Fn(&Value) -> bool + Send + Sync>,
    work: Work,
}

impl SetHandler {
    pub(super) fn consumer<C: ConsumeTogether>(consumer: &Arc<C>) -> Self {
        let consumer = Arc::clone(consumer);
        let handle = move |tx: Arc<Tx>, cx: Context, payloads: Vec<Value>| -> Handled<'static> {
            let consumer = Arc::clone(&consumer);
            Box::pin(async move {
                let events = payloads.into_iter().map(decode::<C::Payload>).collect::<Result<_, _>>()?;
                consumer.handle_all(&tx, &cx, events).await
            })
        };
        let joins = |payload: &Value| C::Payload::deserialize(payload).is_ok_and(|event| C::joins(&event));
        Self { joins: Box::new(joins), work: Work::Consumer(Box::new(handle)) }
    }

    pub(super) fn effect<E: PerformTogether>(effect: &Arc<E>) -> Self {
        let effect = Arc::clone(effect);
        let perform = move |cx: Context, payloads: Vec<Value>| -> Performed {
            let effect = Arc::clone(&effect);
            Box::pin(async move {
                let events = payloads.into_iter().map(decode::<E::Payload>).collect::<Result<_, _>>()?;
                Ok(effect.perform_all(&cx, events).await)
            })
        };
        let joins = |payload: &Value| E::Payload::deserialize(payload).is_ok();
        Self { joins: Box::new(joins), work: Work::Effect(Box::new(perform)) }
    }
}

/// What a worker takes at a time.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    deliveries: Vec<Claimed>,
    /// A set's leave to run.
    permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Batch {
    pub(super) const fn is_set(&self) -> bool {
        self.deliveries.len() > 1
    }

    pub(super) fn permitted(self, permit: OwnedSemaphorePermit) -> Self {
        Self { permit: Some(Arc::new(permit)), ..self }
    }
}

/// Who and what caused an event, and for whom it is.
type Cause = [String; 7];

fn cause(claimed: &Claimed) -> Cause {
    let Claimed { consumer, actor, channel, service_identity, tenant_id, request_id, trace_id, .. } = claimed.clone();
    [consumer, actor, channel, service_identity, tenant_id, request_id, trace_id.unwrap_or_default()]
}

impl Runner {
    /// Joins what may be worked on together. The first of each set says when its turn is.
    pub(super) fn batches(&self, claimed: Vec<Claimed>) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::with_capacity(claimed.len());
        let mut open: HashMap<Cause, usize> = HashMap::new();
        for delivery in claimed {
            if delivery.attempts == FIRST_TRY && self.joins(&delivery) {
                let next = batches.len();
                let at = *open.entry(cause(&delivery)).or_insert(next);
                if let Some(batch) = batches.get_mut(at) {
                    batch.deliveries.push(delivery);
                    continue;
                }
            }
            batches.push(Batch { deliveries: vec![delivery], permit: None });
        }
        batches
    }

    fn joins(&self, delivery: &Claimed) -> bool {
        self.handlers.set(&delivery.consumer).is_some_and(|handler| (handler.joins)(&delivery.payload))
    }

    /// Works on what a worker was given, alone or together.
    pub(super) async fn work(&self, batch: Batch) {
        match batch.deliveries.as_slice() {
            [] => {}
            [one] => self.deliver(one).await,
            set => self.deliver_together(set).instrument(set[0].span(set.len())).await,
        }
        drop(batch.permit);
    }

    async fn deliver_together(&self, set: &[Claimed]) {
        let consumer = &set[0].consumer;
        let attempt = AssertUnwindSafe(self.attempts_together(set)).catch_unwind();
        let failure = match tokio::time::timeout(SET_TIMEOUT, attempt).await {
            Ok(Ok(Ok(outcomes))) => {
                for (claimed, outcome) in set.iter().zip(outcomes) {
                    self.conclude(claimed, outcome).await;
                }
                self.db.wake().ended();
                return;
            }
            Ok(Ok(Err(failure))) => failure.reason,
            Ok(Err(_)) => "the handler panicked; the log has the place".to_owned(),
            Err(_) => format!("the set took longer than {} s", SET_TIMEOUT.as_secs()),
        };
        tracing::warn!(
            consumer,
            deliveries = set.len(),
            reason = failure,
            "a set failed, each delivery is worked on alone"
        );
        metrics::counter!("bss_delivery_sets_failed_total", "consumer" => consumer.clone()).increment(1);
        stream::iter(set).for_each_concurrent(ALONE_AT_ONCE, |claimed| self.deliver(claimed)).await;
    }

    /// One attempt of the set, unless there is chaos.
    async fn attempts_together(&self, set: &[Claimed]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let Some(chaos) = &self.chaos else { return self.attempt_together(set).await };
        chaos.before(FIRST_TRY).await?;
        if chaos.is_double() {
            let (one, two) = tokio::join!(self.attempt_together(set), self.attempt_together(set));
            // An outcome that failed in either is a failure.
            return Ok(one?.into_iter().zip(two?).map(|(one, two)| one.and(two)).collect());
        }
        self.attempt_together(set).await
    }

    async fn attempt_together(&self, set: &[Claimed]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let consumer = &set[0].consumer;
        let cx = self.context(&set[0]).await?;
        let after = || self.chaos.map_or(Ok(()), |chaos| chaos.after(FIRST_TRY));
        match self.handlers.set(consumer).map(|handler| &handler.work) {
            None => Err(Failure::retry(format!("no subscriber called {consumer} takes sets"))),
            Some(Work::Consumer(handle)) => {
                let tx = Arc::new(self.db.begin().await?);
                let mine = self.mark_all_done(&tx, set).await?;
                let mine = set.iter().filter(|claimed| mine.contains(&claimed.event_id));
                let payloads: Vec<Value> = mine.map(|claimed| claimed.payload.clone()).collect();
                if !payloads.is_empty() {
                    handle(Arc::clone(&tx), cx, payloads).await?;
                    after()?;
                    crash::point_of("consumer_set.before_commit", consumer);
                    let tx = Arc::into_inner(tx).ok_or_else(|| Failure::park("a handler kept its transaction"))?;
                    tx.commit().await?;
                    crash::point_of("consumer_set.after_commit", consumer);
                }
                Ok(set.iter().map(|_| Ok(())).collect())
            }
            Some(Work::Effect(perform)) => {
                let payloads = set.iter().map(|claimed| claimed.payload.clone()).collect();
                let outcomes = perform(cx, payloads).await?;
                after()?;
                if outcomes.len() != set.len() {
                    return Err(Failure::retry("a set has fewer outcomes than deliveries"));
                }
                crash::point_of("effect_set.before_done", consumer);
                let done = set.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
                let done: Vec<_> = done.map(|(claimed, _)| (claimed.event_id, claimed.consumer.clone())).collect();
                if !done.is_empty() {
                    mark_performed(self.db.clone(), done).await?;
                }
                crash::point_of("effect_set.after_done", consumer);
                Ok(outcomes)
            }
        }
    }

    /// Marks as done, in the transaction that does the work. Answers those that nobody else has finished or taken over.
    async fn mark_all_done(&self, tx: &Tx, set: &[Claimed]) -> Result<Vec<Uuid>> {
        #[derive(FromQueryResult)]
        struct Row {
            event_id: Uuid,
        }
        let statement = sql!(
            "update audit.delivery set state = 'done', finished_at = clock_timestamp(), attempts = attempts + 1, leased_by = null
             where event_id = any($1) and consumer = $2 and state = 'pending' and leased_by = $3 returning event_id",
            set.iter().map(|claimed| claimed.event_id).collect::<Vec<_>>(),
            set[0].consumer.as_str(),
            self.boot_id
        );
        let rows = Row::find_by_statement(statement).all(&**tx).await?;
        Ok(rows.into_iter().map(|row| row.event_id).collect())
    }
}
