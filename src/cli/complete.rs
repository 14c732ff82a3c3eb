//! Completions with live ids: `COMPLETE=bash bss` and its like complete every command, option and value, and ask the server
//! for the ids that an argument can take.
//!
//! Which ids those are is told by the name of the value in the help: `ORDER` takes orders. One list is asked for, once. A
//! server that does not answer at once costs a completion, not patience.

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
    /// What the list is asked for.
    asked: Asked,
    /// The member that is the value, and the one that explains it.
    id: &'static str,
    about: &'static str,
}

/// How a list is kept short.
#[derive(Debug, Clone, Copy)]
enum Asked {
    /// It is: there are few.
    All,
    /// The latest of them, as the list has no way to ask for an id that it begins with.
    Latest,
    /// By how the id begins.
    Id,
    /// The same of a list of everybody's, which is answered by such a beginning only, be it empty.
    Begun,
    /// By how the number begins.
    Number,
    /// Of the customer who stands on the same line.
    OfCustomer,
}

const fn source(
    value: &'static str,
    operation: Operation,
    asked: Asked,
    id: &'static str,
    about: &'static str,
) -> Source {
    Source { value, operation, asked, id, about }
}

const SOURCES: &[Source] = &[
    source("ATTEMPT", op::PAYMENT_LIST_ATTEMPTS, Asked::Id, "id", "status"),
    source("CODE", op::PROMO_LIST, Asked::Latest, "code", "label"),
    source("CONSUMER", op::QUEUE_STATUS, Asked::All, "consumer", "kind"),
    source("CUSTOMER", op::CUSTOMER_LIST, Asked::Id, "id", "status"),
    source("CUSTOMERS", op::CUSTOMER_LIST, Asked::Id, "id", "status"),
    source("EVENT", op::QUEUE_PARKED, Asked::Latest, "eventId", "consumer"),
    source("LINE", op::SUBSCRIPTION_LIST, Asked::Id, "id", "state"),
    source("MEDIUM", op::CUSTOMER_GET, Asked::OfCustomer, "id", "mediumType"),
    source("MESSAGE", op::COMMUNICATION_LIST, Asked::Id, "id", "template"),
    source("METHOD", op::PAYMENT_LIST_METHODS, Asked::Begun, "id", "last4"),
    source("MODULE", op::TRACE_SERVICES, Asked::All, "name", ""),
    source("NUMBER", op::INVENTORY_MSISDN_LIST, Asked::Number, "msisdn", "status"),
    source("OFFERING", op::CATALOG_LIST_OFFERINGS, Asked::All, "id", "name"),
    source("ORDER", op::ORDER_LIST, Asked::Id, "id", "state"),
    source("PLAN", op::CATALOG_LIST_OFFERINGS, Asked::All, "id", "name"),
    source("PLANS", op::CATALOG_LIST_OFFERINGS, Asked::All, "id", "name"),
    source("PRICE", op::CATALOG_LIST_OFFERINGS, Asked::All, "id", "amount"),
    source("PROMOTION", op::PROMO_LIST, Asked::Id, "id", "label"),
    // Services and their orders are listed by line and by order; what the network was asked for names both.
    source("SERVICE", op::PROVISIONING_LIST_TASKS, Asked::Latest, "serviceId", "subscriptionId"),
    source("SERVICE_ORDER", op::PROVISIONING_LIST_TASKS, Asked::Latest, "serviceOrderId", "commercialOrderId"),
    source("TASK", op::PROVISIONING_LIST_TASKS, Asked::Id, "id", "state"),
    source("TICK", op::WORKER_LIST, Asked::All, "name", "lastFinishedAt"),
    source("TRACE", op::TRACE_LIST, Asked::Latest, "traceId", "name"),
    source("USAGE", op::USAGE_HISTORY, Asked::Id, "id", "eventType"),
    source("VAS", op::CATALOG_LIST_VAS, Asked::All, "id", "name"),
];

/// Arguments that take ids of several kinds: which ones, by how they begin. Nothing typed is the first of them.
const MIXED: &[(&str, &[(&str, &str)])] = &[
    (
        "AGGREGATE_ID",
        &[
            ("ORD-", "ORDER"),
            ("SUB-", "LINE"),
            ("CUST-", "CUSTOMER"),
            ("PAY-", "ATTEMPT"),
            ("PM-", "METHOD"),
            ("SO-", "SERVICE_ORDER"),
            ("SVC-", "SERVICE"),
            ("PTK-", "TASK"),
            ("UE-", "USAGE"),
            ("MSG-", "MESSAGE"),
        ],
    ),
    ("SUBJECT", &[("ORD-", "ORDER"), ("SUB-", "LINE")]),
];

/// The command with its completers.
pub(super) fn command() -> Command {
    completed(Cli::command())
}

fn completed(command: Command) -> Command {
    command.mut_args(with_candidates).mut_subcommands(completed)
}

fn with_candidates(argument: Arg) -> Arg {
    let value = value_name(&argument);
    let mixed = MIXED.iter().find(|(name, _)| *name == value);
    match (of_value(&value), mixed, value.as_str(), argument.get_id().as_str()) {
        (Some(source), ..) => argument.add(ArgValueCompleter::new(move |typed: &OsStr| ids(source, typed))),
        (_, Some((_, kinds)), ..) => argument.add(ArgValueCompleter::new(move |typed: &OsStr| mixed_ids(kinds, typed))),
        (_, _, "OPERATION", _) => argument.add(ArgValueCompleter::new(operations)),
        (_, _, "CONTEXT", _) | (_, _, _, "context") => argument.add(ArgValueCompleter::new(contexts)),
        _ => argument,
    }
}

/// What has no name of its own is shown as its option is called.
fn value_name(argument: &Arg) -> String {
    let named = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    named.unwrap_or_else(|| argument.get_id().as_str().to_uppercase())
}

fn of_value(value: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.value == value)
}

/// Of the kinds that can begin as typed, the first: one list is asked for, not ten.
fn mixed_ids(kinds: &[(&str, &str)], typed: &OsStr) -> Vec<CompletionCandidate> {
    let begins = typed.to_str().unwrap_or_default();
    let can = |kind: &str| kind.starts_with(begins) || begins.starts_with(kind);
    let source = kinds.iter().find(|(kind, _)| can(kind)).and_then(|(_, value)| of_value(value));
    source.map(|source| ids(source, typed)).unwrap_or_default()
}

fn ids(source: &'static Source, typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(arguments) = arguments(source, typed) else { return Vec::new() };
    let answer = ask(async |client| client.call(source.operation.name(), &arguments, PATIENCE, None).await);
    let answer = answer.unwrap_or_default();
    let found = things(source, &answer)
        .into_iter()
        .filter_map(|thing| Some((thing[source.id].as_str()?, text::field(thing, source.about))));
    candidates(found.map(|(id, about)| (id.to_owned(), about)), typed)
}

/// What the answer lists.
fn things<'a>(source: &Source, answer: &'a Value) -> Vec<&'a Value> {
    match source.value {
        "MEDIUM" => text::rows(&answer["contactMedium"]).iter().collect(),
        "PRICE" => text::rows(answer).iter().flat_map(|offering| text::rows(&offering["prices"])).collect(),
        "TICK" => text::rows(&answer["ticks"]).iter().collect(),
        _ => text::rows(answer).iter().collect(),
    }
}

/// The arguments of a list that is long enough; none when the line does not say what of.
fn arguments(source: &Source, typed: &OsStr) -> Option<Value> {
    let typed = typed.to_str().filter(|typed| !typed.is_empty());
    Some(match source.asked {
        Asked::All => json!({}),
        Asked::Latest => json!({"limit": CANDIDATES_MAX}),
        Asked::Id => json!({"idPrefix": typed, "limit": CANDIDATES_MAX}),
        Asked::Begun => json!({"idPrefix": typed.unwrap_or_default(), "limit": CANDIDATES_MAX}),
        Asked::Number => json!({"prefix": typed, "limit": CANDIDATES_MAX}),
        Asked::OfCustomer => json!({"customerId": customer_on(std::env::args())?}),
    })
}

/// The customer whom a line names, whose words the shell has handed over as arguments.
fn customer_on(mut words: impl Iterator<Item = String>) -> Option<String> {
    words.find(|word| word.starts_with("CUST-"))
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

    fn has_candidates(argument: &Arg) -> bool {
        argument.get::<ArgValueCompleter>().is_some()
    }

    #[test]
    fn arguments_that_take_ids_have_candidates() {
        let mut command = command();
        command.build();
        let takes = |path: &[&str], argument: &str| {
            let command = path.iter().fold(&command, |command, name| command.find_subcommand(name).expect("a command"));
            has_candidates(command.get_arguments().find(|known| known.get_id() == argument).expect("an argument"))
        };
        assert!(takes(&["order", "show"], "order"));
        assert!(takes(&["order", "create"], "customer"));
        assert!(takes(&["order", "create"], "offering"));
        assert!(takes(&["subscription", "terminate"], "line"));
        assert!(takes(&["payment", "attempts"], "subject"));
        assert!(takes(&["queue", "replay-all"], "consumer"));
        assert!(takes(&["op"], "name"));
        assert!(takes(&["context", "use"], "name"));
        assert!(!takes(&["order", "create"], "notes"));
    }

    /// Arguments that speak of an id and cannot be completed: new ids, those that lists mask, and how many there are.
    const NOT_LISTED: &[&str] = &["COUNT", "ICCID", "ID", "KEY"];

    #[test]
    fn whatever_is_called_an_id_has_candidates() {
        fn lacking(command: &Command, path: &str, found: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
                let about = argument.get_help().map(|help| help.to_string().to_lowercase()).unwrap_or_default();
                let mut words = about.split(|letter: char| !letter.is_alphanumeric());
                let is_id = words.any(|word| matches!(word, "id" | "ids" | "iccid"));
                let takes = argument.get_action().takes_values() && argument.get_possible_values().is_empty();
                let is_listed = !NOT_LISTED.contains(&value_name(argument).as_str());
                if is_id && takes && is_listed && !has_candidates(argument) {
                    found.push(format!("{path} {}", value_name(argument)));
                }
            }
            command.get_subcommands().for_each(|command| lacking(command, &path, found));
        }
        let mut command = command();
        command.build();
        let mut found = Vec::new();
        lacking(&command, "", &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn every_source_is_that_of_an_argument_and_its_operation_reads() {
        fn values(command: &Command, found: &mut Vec<String>) {
            found.extend(command.get_arguments().map(value_name));
            command.get_subcommands().for_each(|command| values(command, found));
        }
        let mut found = Vec::new();
        values(&command(), &mut found);
        for source in SOURCES {
            assert!(found.iter().any(|value| value == source.value), "no argument takes {}", source.value);
            assert!(!source.operation.writes(), "{}", source.value);
        }
        for (value, kinds) in MIXED {
            assert!(found.iter().any(|known| known == value), "no argument takes {value}");
            assert!(kinds.iter().all(|(_, kind)| of_value(kind).is_some()), "{value}");
        }
    }

    #[test]
    fn the_customer_of_the_line_is_found() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>().into_iter();
        let line = "bss -- bss customer remove-contact CUST-0a1b2c3d4e5f CM-";
        assert_eq!(customer_on(words(line)).as_deref(), Some("CUST-0a1b2c3d4e5f"));
        assert_eq!(customer_on(words("bss -- bss customer remove-contact")), None);
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
