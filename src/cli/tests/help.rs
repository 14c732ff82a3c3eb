//! The command tree itself: it is sound, and every page of help has examples that are true.

use clap::{Command, CommandFactory as _, Parser as _, error::ErrorKind};

use super::words;
use crate::cli::Cli;

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_help_has_an_example_and_every_example_parses() {
    check(&Cli::command(), "bss");
}

fn check(command: &Command, path: &str) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples: Vec<&str> = help.lines().filter(|line| line.starts_with("  ")).filter_map(example).collect();
    assert!(!examples.is_empty(), "{path} --help has no example");
    for example in examples {
        assert!(example.starts_with("bss"), "{path} --help: {example}");
        if let Err(error) = Cli::try_parse_from(words(example)) {
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

/// The `bss …` part of a line, without what a shell does with it.
fn example(line: &str) -> Option<&str> {
    let from_program = &line[line.find("bss ")?..];
    let end = [" > ", " | ", ")"].iter().filter_map(|shell| from_program.find(shell)).min();
    Some(from_program[..end.unwrap_or(from_program.len())].trim())
}

#[test]
fn a_mistyped_command_gets_a_suggestion() {
    let error = Cli::try_parse_from(["bss", "custmer", "list"]).expect_err("no such command");
    assert_eq!(error.kind(), ErrorKind::InvalidSubcommand);
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("'customer'"), "{error}");
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
