//! One error model for all surfaces: the TMF630 `Error` body, with our rule context and the request id.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::platform::error::{self, Error, Violation};

/// What goes wrong on the way to a caller. The body is rendered by the outermost layer, which knows the request id and logs
/// the cause once.
#[derive(Debug)]
pub struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    reason: String,
    message: String,
    context: Map<String, Value>,
    retry_after_s: Option<u32>,
    cause: Option<String>,
}

/// The body. Names of TMF630 (REST API Design Guidelines, part 1, error handling); `context` and `requestId` are ours.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Machine-readable class: `POLICY_VIOLATION`, `INVALID_REQUEST`, `NOT_FOUND`, …
    pub code: String,
    /// The rule id of a violation; the JSON pointer or parameter of malformed input.
    pub reason: String,
    /// What happened and, where it helps, what to do.
    pub message: String,
    /// The HTTP status as text.
    pub status: String,
    /// Facts that a caller can act on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
    /// The `x-request-id` of this answer, under which the server logged it.
    pub request_id: String,
    /// Always `Error`.
    #[serde(rename = "@type")]
    pub at_type: String,
}

impl ErrorBody {
    /// For an answer that nobody of us gave: all there is to say is its status.
    pub(super) fn of(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => ("NOT_FOUND", "There is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("METHOD_NOT_ALLOWED", "This path does not know this method; Allow has those that it does")
            }
            StatusCode::INTERNAL_SERVER_ERROR => {
                ("INTERNAL", "Something went wrong here, and it is logged under this request id")
            }
            _ => ("INVALID_REQUEST", "The request cannot be read"),
        };
        Self {
            code: code.to_owned(),
            reason: code.to_ascii_lowercase(),
            message: message.to_owned(),
            status: status.as_u16().to_string(),
            context: Map::new(),
            request_id: String::new(),
            at_type: "Error".to_owned(),
        }
    }
}

/// Rides on the response until the outermost layer renders it.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) body: ErrorBody,
    pub(super) cause: Option<String>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        let (reason, message) = (reason.into(), message.into());
        Self(Box::new(Parts { status, code, reason, message, context: Map::new(), retry_after_s: None, cause: None }))
    }

    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", pointer, message)
    }

    /// Everything is busy or a dependency is away; nothing was changed, or what was begun goes on by itself.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "unavailable", message);
        error.0.retry_after_s = Some(1);
        error
    }

    /// Is it ours, and not the caller's?
    pub fn is_fault(&self) -> bool {
        self.0.status.is_server_error()
    }

    fn violation(violation: &Violation) -> Self {
        let mut error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "POLICY_VIOLATION",
            violation.rule.id(),
            violation.message.clone(),
        );
        error.0.context.clone_from(&violation.context);
        error
    }

    fn caused_by(mut self, cause: impl ToString) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { entity, id } => Self::new(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                format!("{}.not_found", entity.replace(' ', "_")),
                format!("{entity} {id} not found"),
            ),
            Error::Policy(violation) => Self::violation(&violation),
            Error::Invalid { pointer, message } => Self::invalid(pointer, message),
            Error::Conflict(message) => {
                let mut error = Self::new(StatusCode::CONFLICT, "CONFLICT", "conflict", message);
                error.0.retry_after_s = Some(1);
                error
            }
            Error::PreconditionFailed(message) => {
                Self::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", "If-Match", message)
            }
            Error::Forbidden { code, message } => Self::new(StatusCode::FORBIDDEN, code, "forbidden", message),
            Error::Unavailable { message, context } => {
                let mut error = Self::unavailable(message);
                error.0.context = context;
                error
            }
            Error::Database(cause) if error::is_outage(&cause) => {
                Self::unavailable("The database is away or too busy; try again shortly").caused_by(cause)
            }
            Error::Database(cause) if error::is_contention(&cause) => {
                let message = "Somebody else is changing the same thing; try again";
                let mut error = Self::new(StatusCode::CONFLICT, "CONFLICT", "conflict", message).caused_by(cause);
                error.0.retry_after_s = Some(1);
                error
            }
            Error::Database(cause) => Self::internal(cause),
            Error::Internal(cause) => Self::internal(cause),
        }
    }
}

impl ApiError {
    fn internal(cause: impl ToString) -> Self {
        let message = "Something went wrong here, and it is logged under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal", message).caused_by(cause)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(parts) = self;
        let body = ErrorBody {
            code: parts.code.to_owned(),
            reason: parts.reason,
            message: parts.message,
            status: parts.status.as_u16().to_string(),
            context: parts.context,
            request_id: String::new(),
            at_type: "Error".to_owned(),
        };
        let mut response = parts.status.into_response();
        if let Some(seconds) = parts.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if parts.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Report { body, cause: parts.cause });
        response
    }
}
