//! Moving the lines of a plan to a new price: who is told, once, and what they pay from when on.

use serde_json::{Value, json};

use super::plan_change::schedule;
use super::{advance, charges, events, frozen, line, pairs, tick};
use crate::support::app::{Answer, TestApp};

async fn new_price(app: &TestApp) {
    app.sql(
        "insert into catalog.product_offering_price (id, offering_id, amount_minor, currency)
         values ('PRICE_M_NEW', 'PLAN_M', 3000, 'SGD')",
    )
    .await;
}

async fn migrate(app: &TestApp, price: &str, from: &str, days: i32) -> Answer {
    let body = json!({"offeringId": "PLAN_M", "newPriceId": price, "effectiveFrom": from, "noticeDays": days});
    app.op("subscription.migrate_to_new_price", body).await
}

#[tokio::test]
async fn every_line_is_told_once_and_pays_after_its_notice() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let other = app.line("PLAN_S").await;
    app.sql("update subscription.subscription set discount_type = 'percent', discount_value = 20, discount_periods_remaining = -1 where id = 'SUB-0001'").await;
    new_price(&app).await;
    let answer = migrate(&app, "PRICE_M_NEW", "2026-06-10T00:00:00Z", 30).await.ok();
    assert_eq!(
        (&answer["count"], &answer["subscriptionIds"], &answer["left"]),
        (&json!(1), &json!([first["id"]]), &json!(0))
    );
    let told = line(&app, &first["id"]).await;
    assert_eq!(
        (&told["pendingOfferingId"], &told["pendingOfferingPriceId"], &told["pendingChange"]),
        (&json!("PLAN_M"), &json!("PRICE_M_NEW"), &json!("price_migration"))
    );
    assert_eq!((&told["pendingEffectiveAt"], &told["priceAmount"]), (&json!("2026-07-10T00:00:00Z"), &json!("25.00")));
    assert_eq!(line(&app, &other["id"]).await["pendingChange"], Value::Null);
    let again = migrate(&app, "PRICE_M_NEW", "2026-06-10T00:00:00Z", 30).await.ok();
    assert_eq!((&again["id"], &again["count"], &again["notified"]), (&answer["id"], &json!(0), &json!(1)));
    migrate(&app, "PRICE_M_NEW", "2026-06-11T00:00:00Z", 30)
        .await
        .violates("subscription.migrate_price.already_scheduled");
    let cancel = json!({"subscriptionId": first["id"]});
    let cancelled = app.op("subscription.cancel_pending_plan_change", cancel).await.ok();
    assert_eq!(cancelled["pendingChange"], "price_migration", "the operator's price is not the customer's to cancel");

    for _ in 0..3 {
        advance(&app, "30d").await;
        tick(&app).await;
    }
    let old = ("renewal", "20.00");
    assert_eq!(
        charges(&app, &first, "approved").await,
        pairs(&[("activation", "25.00"), old, old, ("renewal", "24.00")]),
        "the discount stays"
    );
    let moved = line(&app, &first["id"]).await;
    assert_eq!(
        (&moved["priceAmount"], &moved["pendingChange"], &moved["offeringId"]),
        (&json!("30.00"), &Value::Null, &json!("PLAN_M"))
    );
    let notices = events(&app, &first, "subscription.price_migration_scheduled").await;
    assert_eq!(
        (notices.len(), &notices[0]["payload"]["oldAmount"], &notices[0]["payload"]["newAmount"]),
        (1, &json!("25.00"), &json!("30.00"))
    );
    assert_eq!(events(&app, &first, "subscription.price_migrated").await.len(), 1);
    assert!(events(&app, &first, "subscription.plan_changed").await.is_empty());
    let done = migrate(&app, "PRICE_M_NEW", "2026-06-10T00:00:00Z", 30).await.ok();
    assert_eq!((&done["count"], &done["applied"]), (&json!(0), &json!(1)));
    app.finish().await;
}

#[tokio::test]
async fn a_customers_own_change_is_not_overwritten() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let stays = app.line("PLAN_M").await;
    schedule(&app, &first["id"], "PLAN_L").await.ok();
    schedule(&app, &stays["id"], "PLAN_L").await.ok();
    new_price(&app).await;
    assert_eq!(migrate(&app, "PRICE_M_NEW", "2026-05-05T00:00:00Z", 1).await.ok()["count"], 2);
    let told = line(&app, &first["id"]).await;
    assert_eq!((&told["pendingOfferingId"], &told["pendingChange"]), (&json!("PLAN_L"), &json!("plan_change")));
    let cancel = json!({"subscriptionId": stays["id"]});
    let back = app.op("subscription.cancel_pending_plan_change", cancel).await.ok();
    assert_eq!((&back["pendingChange"], &back["nextChargeAmount"]), (&json!("price_migration"), &json!("30.00")));
    advance(&app, "30d").await;
    tick(&app).await;
    let (left, moved) = (line(&app, &first["id"]).await, line(&app, &stays["id"]).await);
    assert_eq!(
        (&left["offeringId"], &left["priceAmount"], &left["pendingChange"]),
        (&json!("PLAN_L"), &json!("45.00"), &Value::Null)
    );
    assert_eq!((&moved["offeringId"], &moved["priceAmount"]), (&json!("PLAN_M"), &json!("30.00")));
    assert!(events(&app, &first, "subscription.price_migrated").await.is_empty());
    app.finish().await;
}

#[tokio::test]
async fn who_joins_meanwhile_is_told_with_full_notice_and_who_leaves_is_not_moved() {
    let app = frozen().await;
    let leaves = app.line("PLAN_M").await;
    new_price(&app).await;
    // The old price stays on sale until the date.
    app.sql("update catalog.product_offering_price set valid_from = '2026-06-20' where id = 'PRICE_M_NEW'").await;
    migrate(&app, "PRICE_M_NEW", "2026-06-20T00:00:00Z", 10).await.ok();
    app.op("subscription.terminate", json!({"subscriptionId": leaves["id"]})).await.ok();
    assert_eq!(line(&app, &leaves["id"]).await["pendingChange"], Value::Null);
    advance(&app, "49d").await;
    let joins = app.line("PLAN_M").await;
    assert_eq!(joins["priceAmount"], "25.00");
    app.op("worker.tick", json!({"name": "price_migration"})).await.ok();
    app.op("worker.tick", json!({"name": "price_migration"})).await.ok();
    let told = line(&app, &joins["id"]).await;
    assert_eq!(told["pendingEffectiveAt"], "2026-07-02T09:00:00Z", "ten days from now, not from the date");
    assert_eq!(events(&app, &joins, "subscription.price_migration_scheduled").await.len(), 1);
    advance(&app, "10d").await;
    let report = app.op("worker.tick", json!({"name": "price_migration"})).await.ok();
    assert!(report.to_string().contains("\"closed\":1"), "{report}");
    app.finish().await;
}

#[tokio::test]
async fn many_at_once_still_tell_each_line_once() {
    let app = frozen().await;
    for _ in 0..6 {
        app.line("PLAN_M").await;
    }
    new_price(&app).await;
    let go = || migrate(&app, "PRICE_M_NEW", "2026-06-10T00:00:00Z", 30);
    let tick = || app.op("worker.tick", json!({"name": "price_migration"}));
    let (a, b, c, d) = tokio::join!(go(), tick(), go(), go());
    let told: u64 = [a.ok(), c.ok(), d.ok()].iter().map(|answer| answer["count"].as_u64().expect("a count")).sum();
    b.ok();
    assert!(told <= 6);
    go().await.ok();
    let notices = app
        .number("select count(*) from audit.domain_event where event_type = 'subscription.price_migration_scheduled'");
    assert_eq!(notices.await, 6);
    assert_eq!(app.number("select count(*) from subscription.price_migration").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_later_move_replaces_one_that_has_not_begun() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    new_price(&app).await;
    app.sql("insert into catalog.product_offering_price (id, offering_id, amount_minor, currency) values ('PRICE_M_LOWER', 'PLAN_M', 2700, 'SGD')").await;
    migrate(&app, "PRICE_M_NEW", "2026-05-04T09:00:00Z", 10).await.ok();
    migrate(&app, "PRICE_M_LOWER", "2026-05-04T09:00:00Z", 10).await.ok();
    advance(&app, "30d").await;
    tick(&app).await;
    assert_eq!(line(&app, &first["id"]).await["priceAmount"], "27.00");
    app.finish().await;
}

#[tokio::test]
async fn a_later_move_ends_the_earlier_one_and_captures_nobody_for_it() {
    let app = frozen().await;
    let told = app.line("PLAN_M").await;
    new_price(&app).await;
    app.sql("insert into catalog.product_offering_price (id, offering_id, amount_minor, currency, valid_from) values ('PRICE_M_LOWER', 'PLAN_M', 2700, 'SGD', '2026-06-01')").await;
    // The first price is on sale as well until the second one is.
    app.sql(
        "update catalog.product_offering_price set valid_to = '2026-06-01' where id in ('PRICE_M_NEW', 'PRICE_PLAN_M')",
    )
    .await;
    let first = migrate(&app, "PRICE_M_NEW", "2026-06-10T00:00:00Z", 30).await.ok();
    let second = migrate(&app, "PRICE_M_LOWER", "2026-06-12T00:00:00Z", 30).await.ok();
    assert_eq!((&second["count"], &second["state"]), (&json!(1), &json!("open")));
    let again = migrate(&app, "PRICE_M_NEW", "2026-06-10T00:00:00Z", 30).await.ok();
    assert_eq!((&again["id"], &again["state"], &again["count"]), (&first["id"], &json!("closed"), &json!(0)));
    assert_eq!(again["left"], 0, "nobody waits for it");

    advance(&app, "29d").await;
    let joins = app.line("PLAN_M").await;
    assert_eq!(joins["priceAmount"], "27.00");
    app.op("worker.tick", json!({"name": "price_migration"})).await.ok();
    let seen = line(&app, &joins["id"]).await;
    assert_eq!((&seen["pendingChange"], &seen["nextChargeAmount"]), (&Value::Null, &json!("27.00")));
    let seen = line(&app, &told["id"]).await;
    assert_eq!(
        (&seen["pendingOfferingPriceId"], &seen["pendingChange"]),
        (&json!("PRICE_M_LOWER"), &json!("price_migration"))
    );
    assert_eq!(app.number("select count(*) from subscription.price_migration where state = 'open'").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn lines_can_be_moved_back_to_a_price_that_they_were_moved_to() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    new_price(&app).await;
    migrate(&app, "PRICE_M_NEW", "2026-05-04T09:00:00Z", 10).await.ok();
    // Thought better of it: the line is at the price that it is to keep, and was told of another.
    migrate(&app, "PRICE_PLAN_M", "2026-05-04T09:00:00Z", 10).await.ok();
    let kept = line(&app, &first["id"]).await;
    assert_eq!((&kept["pendingOfferingPriceId"], &kept["nextChargeAmount"]), (&json!("PRICE_PLAN_M"), &json!("25.00")));
    migrate(&app, "PRICE_M_NEW", "2026-05-05T09:00:00Z", 10).await.ok();
    advance(&app, "30d").await;
    tick(&app).await;
    assert_eq!(line(&app, &first["id"]).await["priceAmount"], "30.00");
    let moves = "select count(*) from subscription.price_migration where price_id = 'PRICE_M_NEW'";
    assert_eq!(app.number(moves).await, 2);
    app.finish().await;
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused() {
    let app = frozen().await;
    app.line("PLAN_M").await;
    let from = "2026-06-10T00:00:00Z";
    migrate(&app, "PRICE_NOT_THERE", from, 30).await.violates("subscription.migrate_price.unknown_price");
    migrate(&app, "PRICE_PLAN_L", from, 30).await.violates("subscription.migrate_price.price_not_on_offering");
    app.sql("insert into catalog.product_offering_price (id, offering_id, amount_minor, currency) values ('PRICE_M_EUR', 'PLAN_M', 900000, 'EUR')").await;
    migrate(&app, "PRICE_M_EUR", from, 30).await.violates("subscription.migrate_price.other_currency");
    new_price(&app).await;
    for days in [0, -1, 366] {
        assert_eq!(migrate(&app, "PRICE_M_NEW", from, days).await.status.as_u16(), 400, "{days} days");
    }
    let nowhere = json!({"offeringId": "PLAN_X", "newPriceId": "PRICE_M_NEW", "effectiveFrom": from});
    assert_eq!(app.op("subscription.migrate_to_new_price", nowhere).await.status.as_u16(), 404);
    assert_eq!(app.number("select count(*) from subscription.price_migration").await, 0);
    app.finish().await;
}
