//! Tables without lines: a heading, aligned columns, one row per view.
//!
//! No table is wider than the terminal: texts go on in the next line, and where even that leaves no room, each row becomes
//! a few lines of heading and value. Ids and amounts are never cut.

use serde_json::Value;

use super::{Style, styled, text, words};

/// Space between two columns.
const GAP: &str = "  ";
/// No column of text becomes narrower than this.
const COLUMN_MIN: usize = 12;

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
    Minute(&'static str),
    Second(&'static str),
    State(&'static str),
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

    /// An instant to the minute.
    pub(crate) const fn minute(heading: &'static str, path: &'static str) -> Self {
        Self::new(heading, Source::Minute(path))
    }

    /// An instant to the second, where many fall into one minute.
    pub(crate) const fn second(heading: &'static str, path: &'static str) -> Self {
        Self::new(heading, Source::Second(path))
    }

    /// A state, with a sign where it asks for somebody.
    pub(crate) const fn state(heading: &'static str, path: &'static str) -> Self {
        Self::new(heading, Source::State(path))
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
            Source::Minute(path) => words::minute(view, path),
            Source::Second(path) => words::second(view, path),
            Source::State(path) => {
                let state = text::field(view, path);
                if styled::asks_for_somebody(&state) { format!("⚠ {state}") } else { state }
            }
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
    let grid = Grid { style, headings, right, cells };
    let natural = grid.widths(text::width);
    let Some(room) = style.width.map(usize::from).filter(|room| *room < total(&natural)) else {
        return grid.laid_out(&natural);
    };
    match narrowed(natural, &grid.widths(widest_word), room) {
        Some(widths) => grid.laid_out(&widths),
        None => grid.records(room),
    }
}

struct Grid<'a> {
    style: Style,
    headings: Vec<String>,
    right: &'a [bool],
    cells: Vec<Vec<String>>,
}

impl Grid<'_> {
    /// The largest measure of each column, its heading included.
    fn widths(&self, measure: fn(&str) -> usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| text::width(heading)).collect();
        for row in &self.cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = measure(cell).max(*width);
            }
        }
        widths
    }

    fn laid_out(&self, widths: &[usize]) -> String {
        let heading = self.line(widths, &self.headings);
        let body = self.cells.iter().map(|row| self.row(widths, row));
        std::iter::once(format!("{}\n", self.style.strong(&heading))).chain(body).collect()
    }

    /// One row; a cell that does not fit goes on in the line below.
    fn row(&self, widths: &[usize], row: &[String]) -> String {
        let cells: Vec<Vec<String>> = row.iter().zip(widths).map(|(cell, width)| text::wrapped(cell, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        let line = |at: usize| {
            let texts: Vec<String> = cells.iter().map(|lines| lines.get(at).cloned().unwrap_or_default()).collect();
            self.line(widths, &texts) + "\n"
        };
        (0..height).map(line).collect()
    }

    fn line(&self, widths: &[usize], texts: &[String]) -> String {
        let aligned = |(at, (text, width)): (usize, (&String, &usize))| {
            text::padded(text, *width, self.right.get(at).copied().unwrap_or_default())
        };
        let cells: Vec<String> = texts.iter().zip(widths).enumerate().map(aligned).collect();
        cells.join(GAP).trim_end().to_owned()
    }

    /// Each row as lines of heading and value, for terminals on which the columns have no room side by side.
    fn records(&self, room: usize) -> String {
        let names = self.headings.iter().map(|heading| text::width(heading)).max().unwrap_or_default();
        let beside = room.saturating_sub(names + GAP.len()).max(1);
        let record = |row: &Vec<String>| {
            let mut record = String::new();
            for (heading, cell) in self.headings.iter().zip(row) {
                let mut name = self.style.strong(&text::padded(heading, names, false));
                for line in text::wrapped(cell, beside) {
                    record.push_str(format!("{name}{GAP}{line}").trim_end());
                    record.push('\n');
                    name = " ".repeat(names);
                }
            }
            record
        };
        self.cells.iter().map(record).collect::<Vec<_>>().join("\n")
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
}

/// The width of the longest word; shorter ones are kept together, or a column would be a tower.
fn widest_word(cell: &str) -> usize {
    let longest = cell.split_whitespace().map(text::width).max().unwrap_or_default();
    longest.max(text::width(cell).min(COLUMN_MIN))
}

/// Takes from the widest columns until all of them fit; `None` when that would cut words.
fn narrowed(mut widths: Vec<usize>, least: &[usize], room: usize) -> Option<Vec<usize>> {
    let mut excess = total(&widths).saturating_sub(room);
    while excess > 0 {
        let can_give = widths.iter_mut().zip(least).filter(|(width, least)| **width > **least);
        let (widest, _) = can_give.max_by_key(|(width, _)| **width)?;
        *widest -= 1;
        excess -= 1;
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::field("ID", "id"),
        Column::money("PRICE", "amount", "currency"),
        Column::minute("SINCE", "since"),
        Column::computed("FLAG", |view| if view["on"] == true { "on".into() } else { String::new() }),
    ];

    #[test]
    fn columns_align_and_missing_values_show_as_dashes() {
        let rows = [
            json!({"id": "PLAN_S", "amount": "9.00", "currency": "SGD", "since": "2026-01-01T00:00:00Z", "on": true}),
            json!({"id": "PLAN_LONGER", "amount": "125.00", "currency": "SGD"}),
        ];
        assert_snapshot!(table(Style::default(), COLUMNS, &rows), @"
        ID                PRICE  SINCE              FLAG
        PLAN_S         9.00 SGD  2026-01-01 00:00Z  on
        PLAN_LONGER  125.00 SGD  -                  -
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
        assert!(text.lines().count() > 2, "{text}");
    }

    #[test]
    fn where_columns_have_no_room_each_row_is_a_record() {
        let rows = [
            json!({"id": "CUST-0a1b2c3d4e5f", "amount": "125.00", "currency": "SGD", "since": "2026-01-01T00:00:00Z"}),
            json!({"id": "CUST-0a1b2c3d4e60", "on": true}),
        ];
        assert_snapshot!(table(Style { colour: false, width: Some(40) }, COLUMNS, &rows), @"
        ID     CUST-0a1b2c3d4e5f
        PRICE  125.00 SGD
        SINCE  2026-01-01 00:00Z
        FLAG   -

        ID     CUST-0a1b2c3d4e60
        PRICE  -
        SINCE  -
        FLAG   on
        ");
    }

    #[test]
    fn wide_letters_keep_the_columns_straight() {
        let rows = [json!({"id": "李小龍", "on": true}), json!({"id": "Ada", "on": true})];
        assert_snapshot!(table(Style::default(), COLUMNS, &rows), @"
        ID      PRICE  SINCE  FLAG
        李小龍      -  -      on
        Ada         -  -      on
        ");
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_and_no_id_is_cut() {
        let rows = [json!({"id": "CUST-0a1b2c3d4e5f", "amount": "125.00", "currency": "SGD",
                           "since": "2026-01-01T00:00:00Z", "on": true})];
        for width in 28..120 {
            let text = table(Style { colour: false, width: Some(width) }, COLUMNS, &rows);
            assert!(text.lines().all(|line| text::width(line) <= usize::from(width)), "{width}\n{text}");
            for whole in ["CUST-0a1b2c3d4e5f", "125.00 SGD", "2026-01-01", "00:00Z"] {
                assert!(text.contains(whole), "{width}\n{text}");
            }
        }
    }
}
