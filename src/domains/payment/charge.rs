//! Making a charge: lease the attempt, ask the gateway outside any transaction, record the answer in a second one.
//!
//! Safe at every point of a crash: before the call nothing has happened; after it the gateway replays its answer to the same
//! key; after the record the attempt is final and is never asked about again. An unknown outcome keeps the attempt pending,
//! it is never taken for a refusal.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use futures::stream::FuturesUnordered;

use super::Service;
use super::model::{Attempt, Entry, Outcome, Refund, backoff};
use super::port::gateway::{Answer, GatewayError};
use super::port::{AttemptId, AttemptStatus, PaymentApproved, PaymentDeclined, Purpose, RefundStatus};
use super::store::journal::{self, Booked};
use super::store::leases::{self, ChargeWork};
use super::store::{attempts, refunds};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::{crash, outbox, trace, waves};

/// How long a gateway call may take.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a visit to a work item came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// The answer is in the books.
    Settled,
    /// Final already, or in somebody else's hands.
    NothingToDo,
    /// The gateway does not answer, time and again: from now on only the sweep asks.
    LeftToSweep,
}

/// Calls after which a delivery is done with its attempt. An outage would park it otherwise, and every other one with it,
/// although the sweep settles the attempt without it.
const CALLS_OF_DELIVERY: i32 = 4;

/// What a visit without an answer from the gateway comes to: the first few times the delivery comes again, sooner than the sweep.
pub(super) fn unanswered(calls: i32, text: &str) -> Result<Visit> {
    if calls < CALLS_OF_DELIVERY { Err(Error::unavailable(text)) } else { Ok(Visit::LeftToSweep) }
}

/// What became of attempts. Those that are final already, or in somebody else's hands, are missing.
pub(super) type Visits = HashMap<AttemptId, Result<Visit>>;

impl Service {
    /// Charges the card of a pending attempt.
    ///
    /// # Errors
    /// Unavailable while the gateway does not answer: the attempt stays pending and is asked about again with the same key.
    pub(super) async fn charge(&self, cx: &Context, id: &AttemptId) -> Result<Visit> {
        let mut visits = self.charge_all(cx, std::slice::from_ref(id)).await?;
        visits.remove(id).unwrap_or(Ok(Visit::NothingToDo))
    }

    /// Charges the cards of pending attempts at once, and records together what is answered at about the same time.
    pub(super) async fn charge_all(&self, cx: &Context, ids: &[AttemptId]) -> Result<Visits> {
        let mut visits = Visits::new();
        // Whoever else holds a lease finishes the attempt, and if it dies the sweep does: nothing is left to do here.
        let works = leases::take_charges(&self.platform.db, cx, self.platform.boot_id, ids).await?;
        if works.is_empty() {
            return Ok(visits);
        }
        crash::point("payment.charge.before_call");
        let mut answers: FuturesUnordered<_> =
            works.iter().map(|work| async move { (work, self.ask(work).await) }).collect();
        while let Some(wave) = waves::next(&mut answers).await {
            crash::point("payment.charge.after_call");
            let mut outcomes = Vec::with_capacity(wave.len());
            for (work, answer) in wave {
                let id = &work.attempt.id;
                match answer {
                    Ok(Answer::Approved { gateway_ref }) => {
                        outcomes.push((id.clone(), Outcome::Approved { gateway_ref }));
                    }
                    Ok(Answer::Declined { code, reason }) => {
                        outcomes.push((id.clone(), Outcome::Declined { code, reason }));
                    }
                    Err(GatewayError::Refused(reason)) => {
                        tracing::error!(payment_attempt.id = %id, reason, "the payment gateway refused a charge request");
                        outcomes.push((id.clone(), Outcome::Errored { reason }));
                    }
                    Err(error @ (GatewayError::Timeout | GatewayError::Unavailable(_))) => {
                        visits.insert(id.clone(), self.charge_later(cx, work, &error.to_string()).await);
                    }
                }
            }
            self.record_wave(cx, &outcomes, &mut visits).await;
        }
        Ok(visits)
    }

    /// Leaves an attempt that the gateway did not answer for later.
    async fn charge_later(&self, cx: &Context, work: &ChargeWork, text: &str) -> Result<Visit> {
        let (db, boot_id) = (&self.platform.db, self.platform.boot_id);
        leases::postpone_charge(db, cx, boot_id, &work.attempt.id, backoff(work.calls), text).await?;
        unanswered(work.calls, text)
    }

    /// Records outcomes together, or, where that fails, each alone: then one that cannot be recorded does not hold up the
    /// others.
    async fn record_wave(&self, cx: &Context, outcomes: &[(AttemptId, Outcome)], visits: &mut Visits) {
        let error = match self.record_charges(cx, outcomes).await {
            Ok(settled) => {
                visits.extend(settled.into_iter().map(|id| (id, Ok(Visit::Settled))));
                return;
            }
            Err(error) => error,
        };
        if let [(id, _)] = outcomes {
            visits.insert(id.clone(), Err(error));
            return;
        }
        tracing::warn!(charges = outcomes.len(), %error, "outcomes of charges were not recorded together, each is alone");
        for outcome in outcomes {
            let recorded = self.record_charges(cx, std::slice::from_ref(outcome)).await;
            match recorded {
                Ok(settled) => visits.extend(settled.into_iter().map(|id| (id, Ok(Visit::Settled)))),
                Err(error) => drop(visits.insert(outcome.0.clone(), Err(error))),
            }
        }
    }

    /// What the gateway says. A key that it may have seen is looked up first: that moves nothing, however long ago it was.
    async fn ask(&self, work: &ChargeWork) -> Result<Answer, GatewayError> {
        let key = &work.attempt.gateway_key;
        if work.calls > 1 {
            match self.bounded(self.gateway.lookup(key)).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                // What is refused is the question, not the charge, which may have been made.
                Err(GatewayError::Refused(reason)) => {
                    tracing::error!(payment_attempt.id = %work.attempt.id, reason, "the payment gateway refused a look-up");
                    return Err(GatewayError::Unavailable(reason));
                }
                Err(error) => return Err(error),
            }
        }
        let charge = self.bounded(self.gateway.charge(key, &work.token, work.attempt.amount));
        trace::call(trace::step("payment", "gateway.charge"), charge).await
    }

    /// A gateway call that ends in time.
    pub(super) async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, GatewayError>>,
    ) -> Result<T, GatewayError> {
        tokio::time::timeout(GATEWAY_TIMEOUT, call).await.unwrap_or(Err(GatewayError::Timeout))
    }

    /// Books outcomes, each once: the first to lock the pending row writes, everybody after it finds it final. Answers what
    /// was pending.
    async fn record_charges(&self, cx: &Context, outcomes: &[(AttemptId, Outcome)]) -> Result<Vec<AttemptId>> {
        if outcomes.is_empty() {
            return Ok(Vec::new());
        }
        let tx = self.platform.db.begin().await?;
        let settled = attempts::settle(&tx, cx, outcomes).await?;
        if settled.is_empty() {
            return Ok(Vec::new());
        }
        let refunds = refunds::live_of(&tx, cx, &settled).await?;
        let (approved, refused): (Vec<&Attempt>, Vec<&Attempt>) =
            settled.iter().partition(|attempt| attempt.status == AttemptStatus::Approved);
        self.approved(&tx, cx, &approved, &refunds).await?;
        self.refused(&tx, cx, &refused, &refunds).await?;
        crash::point("payment.charge.before_commit");
        tx.commit().await?;
        crash::point("payment.charge.after_commit");
        Ok(settled.into_iter().map(|attempt| attempt.id).collect())
    }

    async fn approved(&self, tx: &Tx, cx: &Context, attempts: &[&Attempt], refunds: &[Refund]) -> Result<()> {
        if attempts.is_empty() {
            return Ok(());
        }
        let is_given_up = |attempt: &Attempt| refunds.iter().any(|refund| refund.attempt_id == attempt.id);
        let booked = |attempt, entry| Booked { entry_id: self.platform.ids.uuid(), attempt, entry };
        let mut entries = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            entries.push(booked(*attempt, Entry::CHARGE));
            if attempt.purpose == Purpose::Manual && !is_given_up(attempt) {
                // Nobody else gives anything for it that could be waited for.
                entries.push(booked(*attempt, Entry::revenue(attempt.purpose)));
            }
        }
        journal::book_all(tx, cx, &entries, &[]).await?;
        let events: Vec<PaymentApproved> = attempts.iter().map(|attempt| PaymentApproved::from(*attempt)).collect();
        outbox::stage_all(tx, cx, &events).await?;
        for refund in refunds {
            if let Some(attempt) = attempts.iter().find(|attempt| attempt.id == refund.attempt_id) {
                // Somebody gave up while the charge was under way.
                self.start_refund(tx, cx, attempt, refund).await?;
            }
        }
        let summary = |attempt: &&Attempt| {
            let text = format!("Card charged: {} for {} ({})", attempt.amount, what_for(attempt), attempt.id);
            (attempt.customer_id.clone(), text)
        };
        let notes: Vec<_> = attempts.iter().map(summary).collect();
        self.customers.note_all(tx, cx, Direction::Internal, &notes).await
    }

    async fn refused(&self, tx: &Tx, cx: &Context, attempts: &[&Attempt], refunds: &[Refund]) -> Result<()> {
        if attempts.is_empty() {
            return Ok(());
        }
        for refund in refunds {
            if attempts.iter().any(|attempt| attempt.id == refund.attempt_id) {
                refunds::settle(tx, cx, &refund.id, RefundStatus::Failed, None, Some("nothing was charged")).await?;
            }
        }
        let events: Vec<PaymentDeclined> = attempts.iter().map(|attempt| PaymentDeclined::from(*attempt)).collect();
        outbox::stage_all(tx, cx, &events).await?;
        let summary = |(attempt, declined): (&&Attempt, &PaymentDeclined)| {
            let (amount, what, code) = (attempt.amount, what_for(attempt), &declined.decline_code);
            let text = format!("Card not charged: {amount} for {what} ({}): {code}", attempt.id);
            (attempt.customer_id.clone(), text)
        };
        let notes: Vec<_> = attempts.iter().zip(&events).map(summary).collect();
        self.customers.note_all(tx, cx, Direction::Internal, &notes).await
    }

    /// Books one entry of the journal over the attempt's amount.
    pub(super) async fn book(&self, tx: &Tx, cx: &Context, attempt: &Attempt, entry: Entry) -> Result<()> {
        journal::book(tx, cx, self.platform.ids.uuid(), attempt, entry).await
    }
}

/// `activation of SUB-0001`.
fn what_for(attempt: &Attempt) -> String {
    format!("{} of {}", attempt.purpose.as_str(), attempt.subject_id)
}
