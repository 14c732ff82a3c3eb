//! Looking things up, and the small acts of an operator's day: what each operation and list answers about things that are known.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::routes::{document, routes};
use crate::support::samples;

fn ids<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list.as_array().expect("a list").iter().filter_map(|thing| thing[member].as_str()).collect()
}

#[tokio::test]
async fn plans_and_top_ups_are_looked_up() {
    let app = TestApp::new().await;
    let plans = app.op("catalog.list_offerings", json!({})).await.ok();
    assert_eq!(ids(&plans, "id"), ["PLAN_L", "PLAN_M", "PLAN_S"]);
    let plan = app.op("catalog.get_offering", json!({"offeringId": "PLAN_M"})).await.ok();
    assert_eq!(plan["id"], "PLAN_M");
    let top_ups = app.op("catalog.list_vas", json!({})).await.ok();
    assert!(ids(&top_ups, "id").contains(&"VAS_DATA_1GB"), "{top_ups:#}");
    let top_up = app.op("catalog.get_vas", json!({"vasOfferingId": "VAS_DATA_1GB"})).await.ok();
    assert!(top_ups.as_array().unwrap().contains(&top_up), "one of the list is the same alone: {top_up:#}");
    app.finish().await;
}

#[tokio::test]
async fn a_customer_is_found_and_talked_to() {
    let app = TestApp::new().await;
    let told = json!({"name": "Grace Hopper", "email": "grace@example.test"});
    let customer = app.op("customer.create", told).await.ok()["id"].clone();
    let found = app.op("customer.find_by_email", json!({"email": "Grace@Example.test"})).await.ok();
    assert_eq!(found["id"], customer);
    let listed = app.op("customer.list", json!({"name": "hopper"})).await.ok();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &customer));
    let call = json!({"customerId": customer, "summary": "Asked about roaming", "direction": "inbound"});
    app.op("interaction.log", call).await.ok();
    let timeline = app.op("interaction.list", json!({"customerId": customer})).await.ok();
    assert_eq!(
        (&timeline[0]["summary"], &timeline[0]["direction"]),
        (&json!("Asked about roaming"), &json!("inbound"))
    );
    app.finish().await;
}

#[tokio::test]
async fn a_number_to_call_is_changed_and_taken_away() {
    let app = TestApp::new().await;
    let told = json!({"name": "Grace Hopper", "email": "grace@example.test", "phone": "+6591234567"});
    let customer = app.op("customer.create", told).await.ok()["id"].clone();
    let mobile = async || {
        let view = app.op("customer.get", json!({"customerId": customer})).await.ok();
        let media = view["contactMedium"].as_array().expect("media").clone();
        media.into_iter().find(|medium| medium["mediumType"] == "mobile")
    };
    let id = mobile().await.expect("a number")["id"].clone();
    let changed = json!({"customerId": customer, "contactMediumId": id, "value": "+6597654321"});
    app.op("customer.update_contact_medium", changed).await.ok();
    let now = mobile().await.expect("a number");
    assert_eq!(now["value"], "+6597654321", "{now:#}");
    let gone = json!({"customerId": customer, "contactMediumId": now["id"]});
    app.op("customer.remove_contact_medium", gone).await.ok();
    assert_eq!(mobile().await, None);
    app.finish().await;
}

#[tokio::test]
async fn the_pools_are_counted_and_filled() {
    let app = TestApp::new().await;
    let count =
        async |prefix: &str| app.op("inventory.msisdn.count", json!({"prefix": prefix})).await.ok()["total"].clone();
    assert_eq!(count("9100").await, 0);
    app.op("inventory.msisdn.add_range", json!({"prefix": "9100", "count": 3})).await.ok();
    assert_eq!(count("9100").await, 3);
    let free = app.op("inventory.msisdn.list_available", json!({"limit": 2})).await.ok();
    let listed = app.op("inventory.msisdn.list", json!({"status": "available", "limit": 2})).await.ok();
    assert_eq!((ids(&free, "msisdn").len(), ids(&free, "msisdn")), (2, ids(&listed, "msisdn")));
    let added = app.op("inventory.esim.add_batch", json!({"count": 2})).await.ok();
    assert_eq!(added["inserted"], 2, "{added:#}");
    let profiles = app.op("inventory.esim.list_available", json!({"limit": 1})).await.ok();
    assert!(profiles[0]["activationCode"].is_null(), "a list never tells a code: {profiles:#}");
    let seed = app.op("inventory.esim.get", json!({"iccid": "8910101000000000000"})).await.ok();
    assert!(seed.to_string().contains("available"), "{seed:#}");
    app.finish().await;
}

#[tokio::test]
async fn a_line_its_usage_and_its_charge_are_looked_up() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let id = json!({"subscriptionId": line["id"]});
    let used = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 7});
    let usage = app.op("usage.simulate", used).await.ok();
    let again = app.op("usage.get", json!({"usageId": usage["id"]})).await.ok();
    assert_eq!((&again["id"], &again["quantity"]), (&usage["id"], &json!(7)));
    let history = app.op("usage.history", json!({"msisdn": line["msisdn"]})).await.ok();
    let (used, begins) = (&history[0]["id"], |prefix: Value| json!({"idPrefix": prefix, "limit": 1}));
    assert_eq!(app.op("usage.history", begins(used.clone())).await.ok()[0]["id"], *used);
    assert_eq!(app.op("usage.history", begins("UE-x%".into())).await.ok(), json!([]));
    assert!(history.to_string().contains(usage["id"].as_str().unwrap()), "{history:#}");
    let balance = app.op("subscription.get_balance", id.clone()).await.ok();
    assert!(balance.to_string().contains("5113"), "5120 MB less 7: {balance:#}");
    let attempts = app.op("payment.list_attempts", json!({"customerId": line["customerId"]})).await.ok();
    let attempt = attempts.pointer("/0").or_else(|| attempts.pointer("/attempts/0")).expect("the activation").clone();
    let alone = app.op("payment.get_attempt", json!({"paymentAttemptId": attempt["id"]})).await.ok();
    assert_eq!((&alone["id"], &alone["status"]), (&attempt["id"], &json!("approved")));
    let progress = app.op("subscription.renewal_progress", json!({})).await.ok();
    assert_eq!(progress["due"], 0, "{progress:#}");
    app.finish().await;
}

#[tokio::test]
async fn what_an_identity_did_is_listed_and_counted() {
    let app = TestApp::new().await;
    app.customer("4242424242424242").await;
    app.settle().await;
    let whose = json!({"serviceIdentity": "default", "eventTypePrefix": "customer."});
    let events = app.op("audit.events_by_identity", whose.clone()).await.ok();
    let count = app.op("audit.count_by_identity", whose).await.ok();
    assert_eq!(count["count"], events.as_array().unwrap().len());
    // The whole of it, in small pages.
    let all = app.op("audit.events_by_identity", json!({"serviceIdentity": "default"})).await.ok();
    let mut paged: Vec<Value> = Vec::new();
    loop {
        let after = paged.last().map(|event| event["seq"].clone());
        let page = json!({"serviceIdentity": "default", "limit": 2, "after": after});
        match app.op("audit.events_by_identity", page).await.ok() {
            Value::Array(page) if !page.is_empty() => paged.extend(page),
            _ => break,
        }
    }
    assert!(paged.len() > 2);
    assert_eq!(Value::from(paged), all);
    assert!(ids(&events, "eventType").contains(&"customer.created"), "{events:#}");
    assert_eq!(app.op("audit.findings", json!({})).await.ok(), json!([]), "no night has found anything");
    let workers = app.op("worker.list", json!({})).await.ok();
    assert!(workers.to_string().contains("renewal"), "{workers:#}");
    app.finish().await;
}

#[tokio::test]
async fn a_parked_delivery_is_seen_and_given_up() {
    let app = TestApp::new().await;
    app.customer("4242424242424242").await;
    app.settle().await;
    // As if the welcome could never be written.
    let parked = "update audit.delivery set state = 'parked', last_error = 'of this test', finished_at = null
                  where (event_id, consumer) in (select event_id, consumer from audit.delivery
                                                 where event_type = 'customer.created' limit 1)";
    assert_eq!(app.sql(parked).await, 1);
    let status = app.op("queue.status", json!({})).await.ok();
    assert!(status.to_string().contains("\"parked\":1"), "{status:#}");
    let list = app.op("queue.parked", json!({})).await.ok();
    let event = json!({"eventId": list[0]["eventId"]});
    let shown = app.op("queue.show", event).await.ok();
    assert!(shown.to_string().contains("of this test"), "{shown:#}");
    let discard = json!({"eventId": list[0]["eventId"], "consumer": list[0]["consumer"], "reason": "of a test"});
    app.op("queue.discard", discard).await.ok();
    assert_eq!(app.number("select count(*) from audit.delivery where state = 'discarded'").await, 1);
    assert_eq!(app.op("queue.parked", json!({})).await.ok(), json!([]));
    app.finish().await;
}

#[tokio::test]
async fn a_frozen_clock_runs_again_and_a_reset_leaves_the_catalog() {
    let mut app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2027-01-10T08:00:00Z"})).await.ok();
    assert_eq!(app.op("clock.now", json!({})).await.ok()["mode"], "frozen");
    app.op("clock.unfreeze", json!({})).await.ok();
    assert_ne!(app.op("clock.now", json!({})).await.ok()["mode"], "frozen");
    app.customer("4242424242424242").await;
    app.settle().await;
    app.op("admin.reset_operational_data", json!({})).await.ok();
    assert_eq!(app.op("customer.list", json!({})).await.ok(), json!([]));
    assert_eq!(app.op("catalog.list_offerings", json!({})).await.ok().as_array().map(Vec::len), Some(3));
    app.stop().await;
}

#[tokio::test]
async fn every_api_that_tells_takes_listeners_and_lets_them_go() {
    let mut app = TestApp::new().await;
    let all = routes(&document(&app).await);
    let hubs: Vec<_> =
        all.iter().filter(|route| route.method == Method::POST && route.path.ends_with("/hub")).collect();
    assert!(hubs.len() > 8, "{hubs:?}");
    for hub in hubs {
        let wish = json!({"callback": "https://example.test/told"});
        let made = app.send(Method::POST, &hub.path, &wish).await;
        assert_eq!((made.status.as_u16(), &made.body["callback"]), (201, &wish["callback"]), "{}", hub.path);
        assert!(made.headers.contains_key("x-bss-hub-secret"), "{}", hub.path);
        let href = format!("{}/{}", hub.path, made.body["id"].as_str().expect("an id"));
        assert_eq!(app.send(Method::DELETE, &href, &Value::Null).await.status, 204, "{href}");
        assert_eq!(app.send(Method::DELETE, &href, &Value::Null).await.status, 404, "{href}");
    }
    app.stop().await;
}

#[tokio::test]
async fn customers_usage_and_payments_are_made_and_listed_at_their_paths() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let used = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 7});
    let usage = app.op("usage.simulate", used).await.ok();
    let all = routes(&document(&app).await);
    let customers = "/tmf-api/customerManagement/v4/customer";
    let create = all.iter().find(|route| route.name() == format!("POST {customers}")).expect("a route");
    let made = app.send(Method::POST, customers, &samples::request(create).expect("a sample")).await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    let listed = app.get(customers).await.ok();
    assert!(ids(&listed, "id").contains(&made.body["id"].as_str().expect("an id")), "{listed:#}");
    assert_eq!(ids(&app.get("/tmf-api/usageManagement/v4/usage").await.ok(), "id"), [usage["id"].as_str().unwrap()]);

    let customer = app.op("customer.get", json!({"customerId": line["customerId"]})).await.ok();
    let cards = app.op("payment.list_methods", json!({"customerId": line["customerId"]})).await.ok();
    // Of everybody, by how the id begins, and page after page.
    let other = app.customer("5555555555554444").await;
    let theirs = app.op("payment.list_methods", json!({"customerId": other})).await.ok();
    assert_eq!(app.op("payment.list_methods", json!({"idPrefix": ""})).await.ok(), json!([theirs[0], cards[0]]));
    assert_eq!(app.op("payment.list_methods", json!({"idPrefix": "", "limit": 1, "offset": 1})).await.ok(), cards);
    assert_eq!(app.op("payment.list_methods", json!({})).await.status, 400, "not everybody's for want of a name");
    assert_eq!(app.op("payment.list_methods", json!({"idPrefix": theirs[0]["id"]})).await.ok(), theirs);
    assert_eq!(app.op("payment.list_methods", json!({"idPrefix": "pm-%"})).await.ok(), json!([]));
    assert_eq!(app.op("payment.list_methods", json!({"limit": 201})).await.status, 400);
    let wish = json!({"account": {"id": customer["accountId"]}, "paymentMethod": {"id": cards[0]["id"]},
        "payer": {"id": line["customerId"], "@referredType": "Customer"}, "totalAmount": {"unit": "SGD", "value": 5.00}});
    let paid = app.send(Method::POST, "/payment/v4/payment", &wish).await;
    assert_eq!(paid.status, 201, "{:#}", paid.body);
    app.settle().await;
    let payments = app.get("/payment/v4/payment").await.ok();
    assert_eq!(payments.as_array().map(Vec::len), Some(2), "the activation, and this one: {payments:#}");
    app.finish().await;
}

#[tokio::test]
async fn a_process_says_how_it_is_and_what_it_offers() {
    let mut app = TestApp::new().await;
    for path in ["/health", "/health/live", "/health/ready"] {
        assert_eq!(app.get(path).await.ok()["service"], "bss", "{path}");
    }
    assert_eq!(app.get("/openapi.json").await.ok()["openapi"], "3.1.0");
    let offered = app.get("/ops/v1").await.ok();
    assert!(ids(&offered, "name").contains(&"order.create"), "{offered:#}");
    app.stop().await;
}
