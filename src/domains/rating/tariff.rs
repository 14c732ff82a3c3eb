//! A plan as a tariff: which allowance each kind of usage is taken off, and what an event would come to at the beginning of a
//! period. Over the catalog's definition of today, without a line; nothing is kept.

use schemars::JsonSchema;
use serde::Serialize;

use super::policy::{UNIT_MISMATCH, UNKNOWN_EVENT_TYPE};
use super::port::{
    ALLOWANCE_EXHAUSTED, Bucket, FAIR_USE_EXCEEDED, NO_ALLOWANCE, NO_ROAMING_ALLOWANCE, ROAMING_BALANCE_REQUIRED,
    UsageType, Verdict, rate,
};
use crate::domains::catalog::port::{AllowanceType, AllowanceView, OfferingId, OfferingView, UNLIMITED, Unit};
use crate::platform::error::{Rule, Violation};
use crate::platform::money::{Currency, Money};

/// Every rule that a test can break.
pub const TEST_RULES: &[Rule] = &[
    UNKNOWN_EVENT_TYPE,
    UNIT_MISMATCH,
    NO_ALLOWANCE,
    NO_ROAMING_ALLOWANCE,
    ROAMING_BALANCE_REQUIRED,
    ALLOWANCE_EXHAUSTED,
    FAIR_USE_EXCEEDED,
];

/// What a plan charges for usage: nothing but quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tariff {
    pub offering_id: OfferingId,
    pub name: String,
    pub rates: Vec<RateView>,
}

/// What one kind of usage is taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateView {
    pub event_type: UsageType,
    /// Used abroad.
    pub roaming: bool,
    pub allowance_type: AllowanceType,
    pub unit: Unit,
    /// Granted per period: -1 is unlimited, 0 a top-up away. Null: the plan has no such allowance, and an event is refused.
    pub included: Option<i64>,
    /// Of an unlimited allowance: where it is refused. Null: nowhere.
    pub fair_use_quantity: Option<i64>,
    /// In money, decimal text: always nothing.
    pub charge_amount: String,
    pub currency: String,
}

/// What an event came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    pub offering_id: OfferingId,
    pub allowance_type: AllowanceType,
    pub unit: Unit,
    /// What of the quantity would be served.
    pub consumed_quantity: i64,
    /// And what would be refused.
    pub refused_quantity: i64,
    /// Taken off the allowance; 0 of an unlimited one.
    pub taken: i64,
    /// Left after it. Null: unlimited.
    pub remaining: Option<i64>,
    /// Whether it would use up the line's data and block it.
    pub blocks_the_line: bool,
    /// In money, decimal text: always nothing.
    pub charge_amount: String,
    pub currency: String,
}

/// An event to be tested, as somebody wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// `data`, `voice`, `voice_minutes` (the same) or `sms`.
    pub event_type: &'a str,
    pub roaming: bool,
    /// Positive.
    pub quantity: i64,
    /// None: the unit of the type.
    pub unit: Option<&'a str>,
}

/// The tariff of a plan. `fallback` is the currency of a plan that has no price.
pub fn tariff(plan: &OfferingView, fallback: Currency) -> Tariff {
    let free = free(plan, fallback);
    let kinds = UsageType::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]);
    let rates = kinds.map(|(event_type, roaming)| {
        let allowance_type = event_type.allowance(roaming);
        let granted = granted(plan, allowance_type);
        RateView {
            event_type,
            roaming,
            allowance_type,
            unit: allowance_type.unit(),
            included: granted.map(|allowance| allowance.quantity),
            fair_use_quantity: granted.and_then(|allowance| allowance.fair_use_quantity),
            charge_amount: free.decimal(),
            currency: free.currency.to_string(),
        }
    });
    Tariff { offering_id: plan.id.clone(), name: plan.name.clone(), rates: rates.collect() }
}

/// What the event would come to as the first one of a period on the plan.
///
/// # Errors
/// One of [`TEST_RULES`].
pub fn rate_test(plan: &OfferingView, sample: Sample<'_>, fallback: Currency) -> Result<Tested, Violation> {
    let name = if sample.event_type == "voice_minutes" { "voice" } else { sample.event_type };
    let event_type = UsageType::parse(name).ok_or_else(|| {
        let given: String = sample.event_type.chars().take(40).collect();
        UNKNOWN_EVENT_TYPE
            .violated("The event type is not known")
            .with("eventType", given)
            .with("validTypes", UsageType::ALL.map(UsageType::as_str))
    })?;
    let allowance_type = event_type.allowance(sample.roaming);
    let unit = allowance_type.unit();
    if let Some(given) = sample.unit.filter(|given| *given != unit.as_str()) {
        let given: String = given.chars().take(40).collect();
        let refusal = UNIT_MISMATCH.violated(format!("{} is counted in {}", event_type.as_str(), unit.as_str()));
        return Err(refusal.with("unit", given).with("validUnit", unit.as_str()));
    }
    let bucket = granted(plan, allowance_type).map(|allowance| bucket(&allowance));
    let free = free(plan, fallback);
    match rate(allowance_type, bucket, sample.quantity) {
        Verdict::Refused { rule, remaining } => Err(rule
            .violated("The plan gives nothing for this event")
            .with("offeringId", &plan.id)
            .with("allowanceType", allowance_type)
            .with("remaining", remaining)),
        Verdict::Served(served) => Ok(Tested {
            offering_id: plan.id.clone(),
            allowance_type,
            unit,
            consumed_quantity: served.served,
            refused_quantity: served.refused,
            taken: served.applied,
            remaining: served.remaining,
            blocks_the_line: served.exhausts,
            charge_amount: free.decimal(),
            currency: free.currency.to_string(),
        }),
    }
}

fn granted(plan: &OfferingView, allowance: AllowanceType) -> Option<AllowanceView> {
    plan.bundle_allowance.iter().find(|granted| granted.allowance_type == allowance).copied()
}

/// As a period begins.
fn bucket(granted: &AllowanceView) -> Bucket {
    let unlimited = granted.quantity == UNLIMITED && granted.fair_use_quantity.is_none();
    Bucket {
        remaining: granted.fair_use_quantity.unwrap_or(granted.quantity).max(0),
        unlimited,
        fair_use: granted.fair_use_quantity.is_some(),
    }
}

fn free(plan: &OfferingView, fallback: Currency) -> Money {
    Money::new(0, plan.prices.first().map_or(fallback, |price| price.money.currency))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::port::PlanPeriod;

    fn sgd() -> Currency {
        "SGD".parse().unwrap()
    }

    fn plan() -> OfferingView {
        OfferingView {
            id: "PLAN_X".to_owned().into(),
            name: "X".into(),
            spec_id: "SPEC".into(),
            is_bundle: true,
            is_sellable: true,
            lifecycle_status: "active".into(),
            valid_from: None,
            valid_to: None,
            period_kind: PlanPeriod::Days30,
            prices: Vec::new(),
            active_price: None,
            bundle_allowance: vec![
                AllowanceView::plain(AllowanceType::Data, 1_000),
                AllowanceView::plain(AllowanceType::Voice, UNLIMITED),
                AllowanceView { fair_use_quantity: Some(10), ..AllowanceView::plain(AllowanceType::Sms, UNLIMITED) },
            ],
        }
    }

    fn tested(event_type: &str, quantity: i64, unit: Option<&str>, roaming: bool) -> Result<Tested, Violation> {
        rate_test(&plan(), Sample { event_type, roaming, quantity, unit }, sgd())
    }

    #[test]
    fn a_tariff_names_the_allowance_of_every_kind_of_usage() {
        let tariff = tariff(&plan(), sgd());
        let rates: Vec<_> = tariff
            .rates
            .iter()
            .map(|rate| (rate.event_type, rate.roaming, rate.included, rate.fair_use_quantity))
            .collect();
        assert_eq!(
            rates,
            [
                (UsageType::Data, false, Some(1_000), None),
                (UsageType::Data, true, None, None),
                (UsageType::Voice, false, Some(-1), None),
                (UsageType::Voice, true, Some(-1), None),
                (UsageType::Sms, false, Some(-1), Some(10)),
                (UsageType::Sms, true, Some(-1), Some(10)),
            ]
        );
        assert!(tariff.rates.iter().all(|rate| rate.charge_amount == "0.00" && rate.currency == "SGD"));
    }

    #[test]
    fn an_event_is_rated_against_a_fresh_period() {
        let data = tested("data", 1_200, Some("mb"), false).unwrap();
        assert_eq!((data.consumed_quantity, data.refused_quantity, data.blocks_the_line), (1_000, 200, true));
        let voice = tested("voice_minutes", 5, None, true).unwrap();
        assert_eq!((voice.consumed_quantity, voice.taken, voice.remaining), (5, 0, None));
        let sms = tested("sms", 4, Some("count"), false).unwrap();
        assert_eq!((sms.taken, sms.remaining), (4, Some(6)), "as far as fair use goes");
    }

    #[test]
    fn what_the_plan_does_not_know_breaks_its_rule() {
        let rule = |answer: Result<Tested, Violation>| answer.unwrap_err().rule;
        assert_eq!(rule(tested("fax", 1, None, false)), UNKNOWN_EVENT_TYPE);
        assert_eq!(rule(tested("data", 1, Some("gb"), false)), UNIT_MISMATCH);
        assert_eq!(rule(tested("sms", 1, Some("minutes"), false)), UNIT_MISMATCH);
        assert_eq!(rule(tested("data", 1, None, true)), NO_ROAMING_ALLOWANCE);
        let empty = OfferingView { bundle_allowance: Vec::new(), ..plan() };
        let of_nothing = Sample { event_type: "data", roaming: false, quantity: 1, unit: None };
        assert_eq!(rate_test(&empty, of_nothing, sgd()).unwrap_err().rule, NO_ALLOWANCE);
    }
}
