//! What callers see of a line.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::model::Line;
use super::port::{BalanceView, PendingChange, SubscriptionView};
use super::store::Shown;
use super::store::quota::Held;
use crate::domains::catalog::port::{OfferingId, PriceId, UNLIMITED};
use crate::platform::money::{Discount, Money};

/// What will change at a renewal: the customer's own plan change before the operator's price.
struct Pending<'a> {
    what: PendingChange,
    offering_id: &'a OfferingId,
    price_id: &'a PriceId,
    price: Money,
    effective_at: DateTime<Utc>,
}

fn pending(line: &Line) -> Option<Pending<'_>> {
    let plan = line.pending_plan.as_ref().map(|plan| Pending {
        what: PendingChange::PlanChange,
        offering_id: &plan.offering_id,
        price_id: &plan.price_id,
        price: plan.price,
        effective_at: plan.effective_at,
    });
    let price = line.pending_price.as_ref().map(|price| Pending {
        what: PendingChange::PriceMigration,
        offering_id: &line.offering_id,
        price_id: &price.price_id,
        price: price.price,
        effective_at: price.effective_at,
    });
    plan.or(price)
}

impl Shown {
    /// As callers see it at `now`.
    pub(super) fn view(self, now: DateTime<Utc>, zone: Tz) -> SubscriptionView {
        let line = self.line;
        let next_charge = line.next_renewal_at().map(|_| line.coming_terms(now, zone).amount());
        let pending = pending(&line);
        let (discount_type, discount_value) = match line.discount {
            None => (None, None),
            Some(Discount::Percent(percent)) => (Some("percent"), Some(percent.normalize().to_string())),
            Some(Discount::Absolute(off)) => (Some("absolute"), Some(Money::new(off, line.price.currency).decimal())),
        };
        SubscriptionView {
            next_charge_amount: next_charge.map(Money::decimal),
            pending_offering_id: pending.as_ref().map(|pending| pending.offering_id.clone()),
            pending_offering_price_id: pending.as_ref().map(|pending| pending.price_id.clone()),
            pending_price_amount: pending.as_ref().map(|pending| pending.price.decimal()),
            pending_price_currency: pending.as_ref().map(|pending| pending.price.currency.to_string()),
            pending_effective_at: pending.as_ref().map(|pending| pending.effective_at),
            pending_change: pending.as_ref().map(|pending| pending.what),
            period_kind: line.period_kind.plan(),
            iccid: format!("…{}", line.iccid_last4()),
            state: line.state.status(),
            block_reasons: line.state.reasons().iter().collect(),
            current_period_start: line.period.map(|period| period.start),
            current_period_end: line.period.map(|period| period.end),
            next_renewal_at: line.next_renewal_at(),
            effective_amount: line.effective_price().decimal(),
            price_amount: line.price.decimal(),
            price_currency: line.price.currency.to_string(),
            discount_type: discount_type.map(str::to_owned),
            discount_value,
            discount_periods_remaining: line.discount_periods_remaining,
            balances: self.balances.into_iter().map(|held| held.view(now)).collect(),
            id: line.id,
            customer_id: line.customer_id,
            offering_id: line.offering_id,
            commercial_order_id: line.order_id,
            msisdn: line.msisdn,
            cfs_service_id: line.cfs_service_id,
            state_reason: line.state_reason,
            activated_at: line.activated_at,
            terminated_at: line.terminated_at,
            promo_code: line.promo_code,
            promo_offer_definition_id: line.promo_offer_definition_id,
            price_offering_price_id: line.price_id,
            version: line.version,
        }
    }
}

impl Held {
    fn view(self, now: DateTime<Utc>) -> BalanceView {
        let Self { balance, period } = self;
        let unlimited_until = balance.unlimited_until.filter(|until| now < *until);
        let unlimited = balance.unlimited || balance.fair_use || unlimited_until.is_some();
        let shown = |quantity| if unlimited { UNLIMITED } else { quantity };
        BalanceView {
            allowance_type: balance.kind,
            total: shown(balance.total),
            consumed: if balance.unlimited { 0 } else { balance.total - balance.remaining },
            remaining: shown(balance.remaining),
            unit: balance.kind.unit(),
            unlimited_until,
            fair_use_limit: balance.fair_use.then_some(balance.total),
            fair_use_remaining: balance.fair_use.then_some(balance.remaining),
            period_start: period.start,
            period_end: period.end,
        }
    }
}
