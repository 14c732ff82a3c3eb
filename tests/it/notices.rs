//! What customers are told, on the running product: one message per fact, sent once whatever happens, and never in the log.

use bss::domains::crm::port::Template;
use bss::domains::subscription::port::PriceMigrationScheduled;
use bss::platform::context::Context;
use bss::platform::outbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::tmf_gate::{Api, validate};

/// Messages of a customer, oldest first, once none is pending.
pub(crate) async fn messages(app: &TestApp, customer: &str) -> Vec<Value> {
    app.settle().await;
    let list = app.op("communication.list", json!({"customerId": customer, "limit": 100})).await.ok();
    let mut list = list.as_array().expect("a list").clone();
    list.reverse();
    list
}

fn kinds(messages: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = messages.iter().map(|m| m["template"].as_str().expect("a template")).collect();
    kinds.sort_unstable();
    kinds
}

pub(crate) fn of<'a>(messages: &'a [Value], template: &str) -> &'a Value {
    let mut found = messages.iter().filter(|message| message["template"] == template);
    let one = found.next().unwrap_or_else(|| panic!("no {template} in {messages:#?}"));
    assert!(found.next().is_none(), "two of {template}");
    one
}

async fn text(app: &TestApp, message: &Value) -> String {
    let shown = app.op("communication.get", json!({"messageId": message["id"]})).await.ok();
    shown["text"].as_str().unwrap_or_default().to_owned()
}

fn mailbox(app: &TestApp) -> String {
    let path = app.platform.config.mail.mailbox.clone().expect("each test has a mailbox");
    std::fs::read_to_string(path).unwrap_or_default()
}

pub(crate) fn id(view: &Value) -> &str {
    view["id"].as_str().expect("an id")
}

/// Messages that cannot be written wait for each other and for nobody else: an order that comes behind them goes its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_have_a_lane_of_their_own() {
    let app = TestApp::with(&[("BSS_DB_CONNECTIONS", "24")]).await;
    app.line("PLAN_S").await;
    app.settle().await;
    let elsewhere = "select count(*) from audit.delivery
                     where (kind = 'message') <> (consumer like 'crm.tell%' or consumer = 'crm.send_message')";
    assert_eq!(app.number(elsewhere).await, 0);
    let backlog = "insert into audit.delivery (event_id, consumer, kind, event_seq, recorded_at, event_type, aggregate_id, next_attempt_at)
                   select gen_random_uuid(), 'crm.tell_welcome', 'message', e.id, e.recorded_at, e.event_type, e.aggregate_id,
                          clock_timestamp() - interval '1 hour'
                   from (select * from audit.domain_event where event_type = 'customer.created' limit 1) e, generate_series(1, 10000)";
    let mut held = app.platform.db.pool().begin().await.expect("a connection is free");
    sqlx::query("set local idle_in_transaction_session_timeout = 0").execute(&mut *held).await.expect("a setting");
    sqlx::query("lock table crm.communication_message in exclusive mode")
        .execute(&mut *held)
        .await
        .expect("nobody writes");
    assert_eq!(app.sql(backlog).await, 10_000);
    app.line("PLAN_S").await;
    let open =
        "select count(*) from audit.delivery where consumer = 'crm.tell_welcome' and state in ('pending', 'parked')";
    assert_eq!(app.number(open).await, 10_001, "the line is in service, and none of the messages is written");
    held.rollback().await.expect("the lock goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_life_of_a_line_is_told_step_by_step() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let customer = line["customerId"].as_str().unwrap().to_owned();
    let number = line["msisdn"].as_str().unwrap().to_owned();
    assert_eq!(kinds(&messages(&app, &customer).await), ["activation", "welcome"]);

    app.op("usage.simulate", json!({"msisdn": number, "eventType": "data", "quantity": 4200})).await.ok();
    let told = messages(&app, &customer).await;
    assert!(text(&app, of(&told, "low_balance")).await.contains("920 MB"), "{told:#?}");
    app.op("usage.simulate", json!({"msisdn": number, "eventType": "data", "quantity": 920})).await.ok();
    app.op("subscription.purchase_vas", json!({"subscriptionId": id(&line), "vasOfferingId": "VAS_DATA_1GB"}))
        .await
        .ok();
    app.op("subscription.renew_now", json!({"subscriptionId": id(&line)})).await.ok();
    app.op("subscription.terminate", json!({"subscriptionId": id(&line), "reason": "moved away"})).await.ok();

    let told = messages(&app, &customer).await;
    let expected =
        ["activation", "blocked", "low_balance", "renewal_receipt", "termination", "top_up_receipt", "welcome"];
    assert_eq!(kinds(&told), expected);
    assert!(told.iter().all(|message| message["state"] == "sent"), "{told:#?}");
    assert!(text(&app, of(&told, "blocked")).await.contains("data of your line"));
    assert!(text(&app, of(&told, "top_up_receipt")).await.contains("SGD 3.00"));
    assert!(text(&app, of(&told, "renewal_receipt")).await.contains("SGD 10.00"));
    let mail = mailbox(&app);
    assert_eq!(mail.matches("\nMessage-ID: <MSG-").count(), expected.len(), "{mail}");
    assert!(mail.contains(&format!("Subject: Your line {number} is active")));

    // Neither content nor address is in an event, and the domain alone is in the row.
    let leaked: i64 = app
        .number(
            "select count(*) from audit.domain_event e
             where e.event_type like 'communication.%' and (e.payload::text like '%@%' or e.payload::text like '%Ada%')",
        )
        .await;
    assert_eq!(leaked, 0);
    assert_eq!(of(&told, "welcome")["recipientDomain"], "example.test");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_renewal_says_how_to_pay_and_nothing_else() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-06T09:00:00Z"})).await.ok();
    let line = app.line("PLAN_M").await;
    let customer = line["customerId"].as_str().unwrap().to_owned();
    let declined = app.op("payment.add_card", json!({"customerId": customer, "cardNumber": "4000000000000341"})).await;
    let method = declined.ok();
    app.op("payment.set_default_method", json!({"paymentMethodId": method["id"]})).await.ok();
    app.op("subscription.renew_now", json!({"subscriptionId": id(&line)})).await.ok();
    let told = messages(&app, &customer).await;
    let early = of(&told, "renewal_failed");
    let words = text(&app, early).await;
    assert!(words.contains("5 Jun 2026") && !words.contains("Pay now"), "it is paid for until then: {words}");

    app.op("clock.advance", json!({"duration": "30d"})).await.ok();
    app.op("subscription.tick_renewals_now", json!({})).await.ok();
    let told = messages(&app, &customer).await;
    let expected = ["activation", "renewal_failed", "renewal_failed", "welcome"];
    assert_eq!(kinds(&told), expected, "no second message for the block");
    let due = told.iter().find(|message| message["template"] == "renewal_failed" && message["id"] != early["id"]);
    let words = text(&app, due.unwrap()).await;
    assert!(words.contains("Pay now: http://localhost:9001") && words.contains("SGD 25.00"), "{words}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_paid_is_what_the_overdue_renewal_owes() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-06T09:00:00Z"})).await.ok();
    let line = app.line("PLAN_M").await;
    let customer = line["customerId"].as_str().unwrap().to_owned();
    let card = app.op("payment.add_card", json!({"customerId": customer, "cardNumber": "4000000000000341"})).await.ok();
    app.op("payment.set_default_method", json!({"paymentMethodId": card["id"]})).await.ok();
    let change = json!({"subscriptionId": line["id"], "newOfferingId": "PLAN_L"});
    app.op("subscription.schedule_plan_change", change).await.ok();
    app.op("clock.advance", json!({"duration": "31d"})).await.ok();
    app.op("subscription.tick_renewals_now", json!({})).await.ok();
    let told = messages(&app, &customer).await;
    let plan = app.op("catalog.get_offering", json!({"offeringId": "PLAN_L"})).await.ok();
    let words = text(&app, of(&told, "renewal_failed")).await;
    assert!(words.contains("SGD 45.00") && words.contains(plan["name"].as_str().unwrap()), "{words}");
    assert!(!words.contains("25.00"), "{words}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_law_allows_can_be_opted_out_of() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_S").await;
    let customer = line["customerId"].as_str().unwrap().to_owned();
    for template in Template::ALL {
        let wish = json!({"customerId": customer, "template": template, "wanted": false});
        let answer = app.op("communication.set_preference", wish).await;
        if template.is_optional() {
            answer.ok();
        } else {
            answer.violates("communication.preference.mandatory");
        }
    }
    app.op("usage.simulate", json!({"msisdn": line["msisdn"], "eventType": "data", "quantity": 4200})).await.ok();
    let told = messages(&app, &customer).await;
    let low = of(&told, "low_balance");
    assert_eq!((&low["state"], &low["stateReason"]), (&json!("suppressed"), &json!("opted_out")));

    app.op("communication.set_preference", json!({"customerId": customer, "template": "low_balance", "wanted": true}))
        .await
        .ok();
    app.op("communication.resend", json!({"messageId": low["id"]})).await.ok();
    assert_eq!(of(&messages(&app, &customer).await, "low_balance")["state"], "sent");
    let all = app.op("communication.list_preferences", json!({"customerId": customer})).await.ok();
    let unwanted: Vec<&Value> = all.as_array().unwrap().iter().filter(|p| p["wanted"] == false).collect();
    assert_eq!(unwanted.len(), 1);
    assert_eq!(app.op("communication.list_preferences", json!({"customerId": "CUST-none"})).await.status, 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_again_on_demand_to_the_address_of_today() {
    let app = TestApp::new().await;
    let customer = app.customer("4242424242424242").await;
    let welcome = of(&messages(&app, &customer).await, "welcome").clone();
    let moved =
        json!({"customerId": customer, "mediumType": "email", "value": "ada@elsewhere.test", "isPrimary": true});
    app.op("customer.add_contact_medium", moved).await.ok();
    let again = json!({"messageId": welcome["id"]});
    let key = [("idempotency-key", "once")];
    for _ in 0..2 {
        app.send_with(Method::POST, "/ops/v1/communication.resend", &again, &key).await.ok();
    }
    let sent = of(&messages(&app, &customer).await, "welcome").clone();
    assert_eq!((&sent["sendNumber"], &sent["recipientDomain"]), (&json!(2), &json!("elsewhere.test")));
    assert_eq!(sent["contentHash"], welcome["contentHash"], "it says what it said");
    let mail = mailbox(&app);
    assert_eq!(mail.matches("To: ada@elsewhere.test").count(), 1, "{mail}");
    assert_eq!(app.op("communication.resend", json!({"messageId": "MSG-none"})).await.status, 404);
    assert_eq!(app.op("communication.get", json!({"messageId": "MSG-none"})).await.status, 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_without_an_address_is_not_written_to() {
    let app = TestApp::new().await;
    let phone = app.op("customer.create", json!({"name": "Bob", "phone": "+6590000001"})).await.ok();
    let nothing = app.op("customer.create", json!({"name": "Eve"})).await.ok();
    for customer in [id(&phone), id(&nothing)] {
        let welcome = of(&messages(&app, customer).await, "welcome").clone();
        assert_eq!((&welcome["state"], &welcome["stateReason"]), (&json!("suppressed"), &json!("no_address")));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reminders_and_changes_are_told_once_however_often_their_event_comes() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-06T09:00:00Z"})).await.ok();
    let line = app.line("PLAN_M").await;
    let customer = line["customerId"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let cx = Context::system("test", "r-1".into(), app.platform.clock.now().await.unwrap());
        let tx = app.platform.db.begin().await.unwrap();
        let price = PriceMigrationScheduled {
            subscription_id: id(&line).to_owned().into(),
            customer_id: customer.clone().into(),
            migration_id: "MIG-0001".to_owned().into(),
            msisdn: line["msisdn"].as_str().unwrap().parse().unwrap(),
            offering_id: "PLAN_M".to_owned().into(),
            old_amount: "25.00".into(),
            new_amount: "27.00".into(),
            new_currency: "SGD".into(),
            effective_at: "2026-07-04T17:00:00Z".parse().unwrap(),
            notice_days: 30,
            initiated_by: "test".into(),
            version: 7,
        };
        outbox::stage(&tx, &cx, &price).await.unwrap();
        tx.commit().await.unwrap();
    }
    let change = json!({"subscriptionId": line["id"], "newOfferingId": "PLAN_L"});
    app.op("subscription.schedule_plan_change", change).await.ok();
    for hours in ["708h", "13h"] {
        app.op("clock.advance", json!({"duration": hours})).await.ok();
        for _ in 0..2 {
            app.op("worker.tick", json!({"name": "renewal"})).await.ok();
        }
        app.settle().await;
    }
    let told = messages(&app, &customer).await;
    let expected = ["activation", "plan_change", "price_change", "renewal_receipt", "renewal_reminder", "welcome"];
    assert_eq!(kinds(&told), expected);
    let newest = |offset: u32| json!({"customerId": customer, "limit": 2, "offset": offset});
    let page = app.op("communication.list", newest(4)).await.ok();
    assert_eq!(page[1]["id"], told[0]["id"], "page by page, to the oldest");
    assert!(text(&app, of(&told, "price_change")).await.contains("SGD 27.00"));
    let reminder = of(&told, "renewal_reminder");
    assert!(reminder["subject"].as_str().unwrap().contains("5 Jun 2026"), "{told:#?}");
    let plan = app.op("catalog.get_offering", json!({"offeringId": "PLAN_L"})).await.ok();
    let words = text(&app, reminder).await;
    let now = "SGD 25.00";
    assert!(words.contains("SGD 45.00") && words.contains(plan["name"].as_str().unwrap()), "{words}");
    assert!(words.contains("Last time") && words.contains(now), "{words}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_costs_more_is_announced_whatever_was_opted_out_of() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-06T09:00:00Z"})).await.ok();
    let mut told = Vec::new();
    for line in [app.line("PLAN_M").await, app.line("PLAN_M").await] {
        let wish = json!({"customerId": line["customerId"], "template": "renewal_reminder", "wanted": false});
        app.op("communication.set_preference", wish).await.ok();
        told.push(line);
    }
    app.sql("update subscription.subscription set discount_type = 'percent', discount_value = 20, discount_periods_remaining = 1, discount_last_period = 2 where id = 'SUB-0001'").await;
    let mut states = Vec::new();
    for hours in ["708h", "13h", "708h"] {
        app.op("clock.advance", json!({"duration": hours})).await.ok();
        app.op("worker.tick", json!({"name": "renewal"})).await.ok();
        app.settle().await;
    }
    for line in &told {
        let told = messages(&app, id_of(line, "customerId")).await;
        let reminders = told.into_iter().filter(|message| message["template"] == "renewal_reminder");
        states.push(reminders.collect::<Vec<_>>());
    }
    let of = |line: usize| -> Vec<&str> { states[line].iter().filter_map(|one| one["state"].as_str()).collect() };
    assert_eq!(of(0), ["suppressed", "sent"], "it is cheaper once, and dearer after that");
    assert_eq!(of(1), ["suppressed", "suppressed"]);
    let words = text(&app, &states[0][1]).await;
    assert!(words.contains("SGD 25.00") && words.contains("Your promotion ends with this renewal."), "{words}");
    assert!(!words.contains("opt out"), "{words}");
    app.finish().await;
}

fn id_of<'a>(view: &'a Value, name: &str) -> &'a str {
    view[name].as_str().expect("an id")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_tells_the_fact_and_not_what_the_line_has_become() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-06T09:00:00Z"})).await.ok();
    let line = app.line("PLAN_M").await;
    let customer = id_of(&line, "customerId").to_owned();
    app.settle().await;
    app.sql("update subscription.subscription set discount_type = 'percent', discount_value = 20, discount_periods_remaining = -1").await;
    // The letters are written down at once and composed later.
    app.sql(
        "create function hold() returns trigger language plpgsql as
         $$ begin new.next_attempt_at := clock_timestamp() + interval '1 hour'; return new; end $$",
    )
    .await;
    app.sql(
        "create trigger hold before insert on audit.delivery
         for each row when (new.consumer = 'crm.send_message') execute function hold()",
    )
    .await;
    let change = json!({"subscriptionId": line["id"], "newOfferingId": "PLAN_L"});
    app.op("subscription.schedule_plan_change", change).await.ok();
    app.op("clock.advance", json!({"duration": "30d"})).await.ok();
    app.op("worker.tick", json!({"name": "renewal"})).await.ok();
    app.until("the plan change is told", async || {
        let written =
            "select count(*) from crm.communication_message where template in ('plan_change', 'renewal_receipt')";
        (app.number(written).await == 2).then_some(())
    })
    .await;
    // Meanwhile the contract has become another one.
    app.sql("update subscription.subscription set offering_id = 'PLAN_S', price_amount_minor = 1000").await;
    app.sql("update audit.delivery set next_attempt_at = clock_timestamp() where state = 'pending'").await;
    app.platform.db.wake().heard();
    let told = messages(&app, &customer).await;
    let name = |plan: &'static str| {
        let app = &app;
        async move {
            let offering = app.op("catalog.get_offering", json!({"offeringId": plan})).await.ok();
            offering["name"].as_str().unwrap().to_owned()
        }
    };
    let (former, now, later) = (name("PLAN_M").await, name("PLAN_L").await, name("PLAN_S").await);
    let words = text(&app, of(&told, "plan_change")).await;
    assert!(words.contains(&former) && words.contains(&now) && !words.contains(&later), "{words}");
    assert!(words.contains("SGD 45.00") && words.contains("5 Jun 2026"), "{words}");
    assert!(words.contains("Your promotion belonged to the plan before"), "{words}");
    let words = text(&app, of(&told, "renewal_receipt")).await;
    assert!(words.contains(&now) && !words.contains(&later), "{words}");
    app.sql("update subscription.subscription set offering_id = 'PLAN_L', price_amount_minor = 4500").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_price_of_which_nobody_heard_is_a_finding() {
    let app = TestApp::new().await;
    app.op("clock.freeze", json!({"at": "2026-05-06T09:00:00Z"})).await.ok();
    let line = app.line("PLAN_M").await;
    app.settle().await;
    app.sql("update crm.contact_medium set valid_to = clock_timestamp() where medium_type = 'email'").await;
    let price = json!({"offeringId": "PLAN_M", "priceId": "PRICE_PLAN_M_NEW", "amount": "27.00"});
    app.op("catalog.add_price", price).await.ok();
    let migrate = json!({"offeringId": "PLAN_M", "newPriceId": "PRICE_PLAN_M_NEW", "effectiveFrom": "2026-05-06T09:00:00Z",
        "noticeDays": 20, "initiatedBy": "test"});
    app.op("subscription.migrate_to_new_price", migrate).await.ok();
    let told = messages(&app, id_of(&line, "customerId")).await;
    let notice = of(&told, "price_change");
    assert_eq!(notice["stateReason"], "no_address", "{told:#?}");
    app.assert_books().await;
    app.op("clock.advance", json!({"duration": "20d"})).await.ok();
    let report = app.op("audit.verify", json!({})).await.ok();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "communication.new_price_was_announced").unwrap();
    assert!(check["offenders"][0]["detail"].as_str().unwrap().contains("no_address"), "{check:#}");

    let address = json!({"customerId": line["customerId"], "mediumType": "email", "value": "ada@elsewhere.test", "isPrimary": true});
    app.op("customer.add_contact_medium", address).await.ok();
    app.op("communication.resend", json!({"messageId": notice["id"]})).await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tmf681_shows_what_was_said_without_the_address() {
    let app = TestApp::new().await;
    let line = app.line("PLAN_M").await;
    let customer = line["customerId"].as_str().unwrap().to_owned();
    app.settle().await;
    let path = "/tmf-api/communicationManagement/v4/communicationMessage";
    let list = app.get(&format!("{path}?receiver.id={customer}&state=completed")).await;
    assert_eq!(list.headers["x-total-count"], "2");
    for message in list.ok().as_array().unwrap() {
        validate(Api::Tmf681, "CommunicationMessage", message).unwrap_or_else(|faults| panic!("{faults:#?}"));
        // Every mail names where to ask; nothing else in it is an address.
        let words = message.to_string().replace("support@example.test", "");
        assert!(!words.contains("@example.test"), "{message:#}");
        let one = app.get(message["href"].as_str().unwrap()).await;
        assert!(one.headers.contains_key("etag"));
        assert_eq!(one.ok(), *message);
    }
    let nobody = app.op("customer.create", json!({"name": "Eve"})).await.ok();
    app.settle().await;
    let cancelled = app.get(&format!("{path}?receiver.id={}", id(&nobody))).await.ok();
    validate(Api::Tmf681, "CommunicationMessage", &cancelled[0]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(cancelled[0]["state"], "cancelled");
    assert_eq!(app.get(&format!("{path}?state=lost")).await.status, 400);
    assert_eq!(app.get(&format!("{path}/MSG-none")).await.status, 404);
    assert_eq!(app.send(Method::POST, path, &json!({})).await.status, 405);
    app.finish().await;
}
