//! What a customer paid: cards on file, attempts, what came of each, and what it adds up to.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::render::card::Card;
use crate::render::grid::{Column, Fit, Grid};
use crate::render::styled::{Look, Styled};
use crate::render::words::{dim, minute, plain};
use crate::render::{Style, text};

/// The history of one customer, or of what `about` names: `attempts` newest first, and `paymentMethods` where the view brings
/// them.
pub(crate) fn history(view: &Value, about: &str, style: Style) -> String {
    let attempts = text::rows(&view["attempts"]);
    let methods = text::rows(&view["paymentMethods"]);
    if attempts.is_empty() && methods.is_empty() {
        return String::new();
    }
    Card::new(style, &["Payments", about], "")
        .section("Cards", super::method_rows(methods))
        .section(&format!("Attempts ({})", attempts.len()), rows(attempts))
        .blank()
        .text(totals(attempts), 2)
        .finish()
}

fn rows(attempts: &[Value]) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("", Fit::Drop(1)),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep).right(),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Wrap(24)),
        Column::new("", Fit::Drop(2)),
    ]);
    for attempt in attempts {
        let refund = text::field(&attempt["refund"], "status");
        let refund = if refund.is_empty() { refund } else { format!("refund {refund}") };
        let detail = [plain(attempt, "purpose"), plain(attempt, "declineCode"), Styled::plain(refund)];
        grid.row(vec![
            dim(minute(attempt, "attemptedAt")).into(),
            plain(attempt, "id").into(),
            Styled::plain(text::money(attempt, "amount", "currency")).into(),
            Styled::state(&text::field(attempt, "status")).into(),
            Styled::joined(detail, " · ").into(),
            dim(text::field(attempt, "subjectId")).into(),
        ]);
    }
    grid
}

/// The sums of what is shown, by currency.
fn totals(attempts: &[Value]) -> Styled {
    let mut sums: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
    let amount =
        |view: &Value| view["amount"].as_str().and_then(|text| text.parse::<Decimal>().ok()).unwrap_or_default();
    for attempt in attempts.iter().filter(|attempt| attempt["status"] == "approved") {
        let (paid, refunded) = sums.entry(text::field(attempt, "currency")).or_default();
        *paid += amount(attempt);
        if attempt["refund"]["status"] == "refunded" {
            *refunded += amount(&attempt["refund"]);
        }
    }
    let one = |(currency, (paid, refunded)): (&String, &(Decimal, Decimal))| {
        let back = if refunded.is_zero() { String::new() } else { format!(", {refunded} {currency} given back") };
        Styled::of(Look::Strong, format!("{paid} {currency} paid")).and(Look::Plain, back)
    };
    Styled::joined(sums.iter().map(one), " · ")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

    #[test]
    fn a_history_adds_up_and_says_what_failed() {
        let attempt = |id: &str, amount: &str, status: &str, decline: Option<&str>, refund: Value| {
            json!({"id": id, "attemptedAt": "2026-04-11T09:00:00.5Z", "purpose": "activation", "subjectId": "ORD-0001",
                   "amount": amount, "currency": "SGD", "status": status, "declineCode": decline, "refund": refund})
        };
        let view = json!({
            "paymentMethods": [{"id": "PM-0007", "brand": "visa", "last4": "4242", "expMonth": 3, "expYear": 2030,
                                "isDefault": true, "status": "active"}],
            "attempts": [
                attempt("PAY-000003", "9.00", "approved", None, json!({"status": "refunded", "amount": "9.00"})),
                attempt("PAY-000002", "1125.00", "approved", None, Value::Null),
                attempt("PAY-000001", "9.00", "declined", Some("insufficient_funds"), Value::Null),
            ],
        });
        assert_snapshot!("history", at_each_width(|style| history(&view, "CUST-0a1b2c3d4e5f  王小明 👩‍🔬", style)));
        assert_eq!(history(&json!({"attempts": []}), "CUST-1", Style::default()), "");
    }
}
