//! The product in-process, on a database of its own, spoken to over real HTTP.

use std::time::{Duration, Instant};

use bss::app::compose::App;
use bss::app::metrics;
use bss::app::serve::{self, Running};
use bss::platform::Platform;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::Client;
use super::{cluster, record};

/// How long a test waits for a condition before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A running product. End it with [`TestApp::finish`], which fails when work is left.
pub(crate) struct TestApp {
    pub(crate) platform: Platform,
    running: Option<Running>,
    client: reqwest::Client,
    base: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of a success; panics with the body otherwise.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {:#}", self.status, self.body);
        self.body
    }

    /// Asserts that a rule was broken, and answers the body.
    #[track_caller]
    pub(crate) fn violates(self, rule: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["reason"].as_str()), (422, Some(rule)), "{:#}", self.body);
        self.body
    }
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With changed variables.
    pub(crate) async fn with(changes: &[(&str, &str)]) -> Self {
        Self::on(cluster::platform(changes).await).await
    }

    /// On a platform that the test prepared.
    pub(crate) async fn on(platform: Platform) -> Self {
        let running = serve::start(&platform, metrics::install()).await.expect("the product starts");
        let base = format!("http://{}", running.api_addr.expect("it serves"));
        let client = Client::plain();
        Self { platform, running: Some(running), client, base }
    }

    /// The joined domains.
    pub(crate) fn product(&self) -> &App {
        &self.running.as_ref().expect("it runs").app
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Host and port of the API.
    pub(crate) fn address(&self) -> String {
        self.base.trim_start_matches("http://").to_owned()
    }

    /// Sends a request as `default`, with a JSON body unless it is null.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send_with(method, path, body, &[]).await
    }

    pub(crate) async fn send_with(&self, method: Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            self.client.request(method.clone(), self.url(path)).header("x-bss-api-token", "a1".repeat(32));
        if !headers.iter().any(|(name, _)| *name == "x-bss-actor") {
            request = request.header("x-bss-actor", "tester");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.expect("the product answers");
        let (status, headers) = (response.status(), response.headers().clone());
        record::request(method.as_str(), path, status.as_u16());
        let text = response.text().await.expect("the body arrives");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &Value::Null).await
    }

    /// Runs an operation.
    pub(crate) async fn op(&self, name: &str, arguments: Value) -> Answer {
        self.send(Method::POST, &format!("/ops/v1/{name}"), &arguments).await
    }

    /// A verified customer with a card; answers its id.
    pub(crate) async fn customer(&self, card: &str) -> String {
        let unique = self.platform.ids.short("t");
        let customer = self
            .op("customer.create", json!({"name": "Ada Lovelace", "email": format!("{unique}@example.test")}))
            .await
            .ok();
        let id = customer["id"].as_str().expect("a customer has an id").to_owned();
        self.op("customer.attest_kyc", json!({"customerId": id, "attestationToken": unique})).await.ok();
        self.op("payment.add_card", json!({"customerId": id, "cardNumber": card})).await.ok();
        id
    }

    /// An order of the plan for the customer, in whatever state it ends; answers the order.
    pub(crate) async fn order(&self, customer: &str, plan: &str) -> Value {
        let order = self.op("order.create", json!({"customerId": customer, "offeringId": plan})).await.ok();
        let id = order["id"].as_str().expect("an order has an id").to_owned();
        self.until("the order ends", async || {
            let order = self.op("order.get", json!({"orderId": id})).await.ok();
            let ended = matches!(order["state"].as_str(), Some("completed" | "failed" | "cancelled"));
            ended.then_some(order)
        })
        .await
    }

    /// A new customer's active line on the plan; answers the subscription.
    pub(crate) async fn line(&self, plan: &str) -> Value {
        let customer = self.customer("4242424242424242").await;
        let order = self.order(&customer, plan).await;
        assert_eq!(order["state"], "completed", "{order:#}");
        let id = order["items"][0]["targetSubscriptionId"].clone();
        self.op("subscription.get", json!({"subscriptionId": id})).await.ok()
    }

    /// Waits until `condition` answers something.
    pub(crate) async fn until<T>(&self, what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every delivery has come to its end.
    pub(crate) async fn settle(&self) {
        self.until("all deliveries end", async || {
            let pending: i64 = self.number("select count(*) from audit.delivery where state = 'pending'").await;
            (pending == 0).then_some(())
        })
        .await;
    }

    /// One number from the database.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.platform.db.pool()).await.expect("the query is right")
    }

    /// Runs one statement, for what no operation may do.
    pub(crate) async fn sql(&self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(self.platform.db.pool()).await.expect("the statement is right").rows_affected()
    }

    /// The books balance.
    pub(crate) async fn assert_books(&self) {
        let report = self.op("audit.verify", json!({})).await.ok();
        let wrong: Vec<&Value> =
            report["checks"].as_array().expect("checks").iter().filter(|check| check["ok"] != true).collect();
        assert!(wrong.is_empty(), "{}", serde_json::to_string_pretty(&wrong).expect("JSON"));
    }

    /// Ends the product; fails when work is pending or parked, or the books do not balance.
    pub(crate) async fn finish(mut self) {
        self.settle().await;
        let parked: Vec<(String, String)> =
            sqlx::query_as("select consumer, last_error from audit.delivery where state = 'parked'")
                .fetch_all(self.platform.db.pool())
                .await
                .expect("the query is right");
        assert!(parked.is_empty(), "parked deliveries: {parked:?}");
        self.assert_books().await;
        self.stop().await;
    }

    /// Ends the product as it is.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
            self.platform.db.close().await;
        }
    }
}
