//! The demo: who is in it, and what to look at.

use serde_json::Value;

use super::table::{Column, table};
use super::{Style, text};

const CAST: &[Column] = &[
    Column::field("CUSTOMER", "id"),
    Column::field("NAME", "name"),
    Column::field("ORDER", "orderId"),
    Column::computed("ORDER IS", order),
    Column::field("LINE", "subscriptionId"),
    Column::field("NUMBER", "msisdn"),
    Column::computed("LINE IS", line),
];

/// Everybody, with their line and order.
pub(crate) fn cast(answer: &Value, style: Style) -> String {
    table(style, CAST, text::rows(answer))
}

/// Commands that are worth a try, each on somebody to whom it applies.
pub(crate) fn next(answer: &Value) -> String {
    let people = text::rows(answer);
    let who = |holds: &dyn Fn(&Value) -> bool| people.iter().find(|person| holds(person));
    let field = |person: Option<&Value>, name: &str| person.map(|person| text::field(person, name)).unwrap_or_default();
    let first = who(&|person| person["lineState"] == "active");
    let used_up = who(&|person| is_blocked_for(person, "exhausted"));
    let stopped = who(&|person| is_blocked_for(person, "fraud"));
    let failed = who(&|person| person["orderState"] == "failed");
    let waiting = who(&|person| person["orderState"] == "in_progress");
    let tries = [
        ("bss customer show", field(first, "id"), "a customer on one page"),
        ("bss subscription show", field(first, "msisdn"), "a line with its balances"),
        ("bss trace for-order", field(first, "orderId"), "the way of an order through the modules"),
        (
            "bss subscription vas",
            with(&field(used_up, "subscriptionId"), " VAS_DATA_1GB"),
            "bring a line back that has no data left",
        ),
        ("bss subscription timeline", field(stopped, "subscriptionId"), "why a line is blocked"),
        ("bss order show", field(failed, "orderId"), "an order that failed"),
        ("bss order triage", field(waiting, "orderId"), "an order that waits for an operator"),
        ("bss audit verify", " ".to_owned(), "prove the books"),
    ];
    let known: Vec<_> = tries.into_iter().filter(|(_, argument, _)| !argument.is_empty()).collect();
    let typed = |command: &str, argument: &str| format!("{command} {argument}").trim().to_owned();
    let width = known.iter().map(|(command, argument, _)| typed(command, argument).len()).max().unwrap_or_default();
    let lines =
        known.iter().map(|(command, argument, why)| format!("  {:width$}   # {why}\n", typed(command, argument)));
    format!("\nwhat to try next:\n{}", lines.collect::<String>())
}

fn with(id: &str, rest: &str) -> String {
    if id.is_empty() { String::new() } else { format!("{id}{rest}") }
}

fn is_blocked_for(person: &Value, reason: &str) -> bool {
    text::rows(&person["blockReasons"]).iter().any(|found| found == reason)
}

fn order(person: &Value) -> String {
    text::field(person, "orderState").replace('_', " ")
}

fn line(person: &Value) -> String {
    let reasons: Vec<String> = text::rows(&person["blockReasons"]).iter().map(text::scalar).collect();
    let state = text::field(person, "lineState");
    if reasons.is_empty() { state } else { format!("{state}: {}", reasons.join(", ")) }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_to_try_names_those_to_whom_it_applies() {
        let people = json!([
            {"id": "CUST-1", "name": "Mei Lin Tan", "orderId": "ORD-0001", "orderState": "completed",
             "subscriptionId": "SUB-0001", "msisdn": "90000000", "lineState": "active", "blockReasons": []},
            {"id": "CUST-2", "name": "Sofia Lim", "orderId": "ORD-0002", "orderState": "completed",
             "subscriptionId": "SUB-0002", "msisdn": "90000001", "lineState": "blocked", "blockReasons": ["exhausted"]},
            {"id": "CUST-3", "name": "Νίκος Παπαδόπουλος", "orderId": "ORD-0003", "orderState": "in_progress"},
        ]);
        assert_snapshot!(cast(&people, Style { colour: false, width: None }), @"
        CUSTOMER  NAME                ORDER     ORDER IS     LINE      NUMBER    LINE IS
        CUST-1    Mei Lin Tan         ORD-0001  completed    SUB-0001  90000000  active
        CUST-2    Sofia Lim           ORD-0002  completed    SUB-0002  90000001  blocked: exhausted
        CUST-3    Νίκος Παπαδόπουλος  ORD-0003  in progress  -         -         -
        ");
        assert_snapshot!(next(&people), @"

        what to try next:
          bss customer show CUST-1                     # a customer on one page
          bss subscription show 90000000               # a line with its balances
          bss trace for-order ORD-0001                 # the way of an order through the modules
          bss subscription vas SUB-0002 VAS_DATA_1GB   # bring a line back that has no data left
          bss order triage ORD-0003                    # an order that waits for an operator
          bss audit verify                             # prove the books
        ");
        assert!(!next(&json!([])).contains("order"), "nobody is invented");
    }
}
