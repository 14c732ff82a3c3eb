//! Pages of `docs` that tests make from the product.

use std::path::Path;

/// Whether this run writes the pages anew.
pub(crate) fn updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Asserts that the committed page is this one, after writing it where that is asked for. `test` names who makes it.
#[track_caller]
pub(crate) fn is_committed(path: &str, page: &str, test: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if updating() {
        std::fs::write(&file, page).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "{path} is old; UPDATE_DOCS=1 cargo test --test it {test} writes it anew");
}
