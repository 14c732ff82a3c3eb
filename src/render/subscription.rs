//! Lines: the list, one line with its balances, and what happened to it.

mod activation;
mod card;
mod timeline;

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, generic, text, words};

pub(crate) use activation::{Activation, card as activation};
pub(crate) use card::{Aside, balance_card, card, page};
pub(crate) use timeline::timeline;

const LIST: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("PLAN", "offeringId"),
    Column::state("STATE", "state"),
    Column::field("NUMBER", "msisdn"),
    Column::minute("RENEWS", "nextRenewalAt"),
];

const HISTORY: &[Column] = &[
    Column::second("WHEN", "eventTime"),
    Column::field("FROM", "fromState"),
    Column::field("TO", "toState"),
    Column::field("BLOCKED FOR", "blockReasons"),
    Column::field("BY", "changedBy").gives_way(),
    Column::field("REASON", "reason"),
];

/// Lines as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
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

/// A move of a plan's lines to a new price.
pub(crate) fn migration(answer: &Value, style: Style) -> String {
    let told = text::rows(&answer["subscriptionIds"]).iter().map(text::scalar).collect::<Vec<_>>().join("\n");
    Page::new(style, &[&text::field(answer, "id"), &text::field(answer, "offeringId")], &text::field(answer, "state"))
        .facts(&[
            ("new price", text::money(answer, "newAmount", "newCurrency")),
            ("price row", text::field(answer, "newPriceId")),
            ("from", words::minute(answer, "effectiveFrom")),
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::card::tests::blocked;
    use super::*;

    #[test]
    fn a_list_shows_number_and_renewal() {
        assert_snapshot!(list(&json!([blocked()]), Style::default()), @"
        ID        PLAN    STATE      NUMBER    RENEWS
        SUB-0042  PLAN_S  ⚠ blocked  90000042  2026-05-11 09:00Z
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
          from          2027-01-01 00:00Z
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
        2026-04-11 09:00:02Z  pending  active   -            system:com    -
        2026-04-12 09:00:00Z  active   blocked  exhausted    system:usage  data allowance exhausted
        ");
    }
}
