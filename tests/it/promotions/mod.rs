//! Promotions in the running product: what can be created, who may have it, what a code would do, and TMF671. What orders do
//! with them is in `orders`, what becomes of a promise that cannot be claimed in `refused`.

mod orders;
mod refused;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Answer, TestApp};
use crate::support::tmf_gate::{Api, validate, validate_request};

const COLLECTION: &str = "/tmf-api/promotionManagement/v4/promotion";

/// Creates a promotion: 20 % off the first period, public, code `SUMMER25`, for anybody any number of times; changed as said.
async fn create(app: &TestApp, id: &str, changes: Value) -> Answer {
    let mut promotion = json!({"promotionId": id, "discountType": "percent", "discountValue": "20",
        "durationKind": "single", "code": "SUMMER25", "promoCodeKind": "multi_use"});
    for (name, value) in changes.as_object().expect("changes by name") {
        promotion[name] = value.clone();
    }
    app.op("promo.create", promotion).await
}

/// A targeted one, with the code that it makes of its id.
async fn targeted(app: &TestApp, id: &str, percent: &str) -> Value {
    let promotion = json!({"promotionId": id, "discountType": "percent", "discountValue": percent,
        "durationKind": "single", "audience": "targeted"});
    app.op("promo.create", promotion).await.ok()
}

async fn assign(app: &TestApp, id: &str, customers: &[&str]) -> Value {
    app.op("promo.assign", json!({"promotionId": id, "customerIds": customers})).await.ok()
}

async fn preview(app: &TestApp, code: &str, plan: &str, customer: Option<&str>) -> Value {
    app.op("promo.preview", json!({"code": code, "offeringId": plan, "customerId": customer})).await.ok()
}

async fn reason(app: &TestApp, code: &str, plan: &str, customer: Option<&str>) -> Value {
    let answer = preview(app, code, plan, customer).await;
    assert_eq!(answer["valid"], answer["reason"].is_null(), "{answer:#}");
    answer["reason"].clone()
}

async fn promotions(app: &TestApp) -> i64 {
    app.number("select count(*) from catalog.promotion").await
}

#[tokio::test]
async fn terms_that_are_not_right_are_refused_by_their_rule_and_write_nothing() {
    let app = TestApp::new().await;
    for (changes, rule) in [
        (json!({"audience": "friends"}), "catalog.promotion.invalid_audience"),
        (json!({"discountType": "bogus"}), "catalog.promotion.invalid_discount_type"),
        (json!({"discountValue": "150"}), "catalog.promotion.invalid_discount_value"),
        (json!({"discountValue": "0"}), "catalog.promotion.invalid_discount_value"),
        (json!({"durationKind": "forever"}), "catalog.promotion.invalid_duration_kind"),
        (json!({"durationKind": "multi"}), "catalog.promotion.invalid_periods_total"),
        (json!({"periodsTotal": 2}), "catalog.promotion.invalid_periods_total"),
        (json!({"code": null}), "catalog.promotion.requires_code"),
        (json!({"code": "  "}), "catalog.promotion.requires_code"),
        (json!({"promoCodeKind": null}), "catalog.promotion.invalid_promo_code_kind"),
        (json!({"promoCodeKind": "twice"}), "catalog.promotion.invalid_promo_code_kind"),
        (json!({"currency": "EUR"}), "catalog.price.currency_mismatch"),
        (json!({"applicableOfferingIds": ["PLAN_X"]}), "catalog.offering.not_found"),
        (json!({"validFrom": "2027-01-02T00:00:00Z", "validTo": "2027-01-01T00:00:00Z"}), "catalog.window.inverted"),
    ] {
        create(&app, "PROMO_1", changes).await.violates(rule);
    }
    let malformed = create(&app, "PROMO_1", json!({"code": "two words"})).await;
    assert_eq!((malformed.status.as_u16(), &malformed.body["reason"]), (400, &json!("/code")));
    assert_eq!(promotions(&app).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_targeted_one_needs_no_code_and_a_public_one_says_everything() {
    let app = TestApp::new().await;
    let vip = targeted(&app, "PROMO_VIP", "20.00").await;
    assert_eq!((&vip["code"], &vip["promoCodeKind"]), (&json!("PROMO_VIP"), &json!("single_use_unique_per_customer")));
    assert_eq!((&vip["state"], &vip["offerDefinitionId"]), (&json!("active"), &json!("OD_PROMO_VIP")));
    assert_eq!((&vip["discountValue"], &vip["label"]), (&json!("20"), &json!("20% off")));
    let terms = json!({"discountType": "absolute", "discountValue": "5.00", "durationKind": "multi", "periodsTotal": 3,
        "code": " summer25 ", "applicableOfferingIds": ["PLAN_M"], "displayName": "Summer"});
    let summer = create(&app, "PROMO_SUMMER25", terms).await.ok();
    assert_eq!((&summer["code"], &summer["label"]), (&json!("SUMMER25"), &json!("SGD 5.00 off")));
    assert_eq!((&summer["periodsTotal"], &summer["applicableOfferingIds"]), (&json!(3), &json!(["PLAN_M"])));
    let listed = app.op("promo.list", json!({})).await.ok();
    assert_eq!(listed, json!([summer, vip]), "by id");
    let shown = app.op("promo.show", json!({"promotionId": "PROMO_SUMMER25"})).await.ok();
    assert_eq!((&shown["name"], &shown["redeemed"]), (&json!("Summer"), &json!(0)));
    assert_eq!(app.op("promo.show", json!({"promotionId": "PROMO_X"})).await.status.as_u16(), 404);
    app.finish().await;
}

#[tokio::test]
async fn an_id_and_a_code_stand_for_one_promotion_also_when_two_are_created_at_once() {
    let app = TestApp::new().await;
    create(&app, "PROMO_1", json!({})).await.ok();
    create(&app, "PROMO_1", json!({"code": "OTHER"})).await.violates("catalog.promotion.already_exists");
    create(&app, "PROMO_2", json!({"code": "Summer25"})).await.violates("catalog.promotion.code_in_use");
    let racing = (0..8).map(|n| {
        let app = &app;
        async move { create(app, &format!("PROMO_R{n}"), json!({"code": "RACE"})).await }
    });
    let answers = futures::future::join_all(racing).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.is_success());
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.violates("catalog.promotion.code_in_use");
    }
    assert_eq!(promotions(&app).await, 2);
    let key = [("idempotency-key", "promo-1")];
    let body = json!({"promotionId": "PROMO_3", "discountType": "percent", "discountValue": "10",
        "durationKind": "perpetual", "audience": "targeted"});
    let first = app.send_with(Method::POST, "/ops/v1/promo.create", &body, &key).await.ok();
    assert_eq!(app.send_with(Method::POST, "/ops/v1/promo.create", &body, &key).await.ok(), first);
    app.finish().await;
}

#[tokio::test]
async fn whoever_changes_promotions_gives_a_name_that_is_in_the_log_with_what_changed() {
    let app = TestApp::new().await;
    let customer = app.customer("4242424242424242").await;
    targeted(&app, "PROMO_VIP", "20").await;
    assign(&app, "PROMO_VIP", &[&customer]).await;
    app.op("promo.unassign", json!({"promotionId": "PROMO_VIP", "customerIds": [customer]})).await.ok();
    app.op("promo.exhaust", json!({"promotionId": "PROMO_VIP"})).await.ok();
    let log = app.op("events.list", json!({"aggregateType": "promotion", "aggregateId": "PROMO_VIP"})).await.ok();
    let told: Vec<_> = log["events"].as_array().expect("events").iter().collect();
    let types: Vec<_> = told.iter().map(|event| event["eventType"].as_str().unwrap_or_default()).collect();
    assert_eq!(types, ["promotion.created", "promotion.assigned", "promotion.unassigned", "promotion.exhausted"]);
    assert!(told.iter().all(|event| event["actor"] == "tester"));
    assert_eq!(told[0]["payload"]["before"], Value::Null);
    assert_eq!(told[0]["payload"]["after"]["discountValue"], "20");
    assert_eq!(told[1]["payload"]["after"]["customerIds"], json!([customer]));
    assert_eq!(told[3]["payload"]["before"]["state"], "active");
    let who_may_when =
        app.number("select count(*) from catalog.promotion_eligibility where removed_by = 'tester'").await;
    assert_eq!(who_may_when, 1, "nothing is deleted");
    let nameless = [("x-bss-actor", "anonymous")];
    for (operation, arguments) in [
        (
            "promo.create",
            json!({"promotionId": "P", "discountType": "percent", "discountValue": "5",
            "durationKind": "single", "audience": "targeted"}),
        ),
        ("promo.assign", json!({"promotionId": "PROMO_VIP", "customerIds": [customer]})),
        ("promo.unassign", json!({"promotionId": "PROMO_VIP", "customerIds": [customer]})),
        ("promo.exhaust", json!({"promotionId": "PROMO_VIP"})),
    ] {
        let path = format!("/ops/v1/{operation}");
        app.send_with(Method::POST, &path, &arguments, &nameless).await.violates("catalog.admin_only");
    }
    app.finish().await;
}

#[tokio::test]
async fn assigning_and_ending_can_be_repeated_and_say_what_they_changed() {
    let app = TestApp::new().await;
    let (ada, ben) = (app.customer("4242424242424242").await, app.customer("4242424242424242").await);
    targeted(&app, "PROMO_VIP", "20").await;
    create(&app, "PROMO_ALL", json!({})).await.ok();
    assert_eq!(assign(&app, "PROMO_VIP", &[&ada, &ada]).await["eligible"], json!([ada]));
    let more = assign(&app, "PROMO_VIP", &[&ben, &ada]).await;
    assert_eq!((&more["eligible"], &more["already"]), (&json!([ben]), &json!([ada])));
    let wrong = async |operation: &str, id: &str, customers: Value| {
        app.op(operation, json!({"promotionId": id, "customerIds": customers})).await
    };
    wrong("promo.assign", "PROMO_ALL", json!([ada])).await.violates("catalog.promotion.not_targeted");
    wrong("promo.assign", "PROMO_X", json!([ada])).await.violates("catalog.promotion.not_targeted");
    let missing = wrong("promo.assign", "PROMO_VIP", json!(["CUST-000000000000", ada])).await;
    let missing = missing.violates("catalog.promotion.customer_not_found");
    assert_eq!(missing["context"]["customerIds"], json!(["CUST-000000000000"]));
    assert_eq!(wrong("promo.assign", "PROMO_VIP", json!([])).await.status.as_u16(), 400);
    let gone = wrong("promo.unassign", "PROMO_VIP", json!([ada, "CUST-000000000000"])).await.ok();
    assert_eq!((&gone["removed"], &gone["notEligible"]), (&json!([ada]), &json!(["CUST-000000000000"])));
    assert_eq!(assign(&app, "PROMO_VIP", &[&ada]).await["eligible"], json!([ada]), "and back again");
    let ended = app.op("promo.exhaust", json!({"promotionId": "PROMO_VIP"})).await.ok();
    assert_eq!(ended["state"], "exhausted");
    assert_eq!(
        app.op("promo.exhaust", json!({"promotionId": "PROMO_VIP"})).await.ok(),
        ended,
        "repeating changes nothing"
    );
    assert_eq!(app.op("promo.exhaust", json!({"promotionId": "PROMO_X"})).await.status.as_u16(), 404);
    wrong("promo.assign", "PROMO_VIP", json!([ada])).await.violates("catalog.promotion.not_targeted");
    wrong("promo.unassign", "PROMO_VIP", json!([ada])).await.ok();
    app.finish().await;
}

#[tokio::test]
async fn a_preview_says_what_is_paid_or_why_a_code_takes_nothing_off() {
    let app = TestApp::new().await;
    let (ada, ben) = (app.customer("4242424242424242").await, app.customer("4242424242424242").await);
    app.op("clock.freeze", json!({"at": "2027-06-15T00:00:00Z"})).await.ok();
    create(&app, "PROMO_1", json!({})).await.ok();
    let off = preview(&app, " Summer25 ", "PLAN_M", None).await;
    assert_eq!((&off["base"], &off["effective"], &off["label"]), (&json!("25.00"), &json!("20.00"), &json!("20% off")));
    assert_eq!((&off["code"], &off["discountPeriodsTotal"]), (&json!("SUMMER25"), &json!(1)));
    create(&app, "PROMO_2", json!({"code": "EIGHTH", "discountValue": "12.50"})).await.ok();
    assert_eq!(preview(&app, "EIGHTH", "PLAN_S", None).await["label"], "12.5% off");
    create(&app, "PROMO_3", json!({"code": "FREE", "discountType": "absolute", "discountValue": "99.00"})).await.ok();
    assert_eq!(preview(&app, "FREE", "PLAN_S", None).await["effective"], "0.00");
    app.op("catalog.add_offering", json!({"offeringId": "PLAN_ODD", "name": "Odd", "amount": "10.01"})).await.ok();
    create(&app, "PROMO_4", json!({"code": "HALF", "discountValue": "50"})).await.ok();
    assert_eq!(preview(&app, "HALF", "PLAN_ODD", None).await["effective"], "5.01", "half a cent rounds up");
    let sale = json!({"offeringId": "PLAN_M", "priceId": "PRICE_SALE", "amount": "20.00",
        "validFrom": "2027-06-15T00:00:00Z", "validTo": "2027-07-01T00:00:00Z"});
    app.op("catalog.add_price", sale).await.ok();
    assert_eq!(preview(&app, "SUMMER25", "PLAN_M", None).await["effective"], "16.00", "on top of the lower price");

    assert_eq!(reason(&app, "NOWHERE", "PLAN_M", None).await, "unknown_code");
    assert_eq!(reason(&app, "what is this?", "PLAN_M", None).await, "unknown_code");
    let small = json!({"code": "SMALL", "applicableOfferingIds": ["PLAN_S"]});
    create(&app, "PROMO_5", small).await.ok();
    assert_eq!(reason(&app, "SMALL", "PLAN_M", None).await, "not_applicable_to_offering");
    assert_eq!(reason(&app, "SMALL", "PLAN_S", None).await, Value::Null);
    create(&app, "PROMO_6", json!({"code": "LATER", "validFrom": "2027-06-16T00:00:00Z"})).await.ok();
    assert_eq!(reason(&app, "LATER", "PLAN_M", None).await, "not_yet_valid");
    create(&app, "PROMO_7", json!({"code": "PAST", "validTo": "2027-06-15T00:00:00Z"})).await.ok();
    assert_eq!(reason(&app, "PAST", "PLAN_M", None).await, "expired");
    targeted(&app, "PROMO_VIP", "40").await;
    assign(&app, "PROMO_VIP", &[&ada]).await;
    assert_eq!(reason(&app, "promo_vip", "PLAN_M", None).await, "not_eligible");
    assert_eq!(reason(&app, "promo_vip", "PLAN_M", Some(&ben)).await, "not_eligible");
    assert_eq!(reason(&app, "promo_vip", "PLAN_M", Some(&ada)).await, Value::Null);
    app.op("promo.exhaust", json!({"promotionId": "PROMO_1"})).await.ok();
    assert_eq!(reason(&app, "SUMMER25", "PLAN_M", None).await, "no_active_promotion");
    let soon =
        json!({"offeringId": "PLAN_SOON", "name": "Soon", "amount": "9.00", "validFrom": "2028-01-01T00:00:00Z"});
    app.op("catalog.add_offering", soon).await.ok();
    assert_eq!(reason(&app, "HALF", "PLAN_SOON", None).await, "offering_not_priced");
    let lost = app.op("promo.preview", json!({"code": "HALF", "offeringId": "PLAN_X"})).await;
    lost.violates("catalog.offering.not_found");
    app.finish().await;
}

#[tokio::test]
async fn amounts_and_labels_are_in_the_currency_of_the_operator() {
    let app = TestApp::with(&[("BSS_OPERATOR_CURRENCY", "JPY")]).await;
    let yen = json!({"discountType": "absolute", "discountValue": "500"});
    let promotion = create(&app, "PROMO_1", yen).await.ok();
    assert_eq!((&promotion["currency"], &promotion["label"]), (&json!("JPY"), &json!("JPY 500 off")));
    let fraction = json!({"discountType": "absolute", "discountValue": "5.50", "code": "X"});
    create(&app, "PROMO_2", fraction).await.violates("catalog.promotion.invalid_discount_value");
    let said = app.op("promo.list", json!({})).await.ok().to_string();
    assert!(!said.contains("SGD"), "{said}");
    app.finish().await;
}

#[tokio::test]
async fn tmf671_serves_promotions_as_the_official_file_has_them() {
    let app = TestApp::new().await;
    let criterion =
        |name: &str, value: &str| json!({"criteriaParameter": name, "criteriaOperator": "=", "criteriaValue": value});
    let sent = json!({
        "name": "Autumn", "description": "For those who come back", "promotionType": "Reduction",
        "validFor": {"startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2036-01-01T00:00:00Z"},
        "pattern": [{
            "criteriaGroup": [
                {"criteria": [criterion("promotionCode", "autumn25"), criterion("promotionCodeKind", "multi_use")]},
                {"criteria": [criterion("productOffering", "PLAN_M")]}
            ],
            "action": [{"actionType": "currency", "actionValue": "5.00"}, {"actionType": "periods", "actionValue": "3"}]
        }]
    });
    validate_request(Api::Tmf671, "POST", "Promotion", &sent).expect("our own request is official");
    let made = app.send(Method::POST, COLLECTION, &sent).await;
    assert_eq!(made.status.as_u16(), 201, "{:#}", made.body);
    validate(Api::Tmf671, "Promotion", &made.body).expect("official");
    assert_eq!(made.headers["location"], made.body["href"].as_str().expect("a link"));
    assert_eq!((&made.body["description"], &made.body["lifecycleStatus"]), (&sent["description"], &json!("release")));
    assert_eq!(made.body["pattern"][0]["name"], "SGD 5.00 off");
    let id = made.body["id"].as_str().expect("an id");
    let view = app.op("promo.show", json!({"promotionId": id})).await.ok();
    assert_eq!((&view["code"], &view["periodsTotal"]), (&json!("AUTUMN25"), &json!(3)));
    assert_eq!((&view["name"], &view["applicableOfferingIds"]), (&json!("Autumn"), &json!(["PLAN_M"])));
    assert_eq!(app.get(&format!("{COLLECTION}/{id}")).await.ok(), made.body);
    targeted(&app, "PROMO_VIP", "20").await;
    let listed = app.get(&format!("{COLLECTION}?promotionType=Discount&sort=-id")).await.ok();
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    validate(Api::Tmf671, "Promotion", &listed[0]).expect("official");
    app.op("promo.exhaust", json!({"promotionId": id})).await.ok();
    let ended = app.get(&format!("{COLLECTION}?lifecycleStatus=retirement")).await.ok();
    assert_eq!((ended.as_array().map(Vec::len), &ended[0]["id"]), (Some(1), &json!(id)));
    let mut wrong = sent.clone();
    wrong["promotionType"] = json!("Discount");
    assert_eq!(app.send(Method::POST, COLLECTION, &wrong).await.status.as_u16(), 400);
    wrong = sent;
    wrong["lastUpdate"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(app.send(Method::POST, COLLECTION, &wrong).await.status.as_u16(), 400);
    app.finish().await;
}
