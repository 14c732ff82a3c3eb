//! Lines: the list, one line with its balances, and what happened to it.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, generic, text};

const LIST: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("PLAN", "offeringId"),
    Column::field("STATE", "state"),
    Column::field("NUMBER", "msisdn"),
    Column::time("RENEWS", "nextRenewalAt"),
];

const BALANCES: &[Column] = &[
    Column::field("ALLOWANCE", "allowanceType"),
    Column::quantity("REMAINING", "remaining", "unit"),
    Column::quantity("TOTAL", "total", "unit"),
    Column::quantity("USED", "consumed", "unit"),
    Column::time("PERIOD ENDS", "periodEnd"),
];

const HISTORY: &[Column] = &[
    Column::time("WHEN", "eventTime"),
    Column::field("FROM", "fromState"),
    Column::field("TO", "toState"),
    Column::field("BLOCKED FOR", "blockReasons"),
    Column::field("BY", "changedBy"),
    Column::field("REASON", "reason"),
];

const TIMELINE: &[Column] = &[
    Column::time("WHEN", "at"),
    Column::field("WHAT", "kind"),
    Column::field("PERIOD", "periodIndex"),
    Column::field("SUMMARY", "summary"),
    Column::computed("WHY", |entry| {
        let why = [text::field(entry, "reason"), text::field(entry, "note")];
        why.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }),
    Column::field("BY", "by"),
];

/// Lines as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// One line.
pub(crate) fn page(line: &Value, style: Style) -> String {
    Page::new(style, &[&text::field(line, "id"), &text::field(line, "msisdn")], &text::field(line, "state"))
        .facts(&[
            ("blocked for", text::field(line, "blockReasons")),
            ("reason", text::field(line, "stateReason")),
            ("customer", text::field(line, "customerId")),
            ("plan", text::field(line, "offeringId")),
            ("price", text::money(line, "priceAmount", "priceCurrency")),
            ("to pay", reduced_price(line)),
            ("discount", discount(line)),
            ("to come", pending(line)),
            ("order", text::field(line, "commercialOrderId")),
            ("service", text::field(line, "cfsServiceId")),
            ("eSIM", text::field(line, "iccid")),
            ("activated", text::time(line, "activatedAt")),
            ("period", period(line)),
            ("renews", text::time(line, "nextRenewalAt")),
            ("terminated", text::time(line, "terminatedAt")),
        ])
        .section("Balances", &balances(&line["balances"], Page::inner(style)))
        .finish()
}

/// What is left of each allowance.
pub(crate) fn balances(answer: &Value, style: Style) -> String {
    table(style, BALANCES, text::rows(answer))
}

/// What happened to a line; falls back to whatever members the answer has.
pub(crate) fn history(answer: &Value, style: Style) -> String {
    let rows = text::rows(answer);
    if rows.iter().all(|row| row["toState"].is_string()) {
        table(style, HISTORY, rows)
    } else {
        generic::any(answer, style)
    }
}

/// What happened to a line, in order.
pub(crate) fn timeline(answer: &Value, style: Style) -> String {
    table(style, TIMELINE, text::rows(answer))
}

/// A move of a plan's lines to a new price.
pub(crate) fn migration(answer: &Value, style: Style) -> String {
    let told = text::rows(&answer["subscriptionIds"]).iter().map(text::scalar).collect::<Vec<_>>().join("\n");
    Page::new(style, &[&text::field(answer, "id"), &text::field(answer, "offeringId")], &text::field(answer, "state"))
        .facts(&[
            ("new price", text::money(answer, "newAmount", "newCurrency")),
            ("price row", text::field(answer, "newPriceId")),
            ("from", text::time(answer, "effectiveFrom")),
            ("notice", format!("{} days", text::field(answer, "noticeDays"))),
            ("asked for by", text::field(answer, "initiatedBy")),
            ("told now", text::field(answer, "count")),
            ("told in all", text::field(answer, "notified")),
            ("paying it", text::field(answer, "applied")),
            ("not told yet", text::field(answer, "left")),
        ])
        .section("Lines told now", &told)
        .finish()
}

/// What begins with a coming renewal.
fn pending(line: &Value) -> String {
    let price = text::money(line, "pendingPriceAmount", "pendingPriceCurrency");
    let from = text::time(line, "pendingEffectiveAt");
    match line["pendingChange"].as_str() {
        Some("plan_change") => format!("{} for {price}, from {from}", text::field(line, "pendingOfferingId")),
        Some(_) => format!("the price {price}, from {from}"),
        None => String::new(),
    }
}

fn period(line: &Value) -> String {
    match (text::time(line, "currentPeriodStart"), text::time(line, "currentPeriodEnd")) {
        (start, end) if start.is_empty() || end.is_empty() => String::new(),
        (start, end) => format!("{start} to {end}"),
    }
}

/// The amount of the next renewal where a discount makes it differ from the price.
fn reduced_price(line: &Value) -> String {
    if line["effectiveAmount"] == line["priceAmount"] {
        return String::new();
    }
    text::money(line, "effectiveAmount", "priceCurrency")
}

fn discount(line: &Value) -> String {
    let kind = text::field(line, "discountType");
    if kind.is_empty() {
        return kind;
    }
    let periods = match line["discountPeriodsRemaining"].as_i64() {
        Some(-1) | None => String::new(),
        Some(periods) => format!(", {periods} more periods"),
    };
    format!("{} {kind}{periods}", text::field(line, "discountValue"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn blocked() -> Value {
        json!({
            "id": "SUB-0042", "customerId": "CUST-0a1b2c3d4e5f", "offeringId": "PLAN_S", "commercialOrderId": "ORD-0042",
            "msisdn": "90000042", "iccid": "…0042", "cfsServiceId": "SVC-0041", "state": "blocked",
            "stateReason": "data allowance exhausted", "blockReasons": ["exhausted"], "activatedAt": "2026-04-11T09:00:02Z",
            "currentPeriodStart": "2026-04-11T09:00:02Z", "currentPeriodEnd": "2026-05-11T09:00:02Z",
            "nextRenewalAt": "2026-05-11T09:00:02Z", "terminatedAt": null, "priceAmount": "9.00", "priceCurrency": "SGD",
            "priceOfferingPriceId": "PRICE_PLAN_S", "effectiveAmount": "4.50", "discountType": "percent",
            "discountValue": "50", "discountPeriodsRemaining": 2,
            "balances": [
                {"allowanceType": "data", "total": 5120, "consumed": 5120, "remaining": 0, "unit": "mb",
                 "periodStart": "2026-04-11T09:00:02Z", "periodEnd": "2026-05-11T09:00:02Z"},
                {"allowanceType": "voice", "total": -1, "consumed": 12, "remaining": -1, "unit": "minutes",
                 "periodStart": "2026-04-11T09:00:02Z", "periodEnd": "2026-05-11T09:00:02Z"},
            ],
            "version": 7,
        })
    }

    #[test]
    fn a_blocked_line_says_why_and_what_is_left() {
        assert_snapshot!(page(&blocked(), Style::default()), @"
        SUB-0042  90000042  blocked
          blocked for  exhausted
          reason       data allowance exhausted
          customer     CUST-0a1b2c3d4e5f
          plan         PLAN_S
          price        9.00 SGD
          to pay       4.50 SGD
          discount     50 percent, 2 more periods
          order        ORD-0042
          service      SVC-0041
          eSIM         …0042
          activated    2026-04-11T09:00:02Z
          period       2026-04-11T09:00:02Z to 2026-05-11T09:00:02Z
          renews       2026-05-11T09:00:02Z

        Balances
          ALLOWANCE  REMAINING      TOTAL        USED  PERIOD ENDS
          data            0 MB       5 GB        5 GB  2026-05-11T09:00:02Z
          voice      unlimited  unlimited  12 minutes  2026-05-11T09:00:02Z
        ");
    }

    #[test]
    fn an_undiscounted_line_shows_its_price_only() {
        let mut line = blocked();
        for (name, value) in [("effectiveAmount", json!("9.00")), ("discountType", Value::Null)] {
            line[name] = value;
        }
        let text = page(&line, Style::default());
        assert!(!text.contains("to pay") && !text.contains("discount"), "{text}");
    }

    #[test]
    fn a_list_shows_number_and_renewal() {
        assert_snapshot!(list(&json!([blocked()]), Style::default()), @"
        ID        PLAN    STATE    NUMBER    RENEWS
        SUB-0042  PLAN_S  blocked  90000042  2026-05-11T09:00:02Z
        ");
    }

    #[test]
    fn what_is_booked_is_shown() {
        let mut line = blocked();
        for (name, value) in [
            ("pendingChange", json!("plan_change")),
            ("pendingOfferingId", json!("PLAN_L")),
            ("pendingPriceAmount", json!("45.00")),
            ("pendingPriceCurrency", json!("SGD")),
            ("pendingEffectiveAt", json!("2026-05-11T09:00:02Z")),
        ] {
            line[name] = value;
        }
        let text = page(&line, Style::default());
        assert!(text.contains("to come      PLAN_L for 45.00 SGD, from 2026-05-11T09:00:02Z"), "{text}");
        line["pendingChange"] = json!("price_migration");
        assert!(page(&line, Style::default()).contains("the price 45.00 SGD, from"));
    }

    #[test]
    fn a_timeline_says_what_why_and_who() {
        let answer = json!([
            {"at": "2026-05-11T09:00:02Z", "kind": "charge", "summary": "SGD 10.00 paid for period 2 on PLAN_S", "periodIndex": 2,
             "reason": null, "note": null, "by": "system:renewal_worker"},
            {"at": "2026-05-12T09:00:00Z", "kind": "block", "summary": "blocked; the reasons are now: fraud", "periodIndex": null,
             "reason": "block_for_fraud", "note": "SIM box", "by": "cli-user"},
        ]);
        assert_snapshot!(timeline(&answer, Style::default()), @"
        WHEN                  WHAT    PERIOD  SUMMARY                                WHY                       BY
        2026-05-11T09:00:02Z  charge  2       SGD 10.00 paid for period 2 on PLAN_S  -                         system:renewal_worker
        2026-05-12T09:00:00Z  block   -       blocked; the reasons are now: fraud    block_for_fraud: SIM box  cli-user
        ");
    }

    #[test]
    fn a_migration_says_how_far_it_is() {
        let answer = json!({
            "id": "MIG-0001", "offeringId": "PLAN_M", "newPriceId": "PRICE_PLAN_M_2027", "newAmount": "30.00",
            "newCurrency": "SGD", "effectiveFrom": "2027-01-01T00:00:00Z", "noticeDays": 30, "initiatedBy": "ops",
            "state": "open", "count": 2, "subscriptionIds": ["SUB-0001", "SUB-0002"], "notified": 2, "applied": 0, "left": 0,
        });
        assert_snapshot!(migration(&answer, Style::default()), @"
        MIG-0001  PLAN_M  open
          new price     30.00 SGD
          price row     PRICE_PLAN_M_2027
          from          2027-01-01T00:00:00Z
          notice        30 days
          asked for by  ops
          told now      2
          told in all   2
          paying it     0
          not told yet  0

        Lines told now
          SUB-0001
          SUB-0002
        ");
    }

    #[test]
    fn history_reads_in_order() {
        let answer = json!([
            {"fromState": "pending", "toState": "active", "blockReasons": [], "changedBy": "system:com", "reason": null,
             "eventTime": "2026-04-11T09:00:02Z"},
            {"fromState": "active", "toState": "blocked", "blockReasons": ["exhausted"], "changedBy": "system:usage",
             "reason": "data allowance exhausted", "eventTime": "2026-04-12T09:00:00Z"},
        ]);
        assert_snapshot!(history(&answer, Style::default()), @"
        WHEN                  FROM     TO       BLOCKED FOR  BY            REASON
        2026-04-11T09:00:02Z  pending  active   -            system:com    -
        2026-04-12T09:00:00Z  active   blocked  exhausted    system:usage  data allowance exhausted
        ");
    }
}
