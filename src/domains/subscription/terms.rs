//! What the next period of a line costs and what begins with it: the plan change or the price migration that is due, or the
//! contract as it stands. Pure.
//!
//! The terms are fixed when the charge is booked and kept with it: what was charged for is what begins, whatever is booked
//! or cancelled in between.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::model::Line;
use super::period::Renewal;
use super::port::{BlockReason, PriceMigrationId};
use crate::domains::catalog::port::{OfferingId, PriceId, PriceView};
use crate::platform::money::{Discount, Money};

/// A plan that the customer has chosen for a coming renewal. Its price is the one in force when it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingPlan {
    pub(super) offering_id: OfferingId,
    pub(super) price_id: PriceId,
    pub(super) price: Money,
    /// The boundary that it waits for; an early renewal moves it on.
    pub(super) effective_at: DateTime<Utc>,
}

impl PendingPlan {
    pub(super) fn new(offering_id: OfferingId, price: PriceView, effective_at: DateTime<Utc>) -> Self {
        Self { offering_id, price_id: price.id, price: price.money, effective_at }
    }
}

/// A price that the operator moves the line to, after its notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingPrice {
    pub(super) migration_id: PriceMigrationId,
    pub(super) price_id: PriceId,
    pub(super) price: Money,
    pub(super) effective_at: DateTime<Utc>,
}

/// What begins with a period besides the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pivot {
    PlanChange,
    PriceMigration(PriceMigrationId),
}

/// What one period is charged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) offering_id: OfferingId,
    pub(super) price_id: PriceId,
    /// The full price.
    pub(super) price: Money,
    pub(super) discount: Option<Discount>,
    pub(super) pivot: Option<Pivot>,
}

impl Terms {
    /// What is charged.
    pub(super) fn amount(&self) -> Money {
        self.discount.map_or(self.price, |discount| discount.applied_to(self.price))
    }
}

impl Line {
    /// The terms of the next period if it is charged at `now`.
    ///
    /// A plan change that is due ends the discount and, since it leaves the plan, a price migration with it. A price
    /// migration leaves the discount alone.
    pub(super) fn next_terms(&self, now: DateTime<Utc>, zone: Tz) -> Terms {
        let at = self.owed_at(now, zone);
        if let Some(plan) = self.pending_plan.as_ref().filter(|plan| plan.effective_at <= at) {
            return Terms {
                offering_id: plan.offering_id.clone(),
                price_id: plan.price_id.clone(),
                price: plan.price,
                discount: None,
                pivot: Some(Pivot::PlanChange),
            };
        }
        let migration = self.pending_price.as_ref().filter(|price| price.effective_at <= at);
        Terms {
            offering_id: self.offering_id.clone(),
            price_id: migration.map_or_else(|| self.price_id.clone(), |price| price.price_id.clone()),
            price: migration.map_or(self.price, |price| price.price),
            discount: self.discount.filter(|_| self.discount_periods_remaining != 0),
            pivot: migration.map(|price| Pivot::PriceMigration(price.migration_id.clone())),
        }
    }

    /// The terms of the renewal at the coming boundary, or of the one that is overdue; for showing.
    pub(super) fn coming_terms(&self, now: DateTime<Utc>, zone: Tz) -> Terms {
        self.next_terms(self.period.map_or(now, |period| period.end.max(now)), zone)
    }

    fn owed_at(&self, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let Some(current) = self.period else { return now };
        let unpaid = self.state.is_blocked_for(BlockReason::Payment);
        Renewal { kind: self.period_kind, plan: self.period_kind.plan(), current, unpaid, now, zone }.owed_at()
    }

    /// The contract becomes what the period was charged by.
    pub(super) fn take(&mut self, terms: &Terms) {
        match &terms.pivot {
            None => return,
            Some(Pivot::PlanChange) => {
                self.offering_id = terms.offering_id.clone();
                self.pending_plan = None;
                self.pending_price = None;
                self.discount = None;
                self.discount_periods_remaining = 0;
                self.discount_last_period = None;
                self.promo_code = None;
                self.promo_offer_definition_id = None;
            }
            Some(Pivot::PriceMigration(id)) => {
                // A later migration may have been booked while this period was being paid.
                self.pending_price.take_if(|pending| pending.migration_id == *id);
            }
        }
        self.price = terms.price;
        self.price_id = terms.price_id.clone();
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::domains::catalog::port::PlanPeriod;
    use crate::domains::subscription::model::tests::line;
    use crate::domains::subscription::state::{State, Trigger};

    const ZONE: Tz = Tz::Asia__Singapore;

    fn sgd(minor: i64) -> Money {
        Money::new(minor, "SGD".parse().unwrap())
    }

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    fn active() -> Line {
        let mut line = line();
        line.activate(day(0), ZONE).unwrap();
        line
    }

    fn to_max(effective_at: DateTime<Utc>) -> PendingPlan {
        PendingPlan {
            offering_id: "PLAN_L".parse().unwrap(),
            price_id: "PRICE_PLAN_L".parse().unwrap(),
            price: sgd(4_500),
            effective_at,
        }
    }

    fn to_new_price(minor: i64, effective_at: DateTime<Utc>) -> PendingPrice {
        PendingPrice {
            migration_id: "MIG-0001".parse().unwrap(),
            price_id: "PRICE_PLAN_M_2".parse().unwrap(),
            price: sgd(minor),
            effective_at,
        }
    }

    fn renew(line: &mut Line, now: DateTime<Utc>) -> Terms {
        let terms = line.next_terms(now, ZONE);
        line.renew(line.period.unwrap(), &terms, PlanPeriod::Days30, now, ZONE).unwrap();
        terms
    }

    #[test]
    fn a_plan_change_begins_at_its_boundary_with_its_price_and_without_the_discount() {
        let percent = Some(Discount::Percent("20".parse().unwrap()));
        let mut line = Line { discount: percent, discount_periods_remaining: -1, ..active() };
        line.pending_plan = Some(to_max(day(30)));
        line.pending_price = Some(to_new_price(3_000, day(10)));
        assert_eq!(line.next_terms(day(30), ZONE).amount(), sgd(4_500));
        let terms = renew(&mut line, day(30));
        assert_eq!(terms.pivot, Some(Pivot::PlanChange));
        assert_eq!((line.offering_id.as_str(), line.price), ("PLAN_L", sgd(4_500)));
        assert_eq!((line.discount, line.discount_periods_remaining), (None, 0));
        assert!(line.pending_plan.is_none() && line.pending_price.is_none());
    }

    #[test]
    fn an_early_renewal_keeps_the_plan_and_moves_the_booked_change_on() {
        let mut line = active();
        line.pending_plan = Some(to_max(day(30)));
        let terms = renew(&mut line, day(10));
        assert_eq!((terms.pivot, terms.price), (None, sgd(2_500)));
        assert_eq!(line.pending_plan.as_ref().map(|plan| plan.effective_at), Some(day(60)));
        assert_eq!(renew(&mut line, day(60)).pivot, Some(Pivot::PlanChange));
    }

    #[test]
    fn paying_late_pays_what_was_owed_at_the_boundary() {
        let mut line = active();
        line.apply(Trigger::RenewFail, "renewal_payment_declined").unwrap();
        line.pending_price = Some(to_new_price(3_000, day(35)));
        assert_eq!(line.next_terms(day(40), ZONE).amount(), sgd(2_500), "the new price came after the boundary");
        line.pending_price = Some(to_new_price(3_000, day(30)));
        assert_eq!(line.next_terms(day(40), ZONE).amount(), sgd(3_000));
        line.pending_plan = Some(to_max(day(30)));
        assert_eq!(line.next_terms(day(40), ZONE).amount(), sgd(4_500));
        renew(&mut line, day(40));
        assert_eq!((line.state, line.offering_id.as_str()), (State::Active, "PLAN_L"));
    }

    #[test]
    fn a_price_migration_begins_once_and_leaves_the_discount_alone() {
        let off = Some(Discount::Absolute(500));
        let mut line = Line { discount: off, discount_periods_remaining: 3, discount_last_period: Some(3), ..line() };
        line.activate(day(0), ZONE).unwrap();
        line.pending_price = Some(to_new_price(3_000, day(31)));
        assert_eq!(renew(&mut line, day(30)).amount(), sgd(2_000), "a day before the new price");
        let terms = renew(&mut line, day(60));
        assert_eq!((terms.amount(), line.discount_periods_remaining), (sgd(2_500), 0));
        assert!(line.pending_price.is_none());
        assert_eq!(renew(&mut line, day(90)).amount(), sgd(3_000));
    }

    #[test]
    fn a_migration_that_was_booked_meanwhile_stays() {
        let mut line = active();
        line.pending_price = Some(to_new_price(3_000, day(0)));
        let terms = line.next_terms(day(30), ZONE);
        let later = PendingPrice { migration_id: "MIG-0002".parse().unwrap(), ..to_new_price(3_500, day(90)) };
        line.pending_price = Some(later.clone());
        line.take(&terms);
        assert_eq!((line.price, line.pending_price), (sgd(3_000), Some(later)));
    }

    fn discount() -> impl Strategy<Value = Discount> {
        prop_oneof![
            (0_i64..=10_000).prop_map(|hundredths| Discount::Percent(rust_decimal::Decimal::new(hundredths, 2))),
            (0_i64..6_000).prop_map(Discount::Absolute),
        ]
    }

    /// What happens before a renewal.
    #[derive(Debug, Clone)]
    enum Before {
        Nothing,
        /// Declined first, paid so many days later.
        Late(i64),
        PlanChange,
        Migration(i64),
    }

    fn before() -> impl Strategy<Value = Before> {
        prop_oneof![
            6 => Just(Before::Nothing),
            2 => (0_i64..80).prop_map(Before::Late),
            1 => Just(Before::PlanChange),
            1 => (1_i64..6_000).prop_map(Before::Migration),
        ]
    }

    proptest! {
        /// An independent model: a full price, a discount with so many charges left.
        #[test]
        fn every_charge_of_many_periods_is_as_promised(
            discount in discount(), periods in prop_oneof![Just(-1), 1_i32..12], steps in prop::collection::vec(before(), 0..60),
        ) {
            let mut line = Line {
                discount: Some(discount), discount_periods_remaining: periods,
                discount_last_period: (periods > 0).then_some(periods), ..line()
            };
            let (mut price, mut left) = (sgd(2_500), periods);
            let charge = |price: Money, left: &mut i32| {
                let amount = if *left == 0 { price } else { discount.applied_to(price) };
                *left = if *left > 0 { *left - 1 } else { *left };
                amount
            };
            prop_assert_eq!(line.next_terms(day(0), ZONE).amount(), charge(price, &mut left));
            line.activate(day(0), ZONE).unwrap();
            for step in steps {
                let boundary = line.period.unwrap().end;
                let mut now = boundary;
                match step {
                    Before::Nothing => {}
                    Before::Late(days) => {
                        line.apply(Trigger::RenewFail, "renewal_payment_declined").unwrap();
                        now += TimeDelta::days(days);
                    }
                    Before::PlanChange => {
                        line.pending_plan = Some(to_max(boundary));
                        (price, left) = (sgd(4_500), 0);
                    }
                    Before::Migration(minor) => {
                        line.pending_price = Some(to_new_price(minor, boundary));
                        price = sgd(minor);
                    }
                }
                prop_assert_eq!(renew(&mut line, now).amount(), charge(price, &mut left));
                prop_assert_eq!((line.price, line.discount_periods_remaining), (price, left));
                if let Some(last) = line.discount_last_period {
                    prop_assert_eq!(line.discount_periods_remaining, (last - line.period_index).max(0));
                }
                prop_assert_eq!(line.state, State::Active);
            }
        }
    }
}
