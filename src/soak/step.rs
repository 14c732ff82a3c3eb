//! What a customer, or the operator for them, can do on a day, and how it can end.

use serde::Serialize;

/// How a card behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    #[default]
    Good,
    Declines,
    /// Approves, but the first call for each charge fails.
    Flaky,
    /// Approves, but the first answer to each charge is lost.
    Silent,
}

impl Card {
    /// Whether it pays in the end.
    pub const fn pays(self) -> bool {
        !matches!(self, Self::Declines)
    }

    /// A number of the mock gateway.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Good => "4242424242424242",
            Self::Declines => "4000000000009995",
            Self::Flaky => "4000000000000259",
            Self::Silent => "4000000000000119",
        }
    }
}

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    Data,
    Voice,
    Sms,
    /// Data abroad.
    Roaming,
}

impl Use {
    /// The allowance that it takes from.
    pub const fn allowance(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Voice => "voice",
            Self::Sms => "sms",
            Self::Roaming => "data_roaming",
        }
    }
}

/// Why a line is taken out of service by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// The phone is lost.
    Requested,
    Fraud,
}

/// One thing done. `by_order` goes through a product order, else straight to the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// Orders a line; the first time, with everything that a new customer needs, the card included.
    Join {
        plan: String,
        card: Card,
        /// What is typed as a promotion's code, right or wrong.
        code: Option<String>,
        /// The operator has chosen the customer for a discount before.
        chosen: bool,
    },
    /// Orders a line and calls the order off at once, however far it has come. Where it was too late, the line ends and its
    /// price is paid back: nothing is left of it either way.
    CallOff {
        plan: String,
        /// Of a new customer.
        card: Card,
    },
    /// Puts a card on file and has it charged from now on.
    ReplaceCard {
        card: Card,
    },
    Use {
        what: Use,
        quantity: i64,
    },
    TopUp {
        top_up: String,
    },
    /// Pays for the next period now: the way out of a block for payment, or early.
    Renew,
    Block {
        hold: Hold,
    },
    Unblock {
        hold: Hold,
    },
    ChangePlan {
        to: String,
        by_order: bool,
    },
    CancelChange,
    Terminate {
        by_order: bool,
    },
}

impl Step {
    /// For counting.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "joins",
            Self::CallOff { .. } => "orders called off",
            Self::ReplaceCard { .. } => "cards replaced",
            Self::Use { .. } => "usage events",
            Self::TopUp { .. } => "top-ups",
            Self::Renew => "renewals by hand",
            Self::Block { hold: Hold::Requested } => "phones lost",
            Self::Block { hold: Hold::Fraud } => "blocks for fraud",
            Self::Unblock { .. } => "blocks lifted",
            Self::ChangePlan { by_order: true, .. } => "plan changes, by order",
            Self::ChangePlan { by_order: false, .. } => "plan changes, by the line",
            Self::CancelChange => "plan changes cancelled",
            Self::Terminate { .. } => "terminations",
        }
    }
}

/// How a step ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// By this rule.
    Refused(String),
    /// An answer was lost, and what the repetition was told may be about the first try.
    Unsure,
}

impl Outcome {
    pub fn refused(rule: &str) -> Self {
        Self::Refused(rule.to_owned())
    }

    /// Whether the two may be the same.
    pub fn agrees(&self, other: &Self) -> bool {
        self == other || *self == Self::Unsure || *other == Self::Unsure
    }
}
