//! How cards and tables say dates, numbers and quantities.

use chrono::{DateTime, FixedOffset, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::styled::{Look, Styled};
use super::text;

const MEGABYTES_PER_GIGABYTE: i64 = 1024;

fn instant(view: &Value, path: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text::at(view, path).as_str()?).ok()
}

/// The view with every instant in the operator's time zone, as its profile names it; without one as it is.
///
/// An instant stays an instant: it says its offset, and who reads it says what it says.
pub(crate) fn localised(view: Value, profile: &Value) -> Value {
    match profile["timeZone"].as_str().and_then(|zone| zone.parse::<Tz>().ok()) {
        Some(zone) => in_zone(view, zone),
        None => view,
    }
}

fn in_zone(view: Value, zone: Tz) -> Value {
    match view {
        Value::String(text) => Value::String(match DateTime::parse_from_rfc3339(&text) {
            Ok(at) => at.with_timezone(&zone).to_rfc3339(),
            Err(_) => text,
        }),
        Value::Array(list) => list.into_iter().map(|one| in_zone(one, zone)).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, in_zone(value, zone))).collect(),
        other => other,
    }
}

/// Is there an instant anywhere in the view?
pub(crate) fn says_when(view: &Value) -> bool {
    match view {
        Value::String(text) => DateTime::parse_from_rfc3339(text).is_ok(),
        Value::Array(list) => list.iter().any(says_when),
        Value::Object(members) => members.values().any(says_when),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// An instant to the minute, in the zone in which it is given: `2026-05-11 09:00Z`, `2026-05-11 17:00+08:00`.
pub(crate) fn minute(view: &Value, path: &str) -> String {
    instant(view, path).map_or_else(|| text::field(view, path), |at| said(at, "%Y-%m-%d %H:%M"))
}

/// An instant to the second, as [`minute`] says it: what happens within one minute can be told apart.
pub(crate) fn second(view: &Value, path: &str) -> String {
    value(text::at(view, path))
}

/// How far an instant that was said here is from UTC: `+08:00`. None for one in UTC, and for what is no instant.
pub(crate) fn offset(said: &str) -> Option<&str> {
    let zone = said.get(said.len().checked_sub(6)?..)?;
    (zone.starts_with(['+', '-']) && zone.as_bytes()[3] == b':').then_some(zone)
}

/// Any value in one line; an instant to the second.
pub(crate) fn value(value: &Value) -> String {
    let instant = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    instant.map_or_else(|| text::scalar(value), |at| said(at, "%Y-%m-%d %H:%M:%S"))
}

fn said(at: DateTime<FixedOffset>, clock: &str) -> String {
    let zone = if at.offset().local_minus_utc() == 0 { "Z" } else { "%:z" };
    at.format(&format!("{clock}{zone}")).to_string()
}

/// The day of an instant, in the zone in which it is given: `2026-05-11`.
pub(crate) fn day(view: &Value, path: &str) -> String {
    instant(view, path).map_or_else(|| text::field(view, path), |at| at.format("%Y-%m-%d").to_string())
}

/// How far an instant is: `in 17 days`, `today`, `2 days ago`. Nothing where nobody said what time it is.
pub(crate) fn away(view: &Value, path: &str, now: Option<DateTime<Utc>>) -> String {
    let (Some(at), Some(now)) = (instant(view, path), now) else { return String::new() };
    match (at.date_naive() - now.with_timezone(at.offset()).date_naive()).num_days() {
        0 => "today".into(),
        1 => "tomorrow".into(),
        -1 => "yesterday".into(),
        days if days > 0 => format!("in {days} days"),
        days => format!("{} days ago", -days),
    }
}

/// Shortest and longest number that is grouped: what an operator's numbers can have (`BSS_OPERATOR_NUMBER_LENGTH`).
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 5..=12;

/// A phone number in groups of four from its end: `9000 0042`, `151 2345 6789`. What is no number stays as it is.
pub(crate) fn number(msisdn: &str) -> String {
    if !NUMBER_DIGITS.contains(&msisdn.len()) || !msisdn.bytes().all(|byte| byte.is_ascii_digit()) {
        return msisdn.to_owned();
    }
    let (first, rest) = msisdn.split_at(msisdn.len() % 4);
    let groups = rest.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned());
    let first = (!first.is_empty()).then(|| first.to_owned());
    first.into_iter().chain(groups).collect::<Vec<_>>().join(" ")
}

/// A quantity as people say it, rounded down: `18.2 GB`, `500 MB`, `12 minutes`, `3 SMS`.
pub(crate) fn quantity(amount: i64, unit: &str) -> String {
    match unit {
        _ if amount < 0 => "unlimited".into(),
        "mb" if amount < MEGABYTES_PER_GIGABYTE => format!("{amount} MB"),
        "mb" => {
            match (amount / MEGABYTES_PER_GIGABYTE, amount % MEGABYTES_PER_GIGABYTE * 10 / MEGABYTES_PER_GIGABYTE) {
                (gigabytes, 0) => format!("{gigabytes} GB"),
                (gigabytes, tenths) => format!("{gigabytes}.{tenths} GB"),
            }
        }
        "count" => format!("{amount} SMS"),
        "minutes" => format!("{amount} min"),
        unit => format!("{amount} {}", text::clean(unit)),
    }
}

/// The name of an allowance: `Data roaming`.
pub(crate) fn allowance(kind: &str) -> String {
    if kind == "sms" {
        return "SMS".into();
    }
    let words = text::clean(kind).replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Plain text of a member.
pub(crate) fn plain(view: &Value, path: &str) -> Styled {
    Styled::plain(text::field(view, path))
}

/// Text of less weight.
pub(crate) fn dim(words: impl Into<String>) -> Styled {
    Styled::of(Look::Dim, words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_round_down_so_that_nothing_is_promised() {
        for (amount, unit, said) in [
            (30_720, "mb", "30 GB"),
            (30_719, "mb", "29.9 GB"),
            (1023, "mb", "1023 MB"),
            (1536, "mb", "1.5 GB"),
            (0, "mb", "0 MB"),
            (-1, "mb", "unlimited"),
            (12, "minutes", "12 min"),
            (3, "count", "3 SMS"),
        ] {
            assert_eq!(quantity(amount, unit), said);
        }
    }

    #[test]
    fn days_are_counted_by_the_calendar() {
        let now = Some("2026-05-10T23:59:00Z".parse().expect("an instant"));
        let said = |at: &str| away(&json!({"at": at}), "at", now);
        assert_eq!(said("2026-05-11T00:01:00Z"), "tomorrow");
        assert_eq!(said("2026-05-10T00:00:00Z"), "today");
        assert_eq!(said("2026-05-27T00:00:00Z"), "in 17 days");
        assert_eq!(said("2026-05-01T00:00:00Z"), "9 days ago");
        assert_eq!(said("soon"), "");
        assert_eq!(away(&json!({"at": "2026-05-11T00:00:00Z"}), "at", None), "");
    }

    #[test]
    fn dates_are_those_of_the_operator() {
        let view =
            json!({"at": "2026-05-11T22:00:02.123Z", "rows": [{"at": "2026-01-11T22:00:00Z"}], "id": "2026", "n": 1});
        let here = localised(view.clone(), &json!({"timeZone": "Europe/Berlin"}));
        assert_eq!((minute(&here, "at"), day(&here, "at")), ("2026-05-12 00:00+02:00".into(), "2026-05-12".into()));
        assert_eq!(minute(&here["rows"][0], "at"), "2026-01-11 23:00+01:00");
        assert_eq!(second(&here, "at"), "2026-05-12 00:00:02+02:00");
        assert!(says_when(&view) && says_when(&view["rows"]) && !says_when(&json!({"id": "2026", "n": [1, null]})));
        assert_eq!((&here["id"], &here["n"]), (&view["id"], &view["n"]));
        assert_eq!(localised(view.clone(), &Value::Null), view, "nobody said where");
        let now = Some("2026-05-11T21:00:00Z".parse().expect("an instant"));
        assert_eq!((away(&here, "at", now), away(&view, "at", now)), ("tomorrow".into(), "today".into()));
    }

    #[test]
    fn dates_and_numbers_are_said_alike_everywhere() {
        let view = json!({"at": "2026-05-11T09:00:02.123Z", "odd": "later"});
        assert_eq!((minute(&view, "at"), day(&view, "at")), ("2026-05-11 09:00Z".into(), "2026-05-11".into()));
        assert_eq!(second(&view, "at"), "2026-05-11 09:00:02Z");
        assert_eq!((second(&view, "odd"), second(&view, "none")), ("later".into(), String::new()));
        assert_eq!((minute(&view, "odd"), day(&view, "none")), ("later".into(), String::new()));
        assert_eq!(
            [number("90000042"), number("15123456789"), number("6590000042"), number("9000é42"), number("110")],
            ["9000 0042", "151 2345 6789", "65 9000 0042", "9000é42", "110"]
        );
        assert_eq!([allowance("data_roaming"), allowance("sms"), allowance("")], ["Data roaming", "SMS", ""]);
    }
}
