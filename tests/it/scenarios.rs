//! The stories that come with the product, told by the real command to a real server.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use serde_json::Value;

use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::record;
use crate::support::server::ServerProcess;

/// How often the stories are told on the same data: what one leaves behind must not disturb the next round.
const ROUNDS: usize = 2;

/// `bss scenario run-all --tag hero -o json` against a server.
fn run_all(server: &ServerProcess) -> Output {
    record::bss(["scenario", "run-all", "--tag", "hero", "-o", "json"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"))
        .env_clear()
        .env("BSS_URL", server.url())
        .env("BSS_API_TOKEN", "a1".repeat(32))
        .env("BSS_PORTAL_SELF_SERVE_API_TOKEN", "b2".repeat(32))
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .expect("bss is built")
}

#[tokio::test]
async fn every_hero_scenario_passes_again_and_again_on_one_server() {
    let installation = Arc::new(Installation::on(cluster::database().await));
    let server = ServerProcess::start(&installation, &[]).await;
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).expect("the scenarios");
    let stories =
        files.filter(|file| file.as_ref().is_ok_and(|file| file.path().extension().is_some_and(|e| e == "yaml")));
    // All but the demo, which is to stay: tests/it/demo.rs plays it.
    let stories = stories.count() - 1;
    for round in 1..=ROUNDS {
        let output = run_all(&server);
        let said = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        // Skipped ones would pass for good, so each must have been told.
        let told = report["scenarios"].as_array().expect("a list");
        let wrong: Vec<&Value> = told.iter().filter(|scenario| scenario["status"] != "passed").collect();
        assert!(wrong.is_empty(), "round {round}: {wrong:#?}\n{said}");
        assert_eq!(told.len(), stories, "round {round}: each of our stories is a hero");
        assert!(output.status.success(), "round {round}: {said}");
    }
    let clock = server.client().op("clock.now", serde_json::json!({})).await.ok();
    assert_eq!(clock["mode"], "wall", "the clock goes again: {clock}");
    let plans = server.client().op("catalog.list_active_offerings", serde_json::json!({})).await.ok();
    let plans: Vec<&str> = plans.as_array().expect("a list").iter().filter_map(|plan| plan["id"].as_str()).collect();
    assert_eq!(plans, ["PLAN_S", "PLAN_M", "PLAN_L"], "what a story put on sale is off sale again");
    server.stop().await;
}
