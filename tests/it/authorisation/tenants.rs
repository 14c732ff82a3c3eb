//! An identity of another tenant, with all scopes, that knows the ids of the first one: it sees nothing of it and moves nothing.

use std::collections::BTreeMap;

use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};

use super::{example, listen, token, tokens_of};
use crate::support::app::TestApp;
use crate::support::raw::{Request, Response};
use crate::support::routes::Route;
use crate::support::samples;

/// Moved by the passage of time, not by requests.
const CLOCKWORK: [&str; 2] = ["platform.replica", "platform.tick"];

/// What says "not found" in other words: the rule or the place in the body, and why.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("usage.record.subscription_must_exist", "usage of a number that no line of the tenant has"),
    ("catalog.price.no_active_row", "a plan that is not there has no price"),
    ("/bucket/id", "the body names a bucket that there is not"),
];

/// What takes an id of the first tenant and does its work on what is its own.
const UNMOVED: &[(&str, &str)] = &[
    ("POST /ops/v1/customer.create", "an address is unique within its tenant"),
    ("POST /ops/v1/usage.import_batch", "each record has its outcome; these have no line"),
];

/// What is the same for every tenant.
const SHARED: &[(&str, &str)] = &[
    ("GET /health", "the process"),
    ("GET /health/live", "the process"),
    ("GET /health/ready", "the process"),
    ("GET /metrics", "figures of the process; labels hold no ids"),
    ("GET /openapi.json", "the document"),
    ("GET /ops/v1", "the registry"),
    ("POST /ops/v1/clock.now", "the product clock"),
    ("POST /ops/v1/operator.profile", "the installation has one operator's profile"),
    ("GET /tmf-api/usageManagement/v4/usageSpecification", "the kinds of usage are fixed"),
    ("GET /tmf-api/usageManagement/v4/usageSpecification/{id}", "the kinds of usage are fixed"),
];

const CONSUMPTION: &str = "/queryUsageConsumption";

/// A tenant with something of everything.
struct World {
    /// What an id of that kind looks like in the samples, and a real one.
    ids: Vec<(Regex, String)>,
    /// What no answer to others may hold.
    secrets: Vec<String>,
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().expect("there is an id").to_owned()
}

impl World {
    async fn new(app: &TestApp) -> Self {
        let line = app.line("PLAN_M").await;
        let (customer, id, msisdn) = (text(&line["customerId"]), text(&line["id"]), text(&line["msisdn"]));
        let used = json!({"msisdn": msisdn, "eventType": "data", "quantity": 5});
        let usage = text(&app.op("usage.simulate", used).await.ok()["id"]);
        let bought = json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"});
        app.op("subscription.purchase_vas", bought).await.ok();
        let category = "/tmf-api/productCatalogManagement/v4/category";
        app.send(Method::POST, category, &json!({"name": "Travel"})).await.ok();
        let promotion = json!({"promotionId": "PROMO_FIRST", "discountType": "percent", "discountValue": "20",
            "durationKind": "single", "audience": "targeted"});
        app.op("promo.create", promotion).await.ok();
        app.op("promo.assign", json!({"promotionId": "PROMO_FIRST", "customerIds": [customer]})).await.ok();
        app.settle().await;
        let order = text(&line["commercialOrderId"]);
        let service_orders = app.op("service_order.list_for_order", json!({"orderId": order})).await.ok();
        let tasks = app.op("provisioning.list_tasks", json!({"serviceOrderId": service_orders[0]["id"]})).await.ok();
        let services = app.op("service.list_for_subscription", json!({"subscriptionId": id})).await.ok();
        let esim = app.op("subscription.get_esim_activation", json!({"subscriptionId": id})).await.ok();
        let events = app.op("events.list", json!({"aggregateId": order, "limit": 1})).await.ok();
        let messages = app.op("communication.list", json!({"customerId": customer})).await.ok();
        let cards = app.op("payment.list_methods", json!({"customerId": customer})).await.ok();
        let attempts = app.op("payment.list_attempts", json!({"customerId": customer})).await.ok();
        let back = json!({"paymentAttemptId": attempts[0]["id"], "reason": "Bought by mistake"});
        app.op("payment.refund", back).await.ok();
        app.settle().await;
        let view = app.op("customer.get", json!({"customerId": customer})).await.ok();
        let event = &events["events"][0];
        let media = view["contactMedium"].as_array().expect("there is an address");
        let mail = media.iter().find(|medium| medium["mediumType"] == "email").map(|medium| text(&medium["value"]));
        let mail = mail.expect("there is an address");
        let ids = [
            ("CUST-[0-9a-f]{12}", customer.clone()),
            ("ACC-[0-9a-f]{12}", text(&view["accountId"])),
            (r"ORD-\d{4}", order),
            (r"SUB-\d{4}", id),
            (r"PM-\d{4}", text(&cards[0]["id"])),
            (r"PAY-\d{6}", text(&attempts["attempts"].get(0).unwrap_or(&attempts[0])["id"])),
            (r"UE-\d{6}", usage),
            (r"SVC-\d{4}", text(&services[0]["id"])),
            (r"SO-\d{4}", text(&service_orders[0]["id"])),
            (r"PTK-\d{4}", text(&tasks[0]["id"])),
            ("MSG-[0-9a-f]{12}", text(&messages[0]["id"])),
            ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", text(&event["eventId"])),
            ("[0-9a-f]{32}", text(&event["traceId"])),
            (r"\b9000\d{4}\b", msisdn),
            (r"\b89\d{17}\b", text(&esim["iccid"])),
            ("ada@example.test", mail),
            ("PROMO_VIP", "PROMO_FIRST".to_owned()),
        ];
        let secrets = ids.iter().map(|(_, real)| real.clone()).chain([text(&esim["activationCode"])]);
        let secrets = secrets.collect();
        let ids = ids.into_iter().map(|(sample, real)| (Regex::new(sample).expect("the pattern is right"), real));
        Self { ids: ids.collect(), secrets }
    }

    /// A body of the documents, with what there really is in the place of its ids.
    fn real(&self, sample: &Value) -> String {
        let text = sample.to_string();
        self.ids.iter().fold(text, |text, (sample, real)| sample.replace_all(&text, real.as_str()).into_owned())
    }

    /// The first thing in an answer that others must not see, apart from what they said themselves.
    fn leak(&self, request: &str, answer: &Response) -> Option<&String> {
        let said = String::from_utf8_lossy(&answer.body);
        self.secrets.iter().find(|secret| said.contains(secret.as_str()) && !request.contains(secret.as_str()))
    }

    fn names(&self, request: &str) -> bool {
        self.secrets.iter().any(|secret| request.contains(secret.as_str()))
    }
}

/// Rows of the tenant DEFAULT, and of tables that belong to none: how many, and a hash over them.
async fn books(app: &TestApp) -> BTreeMap<String, (i64, String)> {
    let tables: Vec<(String, bool)> = sqlx::query_as(
        "select table_schema || '.' || table_name,
                exists (select from information_schema.columns c
                        where c.table_schema = t.table_schema and c.table_name = t.table_name
                          and c.column_name = 'tenant_id')
         from information_schema.tables t
         where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE' order by 1",
    )
    .fetch_all(app.platform.db.pool())
    .await
    .expect("the catalog answers");
    let mut books = BTreeMap::new();
    for (table, of_tenants) in tables.into_iter().filter(|(table, _)| !CLOCKWORK.contains(&table.as_str())) {
        let only = if of_tenants { "where tenant_id = 'DEFAULT'" } else { "" };
        let query =
            format!("select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from {table} t {only}");
        let state = sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_one(app.platform.db.pool()).await;
        books.insert(table, state.expect("a table can be read"));
    }
    books
}

struct Look<'a> {
    app: &'a TestApp,
    world: World,
    address: String,
}

impl Look<'_> {
    async fn send(&self, method: &Method, target: &str, body: Option<&str>) -> Response {
        let mut request =
            Request::new(method.clone(), target).header("X-BSS-API-Token", token("c9")).header("X-BSS-Actor", "tester");
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        request.send(&self.address).await
    }

    /// The path of a route with the id of something that the first tenant has. That it has it is asserted.
    async fn target(&self, route: &Route) -> String {
        // Consumption is asked for of a line, never as a whole.
        if let Some(collection) = route.path.split("/{id}").next().filter(|path| path.ends_with(CONSUMPTION)) {
            let line = self.world.real(&json!("SUB-0001")).replace('"', "");
            let by_id = route.path.contains("{id}");
            let target = if by_id {
                format!("{collection}/{line}")
            } else {
                format!("{collection}?usageConsumption.product.id={line}")
            };
            assert!(!is_empty(&self.app.get(&target).await.ok()), "{target}");
            return target;
        }
        let Some(collection) = route.path.strip_suffix("/{id}") else { return route.path.clone() };
        if collection.ends_with("/hub") {
            let made =
                self.app.send(Method::POST, collection, &json!({"callback": "https://example.test/"})).await.ok();
            return format!("{collection}/{}", text(&made["id"]));
        }
        let listed = self.app.get(&format!("{collection}?limit=1")).await.ok();
        assert!(!is_empty(&listed), "the first tenant has nothing at {collection}");
        let target = format!("{collection}/{}", text(&listed[0]["id"]));
        self.app.get(&target).await.ok();
        target
    }

    /// What somebody of another tenant is told, as a word; or what is wrong with that.
    async fn at(&self, route: &Route, target: &str) -> Result<&'static str, String> {
        let name = route.name();
        let body = match (route.operation_name(), &route.method) {
            (Some(_), _) => Some(self.world.real(&example(route))),
            (None, &Method::POST) if target.ends_with("/hub") => {
                Some(json!({"callback": "https://example.test/"}).to_string())
            }
            (None, &Method::POST | &Method::PATCH) => {
                let sample = samples::request(route).ok_or_else(|| format!("docs/TMF.md has no sample of {name}"))?;
                Some(self.world.real(&sample))
            }
            _ => None,
        };
        let request = format!("{target} {}", body.as_deref().unwrap_or_default());
        let answer = self.send(&route.method, target, body.as_deref()).await;
        let (status, said) = (answer.status, answer.json());
        let fault = |what: &str| {
            let body: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
            Err(format!("{name} {what}: {status} {body} to {request}"))
        };
        if SHARED.iter().any(|(shared, _)| *shared == name) {
            return if status == 200 { Ok("shared") } else { fault("is not shared") };
        }
        if let Some(secret) = self.world.leak(&request, &answer) {
            return fault(&format!("tells {secret}"));
        }
        if route.operation["x-bss-reach"] == "installation" {
            return if status == 403 { Ok("403") } else { fault("concerns the whole installation") };
        }
        let says_so = said["message"].as_str().is_some_and(|message| message.starts_with("There is no such"));
        let in_other_words = OTHER_WORDS.iter().any(|(reason, _)| said["reason"] == *reason);
        let may_act = !self.world.names(&request) || UNMOVED.iter().any(|(unmoved, _)| *unmoved == name);
        match status {
            404 => Ok("not found"),
            400 | 422 if says_so || in_other_words => Ok("not found"),
            200 if is_empty(&said) => Ok("nothing"),
            200 | 201 if is_write(route) && may_act => Ok("own"),
            200 if holds_only_counts(&said) => Ok("nothing"),
            _ => fault("does not say that it is not there"),
        }
    }
}

/// Whether a route changes something.
fn is_write(route: &Route) -> bool {
    match route.operation["x-bss-effect"].as_str() {
        Some(effect) => effect != "read",
        None => route.method != Method::GET,
    }
}

/// Whether an answer is an object of figures, all of them zero, or of lists, all of them empty.
fn holds_only_counts(answer: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.values().all(|value| value == 0),
        // What the request itself said: anything else was looked for.
        Value::Null | Value::String(_) => true,
        Value::Bool(_) => false,
    };
    answer.as_object().is_some_and(|members| members.values().all(is_nothing))
}

/// Whether an answer holds nothing: an empty list, or one in an envelope.
fn is_empty(answer: &Value) -> bool {
    match answer {
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => {
            let mut lists = members.values().filter_map(Value::as_array).peekable();
            lists.peek().is_some() && lists.all(Vec::is_empty)
        }
        _ => false,
    }
}

/// For each route, what an identity of another tenant is told.
pub(super) async fn look(app: &TestApp, routes: &[Route]) -> Vec<&'static str> {
    let address = listen(app, tokens_of("c9").in_tenant("OTHER")).await;
    let look = Look { app, world: World::new(app).await, address };
    // The first tenant registers listeners for this look, before anything is compared.
    let mut targets = Vec::new();
    for route in routes {
        targets.push(look.target(route).await);
    }
    let before = books(app).await;
    let (mut words, mut wrong) = (vec![""; routes.len()], Vec::new());
    // While the other tenant has nothing of its own, whatever it reads is the first one's: reads come first.
    for writes in [false, true] {
        for (n, (route, target)) in routes.iter().zip(&targets).enumerate().filter(|(_, (r, _))| is_write(r) == writes)
        {
            match look.at(route, target).await {
                Ok(word) => words[n] = word,
                Err(fault) => wrong.push(fault),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.settle().await;
    let after = books(app).await;
    let moved: Vec<&String> = before.keys().filter(|table| before.get(*table) != after.get(*table)).collect();
    assert!(moved.is_empty(), "rows of the first tenant changed in {moved:?}");
    words
}
