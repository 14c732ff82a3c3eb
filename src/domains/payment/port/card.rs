//! A card as somebody entered it. The number lives in memory only as long as the request, and shows nowhere.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use zeroize::Zeroizing;

/// Digits of a card number (ISO/IEC 7812-1).
const LENGTH: std::ops::RangeInclusive<usize> = 12..=19;

/// A card number (PAN). Wiped from memory when dropped; never shown by `Debug`, never serialised, never part of an error.
#[derive(Clone)]
pub struct CardNumber(Zeroizing<String>);

impl CardNumber {
    /// Takes what was entered; spaces and dashes between the digits do not matter.
    pub fn entered(text: &str) -> Self {
        let mut digits = Zeroizing::new(String::with_capacity(text.len()));
        digits.extend(text.chars().filter(|c| !matches!(c, ' ' | '-')));
        Self(digits)
    }

    /// Whether it can be a card number: 12 to 19 digits that pass the Luhn check (ISO/IEC 7812-1, annex B).
    pub fn is_valid(&self) -> bool {
        LENGTH.contains(&self.0.len()) && self.0.bytes().all(|b| b.is_ascii_digit()) && luhn(self.0.as_bytes())
    }

    /// The digits, for the gateway's eyes only.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What may be shown and stored of a valid number.
    pub fn last4(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default()
    }
}

/// Every second digit from the right counts double; the sum of all digits is a multiple of ten.
fn luhn(digits: &[u8]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| {
        let value = u32::from(digit - b'0') << (place % 2);
        if value > 9 { value - 9 } else { value }
    });
    weighed.sum::<u32>() % 10 == 0
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardNumber(****)")
    }
}

impl<'de> Deserialize<'de> for CardNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Entry)
    }
}

/// Serde's own refusals repeat the value they refuse; these do not.
struct Entry;

impl Entry {
    fn refused<E: de::Error>() -> E {
        E::custom("a card number is a text of 12 to 19 digits")
    }
}

impl de::Visitor<'_> for Entry {
    type Value = CardNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a card number as text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<CardNumber, E> {
        Ok(CardNumber::entered(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<CardNumber, E> {
        Ok(CardNumber::entered(&Zeroizing::new(text)))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<CardNumber, E> {
        Err(Self::refused())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<CardNumber, E> {
        Err(Self::refused())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<CardNumber, E> {
        Err(Self::refused())
    }
}

impl schemars::JsonSchema for CardNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CardNumber".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Card number, 12 to 19 digits; spaces and dashes do not matter. Never stored, never shown.",
        })
    }
}

/// A card to put on file.
#[derive(Debug, Clone)]
pub struct Card {
    pub number: CardNumber,
    /// 1 to 12; the card is good to the end of this month.
    pub exp_month: u8,
    pub exp_year: u16,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plausible_numbers_are_valid() {
        for good in ["4242424242424242", "4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005"] {
            assert!(CardNumber::entered(good).is_valid());
        }
        for bad in ["", "4242424242424241", "42424242424", "42424242424242424242", "4242x42424242424", "٤٢٤٢٤٢٤٢٤٢٤٢"]
        {
            assert!(!CardNumber::entered(bad).is_valid());
        }
    }

    #[test]
    fn a_number_shows_nowhere() {
        let card = CardNumber::entered("4242424242424242");
        assert!(!format!("{card:?}").contains('4'));
        assert_eq!(card.last4(), "4242");
        for wrong in [
            "4242424242424242",
            "-4242424242424242",
            "4242424242424242.5",
            "[4242424242424242]",
            "99999999999999999999999",
        ] {
            let error = serde_json::from_str::<CardNumber>(wrong).unwrap_err().to_string();
            assert!(!error.contains("4242") && !error.contains("999"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_found(digits in "[0-9]{15}", place in 0_usize..15, other in 1_u8..10) {
            let check = ('0'..='9').find(|check| CardNumber::entered(&format!("{digits}{check}")).is_valid());
            let whole = format!("{digits}{}", check.expect("one check digit fits"));
            let mut wrong = whole.into_bytes();
            wrong[place] = b'0' + (wrong[place] - b'0' + other) % 10;
            prop_assert!(!CardNumber::entered(&String::from_utf8(wrong).unwrap()).is_valid());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let card = CardNumber::entered(&text);
            let _ = (card.is_valid(), card.last4().len());
        }
    }
}
