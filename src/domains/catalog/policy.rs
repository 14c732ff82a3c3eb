//! The rules of the catalog.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{NewPrice, Window};
use super::port::{AllowanceType, OfferingId, OfferingView, PriceId, PriceView};
use crate::platform::context::{Context, Scope};
use crate::platform::error::{Error, Result as Answer, Rule, Violation};
use crate::platform::money::{Currency, Money};

/// A plan has no price in force at the instant that counts.
pub const NO_ACTIVE_PRICE: Rule = Rule::new("catalog.price.no_active_row");

/// The rules of writing.
pub mod rule {
    use crate::platform::error::Rule;

    pub const ADMIN_ONLY: Rule = Rule::new("catalog.admin_only");
    pub const OFFERING_EXISTS: Rule = Rule::new("catalog.offering.already_exists");
    pub const OFFERING_NOT_FOUND: Rule = Rule::new("catalog.offering.not_found");
    pub const SPECIFICATION_NOT_FOUND: Rule = Rule::new("catalog.specification.not_found");
    pub const PRICE_EXISTS: Rule = Rule::new("catalog.price.already_exists");
    pub const PRICE_NOT_FOUND: Rule = Rule::new("catalog.price.not_found");
    pub const PRICE_IMMUTABLE: Rule = Rule::new("catalog.price.immutable");
    pub const PRICE_TAKEN: Rule = Rule::new("catalog.price.belongs_to_other_offering");
    pub const PRICE_STAYS: Rule = Rule::new("catalog.price.cannot_detach");
    pub const AMOUNT: Rule = Rule::new("catalog.price.invalid_amount");
    pub const CURRENCY: Rule = Rule::new("catalog.price.currency_mismatch");
    pub const STARTS_IN_PAST: Rule = Rule::new("catalog.price.starts_in_past");
    pub const ENDS_IN_PAST: Rule = Rule::new("catalog.price.ends_in_past");
    pub const WINDOW: Rule = Rule::new("catalog.window.inverted");
    pub const QUANTITY: Rule = Rule::new("catalog.allowance.invalid_quantity");
    pub const LIFECYCLE: Rule = Rule::new("catalog.lifecycle.transition_invalid");
    pub const CATEGORY_NOT_FOUND: Rule = Rule::new("catalog.category.not_found");
    pub const CATEGORY_CYCLE: Rule = Rule::new("catalog.category.cycle");
    pub const VAS_EXISTS: Rule = Rule::new("catalog.vas.already_exists");
    pub const VAS_NOT_FOUND: Rule = Rule::new("catalog.vas.not_found");
    pub const VAS_GRANT: Rule = Rule::new("catalog.vas.invalid_grant");
}

/// Who may write: an identity with the scope, and somebody who says their name. What is sold is on record with who sold it.
pub(super) fn admin(cx: &Context) -> Answer<()> {
    cx.require(Scope::Admin)?;
    // Who gives no name is called "system" by the edge; what the system itself writes has a longer name.
    if ["", "anonymous", "system"].contains(&cx.actor.as_ref()) {
        let violation = rule::ADMIN_ONLY.violated("Say who you are (X-BSS-Actor) to change the catalog");
        return Err(violation.with("actor", cx.actor.as_ref()).into());
    }
    Ok(())
}

/// A window has an inside.
pub(super) fn window(window: Window) -> Result<Window, Violation> {
    match (window.valid_from, window.valid_to) {
        (Some(from), Some(to)) if from >= to => {
            Err(rule::WINDOW.violated("The window ends before it begins").with("validFrom", from).with("validTo", to))
        }
        _ => Ok(window),
    }
}

/// How far the clock of a caller who means "now" may be behind ours.
const SLACK: TimeDelta = TimeDelta::seconds(60);

/// A price changes from now on: what was sold before was sold at the price of then.
pub(super) fn from_now_on(at: DateTime<Utc>, now: DateTime<Utc>, rule: Rule) -> Result<(), Violation> {
    if at < now - SLACK {
        return Err(rule.violated("A price changes now or later, not in the past").with("at", at).with("now", now));
    }
    Ok(())
}

/// A price that a plan gets starts now or later, whichever way it comes to the plan. One without a start holds as far as its
/// plan goes back, where no other one is cheaper.
pub(super) fn starts_from_now_on(window: Window, now: DateTime<Utc>) -> Result<(), Violation> {
    window.valid_from.map_or(Ok(()), |from| from_now_on(from, now, rule::STARTS_IN_PAST))
}

/// A price is an amount of the operator's own currency: the lowest one wins, so two currencies could not be compared.
pub(super) fn amount(money: Money, own: Currency) -> Result<Money, Violation> {
    if money.currency != own {
        return Err(rule::CURRENCY
            .violated(format!("Prices are in {own}"))
            .with("currency", money.currency)
            .with("expected", own));
    }
    if money.minor < 0 {
        return Err(rule::AMOUNT.violated("A price is zero or more").with("amount", money.decimal()));
    }
    Ok(money)
}

/// An allowance counts something, nothing, or has no limit.
pub(super) fn quantity(kind: AllowanceType, quantity: i64) -> Result<i64, Violation> {
    if quantity < super::port::UNLIMITED {
        let violation = rule::QUANTITY.violated("An allowance is 0 or more, or -1 for unlimited");
        return Err(violation.with("allowanceType", kind).with("quantity", quantity));
    }
    Ok(quantity)
}

/// A top-up grants something, and one without limit has an end: it would be a plan of its own otherwise.
pub(super) fn grant(quantity: i64, expiry_hours: Option<i32>) -> Result<(), Violation> {
    let refused = |why: &'static str| Err(rule::VAS_GRANT.violated(why).with("allowanceQuantity", quantity));
    match (quantity, expiry_hours) {
        (super::port::UNLIMITED, None) => refused("A pass without limit ends some time: give its hours"),
        (super::port::UNLIMITED | 1.., _) => Ok(()),
        _ => refused("A top-up grants 1 or more, or -1 for unlimited"),
    }
}

/// Turns the refusal of a primary key into the rule it stands for.
pub(super) fn taken(error: Error, constraint: &str, rule: Rule, key: &str, id: &str) -> Error {
    if error.breaks_unique(constraint) {
        return rule.violated("This id is taken").with(key, id).into();
    }
    error
}

/// From when no price of the plan is in force any more, looking from `at` on: None when one is open.
pub(super) fn gap(windows: &[Window], at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut until = at;
    // Each round covers one more window; a window that was passed does not count again.
    for _ in 0..=windows.len() {
        let covering = windows.iter().filter(|window| window.holds(until));
        match covering.map(|window| window.valid_to).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))) {
            None => return Some(until),
            Some(None) => return None,
            Some(Some(end)) => until = end,
        }
    }
    Some(until)
}

/// Which of the plan's open prices end where `new` begins: those that are in force then.
pub(super) fn current<'a>(
    prices: impl Iterator<Item = (&'a str, Window)>,
    new: &NewPrice,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, Vec<&'a str>) {
    let at = new.window.valid_from.unwrap_or(now);
    let ended = prices.filter(|(id, window)| {
        // One that began at this very instant would have no inside left.
        *id != new.id.as_str() && window.valid_to.is_none() && window.valid_from.is_none_or(|from| from < at)
    });
    (at, ended.map(|(id, _)| id).collect())
}

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

    #[test]
    fn a_gap_is_found_where_no_price_follows() {
        let at = |days: i64| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let window = |from: Option<i64>, to: Option<i64>| Window { valid_from: from.map(at), valid_to: to.map(at) };
        assert_eq!(gap(&[window(None, None)], at(3)), None);
        assert_eq!(gap(&[], at(3)), Some(at(3)));
        assert_eq!(gap(&[window(None, Some(5)), window(Some(5), None)], at(3)), None, "one follows the other");
        assert_eq!(gap(&[window(None, Some(5)), window(Some(6), None)], at(3)), Some(at(5)));
        assert_eq!(gap(&[window(None, Some(5)), window(Some(2), Some(9))], at(3)), Some(at(9)), "the longest counts");
    }

    #[test]
    fn amounts_windows_and_quantities_have_their_rules() {
        let at = |days: i64| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let sgd: Currency = "SGD".parse().unwrap();
        assert_eq!(amount(Money::new(-1, sgd), sgd).unwrap_err().rule, rule::AMOUNT);
        assert_eq!(amount(Money::new(1, "USD".parse().unwrap()), sgd).unwrap_err().rule, rule::CURRENCY);
        assert!(amount(Money::new(0, sgd), sgd).is_ok());
        let inverted = Window { valid_from: Some(at(2)), valid_to: Some(at(2)) };
        assert_eq!(window(inverted).unwrap_err().rule, rule::WINDOW);
        assert_eq!(quantity(AllowanceType::Data, -2).unwrap_err().rule, rule::QUANTITY);
        assert!(quantity(AllowanceType::Data, -1).is_ok() && quantity(AllowanceType::Data, 0).is_ok());
        for (quantity, hours, is_one) in [(1, None, true), (-1, Some(24), true), (-1, None, false), (0, None, false)] {
            assert_eq!(grant(quantity, hours).is_ok(), is_one, "{quantity} for {hours:?}");
        }
        assert!(grant(-2, Some(1)).is_err());
    }
}
