//! Tables without lines: a heading, aligned columns, one row per view.
//!
//! No table is wider than the terminal: texts go on in the next line, then columns in which nothing stands and those that
//! are good to know are left out, and where even that leaves no room, each row becomes a few lines of heading and value. Ids
//! and amounts are never cut.

use serde_json::Value;

use super::{Style, styled, text, words};

/// Space between two columns.
const GAP: &str = "  ";
/// No column of text becomes narrower than this.
const COLUMN_MIN: usize = 10;
/// Prose in fewer cells than this would be a tower, and prose is what some row says in more than that.
const PROSE_MIN: usize = 24;
const PROSE: usize = 48;
/// What a column shows of a row that has nothing for it.
const NOTHING: &str = "-";

/// One column: its heading and what it takes from a view.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    cell: fn(&Value) -> String,
    source: Source,
    right: bool,
    gives_way: bool,
    /// To no less than so many cells.
    may_be_cut: Option<usize>,
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
        Self { heading, cell: |_| String::new(), source, right: false, gives_way: false, may_be_cut: None }
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
        Self { cell, ..Self::new(heading, Source::Computed) }
    }

    /// Good to know: left out where there is no room, the last such column first.
    #[must_use]
    pub(crate) const fn gives_way(self) -> Self {
        Self { gives_way: true, ..self }
    }

    /// A summary of what another command says in full: where there is no room beside the others it is cut, to no less than
    /// `least` cells.
    #[must_use]
    pub(crate) const fn may_be_cut(self, least: usize) -> Self {
        Self { may_be_cut: Some(least), ..self }
    }

    const fn is_time(&self) -> bool {
        matches!(self.source, Source::Minute(_) | Source::Second(_))
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
        if text.is_empty() { NOTHING.to_owned() } else { text }
    }
}

/// Rows under headings; empty when there are no rows. Cells wrap where the terminal is narrow.
pub(crate) fn table(style: Style, columns: &[Column], rows: &[Value]) -> String {
    let column = |column: &Column| {
        let cells = rows.iter().map(|row| column.text(row)).collect();
        let drawn = Drawn {
            right: column.right,
            gives_way: column.gives_way,
            may_be_cut: column.may_be_cut,
            ..Drawn::new(column.heading.to_owned(), cells)
        };
        if column.is_time() { drawn.with_its_zone_above() } else { drawn }
    };
    fitted(style, columns.iter().map(column).collect())
}

/// As [`table`], for columns that only the data knows.
pub(super) fn grid(style: Style, headings: Vec<String>, cells: Vec<Vec<String>>) -> String {
    let mut columns: Vec<Drawn> = headings.into_iter().map(|heading| Drawn::new(heading, Vec::new())).collect();
    for (column, cell) in cells.into_iter().flat_map(|row| row.into_iter().enumerate()) {
        columns[column].cells.push(cell);
    }
    fitted(style, columns)
}

fn fitted(style: Style, columns: Vec<Drawn>) -> String {
    if columns.first().is_none_or(|column| column.cells.is_empty()) {
        return String::new();
    }
    let whole = Grid { style, columns };
    let Some(room) = style.width.map(usize::from) else { return whole.laid_out(&whole.widths(text::width)) };
    let mut grid = whole.clone();
    loop {
        // An instant is torn, and prose stands in a tower, only when nothing else helps.
        if let Some(widths) = narrowed(grid.widths(text::width), &grid.least(), room) {
            return grid.laid_out(&widths);
        }
        match grid.spare() {
            Some(column) => drop(grid.columns.remove(column)),
            None => break,
        }
    }
    match narrowed(grid.widths(text::width), &grid.widths(widest_word), room) {
        Some(widths) => grid.laid_out(&widths),
        None => whole.records(room),
    }
}

/// A column as it is drawn: the text of its heading and of each row.
#[derive(Debug, Clone)]
struct Drawn {
    heading: String,
    cells: Vec<String>,
    right: bool,
    gives_way: bool,
    /// To no less than so many cells.
    may_be_cut: Option<usize>,
    /// Its cells stay on one line as long as there is another way.
    is_whole: bool,
}

impl Drawn {
    const fn new(heading: String, cells: Vec<String>) -> Self {
        Self { heading, cells, right: false, gives_way: false, may_be_cut: None, is_whole: false }
    }

    /// Instants that are all equally far from UTC say so once, in the heading, where that makes the column narrower.
    fn with_its_zone_above(mut self) -> Self {
        self.is_whole = true;
        let said = || self.cells.iter().filter(|cell| *cell != NOTHING);
        let zone = said().next().and_then(|cell| words::offset(cell)).map(str::to_owned);
        let Some(zone) = zone.filter(|zone| said().all(|cell| words::offset(cell) == Some(zone))) else { return self };
        let heading = format!("{} {zone}", self.heading);
        let cells = said().map(|cell| text::width(cell)).max().unwrap_or_default();
        if text::width(&heading) < cells {
            self.heading = heading;
            for cell in &mut self.cells {
                cell.truncate(cell.strip_suffix(&zone).map_or(cell.len(), str::len));
            }
        }
        self
    }

    fn width(&self, measure: fn(&str) -> usize) -> usize {
        let cells = self.cells.iter().map(|cell| measure(cell));
        cells.fold(text::width(&self.heading), usize::max)
    }

    fn says_nothing(&self) -> bool {
        self.cells.iter().all(|cell| cell == NOTHING)
    }
}

#[derive(Clone)]
struct Grid {
    style: Style,
    columns: Vec<Drawn>,
}

impl Grid {
    /// The largest measure of each column, its heading included.
    fn widths(&self, measure: fn(&str) -> usize) -> Vec<usize> {
        self.columns.iter().map(|column| column.width(measure)).collect()
    }

    /// How narrow each column may become without a loss.
    fn least(&self) -> Vec<usize> {
        let least = |column: &Drawn| {
            let (natural, words) = (column.width(text::width), column.width(widest_word));
            match (natural, column.may_be_cut) {
                _ if column.is_whole => natural,
                (_, Some(least)) => natural.min(least),
                (PROSE.., None) => words.max(PROSE_MIN),
                _ => words,
            }
        };
        self.columns.iter().map(least).collect()
    }

    /// The column that is missed least, if there is one that may go.
    fn spare(&self) -> Option<usize> {
        let empty = self.columns.iter().rposition(Drawn::says_nothing);
        empty.or_else(|| self.columns.iter().rposition(|column| column.gives_way))
    }

    fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        let count = self.columns.first().map_or(0, |column| column.cells.len());
        (0..count).map(|row| self.columns.iter().map(|column| column.cells[row].as_str()).collect())
    }

    fn laid_out(&self, widths: &[usize]) -> String {
        let headings: Vec<&str> = self.columns.iter().map(|column| column.heading.as_str()).collect();
        let heading = self.line(widths, &headings);
        let body = self.rows().map(|row| self.row(widths, &row));
        std::iter::once(format!("{}\n", self.style.strong(&heading))).chain(body).collect()
    }

    /// One row; a cell that does not fit goes on in the line below.
    fn row(&self, widths: &[usize], row: &[&str]) -> String {
        let cells = self.columns.iter().zip(row).zip(widths).map(|((column, cell), width)| {
            if column.may_be_cut.is_some() { vec![text::shortened(cell, *width)] } else { text::wrapped(cell, *width) }
        });
        let cells: Vec<Vec<String>> = cells.collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        let line = |at: usize| {
            let texts: Vec<&str> = cells.iter().map(|lines| lines.get(at).map_or("", String::as_str)).collect();
            self.line(widths, &texts) + "\n"
        };
        (0..height).map(line).collect()
    }

    fn line(&self, widths: &[usize], texts: &[&str]) -> String {
        let columns = self.columns.iter().zip(widths).zip(texts);
        let cells: Vec<String> =
            columns.map(|((column, width), text)| text::padded(text, *width, column.right)).collect();
        cells.join(GAP).trim_end().to_owned()
    }

    /// Each row as lines of heading and value, for terminals on which the columns have no room side by side.
    fn records(&self, room: usize) -> String {
        let names = self.columns.iter().map(|column| text::width(&column.heading)).max().unwrap_or_default();
        let beside = room.saturating_sub(names + GAP.len()).max(1);
        let record = |row: Vec<&str>| {
            let mut record = String::new();
            for (column, cell) in self.columns.iter().zip(row) {
                let mut name = self.style.strong(&text::padded(&column.heading, names, false));
                for line in text::wrapped(cell, beside) {
                    record.push_str(format!("{name}{GAP}{line}").trim_end());
                    record.push('\n');
                    name = " ".repeat(names);
                }
            }
            record
        };
        self.rows().map(record).collect::<Vec<_>>().join("\n")
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
    fn a_summary_is_cut_before_its_neighbours_go() {
        const LIST: &[Column] = &[
            Column::field("ID", "id"),
            Column::field("EFFECT", "effect").gives_way(),
            Column::field("DOES", "does").may_be_cut(12),
        ];
        let rows = [
            json!({"id": "order.create", "effect": "write", "does": "Order a plan for a customer"}),
            json!({"id": "order.get", "effect": "read", "does": "李小龍李小龍李小龍李小龍"}),
        ];
        let at = |width| table(Style { colour: false, width }, LIST, &rows);
        assert_snapshot!(at(Some(40)), @"
        ID            EFFECT  DOES
        order.create  write   Order a plan for…
        order.get     read    李小龍李小龍李小…
        ");
        assert_snapshot!(at(Some(28)), @"
        ID            DOES
        order.create  Order a plan…
        order.get     李小龍李小龍…
        ");
        assert!(at(None).contains("Order a plan for a customer"), "all of it where there is no terminal");
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

    #[test]
    fn a_zone_stands_in_the_heading_where_it_is_the_same_for_all() {
        const COLUMNS: &[Column] = &[Column::second("WHEN", "at"), Column::minute("A LONGER HEADING", "at")];
        let rows = |at: &[&str]| at.iter().map(|at| json!({ "at": at })).collect::<Vec<_>>();
        let drawn = |at: &[&str]| table(Style::default(), COLUMNS, &rows(at));
        assert_snapshot!(drawn(&["2026-05-11T17:00:02+08:00", "", "2026-12-11T17:00:02+08:00"]), @"
        WHEN +08:00          A LONGER HEADING
        2026-05-11 17:00:02  2026-05-11 17:00+08:00
        -                    -
        2026-12-11 17:00:02  2026-12-11 17:00+08:00
        ");
        assert_snapshot!(drawn(&["2026-05-11T17:00:02+02:00", "2026-12-11T17:00:02+01:00"]), @"
        WHEN                       A LONGER HEADING
        2026-05-11 17:00:02+02:00  2026-05-11 17:00+02:00
        2026-12-11 17:00:02+01:00  2026-12-11 17:00+01:00
        ");
        assert_snapshot!(drawn(&["2026-05-11T17:00:02Z"]), @"
        WHEN                  A LONGER HEADING
        2026-05-11 17:00:02Z  2026-05-11 17:00Z
        ");
    }

    #[test]
    fn what_says_nothing_and_what_gives_way_goes_before_rows_become_records() {
        const COLUMNS: &[Column] = &[
            Column::field("ID", "id"),
            Column::field("EMPTY", "none"),
            Column::second("WHEN", "at"),
            Column::field("ACTOR", "actor").gives_way(),
            Column::field("CHANNEL", "actor").gives_way(),
        ];
        let rows = [json!({"id": "SUB-0042", "at": "2026-05-11T09:00:02Z", "actor": "cli-user"})];
        let at = |width: u16| table(Style { colour: false, width: Some(width) }, COLUMNS, &rows);
        let headings =
            |width: u16| at(width).lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(headings(80), "ID EMPTY WHEN ACTOR CHANNEL");
        assert_eq!(headings(54), "ID WHEN ACTOR CHANNEL");
        assert_eq!(headings(42), "ID WHEN ACTOR");
        assert_eq!(headings(30), "ID WHEN");
        assert_eq!(headings(22), "ID WHEN", "an instant is torn last of all");
        assert_eq!(at(19).lines().count(), 6, "a record has every column: {}", at(19));
    }

    #[test]
    fn prose_is_no_tower_as_long_as_something_else_can_go() {
        const COLUMNS: &[Column] =
            &[Column::field("ID", "id"), Column::field("EFFECT", "effect").gives_way(), Column::field("DOES", "does")];
        let does = "Take a line out of service: the phone is lost or stolen, or the operator suspects abuse";
        let rows = [json!({"id": "subscription.block", "effect": "write", "does": does})];
        let text = table(Style { colour: false, width: Some(50) }, COLUMNS, &rows);
        assert_snapshot!(text, @"
        ID                  DOES
        subscription.block  Take a line out of service:
                            the phone is lost or stolen,
                            or the operator suspects abuse
        ");
    }
}
