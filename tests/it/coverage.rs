//! `docs/INVENTORY.md`: every operation, endpoint and command, and a test that exercises it. The page names what the registry,
//! the document and the command tree name, and only tests that there are; and after a recorded run (`.ci/run`) each test must
//! really have called its row, and have been answered well.
//!
//! ```text
//! BSS_TEST_RECORD=DIR cargo test --test it
//! BSS_TEST_RECORDED=DIR UPDATE_DOCS=1 cargo test --test it coverage     # writes the page anew
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bss::app::{compose, openapi};
use bss::cli::Cli;
use clap::CommandFactory as _;
use serde_json::Value;

use crate::support::page::updating;

const HEAD: &str = "\
# Inventory

Everything that one can do, and the test that exercises it: of `tests/it`, run by `cargo test --test it NAME`. Which test
calls what is recorded by the test kit while the tests run, so a row cannot claim more than happened: `.ci/run` records, and
fails for a row whose test did not call it or was refused, for a new operation, endpoint or command without a row, and for a row
of something that is no more. Tests that call everything (the authorisation matrix, bad input) do not count.

";

/// Tests that go over everything and look at one property of it: they are no proof that a thing does what it is for.
const GENERAL: &[&str] =
    &["authorisation::", "bad_input::", "canaries::", "light::", "openapi::", "perimeter::", "races::", "kill::"];

/// Tests of commands that never return by themselves, or whose server is what is tested.
const GENERAL_FOR_COMMANDS: &[&str] = &["kill::"];

/// One section of the page: what it holds, and for each thing the test.
struct Section {
    title: &'static str,
    things: BTreeSet<String>,
}

fn document() -> Value {
    openapi::document(&compose::registry())
}

fn sections() -> [Section; 3] {
    let operations = compose::registry().iter().map(|declared| declared.name.to_owned()).collect();
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let endpoints = paths.iter().filter(|(path, _)| !path.starts_with("/ops/v1/")).flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let mut commands = BTreeSet::new();
    leaves(&Cli::command(), "bss", &mut commands);
    [
        Section { title: "Operations", things: operations },
        Section { title: "Endpoints", things: endpoints.collect() },
        Section { title: "Commands", things: commands },
    ]
}

/// The commands that do something themselves.
fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
    let mut below = command.get_subcommands().filter(|below| below.get_name() != "help").peekable();
    if below.peek().is_none() {
        found.insert(path.to_owned());
    }
    for command in below {
        leaves(command, &format!("{path} {}", command.get_name()), found);
    }
}

/// The thing that a note speaks of: an operation, an endpoint with `{id}`, a command without its arguments.
fn thing(note: &str, sections: &[Section; 3]) -> Option<String> {
    if note.starts_with("bss ") {
        let words: Vec<&str> = note.split(' ').take_while(|word| !word.starts_with('-')).collect();
        let known = |length: &usize| sections[2].things.contains(&words[..*length].join(" "));
        return (1..=words.len()).rev().find(known).map(|length| words[..length].join(" "));
    }
    if let Some(operation) = note.strip_prefix("POST /ops/v1/") {
        return sections[0].things.contains(operation).then(|| operation.to_owned());
    }
    let is_known = |name: &String| sections[1].things.contains(name);
    let by_id = note.rsplit_once('/').map(|(collection, _)| format!("{collection}/{{id}}"));
    Some(note.to_owned()).filter(is_known).or_else(|| by_id.filter(is_known))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// For each thing the tests that called it, when there is a record.
fn recorded(sections: &[Section; 3]) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let folder = variable("BSS_TEST_RECORDED")?;
    let mut tests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("BSS_TEST_RECORDED names a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("the record is text");
        for (test, note) in text.lines().filter_map(|line| line.split_once('\t')) {
            let general = if note.starts_with("bss ") { GENERAL_FOR_COMMANDS } else { GENERAL };
            if let Some(thing) = thing(note, sections).filter(|_| !general.iter().any(|own| test.starts_with(own))) {
                tests.entry(thing).or_default().insert(test.to_owned());
            }
        }
    }
    Some(tests)
}

/// The rows of the committed page.
fn committed(page: &str) -> BTreeMap<String, String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `"));
    cells.map(|(thing, test)| (thing.to_owned(), test.to_owned())).collect()
}

/// Whether a test of that name stands in the sources: `orders::place::name` in `orders/place.rs` or below.
fn exists(test: &str) -> bool {
    let steps: Vec<&str> = test.split("::").collect();
    let (name, modules) = steps.split_last().expect("a name");
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(modules.join("/"));
    let files = [top.with_extension("rs"), top.join("mod.rs")];
    files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).any(|text| text.contains(&format!("fn {name}(")))
}

/// Writes the page: a row keeps its test while that still calls it, so that the page does not change without need.
fn page(
    sections: &[Section; 3],
    former: &BTreeMap<String, String>,
    seen: &BTreeMap<String, BTreeSet<String>>,
) -> String {
    let mut page = HEAD.to_owned();
    for section in sections {
        let _ = write!(page, "## {}\n\n| | test |\n|---|---|\n", section.title);
        for thing in &section.things {
            let tests = seen.get(thing).into_iter().flatten();
            let kept = tests.clone().find(|test| former.get(thing) == Some(*test));
            if let Some(test) = kept.or(tests.clone().next()) {
                let _ = writeln!(page, "| `{thing}` | `{test}` |");
            }
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

#[test]
fn inventory_page_names_everything_and_a_test_for_each() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/INVENTORY.md");
    let sections = sections();
    let seen = recorded(&sections);
    let former = committed(&std::fs::read_to_string(&file).unwrap_or_default());
    if let Some(seen) = seen.as_ref().filter(|_| updating()) {
        std::fs::write(&file, page(&sections, &former, seen)).expect("the page can be written");
    }
    let rows = committed(&std::fs::read_to_string(&file).unwrap_or_default());
    let things: BTreeSet<&String> = sections.iter().flat_map(|section| &section.things).collect();
    let bare: Vec<_> = things.iter().filter(|thing| !rows.contains_key(**thing)).collect();
    assert!(
        bare.is_empty(),
        "without a test: {bare:#?}; write one, record a run, then UPDATE_DOCS (see tests/it/coverage.rs)"
    );
    let stale: Vec<_> = rows.keys().filter(|thing| !things.contains(thing)).collect();
    assert!(stale.is_empty(), "there is nothing of these names any more: {stale:?}");
    let gone: Vec<_> = rows.iter().filter(|(_, test)| !exists(test)).collect();
    assert!(gone.is_empty(), "there are no such tests: {gone:#?}");
    if let Some(seen) = seen {
        let idle: Vec<_> =
            rows.iter().filter(|(thing, test)| !seen.get(*thing).is_some_and(|tests| tests.contains(*test))).collect();
        assert!(idle.is_empty(), "in the recorded run these tests did not call what they stand for: {idle:#?}");
    }
}
