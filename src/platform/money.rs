//! Money: integer minor units with an ISO 4217 currency; decimal text on the wire; discounts.
//!
//! No floating point anywhere. Rounding happens in one place, [`Discount::applied_to`], half up to the minor unit.

use std::fmt;
use std::str::FromStr;

use rust_decimal::prelude::ToPrimitive as _;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// An ISO 4217 alphabetic currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

/// ISO 4217 codes whose minor unit is not 1/100.
const EXPONENTS: &[(&str, u32)] = &[
    ("BHD", 3),
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("a currency is three capital letters (ISO 4217), such as SGD")]
    Currency,
    #[error("an amount is a decimal number with at most {digits} decimals in {currency}, such as \"25.00\"")]
    Amount { currency: Currency, digits: u32 },
    #[error("the amount is out of range")]
    Range,
}

impl Currency {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("built from capital ASCII letters only")
    }

    /// How many decimals the currency has: 2 for SGD, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        EXPONENTS.iter().find(|(code, _)| *code == self.as_str()).map_or(2, |(_, exponent)| *exponent)
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| MoneyError::Currency)?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(MoneyError::Currency) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in minor units (cents for SGD). Never negative where it is a price; signed in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Reads decimal text such as `25.00`. More decimals than the currency has are an error, not rounded.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let digits = currency.exponent();
        let malformed = || MoneyError::Amount { currency, digits };
        let value = Decimal::from_str_exact(text).map_err(|_| malformed())?;
        if value.normalize().scale() > digits {
            return Err(malformed());
        }
        let minor = value.checked_mul(Decimal::from(10_i64.pow(digits))).and_then(|m| m.to_i64());
        Ok(Self { minor: minor.ok_or(MoneyError::Range)?, currency })
    }

    /// Decimal text with exactly the decimals of the currency: `25.00`, `500`, `1.250`.
    pub fn decimal(self) -> String {
        Decimal::new(self.minor, self.currency.exponent()).to_string()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.decimal())
    }
}

/// A discount as a promotion states it. The value of an absolute discount is in minor units of the price's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discount {
    /// Percent of the price, 0 to 100, at most four decimals.
    Percent(Decimal),
    /// Minor units off the price.
    Absolute(i64),
}

impl Discount {
    /// The price after the discount: never below zero, rounded half up to the minor unit.
    pub fn applied_to(self, price: Money) -> Money {
        let minor = match self {
            Self::Percent(percent) => {
                let kept = Decimal::ONE_HUNDRED - percent.clamp(Decimal::ZERO, Decimal::ONE_HUNDRED);
                let exact = Decimal::from(price.minor) * kept / Decimal::ONE_HUNDRED;
                let rounded = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
                rounded.to_i64().unwrap_or(price.minor)
            }
            Self::Absolute(off) => price.minor.saturating_sub(off.max(0)),
        };
        Money::new(minor.clamp(0, price.minor.max(0)), price.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sgd(minor: i64) -> Money {
        Money::new(minor, "SGD".parse().unwrap())
    }

    #[test]
    fn text_and_minor_units_agree() {
        for (text, code, minor) in [
            ("25.00", "SGD", 2500),
            ("25", "SGD", 2500),
            ("0.05", "SGD", 5),
            ("500", "JPY", 500),
            ("1.250", "KWD", 1250),
        ] {
            let money = Money::parse(text, code.parse().unwrap()).unwrap();
            assert_eq!(money.minor, minor, "{text} {code}");
        }
        assert_eq!(sgd(2500).decimal(), "25.00");
        assert_eq!(Money::new(500, "JPY".parse().unwrap()).decimal(), "500");
        for bad in ["", "1.005", "NaN", "1e3", "12,00", "--1", "99999999999999999999"] {
            assert!(Money::parse(bad, "SGD".parse().unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn discounts_follow_the_contract() {
        let percent = |value: &str| Discount::Percent(value.parse().unwrap());
        assert_eq!(percent("20").applied_to(sgd(2500)), sgd(2000));
        assert_eq!(percent("50").applied_to(sgd(1001)), sgd(501), "half a cent rounds up");
        assert_eq!(percent("12.5").applied_to(sgd(999)), sgd(874));
        assert_eq!(percent("100").applied_to(sgd(2500)), sgd(0));
        assert_eq!(Discount::Absolute(500).applied_to(sgd(2500)), sgd(2000));
        assert_eq!(Discount::Absolute(9000).applied_to(sgd(2500)), sgd(0));
    }

    proptest! {
        #[test]
        fn decimal_text_round_trips(minor in -1_000_000_000_i64..1_000_000_000, code in prop::sample::select(vec!["SGD", "JPY", "KWD"])) {
            let money = Money::new(minor, code.parse().unwrap());
            prop_assert_eq!(Money::parse(&money.decimal(), money.currency).unwrap(), money);
        }

        #[test]
        fn a_discount_never_raises_a_price_nor_goes_below_zero(minor in 0_i64..100_000_000, hundredths in 0_i64..20_000, off in -10_i64..200_000_000) {
            for discount in [Discount::Percent(Decimal::new(hundredths, 2)), Discount::Absolute(off)] {
                let after = discount.applied_to(sgd(minor)).minor;
                prop_assert!((0..=minor).contains(&after));
            }
        }

        #[test]
        fn a_percent_discount_is_within_half_a_minor_unit_of_exact(minor in 0_i64..100_000_000, hundredths in 0_i64..=10_000) {
            let after = Discount::Percent(Decimal::new(hundredths, 2)).applied_to(sgd(minor)).minor;
            // In ten-thousandths of a minor unit, to stay in integers.
            let exact = minor * (10_000 - hundredths);
            prop_assert!((after * 10_000 - exact).abs() <= 5_000);
        }
    }
}
