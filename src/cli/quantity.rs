//! How people say quantities: `1GB`, `500MB`, `3min`, `5sms`, `5`.

use std::str::FromStr;

use clap::ValueEnum;
use rust_decimal::Decimal;

use super::error::CliError;

const MEGABYTES_PER_GIGABYTE: i64 = 1024;

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum UsageType {
    /// Megabytes
    Data,
    /// Minutes
    Voice,
    /// Minutes
    #[value(name = "voice_minutes")]
    VoiceMinutes,
    /// Messages
    Sms,
}

impl UsageType {
    fn unit(self) -> Unit {
        match self {
            Self::Data => Unit::Megabytes,
            Self::Voice | Self::VoiceMinutes => Unit::Minutes,
            Self::Sms => Unit::Count,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Voice => "voice",
            Self::VoiceMinutes => "voice_minutes",
            Self::Sms => "sms",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Megabytes,
    Minutes,
    Count,
}

impl Unit {
    /// The unit's name in operations.
    fn name(self) -> &'static str {
        match self {
            Self::Megabytes => "mb",
            Self::Minutes => "minutes",
            Self::Count => "count",
        }
    }

    fn usage_type(self) -> UsageType {
        match self {
            Self::Megabytes => UsageType::Data,
            Self::Minutes => UsageType::Voice,
            Self::Count => UsageType::Sms,
        }
    }
}

/// A positive amount, with the unit that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantity {
    amount: i64,
    unit: Option<Unit>,
}

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
        let number: Decimal =
            number.parse().map_err(|_| "a quantity looks like 1GB, 500MB, 3min, 5sms or 5".to_owned())?;
        let (unit, factor) = match unit.trim().to_lowercase().as_str() {
            "" => (None, 1),
            "gb" => (Some(Unit::Megabytes), MEGABYTES_PER_GIGABYTE),
            "mb" => (Some(Unit::Megabytes), 1),
            "min" | "mins" | "minute" | "minutes" => (Some(Unit::Minutes), 1),
            "sms" | "count" | "ct" => (Some(Unit::Count), 1),
            other => return Err(format!("there is no unit '{other}'; there are GB, MB, min and sms")),
        };
        let amount = number.checked_mul(factor.into()).filter(Decimal::is_integer).and_then(|n| i64::try_from(n).ok());
        match amount {
            Some(amount) if amount > 0 => Ok(Self { amount, unit }),
            Some(_) => Err("nothing is not a quantity".into()),
            None => Err("the quantity is not a whole number of megabytes, minutes or messages".into()),
        }
    }
}

/// A quantity as `usage.simulate` takes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) event_type: &'static str,
    pub(super) quantity: i64,
    pub(super) unit: &'static str,
}

/// Joins what was said: a unit implies its type, a bare number takes the unit of the type, data when none was said.
pub(super) fn used(kind: Option<UsageType>, quantity: Quantity) -> Result<Used, CliError> {
    let kind = kind.or(quantity.unit.map(Unit::usage_type)).unwrap_or(UsageType::Data);
    let unit = kind.unit();
    if quantity.unit.is_some_and(|said| said != unit) {
        let message = format!("{} is counted in {}, not in the unit that was given", kind.name(), unit.name());
        return Err(CliError::Usage(message));
    }
    Ok(Used { event_type: kind.name(), quantity: quantity.amount, unit: unit.name() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Option<UsageType>, text: &str, expected: (&'static str, i64, &'static str)) {
        let quantity: Quantity = text.parse().expect("a quantity of this test");
        let (event_type, quantity_sent, unit) = expected;
        assert_eq!(used(kind, quantity).expect("fits"), Used { event_type, quantity: quantity_sent, unit });
    }

    #[test]
    fn quantities_are_understood() {
        check(None, "1GB", ("data", 1024, "mb"));
        check(None, "1.5 gb", ("data", 1536, "mb"));
        check(None, "500MB", ("data", 500, "mb"));
        check(None, "3min", ("voice", 3, "minutes"));
        check(None, "5sms", ("sms", 5, "count"));
        check(None, "5", ("data", 5, "mb"));
        check(Some(UsageType::Sms), "5", ("sms", 5, "count"));
        check(Some(UsageType::Voice), "5", ("voice", 5, "minutes"));
        check(Some(UsageType::VoiceMinutes), "3min", ("voice_minutes", 3, "minutes"));
        check(Some(UsageType::Data), "1GB", ("data", 1024, "mb"));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["", "abc", "GB", "-5", "0", "0GB", "0.5", "0.3MB", "5 kb", "1e3", "1GB2", "99999999999999999999GB", "1..5"]
        {
            assert!(text.parse::<Quantity>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn a_unit_of_another_type_is_a_usage_error() {
        let minutes: Quantity = "3min".parse().expect("a quantity");
        let error = used(Some(UsageType::Data), minutes).expect_err("minutes are no data");
        assert_eq!(error.exit_code(), 2);
    }
}
