//! The edge of the API: who gets in, as whom, and what everybody else is told. Which scope opens which route: `authorisation`.

use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::raw::{Request, Response, exchange};
use crate::support::routes::{Route, document, routes};

/// The token of the identity `portal_self_serve` in the test configuration; it reads and writes.
fn portal() -> String {
    "b2".repeat(32)
}

fn request(route: &Route) -> Request {
    let request = Request::new(route.method.clone(), route.target("none"));
    // Malformed, so that nothing happens where the caller is let in.
    if route.method == Method::GET { request } else { request.header("Content-Type", "application/json").body("{") }
}

#[track_caller]
fn refused(answer: &Response, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.json());
    assert_eq!(answer.fault_as_error(), None);
}

#[tokio::test]
async fn every_route_asks_for_a_valid_token() {
    let mut app = TestApp::new().await;
    let address = app.address();
    let mut open = 0;
    for route in routes(&document(&app).await) {
        let name = format!("{} {}", route.method, route.path);
        let without = request(&route).send(&address).await;
        if route.is_open() {
            open += 1;
            assert_eq!(without.status, 200, "{name}");
            continue;
        }
        refused(&without, 401, "AUTH_MISSING_TOKEN");
        assert_eq!(without.header("www-authenticate"), Some("Bearer"), "{name}");
        for wrong in ["a1".repeat(31), "A1".repeat(32), "z".into(), "a1".repeat(33)] {
            refused(&request(&route).header("X-BSS-API-Token", wrong).send(&address).await, 401, "AUTH_INVALID_TOKEN");
        }
        let let_in = |answer: Response| assert!(!matches!(answer.status, 401 | 403), "{name}: {}", answer.json());
        let_in(request(&route).authenticated().send(&address).await);
        let_in(request(&route).header("Authorization", format!("Bearer {}", "a1".repeat(32))).send(&address).await);
    }
    assert_eq!(open, 3, "health, and nothing else, is open");
    app.stop().await;
}

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let mut app = TestApp::new().await;
    let address = app.address();
    let targets = ["/health", "/ops/v1", "/nowhere", "/ops/v1/none", "/tmf-api/customerManagement/v4/customer/none"];
    for target in targets {
        for authenticated in [true, false] {
            let ask = || {
                let request = Request::new(Method::GET, target);
                if authenticated { request.authenticated() } else { request }
            };
            let answer = ask().header("X-Request-Id", "order-7/a").send(&address).await;
            assert_eq!(answer.header("x-request-id"), Some("order-7/a"), "{target}");
            for useless in ["", "two words", "r\u{e9}", &"x".repeat(129)] {
                let answer = ask().header("X-Request-Id", useless).send(&address).await;
                let id = answer.header("x-request-id").expect("an id of ours");
                assert!(uuid::Uuid::parse_str(id).is_ok(), "{target}: {id}");
            }
            if ask().send(&address).await.status >= 400 {
                assert_eq!(ask().send(&address).await.fault_as_error(), None, "{target}");
            }
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn the_token_alone_says_who_calls() {
    let app = TestApp::new().await;
    let pretending = |request: Request| {
        let request = request.header("X-BSS-API-Token", portal()).header("X-BSS-Service-Identity", "operator_cockpit");
        request.header("X-BSS-Tenant", "OTHER").header("X-BSS-Scopes", "admin").header("X-BSS-Actor", "CUST-1")
    };
    let create = Request::new(Method::POST, "/ops/v1/customer.create")
        .json(&json!({ "name": "Ada Lovelace", "email": "ada@example.test" }));
    let created = pretending(create).send(&app.address()).await;
    assert_eq!(created.status, 200, "{}", created.json());
    let event = app
        .op("events.list", json!({ "aggregateId": created.json()["id"], "eventType": "customer.created" }))
        .await
        .ok();
    let event = &event["events"][0];
    assert_eq!(event["serviceIdentity"], "portal_self_serve");
    assert_eq!(
        (&event["tenantId"], &event["actor"], &event["channel"]),
        (&json!("DEFAULT"), &json!("CUST-1"), &json!("portal-self-serve"))
    );
    let freeze = pretending(Request::new(Method::POST, "/ops/v1/clock.freeze").json(&json!({})));
    refused(&freeze.send(&app.address()).await, 403, "FORBIDDEN");
    app.finish().await;
}

#[tokio::test]
async fn every_refusal_of_the_edge_has_the_one_error_body() {
    let mut app = TestApp::new().await;
    let address = app.address();
    let get = |target: &str| Request::new(Method::GET, target).authenticated();
    let post = || Request::new(Method::POST, "/ops/v1/clock.now").authenticated();
    let cases = [
        (get("/nowhere"), 404, "NOT_FOUND"),
        (get("/"), 404, "NOT_FOUND"),
        (get("//ops//v1"), 404, "NOT_FOUND"),
        (get("/webhooks/none"), 404, "NOT_FOUND"),
        (get("/ops/v1/clock.now"), 405, "METHOD_NOT_ALLOWED"),
        (Request::new(Method::TRACE, "/metrics").authenticated(), 405, "METHOD_NOT_ALLOWED"),
        (Request::new("BREW".parse().expect("a method"), "/metrics").authenticated(), 405, "METHOD_NOT_ALLOWED"),
        (Request::new(Method::OPTIONS, "*").authenticated(), 404, "NOT_FOUND"),
        (get("/ops/v1").header("X-BSS-Actor", "two words"), 400, "INVALID_REQUEST"),
        (get("/ops/v1").header("X-BSS-Channel", "carrier-pigeon"), 400, "INVALID_REQUEST"),
        (get(&format!("/ops/v1?{}", "x".repeat(20_000))), 414, "INVALID_REQUEST"),
        (get("/ops/v1").header("X-Filler", "x".repeat(40_000)), 431, "INVALID_REQUEST"),
        (post().header("Content-Type", "application/json").body("{"), 400, "INVALID_REQUEST"),
        (post().header("Content-Type", "application/json").body("{\"more\":1}"), 400, "INVALID_REQUEST"),
        (post().header("Content-Type", "text/plain").body("{}"), 415, "INVALID_REQUEST"),
        (post().header("Content-Type", "application/json").body(vec![b' '; 300_000]), 413, "INVALID_REQUEST"),
        (Request::new(Method::POST, "/ops/v1/%ff").authenticated().body("{}"), 404, "NOT_FOUND"),
    ];
    for (request, status, code) in cases {
        let answer = request.send(&address).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (status, Some(code)),
            "{} {}",
            request.method,
            request.target
        );
        assert_eq!(answer.fault_as_error(), None, "{} {}", request.method, request.target);
    }
    app.stop().await;
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let mut app = TestApp::new().await;
    for target in
        ["/health", "/ops/v1", "/openapi.json", "/tmf-api/productCatalogManagement/v4/productOffering", "/nowhere"]
    {
        let get = Request::new(Method::GET, target).authenticated().send(&app.address()).await;
        let head = Request::new(Method::HEAD, target).authenticated().send(&app.address()).await;
        assert_eq!((head.status, head.header("content-type")), (get.status, get.header("content-type")), "{target}");
        assert!(head.body.is_empty(), "{target}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let mut app = TestApp::new().await;
    let address = app.address();
    let token = format!("X-BSS-API-Token: {}\r\nConnection: close\r\n", "a1".repeat(32));
    let many: String = (0..150).map(|n| format!("X-{n}: 1\r\n")).collect();
    let cases = [
        ("no request line", "\u{1}\u{2}\r\n\r\n".to_owned(), 400),
        ("a bare word", "GET\r\n\r\n".to_owned(), 400),
        (
            "a target beyond all bounds",
            format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "x".repeat(70_000)),
            414,
        ),
        ("too many headers", format!("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{many}\r\n"), 431),
        (
            "two lengths",
            format!(
                "POST /ops/v1/clock.now HTTP/1.1\r\nHost: x\r\n{token}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"
            ),
            400,
        ),
        (
            "a chunk that is none",
            format!("POST /ops/v1/clock.now HTTP/1.1\r\nHost: x\r\n{token}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            400,
        ),
    ];
    for (what, bytes, status) in cases {
        let answered = exchange(&address, bytes.into_bytes()).await.status;
        // Which 4xx is the HTTP library's to choose; ours is that it is the caller's fault and nobody else notices.
        assert_eq!(answered / 100, status / 100, "{what}: {answered}");
    }
    assert_eq!(Request::new(Method::GET, "/health").send(&address).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn an_invented_method_adds_no_series_to_the_metrics() {
    let mut app = TestApp::new().await;
    for method in ["BREW", "BREW1", "PROPFIND"] {
        for target in ["/health", "/nowhere", "/ops/v1"] {
            Request::new(method.parse().expect("a method"), target).send(&app.address()).await;
        }
    }
    app.get("/ops/v1").await.ok();
    let metrics = app.get("/metrics").await.body;
    let metrics = metrics.as_str().expect("text");
    assert!(metrics.contains("method=\"OTHER\"") && metrics.contains("method=\"GET\""));
    assert!(!metrics.contains("BREW") && !metrics.contains("PROPFIND"));
    app.stop().await;
}

#[tokio::test]
async fn the_books_are_checked_for_one_caller_at_a_time() {
    let mut app = TestApp::new().await;
    // The first check waits here, for as long as the test wants it to.
    let mut held = app.platform.db.pool().begin().await.expect("a connection");
    sqlx::query("lock table payment.journal_line in access exclusive mode").execute(&mut *held).await.expect("a lock");
    let checking = || Request::new(Method::POST, "/ops/v1/audit.verify").authenticated().json(&json!({}));
    let (first, address) = (checking(), app.address());
    let first = tokio::spawn(async move { first.send(&address).await });
    app.until("the first one waits", async || {
        (app.number("select count(*) from pg_locks where not granted and database is not null").await > 0).then_some(())
    })
    .await;
    let second = checking().send(&app.address()).await;
    refused(&second, 503, "UNAVAILABLE");
    assert!(second.header("retry-after").is_some());
    refused(
        &Request::new(Method::POST, "/ops/v1/audit.find_orphans")
            .authenticated()
            .json(&json!({}))
            .send(&app.address())
            .await,
        503,
        "UNAVAILABLE",
    );
    held.rollback().await.expect("the lock ends");
    assert_eq!(first.await.expect("it ends").status, 200);
    assert_eq!(checking().send(&app.address()).await.status, 200, "and then it is the next one's turn");
    app.stop().await;
}

/// What changes the installation rather than a customer's affairs.
const ADMIN: [&str; 3] = ["inventory.msisdn.add_range", "inventory.esim.add_batch", "order.retry"];

#[tokio::test]
async fn what_changes_the_installation_needs_the_scope_admin() {
    let mut app = TestApp::new().await;
    let listed = app.get("/ops/v1").await.ok();
    for name in ADMIN {
        let declared =
            listed.as_array().expect("a list").iter().find(|one| one["name"] == name).expect("it is declared");
        let call = Request::new(Method::POST, format!("/ops/v1/{name}")).json(&declared["example"]);
        refused(&call.header("X-BSS-API-Token", portal()).send(&app.address()).await, 403, "FORBIDDEN");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_identity_speaks_for_its_own_channels_only() {
    let watched = [("BSS_PARTNER_API_TOKEN", "d4".repeat(32)), ("BSS_PARTNER_API_CHANNELS", "mcp,llm".to_owned())];
    let mut app = TestApp::with(&watched.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let cases = [
        ("a1", "cli", true),
        ("a1", "portal-self-serve", true),
        ("a1", "seed", false),
        ("b2", "portal-self-serve", true),
        ("b2", "portal-chat", true),
        ("b2", "cli", false),
        ("b2", "system", false),
        ("d4", "llm", true),
        ("d4", "cli", false),
    ];
    for (fill, channel, may) in cases {
        let call = Request::new(Method::POST, "/ops/v1/clock.now").json(&json!({}));
        let call = call.header("X-BSS-API-Token", fill.repeat(32)).header("X-BSS-Channel", channel);
        let answer = call.send(&app.address()).await;
        assert_eq!(answer.status, if may { 200 } else { 403 }, "{fill} {channel}: {}", answer.json());
        if !may {
            refused(&answer, 403, "FORBIDDEN");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn an_identity_has_the_scopes_that_are_stated_for_it() {
    let watched = [("BSS_AUDITOR_API_TOKEN", "d4".repeat(32)), ("BSS_AUDITOR_API_SCOPES", "read".to_owned())];
    let app = TestApp::with(&watched.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let line = app.line("PLAN_S").await["id"].clone();
    let call = async |name: &str, arguments: serde_json::Value| {
        let call = Request::new(Method::POST, format!("/ops/v1/{name}")).json(&arguments);
        call.header("X-BSS-API-Token", "d4".repeat(32)).send(&app.address()).await
    };
    assert_eq!(call("subscription.get", json!({ "subscriptionId": line })).await.status, 200);
    refused(&call("customer.create", json!({ "name": "A", "email": "a@example.test" })).await, 403, "FORBIDDEN");
    refused(&call("subscription.terminate", json!({ "subscriptionId": line })).await, 403, "FORBIDDEN");
    // Whoever has the activation code can take over the line: to look is not enough.
    refused(&call("subscription.get_esim_activation", json!({ "subscriptionId": line })).await, 403, "FORBIDDEN");
    app.finish().await;
}

#[tokio::test]
async fn readiness_tells_of_lanes_and_queue_and_stays_200_while_the_database_is_there() {
    let app = TestApp::new().await;
    let ready = async || Request::new(Method::GET, "/health/ready").send(&app.address()).await;
    app.until("the lanes look for work", async || (ready().await.json()["checks"]["workers"] == "up").then_some(()))
        .await;
    assert_eq!(
        ready().await.json()["checks"],
        json!({ "database": "up", "workers": "up", "queue": "moving" }),
        "nothing waits"
    );
    let behind = app
        .until("what was counted is told", async || {
            app.platform.db.vitals().counted(std::time::Duration::from_secs(600));
            let answer = ready().await;
            (answer.json()["checks"]["queue"] == "behind").then_some(answer)
        })
        .await;
    assert_eq!((behind.status, &behind.json()["status"]), (200, &json!("degraded")));
    app.finish().await;
}
