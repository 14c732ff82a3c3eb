//! Another operator than the one of the defaults: its own numbers, prices and dates on every surface.

use serde_json::json;

use crate::support::app::TestApp;

const BERLIN: &[(&str, &str)] = &[
    ("BSS_OPERATOR_NAME", "Spree Mobil"),
    ("BSS_OPERATOR_COUNTRY", "DE"),
    ("BSS_OPERATOR_CURRENCY", "EUR"),
    ("BSS_OPERATOR_CALLING_CODE", "49"),
    ("BSS_OPERATOR_NUMBER_LENGTH", "11"),
    ("BSS_OPERATOR_TIME_ZONE", "Europe/Berlin"),
    ("BSS_OPERATOR_TAX_LABEL", "inkl. MwSt."),
    ("BSS_OPERATOR_LOCALE", "de-DE"),
    ("BSS_OPERATOR_ICCID_PREFIX", "8949020"),
    ("BSS_OPERATOR_IMSI_PREFIX", "262011"),
    ("BSS_OPERATOR_SMDP_SERVER", "smdp.spree.test"),
];

#[tokio::test]
async fn the_profile_is_told_and_profiles_are_made_by_it() {
    let app = TestApp::with(BERLIN).await;
    let profile = app.op("operator.profile", json!({})).await.ok();
    assert_eq!(
        profile,
        json!({
            "name": "Spree Mobil", "supportEmail": "support@example.test", "country": "DE", "currency": "EUR",
            "callingCode": "49", "numberLength": 11, "timeZone": "Europe/Berlin", "taxLabel": "inkl. MwSt.",
            "locale": "de-DE"
        })
    );
    app.op("inventory.esim.add_batch", json!({"count": 3})).await.ok();
    let made = app
        .number(
            "select count(*) from inventory.esim_profile
             where iccid in ('8949020000000000000', '8949020000000000001', '8949020000000000002')
               and imsi in ('262011000000000', '262011000000001', '262011000000002') and smdp_server = 'smdp.spree.test'
               and activation_code = 'LPA:1$smdp.spree.test$' || matching_id",
        )
        .await;
    assert_eq!(made, 3);
    app.finish().await;
}

#[tokio::test]
async fn profiles_are_listed_by_their_state() {
    let app = TestApp::new().await;
    app.line("PLAN_S").await;
    let list = async |state: &str| app.op("inventory.esim.list", json!({"state": state, "limit": 5})).await.ok();
    let activated = list("activated").await;
    assert_eq!(activated.as_array().map(Vec::len), Some(1), "{activated:#}");
    assert_eq!(activated[0]["profileState"], "activated");
    assert!(activated[0]["iccid"].as_str().is_some_and(|iccid| iccid.starts_with('…')), "masked");
    assert_eq!(list("recycled").await, json!([]));
    let all = app.op("inventory.esim.list", json!({"limit": 2})).await.ok();
    let next = app.op("inventory.esim.list", json!({"limit": 2, "offset": 2})).await.ok();
    assert_eq!((all.as_array().map(Vec::len), next.as_array().map(Vec::len)), (Some(2), Some(2)));
    assert_ne!(all, next);
    assert_eq!(app.op("inventory.esim.list", json!({"limit": 0})).await.status, 400);
    app.finish().await;
}
