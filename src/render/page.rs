//! A page about one thing: a heading, facts in two columns, and sections below.

use std::fmt::Write as _;

use super::Style;

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
            let _ = writeln!(self.text, "{}{name:width$}  {value}", self.indent);
        }
        self
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
