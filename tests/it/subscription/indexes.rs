//! Queries over tables that grow for ever have an index each, and use it once there is something to be passed over. Seen from
//! the database's own counts.

use serde_json::json;

use super::{advance, frozen, line, tick};
use crate::support::app::TestApp;

/// A thousand lines that are overdue and blocked until they pay, as many service orders of other orders, as many services in
/// the network under other numbers, and as many numbers that rest.
async fn grow(app: &TestApp) {
    app.sql(
        "insert into subscription.subscription
         select copy.*
         from subscription.subscription s, generate_series(1, 1000) n,
              jsonb_populate_record(null::subscription.subscription, to_jsonb(s) || jsonb_build_object(
                  'id', 'SUB-X' || n, 'msisdn', 'x' || n, 'iccid', 'x' || n, 'commercial_order_id', 'ORD-X' || n, 'state', 'blocked',
                  'block_reasons', array['payment'], 'renewal_attempted_for', s.next_renewal_at)) copy
         where s.id = 'SUB-0001'",
    )
    .await;
    app.sql(
        "insert into service_inventory.service_order
         select copy.*
         from service_inventory.service_order o, generate_series(1, 1000) n,
              jsonb_populate_record(null::service_inventory.service_order, to_jsonb(o) || jsonb_build_object(
                  'id', 'SO-X' || n, 'commercial_order_id', 'ORD-X' || n, 'kind', 'change')) copy
         where o.id = 'SO-0001'",
    )
    .await;
    app.sql(
        "insert into service_inventory.service
         select copy.*
         from service_inventory.service s, generate_series(1, 1000) n,
              jsonb_populate_record(null::service_inventory.service, to_jsonb(s) || jsonb_build_object(
                  'id', 'SVC-X' || n, 'characteristics', jsonb_build_object('msisdn', 'x' || n))) copy
         where s.id = (select cfs_service_id from subscription.subscription where id = 'SUB-0001')",
    )
    .await;
    app.sql(
        "insert into inventory.msisdn_pool (msisdn, status, quarantine_until)
         select (70000000 + n)::text, 'quarantine', now() + interval '10 years' from generate_series(1, 1000) n",
    )
    .await;
    app.sql("analyze service_inventory.service").await;
    app.sql("analyze inventory.msisdn_pool").await;
    app.sql("analyze subscription.subscription").await;
    app.sql("analyze service_inventory.service_order").await;
}

#[tokio::test]
async fn what_grows_is_found_by_an_index_of_its_own() {
    let mut app = frozen().await;
    let first = app.line("PLAN_S").await;
    let ended = app.line("PLAN_S").await;
    app.op("subscription.terminate", json!({"subscriptionId": ended["id"]})).await.ok();
    app.settle().await;
    advance(&app, "30d").await;
    grow(&app).await;
    let by_number = async |msisdn: &serde_json::Value| {
        app.op("subscription.find_by_msisdn", json!({"msisdn": msisdn})).await.ok()["id"].clone()
    };
    for index in [
        "uq_subscription_msisdn",
        "ix_subscription_msisdn_ended",
        "ix_service_order_commercial",
        "ix_subscription_renewable",
        "ix_subscription_to_be_skipped",
        "ix_msisdn_rested",
        "ix_service_number",
    ] {
        let count = async || -> i64 {
            let scans = "select coalesce(sum(idx_scan), 0)::bigint from pg_stat_user_indexes where indexrelname = $1";
            let scans = sqlx::query_scalar(scans).bind(index).fetch_one(app.platform.db.pool());
            scans.await.expect("the query is right")
        };
        let before = count().await;
        // Sessions tell what they counted every now and then.
        app.until(index, async || {
            assert_eq!(
                (by_number(&first["msisdn"]).await, by_number(&ended["msisdn"]).await),
                (first["id"].clone(), ended["id"].clone())
            );
            app.op("service_order.list_for_order", json!({"orderId": first["commercialOrderId"]})).await.ok();
            tick(&app).await;
            // The number of the line that has ended has rested, each time anew.
            app.sql(
                "update inventory.msisdn_pool set status = 'quarantine', quarantine_until = '2026-05-04'
                 where msisdn = (select msisdn from subscription.subscription where state = 'terminated')",
            )
            .await;
            app.op("worker.tick", json!({"name": "quarantine"})).await.ok();
            (count().await > before).then_some(())
        })
        .await;
    }
    let renewed = line(&app, &first["id"]).await;
    assert_eq!(renewed["currentPeriodStart"], first["currentPeriodEnd"], "found among the others that are due");
    // The books of a thousand copies are nobody's.
    app.stop().await;
}
