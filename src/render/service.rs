//! The services behind a line.

use serde_json::Value;

use super::table::{Column, table};
use super::{Style, text};

const SERVICES: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("TYPE", "type"),
    Column::field("NAME", "name"),
    Column::field("STATE", "state"),
    Column::computed("NETWORK", network),
    Column::field("PART OF", "parentServiceId"),
    Column::minute("ACTIVATED", "activatedAt"),
];

/// What the network does with a service; an arrow where it has not confirmed what is wanted of it. The policy is told only
/// where it is not that of the plan.
fn network(service: &Value) -> String {
    let state = told(service, "networkWanted", "networkConfirmed");
    let policy = told(service, "policyWanted", "policyConfirmed");
    if policy.contains("->") { format!("{state}, policy {policy}") } else { state }
}

fn told(service: &Value, wanted: &str, confirmed: &str) -> String {
    let (wanted, confirmed) = (text::field(service, wanted), text::field(service, confirmed));
    match (wanted.as_str(), confirmed.as_str()) {
        ("", _) => confirmed,
        (wanted, confirmed) if wanted == confirmed => wanted.to_owned(),
        (wanted, "") => format!("-> {wanted}"),
        (wanted, confirmed) => format!("{confirmed} -> {wanted}"),
    }
}

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
             "networkWanted": "suspended", "networkConfirmed": "in_service",
             "activatedAt": "2026-04-11T09:00:02Z"},
            {"id": "SVC-0002", "type": "RFS", "name": "Voice and data", "state": "activated", "parentServiceId": "SVC-0001",
             "activatedAt": "2026-04-11T09:00:02Z"},
            {"id": "SVC-0003", "type": "CFS", "name": "Mobile line", "state": "activated", "parentServiceId": null,
             "networkWanted": "in_service", "networkConfirmed": "in_service", "policyWanted": "PLAN_L",
             "policyConfirmed": "PLAN_S", "activatedAt": "2026-04-11T09:00:02Z"},
        ]);
        assert_snapshot!(list(&answer, Style::default()), @"
        ID        TYPE  NAME            STATE      NETWORK                              PART OF   ACTIVATED
        SVC-0001  CFS   Mobile line     activated  in_service -> suspended              -         2026-04-11 09:00Z
        SVC-0002  RFS   Voice and data  activated  -                                    SVC-0001  2026-04-11 09:00Z
        SVC-0003  CFS   Mobile line     activated  in_service, policy PLAN_S -> PLAN_L  -         2026-04-11 09:00Z
        ");
    }
}
