//! Cards on file and payment attempts.

mod history;

use serde_json::Value;

use super::card::Card;
use super::grid::{self, Fit, Grid};
use super::styled::Styled;
use super::table::{Column, table};
use super::words::{dim, minute, plain};
use super::{Style, text};

pub(crate) use history::history;

const METHODS: &[Column] = &[
    Column::field("ID", "id"),
    Column::computed("CARD", card),
    Column::computed("EXPIRES", expiry),
    Column::field("DEFAULT", "isDefault"),
    Column::state("STATUS", "status"),
];

const ATTEMPTS: &[Column] = &[
    Column::field("ID", "id"),
    Column::minute("WHEN", "attemptedAt"),
    Column::field("PURPOSE", "purpose"),
    Column::field("SUBJECT", "subjectId"),
    Column::money("AMOUNT", "amount", "currency"),
    Column::state("STATUS", "status"),
    Column::field("DECLINED", "declineCode"),
    Column::field("REFUND", "refund.status"),
];

/// Cards as a table.
pub(crate) fn methods(answer: &Value, style: Style) -> String {
    table(style, METHODS, text::rows(answer))
}

/// One card.
pub(crate) fn method(method: &Value, style: Style) -> String {
    Card::new(style, &[&text::field(method, "id"), &card(method)], &text::field(method, "status"))
        .facts(vec![
            ("Customer", plain(method, "customerId")),
            ("Expires", Styled::plain(expiry(method))),
            ("Default", plain(method, "isDefault")),
        ])
        .finish()
}

/// Cards as rows of another card.
pub(super) fn method_rows(methods: &[Value]) -> Grid {
    let mut rows = Grid::new(&[
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Drop(1)),
    ]);
    for method in methods {
        let default = if method["isDefault"] == true { "default" } else { "" };
        rows.row(vec![
            plain(method, "id").into(),
            Styled::state(&text::field(method, "status")).into(),
            Styled::plain(card(method)).into(),
            Styled::plain(expiry(method)).into(),
            dim(default).into(),
        ]);
    }
    rows
}

/// What a cutover would invalidate.
pub(crate) fn candidates(preview: &Value, style: Style) -> String {
    cards("Would invalidate", preview, "candidateCount", "candidateIds", style)
}

/// What a cutover invalidated.
pub(crate) fn invalidated(view: &Value, style: Style) -> String {
    cards("Invalidated", view, "invalidatedCount", "invalidatedIds", style)
}

fn cards(done: &str, view: &Value, count: &str, ids: &str, style: Style) -> String {
    let count = view[count].as_u64().unwrap_or_default();
    let ids: Vec<String> = text::rows(&view[ids]).iter().map(text::scalar).collect();
    let mut lines = vec![format!("{} {count} {}", style.strong(done), if count == 1 { "card" } else { "cards" })];
    if !ids.is_empty() {
        let columns = style.width.map_or(80, usize::from).saturating_sub(2);
        lines.extend(text::wrapped(&ids.join(" "), columns).iter().map(|line| format!("  {line}")));
    }
    lines.join("\n") + "\n"
}

/// Attempts as a table.
pub(crate) fn attempts(answer: &Value, style: Style) -> String {
    table(style, ATTEMPTS, text::rows(answer))
}

/// One attempt: what was asked of the gateway, and what it said.
pub(crate) fn attempt(attempt: &Value, style: Style) -> String {
    let refund = &attempt["refund"];
    let declined = ["declineCode", "declineReason"].map(|name| plain(attempt, name));
    Card::new(
        style,
        &[&text::field(attempt, "id"), &text::money(attempt, "amount", "currency")],
        &text::field(attempt, "status"),
    )
    .facts(vec![
        ("Declined", Styled::joined(declined, " · ")),
        ("Customer", plain(attempt, "customerId")),
        ("Card", plain(attempt, "paymentMethodId")),
        ("Purpose", plain(attempt, "purpose")),
        ("Subject", plain(attempt, "subjectId")),
        ("Business key", plain(attempt, "businessKey")),
        ("Attempt", plain(attempt, "attemptNumber")),
        ("Gateway", plain(attempt, "gatewayRef")),
        ("Attempted", Styled::plain(minute(attempt, "attemptedAt"))),
        ("Finished", Styled::plain(minute(attempt, "finishedAt"))),
        ("Refund", Styled::joined([plain(refund, "id"), Styled::state(&text::field(refund, "status"))], "  ")),
        ("Refunded for", plain(refund, "reason")),
    ])
    .finish()
}

fn card(method: &Value) -> String {
    let last4 = text::field(method, "last4");
    if last4.is_empty() {
        last4
    } else {
        format!("{} •••{last4}", text::field(method, "brand")).trim_start().to_owned()
    }
}

fn expiry(method: &Value) -> String {
    match (method["expMonth"].as_i64(), method["expYear"].as_i64()) {
        (Some(month), Some(year)) => format!("{month:02}/{year}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_card_shows_its_last_four_digits_only() {
        let view = json!({
            "id": "PM-0007", "customerId": "CUST-0a1b2c3d4e5f", "type": "card", "tokenProvider": "mock", "brand": "visa",
            "last4": "4242", "expMonth": 3, "expYear": 2030, "isDefault": true, "status": "active",
        });
        assert_snapshot!(methods(&json!([view]), Style::default()), @"
        ID       CARD          EXPIRES  DEFAULT  STATUS
        PM-0007  visa •••4242  03/2030  yes      active
        ");
        assert_snapshot!(method(&view, Style::default()), @"
        PM-0007  visa •••4242  ● active
          Customer  CUST-0a1b2c3d4e5f
          Expires   03/2030
          Default   yes
        ");
    }

    #[test]
    fn a_declined_and_a_refunded_attempt_say_why() {
        let declined = json!({
            "id": "PAY-000001", "customerId": "CUST-0a1b2c3d4e5f", "paymentMethodId": "PM-0007", "amount": "9.00",
            "currency": "SGD", "purpose": "activation", "subjectId": "ORD-0001", "businessKey": "activation:ORD-0001",
            "attemptNumber": 1, "gatewayKey": "activation:ORD-0001#1", "status": "declined", "gatewayRef": "ch_1",
            "declineCode": "insufficient_funds", "declineReason": "The card has insufficient funds.",
            "attemptedAt": "2026-04-11T09:00:00.5Z", "finishedAt": "2026-04-11T09:00:01Z", "refund": null,
        });
        let mut refunded = declined.clone();
        refunded["id"] = json!("PAY-000002");
        refunded["status"] = json!("approved");
        refunded["declineCode"] = Value::Null;
        refunded["declineReason"] = Value::Null;
        refunded["refund"] =
            json!({"id": "REF-000001", "status": "refunded", "amount": "9.00", "reason": "no service"});
        assert_snapshot!(attempts(&json!([declined, refunded]), Style::default()), @"
        ID          WHEN               PURPOSE     SUBJECT     AMOUNT  STATUS    DECLINED            REFUND
        PAY-000001  2026-04-11 09:00Z  activation  ORD-0001  9.00 SGD  declined  insufficient_funds  -
        PAY-000002  2026-04-11 09:00Z  activation  ORD-0001  9.00 SGD  approved  -                   refunded
        ");
        assert_snapshot!(attempt(&declined, Style::default()), @"
        PAY-000001  9.00 SGD  ● declined
          Declined      insufficient_funds · The card has insufficient funds.
          Customer      CUST-0a1b2c3d4e5f
          Card          PM-0007
          Purpose       activation
          Subject       ORD-0001
          Business key  activation:ORD-0001
          Attempt       1
          Gateway       ch_1
          Attempted     2026-04-11 09:00Z
          Finished      2026-04-11 09:00Z
        ");
    }
}
