//! The other TM Forum resources: customers changed, persons, lines as products, buckets and top-ups, numbers and profiles,
//! cards, the timeline.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::tmf_gate::{Api, validate, validate_extended, validate_request, validate_selection};

#[track_caller]
fn official(api: Api, resource: &str, body: &Value) {
    if let Err(faults) = validate(api, resource, body) {
        panic!("{faults:#?}\n{body:#}");
    }
}

/// The one resource that a filter finds, official in the list and by itself.
async fn only(app: &TestApp, api: Api, resource: &str, query: &str) -> Value {
    let listed = app.get(query).await.ok();
    let [one] = listed.as_array().expect("a list").as_slice() else { panic!("{query}: {listed:#}") };
    official(api, resource, one);
    let read = app.get(one["href"].as_str().expect("an href")).await.ok();
    assert_eq!(&read, one);
    let cut = app.get(&format!("{}?fields=none", one["href"].as_str().expect("an href"))).await.ok();
    validate_selection(api, resource, &cut).expect("a selection is official");
    read
}

#[tokio::test]
async fn a_customer_is_changed_by_merge_patch() {
    let app = TestApp::new().await;
    let id = app.customer("4242424242424242").await;
    let path = format!("/tmf-api/customerManagement/v4/customer/{id}");
    let tag = app.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let change = async |body: Value, tag: &str| {
        validate_request(Api::Tmf629, "PATCH", "Customer", &body).expect("our own request is official");
        app.send_with(
            Method::PATCH,
            &path,
            &body,
            &[("if-match", tag), ("content-type", "application/merge-patch+json")],
        )
        .await
    };
    assert_eq!(change(json!({"name": "Ada King"}), "\"99\"").await.status, 412);
    let wish = json!({"name": "Ada King", "agreement": [{"id": "AGR-1"}], "characteristic": [{"name": "segment", "value": 3}]});
    let changed = change(wish.clone(), &tag).await;
    assert_eq!(changed.status, 200, "{:#}", changed.body);
    official(Api::Tmf629, "Customer", &changed.body);
    assert_eq!((&changed.body["name"], &changed.body["agreement"]), (&json!("Ada King"), &wish["agreement"]));
    let next = changed.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(change(wish, &next).await.headers["etag"].to_str().unwrap(), next, "nothing new is no new version");
    let removed = change(json!({"agreement": null, "status": "suspended", "statusReason": "asked"}), "*").await.ok();
    assert!(removed.get("agreement").is_none());
    assert_eq!(removed["status"], "suspended");
    change(json!({"status": "pending"}), "*").await.violates("customer.update.status_invalid");
    for (body, pointer) in [
        (json!({"account": []}), "/account"),
        (json!({"contactMedium": []}), "/contactMedium"),
        (json!({"id": "CUST-1"}), "/id"),
        (json!({"loyalty": 1}), "/loyalty"),
    ] {
        let refused = app.send(Method::PATCH, &path, &body).await;
        assert_eq!((refused.status.as_u16(), refused.body["reason"].as_str()), (400, Some(pointer)));
    }
    let location = "https://example.test/loyalty.json";
    let extended = change(json!({"loyalty": {"tier": "gold"}, "@schemaLocation": location}), "*").await.ok();
    assert_eq!(extended["loyalty"]["tier"], "gold");
    assert_eq!(validate_extended(Api::Tmf629, "Customer", &extended, &[location]), Ok(()));
    assert_eq!(change(json!({"status": "active"}), "*").await.ok()["status"], "active");
    let closed = change(json!({"status": "closed"}), "*").await.ok();
    assert!(closed["validFor"]["endDateTime"].is_string());
    change(json!({"name": "Somebody Else"}), "*").await.violates("customer.update.customer_is_closed");
    assert_eq!(app.send(Method::PATCH, &path.replace(&id, "CUST-none"), &json!({"name": "x"})).await.status, 404);
    let types =
        app.op("events.list", json!({"aggregateId": id, "eventTypePrefix": "customer.", "limit": 50})).await.ok();
    let types: Vec<&str> = types["events"].as_array().unwrap().iter().filter_map(|e| e["eventType"].as_str()).collect();
    assert_eq!(types.iter().filter(|name| **name == "customer.updated").count(), 4, "{types:?}");
    assert_eq!(types.last(), Some(&"customer.closed"));
    app.finish().await;
}

#[tokio::test]
async fn of_two_changes_at_once_the_second_keeps_what_the_first_has_changed() {
    let app = TestApp::new().await;
    let id = app.customer("4242424242424242").await;
    let path = format!("/tmf-api/customerManagement/v4/customer/{id}");
    let mut held = app.platform.db.pool().begin().await.unwrap();
    sqlx::query("select 1 from crm.customer where id = $1 for update").bind(&id).execute(&mut *held).await.unwrap();
    let waiting = async |count: i64| {
        let waits =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        app.until("they wait for the customer", async || (app.number(waits).await >= count).then_some(())).await;
    };
    let first = json!({"name": "Grace Hopper"});
    let second = json!({"agreement": [{"id": "AGR-1"}]});
    let rename = app.send(Method::PATCH, &path, &first);
    let tag = async {
        waiting(1).await;
        app.send(Method::PATCH, &path, &second).await
    };
    let release = async {
        waiting(2).await;
        held.rollback().await.unwrap();
    };
    let (renamed, tagged, ()) = tokio::join!(rename, tag, release);
    assert_eq!(renamed.ok()["name"], "Grace Hopper");
    assert_eq!(tagged.ok()["name"], "Grace Hopper");
    let read = app.get(&path).await.ok();
    assert_eq!((&read["name"], &read["agreement"]), (&first["name"], &second["agreement"]));
    app.finish().await;
}

#[tokio::test]
async fn a_customer_with_a_line_is_not_closed_by_patch() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let path = format!("/tmf-api/customerManagement/v4/customer/{}", line["customerId"].as_str().unwrap());
    app.send(Method::PATCH, &path, &json!({"status": "closed"}))
        .await
        .violates("customer.close.no_active_subscriptions");
    app.finish().await;
}

#[tokio::test]
async fn who_has_a_single_name_has_it_once_everywhere() {
    let app = TestApp::new().await;
    let created = app.op("customer.create", json!({"name": " Cher ", "email": "cher@example.test"})).await.ok();
    let twice = app.op("customer.create", json!({"name": "Cher Bono", "email": "bono@example.test"})).await.ok();
    let id = created["id"].as_str().unwrap();
    let customer = only(&app, Api::Tmf629, "Customer", "/tmf-api/customerManagement/v4/customer?name=Cher").await;
    assert_eq!((&customer["id"], &customer["name"]), (&json!(id), &json!("Cher")));
    let person = only(&app, Api::Tmf632, "Individual", "/tmf-api/party/v4/individual?fullName=Cher").await;
    assert_eq!((&person["fullName"], &person["relatedParty"][0]["name"]), (&json!("Cher"), &json!("Cher")));
    assert_eq!((&person["givenName"], &person["familyName"]), (&json!("Cher"), &json!("Cher")), "both are mandatory");
    let sorted = app.get("/tmf-api/customerManagement/v4/customer?sort=name&fields=name").await.ok();
    let names: Vec<&Value> = sorted.as_array().unwrap().iter().map(|customer| &customer["name"]).collect();
    assert_eq!(names, ["Cher", "Cher Bono"]);
    let told = app.op("interaction.list", json!({"customerId": id})).await.ok();
    assert!(told.to_string().contains("\"Customer created: Cher\""), "{told:#}");
    let found = app.op("customer.list", json!({"name": "cher"})).await.ok();
    assert_eq!(found.as_array().unwrap().len(), 2, "{found:#}");
    // Over TMF, somebody is renamed to a single name and back.
    let path = format!("/tmf-api/customerManagement/v4/customer/{}", twice["id"].as_str().unwrap());
    for name in ["Sonny", "Sonny Bono"] {
        let renamed = app.send(Method::PATCH, &path, &json!({"name": name})).await.ok();
        assert_eq!(renamed["name"], name);
    }
    app.settle().await;
    app.finish().await;
}

#[tokio::test]
async fn a_line_is_seen_as_product_buckets_resources_person_and_card() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_M").await;
    app.settle().await;
    let (id, customer) = (line["id"].as_str().unwrap(), line["customerId"].as_str().unwrap());
    let product = only(&app, Api::Tmf637, "Product", &format!("/tmf-api/productInventory/v4/product?id={id}")).await;
    assert_eq!((&product["status"], &product["name"]), (&json!("active"), &line["msisdn"]));
    let products =
        format!("/tmf-api/productInventory/v4/product?relatedParty.id={customer}&status=active&sort=-orderDate");
    assert_eq!(only(&app, Api::Tmf637, "Product", &products).await["id"], id);

    let number =
        format!("/tmf-api/resourceInventoryManagement/v4/resource/MSISDN-{}", line["msisdn"].as_str().unwrap());
    let number = app.get(&number).await.ok();
    official(Api::Tmf639, "Resource", &number);
    assert_eq!((&number["resourceStatus"], &number["usageState"]), (&json!("reserved"), &json!("active")));
    let profile = "/tmf-api/resourceInventoryManagement/v4/resource?category=esimProfile&resourceStatus=reserved";
    let profile = only(&app, Api::Tmf639, "Resource", profile).await;
    assert_eq!(profile["resourceRelationship"][0]["resource"]["id"], number["id"]);
    let text = profile.to_string();
    assert!(
        !text.contains("89101") && !text.contains("LPA:") && !text.contains("52501"),
        "no ICCID, code or IMSI: {text}"
    );

    let buckets = app.get(&format!("/tmf-api/prepayBalanceManagement/v4/bucket?product.id={id}")).await.ok();
    assert_eq!(buckets.as_array().map(Vec::len), Some(4));
    for bucket in buckets.as_array().unwrap() {
        official(Api::Tmf654, "Bucket", bucket);
        assert_eq!(&app.get(bucket["href"].as_str().unwrap()).await.ok(), bucket);
    }
    let data =
        only(&app, Api::Tmf654, "Bucket", &format!("/tmf-api/prepayBalanceManagement/v4/bucket?id={id}:data")).await;
    assert_eq!(data["remainingValue"]["amount"], 30_720);

    let person = format!("/tmf-api/party/v4/individual?relatedParty.id={customer}");
    let person = only(&app, Api::Tmf632, "Individual", &person).await;
    assert_eq!((&person["givenName"], &person["status"]), (&json!("Ada"), &json!("validated")));
    let email = person["contactMedium"][0]["characteristic"]["emailAddress"].as_str().unwrap().to_uppercase();
    let by_email = format!("/tmf-api/party/v4/individual?contactMedium.characteristic.emailAddress={email}");
    assert_eq!(only(&app, Api::Tmf632, "Individual", &by_email).await["id"], person["id"]);

    let cards = format!("/tmf-api/paymentMethod/v4/paymentMethod?relatedParty.id={customer}&status=active");
    let card = only(&app, Api::Tmf670, "PaymentMethod", &cards).await;
    assert_eq!((&card["lastFourDigits"], &card["isPreferred"]), (&json!("4242"), &json!(true)));

    app.op("subscription.terminate", json!({"subscriptionId": id, "reason": "moved away"})).await.ok();
    app.settle().await;
    let ended = app.get(product["href"].as_str().unwrap()).await.ok();
    official(Api::Tmf637, "Product", &ended);
    assert_eq!(ended["status"], "terminated");
    for path in [
        "/tmf-api/productInventory/v4/product/none",
        "/tmf-api/prepayBalanceManagement/v4/bucket/none",
        "/tmf-api/prepayBalanceManagement/v4/topupBalance/none",
        "/tmf-api/party/v4/individual/none",
        "/tmf-api/resourceInventoryManagement/v4/resource/none",
        "/tmf-api/paymentMethod/v4/paymentMethod/none",
        "/tmf-api/partyInteraction/v4/partyInteraction/none",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_blocked_line_is_a_suspended_product_until_it_is_topped_up_over_tmf654() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let (id, msisdn) = (line["id"].as_str().unwrap(), &line["msisdn"]);
    app.op("usage.simulate", json!({"msisdn": msisdn, "eventType": "data", "quantity": 5_120})).await.ok();
    app.settle().await;
    let product = format!("/tmf-api/productInventory/v4/product/{id}");
    let blocked = app.get(&product).await.ok();
    official(Api::Tmf637, "Product", &blocked);
    assert_eq!(blocked["status"], "suspended");

    let account = app.op("customer.get", json!({"customerId": line["customerId"]})).await.ok()["accountId"].clone();
    let wish = json!({"amount": {"amount": 1024, "units": "mb"}, "bucket": {"id": format!("{id}:data")},
        "partyAccount": {"id": account}, "usageType": "data", "description": "for the weekend"});
    validate_request(Api::Tmf654, "POST", "TopupBalance", &wish).expect("our own request is official");
    let path = "/tmf-api/prepayBalanceManagement/v4/topupBalance";
    let made = app.send_with(Method::POST, path, &wish, &[("idempotency-key", "click-1")]).await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    official(Api::Tmf654, "TopupBalance", &made.body);
    assert_eq!((&made.body["status"], &made.body["voucher"]), (&json!("completed"), &json!("VAS_DATA_1GB")));
    assert_eq!(made.body["description"], "for the weekend");
    let again = app.send_with(Method::POST, path, &wish, &[("idempotency-key", "click-1")]).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &made.body));
    assert_eq!(only(&app, Api::Tmf654, "TopupBalance", &format!("{path}?product.id={id}")).await, made.body);
    assert_eq!(app.get(&product).await.ok()["status"], "active");

    for (pointer, value, reason) in [
        ("/amount/amount", json!(1000), "/amount/amount"),
        ("/amount/units", json!("gb"), "/amount/units"),
        ("/bucket/id", json!("SUB-9999:data"), "/bucket/id"),
        ("/bucket/id", json!("none"), "/bucket/id"),
        ("/partyAccount/id", json!("ACC-none"), "/partyAccount/id"),
        ("/usageType", json!("voice"), "/usageType"),
        ("/usageType", json!("fax"), "/usageType"),
    ] {
        let mut wrong = wish.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let refused = app.send(Method::POST, path, &wrong).await;
        assert_eq!(
            (refused.status.as_u16(), refused.body["reason"].as_str()),
            (400, Some(reason)),
            "{:#}",
            refused.body
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn cards_are_preferred_and_taken_off_file_over_tmf670() {
    let app = TestApp::new().await;
    let customer = app.customer("4242424242424242").await;
    app.op("payment.add_card", json!({"customerId": customer, "cardNumber": "5555555555554444"})).await.ok();
    let cards = format!("/tmf-api/paymentMethod/v4/paymentMethod?relatedParty.id={customer}&sort=id");
    let listed = app.get(&cards).await.ok();
    let hrefs: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|card| card["href"].as_str()).collect();
    let prefer = json!({"isPreferred": true});
    validate_request(Api::Tmf670, "PATCH", "PaymentMethod", &prefer).expect("our own request is official");
    assert_eq!(app.send_with(Method::PATCH, hrefs[1], &prefer, &[("if-match", "\"9\"")]).await.status, 412);
    let preferred = app.send_with(Method::PATCH, hrefs[1], &prefer, &[("if-match", "\"1\"")]).await.ok();
    official(Api::Tmf670, "PaymentMethod", &preferred);
    assert_eq!(preferred["isPreferred"], true);
    assert_eq!(app.send(Method::PATCH, hrefs[1], &json!({"isPreferred": false})).await.status, 400);
    assert_eq!(app.send(Method::PATCH, hrefs[1], &json!({"name": "x"})).await.body["reason"], "/name");
    assert_eq!(app.send(Method::DELETE, hrefs[0], &Value::Null).await.status, 204);
    assert_eq!(app.get(hrefs[0]).await.ok()["status"], "removed");
    assert_eq!(app.send(Method::DELETE, &hrefs[0].replace("PM-", "PM-9"), &Value::Null).await.status, 404);
    app.finish().await;
}

#[tokio::test]
async fn the_timeline_is_read_and_added_to_over_tmf683() {
    let app = TestApp::new().await;
    let customer = app.customer("4242424242424242").await;
    let path = "/tmf-api/partyInteraction/v4/partyInteraction";
    let party = json!({"id": customer, "href": format!("/tmf-api/customerManagement/v4/customer/{customer}"),
        "@referredType": "Customer"});
    let wish = json!({"reason": "Asked about roaming", "description": "Travels in June", "direction": "inbound",
        "status": "completed", "interactionDate": {"startDateTime": "2026-05-10T17:00:00+08:00"},
        "channel": [{"id": "portal-csr", "href": "urn:bss:channel:portal-csr"}], "relatedParty": [party],
        "attachment": [{"name": "scan", "url": "https://example.test/scan"}]});
    validate_request(Api::Tmf683, "POST", "PartyInteraction", &wish).expect("our own request is official");
    let made = app.send_with(Method::POST, path, &wish, &[("idempotency-key", "k-1")]).await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    official(Api::Tmf683, "PartyInteraction", &made.body);
    assert_eq!(made.body["attachment"], wish["attachment"]);
    assert_eq!(made.body["interactionDate"]["startDateTime"], "2026-05-10T09:00:00.000Z");
    let again = app.send_with(Method::POST, path, &wish, &[("idempotency-key", "k-1")]).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &made.body));
    let found =
        only(&app, Api::Tmf683, "PartyInteraction", &format!("{path}?channel.id=portal-csr&direction=inbound")).await;
    assert_eq!(found["id"], made.body["id"]);
    let all = app.get(&format!("{path}?relatedParty.id={customer}")).await.ok();
    assert!(all.as_array().unwrap().len() >= 3, "creation, attestation and card wrote theirs");
    for line in all.as_array().unwrap() {
        official(Api::Tmf683, "PartyInteraction", line);
    }
    for (pointer, value, reason) in [
        ("/status", json!("open"), "/status"),
        ("/direction", json!("up"), "/direction"),
        ("/channel/0/id", json!("pigeon"), "/channel/0/id"),
        ("/relatedParty/0/id", json!("CUST-none"), "/relatedParty"),
        ("/relatedParty", json!([]), "/relatedParty"),
        ("/channel", json!([]), "/channel"),
    ] {
        let mut wrong = wish.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let refused = app.send(Method::POST, path, &wrong).await;
        assert_eq!(
            (refused.status.as_u16(), refused.body["reason"].as_str()),
            (400, Some(reason)),
            "{:#}",
            refused.body
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn usage_that_says_more_is_kept_and_echoed() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_M").await;
    let wish = json!({"usageType": "data", "usageDate": "2026-05-11T20:30:00+08:00", "description": "video",
        "usageSpecification": {"id": "USPEC_DATA", "@baseType": "UsageSpecificationRef"},
        "usageCharacteristic": [{"name": "msisdn", "value": line["msisdn"]}, {"name": "quantity", "value": 5, "id": "c-2"},
            {"name": "externalId", "value": "x-1"}]});
    let path = "/tmf-api/usageManagement/v4/usage";
    validate_request(Api::Tmf635, "POST", "Usage", &wish).expect("our own request is official");
    let now = app.op("clock.now", json!({})).await.ok();
    let mut wish = wish;
    wish["usageDate"] = now["now"].clone();
    let made = app.send(Method::POST, path, &wish).await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    official(Api::Tmf635, "Usage", &made.body);
    let specification = &made.body["usageSpecification"];
    assert_eq!((&made.body["description"], &specification["id"]), (&wish["description"], &json!("USPEC_DATA")));
    assert_eq!(specification["@baseType"], "UsageSpecificationRef", "what only the caller says is kept");
    let quantity = made.body["usageCharacteristic"].as_array().unwrap().iter().find(|one| one["name"] == "quantity");
    assert_eq!(quantity.unwrap()["id"], "c-2");
    assert_eq!(app.get(made.body["href"].as_str().unwrap()).await.ok(), made.body);
    assert_eq!(app.send(Method::POST, path, &wish).await.ok(), made.body, "a replay gets the stored answer");
    let mut plain = wish.clone();
    for more in ["description", "usageSpecification"] {
        plain.as_object_mut().unwrap().remove(more);
    }
    plain["usageCharacteristic"][1].as_object_mut().unwrap().remove("id");
    plain["usageCharacteristic"][2]["value"] = json!("x-2");
    let plain = app.send(Method::POST, path, &plain).await.ok();
    assert!(plain.get("description").is_none());
    let kept = app.number("select count(*) from mediation.usage_event where attributes is not null").await;
    assert_eq!(kept, 1, "nothing is written where nothing is said");
    wish["usageSpecification"]["id"] = json!("USPEC_SMS");
    assert_eq!(app.send(Method::POST, path, &wish).await.body["reason"], "/usageSpecification/id");
    wish["usageSpecification"]["id"] = json!("USPEC_DATA");
    wish["speed"] = json!(1);
    assert_eq!(app.send(Method::POST, path, &wish).await.body["reason"], "/speed");
    app.finish().await;
}

#[tokio::test]
async fn a_list_of_hundreds_of_thousands_is_not_counted_to_its_end() {
    let mut app = TestApp::new().await;
    let customer = app.customer("4242424242424242").await;
    let mut making = app.platform.db.pool().begin().await.unwrap();
    for statement in [
        "set local statement_timeout = 0",
        "alter table crm.interaction set (autovacuum_enabled = off)",
        "insert into crm.interaction (id, customer_id, channel, direction, summary, actor, occurred_at)
         select 'X-' || n, (select id from crm.customer), 'system', 'internal',
                case when n % 100 = 0 then 'rare' else 'made for a test' end, 'test', now()
         from generate_series(1, 260000) n",
        "analyze crm.interaction",
        // What the planner believes and what is there differ from here on.
        "delete from crm.interaction where id between 'X-1' and 'X-1299'",
    ] {
        sqlx::query(statement).execute(&mut *making).await.unwrap();
    }
    making.commit().await.unwrap();
    let exact = app.number("select count(*) from crm.interaction").await;
    let total = async |query: &str| {
        let path = format!("/tmf-api/partyInteraction/v4/partyInteraction?limit=1{query}");
        let answer = app.get(&path).await;
        assert_eq!(answer.status, 206, "{:#}", answer.body);
        answer.headers["x-total-count"].to_str().unwrap().parse::<i64>().unwrap()
    };
    assert!(exact > 200_000, "{exact}");
    let all = total("").await;
    assert!(all > 255_000 && all != exact, "{all} of {exact}");
    let few = app.number("select count(*) from crm.interaction where summary = 'rare'").await;
    assert!((1..200_000).contains(&few), "{few}");
    assert_eq!(total("&reason=rare").await, few, "a filter that lets fewer through is counted");
    let filtered = total(&format!("&reason=made%20for%20a%20test&relatedParty.id={customer}")).await;
    assert!(filtered > 200_000, "{filtered}");
    app.stop().await;
}

#[tokio::test]
async fn a_payment_is_given_back_over_tmf676() {
    const REFUNDS: &str = "/payment/v4/refund";
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let customer = line["customerId"].as_str().expect("a customer");
    let payment = app.get(&format!("/payment/v4/payment?payer.id={customer}")).await.ok()[0].clone();
    let wish = json!({
        "description": "Charged by mistake", "channel": {"id": "desk"},
        "account": {"id": payment["account"]["id"], "name": "Prepaid account"},
        "payment": {"id": payment["id"]},
        "paymentMethod": {"id": payment["paymentMethod"]["id"]},
        "totalAmount": {"unit": "SGD", "value": 10}
    });
    validate_request(Api::Tmf676, "POST", "Refund", &wish).expect("our own request is official");
    let ask =
        async |body: &Value, key: &str| app.send_with(Method::POST, REFUNDS, body, &[("idempotency-key", key)]).await;
    for (pointer, value) in [
        ("/totalAmount/value", json!(9)),
        ("/totalAmount/unit", json!("USD")),
        ("/account/id", json!("ACC-other")),
        ("/paymentMethod/id", json!("PM-9999")),
        ("/payment/id", json!("PAY-999999")),
    ] {
        let mut wrong = wish.clone();
        *wrong.pointer_mut(pointer).expect("it is there") = value;
        let refused = ask(&wrong, "k-wrong").await;
        let reason = refused.body["reason"].as_str().expect("a reason").to_owned();
        assert_eq!(refused.status, 400, "{pointer}: {:#}", refused.body);
        assert!(pointer.starts_with(&reason), "{pointer}: {reason}");
    }
    for (name, value) in [("authorizationCode", json!("x")), ("cashback", json!(1)), ("payment", json!({"name": "x"}))]
    {
        let mut wrong = wish.clone();
        wrong[name] = value;
        assert_eq!(ask(&wrong, "k-wrong").await.status, 400, "{name}");
    }
    let asked = ask(&wish, "k-1").await;
    assert_eq!(asked.status, 201, "{:#}", asked.body);
    official(Api::Tmf676, "Refund", &asked.body);
    assert_eq!(asked.headers["location"], asked.body["href"].as_str().expect("an href"));
    app.settle().await;
    let again = ask(&wish, "k-1").await;
    assert_eq!((again.status.as_u16(), &again.body["id"]), (201, &asked.body["id"]), "the same wish");
    assert_eq!(ask(&wish, "k-2").await.status, 409, "it is given back once");

    let id = asked.body["id"].as_str().expect("an id");
    let query = format!("{REFUNDS}?status=done&requestor.id={customer}&payment.id={}", payment["id"].as_str().unwrap());
    let refund = only(&app, Api::Tmf676, "Refund", &query).await;
    assert_eq!((&refund["id"], &refund["description"]), (&json!(id), &wish["description"]));
    assert_eq!((&refund["channel"], &refund["totalAmount"]["value"]), (&wish["channel"], &json!(10.0)));
    assert!(refund["authorizationCode"].is_string());
    assert_eq!(app.get(&format!("{REFUNDS}/REF-999999")).await.status, 404);
    assert_eq!(app.get(&format!("{REFUNDS}?status=paid")).await.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn usage_names_its_specification() {
    const SPECIFICATIONS: &str = "/tmf-api/usageManagement/v4/usageSpecification";
    let app = TestApp::new().await;
    let listed = app.get(SPECIFICATIONS).await.ok();
    let names: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["data", "sms", "voice"]);
    for name in names {
        only(&app, Api::Tmf635, "UsageSpecification", &format!("{SPECIFICATIONS}?name={name}")).await;
    }
    let page = app.get(&format!("{SPECIFICATIONS}?limit=1&sort=-name&lifecycleStatus=active")).await;
    assert_eq!((page.status.as_u16(), &page.body[0]["id"]), (206, &json!("USPEC_VOICE")));
    assert_eq!(app.get(&format!("{SPECIFICATIONS}/USPEC_FAX")).await.status, 404);
    let line = app.line("PLAN_S").await;
    let used = json!({"msisdn": line["msisdn"], "eventType": "sms", "quantity": 1});
    let id = app.op("usage.simulate", used).await.ok()["id"].as_str().expect("an id").to_owned();
    let usage = app.get(&format!("/tmf-api/usageManagement/v4/usage/{id}")).await.ok();
    official(Api::Tmf635, "Usage", &usage);
    let specification = usage["usageSpecification"]["href"].as_str().expect("an href");
    assert_eq!(app.get(specification).await.ok()["name"], "sms");
    app.finish().await;
}

#[tokio::test]
async fn what_the_network_was_asked_for_is_monitored_over_tmf640() {
    const BASE: &str = "/tmf-api/ServiceActivationAndConfiguration/v4";
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let services = app.get(&format!("{BASE}/service?category=CFS&state=active")).await.ok();
    let service = services.as_array().and_then(|list| list.first()).expect("a service").clone();
    official(Api::Tmf640, "Service", &service);
    assert_eq!(app.get(service["href"].as_str().expect("an href")).await.ok(), service);
    let inventory = app.get(&format!("/tmf-api/serviceInventory/v4/service/{}", service["id"].as_str().unwrap())).await;
    let same = |name: &str| assert_eq!(service[name], inventory.body[name], "{name}");
    ["id", "state", "serviceCharacteristic", "supportingService", "relatedParty"].into_iter().for_each(same);

    let source = service["href"].as_str().expect("an href");
    let query = format!("{BASE}/monitor?sourceHref={source}&request.to=HLR_PROVISION&state=Completed");
    let monitor = only(&app, Api::Tmf640, "Monitor", &query).await;
    let said: Value = serde_json::from_str(monitor["response"]["body"].as_str().expect("text")).expect("JSON");
    assert_eq!(said["state"], "completed");
    let all = app.get(&format!("{BASE}/monitor")).await;
    assert_eq!(all.body.as_array().map(Vec::len), Some(4), "{:#}", all.body);
    all.body.as_array().expect("a list").iter().for_each(|one| official(Api::Tmf640, "Monitor", one));
    let number = line["msisdn"].as_str().expect("a number");
    assert!(!all.body.to_string().contains(number), "what an element was told stays inside");
    assert_eq!(app.get(&format!("{BASE}/monitor?state=stuck")).await.status, 400);
    assert_eq!(app.get(&format!("{BASE}/monitor/PTK-999999")).await.status, 404);
    app.finish().await;
}
