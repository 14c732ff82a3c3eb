//! Any answer as text, for operations that have no page of their own.

use serde_json::Value;

use super::page::Page;
use super::{Style, select, table, text, words};

/// An object as facts with a section for each list in it; a list as a table; anything else as it is.
pub(crate) fn any(answer: &Value, style: Style) -> String {
    match answer {
        Value::Object(_) => object(answer, style),
        Value::Array(items) => list(items, style),
        other => format!("{}\n", words::value(other)),
    }
}

/// The members of an object; lists of objects come below, as tables.
pub(crate) fn object(view: &Value, style: Style) -> String {
    let Some(members) = view.as_object() else { return any(view, style) };
    let (lists, facts): (Vec<_>, Vec<_>) = members.iter().partition(|(_, value)| holds_objects(value));
    let heading = text::field(view, "id");
    let page = if heading.is_empty() { Page::bare(style) } else { Page::new(style, &[&heading], "") };
    let facts = facts.into_iter().filter(|(name, _)| *name != "id");
    let facts: Vec<_> = facts.map(|(name, value)| (name.as_str(), words::value(value))).collect();
    let page = page.facts(&facts);
    lists.into_iter().fold(page, |page, (name, value)| page.section(name, &any(value, Page::inner(style)))).finish()
}

/// Columns that were asked for by name: a table of a list, else facts.
pub(crate) fn columns(table: &select::Table, is_list: bool, style: Style) -> String {
    let cells = |row: &Vec<Value>| row.iter().map(words::value).collect::<Vec<_>>();
    if is_list {
        let dashes = |cells: Vec<String>| cells.into_iter().map(|text| if text.is_empty() { "-".into() } else { text });
        let rows = table.rows.iter().map(|row| dashes(cells(row)).collect()).collect();
        return table::grid(style, table.columns.clone(), rows);
    }
    let facts = table.rows.iter().flat_map(|row| table.columns.iter().map(String::as_str).zip(cells(row)));
    Page::bare(style).facts(&facts.collect::<Vec<_>>()).finish()
}

fn holds_objects(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(Value::is_object),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    }
}

fn list(items: &[Value], style: Style) -> String {
    let names = member_names(items);
    if names.is_empty() {
        return items.iter().map(|item| words::value(item) + "\n").collect();
    }
    let cell = |item: &Value, name: &str| match words::value(&item[name]) {
        text if text.is_empty() => "-".to_owned(),
        text => text,
    };
    let cells = items.iter().map(|item| names.iter().map(|name| cell(item, name)).collect()).collect();
    table::grid(style, names.iter().map(|name| heading(name)).collect(), cells)
}

/// The members that at least one item has, in the order they first appear.
fn member_names(items: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in items.iter().filter_map(Value::as_object).flat_map(|members| members.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// `lastError` as a heading: `LAST ERROR`.
fn heading(name: &str) -> String {
    name.chars().fold(String::new(), |mut heading, letter| {
        if letter.is_ascii_uppercase() {
            heading.push(' ');
        }
        heading.push(letter.to_ascii_uppercase());
        heading
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_object_shows_its_facts_and_lists() {
        let answer = json!({
            "id": "VP-0001", "state": "applied", "stateReason": null, "blockReasons": ["exhausted"],
            "entries": [{"kind": "grant", "amount": 1024}, {"kind": "expiry", "lastError": "none"}],
            "price": {"amount": "3.00", "currency": "SGD"},
        });
        assert_snapshot!(any(&answer, Style::default()), @"
        VP-0001
          state         applied
          blockReasons  exhausted

        entries
          KIND    AMOUNT  LAST ERROR
          grant   1024    -
          expiry  -       none

        price
          amount    3.00
          currency  SGD
        ");
    }

    #[test]
    fn plain_lists_and_values_stay_plain() {
        assert_eq!(any(&json!(["a", "b"]), Style::default()), "a\nb\n");
        assert_eq!(any(&json!(true), Style::default()), "yes\n");
        assert_eq!(any(&json!([]), Style::default()), "");
    }
}
