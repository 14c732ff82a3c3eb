//! "Did you mean …?": the nearest of the names that there are.

use strsim::levenshtein;

/// Farther than this, it is another word.
const DISTANCE_MAX: usize = 4;

/// The name that was probably meant.
pub(super) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().map(|name| (levenshtein(name, typed), name)).min_by_key(|(distance, _)| *distance);
    // Of a short word, hardly a letter may be wrong before it is nothing like it.
    near.filter(|(distance, name)| *distance <= DISTANCE_MAX.min(name.chars().count().div_ceil(2)))
        .map(|(_, name)| name)
}

/// The end of a sentence that says what there is not.
pub(super) fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, names).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_no_stranger() {
        let names = ["order.create", "order.cancel", "sms"];
        assert_eq!(nearest("order.craete", names), Some("order.create"));
        assert_eq!(nearest("smss", names), Some("sms"));
        assert_eq!(nearest("fax", names), None);
        assert_eq!(did_you_mean("order.cancle", names), "; did you mean 'order.cancel'?");
        assert_eq!(did_you_mean("something.else.entirely", names), "");
    }
}
