//! Usage: what was asked for, what was given, what is left.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, text, words};

const HISTORY: &[Column] = &[
    Column::field("ID", "id"),
    Column::second("WHEN", "eventTime"),
    Column::field("TYPE", "eventType"),
    Column::quantity("ASKED", "quantity", "unit"),
    Column::quantity("GIVEN", "ratedQuantity", "unit"),
    Column::field("ROAMING", "roamingIndicator"),
    Column::field("STATE", "state"),
    Column::field("REASON", "reason"),
];

/// Usage as a table.
pub(crate) fn history(answer: &Value, style: Style) -> String {
    table(style, HISTORY, text::rows(answer))
}

/// One event and its answer.
pub(crate) fn page(usage: &Value, style: Style) -> String {
    Page::new(style, &[&text::field(usage, "id"), &text::field(usage, "eventType")], &text::field(usage, "state"))
        .facts(&[
            ("reason", text::field(usage, "reason")),
            ("line", text::field(usage, "subscriptionId")),
            ("number", text::field(usage, "msisdn")),
            ("when", words::second(usage, "eventTime")),
            ("asked", text::quantity(usage, "quantity", "unit")),
            ("given", text::quantity(usage, "ratedQuantity", "unit")),
            ("refused", refused(usage)),
            ("allowance", text::field(usage, "allowanceType")),
            ("left", text::quantity(usage, "remaining", "unit")),
            ("roaming", text::field(usage, "roamingIndicator")),
            ("source", text::field(usage, "source")),
            ("external id", text::field(usage, "externalId")),
        ])
        .finish()
}

const GRANTS: &[Column] =
    &[Column::second("WHEN", "at"), Column::field("SOURCE", "source"), Column::number("AMOUNT", "amount")];

const RATES: &[Column] = &[
    Column::computed("USAGE", |rate| {
        let abroad = if rate["roaming"] == true { " abroad" } else { "" };
        format!("{}{abroad}", text::field(rate, "eventType"))
    }),
    Column::field("ALLOWANCE", "allowanceType"),
    Column::computed("INCLUDED", |rate| match rate["included"].as_i64() {
        None => "none".to_owned(),
        Some(-1) => "unlimited".to_owned(),
        Some(_) => text::quantity(rate, "included", "unit"),
    }),
    Column::computed("FAIR USE", |rate| {
        if rate["fairUseQuantity"].is_null() { String::new() } else { text::quantity(rate, "fairUseQuantity", "unit") }
    }),
    Column::money("CHARGE", "chargeAmount", "currency"),
];

/// What a plan takes off for each kind of usage.
pub(crate) fn tariff(answer: &Value, style: Style) -> String {
    Page::new(style, &[&*text::field(answer, "offeringId"), &*text::field(answer, "name")], "")
        .section("Each period", &table(Page::inner(style), RATES, text::rows(&answer["rates"])))
        .finish()
}

/// Why an event was answered as it was.
pub(crate) fn explanation(answer: &Value, style: Style) -> String {
    let (usage, bucket) = (&answer["usage"], &answer["bucket"]);
    let tariff = format!(
        "{}: {}, charged {}",
        text::field(answer, "tariff.offeringId"),
        text::field(answer, "tariff.allowanceType"),
        text::money(&answer["tariff"], "chargeAmount", "currency")
    );
    let left = |field: &str| {
        if bucket["unlimited"] == true { "unlimited".to_owned() } else { text::quantity(bucket, field, "unit") }
    };
    let blocked_by = if answer["blockedBy"].is_null() {
        String::new()
    } else {
        let reasons = text::field(answer, "blockedBy.reasons");
        format!("{} at {} ({reasons})", text::field(answer, "blockedBy.actor"), words::second(answer, "blockedBy.at"))
    };
    let heading = [&*text::field(usage, "id"), &*text::field(usage, "eventType")];
    Page::new(style, &heading, &text::field(usage, "state"))
        .facts(&[
            ("why", text::field(answer, "summary")),
            ("line", text::field(usage, "subscriptionId")),
            ("tariff", tariff),
            ("bucket", text::field(bucket, "allowanceType")),
            ("period", text::field(bucket, "periodIndex")),
            ("left before", left("before")),
            ("taken", text::quantity(bucket, "taken", "unit")),
            ("left after", left("after")),
            ("rule", text::field(answer, "refusedBy.rule")),
            ("blocked by", blocked_by),
        ])
        .section("Granted in the period", &table(Page::inner(style), GRANTS, text::rows(&bucket["grants"])))
        .finish()
}

fn refused(usage: &Value) -> String {
    if usage["refusedQuantity"] == 0 { String::new() } else { text::quantity(usage, "refusedQuantity", "unit") }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_shows_the_bucket_and_who_blocked() {
        let view = json!({
            "summary": "130 mb of data: 100 served and 30 refused, data went from 100 to 0 mb.",
            "usage": {"id": "UE-000007", "subscriptionId": "SUB-0042", "eventType": "data", "state": "rated"},
            "tariff": {"offeringId": "PLAN_S", "allowanceType": "data", "chargeAmount": "0.00", "currency": "SGD"},
            "bucket": {"allowanceType": "data", "unit": "mb", "periodIndex": 2, "unlimited": false, "before": 100, "taken": 100,
                       "after": 0, "grants": [{"source": "renewal", "amount": 5120, "at": "2026-04-11T10:00:00Z"}]},
            "refusedBy": null, "blockedBy": null, "blocksTheLine": true,
        });
        assert_snapshot!(explanation(&view, Style::default()), @"
        UE-000007  data  rated
          why          130 mb of data: 100 served and 30 refused, data went from 100 to 0 mb.
          line         SUB-0042
          tariff       PLAN_S: data, charged 0.00 SGD
          bucket       data
          period       2
          left before  100 MB
          taken        100 MB
          left after   0 MB

        Granted in the period
          WHEN                  SOURCE   AMOUNT
          2026-04-11 10:00:00Z  renewal    5120
        ");
        let refused = json!({
            "summary": "1 mb of data: refused. The line is not active. It was blocked for requested, by cli-user.",
            "usage": {"id": "UE-000008", "subscriptionId": "SUB-0042", "eventType": "data", "state": "refused"},
            "tariff": {"offeringId": "PLAN_S", "allowanceType": "data", "chargeAmount": "0.00", "currency": "SGD"},
            "bucket": null, "refusedBy": {"rule": "usage.record.subscription_must_be_active", "message": ""},
            "blockedBy": {"state": "blocked", "reasons": ["requested"], "actor": "cli-user", "at": "2026-04-11T10:00:00Z"},
            "blocksTheLine": false,
        });
        assert_snapshot!(explanation(&refused, Style::default()), @"
        UE-000008  data  refused
          why         1 mb of data: refused. The line is not active. It was blocked for requested, by cli-user.
          line        SUB-0042
          tariff      PLAN_S: data, charged 0.00 SGD
          rule        usage.record.subscription_must_be_active
          blocked by  cli-user at 2026-04-11 10:00:00Z (requested)
        ");
    }

    #[test]
    fn a_tariff_says_what_is_included_of_each_kind() {
        let rate = |event: &str, roaming: bool, allowance: &str, unit: &str, included: Value| {
            json!({"eventType": event, "roaming": roaming, "allowanceType": allowance, "unit": unit, "included": included,
                   "fairUseQuantity": if event == "sms" { json!(500) } else { Value::Null },
                   "chargeAmount": "0.00", "currency": "SGD"})
        };
        let rates = [
            rate("data", false, "data", "mb", json!(30_720)),
            rate("data", true, "data_roaming", "mb", Value::Null),
            rate("sms", false, "sms", "count", json!(-1)),
        ];
        let view = json!({"offeringId": "PLAN_M", "name": "Standard", "rates": rates});
        let page = tariff(&view, Style::default());
        let squeezed: Vec<String> =
            page.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(squeezed.contains(&"data abroad data_roaming none - 0.00 SGD".to_owned()), "{page}");
        assert!(squeezed.iter().any(|line| line.starts_with("sms sms unlimited 500")), "{page}");
        assert!(page.starts_with("PLAN_M  Standard"), "{page}");
    }

    #[test]
    fn an_event_beyond_the_allowance_shows_what_was_given_and_refused() {
        let view = json!({
            "id": "UE-000007", "subscriptionId": "SUB-0042", "msisdn": "90000042", "source": "simulator",
            "externalId": "sim-7", "eventType": "data", "eventTime": "2026-04-11T10:00:00Z", "quantity": 2048, "unit": "mb",
            "roamingIndicator": false, "state": "rated", "allowanceType": "data", "ratedQuantity": 1000,
            "refusedQuantity": 1048, "remaining": 0, "reason": null,
        });
        assert_snapshot!(page(&view, Style::default()), @"
        UE-000007  data  rated
          line         SUB-0042
          number       90000042
          when         2026-04-11 10:00:00Z
          asked        2 GB
          given        1000 MB
          refused      1048 MB
          allowance    data
          left         0 MB
          roaming      no
          source       simulator
          external id  sim-7
        ");
        assert_snapshot!(history(&json!([view]), Style::default()), @"
        ID         WHEN                  TYPE  ASKED    GIVEN  ROAMING  STATE  REASON
        UE-000007  2026-04-11 10:00:00Z  data   2 GB  1000 MB  no       rated  -
        ");
    }
}
