//! Messages to customers: what was sent, and what it said.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, text, words};

const LIST: &[Column] = &[
    Column::field("ID", "id"),
    Column::minute("REQUESTED", "requestedAt"),
    Column::field("KIND", "template"),
    Column::field("CUSTOMER", "customerId").gives_way(),
    Column::field("STATE", "state"),
    Column::field("SUBJECT", "subject"),
];

const PREFERENCES: &[Column] =
    &[Column::field("KIND", "template"), Column::field("SENT", "wanted"), Column::field("OPTIONAL", "optional")];

/// Messages as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// Which kinds are sent.
pub(crate) fn preferences(answer: &Value, style: Style) -> String {
    table(style, PREFERENCES, text::rows(answer))
}

/// One message, with its text when the view brings it.
pub(crate) fn page(message: &Value, style: Style) -> String {
    Page::new(style, &[&text::field(message, "id"), &text::field(message, "template")], &text::field(message, "state"))
        .facts(&[
            ("reason", text::field(message, "stateReason")),
            ("customer", text::field(message, "customerId")),
            ("line", text::field(message, "subscriptionId")),
            ("requested", words::second(message, "requestedAt")),
            ("ended", words::second(message, "completedAt")),
            ("sent to", text::field(message, "recipientDomain")),
            ("sending", text::field(message, "sendNumber")),
            ("attempts", text::field(message, "attempts")),
            ("subject", text::field(message, "subject")),
        ])
        .section("Text", &text::clean(message["text"].as_str().unwrap_or_default()))
        .finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_shows_its_text_and_only_the_domain_of_its_address() {
        let view = json!({
            "id": "MSG-1", "customerId": "CUST-1", "subscriptionId": "SUB-0001", "template": "termination", "state": "sent",
            "stateReason": null, "subject": "Your line 90000042 has ended", "text": "Hello Ada,\n\nyour line has ended.\n",
            "recipientDomain": "example.test", "sendNumber": 1, "attempts": 1, "requestedAt": "2026-05-11T10:00:00Z",
            "completedAt": "2026-05-11T10:00:01Z", "version": 3,
        });
        assert_snapshot!(page(&view, Style::default()), @"
        MSG-1  termination  sent
          customer   CUST-1
          line       SUB-0001
          requested  2026-05-11 10:00:00Z
          ended      2026-05-11 10:00:01Z
          sent to    example.test
          sending    1
          attempts   1
          subject    Your line 90000042 has ended

        Text
          Hello Ada,

          your line has ended.
        ");
        assert_snapshot!(list(&json!([view]), Style::default()), @"
        ID     REQUESTED          KIND         CUSTOMER  STATE  SUBJECT
        MSG-1  2026-05-11 10:00Z  termination  CUST-1    sent   Your line 90000042 has ended
        ");
        let preference = json!([{"template": "low_balance", "wanted": false, "optional": true}]);
        assert_snapshot!(preferences(&preference, Style::default()), @"
        KIND         SENT  OPTIONAL
        low_balance  no    yes
        ");
    }
}
