//! What every command works with: the client, the console, and how the reader wants the answer.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::Global;
use super::client::{ANSWER_TIMEOUT, Client};
use super::console::Console;
use super::error::CliError;
use super::operations::{self as op, Operation};
use super::output::Wanted;
use super::repetition::Keys;
use super::target::{Named, Target};
use crate::render::{self, Style};

/// What a command answers: everything worth saying was printed.
pub(crate) type Outcome = Result<(), CliError>;

/// One run of the command line.
pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    pub(crate) console: &'a mut Console,
    pub(crate) target: &'a Target,
    pub(crate) wanted: Wanted,
    pub(crate) dry_run: bool,
    quiet: bool,
    keys: Keys,
    /// See [`Self::profile`].
    profile: OnceCell<Value>,
}

/// The consent that a command with lasting consequences needs.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Gate {
    /// Do it without asking
    #[arg(long, short = 'y', alias = "allow-destructive")]
    pub yes: bool,
}

impl<'a> Session<'a> {
    pub(crate) fn new(global: &Global, target: &'a Target, console: &'a mut Console) -> Result<Self, CliError> {
        let (client, wanted) = (Client::new(target)?, Wanted::new(global)?);
        Ok(Self {
            client,
            console,
            target,
            wanted,
            dry_run: global.dry_run,
            quiet: global.quiet,
            keys: Keys::new(global.idempotency_key.as_deref()),
            profile: OnceCell::new(),
        })
    }

    /// Runs an operation; arguments that are null are left to the server's default.
    pub(crate) async fn call(&self, operation: Operation, arguments: Value) -> Result<Value, CliError> {
        self.call_exactly(operation, given(arguments)).await
    }

    /// As [`Self::call`], where null says something.
    pub(crate) async fn call_exactly(&self, operation: Operation, arguments: Value) -> Result<Value, CliError> {
        self.send(operation, arguments, None).await
    }

    /// As [`Self::call`], for an operation that may take `timeout`.
    pub(crate) async fn call_within(
        &self,
        timeout: Duration,
        operation: Operation,
        arguments: Value,
    ) -> Result<Value, CliError> {
        self.send(operation, given(arguments), Some(timeout)).await
    }

    async fn send(&self, operation: Operation, arguments: Value, timeout: Option<Duration>) -> Result<Value, CliError> {
        if self.dry_run && operation.writes() {
            return Err(CliError::NotSent { operation: operation.name().to_owned(), arguments });
        }
        let timeout = timeout.unwrap_or(ANSWER_TIMEOUT);
        if operation.writes() {
            return self.call_by_name(operation.name(), arguments, timeout).await;
        }
        self.client.call(operation.name(), &arguments, timeout, None).await
    }

    /// Runs an operation that may change something, of whatever name: once, however often the command is repeated with the
    /// key that is named when nobody knows whether it was done.
    pub(crate) async fn call_by_name(
        &self,
        operation: &str,
        arguments: Value,
        timeout: Duration,
    ) -> Result<Value, CliError> {
        let answer = self.client.call(operation, &arguments, timeout, Some(self.keys.next(operation))).await;
        answer.map_err(|error| error.repeatable_with(self.keys.run()))
    }

    /// What a card says beside the answer it is about. That it cannot be had is no reason not to show the answer.
    pub(crate) async fn aside(&self, operation: Operation, arguments: Value) -> Value {
        self.call(operation, arguments).await.unwrap_or_default()
    }

    /// The answer with its instants in the operator's time zone, where a person reads it. Programs get what the server said.
    pub(crate) async fn local<'b>(&self, answer: &'b Value) -> Cow<'b, Value> {
        if !self.wanted.is_drawn() || !render::words::says_when(answer) {
            return Cow::Borrowed(answer);
        }
        Cow::Owned(render::words::localised(answer.clone(), &self.profile().await))
    }

    /// How the operator writes dates and prices; null where it cannot be had. Asked for once.
    pub(crate) async fn profile(&self) -> Value {
        let asked =
            self.profile.get_or_init(|| self.aside(op::OPERATOR_PROFILE, Value::Object(serde_json::Map::new())));
        asked.await.clone()
    }

    /// Are answers drawn for a person? Then it is worth looking up what a card says beside them.
    pub(crate) fn draws(&self) -> bool {
        self.wanted.is_prose() && !self.quiet
    }

    /// Prints an answer: as data when asked so, else as `text` reads it, with its instants where the operator is. Quiet
    /// leaves only ids.
    pub(crate) async fn show(&mut self, answer: &Value, text: impl FnOnce(&Value, Style) -> String) -> Outcome {
        let answer = self.local(answer).await;
        let output = self.wanted.text(&answer, self.console.style, text)?;
        if output.is_empty() {
            self.note("nothing found");
        }
        Ok(self.console.show(&output)?)
    }

    /// Prints a page of a list. When it is full, there may be more, and nobody should take the page for everything: `behind`
    /// says the options that show it.
    pub(crate) async fn show_page(
        &mut self,
        answer: &Value,
        limit: u32,
        behind: &str,
        text: impl FnOnce(&Value, Style) -> String,
    ) -> Outcome {
        self.show(answer, text).await?;
        self.note_more(render::select::listed(answer).map_or(0, <[Value]>::len), limit, behind);
        Ok(())
    }

    /// Says how to see what is behind a full page of `shown` things.
    pub(crate) fn note_more(&mut self, shown: usize, limit: u32, behind: &str) {
        if shown > 0 && u32::try_from(shown).is_ok_and(|shown| shown >= limit) {
            let shown = if shown == 1 { "1 is shown".to_owned() } else { format!("{shown} are shown") };
            self.note(&format!("{shown}, there may be more: {behind}"));
        }
    }

    /// Prints one thing of a stream, at once.
    pub(crate) async fn stream(&mut self, thing: &Value, text: impl FnOnce(&Value, Style) -> String) -> Outcome {
        let thing = self.local(thing).await;
        let output = self.wanted.streamed(&thing, self.console.style, text)?;
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
        if self.dry_run {
            return Ok(());
        }
        if let Some(context) = self.target.production() {
            return self.confirm_in(context, gate, consequence);
        }
        if gate.yes {
            return Ok(());
        }
        if !self.console.interactive {
            return Err(CliError::Usage(format!("{consequence} Nothing was done: add --yes if that is meant.")));
        }
        let answer = self.ask(&format!("{consequence}\nContinue? [y/N] "))?;
        if matches!(answer.to_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(CliError::Declined) }
    }

    /// Asks a person before money moves. A script that calls the command has decided already, except in production.
    pub(crate) fn confirm_charge(&mut self, gate: Gate, consequence: &str) -> Outcome {
        if self.asks_before_charges(gate) { self.confirm(gate, consequence) } else { Ok(()) }
    }

    /// Will [`Self::confirm_charge`] ask? Then it is worth looking up what to say.
    pub(crate) fn asks_before_charges(&self, gate: Gate) -> bool {
        let in_production = self.target.production().is_some();
        !self.dry_run && (in_production || (self.console.interactive && !gate.yes))
    }

    /// Asks before something that is everyday work elsewhere and charges somebody in production.
    pub(crate) fn confirm_in_production(&mut self, gate: Gate, consequence: &str) -> Outcome {
        if self.target.production().is_some() { self.confirm(gate, consequence) } else { Ok(()) }
    }

    /// In production, consent names the context: on the command line beside `--yes`, or typed by a person.
    fn confirm_in(&mut self, context: &Named, gate: Gate, consequence: &str) -> Outcome {
        let name = &context.name;
        if gate.yes && context.said {
            return Ok(());
        }
        if !self.console.interactive {
            return Err(CliError::Usage(format!(
                "{consequence} This is {name}, a production context. Nothing was done: add --yes and --context {name} if \
                 that is meant."
            )));
        }
        let question = format!("{consequence}\nThis is {name} (production). Type its name to continue: ");
        if self.ask(&question)? == *name { Ok(()) } else { Err(CliError::Declined) }
    }

    fn ask(&mut self, question: &str) -> Result<String, CliError> {
        Ok(self.console.ask(&render::text::clean(question))?)
    }

    /// Asks a person for a word, where a yes would come too easily; `--yes` stands for it.
    pub(crate) fn confirm_with_word(&mut self, gate: Gate, consequence: &str, word: &str) -> Outcome {
        if gate.yes || self.dry_run || !self.console.interactive {
            return self.confirm(gate, consequence);
        }
        let answer = self.ask(&format!("{consequence}\nType {word} to continue: "))?;
        if answer == word { self.confirm_in_production(gate, consequence) } else { Err(CliError::Declined) }
    }
}

/// The options for the page behind this one.
pub(crate) fn next_page(limit: u32, offset: u32) -> String {
    format!("--offset {}", offset.saturating_add(limit))
}

fn given(arguments: Value) -> Value {
    match arguments {
        Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}
