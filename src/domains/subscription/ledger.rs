//! Quota: grants, uses and expiries are entries; a balance is their sum over the period, kept as a column under the lock of
//! the line. Pure; what changed is written by the store.
//!
//! The uses are the usage rows themselves. Top-ups live in the period's balance and end with it.

use super::period::Period;
use crate::domains::catalog::port::{AllowanceType, AllowanceView, UNLIMITED};

/// What is left of one allowance in the current period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) kind: AllowanceType,
    /// Then `total` and `remaining` are zero and mean nothing.
    pub(super) unlimited: bool,
    /// Granted in this period.
    pub(super) total: i64,
    pub(super) remaining: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Grant,
    Expiry,
}

impl EntryKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Expiry => "expiry",
        }
    }
}

/// One move of quota. `amount` is signed: what it adds to the balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) allowance: AllowanceType,
    pub(super) period_index: i32,
    pub(super) kind: EntryKind,
    pub(super) amount: i64,
    /// `activation`, `renewal`, `vas:<purchase>`, `period_end`, `termination`; unique per period, allowance and kind.
    pub(super) source: String,
}

/// The balances of a line in its current period, with the entries of what was done to them since they were read.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pub(super) period_index: i32,
    pub(super) period: Period,
    pub(super) balances: Vec<Balance>,
    pub(super) entries: Vec<Entry>,
}

impl Ledger {
    /// As it was read.
    pub(super) const fn new(period_index: i32, period: Period, balances: Vec<Balance>) -> Self {
        Self { period_index, period, balances, entries: Vec::new() }
    }

    /// The first period of a line: one balance per allowance of the plan, also for those of size zero.
    pub(super) fn opened(period: Period, allowances: &[AllowanceView]) -> Self {
        let mut ledger = Self::new(1, period, Vec::new());
        ledger.grant_all(allowances, "activation");
        ledger
    }

    /// A new period: what is left expires, the plan grants afresh.
    pub(super) fn renew(&mut self, period_index: i32, period: Period, allowances: &[AllowanceView]) {
        self.close("period_end");
        self.period_index = period_index;
        self.period = period;
        for balance in &mut self.balances {
            (balance.unlimited, balance.total) = (false, 0);
        }
        self.grant_all(allowances, "renewal");
    }

    /// Adds a paid quantity. An unlimited balance stays what it is; a missing one begins here.
    pub(super) fn top_up(&mut self, allowance: AllowanceType, quantity: i64, source: String) {
        let balance = self.balance(allowance);
        let amount = if balance.unlimited { 0 } else { quantity.max(0) };
        balance.total += amount;
        balance.remaining += amount;
        self.enter(allowance, EntryKind::Grant, amount, source);
    }

    /// Closing entries for everything that is left.
    pub(super) fn close(&mut self, source: &str) {
        for at in 0..self.balances.len() {
            let (allowance, remaining) = (self.balances[at].kind, self.balances[at].remaining);
            if remaining > 0 {
                self.balances[at].remaining = 0;
                self.enter(allowance, EntryKind::Expiry, -remaining, source.to_owned());
            }
        }
    }

    /// Whether there is home data to use.
    pub(super) fn data_left(&self) -> bool {
        self.balances
            .iter()
            .any(|balance| balance.kind == AllowanceType::Data && (balance.unlimited || balance.remaining > 0))
    }

    fn grant_all(&mut self, allowances: &[AllowanceView], source: &str) {
        for allowance in allowances {
            let balance = self.balance(allowance.allowance_type);
            balance.unlimited = allowance.quantity == UNLIMITED;
            let amount = allowance.quantity.max(0);
            balance.total = amount;
            balance.remaining = amount;
            if amount > 0 {
                self.enter(allowance.allowance_type, EntryKind::Grant, amount, source.to_owned());
            }
        }
    }

    fn balance(&mut self, kind: AllowanceType) -> &mut Balance {
        let at = self.balances.iter().position(|balance| balance.kind == kind).unwrap_or_else(|| {
            self.balances.push(Balance { kind, unlimited: false, total: 0, remaining: 0 });
            self.balances.len() - 1
        });
        &mut self.balances[at]
    }

    fn enter(&mut self, allowance: AllowanceType, kind: EntryKind, amount: i64, source: String) {
        self.entries.push(Entry { allowance, period_index: self.period_index, kind, amount, source });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use chrono::{DateTime, TimeDelta};

    fn period(index: i32) -> Period {
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(30 * i64::from(index));
        Period { start, end: start + TimeDelta::days(30) }
    }

    fn allowances(data: i64, voice: i64, roaming: Option<i64>) -> Vec<AllowanceView> {
        let view = |allowance_type: AllowanceType, quantity| AllowanceView {
            allowance_type,
            quantity,
            unit: allowance_type.unit(),
        };
        let fixed = [view(AllowanceType::Data, data), view(AllowanceType::Voice, voice)];
        fixed.into_iter().chain(roaming.map(|quantity| view(AllowanceType::DataRoaming, quantity))).collect()
    }

    fn of(ledger: &Ledger, kind: AllowanceType) -> Balance {
        *ledger.balances.iter().find(|balance| balance.kind == kind).unwrap()
    }

    #[test]
    fn a_plan_grants_one_balance_per_allowance_also_of_size_zero() {
        let ledger = Ledger::opened(period(1), &allowances(5_120, UNLIMITED, Some(0)));
        assert_eq!(ledger.balances.len(), 3);
        assert_eq!(of(&ledger, AllowanceType::Data).remaining, 5_120);
        assert!(of(&ledger, AllowanceType::Voice).unlimited);
        assert_eq!(ledger.entries.len(), 1, "nothing is entered for an unlimited or empty allowance");
    }

    #[test]
    fn a_top_up_adds_creates_or_leaves_an_unlimited_balance() {
        let mut ledger = Ledger::opened(period(1), &allowances(0, UNLIMITED, None));
        assert!(!ledger.data_left());
        ledger.top_up(AllowanceType::DataRoaming, 1_024, "vas:VP-0001".into());
        assert!(!ledger.data_left(), "roaming data is no home data");
        ledger.top_up(AllowanceType::Data, 1_024, "vas:VP-0002".into());
        ledger.top_up(AllowanceType::Voice, 10, "vas:VP-0003".into());
        assert!(ledger.data_left());
        assert_eq!(of(&ledger, AllowanceType::DataRoaming).total, 1_024);
        assert_eq!(
            of(&ledger, AllowanceType::Voice),
            Balance { kind: AllowanceType::Voice, unlimited: true, total: 0, remaining: 0 }
        );
        assert_eq!(ledger.entries.last().unwrap().amount, 0, "each purchase leaves its entry");
    }

    #[test]
    fn a_renewal_takes_what_the_plan_no_longer_has() {
        let mut ledger = Ledger::opened(period(1), &allowances(100, 5, Some(7)));
        ledger.renew(2, period(2), &allowances(200, UNLIMITED, None));
        let expired: i64 =
            ledger.entries.iter().filter(|entry| entry.kind == EntryKind::Expiry).map(|entry| entry.amount).sum();
        assert_eq!(expired, -112);
        assert_eq!(of(&ledger, AllowanceType::DataRoaming).total, 0);
        assert_eq!(of(&ledger, AllowanceType::Data).remaining, 200);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Use(i64),
        TopUp(i64),
        Renew(i64),
        Close,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_i64..3_000).prop_map(Step::Use),
            2 => (0_i64..3_000).prop_map(Step::TopUp),
            2 => (-1_i64..3_000).prop_map(Step::Renew),
            1 => Just(Step::Close),
        ]
    }

    proptest! {
        #[test]
        fn a_balance_is_the_sum_of_its_entries(first in -1_i64..3_000, steps in prop::collection::vec(step(), 0..60)) {
            let mut ledger = Ledger::opened(period(1), &allowances(first, 1, None));
            let mut used = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Use(quantity) => {
                        let index = ledger.period_index;
                        let balance = ledger.balance(AllowanceType::Data);
                        let applied = quantity.min(balance.remaining);
                        balance.remaining -= applied;
                        used.push((index, applied));
                    }
                    Step::TopUp(quantity) => ledger.top_up(AllowanceType::Data, quantity, format!("vas:{number}")),
                    Step::Renew(quantity) => {
                        let next = ledger.period_index + 1;
                        ledger.renew(next, period(next), &allowances(quantity, 1, None));
                    }
                    Step::Close => ledger.close("termination"),
                }
                let index = ledger.period_index;
                let entered: i64 = ledger.entries.iter()
                    .filter(|entry| entry.period_index == index && entry.allowance == AllowanceType::Data)
                    .map(|entry| entry.amount).sum();
                let applied: i64 = used.iter().filter(|(at, _)| *at == index).map(|(_, applied)| applied).sum();
                let data = of(&ledger, AllowanceType::Data);
                prop_assert_eq!(data.remaining, entered - applied);
                prop_assert!(data.remaining >= 0 && data.remaining <= data.total);
            }
            let past: i64 = ledger.entries.iter()
                .filter(|entry| entry.period_index < ledger.period_index && entry.allowance == AllowanceType::Data)
                .map(|entry| entry.amount).sum();
            let past_used: i64 = used.iter().filter(|(at, _)| *at < ledger.period_index).map(|(_, applied)| applied).sum();
            prop_assert_eq!(past, past_used, "a period that ended sums to nothing");
        }
    }
}
