//! What must come of a customer, written from the rules as they are published and from nothing of the product. Pure.
//!
//! A run stops the product clock at noon of each day, so every instant is a date here. The rules in short:
//!
//! - A period is paid before it begins. One that is due begins where the last one ended; whole periods that were missed are
//!   not charged for. Before its time it begins at once and ends one period after the end of the current one. After a
//!   declined renewal it begins when it is paid, whole.
//! - A line is blocked for data used up, for a declined renewal, on request, for fraud, and stays so until the last reason
//!   is lifted: a top-up lifts the first when there is data again, a paid renewal the first two, a person the others.
//! - A line that is blocked for anything but used-up data is not renewed by itself.
//! - A plan change begins with the first period that is owed at its date or later, at the price of the day it was booked;
//!   a renewal before its time moves it to the next boundary.
//! - What is left of an allowance ends with the period, top-ups too; a pass runs for its days, over the boundary.

mod period;
mod quota;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::account::{Account, Charge, LineAccount, PeriodAccount};
use super::catalog::{Catalog, Plan, decimal};
use super::step::{Card, Hold, Outcome, Step, Use};
use period::Counting;
use quota::Quota;

/// Why a line is out of service; in the order in which the product lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Exhausted,
    Payment,
    Requested,
    Fraud,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Payment => "payment",
            Self::Requested => "requested",
            Self::Fraud => "fraud",
        }
    }
}

impl From<Hold> for Reason {
    fn from(hold: Hold) -> Self {
        match hold {
            Hold::Requested => Self::Requested,
            Hold::Fraud => Self::Fraud,
        }
    }
}

/// A customer with their lines.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    pub card: Card,
    /// Oldest first; only the last may be alive.
    pub lines: Vec<Line>,
    charges: Vec<Charge>,
}

/// A line that is or was in service.
#[derive(Debug, Clone)]
pub struct Line {
    pub plan: String,
    pub reasons: BTreeSet<Reason>,
    pub terminated: Option<NaiveDate>,
    pub booked: Option<Booked>,
    price: i64,
    counting: Counting,
    index: i64,
    start: NaiveDate,
    end: NaiveDate,
    quota: BTreeMap<String, Quota>,
    periods: Vec<PeriodAccount>,
}

/// A plan that begins with a coming period.
#[derive(Debug, Clone)]
pub struct Booked {
    plan: String,
    price: i64,
    from: NaiveDate,
}

impl Customer {
    /// The line that is not terminated.
    pub fn line(&self) -> Option<&Line> {
        self.lines.last().filter(|line| line.terminated.is_none())
    }

    /// What happens by itself when `today` begins: what is due is renewed, passes end.
    pub fn dawn(&mut self, today: NaiveDate, catalog: &Catalog) {
        let card = self.card;
        let Some(line) = self.lines.last_mut().filter(|line| line.terminated.is_none()) else { return };
        if line.end <= today && line.reasons.iter().all(|reason| *reason == Reason::Exhausted) {
            self.charges.push(line.renew(today, card, catalog));
        }
        line.end_passes(today);
    }

    /// What comes of a step.
    pub fn act(&mut self, today: NaiveDate, step: &Step, catalog: &Catalog) -> Outcome {
        match step {
            Step::Join { plan, card } => {
                if self.charges.is_empty() {
                    self.card = *card;
                }
                return self.join(today, catalog.plan(plan));
            }
            Step::ReplaceCard { card } => {
                self.card = *card;
                return Outcome::Done;
            }
            _ => {}
        }
        let card = self.card;
        let Some(line) = self.lines.last_mut() else { return Outcome::refused("there is no line") };
        match step {
            Step::Use { what, quantity } => line.consume(*what, *quantity),
            Step::TopUp { top_up } => match line.top_up(today, top_up, card, catalog) {
                Ok(charge) => {
                    let declined = charge.status == DECLINED;
                    self.charges.push(charge);
                    if declined {
                        Outcome::refused("subscription.vas_purchase.requires_active_cof")
                    } else {
                        Outcome::Done
                    }
                }
                Err(rule) => Outcome::refused(rule),
            },
            Step::Renew => match line.terminated {
                Some(_) => Outcome::refused("subscription.renew.only_if_active_or_blocked"),
                None => {
                    self.charges.push(line.renew(today, card, catalog));
                    Outcome::Done
                }
            },
            Step::Block { hold } => line.block(*hold),
            Step::Unblock { hold } => line.unblock(*hold),
            Step::ChangePlan { to, .. } => line.book(catalog.plan(to)),
            Step::CancelChange => {
                line.booked = None;
                Outcome::Done
            }
            Step::Terminate { .. } => line.terminate(today),
            Step::Join { .. } | Step::ReplaceCard { .. } => Outcome::Done,
        }
    }

    fn join(&mut self, today: NaiveDate, plan: &Plan) -> Outcome {
        self.charges.push(charge(today, "activation", plan.price, self.card));
        if !self.card.pays() {
            return Outcome::refused("the order failed");
        }
        self.lines.push(Line::begun(today, plan));
        Outcome::Done
    }

    /// As it is to be compared.
    pub fn account(&self) -> Account {
        let mut charges = self.charges.clone();
        charges.sort();
        Account { charges, lines: self.lines.iter().map(Line::account).collect() }
    }
}

const APPROVED: &str = "approved";
const DECLINED: &str = "declined";

fn charge(today: NaiveDate, purpose: &str, amount: i64, card: Card) -> Charge {
    let status = if card.pays() { APPROVED } else { DECLINED };
    Charge { at: noon(today), purpose: purpose.to_owned(), amount: decimal(amount), status: status.to_owned() }
}

/// The instant at which the day is lived.
pub fn noon(day: NaiveDate) -> String {
    format!("{day}T12:00:00Z")
}

impl Line {
    fn begun(today: NaiveDate, plan: &Plan) -> Self {
        let counting = Counting::anchored(plan.counted, today);
        let mut line = Self {
            plan: plan.id.clone(),
            reasons: BTreeSet::new(),
            terminated: None,
            booked: None,
            price: plan.price,
            counting,
            index: 0,
            start: today,
            end: today,
            quota: BTreeMap::new(),
            periods: Vec::new(),
        };
        line.enter(today, counting.after(today), counting, plan, today);
        line
    }

    pub fn is_active(&self) -> bool {
        self.terminated.is_none() && self.reasons.is_empty()
    }

    pub fn is_blocked_for(&self, reason: Reason) -> bool {
        self.reasons.contains(&reason)
    }

    /// Charges for the next period, and begins it when that is paid.
    fn renew(&mut self, today: NaiveDate, card: Card, catalog: &Catalog) -> Charge {
        let unpaid = self.is_blocked_for(Reason::Payment);
        let early = today < self.end;
        let owed_at = match (unpaid, early) {
            (true, _) => today.min(self.end),
            (false, true) => today,
            (false, false) => self.counting.latest(self.end, today),
        };
        let pivot = self.booked.clone().filter(|booked| booked.from <= owed_at);
        let price = pivot.as_ref().map_or(self.price, |pivot| pivot.price);
        let charge = charge(today, "renewal", price, card);
        if charge.status == DECLINED {
            self.reasons.insert(Reason::Payment);
            return charge;
        }
        let plan = pivot.as_ref().map_or(&self.plan, |pivot| &pivot.plan);
        let plan = catalog.plan(plan);
        // A line that stays on its plan goes on counting as it was sold.
        let counted = if pivot.is_some() { plan.counted } else { self.counting.counted() };
        let (start, end, counting) = if early {
            let counting = self.counting.carried_to(counted, self.end);
            (today, counting.after(self.end), counting)
        } else if unpaid {
            let counting = Counting::anchored(counted, today);
            (today, counting.after(today), counting)
        } else {
            let boundary = self.counting.latest(self.end, today);
            let counting = self.counting.carried_to(counted, boundary);
            let start = counting.latest(boundary, today);
            (start, counting.after(start), counting)
        };
        if pivot.is_some() {
            self.booked = None;
            self.plan = plan.id.clone();
        }
        self.price = price;
        self.reasons.remove(&Reason::Exhausted);
        self.reasons.remove(&Reason::Payment);
        self.enter(start, end, counting, plan, today);
        charge
    }

    fn enter(&mut self, start: NaiveDate, end: NaiveDate, counting: Counting, plan: &Plan, today: NaiveDate) {
        (self.start, self.end, self.counting) = (start, end, counting);
        self.index += 1;
        if let Some(booked) = &mut self.booked {
            booked.from = end;
        }
        for quota in self.quota.values_mut() {
            quota.begin(None, today);
        }
        for (allowance, grant) in &plan.grants {
            self.quota.entry(allowance.clone()).or_default().begin(Some(*grant), today);
        }
        self.periods.push(PeriodAccount {
            index: self.index,
            start: noon(start),
            end: noon(end),
            plan: self.plan.clone(),
            amount: decimal(self.price),
        });
    }

    fn end_passes(&mut self, today: NaiveDate) {
        let mut data_pass_ended = false;
        for (allowance, quota) in &mut self.quota {
            let ended = quota.end_pass(today);
            data_pass_ended |= ended && allowance == DATA;
        }
        if data_pass_ended && !self.has_data() {
            self.reasons.insert(Reason::Exhausted);
        }
    }

    fn has_data(&self) -> bool {
        self.quota.get(DATA).is_some_and(Quota::gives)
    }

    fn consume(&mut self, what: Use, quantity: i64) -> Outcome {
        if !self.is_active() {
            return Outcome::refused("usage.record.subscription_must_be_active");
        }
        let served = self.quota.get_mut(what.allowance()).is_some_and(|quota| quota.consume(quantity));
        if !served {
            return Outcome::refused(match what {
                Use::Roaming => "subscription.usage_rated.roaming_balance_required",
                Use::Data | Use::Voice | Use::Sms => "usage.allowance_exhausted",
            });
        }
        if what == Use::Data && !self.has_data() {
            self.reasons.insert(Reason::Exhausted);
        }
        Outcome::Done
    }

    fn top_up(&mut self, today: NaiveDate, id: &str, card: Card, catalog: &Catalog) -> Result<Charge, &'static str> {
        if self.terminated.is_some() {
            return Err("subscription.vas_purchase.not_if_terminated");
        }
        let Some(top_up) = catalog.top_up(id) else { return Err("subscription.vas_purchase.vas_offering_sellable") };
        let quota = self.quota.entry(top_up.allowance.clone()).or_default();
        if quota.is_unlimited() {
            return Err("subscription.vas_purchase.already_unlimited");
        }
        let charge = charge(today, "vas", top_up.price, card);
        if charge.status == APPROVED {
            quota.add(top_up.gives, today);
            if self.has_data() {
                self.reasons.remove(&Reason::Exhausted);
            }
        }
        Ok(charge)
    }

    fn block(&mut self, hold: Hold) -> Outcome {
        if self.terminated.is_some() {
            return Outcome::refused("subscription.block.invalid_state");
        }
        self.reasons.insert(hold.into());
        Outcome::Done
    }

    fn unblock(&mut self, hold: Hold) -> Outcome {
        if self.reasons.remove(&hold.into()) {
            Outcome::Done
        } else {
            Outcome::refused("subscription.unblock.nothing_to_lift")
        }
    }

    fn book(&mut self, to: &Plan) -> Outcome {
        if !self.is_active() {
            return Outcome::refused("subscription.plan_change.not_eligible_state");
        }
        if self.plan == to.id {
            return Outcome::refused("subscription.plan_change.same_offering");
        }
        if self.booked.is_some() {
            return Outcome::refused("subscription.plan_change.already_pending");
        }
        self.booked = Some(Booked { plan: to.id.clone(), price: to.price, from: self.end });
        Outcome::Done
    }

    fn terminate(&mut self, today: NaiveDate) -> Outcome {
        if self.terminated.is_some() {
            return Outcome::refused("subscription.terminate.invalid_state");
        }
        self.terminated = Some(today);
        self.reasons.clear();
        self.booked = None;
        self.quota.values_mut().for_each(Quota::end);
        Outcome::Done
    }

    fn account(&self) -> LineAccount {
        let state = match (self.terminated, self.reasons.is_empty()) {
            (Some(_), _) => "terminated",
            (None, true) => "active",
            (None, false) => "blocked",
        };
        LineAccount {
            state: state.to_owned(),
            block_reasons: self.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
            plan: self.plan.clone(),
            price: decimal(self.price),
            period_start: noon(self.start),
            period_end: noon(self.end),
            terminated_at: self.terminated.map(noon),
            pending_plan: self.booked.as_ref().map(|booked| booked.plan.clone()),
            pending_from: self.booked.as_ref().map(|booked| noon(booked.from)),
            quota: self.quota.iter().map(|(allowance, quota)| (allowance.clone(), quota.account())).collect(),
            periods: self.periods.clone(),
        }
    }
}

/// The allowance whose end blocks a line.
const DATA: &str = "data";

#[cfg(test)]
mod tests;
