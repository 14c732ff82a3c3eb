//! Deliveries of events to their consumers: what waits, what is parked.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, text};

const STATUS: &[Column] = &[
    Column::field("CONSUMER", "consumer"),
    Column::field("KIND", "kind"),
    Column::number("PENDING", "pending"),
    Column::number("PARKED", "parked"),
    Column::number("OLDEST (S)", "oldestPendingSeconds"),
];

const PARKED: &[Column] = &[
    Column::field("EVENT", "eventId"),
    Column::field("CONSUMER", "consumer"),
    Column::field("TYPE", "eventType"),
    Column::field("ABOUT", "aggregateId"),
    Column::number("ATTEMPTS", "attempts"),
    Column::second("FIRST FAILED", "firstFailedAt"),
    Column::field("LAST ERROR", "lastError"),
];

const ORPHANS: &[Column] =
    &[Column::field("ID", "id"), Column::field("WHAT", "detail"), Column::field("WHAT TO DO", "next")];

const DELIVERIES: &[Column] = &[
    Column::field("CONSUMER", "consumer"),
    Column::field("KIND", "kind"),
    Column::field("STATE", "state"),
    Column::number("ATTEMPTS", "attempts"),
    Column::second("NEXT", "nextAttemptAt"),
    Column::field("LAST ERROR", "lastError"),
];

const HISTORY: &[Column] = &[
    Column::second("WHEN", "at"),
    Column::field("CONSUMER", "consumer"),
    Column::field("WHAT", "what"),
    Column::field("BY", "actor"),
    Column::field("DETAIL", "detail"),
];

/// The deliveries of one event, those that wait for a person explained, and what happened to them.
pub(crate) fn entry(answer: &Value, style: Style) -> String {
    let inner = Page::inner(style);
    let deliveries = text::rows(&answer["deliveries"]);
    let first = deliveries.first().cloned().unwrap_or_default();
    let page = Page::new(style, &[&text::field(&first, "eventType"), &text::field(&first, "aggregateId")], "")
        .section("Deliveries", &table(inner, DELIVERIES, deliveries));
    let explained = deliveries.iter().filter(|delivery| delivery["explanation"].is_object());
    explained
        .fold(page, |page, delivery| {
            let explanation = &delivery["explanation"];
            let lines = ["what", "why", "next"].map(|name| format!("{name}: {}", text::field(explanation, name)));
            page.section(&format!("Parked for {}", text::field(delivery, "consumer")), &lines.join("\n"))
        })
        .section("History", &table(inner, HISTORY, text::rows(&answer["history"])))
        .finish()
}

/// What nobody works on.
pub(crate) fn orphans(answer: &Value, style: Style) -> String {
    table(style, ORPHANS, text::rows(answer))
}

/// Backlog per consumer.
pub(crate) fn status(answer: &Value, style: Style) -> String {
    table(style, STATUS, text::rows(answer))
}

/// What was given up and waits for a person.
pub(crate) fn parked(answer: &Value, style: Style) -> String {
    table(style, PARKED, text::rows(answer))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn backlog_and_parked_deliveries() {
        let backlog = json!({"consumers": [
            {"consumer": "com.charge_on_order", "kind": "effect", "pending": 12, "parked": 0, "oldestPendingSeconds": 1.5},
            {"consumer": "subscription.activate", "kind": "consumer", "pending": 0, "parked": 1, "oldestPendingSeconds": null},
        ]});
        assert_snapshot!(status(&backlog, Style::default()), @"
        CONSUMER               KIND      PENDING  PARKED  OLDEST (S)
        com.charge_on_order    effect         12       0         1.5
        subscription.activate  consumer        0       1           -
        ");
        let given_up = json!([{
            "eventId": "01960000-0000-7000-8000-000000000001", "consumer": "subscription.activate", "kind": "consumer",
            "eventType": "payment.approved", "aggregateId": "PAY-000042", "attempts": 6,
            "firstFailedAt": "2026-04-11T09:00:00.5Z", "lastError": "SUB-0042 not found", "recordedAt": "2026-04-11T09:00:00Z",
        }]);
        assert_snapshot!(parked(&given_up, Style::default()), @"
        EVENT                                 CONSUMER               TYPE              ABOUT       ATTEMPTS  FIRST FAILED          LAST ERROR
        01960000-0000-7000-8000-000000000001  subscription.activate  payment.approved  PAY-000042         6  2026-04-11 09:00:00Z  SUB-0042 not found
        ");
    }
}
