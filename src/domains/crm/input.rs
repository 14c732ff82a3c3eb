//! Checks on what callers send that several aggregates of this domain share.

use crate::platform::error::{Error, Result};
use crate::platform::page;

const LIMIT_MAX: u32 = 1_000;
const LINE_CHARS_MAX: usize = 300;

/// A page of a list operation is bounded.
pub(super) fn page(limit: u32, offset: u32) -> Result<()> {
    page::within(limit, LIMIT_MAX, offset)
}

/// One line of text, trimmed.
pub(super) fn line(text: &str, pointer: &'static str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LINE_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Error::invalid(pointer, format!("must be one line of 1 to {LINE_CHARS_MAX} characters")));
    }
    Ok(text.to_owned())
}

/// ISO 3166-1 alpha-2, in upper case.
pub(super) fn country(text: &str, pointer: &'static str) -> Result<String> {
    let text = text.trim().to_ascii_uppercase();
    if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Error::invalid(pointer, "must be a country code of two letters (ISO 3166-1 alpha-2), such as SG"));
    }
    Ok(text)
}
