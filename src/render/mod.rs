//! Views as text: pure functions from the JSON an operation answers to what a person reads.
//!
//! No I/O, no clock, no configuration. A renderer shows fields that the server sends and invents none: what is missing
//! stays empty.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod card;
pub(crate) mod catalog;
pub(crate) mod customer;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod generic;
pub(crate) mod grid;
pub(crate) mod inventory;
pub(crate) mod jq;
pub(crate) mod message;
pub(crate) mod operation;
pub(crate) mod order;
pub(crate) mod page;
pub(crate) mod payment;
pub(crate) mod platform;
pub(crate) mod promotion;
pub(crate) mod provisioning;
pub(crate) mod queue;
pub(crate) mod select;
pub(crate) mod service;
pub(crate) mod styled;
pub(crate) mod subscription;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod trace;
pub(crate) mod usage;
pub(crate) mod words;

/// How text may look where it is going.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// May it have colour and weight?
    pub(crate) colour: bool,
    /// Columns of the terminal; `None` where lines may be as long as they like.
    pub(crate) width: Option<u16>,
}

impl Style {
    /// A heading.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A state, in the colour of how much it asks for attention.
    pub(crate) fn state(self, state: &str) -> String {
        self.state_as(state, state)
    }

    /// Other words in the colour of a state.
    pub(crate) fn state_as(self, state: &str, text: &str) -> String {
        self.paint(styled::Look::of_state(state).code(), text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Style, styled};

    /// A card at 60, 80 and 200 columns and in a pipe. What the widths promise is checked on the way: no line is wider, and
    /// all lines of a frame are alike.
    pub(crate) fn at_each_width(card: impl Fn(Style) -> String) -> String {
        let framed = [60, 80, 200].map(|columns| {
            let text = card(Style { colour: false, width: Some(columns) });
            let widths: Vec<_> = text.lines().map(styled::width).collect();
            assert!(widths.iter().all(|width| *width <= usize::from(columns)), "{columns} columns:\n{text}");
            assert!(widths.iter().all(|width| *width == widths[0]), "{columns} columns:\n{text}");
            format!("{columns} columns\n{text}")
        });
        let piped = card(Style::default());
        assert!(!piped.contains('\u{1b}') && piped.lines().all(|line| line.trim_end() == line), "{piped}");
        format!("{}\npiped\n{piped}", framed.join("\n"))
    }
}
