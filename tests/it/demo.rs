//! `bss seed --demo` on a running server: made once, through operations, never in production.

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::record;
use crate::support::server::ServerProcess;

/// "Seconds": what a debug build may take on a machine with other work.
const SECONDS: Duration = Duration::from_secs(60);

fn bss(server: &ServerProcess, arguments: &[&str]) -> Output {
    record::bss(arguments)
        .env_clear()
        .env("BSS_URL", server.url())
        .env("BSS_API_TOKEN", "a1".repeat(32))
        .env("XDG_CONFIG_HOME", server.installation().file("config"))
        .output()
        .expect("bss is built")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A server as it is by default: nobody may reset it or move its clock.
async fn server(environment: &[(&str, &str)]) -> ServerProcess {
    let installation = Arc::new(Installation::on(cluster::database().await));
    let plain = [("BSS_ALLOW_ADMIN_RESET", "false")];
    ServerProcess::start(&installation, &[&plain, environment].concat()).await
}

#[tokio::test]
async fn the_demo_is_made_once_and_shows_lines_in_every_state() {
    let server = server(&[]).await;
    let started = Instant::now();
    let made = bss(&server, &["seed", "--demo"]);
    assert!(made.status.success(), "{}", said(&made));
    assert!(started.elapsed() < SECONDS, "{:?}", started.elapsed());
    let table = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(table.contains("Mei Lin Tan") && table.contains("علي حسن"), "{table}");
    let shown = String::from_utf8_lossy(&made.stderr).into_owned();
    for command in shown.lines().filter_map(|line| line.trim().strip_prefix("bss ")) {
        let words: Vec<&str> = command.split('#').next().unwrap_or_default().split_whitespace().collect();
        // A top-up is bought by whoever reads this, not by the test: nothing may change before the second run.
        if words[1] != "vas" {
            let tried = bss(&server, &words);
            assert!(tried.status.success(), "{command}: {}", said(&tried));
        }
    }
    assert!(shown.contains("bss order triage ORD-") && shown.contains("bss subscription vas SUB-"), "{shown}");

    let client = server.client();
    let log_end = client.op("events.list", json!({"order": "desc", "limit": 1})).await.ok();
    let again = bss(&server, &["seed", "--demo", "-o", "json"]);
    assert!(again.status.success() && said(&again).contains("there already"), "{}", said(&again));
    let still = client.op("events.list", json!({"order": "desc", "limit": 1})).await.ok();
    assert_eq!(log_end["events"][0]["seq"], still["events"][0]["seq"], "the second run changed something");

    let cast: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    let people = cast.as_array().expect("a list");
    let of = |name: &str| -> BTreeSet<String> {
        people.iter().filter_map(|person| person[name].as_str()).map(str::to_owned).collect()
    };
    let all = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(of("lineState"), all(&["active", "blocked", "terminated"]));
    assert_eq!(of("orderState"), all(&["completed", "failed", "held", "in_progress"]));
    let reasons: BTreeSet<&str> = people
        .iter()
        .flat_map(|person| person["blockReasons"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(reasons, BTreeSet::from(["exhausted", "fraud", "requested"]));
    let why = people.iter().filter_map(|person| person["orderReason"].as_str());
    assert_eq!(why.filter(|reason| reason.contains("declined")).count(), 1, "{people:#?}");

    let promotions = client.op("promo.list", json!({})).await.ok();
    let ids: Vec<&str> = promotions.as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ids, ["PROMO_DEMO_VIP", "PROMO_DEMO_WELCOME"]);
    let welcome = client.op("promo.show", json!({"promotionId": "PROMO_DEMO_WELCOME"})).await.ok();
    let vip = client.op("promo.show", json!({"promotionId": "PROMO_DEMO_VIP"})).await.ok();
    assert_eq!((&welcome["redeemed"], &vip["eligibleCustomers"]), (&json!(1), &json!(2)));
    let faults = client.op("provisioning.list_fault_injections", json!({})).await.ok();
    assert!(faults.as_array().expect("a list").iter().all(|fault| fault["enabled"] == false), "{faults:#}");
    let books = client.op("audit.verify", json!({})).await.ok();
    assert_eq!(books["ok"], true, "{books:#}");
    server.stop().await;
}

#[tokio::test]
async fn the_same_story_runs_as_a_scenario() {
    let installation = Arc::new(Installation::on(cluster::database().await));
    let server = ServerProcess::start(&installation, &[]).await;
    let story = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/site_demo_seed.yaml");
    let run = bss(&server, &["scenario", "run", story]);
    assert!(run.status.success(), "{}", said(&run));
    server.stop().await;
}

#[tokio::test]
async fn production_gets_no_demo() {
    let server = server(&[("BSS_ENV", "production")]).await;
    let refused = bss(&server, &["seed", "--demo"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("production"), "{}", said(&refused));
    let customers = server.client().op("customer.list", json!({})).await.ok();
    assert_eq!(customers, json!([]));
    server.stop().await;
}

#[tokio::test]
async fn a_demo_that_was_broken_off_says_what_to_do() {
    let server = server(&[]).await;
    let mei = json!({"name": "Mei Lin Tan", "email": "mei.lin.tan@example.test"});
    server.client().op("customer.create", mei).await.ok();
    let refused = bss(&server, &["seed", "--demo"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("bss admin reset"), "{}", said(&refused));
    server.stop().await;
    let away = record::bss(["seed", "--demo"])
        .env_clear()
        .env("BSS_URL", "http://127.0.0.1:1")
        .env("HOME", std::env::temp_dir())
        .output()
        .expect("bss is built");
    assert_eq!(away.status.code(), Some(7), "{}", said(&away));
}
