//! A page about one thing: a heading, facts in two columns, and sections below.

use std::fmt::Write as _;

use super::{Style, text};

/// Space between the name and the value of a fact.
const GAP: usize = 2;
/// Narrower than this, breaking lines helps nobody.
const ROOM_MIN: usize = 16;

/// Builds the text of a page from top to bottom.
pub(crate) struct Page {
    style: Style,
    text: String,
    /// Facts stand below a heading, or at the margin where there is none.
    indent: &'static str,
}

impl Page {
    /// A page that opens with a heading: what it is, and its state.
    pub(crate) fn new(style: Style, heading: &[&str], state: &str) -> Self {
        let name = heading.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
        let mut text = style.strong(&name);
        if !state.is_empty() {
            let _ = write!(text, "  {}", style.state(state));
        }
        text.push('\n');
        Self { style, text, indent: "  " }
    }

    /// A page without a heading.
    pub(crate) fn bare(style: Style) -> Self {
        Self { style, text: String::new(), indent: "" }
    }

    /// Facts, one a line; those without a value are left out.
    pub(crate) fn facts(mut self, facts: &[(&str, String)]) -> Self {
        let known: Vec<_> = facts.iter().filter(|(_, value)| !value.is_empty()).collect();
        let width = known.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (name, value) in known {
            let mut lines = self.lines(value, width + self.indent.len() + GAP).into_iter();
            let _ = writeln!(self.text, "{}{name:width$}  {}", self.indent, lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(self.text, "{}{:width$}  {line}", self.indent, "");
            }
        }
        self
    }

    /// A value in lines that fit behind the `taken` columns; what is painted is one word and stays whole.
    fn lines(&self, value: &str, taken: usize) -> Vec<String> {
        match self.style.width.map(usize::from) {
            Some(width) if !value.contains('\u{1b}') => text::wrapped(value, width.saturating_sub(taken).max(ROOM_MIN)),
            _ => vec![value.to_owned()],
        }
    }

    /// A table or block under its own heading; left out when it is empty.
    pub(crate) fn section(mut self, heading: &str, body: &str) -> Self {
        if !body.is_empty() {
            let _ = writeln!(self.text, "\n{}", self.style.strong(heading));
            for line in body.lines() {
                let _ = writeln!(self.text, "{}", format!("  {line}").trim_end());
            }
        }
        self
    }

    /// The style a section of this page should be rendered in: narrower by its indent.
    pub(crate) fn inner(style: Style) -> Style {
        Style { width: style.width.map(|width| width.saturating_sub(2)), ..style }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_long_value_goes_on_below_itself_where_the_terminal_ends() {
        let facts = [("note", "left in a taxi on the way to the airport".to_owned()), ("id", "SUB-0042".to_owned())];
        let page = |width| Page::new(Style { colour: false, width }, &["SUB-0042"], "").facts(&facts).finish();
        assert_snapshot!(page(Some(30)), @"
        SUB-0042
          note  left in a taxi on the
                way to the airport
          id    SUB-0042
        ");
        assert!(page(None).contains("note  left in a taxi on the way to the airport\n"));
    }
}
