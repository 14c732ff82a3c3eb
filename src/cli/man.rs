//! `bss man`: manual pages, one for each command.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use serde_json::json;

use super::Global;
use super::console::Console;
use super::error::CliError;
use super::output::Wanted;
use super::session::Outcome;
use crate::render::text;

/// Where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bss man ~/.local/share/man/man1
  bss man /usr/local/share/man/man1

Then: man bss, man bss-order-create.")]
pub struct ManArgs {
    /// Directory to write them to; it is made when it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(args: &ManArgs, global: &Global, console: &mut Console) -> Outcome {
    let wanted = Wanted::new(global)?;
    let failed = |error: std::io::Error| CliError::Usage(format!("{}: {error}", args.directory.display()));
    std::fs::create_dir_all(&args.directory).map_err(failed)?;
    clap_mangen::generate_to(super::Cli::command(), &args.directory).map_err(failed)?;
    if wanted.is_prose() {
        console.say(&format!("the pages are in {}\n", args.directory.display()));
        return Ok(());
    }
    let answer = json!({ "directory": args.directory });
    Ok(console.show(&wanted.text(&answer, console.style, |answer, _| text::field(answer, "directory"))?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let directory = std::env::temp_dir().join(format!("bss-man-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory of this test");
        clap_mangen::generate_to(super::super::Cli::command(), &directory).expect("a directory of this test");
        let page = std::fs::read_to_string(directory.join("bss-order-create.1")).expect("a page of this command");
        assert!(page.contains("Examples:") && page.contains("PLAN_M"), "{page}");
        let first = std::fs::read_to_string(directory.join("bss.1")).expect("the first page");
        assert!(first.contains("Exit codes"), "{first}");
        std::fs::remove_dir_all(&directory).expect("a directory of this test");
    }
}
