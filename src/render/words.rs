//! How cards say dates, numbers and quantities.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::styled::{Look, Styled};
use super::text;

const MEGABYTES_PER_GIGABYTE: i64 = 1024;

fn instant(view: &Value, path: &str) -> Option<DateTime<Utc>> {
    text::at(view, path).as_str()?.parse().ok()
}

/// An instant to the minute: `2026-05-11 09:00Z`.
pub(crate) fn minute(view: &Value, path: &str) -> String {
    instant(view, path).map_or_else(|| text::field(view, path), |at| at.format("%Y-%m-%d %H:%MZ").to_string())
}

/// The day of an instant: `2026-05-11`.
pub(crate) fn day(view: &Value, path: &str) -> String {
    instant(view, path).map_or_else(|| text::field(view, path), |at| at.format("%Y-%m-%d").to_string())
}

/// How far an instant is: `in 17 days`, `today`, `2 days ago`. Nothing where nobody said what time it is.
pub(crate) fn away(view: &Value, path: &str, now: Option<DateTime<Utc>>) -> String {
    let (Some(at), Some(now)) = (instant(view, path), now) else { return String::new() };
    match (at.date_naive() - now.date_naive()).num_days() {
        0 => "today".into(),
        1 => "tomorrow".into(),
        -1 => "yesterday".into(),
        days if days > 0 => format!("in {days} days"),
        days => format!("{} days ago", -days),
    }
}

/// A phone number of eight digits in two groups; any other as it is.
pub(crate) fn number(msisdn: &str) -> String {
    match msisdn.split_at_checked(4) {
        Some((front, back)) if msisdn.len() == 8 && msisdn.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{front} {back}")
        }
        _ => msisdn.to_owned(),
    }
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
    fn dates_and_numbers_are_said_alike_everywhere() {
        let view = json!({"at": "2026-05-11T09:00:02.123Z", "odd": "later"});
        assert_eq!((minute(&view, "at"), day(&view, "at")), ("2026-05-11 09:00Z".into(), "2026-05-11".into()));
        assert_eq!((minute(&view, "odd"), day(&view, "none")), ("later".into(), String::new()));
        assert_eq!(
            [number("90000042"), number("6590000042"), number("9000é42")],
            ["9000 0042", "6590000042", "9000é42"]
        );
        assert_eq!([allowance("data_roaming"), allowance("sms"), allowance("")], ["Data roaming", "SMS", ""]);
    }
}
