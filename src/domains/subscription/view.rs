//! What callers see of a line.

use super::port::{BalanceView, SubscriptionView};
use super::store::Shown;
use super::store::quota::Held;
use crate::domains::catalog::port::UNLIMITED;
use crate::platform::money::{Discount, Money};

impl From<Shown> for SubscriptionView {
    fn from(shown: Shown) -> Self {
        let line = shown.line;
        let (discount_type, discount_value) = match line.discount {
            None => (None, None),
            Some(Discount::Percent(percent)) => (Some("percent"), Some(percent.normalize().to_string())),
            Some(Discount::Absolute(off)) => (Some("absolute"), Some(Money::new(off, line.price.currency).decimal())),
        };
        Self {
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
            balances: shown.balances.into_iter().map(Into::into).collect(),
            id: line.id,
            customer_id: line.customer_id,
            offering_id: line.offering_id,
            commercial_order_id: line.order_id,
            msisdn: line.msisdn,
            cfs_service_id: line.cfs_service_id,
            state_reason: line.state_reason,
            activated_at: line.activated_at,
            terminated_at: line.terminated_at,
            price_offering_price_id: line.price_id,
            version: line.version,
        }
    }
}

impl From<Held> for BalanceView {
    fn from(Held { balance, period }: Held) -> Self {
        let shown = |quantity| if balance.unlimited { UNLIMITED } else { quantity };
        Self {
            allowance_type: balance.kind,
            total: shown(balance.total),
            consumed: if balance.unlimited { 0 } else { balance.total - balance.remaining },
            remaining: shown(balance.remaining),
            unit: balance.kind.unit(),
            period_start: period.start,
            period_end: period.end,
        }
    }
}
