//! The command line against a running server: every example of every page of help, as a person would type it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bss::cli::Cli;
use clap::CommandFactory as _;
use nix::pty::{Winsize, openpty};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::record;
use crate::support::server::ServerProcess;

/// Pages of commands that no test runs against a server that it needs afterwards, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("bss", "its examples are those of other pages; one of them serves"),
    ("bss serve", "it is the server"),
    ("bss migrate", "packaging and refused_start run it"),
    ("bss seed", "packaging runs it, and demo its demo"),
    ("bss backup", "has tests of its own"),
    ("bss restore", "replaces the database; has tests of its own"),
    ("bss doctor", "has a test of its own"),
    ("bss bench", "takes minutes, by design"),
    ("bss soak", "has a test of its own"),
    ("bss scenario", "deletes what the others need; scenarios runs it"),
    ("bss usage import", "needs files; has tests of its own"),
    ("bss admin reset", "deletes what the others need; runs last, by itself"),
    ("bss clock", "moves the clock of the others; runs last, by itself"),
    ("bss payment cutover", "ends the cards of the others; has a test of its own"),
    ("bss man", "writes to where manual pages are; has a test of its own"),
];

/// Examples that are right and refused here, since what they are for is not the case.
const REFUSED: &[(&str, i32)] = &[
    ("bss inventory msisdn release 90000042 --reason 'order abandoned' --yes", 3),
    ("bss order retry ORD-0042", 3),
    ("bss order retry ORD-0042 -o json", 3),
    ("bss order wait ORD-0042 --for failed --timeout 60", 3),
    ("bss payment add-card --customer CUST-0a1b2c3d4e5f", 2),
    ("bss prov abandon PTK-0003 --note 'the element is gone' --yes", 3),
    ("bss prov resolve PTK-0003 --note 'HLR is back'", 3),
    ("bss prov resolve PTK-0003 --note 'done by hand' -o json", 3),
    ("bss prov retry PTK-0003", 3),
    ("bss prov retry PTK-0003 -o json", 3),
    (
        "bss queue discard 01960000-0000-7000-8000-000000000001 --consumer subscription.activate \
         --reason 'line is gone' --yes",
        5,
    ),
    ("bss queue replay 01960000-0000-7000-8000-000000000001", 5),
    ("bss queue replay 01960000-0000-7000-8000-000000000001 --consumer som.decompose", 5),
    ("bss queue show 01960000-0000-7000-8000-000000000001", 5),
    ("bss queue show 01960000-0000-7000-8000-000000000001 -o json", 5),
    ("bss subscription pay SUB-0042 --yes", 3),
    ("bss trace get 4bf92f3577b34da6a3ce929d0e0e4736", 5),
    ("bss trace get 4bf92f3577b34da6a3ce929d0e0e4736 --service payment", 5),
    ("bss trace get 4bf92f3577b34da6a3ce929d0e0e4736 -o json", 5),
    ("bss usage simulate --msisdn 90000042 --quantity 100MB --roaming", 3),
];

/// One server with everything that the examples speak of.
pub(super) struct Stage {
    pub(super) server: ServerProcess,
    config: PathBuf,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let installation = Arc::new(Installation::on(cluster::database().await));
        let server = ServerProcess::start(&installation, &[]).await;
        let config = installation.file("config");
        Self { server, config }
    }

    /// Runs a command line; what it reads is what a card or a token could be.
    pub(super) fn line(&self, line: &str) -> Output {
        let input = self.server.installation().file("input");
        std::fs::write(&input, "4242424242424242\n").expect("a folder of this test");
        record::bss(&words(line)[1..])
            .env_clear()
            .env("BSS_URL", self.server.url())
            .env("BSS_API_TOKEN", "a1".repeat(32))
            .env("XDG_CONFIG_HOME", &self.config)
            .env("PATH", "/usr/bin:/bin")
            .stdin(std::fs::File::open(&input).expect("our file"))
            .output()
            .expect("bss is built")
    }

    /// Changes what the server knows behind its back.
    async fn sql(&self, statement: &'static str) {
        let pool = self.server.installation().pool().await;
        sqlx::query(statement).execute(&pool).await.expect("the statement is right");
    }

    /// The JSON that a command line answers.
    fn json(&self, line: &str) -> Value {
        let output = self.line(&format!("{line} -o json"));
        assert!(output.status.success(), "{line}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

pub(super) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Splits a line into words as a shell does; single quotes keep theirs together.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Every page of help that has no pages below it, with its examples.
fn pages() -> BTreeMap<String, Vec<String>> {
    fn walk(command: &clap::Command, path: &str, pages: &mut BTreeMap<String, Vec<String>>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default().replace("\\\n", " ");
        let examples = help.lines().filter(|line| line.starts_with("  ")).filter_map(example);
        pages.insert(path.to_owned(), examples.collect());
        for subcommand in command.get_subcommands() {
            walk(subcommand, &format!("{path} {}", subcommand.get_name()), pages);
        }
    }
    let mut pages = BTreeMap::new();
    walk(&Cli::command(), "bss", &mut pages);
    pages
}

/// The `bss …` part of a line, without what a shell does with it.
fn example(line: &str) -> Option<String> {
    let from_program = &line[line.find("bss ")?..];
    let end = [" > ", " | ", ")"].iter().filter_map(|shell| from_program.find(shell)).min();
    let is_quoted = |end: usize| from_program[..end].matches('\'').count() % 2 == 1;
    let end = end.filter(|end| !is_quoted(*end)).unwrap_or(from_program.len());
    Some(from_program[..end].split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A customer with an active line and a card, and the ids that belong to it, by those of the examples.
pub(super) async fn sign_up(client: &Client, email: &str) -> BTreeMap<&'static str, String> {
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    let created = client.op("customer.create", json!({"name": "Ada Lovelace", "email": email})).await.ok();
    let customer = id(&created["id"]);
    let attestation =
        json!({"customerId": customer, "provider": "prebaked", "attestationToken": format!("prebaked-{customer}")});
    client.op("customer.attest_kyc", attestation).await.ok();
    let card = json!({"customerId": customer, "cardNumber": "4242424242424242"});
    client.op("payment.add_card", card.clone()).await.ok();
    // The first one is the default; another one can be removed.
    let spare = id(&client.op("payment.add_card", card).await.ok()["id"]);
    let ordered = client.op("order.create", json!({"customerId": customer, "offeringId": "PLAN_S"})).await.ok();
    let order = id(&ordered["id"]);
    let done = client.op("order.wait_until", json!({"orderId": order, "state": "completed"})).await.ok();
    let line = id(&done["items"][0]["targetSubscriptionId"]);
    let attempt = id(&done["items"][0]["paymentAttemptId"]);
    let view = client.op("subscription.get", json!({"subscriptionId": line})).await.ok();
    let msisdn = id(&view["msisdn"]);
    let used = json!({"msisdn": msisdn, "eventType": "data", "quantity": 1});
    let usage = id(&client.op("usage.simulate", used).await.ok()["id"]);
    let service_orders = client.op("service_order.list_for_order", json!({"orderId": order})).await.ok();
    let tasks = client.op("provisioning.list_tasks", json!({"serviceOrderId": service_orders[0]["id"]})).await.ok();
    // A service learns of its line from an event, a moment later.
    let services = listed(client, "service.list_for_subscription", json!({"subscriptionId": line})).await;
    let esim = client.op("subscription.get_esim_activation", json!({"subscriptionId": line})).await.ok();
    let events = client.op("events.list", json!({"aggregateId": order, "limit": 1})).await.ok();
    // So is the welcome written.
    let messages = listed(client, "communication.list", json!({"customerId": customer})).await;
    BTreeMap::from([
        ("CUST-0a1b2c3d4e5f", customer),
        ("ORD-0042", order),
        ("SUB-0042", line),
        ("90000042", msisdn.clone()),
        ("8965000000000000042", id(&esim["iccid"])),
        ("PM-0007", spare),
        ("PAY-000042", attempt),
        ("UE-000007", usage),
        ("SO-0042", id(&service_orders[0]["id"])),
        ("PTK-0003", id(&tasks[0]["id"])),
        ("SVC-0041", id(&services[0]["id"])),
        ("01960000-0000-7000-8000-000000000001", id(&events["events"][0]["eventId"])),
        ("MSG-0a1b2c3d4e5f", id(&messages[0]["id"])),
        ("ada@example.test", email.to_owned()),
    ])
}

/// What an example needs beside a customer with a line.
async fn prepare(client: &Client, page: &str, example: &str, ids: &mut BTreeMap<&'static str, String>) {
    let (customer, line) = (ids["CUST-0a1b2c3d4e5f"].clone(), ids["SUB-0042"].clone());
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    match page {
        "bss customer create" | "bss customer add-contact" => {
            // An address that nobody has.
            ids.entry("ada@example.test").and_modify(|email| email.insert_str(0, "fresh-"));
        }
        "bss customer change-contact" | "bss customer remove-contact" => {
            let phone = json!({"customerId": customer, "mediumType": "mobile", "value": "+6590000001"});
            ids.insert("CM-0d2f6a11", id(&client.op("customer.add_contact_medium", phone).await.ok()));
        }
        "bss customer close" => {
            let bare = client.op("customer.create", json!({"name": "Grace Hopper"})).await.ok();
            ids.insert("CUST-0a1b2c3d4e5f", id(&bare));
        }
        "bss order hold" | "bss order submit" | "bss order cancel" | "bss op" => {
            let basket = json!({"customerId": customer, "offeringId": "PLAN_S", "submit": false});
            ids.insert("ORD-0042", id(&client.op("order.create", basket).await.ok()));
        }
        "bss promo assign" | "bss promo unassign" | "bss promo show" | "bss promo exhaust" => {
            let own = format!("PROMO_{}", customer.trim_start_matches("CUST-").to_uppercase());
            let promotion = json!({"promotionId": own, "discountType": "percent", "discountValue": "20",
                "durationKind": "single", "audience": "targeted"});
            client.op("promo.create", promotion).await;
            ids.insert("PROMO_SUMMER25", own.clone());
            ids.insert("PROMO_VIP", own);
        }
        "bss subscription unblock" => {
            let reason = if example.contains("fraud") { "fraud" } else { "requested" };
            let block = json!({"subscriptionId": line, "reason": reason, "note": "of this test"});
            client.op("subscription.block", block).await.ok();
        }
        "bss subscription keep-plan" => {
            let change = json!({"subscriptionId": line, "newOfferingId": "PLAN_L"});
            client.op("subscription.schedule_plan_change", change).await.ok();
        }
        _ => {}
    }
}

/// The list that an operation answers once there is something in it.
async fn listed(client: &Client, operation: &str, arguments: Value) -> Value {
    listed_with(client, operation, arguments, |list| !list.is_empty()).await
}

/// As [`listed`], once what is looked for is in it.
async fn listed_with(client: &Client, operation: &str, arguments: Value, has: impl Fn(&[Value]) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let list = client.op(operation, arguments.clone()).await.ok();
        if list.as_array().is_some_and(|list| has(list)) {
            return list;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{operation} {arguments} stays without it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_example_of_the_help_does_what_it_says() {
    let stage = Stage::new().await;
    let client = stage.server.client();
    // The days of the examples are still to come.
    client.op("clock.freeze", json!({"at": "2026-05-04T09:00:00Z"})).await.ok();
    let price = json!({"offeringId": "PLAN_M", "priceId": "PRICE_M_2027", "amount": "27.00", "validFrom": "2027-01-01T00:00:00Z"});
    client.op("catalog.add_price", price).await.ok();
    let pages = pages();
    let is_run = |path: &str| {
        !NOT_RUN.iter().any(|(not, _)| path == *not || (*not != "bss" && path.starts_with(&format!("{not} "))))
    };
    let (mut wrong, mut ran) = (Vec::new(), 0);
    let mut expected: BTreeMap<&str, i32> = REFUSED.iter().copied().collect();
    let mut without_json = Vec::new();
    for (path, examples) in pages.iter().filter(|(path, _)| is_run(path)) {
        let is_leaf = !pages.keys().any(|other| other.starts_with(&format!("{path} ")));
        // What follows the log ends with the person who does.
        let examples = examples.iter().filter(|example| is_leaf && !example.contains("--follow"));
        let mut has_answered_json = !is_leaf || path.starts_with("bss completions") || path == "bss events tail";
        for (number, example) in examples.enumerate() {
            if path.starts_with("bss context ") {
                for name in ["local", "prod", "stage"] {
                    let added = stage.line(&format!("bss context add {name} --url http://127.0.0.1:8000"));
                    assert!(added.status.success(), "{}", said(&added));
                }
                stage.line("bss context use local");
            }
            // What one example ends must not be missing in the next: each has a customer of its own.
            let email = format!("{}-{number}@example.test", path.replace(' ', "."));
            let mut ids = sign_up(&client, &email).await;
            prepare(&client, path, example, &mut ids).await;
            let mut line = example.clone();
            for (sample, real) in &ids {
                line = line.replace(sample, real);
            }
            let chooses = [" -o ", " --jq", " --fields", " -q"].iter().any(|option| line.contains(option));
            if !has_answered_json && !chooses {
                line.push_str(" -o json");
            }
            let output = stage.line(&line);
            ran += 1;
            if path == "bss prov fault" {
                for (task, fault) in [("HLR_PROVISION", "fail_first_attempt"), ("OCS_BALANCE_INIT", "slow")] {
                    let off = json!({"taskType": task, "faultType": fault, "enabled": false});
                    client.op("provisioning.set_fault_injection", off).await.ok();
                }
            }
            let code = expected.remove(example.as_str()).unwrap_or(0);
            if output.status.code() != Some(code) {
                wrong.push(format!("{example} answers {:?}: {}", output.status.code(), said(&output)));
            }
            if line.ends_with(" -o json") {
                // A refusal is no answer: nothing stands where the answer would.
                let parsed = serde_json::from_slice::<Value>(&output.stdout);
                if code == 0
                    && let Err(error) = parsed
                {
                    wrong.push(format!("{line} is no JSON: {error}"));
                }
                has_answered_json = true;
            }
            if output.stdout.contains(&0x1b) || output.stderr.contains(&0x1b) {
                wrong.push(format!("{example} has escapes without a terminal"));
            }
        }
        if !has_answered_json {
            without_json.push(path);
        }
    }
    println!("{ran} examples ran");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(without_json.is_empty(), "no example of these answered JSON: {without_json:?}");
    assert!(expected.is_empty(), "no example is refused like this any more: {expected:?}");
    let unknown: Vec<_> = NOT_RUN.iter().filter(|(path, _)| !pages.contains_key(*path)).collect();
    assert!(unknown.is_empty(), "there are no such commands: {unknown:?}");
}

#[tokio::test]
async fn a_context_leads_to_its_server_and_a_flag_counts_more() {
    let stage = Stage::new().await;
    let url = stage.server.url();
    let run = |arguments: &str, environment: &[(&str, &str)]| {
        record::bss(words(arguments))
            .env_clear()
            .env("XDG_CONFIG_HOME", &stage.config)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("bss is built")
    };
    let token_file = stage.server.installation().file("token");
    std::fs::write(&token_file, "a1".repeat(32)).expect("a folder of this test");
    let add = format!("context add here --url {url} --token-file {}", token_file.display());
    assert!(run(&add, &[]).status.success());
    assert!(run("context add away --url http://127.0.0.1:1 --production", &[]).status.success());
    assert!(run("context use here", &[]).status.success());
    let code = |arguments: &str, environment: &[(&str, &str)]| run(arguments, environment).status.code();
    assert_eq!(code("catalog list", &[]), Some(0), "the context in use");
    assert_eq!(code("catalog list --context away", &[]), Some(7), "a flag counts more than the one in use");
    assert_eq!(code("catalog list", &[("BSS_CONTEXT", "away")]), Some(7), "so does the environment");
    assert_eq!(code("catalog list --context here", &[("BSS_CONTEXT", "away")]), Some(0), "a flag counts most");
    assert_eq!(code("catalog list --context here", &[("BSS_URL", "http://127.0.0.1:1")]), Some(0));
    assert_eq!(code("catalog list", &[("BSS_URL", "http://127.0.0.1:1")]), Some(7));
    assert_eq!(code("catalog list", &[("BSS_URL", &url), ("BSS_CONTEXT", "here")]), Some(2), "two places at once");
    assert_eq!(code("catalog list --context nowhere", &[]), Some(2));
    let elsewhere = format!("catalog list --url {url}");
    assert_eq!(code(&elsewhere, &[]), Some(4), "the token of a context does not travel to another address");
    let marked = run("catalog list --context away", &[]);
    assert!(String::from_utf8_lossy(&marked.stderr).starts_with("away (production)\n"), "{}", said(&marked));
}

/// What a shell is offered for the last word of a line: as its own completion asks, with its own variables.
fn completed(stage: &Stage, shell: &str, line: &str) -> String {
    completed_at(&stage.server.url(), shell, line)
}

fn completed_at(url: &str, shell: &str, line: &str) -> String {
    let words = words(line);
    let typed = line.ends_with(' ').then_some("");
    let index = words.len() - usize::from(typed.is_none());
    let output = Command::new(env!("CARGO_BIN_EXE_bss"))
        .arg("--")
        .args(&words)
        .args(typed)
        .env_clear()
        .env("COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", index.to_string())
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "false")
        .env("BSS_URL", url)
        .env("BSS_API_TOKEN", "a1".repeat(32))
        .output()
        .expect("bss is built");
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {line}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn shells_complete_commands_and_live_ids() {
    let stage = Stage::new().await;
    let ids = sign_up(&stage.server.client(), "ada@example.test").await;
    for shell in ["bash", "zsh", "fish"] {
        let complete = |line: &str| completed(&stage, shell, line);
        assert!(complete("bss ord").contains("order"), "{shell}");
        assert!(complete("bss order cr").contains("create"), "{shell}");
        assert!(complete("bss order show ").contains(&ids["ORD-0042"]), "{shell}");
        assert!(complete("bss order create --customer ").contains(&ids["CUST-0a1b2c3d4e5f"]), "{shell}");
        assert!(complete("bss subscription show SUB").contains(&ids["SUB-0042"]), "{shell}");
        assert!(complete("bss order create --offering PLAN").contains("PLAN_M"), "{shell}");
        assert!(complete("bss op subscription.").contains("subscription.renew_now"), "{shell}");
        assert!(complete("bss worker tick ").contains("renewal"), "{shell}");
        assert!(complete("bss inventory msisdn show 9").contains(&ids["90000042"]), "{shell}");
    }
}

/// Of every kind that an argument can take, one that is there; and quiet where nobody answers.
#[tokio::test]
async fn every_kind_of_id_is_completed_and_silence_is_no_error() {
    let stage = Stage::new().await;
    let client = stage.server.client();
    let ids = sign_up(&client, "ada@example.test").await;
    let customer = &ids["CUST-0a1b2c3d4e5f"];
    let view = client.op("customer.get", json!({"customerId": customer})).await.ok();
    let medium = view["contactMedium"][0]["id"].as_str().expect("an address").to_owned();
    let event = client.op("events.list", json!({"aggregateId": ids["ORD-0042"], "limit": 1})).await.ok();
    let trace = event["events"][0]["traceId"].as_str().expect("a trace").to_owned();
    let is_kept = |traces: &[Value]| traces.iter().any(|one| one["traceId"] == trace.as_str());
    listed_with(&client, "trace.list", json!({"limit": 200}), is_kept).await;
    listed_with(&client, "trace.services", json!({}), |modules| modules.iter().any(|one| one["name"] == "payment"))
        .await;
    let plan = client.op("catalog.get_offering", json!({"offeringId": "PLAN_M"})).await.ok();
    let price = plan["prices"][0]["id"].as_str().expect("a price").to_owned();
    let promotion = json!({"promotionId": "PROMO_ONE", "discountType": "percent", "discountValue": "20",
                           "durationKind": "single", "code": "ONE20", "promoCodeKind": "multi_use"});
    client.op("promo.create", promotion).await.ok();
    let order = &ids["ORD-0042"];
    let away = "http://127.0.0.1:1";
    let contact = format!("bss customer remove-contact {customer} ");
    let both = format!("bss promo assign --promo PROMO_VIP --customers CUST-ffffffffffff,{}", &customer[..8]);
    for (line, wanted) in [
        ("bss payment set-default ", &ids["PM-0007"]),
        ("bss payment remove-method PM-", &ids["PM-0007"]),
        ("bss trace get ", &trace),
        ("bss events list --trace ", &trace),
        ("bss usage show ", &ids["UE-000007"]),
        ("bss rating explain UE-", &ids["UE-000007"]),
        ("bss som service show ", &ids["SVC-0041"]),
        ("bss som so-show SO-", &ids["SO-0042"]),
        ("bss prov tasks --service ", &ids["SVC-0041"]),
        ("bss prov tasks --service-order ", &ids["SO-0042"]),
        ("bss payment attempts --subject ", order),
        ("bss payment attempts --subject SUB-", &ids["SUB-0042"]),
        ("bss events list --aggregate-id PAY-", &ids["PAY-000042"]),
        ("bss audit events --identity default --aggregate-id S", &ids["SUB-0042"]),
        ("bss admin catalog retire-price PRICE", &price),
        ("bss order create --code ", &"ONE20".to_owned()),
        ("bss promo create --offerings PLAN_S,PLAN_", &"PLAN_M".to_owned()),
        (&both, customer),
        (&contact, &medium),
        ("bss trace for-order X --service ", &"payment".to_owned()),
    ] {
        assert!(completed(&stage, "bash", line).contains(wanted.as_str()), "{line}: no {wanted}");
        let begun = Instant::now();
        let offered = completed_at(away, "bash", line);
        assert!(offered.lines().all(|offered| offered.starts_with("--")), "{line}: {offered}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{line}");
    }
}

#[tokio::test]
async fn of_many_customers_those_are_offered_that_begin_as_typed() {
    let stage = Stage::new().await;
    let ids = sign_up(&stage.server.client(), "ada@example.test").await;
    // More than one answer holds, all of them before hers.
    stage
        .sql(
            "with made as (select 'CUST-' || lpad(to_hex(i), 12, '0') as id, 'PTY-many-' || i as party from generate_series(1, 400) i),
             party as (insert into crm.party (id, party_type) select party, 'individual' from made),
             person as (insert into crm.individual (party_id, given_name, family_name) select party, 'A', 'B' from made)
             insert into crm.customer (id, party_id, account_id, customer_since) select id, party, 'ACC-' || id, now() from made",
        )
        .await;
    let hers = &ids["CUST-0a1b2c3d4e5f"];
    assert!(!completed(&stage, "fish", "bss customer show ").contains(hers), "there are too many before");
    let typed = &hers[..hers.len() - 2];
    assert!(completed(&stage, "fish", &format!("bss customer show {typed}")).contains(hers));
    let order = &ids["ORD-0042"];
    assert!(completed(&stage, "bash", &format!("bss order show {order}")).contains(order));
}

/// A list ends at 200; what is asked for is none of those that come first.
#[tokio::test]
async fn beyond_the_first_two_hundred_ids_are_completed_all_the_same() {
    let stage = Stage::new().await;
    let ids = sign_up(&stage.server.client(), "ada@example.test").await;
    let copies = |table: &str| {
        let differ =
            ["token", "msisdn", "iccid", "commercial_order_id", "business_key", "gateway_key", "service_order_id"];
        let differ = differ.map(|column| format!(", '{column}', '7' || i")).concat() + ", 'is_default', false";
        format!(
            "insert into {table} overriding user value select copy.*
             from (select to_jsonb(t) as one, split_part(t.id, '-', 1) as kind from {table} t order by t.id limit 1) original,
                 generate_series(20001, 25000) i,
                 jsonb_populate_record(null::{table}, one || jsonb_build_object('id', kind || '-0' || i {differ})) copy"
        )
    };
    for (table, line, hers) in [
        ("subscription.subscription", "bss subscription show SUB-", "SUB-0042"),
        ("payment.payment_attempt", "bss payment attempts PAY-", "PAY-000042"),
        ("provisioning.provisioning_task", "bss prov show PTK-", "PTK-0001"),
        ("payment.payment_method", "bss payment set-default PM-", "PM-0007"),
    ] {
        stage.sql(copies(table).leak()).await;
        let (kind, offered) =
            (line.rsplit(' ').next().expect("a word"), |typed: &str| completed(&stage, "bash", typed));
        assert!(!offered(line).contains(&format!("{kind}022342")), "{line}: there are too many");
        assert_eq!(offered(&format!("{line}0223")).lines().count(), 100, "{line}");
        assert_eq!(offered(&format!("{line}022342")).trim(), format!("{kind}022342"), "{line}");
        let hers = ids.get(hers).map_or(hers, String::as_str);
        assert!(offered(&format!("{line}{}", &hers[kind.len()..])).contains(hers), "{line}");
    }
}

/// The script that a person puts into their shell does it, too. Other shells are not installed where tests run.
#[tokio::test]
async fn the_script_for_bash_completes() {
    let stage = Stage::new().await;
    let ids = sign_up(&stage.server.client(), "ada@example.test").await;
    let bin = stage.server.installation().file("bin");
    std::fs::create_dir(&bin).expect("a folder of this test");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bss"), bin.join("bss")).expect("a link of this test");
    let complete = |words: &[&str]| {
        let list = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let script = format!(
            "source <(bss completions bash) && COMP_WORDS=({list}) && COMP_CWORD={} && COMP_TYPE=9 \
             && _clap_complete_bss bss 2>/dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.len() - 1
        );
        let output = Command::new("bash")
            .args(["--norc", "--noprofile", "-c", &script])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("BSS_URL", stage.server.url())
            .env("BSS_API_TOKEN", "a1".repeat(32))
            .output()
            .expect("bash is there");
        said(&output)
    };
    assert!(complete(&["bss", "ord"]).contains("order"), "{}", complete(&["bss", "ord"]));
    assert!(complete(&["bss", "order", "show", ""]).contains(&ids["ORD-0042"]));
}

#[tokio::test]
async fn a_cutover_asks_every_customer_for_a_new_card() {
    let stage = Stage::new().await;
    let client = stage.server.client();
    let ids = sign_up(&client, "ada@example.test").await;
    sign_up(&client, "grace@example.test").await;
    let line = "bss payment cutover --invalidate-mock-tokens";
    let looked = stage.json("bss payment cutover");
    assert_eq!(looked["invalidatedCount"], 0, "it is said what is to be done, or nothing is");
    let tried = stage.json(&format!("{line} --dry-run"));
    assert_eq!((&tried["candidateCount"], tried["candidateIds"].as_array().map(Vec::len)), (&json!(4), Some(4)));
    assert_eq!(stage.line(line).status.code(), Some(2), "without a person or --yes nothing happens");
    assert_eq!(client.op("payment.preview_cutover", json!({})).await.ok()["candidateCount"], 4);

    let done = stage.json(&format!("{line} --yes"));
    assert_eq!((&done["invalidatedCount"], &done["left"]), (&json!(4), &json!(0)));
    assert_eq!(stage.json(&format!("{line} --yes"))["invalidatedCount"], 0, "there is nothing left");
    assert_eq!(client.op("payment.cutover", json!({})).await.ok()["invalidatedIds"], json!([]));
    let collection = format!("{}/tmf-api/paymentMethod/v4/paymentMethod?fields=status,isPreferred", stage.server.url());
    let request = Client::plain().get(collection).header("x-bss-api-token", "a1".repeat(32));
    let cards: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let is_over = |card: &Value| card["status"] == "expired" && card["isPreferred"] == false;
    assert!(cards.as_array().is_some_and(|cards| cards.len() == 4 && cards.iter().all(is_over)), "{cards:#}");
    let events = client.op("events.list", json!({"eventType": "payment_method.cutover_invalidated"})).await.ok();
    assert_eq!(events["events"].as_array().map(Vec::len), Some(4));

    let (line, customer) = (&ids["SUB-0042"], &ids["CUST-0a1b2c3d4e5f"]);
    // Each card has its letter; that it is written takes a moment.
    let of_cards = json!({"customerId": customer, "template": "card_invalidated"});
    let letters = listed(&client, "communication.list", of_cards).await;
    assert_eq!((&letters[0]["template"], &letters[0]["subscriptionId"]), (&json!("card_invalidated"), &Value::Null));
    let refused = stage.line(&format!("bss subscription vas {line} VAS_DATA_1GB --yes"));
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("no active card"), "{}", said(&refused));
    stage.json(&format!("bss payment add-card --customer {customer} --card visa"));
    stage.json(&format!("bss subscription vas {line} VAS_DATA_1GB --yes"));
}

#[tokio::test]
async fn the_clock_and_the_reset_go_by_hand() {
    let stage = Stage::new().await;
    sign_up(&stage.server.client(), "ada@example.test").await;
    for line in pages().iter().filter(|(path, _)| path.starts_with("bss clock ")).flat_map(|(_, examples)| examples) {
        let output = stage.line(line);
        assert!(output.status.success(), "{line}: {}", said(&output));
    }
    assert_eq!(stage.line("bss admin reset").status.code(), Some(2), "without a person or --yes nothing happens");
    assert_eq!(stage.json("bss customer list").as_array().map(Vec::len), Some(1));
    stage.json("bss admin reset --yes");
    assert_eq!(stage.json("bss customer list").as_array().map(Vec::len), Some(0));
}

#[test]
fn doctor_makes_nothing_on_a_machine_that_has_served_nothing_yet() {
    let data_dir = std::env::temp_dir().join(format!("bss-doctor-{}", std::process::id()));
    let doctor = record::bss(["doctor", "-o", "json"])
        .env_clear()
        .env("BSS_DATA_DIR", &data_dir)
        .output()
        .expect("bss is built");
    let found: Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    let database = found.as_array().expect("findings").iter().find(|finding| finding["check"] == "database");
    let database = database.expect("it looks for a database");
    assert!(database["ok"] == true && said(&doctor).contains("bss serve makes"), "{found:#}");
    assert!(doctor.status.success() && !data_dir.exists(), "{found:#}");
}

#[tokio::test]
async fn doctor_looks_at_everything_in_every_format() {
    let url = cluster::database().await;
    let installation = Installation::on(url.clone());
    let doctor = |arguments: &str| {
        record::bss(words(&format!("doctor {arguments}")))
            .env_clear()
            .env("BSS_DB_URL", &url)
            .env("BSS_DATA_DIR", installation.data_dir())
            .env("BSS_API_TOKEN", "a1".repeat(32))
            .env("BSS_KYC_HASH_KEY", "c3".repeat(32))
            .output()
            .expect("bss is built")
    };
    let checks = [
        "configuration",
        "data directory",
        "secrets",
        "tokens",
        "database",
        "schema",
        "database clock",
        "clock",
        "queue",
        "replicas",
        "oldest transaction",
    ];
    let table = doctor("");
    assert!(table.status.success(), "{}", said(&table));
    let found: Value = serde_json::from_slice(&doctor("-o json").stdout).expect("JSON");
    let names: Vec<&str> =
        found.as_array().expect("a list").iter().filter_map(|finding| finding["check"].as_str()).collect();
    assert_eq!(names, checks);
    assert!(found.as_array().expect("a list").iter().all(|finding| finding["ok"] == true), "{found:#}");
    let csv = String::from_utf8(doctor("-o csv --fields check,ok").stdout).expect("text");
    assert!(csv.starts_with("check,ok\r\nconfiguration,true\r\n"), "{csv}");
    for word in checks {
        assert!(String::from_utf8_lossy(&table.stdout).contains(word), "{word}: {}", said(&table));
    }
    assert!(!said(&table).contains("a1a1"), "no token is shown");
    let keyless = record::bss(["doctor", "-o", "json"])
        .env_clear()
        .env("BSS_DB_URL", &url)
        .env("BSS_DATA_DIR", installation.data_dir())
        .env("BSS_API_TOKEN", "a1".repeat(32))
        .output()
        .expect("bss is built");
    let found: Value = serde_json::from_slice(&keyless.stdout).expect("JSON");
    let wrong: Vec<&Value> =
        found.as_array().expect("a list").iter().filter(|finding| finding["ok"] == false).collect();
    assert!(wrong.len() == 1 && wrong[0]["check"] == "secrets", "{found:#}");
    assert!(wrong[0]["detail"].as_str().is_some_and(|detail| detail.contains("openssl rand -hex 32")), "{found:#}");
    assert_eq!(keyless.status.code(), Some(1), "{}", said(&keyless));
}

/// What a command shows on a terminal of so many columns and lines.
pub(super) fn on_terminal(
    stage: &Stage,
    line: &str,
    (columns, lines): (u16, u16),
    environment: &[(&str, &str)],
) -> String {
    let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).expect("a terminal");
    let end = || Stdio::from(terminal.slave.try_clone().expect("the same terminal"));
    let mut command = record::bss(&words(line)[1..]);
    command
        .env_clear()
        .env("BSS_URL", stage.server.url())
        .env("BSS_API_TOKEN", "a1".repeat(32))
        .env("PATH", "/usr/bin:/bin")
        .envs(environment.iter().copied())
        .stdin(end())
        .stdout(end())
        .stderr(end());
    let mut child = command.spawn().expect("bss is built");
    // Our own ends of the terminal's side must be gone, or reading would never end.
    drop(command);
    drop(terminal.slave);
    let mut shown = Vec::new();
    // When the last writer is gone, Linux answers with an error instead of an end.
    let _ended = std::fs::File::from(terminal.master).read_to_end(&mut shown);
    assert!(child.wait().expect("our child").success(), "{line}: {}", String::from_utf8_lossy(&shown));
    String::from_utf8_lossy(&shown).replace("\r\n", "\n")
}

#[tokio::test]
async fn a_terminal_gets_colour_its_own_width_and_a_pager() {
    const MARK: (&str, &str) = ("BSS_PAGER", "sed s/^/paged:/");
    if openpty(None, None).is_err() {
        println!("this machine has no pseudo-terminals (is /dev/pts mounted?): nothing was looked at");
        return;
    }
    let stage = Stage::new().await;
    let client = stage.server.client();
    let ids = sign_up(&client, "ada@example.test").await;
    let order = format!("bss order show {}", ids["ORD-0042"]);

    let tall = (200, 500);
    let shown = on_terminal(&stage, &order, tall, &[MARK]);
    assert!(shown.contains("\u{1b}[1m") && !shown.contains("paged:"), "colour, and no pager: {shown}");
    let plain = on_terminal(&stage, &order, tall, &[MARK, ("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    for columns in [60, 80, 200] {
        let shown = on_terminal(&stage, "bss catalog list --no-color", (columns, 500), &[]);
        assert!(shown.lines().all(|line| line.chars().count() <= usize::from(columns)), "{columns}\n{shown}");
        assert!(shown.contains("PLAN_M"), "{shown}");
    }
    let low = (80, 5);
    let paged = on_terminal(&stage, &order, low, &[MARK, ("NO_COLOR", "1")]);
    assert!(paged.lines().all(|line| line.starts_with("paged:")), "{paged}");
    for unpaged in [[MARK, ("X", "")], [("BSS_PAGER", ""), ("X", "")], [("BSS_PAGER", "no-such-pager"), ("X", "")]] {
        let line = if unpaged[0] == MARK { format!("{order} --no-pager") } else { order.clone() };
        let shown = on_terminal(&stage, &line, low, &unpaged);
        assert!(!shown.contains("paged:") && shown.contains("completed"), "{unpaged:?}: {shown}");
    }
}
