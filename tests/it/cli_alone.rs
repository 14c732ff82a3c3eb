//! Commands whose examples cannot run beside others: they make a server, need files, or put load on one. Each says what it did
//! in JSON that parses and text without escapes.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::record;
use crate::support::server::ServerProcess;

/// Runs a command line with these variables alone.
fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let output = record::bss(words)
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("bss is built");
    let escapes = output.stdout.contains(&0x1b) || output.stderr.contains(&0x1b);
    assert!(!escapes, "{words:?} has escapes without a terminal");
    output
}

/// The JSON of a command that succeeds.
#[track_caller]
fn json_of(words: &[&str], variables: &[(&str, &str)]) -> Value {
    let output = run(words, variables);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"))
}

#[tokio::test]
async fn an_empty_database_is_migrated_seeded_and_served() {
    let url = cluster::empty_database().await;
    let installation = Installation::on(url.clone());
    let data = installation.data_dir().display().to_string();
    let (token, key) = ("a1".repeat(32), "c3".repeat(32));
    let variables = [
        ("BSS_DB_URL", url.as_str()),
        ("BSS_DATA_DIR", data.as_str()),
        ("BSS_API_TOKEN", token.as_str()),
        ("BSS_KYC_HASH_KEY", key.as_str()),
    ];
    for (command, done) in [("migrate", "the schema is current"), ("seed", "the reference data is there")] {
        let first = run(&[command], &variables);
        let said = String::from_utf8_lossy(&first.stdout).into_owned() + &String::from_utf8_lossy(&first.stderr);
        assert!(first.status.success() && said.contains(done), "{command}: {said}");
        json_of(&[command, "-o", "json"], &variables);
    }
    let checks = json_of(&["doctor", "-o", "json"], &variables);
    assert!(checks.as_array().is_some_and(|checks| checks.iter().all(|check| check["ok"] == true)), "{checks:#}");
    let installation = Arc::new(installation);
    let server = ServerProcess::start(&installation, &[]).await;
    assert!(!server.client().op("catalog.list_active_offerings", json!({})).await.ok().as_array().unwrap().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn manual_pages_and_completions_need_nobody() {
    let folder = std::env::temp_dir().join(format!("bss-man-it-{}", std::process::id()));
    let path = folder.display().to_string();
    assert_eq!(json_of(&["man", &path, "-o", "json"], &[])["directory"], path);
    assert!(folder.join("bss-order-create.1").exists(), "a page for each command");
    std::fs::remove_dir_all(&folder).expect("our folder");
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell], &[]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("COMPLETE"), "{shell}");
    }
}

/// A server for commands, and the variables with which they find it.
struct Stage {
    server: ServerProcess,
    url: String,
    token: String,
}

impl Stage {
    async fn new() -> Self {
        let server = ServerProcess::start(&Arc::new(Installation::on(cluster::database().await)), &[]).await;
        Self { url: server.url(), server, token: "a1".repeat(32) }
    }

    fn variables(&self) -> [(&str, &str); 2] {
        [("BSS_URL", &self.url), ("BSS_API_TOKEN", &self.token)]
    }

    fn json(&self, words: &[&str]) -> Value {
        json_of(words, &self.variables())
    }
}

#[tokio::test]
async fn scenarios_are_listed_checked_and_run() {
    let stage = Stage::new().await;
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let (folder, story) =
        (top.display().to_string(), top.join("declined_card_fails_the_order.yaml").display().to_string());
    let listed = stage.json(&["scenario", "list", &folder, "-o", "json"]);
    let stories = listed.as_array().map_or(0, Vec::len);
    assert!(stories >= 10, "{listed:#}");
    stage.json(&["scenario", "validate", &story, "-o", "json"]);
    let report = stage.json(&["scenario", "run", &story, "-o", "json"]);
    assert!(report.to_string().contains("passed"), "{report:#}");
    stage.server.stop().await;
}

#[tokio::test]
async fn usage_is_imported_from_a_file() {
    let stage = Stage::new().await;
    let file = stage.server.installation().file("cdrs.csv");
    std::fs::write(&file, "msisdn,eventType,quantity,externalId\n90000042,data,120,cdr-1\n").expect("our folder");
    let path = file.display().to_string();
    let output = run(&["usage", "import", &path, "-o", "json"], &stage.variables());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(report.is_object(), "nobody has the number, and that is reported: {report:#}");
    stage.server.stop().await;
}

/// What a measurement reports. On a busy machine a second may pass without an answer: then the exit code is 1, and it says so.
fn measured(stage: &Stage, words: &[&str]) -> Vec<Value> {
    let output = run(words, &stage.variables());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let reports = report.as_array().cloned().unwrap_or_else(|| vec![report]);
    assert!(reports.iter().all(|report| report["errors"] == 0), "{words:?}: {reports:?}");
    reports
}

#[tokio::test]
async fn load_is_measured_in_small() {
    let stage = Stage::new().await;
    let short = ["--seconds", "1", "--warmup", "0", "--json"];
    for (what, more, reports) in [
        ("read", &["--connections", "2"][..], 1),
        ("list", &["--connections", "2", "--customers", "5"], 1),
        ("signup", &["--connections", "1"], 1),
        ("order", &["--connections", "1"], 1),
        ("usage", &["--connections", "2", "--lines", "2"], 1),
        ("mixed", &["--readers", "1", "--connections", "2", "--lines", "2"], 4),
        ("overload", &["--connections", "8", "--lines", "2"], 3),
    ] {
        assert_eq!(measured(&stage, &[&["bench", what][..], more, &short].concat()).len(), reports, "{what}");
    }
    let report = stage.json(&["bench", "renewal", "--lines", "2", "--json"]);
    assert!(report.is_object(), "{report}");
    stage.server.stop().await;
}

#[tokio::test]
async fn a_few_days_are_simulated() {
    let stage = Stage::new().await;
    let report = stage.json(&["soak", "--attach", "--customers", "2", "--days", "2", "--json"]);
    assert!(report["digest"].is_string(), "{report:#}");
    stage.server.stop().await;
}

#[test]
fn what_is_wrong_is_told_by_what_was_typed() {
    // What a shell may have set is no part of it.
    let variables =
        [("BSS_URL", "http://127.0.0.1:1"), ("BSS_DATA_DIR", "/nonexistent"), ("NO_COLOR", "1"), ("PAGER", "less")];
    let said = |words: &[&str]| {
        let output = run(words, &variables);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for group in [&[][..], &["payment"], &["admin", "catalog"], &["op"]] {
        let help = said(group);
        assert!(help.contains("Examples:") && !help.contains("error:"), "a group alone is its help: {help}");
    }
    let missing = said(&["scenario", "run"]);
    assert!(missing.contains("Usage: bss scenario run <FILE>"), "{missing}");
    let unknown = said(&["order", "list", "--custmer", "X"]);
    assert!(unknown.contains("'--customer'") && !unknown.contains("--url"), "{unknown}");
}
