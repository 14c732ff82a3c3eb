//! Plans and top-ups.

mod plans;

use serde_json::Value;

use super::card::Card;
use super::grid::{self, Fit, Grid};
use super::styled::Styled;
use super::table::{Column, table};
use super::words::{self, dim, minute, plain};
use super::{Style, text};

pub(crate) use plans::plans;

const OFFERINGS: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("NAME", "name"),
    Column::money("PRICE", "activePrice.amount", "activePrice.currency"),
    Column::computed("DATA", |offering| allowance(offering, "data")),
    Column::computed("VOICE", |offering| allowance(offering, "voice")),
    Column::computed("SMS", |offering| allowance(offering, "sms")),
    Column::computed("ROAMING", |offering| allowance(offering, "data_roaming")),
    Column::field("STATUS", "lifecycleStatus"),
];

const VAS: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("NAME", "name"),
    Column::money("PRICE", "amount", "currency"),
    Column::field("ALLOWANCE", "allowanceType"),
    Column::quantity("QUANTITY", "allowanceQuantity", "allowanceUnit"),
    Column::computed("LASTS", lasts),
];

/// Plans as a table.
pub(crate) fn offerings(answer: &Value, style: Style) -> String {
    table(style, OFFERINGS, text::rows(answer))
}

/// One plan with its prices over time.
pub(crate) fn offering(offering: &Value, style: Style) -> String {
    let heading = [text::field(offering, "id"), text::field(offering, "name")];
    Card::new(style, &[&heading[0], &heading[1]], &text::field(offering, "lifecycleStatus"))
        .facts(vec![
            ("Price", Styled::plain(text::money(offering, "activePrice.amount", "activePrice.currency"))),
            ("Period", Styled::plain(period(offering))),
            ("Sellable", plain(offering, "isSellable")),
            ("On sale from", Styled::plain(minute(offering, "validFrom"))),
            ("On sale until", Styled::plain(minute(offering, "validTo"))),
        ])
        .section("Included each period", allowances(text::rows(&offering["bundleAllowance"])))
        .section("Prices", prices(text::rows(&offering["prices"])))
        .finish()
}

/// `30 days`, `calendar month`.
fn period(offering: &Value) -> String {
    let kind = text::field(offering, "periodKind");
    kind.strip_prefix("days_").map_or_else(|| kind.replace('_', " "), |days| format!("{days} days"))
}

fn allowances(rows: &[Value]) -> Grid {
    let mut grid = Grid::new(&[grid::Column::new("", Fit::Keep), grid::Column::new("", Fit::Keep).right()]);
    for allowance in rows {
        grid.row(vec![
            words::allowance(&text::field(allowance, "allowanceType")).into(),
            amount(allowance, "quantity", "unit").into(),
        ]);
    }
    grid
}

fn prices(rows: &[Value]) -> Grid {
    let mut grid = Grid::new(&[
        grid::Column::new("", Fit::Keep),
        grid::Column::new("", Fit::Keep).right(),
        grid::Column::new("", Fit::Wrap(20)),
    ]);
    for price in rows {
        let part = |word: &str, name: &str| match minute(price, name) {
            at if at.is_empty() => Styled::default(),
            at => dim(format!("{word} {at}")),
        };
        grid.row(vec![
            plain(price, "id").into(),
            text::money(price, "amount", "currency").into(),
            Styled::joined([part("from", "validFrom"), part("until", "validTo")], " ").into(),
        ]);
    }
    grid
}

fn amount(view: &Value, amount: &str, unit: &str) -> String {
    view[amount].as_i64().map(|amount| words::quantity(amount, &text::field(view, unit))).unwrap_or_default()
}

/// Top-ups as a table.
pub(crate) fn vas_list(answer: &Value, style: Style) -> String {
    table(style, VAS, text::rows(answer))
}

/// One top-up.
pub(crate) fn vas(vas: &Value, style: Style) -> String {
    let allowance = words::allowance(&text::field(vas, "allowanceType"));
    Card::new(style, &[&text::field(vas, "id"), &text::field(vas, "name")], "")
        .facts(vec![
            ("Price", Styled::plain(text::money(vas, "amount", "currency"))),
            (&allowance, Styled::plain(amount(vas, "allowanceQuantity", "allowanceUnit"))),
            ("Lasts", Styled::plain(lasts(vas))),
            ("On sale from", Styled::plain(minute(vas, "validFrom"))),
            ("On sale until", Styled::plain(minute(vas, "validTo"))),
        ])
        .finish()
}

fn allowance(offering: &Value, kind: &str) -> String {
    let allowances = text::rows(&offering["bundleAllowance"]);
    let found = allowances.iter().find(|allowance| allowance["allowanceType"] == kind);
    found.map(|allowance| text::quantity(allowance, "quantity", "unit")).unwrap_or_default()
}

fn lasts(vas: &Value) -> String {
    vas["expiryHours"].as_i64().map_or_else(|| "until the period ends".to_owned(), |hours| format!("{hours} h"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn plan() -> Value {
        json!({
            "id": "PLAN_M", "name": "Medium", "specId": "SPEC_MOBILE_PREPAID", "isBundle": true, "isSellable": true,
            "lifecycleStatus": "active", "validFrom": "2025-01-01T00:00:00Z", "validTo": null,
            "prices": [{"id": "PRICE_PLAN_M", "amount": "25.00", "currency": "SGD", "validFrom": null, "validTo": null}],
            "activePrice": {"id": "PRICE_PLAN_M", "amount": "25.00", "currency": "SGD"},
            "bundleAllowance": [
                {"allowanceType": "data", "quantity": 30720, "unit": "mb"},
                {"allowanceType": "voice", "quantity": -1, "unit": "minutes"},
                {"allowanceType": "sms", "quantity": 100, "unit": "count"},
            ],
        })
    }

    #[test]
    fn plans_stand_side_by_side() {
        let mut unpriced = plan();
        unpriced["id"] = json!("PLAN_OLD");
        unpriced["activePrice"] = Value::Null;
        assert_snapshot!(offerings(&json!([plan(), unpriced]), Style::default()), @"
        ID        NAME        PRICE  DATA   VOICE      SMS  ROAMING  STATUS
        PLAN_M    Medium  25.00 SGD  30 GB  unlimited  100  -        active
        PLAN_OLD  Medium          -  30 GB  unlimited  100  -        active
        ");
    }

    #[test]
    fn a_plan_shows_its_prices() {
        assert_snapshot!(offering(&plan(), Style::default()), @"
        PLAN_M  Medium  ● active
          Price         25.00 SGD
          Sellable      yes
          On sale from  2025-01-01 00:00Z

        Included each period
          Data       30 GB
          Voice  unlimited
          SMS      100 SMS

        Prices
          PRICE_PLAN_M  25.00 SGD
        ");
    }

    #[test]
    fn a_top_up_says_how_long_it_lasts() {
        let views = json!([
            {"id": "VAS_DATA_1GB", "name": "Data 1 GB", "amount": "3.00", "currency": "SGD", "allowanceType": "data",
             "allowanceQuantity": 1024, "allowanceUnit": "mb", "expiryHours": null},
            {"id": "VAS_UNLIMITED_DAY", "name": "Unlimited day", "amount": "5.00", "currency": "SGD",
             "allowanceType": "data", "allowanceQuantity": -1, "allowanceUnit": "mb", "expiryHours": 24},
        ]);
        assert_snapshot!(vas_list(&views, Style::default()), @"
        ID                 NAME              PRICE  ALLOWANCE   QUANTITY  LASTS
        VAS_DATA_1GB       Data 1 GB      3.00 SGD  data            1 GB  until the period ends
        VAS_UNLIMITED_DAY  Unlimited day  5.00 SGD  data       unlimited  24 h
        ");
        assert_snapshot!(vas(&views[1], Style::default()), @"
        VAS_UNLIMITED_DAY  Unlimited day
          Price  5.00 SGD
          Data   unlimited
          Lasts  24 h
        ");
    }
}
