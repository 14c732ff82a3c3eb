//! Whatever is sent to any route of the OpenAPI document: a documented status, the one error body, and books that have not
//! moved. The seed is fixed, so that a run says something of the change and not of its luck; `BAD_INPUT_SEED=7` is another run,
//! `BAD_INPUT_REQUESTS=50000` a longer one.

mod bodies;
mod cases;
mod rng;

use std::collections::BTreeMap;
use std::time::Instant;

use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::raw::Response;
use crate::support::routes::{document, routes};
use cases::{Case, Generator};
use rng::Rng;

const SEED: u64 = 2_026;
const REQUESTS: usize = 5_000;
const AT_ONCE: usize = 16;

/// Moved by the passage of time, not by requests: heartbeats and the last runs of the ticks.
const CLOCKWORK: [&str; 2] = ["platform.replica", "platform.tick"];

/// Rows and a hash over all columns of all rows, of every table.
async fn books(app: &TestApp) -> BTreeMap<String, (i64, String)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select schemaname || '.' || tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema') order by 1",
    )
    .fetch_all(app.platform.db.pool())
    .await
    .expect("the catalog answers");
    let mut books = BTreeMap::new();
    for table in tables.into_iter().filter(|table| !CLOCKWORK.contains(&table.as_str())) {
        let query = format!("select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from {table} t");
        let state = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .fetch_one(app.platform.db.pool())
            .await
            .expect("a table can be read");
        books.insert(table, state);
    }
    books
}

#[expect(clippy::disallowed_methods, reason = "the seed and the length of a run are the developer's to choose")]
fn chosen(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_and_changes_nothing() {
    let seed = chosen("BAD_INPUT_SEED").unwrap_or(SEED);
    let requests = chosen("BAD_INPUT_REQUESTS").map_or(REQUESTS, |n| usize::try_from(n).expect("a length"));
    println!("seed {seed}: BAD_INPUT_SEED={seed} cargo test --test it bad_input");

    let app = TestApp::new().await;
    // Something real to be spared.
    let line = app.line("PLAN_M").await;
    app.op("usage.simulate", json!({ "msisdn": line["msisdn"], "eventType": "data", "quantity": 5 })).await.ok();
    app.settle().await;
    let document = document(&app).await;
    let generator = Generator::new(document.clone(), routes(&document));
    let before = books(&app).await;
    assert!(before["audit.domain_event"].0 > 10, "there are events: {before:#?}");

    let started = Instant::now();
    let address = app.address();
    let mut rng = Rng::seeded(seed);
    let cases: Vec<Case> = (0..requests).map(|n| generator.case(n, &mut rng)).collect();
    let outcomes: Vec<(Case, Response)> = futures::stream::iter(cases)
        .map(|case| {
            let address = &address;
            async move {
                let answer = case.request.send(address).await;
                (case, answer)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    let mut findings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (case, answer) in &outcomes {
        *statuses.entry(answer.status).or_default() += 1;
        *reached.entry(case.route.clone()).or_default() += 1;
        if let Some(fault) = fault(case, answer) {
            findings
                .entry(format!("{}: {fault}", case.route))
                .or_default()
                .push(format!("{case}\n    {}", shown(answer)));
        }
    }
    println!("{} requests over {} routes in {:.1?}: {statuses:?}", outcomes.len(), reached.len(), started.elapsed());
    let findings: Vec<String> =
        findings.into_iter().map(|(what, cases)| format!("{what} ({} times)\n  {}", cases.len(), cases[0])).collect();
    assert!(findings.is_empty(), "seed {seed}: {} findings\n{}", findings.len(), findings.join("\n"));
    assert!(generator.routes().all(|route| reached.contains_key(&route)), "a route was not reached: {reached:?}");

    let after = books(&app).await;
    let moved: Vec<String> = before
        .iter()
        .filter(|(table, state)| after.get(*table) != Some(state))
        .map(|(table, state)| format!("{table}: {state:?}, then {:?}", after.get(table)))
        .collect();
    assert!(moved.is_empty(), "seed {seed}: the books moved\n{}", moved.join("\n"));
    app.finish().await;
}

fn shown(answer: &Response) -> String {
    String::from_utf8_lossy(&answer.body).chars().take(400).collect()
}

/// What is wrong with an answer.
fn fault(case: &Case, answer: &Response) -> Option<String> {
    let status = answer.status;
    if !case.statuses.contains(&status) {
        return Some(format!("{status} is not documented"));
    }
    if status >= 500 {
        return Some(format!("{status} is a fault of the server"));
    }
    if status < 400 {
        return case.must_be_refused.then(|| format!("{status}, which should have been refused"));
    }
    if let Some(fault) = answer.fault_as_error() {
        return Some(format!("{status}, but {fault}"));
    }
    let body = answer.json();
    let undeclared = |rules: &Vec<Value>| {
        !rules.contains(&body["reason"]) && body["reason"] != "idempotency.key_reused_with_other_body"
    };
    if status == 422 && case.rules.as_ref().is_some_and(undeclared) {
        return Some(format!("the rule {} is not declared", body["reason"]));
    }
    None
}
