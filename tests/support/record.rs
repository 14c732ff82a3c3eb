//! Notes what each test really calls: with `BSS_TEST_RECORD=DIR`, every request that succeeds and every command line, beside
//! the name of the test. `tests/it/coverage.rs` makes `docs/INVENTORY.md` from it, and holds the page against it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The folder of the notes; None: nothing is noted.
static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os("BSS_TEST_RECORD").map(PathBuf::from));

/// A request and how it was answered. A refusal exercises nothing but the refusal.
pub(crate) fn request(method: &str, target: &str, status: u16) {
    if (200..300).contains(&status) {
        note(&format!("{method} {}", target.split('?').next().unwrap_or_default()));
    }
}

/// The program itself, with these words.
pub(crate) fn bss<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Command {
    let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    note(&format!("bss {}", words.join(" ")));
    let mut command = Command::new(env!("CARGO_BIN_EXE_bss"));
    command.args(words);
    command
}

fn note(what: &str) {
    static NOTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Some(folder) = &*FOLDER else { return };
    // The thread of a test carries its name; what a spawned task does is nobody's.
    let thread = std::thread::current();
    let Some(test) = thread.name().filter(|name| name.contains("::")) else { return };
    let line = format!("{test}\t{what}\n");
    let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.insert(line.clone()) {
        let file = folder.join(format!("{}.tsv", std::process::id()));
        let file = File::options().create(true).append(true).open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("BSS_TEST_RECORD names a folder");
    }
}
