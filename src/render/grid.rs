//! Columns inside a card: aligned in cells, fitted to its width. What is too wide wraps words, then gives up columns, then
//! wraps more, and at last stands one value after the other; an id or an amount is never cut.

use super::styled::{Look, Styled};

/// Space between two columns.
const GAP: usize = 2;
/// A column of words is never made narrower than this.
const WORDS_MIN: usize = 12;
const BAR_MIN: usize = 8;
const BAR_MAX: usize = 26;

/// What a column does where there is too little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Ids, amounts, states: stays as it is.
    Keep,
    /// Words: wraps, and keeps so many cells as long as there is another column to give up.
    Wrap(usize),
    /// Good to know: left out, those with a higher number first.
    Drop(u8),
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    fit: Fit,
    right: bool,
}

impl Column {
    pub(crate) const fn new(heading: &'static str, fit: Fit) -> Self {
        Self { heading, fit, right: false }
    }

    /// Aligned to the right.
    #[must_use]
    pub(crate) const fn right(self) -> Self {
        Self { right: true, ..self }
    }
}

/// What stands in a column of a row.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Text(Styled),
    /// A bar, as long as there is room for it.
    Bar(Bar),
}

/// How full something is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// `part` of `whole`.
    Share { part: i64, whole: i64, look: Look },
    /// It has no end.
    Endless,
}

impl From<Styled> for Cell {
    fn from(text: Styled) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(Styled::plain(text))
    }
}

impl Cell {
    fn width(&self) -> usize {
        match self {
            Self::Text(text) => text.width(),
            Self::Bar(_) => BAR_MAX,
        }
    }

    fn lines(&self, cells: usize) -> Vec<Styled> {
        match self {
            Self::Text(text) => text.wrapped(cells, 0),
            Self::Bar(bar) => vec![bar.draw(cells)],
        }
    }
}

impl Bar {
    /// The bar in `cells`, an eighth of a cell exact. It is empty only when nothing is used, and full only when all is.
    fn draw(self, cells: usize) -> Styled {
        const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let Self::Share { part, whole, look } = self else { return Styled::of(Look::Dim, "─".repeat(cells)) };
        let steps = cells * 8;
        let (part, whole) = (part.max(0), whole.max(1));
        let share = i128::from(part.min(whole)) * steps as i128 / i128::from(whole);
        let mut filled = usize::try_from(share).unwrap_or(steps);
        if part > 0 {
            filled = filled.max(1);
        }
        let (full, eighth) = (filled / 8, EIGHTHS[filled % 8]);
        let rest = cells - full - usize::from(!eighth.is_empty());
        Styled::of(look, "█".repeat(full) + eighth).and(Look::Dim, "░".repeat(rest))
    }
}

/// Rows under columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
enum Row {
    Cells(Vec<Cell>),
    /// A remark across all columns, behind something that each of its lines begins with.
    Note(Styled, Styled),
}

impl Row {
    fn cell(&self, column: usize) -> Option<&Cell> {
        match self {
            Self::Cells(cells) => cells.get(column),
            Self::Note(..) => None,
        }
    }
}

/// How narrow words may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Wished,
    Bearable,
}

impl Grid {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row::Cells(cells));
    }

    /// A remark below the last row; each of its lines begins with `lead`.
    pub(crate) fn note(&mut self, lead: Styled, text: Styled) {
        self.rows.push(Row::Note(lead, text));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The width it would like.
    pub(crate) fn width(&self) -> usize {
        let notes = self.rows.iter().map(|row| match row {
            Row::Cells(_) => 0,
            Row::Note(lead, text) => lead.width() + text.width(),
        });
        notes.chain([sum(&self.natural(&self.used()))]).max().unwrap_or_default()
    }

    /// The rows in at most `room` cells; without a bound where there is none.
    pub(crate) fn lines(&self, room: Option<usize>) -> Vec<Styled> {
        let mut shown = self.used();
        let Some(room) = room else { return self.drawn(&shown, &self.natural(&shown), None) };
        let mut need = Need::Wished;
        while sum(&self.least(&shown, need)) > room {
            let droppable = |&&column: &&usize| match self.columns[column].fit {
                Fit::Drop(rank) => Some(rank),
                Fit::Keep | Fit::Wrap(_) => None,
            };
            let last = shown.iter().filter(|column| droppable(column).is_some()).max_by_key(droppable).copied();
            match last {
                Some(last) => shown.retain(|column| *column != last),
                None if need == Need::Wished => need = Need::Bearable,
                None => return self.stacked(&shown, room),
            }
        }
        let mut widths = self.natural(&shown);
        let least = self.least(&shown, need);
        while sum(&widths) > room {
            // The widest that can still give gives one cell; there is one, or the least would not have fitted.
            let Some(widest) = (0..widths.len()).filter(|&i| widths[i] > least[i]).max_by_key(|&i| widths[i]) else {
                break;
            };
            widths[widest] -= 1;
        }
        self.drawn(&shown, &widths, Some(room))
    }

    /// The columns in which something stands.
    fn used(&self) -> Vec<usize> {
        let says = |row: &Row, column: usize| row.cell(column).is_some_and(|cell| cell.width() > 0);
        (0..self.columns.len()).filter(|&column| self.rows.iter().any(|row| says(row, column))).collect()
    }

    fn natural(&self, shown: &[usize]) -> Vec<usize> {
        let widest = |&column: &usize| self.rows.iter().filter_map(|row| Some(row.cell(column)?.width())).max();
        let heading = |column: usize| super::styled::width(self.columns[column].heading);
        shown.iter().map(|column| widest(column).unwrap_or_default().max(heading(*column))).collect()
    }

    fn least(&self, shown: &[usize], need: Need) -> Vec<usize> {
        let natural = self.natural(shown);
        let least = shown.iter().zip(natural).map(|(&column, natural)| {
            let is_bar = self.rows.iter().any(|row| matches!(row.cell(column), Some(Cell::Bar(_))));
            match self.columns[column].fit {
                _ if is_bar => natural.min(BAR_MIN),
                Fit::Wrap(wish) if need == Need::Wished => natural.min(wish.max(WORDS_MIN)),
                Fit::Wrap(_) => natural.min(WORDS_MIN),
                Fit::Keep | Fit::Drop(_) => natural,
            }
        });
        least.collect()
    }

    fn drawn(&self, shown: &[usize], widths: &[usize], room: Option<usize>) -> Vec<Styled> {
        let mut lines = Vec::new();
        if shown.iter().any(|&column| !self.columns[column].heading.is_empty()) {
            let headings = shown.iter().map(|&column| vec![Styled::of(Look::Dim, self.columns[column].heading)]);
            lines.extend(self.beside(shown, widths, &headings.collect::<Vec<_>>()));
        }
        for row in &self.rows {
            if let Row::Note(lead, text) = row {
                lines.extend(noted(lead, text, room));
                continue;
            }
            let cells = shown.iter().zip(widths);
            let cells = cells.map(|(&column, &width)| row.cell(column).map_or_else(Vec::new, |cell| cell.lines(width)));
            lines.extend(self.beside(shown, widths, &cells.collect::<Vec<_>>()));
        }
        lines
    }

    /// Cells of one row beside each other, as many lines as the tallest has.
    fn beside(&self, shown: &[usize], widths: &[usize], cells: &[Vec<Styled>]) -> Vec<Styled> {
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        let line = |index: usize| {
            let says = |lines: &&Vec<Styled>| lines.get(index).is_some_and(|line| !line.is_empty());
            // Nothing is padded at the end of a line.
            let end = cells.iter().rposition(|lines| says(&lines)).map_or(0, |last| last + 1);
            let parts = cells[..end].iter().enumerate().map(|(place, lines)| {
                let text = lines.get(index).cloned().unwrap_or_default();
                let right = self.columns[shown[place]].right;
                match (place + 1 == end, right) {
                    (true, false) => text,
                    (true, true) => text.padded(widths[place], true),
                    (false, right) => text.padded(widths[place], right).and(Look::Plain, " ".repeat(GAP)),
                }
            });
            parts.fold(Styled::default(), Styled::then)
        };
        (0..height).map(line).collect()
    }

    /// The values of each row one after the other, wrapped.
    fn stacked(&self, shown: &[usize], room: usize) -> Vec<Styled> {
        let row = |row: &Row| {
            if let Row::Note(lead, text) = row {
                return noted(lead, text, Some(room));
            }
            let texts = shown.iter().filter_map(|&column| match row.cell(column)? {
                Cell::Text(text) => Some(text.clone()),
                Cell::Bar(_) => None,
            });
            Styled::joined(texts, "  ").wrapped(room, GAP)
        };
        self.rows.iter().flat_map(row).collect()
    }
}

fn noted(lead: &Styled, text: &Styled, room: Option<usize>) -> Vec<Styled> {
    let beside = room.map_or(usize::MAX, |room| room.saturating_sub(lead.width()).max(1));
    text.wrapped(beside, 0).into_iter().map(|line| lead.clone().then(line)).collect()
}

fn sum(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::Style;

    fn sample() -> Grid {
        let mut grid = Grid::new(&[
            Column::new("", Fit::Keep),
            Column::new("", Fit::Wrap(14)),
            Column::new("", Fit::Keep).right(),
            Column::new("", Fit::Drop(1)),
        ]);
        for (id, words, amount, by) in [
            ("PAY-000001", "activation of a line", "25.00 SGD", "cli-user"),
            ("PAY-2", "王小明 top-up", "3.00 SGD", "-"),
        ] {
            grid.row([id, words, amount, by].map(|text| text.to_owned().into()).to_vec());
        }
        grid
    }

    fn text(lines: &[Styled]) -> String {
        lines.iter().map(|line| line.paint(Style::default()) + "\n").collect()
    }

    #[test]
    fn narrow_room_costs_columns_then_wraps_then_stacks() {
        insta::assert_snapshot!(text(&sample().lines(None)), @"
        PAY-000001  activation of a line  25.00 SGD  cli-user
        PAY-2       王小明 top-up          3.00 SGD  -
        ");
        insta::assert_snapshot!(text(&sample().lines(Some(40))), @"
        PAY-000001  activation of a    25.00 SGD
                    line
        PAY-2       王小明 top-up       3.00 SGD
        ");
        insta::assert_snapshot!(text(&sample().lines(Some(20))), @"
        PAY-000001
          activation of a
          line 25.00 SGD
        PAY-2 王小明 top-up
          3.00 SGD
        ");
    }

    #[test]
    fn a_bar_tells_empty_from_nearly_and_full_from_all() {
        let bar = |part, whole| Bar::Share { part, whole, look: Look::Good }.draw(8).paint(Style::default());
        assert_eq!(bar(0, 5120), "░░░░░░░░");
        assert_eq!(bar(1, 5120), "▏░░░░░░░");
        assert_eq!(bar(2560, 5120), "████░░░░");
        assert_eq!(bar(5119, 5120), "███████▉");
        assert_eq!(bar(5120, 5120), "████████");
        assert_eq!(bar(9000, 5120), "████████");
        assert_eq!(bar(-5, 0), "░░░░░░░░");
        assert_eq!(bar(i64::MAX, i64::MAX), "████████");
        assert_eq!(Bar::Endless.draw(4).paint(Style::default()), "────");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room_and_no_id_is_lost(
            room in 12_usize..120, ids in prop::collection::vec("[A-Z]{3}-[0-9]{4,8}", 1..5), words in "[a-z王👩 ]{0,60}",
        ) {
            let mut grid = sample();
            for id in &ids {
                grid.row(vec![id.clone().into(), words.clone().into(), "9.00 SGD".to_owned().into()]);
            }
            let lines = grid.lines(Some(room));
            prop_assert!(lines.iter().all(|line| line.width() <= room), "{}", text(&lines));
            let all: String = text(&lines).split_whitespace().collect();
            prop_assert!(ids.iter().all(|id| all.contains(id.as_str())), "{}", text(&lines));
        }
    }
}
