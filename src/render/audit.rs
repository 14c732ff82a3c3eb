//! The event log, and whether the books are right.

use std::fmt::Write as _;

use serde_json::Value;

use super::table::{Column, table};
use super::{Style, text, words};

const EVENTS: &[Column] = &[
    Column::number("SEQ", "seq"),
    Column::second("WHEN", "occurredAt"),
    Column::field("TYPE", "eventType"),
    Column::field("ABOUT", "aggregateId"),
    Column::field("ACTOR", "actor").gives_way(),
    Column::field("CHANNEL", "channel").gives_way(),
    Column::field("IDENTITY", "serviceIdentity").gives_way(),
];

const CHECKS: &[Column] = &[
    Column::field("CHECK", "name"),
    Column::computed("RESULT", result),
    Column::field("WHAT", "description").gives_way(),
];

const OFFENDERS: &[Column] = &[Column::field("OFFENDER", "id"), Column::field("DETAIL", "detail")];

const FINDINGS: &[Column] = &[
    Column::field("CHECK", "check"),
    Column::field("OFFENDER", "offenderId"),
    Column::minute("SINCE", "foundAt"),
    Column::field("DETAIL", "detail"),
];

/// What is wrong and since when.
pub(crate) fn findings(answer: &Value, style: Style) -> String {
    table(style, FINDINGS, text::rows(answer))
}

/// Events as a table.
pub(crate) fn events(answer: &Value, style: Style) -> String {
    table(style, EVENTS, text::rows(answer))
}

/// One event in one line, for following the log.
pub(crate) fn event_line(event: &Value, style: Style) -> String {
    let kind = text::field(event, "eventType");
    format!(
        "{}  {}  {}  {}  {}\n",
        words::second(event, "occurredAt"),
        style.strong(&kind),
        text::field(event, "aggregateId"),
        text::field(event, "actor"),
        text::scalar(&event["payload"]),
    )
}

/// Each check with its result, then every offender of those that failed.
pub(crate) fn verification(answer: &Value, style: Style) -> String {
    let checks = text::rows(&answer["checks"]);
    let mut report = table(style, CHECKS, checks);
    for check in checks {
        let offenders = table(style, OFFENDERS, text::rows(&check["offenders"]));
        if !offenders.is_empty() {
            let _ = write!(report, "\n{}\n{offenders}", style.strong(&text::field(check, "name")));
        }
    }
    report
}

fn result(check: &Value) -> String {
    match text::rows(&check["offenders"]).len() {
        0 => "ok".into(),
        1 => "1 offender".into(),
        offenders => format!("{offenders} offenders"),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_check_is_listed_and_every_offender_named() {
        let answer = json!({"ok": false, "checks": [
            {"name": "journal.balances", "description": "every journal entry sums to zero", "checked": 1204, "offenders": []},
            {"name": "msisdn.one_holder", "description": "no number has two holders", "checked": 1000, "offenders": [
                {"id": "90000042", "detail": "held by SUB-0042 and SUB-0043"},
            ]},
        ]});
        assert_snapshot!(verification(&answer, Style::default()), @"
        CHECK              RESULT      WHAT
        journal.balances   ok          every journal entry sums to zero
        msisdn.one_holder  1 offender  no number has two holders

        msisdn.one_holder
        OFFENDER  DETAIL
        90000042  held by SUB-0042 and SUB-0043
        ");
    }

    #[test]
    fn events_list_and_follow() {
        let answer = json!({"count": 1, "next": 17, "events": [{
            "seq": 17, "eventId": "01960000-0000-7000-8000-000000000001", "eventType": "subscription.renewed",
            "aggregateType": "subscription", "aggregateId": "SUB-0042", "aggregateVersion": 8,
            "occurredAt": "2026-05-11T09:00:02Z", "recordedAt": "2026-05-11T09:00:02.1Z", "actor": "system:renewal_worker",
            "channel": "system", "serviceIdentity": "default", "tenantId": "DEFAULT", "requestId": "r", "traceId": null,
            "schemaVersion": 1, "payload": {"periodIndex": 2},
        }]});
        assert_snapshot!(events(&answer, Style::default()), @"
        SEQ  WHEN                  TYPE                  ABOUT     ACTOR                  CHANNEL  IDENTITY
         17  2026-05-11 09:00:02Z  subscription.renewed  SUB-0042  system:renewal_worker  system   default
        ");
        assert_snapshot!(event_line(&answer["events"][0], Style::default()), @r#"2026-05-11 09:00:02Z  subscription.renewed  SUB-0042  system:renewal_worker  {"periodIndex":2}"#);
    }
}
