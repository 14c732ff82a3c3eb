//! The services behind a line.

use serde_json::Value;

use super::table::{Column, table};
use super::{Style, text};

const SERVICES: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("TYPE", "type"),
    Column::field("NAME", "name"),
    Column::field("STATE", "state"),
    Column::field("PART OF", "parentServiceId"),
    Column::time("ACTIVATED", "activatedAt"),
];

/// Services as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, SERVICES, text::rows(answer))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn services_show_what_they_are_part_of() {
        let answer = json!([
            {"id": "SVC-0001", "type": "CFS", "name": "Mobile line", "state": "activated", "parentServiceId": null,
             "activatedAt": "2026-04-11T09:00:02Z"},
            {"id": "SVC-0002", "type": "RFS", "name": "Voice and data", "state": "activated", "parentServiceId": "SVC-0001",
             "activatedAt": "2026-04-11T09:00:02Z"},
        ]);
        assert_snapshot!(list(&answer, Style::default()), @"
        ID        TYPE  NAME            STATE      PART OF   ACTIVATED
        SVC-0001  CFS   Mobile line     activated  -         2026-04-11T09:00:02Z
        SVC-0002  RFS   Voice and data  activated  SVC-0001  2026-04-11T09:00:02Z
        ");
    }
}
