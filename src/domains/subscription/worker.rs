//! The renewal sweep: every line whose period is over is charged for the next one, on the product clock; whoever is not
//! charged is told so once, and whoever will be soon is reminded once.
//!
//! Lines are taken in batches with SKIP LOCKED, so any number of replicas may sweep at once. One line whose renewal cannot
//! be begun does not hold up the others: it is tried again later, and its charge, once begun, settles by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Service;
use super::events::{RenewalSkipped, RenewalStalled};
use super::model::Line;
use super::policy;
use super::port::{RenewalReport, SubscriptionId};
use super::renew::{offer, renewal_charge};
use super::renewal_outcome::NotPaid;
use super::store;
use super::terms::Terms;
use crate::domains::catalog::port::{OfferingId, OfferingView};
use crate::domains::payment::port::AttemptId;
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::outbox;
use crate::platform::scheduler::Ticks;

/// Who renews.
const ACTOR: &str = "system:renewal_worker";

/// Lines per unit of work: their rows are locked until it ends, and usage waits for them.
pub(super) const BATCH: i64 = 100;

/// Tries to begin a renewal after which somebody is told; with the growing pauses, a quarter of an hour. `audit` says 5, too.
const TRIES_UNTIL_TOLD: i16 = 5;

/// Charges whose outcome is waited for together.
const WATCHED: usize = 500;

/// The plans as the catalog has them now.
type Plans = BTreeMap<OfferingId, OfferingView>;

/// What a sweep began.
#[derive(Debug, Default)]
struct Sweep {
    attempts: Vec<AttemptId>,
    without_card: u64,
    skipped: u64,
    failed: u64,
    reminded: u64,
}

/// The lines of one batch, and what was begun for them.
#[derive(Debug, Default)]
struct Batch {
    taken: Vec<SubscriptionId>,
    attempts: Vec<AttemptId>,
    without_card: u64,
}

impl Sweep {
    fn add(&mut self, batch: Batch) {
        self.attempts.extend(batch.attempts);
        self.without_card += batch.without_card;
    }

    fn report(&self, renewed: u64, pending: u64) -> RenewalReport {
        let begun = self.attempts.len() as u64;
        RenewalReport {
            due: begun + self.without_card,
            renewed,
            declined: self.without_card + begun.saturating_sub(renewed + pending),
            pending,
            skipped: self.skipped,
            failed: self.failed,
            reminded: self.reminded,
        }
    }
}

pub(super) fn ticks(service: &Arc<Service>) -> Ticks {
    let every = service.platform.config.renewal_tick;
    let (renewing, expiring, migrating) = (Arc::clone(service), Arc::clone(service), Arc::clone(service));
    Ticks::default()
        .add("renewal", every, ACTOR, move |cx| {
            let service = Arc::clone(&renewing);
            async move {
                let sweep = service.sweep(&cx).await?;
                report(sweep.report(0, sweep.attempts.len() as u64))
            }
        })
        .add("vas_expiry", every, "system:vas_expiry", move |cx| {
            let service = Arc::clone(&expiring);
            async move { report(service.expire_grants(&cx).await?) }
        })
        .add("price_migration", every, "system:price_migration", move |cx| {
            let service = Arc::clone(&migrating);
            async move { report(service.go_on_migrating(&cx).await?) }
        })
}

fn report(report: impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(report).map_err(|e| Error::Internal(e.to_string()))
}

impl Service {
    /// See [`Subscriptions::renew_due`](super::port::Subscriptions::renew_due). The worker acts, whoever asks for it.
    pub(super) async fn sweep_and_wait(&self, caller: &Context) -> Result<RenewalReport> {
        let worker = Context::system(ACTOR, caller.request_id.to_string(), caller.now);
        let cx = Context { deadline: caller.deadline, tenant: Arc::clone(&caller.tenant), ..worker };
        let sweep = self.sweep(&cx).await?;
        let (mut renewed, mut pending) = (0, 0);
        // Looked at in parts: each wake-up reads a few attempts, not all of a hundred thousand.
        for attempts in sweep.attempts.chunks(WATCHED) {
            let outcome = || store::renewal::outcome(&self.platform.db, &cx, attempts);
            self.settled(&cx, || async { Ok::<_, Error>((outcome().await?.pending == 0).then_some(())) }).await?;
            let outcome = outcome().await?;
            renewed += outcome.renewed.unsigned_abs();
            pending += outcome.pending.unsigned_abs();
        }
        Ok(sweep.report(renewed, pending))
    }

    /// Begins every renewal that is due, and says of the overdue lines that are not renewed that they are not.
    async fn sweep(&self, cx: &Context) -> Result<Sweep> {
        let plans = self.catalog.offerings(cx).await?;
        let plans: Plans = plans.into_iter().map(|plan| (plan.id.clone(), plan)).collect();
        let mut sweep = Sweep::default();
        loop {
            let mut batch = Batch::default();
            match self.begin_batch(cx, &plans, None, &mut batch).await {
                Ok(()) if batch.taken.is_empty() => break,
                Ok(()) => sweep.add(batch),
                Err(error) if batch.taken.is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!(lines = batch.taken.len(), %error, "a batch of renewals failed, each is begun alone");
                    self.begin_each(cx, &plans, &batch.taken, &mut sweep).await?;
                }
            }
        }
        sweep.skipped = self.skip_blocked(cx).await?;
        sweep.reminded = self.remind(cx).await?;
        Ok(sweep)
    }

    async fn begin_each(&self, cx: &Context, plans: &Plans, lines: &[SubscriptionId], sweep: &mut Sweep) -> Result<()> {
        for id in lines {
            let mut batch = Batch::default();
            match self.begin_batch(cx, plans, Some(id), &mut batch).await {
                Ok(()) => sweep.add(batch),
                Err(error) => {
                    tracing::warn!(subscription.id = %id, %error, "a renewal could not be begun, it is tried again");
                    self.postpone(cx, id).await?;
                    sweep.failed += 1;
                }
            }
        }
        Ok(())
    }

    /// Leaves a line alone for a growing while, and tells once that somebody has to look: until then it is served for nothing.
    async fn postpone(&self, cx: &Context, id: &SubscriptionId) -> Result<()> {
        let tx = self.platform.db.begin().await?;
        let Some(postponed) = store::renewal::postpone(&tx, cx, id).await? else { return Ok(()) };
        if postponed.tries == TRIES_UNTIL_TOLD {
            tracing::error!(
                subscription.id = %id, tries = postponed.tries,
                "a line that is due cannot be renewed; the warnings before this one say why"
            );
            let stalled = RenewalStalled {
                subscription_id: id.clone(),
                customer_id: postponed.customer_id.into(),
                due_since: postponed.due_since,
                tries: postponed.tries,
                version: postponed.version,
            };
            outbox::stage(&tx, cx, &stalled).await?;
        }
        crash::point("renewal.postpone.before_commit");
        tx.commit().await?;
        crash::point("renewal.postpone.after_commit");
        Ok(())
    }

    /// Begins the renewals of the next lines that are due, in one unit of work. `batch` tells the lines also on failure.
    async fn begin_batch(
        &self,
        cx: &Context,
        plans: &Plans,
        only: Option<&SubscriptionId>,
        batch: &mut Batch,
    ) -> Result<()> {
        let tx = self.platform.db.begin().await?;
        match self.book_batch(&tx, cx, plans, only, batch).await {
            Ok(_) if batch.taken.is_empty() => Ok(()),
            Ok(attempts) => {
                crash::point("renewal.begin.before_commit");
                tx.commit().await?;
                crash::point("renewal.begin.after_commit");
                batch.attempts = attempts;
                Ok(())
            }
            Err(error) => {
                // Each of its lines is begun alone next, and would be passed over while this lock lasts.
                tx.roll_back().await;
                Err(error)
            }
        }
    }

    /// Books the charges of the next lines that are due, and answers them; who has no card is blocked.
    async fn book_batch(
        &self,
        tx: &Tx,
        cx: &Context,
        plans: &Plans,
        only: Option<&SubscriptionId>,
        batch: &mut Batch,
    ) -> Result<Vec<AttemptId>> {
        let lines = store::renewal::lock_due(tx, cx, BATCH, only).await?;
        batch.taken = lines.iter().map(|line| line.id.clone()).collect();
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let zone = self.platform.config.profile.time_zone;
        let due: Vec<(Line, Terms)> = lines
            .into_iter()
            .map(|line| {
                let terms = line.next_terms(cx.now, zone);
                (line, terms)
            })
            .collect();
        let (mut requested, mut offers) = (Vec::with_capacity(due.len()), Vec::with_capacity(due.len()));
        let mut without_card = Vec::new();
        let charges = due.iter().map(|(line, terms)| renewal_charge(line, terms)).collect();
        let answers = self.payments.request_charges(tx, cx, charges).await?;
        for ((line, terms), answer) in due.iter().zip(answers) {
            let plan = &terms.offering_id;
            let plan = plans.get(plan).ok_or_else(|| Error::not_found("product offering", plan))?;
            match answer.map_err(Error::from) {
                Ok(attempt_id) => {
                    requested.push((line.id.clone(), attempt_id));
                    offers.push(offer(line, terms, plan));
                }
                Err(error) if policy::is_no_method(&error) => without_card.push((line.clone(), terms.clone())),
                Err(error) => return Err(error),
            }
        }
        store::contract::offer(tx, cx, &offers).await?;
        store::renewal::mark_requested(tx, cx, &requested).await?;
        batch.without_card = without_card.len() as u64;
        for (mut line, terms) in without_card {
            line.renewal_attempted_for = line.next_renewal_at();
            store::renewal::forget_failures(tx, cx, &line.id).await?;
            let not_paid = NotPaid { reason: "no_payment_method", terms, attempt_id: None, decline_code: None };
            self.block_for_payment(tx, cx, line, not_paid).await?;
        }
        Ok(requested.into_iter().map(|(_, attempt_id)| attempt_id).collect())
    }

    /// States once per boundary that an overdue line is not renewed, since a renewal would not bring it back.
    async fn skip_blocked(&self, cx: &Context) -> Result<u64> {
        let mut skipped = 0;
        loop {
            let tx = self.platform.db.begin().await?;
            let lines = store::renewal::lock_skipped(&tx, cx, BATCH).await?;
            if lines.is_empty() {
                return Ok(skipped);
            }
            skipped += lines.len() as u64;
            for mut line in lines {
                line.renewal_attempted_for = line.next_renewal_at();
                store::save(&tx, cx, &mut line, None).await?;
                outbox::stage(&tx, cx, &skipped_event(cx, line)).await?;
            }
            crash::point("renewal.skip.before_commit");
            tx.commit().await?;
            crash::point("renewal.skip.after_commit");
        }
    }
}

fn skipped_event(cx: &Context, line: Line) -> RenewalSkipped {
    RenewalSkipped {
        subscription_id: line.id,
        customer_id: line.customer_id,
        reason: "blocked",
        block_reasons: line.state.reasons(),
        skipped_at: cx.now,
        version: line.version,
    }
}
