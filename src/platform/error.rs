//! What can go wrong in a domain. Knows nothing of HTTP, terminals or models; each surface translates it in one file.

use std::borrow::Cow;

use sea_orm::DbErr;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::platform::telemetry::redact;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The id of a business rule, such as `order.create.no_payment_method`. Constants of this type live in `policy.rs` files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule(&'static str);

impl Rule {
    pub const fn new(id: &'static str) -> Self {
        Self(id)
    }

    pub const fn id(self) -> &'static str {
        self.0
    }

    /// The rule is broken; `message` tells a person what happened and, where it helps, what to do.
    pub fn violated(self, message: impl Into<Cow<'static, str>>) -> Violation {
        Violation { rule: self, message: message.into(), context: Map::new() }
    }
}

/// A broken rule as a value: the same object is what HTTP (422), the command line (exit 3) and a scenario see.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {message}", rule.id())]
pub struct Violation {
    pub rule: Rule,
    pub message: Cow<'static, str>,
    pub context: Map<String, Value>,
}

impl Violation {
    /// Adds a fact that a caller can act on. Never personal data. A text that a caller sent comes back cut after
    /// [`ECHO_LIMIT`] characters.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Serialize) -> Self {
        let mut value = serde_json::to_value(value).unwrap_or(Value::Null);
        if let Value::String(text) = &mut value
            && let Some((cut, _)) = text.char_indices().nth(ECHO_LIMIT)
        {
            text.truncate(cut);
            text.push('…');
        }
        self.context.insert(key.to_owned(), value);
        self
    }
}

/// What an error repeats of a caller's own text, in characters.
const ECHO_LIMIT: usize = 200;

/// The few cases that a caller can act on; everything else is internal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{entity} {id} not found")]
    NotFound { entity: &'static str, id: String },
    #[error(transparent)]
    Policy(Box<Violation>),
    /// Malformed input; `pointer` is a JSON pointer into the body or the name of a parameter.
    #[error("{pointer}: {message}")]
    Invalid { pointer: String, message: String },
    /// Another writer won, or a twin of this request is under way. Reading again and repeating is safe.
    #[error("{0}")]
    Conflict(String),
    /// The caller's `If-Match` is not the current version.
    #[error("{0}")]
    PreconditionFailed(String),
    #[error("{message}")]
    Forbidden { code: &'static str, message: String },
    /// A dependency is away or everything is busy; the same request may succeed later.
    #[error("{message}")]
    Unavailable { message: String, context: Map<String, Value> },
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// A bug: an invariant of ours does not hold. The text is for the log only.
    #[error("{0}")]
    Internal(String),
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Policy(Box::new(violation))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbErr::Query(sea_orm::RuntimeErr::SqlxError(error.into())))
    }
}

impl Error {
    /// The id may be anything that a caller wrote in its place: what looks like a card number or an ICCID is not repeated.
    pub fn not_found(entity: &'static str, id: impl ToString) -> Self {
        Self::NotFound { entity, id: redact::digits(&id.to_string()) }
    }

    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { pointer: pointer.into(), message: message.into() }
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into(), context: Map::new() }
    }

    /// Passes when the caller's `If-Match` names the version that the row has, or names none.
    pub fn unless_version(current: i64, expected: Option<i64>) -> Result<()> {
        match expected {
            Some(expected) if expected != current => Err(Self::PreconditionFailed(format!(
                "The current version is \"{current}\", not \"{expected}\"; read it again"
            ))),
            _ => Ok(()),
        }
    }

    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Policy(violation) => Some(violation),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Conflict(_) => true,
            Self::Database(error) => is_outage(error) || is_contention(error),
            _ => false,
        }
    }

    /// Whether a unique index or constraint of this name refused the statement.
    pub fn breaks_unique(&self, constraint: &str) -> bool {
        let Self::Database(error) = self else { return false };
        with_database_error(error, |e| e.constraint() == Some(constraint)).unwrap_or(false)
    }
}

/// The database is away, is starting or stopping, or did not answer within its time-out.
pub fn is_outage(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) {
        return true;
    }
    match sqlx_error(error) {
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_),
        ) => true,
        Some(sqlx::Error::Database(e)) => {
            // 08 connection, 53 resources, 57P shutdown or start-up, 57014 statement time-out (SQLSTATE, PostgreSQL appendix A)
            e.code().is_some_and(|c| {
                c.starts_with("08") || c.starts_with("53") || c.starts_with("57P") || c == "57014" || c == "25P03"
            })
        }
        _ => false,
    }
}

/// Somebody else held what this statement needed: serialisation failure, deadlock, lock time-out.
pub fn is_contention(error: &DbErr) -> bool {
    with_database_error(error, |e| e.code().is_some_and(|c| c.starts_with("40") || c == "55P03")).unwrap_or(false)
}

/// Whether a lock could not be had within its time-out (SQLSTATE 55P03).
pub fn is_lock_timeout(error: &DbErr) -> bool {
    with_database_error(error, |e| e.code().as_deref() == Some("55P03")).unwrap_or(false)
}

fn with_database_error<T>(error: &DbErr, read: impl FnOnce(&dyn sqlx::error::DatabaseError) -> T) -> Option<T> {
    match sqlx_error(error) {
        Some(sqlx::Error::Database(e)) => Some(read(e.as_ref())),
        _ => None,
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(sea_orm::RuntimeErr::SqlxError(e))
        | DbErr::Query(sea_orm::RuntimeErr::SqlxError(e))
        | DbErr::Conn(sea_orm::RuntimeErr::SqlxError(e)) => Some(e),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule::new("order.cancel.forbidden_after_som_started");

    #[test]
    fn a_violation_keeps_rule_message_and_context() {
        let violation = RULE.violated("The service order runs").with("orderId", "ORD-0001");
        assert_eq!(violation.to_string(), "order.cancel.forbidden_after_som_started: The service order runs");
        assert_eq!(violation.context["orderId"], "ORD-0001");
    }

    #[test]
    fn a_long_text_of_the_caller_comes_back_cut() {
        let violation = RULE.violated("No such offer").with("offering", "é".repeat(10_000));
        assert_eq!(violation.context["offering"], format!("{}…", "é".repeat(200)));
    }

    #[test]
    fn an_exhausted_pool_is_an_outage_and_a_violation_is_not() {
        assert!(Error::from(sqlx::Error::PoolTimedOut).is_transient());
        assert!(!Error::from(RULE.violated("no")).is_transient());
    }
}
