//! `bss backup` and `bss restore`: how they are spelled, what they ask and print. The work is done in the server's own code.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::console::Console;
use super::error::CliError;
use super::session::Gate;
use super::{Global, print_answer, told};
use crate::render;

/// Where a backup goes.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write; named after the time when not given
    pub file: Option<PathBuf>,
    /// Overwrite it
    #[arg(long)]
    pub force: bool,
}

/// What is restored, and how far that may go.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A file that bss backup wrote
    pub file: PathBuf,
    /// Restore it even though its books do not balance
    #[arg(long)]
    pub force: bool,
    /// Ids of each kind to leave out, as they may have been given away after the backup
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(..=100_000_000))]
    pub skip_ids: u32,
    /// Drop the database that is replaced, instead of keeping it under another name
    #[arg(long)]
    pub drop_replaced: bool,
    #[command(flatten)]
    pub gate: Gate,
}

/// Lets a command of this process that destroys something pass, by `--yes` or by a person who types the word; otherwise the
/// exit code, after saying why.
pub fn consent(global: &Global, gate: Gate, consequence: &str, word: &str) -> Result<(), u8> {
    if gate.yes {
        return Ok(());
    }
    let console = &mut Console::standard(global);
    let answer = if console.interactive {
        console.ask(&format!("{consequence}\nType {word} to continue: ")).map_err(CliError::from)
    } else {
        Err(CliError::Usage(format!("{consequence} Nothing was done: add --yes if that is meant.")))
    };
    let outcome = answer.and_then(|typed| if typed == word { Ok(()) } else { Err(CliError::Declined) });
    match told(outcome, global, console) {
        0 => Ok(()),
        code => Err(code),
    }
}

/// Tells on standard error what is being done; quiet mutes it.
pub fn print_progress(global: &Global, doing: &str) {
    if !global.quiet {
        Console::standard(global).say(&format!("{doing}\n"));
    }
}

/// Prints what was backed up; answers the exit code.
pub fn print_backup(global: &Global, answer: &Value) -> u8 {
    print_answer(global, answer, render::backup::taken)
}

/// Prints what was restored, or would be; answers the exit code.
pub fn print_restored(global: &Global, answer: &Value) -> u8 {
    print_answer(global, answer, render::backup::restored)
}

/// Prints to standard error what is wrong in the books of a backup.
pub fn print_offenders(global: &Global, report: &Value) {
    let console = &mut Console::standard(global);
    let text = render::audit::verification(report, render::Style { colour: console.err_colour, ..console.style });
    console.say(&text);
}
