//! Renewals: due, missed, early, declined, paid now, and several at once.

use serde_json::{Value, json};

use super::{
    DECLINES, GOOD, SLOW, advance, charge_to, charges, events, frozen, line, pairs, remaining, tick, use_data,
};
use crate::support::app::TestApp;

async fn renew(app: &TestApp, id: &Value) -> Value {
    app.op("subscription.renew_now", json!({"subscriptionId": id})).await.ok()
}

#[tokio::test]
async fn a_due_line_is_renewed_once_at_its_boundary() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    use_data(&app, &first, 720).await;
    advance(&app, "29d").await;
    assert_eq!(tick(&app).await["due"], 0, "a day early");
    advance(&app, "1d").await;
    advance(&app, "47m").await;
    assert_eq!(
        tick(&app).await,
        json!({"due": 1, "renewed": 1, "declined": 0, "pending": 0, "skipped": 0, "failed": 0, "reminded": 0})
    );
    let second = line(&app, &first["id"]).await;
    assert_eq!(second["currentPeriodStart"], first["currentPeriodEnd"], "no drift by the tick");
    assert_eq!(second["currentPeriodEnd"], "2026-07-03T09:00:00Z");
    assert_eq!(remaining(&second, "data"), 30_720);
    assert_eq!(tick(&app).await["due"], 0, "once per boundary");
    let renewed = events(&app, &first, "subscription.renewed").await;
    assert_eq!(renewed.len(), 1);
    assert_eq!((&renewed[0]["actor"], &renewed[0]["channel"]), (&json!("system:renewal_worker"), &json!("system")));
    assert_eq!(renewed[0]["payload"]["amountCharged"], "25.00");
    assert_eq!(charges(&app, &first, "approved").await, pairs(&[("activation", "25.00"), ("renewal", "25.00")]));
    app.finish().await;
}

#[tokio::test]
async fn missed_periods_are_neither_charged_nor_drifted() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    advance(&app, "95d").await;
    assert_eq!(tick(&app).await["renewed"], 1);
    let now = line(&app, &first["id"]).await;
    assert_eq!(now["currentPeriodStart"], "2026-08-02T09:00:00Z", "90 days after the first start");
    assert_eq!(tick(&app).await["due"], 0);
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn the_price_and_quota_of_the_contract_survive_the_catalog() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    app.sql("update catalog.product_offering_price set amount_minor = 3000 where id = 'PRICE_PLAN_S'").await;
    app.sql(
        "update catalog.bundle_allowance set quantity = 9000 where offering_id = 'PLAN_S' and allowance_type = 'data'",
    )
    .await;
    assert_eq!(remaining(&line(&app, &first["id"]).await, "data"), 5_120);
    advance(&app, "30d").await;
    tick(&app).await;
    let second = line(&app, &first["id"]).await;
    assert_eq!(remaining(&second, "data"), 9_000, "what the plan grants when the period is charged");
    assert_eq!(charges(&app, &first, "approved").await, pairs(&[("activation", "10.00"), ("renewal", "10.00")]));
    app.finish().await;
}

#[tokio::test]
async fn a_declined_renewal_blocks_until_it_is_paid() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    charge_to(&app, &first, DECLINES).await;
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["declined"], 1);
    let blocked = line(&app, id).await;
    assert_eq!((&blocked["state"], &blocked["blockReasons"]), (&json!("blocked"), &json!(["payment"])));
    assert_eq!(blocked["currentPeriodStart"], first["currentPeriodStart"]);
    assert_eq!(
        tick(&app).await,
        json!({"due": 0, "renewed": 0, "declined": 0, "pending": 0, "skipped": 0, "failed": 0, "reminded": 0})
    );

    let again = renew(&app, id).await;
    assert_eq!(
        (&again["state"], &again["blockReasons"]),
        (&json!("blocked"), &json!(["payment"])),
        "a decline is an answer"
    );
    assert_eq!(events(&app, &first, "subscription.blocked").await.len(), 1, "a second decline blocks nothing further");
    assert_eq!(events(&app, &first, "subscription.renew_failed").await.len(), 2);

    charge_to(&app, &first, GOOD).await;
    let topped =
        app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"})).await.ok();
    assert_eq!(
        (&topped["blockReasons"], remaining(&topped, "data")),
        (&json!(["payment"]), 6_144),
        "a top-up is no renewal"
    );

    advance(&app, "3d").await;
    let paid = renew(&app, id).await;
    assert_eq!((&paid["state"], &paid["blockReasons"]), (&json!("active"), &json!([])));
    assert_eq!(paid["currentPeriodStart"], "2026-06-06T09:00:00Z", "a whole period from the payment on");
    assert_eq!(paid["currentPeriodEnd"], "2026-07-06T09:00:00Z");
    assert_eq!(remaining(&paid, "data"), 5_120);
    let unblocked = events(&app, &first, "subscription.unblocked").await;
    assert_eq!((unblocked.len(), &unblocked[0]["payload"]["reason"]), (1, &json!("renewed")));
    assert_eq!(
        charges(&app, &first, "approved").await,
        pairs(&[("activation", "10.00"), ("vas", "3.00"), ("renewal", "10.00")])
    );
    let history = app.op("subscription.history", json!({"subscriptionId": id})).await.ok();
    let steps: Vec<_> = history.as_array().expect("steps").iter().map(|step| step["toState"].clone()).collect();
    assert_eq!(steps, ["pending", "active", "blocked", "active"]);
    app.finish().await;
}

#[tokio::test]
async fn an_early_renewal_starts_at_once_and_loses_no_day() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    let same_instant = renew(&app, &first["id"]).await;
    assert_eq!(same_instant["currentPeriodEnd"], "2026-07-03T09:00:00Z");
    use_data(&app, &first, 20_000).await;
    advance(&app, "10d").await;
    let early = renew(&app, &first["id"]).await;
    assert_eq!(early["currentPeriodStart"], "2026-05-14T09:00:00Z");
    assert_eq!(early["currentPeriodEnd"], "2026-08-02T09:00:00Z");
    assert_eq!(remaining(&early, "data"), 30_720);
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["due"], 0);
    app.finish().await;
}

#[tokio::test]
async fn an_early_renewal_that_is_declined_leaves_the_paid_period_alone() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    charge_to(&app, &first, DECLINES).await;
    advance(&app, "10d").await;
    let still = renew(&app, id).await;
    assert_eq!((&still["state"], &still["currentPeriodEnd"]), (&json!("active"), &first["currentPeriodEnd"]));
    use_data(&app, &first, 10).await;
    let failed = events(&app, &first, "subscription.renew_failed").await;
    let said = &failed[0]["payload"];
    assert_eq!(
        (failed.len(), &said["paidUntil"], &said["reason"]),
        (1, &first["currentPeriodEnd"], &json!("payment_declined"))
    );
    assert!(events(&app, &first, "subscription.blocked").await.is_empty());
    let timeline = app.op("subscription.timeline", json!({"subscriptionId": id})).await.ok();
    assert!(timeline.as_array().unwrap().iter().any(|entry| entry["kind"] == "decline"), "{timeline:#}");

    // Used up, it stays a matter of data: a top-up brings it back before its end.
    use_data(&app, &first, 5_110).await;
    assert_eq!(renew(&app, id).await["blockReasons"], json!(["exhausted"]));
    charge_to(&app, &first, GOOD).await;
    let topped = json!({"subscriptionId": id, "vasOfferingId": "VAS_DATA_1GB"});
    assert_eq!(app.op("subscription.purchase_vas", topped).await.ok()["state"], "active");

    charge_to(&app, &first, DECLINES).await;
    advance(&app, "20d").await;
    assert_eq!(tick(&app).await["declined"], 1);
    assert_eq!(line(&app, id).await["blockReasons"], json!(["payment"]), "now it is due");
    let due = &events(&app, &first, "subscription.renew_failed").await[2]["payload"];
    assert_eq!(due["paidUntil"], Value::Null);
    app.finish().await;
}

#[tokio::test]
async fn renewals_at_once_are_one_charge() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    charge_to(&app, &first, SLOW).await;
    advance(&app, "30d").await;
    let (one, two, swept, three) =
        tokio::join!(renew(&app, &first["id"]), renew(&app, &first["id"]), tick(&app), renew(&app, &first["id"]));
    for answer in [&one, &two, &three] {
        assert_eq!(answer["currentPeriodStart"], first["currentPeriodEnd"], "{swept}");
    }
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    assert_eq!(events(&app, &first, "subscription.renewed").await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_request_joins_its_renewal() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let body = json!({"subscriptionId": first["id"]});
    let send = || {
        app.send_with(reqwest::Method::POST, "/ops/v1/subscription.renew_now", &body, &[("idempotency-key", "again-1")])
    };
    let once = send().await.ok();
    let twice = send().await.ok();
    assert_eq!(once["version"], twice["version"]);
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn paying_now_pays_what_is_owed_once_and_nothing_else() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let pay = || app.op("subscription.pay_now", json!({"subscriptionId": first["id"]}));
    pay().await.violates("subscription.renew.not_blocked_for_payment");
    use_data(&app, &first, 5_120).await;
    let refused = pay().await.violates("subscription.renew.not_blocked_for_payment");
    assert_eq!(refused["context"]["blockReasons"], json!(["exhausted"]), "a top-up or a renewal lifts that");
    assert_eq!(charges(&app, &first, "approved").await.len(), 1, "nothing was charged");

    charge_to(&app, &first, DECLINES).await;
    advance(&app, "30d").await;
    tick(&app).await;
    let declined = pay().await.ok();
    assert_eq!((&declined["state"], charges(&app, &first, "declined").await.len()), (&json!("blocked"), 2));
    charge_to(&app, &first, GOOD).await;
    let (one, other) = tokio::join!(pay(), pay());
    // The slower one joins the charge, or comes when nothing is owed any more.
    assert!(one.status.is_success() || other.status.is_success(), "{:#} {:#}", one.body, other.body);
    let paid = line(&app, &first["id"]).await;
    assert_eq!((&paid["state"], &paid["blockReasons"]), (&json!("active"), &json!([])));
    pay().await.violates("subscription.renew.not_blocked_for_payment");
    assert_eq!(charges(&app, &first, "approved").await.len(), 2, "one period was owed");
    app.finish().await;
}

#[tokio::test]
async fn paying_again_after_no_answer_does_not_buy_a_period() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    charge_to(&app, &first, DECLINES).await;
    advance(&app, "30d").await;
    tick(&app).await;
    // The gateway charges this card, but its first answer is lost.
    charge_to(&app, &first, "4000000000000119").await;
    let pay = json!({"subscriptionId": first["id"]});
    let unanswered = app.op("subscription.pay_now", pay.clone()).await;
    assert!(unanswered.status == 503 || unanswered.status.is_success(), "{:#}", unanswered.body);
    app.until("it is paid", async || (line(&app, &first["id"]).await["state"] == "active").then_some(())).await;
    app.op("subscription.pay_now", pay).await.violates("subscription.renew.not_blocked_for_payment");
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn without_a_card_a_due_line_is_blocked() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    app.sql("update payment.payment_method set status = 'expired', is_default = false").await;
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["declined"], 1);
    assert_eq!(line(&app, &first["id"]).await["blockReasons"], json!(["payment"]));
    let failed = events(&app, &first, "subscription.renew_failed").await;
    assert_eq!(failed[0]["payload"]["reason"], "no_payment_method");
    let refused = app.op("subscription.renew_now", json!({"subscriptionId": first["id"]})).await;
    refused.violates("subscription.renew.no_payment_method");
    assert_eq!(tick(&app).await["due"], 0);
    app.finish().await;
}

#[tokio::test]
async fn an_exhausted_line_comes_back_with_its_renewal() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    use_data(&app, &first, 5_120).await;
    assert_eq!(line(&app, &first["id"]).await["blockReasons"], json!(["exhausted"]));
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["renewed"], 1);
    let renewed = line(&app, &first["id"]).await;
    assert_eq!((&renewed["state"], remaining(&renewed, "data")), (&json!("active"), 5_120));
    assert_eq!(renewed["currentPeriodStart"], first["currentPeriodEnd"]);
    app.finish().await;
}

#[tokio::test]
async fn a_line_blocked_for_something_else_is_skipped_once_per_boundary() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    app.op("subscription.block", json!({"subscriptionId": first["id"], "reason": "requested"})).await.ok();
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["skipped"], 1);
    assert_eq!(tick(&app).await["skipped"], 0);
    let skipped = events(&app, &first, "subscription.renewal_skipped").await;
    assert_eq!((skipped.len(), &skipped[0]["payload"]["blockReasons"]), (1, &json!(["requested"])));
    assert_eq!(charges(&app, &first, "approved").await.len(), 1, "nothing is charged");
    let paid = renew(&app, &first["id"]).await;
    assert_eq!(paid["blockReasons"], json!(["requested"]), "a renewal does not lift what the customer asked for");
    app.finish().await;
}

#[tokio::test]
async fn one_line_that_cannot_be_renewed_does_not_hold_up_the_others() {
    let app = frozen().await;
    for _ in 0..3 {
        app.line("PLAN_S").await;
    }
    app.sql("update subscription.subscription set offering_id = 'PLAN_GONE' where id = 'SUB-0002'").await;
    advance(&app, "30d").await;
    let report = tick(&app).await;
    assert_eq!((&report["renewed"], &report["failed"]), (&json!(2), &json!(1)));
    assert_eq!(tick(&app).await["failed"], 0, "it is left alone for a while");
    app.sql("update subscription.subscription set offering_id = 'PLAN_S', renewal_next_attempt_at = null").await;
    assert_eq!(tick(&app).await["renewed"], 1);
    app.finish().await;
}

#[tokio::test]
async fn a_line_that_cannot_be_renewed_is_tried_ever_less_often_and_somebody_is_told() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    app.settle().await;
    app.sql("update subscription.subscription set offering_id = 'PLAN_GONE'").await;
    advance(&app, "30d").await;
    let pause = "select round(extract(epoch from renewal_next_attempt_at - clock_timestamp()) / 60)::bigint from subscription.subscription";
    let mut pauses = Vec::new();
    for _ in 0..8 {
        app.sql("update subscription.subscription set renewal_next_attempt_at = null").await;
        let report = tick(&app).await;
        assert_eq!(report["failed"], 1, "{report} after {pauses:?}");
        pauses.push(app.number(pause).await);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60], "minutes");
    let told = events(&app, &first, "subscription.renewal_stalled").await;
    assert_eq!(told.len(), 1, "once: {told:#?}");
    assert_eq!((&told[0]["payload"]["tries"], &told[0]["payload"]["dueSince"]), (&json!(5), &first["nextRenewalAt"]));
    let report = app.op("audit.verify", json!({})).await.ok();
    let check =
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "subscription.due_line_is_renewed");
    assert_eq!(check.unwrap()["offenders"][0]["id"], first["id"]);

    app.sql("update subscription.subscription set offering_id = 'PLAN_S', renewal_next_attempt_at = null").await;
    assert_eq!(tick(&app).await["renewed"], 1);
    app.finish().await;
}

#[tokio::test]
async fn a_line_that_is_not_to_be_renewed_any_more_is_no_finding() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    app.settle().await;
    app.sql("update subscription.subscription set offering_id = 'PLAN_GONE'").await;
    advance(&app, "30d").await;
    for _ in 0..5 {
        app.sql("update subscription.subscription set renewal_next_attempt_at = null").await;
        assert_eq!(tick(&app).await["failed"], 1);
    }
    app.sql("update subscription.subscription set offering_id = 'PLAN_S'").await;
    app.op("subscription.block", json!({"subscriptionId": first["id"], "reason": "requested"})).await.ok();
    app.assert_books().await;
    app.op("subscription.unblock", json!({"subscriptionId": first["id"]})).await.ok();
    app.sql("update payment.payment_method set status = 'expired', is_default = false").await;
    app.sql("update subscription.subscription set renewal_next_attempt_at = null").await;
    assert_eq!(tick(&app).await["declined"], 1);
    assert_eq!(app.number("select renewal_failures::bigint from subscription.subscription").await, 0);
    assert_eq!(line(&app, &first["id"]).await["blockReasons"], json!(["payment"]));
    app.finish().await;
}

#[tokio::test]
async fn sweeps_at_once_renew_each_line_once() {
    let app = frozen().await;
    for _ in 0..12 {
        app.line("PLAN_S").await;
    }
    advance(&app, "30d").await;
    tokio::join!(tick(&app), tick(&app), tick(&app), tick(&app));
    app.settle().await;
    assert_eq!(app.number("select count(*) from payment.payment_attempt where purpose = 'renewal'").await, 12);
    assert_eq!(app.number("select count(*) from subscription.period where period_index = 2").await, 12);
    app.finish().await;
}

#[tokio::test]
async fn discounts_last_for_their_periods_and_nothing_is_charged_for_nothing() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    app.sql("update subscription.subscription set discount_type = 'percent', discount_value = 20, discount_periods_remaining = 2, discount_last_period = 3").await;
    assert_eq!(line(&app, &first["id"]).await["effectiveAmount"], "20.00");
    for _ in 0..3 {
        advance(&app, "30d").await;
        tick(&app).await;
    }
    let paid = ("renewal", "20.00");
    assert_eq!(
        charges(&app, &first, "approved").await,
        pairs(&[("activation", "25.00"), paid, paid, ("renewal", "25.00")])
    );
    let second = app.line("PLAN_M").await;
    app.sql("update subscription.subscription set discount_type = 'absolute', discount_value = 99, discount_periods_remaining = -1, discount_last_period = null where id = 'SUB-0002'").await;
    advance(&app, "30d").await;
    assert_eq!(tick(&app).await["renewed"], 2);
    assert_eq!(charges(&app, &second, "approved").await, pairs(&[("activation", "25.00"), ("renewal", "0.00")]));
    assert_eq!(line(&app, &second["id"]).await["discountPeriodsRemaining"], -1);
    app.finish().await;
}

#[tokio::test]
async fn a_renewal_is_announced_once_per_boundary() {
    let app = frozen().await;
    let first = app.line("PLAN_M").await;
    app.sql("update subscription.subscription set discount_type = 'percent', discount_value = 20, discount_periods_remaining = 1, discount_last_period = 2").await;
    assert_eq!(tick(&app).await["reminded"], 0, "a month ahead");
    advance(&app, "29d").await;
    advance(&app, "1h").await;
    let reports = tokio::join!(tick(&app), tick(&app), tick(&app));
    let reminded = |report: &Value| report["reminded"].as_u64().expect("a count");
    assert_eq!(reminded(&reports.0) + reminded(&reports.1) + reminded(&reports.2), 1);
    advance(&app, "10h").await;
    assert_eq!(tick(&app).await["reminded"], 0);
    advance(&app, "13h").await;
    tick(&app).await;
    advance(&app, "29d").await;
    advance(&app, "1h").await;
    assert_eq!(tick(&app).await["reminded"], 1, "the next boundary");
    let told = events(&app, &first, "subscription.renewal_reminder_due").await;
    let amounts: Vec<_> = told
        .iter()
        .map(|event| {
            let said = &event["payload"];
            [&said["amount"], &said["previousAmount"], &said["renewsAt"]].map(|v| v.as_str().expect("text").to_owned())
        })
        .collect();
    assert_eq!(
        amounts,
        [["20.00", "25.00", "2026-06-03T09:00:00Z"], ["25.00", "20.00", "2026-07-03T09:00:00Z"]],
        "that it costs more from now on is in the second"
    );
    app.finish().await;
}

#[tokio::test]
async fn reminders_can_be_off_and_blocked_lines_get_none() {
    let app = TestApp::with(&[("BSS_RENEWAL_REMINDER_LOOKAHEAD_SECONDS", "0")]).await;
    app.op("clock.freeze", json!({"at": "2026-05-04T09:00:00Z"})).await.ok();
    app.line("PLAN_S").await;
    advance(&app, "29d").await;
    advance(&app, "23h").await;
    assert_eq!(tick(&app).await["reminded"], 0);
    app.finish().await;
    let app = frozen().await;
    let line = app.line("PLAN_S").await;
    app.op("subscription.block", json!({"subscriptionId": line["id"], "reason": "requested"})).await.ok();
    advance(&app, "29d").await;
    advance(&app, "23h").await;
    assert_eq!(tick(&app).await["reminded"], 0, "it will not be charged");
    app.finish().await;
}
