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
//! - A plan that is moved to a new price is sold at it from that day on. Its lines are told, each once, and pay it from the
//!   first period that is owed at the date of the move plus the notice, counted from the day on which they are told, or later.
//!   Until the notice of the first ones is over, a line that comes to the plan at another price is told as well. A later move
//!   of the plan takes the place of the former one. A plan change leaves a move behind.
//! - Of a new line a code takes off what its promotion says, for as many charges as it says: those that were paid count. A code
//!   that there is not takes nothing off; then what the customer was chosen for counts, once: an order that fails has not used
//!   it. A plan change ends what is taken off, a move does not.
//! - An order that is called off leaves nothing.
//! - What is left of an allowance ends with the period, top-ups too; a pass runs for its days, over the boundary.
//! - An order for a new line fails, and costs nothing, when the network does not do one of its tasks for good, or the operator
//!   gives it up. What happens to a line waits for no network; see [`network`].
//! - A customer is told, once each: that they are known; that a line is in service, and that it has ended; of each reason that
//!   blocks it, but a declined renewal has a message of its own, whether or not it blocks; of each top-up and each renewal that
//!   was paid; a day before a period is renewed by itself, that it will be; of each new price when it is decided; of another
//!   plan when it has begun; and once in a period, of each allowance of which a use leaves a fifth or less, and something.
//!   A reason that blocks it already is not told again. Nothing of this depends on who comes first, or on kills.

mod line;
mod network;
mod period;
mod quota;

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::account::{Account, Charge};
use super::catalog::{Catalog, Plan, Price, decimal};
use super::promotion::{self, CHOSEN};
use super::step::{Card, Hold, Outcome, Step};
pub use line::Line;

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

/// How a customer stands to the discount for chosen ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Chosen {
    #[default]
    Never,
    Open,
    Used,
}

/// A customer with their lines.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    pub card: Card,
    /// Oldest first; only the last may be alive.
    pub lines: Vec<Line>,
    /// Whether they have come, with the card of that day.
    is_known: bool,
    chosen: Chosen,
    charges: Vec<Charge>,
}

impl Customer {
    /// The line that is not terminated.
    pub fn line(&self) -> Option<&Line> {
        self.lines.last().filter(|line| line.terminated.is_none())
    }

    /// What happens by itself when `today` begins: what is due is renewed, what is due tomorrow is announced, passes end.
    pub fn dawn(&mut self, today: NaiveDate, catalog: &Catalog) {
        let card = self.card;
        let Some(line) = self.lines.last_mut().filter(|line| line.terminated.is_none()) else { return };
        let renews_by_itself = line.reasons.iter().all(|reason| *reason == Reason::Exhausted);
        if renews_by_itself && line.end <= today {
            self.charges.push(line.renew(today, card, catalog));
            line.tell_network(today, catalog);
        } else if renews_by_itself && line.end == today + Days::new(1) {
            line.tell("renewal_reminder");
        }
        line.end_passes(today);
        line.tell_network(today, catalog);
        // What is decided today is decided after that.
        line.hear(today, catalog);
    }

    /// What happens by itself when the day is over: who has come to another plan hears of its price.
    pub fn dusk(&mut self, today: NaiveDate, catalog: &Catalog) {
        if let Some(line) = self.lines.last_mut().filter(|line| line.terminated.is_none()) {
            line.hear(today, catalog);
        }
    }

    /// What comes of a step.
    pub fn act(&mut self, today: NaiveDate, step: &Step, catalog: &Catalog) -> Outcome {
        let outcome = self.take(today, step, catalog);
        if let Some(line) = self.lines.last_mut() {
            line.tell_network(today, catalog);
        }
        outcome
    }

    fn take(&mut self, today: NaiveDate, step: &Step, catalog: &Catalog) -> Outcome {
        match step {
            Step::Join { plan, card, code, chosen } => {
                self.come(*card);
                if *chosen && self.chosen == Chosen::Never {
                    self.chosen = Chosen::Open;
                }
                let plan = catalog.plan(plan);
                if catalog.outage(today).is_some_and(|outage| outage.fails_orders()) {
                    return Outcome::refused("the order failed");
                }
                return self.join(today, plan, catalog.price(plan, today), code.as_deref());
            }
            Step::CallOff { card, .. } => {
                self.come(*card);
                return Outcome::Done;
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
            Step::ChangePlan { to, .. } => line.book(catalog.plan(to), catalog, today),
            Step::CancelChange => {
                line.booked = None;
                Outcome::Done
            }
            Step::Terminate { .. } => line.terminate(today),
            Step::Join { .. } | Step::CallOff { .. } | Step::ReplaceCard { .. } => Outcome::Done,
        }
    }

    fn come(&mut self, card: Card) {
        if !self.is_known {
            (self.is_known, self.card) = (true, card);
        }
    }

    fn join(&mut self, today: NaiveDate, plan: &Plan, price: Price, code: Option<&str>) -> Outcome {
        let typed = code.and_then(promotion::of_code);
        let promotion = typed.or_else(|| (self.chosen == Chosen::Open).then_some(CHOSEN));
        let amount = promotion.map_or(price.amount, |promotion| promotion.off.price(price.amount));
        self.charges.push(charge(today, "activation", amount, self.card));
        if !self.card.pays() {
            return Outcome::refused("the order failed");
        }
        if promotion == Some(CHOSEN) {
            self.chosen = Chosen::Used;
        }
        self.lines.push(Line::begun(today, plan, price, promotion));
        Outcome::Done
    }

    /// As it is to be compared.
    pub fn account(&self) -> Account {
        let mut charges = self.charges.clone();
        charges.sort();
        let told = if self.is_known { BTreeMap::from([("welcome".to_owned(), 1)]) } else { BTreeMap::new() };
        Account { charges, lines: self.lines.iter().map(Line::account).collect(), told }
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

#[cfg(test)]
mod tests;
