//! Views as text: pure functions from the JSON an operation answers to what a person reads.
//!
//! No I/O, no clock, no configuration. A renderer shows fields that the server sends and invents none: what is missing
//! stays empty.

pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod customer;
pub(crate) mod data;
pub(crate) mod generic;
pub(crate) mod inventory;
pub(crate) mod jq;
pub(crate) mod message;
pub(crate) mod operation;
pub(crate) mod order;
pub(crate) mod page;
pub(crate) mod payment;
pub(crate) mod platform;
pub(crate) mod provisioning;
pub(crate) mod queue;
pub(crate) mod select;
pub(crate) mod service;
pub(crate) mod subscription;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod usage;

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
        match state {
            "active" | "activated" | "approved" | "available" | "completed" | "done" | "ok" | "rated" | "sent"
            | "verified" => self.paint("32", text),
            "blocked" | "declined" | "errored" | "failed" | "parked" | "refused" | "rejected" | "stuck" => {
                self.paint("31", text)
            }
            "acknowledged" | "in_progress" | "pending" | "quarantine" | "reserved" | "running" => {
                self.paint("33", text)
            }
            _ => text.to_owned(),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
