//! A card: a page about one thing, framed on a terminal, plain where it is piped.

use super::Style;
use super::grid::Grid;
use super::styled::{Look, Styled};

/// Below this a frame would take more than it gives.
const FRAME_MIN: usize = 30;
/// The frame is as wide as its content, within these.
const NARROW: usize = 60;
const WIDE: usize = 110;
/// The frame itself: a rule and a space on each side.
const FRAME: usize = 4;

/// Builds a card from top to bottom.
#[derive(Debug)]
pub(crate) struct Card {
    style: Style,
    title: Styled,
    frame: Frame,
    blocks: Vec<Block>,
}

#[derive(Debug)]
enum Block {
    Blank,
    Heading(Styled),
    Facts(Vec<(String, Styled)>),
    Text {
        text: Styled,
        indent: usize,
    },
    Rows(Grid),
    /// As it is, in the middle.
    Picture(Vec<Styled>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Single,
    /// A line is blocked: service has stopped, and can come back.
    Double,
}

impl Frame {
    /// Corners, rule and side: left above, right above, left below, right below, rule, side.
    const fn parts(self) -> [&'static str; 6] {
        match self {
            Self::Single => ["┌", "┐", "└", "┘", "─", "│"],
            Self::Double => ["╔", "╗", "╚", "╝", "═", "║"],
        }
    }
}

impl Card {
    /// A card that opens with what it is about, and its state.
    pub(crate) fn new(style: Style, heading: &[&str], state: &str) -> Self {
        let names = heading.iter().filter(|name| !name.is_empty()).map(|name| Styled::of(Look::Strong, *name));
        let title = Styled::joined(names.chain([Styled::state(state)]), "  ");
        let frame = if state == "blocked" { Frame::Double } else { Frame::Single };
        Self { style, title, frame, blocks: Vec::new() }
    }

    /// Cells that a card has inside its frame where `style` says; as many as it may have where nothing bounds them.
    pub(crate) fn room(style: Style) -> usize {
        style.width.map_or(WIDE, |width| usize::from(width).min(WIDE)).saturating_sub(FRAME)
    }

    /// Facts, one a line; those without a value are left out.
    pub(crate) fn facts(mut self, facts: Vec<(&str, Styled)>) -> Self {
        let known: Vec<_> = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        if !known.is_empty() {
            self.blocks.push(Block::Facts(known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
        }
        self
    }

    /// What follows stands under a heading.
    pub(crate) fn heading(mut self, heading: &str) -> Self {
        self.gap();
        self.blocks.push(Block::Heading(Styled::of(Look::Strong, heading)));
        self
    }

    /// Rows under their own heading; left out when there are none.
    pub(crate) fn section(self, heading: &str, rows: Grid) -> Self {
        if rows.is_empty() { self } else { self.heading(heading).rows(rows) }
    }

    pub(crate) fn rows(mut self, rows: Grid) -> Self {
        self.blocks.push(Block::Rows(rows));
        self
    }

    /// A line of words; wrapped, the lines after the first are indented.
    pub(crate) fn text(mut self, text: Styled, indent: usize) -> Self {
        if !text.is_empty() {
            self.blocks.push(Block::Text { text, indent });
        }
        self
    }

    /// Lines that only make sense together: left out, with a notice, where they are too wide.
    pub(crate) fn picture(mut self, lines: Vec<Styled>) -> Self {
        self.blocks.push(Block::Picture(lines));
        self
    }

    /// An empty line, unless nothing stands above it.
    pub(crate) fn blank(mut self) -> Self {
        self.gap();
        self
    }

    fn gap(&mut self) {
        if !matches!(self.blocks.last(), None | Some(Block::Blank)) {
            self.blocks.push(Block::Blank);
        }
    }

    /// The text of the card.
    pub(crate) fn finish(self) -> String {
        let width = self.style.width.map(usize::from);
        match width.filter(|width| *width >= FRAME_MIN) {
            Some(width) => self.framed(width),
            None => self.bare(width),
        }
    }

    fn framed(&self, terminal: usize) -> String {
        let wish = self.blocks.iter().map(Block::width).chain([self.title.width() + 2]).max().unwrap_or_default();
        let inner = (wish + FRAME).clamp(NARROW, WIDE).min(terminal) - FRAME;
        let [left_above, right_above, left_below, right_below, rule, side] = self.frame.parts();
        let look = if self.frame == Frame::Double { Look::Bad } else { Look::Dim };
        // The title stands in the rule, or, when it is too long for that, on the first lines.
        let (title, lines) = if self.title.width() + 2 <= inner {
            (Styled::plain(" ").then(self.title.clone()).and(Look::Plain, " "), Vec::new())
        } else {
            (Styled::default(), self.title.wrapped(inner, 2))
        };
        let rest = (inner + 1).saturating_sub(title.width());
        let top = Styled::of(look, format!("{left_above}{rule}")).then(title);
        let top = top.and(look, format!("{}{right_above}", rule.repeat(rest)));
        let bottom = Styled::of(look, format!("{left_below}{}{right_below}", rule.repeat(inner + 2)));
        let lines = lines.into_iter().chain(self.blocks.iter().flat_map(|block| block.lines(Some(inner), true)));
        let lines = lines.map(|line| {
            let line = Styled::of(look, format!("{side} ")).then(line.padded(inner, false));
            line.and(look, format!(" {side}"))
        });
        let all = [top].into_iter().chain(lines).chain([bottom]);
        all.map(|line| line.paint(self.style) + "\n").collect()
    }

    fn bare(&self, width: Option<usize>) -> String {
        let wrapped = |text: &Styled| width.map_or_else(|| vec![text.clone()], |width| text.wrapped(width, 2));
        let lines = self.blocks.iter().flat_map(|block| {
            let indent = if matches!(block, Block::Heading(_)) { 0 } else { 2 };
            let lines = block.lines(width.map(|width| width.saturating_sub(indent).max(1)), false).into_iter();
            lines.map(move |line| if line.is_empty() { line } else { Styled::plain(" ".repeat(indent)).then(line) })
        });
        let mut title = if self.title.is_empty() { Vec::new() } else { wrapped(&self.title) };
        if matches!(self.blocks.first(), Some(Block::Heading(_))) && !title.is_empty() {
            title.push(Styled::default());
        }
        title.into_iter().chain(lines).map(|line| line.paint(self.style).trim_end().to_owned() + "\n").collect()
    }
}

impl Block {
    /// The width it would like.
    fn width(&self) -> usize {
        match self {
            Self::Blank => 0,
            Self::Heading(text) => text.width() + 6,
            Self::Facts(facts) => {
                let values = facts.iter().map(|(_, value)| value.width()).max().unwrap_or_default();
                names_width(facts) + 2 + values
            }
            Self::Text { text, .. } => text.width(),
            Self::Rows(rows) => rows.width(),
            Self::Picture(lines) => lines.iter().map(Styled::width).max().unwrap_or_default(),
        }
    }

    fn lines(&self, room: Option<usize>, framed: bool) -> Vec<Styled> {
        match self {
            Self::Blank => vec![Styled::default()],
            Self::Heading(text) => heading(text, room, framed),
            Self::Facts(facts) => facts.iter().flat_map(|fact| fact_lines(fact, names_width(facts), room)).collect(),
            Self::Text { text, indent } => room.map_or_else(|| vec![text.clone()], |room| text.wrapped(room, *indent)),
            Self::Rows(rows) => rows.lines(room),
            Self::Picture(lines) => self.picture(lines, room),
        }
    }

    fn picture(&self, lines: &[Styled], room: Option<usize>) -> Vec<Styled> {
        let Some(room) = room else { return lines.to_vec() };
        let Some(spare) = room.checked_sub(self.width()) else {
            let notice = format!("(needs a terminal of {} columns)", self.width() + FRAME);
            return Styled::of(Look::Dim, notice).wrapped(room, 0);
        };
        lines.iter().map(|line| Styled::plain(" ".repeat(spare / 2)).then(line.clone())).collect()
    }
}

fn heading(text: &Styled, room: Option<usize>, framed: bool) -> Vec<Styled> {
    let Some(room) = room else { return vec![text.clone()] };
    if !framed {
        return text.wrapped(room, 0);
    }
    let line = Styled::of(Look::Dim, "── ").then(text.clone()).and(Look::Plain, " ");
    let Some(rest) = room.checked_sub(line.width()) else { return text.wrapped(room, 0) };
    vec![line.and(Look::Dim, "─".repeat(rest))]
}

fn names_width(facts: &[(String, Styled)]) -> usize {
    facts.iter().map(|(name, _)| super::styled::width(name)).max().unwrap_or_default()
}

/// The name beside its value; above it where both do not fit.
fn fact_lines((name, value): &(String, Styled), names: usize, room: Option<usize>) -> Vec<Styled> {
    let name = Styled::of(Look::Dim, name.as_str());
    let indent = names + 2;
    let Some(room) = room else { return vec![name.padded(indent, false).then(value.clone())] };
    let Some(beside) = room.checked_sub(indent).filter(|beside| *beside >= value.width().min(20)) else {
        let below = value.wrapped(room.saturating_sub(2).max(1), 0).into_iter();
        let name = name.wrapped(room, 0).into_iter();
        return name.chain(below.map(|line| Styled::plain("  ").then(line))).collect();
    };
    let mut lines = value.wrapped(beside, 0).into_iter();
    let first = name.padded(indent, false).then(lines.next().unwrap_or_default());
    [first].into_iter().chain(lines.map(|line| Styled::plain(" ".repeat(indent)).then(line))).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::render::grid::{Column, Fit};
    use crate::render::styled::width;

    fn sample(style: Style) -> String {
        let mut rows = Grid::new(&[Column::new("", Fit::Keep), Column::new("", Fit::Wrap(20))]);
        rows.row(vec!["SUB-0001".to_owned().into(), "a line that has much to say about itself".to_owned().into()]);
        Card::new(style, &["CUST-0a1b2c3d4e5f", "王小明 👩‍🔬"], "blocked")
            .facts(vec![
                ("Contact", Styled::plain("wang@example.test")),
                ("Nothing", Styled::default()),
                ("Since", Styled::plain("2026-04-11")),
            ])
            .section("Lines (1)", rows)
            .section("Left out", Grid::default())
            .finish()
    }

    fn at(width: u16) -> Style {
        Style { colour: false, width: Some(width) }
    }

    #[test]
    fn a_frame_on_a_terminal_and_none_in_a_pipe() {
        assert_snapshot!(sample(at(60)), @"
        ╔═ CUST-0a1b2c3d4e5f  王小明 👩‍🔬  ● blocked ════════════════╗
        ║ Contact  wang@example.test                               ║
        ║ Since    2026-04-11                                      ║
        ║                                                          ║
        ║ ── Lines (1) ─────────────────────────────────────────── ║
        ║ SUB-0001  a line that has much to say about itself       ║
        ╚══════════════════════════════════════════════════════════╝
        ");
        assert_snapshot!(sample(Style::default()), @"
        CUST-0a1b2c3d4e5f  王小明 👩‍🔬  ● blocked
          Contact  wang@example.test
          Since    2026-04-11

        Lines (1)
          SUB-0001  a line that has much to say about itself
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_all_of_a_frame_are_alike() {
        for columns in 8..130 {
            let text = sample(at(columns));
            let widths: Vec<_> = text.lines().map(width).collect();
            assert!(widths.iter().all(|width| *width <= usize::from(columns)), "{columns}:\n{text}");
            if usize::from(columns) >= FRAME_MIN {
                assert!(widths.iter().all(|width| *width == widths[0]), "{columns}:\n{text}");
            }
            let all: String = text.split_whitespace().collect::<Vec<_>>().concat().replace('║', "");
            assert!(all.contains("CUST-0a1b2c3d4e5f") && all.contains("SUB-0001"), "{columns}:\n{text}");
        }
    }

    #[test]
    fn colour_is_only_where_it_may_be() {
        assert!(!sample(at(80)).contains('\u{1b}'));
        assert!(sample(Style { colour: true, width: Some(80) }).contains("\u{1b}[31m● blocked\u{1b}[0m"));
    }
}
