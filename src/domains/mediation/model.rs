//! A usage event as callers write it, checked once: types, units and quantities become exact integers here.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::Number;

use super::policy;
use crate::domains::catalog::port::Unit;
use crate::domains::crm::port::Msisdn;
use crate::domains::rating::port::UsageType;
use crate::platform::error::{Error, Result};

/// Largest quantity of one event, in the unit of its type. A petabyte is no single event; sums stay far from overflow.
const QUANTITY_MAX: i64 = 1_000_000_000_000;
const MEGABYTES_PER_GIGABYTE: i64 = 1024;

/// Longest source and external id, in characters.
const SOURCE_LENGTH_MAX: usize = 80;
const EXTERNAL_ID_LENGTH_MAX: usize = 255;

/// A well-formed usage event: what [`Draft`] becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUsage {
    pub msisdn: Msisdn,
    pub usage_type: UsageType,
    /// Positive, in the unit of the type.
    pub quantity: i64,
    pub roaming: bool,
    /// None: now.
    pub event_time: Option<DateTime<Utc>>,
    pub source: String,
    /// None: the event cannot be sent again; its usage id stands for it.
    pub external_id: Option<String>,
    /// Official TMF635 attributes that we only store and echo.
    pub attributes: Option<Box<serde_json::Value>>,
}

impl NewUsage {
    /// The one unit of the type; quantities in others were converted or refused.
    pub fn unit(&self) -> Unit {
        self.usage_type.allowance(false).unit()
    }
}

/// A usage event as somebody wrote it.
#[derive(Debug, Clone)]
pub struct Draft {
    pub msisdn: Msisdn,
    /// `data`, `voice`, `voice_minutes` (the same) or `sms`.
    pub event_type: String,
    pub quantity: Number,
    /// None: the unit of the type. Data also knows `gb`.
    pub unit: Option<String>,
    pub roaming: bool,
    pub event_time: Option<DateTime<Utc>>,
    pub source: String,
    pub external_id: Option<String>,
}

/// Where the attributes of a draft stand in the caller's input, for faults.
#[derive(Debug, Clone, Copy)]
pub struct Pointers {
    pub quantity: &'static str,
    pub unit: &'static str,
    pub source: &'static str,
    pub external_id: &'static str,
}

impl Draft {
    /// Checks and converts.
    ///
    /// # Errors
    /// Malformed input names its place; `usage.record.valid_event_type` and `usage.record.positive_quantity`.
    pub fn check(self, pointers: Pointers) -> Result<NewUsage> {
        let usage_type = usage_type(&self.event_type).ok_or_else(|| policy::unknown_type(&self.event_type))?;
        let factor =
            factor(usage_type, self.unit.as_deref()).map_err(|message| Error::invalid(pointers.unit, message))?;
        let quantity =
            quantity(&self.quantity, factor).map_err(|message| Error::invalid(pointers.quantity, message))?;
        if quantity <= 0 {
            return Err(policy::POSITIVE_QUANTITY
                .violated("The quantity must be greater than zero")
                .with("quantity", &self.quantity)
                .into());
        }
        check_text(&self.source, SOURCE_LENGTH_MAX).map_err(|message| Error::invalid(pointers.source, message))?;
        if let Some(external_id) = &self.external_id {
            check_text(external_id, EXTERNAL_ID_LENGTH_MAX)
                .map_err(|message| Error::invalid(pointers.external_id, message))?;
        }
        Ok(NewUsage {
            msisdn: self.msisdn,
            usage_type,
            quantity,
            roaming: self.roaming,
            event_time: self.event_time,
            source: self.source,
            external_id: self.external_id,
            attributes: None,
        })
    }
}

/// What callers call the types.
pub(super) const TYPE_NAMES: [&str; 4] = ["data", "voice", "voice_minutes", "sms"];

fn usage_type(name: &str) -> Option<UsageType> {
    UsageType::parse(if name == "voice_minutes" { "voice" } else { name })
}

/// How many of the type's own unit one of `unit` is.
fn factor(usage_type: UsageType, unit: Option<&str>) -> Result<i64, String> {
    let own = usage_type.allowance(false).unit();
    match unit {
        None => Ok(1),
        Some(unit) if unit == own.as_str() => Ok(1),
        Some("gb") if own == Unit::Mb => Ok(MEGABYTES_PER_GIGABYTE),
        Some(_) if own == Unit::Mb => Err("data is counted in mb or gb".to_owned()),
        Some(_) => Err(format!("{} is counted in {}", usage_type.as_str(), own.as_str())),
    }
}

/// The exact whole number of units; nothing is rounded.
fn quantity(number: &Number, factor: i64) -> Result<i64, String> {
    let decimal = match number.as_i64() {
        Some(whole) => Decimal::from(whole),
        None => {
            let text = number.to_string();
            text.parse().or_else(|_| Decimal::from_scientific(&text)).map_err(|_| out_of_range())?
        }
    };
    let product = decimal.checked_mul(Decimal::from(factor)).ok_or_else(out_of_range)?;
    if !product.is_integer() {
        return Err("must be a whole number of mb, minutes or messages; nothing is rounded".to_owned());
    }
    product.to_i64().filter(|quantity| *quantity <= QUANTITY_MAX).ok_or_else(out_of_range)
}

fn out_of_range() -> String {
    format!("must be at most {QUANTITY_MAX} mb, minutes or messages")
}

fn check_text(text: &str, length_max: usize) -> Result<(), String> {
    if text.is_empty() || text.chars().count() > length_max || text.chars().any(char::is_control) {
        return Err(format!("must be 1 to {length_max} characters, none of them a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POINTERS: Pointers =
        Pointers { quantity: "/quantity", unit: "/unit", source: "/source", external_id: "/externalId" };

    fn draft(event_type: &str, quantity: &str, unit: Option<&str>) -> Draft {
        Draft {
            msisdn: "90000042".parse().unwrap(),
            event_type: event_type.to_owned(),
            quantity: serde_json::from_str(quantity).unwrap(),
            unit: unit.map(str::to_owned),
            roaming: false,
            event_time: None,
            source: "pgw-1".to_owned(),
            external_id: None,
        }
    }

    fn checked(event_type: &str, quantity: &str, unit: Option<&str>) -> Result<(UsageType, i64)> {
        draft(event_type, quantity, unit).check(POINTERS).map(|usage| (usage.usage_type, usage.quantity))
    }

    #[track_caller]
    fn invalid(answer: Result<(UsageType, i64)>, at: &str) {
        match answer {
            Err(Error::Invalid { pointer, .. }) => assert_eq!(pointer, at),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn violates(answer: Result<(UsageType, i64)>, rule: crate::platform::error::Rule) {
        assert_eq!(answer.unwrap_err().violation().map(|violation| violation.rule), Some(rule));
    }

    #[test]
    fn units_are_converted_exactly_or_refused() {
        assert_eq!(checked("data", "120", None).unwrap(), (UsageType::Data, 120));
        assert_eq!(checked("data", "120.0", Some("mb")).unwrap(), (UsageType::Data, 120));
        assert_eq!(checked("data", "1.5", Some("gb")).unwrap(), (UsageType::Data, 1536));
        assert_eq!(checked("data", "1e2", Some("mb")).unwrap(), (UsageType::Data, 100));
        assert_eq!(checked("voice_minutes", "3", Some("minutes")).unwrap(), (UsageType::Voice, 3));
        assert_eq!(checked("sms", "1", Some("count")).unwrap(), (UsageType::Sms, 1));
        invalid(checked("data", "0.1", Some("gb")), "/quantity");
        invalid(checked("voice", "0.5", None), "/quantity");
        invalid(checked("data", "1e300", None), "/quantity");
        invalid(checked("data", "1000000000001", None), "/quantity");
        invalid(checked("voice", "1", Some("gb")), "/unit");
        invalid(checked("data", "1", Some("minutes")), "/unit");
        invalid(checked("sms", "1", Some("")), "/unit");
    }

    #[test]
    fn nothing_and_less_and_unknown_types_break_their_rules() {
        violates(checked("data", "0", None), policy::POSITIVE_QUANTITY);
        violates(checked("data", "-1", None), policy::POSITIVE_QUANTITY);
        violates(checked("fax", "1", None), policy::VALID_EVENT_TYPE);
        assert!(TYPE_NAMES.iter().all(|name| usage_type(name).is_some()));
    }

    #[test]
    fn source_and_external_id_are_bounded_text() {
        let mut bad = draft("data", "1", None);
        bad.source = "pgw\u{0}".to_owned();
        invalid(bad.check(POINTERS).map(|_| (UsageType::Data, 0)), "/source");
        let mut bad = draft("data", "1", None);
        bad.external_id = Some("x".repeat(256));
        invalid(bad.check(POINTERS).map(|_| (UsageType::Data, 0)), "/externalId");
    }

    proptest! {
        #[test]
        fn whole_gigabytes_are_1024_megabytes_each(gigabytes in 1_i64..1_000_000) {
            prop_assert_eq!(checked("data", &gigabytes.to_string(), Some("gb")).unwrap(), (UsageType::Data, gigabytes * 1024));
        }

        #[test]
        fn no_number_makes_it_panic(number in prop::num::f64::NORMAL) {
            let _ = checked("data", &serde_json::to_string(&number).unwrap(), Some("gb"));
        }
    }
}
