//! Events travel from the log to their subscribers: at least once, with an effect that happens exactly once.
//!
//! Two kinds of subscriber. A [`Consumer`] does database work only: the runner marks the delivery done, calls the handler
//! and commits, all in one transaction. An [`Effect`] speaks to the outside: it works on a row that already says what is
//! to be done, calls outside any transaction with that row's idempotency key, and records the answer in a second one;
//! called twice it finds the row settled and does nothing.
//!
//! Either may also take sets, the deliveries that one cause made at once: [`ConsumeTogether`], [`PerformTogether`].
//!
//! Handlers tolerate any order: they lock the aggregate and let its state machine decide. A business refusal is an outcome
//! with an event of its own, never a retry.

pub mod chaos;
mod claim;
pub mod parked;
mod run;
mod set;
pub mod wake;
mod worker;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::hub::{CONSUMER_PREFIX, Notice, Sender};
use crate::platform::outbox::Event;

pub use claim::free_orphans;
pub use run::Runner;
use set::SetHandler;
pub use set::{ConsumeTogether, PerformTogether};
pub use worker::{Concurrency, run_workers};

/// What a subscriber is, and so which lane works on its deliveries: lanes do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Consumer,
    Effect,
    /// A listener outside; a lane of its own, so that a slow one keeps nobody waiting.
    Hub,
    /// Writes or sends what a customer is told. Nothing waits for it, and there may be one for each customer at once: a lane of
    /// its own, so that they keep no order waiting.
    Message,
}

/// Why a handler did not succeed, and whether trying again can help.
#[derive(Debug, Clone)]
pub struct Failure {
    pub reason: String,
    pub(in crate::platform::delivery) remedy: Remedy,
}

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform::delivery) enum Remedy {
    Retry,
    Wait,
    Park,
}

impl Failure {
    /// The same delivery may succeed later: backoff, then again.
    pub fn retry(error: impl std::fmt::Display) -> Self {
        Self { reason: error.to_string(), remedy: Remedy::Retry }
    }

    /// Somebody else is at it, under a lease that ends: looked at again shortly, as often as it takes.
    pub fn wait(error: impl std::fmt::Display) -> Self {
        Self { reason: error.to_string(), remedy: Remedy::Wait }
    }

    /// Trying again cannot help: an operator must look.
    pub fn park(error: impl std::fmt::Display) -> Self {
        Self { reason: error.to_string(), remedy: Remedy::Park }
    }
}

/// A broken rule or a missing row does not heal by waiting; everything else may.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let reason = match &error {
            Error::Database(cause) => format!("{error}: {cause}"),
            other => other.to_string(),
        };
        let hopeless = matches!(error, Error::Policy(_) | Error::NotFound { .. } | Error::Invalid { .. });
        Self { reason, remedy: if hopeless { Remedy::Park } else { Remedy::Retry } }
    }
}

/// Database work in reaction to an event. Everything it does is in `tx`, which the runner commits.
pub trait Consumer: Send + Sync + 'static {
    /// `<domain>.<verb_phrase>`; never changes, deliveries are stored under it.
    const NAME: &'static str;
    /// The lane.
    const KIND: Kind = Kind::Consumer;
    type Payload: Event + DeserializeOwned + 'static;

    fn handle(&self, tx: &Tx, cx: &Context, event: Self::Payload) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An outside call in reaction to an event; see the module.
pub trait Effect: Send + Sync + 'static {
    /// `<domain>.<verb_phrase>`; never changes, deliveries are stored under it.
    const NAME: &'static str;
    /// The lane.
    const KIND: Kind = Kind::Effect;
    type Payload: Event + DeserializeOwned + 'static;

    fn perform(&self, cx: &Context, event: Self::Payload) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Who subscribes to which event type: what [`stage`](crate::platform::outbox::stage) writes deliveries for.
#[derive(Debug, Clone, Default)]
pub struct Subscribers {
    by_type: BTreeMap<&'static str, Vec<Subscriber>>,
    /// The version of its event's payload that each subscriber reads.
    versions: BTreeMap<&'static str, i16>,
    upcasts: BTreeMap<(&'static str, i16), Upcast>,
}

/// Lifts a payload from one version of its event to the next.
pub type Upcast = fn(Value) -> Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscriber {
    pub name: &'static str,
    pub kind: Kind,
}

impl Subscribers {
    #[must_use]
    pub fn consumer<C: Consumer>(self) -> Self {
        self.with::<C::Payload>(Subscriber { name: C::NAME, kind: C::KIND })
    }

    #[must_use]
    pub fn effect<E: Effect>(self) -> Self {
        self.with::<E::Payload>(Subscriber { name: E::NAME, kind: E::KIND })
    }

    fn with<E: Event>(mut self, subscriber: Subscriber) -> Self {
        let former = self.versions.insert(subscriber.name, E::VERSION);
        assert!(former.is_none(), "two subscribers are called {}", subscriber.name);
        self.by_type.entry(E::TYPE).or_default().push(subscriber);
        self
    }

    /// Says how payloads of `from` become those of the version after it. The log keeps what was written, for ever: who
    /// changes the shape of a payload raises its event's version and adds the step that old ones take.
    #[must_use]
    pub fn upcast(mut self, event_type: &'static str, from: i16, upcast: Upcast) -> Self {
        let former = self.upcasts.insert((event_type, from), upcast);
        assert!(former.is_none(), "two steps lead on from version {from} of {event_type}");
        self
    }

    /// Whether the subscriber of that name reads events of that version. What a listener outside is told is taken from the
    /// newest version that this process knows, so that one of a newer process is left to it, too.
    pub(in crate::platform) fn reads(&self, subscriber: &str, event_type: &str, version: i16) -> bool {
        let known = self.versions.get(subscriber).copied().unwrap_or_else(|| self.newest(event_type));
        version <= known
    }

    /// The version that the last step leads to; the first one where there is no step.
    fn newest(&self, event_type: &str) -> i16 {
        let steps = self.upcasts.keys().filter(|(of, _)| *of == event_type);
        steps.map(|(_, from)| from + 1).max().unwrap_or(1)
    }

    /// The payload in the newest version that this process knows.
    pub(in crate::platform) fn current(&self, event_type: &str, version: i16, mut payload: Value) -> Value {
        if self.upcasts.is_empty() {
            return payload;
        }
        let steps = self.upcasts.iter().filter(|((of, from), _)| *of == event_type && *from >= version);
        for (_, upcast) in steps {
            payload = upcast(payload);
        }
        payload
    }

    /// The subscribers of an event type, in the order of registration.
    pub fn of(&self, event_type: &str) -> &[Subscriber] {
        self.by_type.get(event_type).map_or(&[], Vec::as_slice)
    }

    /// Every subscriber.
    pub fn all(&self) -> impl Iterator<Item = Subscriber> + '_ {
        self.by_type.values().flatten().copied()
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.all().map(|subscriber| subscriber.name)
    }
}

type Handled<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A consumer or effect without its payload type.
enum Handler {
    Consumer(Box<dyn Fn(Arc<Tx>, Context, Value) -> Handled<'static> + Send + Sync>),
    Effect(Box<dyn Fn(Context, Value) -> Handled<'static> + Send + Sync>),
    Hub(Box<dyn Fn(Context, Notice) -> Handled<'static> + Send + Sync>),
}

/// The subscribers' code, by name.
#[derive(Default)]
pub struct Handlers {
    by_name: BTreeMap<&'static str, Handler>,
    /// Those of them that also take sets.
    sets: BTreeMap<&'static str, SetHandler>,
    /// For the deliveries of every listener.
    hub: Option<Handler>,
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

impl Handlers {
    #[must_use]
    pub fn consumer<C: Consumer>(self, consumer: C) -> Self {
        self.with_consumer(Arc::new(consumer))
    }

    /// A consumer that also takes sets.
    #[must_use]
    pub fn consumer_of_sets<C: ConsumeTogether>(mut self, consumer: C) -> Self {
        let consumer = Arc::new(consumer);
        self.sets.insert(C::NAME, SetHandler::consumer(&consumer));
        self.with_consumer(consumer)
    }

    fn with_consumer<C: Consumer>(mut self, consumer: Arc<C>) -> Self {
        let handler = move |tx: Arc<Tx>, cx: Context, payload: Value| -> Handled<'static> {
            let consumer = Arc::clone(&consumer);
            Box::pin(async move {
                let event = decode::<C::Payload>(payload)?;
                consumer.handle(&tx, &cx, event).await
            })
        };
        self.by_name.insert(C::NAME, Handler::Consumer(Box::new(handler)));
        self
    }

    #[must_use]
    pub fn effect<E: Effect>(self, effect: E) -> Self {
        self.with_effect(Arc::new(effect))
    }

    /// An effect that also takes sets.
    #[must_use]
    pub fn effect_of_sets<E: PerformTogether>(mut self, effect: E) -> Self {
        let effect = Arc::new(effect);
        self.sets.insert(E::NAME, SetHandler::effect(&effect));
        self.with_effect(effect)
    }

    fn with_effect<E: Effect>(mut self, effect: Arc<E>) -> Self {
        let handler = move |cx: Context, payload: Value| -> Handled<'static> {
            let effect = Arc::clone(&effect);
            Box::pin(async move {
                let event = decode::<E::Payload>(payload)?;
                effect.perform(&cx, event).await
            })
        };
        self.by_name.insert(E::NAME, Handler::Effect(Box::new(handler)));
        self
    }

    /// What tells the listeners outside.
    #[must_use]
    pub fn hub(mut self, sender: Sender) -> Self {
        let sender = Arc::new(sender);
        let handler = move |cx: Context, notice: Notice| -> Handled<'static> {
            let sender = Arc::clone(&sender);
            Box::pin(async move { sender.send(&cx, notice).await })
        };
        self.hub = Some(Handler::Hub(Box::new(handler)));
        self
    }

    /// Joins the handlers of another domain.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.by_name.extend(other.by_name);
        self.sets.extend(other.sets);
        self.hub = self.hub.or(other.hub);
        self
    }

    fn get(&self, name: &str) -> Option<&Handler> {
        if name.starts_with(CONSUMER_PREFIX) { self.hub.as_ref() } else { self.by_name.get(name) }
    }

    /// What takes the sets of a subscriber, when anything does.
    fn set(&self, name: &str) -> Option<&SetHandler> {
        self.sets.get(name)
    }

    fn names(&self) -> Vec<String> {
        self.by_name.keys().map(ToString::to_string).collect()
    }

    /// Every subscriber has code and all code is subscribed: a start-up invariant.
    pub fn assert_complete(&self, subscribers: &Subscribers) {
        let mut subscribed: Vec<_> = subscribers.names().collect();
        subscribed.sort_unstable();
        let present: Vec<_> = self.by_name.keys().copied().collect();
        assert_eq!(subscribed, present, "subscribers and handlers differ");
    }
}

fn decode<E: DeserializeOwned + Event>(payload: Value) -> Result<E, Failure> {
    serde_json::from_value(payload)
        .map_err(|e| Failure::park(format!("{} has a payload that this version cannot read: {e}", E::TYPE)))
}
