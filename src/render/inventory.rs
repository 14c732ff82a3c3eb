//! Numbers and eSIM profiles.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, text};

const MSISDNS: &[Column] = &[
    Column::field("NUMBER", "msisdn"),
    Column::field("STATUS", "status"),
    Column::field("LINE", "assignedToSubscriptionId"),
    Column::field("RESERVED FOR", "reservedFor"),
    Column::time("UNTIL", "reservedUntil"),
    Column::time("QUARANTINE UNTIL", "quarantineUntil"),
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
    Page::new(style, &[&text::field(number, "msisdn")], &text::field(number, "status"))
        .facts(&[
            ("line", text::field(number, "assignedToSubscriptionId")),
            ("reserved for", text::field(number, "reservedFor")),
            ("reserved until", text::time(number, "reservedUntil")),
            ("quarantine until", text::time(number, "quarantineUntil")),
        ])
        .finish()
}

/// eSIM profiles as a table.
pub(crate) fn esims(answer: &Value, style: Style) -> String {
    table(style, ESIMS, text::rows(answer))
}

/// One eSIM profile.
pub(crate) fn esim(profile: &Value, style: Style) -> String {
    Page::new(style, &[&text::field(profile, "iccid")], &text::field(profile, "profileState"))
        .facts(&[
            ("SM-DP+", text::field(profile, "smdpServer")),
            ("number", text::field(profile, "assignedMsisdn")),
            ("line", text::field(profile, "assignedToSubscriptionId")),
            ("reserved for", text::field(profile, "reservedFor")),
            ("reserved until", text::time(profile, "reservedUntil")),
            ("downloaded", text::time(profile, "downloadedAt")),
            ("activated", text::time(profile, "activatedAt")),
        ])
        .finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_show_who_has_them() {
        let answer = json!([
            {"msisdn": "90000000", "status": "assigned", "assignedToSubscriptionId": "SUB-0001"},
            {"msisdn": "90000001", "status": "reserved", "reservedFor": "ORD-0002", "reservedUntil": "2026-04-11T09:15:00Z"},
            {"msisdn": "90000002", "status": "quarantine", "quarantineUntil": "2026-07-10T09:00:00Z"},
        ]);
        assert_snapshot!(msisdns(&answer, Style::default()), @"
        NUMBER    STATUS      LINE      RESERVED FOR  UNTIL                 QUARANTINE UNTIL
        90000000  assigned    SUB-0001  -             -                     -
        90000001  reserved    -         ORD-0002      2026-04-11T09:15:00Z  -
        90000002  quarantine  -         -             -                     2026-07-10T09:00:00Z
        ");
        assert_snapshot!(msisdn(&answer[1], Style::default()), @"
        90000001  reserved
          reserved for    ORD-0002
          reserved until  2026-04-11T09:15:00Z
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
        …0042  activated
          SM-DP+  smdp.example.test
          number  90000042
          line    SUB-0042
        ");
    }
}
