//! The rules of promotions: what one may be, and whether a code takes anything off.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::model::{Audience, CodeKind, Duration, PromoCode, Promotion};
use super::store::Facts;
use crate::domains::catalog::port::{CreatePromotion, NoDiscount, OfferingId, PromotionId, PromotionState};
use crate::platform::error::{Error, Result as Answer, Violation};
use crate::platform::money::{Currency, Discount, Money};

/// The rules of promotions.
pub mod rule {
    use crate::platform::error::Rule;

    pub const AUDIENCE: Rule = Rule::new("catalog.promotion.invalid_audience");
    pub const DISCOUNT_TYPE: Rule = Rule::new("catalog.promotion.invalid_discount_type");
    pub const DISCOUNT_VALUE: Rule = Rule::new("catalog.promotion.invalid_discount_value");
    pub const DURATION_KIND: Rule = Rule::new("catalog.promotion.invalid_duration_kind");
    pub const PERIODS_TOTAL: Rule = Rule::new("catalog.promotion.invalid_periods_total");
    pub const REQUIRES_CODE: Rule = Rule::new("catalog.promotion.requires_code");
    pub const CODE_KIND: Rule = Rule::new("catalog.promotion.invalid_promo_code_kind");
    pub const ALREADY_EXISTS: Rule = Rule::new("catalog.promotion.already_exists");
    pub const CODE_IN_USE: Rule = Rule::new("catalog.promotion.code_in_use");
    pub const NOT_TARGETED: Rule = Rule::new("catalog.promotion.not_targeted");
    pub const CUSTOMER_NOT_FOUND: Rule = Rule::new("catalog.promotion.customer_not_found");
}

/// Most periods of a discount: ten years of months.
const PERIODS_MAX: i64 = 120;

/// Most customers of one assignment.
pub(super) const CUSTOMERS_MAX: usize = 500;

pub(super) fn audience(text: &str) -> Result<Audience, Violation> {
    Audience::parse(text)
        .ok_or_else(|| rule::AUDIENCE.violated("A promotion is public or targeted").with("audience", text))
}

/// What is taken off: more than nothing, and no more than all.
pub(super) fn discount(kind: &str, value: &str, currency: Currency) -> Result<Discount, Violation> {
    let refused = |why: String| Err(rule::DISCOUNT_VALUE.violated(why).with("discountValue", value));
    match kind {
        "percent" => match Decimal::from_str(value) {
            Ok(percent) if percent.normalize().scale() > 2 => {
                refused("A percent has at most two decimals, such as 12.5".to_owned())
            }
            Ok(percent) if percent > Decimal::ZERO && percent <= Decimal::ONE_HUNDRED => {
                Ok(Discount::Percent(percent.normalize()))
            }
            _ => refused("A percent is above 0 and at most 100, such as 12.5".to_owned()),
        },
        "absolute" => match Money::parse(value, currency) {
            Ok(off) if off.minor > 0 => Ok(Discount::Absolute(off.minor)),
            Ok(_) => refused("What is taken off is more than nothing".to_owned()),
            Err(error) => refused(format!("What is taken off: {error}")),
        },
        _ => Err(rule::DISCOUNT_TYPE.violated("A discount is percent or absolute").with("discountType", kind)),
    }
}

/// For how long.
pub(super) fn duration(kind: &str, periods: Option<i64>) -> Result<Duration, Violation> {
    let refused = |why: &'static str| {
        let violation = rule::PERIODS_TOTAL.violated(why);
        Err(violation.with("durationKind", kind).with("periodsTotal", periods))
    };
    match (kind, periods) {
        ("single", None) => Ok(Duration::Single),
        ("perpetual", None) => Ok(Duration::Perpetual),
        ("multi", Some(periods @ 2..=PERIODS_MAX)) => match i16::try_from(periods) {
            Ok(periods) => Ok(Duration::Multi(periods)),
            Err(_) => refused("A discount for several periods says how many: 2 to 120"),
        },
        ("multi", _) => refused("A discount for several periods says how many: 2 to 120"),
        ("single" | "perpetual", Some(_)) => refused("Only a discount for several periods (multi) says how many"),
        _ => Err(rule::DURATION_KIND
            .violated("A discount is for a single period, for several (multi), or perpetual")
            .with("durationKind", kind)),
    }
}

/// The code and how often it can be used. A targeted promotion needs neither: nobody has to type anything.
pub(super) fn code(new: &CreatePromotion, audience: Audience) -> Answer<(PromoCode, CodeKind)> {
    let targeted = audience == Audience::Targeted;
    let given = new.code.as_deref().map(str::trim).filter(|code| !code.is_empty());
    let text = given.or_else(|| targeted.then_some(new.promotion_id.as_str()));
    let Some(text) = text else {
        let violation = rule::REQUIRES_CODE.violated("A public promotion needs the code that customers type");
        return Err(violation.with("audience", audience.as_str()).into());
    };
    let code = PromoCode::parse(text);
    let code = code.ok_or_else(|| Error::invalid("/code", "must be 1 to 80 characters of A-Z 0-9 _ - . :"))?;
    let kind = match new.promo_code_kind.as_deref() {
        None if targeted => Some(CodeKind::PerCustomer),
        given => given.and_then(CodeKind::parse),
    };
    let kind = kind.ok_or_else(|| {
        let kinds = CodeKind::ALL.map(CodeKind::as_str).join(", ");
        let violation = rule::CODE_KIND.violated(format!("Say how often the code can be used: {kinds}"));
        violation.with("promoCodeKind", &new.promo_code_kind)
    })?;
    Ok((code, kind))
}

/// Whether a promotion can be assigned: it is targeted and has not ended. `found` is the row, locked.
pub(super) fn assignable(id: &PromotionId, found: Option<Promotion>) -> Result<Promotion, Violation> {
    match targeted(id, found)? {
        promotion if promotion.state == PromotionState::Active => Ok(promotion),
        ended => Err(rule::NOT_TARGETED
            .violated("The promotion has ended; nobody is let use it any more")
            .with("promotionId", id)
            .with("state", ended.state)
            .with("audience", ended.audience.as_str())),
    }
}

/// Whether it is one for chosen customers.
pub(super) fn targeted(id: &PromotionId, found: Option<Promotion>) -> Result<Promotion, Violation> {
    match found {
        None => Err(rule::NOT_TARGETED.violated("There is no such promotion").with("promotionId", id)),
        Some(promotion) if promotion.audience == Audience::Targeted => Ok(promotion),
        Some(public) => Err(rule::NOT_TARGETED
            .violated("The promotion is public: whoever has its code may use it")
            .with("promotionId", id)
            .with("state", public.state)
            .with("audience", public.audience.as_str())),
    }
}

/// Does the code count for this plan, now? The order is part of the contract: the caller sees the first thing that is wrong.
pub(super) fn counts(facts: &Facts, offering: &OfferingId, at: DateTime<Utc>) -> Result<(), NoDiscount> {
    let promotion = &facts.promotion;
    if promotion.state != PromotionState::Active {
        return Err(NoDiscount::NoActivePromotion);
    }
    if promotion.audience == Audience::Targeted && !facts.is_eligible {
        return Err(NoDiscount::NotEligible);
    }
    if !promotion.applicable.is_empty() && !promotion.applicable.contains(offering) {
        return Err(NoDiscount::NotApplicableToOffering);
    }
    if promotion.window.valid_from.is_some_and(|from| at < from) {
        return Err(NoDiscount::NotYetValid);
    }
    if promotion.window.valid_to.is_some_and(|to| to <= at) {
        return Err(NoDiscount::Expired);
    }
    inventory(facts)
}

/// Is there a use left?
fn inventory(facts: &Facts) -> Result<(), NoDiscount> {
    match facts.promotion.code_kind {
        CodeKind::PerCustomer | CodeKind::Shared if facts.is_used_by_customer => Err(NoDiscount::AlreadyUsed),
        CodeKind::Shared if facts.is_used => Err(NoDiscount::CodeExhausted),
        CodeKind::Shared | CodeKind::PerCustomer | CodeKind::Multi => Ok(()),
    }
}

/// May a promise be kept by an entitlement? Neither window nor end matter any more: they were looked at when it was promised.
pub(super) fn claimable(facts: &Facts) -> Result<(), NoDiscount> {
    if facts.promotion.audience == Audience::Targeted && !facts.is_eligible {
        return Err(NoDiscount::NotEligible);
    }
    inventory(facts)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::Map;

    use super::super::model::tests::terms;
    use super::*;
    use crate::domains::catalog::model::Window;

    fn sgd() -> Currency {
        "SGD".parse().unwrap()
    }

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    fn facts() -> Facts {
        Facts {
            promotion: Promotion {
                id: "PROMO_X".parse().unwrap(),
                name: None,
                code: PromoCode::parse("x").unwrap(),
                code_kind: CodeKind::Multi,
                audience: Audience::Public,
                terms: terms(Discount::Absolute(500), Duration::Single),
                applicable: vec!["PLAN_S".parse().unwrap()],
                window: Window { valid_from: Some(day(10)), valid_to: Some(day(20)) },
                state: PromotionState::Active,
                created_by: "tester".into(),
                attributes: Map::new(),
                version: 1,
                updated_at: day(0),
            },
            is_eligible: false,
            is_used_by_customer: false,
            is_used: false,
        }
    }

    fn with(change: impl FnOnce(&mut Facts)) -> Facts {
        let mut facts = facts();
        change(&mut facts);
        facts
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_named() {
        let at = |facts: &Facts, plan: &str, days| counts(facts, &plan.parse().unwrap(), day(days));
        assert_eq!(at(&facts(), "PLAN_S", 10), Ok(()), "from its first instant");
        assert_eq!(at(&facts(), "PLAN_S", 9), Err(NoDiscount::NotYetValid));
        assert_eq!(at(&facts(), "PLAN_S", 20), Err(NoDiscount::Expired), "not at its end");
        assert_eq!(at(&facts(), "PLAN_M", 30), Err(NoDiscount::NotApplicableToOffering));
        let targeted = with(|f| f.promotion.audience = Audience::Targeted);
        assert_eq!(at(&targeted, "PLAN_M", 30), Err(NoDiscount::NotEligible));
        let ended = with(|f| f.promotion.state = PromotionState::Exhausted);
        assert_eq!(at(&ended, "PLAN_M", 30), Err(NoDiscount::NoActivePromotion));
        let anywhere = with(|f| f.promotion.applicable = Vec::new());
        assert_eq!(at(&anywhere, "PLAN_M", 15), Ok(()));
    }

    #[test]
    fn a_use_is_left_as_often_as_the_kind_says() {
        let left = |kind, by_customer, at_all| {
            let facts = with(|f| {
                f.promotion.code_kind = kind;
                (f.is_used_by_customer, f.is_used) = (by_customer, at_all);
            });
            claimable(&facts)
        };
        assert_eq!(left(CodeKind::Shared, false, false), Ok(()));
        assert_eq!(left(CodeKind::Shared, false, true), Err(NoDiscount::CodeExhausted));
        assert_eq!(left(CodeKind::Shared, true, true), Err(NoDiscount::AlreadyUsed));
        assert_eq!(left(CodeKind::PerCustomer, false, true), Ok(()));
        assert_eq!(left(CodeKind::PerCustomer, true, true), Err(NoDiscount::AlreadyUsed));
        assert_eq!(left(CodeKind::Multi, true, true), Ok(()));
    }

    #[test]
    fn a_promise_outlives_window_and_end_but_not_the_loss_of_eligibility() {
        let ended = with(|f| f.promotion.state = PromotionState::Exhausted);
        assert_eq!(claimable(&ended), Ok(()));
        let taken_back = with(|f| f.promotion.audience = Audience::Targeted);
        assert_eq!(claimable(&taken_back), Err(NoDiscount::NotEligible));
    }

    #[test]
    fn terms_have_their_rules() {
        let value = |kind: &str, text: &str| discount(kind, text, sgd()).map_err(|refused| refused.rule.id());
        assert_eq!(value("percent", "12.50"), Ok(Discount::Percent("12.5".parse().unwrap())));
        assert_eq!(value("percent", "100"), Ok(Discount::Percent("100".parse().unwrap())));
        assert_eq!(value("absolute", "5"), Ok(Discount::Absolute(500)));
        for (kind, wrong) in [
            ("percent", "0"),
            ("percent", "-1"),
            ("percent", "100.01"),
            ("percent", "150"),
            ("percent", "1.234"),
            ("percent", "half"),
            ("absolute", "0"),
            ("absolute", "-5"),
            ("absolute", "1.005"),
            ("absolute", ""),
        ] {
            assert_eq!(value(kind, wrong), Err("catalog.promotion.invalid_discount_value"), "{kind} {wrong}");
        }
        assert_eq!(value("bogus", "5"), Err("catalog.promotion.invalid_discount_type"));
        assert_eq!(audience("friends").unwrap_err().rule, rule::AUDIENCE);
    }

    #[test]
    fn only_several_periods_are_counted() {
        let periods = |kind: &str, number| duration(kind, number).map_err(|refused| refused.rule.id());
        assert_eq!(periods("single", None), Ok(Duration::Single));
        assert_eq!(periods("multi", Some(3)), Ok(Duration::Multi(3)));
        assert_eq!(periods("perpetual", None), Ok(Duration::Perpetual));
        for (kind, number) in
            [("multi", None), ("multi", Some(1)), ("multi", Some(121)), ("single", Some(1)), ("perpetual", Some(2))]
        {
            assert_eq!(periods(kind, number), Err("catalog.promotion.invalid_periods_total"), "{kind} {number:?}");
        }
        assert_eq!(periods("forever", None), Err("catalog.promotion.invalid_duration_kind"));
    }
}
