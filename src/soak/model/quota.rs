//! What is left of one allowance.

use chrono::{Days, NaiveDate};

use super::noon;
use crate::soak::account::QuotaAccount;
use crate::soak::catalog::Gives;

#[derive(Debug, Clone, Default)]
pub(super) struct Quota {
    /// For the whole period; then the quantities are zero.
    unlimited: bool,
    total: i64,
    left: i64,
    /// Unlimited before this day.
    pass_until: Option<NaiveDate>,
    /// Whether a use of this period has left a fifth or less.
    was_low: bool,
}

impl Quota {
    /// A period begins with what the plan grants (Some(None): no limit); a pass runs on.
    pub(super) fn begin(&mut self, grant: Option<Option<i64>>, today: NaiveDate) {
        let quantity = grant.flatten().unwrap_or(0);
        let pass_until = self.pass_until.filter(|until| today < *until);
        *self = Self { unlimited: grant == Some(None), total: quantity, left: quantity, pass_until, was_low: false };
    }

    pub(super) const fn is_unlimited(&self) -> bool {
        self.unlimited
    }

    /// Whether there is something to use.
    pub(super) const fn gives(&self) -> bool {
        self.unlimited || self.pass_until.is_some() || self.left > 0
    }

    /// None: there was nothing to use. True: it is the first use of the period that leaves a fifth or less, and something.
    pub(super) fn consume(&mut self, quantity: i64) -> Option<bool> {
        if !self.gives() {
            return None;
        }
        if self.unlimited || self.pass_until.is_some() {
            return Some(false);
        }
        self.left -= quantity.min(self.left);
        let is_low = self.left * 5 <= self.total;
        let is_first = is_low && !self.was_low;
        self.was_low |= is_low;
        Some(is_first && self.left > 0)
    }

    pub(super) fn add(&mut self, gives: Gives, today: NaiveDate) {
        match gives {
            Gives::Quantity(quantity) => {
                self.total += quantity;
                self.left += quantity;
            }
            // A second pass begins where the first one ends.
            Gives::Pass { days } => {
                self.pass_until = Some(self.pass_until.unwrap_or(today).max(today) + Days::new(days));
            }
        }
    }

    /// Ends a pass whose time is over; answers whether one ended.
    pub(super) fn end_pass(&mut self, today: NaiveDate) -> bool {
        self.pass_until.take_if(|until| *until <= today).is_some()
    }

    /// The line has ended.
    pub(super) const fn end(&mut self) {
        (self.left, self.pass_until) = (0, None);
    }

    pub(super) fn account(&self) -> QuotaAccount {
        let shown = |quantity| if self.unlimited || self.pass_until.is_some() { -1 } else { quantity };
        QuotaAccount {
            total: shown(self.total),
            consumed: if self.unlimited { 0 } else { self.total - self.left },
            remaining: shown(self.left),
            unlimited_until: self.pass_until.map(noon),
        }
    }
}
