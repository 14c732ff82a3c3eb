//! One delivery, from claim to outcome.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde::Serialize;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::platform::clock::Clock;
use crate::platform::context::{Channel, Context, Scopes};
use crate::platform::crash;
use crate::platform::db::{Db, Tx, execute, sql};
use crate::platform::delivery::chaos::{self, Chaos};
use crate::platform::delivery::claim::Claimed;
use crate::platform::delivery::wake::POLL;
use crate::platform::delivery::{Failure, Handler, Handlers, Remedy};
use crate::platform::error::Result;
use crate::platform::gather::Gather;
use crate::platform::outbox::{self, Event};
use crate::platform::trace;

/// Waits before the second and each later try; after the last one the delivery is parked.
const BACKOFF: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// When a delivery is looked at again that somebody else is at.
const COME_BACK: Duration = Duration::from_secs(1);

/// How long one handler may take; the lease is longer, so nobody takes the delivery over meanwhile.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(20);

/// A delivery was parked: an operator must look (`bss queue show`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Parked<'a> {
    event_id: Uuid,
    consumer: &'a str,
    event_type: &'a str,
    aggregate_id: &'a str,
    attempts: i16,
    reason: &'a str,
}

impl Event for Parked<'_> {
    const TYPE: &'static str = "platform.delivery_parked";
    const AGGREGATE: &'static str = "delivery";
    fn aggregate_id(&self) -> &str {
        self.aggregate_id
    }
}

/// Runs claimed deliveries with the handlers of the domains.
#[derive(Debug)]
pub struct Runner {
    pub(super) db: Db,
    pub(super) boot_id: Uuid,
    clock: Clock,
    pub(super) handlers: Handlers,
    /// Marks effects as done, together those that end at the same time. It answers nothing of them.
    performed: Gather<(Uuid, String), bool>,
    backoff: [Duration; 5],
    pub(super) chaos: Option<Chaos>,
}

impl Runner {
    pub fn new(db: Db, boot_id: Uuid, clock: Clock, handlers: Handlers) -> Self {
        handlers.assert_complete(db.subscribers());
        let marked = db.clone();
        let performed = Gather::new(move |performed| mark_performed(marked.clone(), performed));
        Self { db, boot_id, clock, handlers, performed, backoff: BACKOFF, chaos: None }
    }

    /// Shorter waits, for tests that want to see a delivery parked.
    #[must_use]
    pub fn with_backoff(mut self, backoff: [Duration; 5]) -> Self {
        self.backoff = backoff;
        self
    }

    /// Trouble on purpose, for tests.
    #[must_use]
    pub fn with_chaos(self, chaos: Option<Chaos>) -> Self {
        let backoff = if chaos.is_some() { chaos::BACKOFF } else { self.backoff };
        Self { backoff, chaos, ..self }
    }

    pub(super) fn known(&self) -> Vec<String> {
        self.handlers.names()
    }

    /// Runs one delivery to its outcome and records it. What cannot be recorded is let go, so that somebody claims again.
    pub(super) async fn deliver(&self, claimed: &Claimed) {
        self.run_one(claimed).instrument(claimed.span(1)).await;
        self.db.wake().ended();
    }

    async fn run_one(&self, claimed: &Claimed) {
        // A panic or an endless handler must use up the budget like any other failure, or it would come back for ever.
        let attempt = AssertUnwindSafe(self.attempts(claimed)).catch_unwind();
        let outcome = match tokio::time::timeout(HANDLER_TIMEOUT, attempt).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Failure::retry("the handler panicked; the log has the place")),
            Err(_) => Err(Failure::retry(format!("the handler took longer than {} s", HANDLER_TIMEOUT.as_secs()))),
        };
        self.conclude(claimed, outcome).await;
    }

    /// Records a failure; what did not fail has recorded itself.
    pub(super) async fn conclude(&self, claimed: &Claimed, outcome: Result<(), Failure>) {
        let Err(failure) = outcome else { return };
        if failure.remedy != Remedy::Wait {
            trace::failed();
        }
        if let Err(error) = self.record_failure(claimed, &failure).await {
            tracing::warn!(consumer = claimed.consumer, event.id = %claimed.event_id, %error, "delivery outcome not recorded");
            self.let_go(claimed).await;
        }
    }

    /// Gives the lease back as soon as the database is back: this process lives, so nobody else frees it before it ends. An
    /// outage is no failure of the handler and uses up nothing of its budget. The worker's time-out bounds the waiting; the
    /// lease has nearly ended by then.
    async fn let_go(&self, claimed: &Claimed) {
        loop {
            tokio::time::sleep(POLL).await;
            let statement = sql!(
                "update audit.delivery set leased_by = null, next_attempt_at = clock_timestamp()
                 where event_id = $1 and consumer = $2 and state = 'pending' and leased_by = $3",
                claimed.event_id,
                claimed.consumer.as_str(),
                self.boot_id
            );
            match execute(self.db.connection(), statement).await {
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "a delivery cannot be let go yet"),
            }
        }
    }

    /// One attempt, unless there is chaos.
    async fn attempts(&self, claimed: &Claimed) -> Result<(), Failure> {
        let Some(chaos) = &self.chaos else { return self.attempt(claimed).await };
        chaos.before(claimed.attempts).await?;
        if chaos.is_double() {
            let (one, two) = tokio::join!(self.attempt(claimed), self.attempt(claimed));
            return one.and(two);
        }
        self.attempt(claimed).await
    }

    async fn attempt(&self, claimed: &Claimed) -> Result<(), Failure> {
        let cx = self.context(claimed).await?;
        let after = || self.chaos.map_or(Ok(()), |chaos| chaos.after(claimed.attempts));
        match self.handlers.get(&claimed.consumer) {
            None => Err(Failure::retry(format!("no subscriber is called {}", claimed.consumer))),
            Some(Handler::Consumer(handle)) => {
                let tx = Arc::new(self.db.begin().await?);
                if !self.mark_done(&tx, claimed).await? {
                    return Ok(());
                }
                handle(Arc::clone(&tx), cx, claimed.payload.clone()).await?;
                after()?;
                crash::point_of("consumer.before_commit", &claimed.consumer);
                let tx = Arc::into_inner(tx).ok_or_else(|| Failure::park("a handler kept its transaction"))?;
                tx.commit().await?;
                crash::point_of("consumer.after_commit", &claimed.consumer);
                Ok(())
            }
            Some(Handler::Hub(tell)) => {
                tell(cx, claimed.notice()).await?;
                after()?;
                self.performed.ask((claimed.event_id, claimed.consumer.clone())).await?;
                Ok(())
            }
            Some(Handler::Effect(perform)) => {
                perform(cx, claimed.payload.clone()).await?;
                after()?;
                crash::point_of("effect.before_done", &claimed.consumer);
                self.performed.ask((claimed.event_id, claimed.consumer.clone())).await?;
                crash::point_of("effect.after_done", &claimed.consumer);
                Ok(())
            }
        }
    }

    /// Who caused the event also causes what follows from it: actor, channel and identity go along.
    pub(super) async fn context(&self, claimed: &Claimed) -> Result<Context> {
        Ok(Context {
            actor: claimed.actor.as_str().into(),
            channel: Channel::parse(&claimed.channel).unwrap_or(Channel::System),
            service_identity: claimed.service_identity.as_str().into(),
            tenant: claimed.tenant_id.as_str().into(),
            request_id: claimed.request_id.as_str().into(),
            trace_id: claimed.trace_id.as_deref().map(Into::into),
            scopes: Scopes::ALL,
            now: self.clock.now().await?,
            deadline: tokio::time::Instant::now() + Duration::from_secs(20),
            idempotency: None,
        })
    }

    /// False when somebody else has finished it meanwhile, or took it over after our lease.
    async fn mark_done(&self, tx: &Tx, claimed: &Claimed) -> Result<bool> {
        let statement = sql!(
            "update audit.delivery set state = 'done', finished_at = clock_timestamp(), attempts = attempts + 1, leased_by = null
             where event_id = $1 and consumer = $2 and state = 'pending' and leased_by = $3",
            claimed.event_id,
            claimed.consumer.as_str(),
            self.boot_id
        );
        Ok(execute(&**tx, statement).await? == 1)
    }

    /// Nothing failed: the delivery is due again shortly and has all its tries left.
    async fn come_back(&self, claimed: &Claimed, failure: &Failure) -> Result<()> {
        let statement = sql!(
            "update audit.delivery
             set last_error = $3, leased_by = null, next_attempt_at = clock_timestamp() + make_interval(secs => $4)
             where event_id = $1 and consumer = $2 and state = 'pending' and leased_by = $5",
            claimed.event_id,
            claimed.consumer.as_str(),
            failure.reason.as_str(),
            COME_BACK.as_secs_f64(),
            self.boot_id
        );
        execute(self.db.connection(), statement).await.map(drop)
    }

    async fn record_failure(&self, claimed: &Claimed, failure: &Failure) -> Result<()> {
        if failure.remedy == Remedy::Wait {
            return self.come_back(claimed, failure).await;
        }
        let reason: String = failure.reason.chars().take(500).collect();
        let tried = usize::try_from(claimed.attempts).unwrap_or(0);
        let wait = self.backoff.get(tried).copied().filter(|_| failure.remedy == Remedy::Retry);
        let cx = self.context(claimed).await?;
        let tx = self.db.begin().await?;
        let state = if wait.is_some() { "pending" } else { "parked" };
        let updated = execute(
            &*tx,
            sql!(
                "update audit.delivery
                 set state = $3, attempts = attempts + 1, last_error = $4, leased_by = null,
                     first_failed_at = coalesce(first_failed_at, clock_timestamp()),
                     next_attempt_at = clock_timestamp() + make_interval(secs => $5),
                     finished_at = case when $3 = 'parked' then clock_timestamp() end
                 where event_id = $1 and consumer = $2 and state = 'pending' and leased_by = $6",
                claimed.event_id,
                claimed.consumer.as_str(),
                state,
                reason.as_str(),
                wait.map_or(0.0, |wait| jittered(wait, claimed.event_id)),
                self.boot_id
            ),
        )
        .await?;
        if updated == 0 {
            return Ok(());
        }
        let what = if wait.is_some() { "failed" } else { "parked" };
        execute(
            &*tx,
            sql!(
                "insert into audit.delivery_history (event_id, consumer, what, actor, detail) values ($1, $2, $3, 'system', $4)",
                claimed.event_id,
                claimed.consumer.as_str(),
                what,
                reason.as_str()
            ),
        )
        .await?;
        metrics::counter!("bss_delivery_failures_total", "consumer" => claimed.consumer.clone(), "outcome" => what)
            .increment(1);
        if wait.is_some() {
            tracing::warn!(consumer = claimed.consumer, event.id = %claimed.event_id, reason, "delivery failed, will be tried again");
        } else {
            tracing::error!(consumer = claimed.consumer, event.id = %claimed.event_id, reason, "delivery parked");
            let parked = Parked {
                event_id: claimed.event_id,
                consumer: &claimed.consumer,
                event_type: &claimed.event_type,
                aggregate_id: &claimed.aggregate_id,
                attempts: claimed.attempts + 1,
                reason: &reason,
            };
            outbox::stage(&tx, &cx, &parked).await?;
        }
        tx.commit().await
    }
}

/// Not waiting for the disk is safe: performed again, a settled effect does nothing.
pub(super) async fn mark_performed(db: Db, performed: Vec<(Uuid, String)>) -> Result<HashMap<(Uuid, String), bool>> {
    let (events, consumers): (Vec<Uuid>, Vec<String>) = performed.into_iter().unzip();
    sqlx::query(
        "with setting as materialized (select set_config('synchronous_commit', 'off', true))
         update audit.delivery d set state = 'done', finished_at = clock_timestamp(), attempts = attempts + 1, leased_by = null
         from setting, unnest($1::uuid[], $2::text[]) as p (event_id, consumer)
         where d.event_id = p.event_id and d.consumer = p.consumer and d.state = 'pending'",
    )
    .bind(events)
    .bind(consumers)
    .execute(db.keyed_pool())
    .await?;
    Ok(HashMap::new())
}

/// Seconds to wait: up to a quarter more than stated, spread by the event's random id, so that a herd does not return at once.
fn jittered(wait: Duration, event_id: Uuid) -> f64 {
    let spread = f64::from(event_id.as_bytes()[15]) / 255.0;
    wait.as_secs_f64() * (1.0 + spread / 4.0)
}
