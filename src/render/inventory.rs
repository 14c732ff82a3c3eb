//! Numbers and eSIM profiles.

use serde_json::Value;

use super::card::Card;
use super::grid::{self, Bar, Cell, Fit, Grid};
use super::styled::{Look, Styled};
use super::table::{Column, table};
use super::words::{self, minute, plain};
use super::{Style, text};

/// Below this share of free numbers the pool warns.
const LOW_PERCENT: i64 = 10;

const MSISDNS: &[Column] = &[
    Column::field("NUMBER", "msisdn"),
    Column::field("STATUS", "status"),
    Column::field("LINE", "assignedToSubscriptionId"),
    Column::field("RESERVED FOR", "reservedFor"),
    Column::minute("UNTIL", "reservedUntil"),
    Column::minute("QUARANTINE UNTIL", "quarantineUntil"),
];

const ESIMS: &[Column] = &[
    Column::field("ICCID", "iccid"),
    Column::field("STATE", "profileState"),
    Column::field("SM-DP+", "smdpServer"),
    Column::field("NUMBER", "assignedMsisdn"),
    Column::field("LINE", "assignedToSubscriptionId"),
];

/// Numbers as a table.
pub(crate) fn msisdns(answer: &Value, style: Style) -> String {
    table(style, MSISDNS, text::rows(answer))
}

/// One number.
pub(crate) fn msisdn(number: &Value, style: Style) -> String {
    Card::new(style, &[&words::number(&text::field(number, "msisdn"))], &text::field(number, "status"))
        .facts(vec![
            ("Line", plain(number, "assignedToSubscriptionId")),
            ("Reserved for", plain(number, "reservedFor")),
            ("Reserved until", Styled::plain(minute(number, "reservedUntil"))),
            ("Quarantine until", Styled::plain(minute(number, "quarantineUntil"))),
        ])
        .finish()
}

/// The pool of numbers: how many there are in each status, a bar for each.
pub(crate) fn pool(counts: &Value, style: Style) -> String {
    let count = |status: &str| counts[status].as_i64().unwrap_or_default();
    let (total, available) = (count("total"), count("available"));
    let mut rows = Grid::new(&[
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep).right(),
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep).right(),
    ]);
    let is_low = available.saturating_mul(100) < total.saturating_mul(LOW_PERCENT);
    for (status, name) in [
        ("available", "available"),
        ("reserved", "reserved"),
        ("assigned", "assigned"),
        ("quarantine", "quarantine"),
        ("portedOut", "ported out"),
    ] {
        let part = count(status);
        let look = match status {
            "available" if is_low => Look::Bad,
            "available" => Look::Good,
            "assigned" => Look::Plain,
            _ => Look::Waits,
        };
        rows.row(vec![
            Styled::plain(name).into(),
            part.to_string().into(),
            Cell::Bar(Bar::Share { part, whole: total, look }),
            format!("{}%", part.saturating_mul(100) / total.max(1)).into(),
        ]);
    }
    let prefix = text::field(counts, "prefix");
    let name = if prefix.is_empty() { prefix } else { format!("prefix {prefix}") };
    let sum = if is_low {
        Styled::of(Look::Bad, format!("⚠ {total} numbers, {available} of them free"))
    } else {
        Styled::of(Look::Strong, format!("{total} numbers"))
    };
    Card::new(style, &["Numbers", &name], "").rows(rows).blank().text(sum, 2).finish()
}

/// eSIM profiles as a table.
pub(crate) fn esims(answer: &Value, style: Style) -> String {
    table(style, ESIMS, text::rows(answer))
}

/// One eSIM profile.
pub(crate) fn esim(profile: &Value, style: Style) -> String {
    let number = words::number(&text::field(profile, "assignedMsisdn"));
    Card::new(style, &["eSIM", &text::field(profile, "iccid")], &text::field(profile, "profileState"))
        .facts(vec![
            ("SM-DP+", plain(profile, "smdpServer")),
            ("Number", Styled::plain(number)),
            ("Line", plain(profile, "assignedToSubscriptionId")),
            ("Reserved for", plain(profile, "reservedFor")),
            ("Reserved until", Styled::plain(minute(profile, "reservedUntil"))),
            ("Downloaded", Styled::plain(minute(profile, "downloadedAt"))),
            ("Activated", Styled::plain(minute(profile, "activatedAt"))),
        ])
        .finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

    #[test]
    fn numbers_show_who_has_them() {
        let answer = json!([
            {"msisdn": "90000000", "status": "assigned", "assignedToSubscriptionId": "SUB-0001"},
            {"msisdn": "90000001", "status": "reserved", "reservedFor": "ORD-0002", "reservedUntil": "2026-04-11T09:15:00Z"},
            {"msisdn": "90000002", "status": "quarantine", "quarantineUntil": "2026-07-10T09:00:00Z"},
        ]);
        assert_snapshot!(msisdns(&answer, Style::default()), @"
        NUMBER    STATUS      LINE      RESERVED FOR  UNTIL              QUARANTINE UNTIL
        90000000  assigned    SUB-0001  -             -                  -
        90000001  reserved    -         ORD-0002      2026-04-11 09:15Z  -
        90000002  quarantine  -         -             -                  2026-07-10 09:00Z
        ");
        assert_snapshot!(msisdn(&answer[1], Style::default()), @"
        9000 0001  ● reserved
          Reserved for    ORD-0002
          Reserved until  2026-04-11 09:15Z
        ");
    }

    #[test]
    fn profiles_show_the_masked_iccid() {
        let view = json!({
            "iccidLast4": "0042", "iccid": "…0042", "profileState": "activated", "smdpServer": "smdp.example.test",
            "assignedMsisdn": "90000042", "assignedToSubscriptionId": "SUB-0042",
        });
        assert_snapshot!(esims(&json!([view]), Style::default()), @"
        ICCID  STATE      SM-DP+             NUMBER    LINE
        …0042  activated  smdp.example.test  90000042  SUB-0042
        ");
        assert_snapshot!(esim(&view, Style::default()), @"
        eSIM  …0042  ● activated
          SM-DP+  smdp.example.test
          Number  9000 0042
          Line    SUB-0042
        ");
    }

    #[test]
    fn the_pool_shows_shares_and_warns_when_it_runs_low() {
        let counts = json!({"available": 961, "reserved": 4, "assigned": 33, "quarantine": 0, "portedOut": 2, "total": 1000,
                            "prefix": "9123"});
        assert_snapshot!("pool", at_each_width(|style| pool(&counts, style)));
        let low = pool(&json!({"available": 3, "assigned": 997, "total": 1000, "prefix": null}), Style::default());
        assert!(low.contains("⚠ 1000 numbers, 3 of them free"), "{low}");
        assert!(pool(&json!({"total": 0}), Style::default()).contains("0 numbers"), "an empty pool has no shares");
    }
}
