//! Changes of plan: booked, cancelled, applied at the renewal, declined, paid late, and raced.

use serde_json::{Value, json};

use super::{DECLINES, GOOD, SLOW, advance, charge_to, charges, events, frozen, line, pairs, remaining, tick};
use crate::support::app::{Answer, TestApp};

pub(super) async fn schedule(app: &TestApp, id: &Value, plan: &str) -> Answer {
    app.op("subscription.schedule_plan_change", json!({"subscriptionId": id, "newOfferingId": plan})).await
}

async fn cancel(app: &TestApp, id: &Value) -> Answer {
    app.op("subscription.cancel_pending_plan_change", json!({"subscriptionId": id})).await
}

async fn renew(app: &TestApp, id: &Value) -> Value {
    app.op("subscription.renew_now", json!({"subscriptionId": id})).await.ok()
}

#[tokio::test]
async fn a_booked_plan_begins_with_the_next_period() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    app.sql("update subscription.subscription set discount_type = 'percent', discount_value = 20, discount_periods_remaining = -1").await;
    let booked = schedule(&app, id, "PLAN_L").await.ok();
    assert_eq!(
        (&booked["offeringId"], &booked["priceAmount"], &booked["effectiveAmount"], &booked["nextChargeAmount"]),
        (&json!("PLAN_M"), &json!("25.00"), &json!("20.00"), &json!("45.00"))
    );
    assert_eq!(
        (&booked["pendingOfferingId"], &booked["pendingOfferingPriceId"], &booked["pendingEffectiveAt"]),
        (&json!("PLAN_L"), &json!("PRICE_PLAN_L"), &booked["nextRenewalAt"])
    );
    assert_eq!(booked["pendingChange"], "plan_change");
    // The price is the one that was booked.
    app.sql("update catalog.product_offering_price set amount_minor = 9900 where id = 'PRICE_PLAN_L'").await;
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["renewed"], 1);
    let changed = line(&app, id).await;
    assert_eq!(
        (&changed["offeringId"], &changed["priceAmount"], &changed["effectiveAmount"], &changed["pendingChange"]),
        (&json!("PLAN_L"), &json!("45.00"), &json!("45.00"), &Value::Null)
    );
    assert_eq!((remaining(&changed, "data"), remaining(&changed, "data_roaming")), (153_600, 2_048));
    assert_eq!((&changed["discountType"], &changed["discountPeriodsRemaining"]), (&Value::Null, &json!(0)));
    assert_eq!(charges(&app, &first, "approved").await, pairs(&[("activation", "25.00"), ("renewal", "45.00")]));
    let told = events(&app, &first, "subscription.plan_changed").await;
    let said = &told[0]["payload"];
    assert_eq!(
        (told.len(), &said["previousOfferingId"], &said["newOfferingId"], &said["discountEnded"]),
        (1, &json!("PLAN_M"), &json!("PLAN_L"), &json!(true))
    );
    assert_eq!(said["cfsServiceId"], first["cfsServiceId"]);
    assert_eq!(events(&app, &first, "subscription.plan_change_scheduled").await[0]["payload"]["endsDiscount"], true);
    advance(&app, "30d").await;
    tick(&app).await;
    assert_eq!(charges(&app, &first, "approved").await.last(), pairs(&[("renewal", "45.00")]).last());
    assert_eq!(events(&app, &first, "subscription.plan_changed").await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn every_refusal_in_its_order() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    schedule(&app, id, "PLAN_M").await.violates("subscription.plan_change.same_offering");
    schedule(&app, id, "PLAN_NOT_THERE").await.violates("subscription.plan_change.target_not_sellable_now");
    app.sql("update catalog.product_offering set valid_to = '2026-05-01' where id = 'PLAN_S'").await;
    schedule(&app, id, "PLAN_S").await.violates("subscription.plan_change.target_not_sellable_now");
    app.sql("update catalog.product_offering set valid_to = null where id = 'PLAN_S'").await;
    app.sql("update catalog.product_offering_price set valid_to = '2026-05-01' where id = 'PRICE_PLAN_S'").await;
    schedule(&app, id, "PLAN_S").await.violates("subscription.plan_change.target_no_active_price");
    schedule(&app, id, "PLAN_L").await.ok();
    schedule(&app, id, "PLAN_M").await.violates("subscription.plan_change.same_offering");
    let pending = schedule(&app, id, "PLAN_L").await.violates("subscription.plan_change.already_pending");
    assert_eq!(pending["context"]["pendingOfferingId"], "PLAN_L");
    app.op("subscription.block", json!({"subscriptionId": id, "reason": "requested"})).await.ok();
    schedule(&app, id, "PLAN_M").await.violates("subscription.plan_change.not_eligible_state");
    assert_eq!(schedule(&app, &json!("SUB-9999"), "PLAN_L").await.status.as_u16(), 404);
    assert_eq!(events(&app, &first, "subscription.plan_change_scheduled").await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_booked_plan_can_be_cancelled_and_chosen_anew() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    assert_eq!(cancel(&app, id).await.ok()["version"], first["version"], "nothing was booked");
    schedule(&app, id, "PLAN_L").await.ok();
    let cancelled = cancel(&app, id).await.ok();
    assert_eq!((&cancelled["pendingOfferingId"], &cancelled["pendingEffectiveAt"]), (&Value::Null, &Value::Null));
    let told = events(&app, &first, "subscription.plan_change_cancelled").await;
    assert_eq!((told.len(), &told[0]["payload"]["previousPending"]["offeringId"]), (1, &json!("PLAN_L")));
    cancel(&app, id).await.ok();
    schedule(&app, id, "PLAN_S").await.ok();
    advance(&app, "30d").await;
    tick(&app).await;
    let changed = line(&app, id).await;
    assert_eq!(
        (&changed["offeringId"], remaining(&changed, "data"), remaining(&changed, "voice")),
        (&json!("PLAN_S"), 5_120, 100)
    );
    app.finish().await;
}

#[tokio::test]
async fn an_early_renewal_stays_on_the_plan_and_keeps_the_change() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    schedule(&app, id, "PLAN_L").await.ok();
    advance(&app, "10d").await;
    let early = renew(&app, id).await;
    assert_eq!((&early["offeringId"], &early["pendingOfferingId"]), (&json!("PLAN_M"), &json!("PLAN_L")));
    assert_eq!(early["pendingEffectiveAt"], early["currentPeriodEnd"], "it waits for the new boundary");
    advance(&app, "50d").await;
    tick(&app).await;
    assert_eq!(line(&app, id).await["offeringId"], "PLAN_L");
    assert_eq!(
        charges(&app, &first, "approved").await,
        pairs(&[("activation", "25.00"), ("renewal", "25.00"), ("renewal", "45.00")])
    );
    app.finish().await;
}

#[tokio::test]
async fn a_declined_change_stays_booked_and_paying_late_pays_for_it() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    schedule(&app, id, "PLAN_L").await.ok();
    charge_to(&app, &first, DECLINES).await;
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["declined"], 1);
    let blocked = line(&app, id).await;
    assert_eq!(
        (&blocked["state"], &blocked["offeringId"], &blocked["pendingOfferingId"], &blocked["nextChargeAmount"]),
        (&json!("blocked"), &json!("PLAN_M"), &json!("PLAN_L"), &json!("45.00"))
    );
    let failed = events(&app, &first, "subscription.plan_change_payment_failed").await;
    assert_eq!((failed.len(), &failed[0]["payload"]["pendingOfferingId"]), (1, &json!("PLAN_L")));
    charge_to(&app, &first, GOOD).await;
    advance(&app, "3d").await;
    let paid = renew(&app, id).await;
    assert_eq!((&paid["state"], &paid["offeringId"]), (&json!("active"), &json!("PLAN_L")));
    assert_eq!(remaining(&paid, "data"), 153_600);
    assert_eq!(charges(&app, &first, "approved").await, pairs(&[("activation", "25.00"), ("renewal", "45.00")]));
    app.finish().await;
}

#[tokio::test]
async fn a_change_that_is_cancelled_after_a_decline_is_not_paid_for() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    schedule(&app, id, "PLAN_L").await.ok();
    charge_to(&app, &first, DECLINES).await;
    advance(&app, "30d").await;
    tick(&app).await;
    assert_eq!(cancel(&app, id).await.ok()["nextChargeAmount"], "25.00");
    charge_to(&app, &first, GOOD).await;
    assert_eq!(renew(&app, id).await["offeringId"], "PLAN_M");
    assert_eq!(charges(&app, &first, "approved").await, pairs(&[("activation", "25.00"), ("renewal", "25.00")]));
    app.finish().await;
}

#[tokio::test]
async fn what_is_being_charged_is_what_begins() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    schedule(&app, id, "PLAN_L").await.ok();
    charge_to(&app, &first, SLOW).await;
    advance(&app, "30d").await;
    let meanwhile = async {
        app.until("the renewal is being charged", async || {
            let query = "select count(*) from payment.payment_attempt where status = 'pending' and purpose = 'renewal'";
            (app.number(query).await == 1).then_some(())
        })
        .await;
        let refused = cancel(&app, id).await;
        // Where the charge was faster there is nothing left to cancel.
        assert!(matches!(refused.status.as_u16(), 409 | 200), "{:#}", refused.body);
        app.sql(
            "update catalog.bundle_allowance set quantity = 7 where offering_id = 'PLAN_L' and allowance_type = 'data'",
        )
        .await;
    };
    tokio::join!(tick(&app), meanwhile);
    app.settle().await;
    let changed = line(&app, id).await;
    assert_eq!((&changed["offeringId"], remaining(&changed, "data")), (&json!("PLAN_L"), 153_600));
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn a_change_that_is_booked_while_the_old_plan_is_charged_waits() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    charge_to(&app, &first, SLOW).await;
    advance(&app, "30d").await;
    let meanwhile = async {
        app.until("the renewal is being charged", async || {
            let query = "select count(*) from payment.payment_attempt where status = 'pending' and purpose = 'renewal'";
            (app.number(query).await == 1).then_some(())
        })
        .await;
        schedule(&app, id, "PLAN_L").await.ok();
    };
    tokio::join!(tick(&app), meanwhile);
    app.settle().await;
    let renewed = line(&app, id).await;
    assert_eq!((&renewed["offeringId"], &renewed["pendingOfferingId"]), (&json!("PLAN_M"), &json!("PLAN_L")));
    assert_eq!(renewed["pendingEffectiveAt"], renewed["currentPeriodEnd"]);
    app.finish().await;
}

#[tokio::test]
async fn an_ended_line_waits_for_nothing() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    schedule(&app, &first["id"], "PLAN_L").await.ok();
    let ended = app.op("subscription.terminate", json!({"subscriptionId": first["id"]})).await.ok();
    assert_eq!(ended["pendingOfferingId"], Value::Null);
    cancel(&app, &first["id"]).await.ok();
    schedule(&app, &first["id"], "PLAN_L").await.violates("subscription.plan_change.not_eligible_state");
    app.finish().await;
}

#[tokio::test]
async fn two_bookings_at_once_are_one() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let id = &first["id"];
    let (one, two) = tokio::join!(schedule(&app, id, "PLAN_L"), schedule(&app, id, "PLAN_S"));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    assert_eq!(events(&app, &first, "subscription.plan_change_scheduled").await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn everything_at_once_ends_in_one_charge_per_period() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let second = app.line("PLAN_M").await;
    app.sql("insert into catalog.product_offering_price (id, offering_id, amount_minor, currency) values ('PRICE_M_NEW', 'PLAN_M', 3000, 'SGD')").await;
    advance(&app, "30d").await;
    let migrate = json!({"offeringId": "PLAN_M", "newPriceId": "PRICE_M_NEW", "effectiveFrom": "2026-06-10T00:00:00Z"});
    let top_up = json!({"subscriptionId": first["id"], "vasOfferingId": "VAS_DATA_1GB"});
    let renew = json!({"subscriptionId": first["id"]});
    let (booked, _, topped, renewed, migrated, ended, _) = tokio::join!(
        schedule(&app, &first["id"], "PLAN_L"),
        tick(&app),
        app.op("subscription.purchase_vas", top_up),
        app.op("subscription.renew_now", renew),
        app.op("subscription.migrate_to_new_price", migrate),
        app.op("subscription.terminate", json!({"subscriptionId": second["id"]})),
        tick(&app),
    );
    booked.ok();
    topped.ok();
    assert!(matches!(renewed.status.as_u16(), 200 | 409), "{:#}", renewed.body);
    migrated.ok();
    ended.ok();
    app.settle().await;
    app.op("worker.tick", json!({"name": "price_migration"})).await.ok();
    let one = line(&app, &first["id"]).await;
    assert_eq!(one["state"], "active");
    let paid = charges(&app, &first, "approved").await;
    let periods = paid.iter().filter(|(purpose, _)| purpose != "vas").count();
    let index = app
        .number("select max(period_index)::bigint from subscription.period where subscription_id = 'SUB-0001'")
        .await;
    assert_eq!(i64::try_from(periods).expect("few"), index);
    let notices = events(&app, &first, "subscription.price_migration_scheduled").await.len();
    assert!(notices <= 1, "told once, unless it had left the plan");
    app.finish().await;
}
