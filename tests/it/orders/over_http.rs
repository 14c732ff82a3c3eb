//! The network over HTTP: a small real server stands in for it and does what a network does, answers late, twice, wrongly, or
//! not at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{VISA, ended, order, place, pools, task_in};
use crate::support::app::TestApp;
use crate::support::cluster;

const SECRET: &str = "a-secret-of-the-network";

/// What the network answers to the n-th word about a task of this type; from the last one on always the same.
type Script = BTreeMap<&'static str, Vec<(u16, Value)>>;

/// One request.
#[derive(Debug, Clone)]
struct Heard {
    method: &'static str,
    key: String,
    body: Value,
}

#[derive(Clone, Default)]
struct Mvne {
    script: Arc<Script>,
    /// While this is so, the network has accepted `HLR_PROVISION` and works on it.
    provisions: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<Heard>>>,
    kinds: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Mvne {
    /// Starts the server; answers it with its address.
    async fn with(script: Script) -> (Self, String) {
        let mvne = Self { script: Arc::new(script), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/v1", listener.local_addr().expect("a bound listener"));
        let routes =
            Router::new().route("/v1/tasks", post(told)).route("/v1/tasks/{id}", get(asked)).with_state(mvne.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (mvne, url)
    }

    fn heard(&self, kind: &str) -> Vec<Heard> {
        let kinds = self.kinds.lock().expect("nobody panics in there");
        let heard = self.heard.lock().expect("nobody panics in there");
        heard.iter().filter(|one| kinds.get(&one.key).is_some_and(|known| known == kind)).cloned().collect()
    }

    fn answer(&self, id: &str) -> Response {
        let kind = self.kinds.lock().expect("nobody panics in there").get(id).cloned().unwrap_or_default();
        if kind == "HLR_PROVISION" && self.provisions.load(Ordering::SeqCst) {
            return (StatusCode::ACCEPTED, Json(json!({"status": "accepted", "pollAfterMs": 500}))).into_response();
        }
        let words = self.heard.lock().expect("nobody panics in there").iter().filter(|one| one.key == id).count();
        let Some(answers) = self.script.get(kind.as_str()) else {
            return Json(json!({"status": "done"})).into_response();
        };
        let (status, body) = &answers[(words - 1).min(answers.len() - 1)];
        (StatusCode::from_u16(*status).expect("a status"), Json(body.clone())).into_response()
    }
}

async fn told(State(mvne): State<Mvne>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    assert_eq!(headers["authorization"], format!("Bearer {SECRET}"));
    let key = headers["idempotency-key"].to_str().expect("a text").to_owned();
    assert_eq!(body["taskId"], key.as_str());
    let kind = body["taskType"].as_str().expect("a type").to_owned();
    mvne.kinds.lock().expect("nobody panics in there").insert(key.clone(), kind);
    mvne.heard.lock().expect("nobody panics in there").push(Heard { method: "POST", key: key.clone(), body });
    mvne.answer(&key)
}

async fn asked(State(mvne): State<Mvne>, Path(id): Path<String>) -> Response {
    mvne.heard.lock().expect("nobody panics in there").push(Heard {
        method: "GET",
        key: id.clone(),
        body: Value::Null,
    });
    mvne.answer(&id)
}

async fn app_with(url: &str) -> TestApp {
    let changes = [("BSS_NETWORK_PROVIDER", "http"), ("BSS_NETWORK_URL", url), ("BSS_NETWORK_SECRET", SECRET)];
    TestApp::on(cluster::platform(&changes).await).await
}

fn accepted() -> (u16, Value) {
    (202, json!({"status": "accepted", "pollAfterMs": 50}))
}

#[tokio::test]
async fn a_line_comes_and_goes_over_http() {
    let (mvne, url) = Mvne::with(Script::from([(
        "ESIM_PROFILE_PREPARE",
        vec![accepted(), accepted(), (200, json!({"status": "done"}))],
    )]))
    .await;
    let app = app_with(&url).await;
    let line = app.line("PLAN_S").await;
    let activation = mvne.heard("HLR_PROVISION");
    assert_eq!(activation.len(), 1);
    assert_eq!(activation[0].body["payload"]["msisdn"], line["msisdn"]);
    let polled = mvne.heard("ESIM_PROFILE_PREPARE");
    assert_eq!(polled.iter().map(|one| one.method).collect::<Vec<_>>(), ["POST", "GET", "GET"]);
    let task = task_in(&app, "ESIM_PROFILE_PREPARE", "completed").await;
    assert_eq!(task["attempts"], 1, "waiting costs no attempt");
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    app.settle().await;
    assert_eq!(mvne.heard("HLR_DEPROVISION").len(), 1);
    let service = app.op("service.get", json!({"serviceId": line["cfsServiceId"]})).await.ok();
    assert_eq!((&service["state"], &service["networkConfirmed"]), (&json!("terminated"), &json!("removed")));
    app.finish().await;
}

#[tokio::test]
async fn a_failure_that_may_heal_is_tried_again_with_the_same_key() {
    let busy = (200, json!({"status": "failed", "reason": "HLR busy", "retryable": true}));
    let (mvne, url) =
        Mvne::with(Script::from([("HLR_PROVISION", vec![busy, (503, json!({})), (200, json!({"status": "done"}))])]))
            .await;
    let app = app_with(&url).await;
    let customer = app.customer(VISA).await;
    assert_eq!(app.order(&customer, "PLAN_S").await["state"], "completed");
    let heard = mvne.heard("HLR_PROVISION");
    assert!(heard.iter().all(|one| one.key == heard[0].key), "{heard:?}");
    assert_eq!(heard.iter().map(|one| one.method).collect::<Vec<_>>(), ["POST", "POST", "GET"]);
    let task = task_in(&app, "HLR_PROVISION", "completed").await;
    assert_eq!(task["attempts"], 2);
    app.finish().await;
}

#[tokio::test]
async fn what_failed_after_it_was_accepted_is_posted_again() {
    let busy = (200, json!({"status": "failed", "reason": "HLR busy", "retryable": true}));
    let script = vec![accepted(), busy, (200, json!({"status": "done"}))];
    let (mvne, url) = Mvne::with(Script::from([("HLR_PROVISION", script)])).await;
    let app = app_with(&url).await;
    let customer = app.customer(VISA).await;
    assert_eq!(app.order(&customer, "PLAN_S").await["state"], "completed");
    let heard = mvne.heard("HLR_PROVISION");
    assert_eq!(heard.iter().map(|one| one.method).collect::<Vec<_>>(), ["POST", "GET", "POST"]);
    assert_eq!(heard[2].body["attempt"], 2);
    app.finish().await;
}

#[tokio::test]
async fn a_number_is_not_free_before_the_network_is_done_with_it() {
    let (mvne, url) = Mvne::with(Script::new()).await;
    mvne.provisions.store(true, Ordering::SeqCst);
    let app = app_with(&url).await;
    let before = pools(&app).await;
    let customer = app.customer(VISA).await;
    let placed = place(&app, &customer).await;
    app.until("the network has accepted it", async || {
        let accepted = "select count(*) from provisioning.provisioning_task where state = 'pending' and polls > 0";
        (app.number(accepted).await == 1).then_some(())
    })
    .await;
    app.op("order.cancel", json!({"orderId": placed["id"]})).await.ok();
    assert_eq!(order(&app, &placed["id"]).await["state"], "cancelled");
    let cessation = task_in(&app, "HLR_DEPROVISION", "pending").await;
    assert!(cessation["waitsFor"].is_string(), "{cessation:#}");
    let asked = mvne.heard("HLR_PROVISION").len();
    app.until("the network is asked again", async || (mvne.heard("HLR_PROVISION").len() > asked).then_some(())).await;
    assert_eq!(mvne.heard("HLR_DEPROVISION").len(), 0, "it would overtake what the network is at");
    assert_eq!(pools(&app).await, (before.0 - 1, before.1 - 1));

    mvne.provisions.store(false, Ordering::SeqCst);
    task_in(&app, "HLR_DEPROVISION", "completed").await;
    task_in(&app, "HLR_PROVISION", "completed").await;
    app.settle().await;
    assert_eq!(pools(&app).await, before);
    let provision = mvne.heard("HLR_PROVISION");
    assert_eq!(provision.iter().filter(|one| one.method == "POST").count(), 1, "it is asked, not told again");
    app.finish().await;
}

#[tokio::test]
async fn a_refusal_is_final_and_what_was_done_is_taken_back() {
    let refusal = (422, json!({"status": "failed", "reason": "IMSI 525010000000417 is unknown"}));
    let (mvne, url) = Mvne::with(Script::from([("HLR_PROVISION", vec![refusal])])).await;
    let app = app_with(&url).await;
    let customer = app.customer(VISA).await;
    let failed = app.order(&customer, "PLAN_S").await;
    assert_eq!(failed["stateReason"], "provisioning task HLR_PROVISION failed permanently");
    app.settle().await;
    assert_eq!(mvne.heard("HLR_PROVISION").len(), 1, "it will never do it: one word is enough");
    assert_eq!(mvne.heard("HLR_DEPROVISION").len(), 1);
    let task = task_in(&app, "HLR_PROVISION", "withdrawn").await;
    assert_eq!(task["lastError"], "the network refused it with 422 Unprocessable Entity IMSI …0417 is unknown");
    app.finish().await;
}

#[tokio::test]
async fn a_network_that_does_not_know_us_waits_for_an_operator() {
    let (mvne, url) =
        Mvne::with(Script::from([("HLR_PROVISION", vec![(401, json!({})), (200, json!({"status": "done"}))])])).await;
    let app = app_with(&url).await;
    let customer = app.customer(VISA).await;
    let placed = place(&app, &customer).await;
    let task = task_in(&app, "HLR_PROVISION", "stuck").await;
    assert!(task["lastError"].as_str().unwrap().contains("BSS_NETWORK_SECRET"), "{task:#}");
    assert_eq!(order(&app, &placed["id"]).await["state"], "in_progress");
    app.op("provisioning.resolve_stuck", json!({"taskId": task["id"], "note": "the secret was set"})).await.ok();
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    assert_eq!(mvne.heard("HLR_PROVISION").len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn a_network_that_is_away_costs_no_attempt() {
    // Nobody listens there yet.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let app = app_with(&format!("http://{address}/v1")).await;
    let customer = app.customer(VISA).await;
    let placed = place(&app, &customer).await;
    app.until("the network was asked in vain", async || {
        let asked = "select count(*) from provisioning.provisioning_task where polls > 0 and last_error like '%does not answer%'";
        (app.number(asked).await == 4).then_some(())
    })
    .await;
    assert_eq!(order(&app, &placed["id"]).await["state"], "in_progress");
    let mvne = Mvne::default();
    let routes =
        Router::new().route("/v1/tasks", post(told)).route("/v1/tasks/{id}", get(unknown)).with_state(mvne.clone());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    assert_eq!(ended(&app, &placed["id"]).await["state"], "completed");
    assert_eq!(
        app.number("select count(*) from provisioning.provisioning_task where state = 'completed' and attempts = 1")
            .await,
        4
    );
    assert!(mvne.heard("HLR_PROVISION").iter().all(|one| one.method == "POST"), "what it does not know is posted");
    app.finish().await;
}

async fn unknown() -> StatusCode {
    StatusCode::NOT_FOUND
}
