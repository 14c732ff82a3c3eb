//! Plans side by side, cheapest first.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::render::card::Card;
use crate::render::styled::{Look, Styled, width};
use crate::render::{Style, text, words};

/// A plan gets at least this many cells.
const PLAN_MIN: usize = 22;
/// What stands between two plans.
const GAP: usize = 3;
/// A comparison of more would be none.
const BESIDE_MAX: usize = 4;

/// The allowances that every plan is compared by; what a plan has beside them comes below.
const COMPARED: &[&str] = &["data", "voice", "sms", "data_roaming"];

/// The plan that most people buy, where there is one of that name.
const STARRED: &str = "PLAN_M";

/// As many plans beside each other as there is room for, the others below; beneath them what the prices are, as the
/// operator's profile says.
pub(crate) fn plans(answer: &Value, profile: &Value, style: Style) -> String {
    let mut plans: Vec<&Value> = text::rows(answer).iter().collect();
    if plans.is_empty() {
        return String::new();
    }
    plans.sort_by_key(|plan| price(plan).map_or((true, Decimal::ZERO), |price| (false, price)));
    let room = Card::room(style);
    let starred = starred(&plans);
    let boxes: Vec<Vec<Styled>> = plans.iter().map(|plan| lines(plan, plan["id"] == starred)).collect();
    let cells = boxes.iter().flatten().map(Styled::width).max().unwrap_or_default().max(PLAN_MIN);
    let beside = ((room + GAP) / (cells + GAP)).clamp(1, BESIDE_MAX);
    let card = Card::new(style, &["Plans"], "");
    boxes
        .chunks(beside)
        .fold(card, |card, band| {
            band_lines(band, cells).into_iter().fold(card.blank(), |card, line| card.text(line, 2))
        })
        .blank()
        .text(footer(profile), 0)
        .finish()
}

/// The id of the plan with the star: the usual one, else the middle one of those with a price.
fn starred(plans: &[&Value]) -> Value {
    let priced: Vec<&&Value> = plans.iter().filter(|plan| price(plan).is_some()).collect();
    let usual = priced.iter().find(|plan| plan["id"] == STARRED);
    let median = || priced.get(priced.len().saturating_sub(1) / 2);
    usual.or_else(median).map(|plan| plan["id"].clone()).unwrap_or_default()
}

/// `Prices in SGD, GST inclusive.`
fn footer(profile: &Value) -> Styled {
    let (currency, label) = (text::field(profile, "currency"), text::field(profile, "taxLabel"));
    match (currency.is_empty(), label.is_empty()) {
        (true, _) => Styled::default(),
        (false, true) => words::dim(format!("Prices in {currency}.")),
        // A label such as `inkl. MwSt.` ends in its own full stop.
        (false, false) => words::dim(format!("Prices in {currency}, {}.", label.trim_end_matches('.'))),
    }
}

fn price(plan: &Value) -> Option<Decimal> {
    plan["activePrice"]["amount"].as_str()?.parse().ok()
}

/// One plan: what it is called, what it costs, what is in it.
fn lines(plan: &Value, is_starred: bool) -> Vec<Styled> {
    let star = if is_starred { " ★" } else { "" };
    let (id, name) = (text::field(plan, "id"), text::field(plan, "name"));
    let price = match text::money(plan, "activePrice.amount", "activePrice.currency") {
        none if none.is_empty() => Styled::of(Look::Waits, "not on sale now"),
        price => Styled::of(Look::Good, price),
    };
    let status = text::field(plan, "lifecycleStatus");
    let status = if status == "active" { Styled::default() } else { Styled::state(&status) };
    let rows = text::rows(&plan["bundleAllowance"]);
    let others = rows.iter().map(|row| text::field(row, "allowanceType"));
    let others = others.filter(|kind| !COMPARED.contains(&kind.as_str()));
    let kinds = COMPARED.iter().map(|kind| (*kind).to_owned()).chain(others);
    let names: Vec<(String, String)> = kinds.map(|kind| (words::allowance(&kind), quantity(rows, &kind))).collect();
    let widest = names.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
    let allowances = names.into_iter().map(|(name, quantity)| {
        let look = if quantity == "—" { Look::Dim } else { Look::Plain };
        Styled::of(Look::Dim, name).padded(widest + 2, false).and(look, quantity)
    });
    let heading = [
        Styled::of(Look::Strong, format!("{id}{star}")).and(Look::Plain, format!("  {name}")),
        Styled::joined([price, status], "  "),
    ];
    heading.into_iter().chain(allowances).collect()
}

fn quantity(rows: &[Value], kind: &str) -> String {
    let row = rows.iter().find(|row| row["allowanceType"] == kind);
    let amount =
        row.and_then(|row| Some((row["quantity"].as_i64().filter(|amount| *amount != 0)?, text::field(row, "unit"))));
    let said = amount.map(|(amount, unit)| words::quantity(amount, &unit));
    said.unwrap_or_else(|| "—".to_owned())
}

/// Plans beside each other, line by line.
fn band_lines(band: &[Vec<Styled>], cells: usize) -> Vec<Styled> {
    let height = band.iter().map(Vec::len).max().unwrap_or_default();
    let last = band.len().saturating_sub(1);
    let line = |index: usize| {
        let parts = band.iter().enumerate().map(|(place, lines)| {
            let part = lines.get(index).cloned().unwrap_or_default();
            if place == last { part } else { part.padded(cells + GAP, false) }
        });
        parts.fold(Styled::default(), Styled::then)
    };
    (0..height).map(line).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

    #[test]
    fn plans_stand_side_by_side_cheapest_first_and_wrap_into_bands() {
        let plan = |id: &str, name: &str, price: Value, data: i64| {
            json!({"id": id, "name": name, "lifecycleStatus": "active", "activePrice": price, "bundleAllowance": [
                {"allowanceType": "data", "quantity": data, "unit": "mb"},
                {"allowanceType": "voice", "quantity": -1, "unit": "minutes"},
                {"allowanceType": "sms", "quantity": 100, "unit": "count"},
            ]})
        };
        let price = |amount: &str| json!({"amount": amount, "currency": "SGD"});
        let mut old = plan("PLAN_OLD", "Ancient", Value::Null, 1024);
        old["lifecycleStatus"] = json!("retired");
        let answer = json!([
            plan("PLAN_L", "大 🎉", price("45.00"), 153_600),
            old,
            plan("PLAN_S", "Small", price("9.00"), 5120),
            plan("PLAN_M", "Medium", price("25.00"), 30_720),
        ]);
        let profile = json!({"currency": "SGD", "taxLabel": "GST inclusive"});
        assert_snapshot!("plans", at_each_width(|style| plans(&answer, &profile, style)));
        assert_eq!(plans(&json!([]), &profile, Style::default()), "");
        let berlin = json!({"currency": "EUR", "taxLabel": "inkl. MwSt."});
        assert!(plans(&answer, &berlin, Style::default()).contains("Prices in EUR, inkl. MwSt.\n"));
        assert!(!plans(&answer, &Value::Null, Style::default()).contains("Prices in"), "nobody said");
    }

    #[test]
    fn the_star_is_on_the_usual_plan_or_the_middle_one() {
        let plan = |id: &str, amount: Value| json!({"id": id, "activePrice": {"amount": amount, "currency": "SGD"}});
        let all = [plan("A", json!("1")), plan("B", json!("2")), plan("C", json!("3")), plan("D", Value::Null)];
        let of = |plans: &[Value]| starred(&plans.iter().collect::<Vec<_>>());
        assert_eq!(of(&all), "B");
        assert_eq!(of(&all[..2]), "A");
        assert_eq!(of(&[plan("PLAN_M", json!("9")), all[0].clone()]), "PLAN_M");
        assert_eq!(of(&all[3..]), Value::Null);
    }
}
