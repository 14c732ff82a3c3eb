//! Tables without lines: a heading, aligned columns, one row per view.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use super::{Style, text};

/// Space between two columns.
const GAP: u16 = 2;

/// One column: its heading and what it takes from a view.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    cell: fn(&Value) -> String,
    source: Source,
    right: bool,
}

#[derive(Clone, Copy)]
enum Source {
    Field(&'static str),
    Time(&'static str),
    Money(&'static str, &'static str),
    Quantity(&'static str, &'static str),
    Computed,
}

impl Column {
    const fn new(heading: &'static str, source: Source) -> Self {
        Self { heading, cell: |_| String::new(), source, right: false }
    }

    /// The member at a dotted path.
    pub(crate) const fn field(heading: &'static str, path: &'static str) -> Self {
        Self::new(heading, Source::Field(path))
    }

    /// A number, aligned to the right.
    pub(crate) const fn number(heading: &'static str, path: &'static str) -> Self {
        Self { right: true, ..Self::new(heading, Source::Field(path)) }
    }

    /// An instant.
    pub(crate) const fn time(heading: &'static str, path: &'static str) -> Self {
        Self::new(heading, Source::Time(path))
    }

    /// An amount and its currency.
    pub(crate) const fn money(heading: &'static str, amount: &'static str, currency: &'static str) -> Self {
        Self { right: true, ..Self::new(heading, Source::Money(amount, currency)) }
    }

    /// A quantity and its unit.
    pub(crate) const fn quantity(heading: &'static str, amount: &'static str, unit: &'static str) -> Self {
        Self { right: true, ..Self::new(heading, Source::Quantity(amount, unit)) }
    }

    /// What a function reads from the view.
    pub(crate) const fn computed(heading: &'static str, cell: fn(&Value) -> String) -> Self {
        Self { heading, cell, source: Source::Computed, right: false }
    }

    fn text(&self, view: &Value) -> String {
        let text = match self.source {
            Source::Field(path) => text::field(view, path),
            Source::Time(path) => text::time(view, path),
            Source::Money(amount, currency) => text::money(view, amount, currency),
            Source::Quantity(amount, unit) => text::quantity(view, amount, unit),
            Source::Computed => (self.cell)(view),
        };
        if text.is_empty() { "-".to_owned() } else { text }
    }
}

/// Rows under headings; empty when there are no rows. Cells wrap where the terminal is narrow.
pub(crate) fn table(style: Style, columns: &[Column], rows: &[Value]) -> String {
    let headings = columns.iter().map(|column| column.heading.to_owned()).collect();
    let right: Vec<bool> = columns.iter().map(|column| column.right).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| column.text(row)).collect()).collect();
    grid(style, headings, &right, cells)
}

/// As [`table`], for columns that only the data knows.
pub(super) fn grid(style: Style, headings: Vec<String>, right: &[bool], cells: Vec<Vec<String>>) -> String {
    if cells.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings).add_rows(cells);
    match style.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { GAP }));
        if right.get(index).copied().unwrap_or_default() {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default();
    let body = lines.map(|line| format!("{}\n", line.trim_end()));
    std::iter::once(format!("{}\n", style.strong(heading.trim_end()))).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::field("ID", "id"),
        Column::money("PRICE", "amount", "currency"),
        Column::time("SINCE", "since"),
        Column::computed("FLAG", |view| if view["on"] == true { "on".into() } else { String::new() }),
    ];

    #[test]
    fn columns_align_and_missing_values_show_as_dashes() {
        let rows = [
            json!({"id": "PLAN_S", "amount": "9.00", "currency": "SGD", "since": "2026-01-01T00:00:00Z", "on": true}),
            json!({"id": "PLAN_LONGER", "amount": "125.00", "currency": "SGD"}),
        ];
        assert_snapshot!(table(Style::default(), COLUMNS, &rows), @"
        ID                PRICE  SINCE                 FLAG
        PLAN_S         9.00 SGD  2026-01-01T00:00:00Z  on
        PLAN_LONGER  125.00 SGD  -                     -
        ");
    }

    #[test]
    fn no_rows_is_no_table() {
        assert_eq!(table(Style::default(), COLUMNS, &[]), "");
    }

    #[test]
    fn a_narrow_terminal_wraps_and_a_colourful_one_has_a_strong_heading() {
        let rows =
            [json!({"id": "a text that is far too long for this terminal", "amount": "1.00", "currency": "SGD"})];
        let text = table(Style { colour: true, width: Some(50) }, COLUMNS, &rows);
        assert!(text.starts_with("\u{1b}[1mID"));
        assert!(text.lines().skip(1).all(|line| line.chars().count() <= 50), "{text}");
    }
}
