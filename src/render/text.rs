//! Single values as text: what a cell of a table or a line of a page shows.

use std::borrow::Cow;

use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

const MEGABYTES_PER_GIGABYTE: i64 = 1024;

/// Makes text of others harmless: control characters could steer the reader's terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let hostile = |letter: char| letter.is_control() && letter != '\n';
    if text.contains(hostile) { text.replace(hostile, "\u{fffd}").into() } else { text.into() }
}

/// The member at a dotted path, e.g. `individual.givenName`; null when it is not there.
pub(crate) fn at<'a>(view: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(view, |value, member| &value[member])
}

/// Any value in one line; empty for null.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => one_line(text),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(scalar).collect::<Vec<_>>().join(", ")
        }
        Value::Array(_) | Value::Object(_) => one_line(&value.to_string()),
    }
}

fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// The member at `path` in one line.
pub(crate) fn field(view: &Value, path: &str) -> String {
    scalar(at(view, path))
}

/// An amount with its currency: `25.00 SGD`.
pub(crate) fn money(view: &Value, amount: &str, currency: &str) -> String {
    let amount = field(view, amount);
    if amount.is_empty() { amount } else { format!("{amount} {}", field(view, currency)).trim_end().to_owned() }
}

/// A quantity as people say it: `30 GB`, `100 minutes`, `unlimited`.
pub(crate) fn quantity(view: &Value, amount: &str, unit: &str) -> String {
    let Some(amount) = at(view, amount).as_i64() else { return field(view, amount) };
    match (amount, at(view, unit).as_str()) {
        (-1, _) => "unlimited".into(),
        (gigabytes, Some("mb")) if gigabytes > 0 && gigabytes % MEGABYTES_PER_GIGABYTE == 0 => {
            format!("{} GB", gigabytes / MEGABYTES_PER_GIGABYTE)
        }
        (megabytes, Some("mb")) => format!("{megabytes} MB"),
        (count, Some("count") | None) => count.to_string(),
        (1, Some("minutes")) => "1 minute".into(),
        (amount, Some(unit)) => format!("{amount} {}", clean(unit)),
    }
}

/// The rows of a list answer: the array itself, or the array inside an envelope such as `{events, count, next}`.
pub(crate) fn rows(answer: &Value) -> &[Value] {
    let inside = || answer.as_object().and_then(|members| members.values().find_map(Value::as_array));
    answer.as_array().or_else(inside).map_or(&[], Vec::as_slice)
}

/// How many columns of a terminal a text takes: letters of some scripts take two.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text filled up with spaces to `columns`; one that is wider stays as it is.
pub(crate) fn padded(text: &str, columns: usize, right: bool) -> String {
    let gap = " ".repeat(columns.saturating_sub(width(text)));
    if right { gap + text } else { text.to_owned() + &gap }
}

/// The beginning of a text that is too long, with an ellipsis.
pub(crate) fn shortened(whole: &str, columns: usize) -> String {
    if width(whole) <= columns {
        return whole.to_owned();
    }
    let mut kept = String::new();
    for letter in whole.chars() {
        if width(&kept) + letter.width().unwrap_or_default() + 1 > columns {
            break;
        }
        kept.push(letter);
    }
    kept.trim_end().to_owned() + "…"
}

/// Breaks a text at its spaces into lines of at most `columns`; a word that is wider is never cut.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_break_at_spaces_and_count_columns() {
        assert_eq!(wrapped("the line is in service", 11), ["the line is", "in service"]);
        assert_eq!(wrapped("CUST-0a1b2c3d4e5f is", 8), ["CUST-0a1b2c3d4e5f", "is"], "an id is never cut");
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(width("李小龍"), 6);
        assert_eq!(padded("李小龍", 8, false), "李小龍  ");
        assert_eq!(padded("9.00", 6, true), "  9.00");
    }

    #[test]
    fn quantities_read_as_people_say_them() {
        let said = |amount: i64, unit: &str| quantity(&json!({"q": amount, "u": unit}), "q", "u");
        assert_eq!(said(30720, "mb"), "30 GB");
        assert_eq!(said(100, "mb"), "100 MB");
        assert_eq!(said(1536, "mb"), "1536 MB");
        assert_eq!(said(0, "mb"), "0 MB");
        assert_eq!(said(-1, "minutes"), "unlimited");
        assert_eq!((said(1, "minutes"), said(100, "minutes")), ("1 minute".into(), "100 minutes".into()));
        assert_eq!(said(5, "count"), "5");
        assert_eq!(quantity(&json!({}), "q", "u"), "");
    }

    #[test]
    fn values_of_others_stay_on_their_line() {
        assert_eq!(scalar(&json!("a\nb\u{1b}[1m")), "a b\u{fffd}[1m");
        assert_eq!(scalar(&json!(["exhausted", "payment"])), "exhausted, payment");
        assert_eq!(scalar(&json!([{"id": 1}])), r#"[{"id":1}]"#);
        assert_eq!(money(&json!({"amount": "25.00", "currency": "SGD"}), "amount", "currency"), "25.00 SGD");
        assert_eq!(money(&json!({"currency": "SGD"}), "amount", "currency"), "");
    }

    #[test]
    fn rows_are_found_in_both_shapes() {
        assert_eq!(rows(&json!([1, 2])).len(), 2);
        assert_eq!(rows(&json!({"count": 1, "events": [1]})).len(), 1);
        assert!(rows(&json!({"count": 1})).is_empty());
    }
}
