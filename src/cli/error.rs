//! What can go wrong with a command, what the reader is told, and the exit code a script sees.

use std::fmt::Write as _;
use std::io;

use serde_json::{Map, Value};

use super::hints;
use crate::render::text;

/// The exit codes, the same for every command.
pub(crate) mod exit {
    pub(crate) const OK: u8 = 0;
    pub(crate) const ERROR: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const POLICY: u8 = 3;
    pub(crate) const NOT_AUTHENTICATED: u8 = 4;
    pub(crate) const NOT_FOUND: u8 = 5;
    pub(crate) const CONFLICT: u8 = 6;
    pub(crate) const UNAVAILABLE: u8 = 7;
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line itself is wrong; nothing was called.
    #[error("{0}")]
    Usage(String),
    /// The server understood and said no.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// Nobody listens at the address.
    #[error("no server answers at {address}")]
    Unreachable { address: String },
    /// The request was sent; whether the server did what it asks is not known.
    #[error("the server at {address} took the request and did not answer")]
    NotAnswered {
        address: String,
        /// With which idempotency key to repeat the command: what was done is not done again.
        key: Option<String>,
    },
    /// The server has no operation of that name.
    #[error("{0}")]
    UnknownOperation(String),
    /// An answer that no `bss` server gives.
    #[error("{0}")]
    Unexpected(String),
    /// `--dry-run`: this would have been sent. No failure, but the end of the command.
    #[error("{operation} was not called")]
    NotSent { operation: String, arguments: Value },
    /// The person at the terminal said no.
    #[error("stopped, nothing was changed")]
    Declined,
    /// The command ran and its answer is bad news, e.g. books that do not balance.
    #[error("{0}")]
    Failed(String),
    /// Standard output or input is gone.
    #[error("cannot read or write: {0}")]
    Terminal(#[from] io::Error),
}

/// The error body of the server.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// What kind of refusal, e.g. `POLICY_VIOLATION`.
    pub(crate) code: String,
    /// The rule id of a violation, the place of a malformed argument.
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) context: Map<String, Value>,
    pub(crate) request_id: String,
    /// When it may be worth trying again.
    pub(crate) retry_after_seconds: Option<u64>,
    /// With which idempotency key to repeat the command: what was begun is not begun again.
    pub(crate) key: Option<String>,
}

impl Refusal {
    /// Reads the body of an answer that is not a success; an unreadable one still tells its status.
    pub(crate) fn from_answer(status: u16, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let member = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let message = match member("message") {
            message if message.is_empty() => format!("the server answered with status {status}"),
            message => message,
        };
        Self {
            status,
            code: member("code"),
            reason: member("reason"),
            message,
            context: body["context"].as_object().cloned().unwrap_or_default(),
            request_id: member("requestId"),
            retry_after_seconds: None,
            key: None,
        }
    }

    fn exit_code(&self) -> u8 {
        match self.status {
            400 | 413 | 415 => exit::USAGE,
            401 | 403 => exit::NOT_AUTHENTICATED,
            404 => exit::NOT_FOUND,
            409 | 412 => exit::CONFLICT,
            422 => exit::POLICY,
            429 | 502..=504 => exit::UNAVAILABLE,
            _ => exit::ERROR,
        }
    }

    /// The lines below the message: rule, context, and the request id where somebody has to search the log.
    fn details(&self) -> String {
        let mut lines = String::new();
        if !self.reason.is_empty() {
            let label = match self.code.as_str() {
                "POLICY_VIOLATION" => "rule",
                "INVALID_REQUEST" => "at",
                _ => "reason",
            };
            line(&mut lines, label, &self.reason);
        }
        for (name, value) in &self.context {
            line(&mut lines, name, &text::scalar(value));
        }
        if self.status >= 500 {
            line(&mut lines, "request", &self.request_id);
        }
        lines
    }
}

fn line(lines: &mut String, label: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(lines, "  {}: {}", text::clean(label), text::clean(value));
    }
}

impl CliError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit::USAGE,
            Self::Refused(refusal) => refusal.exit_code(),
            Self::Unreachable { .. } | Self::NotAnswered { .. } => exit::UNAVAILABLE,
            Self::UnknownOperation(_) => exit::NOT_FOUND,
            Self::NotSent { .. } => exit::OK,
            // The reader of our output (`| head`) has seen enough: that is not a failure.
            Self::Terminal(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
            Self::Unexpected(_) | Self::Declined | Self::Failed(_) | Self::Terminal(_) => exit::ERROR,
        }
    }

    /// The same error; where it leaves open whether something was done, it names the key to repeat the command with.
    pub(crate) fn repeatable_with(mut self, run: &str) -> Self {
        match &mut self {
            Self::NotAnswered { key, .. } => *key = Some(run.to_owned()),
            Self::Refused(refusal) if (502..=504).contains(&refusal.status) => refusal.key = Some(run.to_owned()),
            _ => {}
        }
        self
    }

    /// May the server be there again in a moment?
    pub(crate) fn is_unavailable(&self) -> bool {
        self.exit_code() == exit::UNAVAILABLE
    }

    /// What standard error shows: the message, what the server said about it, and the next step.
    pub(crate) fn report(&self, colour: bool) -> String {
        if self.exit_code() == exit::OK {
            return String::new();
        }
        let paint =
            |code: &str, word: &str| if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() };
        let mut report = format!("{} {}\n", paint("1;31", "error:"), text::clean(&self.to_string()));
        if let Self::Refused(refusal) = self {
            report.push_str(&refusal.details());
        }
        if let Some(hint) = hints::next_step(self) {
            let _ = writeln!(report, "{} {}", paint("36", "next:"), text::clean(&hint));
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn refused(status: u16, body: &Value) -> CliError {
        CliError::Refused(Box::new(Refusal::from_answer(status, body.to_string().as_bytes())))
    }

    #[test]
    fn a_violation_names_the_rule_the_context_and_the_next_step() {
        let error = refused(
            422,
            &json!({"code": "POLICY_VIOLATION", "reason": "order.create.no_payment_method", "status": "422",
                    "message": "The customer has no payment method", "context": {"customerId": "CUST-0a1b2c3d4e5f"}}),
        );
        assert_eq!(error.exit_code(), 3);
        assert_snapshot!(error.report(false), @"
        error: The customer has no payment method
          rule: order.create.no_payment_method
          customerId: CUST-0a1b2c3d4e5f
        next: add a card: bss payment add-card --customer CUST-0a1b2c3d4e5f
        ");
        assert_snapshot!(error.report(true).lines().next().unwrap_or_default().escape_debug(),
            @r"\u{1b}[1;31merror:\u{1b}[0m The customer has no payment method");
    }

    #[test]
    fn a_malformed_argument_names_its_place() {
        let error =
            refused(400, &json!({"code": "INVALID_REQUEST", "reason": "/quantity", "message": "must be at least 1"}));
        assert_eq!(error.exit_code(), 2);
        assert_snapshot!(error.report(false), @"
        error: must be at least 1
          at: /quantity
        ");
    }

    #[test]
    fn a_bug_names_the_request_to_search_for() {
        let error =
            refused(500, &json!({"code": "INTERNAL", "message": "Something failed here", "requestId": "0192-7f"}));
        assert_eq!(error.exit_code(), 1);
        assert_snapshot!(error.report(false), @"
        error: Something failed here
          request: 0192-7f
        next: search the server's log for the request id
        ");
    }

    #[test]
    fn nobody_at_home_names_the_address_and_how_to_start() {
        let error = CliError::Unreachable { address: "http://127.0.0.1:8000".into() };
        assert_eq!(error.exit_code(), 7);
        assert_snapshot!(error.report(false), @"
        error: no server answers at http://127.0.0.1:8000
        next: start the server: bss serve (or name another address with --url)
        ");
    }

    #[test]
    fn every_kind_of_refusal_has_its_exit_code() {
        let code = |status| refused(status, &json!({})).exit_code();
        let expected =
            [(400, 2), (401, 4), (403, 4), (404, 5), (409, 6), (412, 6), (422, 3), (429, 7), (500, 1), (503, 7)];
        for (status, exit_code) in expected {
            assert_eq!(code(status), exit_code, "status {status}");
        }
        assert_eq!(CliError::Usage("x".into()).exit_code(), 2);
        assert_eq!(CliError::Declined.exit_code(), 1);
        assert_eq!(CliError::NotAnswered { address: "x".into(), key: None }.exit_code(), 7);
        assert_eq!(CliError::Terminal(io::ErrorKind::BrokenPipe.into()).exit_code(), 0);
    }

    #[test]
    fn an_answer_that_is_not_ours_still_tells_its_status() {
        let error = CliError::Refused(Box::new(Refusal::from_answer(502, b"<html>bad gateway</html>")));
        assert_eq!(error.exit_code(), 7);
        assert!(error.report(false).starts_with("error: the server answered with status 502\n"));
    }

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        let error = refused(404, &json!({"code": "NOT_FOUND", "message": "customer \u{1b}[2J not found"}));
        assert!(!error.report(false).contains('\u{1b}'));
    }
}
