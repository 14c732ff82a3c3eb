//! `bss completions`: the script that teaches a shell our commands.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::console::Console;
use super::session::Outcome;

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bss completions bash > ~/.local/share/bash-completion/completions/bss
  bss completions zsh > ~/.zfunc/_bss
  bss completions fish > ~/.config/fish/completions/bss.fish")]
pub struct CompletionsArgs {
    /// The shell to write for
    #[arg(value_enum)]
    pub shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, console: &mut Console) -> Outcome {
    let mut script = Vec::new();
    generate(args.shell, &mut super::Cli::command(), "bss", &mut script);
    Ok(console.print(&String::from_utf8_lossy(&script))?)
}
