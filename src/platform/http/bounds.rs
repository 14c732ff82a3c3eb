//! Bounds on what comes before a body: longer targets and headers than these are refused in our own words.
//!
//! The HTTP reader beneath has bounds of its own, far above these; beyond them it answers 414 or 431 without a body and
//! closes the connection.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};

use crate::platform::http::ApiError;

/// Path and query of a request. The query alone has a smaller bound in the TMF toolkit.
pub const TARGET_BYTES_MAX: usize = 16 * 1024;

/// Names and values of all headers together.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Refuses what is too long, before anything is looked at.
pub fn check(request: &Request) -> Result<(), ApiError> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        let message = format!("Path and query are longer than {TARGET_BYTES_MAX} bytes");
        return Err(ApiError::new(StatusCode::URI_TOO_LONG, "INVALID_REQUEST", "target", message));
    }
    if header_bytes(request.headers()) > HEADER_BYTES_MAX {
        let message = format!("The headers are longer than {HEADER_BYTES_MAX} bytes");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(ApiError::new(status, "INVALID_REQUEST", "headers", message));
    }
    Ok(())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
