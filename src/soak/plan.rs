//! A customer's whole year, drawn beforehand from the seed and the customer's number alone: what happens on which day, and
//! how it must end. So it does not matter who comes first, or how often the server dies in between.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::catalog::{Catalog, Gives};
use super::model::{Customer, Line, Reason};
use super::promotion;
use super::step::{Card, Hold, Outcome, Step, Use};

/// One customer's year.
#[derive(Debug, Clone)]
pub struct Year {
    /// By day; days without any are left out.
    pub days: BTreeMap<u32, Vec<Planned>>,
    /// As they are at the end.
    pub customer: Customer,
}

/// A step and how it must end.
#[derive(Debug, Clone)]
pub struct Planned {
    pub step: Step,
    pub expected: Outcome,
}

/// The first day of every run.
pub fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, 15).unwrap_or_default() + Days::new(day.into())
}

/// Which day of a run it is.
pub fn number(date: NaiveDate) -> u32 {
    u32::try_from((date - self::date(0)).num_days()).unwrap_or(0)
}

/// Draws a year of `days` days.
pub fn draw(seed: u64, index: u32, days: u32, catalog: &Catalog) -> Year {
    let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(index.into()));
    let mut dice = Dice { random, catalog };
    let joins = dice.random.random_range(0..=days / 2);
    let mut year = Year { days: BTreeMap::new(), customer: Customer::default() };
    for day in joins..=days {
        year.customer.dawn(date(day), catalog);
        for step in dice.steps(&year.customer, day == joins) {
            let expected = year.customer.act(date(day), &step, catalog);
            year.days.entry(day).or_default().push(Planned { step, expected });
        }
        year.customer.dusk(date(day), catalog);
    }
    year
}

struct Dice<'a> {
    random: StdRng,
    catalog: &'a Catalog,
}

impl Dice<'_> {
    /// True so many times in a thousand.
    fn thousandths(&mut self, times: u32) -> bool {
        self.random.random_ratio(times, 1_000)
    }

    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.random_range(0..from.len())]
    }

    /// What the customer does today. Looked at before the first of the steps is taken; so some of them are refused, as they
    /// are in life.
    fn steps(&mut self, customer: &Customer, first_day: bool) -> Vec<Step> {
        let Some(line) = customer.line() else { return self.without_a_line(customer, first_day) };
        let mut steps = Vec::new();
        if self.thousandths(4) {
            steps.push(Step::ReplaceCard { card: Card::Declines });
        } else if self.thousandths(2) {
            steps.push(Step::ReplaceCard { card: Card::Good });
        }
        self.ways_back(line, &mut steps);
        self.wishes(line, &mut steps);
        let attempts = if line.is_active() { 300 } else { 30 };
        while self.thousandths(attempts) {
            steps.push(self.usage(line));
        }
        if self.thousandths(1) && self.thousandths(800) {
            steps.push(Step::Terminate { by_order: self.thousandths(500) });
        }
        steps
    }

    fn without_a_line(&mut self, customer: &Customer, first_day: bool) -> Vec<Step> {
        if !first_day && !self.thousandths(60) {
            return Vec::new();
        }
        let mut steps = Vec::new();
        let card = match self.random.random_range(0..100) {
            0..5 => Card::Declines,
            5 => Card::Flaky,
            6 => Card::Silent,
            _ => Card::Good,
        };
        if !first_day && !customer.card.pays() {
            steps.push(Step::ReplaceCard { card: Card::Good });
        }
        let plan = self.plan();
        if self.thousandths(150) {
            steps.push(Step::CallOff { plan, card });
            return steps;
        }
        let code = self.code();
        steps.push(Step::Join { plan, card, code, chosen: self.thousandths(200) });
        steps
    }

    /// What half of them type: mostly a code that there is.
    fn code(&mut self) -> Option<String> {
        match self.random.random_range(0..100) {
            0..25 => promotion::THREE.code.map(str::to_owned),
            25..30 => promotion::THREE.code.map(|code| format!(" {} ", code.to_ascii_lowercase())),
            30..40 => promotion::ALWAYS.code.map(str::to_owned),
            40..50 => Some(promotion::MISTYPED.to_owned()),
            _ => None,
        }
    }

    /// What people do about a line that is blocked.
    fn ways_back(&mut self, line: &Line, steps: &mut Vec<Step>) {
        if line.is_blocked_for(Reason::Payment) && self.thousandths(200) {
            if self.thousandths(800) {
                steps.push(Step::ReplaceCard { card: Card::Good });
            }
            steps.push(Step::Renew);
        }
        if line.is_blocked_for(Reason::Exhausted) && self.thousandths(500) {
            steps.push(self.top_up("data"));
        }
        for (hold, reason) in [(Hold::Requested, Reason::Requested), (Hold::Fraud, Reason::Fraud)] {
            // Now and then somebody lifts what is not there.
            let times = if line.is_blocked_for(reason) { 150 } else { 1 };
            if self.thousandths(times) {
                steps.push(Step::Unblock { hold });
            }
        }
    }

    /// What people want of a line, whatever its state.
    fn wishes(&mut self, line: &Line, steps: &mut Vec<Step>) {
        if self.thousandths(3) {
            steps.push(self.top_up("data"));
        }
        if self.thousandths(4) {
            steps.push(self.top_up("data_roaming"));
        }
        if self.thousandths(if line.booked.is_some() { 2 } else { 8 }) {
            steps.push(Step::ChangePlan { to: self.plan(), by_order: self.thousandths(500) });
        }
        if self.thousandths(if line.booked.is_some() { 30 } else { 1 }) {
            steps.push(Step::CancelChange);
        }
        if self.thousandths(2) {
            steps.push(Step::Renew);
        }
        if self.thousandths(3) {
            steps.push(Step::Block { hold: Hold::Requested });
        }
        if self.thousandths(1) {
            steps.push(Step::Block { hold: Hold::Fraud });
        }
    }

    fn plan(&mut self) -> String {
        let at = self.random.random_range(0..self.catalog.plans.len());
        self.catalog.plans[at].id.clone()
    }

    fn top_up(&mut self, allowance: &str) -> Step {
        let sold: Vec<&str> =
            self.catalog.top_ups.iter().filter(|one| one.allowance == allowance).map(|one| &*one.id).collect();
        let top_up = if sold.is_empty() { "VAS_NONE" } else { self.one_of(&sold) };
        Step::TopUp { top_up: top_up.to_owned() }
    }

    fn usage(&mut self, line: &Line) -> Step {
        let what = self.one_of(&[Use::Data, Use::Data, Use::Data, Use::Data, Use::Voice, Use::Sms, Use::Roaming]);
        let granted = self.catalog.plan(&line.plan).grants.get(what.allowance()).copied().flatten();
        let topped_up = self.catalog.top_ups.iter().find_map(|top_up| match top_up.gives {
            Gives::Quantity(quantity) if top_up.allowance == what.allowance() => Some(quantity),
            Gives::Quantity(_) | Gives::Pass { .. } => None,
        });
        // So much that many a period ends before its time.
        let most = granted.unwrap_or(60).max(topped_up.unwrap_or(0)) / 3;
        Step::Use { what, quantity: self.random.random_range(1..=most.max(2)) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::soak::catalog::tests::catalog;

    #[test]
    fn a_year_follows_from_the_seed_and_the_number_alone() {
        let catalog = catalog();
        let account = |seed, index| draw(seed, index, 200, &catalog).customer.account();
        assert_eq!(account(1, 7), account(1, 7));
        assert_ne!(account(1, 7), account(1, 8));
        assert_ne!(account(1, 7), account(2, 7));
    }

    #[test]
    fn everything_happens_and_is_refused_at_times() {
        let catalog = catalog();
        let years: Vec<Year> = (0..300).map(|index| draw(3, index, 365, &catalog)).collect();
        let planned = || years.iter().flat_map(|year| year.days.values().flatten());
        let kinds: BTreeSet<&str> = planned().map(|planned| planned.step.name()).collect();
        assert_eq!(kinds.len(), 13, "{kinds:?}");
        let rules: BTreeSet<&Outcome> = planned().map(|planned| &planned.expected).collect();
        assert!(rules.len() >= 9, "{rules:?}");
    }
}
