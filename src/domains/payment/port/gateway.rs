//! What payment needs from a payment gateway. Knows no provider's words, so that another one can be plugged in.

use async_trait::async_trait;

use super::card::Card;
use crate::platform::money::Money;

/// A card as the gateway knows it: what we keep in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenized {
    pub token: String,
    pub last4: String,
    /// `visa`, `mastercard`, `amex` or `unknown`.
    pub brand: String,
}

/// The gateway's final word on one charge. The same key gets the same answer for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Approved {
        /// The gateway's name for the charge; a refund refers to it.
        gateway_ref: String,
    },
    Declined {
        /// Machine-readable, such as `insufficient_funds`.
        code: String,
        /// For a person.
        reason: String,
    },
}

/// There is no answer, or none that can be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// Whether money moved is unknown: ask again with the same key.
    #[error("the payment gateway did not answer in time")]
    Timeout,
    /// Whether money moved is unknown: ask again with the same key.
    #[error("the payment gateway cannot be reached: {0}")]
    Unavailable(String),
    /// The request itself is wrong; asking again cannot help, and no money moved.
    #[error("the payment gateway refused the request: {0}")]
    Refused(String),
}

/// A payment gateway. Every method that moves money takes the caller's key: asked twice, it moves money once.
#[async_trait]
pub trait Gateway: Send + Sync + std::fmt::Debug {
    /// Its name in `payment_method.token_provider`.
    fn provider(&self) -> &'static str;

    /// Takes a card into the gateway's keeping.
    async fn tokenize(&self, card: &Card) -> Result<Tokenized, GatewayError>;

    /// Charges a card. A known key replays its first answer, whatever else is sent along must be the same.
    async fn charge(&self, key: &str, token: &str, amount: Money) -> Result<Answer, GatewayError>;

    /// Gives the money of an approved charge back; answers the gateway's name for the refund. A known key replays.
    async fn refund(&self, key: &str, charge_ref: &str, amount: Money) -> Result<String, GatewayError>;

    /// What became of the charge with this key; None when the gateway never heard of it. Moves nothing.
    async fn lookup(&self, key: &str) -> Result<Option<Answer>, GatewayError>;
}
