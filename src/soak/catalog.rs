//! What is sold, as plain data: read once over the API, so that the model needs no knowledge of the product's own. With it
//! what happens to everybody on a day: the prices and the outages of a run.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::client::{Client, Fault};
use super::outage::{self, Outage};
use super::plan::number;
use super::price::Move;

/// The quantity that means "without limit".
const UNLIMITED: i64 = -1;

/// How the periods of a plan are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Thirty days each.
    Days30,
    /// To the same day of the next month.
    Months,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub id: String,
    /// In hundredths.
    pub price: i64,
    pub counted: Counted,
    /// By allowance type; None is unlimited.
    pub grants: BTreeMap<String, Option<i64>>,
}

#[derive(Debug, Clone)]
pub struct TopUp {
    pub id: String,
    /// In hundredths.
    pub price: i64,
    pub allowance: String,
    pub gives: Gives,
}

/// What a top-up adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// A quantity, to the end of the period.
    Quantity(i64),
    /// No limit for whole days.
    Pass { days: u64 },
}

#[derive(Debug, Clone)]
pub struct Catalog {
    pub plans: Vec<Plan>,
    pub top_ups: Vec<TopUp>,
    /// In the order in which they are made.
    pub moves: Vec<Move>,
    /// In the order in which they come.
    pub outages: Vec<Outage>,
}

/// What a plan is sold for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// None: what it cost when the run began.
    pub id: Option<String>,
    /// In hundredths.
    pub amount: i64,
}

impl Catalog {
    pub async fn read(client: &Client) -> Result<Self, Fault> {
        let plans = client.must("catalog.list_active_offerings", &json!({}), None).await?;
        let top_ups = client.must("catalog.list_vas", &json!({}), None).await?;
        Self::of(&plans, &top_ups).ok_or_else(|| Fault::Answer("the catalog cannot be understood".to_owned()))
    }

    fn of(plans: &Value, top_ups: &Value) -> Option<Self> {
        let plans: Option<Vec<Plan>> = plans.as_array()?.iter().map(plan).collect();
        // One whose hours are no whole days, or whose quantity ends before its period, is none of those in the model.
        let top_ups: Option<Vec<Option<TopUp>>> = top_ups.as_array()?.iter().map(top_up).collect();
        let catalog = Self {
            plans: plans?,
            top_ups: top_ups?.into_iter().flatten().collect(),
            moves: Vec::new(),
            outages: Vec::new(),
        };
        (!catalog.plans.is_empty()).then_some(catalog)
    }

    /// The plan with this id. Only ids of this catalog are drawn.
    pub fn plan(&self, id: &str) -> &Plan {
        self.plans.iter().find(|plan| plan.id == id).unwrap_or(&self.plans[0])
    }

    /// What the plan is sold for on a day.
    pub fn price(&self, plan: &Plan, today: NaiveDate) -> Price {
        match self.last_move(plan, today) {
            Some(last) => Price { id: Some(last.price_id.clone()), amount: last.price },
            None => Price { id: None, amount: plan.price },
        }
    }

    /// The last move of the plan's lines that was decided until then.
    pub fn last_move(&self, plan: &Plan, today: NaiveDate) -> Option<&Move> {
        self.moves.iter().rev().find(|one| one.plan == plan.id && one.on <= today)
    }

    /// What the network does not do on a day.
    pub fn outage(&self, today: NaiveDate) -> Option<Outage> {
        outage::on(&self.outages, number(today))
    }

    /// The top-up with this id, if it is sold.
    pub fn top_up(&self, id: &str) -> Option<&TopUp> {
        self.top_ups.iter().find(|top_up| top_up.id == id)
    }
}

fn plan(value: &Value) -> Option<Plan> {
    let grants = value["bundleAllowance"].as_array()?.iter().map(|grant| {
        let quantity = grant["quantity"].as_i64()?;
        Some((grant["allowanceType"].as_str()?.to_owned(), (quantity != UNLIMITED).then_some(quantity)))
    });
    Some(Plan {
        id: value["id"].as_str()?.to_owned(),
        price: hundredths(value["activePrice"]["amount"].as_str()?)?,
        counted: match value["periodKind"].as_str()? {
            "days_30" => Counted::Days30,
            "calendar_month" => Counted::Months,
            _ => return None,
        },
        grants: grants.collect::<Option<_>>()?,
    })
}

/// None: it cannot be understood; Some(None): it is not modelled.
fn top_up(value: &Value) -> Option<Option<TopUp>> {
    let (quantity, hours) = (value["allowanceQuantity"].as_i64()?, value["expiryHours"].as_u64());
    let gives = match (quantity, hours) {
        (UNLIMITED, Some(hours)) if hours % 24 == 0 => Gives::Pass { days: hours / 24 },
        (quantity, None) if quantity > 0 => Gives::Quantity(quantity),
        _ => return Some(None),
    };
    let (id, allowance) = (value["id"].as_str()?.to_owned(), value["allowanceType"].as_str()?.to_owned());
    Some(Some(TopUp { id, price: hundredths(value["amount"].as_str()?)?, allowance, gives }))
}

/// `25.00` as 2500: the currencies of the reference catalog have two decimals.
pub fn hundredths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    let fraction: i64 = (fraction.len() == 2).then(|| fraction.parse().ok())??;
    Some(whole.parse::<i64>().ok()? * 100 + fraction)
}

/// 2500 as `25.00`.
pub fn decimal(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two plans by thirty days, one by months; data, a pass, roaming.
    pub(in crate::soak) fn catalog() -> Catalog {
        let plan = |id: &str, price: &str, data: i64, voice: i64, roaming: i64, period: &str| {
            json!({
                "id": id, "activePrice": {"amount": price}, "periodKind": period,
                "bundleAllowance": [
                    {"allowanceType": "data", "quantity": data}, {"allowanceType": "voice", "quantity": voice},
                    {"allowanceType": "sms", "quantity": voice}, {"allowanceType": "data_roaming", "quantity": roaming},
                ],
            })
        };
        let top_up = |id: &str, price: &str, allowance: &str, quantity: i64, hours: Option<i64>| json!({"id": id, "amount": price, "allowanceType": allowance, "allowanceQuantity": quantity, "expiryHours": hours});
        Catalog::of(
            &json!([
                plan("S", "10.00", 5_120, 100, 0, "days_30"),
                plan("M", "25.00", 30_720, -1, 500, "days_30"),
                plan("MONTHLY", "12.50", 5_120, 100, 0, "calendar_month"),
            ]),
            &json!([
                top_up("GB", "3.00", "data", 1_024, None),
                top_up("PASS", "5.00", "data", -1, Some(24)),
                top_up("ROAM", "8.00", "data_roaming", 1_024, None),
                top_up("THREE_DAYS", "1.00", "data", 100, Some(72)),
            ]),
        )
        .unwrap()
    }

    #[test]
    fn what_is_sold_is_understood() {
        let catalog = catalog();
        assert_eq!((catalog.plan("M").price, catalog.plan("M").grants["voice"]), (2_500, None));
        assert_eq!(catalog.plan("MONTHLY").counted, Counted::Months);
        assert_eq!(catalog.top_up("PASS").unwrap().gives, Gives::Pass { days: 1 });
        assert!(catalog.top_up("THREE_DAYS").is_none(), "not modelled");
        assert_eq!(hundredths("25.5"), None);
        assert_eq!(decimal(1_205), "12.05");
    }
}
