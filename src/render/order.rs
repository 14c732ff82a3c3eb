//! Orders: the list, and the page that follows one to its last task.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, provisioning, text};

const LIST: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("CUSTOMER", "customerId"),
    Column::computed("OFFERING", |order| text::field(&order["items"][0], "offeringId")),
    Column::field("STATE", "state"),
    Column::time("ORDERED", "orderDate"),
    Column::field("REASON", "stateReason"),
];

const ITEMS: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("ACTION", "action"),
    Column::field("OFFERING", "offeringId"),
    Column::money("PRICE", "priceAmount", "priceCurrency"),
    Column::field("STATE", "state"),
    Column::field("LINE", "targetSubscriptionId"),
    Column::field("PAYMENT", "paymentAttemptId"),
    Column::field("REFUND", "refundId"),
];

const WAITS_FOR: &[Column] = &[
    Column::field("WAITS FOR", "kind"),
    Column::field("ID", "id"),
    Column::field("STATE", "state"),
    Column::field("WHY", "why"),
];

const HISTORY: &[Column] = &[
    Column::time("WHEN", "eventTime"),
    Column::field("FROM", "fromState"),
    Column::field("TO", "toState"),
    Column::field("BY", "changedBy"),
    Column::field("REASON", "reason"),
];

/// What orders wait for, and what to do next; one alone or many.
pub(crate) fn triage(answer: &Value, style: Style) -> String {
    let one = std::slice::from_ref(answer);
    let orders = if answer["orderId"].is_string() { one } else { text::rows(answer) };
    let inner = Page::inner(style);
    let pages = orders.iter().map(|order| {
        Page::new(style, &[&text::field(order, "orderId")], &text::field(order, "state"))
            .facts(&[
                ("last step", text::field(order, "lastStep")),
                ("stuck since", text::time(order, "stuckFlaggedAt")),
                ("what to do", text::field(order, "next")),
            ])
            .section(
                "Waits for",
                &if text::rows(&order["waitsFor"]).is_empty() {
                    String::new()
                } else {
                    table(inner, WAITS_FOR, text::rows(&order["waitsFor"]))
                },
            )
            .finish()
    });
    pages.collect::<Vec<_>>().join("\n")
}

/// Orders as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// One order; its service orders with their tasks are shown when the view brings them.
pub(crate) fn page(order: &Value, style: Style) -> String {
    let inner = Page::inner(style);
    let page = Page::new(style, &[&text::field(order, "id")], &text::field(order, "state"))
        .facts(&[
            ("reason", text::field(order, "stateReason")),
            ("customer", text::field(order, "customerId")),
            ("ordered", text::time(order, "orderDate")),
            ("submitted", text::time(order, "submittedAt")),
            ("completed", text::time(order, "completedDate")),
            ("wished number", text::field(order, "msisdnPreference")),
            ("notes", text::field(order, "notes")),
        ])
        .section("Items", &table(inner, ITEMS, text::rows(&order["items"])));
    let service_orders = text::rows(&order["serviceOrders"]);
    service_orders
        .iter()
        .fold(page, |page, service_order| {
            page.section(&service_order_heading(service_order), &provisioning::tasks(&service_order["tasks"], inner))
        })
        .section("History", &history(&order["history"], inner))
        .finish()
}

/// What happened to a thing with states, oldest first.
pub(crate) fn history(answer: &Value, style: Style) -> String {
    table(style, HISTORY, text::rows(answer))
}

fn service_order_heading(service_order: &Value) -> String {
    let mut heading = format!("Service order {}", text::field(service_order, "id"));
    for part in ["kind", "state", "stateReason"].map(|name| text::field(service_order, name)) {
        if !part.is_empty() {
            heading.extend([", ", &part]);
        }
    }
    heading
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn order() -> Value {
        json!({
            "id": "ORD-0042", "customerId": "CUST-0a1b2c3d4e5f", "state": "in_progress", "stateReason": null,
            "orderDate": "2026-04-11T09:00:00Z", "submittedAt": "2026-04-11T09:00:00Z", "completedDate": null,
            "msisdnPreference": null, "notes": null,
            "items": [{
                "id": "OI-0042", "action": "add", "offeringId": "PLAN_S", "state": "in_progress",
                "targetSubscriptionId": null, "paymentAttemptId": "PAY-000042", "refundId": null, "priceAmount": "9.00",
                "priceCurrency": "SGD", "priceOfferingPriceId": "PRICE_PLAN_S",
            }],
            "history": [
                {"fromState": null, "toState": "acknowledged", "changedBy": "cli-user", "reason": null,
                 "eventTime": "2026-04-11T09:00:00Z"},
                {"fromState": "acknowledged", "toState": "in_progress", "changedBy": "cli-user", "reason": "submitted",
                 "eventTime": "2026-04-11T09:00:00.25Z"},
            ],
            "version": 2,
        })
    }

    #[test]
    fn a_list_shows_plan_and_state() {
        assert_snapshot!(list(&json!([order()]), Style::default()), @"
        ID        CUSTOMER           OFFERING  STATE        ORDERED               REASON
        ORD-0042  CUST-0a1b2c3d4e5f  PLAN_S    in_progress  2026-04-11T09:00:00Z  -
        ");
    }

    #[test]
    fn triage_says_what_to_do() {
        let view = json!([{
            "orderId": "ORD-0042", "state": "in_progress", "lastStep": "order submitted",
            "stuckFlaggedAt": "2026-04-11T09:15:00Z", "next": "bss prov retry PTK-0002",
            "waitsFor": [{"kind": "network_task", "id": "PTK-0002", "state": "failed", "why": "HLR_PROVISION: no answer",
                          "next": "bss prov retry PTK-0002"}],
        }]);
        assert_eq!(triage(&view, Style::default()), triage(&view[0], Style::default()));
        assert_snapshot!(triage(&view, Style::default()), @"
        ORD-0042  in_progress
          last step    order submitted
          stuck since  2026-04-11T09:15:00Z
          what to do   bss prov retry PTK-0002

        Waits for
          WAITS FOR     ID        STATE   WHY
          network_task  PTK-0002  failed  HLR_PROVISION: no answer
        ");
    }

    #[test]
    fn a_page_follows_the_order_to_its_tasks() {
        let mut view = order();
        view["serviceOrders"] = json!([{
            "id": "SO-0042", "kind": "activation", "state": "in_progress",
            "tasks": [
                {"id": "PTK-0001", "taskType": "HLR_PROVISION", "state": "completed", "attempts": 2, "maxAttempts": 3,
                 "serviceId": "SVC-0002", "lastError": null, "completedAt": "2026-04-11T09:00:02Z"},
                {"id": "PTK-0002", "taskType": "OCS_BALANCE_INIT", "state": "stuck", "attempts": 1, "maxAttempts": 3,
                 "serviceId": "SVC-0002", "lastError": "the network did not answer", "completedAt": null},
            ],
        }]);
        assert_snapshot!(page(&view, Style::default()), @"
        ORD-0042  in_progress
          customer   CUST-0a1b2c3d4e5f
          ordered    2026-04-11T09:00:00Z
          submitted  2026-04-11T09:00:00Z

        Items
          ID       ACTION  OFFERING     PRICE  STATE        LINE  PAYMENT     REFUND
          OI-0042  add     PLAN_S    9.00 SGD  in_progress  -     PAY-000042  -

        Service order SO-0042, activation, in_progress
          ID        TASK              STATE      ATTEMPTS  SERVICE   COMPLETED             LAST ERROR
          PTK-0001  HLR_PROVISION     completed  2 of 3    SVC-0002  2026-04-11T09:00:02Z  -
          PTK-0002  OCS_BALANCE_INIT  stuck      1 of 3    SVC-0002  -                     the network did not answer

        History
          WHEN                  FROM          TO            BY        REASON
          2026-04-11T09:00:00Z  -             acknowledged  cli-user  -
          2026-04-11T09:00:00Z  acknowledged  in_progress   cli-user  submitted
        ");
    }
}
