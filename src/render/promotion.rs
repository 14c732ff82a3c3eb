//! Promotions: the list, one with its use, and what a code would do.

use serde_json::Value;

use super::card::Card;
use super::styled::{Look, Styled};
use super::table::{Column, table};
use super::words::{minute, plain};
use super::{Style, text};

const LIST: &[Column] = &[
    Column::field("ID", "id"),
    Column::field("CODE", "code"),
    Column::field("AUDIENCE", "audience"),
    Column::field("DISCOUNT", "label"),
    Column::computed("FOR", periods),
    Column::state("STATE", "state"),
];

/// Promotions as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// One promotion; how it is used is shown when the view brings it.
pub(crate) fn card(promotion: &Value, style: Style) -> String {
    let heading = [text::field(promotion, "id"), text::field(promotion, "name")];
    Card::new(style, &[&heading[0], &heading[1]], &text::field(promotion, "state"))
        .facts(vec![
            ("Discount", Styled::plain(format!("{}, {}", text::field(promotion, "label"), periods(promotion)))),
            ("Code", plain(promotion, "code")),
            ("Can be used", Styled::plain(kind(promotion))),
            ("Audience", plain(promotion, "audience")),
            ("Plans", Styled::plain(plans(promotion))),
            ("Valid from", Styled::plain(minute(promotion, "validFrom"))),
            ("Valid until", Styled::plain(minute(promotion, "validTo"))),
            ("Assigned to", plain(promotion, "eligibleCustomers")),
            ("Claimed", plain(promotion, "claimed")),
            ("Redeemed", plain(promotion, "redeemed")),
            ("Created by", plain(promotion, "createdBy")),
        ])
        .finish()
}

/// `the first period`, `3 periods`, `every period`.
fn periods(promotion: &Value) -> String {
    match (promotion["durationKind"].as_str(), promotion["periodsTotal"].as_i64()) {
        (Some("multi"), Some(periods)) => format!("{periods} periods"),
        (Some("perpetual"), _) => "every period".to_owned(),
        _ => "the first period".to_owned(),
    }
}

fn kind(promotion: &Value) -> String {
    match promotion["promoCodeKind"].as_str() {
        Some("single_use_shared") => "once",
        Some("single_use_unique_per_customer") => "once by each customer",
        _ => "any number of times",
    }
    .to_owned()
}

fn plans(promotion: &Value) -> String {
    let plans: Vec<&str> = text::rows(&promotion["applicableOfferingIds"]).iter().filter_map(Value::as_str).collect();
    if plans.is_empty() { "all".to_owned() } else { plans.join(", ") }
}

/// Who may use a promotion now.
pub(crate) fn assigned(answer: &Value, style: Style) -> String {
    customers(answer, style, [("eligible", "eligible"), ("already", "was already")])
}

/// Who may not any more.
pub(crate) fn unassigned(answer: &Value, style: Style) -> String {
    customers(answer, style, [("removed", "removed"), ("notEligible", "was not eligible")])
}

fn customers(answer: &Value, style: Style, outcomes: [(&str, &str); 2]) -> String {
    let all = |name: &str| -> Vec<String> {
        text::rows(&answer[name]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let counts = outcomes.map(|(name, word)| format!("{} {word}", all(name).len()));
    let mut card =
        Card::new(style, &[&text::field(answer, "promotionId")], "").text(Styled::plain(counts.join(", ")), 2);
    for (name, word) in outcomes {
        for customer in all(name) {
            card = card.text(Styled::plain(customer).and(Look::Dim, format!("  {word}")), 2);
        }
    }
    card.finish()
}

/// What a code would take off.
pub(crate) fn preview(preview: &Value, style: Style) -> String {
    let valid = preview["valid"] == true;
    let periods = match preview["discountPeriodsTotal"].as_i64() {
        Some(-1) => "every period".to_owned(),
        Some(1) => "the first period".to_owned(),
        Some(periods) => format!("{periods} periods"),
        None => String::new(),
    };
    Card::new(style, &[&text::field(preview, "code"), &text::field(preview, "offeringId")], "")
        .facts(vec![
            ("Takes off", if valid { plain(preview, "label") } else { Styled::plain("nothing") }),
            ("Why", Styled::plain(text::field(preview, "reason").replace('_', " "))),
            ("Promotion", plain(preview, "name")),
            ("For", Styled::plain(periods)),
            ("Price", Styled::plain(text::money(preview, "base", "currency"))),
            ("With it", Styled::plain(text::money(preview, "effective", "currency"))),
        ])
        .finish()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn promotion() -> Value {
        json!({
            "id": "PROMO_SUMMER25", "name": "Summer", "label": "20% off", "code": "SUMMER25", "promoCodeKind": "multi_use",
            "audience": "public", "applicableOfferingIds": ["PLAN_M", "PLAN_L"], "durationKind": "multi",
            "periodsTotal": 3, "validFrom": null, "validTo": "2026-09-01T00:00:00Z", "state": "active",
            "createdBy": "ops", "eligibleCustomers": 0, "claimed": 1, "redeemed": 41,
        })
    }

    #[test]
    fn a_list_says_what_each_takes_off_and_for_how_long() {
        assert_snapshot!(list(&json!([promotion()]), Style::default()), @"
        ID              CODE      AUDIENCE  DISCOUNT  FOR        STATE
        PROMO_SUMMER25  SUMMER25  public    20% off   3 periods  active
        ");
    }

    #[test]
    fn a_card_says_who_may_use_it_and_who_has() {
        assert_snapshot!(card(&promotion(), Style::default()), @"
        PROMO_SUMMER25  Summer  ● active
          Discount     20% off, 3 periods
          Code         SUMMER25
          Can be used  any number of times
          Audience     public
          Plans        PLAN_M, PLAN_L
          Valid until  2026-09-01 00:00Z
          Assigned to  0
          Claimed      1
          Redeemed     41
          Created by   ops
        ");
    }

    #[test]
    fn a_preview_says_what_is_paid_or_why_nothing_is_taken_off() {
        let valid = json!({"valid": true, "code": "SUMMER25", "offeringId": "PLAN_M", "label": "20% off", "base": "25.00",
            "effective": "20.00", "currency": "SGD", "discountPeriodsTotal": 3});
        assert_snapshot!(preview(&valid, Style::default()), @"
        SUMMER25  PLAN_M
          Takes off  20% off
          For        3 periods
          Price      25.00 SGD
          With it    20.00 SGD
        ");
        let refused = json!({"valid": false, "reason": "not_applicable_to_offering", "code": "X", "offeringId": "PLAN_S",
            "base": "10.00", "currency": "SGD"});
        assert_snapshot!(preview(&refused, Style::default()), @"
        X  PLAN_S
          Takes off  nothing
          Why        not applicable to offering
          Price      10.00 SGD
        ");
    }

    #[test]
    fn an_assignment_names_everybody() {
        let answer = json!({"promotionId": "PROMO_VIP", "eligible": ["CUST-1", "CUST-2"], "already": ["CUST-3"]});
        assert_snapshot!(assigned(&answer, Style::default()), @"
        PROMO_VIP
          2 eligible, 1 was already
          CUST-1  eligible
          CUST-2  eligible
          CUST-3  was already
        ");
    }
}
