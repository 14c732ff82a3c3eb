//! The one timestamp format of every TMF payload: RFC 3339, UTC, milliseconds, `Z` (`2026-05-10T09:00:00.000Z`).
//!
//! Use `#[serde(with = "time")]` on a `DateTime<Utc>` and `#[serde(with = "time::option")]` on an optional one.
//! Any RFC 3339 instant is read; only the canonical form is written.

use std::fmt;

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use serde::de::Visitor;
use serde::{Deserializer, Serialize, Serializer};

/// The text is not an instant that we can read and write back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an RFC 3339 date-time of the years 0001 to 9999, such as 2026-05-10T09:00:00.000Z")]
pub struct TimeError;

/// A `TimePeriod`, as in `validFor`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Period {
    #[serde(with = "option", skip_serializing_if = "Option::is_none")]
    start_date_time: Option<DateTime<Utc>>,
    #[serde(with = "option", skip_serializing_if = "Option::is_none")]
    end_date_time: Option<DateTime<Utc>>,
}

impl Period {
    /// None without any bound: there is nothing to say then.
    pub fn of(start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> Option<Self> {
        let is_bounded = start.is_some() || end.is_some();
        is_bounded.then_some(Self { start_date_time: start, end_date_time: end })
    }
}

/// The canonical form; what is finer than a millisecond is cut off.
pub fn format(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Reads any RFC 3339 date-time, down to the microsecond that the database keeps.
///
/// A leap second becomes the second after it. Years of more than four digits are refused: RFC 3339 cannot write them.
pub fn parse(text: &str) -> Result<DateTime<Utc>, TimeError> {
    let read = DateTime::parse_from_rfc3339(text).map_err(|_| TimeError)?;
    let at = DateTime::from_timestamp_micros(read.timestamp_micros()).ok_or(TimeError)?;
    if (1..=9999).contains(&at.year()) { Ok(at) } else { Err(TimeError) }
}

pub fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*at))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    deserializer.deserialize_str(Instant)
}

/// Reads an instant where its text stands.
struct Instant;

impl Visitor<'_> for Instant {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DateTime<Utc>, E> {
        parse(text).map_err(E::custom)
    }
}

/// The same for `Option<DateTime<Utc>>`. Pair it with `skip_serializing_if = "Option::is_none"` (TMF payloads have no
/// nulls) and `default` (serde asks for it beside `with`).
pub mod option {
    use super::{DateTime, Deserializer, Serializer, Utc, parse};
    use serde::Deserialize as _;

    pub fn serialize<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| parse(&text).map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        #[serde(with = "super")]
        order_date: DateTime<Utc>,
        #[serde(with = "super::option", default, skip_serializing_if = "Option::is_none")]
        completion_date: Option<DateTime<Utc>>,
    }

    fn written(text: &str) -> String {
        format(parse(text).expect("a date-time"))
    }

    #[test]
    fn every_offset_and_precision_becomes_utc_milliseconds() {
        assert_eq!(written("2026-05-10T17:00:00+08:00"), "2026-05-10T09:00:00.000Z");
        assert_eq!(written("2026-05-10T09:00:00.123987Z"), "2026-05-10T09:00:00.123Z");
        assert_eq!(written("2026-12-31T23:59:60Z"), "2027-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_cannot_be_written_back_is_refused() {
        for text in ["", "2026-05-10", "2026-05-10T09:00:00", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"]
        {
            assert_eq!(parse(text), Err(TimeError), "{text}");
        }
    }

    #[test]
    fn serde_writes_the_canonical_form_and_leaves_out_what_is_missing() {
        let body: Body = serde_json::from_str(r#"{"orderDate":"2026-05-10T09:00:00Z"}"#).expect("readable");
        assert_eq!(serde_json::to_string(&body).expect("writable"), r#"{"orderDate":"2026-05-10T09:00:00.000Z"}"#);
        let both = r#"{"orderDate":"2026-05-10T09:00:00.000Z","completionDate":"2026-05-10T09:00:01.500Z"}"#;
        let body: Body = serde_json::from_str(both).expect("readable");
        assert_eq!(serde_json::to_string(&body).expect("writable"), both);
        assert!(serde_json::from_str::<Body>(r#"{"orderDate":"yesterday"}"#).is_err());
    }

    proptest! {
        #[test]
        fn what_we_write_we_read_to_the_millisecond(millis in -62_135_596_800_000_i64..=253_402_300_799_999) {
            let at = DateTime::from_timestamp_millis(millis).expect("in range");
            let text = format(at);
            prop_assert_eq!(text.len(), 24);
            prop_assert_eq!(parse(&text), Ok(at));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
