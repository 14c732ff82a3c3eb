//! Usage around its answer, on the running product: thresholds, explanations, consumption, imports, and what is left of it when
//! its months go.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::tmf_gate::{Api, validate};

async fn use_up(app: &TestApp, line: &Value, kind: &str, quantity: i64) -> Value {
    let usage = json!({"msisdn": line["msisdn"], "eventType": kind, "quantity": quantity});
    app.op("usage.simulate", usage).await.body
}

/// Percent and what was left, of every threshold of the line, in order.
async fn thresholds(app: &TestApp, line: &Value) -> Vec<(String, i64, i64)> {
    let payloads: Vec<Value> = sqlx::query_scalar(
        "select payload from audit.domain_event where event_type = 'usage.threshold_reached' and aggregate_id = $1 order by id",
    )
    .bind(line["id"].as_str().expect("an id"))
    .fetch_all(app.platform.db.pool())
    .await
    .expect("the query is right");
    let reached = |payload: &Value| {
        let number = |name: &str| payload[name].as_i64().expect("a number");
        (payload["allowanceType"].as_str().expect("a type").to_owned(), number("percent"), number("remaining"))
    };
    payloads.iter().map(reached).collect()
}

fn at(kind: &str, percent: i64, left: i64) -> (String, i64, i64) {
    (kind.to_owned(), percent, left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_threshold_is_told_once_a_period_whatever_a_top_up_does_to_the_share() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    use_up(&app, &line, "data", 2_559).await;
    assert_eq!(thresholds(&app, &line).await, []);
    use_up(&app, &line, "data", 1).await;
    use_up(&app, &line, "voice", 90).await;
    use_up(&app, &line, "data", 1_540).await;
    let so_far = [at("data", 50, 2_560), at("voice", 50, 10), at("voice", 80, 10), at("data", 80, 1_020)];
    assert_eq!(thresholds(&app, &line).await, so_far);
    let top_up = json!({"subscriptionId": line["id"], "vasOfferingId": "VAS_DATA_1GB"});
    app.op("subscription.purchase_vas", top_up).await.ok();
    use_up(&app, &line, "data", 815).await;
    use_up(&app, &line, "data", 1).await;
    assert_eq!(thresholds(&app, &line).await, so_far, "4916 of 6144 are 80 per cent again, and that was told");
    use_up(&app, &line, "data", 1_228).await;
    assert_eq!(thresholds(&app, &line).await[4..], [at("data", 100, 0)]);
    app.op("subscription.renew_now", json!({"subscriptionId": line["id"]})).await.ok();
    use_up(&app, &line, "data", 5_120).await;
    let all = thresholds(&app, &line).await;
    assert_eq!(all[5..], [at("data", 50, 0), at("data", 80, 0), at("data", 100, 0)], "a period of its own");
    app.settle().await;
    let mails = "select count(*) from crm.communication_message where template = 'low_balance'";
    assert_eq!(app.number(mails).await, 2, "of data and of voice, once");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_grant_hides_no_threshold() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-06T09:00:00Z"})).await.ok();
    let line = app.line("PLAN_S").await;
    app.sql("update catalog.vas_offering set expiry_hours = 24 where id = 'VAS_DATA_5GB'").await;
    for _ in 0..2 {
        let top_up = json!({"subscriptionId": line["id"], "vasOfferingId": "VAS_DATA_5GB"});
        app.op("subscription.purchase_vas", top_up).await.ok();
    }
    use_up(&app, &line, "data", 5_500).await;
    // A third of 15,360 is used, all of it from the top-ups. Their rest ends, and half of what there was is used.
    app.op("clock.advance", json!({"duration": "25h"})).await.ok();
    app.op("worker.tick", json!({"name": "vas_expiry"})).await.ok();
    assert_eq!(thresholds(&app, &line).await, []);
    use_up(&app, &line, "data", 1).await;
    assert_eq!(thresholds(&app, &line).await, [at("data", 50, 5_119)]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unlimited_allowances_and_replays_reach_nothing() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_M").await;
    use_up(&app, &line, "voice", 100_000).await;
    let half = json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 20_000, "externalId": "cdr-1"});
    for _ in 0..3 {
        app.op("usage.simulate", half.clone()).await.ok();
    }
    assert_eq!(thresholds(&app, &line).await, [at("data", 50, 10_720)]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_can_be_explained() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let explain = async |usage: &Value| app.op("rating.explain", json!({"usageId": usage})).await.ok();
    let first = use_up(&app, &line, "data", 5_000).await;
    let top_up = json!({"subscriptionId": line["id"], "vasOfferingId": "VAS_DATA_1GB"});
    app.op("subscription.purchase_vas", top_up).await.ok();
    let last = use_up(&app, &line, "data", 2_000).await;

    let served = explain(&first["id"]).await;
    assert_eq!((&served["bucket"]["before"], &served["bucket"]["after"]), (&json!(5_120), &json!(120)));
    assert_eq!(served["tariff"]["offeringId"], "PLAN_S");
    assert_eq!(served["blocksTheLine"], false);
    let cut = explain(&last["id"]).await;
    assert_eq!((&cut["bucket"]["taken"], &cut["blocksTheLine"]), (&json!(1_144), &json!(true)), "{cut:#}");
    let sources: Vec<&str> =
        cut["bucket"]["grants"].as_array().unwrap().iter().map(|grant| grant["source"].as_str().unwrap()).collect();
    assert!(sources[0] == "activation" && sources[1].starts_with("vas:VP-"), "{sources:?}");

    let refused = use_up(&app, &line, "data", 1).await;
    assert_eq!(refused["reason"], "usage.record.subscription_must_be_active");
    let why = explain(&refused["context"]["usageId"]).await;
    assert_eq!(why["refusedBy"]["rule"], "usage.record.subscription_must_be_active");
    assert_eq!((&why["blockedBy"]["state"], &why["blockedBy"]["reasons"]), (&json!("blocked"), &json!(["exhausted"])));
    assert!(why["bucket"].is_null());

    let unlimited = app.line("PLAN_M").await;
    let free = explain(&use_up(&app, &unlimited, "sms", 3).await["id"]).await;
    assert_eq!((&free["bucket"]["unlimited"], &free["bucket"]["before"]), (&json!(true), &Value::Null));
    assert_eq!(app.op("rating.explain", json!({"usageId": "UE-999999"})).await.status, 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tmf677_shows_what_is_left_of_a_line_a_number_or_a_customer() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_M").await;
    use_up(&app, &line, "data", 30_720).await;
    let path = "/tmf-api/usageConsumption/v4/queryUsageConsumption";
    let one = app.get(&format!("{path}/{}", line["id"].as_str().unwrap())).await.ok();
    validate(Api::Tmf677, "QueryUsageConsumption", &one).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let buckets = one["usageConsumption"][0]["bucketRefOrValue"].as_array().unwrap();
    let data = buckets.iter().find(|bucket| bucket["usageType"] == "data").unwrap();
    assert_eq!((&data["status"], &data["remainingValue"]["amount"]), (&json!("exhausted"), &json!(0)));
    assert_eq!(data["bucketCounter"][0]["value"]["amount"], 30_720);
    let voice = buckets.iter().find(|bucket| bucket["usageType"] == "voice").unwrap();
    assert_eq!((&voice["remainingValueName"], &voice["remainingValue"]), (&json!("unlimited"), &Value::Null));
    for filter in [
        format!("relatedParty.id={}", line["customerId"].as_str().unwrap()),
        format!("usageConsumption.product.id={}", line["id"].as_str().unwrap()),
        format!("usageConsumption.logicalResource.id={}", line["msisdn"].as_str().unwrap()),
    ] {
        let list = app.get(&format!("{path}?{filter}")).await;
        assert_eq!(list.headers["x-total-count"], "1", "{filter}");
        let list = list.ok();
        assert_eq!(list[0]["id"], line["id"]);
        validate(Api::Tmf677, "QueryUsageConsumption", &list[0]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    }
    let neither =
        format!("{path}?relatedParty.id=CUST-none&usageConsumption.product.id={}", line["id"].as_str().unwrap());
    assert_eq!(app.get(&neither).await.ok(), json!([]));
    for bad in ["", "?state=done", "?relatedParty.id.gt=1", "?relatedParty.id=CUST-1&sort=id"] {
        assert_eq!(app.get(&format!("{path}{bad}")).await.status, 400, "{bad}");
    }
    assert_eq!(app.get(&format!("{path}/SUB-none")).await.status, 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_answers_each_record_for_itself_and_counts_none_twice() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let record = |id: &str, kind: &str, quantity: Value| json!({"msisdn": line["msisdn"], "eventType": kind, "quantity": quantity, "externalId": id});
    let mut stranger = record("cdr-5", "data", json!(1));
    stranger["msisdn"] = json!("99999999");
    let batch = json!({"records": [
        record("cdr-1", "data", json!(5_000)), record("cdr-2", "fax", json!(1)), record("cdr-3", "voice", json!(0.5)),
        record("cdr-4", "data", json!(500)), stranger, record("cdr-1", "data", json!(5_000)), record("cdr-6", "data", json!(1)),
    ]});
    let words = async || {
        let answer = app.op("usage.import_batch", batch.clone()).await.ok();
        let outcomes = answer["outcomes"].as_array().unwrap().clone();
        outcomes.iter().map(|o| (o["outcome"].clone(), o["reason"].clone())).collect::<Vec<_>>()
    };
    let first = words().await;
    let expected = [
        ("rated", None),
        ("refused", Some("usage.record.valid_event_type")),
        ("invalid", Some("/quantity")),
        ("rated", None),
        ("refused", Some("usage.record.subscription_must_exist")),
        ("rated", None),
        ("refused", Some("usage.record.subscription_must_be_active")),
    ];
    assert_eq!(first, expected.map(|(outcome, reason)| (json!(outcome), json!(reason))), "in their order");
    assert_eq!(words().await, first, "sent again it gets its stored answers");
    assert_eq!(app.number("select count(*) from mediation.usage_event").await, 3);
    for bad in [json!([]), json!(vec![record("x", "data", json!(1)); 401])] {
        assert_eq!(app.op("usage.import_batch", json!({"records": bad})).await.status, 400);
    }
    app.finish().await;
}

/// An import must get past a record that the server cannot take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_server_fails_at_is_told_apart_from_one_that_is_not_answered() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    app.sql("alter table mediation.usage_event add constraint cursed check (external_id <> 'cdr-cursed')").await;
    let record = |id: &str| json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 1, "externalId": id});
    let records = json!({"records": [record("cdr-1"), record("cdr-cursed"), record("cdr-2")]});
    let answer = app.op("usage.import_batch", records).await.ok();
    let outcomes: Vec<&Value> = answer["outcomes"].as_array().unwrap().iter().map(|o| &o["outcome"]).collect();
    assert_eq!(outcomes, ["rated", "failed", "rated"]);
    assert!(answer["outcomes"][1]["message"].as_str().unwrap().contains("log"), "{answer:#}");
    assert_eq!(app.number("select count(*) from mediation.usage_event").await, 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_months_go_and_the_books_stay_whole() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    use_up(&app, &line, "data", 100).await;
    app.settle().await;
    app.sql(
        "create table mediation.usage_event_2020_01 partition of mediation.usage_event
             for values from ('2020-01-01 00:00:00+00') to ('2020-02-01 00:00:00+00')",
    )
    .await;
    app.sql("insert into mediation.usage_event (recorded_at, subscription_id, id, source, external_id, msisdn, customer_id,
                 offering_id, event_type, event_time, quantity, unit, state, allowance_type, period_index, applied,
                 rated_quantity, remaining, actor, channel, service_identity, request_id)
             select '2020-01-05', id, 'UE-OLD-' || n, 'pgw', 'old-' || n, msisdn, customer_id, offering_id, 'data', now(), n, 'mb',
                    'rated', 'data', 1, n, n, 1000, 'test', 'system', 'default', 'r-1'
             from subscription.subscription, generate_series(1, 3) n").await;
    app.sql("update subscription.bundle_balance set remaining = remaining - 6 where allowance_type = 'data'").await;
    app.assert_books().await;
    for month in [
        "create table audit.domain_event_2020_01 partition of audit.domain_event
                   for values from ('2020-01-01 00:00:00+00') to ('2020-02-01 00:00:00+00')",
        "create table audit.domain_event_2020_02 partition of audit.domain_event
                   for values from ('2020-02-01 00:00:00+00') to ('2020-03-01 00:00:00+00')",
    ] {
        app.sql(month).await;
    }
    app.sql("insert into audit.domain_event (event_id, event_type, aggregate_type, aggregate_id, occurred_at, recorded_at, actor,
                 channel, service_identity, request_id)
             select gen_random_uuid(), 'test.happened', 'test', 'T-1', at, at, 'test', 'system', 'default', 'r-1'
             from unnest(array['2020-01-07', '2020-02-07']::timestamptz[]) at").await;
    app.sql(
        "insert into audit.delivery (event_id, consumer, kind, event_seq, recorded_at, event_type, aggregate_id, state)
             select event_id, 'test.nobody', 'consumer', id, recorded_at, event_type, aggregate_id,
                    case when recorded_at < '2020-02-01' then 'discarded' else 'parked' end
             from audit.domain_event where event_type = 'test.happened'",
    )
    .await;

    let tick = async || app.op("worker.tick", json!({"name": "retention"})).await.ok();
    let report = tick().await;
    assert_eq!(report["usage"]["dropped"], json!(["mediation.usage_event_2020_01"]), "{report:#}");
    assert_eq!(report["events"]["dropped"], json!(["audit.domain_event_2020_01"]));
    assert_eq!(report["events"]["kept"], json!(["audit.domain_event_2020_02: a delivery is pending or parked"]));
    assert_eq!(
        app.number(
            "select sum(amount)::bigint from subscription.quota_entry where kind = 'use' and source = 'usage:2020_01'"
        )
        .await,
        -6
    );
    assert_eq!(app.number("select count(*) from mediation.usage_event").await, 1, "this month stays");
    let timeline = app.op("subscription.timeline", json!({"subscriptionId": line["id"]})).await.ok();
    let told: Vec<(&Value, &Value)> = timeline
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["quantity"] == -6)
        .map(|entry| (&entry["kind"], &entry["reason"]))
        .collect();
    assert_eq!(told, [(&json!("use"), &json!("usage:2020_01"))], "used, not expired: {timeline:#}");
    app.assert_books().await;
    tick().await;
    assert_eq!(app.number("select count(*) from subscription.quota_entry where kind = 'use'").await, 1, "closed once");

    app.sql("update audit.delivery set state = 'discarded' where consumer = 'test.nobody'").await;
    tick().await;
    assert_eq!(app.number("select count(*) from audit.domain_event where event_type = 'test.happened'").await, 0);
    assert_eq!(app.number("select count(*) from audit.delivery where consumer = 'test.nobody'").await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_it_takes_off_and_an_event_is_rated_without_a_line() {
    let app = TestApp::new().await;
    let tariff = app.op("rating.tariff", json!({"offeringId": "PLAN_M"})).await.ok();
    let rates = tariff["rates"].as_array().unwrap();
    assert_eq!(rates.len(), 6, "three kinds, at home and abroad");
    assert_eq!((&rates[0]["allowanceType"], &rates[0]["included"]), (&json!("data"), &json!(30_720)));
    assert_eq!((&rates[1]["allowanceType"], &rates[1]["included"]), (&json!("data_roaming"), &json!(500)));
    let test = async |more: Value| {
        let mut event = json!({"offeringId": "PLAN_M", "eventType": "data", "quantity": 600, "unit": "mb"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.op("rating.test", event).await
    };
    let home = test(json!({})).await.ok();
    assert_eq!(
        (&home["consumedQuantity"], &home["chargeAmount"], &home["currency"]),
        (&json!(600), &json!("0.00"), &json!("SGD"))
    );
    let abroad = test(json!({"roamingIndicator": true})).await.ok();
    assert_eq!((&abroad["consumedQuantity"], &abroad["refusedQuantity"]), (&json!(500), &json!(100)));
    test(json!({"unit": "minutes"})).await.violates("rating.unit_mismatch");
    test(json!({"eventType": "fax"})).await.violates("rating.unknown_event_type");
    test(json!({"offeringId": "PLAN_S", "roamingIndicator": true}))
        .await
        .violates("subscription.usage_rated.roaming_balance_required");
    assert_eq!(test(json!({"offeringId": "PLAN_NONE"})).await.status, 404);
    assert_eq!(app.op("rating.tariff", json!({"offeringId": "PLAN_NONE"})).await.status, 404);
    assert_eq!(test(json!({"quantity": 0})).await.status, 400);
    assert_eq!(app.number("select count(*) from mediation.usage_event").await, 0, "nothing is recorded");
    app.finish().await;
}
