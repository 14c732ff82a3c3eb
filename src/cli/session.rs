//! What every command works with: the client, the console, and how the reader wants the answer.

use std::time::Duration;

use serde_json::Value;

use super::client::Client;
use super::console::Console;
use super::error::CliError;
use super::operations::Operation;
use super::{Format, Global};
use crate::render::{self, Style};

/// What a command answers: everything worth saying was printed.
pub(crate) type Outcome = Result<(), CliError>;

/// One run of the command line.
pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    pub(crate) console: &'a mut Console,
    pub(crate) format: Format,
    quiet: bool,
}

/// The consent that a command with lasting consequences needs.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Gate {
    /// Do it without asking.
    #[arg(long, short = 'y', alias = "allow-destructive")]
    pub yes: bool,
}

impl<'a> Session<'a> {
    pub(crate) fn new(global: &Global, console: &'a mut Console) -> Result<Self, CliError> {
        let client = Client::new(global)?;
        Ok(Self { client, console, format: global.output, quiet: global.quiet })
    }

    /// Runs an operation; arguments that are null are left to the server's default.
    pub(crate) async fn call(&self, operation: Operation, arguments: Value) -> Result<Value, CliError> {
        self.client.call(operation, &given(arguments)).await
    }

    /// As [`Self::call`], for an operation that may take `timeout`.
    pub(crate) async fn call_within(
        &self,
        timeout: Duration,
        operation: Operation,
        arguments: Value,
    ) -> Result<Value, CliError> {
        self.client.call_by_name(operation.name(), &given(arguments), timeout).await
    }

    /// What a card says beside the answer it is about. That it cannot be had is no reason not to show the answer.
    pub(crate) async fn aside(&self, operation: Operation, arguments: Value) -> Value {
        self.call(operation, arguments).await.unwrap_or_default()
    }

    /// Are answers drawn for a person? Then it is worth looking up what a card says beside them.
    pub(crate) fn draws(&self) -> bool {
        self.format == Format::Table && !self.quiet
    }

    /// Prints an answer: as data when asked so, else as `text` reads it. Quiet leaves only ids.
    pub(crate) fn show(&mut self, answer: &Value, text: impl FnOnce(&Value, Style) -> String) -> Outcome {
        let output = match self.format {
            Format::Json => render::data::json(answer),
            Format::Yaml => render::data::yaml(answer)
                .map_err(|error| CliError::Failed(format!("the answer cannot be written as YAML: {error}")))?,
            Format::Table => match render::data::ids(answer).filter(|_| self.quiet) {
                Some(ids) => ids,
                None => text(answer, self.console.style),
            },
        };
        if output.is_empty() {
            self.note("nothing found");
        }
        Ok(self.console.print(&output)?)
    }

    /// Tells the reader what happened on the way; quiet mutes it.
    pub(crate) fn note(&mut self, message: &str) {
        if !self.quiet {
            self.console.say(&format!("{}\n", render::text::clean(message)));
        }
    }

    /// Lets a command with lasting consequences pass: by `--yes`, or by a person who has read what follows.
    pub(crate) fn confirm(&mut self, gate: Gate, consequence: &str) -> Outcome {
        if gate.yes {
            return Ok(());
        }
        if !self.console.interactive {
            return Err(CliError::Usage(format!("{consequence} Nothing was done: add --yes if that is meant.")));
        }
        self.ask_to_continue(consequence)
    }

    /// Asks a person before money moves. A script that calls the command has decided already.
    pub(crate) fn confirm_charge(&mut self, gate: Gate, consequence: &str) -> Outcome {
        if gate.yes || !self.console.interactive { Ok(()) } else { self.ask_to_continue(consequence) }
    }

    /// Will [`Self::confirm_charge`] ask? Then it is worth looking up what to say.
    pub(crate) fn asks_before_charges(&self, gate: Gate) -> bool {
        self.console.interactive && !gate.yes
    }

    fn ask_to_continue(&mut self, consequence: &str) -> Outcome {
        let answer = self.console.ask(&format!("{}\nContinue? [y/N] ", render::text::clean(consequence)))?;
        match answer.to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(CliError::Declined),
        }
    }
}

fn given(arguments: Value) -> Value {
    match arguments {
        Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}
