//! Tasks for the network, and the faults its simulator is told to have.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, text, words};

const TASKS: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("TASK", "taskType"),
    Column::state("STATE", "state"),
    Column::computed("ATTEMPTS", attempts),
    Column::field("SERVICE", "serviceId"),
    Column::minute("COMPLETED", "completedAt").gives_way(),
    Column::field("LAST ERROR", "lastError").may_be_cut(16),
];

const FAULTS: &[Column] = &[
    Column::field("ID", "id").gives_way(),
    Column::field("TASK", "taskType"),
    Column::field("FAULT", "faultType"),
    Column::field("ENABLED", "enabled"),
    Column::number("PROBABILITY", "probability"),
    Column::number("ATTEMPTS", "attempts"),
];

/// Tasks as a table.
pub(crate) fn tasks(answer: &Value, style: Style) -> String {
    table(style, TASKS, text::rows(answer))
}

/// One task.
pub(crate) fn task(task: &Value, style: Style) -> String {
    Page::new(style, &[&text::field(task, "id"), &text::field(task, "taskType")], &text::field(task, "state"))
        .facts(&[
            ("service", text::field(task, "serviceId")),
            ("service order", text::field(task, "serviceOrderId")),
            ("order", text::field(task, "commercialOrderId")),
            ("attempts", attempts(task)),
            ("started", words::second(task, "startedAt")),
            ("completed", words::second(task, "completedAt")),
            ("waits for", text::field(task, "waitsFor")),
            ("last error", text::field(task, "lastError")),
        ])
        .finish()
}

/// Fault rules as a table; one rule alone is a table of one row.
pub(crate) fn faults(answer: &Value, style: Style) -> String {
    let one = std::slice::from_ref(answer);
    table(style, FAULTS, if answer["faultType"].is_string() { one } else { text::rows(answer) })
}

fn attempts(task: &Value) -> String {
    let attempts = text::field(task, "attempts");
    match text::field(task, "maxAttempts") {
        limit if limit.is_empty() || attempts.is_empty() => attempts,
        limit => format!("{attempts} of {limit}"),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_task_says_why() {
        let view = json!({
            "id": "PTK-0003", "serviceId": "SVC-0002", "serviceOrderId": "SO-0042", "commercialOrderId": "ORD-0042",
            "taskType": "HLR_PROVISION", "state": "failed", "attempts": 3, "maxAttempts": 3,
            "lastError": "fault injected: fail_always", "startedAt": "2026-04-11T09:00:00Z", "completedAt": null,
        });
        assert_snapshot!(task(&view, Style::default()), @"
        PTK-0003  HLR_PROVISION  failed
          service        SVC-0002
          service order  SO-0042
          order          ORD-0042
          attempts       3 of 3
          started        2026-04-11 09:00:00Z
          last error     fault injected: fail_always
        ");
    }

    #[test]
    fn faults_list_alone_or_together() {
        let rule = json!({"id": "FI_HLR_FAIL_FIRST", "taskType": "HLR_PROVISION", "faultType": "fail_first_attempt",
                          "enabled": false, "probability": "1.00", "attempts": 1});
        assert_eq!(faults(&rule, Style::default()), faults(&json!([rule]), Style::default()));
        assert_snapshot!(faults(&rule, Style::default()), @"
        ID                 TASK           FAULT               ENABLED  PROBABILITY  ATTEMPTS
        FI_HLR_FAIL_FIRST  HLR_PROVISION  fail_first_attempt  no              1.00         1
        ");
    }
}
