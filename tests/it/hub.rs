//! Listeners outside: registered at the `/hub` of an API, told of its events over real HTTP, signed, again after a failure,
//! parked in the end.

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bss::platform::Platform;
use bss::platform::delivery::{Handlers, Subscribers};
use bss::platform::hub::{Named, Sender, Topic, signature};
use bss::platform::outbox::{self, Event};
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::cluster;
use crate::support::tmf_gate::{Api, validate_request, validate_selection};
use crate::support::workers::{PENDING, Workers, cx};

const CUSTOMERS: &str = "/tmf-api/customerManagement/v4/hub";
const EVERYTHING: &str = "/tmf-api/event/v4/hub";

/// Headers and body of something that a listener was sent.
type Heard = (HeaderMap, Vec<u8>);

/// A listener of ours: remembers what it is sent and answers with a status that the test chooses.
#[derive(Clone)]
struct Listener {
    heard: Arc<Mutex<Vec<Heard>>>,
    status: Arc<AtomicU16>,
    url: String,
}

impl Listener {
    async fn new() -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/listener", socket.local_addr().expect("an address"));
        let listener = Self { heard: Arc::default(), status: Arc::new(AtomicU16::new(204)), url };
        let router = Router::new().route("/listener", post(Self::hear)).with_state(listener.clone());
        tokio::spawn(async move { axum::serve(socket, router).await });
        listener
    }

    fn hear(State(listener): State<Self>, headers: HeaderMap, body: Bytes) -> Ready<Response> {
        listener.heard.lock().expect("nobody panics").push((headers, body.to_vec()));
        let status = StatusCode::from_u16(listener.status.load(Ordering::Relaxed)).expect("a status");
        ready((status, [(header::LOCATION, "http://127.0.0.1:1/elsewhere")]).into_response())
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("nobody panics").clone()
    }
}

async fn register(app: &TestApp, path: &str, listener: &Listener, query: Option<&str>) -> (Value, String) {
    let mut wish = json!({"callback": listener.url});
    if let Some(query) = query {
        wish["query"] = json!(query);
    }
    let made = app.send(Method::POST, path, &wish).await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    assert_eq!(made.headers["location"], format!("{path}/{}", made.body["id"].as_str().expect("an id")));
    let secret = made.headers["x-bss-hub-secret"].to_str().expect("a secret").to_owned();
    assert!(secret.len() >= 32 && !made.body.to_string().contains(&secret));
    (made.body, secret)
}

async fn private() -> TestApp {
    TestApp::with(&[("BSS_HUB_ALLOW_PRIVATE", "true")]).await
}

#[tokio::test]
async fn a_listener_is_told_of_what_it_asked_for_and_can_check_who_told_it() {
    let app = private().await;
    let listener = Listener::new().await;
    let query = "eventType=CustomerCreateEvent,CustomerStateChangeEvent";
    let (hub, secret) = register(&app, CUSTOMERS, &listener, Some(query)).await;
    let customer = app.customer("4242424242424242").await;
    app.settle().await;
    let heard = listener.heard();
    assert_eq!(heard.len(), 1, "the attestation is not among what was asked for");
    let (headers, bytes) = &heard[0];
    let body: Value = serde_json::from_slice(bytes).expect("JSON");
    assert_eq!((&body["eventType"], &body["domain"]), (&json!("CustomerCreateEvent"), &json!("TMF629")));
    let href = format!("/tmf-api/customerManagement/v4/customer/{customer}");
    assert_eq!(body["event"]["customer"], json!({"id": customer, "href": href}));
    assert_eq!(headers["x-bss-event-id"].to_str().ok(), body["eventId"].as_str());
    let signed = headers["x-bss-signature"].to_str().expect("a signature");
    let seconds = signed.trim_start_matches("t=").split(',').next().and_then(|t| t.parse().ok()).expect("seconds");
    assert_eq!(signed, signature(&secret, seconds, bytes));

    let listed = app.op("hub.list", json!({})).await.ok();
    assert_eq!((&listed[0]["id"], &listed[0]["api"]), (&hub["id"], &json!("TMF629")));
    assert!(!listed.to_string().contains(&secret));
    let path = format!("{CUSTOMERS}/{}", hub["id"].as_str().unwrap());
    assert_eq!(
        app.send(Method::DELETE, &path.replace("customerManagement", "productInventory"), &Value::Null).await.status,
        404
    );
    assert_eq!(app.send(Method::DELETE, &path, &Value::Null).await.status, 204);
    assert_eq!(app.send(Method::DELETE, &path, &Value::Null).await.status, 404);
    app.customer("4242424242424242").await;
    app.settle().await;
    assert_eq!(listener.heard().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_whole_activation_is_told_over_tmf688() {
    let app = private().await;
    let listener = Listener::new().await;
    register(&app, EVERYTHING, &listener, None).await;
    let line = app.line("PLAN_M").await;
    app.settle().await;
    let mut told: Vec<String> = listener
        .heard()
        .iter()
        .map(|(_, body)| serde_json::from_slice::<Value>(body).expect("JSON"))
        .map(|body| {
            official(&body);
            let resource =
                body["event"].as_object().and_then(|event| event.values().next().cloned()).unwrap_or_default();
            format!("{} {}", body["eventType"].as_str().unwrap(), resource["href"].as_str().unwrap())
        })
        .collect();
    told.sort();
    let activated =
        format!("ProductStateChangeEvent /tmf-api/productInventory/v4/product/{}", line["id"].as_str().unwrap());
    assert!(told.contains(&activated), "{told:#?}");
    for name in [
        "CustomerCreateEvent",
        "ProductOrderCreateEvent",
        "ServiceOrderCreateEvent",
        "PaymentCreateEvent",
        "PaymentStateChangeEvent",
        "ServiceStateChangeEvent",
        "PaymentMethodCreateEvent",
    ] {
        assert!(told.iter().any(|one| one.starts_with(name)), "{name}: {told:#?}");
    }
    for href in told.iter().filter_map(|one| one.split(' ').nth(1)) {
        assert!(app.get(href).await.status.is_success(), "{href} is a dead link");
    }
    app.finish().await;
}

/// Fails unless the notification is what its API defines of the event, and nothing beyond it.
fn official(body: &Value) {
    let api = body["domain"].as_str().and_then(Api::named).expect("an API that we serve");
    let event = body["eventType"].as_str().expect("an event");
    assert_eq!(validate_selection(api, event, body), Ok(()), "{body:#}");
}

/// Event type and id of the resource of everything that a listener was sent, in some order.
fn told(listener: &Listener) -> Vec<(String, String)> {
    let bodies = listener.heard().into_iter().map(|(_, body)| serde_json::from_slice::<Value>(&body).expect("JSON"));
    let named = bodies.map(|body| {
        official(&body);
        let resource = body["event"].as_object().and_then(|event| event.values().next()).expect("a resource");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&body["eventType"]), text(&resource["id"]))
    });
    let mut named: Vec<_> = named.collect();
    named.sort();
    named
}

#[tokio::test]
async fn a_listener_chooses_among_the_resources() {
    const ORDERS: &str = "/tmf-api/productOrderingManagement/v4/hub";
    let app = private().await;
    let ada = app.customer("4242424242424242").await;
    let bob = app.customer("4242424242424242").await;
    let [theirs, ended, both] = [Listener::new().await, Listener::new().await, Listener::new().await];
    register(&app, ORDERS, &theirs, Some(&format!("productOrder.relatedParty.id={ada}"))).await;
    register(&app, ORDERS, &ended, Some("event.productOrder.state=completed,failed")).await;
    let query = format!("eventType=ProductOrderCreateEvent&productOrder.relatedParty.id={bob}");
    register(&app, ORDERS, &both, Some(&query)).await;
    let first = app.order(&ada, "PLAN_S").await["id"].as_str().expect("an id").to_owned();
    let second = app.order(&bob, "PLAN_S").await["id"].as_str().expect("an id").to_owned();
    app.settle().await;
    let event = |name: &str, id: &str| (format!("ProductOrder{name}Event"), id.to_owned());
    let change = |id: &str| event("StateChange", id);
    assert_eq!(told(&theirs), [event("Create", &first), change(&first), change(&first)]);
    let mut completed = [change(&first), change(&second)];
    completed.sort();
    assert_eq!(told(&ended), completed);
    assert_eq!(told(&both), [event("Create", &second)]);
    app.finish().await;
}

#[tokio::test]
async fn persons_numbers_tasks_refunds_refused_usage_and_notes_have_their_hubs() {
    let app = private().await;
    let hubs = [
        "/tmf-api/party/v4/hub",
        "/tmf-api/resourceInventoryManagement/v4/hub",
        "/tmf-api/ServiceActivationAndConfiguration/v4/hub",
        "/payment/v4/hub",
        "/tmf-api/usageManagement/v4/hub",
        "/tmf-api/partyInteraction/v4/hub",
    ];
    let mut listeners = Vec::new();
    for path in hubs {
        let listener = Listener::new().await;
        register(&app, path, &listener, None).await;
        listeners.push(listener);
    }
    let line = app.line("PLAN_S").await;
    let roaming = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 1, "roamingIndicator": true});
    app.op("usage.simulate", roaming).await.violates("subscription.usage_rated.roaming_balance_required");
    let note = json!({"customerId": line["customerId"], "summary": "asked for roaming"});
    app.op("interaction.log", note).await.ok();
    let payments = app.op("payment.list_attempts", json!({"customerId": line["customerId"]})).await.ok();
    app.op("payment.refund", json!({"paymentAttemptId": payments[0]["id"], "reason": "moved away"})).await.ok();
    app.settle().await;
    let expected: [&[&str]; 6] = [
        &["IndividualCreateEvent", "IndividualStateChangeEvent"],
        &["ResourceStateChangeEvent"],
        &["MonitorCreateEvent", "MonitorStateChangeEvent", "ServiceStateChangeEvent"],
        &["PaymentCreateEvent", "PaymentStateChangeEvent", "RefundCreateEvent", "RefundStateChangeEvent"],
        &["UsageCreateEvent"],
        &["PartyInteractionCreateEvent"],
    ];
    for (listener, expected) in listeners.iter().zip(expected) {
        let mut names: Vec<String> = told(listener).into_iter().map(|(name, _)| name).collect();
        names.dedup();
        assert_eq!(names, expected);
        for (_, body) in listener.heard() {
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let resource = body["event"].as_object().and_then(|event| event.values().next()).expect("a resource");
            let href = resource["href"].as_str().expect("an href");
            assert!(app.get(href).await.status.is_success(), "{href} is a dead link");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_failure_is_tried_again_and_a_listener_that_is_gone_is_parked() {
    let app = private().await;
    let listener = Listener::new().await;
    let (hub, _) = register(&app, CUSTOMERS, &listener, Some("eventType=CustomerCreateEvent")).await;
    listener.status.store(500, Ordering::Relaxed);
    app.customer("4242424242424242").await;
    app.until("it is told a first time", async || (!listener.heard().is_empty()).then_some(())).await;
    // A redirect is no success either, and nobody follows it.
    listener.status.store(302, Ordering::Relaxed);
    app.until("it is told again", async || (listener.heard().len() > 1).then_some(())).await;
    listener.status.store(200, Ordering::Relaxed);
    app.settle().await;
    let ids: Vec<_> = listener.heard().into_iter().map(|(headers, _)| headers["x-bss-event-id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "the same event under the same id");
    let done = app.number("select count(*) from audit.delivery where kind = 'hub' and state = 'done'").await;
    assert_eq!(done, 1);

    listener.status.store(410, Ordering::Relaxed);
    app.customer("4242424242424242").await;
    let parked = app
        .until("it is parked", async || {
            let parked = app.op("queue.parked", json!({})).await.ok();
            parked.as_array().is_some_and(|parked| !parked.is_empty()).then_some(parked)
        })
        .await;
    assert_eq!(parked[0]["consumer"], format!("hub.{}", hub["id"].as_str().unwrap()));
    listener.status.store(204, Ordering::Relaxed);
    let again = json!({"eventId": parked[0]["eventId"], "consumer": parked[0]["consumer"]});
    app.op("queue.replay", again).await.ok();
    app.settle().await;
    app.finish().await;
}

#[tokio::test]
async fn callbacks_lead_to_the_world_and_nowhere_else() {
    let app = TestApp::new().await;
    for callback in [
        "http://127.0.0.1:9/x",
        "http://[::1]/x",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "ftp://example.test/",
        "https://user:secret@example.test/",
        "nowhere",
        "",
        "http://0x7f.1/",
    ] {
        let refused = app.send(Method::POST, CUSTOMERS, &json!({"callback": callback})).await;
        assert_eq!((refused.status.as_u16(), &refused.body["reason"]), (400, &json!("/callback")), "{callback}");
    }
    for query in
        ["eventType=Nothing", "name=x", "eventType=ProductOrderCreateEvent", "product.id=SUB-1", "customer.name=x"]
    {
        let refused =
            app.send(Method::POST, CUSTOMERS, &json!({"callback": "https://example.test/", "query": query})).await;
        assert_eq!((refused.status.as_u16(), &refused.body["reason"]), (400, &json!("/query")), "{query}");
    }
    let refused = app.send(Method::POST, CUSTOMERS, &json!({"callback": "https://example.test/", "more": 1})).await;
    assert_eq!(refused.status, 400);
    // A name is looked at when it is called: this one leads to this machine.
    app.send(Method::POST, CUSTOMERS, &json!({"callback": "http://localhost:9/x"})).await.ok();
    app.customer("4242424242424242").await;
    let error = app
        .until("the call fails", async || {
            let found: Option<String> = sqlx::query_scalar(
                "select last_error from audit.delivery where kind = 'hub' and last_error is not null limit 1",
            )
            .fetch_optional(app.platform.db.pool())
            .await
            .expect("the query is right")
            .flatten();
            found
        })
        .await;
    assert!(error.contains("no address that may be called"), "{error}");
    let mut app = app;
    app.stop().await;
}

#[tokio::test]
async fn registrations_are_official_and_for_administrators() {
    let app = private().await;
    for api in [Api::Tmf629, Api::Tmf688] {
        let schema = &api.definition()["definitions"]["EventSubscriptionInput"];
        assert_eq!(schema["required"], json!(["callback"]), "{api:?}");
    }
    assert!(validate_request(Api::Tmf688, "POST", "Hub", &json!({"callback": "https://example.test/"})).is_ok());
    let token = "b2".repeat(32);
    let response = reqwest_as(&app, &token).await;
    assert_eq!(response, 403, "the portal registers nobody");
    app.finish().await;
}

async fn reqwest_as(app: &TestApp, token: &str) -> u16 {
    crate::support::client::Client::plain()
        .post(app.url(CUSTOMERS))
        .header("x-bss-api-token", token)
        .json(&json!({"callback": "https://example.test/"}))
        .send()
        .await
        .expect("the product answers")
        .status()
        .as_u16()
}

/// A fact about a person, as this version of the product writes it.
#[derive(Serialize)]
struct Moved {
    who: &'static str,
}

/// The same as the next version writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MovedAnew {
    party_id: &'static str,
}

impl Event for Moved {
    const TYPE: &'static str = "person.moved";
    const AGGREGATE: &'static str = "person";
    fn aggregate_id(&self) -> &'static str {
        "elsewhere"
    }
}

impl Event for MovedAnew {
    const TYPE: &'static str = Moved::TYPE;
    const AGGREGATE: &'static str = Moved::AGGREGATE;
    const VERSION: i16 = 2;
    fn aggregate_id(&self) -> &'static str {
        "elsewhere"
    }
}

const fn moved(named: Named) -> Topic {
    Topic {
        event_type: Moved::TYPE,
        api: "TMF632",
        name: "IndividualAttributeValueChangeEvent",
        resource: "individual",
        collection: "/tmf-api/party/v4/individual",
        named,
        state: None,
    }
}

/// A listener gets what its API defines, whichever version is stored; what only a newer process can read is left to it.
#[tokio::test]
async fn the_version_of_a_stored_event_is_not_seen_outside() {
    const OLDER: &[Topic] = &[moved(Named::In("who"))];
    const NEWER: &[Topic] = &[moved(Named::In("partyId"))];
    fn newer() -> Subscribers {
        Subscribers::default().upcast(Moved::TYPE, 1, |payload| json!({ "partyId": payload["who"] }))
    }
    let workers = Workers::new(Subscribers::default, "create table nothing ()").await;
    let listener = Listener::new().await;
    let hub = format!(
        "insert into platform.hub (id, tenant_id, api, callback, event_types, secret, created_by, created_at)
         values ('HUB-1', 'DEFAULT', 'TMF632', '{}', '{{{}}}', 'secret', 'a test', now())",
        listener.url,
        Moved::TYPE
    );
    workers.db.connection().execute_unprepared(&hub).await.expect("registered");
    let platform = cluster::platform(&[("BSS_HUB_ALLOW_PRIVATE", "true")]).await;
    let sender = |db: &bss::platform::db::Db, topics| {
        Handlers::default().hub(Sender::new(Platform { db: db.clone(), ..platform.clone() }, topics))
    };

    let tx = workers.db.begin().await.expect("the database is there");
    outbox::stage(&tx, &cx("newer"), &MovedAnew { party_id: "PTY-2" }).await.expect("staged");
    tx.commit().await.expect("committed");
    workers.replica(|db| sender(db, OLDER)).await;
    let left = "select count(*) from audit.delivery where leased_by is null and attempts = 0
                and next_attempt_at > recorded_at + interval '1 second'";
    workers.until(left, 1).await;
    assert!(listener.heard().is_empty(), "an older process neither tells nor drops what it cannot read");

    let tx = workers.db.begin().await.expect("the database is there");
    outbox::stage(&tx, &cx("older"), &Moved { who: "PTY-1" }).await.expect("staged");
    tx.commit().await.expect("committed");
    workers.replica_of(newer, |db| sender(db, NEWER)).await;
    workers.until(PENDING, 0).await;
    let event = "IndividualAttributeValueChangeEvent".to_owned();
    assert_eq!(told(&listener), [(event.clone(), "PTY-1".to_owned()), (event, "PTY-2".to_owned())]);
    workers.end().await;
}
