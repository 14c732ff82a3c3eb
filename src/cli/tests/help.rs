//! The command tree itself: it is sound, and every page of help has examples that are true.

use clap::{Command, CommandFactory as _, Parser as _, error::ErrorKind};

use super::words;
use crate::cli::Cli;

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_help_has_two_examples_and_every_example_parses() {
    check(&Cli::command(), "bss");
}

fn check(command: &Command, path: &str) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = examples(&help);
    assert!(examples.len() >= 2, "{path} --help has {} examples", examples.len());
    for example in examples {
        assert!(example.starts_with("bss"), "{path} --help: {example}");
        if let Err(error) = Cli::read(words(&example)) {
            panic!("the example of {path} --help does not parse: {example}\n{error}");
        }
    }
    assert!(command.get_about().is_some(), "{path} does not say what it does");
    for argument in command.get_arguments() {
        assert!(argument.get_help().is_some(), "{path} does not explain {}", argument.get_id());
    }
    for subcommand in command.get_subcommands() {
        check(subcommand, &format!("{path} {}", subcommand.get_name()));
    }
}

/// The examples of a page: its indented lines that call `bss`, each joined with those that it goes on in.
fn examples(help: &str) -> Vec<String> {
    let joined = help.replace("\\\n", " ");
    joined.lines().filter(|line| line.starts_with("  ")).filter_map(example).map(str::to_owned).collect()
}

/// The `bss …` part of a line, without what a shell does with it.
fn example(line: &str) -> Option<&str> {
    let from_program = &line[line.find("bss ")?..];
    let end = [" > ", " | ", ")"].iter().filter_map(|shell| from_program.find(shell)).min();
    let is_quoted = |end: usize| from_program[..end].matches('\'').count() % 2 == 1;
    Some(from_program[..end.filter(|end| !is_quoted(*end)).unwrap_or(from_program.len())].trim())
}

#[test]
fn every_command_of_the_documents_parses() {
    let documents = [
        include_str!("../../../README.md"),
        include_str!("../../../docs/CLI.md"),
        include_str!("../../../docs/DEPLOYMENT.md"),
        include_str!("../../../docs/runbooks/backup-and-restore.md"),
        include_str!("../../../docs/runbooks/books-do-not-balance.md"),
        include_str!("../../../docs/runbooks/parked-deliveries.md"),
        include_str!("../../../docs/runbooks/stuck-orders.md"),
    ];
    let mut count = 0;
    for line in documents.iter().flat_map(|document| blocks(document)) {
        let typed = line.trim_start_matches("$ ").split('#').next().unwrap_or_default();
        // The first lines of a server's own output begin with its name, too.
        if !typed.starts_with("bss ") || typed.contains(" ready") {
            continue;
        }
        let command = example(typed).unwrap_or_default();
        if let Err(error) = Cli::read(words(command)) {
            panic!("a command of the documents does not parse: {command}\n{error}");
        }
        count += 1;
    }
    assert!(count > 30, "only {count} commands were found");
}

/// The lines between fences.
fn blocks(document: &str) -> impl Iterator<Item = &str> {
    document.split("```").skip(1).step_by(2).flat_map(str::lines)
}

#[test]
fn every_help_fits_eighty_columns() {
    let mut command = Cli::command().term_width(80);
    command.build();
    let mut wide = Vec::new();
    measure(&mut command, "bss", &mut wide);
    assert!(wide.is_empty(), "wider than 80 columns:\n{}", wide.join("\n"));
}

fn measure(command: &mut Command, path: &str, wide: &mut Vec<String>) {
    // Lines of examples would be broken; other lines are, but for what has no space in it.
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let pages = [examples, command.render_help().to_string(), command.render_long_help().to_string()];
    for line in pages.iter().flat_map(|page| page.lines()).filter(|line| line.chars().count() > 80) {
        wide.push(format!("{path} --help: {line}"));
    }
    for subcommand in command.get_subcommands_mut() {
        let path = format!("{path} {}", subcommand.get_name());
        measure(subcommand, &path, wide);
    }
}

#[test]
fn a_mistyped_command_gets_a_suggestion() {
    let error = Cli::try_parse_from(["bss", "custmer", "list"]).expect_err("no such command");
    assert_eq!(error.kind(), ErrorKind::InvalidSubcommand);
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("'customer'"), "{error}");
    let suggested = |line: &str, near: &str| {
        let error = Cli::read(words(line)).expect_err(line).to_string();
        assert!(error.contains(near), "{line}: {error}");
    };
    suggested("bss order craete", "'create'");
    suggested("bss order create --custmer X", "'--customer'");
    suggested("bss prov tasks --state faild", "'failed'");
    suggested("bss -o jsno clock now", "'json'");
}

#[test]
fn a_group_alone_prints_its_help() {
    for group in ["customer", "payment", "queue", "op"] {
        let error = Cli::try_parse_from(["bss", group]).expect_err("a group is no command");
        assert_eq!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, "{group}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn bad_values_are_refused_before_anything_is_called() {
    let bad = [
        "bss --url nonsense customer list",
        "bss --url ftp://example.test customer list",
        "bss -o xml customer list",
        "bss usage simulate --msisdn 90000042 --quantity abc",
        "bss usage simulate --msisdn 90000042 --type fax",
        "bss prov fault HLR_PROVISION explode",
        "bss prov fault HLR_PROVISIONING slow",
        "bss prov tasks --state broken",
        "bss prov fault HLR_PROVISION slow --probability 1.5",
        "bss inventory msisdn add-range 9100 0",
        "bss inventory msisdn add-range 9100 10001",
        "bss catalog list --at yesterday",
        "bss events list --limit 1001",
        "bss customer create",
        "bss customer create --name Ada --given-name Ada --family-name Lovelace",
        "bss op order.get --arg orderId",
        "bss serve --role everything",
    ];
    for line in bad {
        let error = Cli::try_parse_from(words(line)).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}
