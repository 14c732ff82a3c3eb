//! A line: plan, number, price contract, period and state. Pure.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::period::{self, Period, PeriodKind, Renewal};
use super::port::{BlockReason, SubscriptionId};
use super::state::{Change, State, Trigger};
use super::terms::{PendingPlan, PendingPrice, Terms};
use crate::domains::catalog::port::{OfferingId, PlanPeriod, PriceId};
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Iccid, Msisdn};
use crate::domains::payment::port::AttemptId;
use crate::domains::som::port::ServiceId;
use crate::platform::error::Violation;
use crate::platform::money::{Discount, Money};

/// The customer's line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: SubscriptionId,
    pub(super) customer_id: CustomerId,
    pub(super) offering_id: OfferingId,
    pub(super) order_id: OrderId,
    pub(super) msisdn: Msisdn,
    pub(super) iccid: Iccid,
    pub(super) cfs_service_id: ServiceId,
    pub(super) state: State,
    pub(super) state_reason: Option<String>,
    pub(super) activated_at: Option<DateTime<Utc>>,
    pub(super) terminated_at: Option<DateTime<Utc>>,
    pub(super) period_kind: PeriodKind,
    /// 0: never active; 1: the activation period.
    pub(super) period_index: i32,
    pub(super) period: Option<Period>,
    /// The charge for the next period that is not settled.
    pub(super) renewal_attempt_id: Option<AttemptId>,
    /// The period end whose renewal was last attempted or skipped.
    pub(super) renewal_attempted_for: Option<DateTime<Utc>>,
    /// The full price of the contract.
    pub(super) price: Money,
    pub(super) price_id: PriceId,
    pub(super) discount: Option<Discount>,
    /// Discounted charges to come; -1: for ever.
    pub(super) discount_periods_remaining: i32,
    /// The last discounted period; None: none, or for ever.
    pub(super) discount_last_period: Option<i32>,
    pub(super) promo_code: Option<String>,
    pub(super) promo_offer_definition_id: Option<String>,
    /// The customer's own plan change.
    pub(super) pending_plan: Option<PendingPlan>,
    /// The operator's new price for the current plan.
    pub(super) pending_price: Option<PendingPrice>,
    pub(super) version: i64,
}

/// A period that a line has entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) index: i32,
    pub(super) period: Period,
    pub(super) gap: Option<Gap>,
}

/// Why a period does not begin where the one before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Whole periods were missed; they are not charged for.
    Missed,
    /// The line was blocked until it paid.
    PaidLate,
}

impl Gap {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::PaidLate => "paid_late",
        }
    }
}

impl Line {
    /// What the current contract charges: discounted while the counter is live, else the full price.
    pub(super) fn effective_price(&self) -> Money {
        match self.discount {
            Some(discount) if self.discount_periods_remaining != 0 => discount.applied_to(self.price),
            _ => self.price,
        }
    }

    /// Whether the running period was charged with the discount.
    pub(super) fn is_discounted(&self) -> bool {
        self.discount.is_some() && self.discount_last_period.is_none_or(|last| last >= self.period_index)
    }

    /// When it is renewed by itself; None for a line that is not in a period or has ended.
    pub(super) fn next_renewal_at(&self) -> Option<DateTime<Utc>> {
        match self.state {
            State::Active | State::Blocked(_) => self.period.map(|period| period.end),
            State::Pending | State::Terminated => None,
        }
    }

    /// Whether the charge for the next period that is under way was asked for before it was due: what is paid for goes on
    /// whatever becomes of it.
    pub(super) fn renews_early(&self) -> bool {
        self.renewal_attempted_for != self.next_renewal_at()
    }

    /// Unique among the live charges of all lines: the next period is charged once.
    pub(super) fn renewal_key(&self) -> String {
        format!("renewal:{}:{}", self.id, self.period_index + 1)
    }

    pub(super) fn iccid_last4(&self) -> String {
        let digits = self.iccid.as_str();
        digits.get(digits.len().saturating_sub(4)..).unwrap_or_default().to_owned()
    }

    /// Takes a step of the state machine.
    pub(super) fn apply(&mut self, trigger: Trigger, reason: &str) -> Result<Change, Violation> {
        let change = Change { from: self.state, to: self.state.after(trigger)? };
        self.state = change.to;
        if change.is_visible() {
            self.state_reason = Some(reason.to_owned());
        }
        Ok(change)
    }

    /// The line goes live: its first period begins now.
    pub(super) fn activate(&mut self, now: DateTime<Utc>, zone: Tz) -> Result<(Change, Entered), Violation> {
        let change = self.apply(Trigger::Activate, "activation_payment_approved")?;
        let (period, kind) = period::first(self.period_kind, now, zone);
        self.activated_at = Some(now);
        Ok((change, self.enter(period, kind, None)))
    }

    /// The next period is paid, on `terms` and counted by `plan`: it begins as [`Renewal::next`] says, whatever the line was
    /// blocked for.
    pub(super) fn renew(
        &mut self,
        current: Period,
        terms: &Terms,
        plan: PlanPeriod,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<(Change, Entered), Violation> {
        let unpaid = self.state.is_blocked_for(BlockReason::Payment);
        let change = self.apply(Trigger::Renew, "renewal_payment_approved")?;
        let (period, kind) = Renewal { kind: self.period_kind, plan, current, unpaid, now, zone }.next();
        let gap = if unpaid { Gap::PaidLate } else { Gap::Missed };
        self.renewal_attempt_id = None;
        self.take(terms);
        Ok((change, self.enter(period, kind, (period.start > current.end).then_some(gap))))
    }

    fn enter(&mut self, period: Period, kind: PeriodKind, gap: Option<Gap>) -> Entered {
        self.period_kind = kind;
        self.period = Some(period);
        self.period_index += 1;
        if self.discount_periods_remaining > 0 {
            self.discount_periods_remaining -= 1;
        }
        if let Some(plan) = &mut self.pending_plan {
            // It was not due: it waits for the end of the period that begins now.
            plan.effective_at = period.end;
        }
        Entered { index: self.period_index, period, gap }
    }

    /// The line has ended: what was to change will not.
    pub(super) fn drop_pending(&mut self) {
        self.pending_plan = None;
        self.pending_price = None;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::TimeDelta;

    use super::*;

    const ZONE: Tz = Tz::Asia__Singapore;

    pub(in crate::domains::subscription) fn line() -> Line {
        Line {
            id: "SUB-0001".parse().unwrap(),
            customer_id: "CUST-000000000001".parse().unwrap(),
            offering_id: "PLAN_M".parse().unwrap(),
            order_id: "ORD-0001".parse().unwrap(),
            msisdn: "90000001".parse().unwrap(),
            iccid: "8910101000000000123".parse().unwrap(),
            cfs_service_id: "SVC-0001".parse().unwrap(),
            state: State::Pending,
            state_reason: None,
            activated_at: None,
            terminated_at: None,
            period_kind: PeriodKind::Days30,
            period_index: 0,
            period: None,
            renewal_attempt_id: None,
            renewal_attempted_for: None,
            price: Money::new(2_500, "SGD".parse().unwrap()),
            price_id: "PRICE_PLAN_M".parse().unwrap(),
            discount: None,
            discount_periods_remaining: 0,
            discount_last_period: None,
            promo_code: None,
            promo_offer_definition_id: None,
            pending_plan: None,
            pending_price: None,
            version: 1,
        }
    }

    #[test]
    fn only_the_last_digits_of_the_profile_are_shown() {
        assert_eq!(line().iccid_last4(), "0123");
    }

    /// Charges of the activation and of `renewals` renewals, as the contract would make them.
    fn charges(mut line: Line, renewals: i64) -> Vec<i64> {
        let mut charged = vec![line.effective_price().minor];
        line.activate(DateTime::UNIX_EPOCH, ZONE).unwrap();
        for _ in 0..renewals {
            charged.push(line.effective_price().minor);
            let current = line.period.unwrap();
            let terms = line.next_terms(current.end, ZONE);
            line.renew(current, &terms, PlanPeriod::Days30, current.end, ZONE).unwrap();
        }
        charged
    }

    #[test]
    fn a_discount_lasts_for_its_periods() {
        let percent = Some(Discount::Percent("20".parse().unwrap()));
        let with = |discount, periods| Line { discount, discount_periods_remaining: periods, ..line() };
        assert_eq!(charges(with(percent, 3), 3), [2_000, 2_000, 2_000, 2_500]);
        assert_eq!(charges(with(Some(Discount::Absolute(500)), 1), 1), [2_000, 2_500]);
        assert_eq!(charges(with(percent, -1), 5), [2_000; 6]);
        assert_eq!(charges(with(None, 0), 1), [2_500, 2_500]);
    }

    #[test]
    fn a_booked_line_has_no_renewal_and_a_live_one_has() {
        let mut line = line();
        assert_eq!((line.next_renewal_at(), line.renewal_key()), (None, "renewal:SUB-0001:1".into()));
        let (change, entered) = line.activate(DateTime::UNIX_EPOCH, ZONE).unwrap();
        assert_eq!((change.from, change.to, entered.index), (State::Pending, State::Active, 1));
        assert_eq!(line.next_renewal_at(), Some(DateTime::UNIX_EPOCH + TimeDelta::days(30)));
        assert_eq!(line.renewal_key(), "renewal:SUB-0001:2");
        line.apply(Trigger::Terminate, "customer_requested").unwrap();
        assert_eq!(line.next_renewal_at(), None);
    }
}
