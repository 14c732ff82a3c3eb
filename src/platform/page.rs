//! Pages of the lists that operations answer.

use crate::platform::error::{Error, Result};

/// How many things a page has when nobody says.
pub const fn default_size() -> u32 {
    50
}

/// Refuses a page of nothing, and one of more than `most` things.
///
/// # Errors
/// Invalid, naming the argument.
pub fn bounded(limit: u32, most: u32) -> Result<()> {
    if (1..=most).contains(&limit) { Ok(()) } else { Err(Error::invalid("/limit", format!("must be 1 to {most}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_something_and_an_end() {
        assert!(bounded(1, 200).is_ok() && bounded(200, 200).is_ok() && bounded(default_size(), 200).is_ok());
        for wrong in [0, 201, u32::MAX] {
            assert_eq!(bounded(wrong, 200).expect_err("out of bounds").to_string(), "/limit: must be 1 to 200");
        }
    }
}
