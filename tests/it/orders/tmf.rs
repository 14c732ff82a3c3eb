//! TMF622, TMF641 and TMF638, as callers see them: official payloads in every state.

use reqwest::Method;
use serde_json::{Value, json};

use super::{VISA, ended, fault, order, service_order, task_in};
use crate::support::app::TestApp;
use crate::support::tmf_gate::{Api, validate, validate_request, validate_selection};

const ORDERS: &str = "/tmf-api/productOrderingManagement/v4/productOrder";
const SERVICE_ORDERS: &str = "/tmf-api/serviceOrdering/v4/serviceOrder";
const SERVICES: &str = "/tmf-api/serviceInventory/v4/service";

#[track_caller]
fn official(api: Api, resource: &str, body: &Value) {
    if let Err(faults) = validate(api, resource, body) {
        panic!("{faults:#?}\n{body:#}");
    }
}

fn new_order(customer: &str) -> Value {
    json!({
        "externalId": "web-7731",
        "category": "prepaid",
        "requestedStartDate": "2026-05-11T08:00:00+08:00",
        "note": [{"text": "Deliver before the trip"}],
        "relatedParty": [
            {"id": customer, "role": "customer", "@referredType": "Customer"},
            {"id": "shop-1", "role": "seller", "@referredType": "Organization"}
        ],
        "productOrderItem": [{
            "id": "1", "quantity": 1, "action": "add", "productOffering": {"id": "PLAN_M"},
            "product": {"productCharacteristic": [{"name": "msisdnPreference", "value": "90000123"}]}
        }]
    })
}

#[tokio::test]
async fn a_product_order_from_post_to_completion() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let request = new_order(&customer);
    validate_request(Api::Tmf622, "POST", "ProductOrder", &request).expect("our own request is official");
    let created = app.send_with(Method::POST, ORDERS, &request, &[("idempotency-key", "click-1")]).await;
    assert_eq!(created.status, 201, "{:#}", created.body);
    let href = created.body["href"].as_str().unwrap().to_owned();
    assert_eq!(
        (&created.headers["location"], &created.headers["etag"]),
        (&href.parse().unwrap(), &"\"1\"".parse().unwrap())
    );
    official(Api::Tmf622, "ProductOrder", &created.body);
    assert_eq!(created.body["state"], "acknowledged");
    assert_eq!(created.body["requestedStartDate"], "2026-05-11T00:00:00.000Z", "echoed in our form");
    assert_eq!(created.body["relatedParty"][1]["id"], "shop-1");
    let again = app.send_with(Method::POST, ORDERS, &request, &[("idempotency-key", "click-1")]).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &created.body));

    let patch = async |body: &Value, tag: &str| app.send_with(Method::PATCH, &href, body, &[("if-match", tag)]).await;
    let start = json!({"state": "inProgress"});
    validate_request(Api::Tmf622, "PATCH", "ProductOrder", &start).expect("our own request is official");
    assert_eq!(patch(&start, "\"7\"").await.status, 412);
    assert_eq!(patch(&start, "seven").await.status, 400);
    let started = patch(&start, "\"1\"").await;
    assert_eq!((started.status.as_u16(), &started.headers["etag"]), (200, &"\"2\"".parse().unwrap()));
    official(Api::Tmf622, "ProductOrder", &started.body);
    ended(&app, &created.body["id"]).await;
    app.settle().await;
    let completed = app.get(&href).await.ok();
    official(Api::Tmf622, "ProductOrder", &completed);
    assert_eq!(completed["state"], "completed");
    assert_eq!(completed["productOrderItem"][0]["payment"][0]["@referredType"], "Payment");
    assert!(patch(&start, "*").await.violates("order.transition.invalid")["context"]["allowed"].is_array());

    let selection = app.get(&format!("{href}?fields=state,relatedParty.id")).await.ok();
    validate_selection(Api::Tmf622, "ProductOrder", &selection).expect("a selection is official");
    assert!(selection.get("orderDate").is_none());
    let orders = service_order(&app, &order(&app, &completed["id"]).await).await;
    let service_order = app.get(&format!("{SERVICE_ORDERS}/{}", orders["id"].as_str().unwrap())).await.ok();
    official(Api::Tmf641, "ServiceOrder", &service_order);
    assert_eq!(service_order["milestone"].as_array().map(Vec::len), Some(4));
    let services = app
        .get(&format!(
            "{SERVICES}?relatedEntity.id={}",
            completed["productOrderItem"][0]["product"]["id"].as_str().unwrap()
        ))
        .await
        .ok();
    assert_eq!(services.as_array().map(Vec::len), Some(3));
    for service in services.as_array().unwrap() {
        official(Api::Tmf638, "Service", service);
        assert_eq!(service["state"], "active");
        official(Api::Tmf638, "Service", &app.get(service["href"].as_str().unwrap()).await.ok());
    }
    app.finish().await;
}

#[tokio::test]
async fn stuck_failed_and_cancelled_ones_say_why() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    fault(&app, "HLR_PROVISION", "stuck", true).await;
    fault(&app, "PCRF_POLICY_PUSH", "fail_always", true).await;
    let failed = app.order(&customer, "PLAN_M").await;
    app.settle().await;
    let body = app.get(&format!("{ORDERS}/{}", failed["id"].as_str().unwrap())).await.ok();
    official(Api::Tmf622, "ProductOrder", &body);
    assert_eq!(body["note"][0]["text"], "provisioning task PCRF_POLICY_PUSH failed permanently");
    let activation =
        format!("{SERVICE_ORDERS}?externalReference.id={}&category=activation", failed["id"].as_str().unwrap());
    let listed = app.get(&activation).await.ok();
    official(Api::Tmf641, "ServiceOrder", &listed[0]);
    assert_eq!(
        (&listed[0]["state"], &listed[0]["errorMessage"][0]["code"]),
        (&json!("failed"), &json!("SERVICE_ORDER_FAILED"))
    );
    assert!(listed[0]["jeopardyAlert"][0]["jeopardyType"] == "stuck" || listed[0]["milestone"].is_array());
    for service in app.get(&format!("{SERVICES}?state=inactive")).await.ok().as_array().unwrap() {
        official(Api::Tmf638, "Service", service);
    }

    fault(&app, "PCRF_POLICY_PUSH", "fail_always", false).await;
    let created = app.send(Method::POST, ORDERS, &new_order(&customer)).await.ok();
    let href = created["href"].as_str().unwrap().to_owned();
    app.send(Method::PATCH, &href, &json!({"state": "inProgress"})).await.ok();
    let own = async || {
        let listed = app
            .get(&format!("{SERVICE_ORDERS}?externalReference.id={}&state=inProgress", created["id"].as_str().unwrap()))
            .await
            .ok();
        listed[0].clone()
    };
    app.until("its task is stuck", async || own().await["jeopardyAlert"].is_array().then_some(())).await;
    app.settle().await;
    official(Api::Tmf641, "ServiceOrder", &own().await);
    for service in app.get(&format!("{SERVICES}?state=reserved&sort=-startDate")).await.ok().as_array().unwrap() {
        official(Api::Tmf638, "Service", service);
    }
    let refused = app.send(Method::PATCH, &href, &json!({"state": "held"})).await.violates("order.transition.invalid");
    assert_eq!(refused["context"]["targetState"], "held");
    let cancelled = app
        .send(Method::PATCH, &href, &json!({"state": "cancelled", "cancellationReason": "Changed my mind"}))
        .await
        .ok();
    official(Api::Tmf622, "ProductOrder", &cancelled);
    assert_eq!(cancelled["cancellationReason"], "Changed my mind");
    app.settle().await;
    let listed = app.get(&format!("{SERVICE_ORDERS}?state=cancelled")).await.ok();
    official(Api::Tmf641, "ServiceOrder", &listed[0]);
    task_in(&app, "HLR_PROVISION", "withdrawn").await;
    app.finish().await;
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.customer(VISA).await, app.customer(VISA).await);
    for customer in [&ada, &ada, &bob] {
        app.send(Method::POST, ORDERS, &new_order(customer)).await.ok();
    }
    let page = app.get(&format!("{ORDERS}?relatedParty.id={ada}&limit=1&sort=-orderDate")).await;
    assert_eq!(page.status, 206);
    assert_eq!(
        (&page.headers["x-total-count"], &page.headers["x-result-count"]),
        (&"2".parse().unwrap(), &"1".parse().unwrap())
    );
    assert!(page.headers.contains_key("link"));
    official(Api::Tmf622, "ProductOrder", &page.body[0]);
    let count = async |query: &str| app.get(&format!("{ORDERS}?{query}")).await.ok().as_array().unwrap().len();
    assert_eq!(count("state=acknowledged,held&externalId=web-7731").await, 3);
    assert_eq!(count("state=completed").await, 0);
    assert_eq!(count("productOrderItem.productOffering.id=PLAN_M&orderDate.gt=2020-01-01T00:00:00Z").await, 3);
    assert_eq!(count("completionDate.gt=2020-01-01T00:00:00Z").await, 0);
    for bad in ["state=nowhere", "bogus=1", "limit=0", "limit=1001", "orderDate=soon", "sort=bogus"] {
        let answer = app.get(&format!("{ORDERS}?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}");
        official(Api::Tmf622, "Error", &answer.body);
    }
    for path in [ORDERS, SERVICE_ORDERS, SERVICES] {
        assert_eq!(app.get(&format!("{path}/X-1")).await.status, 404, "{path}");
        assert_eq!(app.send(Method::DELETE, &format!("{path}/X-1"), &Value::Null).await.status, 405, "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_malformed_product_order_names_the_place() {
    let app = TestApp::new().await;
    let customer = app.customer(VISA).await;
    let refused = async |pointer: &str, change: &dyn Fn(&mut Value)| {
        let mut body = new_order(&customer);
        change(&mut body);
        let answer = app.send(Method::POST, ORDERS, &body).await;
        assert_eq!((answer.status.as_u16(), answer.body["reason"].as_str()), (400, Some(pointer)), "{:#}", answer.body);
    };
    refused("/bogus", &|body| body["bogus"] = json!(1)).await;
    refused("/productOrderItem/0/action", &|body| body["productOrderItem"][0]["action"] = json!("noChange")).await;
    refused("/relatedParty/0/@referredType", &|body| {
        body["relatedParty"][0].as_object_mut().unwrap().remove("@referredType");
    })
    .await;
    refused("/productOrderItem/0/quantity", &|body| body["productOrderItem"][0]["quantity"] = json!(3)).await;
    let unknown = new_order("CUST-nobody");
    app.send(Method::POST, ORDERS, &unknown).await.violates("order.create.customer_not_found");
    let created = app.send(Method::POST, ORDERS, &new_order(&customer)).await.ok();
    let href = created["href"].as_str().unwrap();
    for (pointer, body) in [
        ("/notes", json!({"state": "cancelled", "notes": "x"})),
        ("/state", json!({"state": "flying"})),
        ("/cancellationReason", json!({"state": "inProgress", "cancellationReason": "x"})),
    ] {
        let answer = app.send(Method::PATCH, href, &body).await;
        assert_eq!(answer.status, 400, "{pointer}: {:#}", answer.body);
    }
    assert_eq!(app.number("select count(*) from order_mgmt.product_order").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_technical_order_tells_the_network_again() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.settle().await;
    let path = "/tmf-api/serviceOrdering/v4/serviceOrder";
    let body = |action: &str, service: &Value| {
        json!({
            "externalId": "noc-17",
            "note": [{"text": "after the outage"}],
            "serviceOrderItem": [{"id": "1", "action": action, "service": {"id": service, "@type": "Service"}}],
        })
    };
    let key = [("idempotency-key", "technical-1")];
    let first = app.send_with(Method::POST, path, &body("modify", &line["cfsServiceId"]), &key).await;
    assert_eq!(first.status, 201, "{:#}", first.body);
    let location = first.headers["location"].to_str().unwrap().to_owned();
    validate(Api::Tmf641, "ServiceOrder", &first.body).unwrap();
    let again = app.send_with(Method::POST, path, &body("modify", &line["cfsServiceId"]), &key).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!((&first.body["category"], &first.body["externalId"]), (&json!("change"), &json!("noc-17")));
    app.settle().await;
    let done = app.get(&location).await.ok();
    validate(Api::Tmf641, "ServiceOrder", &done).unwrap();
    assert_eq!((&done["state"], &done["note"][0]["text"]), (&json!("completed"), &json!("after the outage")));
    let names: Vec<&str> =
        done["milestone"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["PCRF_POLICY_PUSH", "SERVICE_RESUME"]);
    let unchanged = app.send(Method::POST, path, &body("noChange", &line["cfsServiceId"])).await.ok();
    assert_eq!(unchanged["serviceOrderItem"][0]["action"], "noChange");

    let services = app.op("service.list_for_subscription", json!({"subscriptionId": line["id"]})).await.ok();
    let refused = async |action: &str, service: &Value, rule: &str| {
        app.send(Method::POST, path, &body(action, service)).await.violates(rule);
    };
    refused("add", &line["cfsServiceId"], "service_order.create.needs_product_order").await;
    refused("delete", &line["cfsServiceId"], "service_order.create.needs_product_order").await;
    refused("modify", &json!("SVC-9999"), "service_order.create.service_not_found").await;
    refused("modify", &services[1]["id"], "service_order.create.service_not_customer_facing").await;
    app.op("subscription.terminate", json!({"subscriptionId": line["id"]})).await.ok();
    app.settle().await;
    refused("modify", &line["cfsServiceId"], "service_order.create.service_not_active").await;
    assert_eq!(app.send(Method::POST, "/tmf-api/serviceInventory/v4/service", &json!({})).await.status, 405);
    app.finish().await;
}
