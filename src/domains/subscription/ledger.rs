//! Quota: grants, uses and expiries are entries; a balance is their sum over the period, kept as a column under the lock of
//! the line. Pure; what changed is written by the store.
//!
//! The uses are the usage rows themselves. Top-ups live in the period's balance and end with it, or earlier where they have
//! an end of their own: then what is used is taken from the grant that ends first, and what is left of it at its end is an
//! expiry. Uses are shared out over the grants whenever the ledger is touched, so the path of usage need not know of them.

use chrono::{DateTime, TimeDelta, Utc};

use super::period::Period;
use super::port::VasPurchaseId;
use crate::domains::catalog::port::{AllowanceType, AllowanceView, UNLIMITED};

/// What is left of one allowance in the current period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) kind: AllowanceType,
    /// Then `total` and `remaining` are zero and mean nothing.
    pub(super) unlimited: bool,
    /// A pass: unlimited before this instant, whatever is left.
    pub(super) unlimited_until: Option<DateTime<Utc>>,
    /// Sold as unlimited; `total` is the limit of fair use.
    pub(super) fair_use: bool,
    /// Granted in this period, less what expired of it.
    pub(super) total: i64,
    pub(super) remaining: i64,
    /// What of the use was shared out over the grants.
    pub(super) settled_used: i64,
    /// The highest share whose use was told of in this period, in per cent. Kept by the path of usage.
    pub(super) told_percent: i16,
}

impl Balance {
    pub(super) const fn empty(kind: AllowanceType) -> Self {
        Self {
            kind,
            unlimited: false,
            unlimited_until: None,
            fair_use: false,
            total: 0,
            remaining: 0,
            settled_used: 0,
            told_percent: 0,
        }
    }

    /// Whether nothing is counted at `now`.
    pub(super) fn is_unlimited(&self, now: DateTime<Utc>) -> bool {
        self.unlimited || self.unlimited_until.is_some_and(|until| now < until)
    }
}

/// What a purchase added that ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) purchase_id: VasPurchaseId,
    pub(super) allowance: AllowanceType,
    /// Not used yet; 0 for a pass.
    pub(super) left: i64,
    pub(super) expires_at: DateTime<Utc>,
    /// Its end is written.
    pub(super) expired: bool,
}

/// What a purchase adds.
#[derive(Debug, Clone)]
pub(super) struct Bought {
    pub(super) purchase_id: VasPurchaseId,
    pub(super) allowance: AllowanceType,
    /// -1: unlimited.
    pub(super) quantity: i64,
    /// None: with the period.
    pub(super) expiry_hours: Option<i32>,
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
    /// Those whose end is not written yet, the first to end first.
    pub(super) grants: Vec<Grant>,
    pub(super) entries: Vec<Entry>,
}

impl Ledger {
    /// As it was read.
    pub(super) const fn new(period_index: i32, period: Period, balances: Vec<Balance>, grants: Vec<Grant>) -> Self {
        Self { period_index, period, balances, grants, entries: Vec::new() }
    }

    /// The first period of a line: one balance per allowance of the plan, also for those of size zero.
    pub(super) fn opened(period: Period, allowances: &[AllowanceView]) -> Self {
        let mut ledger = Self::new(1, period, Vec::new(), Vec::new());
        ledger.grant_all(allowances, "activation");
        ledger
    }

    /// A new period: what is left expires, the plan grants afresh. A pass runs on to its end.
    pub(super) fn renew(
        &mut self,
        period_index: i32,
        period: Period,
        allowances: &[AllowanceView],
        now: DateTime<Utc>,
    ) {
        self.close("period_end");
        self.end_grants(|grant| grant.left > 0 || grant.expires_at <= now);
        self.period_index = period_index;
        self.period = period;
        for balance in &mut self.balances {
            let unlimited_until = balance.unlimited_until.filter(|until| now < *until);
            *balance = Balance { unlimited_until, ..Balance::empty(balance.kind) };
        }
        self.grant_all(allowances, "renewal");
    }

    /// Adds what was paid for. An unlimited balance stays what it is; a missing one begins here. Answers when it ends, where
    /// it has an end of its own: a quantity at the end of the period at the latest, a pass after its hours, the second of
    /// two after the first.
    pub(super) fn top_up(&mut self, bought: Bought, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.settle();
        let period_end = self.period.end;
        let Bought { purchase_id, allowance, quantity, expiry_hours } = bought;
        let lasts = expiry_hours.map(|hours| TimeDelta::hours(hours.into()));
        let balance = self.balance(allowance);
        let (amount, expires_at) = if quantity == UNLIMITED {
            let begins = balance.unlimited_until.map_or(now, |until| until.max(now));
            let ends = lasts.map_or(period_end.max(begins), |lasts| begins + lasts);
            balance.unlimited_until = Some(ends);
            (0, Some(ends))
        } else {
            let amount = if balance.unlimited { 0 } else { quantity.max(0) };
            (amount, lasts.map(|lasts| (now + lasts).min(period_end.max(now))))
        };
        balance.total += amount;
        balance.remaining += amount;
        if let Some(expires_at) = expires_at {
            let grant = Grant { purchase_id: purchase_id.clone(), allowance, left: amount, expires_at, expired: false };
            self.grants.push(grant);
            self.grants.sort_by_key(|grant| grant.expires_at);
        }
        self.enter(allowance, EntryKind::Grant, amount, format!("vas:{purchase_id}"));
        expires_at
    }

    /// Writes the end of every grant that has ended by `now`; answers those grants, with what was left of each.
    pub(super) fn expire(&mut self, now: DateTime<Utc>) -> Vec<Grant> {
        self.settle();
        let ended: Vec<Grant> =
            self.grants.iter().filter(|grant| !grant.expired && grant.expires_at <= now).cloned().collect();
        for grant in &ended {
            if grant.left > 0 {
                let balance = self.balance(grant.allowance);
                balance.total -= grant.left;
                balance.remaining -= grant.left;
                let source = format!("vas:{}", grant.purchase_id);
                self.enter(grant.allowance, EntryKind::Expiry, -grant.left, source);
            }
        }
        self.end_grants(|grant| grant.expires_at <= now);
        for balance in &mut self.balances {
            balance.unlimited_until.take_if(|until| *until <= now);
        }
        ended
    }

    /// The line ends: closing entries for everything that is left, and no pass any more.
    pub(super) fn end(&mut self) {
        self.close("termination");
        self.end_grants(|_| true);
        for balance in &mut self.balances {
            balance.unlimited_until = None;
        }
    }

    /// Whether there is home data to use.
    pub(super) fn data_left(&self, now: DateTime<Utc>) -> bool {
        self.data().is_some_and(|data| data.is_unlimited(now) || data.remaining > 0)
    }

    /// Whether the line had home data and has none now. One that never had any, or only a limit of fair use, does not run
    /// out.
    pub(super) fn data_ran_out(&self, now: DateTime<Utc>) -> bool {
        self.data().is_some_and(|data| data.total > 0 && !data.fair_use) && !self.data_left(now)
    }

    fn data(&self) -> Option<&Balance> {
        self.balances.iter().find(|balance| balance.kind == AllowanceType::Data)
    }

    /// Shares out what was used since the last time, to the grant that ends first.
    fn settle(&mut self) {
        for balance in &mut self.balances {
            let used = balance.total - balance.remaining;
            let mut since = used - balance.settled_used;
            balance.settled_used = used;
            for grant in self.grants.iter_mut().filter(|grant| grant.allowance == balance.kind && !grant.expired) {
                let taken = grant.left.min(since);
                grant.left -= taken;
                since -= taken;
            }
        }
    }

    fn end_grants(&mut self, which: impl Fn(&Grant) -> bool) {
        for grant in self.grants.iter_mut().filter(|grant| which(grant)) {
            (grant.left, grant.expired) = (0, true);
        }
    }

    fn close(&mut self, source: &str) {
        self.settle();
        for at in 0..self.balances.len() {
            let (allowance, remaining) = (self.balances[at].kind, self.balances[at].remaining);
            if remaining > 0 {
                self.balances[at].remaining = 0;
                self.enter(allowance, EntryKind::Expiry, -remaining, source.to_owned());
            }
        }
    }

    fn grant_all(&mut self, allowances: &[AllowanceView], source: &str) {
        for allowance in allowances {
            let unlimited = allowance.quantity == UNLIMITED;
            let fair_use = allowance.fair_use_quantity.filter(|_| unlimited);
            let amount = fair_use.unwrap_or(allowance.quantity).max(0);
            let balance = self.balance(allowance.allowance_type);
            balance.unlimited = unlimited && fair_use.is_none();
            balance.fair_use = fair_use.is_some();
            balance.total = amount;
            balance.remaining = amount;
            if amount > 0 {
                self.enter(allowance.allowance_type, EntryKind::Grant, amount, source.to_owned());
            }
        }
    }

    fn balance(&mut self, kind: AllowanceType) -> &mut Balance {
        let at = self.balances.iter().position(|balance| balance.kind == kind).unwrap_or_else(|| {
            self.balances.push(Balance::empty(kind));
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

    fn hour(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    /// Of thirty days; the first one begins at hour 0.
    fn period(index: i32) -> Period {
        let start = hour(720 * i64::from(index - 1));
        Period { start, end: start + TimeDelta::days(30) }
    }

    fn allowances(data: i64, voice: i64, roaming: Option<i64>) -> Vec<AllowanceView> {
        let fixed =
            [AllowanceView::plain(AllowanceType::Data, data), AllowanceView::plain(AllowanceType::Voice, voice)];
        let roaming = roaming.map(|quantity| AllowanceView::plain(AllowanceType::DataRoaming, quantity));
        fixed.into_iter().chain(roaming).collect()
    }

    fn of(ledger: &Ledger, kind: AllowanceType) -> Balance {
        *ledger.balances.iter().find(|balance| balance.kind == kind).unwrap()
    }

    fn bought(number: usize, allowance: AllowanceType, quantity: i64, expiry_hours: Option<i32>) -> Bought {
        Bought { purchase_id: format!("VP-{number:04}").into(), allowance, quantity, expiry_hours }
    }

    fn consume(ledger: &mut Ledger, quantity: i64) -> i64 {
        let data = ledger.balance(AllowanceType::Data);
        let applied = quantity.min(data.remaining);
        data.remaining -= applied;
        applied
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
        assert!(!ledger.data_left(hour(0)) && !ledger.data_ran_out(hour(0)), "there never was any");
        ledger.top_up(bought(1, AllowanceType::DataRoaming, 1_024, None), hour(0));
        assert!(!ledger.data_left(hour(0)), "roaming data is no home data");
        ledger.top_up(bought(2, AllowanceType::Data, 1_024, None), hour(0));
        ledger.top_up(bought(3, AllowanceType::Voice, 10, None), hour(0));
        assert!(ledger.data_left(hour(0)));
        assert_eq!(of(&ledger, AllowanceType::DataRoaming).total, 1_024);
        assert_eq!(
            of(&ledger, AllowanceType::Voice),
            Balance { unlimited: true, ..Balance::empty(AllowanceType::Voice) }
        );
        assert_eq!(ledger.entries.last().unwrap().amount, 0, "each purchase leaves its entry");
    }

    #[test]
    fn a_renewal_takes_what_the_plan_no_longer_has() {
        let mut ledger = Ledger::opened(period(1), &allowances(100, 5, Some(7)));
        ledger.balance(AllowanceType::Data).told_percent = 80;
        ledger.renew(2, period(2), &allowances(200, UNLIMITED, None), hour(720));
        assert_eq!(of(&ledger, AllowanceType::Data).told_percent, 0, "a period tells anew");
        let expired: i64 =
            ledger.entries.iter().filter(|entry| entry.kind == EntryKind::Expiry).map(|entry| entry.amount).sum();
        assert_eq!(expired, -112);
        assert_eq!(of(&ledger, AllowanceType::DataRoaming).total, 0);
        assert_eq!(of(&ledger, AllowanceType::Data).remaining, 200);
    }

    #[test]
    fn what_ends_first_is_used_first_and_only_its_rest_expires() {
        let mut ledger = Ledger::opened(period(1), &allowances(1_000, 1, None));
        assert_eq!(ledger.top_up(bought(1, AllowanceType::Data, 500, Some(48)), hour(0)), Some(hour(48)));
        consume(&mut ledger, 100);
        assert_eq!(ledger.top_up(bought(2, AllowanceType::Data, 300, Some(24)), hour(1)), Some(hour(25)));
        consume(&mut ledger, 200);
        assert_eq!(ledger.expire(hour(24)), []);
        let ended = ledger.expire(hour(25));
        assert_eq!(
            ended.iter().map(|grant| (grant.purchase_id.as_str(), grant.left)).collect::<Vec<_>>(),
            [("VP-0002", 100)]
        );
        assert_eq!(of(&ledger, AllowanceType::Data).remaining, 1_400);
        consume(&mut ledger, 450);
        let ended = ledger.expire(hour(48));
        assert_eq!(ended.iter().map(|grant| grant.left).collect::<Vec<_>>(), [0], "400 were left and were used");
        assert_eq!(of(&ledger, AllowanceType::Data).remaining, 950);
        assert!(ledger.grants.iter().all(|grant| grant.expired));
    }

    #[test]
    fn a_quantity_ends_with_the_period_and_a_pass_runs_over_it() {
        let mut ledger = Ledger::opened(period(1), &allowances(1_000, 1, None));
        assert_eq!(ledger.top_up(bought(1, AllowanceType::Data, 500, Some(72)), hour(700)), Some(hour(720)));
        assert_eq!(ledger.top_up(bought(2, AllowanceType::Data, UNLIMITED, Some(24)), hour(700)), Some(hour(724)));
        assert_eq!(ledger.top_up(bought(3, AllowanceType::Data, UNLIMITED, Some(24)), hour(710)), Some(hour(748)));
        ledger.renew(2, period(2), &allowances(1_000, 1, None), hour(720));
        let open: Vec<_> = ledger.grants.iter().filter(|grant| !grant.expired).collect();
        assert_eq!(open.len(), 2, "the passes");
        let data = of(&ledger, AllowanceType::Data);
        assert!(data.is_unlimited(hour(747)) && !data.is_unlimited(hour(748)));
        assert_eq!(ledger.expire(hour(748)).len(), 2);
        assert_eq!(of(&ledger, AllowanceType::Data), Balance { total: 1_000, remaining: 1_000, ..data_without_pass() });
    }

    fn data_without_pass() -> Balance {
        Balance::empty(AllowanceType::Data)
    }

    #[test]
    fn data_that_is_used_up_runs_out_when_its_pass_ends() {
        let mut ledger = Ledger::opened(period(1), &allowances(100, 1, None));
        consume(&mut ledger, 100);
        ledger.top_up(bought(1, AllowanceType::Data, UNLIMITED, Some(24)), hour(5));
        assert!(ledger.data_left(hour(28)) && !ledger.data_ran_out(hour(28)));
        ledger.expire(hour(29));
        assert!(ledger.data_ran_out(hour(29)));
    }

    #[test]
    fn a_limit_of_fair_use_is_granted_and_never_runs_out() {
        let fair =
            AllowanceView { fair_use_quantity: Some(300), ..AllowanceView::plain(AllowanceType::Data, UNLIMITED) };
        let mut ledger = Ledger::opened(period(1), &[fair]);
        assert_eq!(
            of(&ledger, AllowanceType::Data),
            Balance { fair_use: true, total: 300, remaining: 300, ..data_without_pass() }
        );
        consume(&mut ledger, 300);
        assert!(!ledger.data_ran_out(hour(1)));
        ledger.renew(2, period(2), &allowances(5, 1, None), hour(720));
        assert!(!of(&ledger, AllowanceType::Data).fair_use);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Use(i64),
        TopUp(i64, Option<i32>),
        Pass(i32),
        Wait(i64),
        Renew(i64),
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_i64..3_000).prop_map(Step::Use),
            2 => ((0_i64..3_000), prop::option::of(1_i32..200)).prop_map(|(quantity, hours)| Step::TopUp(quantity, hours)),
            1 => (1_i32..60).prop_map(Step::Pass),
            2 => (1_i64..100).prop_map(Step::Wait),
            2 => (-1_i64..3_000).prop_map(Step::Renew),
            1 => Just(Step::End),
        ]
    }

    proptest! {
        #[test]
        fn a_balance_is_the_sum_of_its_entries(first in -1_i64..3_000, steps in prop::collection::vec(step(), 0..60)) {
            let mut ledger = Ledger::opened(period(1), &allowances(first, 1, None));
            let mut used = Vec::new();
            let mut now = 0;
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Use(quantity) => {
                        let index = ledger.period_index;
                        used.push((index, consume(&mut ledger, quantity)));
                    }
                    Step::TopUp(quantity, hours) => {
                        ledger.top_up(bought(number, AllowanceType::Data, quantity, hours), hour(now));
                    }
                    Step::Pass(hours) => {
                        ledger.top_up(bought(number, AllowanceType::Data, UNLIMITED, Some(hours)), hour(now));
                    }
                    Step::Wait(hours) => {
                        now += hours;
                        ledger.expire(hour(now));
                    }
                    Step::Renew(quantity) => {
                        let next = ledger.period_index + 1;
                        ledger.renew(next, period(next), &allowances(quantity, 1, None), hour(now));
                    }
                    Step::End => ledger.end(),
                }
                let index = ledger.period_index;
                let entered: i64 = ledger.entries.iter()
                    .filter(|entry| entry.period_index == index && entry.allowance == AllowanceType::Data)
                    .map(|entry| entry.amount).sum();
                let applied: i64 = used.iter().filter(|(at, _)| *at == index).map(|(_, applied)| applied).sum();
                let data = of(&ledger, AllowanceType::Data);
                prop_assert_eq!(data.remaining, entered - applied);
                prop_assert!(data.remaining >= 0 && data.remaining <= data.total);
                let granted: i64 = ledger.grants.iter().map(|grant| grant.left).sum();
                prop_assert!(ledger.grants.iter().all(|grant| grant.left >= 0));
                let mut settled = ledger.clone();
                settled.settle();
                let left: i64 = settled.grants.iter().map(|grant| grant.left).sum();
                prop_assert!(left <= settled.balances[0].remaining && left <= granted, "a grant lives in its balance");
            }
            let past: i64 = ledger.entries.iter()
                .filter(|entry| entry.period_index < ledger.period_index && entry.allowance == AllowanceType::Data)
                .map(|entry| entry.amount).sum();
            let past_used: i64 = used.iter().filter(|(at, _)| *at < ledger.period_index).map(|(_, applied)| applied).sum();
            prop_assert_eq!(past, past_used, "a period that ended sums to nothing");
        }
    }
}
