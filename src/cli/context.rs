//! `bss context`: the servers that one works with, by name.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use super::console::Console;
use super::contexts::{Context, Contexts, Store};
use super::error::CliError;
use super::output::Wanted;
use super::session::Outcome;
use crate::render;

/// Commands about contexts; none of them calls a server.
#[derive(Debug, Subcommand)]
pub enum ContextCommand {
    /// List the contexts; a star marks the one in use
    #[command(after_help = "Examples:\n  bss context list\n  bss context list -o json")]
    List,
    /// Use a context from now on, in every terminal
    #[command(after_help = "Examples:\n  bss context use local\n  bss context use prod")]
    Use {
        /// Name of the context
        #[arg(value_name = "CONTEXT")]
        name: String,
    },
    /// Add a context, or change the one of that name
    #[command(after_help = "\
Examples:
  bss context add local --url http://127.0.0.1:8000
  bss context add prod --url https://bss.example.test --production \\
    --token-file /run/secrets/bss-token
  bss context add stage --url https://stage.example.test --token-stdin

In a context that is marked --production, what is final or moves money asks
for the name of the context instead of a yes; a script says both --yes and
--context NAME. Every command there says on standard error where it goes.")]
    Add(AddArgs),
    /// Remove a context, and the token that is kept with it
    #[command(after_help = "Examples:\n  bss context remove stage\n  bss context remove stage -q")]
    Remove {
        /// Name of the context
        #[arg(value_name = "CONTEXT")]
        name: String,
    },
    /// Show a context: address, where its token comes from; never the token
    #[command(after_help = "Examples:\n  bss context show\n  bss context show prod -o json")]
    Show {
        /// Name of the context; the one in use when not given
        #[arg(value_name = "CONTEXT")]
        name: Option<String>,
    },
}

/// A context. Its address is the global option --url.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Name of the context
    #[arg(value_name = "NAME", value_parser = context_name)]
    name: String,
    /// File that holds the token; it is read when it is needed
    #[arg(long, value_name = "FILE", conflicts_with = "token_stdin")]
    token_file: Option<PathBuf>,
    /// Read the token from standard input and keep it with the context
    #[arg(long)]
    token_stdin: bool,
    /// This is where the customers are
    #[arg(long)]
    production: bool,
}

fn context_name(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a name has letters, digits, '-', '_' and '.'".into())
    }
}

pub(super) fn run(command: ContextCommand, global: &Global, console: &mut Console) -> Outcome {
    let store = Store::standard()
        .ok_or_else(|| CliError::Usage("there is no home directory to keep contexts in: set XDG_CONFIG_HOME".into()))?;
    run_in(&store, command, global, console)
}

/// As [`run`], with the file handed in.
pub(super) fn run_in(store: &Store, command: ContextCommand, global: &Global, console: &mut Console) -> Outcome {
    let wanted = Wanted::new(global)?;
    let mut contexts = store.load()?;
    let say = |console: &mut Console, message: String| {
        if !global.quiet {
            console.say(&format!("{message}\n"));
        }
    };
    match command {
        ContextCommand::List => {
            let views: Value = contexts.contexts.iter().map(|(name, context)| view(name, context, &contexts)).collect();
            if contexts.contexts.is_empty() {
                say(console, "there are no contexts; bss context add makes one".to_owned());
            }
            console.show(&wanted.text(&views, console.style, render::platform::contexts)?)?;
        }
        ContextCommand::Use { name } => {
            contexts.get(&name)?;
            contexts.current = Some(name.clone());
            store.save(&contexts)?;
            say(console, format!("from now on: {name}"));
            shown(&name, contexts.get(&name)?, &contexts, &wanted, console)?;
        }
        ContextCommand::Add(args) => {
            let name = args.name.clone();
            let is_first = contexts.contexts.is_empty();
            let context = added(args, global, console)?;
            contexts.contexts.insert(name.clone(), context);
            store.save(&contexts)?;
            let hint = if is_first { format!("; use it with: bss context use {name}") } else { String::new() };
            say(console, format!("{name} is in {}{hint}", store.path().display()));
            shown(&name, contexts.get(&name)?, &contexts, &wanted, console)?;
        }
        ContextCommand::Remove { name } => {
            let removed = contexts.get(&name)?.clone();
            contexts.contexts.remove(&name);
            if contexts.current.as_ref() == Some(&name) {
                contexts.current = None;
            }
            store.save(&contexts)?;
            say(console, format!("removed {name}"));
            shown(&name, &removed, &contexts, &wanted, console)?;
        }
        ContextCommand::Show { name } => {
            let Some(name) = name.or_else(|| contexts.current.clone()) else {
                return Err(CliError::Usage("no context is in use: bss context use NAME".into()));
            };
            let view = view(&name, contexts.get(&name)?, &contexts);
            console.show(&wanted.text(&view, console.style, render::platform::context)?)?;
        }
    }
    Ok(())
}

/// What became of a context, for programs; people were told beside it.
fn shown(name: &str, context: &Context, contexts: &Contexts, wanted: &Wanted, console: &mut Console) -> Outcome {
    if !wanted.is_prose() {
        let view = view(name, context, contexts);
        console.show(&wanted.text(&view, console.style, render::platform::context)?)?;
    }
    Ok(())
}

fn added(args: AddArgs, global: &Global, console: &mut Console) -> Result<Context, CliError> {
    if global.said.token {
        let better = "a token on the command line is seen by others: use --token-stdin or --token-file";
        return Err(CliError::Usage(better.into()));
    }
    let url = global.url.as_ref().ok_or_else(|| CliError::Usage("where is it? --url says the address".into()))?;
    let question = if console.interactive { "Token: " } else { "" };
    let token = if args.token_stdin { Some(console.ask_hidden(question)?) } else { None };
    if token.as_ref().is_some_and(String::is_empty) {
        return Err(CliError::Usage("there is no token on standard input".into()));
    }
    Ok(Context {
        url: url.to_string(),
        token,
        token_file: args.token_file.map(|file| std::path::absolute(&file).unwrap_or(file)),
        data_dir: global.data_dir.clone(),
        production: args.production,
    })
}

/// A context without its secret.
fn view(name: &str, context: &Context, contexts: &Contexts) -> Value {
    json!({
        "name": name, "current": contexts.current.as_deref() == Some(name), "url": context.url,
        "production": context.production, "tokenFrom": context.token_source(), "dataDir": context.data_dir,
    })
}
