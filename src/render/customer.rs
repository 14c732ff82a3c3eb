//! Customers: the list, and the page that shows everything about one.

use serde_json::Value;

use super::card::Card;
use super::grid::{Column, Fit, Grid};
use super::styled::{Look, Styled};
use super::table::{self, table};
use super::words::{self, day, dim, minute, plain};
use super::{Style, payment, text};

const LIST: &[table::Column] = &[
    table::Column::field("ID", "id"),
    table::Column::computed("NAME", name),
    table::Column::state("STATUS", "status"),
    table::Column::field("KYC", "kycStatus"),
    table::Column::minute("SINCE", "customerSince"),
];

/// Customers as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// One customer; lines, cards, orders and interactions are shown when the view brings them.
pub(crate) fn page(customer: &Value, style: Style) -> String {
    let card = Card::new(style, &[&text::field(customer, "id"), &name(customer)], &text::field(customer, "status"))
        .facts(vec![
            ("Reason", plain(customer, "statusReason")),
            ("Identity", identity(customer)),
            ("Contact", contacts(customer)),
            ("Account", plain(customer, "accountId")),
            ("Born", plain(customer, "individual.dateOfBirth")),
            ("Since", Styled::plain(day(customer, "customerSince"))),
        ]);
    [
        ("Lines", "subscriptions", lines as fn(&[Value]) -> Grid),
        ("Cards", "paymentMethods", payment::method_rows),
        ("Orders", "orders", orders),
        ("Interactions", "interactions", interactions),
    ]
    .into_iter()
    .fold(card, |card, (heading, member, grid)| match customer[member].as_array() {
        Some(rows) if rows.is_empty() => card.heading(heading).text(dim("none"), 0),
        Some(rows) => card.section(&format!("{heading} ({})", rows.len()), grid(rows)),
        None => card,
    })
    .finish()
}

/// Whether somebody has seen a document of theirs.
fn identity(customer: &Value) -> Styled {
    let status = text::field(customer, "kycStatus");
    let said = match status.as_str() {
        "" => Styled::default(),
        "verified" => Styled::of(Look::Good, "✓ verified"),
        other => Styled::of(Look::Waits, format!("⚠ {}", other.replace('_', " "))),
    };
    Styled::joined([said, Styled::plain(day(customer, "kycVerifiedAt"))], " · ")
}

/// The ways to reach them that are still valid, the preferred ones first.
fn contacts(customer: &Value) -> Styled {
    let mut live: Vec<&Value> =
        text::rows(&customer["contactMedium"]).iter().filter(|medium| medium["validTo"].is_null()).collect();
    live.sort_by_key(|medium| medium["isPrimary"] != true);
    Styled::joined(live.into_iter().map(|medium| plain(medium, "value")), " · ")
}

fn lines(rows: &[Value]) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Drop(2)),
        Column::new("", Fit::Drop(1)),
    ]);
    for line in rows {
        let state = text::field(line, "state");
        let renews = day(line, "nextRenewalAt");
        let renews = if renews.is_empty() { renews } else { format!("renews {renews}") };
        grid.row(vec![
            plain(line, "id").into(),
            Styled::state_in_row(&state).into(),
            Styled::plain(words::number(&text::field(line, "msisdn"))).into(),
            plain(line, "offeringId").into(),
            data_left(line).into(),
            dim(renews).into(),
        ]);
    }
    grid
}

/// What is left of the data of a line that is in use.
fn data_left(line: &Value) -> Styled {
    let data = text::rows(&line["balances"]).iter().find(|balance| balance["allowanceType"] == "data");
    match data.and_then(|data| data["remaining"].as_i64()) {
        Some(0) => Styled::of(Look::Bad, "no data left"),
        Some(-1) => Styled::plain("unlimited data"),
        Some(left) => Styled::plain(format!("{} left", words::quantity(left, "mb"))),
        None => Styled::default(),
    }
}

fn orders(rows: &[Value]) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Drop(1)),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Wrap(24)),
    ]);
    for order in rows {
        grid.row(vec![
            plain(order, "id").into(),
            Styled::state_in_row(&text::field(order, "state")).into(),
            Styled::plain(day(order, "orderDate")).into(),
            plain(&order["items"][0], "offeringId").into(),
            dim(text::field(order, "stateReason")).into(),
        ]);
    }
    grid
}

fn interactions(rows: &[Value]) -> Grid {
    let mut grid =
        Grid::new(&[Column::new("", Fit::Keep), Column::new("", Fit::Drop(1)), Column::new("", Fit::Wrap(30))]);
    for interaction in rows {
        let direction = match text::field(interaction, "direction").as_str() {
            "inbound" => "→",
            "outbound" => "←",
            _ => " ",
        };
        let channel = format!("{direction} {}", text::field(interaction, "channel"));
        grid.row(vec![
            dim(minute(interaction, "occurredAt")).into(),
            dim(channel).into(),
            plain(interaction, "summary").into(),
        ]);
    }
    grid
}

/// Given and family name; of somebody with a single one, which is both, that one.
pub(crate) fn name(customer: &Value) -> String {
    let part = |path| text::field(customer, path);
    let (given, family) = (part("individual.givenName"), part("individual.familyName"));
    if given == family { given } else { format!("{given} {family}").trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

    #[test]
    fn a_single_name_is_said_once() {
        let named =
            |given: &str, family: &str| name(&json!({"individual": {"givenName": given, "familyName": family}}));
        assert_eq!(named("Bob", "Bob"), "Bob");
        assert_eq!(named("Bob", ""), "Bob");
        assert_eq!(named("Bob", "Bobson"), "Bob Bobson");
        assert_eq!(name(&json!({})), "");
    }

    fn ada() -> Value {
        json!({
            "id": "CUST-0a1b2c3d4e5f", "accountId": "ACC-5f4e3d2c1b0a", "status": "active", "statusReason": null,
            "kycStatus": "verified", "kycVerifiedAt": "2026-04-11T09:00:01Z", "customerSince": "2026-04-11T09:00:00Z",
            "individual": {"givenName": "Ada", "familyName": "Lovelace", "dateOfBirth": "1990-01-01"},
            "contactMedium": [
                {"id": "CM-00000000000a", "mediumType": "email", "value": "ada@example.test", "isPrimary": true,
                 "validFrom": "2026-04-11T09:00:00Z", "validTo": null},
                {"id": "CM-00000000000b", "mediumType": "mobile", "value": "+6590000001", "isPrimary": false,
                 "validFrom": "2026-04-11T09:00:00Z", "validTo": "2026-04-12T09:00:00Z"},
            ],
            "version": 2,
        })
    }

    #[test]
    fn a_list_names_the_customers() {
        assert_snapshot!(list(&json!([ada()]), Style::default()), @"
        ID                 NAME          STATUS  KYC       SINCE
        CUST-0a1b2c3d4e5f  Ada Lovelace  active  verified  2026-04-11 09:00Z
        ");
    }

    #[test]
    fn a_page_shows_what_the_view_brings_and_live_contacts_only() {
        let mut view = ada();
        view["individual"] = json!({"givenName": "小明", "familyName": "王 👩‍🔬", "dateOfBirth": "1990-01-01"});
        view["subscriptions"] = json!([
            {"id": "SUB-0001", "offeringId": "PLAN_S", "state": "active", "msisdn": "90000000",
             "nextRenewalAt": "2026-05-11T09:00:02Z", "balances": [{"allowanceType": "data", "remaining": 3000, "unit": "mb"}]},
            {"id": "SUB-0002", "offeringId": "PLAN_M", "state": "blocked", "msisdn": "90000001",
             "nextRenewalAt": "2026-05-11T09:00:02Z", "balances": [{"allowanceType": "data", "remaining": 0, "unit": "mb"}]},
        ]);
        view["paymentMethods"] = json!([{
            "id": "PM-0007", "brand": "visa", "last4": "4242", "expMonth": 3, "expYear": 2030, "isDefault": true,
            "status": "active",
        }]);
        view["orders"] = json!([{
            "id": "ORD-0002", "state": "failed", "orderDate": "2026-04-11T09:00:00Z", "items": [{"offeringId": "PLAN_M"}],
            "stateReason": "payment.declined: insufficient_funds",
        }]);
        view["interactions"] = json!([{
            "occurredAt": "2026-04-11T09:00:00Z", "channel": "cli", "direction": "inbound",
            "summary": "asked why 王小明's line 🇸🇬 has no data since Tuesday morning, and when it comes back",
        }]);
        assert_snapshot!("customer", at_each_width(|style| page(&view, style)));
    }

    #[test]
    fn a_bare_customer_is_a_short_card_and_what_is_empty_says_so() {
        let mut view = ada();
        view["subscriptions"] = json!([]);
        view["kycStatus"] = json!("not_verified");
        view["kycVerifiedAt"] = Value::Null;
        assert_snapshot!(page(&view, Style::default()), @"
        CUST-0a1b2c3d4e5f  Ada Lovelace  ● active
          Identity  ⚠ not verified
          Contact   ada@example.test
          Account   ACC-5f4e3d2c1b0a
          Born      1990-01-01
          Since     2026-04-11

        Lines
          none
        ");
    }
}
