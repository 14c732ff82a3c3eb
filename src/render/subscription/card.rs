//! The card of a line: what it is, what it costs, what is left.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::render::card::Card;
use crate::render::grid::{Bar, Cell, Column, Fit, Grid};
use crate::render::styled::{Look, Styled};
use crate::render::words::{self, away, dim, minute, plain, quantity};
use crate::render::{Style, customer, text};

/// From this share on a bar warns.
const NEARLY_USED_PERCENT: i64 = 80;

/// How many of the last top-ups a card shows.
const TOP_UPS_SHOWN: usize = 5;

/// What a card says beside the view itself; null and none where nobody looked it up.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    pub(crate) customer: Value,
    pub(crate) offering: Value,
    /// The timeline, of which the top-ups are shown.
    pub(crate) timeline: Value,
    /// Product time.
    pub(crate) now: Option<DateTime<Utc>>,
    /// Whether the code of the eSIM is drawn for dark text on a light background.
    pub(crate) invert: bool,
}

/// One line.
pub(crate) fn page(line: &Value, style: Style) -> String {
    card(line, &Aside::default(), style)
}

/// One line, with the names of its customer and plan, and how long it is until it renews. When the view brings what a phone
/// needs to download the eSIM, that is a second card.
pub(crate) fn card(line: &Value, aside: &Aside, style: Style) -> String {
    let number = words::number(&text::field(line, "msisdn"));
    let reasons = text::field(line, "blockReasons").replace('_', " ");
    let card = Card::new(style, &[&text::field(line, "id"), &number], &text::field(line, "state"))
        .facts(vec![
            ("Blocked for", Styled::of(Look::Bad, reasons)),
            ("Reason", if line["state"] == "active" { Styled::default() } else { plain(line, "stateReason") }),
            ("Customer", named(&text::field(line, "customerId"), &customer::name(&aside.customer))),
            ("Plan", named(&text::field(line, "offeringId"), &text::field(&aside.offering, "name"))),
            ("Price", price(line)),
            ("To come", pending(line)),
            ("Order", plain(line, "commercialOrderId")),
            ("Service", plain(line, "cfsServiceId")),
            ("eSIM", plain(line, "iccid")),
            ("Activated", Styled::plain(minute(line, "activatedAt"))),
            ("Period", period(line)),
            ("Renews", renews(line, aside.now)),
            ("Terminated", Styled::plain(minute(line, "terminatedAt"))),
        ])
        .section("Balances", balances(&line["balances"]))
        .section("Top-ups", top_ups(&aside.timeline))
        .finish();
    match &line["esimActivation"] {
        Value::Null => card,
        activation => {
            let how = super::Activation { full: false, invert: aside.invert };
            format!("{card}\n{}", super::activation(activation, how, style))
        }
    }
}

/// The newest top-ups, newest first: when, what, for how much, and what became of it.
fn top_ups(timeline: &Value) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep).right(),
        Column::new("", Fit::Drop(1)),
    ]);
    let bought = text::rows(timeline).iter().rev().filter(|entry| entry["kind"] == "top_up");
    for entry in bought.take(TOP_UPS_SHOWN) {
        grid.row(vec![
            dim(words::day(entry, "at")).into(),
            plain(entry, "offeringId").into(),
            text::money(entry, "amount", "currency").into(),
            dim(text::field(entry, "reason")).into(),
        ]);
    }
    grid
}

/// What is left of each allowance, as a card.
pub(crate) fn balance_card(answer: &Value, line: &str, style: Style) -> String {
    let balances = balances(answer);
    if balances.is_empty() { String::new() } else { Card::new(style, &["Balances", line], "").rows(balances).finish() }
}

/// A bar for each allowance: how much of it is used, and what is left.
fn balances(answer: &Value) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Keep).right(),
        Column::new("", Fit::Keep),
        Column::new("", Fit::Drop(2)),
        Column::new("", Fit::Drop(1)),
    ]);
    for balance in text::rows(answer) {
        let name = Styled::plain(words::allowance(&text::field(balance, "allowanceType")));
        let cells = Balance::of(balance).cells();
        grid.row([vec![name.into()], cells].concat());
    }
    grid
}

/// An allowance with the figures that a bar needs.
struct Balance<'a> {
    view: &'a Value,
    unit: String,
    used: i64,
    total: i64,
    left: i64,
}

impl<'a> Balance<'a> {
    fn of(view: &'a Value) -> Self {
        let figure = |name: &str| view[name].as_i64().unwrap_or_default();
        let unit = text::field(view, "unit");
        Self { view, unit, used: figure("consumed"), total: figure("total"), left: figure("remaining") }
    }

    /// Bar, percent, left, used of total, remark.
    fn cells(&self) -> Vec<Cell> {
        let limit = self.view["fairUseLimit"].as_i64();
        let until = minute(self.view, "unlimitedUntil");
        if !until.is_empty() {
            return self.endless(format!("unlimited until {until}"));
        }
        match (self.total, limit) {
            (0, _) => {
                let nothing = Bar::Share { part: 0, whole: 1, look: Look::Dim };
                let cells = [Styled::default(), dim("none"), Styled::default(), Styled::default()];
                [Cell::Bar(nothing)].into_iter().chain(cells.map(Cell::from)).collect()
            }
            (-1, None) => self.endless("unlimited".into()),
            (-1, Some(limit)) => {
                let left = self.view["fairUseRemaining"].as_i64().unwrap_or_default();
                self.share(limit - left, limit, left, "fair use")
            }
            (total, _) => self.share(total - self.left, total, self.left, ""),
        }
    }

    fn endless(&self, words: String) -> Vec<Cell> {
        let used = if self.used > 0 { format!("{} used", quantity(self.used, &self.unit)) } else { String::new() };
        vec![
            Cell::Bar(Bar::Endless),
            Styled::default().into(),
            Styled::plain(words).into(),
            dim(used).into(),
            Styled::default().into(),
        ]
    }

    fn share(&self, used: i64, total: i64, left: i64, remark: &str) -> Vec<Cell> {
        let percent = used.max(0).saturating_mul(100) / total.max(1);
        let look = match percent {
            _ if left <= 0 => Look::Bad,
            percent if percent >= NEARLY_USED_PERCENT => Look::Waits,
            _ => Look::Good,
        };
        let percent = if percent == 0 && used > 0 { "<1%".to_owned() } else { format!("{percent}%") };
        let said = |amount| quantity(amount, &self.unit);
        let left =
            if left <= 0 { Styled::of(Look::Bad, "used up") } else { Styled::plain(format!("{} left", said(left))) };
        vec![
            Cell::Bar(Bar::Share { part: used, whole: total, look }),
            Styled::plain(percent).into(),
            left.into(),
            dim(format!("{} of {}", said(used), said(total))).into(),
            dim(remark).into(),
        ]
    }
}

/// A name and, in brackets, its id; the id alone where there is no name.
fn named(id: &str, name: &str) -> Styled {
    if name.is_empty() { Styled::plain(id) } else { Styled::plain(name).and(Look::Plain, format!(" ({id})")) }
}

/// The price, and what is charged where a discount makes it differ.
fn price(line: &Value) -> Styled {
    let price = Styled::plain(text::money(line, "priceAmount", "priceCurrency"));
    let discount = discount(line);
    if line["effectiveAmount"] == line["priceAmount"] || discount.is_empty() {
        return price;
    }
    let reduced = text::money(line, "effectiveAmount", "priceCurrency");
    price.and(Look::Plain, format!(", now {reduced} ({discount})"))
}

fn discount(line: &Value) -> String {
    let kind = text::field(line, "discountType");
    if kind.is_empty() {
        return kind;
    }
    let value = text::field(line, "discountValue");
    let value = if kind == "percent" { format!("{value}% off") } else { format!("{value} off") };
    match line["discountPeriodsRemaining"].as_i64() {
        Some(-1) | None => value,
        Some(1) => format!("{value}, 1 more period"),
        Some(periods) => format!("{value}, {periods} more periods"),
    }
}

/// What begins with a coming renewal.
fn pending(line: &Value) -> Styled {
    let price = text::money(line, "pendingPriceAmount", "pendingPriceCurrency");
    let from = minute(line, "pendingEffectiveAt");
    match line["pendingChange"].as_str() {
        Some("plan_change") => {
            Styled::plain(format!("{} for {price}, from {from}", text::field(line, "pendingOfferingId")))
        }
        Some(_) => Styled::plain(format!("the price {price}, from {from}")),
        None => Styled::default(),
    }
}

fn period(line: &Value) -> Styled {
    match (minute(line, "currentPeriodStart"), minute(line, "currentPeriodEnd")) {
        (start, end) if start.is_empty() || end.is_empty() => Styled::default(),
        (start, end) => Styled::plain(start).and(Look::Dim, " to ").and(Look::Plain, end),
    }
}

fn renews(line: &Value, now: Option<DateTime<Utc>>) -> Styled {
    let away = Styled::plain(away(line, "nextRenewalAt", now));
    Styled::joined([away, Styled::plain(minute(line, "nextRenewalAt"))], " · ")
}

#[cfg(test)]
pub(crate) mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

    pub(crate) fn blocked() -> Value {
        json!({
            "id": "SUB-0042", "customerId": "CUST-0a1b2c3d4e5f", "offeringId": "PLAN_S", "commercialOrderId": "ORD-0042",
            "msisdn": "90000042", "iccid": "…0042", "cfsServiceId": "SVC-0041", "state": "blocked",
            "stateReason": "data allowance exhausted", "blockReasons": ["exhausted"], "activatedAt": "2026-04-11T09:00:02Z",
            "currentPeriodStart": "2026-04-11T09:00:02Z", "currentPeriodEnd": "2026-05-11T09:00:02Z",
            "nextRenewalAt": "2026-05-11T09:00:02Z", "terminatedAt": null, "priceAmount": "9.00", "priceCurrency": "SGD",
            "priceOfferingPriceId": "PRICE_PLAN_S", "effectiveAmount": "4.50", "discountType": "percent",
            "discountValue": "50", "discountPeriodsRemaining": 2,
            "balances": [
                {"allowanceType": "data", "total": 5120, "consumed": 5120, "remaining": 0, "unit": "mb",
                 "periodStart": "2026-04-11T09:00:02Z", "periodEnd": "2026-05-11T09:00:02Z"},
                {"allowanceType": "voice", "total": -1, "consumed": 12, "remaining": -1, "unit": "minutes",
                 "periodStart": "2026-04-11T09:00:02Z", "periodEnd": "2026-05-11T09:00:02Z"},
                {"allowanceType": "data_roaming", "total": 500, "consumed": 450, "remaining": 50, "unit": "mb",
                 "periodStart": "2026-04-11T09:00:02Z", "periodEnd": "2026-05-11T09:00:02Z"},
                {"allowanceType": "sms", "total": 100, "consumed": 40, "remaining": 60, "unit": "count",
                 "periodStart": "2026-04-11T09:00:02Z", "periodEnd": "2026-05-11T09:00:02Z"},
            ],
            "version": 7,
        })
    }

    #[test]
    fn a_blocked_line_says_why_and_what_is_left() {
        let aside = Aside {
            customer: json!({"individual": {"givenName": "小明", "familyName": "王 👩‍🔬"}}),
            offering: json!({"id": "PLAN_S", "name": "Small"}),
            timeline: (1..=6)
                .map(|day| {
                    json!({"at": format!("2026-04-1{day}T08:00:00Z"), "kind": "top_up", "offeringId": "VAS_DATA_1GB",
                           "amount": "3.00", "currency": "SGD", "reason": if day == 6 { json!("card_declined") } else { Value::Null }})
                })
                .chain([json!({"at": "2026-04-17T08:00:00Z", "kind": "block"})])
                .collect(),
            now: Some("2026-04-24T12:00:00Z".parse().expect("an instant")),
            invert: false,
        };
        assert_snapshot!("line", at_each_width(|style| card(&blocked(), &aside, style)));
        assert_snapshot!("balances", at_each_width(|style| balance_card(&blocked()["balances"], "SUB-0042", style)));
    }

    #[test]
    fn an_undiscounted_line_shows_its_price_only() {
        let mut line = blocked();
        for (name, value) in [("effectiveAmount", json!("9.00")), ("discountType", Value::Null)] {
            line[name] = value;
        }
        let text = page(&line, Style::default());
        assert!(text.contains("9.00 SGD\n") && !text.contains("now"), "{text}");
    }

    #[test]
    fn what_is_booked_is_shown() {
        let mut line = blocked();
        for (name, value) in [
            ("pendingChange", json!("plan_change")),
            ("pendingOfferingId", json!("PLAN_L")),
            ("pendingPriceAmount", json!("45.00")),
            ("pendingPriceCurrency", json!("SGD")),
            ("pendingEffectiveAt", json!("2026-05-11T09:00:02Z")),
        ] {
            line[name] = value;
        }
        assert!(page(&line, Style::default()).contains("PLAN_L for 45.00 SGD, from 2026-05-11 09:00Z"));
        line["pendingChange"] = json!("price_migration");
        assert!(page(&line, Style::default()).contains("the price 45.00 SGD, from"));
    }

    #[test]
    fn passes_and_fair_use_are_said() {
        let balances = json!([
            {"allowanceType": "data", "total": -1, "consumed": 10240, "remaining": -1, "unit": "mb",
             "fairUseLimit": 51200, "fairUseRemaining": 40960},
            {"allowanceType": "data", "total": 5120, "consumed": 100, "remaining": 5020, "unit": "mb",
             "unlimitedUntil": "2026-05-12T09:00:00Z"},
            {"allowanceType": "data_roaming", "total": 0, "consumed": 0, "remaining": 0, "unit": "mb"},
        ]);
        assert_snapshot!(balance_card(&balances, "SUB-0042", Style::default()), @"
        Balances  SUB-0042
          Data          █████▏░░░░░░░░░░░░░░░░░░░░  20%  40 GB left                         10 GB of 50 GB  fair use
          Data          ──────────────────────────       unlimited until 2026-05-12 09:00Z  100 MB used
          Data roaming  ░░░░░░░░░░░░░░░░░░░░░░░░░░       none
        ");
    }
}
