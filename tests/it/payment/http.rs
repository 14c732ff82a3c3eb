//! TMF676, as a caller sees it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::{Router, middleware};
use bss::domains::payment;
use bss::platform::http::{Edge, Limits, layers};
use bss::platform::perimeter::TokenMap;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::world::World;
use crate::support::tmf_gate::{Api, validate, validate_extended, validate_request};

struct Api676 {
    world: World,
    router: Router,
}

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: Value,
}

impl Api676 {
    async fn new() -> Self {
        let world = World::new().await;
        let tokens = TokenMap::new(&[("BSS_API_TOKEN".to_owned(), "a1".repeat(32))], &[]).expect("a good token");
        let edge =
            Arc::new(Edge::new(tokens, world.platform.clock.clone(), world.platform.ids.clone(), Limits::default()));
        let router =
            payment::router(Arc::clone(&world.payments)).layer(middleware::from_fn_with_state(edge, layers::guard));
        Self { world, router }
    }

    async fn send(&self, method: &str, path: &str, body: &Value, key: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("x-bss-api-token", "a1".repeat(32));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.header("content-type", "application/json").body(body).expect("a good request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null, None).await
    }

    async fn post(&self, body: &Value) -> Answer {
        self.send("POST", "/payment/v4/payment", body, None).await
    }
}

#[track_caller]
fn assert_official(payment: &Value) {
    assert_eq!(validate(Api::Tmf676, "Payment", payment), Ok(()), "{payment:#}");
}

fn wish(correlator: &str) -> Value {
    json!({
        "correlatorId": correlator,
        "description": "Replacement card",
        "account": {"id": "ACC-active"},
        "payer": {"id": "CUST-active", "@referredType": "Customer"},
        "paymentMethod": {"id": "PM-0001"},
        "totalAmount": {"unit": "SGD", "value": 5.05}
    })
}

#[tokio::test]
async fn a_payment_by_hand_waits_for_its_outcome() {
    let api = Api676::new().await;
    api.world.customer("active", "4242424242424242").await;
    let created = api.post(&wish("desk-551")).await;
    assert_eq!(created.status, StatusCode::CREATED, "{:#}", created.body);
    assert_official(&created.body);
    let href = created.body["href"].as_str().expect("a link");
    assert_eq!(created.headers["location"], href);
    assert_eq!((&created.body["status"], &created.body["correlatorId"]), (&"done".into(), &"desk-551".into()));
    assert_eq!(created.body["totalAmount"], json!({"unit": "SGD", "value": 5.05}));
    assert_eq!(created.body["paymentItem"][0]["item"]["id"], "ACC-active");
    let read = api.get(href).await;
    assert_eq!((read.status, read.body), (200, created.body.clone()));
    assert_eq!(read.headers["etag"], "\"2\"");

    let again = api.post(&wish("desk-551")).await;
    assert_eq!((again.status, again.body["reason"].as_str()), (422, Some("payment.charge.business_key_in_use")));
    assert_eq!(again.body["context"]["paymentAttemptId"], created.body["id"]);
    let balances = [("gateway_clearing".to_owned(), 505), ("revenue:manual".to_owned(), -505)];
    assert_eq!(api.world.balances().await, balances);
    api.world.finish().await;
}

/// Sends the request twice with one key while `held` is locked, so that one of them comes while the other one is under way.
/// Answers both, in the order of their statuses.
async fn twins(api: &Api676, held: &str, path: &str, body: &Value) -> [Answer; 2] {
    let mut tx = api.world.platform.db.pool().begin().await.expect("the database answers");
    sqlx::query(sqlx::AssertSqlSafe(held)).execute(&mut *tx).await.expect("the statement is right");
    let send = || api.send("POST", path, body, Some("k-1"));
    let release = async {
        let waits =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        api.world.until("both wait", async || (api.world.number(waits).await == 2).then_some(())).await;
        tx.rollback().await.expect("the database answers");
    };
    let (one, two, ()) = tokio::join!(send(), send(), release);
    if one.status < two.status { [one, two] } else { [two, one] }
}

#[tokio::test]
async fn a_twin_of_a_payment_or_refund_under_way_is_a_conflict_and_no_refusal() {
    let api = Api676::new().await;
    api.world.customer("active", "4242424242424242").await;
    let cards = "select pg_advisory_xact_lock(hashtextextended('payment_method:DEFAULT:CUST-active', 0))";
    let [first, second] = twins(&api, cards, "/payment/v4/payment", &wish("desk-551")).await;
    assert_eq!((first.status, second.status), (201, 409), "{:#} {:#}", first.body, second.body);
    let again = api.send("POST", "/payment/v4/payment", &wish("desk-551"), Some("k-1")).await;
    assert_eq!((again.status, &again.body), (201, &first.body));

    let mut wish = wish("desk-551");
    wish["payment"] = json!({"id": first.body["id"]});
    for of_payments in ["correlatorId", "payer"] {
        wish.as_object_mut().expect("an object").remove(of_payments);
    }
    let attempt = "select 1 from payment.payment_attempt for update";
    let [first, second] = twins(&api, attempt, "/payment/v4/refund", &wish).await;
    assert_eq!((first.status, second.status), (201, 409), "{:#} {:#}", first.body, second.body);
    let reason = second.body["message"].as_str().unwrap_or_default();
    assert!(reason.contains("Idempotency-Key"), "not that it is given back already: {:#}", second.body);
    let again = api.send("POST", "/payment/v4/refund", &wish, Some("k-1")).await;
    assert_eq!((again.status, &again.body["id"]), (201, &first.body["id"]));
    api.world.finish().await;
}

#[tokio::test]
async fn official_attributes_are_kept_and_echoed() {
    let api = Api676::new().await;
    api.world.customer("active", "4242424242424242").await;
    let mut wish = wish("desk-551");
    wish["taxAmount"] = json!({"unit": "SGD", "value": 0.42});
    wish["channel"] = json!({"id": "shop", "name": "Orchard Road"});
    wish["account"]["description"] = json!("hers");
    assert_eq!(validate_request(Api::Tmf676, "POST", "Payment", &wish), Ok(()));
    let created = api.post(&wish).await;
    assert_eq!(created.status, StatusCode::CREATED, "{:#}", created.body);
    assert_official(&created.body);
    assert_eq!(created.body["taxAmount"], wish["taxAmount"]);
    assert_eq!(created.body["channel"], wish["channel"]);
    assert_eq!(created.body["account"]["description"], "hers");
    assert_eq!(created.body["account"]["name"], "Prepaid account", "what is ours stays ours");
    assert_eq!(api.get(created.body["href"].as_str().expect("a link")).await.body, created.body);
    wish["correlatorId"] = json!("desk-552");
    wish["loyalty"] = json!({"tier": "gold"});
    assert_eq!(api.post(&wish).await.body["reason"], "/loyalty");
    wish["@schemaLocation"] = json!("https://example.test/loyalty.json");
    let extended = api.post(&wish).await;
    assert_eq!((extended.status, &extended.body["loyalty"]), (201, &wish["loyalty"]), "{:#}", extended.body);
    assert_eq!(
        validate_extended(Api::Tmf676, "Payment", &extended.body, &["https://example.test/loyalty.json"]),
        Ok(())
    );
    api.world.finish().await;
}

#[tokio::test]
async fn a_declined_card_is_an_outcome_and_a_slow_one_is_pending() {
    let api = Api676::new().await;
    api.world.customer("active", "4000000000009995").await;
    let mut anonymous = wish("unused");
    anonymous.as_object_mut().expect("an object").remove("correlatorId");
    let denied = api.send("POST", "/payment/v4/payment", &anonymous, Some("k-1")).await;
    assert_eq!((denied.status, denied.body["status"].as_str()), (201, Some("denied")), "{:#}", denied.body);
    assert_official(&denied.body);
    let business_key = format!("manual:{}", denied.body["id"].as_str().expect("an id"));
    assert_eq!(
        (&denied.body["statusReason"], &denied.body["correlatorId"]),
        (&"insufficient_funds".into(), &business_key.into())
    );
    let replayed = api.send("POST", "/payment/v4/payment", &anonymous, Some("k-1")).await;
    assert_eq!((replayed.status, replayed.body), (201, denied.body));

    api.world.gateway.fail_next([
        bss::domains::payment::port::gateway::GatewayError::Timeout,
        bss::domains::payment::port::gateway::GatewayError::Timeout,
    ]);
    let pending = api.post(&wish("desk-552")).await;
    assert_eq!((pending.status, pending.body["code"].as_str()), (503, Some("UNAVAILABLE")), "{:#}", pending.body);
    let id = pending.body["context"]["paymentAttemptId"].as_str().expect("the payment goes on").to_owned();
    let read = api.get(&format!("/payment/v4/payment/{id}")).await;
    assert_eq!(read.body["status"], "pendingAuthorization");
    assert_official(&read.body);
    api.world.settled(&id.parse().expect("an id")).await;
    assert_eq!(api.get(&format!("/payment/v4/payment/{id}")).await.body["status"], "denied");
    api.world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused_before_anything_is_written() {
    let api = Api676::new().await;
    api.world.customer("active", "4242424242424242").await;
    api.world.customer("active-other", "4242424242424242").await;
    let changed = |pointer: &str, value: Value| {
        let mut body = wish("desk-1");
        *body.pointer_mut(pointer).expect("it is there") = value;
        body
    };
    for (body, status, reason) in [
        (changed("/account/id", json!("ACC-unknown")), 400, "/account/id"),
        (changed("/payer/id", json!("CUST-active-other")), 400, "/payer/id"),
        (changed("/paymentMethod/id", json!("PM-0002")), 422, "payment.charge.customer_matches_method"),
        (changed("/paymentMethod/id", json!("PM-9999")), 422, "payment.charge.method_not_found"),
        (changed("/totalAmount/value", json!(0)), 422, "payment.charge.positive_amount"),
        (changed("/totalAmount/value", json!(-5)), 422, "payment.charge.positive_amount"),
        (changed("/totalAmount/value", json!(5.001)), 400, "/totalAmount/value"),
        (changed("/totalAmount/unit", json!("USD")), 400, "/totalAmount/unit"),
        (changed("/correlatorId", json!("")), 400, "/correlatorId"),
        (changed("/description", json!({"a": 1})), 400, "/description"),
        (json!({"account": {"id": "ACC-active"}}), 400, "/paymentMethod"),
    ] {
        let answer = api.post(&body).await;
        assert_eq!(
            (answer.status, answer.body["reason"].as_str()),
            (status, Some(reason)),
            "{body:#}\n{:#}",
            answer.body
        );
    }
    for (attribute, value) in [("cashback", json!(1)), ("paymentItem", json!([])), ("authorizationCode", json!("x"))] {
        let mut unknown = wish("desk-1");
        unknown[attribute] = value;
        let answer = api.post(&unknown).await;
        assert_eq!((answer.status, answer.body["reason"].as_str()), (400, Some(format!("/{attribute}").as_str())));
    }
    assert_eq!(api.get("/payment/v4/payment/PAY-999999").await.status, 404);
    assert_eq!(api.send("DELETE", "/payment/v4/payment/PAY-000001", &Value::Null, None).await.status, 405);
    assert_eq!(api.world.number("select count(*) from payment.payment_attempt").await, 0);
    api.world.finish().await;
}

#[tokio::test]
async fn payments_are_listed_filtered_and_paged() {
    let api = Api676::new().await;
    let ada = api.world.customer("active", "4242424242424242").await;
    let bob = api.world.customer("active-other", "4000000000000002").await;
    for number in 0..3 {
        api.world.charge(&ada, &format!("renewal:SUB-0001:{number}")).await;
    }
    api.world.charge(&bob, "activation:ORD-0001").await;
    let ids = async |query: &str| {
        let answer = api.get(&format!("/payment/v4/payment{query}")).await;
        assert!(answer.status < 300, "{query}: {:#}", answer.body);
        answer
            .body
            .as_array()
            .expect("a list")
            .iter()
            .map(|p| p["id"].as_str().expect("an id").to_owned())
            .collect::<Vec<_>>()
    };
    let all = api.get("/payment/v4/payment").await;
    assert_eq!((all.status, all.headers["x-total-count"].to_str().ok()), (200, Some("4")));
    all.body.as_array().expect("a list").iter().for_each(assert_official);
    assert_eq!(ids("").await, ["PAY-000004", "PAY-000003", "PAY-000002", "PAY-000001"]);
    for query in [
        "?payer.id=CUST-active-other",
        "?account.id=ACC-active-other",
        "?status=denied",
        "?correlatorId=activation:ORD-0001",
        "?paymentMethod.id=PM-0002",
        "?id=PAY-000004&name=renewal",
    ] {
        assert_eq!(ids(query).await, ["PAY-000004"], "{query}");
    }
    assert_eq!(ids("?status=done,denied&sort=paymentDate").await.len(), 4);
    assert_eq!(ids("?paymentItem.item.id=SUB-0001&statusDate.gt=2020-01-01T00:00:00Z").await.len(), 4);
    let page = api.get("/payment/v4/payment?limit=3&fields=status").await;
    assert_eq!(page.status, 206);
    assert_eq!(
        page.body[0].as_object().expect("an object").keys().collect::<Vec<_>>(),
        ["id", "href", "status", "@type"]
    );
    assert_eq!(api.get("/payment/v4/payment?status=paid").await.status, 400);
    assert_eq!(api.get("/payment/v4/payment?token=x").await.status, 400);
    api.world.finish().await;
}
