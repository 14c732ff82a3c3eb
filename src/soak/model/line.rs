//! One line: its periods, its quota, what blocks it, and what is to change with a coming period.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::network::Network;
use super::period::Counting;
use super::quota::Quota;
use super::{APPROVED, DECLINED, Reason, charge, noon};
use crate::soak::account::{Charge, LineAccount, PeriodAccount};
use crate::soak::catalog::{Catalog, Plan, Price, decimal};
use crate::soak::promotion::{Off, Promotion};
use crate::soak::step::{Card, Hold, Outcome, Use};

/// The allowance whose end blocks a line.
const DATA: &str = "data";

/// A line that is or was in service.
#[derive(Debug, Clone)]
pub struct Line {
    pub plan: String,
    pub reasons: BTreeSet<Reason>,
    pub terminated: Option<NaiveDate>,
    pub booked: Option<Booked>,
    price: Price,
    /// What is taken off, and for how many more charges; None: all.
    off: Option<(Off, Option<u32>)>,
    moved: Option<Moved>,
    /// The moves that the line was told of.
    told: BTreeSet<String>,
    counting: Counting,
    index: i64,
    start: NaiveDate,
    pub(super) end: NaiveDate,
    quota: BTreeMap<String, Quota>,
    periods: Vec<PeriodAccount>,
    network: Network,
    /// What its customer was told about it: how often each.
    messages: BTreeMap<&'static str, u32>,
}

/// A plan that begins with a coming period.
#[derive(Debug, Clone)]
pub struct Booked {
    plan: String,
    price: Price,
    from: NaiveDate,
}

/// A price that the line pays from a coming period on.
#[derive(Debug, Clone)]
struct Moved {
    price: Price,
    from: NaiveDate,
}

impl Line {
    pub(super) fn begun(today: NaiveDate, plan: &Plan, price: Price, promotion: Option<Promotion>) -> Self {
        let counting = Counting::anchored(plan.counted, today);
        let mut line = Self {
            plan: plan.id.clone(),
            reasons: BTreeSet::new(),
            terminated: None,
            booked: None,
            price,
            off: promotion.map(|promotion| (promotion.off, promotion.periods)),
            moved: None,
            told: BTreeSet::new(),
            counting,
            index: 0,
            start: today,
            end: today,
            quota: BTreeMap::new(),
            periods: Vec::new(),
            network: Network::begun(&plan.id),
            messages: BTreeMap::new(),
        };
        line.tell("activation");
        let amount = line.reduced(line.price.amount);
        line.enter(today, counting.after(today), counting, plan, today, amount);
        line
    }

    pub(super) fn tell(&mut self, template: &'static str) {
        *self.messages.entry(template).or_default() += 1;
    }

    /// What happened to the line until now.
    pub(super) fn tell_network(&mut self, today: NaiveDate, catalog: &Catalog) {
        self.network.follow(&self.reasons, &self.plan, self.terminated.is_some(), catalog.outage(today));
    }

    /// Blocks the line, and says why: that a renewal was declined is said already.
    fn hold(&mut self, reason: Reason) {
        if self.reasons.insert(reason) && reason != Reason::Payment {
            self.tell("blocked");
        }
    }

    /// What a charge comes to whose full price this is.
    fn reduced(&self, full: i64) -> i64 {
        match self.off {
            Some((off, left)) if left != Some(0) => off.price(full),
            _ => full,
        }
    }

    pub fn is_active(&self) -> bool {
        self.terminated.is_none() && self.reasons.is_empty()
    }

    pub fn is_blocked_for(&self, reason: Reason) -> bool {
        self.reasons.contains(&reason)
    }

    /// Charges for the next period, and begins it when that is paid.
    pub(super) fn renew(&mut self, today: NaiveDate, card: Card, catalog: &Catalog) -> Charge {
        let unpaid = self.is_blocked_for(Reason::Payment);
        let early = today < self.end;
        let owed_at = match (unpaid, early) {
            (true, _) => today.min(self.end),
            (false, true) => today,
            (false, false) => self.counting.latest(self.end, today),
        };
        let pivot = self.booked.clone().filter(|booked| booked.from <= owed_at);
        let moved = self.moved.clone().filter(|moved| moved.from <= owed_at);
        let price = match (&pivot, moved) {
            (Some(pivot), _) => pivot.price.clone(),
            (None, Some(moved)) => moved.price,
            (None, None) => self.price.clone(),
        };
        let amount = if pivot.is_some() { price.amount } else { self.reduced(price.amount) };
        let charge = charge(today, "renewal", amount, card);
        if charge.status == DECLINED {
            self.tell("renewal_failed");
            // What is paid for goes on.
            if !early {
                self.hold(Reason::Payment);
            }
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
            self.moved = None;
            self.off = None;
            self.plan = plan.id.clone();
            self.tell("plan_change");
        }
        self.moved.take_if(|moved| moved.price == price);
        self.price = price;
        self.reasons.remove(&Reason::Exhausted);
        self.reasons.remove(&Reason::Payment);
        self.enter(start, end, counting, plan, today, amount);
        self.tell("renewal_receipt");
        charge
    }

    fn enter(
        &mut self,
        start: NaiveDate,
        end: NaiveDate,
        counting: Counting,
        plan: &Plan,
        today: NaiveDate,
        paid: i64,
    ) {
        if let Some((_, Some(left))) = &mut self.off {
            *left = left.saturating_sub(1);
        }
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
            amount: decimal(paid),
        });
    }

    /// Tells the line of the move of its plan that is open, unless it pays that price, is to, or was told before.
    pub(super) fn hear(&mut self, today: NaiveDate, catalog: &Catalog) {
        let open = catalog.last_move(catalog.plan(&self.plan), today).filter(|last| today < last.over());
        let Some(open) = open else { return };
        let coming = self.moved.as_ref().map_or(&self.price, |moved| &moved.price);
        if coming.id.as_ref() == Some(&open.price_id) || !self.told.insert(open.price_id.clone()) {
            return;
        }
        let price = Price { id: Some(open.price_id.clone()), amount: open.price };
        self.moved = Some(Moved { price, from: open.reaches(today) });
        self.tell("price_change");
    }

    pub(super) fn end_passes(&mut self, today: NaiveDate) {
        let mut data_pass_ended = false;
        for (allowance, quota) in &mut self.quota {
            let ended = quota.end_pass(today);
            data_pass_ended |= ended && allowance == DATA;
        }
        if data_pass_ended && !self.has_data() {
            self.hold(Reason::Exhausted);
        }
    }

    fn has_data(&self) -> bool {
        self.quota.get(DATA).is_some_and(Quota::gives)
    }

    pub(super) fn consume(&mut self, what: Use, quantity: i64) -> Outcome {
        if !self.is_active() {
            return Outcome::refused("usage.record.subscription_must_be_active");
        }
        let quota = self.quota.get_mut(what.allowance());
        let Some(is_low) = quota.and_then(|quota| quota.consume(quantity)) else {
            return Outcome::refused(match what {
                Use::Roaming => "subscription.usage_rated.roaming_balance_required",
                Use::Data | Use::Voice | Use::Sms => "usage.allowance_exhausted",
            });
        };
        if is_low {
            self.tell("low_balance");
        }
        if what == Use::Data && !self.has_data() {
            self.hold(Reason::Exhausted);
        }
        Outcome::Done
    }

    pub(super) fn top_up(
        &mut self,
        today: NaiveDate,
        id: &str,
        card: Card,
        catalog: &Catalog,
    ) -> Result<Charge, &'static str> {
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
            *self.messages.entry("top_up_receipt").or_default() += 1;
            if self.has_data() {
                self.reasons.remove(&Reason::Exhausted);
            }
        }
        Ok(charge)
    }

    pub(super) fn block(&mut self, hold: Hold) -> Outcome {
        if self.terminated.is_some() {
            return Outcome::refused("subscription.block.invalid_state");
        }
        self.hold(hold.into());
        Outcome::Done
    }

    pub(super) fn unblock(&mut self, hold: Hold) -> Outcome {
        if self.reasons.remove(&hold.into()) {
            Outcome::Done
        } else {
            Outcome::refused("subscription.unblock.nothing_to_lift")
        }
    }

    pub(super) fn book(&mut self, to: &Plan, catalog: &Catalog, today: NaiveDate) -> Outcome {
        if !self.is_active() {
            return Outcome::refused("subscription.plan_change.not_eligible_state");
        }
        if self.plan == to.id {
            return Outcome::refused("subscription.plan_change.same_offering");
        }
        if self.booked.is_some() {
            return Outcome::refused("subscription.plan_change.already_pending");
        }
        self.booked = Some(Booked { plan: to.id.clone(), price: catalog.price(to, today), from: self.end });
        Outcome::Done
    }

    pub(super) fn terminate(&mut self, today: NaiveDate) -> Outcome {
        if self.terminated.is_some() {
            return Outcome::refused("subscription.terminate.invalid_state");
        }
        self.terminated = Some(today);
        self.tell("termination");
        self.reasons.clear();
        self.booked = None;
        self.moved = None;
        self.quota.values_mut().for_each(Quota::end);
        Outcome::Done
    }

    pub(super) fn account(&self) -> LineAccount {
        let state = match (self.terminated, self.reasons.is_empty()) {
            (Some(_), _) => "terminated",
            (None, true) => "active",
            (None, false) => "blocked",
        };
        LineAccount {
            state: state.to_owned(),
            block_reasons: self.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
            plan: self.plan.clone(),
            price: decimal(self.price.amount),
            period_start: noon(self.start),
            period_end: noon(self.end),
            terminated_at: self.terminated.map(noon),
            // A plan change is shown before a new price, which is shown as one to the same plan.
            pending_plan: self
                .booked
                .as_ref()
                .map(|booked| &booked.plan)
                .or(self.moved.as_ref().map(|_| &self.plan))
                .cloned(),
            pending_from: self
                .booked
                .as_ref()
                .map(|booked| booked.from)
                .or(self.moved.as_ref().map(|moved| moved.from))
                .map(noon),
            quota: self.quota.iter().map(|(allowance, quota)| (allowance.clone(), quota.account())).collect(),
            periods: self.periods.clone(),
            network: self.network.account(),
            told: self.messages.iter().map(|(template, times)| ((*template).to_owned(), *times)).collect(),
        }
    }
}
