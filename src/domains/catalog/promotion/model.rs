//! Promotions as values: terms, codes, labels. Pure.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::domains::catalog::model::Window;
use crate::domains::catalog::port::{OfferingId, Promise, PromotionId, PromotionState, PromotionView};
use crate::platform::ids;
use crate::platform::money::{Currency, Discount, Money};

/// What customers type: without case and without the spaces around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PromoCode(String);

impl PromoCode {
    /// None for what no code of ours looks like.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let code = text.trim().to_ascii_uppercase();
        ids::check(&code).is_ok().then_some(Self(code))
    }

    /// From a row of our own table, where only parsed codes are.
    pub(super) const fn stored(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How often a code can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeKind {
    /// Once.
    Shared,
    /// Once by each customer.
    PerCustomer,
    /// Any number of times.
    Multi,
}

impl CodeKind {
    pub(super) const ALL: [Self; 3] = [Self::Shared, Self::PerCustomer, Self::Multi];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "single_use_shared",
            Self::PerCustomer => "single_use_unique_per_customer",
            Self::Multi => "multi_use",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who may use a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Whoever has the code.
    Public,
    /// Those it is assigned to.
    Targeted,
}

impl Audience {
    pub(super) const ALL: [Self; 2] = [Self::Public, Self::Targeted];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Targeted => "targeted",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|audience| audience.as_str() == text)
    }
}

/// How many charges a promotion lowers; the activation is the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duration {
    Single,
    /// Two or more.
    Multi(i16),
    Perpetual,
}

impl Duration {
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Multi(_) => "multi",
            Self::Perpetual => "perpetual",
        }
    }

    /// Of several: how many.
    pub(super) const fn periods(self) -> Option<i16> {
        match self {
            Self::Multi(periods) => Some(periods),
            Self::Single | Self::Perpetual => None,
        }
    }

    /// As an order keeps it: -1 is for ever.
    pub(super) fn counted(self) -> i32 {
        match self {
            Self::Single => 1,
            Self::Multi(periods) => i32::from(periods),
            Self::Perpetual => -1,
        }
    }
}

/// What is taken off, in which currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) discount: Discount,
    pub(super) currency: Currency,
    pub(super) duration: Duration,
}

impl Terms {
    pub(super) const fn kind(&self) -> &'static str {
        match self.discount {
            Discount::Percent(_) => "percent",
            Discount::Absolute(_) => "absolute",
        }
    }

    pub(super) fn value(&self) -> Decimal {
        match self.discount {
            Discount::Percent(percent) => percent.normalize(),
            Discount::Absolute(off) => Decimal::new(off, self.currency.exponent()),
        }
    }

    /// `20% off`, `12.5% off`, `SGD 5.00 off`.
    pub(super) fn label(&self) -> String {
        match self.discount {
            Discount::Percent(percent) => format!("{}% off", percent.normalize()),
            Discount::Absolute(off) => format!("{} off", Money::new(off, self.currency)),
        }
    }

    pub(super) fn effective(&self, base: Money) -> Money {
        self.discount.applied_to(base)
    }
}

/// A promotion.
#[derive(Debug, Clone)]
pub(super) struct Promotion {
    pub(super) id: PromotionId,
    pub(super) name: Option<String>,
    pub(super) code: PromoCode,
    pub(super) code_kind: CodeKind,
    pub(super) audience: Audience,
    pub(super) terms: Terms,
    /// Empty: every plan.
    pub(super) applicable: Vec<OfferingId>,
    pub(super) window: Window,
    pub(super) state: PromotionState,
    pub(super) created_by: String,
    /// Official TMF671 attributes that we only store and echo.
    pub(super) attributes: Map<String, Value>,
    pub(super) version: i64,
    pub(super) updated_at: DateTime<Utc>,
}

impl Promotion {
    /// What entitles to it, by the name that an engine of entitlements knows it by.
    pub(super) fn offer_definition_id(&self) -> String {
        format!("OD_{}", self.id)
    }

    pub(super) fn promise(&self) -> Promise {
        Promise {
            code: self.code.as_str().to_owned(),
            offer_definition_id: self.offer_definition_id(),
            discount_type: self.terms.kind(),
            discount_value: self.terms.value(),
            periods_total: self.terms.duration.counted(),
            label: self.terms.label(),
        }
    }

    pub(super) fn view(&self) -> PromotionView {
        PromotionView {
            id: self.id.clone(),
            name: self.name.clone(),
            label: self.terms.label(),
            code: self.code.as_str().to_owned(),
            promo_code_kind: self.code_kind.as_str().to_owned(),
            audience: self.audience.as_str().to_owned(),
            offer_definition_id: self.offer_definition_id(),
            discount_type: self.terms.kind().to_owned(),
            discount_value: self.terms.value().to_string(),
            currency: self.terms.currency.to_string(),
            applicable_offering_ids: self.applicable.clone(),
            duration_kind: self.terms.duration.kind().to_owned(),
            periods_total: self.terms.duration.periods().map(i64::from),
            valid_from: self.window.valid_from,
            valid_to: self.window.valid_to,
            state: self.state,
            created_by: self.created_by.clone(),
            version: self.version,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn terms(discount: Discount, duration: Duration) -> Terms {
        Terms { discount, currency: "SGD".parse().unwrap(), duration }
    }

    fn percent(text: &str) -> Discount {
        Discount::Percent(text.parse().unwrap())
    }

    fn sgd(minor: i64) -> Money {
        Money::new(minor, "SGD".parse().unwrap())
    }

    #[test]
    fn labels_say_what_is_taken_off_as_people_write_it() {
        let label = |discount| terms(discount, Duration::Single).label();
        assert_eq!(label(percent("20.00")), "20% off");
        assert_eq!(label(percent("12.50")), "12.5% off");
        assert_eq!(label(percent("100")), "100% off", "never 1E+2");
        assert_eq!(label(Discount::Absolute(500)), "SGD 5.00 off");
        let yen = Terms { currency: "JPY".parse().unwrap(), ..terms(Discount::Absolute(500), Duration::Single) };
        assert_eq!((yen.label(), yen.value().to_string()), ("JPY 500 off".to_owned(), "500".to_owned()));
    }

    #[test]
    fn prices_round_half_up_and_end_at_nothing() {
        let effective = |discount, base| terms(discount, Duration::Single).effective(sgd(base)).minor;
        assert_eq!(effective(percent("50"), 1_001), 501);
        assert_eq!(effective(percent("20"), 2_500), 2_000);
        assert_eq!(effective(Discount::Absolute(500), 2_500), 2_000);
        assert_eq!(effective(Discount::Absolute(9_900), 2_500), 0);
    }

    #[test]
    fn one_several_and_all_periods_are_counted_as_an_order_keeps_them() {
        let counted = [Duration::Single, Duration::Multi(3), Duration::Perpetual].map(Duration::counted);
        assert_eq!(counted, [1, 3, -1]);
    }

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let typed = |text: &str| PromoCode::parse(text).map(|code| code.as_str().to_owned());
        assert_eq!(typed("  summer25\n"), typed("SUMMER25"));
        assert_eq!(typed("Summer-25").as_deref(), Some("SUMMER-25"));
        for nonsense in ["", "   ", "two words", "50%", "ＳＵＭＭＥＲ", &"x".repeat(81)] {
            assert_eq!(typed(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_code_again_changes_nothing(text in "\\PC{0,40}") {
            if let Some(code) = PromoCode::parse(&text) {
                prop_assert_eq!(PromoCode::parse(code.as_str()), Some(code.clone()));
                prop_assert_eq!(PromoCode::parse(&format!(" {} ", code.as_str().to_ascii_lowercase())), Some(code));
            }
        }

        #[test]
        fn the_promise_takes_off_what_the_promotion_says(hundredths in 1_i64..=10_000, base in 0_i64..1_000_000) {
            let terms = terms(Discount::Percent(Decimal::new(hundredths, 2)), Duration::Single);
            let kept: Decimal = terms.value().to_string().parse().unwrap();
            prop_assert_eq!(Discount::Percent(kept).applied_to(sgd(base)), terms.effective(sgd(base)));
        }
    }
}
