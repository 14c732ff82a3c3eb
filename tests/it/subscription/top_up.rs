//! Top-ups: what they add, what they lift, and what they must not.

use serde_json::{Value, json};

use super::{DECLINES, SLOW, charge_to, charges, events, frozen, line, pairs, remaining, use_data};
use crate::support::app::{Answer, TestApp};

async fn buy(app: &TestApp, id: &Value, vas: &str) -> Answer {
    app.op("subscription.purchase_vas", json!({"subscriptionId": id, "vasOfferingId": vas})).await
}

#[tokio::test]
async fn data_brings_an_exhausted_line_back() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    use_data(&app, &first, 5_120).await;
    assert_eq!(line(&app, id).await["blockReasons"], json!(["exhausted"]));
    let roaming = buy(&app, id, "VAS_ROAMING_1GB").await.ok();
    assert_eq!(
        (&roaming["state"], remaining(&roaming, "data_roaming")),
        (&json!("blocked"), 1_024),
        "there is still no data"
    );
    let data = buy(&app, id, "VAS_DATA_1GB").await.ok();
    assert_eq!((&data["state"], remaining(&data, "data")), (&json!("active"), 1_024));
    use_data(&app, &first, 100).await;
    assert_eq!(remaining(&line(&app, id).await, "data"), 924);
    let unblocked = events(&app, &first, "subscription.unblocked").await;
    assert_eq!((unblocked.len(), &unblocked[0]["payload"]["reason"]), (1, &json!("vas_top_up")));
    app.settle().await;
    let timeline = app.op("interaction.list", json!({"customerId": first["customerId"]})).await.ok();
    let told = |text: &str| {
        timeline
            .as_array()
            .expect("interactions")
            .iter()
            .filter(|note| note["summary"].as_str().is_some_and(|s| s.contains(text)))
            .count()
    };
    assert_eq!((told("its data is used up"), told("topped up with")), (1, 2));
    let purchased = events(&app, &first, "subscription.vas_purchased").await;
    assert_eq!((purchased.len(), &purchased[1]["payload"]["previousState"]), (2, &json!("blocked")));
    assert_eq!(
        charges(&app, &first, "approved").await,
        pairs(&[("activation", "10.00"), ("vas", "8.00"), ("vas", "3.00")])
    );
    app.finish().await;
}

#[tokio::test]
async fn top_ups_at_once_all_count() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    let bought = tokio::join!(
        buy(&app, id, "VAS_DATA_1GB"),
        buy(&app, id, "VAS_DATA_5GB"),
        buy(&app, id, "VAS_DATA_1GB"),
        buy(&app, id, "VAS_ROAMING_1GB"),
        use_data(&app, &first, 120),
    );
    for answer in [bought.0, bought.1, bought.2, bought.3] {
        answer.ok();
    }
    let after = line(&app, id).await;
    assert_eq!(remaining(&after, "data"), 5_120 + 2 * 1_024 + 5_120 - 120);
    assert_eq!(remaining(&after, "data_roaming"), 1_024);
    app.finish().await;
}

#[tokio::test]
async fn a_missing_balance_begins_with_its_top_up() {
    let app = frozen().await;
    app.sql("delete from catalog.bundle_allowance where offering_id = 'PLAN_S' and allowance_type = 'data_roaming'")
        .await;
    let first = app.line("PLAN_S").await;
    let after = buy(&app, &first["id"], "VAS_ROAMING_1GB").await.ok();
    assert_eq!(remaining(&after, "data_roaming"), 1_024);
    app.finish().await;
}

#[tokio::test]
async fn nobody_pays_for_nothing() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    let id = &first["id"];
    buy(&app, id, "VAS_NOT_THERE").await.violates("subscription.vas_purchase.vas_offering_sellable");
    app.sql("update catalog.vas_offering set allowance_quantity = 0 where id = 'VAS_DATA_5GB'").await;
    buy(&app, id, "VAS_DATA_5GB").await.violates("subscription.vas_purchase.vas_offering_sellable");
    app.sql(
        "update catalog.bundle_allowance set quantity = -1 where offering_id = 'PLAN_S' and allowance_type = 'data'",
    )
    .await;
    let unlimited = app.line("PLAN_S").await;
    buy(&app, &unlimited["id"], "VAS_DATA_1GB").await.violates("subscription.vas_purchase.already_unlimited");
    app.sql("update payment.payment_method set status = 'expired', is_default = false").await;
    buy(&app, id, "VAS_DATA_1GB").await.violates("subscription.vas_purchase.requires_active_cof");
    assert_eq!(app.number("select count(*) from subscription.vas_purchase").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_declined_top_up_changes_nothing() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    charge_to(&app, &first, DECLINES).await;
    let refusal =
        buy(&app, &first["id"], "VAS_DATA_1GB").await.violates("subscription.vas_purchase.requires_active_cof");
    assert_eq!(
        (&refusal["context"]["paymentStatus"], &refusal["context"]["declineReason"]),
        (&json!("declined"), &json!("card_declined"))
    );
    assert_eq!(line(&app, &first["id"]).await, first);
    assert!(events(&app, &first, "subscription.vas_purchased").await.is_empty());
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_request_joins_its_purchase() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    charge_to(&app, &first, SLOW).await;
    let body = json!({"subscriptionId": first["id"], "vasOfferingId": "VAS_DATA_1GB"});
    let send = || {
        app.send_with(
            reqwest::Method::POST,
            "/ops/v1/subscription.purchase_vas",
            &body,
            &[("idempotency-key", "top-up-1")],
        )
    };
    let later = async {
        app.until("the purchase is booked", async || {
            (app.number("select count(*) from subscription.vas_purchase").await == 1).then_some(())
        })
        .await;
        send().await
    };
    let (one, two) = tokio::join!(send(), later);
    assert_eq!((remaining(&one.ok(), "data"), remaining(&two.ok(), "data")), (6_144, 6_144));
    assert_eq!(remaining(&send().await.ok(), "data"), 6_144, "also when it was settled long ago");
    let other = json!({"subscriptionId": first["id"], "vasOfferingId": "VAS_DATA_5GB"});
    let reused = app.send_with(
        reqwest::Method::POST,
        "/ops/v1/subscription.purchase_vas",
        &other,
        &[("idempotency-key", "top-up-1")],
    );
    reused.await.violates("idempotency.key_reused_with_other_body");
    assert_eq!(app.number("select count(*) from subscription.vas_purchase").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn an_unsettled_payment_is_pending_and_never_declined() {
    let app = frozen().await;
    let first = app.line("PLAN_S").await;
    // The gateway charges this card, but its first answer is lost; no second call is made before the caller's deadline.
    charge_to(&app, &first, "4000000000000119").await;
    let answer = buy(&app, &first["id"], "VAS_DATA_1GB").await;
    if answer.status == 503 {
        assert!(answer.body["context"]["paymentAttemptId"].is_string(), "{:#}", answer.body);
        assert!(answer.headers.contains_key("retry-after"));
    } else {
        answer.ok();
    }
    app.until("the charge is settled and the top-up applied", async || {
        (remaining(&line(&app, &first["id"]).await, "data") == 6_144).then_some(())
    })
    .await;
    assert_eq!(charges(&app, &first, "approved").await.len(), 2);
    app.finish().await;
}
