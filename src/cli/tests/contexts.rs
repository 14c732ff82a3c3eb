//! Contexts: what is kept, what counts more, and that no token is printed.

use std::path::PathBuf;

use super::{Ran, on_console, parsed, words};
use crate::cli::contexts::Store;
use crate::cli::{Cli, ClientCommand, context, finished};

/// A configuration directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("bss-cli-context-{name}-{}", std::process::id())))
    }

    async fn context(&self, line: &str, input: &str) -> Ran {
        let (global, command) = parsed(&format!("bss {line}"));
        let ClientCommand::Context(command) = command else { panic!("no command about contexts: {line}") };
        let store = Store::in_directory(&self.0);
        on_console(input, false, async |console| {
            let outcome = context::run_in(&store, command, &global, console).map(|()| 0);
            finished(outcome, &global, console)
        })
        .await
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn contexts_are_added_used_shown_and_removed() {
    let directory = Directory::new("life");
    assert_eq!(directory.context("context list", "").await.err, "there are no contexts; bss context add makes one\n");
    let add = "context add prod --url https://bss.example.test --production --token-stdin";
    let ran = directory.context(add, "s3cr3t-token\n").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("bss context use prod"), "{}", ran.err);
    directory.context("context add local --url http://127.0.0.1:8000", "").await;
    assert_eq!(directory.context("context use prod", "").await.err, "from now on: prod\n");
    let listed = directory.context("context list", "").await;
    insta::assert_snapshot!(listed.out, @"
    CONTEXT  ADDRESS                    PRODUCTION  TOKEN
    local    http://127.0.0.1:8000/     -           tokens.env of this machine, or BSS_API_TOKEN
    * prod   https://bss.example.test/  PRODUCTION  kept with the context
    ");
    for line in ["context show", "context list -o json", "context list -o wide", "context show prod -o yaml"] {
        let ran = directory.context(line, "").await;
        assert!(ran.code == 0 && ran.out.contains("prod"), "{line}: {} {}", ran.out, ran.err);
        assert!(!ran.out.contains("s3cr3t"), "{line}: {}", ran.out);
    }
    assert_eq!(directory.context("context show local --jq .current", "").await.out, "false\n");
    let ran = directory.context("context use prdo", "").await;
    assert_eq!((ran.code, ran.err.as_str()), (2, "error: there is no context 'prdo'; did you mean 'prod'?\n"));
    directory.context("context remove prod", "").await;
    let ran = directory.context("context show", "").await;
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(!directory.context("context list", "").await.out.contains("prod"));
}

#[tokio::test]
async fn a_context_needs_an_address_a_name_and_no_token_in_sight() {
    let directory = Directory::new("refused");
    let refused = [
        ("context add prod", ""),
        ("context add prod --url https://bss.example.test --token-stdin", ""),
        ("context add prod --url https://bss.example.test --token s3cr3t", ""),
    ];
    for (line, input) in refused {
        let ran = directory.context(line, input).await;
        // The environment may name an address; then only the first of these is complete.
        assert_eq!(ran.code, 2, "{line}: {}", ran.err);
        assert!(!ran.err.contains("s3cr3t"), "{}", ran.err);
    }
    for line in ["bss context add a/b --url http://x", "bss context add '' --url http://x", "bss context add"] {
        assert_eq!(Cli::read(words(line)).expect_err(line).exit_code(), 2, "{line}");
    }
}

#[test]
fn what_is_said_on_the_command_line_counts_most() {
    let global = |line: &str| Cli::read(words(line)).expect("a command line of this test").global;
    let named = global("bss --context prod order list");
    assert_eq!((named.context.as_deref(), named.url), (Some("prod"), None));
    assert!(named.said.context);
    let placed = global("bss order list --url http://127.0.0.1:9");
    assert!(placed.url.is_some() && placed.context.is_none() && !placed.said.context);
}
