//! Paid renewals: the next period begins. One line or the hundred of a step of a sweep, it is the same work: each line is
//! decided by itself, in memory, and all of them are written by one statement per table.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::Service;
use super::activate::charged;
use super::events::{PriceSnapshot, SubscriptionRenewed};
use super::ledger::{Grant, Ledger};
use super::model::{Entered, Line};
use super::port::{PlanChanged, PriceMigrated, SubscriptionId};
use super::state::{Change, State};
use super::store;
use super::store::change::{Ended, Kind};
use super::store::contract::Kept;
use super::store::period::PaidPeriod;
use super::terms::{Pivot, Terms};
use crate::domains::catalog::port::AllowanceView;
use crate::domains::crm::port::Direction;
use crate::domains::payment::port::{AttemptId, PaymentApproved};
use crate::platform::config::Profile;
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::outbox;

/// A line that has entered the period that was paid.
#[derive(Debug)]
struct Renewal {
    before: Line,
    line: Line,
    change: Change,
    entered: Entered,
    terms: Terms,
    ledger: Ledger,
    /// Grants that ended before the new period began.
    ended: Vec<Grant>,
    paid: Money,
    attempt_id: AttemptId,
}

/// What is known of a paid period before it begins.
#[derive(Debug)]
struct Due {
    line: Line,
    ledger: Ledger,
    /// What was charged for; None for a charge from before that was kept.
    kept: Option<Kept>,
    allowances: Vec<AllowanceView>,
    paid: PaymentApproved,
}

impl Due {
    /// What is left of the old period expires, the plan grants afresh, and what the line was blocked for because of quota
    /// or payment is lifted.
    fn begin(self, now: DateTime<Utc>, zone: Tz) -> Result<Renewal> {
        let Self { mut line, mut ledger, kept, allowances, paid } = self;
        let amount = charged(&paid)?;
        let (terms, plan) = kept.unwrap_or_else(|| (line.next_terms(now, zone), None));
        let before = line.clone();
        let plan = plan.unwrap_or(line.period_kind.plan());
        let (change, entered) = line.renew(ledger.period, &terms, plan, now, zone)?;
        let ended = ledger.expire(now);
        ledger.renew(entered.index, entered.period, &allowances, now);
        Ok(Renewal { before, line, change, entered, terms, ledger, ended, paid: amount, attempt_id: paid.attempt_id })
    }
}

impl Renewal {
    fn contract_changed(&self) -> bool {
        self.terms.pivot.is_some() || self.line.pending_plan != self.before.pending_plan
    }

    const fn step(&mut self) -> store::Step<'_> {
        store::Step { line: &mut self.line, change: Some(self.change), note: None }
    }

    const fn period(&self) -> PaidPeriod<'_> {
        PaidPeriod { line: &self.line.id, entered: self.entered, paid: self.paid, attempt_id: &self.attempt_id }
    }

    fn summary(&self, profile: &Profile) -> String {
        let Self { line, entered, paid, .. } = self;
        format!("Line {} renewed for {paid}; the period ends {}", line.id, profile.day_of(entered.period.end))
    }
}

impl Service {
    /// The next periods of lines are paid. Their rows are locked in the order of their ids, before anything of payment is.
    pub(super) async fn renewals_paid(&self, tx: &Tx, cx: &Context, paid: Vec<PaymentApproved>) -> Result<()> {
        let mut waiting = paid;
        // One charge of each line at a time: its next one begins where this one ends.
        while !waiting.is_empty() {
            let mut now = BTreeMap::new();
            let mut later = Vec::new();
            for paid in waiting {
                let id = SubscriptionId::from(paid.subject_id.clone());
                match now.entry(id) {
                    std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(paid)),
                    std::collections::btree_map::Entry::Occupied(_) => later.push(paid),
                }
            }
            self.begin_periods(tx, cx, now).await?;
            waiting = later;
        }
        Ok(())
    }

    async fn begin_periods(
        &self,
        tx: &Tx,
        cx: &Context,
        paid: BTreeMap<SubscriptionId, PaymentApproved>,
    ) -> Result<()> {
        let mut lines = store::lock_all(tx, cx, paid.keys()).await?;
        let (mut due, mut late) = (Vec::with_capacity(paid.len()), Vec::new());
        for (id, paid) in paid {
            let line = lines.remove(&id).ok_or_else(|| Error::not_found("subscription", &id))?;
            let expected = line.renewal_attempt_id.as_ref() == Some(&paid.attempt_id);
            if expected && line.state != State::Terminated && line.period.is_some() {
                due.push((line, paid));
            } else if expected || !store::period::is_paid_by(tx, cx, &paid.attempt_id).await? {
                late.push((line, paid.attempt_id));
            }
        }
        if !due.is_empty() {
            let renewals = self.begun(tx, cx, due).await?;
            self.write_renewals(tx, cx, renewals).await?;
        }
        for (line, attempt_id) in late {
            self.renewal_too_late(tx, cx, line, &attempt_id).await?;
        }
        Ok(())
    }

    /// Reads what each line needs, and decides.
    async fn begun(&self, tx: &Tx, cx: &Context, due: Vec<(Line, PaymentApproved)>) -> Result<Vec<Renewal>> {
        let zone = self.platform.config.profile.time_zone;
        let lines: Vec<&Line> = due.iter().map(|(line, _)| line).collect();
        let periods: Vec<(&SubscriptionId, i32)> = lines.iter().map(|line| (&line.id, line.period_index + 1)).collect();
        let mut ledgers = store::quota::ledgers(tx, cx, &lines).await?;
        let mut kept = store::contract::of_periods(tx, cx, &periods).await?;
        let mut allowances = store::quota::offered_all(tx, cx, &periods).await?;
        let begin = |(line, paid): (Line, PaymentApproved)| {
            let ledger = ledgers.remove(&line.id);
            let ledger = ledger.ok_or_else(|| Error::Internal(format!("the line {} has no ledger", line.id)))?;
            let (kept, allowances) = (kept.remove(&line.id), allowances.remove(&line.id).unwrap_or_default());
            Due { line, ledger, kept, allowances, paid }.begin(cx.now, zone)
        };
        due.into_iter().map(begin).collect()
    }

    async fn write_renewals(&self, tx: &Tx, cx: &Context, mut renewals: Vec<Renewal>) -> Result<()> {
        store::save_all(tx, cx, renewals.iter_mut().map(Renewal::step).collect()).await?;
        for renewal in renewals.iter().filter(|renewal| renewal.contract_changed()) {
            store::contract::save(tx, cx, &renewal.line).await?;
        }
        let ledgers: Vec<_> = renewals.iter().map(|renewal| (&renewal.line.id, &renewal.ledger)).collect();
        store::quota::save_all(tx, cx, &ledgers).await?;
        let periods: Vec<PaidPeriod<'_>> = renewals.iter().map(Renewal::period).collect();
        store::period::insert(tx, cx, &periods).await?;
        let attempts: Vec<AttemptId> = renewals.iter().map(|renewal| renewal.attempt_id.clone()).collect();
        self.payments.recognise_all(tx, cx, &attempts).await?;
        let profile = &self.platform.config.profile;
        let note = |renewal: &Renewal| (renewal.line.customer_id.clone(), renewal.summary(profile));
        let notes: Vec<_> = renewals.iter().map(note).collect();
        self.customers.note_all(tx, cx, Direction::Internal, &notes).await?;
        let events: Vec<SubscriptionRenewed> = renewals.iter().map(renewed).collect();
        outbox::stage_all(tx, cx, &events).await?;
        for renewal in &renewals {
            for grant in &renewal.ended {
                self.tell_expired(tx, cx, &renewal.line, grant).await?;
            }
            self.tell_pivot(tx, cx, renewal).await?;
            self.tell_unblocked(tx, cx, &renewal.line, renewal.change, "renewed").await?;
        }
        Ok(())
    }

    /// Closes what was booked to begin with the period, and tells that it has begun.
    async fn tell_pivot(&self, tx: &Tx, cx: &Context, renewal: &Renewal) -> Result<()> {
        let Renewal { before, line, terms, entered, .. } = renewal;
        match &terms.pivot {
            None => Ok(()),
            Some(Pivot::PlanChange) => {
                store::change::end(tx, cx, &line.id, Kind::PlanChange, Ended::Applied, Some(entered.index)).await?;
                store::change::end(tx, cx, &line.id, Kind::PriceMigration, Ended::Dropped, None).await?;
                let summary = format!("Line {} is on {} now", line.id, line.offering_id);
                self.note(tx, cx, &line.customer_id, &summary).await?;
                outbox::stage(tx, cx, &plan_changed(before, line, *entered)).await.map(drop)
            }
            Some(Pivot::PriceMigration(migration)) => {
                store::change::migrated(tx, cx, &line.id, migration, entered.index).await?;
                let migrated = PriceMigrated {
                    subscription_id: line.id.clone(),
                    customer_id: line.customer_id.clone(),
                    migration_id: migration.clone(),
                    offering_id: line.offering_id.clone(),
                    previous_price_amount: before.price.decimal(),
                    new_price_amount: line.price.decimal(),
                    new_price_currency: line.price.currency.to_string(),
                    new_price_offering_price_id: line.price_id.clone(),
                    period_index: entered.index,
                    version: line.version,
                };
                outbox::stage(tx, cx, &migrated).await.map(drop)
            }
        }
    }
}

fn renewed(renewal: &Renewal) -> SubscriptionRenewed {
    let Renewal { line, entered, paid, attempt_id, .. } = renewal;
    SubscriptionRenewed {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        offering_id: line.offering_id.clone(),
        payment_attempt_id: attempt_id.clone(),
        period_index: entered.index,
        period_start: entered.period.start,
        period_end: entered.period.end,
        price_snapshot: PriceSnapshot {
            price_amount: line.price.decimal(),
            price_currency: line.price.currency.to_string(),
            price_offering_price_id: line.price_id.clone(),
        },
        amount_charged: paid.decimal(),
        discount_applied: *paid != line.price,
        version: line.version,
    }
}

fn plan_changed(before: &Line, line: &Line, entered: Entered) -> PlanChanged {
    PlanChanged {
        subscription_id: line.id.clone(),
        customer_id: line.customer_id.clone(),
        cfs_service_id: line.cfs_service_id.clone(),
        msisdn: line.msisdn.clone(),
        previous_offering_id: before.offering_id.clone(),
        new_offering_id: line.offering_id.clone(),
        new_price_amount: line.price.decimal(),
        new_price_currency: line.price.currency.to_string(),
        new_price_offering_price_id: line.price_id.clone(),
        discount_ended: before.discount.is_some() && before.discount_periods_remaining != 0,
        period_index: entered.index,
        period_start: entered.period.start,
        period_end: entered.period.end,
        version: line.version,
    }
}
