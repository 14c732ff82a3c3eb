//! Customers: the list, and the page that shows everything about one.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, order, payment, subscription, text};

const LIST: &[Column] = &[
    Column::field("ID", "id"),
    Column::computed("NAME", name),
    Column::field("STATUS", "status"),
    Column::field("KYC", "kycStatus"),
    Column::time("SINCE", "customerSince"),
];

const CONTACTS: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("TYPE", "mediumType"),
    Column::field("VALUE", "value"),
    Column::field("PRIMARY", "isPrimary"),
];

const INTERACTIONS: &[Column] = &[
    Column::time("WHEN", "occurredAt"),
    Column::field("CHANNEL", "channel"),
    Column::field("DIRECTION", "direction"),
    Column::field("SUMMARY", "summary"),
];

/// Customers as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// One customer; lines, cards, orders and interactions are shown when the view brings them.
pub(crate) fn page(customer: &Value, style: Style) -> String {
    let inner = Page::inner(style);
    let live_contacts: Vec<Value> =
        text::rows(&customer["contactMedium"]).iter().filter(|medium| medium["validTo"].is_null()).cloned().collect();
    Page::new(style, &[&text::field(customer, "id"), &name(customer)], &text::field(customer, "status"))
        .facts(&[
            ("account", text::field(customer, "accountId")),
            ("status reason", text::field(customer, "statusReason")),
            ("KYC", style.state(&text::field(customer, "kycStatus"))),
            ("KYC verified", text::time(customer, "kycVerifiedAt")),
            ("born", text::field(customer, "individual.dateOfBirth")),
            ("customer since", text::time(customer, "customerSince")),
        ])
        .section("Contact", &table(inner, CONTACTS, &live_contacts))
        .section("Lines", &subscription::list(&customer["subscriptions"], inner))
        .section("Cards", &payment::methods(&customer["paymentMethods"], inner))
        .section("Orders", &order::list(&customer["orders"], inner))
        .section("Interactions", &table(inner, INTERACTIONS, text::rows(&customer["interactions"])))
        .finish()
}

fn name(customer: &Value) -> String {
    let part = |path| text::field(customer, path);
    format!("{} {}", part("individual.givenName"), part("individual.familyName")).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

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
        CUST-0a1b2c3d4e5f  Ada Lovelace  active  verified  2026-04-11T09:00:00Z
        ");
    }

    #[test]
    fn a_page_shows_what_the_view_brings_and_live_contacts_only() {
        let mut view = ada();
        view["subscriptions"] = json!([{
            "id": "SUB-0001", "offeringId": "PLAN_S", "state": "active", "msisdn": "90000000",
            "nextRenewalAt": "2026-05-11T09:00:02Z",
        }]);
        view["interactions"] = json!([{
            "occurredAt": "2026-04-11T09:00:00Z", "channel": "cli", "direction": "inbound", "summary": "customer created",
        }]);
        assert_snapshot!(page(&view, Style::default()), @"
        CUST-0a1b2c3d4e5f  Ada Lovelace  active
          account         ACC-5f4e3d2c1b0a
          KYC             verified
          KYC verified    2026-04-11T09:00:01Z
          born            1990-01-01
          customer since  2026-04-11T09:00:00Z

        Contact
          ID               TYPE   VALUE             PRIMARY
          CM-00000000000a  email  ada@example.test  yes

        Lines
          ID        PLAN    STATE   NUMBER    RENEWS
          SUB-0001  PLAN_S  active  90000000  2026-05-11T09:00:02Z

        Interactions
          WHEN                  CHANNEL  DIRECTION  SUMMARY
          2026-04-11T09:00:00Z  cli      inbound    customer created
        ");
    }
}
