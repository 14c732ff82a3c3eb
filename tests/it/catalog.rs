//! The catalog, read and written: TMF620 with its official payloads, and the operations of prices and windows.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Answer, TestApp};
use crate::support::raw::Request;
use crate::support::tmf_gate::{Api, validate, validate_request, validate_selection};

const OFFERINGS: &str = "/tmf-api/productCatalogManagement/v4/productOffering";
const PRICES: &str = "/tmf-api/productCatalogManagement/v4/productOfferingPrice";
const SPECIFICATIONS: &str = "/tmf-api/productCatalogManagement/v4/productSpecification";
const CATEGORIES: &str = "/tmf-api/productCatalogManagement/v4/category";

#[track_caller]
fn official(resource: &str, body: &Value) {
    if let Err(faults) = validate(Api::Tmf620, resource, body) {
        panic!("{faults:#?}\n{body:#}");
    }
}

/// Sends a body that is official, and checks that a good answer is, too.
async fn send(app: &TestApp, method: Method, path: &str, resource: &str, body: &Value, tag: Option<&str>) -> Answer {
    validate_request(Api::Tmf620, method.as_str(), resource, body).expect("our own request is official");
    let headers: Vec<(&str, &str)> = tag.map(|tag| ("if-match", tag)).into_iter().collect();
    let answer = app.send_with(method, path, body, &headers).await;
    if answer.status.is_success() {
        official(resource, &answer.body);
        assert_eq!(app.get(answer.body["href"].as_str().expect("an href")).await.ok(), answer.body);
    }
    answer
}

fn href(body: &Value) -> &str {
    body["href"].as_str().expect("an href")
}

#[tokio::test]
async fn a_plan_is_made_changed_and_sold_over_tmf620() {
    let app = TestApp::new().await;
    let wish = json!({
        "name": "Weekend", "description": "Friday to Sunday", "lifecycleStatus": "In design",
        "channel": [{"id": "shop"}],
        "prodSpecCharValueUse": [
            {"name": "data", "productSpecCharacteristicValue": [{"value": 10_240, "unitOfMeasure": "mb"}]}
        ],
        "productOfferingPrice": [{"priceType": "recurring", "price": {"taxIncludedAmount": {"unit": "SGD", "value": 12}}}]
    });
    let made = send(&app, Method::POST, OFFERINGS, "ProductOffering", &wish, None).await;
    assert_eq!((made.status.as_u16(), &made.headers["etag"]), (201, &"\"1\"".parse().unwrap()), "{:#}", made.body);
    assert_eq!(made.headers["location"], href(&made.body));
    assert_eq!((&made.body["description"], &made.body["channel"]), (&wish["description"], &wish["channel"]));
    let id = made.body["id"].as_str().expect("an id").to_owned();
    let on_sale = async || {
        let plans = app.op("catalog.list_active_offerings", json!({})).await.ok();
        plans.as_array().expect("plans").iter().any(|plan| plan["id"] == id.as_str())
    };
    assert!(!on_sale().await, "a plan in design does not sell");

    let path = href(&made.body).to_owned();
    let change =
        async |body: Value, tag: &str| send(&app, Method::PATCH, &path, "ProductOffering", &body, Some(tag)).await;
    assert_eq!(change(json!({"lifecycleStatus": "Active"}), "\"7\"").await.status, 412);
    let active = change(json!({"lifecycleStatus": "Active", "description": null, "channel": null}), "\"1\"").await;
    assert_eq!((active.status.as_u16(), &active.headers["etag"]), (200, &"\"2\"".parse().unwrap()));
    assert!(active.body.get("description").is_none() && active.body.get("channel").is_none());
    assert!(on_sale().await);
    let same = change(json!({"name": "Weekend"}), "\"2\"").await;
    assert_eq!(same.headers["etag"], "\"2\"", "what changes nothing is no new version");

    let customer = app.customer("4242424242424242").await;
    let order = app.order(&customer, &id).await;
    assert_eq!(order["state"], "completed", "a new plan is fulfilled like the others: {order:#}");

    let window = change(json!({"validFor": {"endDateTime": "2020-01-01T00:00:00Z"}}), "\"2\"").await;
    assert_eq!(window.body["validFor"], json!({"endDateTime": "2020-01-01T00:00:00.000Z"}));
    assert!(!on_sale().await);
    change(json!({"validFor": {"startDateTime": "2021-01-01T00:00:00Z"}}), "*")
        .await
        .violates("catalog.window.inverted");
    let open = change(json!({"validFor": null}), "*").await;
    assert!(open.body.get("validFor").is_none());
    change(json!({"lifecycleStatus": "Retired"}), "*").await.ok();
    change(json!({"lifecycleStatus": "Active"}), "*").await.violates("catalog.lifecycle.transition_invalid");
    let events = app.op("events.list", json!({"aggregateId": id, "limit": 50})).await.ok();
    let types: Vec<&str> =
        events["events"].as_array().expect("events").iter().filter_map(|e| e["eventType"].as_str()).collect();
    assert_eq!(
        types,
        [
            "catalog.offering.added",
            "catalog.offering.changed",
            "catalog.offering.windowed",
            "catalog.offering.windowed",
            "catalog.offering.retired"
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn prices_are_added_attached_and_ended_but_never_edited() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-01-15T00:00:00Z"})).await.ok();
    let wish = json!({"name": "New year", "price": {"unit": "SGD", "value": 20},
        "validFor": {"startDateTime": "2026-02-10T00:00:00Z", "endDateTime": "2026-02-24T00:00:00Z"}});
    let price = send(&app, Method::POST, PRICES, "ProductOfferingPrice", &wish, None).await.ok();
    let path = format!("{OFFERINGS}/PLAN_M");
    let change = async |body: Value| send(&app, Method::PATCH, &path, "ProductOffering", &body, None).await;
    change(json!({"productOfferingPrice": [{"id": price["id"]}]})).await.violates("catalog.price.cannot_detach");
    change(json!({"productOfferingPrice": [{"id": "PRICE_PLAN_M"}, {"id": "PRICE_PLAN_S"}]}))
        .await
        .violates("catalog.price.belongs_to_other_offering");
    change(json!({"productOfferingPrice": [{"id": "PRICE_PLAN_M"}, {"id": "PRICE_NONE"}]}))
        .await
        .violates("catalog.price.not_found");
    let mut late = json!({"priceType": "recurring", "price": {"taxIncludedAmount": {"unit": "SGD", "value": 1}},
        "validFor": {"startDateTime": "2026-01-14T23:58:00Z"}});
    change(json!({"productOfferingPrice": [{"id": "PRICE_PLAN_M"}, late]}))
        .await
        .violates("catalog.price.starts_in_past");
    late = json!({"name": "Old", "price": {"unit": "SGD", "value": 1}, "validFor": late["validFor"]});
    let late = send(&app, Method::POST, PRICES, "ProductOfferingPrice", &late, None).await.ok();
    change(json!({"productOfferingPrice": [{"id": "PRICE_PLAN_M"}, {"id": late["id"]}]}))
        .await
        .violates("catalog.price.starts_in_past");
    let cheaper = json!({"id": "PRICE_PLAN_M", "price": {"taxIncludedAmount": {"unit": "SGD", "value": 1}}});
    change(json!({"productOfferingPrice": [cheaper]})).await.violates("catalog.price.immutable");
    let both = change(json!({"productOfferingPrice": [{"id": "PRICE_PLAN_M"}, {"id": price["id"]}]})).await.ok();
    assert_eq!(both["productOfferingPrice"].as_array().map(Vec::len), Some(2));
    let listed = app.get(&format!("{OFFERINGS}?productOfferingPrice.id={}", price["id"].as_str().unwrap())).await.ok();
    assert_eq!(listed[0]["id"], "PLAN_M");

    let path = href(&price).to_owned();
    let change = async |body: Value| send(&app, Method::PATCH, &path, "ProductOfferingPrice", &body, None).await;
    change(json!({"price": {"unit": "SGD", "value": 21}})).await.violates("catalog.price.immutable");
    change(json!({"validFor": {"startDateTime": "2026-02-11T00:00:00Z"}})).await.violates("catalog.price.immutable");
    assert_eq!(change(json!({"priceType": "oneTime"})).await.status, 400);
    app.op("clock.freeze", json!({"at": "2026-02-15T00:00:00Z"})).await.ok();
    change(json!({"validFor": {"endDateTime": "2026-02-12T00:00:00Z"}})).await.violates("catalog.price.ends_in_past");
    let ended =
        change(json!({"name": "Lunar new year", "validFor": {"endDateTime": "2026-02-20T00:00:00Z"}})).await.ok();
    assert_eq!((&ended["name"], &ended["version"]), (&json!("Lunar new year"), &json!("3")));
    for wrong in [json!({"unit": "USD", "value": 1}), json!({"unit": "SGD", "value": -1})] {
        let wish = json!({"name": "x", "price": wrong});
        assert_eq!(send(&app, Method::POST, PRICES, "ProductOfferingPrice", &wish, None).await.status, 422);
    }
    app.finish().await;
}

#[tokio::test]
async fn operations_add_window_and_retire_with_the_rules_of_the_catalog() {
    let app = TestApp::new().await;
    let plan =
        json!({"offeringId": "PLAN_XS", "name": "Extra Lite", "amount": "5.00", "dataMb": 1024, "dataRoamingMb": 0});
    let added = app.op("catalog.add_offering", plan.clone()).await.ok();
    assert_eq!(added["bundleAllowance"].as_array().map(Vec::len), Some(2), "0 is a row, nothing is none: {added:#}");
    assert_eq!(added["activePrice"]["id"], "PRICE_PLAN_XS");
    app.op("catalog.add_offering", plan.clone()).await.violates("catalog.offering.already_exists");
    let mut bad = plan.clone();
    (bad["offeringId"], bad["dataMb"]) = (json!("PLAN_BAD"), json!(-2));
    app.op("catalog.add_offering", bad).await.violates("catalog.allowance.invalid_quantity");
    assert_eq!(app.get(&format!("{OFFERINGS}/PLAN_BAD")).await.status, 404, "nothing was written");
    let anonymous =
        app.send_with(Method::POST, "/ops/v1/catalog.add_offering", &plan, &[("x-bss-actor", "anonymous")]).await;
    anonymous.violates("catalog.admin_only");
    for nobody in [None, Some("system")] {
        let call = Request::new(Method::POST, "/ops/v1/catalog.add_offering").authenticated().json(&plan);
        let call = nobody.into_iter().fold(call, |call, actor| call.header("X-BSS-Actor", actor));
        let refused = call.send(&app.address()).await;
        assert_eq!((refused.status, &refused.json()["reason"]), (422, &json!("catalog.admin_only")), "{nobody:?}");
    }

    app.op("clock.freeze", json!({"at": "2026-03-01T00:00:00Z"})).await.ok();
    let price = |id: &str, amount: &str| json!({"offeringId": "PLAN_M", "priceId": id, "amount": amount});
    app.op("catalog.add_price", json!({"offeringId": "PLAN_NONE", "priceId": "P", "amount": "1"}))
        .await
        .violates("catalog.offering.not_found");
    app.op("catalog.add_price", price("PRICE_PLAN_M", "1")).await.violates("catalog.price.already_exists");
    let mut late = price("PRICE_PLAN_M_V0", "1.00");
    (late["validFrom"], late["retireCurrent"]) = (json!("2026-02-28T23:58:00Z"), json!(true));
    app.op("catalog.add_price", late).await.violates("catalog.price.starts_in_past");
    app.op("catalog.retire_price", json!({"priceId": "PRICE_PLAN_M", "at": "2026-02-01T00:00:00Z"}))
        .await
        .violates("catalog.price.ends_in_past");
    let mut dearer = price("PRICE_PLAN_M_V2", "30.00");
    (dearer["validFrom"], dearer["retireCurrent"]) = (json!("2026-04-01T00:00:00Z"), json!(true));
    let added = app.op("catalog.add_price", dearer).await.ok();
    assert_eq!((&added["retired"], &added["warning"]), (&json!(["PRICE_PLAN_M"]), &Value::Null));
    for (at, expected) in [("2026-03-31T23:59:59Z", "PRICE_PLAN_M"), ("2026-04-01T00:00:00Z", "PRICE_PLAN_M_V2")] {
        let active = app.op("catalog.get_active_price", json!({"offeringId": "PLAN_M", "at": at})).await.ok();
        assert_eq!(active["id"], expected, "neither a gap nor a choice at {at}");
    }
    let mut short = price("PRICE_PLAN_M_V3", "29.00");
    (short["validFrom"], short["validTo"], short["retireCurrent"]) =
        (json!("2026-05-01T00:00:00Z"), json!("2026-06-01T00:00:00Z"), json!(true));
    let added = app.op("catalog.add_price", short).await.ok();
    assert!(added["warning"].as_str().is_some_and(|text| text.contains("2026-06-01")), "{added:#}");
    let retired = app.op("catalog.retire_price", json!({"priceId": "PRICE_PLAN_XS"})).await.ok();
    assert!(retired["validTo"].is_string());
    let again = app.op("catalog.retire_price", json!({"priceId": "PRICE_PLAN_XS"})).await.ok();
    assert_eq!(again, retired, "twice is once");

    let windowed =
        json!({"offeringId": "PLAN_S", "validFrom": "2026-01-01T00:00:00Z", "validTo": "2027-01-01T00:00:00Z"});
    app.op("catalog.window_offering", windowed).await.ok();
    let kept = app.op("catalog.window_offering", json!({"offeringId": "PLAN_S", "validTo": null})).await.ok();
    assert_eq!((&kept["validFrom"], &kept["validTo"]), (&json!("2026-01-01T00:00:00Z"), &Value::Null));
    app.op("catalog.retire_offering", json!({"offeringId": "PLAN_XS"})).await.ok();
    let retired = app.op("catalog.retire_offering", json!({"offeringId": "PLAN_XS"})).await.ok();
    assert_eq!(retired["lifecycleStatus"], "retired");
    app.finish().await;
}

#[tokio::test]
async fn categories_are_a_tree_and_specifications_are_described() {
    let app = TestApp::new().await;
    let post = async |name: &str, more: Value| {
        let mut body = json!({"name": name});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        send(&app, Method::POST, CATEGORIES, "Category", &body, None).await
    };
    let top = post("Prepaid", json!({"productOffering": [{"id": "PLAN_M"}]})).await.ok();
    let below = post("Small", json!({"parentId": top["id"], "isRoot": false})).await.ok();
    assert_eq!((&top["isRoot"], &below["isRoot"]), (&json!(true), &json!(false)));
    post("x", json!({"parentId": "CAT-none"})).await.violates("catalog.category.not_found");
    post("x", json!({"productOffering": [{"id": "PLAN_NONE"}]})).await.violates("catalog.offering.not_found");
    let change = async |one: &Value, body: Value| send(&app, Method::PATCH, href(one), "Category", &body, None).await;
    change(&top, json!({"parentId": below["id"]})).await.violates("catalog.category.cycle");
    let shown = app.get(href(&top)).await.ok();
    assert_eq!(shown["subCategory"][0]["id"], below["id"]);
    let plan = app.get(&format!("{OFFERINGS}/PLAN_M")).await.ok();
    official("ProductOffering", &plan);
    assert_eq!(plan["category"][0]["id"], top["id"]);
    let moved = change(&below, json!({"parentId": null, "productOffering": [{"id": "PLAN_S"}]})).await.ok();
    assert_eq!((&moved["isRoot"], &moved["productOffering"][0]["id"]), (&json!(true), &json!("PLAN_S")));
    assert_eq!(app.send(Method::POST, CATEGORIES, &json!({"name": "x", "subCategory": []})).await.status, 400);

    let wish = json!({"name": "Data only", "brand": "BSS Mobile", "productNumber": "DO-1"});
    let made = send(&app, Method::POST, SPECIFICATIONS, "ProductSpecification", &wish, None).await.ok();
    assert_eq!(made["productNumber"], "DO-1");
    let changed = json!({"brand": null, "lifecycleStatus": "Retired"});
    let changed = send(&app, Method::PATCH, href(&made), "ProductSpecification", &changed, Some("\"1\"")).await.ok();
    assert!(changed.get("brand").is_none());
    assert_eq!(changed["version"], "2");
    app.finish().await;
}

#[tokio::test]
async fn every_list_filters_selects_sorts_and_pages() {
    let app = TestApp::new().await;
    for (collection, resource) in [
        (OFFERINGS, "ProductOffering"),
        (PRICES, "ProductOfferingPrice"),
        (SPECIFICATIONS, "ProductSpecification"),
        (CATEGORIES, "Category"),
    ] {
        app.send(Method::POST, CATEGORIES, &json!({"name": "Plans"})).await.ok();
        let all = app.get(collection).await;
        let total = all.headers["x-total-count"].to_str().unwrap().to_owned();
        let listed = all.ok();
        assert_eq!(listed.as_array().map(Vec::len).unwrap().to_string(), total);
        for one in listed.as_array().unwrap() {
            official(resource, one);
        }
        let first = &listed[0]["id"].as_str().unwrap();
        let found = app.get(&format!("{collection}?id={first}&fields=name&sort=-name&limit=1")).await.ok();
        validate_selection(Api::Tmf620, resource, &found[0]).expect("a selection is official");
        assert_eq!(found[0].as_object().map(serde_json::Map::len), Some(4), "{found:#}");
        assert_eq!(app.get(&format!("{collection}?nothing=1")).await.status, 400);
        assert_eq!(app.get(&format!("{collection}/none")).await.status, 404);
        let unknown = app.send(Method::POST, collection, &json!({"name": "x", "loyalty": 1})).await;
        assert_eq!((unknown.status.as_u16(), &unknown.body["reason"]), (400, &json!("/loyalty")));
    }
    app.finish().await;
}

#[tokio::test]
async fn two_who_change_one_plan_at_once_have_one_winner() {
    let app = TestApp::new().await;
    let path = format!("{OFFERINGS}/PLAN_L");
    let tag = app.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let headers = [("if-match", tag.as_str())];
    let change = |name: &'static str| {
        let (app, path, headers) = (&app, &path, &headers);
        async move { app.send_with(Method::PATCH, path, &json!({"name": name}), headers).await.status.as_u16() }
    };
    let mut answers = futures::future::join_all([change("A"), change("B"), change("C"), change("D")]).await;
    answers.sort_unstable();
    assert_eq!(answers, [200, 412, 412, 412]);
    app.finish().await;
}

#[tokio::test]
async fn a_top_up_is_added_bought_and_withdrawn() {
    let app = TestApp::new().await;
    let week = json!({"vasOfferingId": "VAS_WEEK", "name": "Data week", "amount": "7.00", "allowanceType": "data",
        "allowanceQuantity": 2048, "expiryHours": 168});
    let without = |change: Value| {
        let mut wish = week.clone();
        for (name, value) in change.as_object().expect("members") {
            wish[name] = value.clone();
        }
        wish
    };
    let add = async |wish: &Value| app.op("catalog.add_vas", wish.clone()).await;
    add(&without(json!({"currency": "USD"}))).await.violates("catalog.price.currency_mismatch");
    add(&without(json!({"amount": "-1.00"}))).await.violates("catalog.price.invalid_amount");
    add(&without(json!({"allowanceQuantity": 0}))).await.violates("catalog.vas.invalid_grant");
    add(&without(json!({"allowanceQuantity": -1, "expiryHours": null}))).await.violates("catalog.vas.invalid_grant");
    add(&without(json!({"validFrom": "2026-02-01T00:00:00Z", "validTo": "2026-01-01T00:00:00Z"})))
        .await
        .violates("catalog.window.inverted");
    assert_eq!(add(&without(json!({"expiryHours": 0}))).await.status, 400);
    let added = add(&week).await.ok();
    assert_eq!(
        (&added["amount"], &added["allowanceUnit"], &added["validTo"]),
        (&json!("7.00"), &json!("mb"), &Value::Null)
    );
    add(&week).await.violates("catalog.vas.already_exists");

    let line = app.line("PLAN_S").await;
    let buy = json!({"subscriptionId": line["id"], "vasOfferingId": "VAS_WEEK"});
    let bought = app.op("subscription.purchase_vas", buy.clone()).await.ok();
    assert_eq!(bought["balances"][0]["remaining"], 5120 + 2048, "{bought:#}");

    let window = async |change: Value| app.op("catalog.window_vas", change).await;
    window(json!({"vasOfferingId": "VAS_NONE"})).await.violates("catalog.vas.not_found");
    let end = json!({"vasOfferingId": "VAS_WEEK", "validTo": "2020-01-01T00:00:00Z"});
    assert_eq!(window(end.clone()).await.ok()["validTo"], "2020-01-01T00:00:00Z");
    window(json!({"vasOfferingId": "VAS_WEEK", "validFrom": "2021-01-01T00:00:00Z"}))
        .await
        .violates("catalog.window.inverted");
    window(end).await.ok();
    let on_sale = app.op("catalog.list_vas", json!({})).await.ok();
    let listed = |list: &Value| list.as_array().expect("a list").iter().any(|vas| vas["id"] == "VAS_WEEK");
    assert!(!listed(&on_sale), "{on_sale:#}");
    assert_eq!(app.op("catalog.get_vas", json!({"vasOfferingId": "VAS_WEEK"})).await.ok()["name"], "Data week");
    app.op("subscription.purchase_vas", buy).await.violates("subscription.vas_purchase.vas_offering_sellable");
    window(json!({"vasOfferingId": "VAS_WEEK", "validTo": null})).await.ok();
    assert!(listed(&app.op("catalog.list_vas", json!({})).await.ok()));

    let events = app.op("events.list", json!({"aggregateType": "vas_offering"})).await.ok();
    let told: Vec<_> = events["events"].as_array().expect("events").iter().map(|e| e["eventType"].clone()).collect();
    assert_eq!(
        told,
        ["catalog.vas.added", "catalog.vas.windowed", "catalog.vas.windowed"],
        "a repetition is no change"
    );
    app.finish().await;
}
