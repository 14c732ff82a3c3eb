//! Orders: the list, and the page that follows one to its last task.

mod tree;

use serde_json::Value;

use super::card::Card;
use super::grid::{self, Fit, Grid};
use super::page::Page;
use super::styled::{Look, Styled};
use super::table::{Column, table};
use super::words::{self, dim, minute, plain};
use super::{Style, text};

const LIST: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("CUSTOMER", "customerId"),
    Column::computed("OFFERING", |order| text::field(&order["items"][0], "offeringId")),
    Column::state("STATE", "state"),
    Column::minute("ORDERED", "orderDate"),
    Column::field("REASON", "stateReason").gives_way(),
];

const WAITS_FOR: &[Column] = &[
    Column::field("WAITS FOR", "kind"),
    Column::field("ID", "id"),
    Column::state("STATE", "state"),
    Column::field("WHY", "why"),
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
                ("stuck since", words::minute(order, "stuckFlaggedAt")),
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

/// One order; its service orders, with services and tasks below them, are shown when the view brings them.
pub(crate) fn page(order: &Value, style: Style) -> String {
    Card::new(style, &[&text::field(order, "id")], &text::field(order, "state"))
        .facts(vec![
            ("Reason", plain(order, "stateReason")),
            ("Customer", plain(order, "customerId")),
            ("Ordered", Styled::plain(minute(order, "orderDate"))),
            ("Submitted", Styled::plain(minute(order, "submittedAt"))),
            ("Ended", Styled::plain(minute(order, "completedDate"))),
            ("Stuck since", Styled::plain(minute(order, "stuckFlaggedAt"))),
            ("Wished number", Styled::plain(words::number(&text::field(order, "msisdnPreference")))),
            ("Notes", plain(order, "notes")),
        ])
        .section("Items", items(text::rows(&order["items"])))
        .text(discount(&order["items"][0]), 2)
        .section("Fulfilment", tree::rows(text::rows(&order["serviceOrders"])))
        .text(outcome(order), 2)
        .text(tree::summary(order), 2)
        .section("History", history(text::rows(&order["history"])))
        .finish()
}

/// `→ Subscription SUB-0042 activated`, once the order has come to its line.
fn outcome(order: &Value) -> Styled {
    let made = text::rows(&order["items"]).iter().find(|item| item["action"] == "add");
    let line = made.map(|item| text::field(item, "targetSubscriptionId")).unwrap_or_default();
    if order["state"] != "completed" || line.is_empty() {
        return Styled::default();
    }
    Styled::of(Look::Good, "→ ").and(Look::Plain, format!("Subscription {line} activated"))
}

fn items(rows: &[Value]) -> Grid {
    let mut grid = Grid::new(&[
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep).right(),
        grid::Column::new("", Fit::Wrap(10)),
    ]);
    for item in rows {
        let ids = ["targetSubscriptionId", "paymentAttemptId", "refundId"].map(|name| plain(item, name));
        grid.row(vec![
            dim(text::field(item, "action")).into(),
            plain(item, "offeringId").into(),
            Styled::state_in_row(&text::field(item, "state")).into(),
            text::money(item, "priceAmount", "priceCurrency").into(),
            Styled::joined(ids, " · ").into(),
        ]);
    }
    grid
}

/// `20% off by SUMMER25, for 3 periods: 20.00 SGD`, where a promotion takes something off.
fn discount(item: &Value) -> Styled {
    let kind = text::field(item, "discountType");
    if kind.is_empty() {
        return Styled::default();
    }
    let value = text::field(item, "discountValue");
    let off = if kind == "percent" { format!("{value}%") } else { text::money(item, "discountValue", "priceCurrency") };
    let periods = match item["discountPeriodsTotal"].as_i64() {
        Some(-1) => "for every period".to_owned(),
        Some(periods) if periods > 1 => format!("for {periods} periods"),
        _ => "for the first period".to_owned(),
    };
    let reduced = text::money(item, "effectiveAmount", "priceCurrency");
    Styled::plain(format!("{off} off by {}, {periods}: {reduced}", text::field(item, "discountCode")))
}

/// What happened to a thing with states, oldest first.
fn history(rows: &[Value]) -> Grid {
    let mut grid = Grid::new(&[
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Wrap(20)),
        grid::Column::new("", Fit::Drop(1)),
    ]);
    for step in rows {
        grid.row(vec![
            dim(minute(step, "eventTime")).into(),
            Styled::state(&text::field(step, "toState")).into(),
            plain(step, "reason").into(),
            dim(text::field(step, "changedBy")).into(),
        ]);
    }
    grid
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

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
        ID        CUSTOMER           OFFERING  STATE        ORDERED            REASON
        ORD-0042  CUST-0a1b2c3d4e5f  PLAN_S    in_progress  2026-04-11 09:00Z  -
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
          stuck since  2026-04-11 09:15Z
          what to do   bss prov retry PTK-0002

        Waits for
          WAITS FOR     ID        STATE     WHY
          network_task  PTK-0002  ⚠ failed  HLR_PROVISION: no answer
        ");
    }

    #[test]
    fn a_completed_order_says_what_it_came_to_and_how_long_it_took() {
        let mut view = order();
        view["state"] = json!("completed");
        view["submittedAt"] = json!("2026-04-11T09:00:00Z");
        view["completedDate"] = json!("2026-04-11T09:00:01.6Z");
        view["items"] = json!([{"action": "add", "offeringId": "PLAN_S", "targetSubscriptionId": "SUB-0042"}]);
        view["serviceOrders"] =
            json!([{"id": "SO-0042", "state": "completed", "tasks": [{"id": "PTK-0001", "state": "completed"}]}]);
        let text = page(&view, Style::default());
        assert!(text.contains("  → Subscription SUB-0042 activated\n"), "{text}");
        assert!(text.contains("  1 service order · 1 of 1 network tasks done · 1.6 s\n"), "{text}");
        view["items"][0]["action"] = json!("modify");
        assert!(!page(&view, Style::default()).contains('→'), "no line was made");
    }

    #[test]
    fn a_promised_discount_is_said_below_the_item() {
        let mut view = order();
        assert!(!page(&view, Style::default()).contains("off by"));
        for (name, value) in [
            ("discountCode", json!("SUMMER25")),
            ("discountType", json!("percent")),
            ("discountValue", json!("20")),
            ("discountPeriodsTotal", json!(3)),
            ("effectiveAmount", json!("7.20")),
        ] {
            view["items"][0][name] = value;
        }
        let text = page(&view, Style::default());
        assert!(text.contains("  20% off by SUMMER25, for 3 periods: 7.20 SGD\n"), "{text}");
    }

    #[test]
    fn a_page_follows_the_order_to_its_tasks() {
        let mut view = order();
        view["notes"] = json!("王小明 🎂 would like it before her birthday, and asks for a call when it is done");
        view["serviceOrders"] = json!([{
            "id": "SO-0042", "kind": "activation", "state": "in_progress", "createdAt": "2026-04-11T09:00:00Z",
            "services": [{
                "id": "SVC-0001", "type": "CFS", "name": "Mobile line", "state": "reserved",
                "children": [
                    {"id": "SVC-0002", "type": "RFS", "name": "Data", "state": "reserved", "children": []},
                    {"id": "SVC-0003", "type": "RFS", "name": "Voice", "state": "activated", "children": []},
                ],
            }],
            "tasks": [
                {"id": "PTK-0001", "taskType": "HLR_PROVISION", "state": "completed", "attempts": 2, "maxAttempts": 3,
                 "serviceId": "SVC-0002", "lastError": null, "startedAt": "2026-04-11T09:00:01Z",
                 "completedAt": "2026-04-11T09:00:02.2Z"},
                {"id": "PTK-0002", "taskType": "OCS_BALANCE_INIT", "state": "stuck", "attempts": 1, "maxAttempts": 3,
                 "serviceId": "SVC-0003", "lastError": "the network did not answer", "completedAt": null},
                {"id": "PTK-0003", "taskType": "ESIM_PROFILE_PREPARE", "state": "pending", "attempts": 0, "maxAttempts": 3,
                 "serviceId": "SVC-0009", "lastError": null, "completedAt": null},
            ],
        }]);
        assert_snapshot!("order", at_each_width(|style| page(&view, style)));
    }
}
