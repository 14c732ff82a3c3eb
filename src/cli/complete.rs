//! Completions with live ids: `COMPLETE=bash bss` and its like complete every command, option and value, and ask the server
//! for the ids that an argument can take.
//!
//! Which ids those are is told by the name of the value in the help: `ORDER` takes orders. A server that does not answer at
//! once costs a completion, not patience.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use serde_json::{Value, json};

use super::client::Client;
use super::contexts::Store;
use super::operations::{self as op, Operation};
use super::target::Target;
use super::{Cli, Global};
use crate::render::text;

/// Nobody waits longer for a completion.
const PATIENCE: Duration = Duration::from_millis(400);
/// More than these, nobody reads.
const CANDIDATES_MAX: usize = 200;

/// Where the values of an argument come from.
#[derive(Debug, Clone, Copy)]
struct Source {
    /// The name of the value in the help.
    value: &'static str,
    operation: Operation,
    /// The member that is the value, and the one that explains it.
    id: &'static str,
    about: &'static str,
}

const SOURCES: &[Source] = &[
    Source { value: "CUSTOMER", operation: op::CUSTOMER_LIST, id: "id", about: "status" },
    Source { value: "ORDER", operation: op::ORDER_LIST, id: "id", about: "state" },
    Source { value: "OFFERING", operation: op::CATALOG_LIST_OFFERINGS, id: "id", about: "name" },
    Source { value: "PLAN", operation: op::CATALOG_LIST_OFFERINGS, id: "id", about: "name" },
    Source { value: "PROMOTION", operation: op::PROMO_LIST, id: "id", about: "label" },
    Source { value: "VAS", operation: op::CATALOG_LIST_VAS, id: "id", about: "name" },
    Source { value: "NUMBER", operation: op::INVENTORY_MSISDN_LIST, id: "msisdn", about: "status" },
    Source { value: "ATTEMPT", operation: op::PAYMENT_LIST_ATTEMPTS, id: "id", about: "status" },
    Source { value: "TASK", operation: op::PROVISIONING_LIST_TASKS, id: "id", about: "state" },
    Source { value: "MESSAGE", operation: op::COMMUNICATION_LIST, id: "id", about: "template" },
    Source { value: "EVENT", operation: op::QUEUE_PARKED, id: "eventId", about: "consumer" },
    Source { value: "TICK", operation: op::WORKER_LIST, id: "name", about: "lastFinishedAt" },
    Source { value: "LINE", operation: op::SUBSCRIPTION_LIST, id: "id", about: "state" },
];

/// The command with its completers.
pub(super) fn command() -> Command {
    completed(Cli::command())
}

fn completed(command: Command) -> Command {
    command.mut_args(with_candidates).mut_subcommands(completed)
}

fn with_candidates(argument: Arg) -> Arg {
    let named = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    // What has no name of its own is shown as its option is called.
    let value = named.unwrap_or_else(|| argument.get_id().as_str().to_uppercase());
    let source = SOURCES.iter().find(|source| source.value == value.as_str());
    match (source, value.as_str(), argument.get_id().as_str()) {
        (Some(source), ..) => argument.add(ArgValueCompleter::new(move |typed: &OsStr| ids(source, typed))),
        (_, "OPERATION", _) => argument.add(ArgValueCompleter::new(operations)),
        (_, "CONTEXT", _) | (_, _, "context") => argument.add(ArgValueCompleter::new(contexts)),
        _ => argument,
    }
}

fn ids(source: &'static Source, typed: &OsStr) -> Vec<CompletionCandidate> {
    let answer =
        ask(async |client| client.call(source.operation.name(), &arguments(source, typed), PATIENCE, None).await);
    let answer = answer.unwrap_or_default();
    let lists: Vec<&Value> = match source.value {
        "TICK" => text::rows(&answer["ticks"]).iter().collect(),
        _ => text::rows(&answer).iter().collect(),
    };
    let found =
        lists.into_iter().filter_map(|thing| Some((thing[source.id].as_str()?, text::field(thing, source.about))));
    candidates(found.map(|(id, about)| (id.to_owned(), about)), typed)
}

/// The arguments of a list that is long enough; what there are many of is asked for by how it begins.
fn arguments(source: &Source, typed: &OsStr) -> Value {
    let typed = typed.to_str().filter(|typed| !typed.is_empty());
    match source.value {
        "NUMBER" => json!({"prefix": typed, "limit": CANDIDATES_MAX}),
        "OFFERING" | "PLAN" | "VAS" | "TICK" => json!({}),
        "EVENT" => json!({"limit": 100}),
        _ => json!({"idPrefix": typed, "limit": CANDIDATES_MAX}),
    }
}

fn operations(typed: &OsStr) -> Vec<CompletionCandidate> {
    let registry = ask(async |client| client.operations().await).unwrap_or_default();
    let named = |operation: &Value| {
        let about = text::field(operation, "description");
        Some((operation["name"].as_str()?.to_owned(), about.split(". ").next().unwrap_or_default().to_owned()))
    };
    candidates(text::rows(&registry).iter().filter_map(named), typed)
}

fn contexts(typed: &OsStr) -> Vec<CompletionCandidate> {
    let contexts = Store::standard().and_then(|store| store.load().ok()).unwrap_or_default();
    candidates(contexts.contexts.into_iter().map(|(name, context)| (name, context.url)), typed)
}

fn candidates(found: impl Iterator<Item = (String, String)>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_str().unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    let fresh = found.filter(|(id, _)| id.starts_with(typed) && seen.insert(id.clone()));
    let candidate = |(id, about): (String, String)| {
        let about = (!about.is_empty()).then(|| text::clean(&about).into_owned().into());
        CompletionCandidate::new(text::clean(&id).into_owned()).help(about)
    };
    fresh.take(CANDIDATES_MAX).map(candidate).collect()
}

/// Asks the server that the environment or the context names; the words typed so far are not known here. Whatever goes
/// wrong, there is just nothing to offer.
fn ask(call: impl AsyncFnOnce(Client) -> Result<Value, super::error::CliError>) -> Option<Value> {
    let global: Global = Cli::read(["bss", "clock", "now"]).ok()?.global;
    let target = Target::resolve(&global).ok()?;
    let client = Client::new(&target).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, call(client)).await }).ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_take_ids_have_candidates() {
        let mut command = command();
        command.build();
        let takes = |path: &[&str], argument: &str| {
            let command = path.iter().fold(&command, |command, name| command.find_subcommand(name).expect("a command"));
            let argument = command.get_arguments().find(|known| known.get_id() == argument).expect("an argument");
            argument.get::<ArgValueCompleter>().is_some()
        };
        assert!(takes(&["order", "show"], "order"));
        assert!(takes(&["order", "create"], "customer"));
        assert!(takes(&["order", "create"], "offering"));
        assert!(takes(&["subscription", "terminate"], "line"));
        assert!(takes(&["op"], "name"));
        assert!(takes(&["context", "use"], "name"));
        assert!(!takes(&["order", "create"], "notes"));
    }

    #[test]
    fn candidates_begin_as_typed_and_come_once() {
        let found = [("ORD-0001", "completed"), ("ORD-0002", ""), ("ORD-0001", "completed"), ("X", "")];
        let found = found.map(|(id, about)| (id.to_owned(), about.to_owned()));
        let shown = candidates(found.into_iter(), OsStr::new("ORD"));
        let values: Vec<_> = shown.iter().map(|candidate| candidate.get_value().to_string_lossy()).collect();
        assert_eq!(values, ["ORD-0001", "ORD-0002"]);
        assert_eq!(shown[0].get_help().map(ToString::to_string).as_deref(), Some("completed"));
    }
}
