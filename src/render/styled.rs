//! Text whose stretches know how they look, so that it can be measured, padded and wrapped in the cells of a terminal before
//! any escape is written.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::Style;

/// How much a stretch of text asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Plain,
    Strong,
    Dim,
    Good,
    Waits,
    Bad,
    /// White on black, on any terminal.
    Ink,
    /// Black on white, on any terminal.
    Paper,
}

impl Look {
    /// How a state looks.
    pub(crate) fn of_state(state: &str) -> Self {
        match state {
            "active" | "activated" | "approved" | "assigned" | "available" | "completed" | "done" | "downloaded"
            | "ok" | "rated" | "refunded" | "sent" | "verified" => Self::Good,
            "blocked" | "declined" | "errored" | "failed" | "parked" | "refused" | "rejected" | "stuck" => Self::Bad,
            "acknowledged" | "held" | "in_progress" | "pending" | "quarantine" | "reserved" | "running" => Self::Waits,
            "abandoned" | "cancelled" | "closed" | "removed" | "retired" | "terminated" | "withdrawn" => Self::Dim,
            _ => Self::Plain,
        }
    }

    /// The parameter of the escape (ECMA-48, SGR).
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Waits => "33",
            Self::Bad => "31",
            Self::Ink => "97;40",
            Self::Paper => "30;107",
        }
    }
}

/// Whether a row in this state is one to look at.
pub(crate) fn asks_for_somebody(state: &str) -> bool {
    matches!(state, "blocked" | "cancelled" | "errored" | "failed" | "stuck" | "suspended")
}

/// Cells that a terminal needs for `text`: two for a Chinese character or an emoji, none for a combining mark.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// See the module. One line, or what will be wrapped into several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Styled(Vec<(String, Look)>);

impl Styled {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::of(Look::Plain, text)
    }

    pub(crate) fn of(look: Look, text: impl Into<String>) -> Self {
        Self::default().and(look, text)
    }

    /// A state: a dot in its colour, and the word.
    pub(crate) fn state(state: &str) -> Self {
        if state.is_empty() {
            return Self::default();
        }
        Self::of(Look::of_state(state), format!("● {}", state.replace('_', " ")))
    }

    /// A state in a row of a list: what asks for somebody has a sign instead of the dot.
    pub(crate) fn state_in_row(state: &str) -> Self {
        if asks_for_somebody(state) {
            return Self::of(Look::of_state(state), format!("⚠ {}", state.replace('_', " ")));
        }
        Self::state(state)
    }

    /// More text behind this.
    #[must_use]
    pub(crate) fn and(mut self, look: Look, text: impl Into<String>) -> Self {
        let text = harmless(text.into());
        if !text.is_empty() {
            self.0.push((text, look));
        }
        self
    }

    /// Another one behind this.
    #[must_use]
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Those that say something, with `between` between them.
    pub(crate) fn joined(parts: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.fold(
            Self::default(),
            |all, part| {
                if all.is_empty() { part } else { all.and(Look::Dim, between).then(part) }
            },
        )
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Cells that it takes.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| width(text)).sum()
    }

    /// As wide as `cells`, at least.
    #[must_use]
    pub(crate) fn padded(self, cells: usize, right: bool) -> Self {
        let room = Self::plain(" ".repeat(cells.saturating_sub(self.width())));
        if right { room.then(self) } else { self.then(room) }
    }

    /// As it is written where `style` says.
    pub(crate) fn paint(&self, style: Style) -> String {
        self.0.iter().map(|(text, look)| style.paint(look.code(), text)).collect()
    }

    /// Lines of at most `cells`, broken between words; those after the first are indented. A word that is wider than a whole
    /// line goes on in the next: nothing is lost.
    pub(crate) fn wrapped(&self, cells: usize, indent: usize) -> Vec<Self> {
        if self.width() <= cells {
            return vec![self.clone()];
        }
        let indent = if indent * 2 > cells { 0 } else { indent };
        // What stands to the right on purpose begins there when it is wrapped, too.
        let lead = self.0.first().map_or(0, |(text, _)| text.len() - text.trim_start_matches(' ').len());
        let lead = if lead * 2 > cells { 0 } else { lead };
        let line = Self::plain(" ".repeat(lead));
        let mut lines = Lines { cells: cells.max(1), lead, indent, done: Vec::new(), line, used: lead };
        for word in self.words() {
            lines.put(word);
        }
        lines.finish()
    }

    /// The words, and between them their spaces, as stretches that may not be broken.
    fn words(&self) -> Vec<Vec<(String, Look)>> {
        let mut words: Vec<Vec<(String, Look)>> = Vec::new();
        let mut after_space = true;
        for (text, look) in &self.0 {
            for piece in text.split_inclusive(' ') {
                let word = piece.trim_end_matches(' ');
                if !word.is_empty() {
                    if after_space {
                        words.push(Vec::new());
                    }
                    if let Some(last) = words.last_mut() {
                        last.push((word.to_owned(), *look));
                    }
                    after_space = false;
                }
                after_space |= piece.ends_with(' ');
            }
        }
        words
    }
}

impl From<String> for Styled {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

impl From<&str> for Styled {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

/// Fills lines with words.
struct Lines {
    cells: usize,
    lead: usize,
    indent: usize,
    done: Vec<Styled>,
    line: Styled,
    used: usize,
}

impl Lines {
    fn put(&mut self, word: Vec<(String, Look)>) {
        let wide: usize = word.iter().map(|(text, _)| width(text)).sum();
        let is_begun = self.used > self.begin();
        if is_begun && self.used + 1 + wide > self.cells {
            self.new_line();
        } else if is_begun {
            self.line = std::mem::take(&mut self.line).and(Look::Plain, " ");
            self.used += 1;
        }
        for (text, look) in word {
            for cluster in text.graphemes(true) {
                let wide = width(cluster);
                if self.used + wide > self.cells && self.used > self.begin() {
                    self.new_line();
                }
                self.line.push(cluster, look);
                self.used += wide;
            }
        }
    }

    /// Where the words of this line begin.
    fn begin(&self) -> usize {
        if self.done.is_empty() { self.lead } else { self.indent }
    }

    fn new_line(&mut self) {
        self.done.push(std::mem::take(&mut self.line));
        self.line = Styled::plain(" ".repeat(self.indent));
        self.used = self.indent;
    }

    fn finish(mut self) -> Vec<Styled> {
        self.done.push(self.line);
        self.done
    }
}

impl Styled {
    /// One letter behind this.
    #[must_use]
    pub(crate) fn more(mut self, letter: char, look: Look) -> Self {
        self.push(letter.encode_utf8(&mut [0; 4]), look);
        self
    }

    /// Continues the last stretch where it looks the same: an escape per letter would be valid, and unreadable.
    fn push(&mut self, text: &str, look: Look) {
        match self.0.last_mut() {
            Some((last, same)) if *same == look => last.push_str(text),
            _ => self.0.push((text.to_owned(), look)),
        }
    }
}

/// Without characters that turn the direction of what follows: a name must not rearrange the card it stands in.
fn harmless(text: String) -> String {
    let turns =
        |letter: char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(turns) { text.replace(turns, "") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, cells: usize) -> Vec<String> {
        Styled::plain(text).wrapped(cells, 2).iter().map(|line| line.paint(Style::default())).collect()
    }

    #[test]
    fn widths_are_those_of_a_terminal() {
        for (text, cells) in [("Ada", 3), ("王小明", 6), ("👩‍🔬", 2), ("e\u{301}", 1), ("안녕", 4), ("", 0)]
        {
            assert_eq!(width(text), cells, "{text}");
        }
    }

    #[test]
    fn words_wrap_and_nothing_is_lost() {
        assert_eq!(lines("the quick brown fox", 11), ["the quick", "  brown fox"]);
        assert_eq!(lines("0123456789abcdef", 6), ["012345", "  6789", "  abcd", "  ef"]);
        assert_eq!(lines("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(lines("王小明王小明", 5), ["王小", "  明", "  王", "  小", "  明"]);
        for cells in 1..40 {
            let text = "SUB-0042 王小明 👩‍🔬🇸🇬 charged 25.00 SGD ORD-000000000042";
            let wrapped = lines(text, cells);
            assert!(wrapped.iter().all(|line| width(line) <= cells.max(2)), "{cells}: {wrapped:?}");
            let squeezed = |text: &str| text.replace(' ', "");
            assert_eq!(squeezed(&wrapped.concat()), squeezed(text), "{cells}");
        }
    }

    #[test]
    fn looks_survive_wrapping_and_only_where_there_is_colour() {
        let text = Styled::plain("a line that is").and(Look::Bad, " blocked now").and(Look::Plain, ".");
        let coloured = Style { colour: true, width: None };
        let painted: Vec<_> = text.wrapped(12, 0).iter().map(|line| line.paint(coloured)).collect();
        assert_eq!(painted, ["a line that", "is \u{1b}[31mblocked\u{1b}[0m", "\u{1b}[31mnow\u{1b}[0m."]);
        assert_eq!(text.paint(Style::default()), "a line that is blocked now.");
    }

    #[test]
    fn a_name_cannot_turn_the_line_around() {
        assert_eq!(Styled::plain("Ada\u{202e}evol\u{2066}").paint(Style::default()), "Adaevol");
    }
}
