//! Answers as data for other programs: JSON, YAML, JSON lines, CSV, or the ids alone. Field names are those of the
//! operation.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};
use serde_json::Value;

use super::select::{self, Table};
use super::text;

/// Pretty-printed JSON.
pub(crate) fn json(answer: &Value) -> String {
    escaped(format!("{answer:#}\n"))
}

/// JSON in which no character can steer a terminal: those that JSON itself does not ask to escape are escaped, too.
pub(super) fn escaped(json: String) -> String {
    if !json.contains(steers) {
        return json;
    }
    let letter = |letter: char| if steers(letter) { format!("\\u{:04x}", u32::from(letter)) } else { letter.into() };
    json.chars().map(letter).collect()
}

fn steers(letter: char) -> bool {
    letter.is_control() && letter != '\n'
}

/// JSON on one line, for streams.
pub(crate) fn json_line(answer: &Value) -> String {
    escaped(format!("{answer}\n"))
}

/// A line of JSON for each thing of a list; one line for anything else.
pub(crate) fn json_lines(answer: &Value) -> String {
    select::listed(answer).unwrap_or(std::slice::from_ref(answer)).iter().map(json_line).collect()
}

/// Comma-separated values as RFC 4180 has them, the names of the columns in the first line.
///
/// Objects inside are columns with dotted names already; a list is its JSON, null is nothing. Values are not changed to
/// keep a spreadsheet from taking them for formulas, except that control characters do not reach a terminal.
pub(crate) fn csv(table: &Table) -> Result<String, csv::Error> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    if !table.columns.is_empty() {
        writer.write_record(&table.columns)?;
    }
    for row in &table.rows {
        writer.write_record(row.iter().map(|value| csv_cell(value).into_owned()))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn csv_cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text::clean(text),
        other => other.to_string().into(),
    }
}

/// YAML of the same value.
pub(crate) fn yaml(answer: &Value) -> Result<String, serde_saphyr::ser::Error> {
    let text = serde_saphyr::to_string(answer)?;
    // Where plain YAML would hold what steers a terminal, its other form, which is JSON, does not.
    Ok(if text.contains(steers) { json(answer) } else { text })
}

/// What tells things of a list apart, the first that all of them have: an id, or what they are called.
const ID_NAMES: [&str; 6] = ["id", "eventId", "traceId", "msisdn", "file", "name"];

/// The ids of an answer, one a line; `None` when it is about nothing that has one.
pub(crate) fn ids(answer: &Value) -> Option<String> {
    let line = |view: &Value, name: &str| Some(format!("{}\n", text::clean(view[name].as_str()?)));
    let all = |views: &[Value], names: &[&str]| {
        names.iter().find_map(|name| views.iter().map(|view| line(view, name)).collect::<Option<String>>())
    };
    match (answer, select::listed(answer)) {
        (Value::Array(views), _) => all(views, &ID_NAMES),
        // A list with something around it may be about one thing, whose parts have names.
        (_, Some(views)) => all(views, &ID_NAMES[..4]),
        (view, None) => line(view, "id"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_reads_back_as_the_same_value() {
        let answer = json!({"id": "PM-0007", "amount": "25.00", "msisdn": "90000000", "on": "no", "note": "a: b\n\"c\" # d",
            "none": null, "list": [{"a": 1, "b": []}, -1, true, {}], "tilde": "~", "empty": ""});
        let text = yaml(&answer).expect("JSON is YAML");
        assert_eq!(serde_saphyr::from_str::<Value>(&text).expect("our own YAML"), answer, "{text}");
    }

    #[test]
    fn no_format_holds_what_steers_a_terminal_and_none_loses_it() {
        let answer = json!({"name": "a\u{1b}[2J\u{9b}31m\u{7f}"});
        for text in [json(&answer), json_line(&answer), yaml(&answer).expect("JSON is YAML")] {
            assert!(!text.contains(steers), "{text:?}");
            assert_eq!(serde_saphyr::from_str::<Value>(&text).expect("YAML, or JSON"), answer);
        }
    }

    #[test]
    fn lists_are_lines() {
        assert_eq!(json_lines(&json!([{"id": 1}, {"id": 2}])), "{\"id\":1}\n{\"id\":2}\n");
        assert_eq!(json_lines(&json!({"events": [{"seq": 1}], "count": 1})), "{\"seq\":1}\n");
        assert_eq!(json_lines(&json!({"id": "ORD-1", "items": []})), "{\"id\":\"ORD-1\",\"items\":[]}\n");
        assert_eq!(json_lines(&json!([])), "");
    }

    #[test]
    fn csv_quotes_what_needs_it_and_reads_back() {
        let answer = json!([
            {"id": "A", "note": "one, \"two\"\nthree", "price": {"amount": "9.00"}, "on": true, "tags": ["a", "b"]},
            {"id": "=1+1", "note": null, "price": null, "on": false, "tags": []},
        ]);
        let text = csv(&Table::of(&answer)).expect("a buffer takes it");
        assert_eq!(
            text,
            "id,note,price.amount,on,tags\r\nA,\"one, \"\"two\"\"\nthree\",9.00,true,\"[\"\"a\"\",\"\"b\"\"]\"\r\n=1+1,,,false,[]\r\n"
        );
        let rows: Vec<Vec<String>> =
            ::csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().expect("CSV");
        assert_eq!(rows[0][1], "one, \"two\"\nthree");
        assert_eq!(csv(&Table::of(&json!([]))).expect("nothing"), "");
        assert!(!csv(&Table::of(&json!([{"name": "\u{1b}[2J"}]))).expect("text").contains('\u{1b}'));
    }

    #[test]
    fn ids_come_one_a_line_or_not_at_all() {
        assert_eq!(ids(&json!({"id": "CUST-1"})).as_deref(), Some("CUST-1\n"));
        assert_eq!(ids(&json!([{"id": "A"}, {"id": "B"}])).as_deref(), Some("A\nB\n"));
        assert_eq!(ids(&json!({"mode": "wall"})), None);
        assert_eq!(
            ids(&json!([{"msisdn": "90000000"}, {"msisdn": "90000001"}])).as_deref(),
            Some("90000000\n90000001\n")
        );
        assert_eq!(ids(&json!([{"name": "order.create", "effect": "write"}])).as_deref(), Some("order.create\n"));
        assert_eq!(ids(&json!({"events": [{"eventId": "0196"}], "count": 1})).as_deref(), Some("0196\n"));
        assert_eq!(ids(&json!({"ok": true, "checks": [{"name": "journal"}]})), None, "a report has no ids");
        assert_eq!(ids(&json!([{"amount": "1"}])), None);
    }
}
