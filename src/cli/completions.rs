//! `bss completions`: the lines that teach a shell to ask `bss` for completions.

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::console::Console;
use super::session::Outcome;

/// The variable that turns a run of `bss` into a completion.
const VARIABLE: &str = "COMPLETE";

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bss completions bash > ~/.local/share/bash-completion/completions/bss
  bss completions zsh > ~/.zfunc/_bss
  bss completions fish > ~/.config/fish/completions/bss.fish

The ids of orders, customers, lines and so on come from the server that the
environment or the context names.")]
pub struct CompletionsArgs {
    /// The shell to write for
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells that ask us.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    /// Bash
    Bash,
    /// Z shell
    Zsh,
    /// Fish
    Fish,
}

pub(super) fn run(args: &CompletionsArgs, console: &mut Console) -> Outcome {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    // By its name, so that the script outlives a move of the program.
    shell.write_registration(VARIABLE, "bss", "bss", "bss", &mut script)?;
    Ok(console.print(&String::from_utf8_lossy(&script))?)
}
