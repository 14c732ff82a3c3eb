//! The rules of the catalog.

use chrono::{DateTime, Utc};

use super::port::{OfferingId, OfferingView, PriceId, PriceView};
use crate::platform::error::{Rule, Violation};

pub const NO_ACTIVE_PRICE: Rule = Rule::new("catalog.price.no_active_row");

/// Whether a window holds `at`: from inclusive, to exclusive, open where there is no bound.
pub(super) fn in_window(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>, at: DateTime<Utc>) -> bool {
    from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to)
}

/// The price that a new order pays at `at`: the lowest in force, then the lowest id.
pub(super) fn cheapest_in_force(prices: &[PriceView], at: DateTime<Utc>) -> Option<&PriceView> {
    let in_force = prices.iter().filter(|price| in_window(price.valid_from, price.valid_to, at));
    in_force.min_by(|a, b| (a.money.minor, &a.id).cmp(&(b.money.minor, &b.id)))
}

/// The active price of an offering, which may not even exist.
pub(super) fn active_price(
    id: &OfferingId,
    offering: Option<OfferingView>,
    at: DateTime<Utc>,
) -> Result<PriceView, Violation> {
    offering.and_then(|offering| offering.active_price).ok_or_else(|| {
        NO_ACTIVE_PRICE.violated("This plan has no price in force at this time").with("offeringId", id).with("at", at)
    })
}

/// Whether a plan can be bought at `at`.
pub(super) fn is_on_sale(offering: &OfferingView, at: DateTime<Utc>) -> bool {
    offering.is_sellable
        && offering.lifecycle_status == "active"
        && in_window(offering.valid_from, offering.valid_to, at)
        && offering.active_price.is_some()
}

/// Cheapest first, then by id.
pub(super) fn price_order(offering: &OfferingView) -> (i64, PriceId, OfferingId) {
    let price = offering.active_price.as_ref();
    let id = price.map_or_else(|| PriceId::from(String::new()), |price| price.id.clone());
    (price.map_or(i64::MAX, |price| price.money.minor), id, offering.id.clone())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::platform::money::Money;

    fn price(id: &str, minor: i64, from: Option<i64>, to: Option<i64>) -> PriceView {
        let at = |days: i64| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        PriceView {
            id: id.parse().unwrap(),
            offering_id: "PLAN_M".parse().unwrap(),
            money: Money::new(minor, "SGD".parse().unwrap()),
            valid_from: from.map(at),
            valid_to: to.map(at),
        }
    }

    #[test]
    fn the_lowest_price_in_force_wins() {
        let prices = [
            price("BASE", 2500, None, None),
            price("PROMO", 2000, Some(10), Some(20)),
            price("TWIN", 2000, Some(15), Some(20)),
        ];
        let at = |days: i64| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let active = |days: i64| cheapest_in_force(&prices, at(days)).map(|p| p.id.as_str().to_owned()).unwrap();
        assert_eq!(active(9), "BASE");
        assert_eq!(active(10), "PROMO", "in force from its first instant");
        assert_eq!(active(16), "PROMO", "the lower id of two equal prices");
        assert_eq!(active(20), "BASE", "no longer at its end");
        assert!(cheapest_in_force(&prices[1..], at(25)).is_none());
    }
}
