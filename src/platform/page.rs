//! Pages of the lists that operations answer.

use crate::platform::error::{Error, Result};

/// How many things a page has when nobody says.
pub const fn default_size() -> u32 {
    50
}

/// How many things may be left out before a page: the database counts them all off, one by one.
const OFFSET_MAX: u32 = 1_000_000;

/// Refuses what [`bounded`] does, and a page that is too far away.
///
/// # Errors
/// Invalid, naming the argument.
pub fn within(limit: u32, most: u32, offset: u32) -> Result<()> {
    bounded(limit, most)?;
    if offset <= OFFSET_MAX {
        return Ok(());
    }
    Err(Error::invalid("/offset", format!("must be at most {OFFSET_MAX}")))
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
        assert!(within(200, 200, OFFSET_MAX).is_ok() && within(201, 200, 0).is_err());
        let too_far = within(200, 200, OFFSET_MAX + 1).expect_err("too far");
        assert_eq!(too_far.to_string(), "/offset: must be at most 1000000");
    }
}
