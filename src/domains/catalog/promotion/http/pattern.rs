//! The pattern of a TMF671 promotion: criteria say who may use it for what, actions what it takes off and for how long.
//!
//! Inside of it nothing is kept as it came: what is no term of ours is refused.

use std::str::FromStr;

use serde_json::{Value, json};

use crate::domains::catalog::port::OfferingId;
use crate::domains::catalog::promotion::model::{Duration, Promotion};
use crate::platform::error::{Error, Result};
use crate::platform::ids::MalformedId;

const AUDIENCE: &str = "audience";
const CODE: &str = "promotionCode";
const CODE_KIND: &str = "promotionCodeKind";
const OFFERING: &str = "productOffering";
const PERCENT: &str = "percent";
const AMOUNT: &str = "currency";
const PERIODS: &str = "periods";
/// As many periods as the line has.
const UNLIMITED: &str = "unlimited";

const AT: &str = "/pattern";
const PATTERN: &str = "/pattern/0";

/// What a pattern says, unchecked but for its form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) discount_type: String,
    pub(super) discount_value: String,
    pub(super) duration_kind: &'static str,
    pub(super) periods_total: Option<i64>,
    pub(super) audience: String,
    pub(super) code: Option<String>,
    pub(super) code_kind: Option<String>,
    pub(super) offerings: Vec<OfferingId>,
}

/// Reads the one pattern of a new promotion. The official definition has checked its types.
pub(super) fn read(given: Option<Value>) -> Result<Pattern> {
    let patterns = elements(given.as_ref());
    let [pattern] = patterns else {
        return Err(Error::invalid(AT, "must have exactly one pattern: criteria and actions"));
    };
    only(pattern, &["criteriaGroupLogicalRelationship", "criteriaGroup", "action", "@type"], PATTERN)?;
    joined(pattern.get("criteriaGroupLogicalRelationship"), "AND", PATTERN, "criteriaGroupLogicalRelationship")?;
    let mut read = actions(elements(pattern.get("action")))?;
    for (index, group) in elements(pattern.get("criteriaGroup")).iter().enumerate() {
        criteria(group, &format!("{PATTERN}/criteriaGroup/{index}"), &mut read)?;
    }
    Ok(read)
}

fn elements(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Refuses what stands inside a pattern and would not be kept.
fn only(value: &Value, allowed: &[&str], at: &str) -> Result<()> {
    let unkept = value.as_object().into_iter().flatten().find(|(name, _)| !allowed.contains(&name.as_str()));
    match unkept {
        Some((name, _)) => Err(Error::invalid(format!("{at}/{name}"), "is not kept here; leave it out")),
        None => Ok(()),
    }
}

fn joined(given: Option<&Value>, by: &str, at: &str, name: &str) -> Result<()> {
    match given.and_then(Value::as_str) {
        Some(word) if !word.eq_ignore_ascii_case(by) => {
            Err(Error::invalid(format!("{at}/{name}"), format!("must be {by} here")))
        }
        _ => Ok(()),
    }
}

fn actions(given: &[Value]) -> Result<Pattern> {
    let (mut discount, mut periods) = (None, None);
    for (index, action) in given.iter().enumerate() {
        let at = format!("{PATTERN}/action/{index}");
        only(action, &["actionType", "actionValue", "@type"], &at)?;
        let value = text(action, "actionValue").to_owned();
        let slot = match text(action, "actionType") {
            PERCENT => discount.replace(("percent".to_owned(), value)).map(drop),
            AMOUNT => discount.replace(("absolute".to_owned(), value)).map(drop),
            PERIODS => periods.replace((at.clone(), value)).map(drop),
            _ => {
                let message = format!("must be {PERCENT}, {AMOUNT} or {PERIODS}");
                return Err(Error::invalid(format!("{at}/actionType"), message));
            }
        };
        if slot.is_some() {
            return Err(Error::invalid(format!("{at}/actionType"), "is given twice"));
        }
    }
    let Some((discount_type, discount_value)) = discount else {
        let message = format!("must say what is taken off: an action of type {PERCENT} or {AMOUNT}");
        return Err(Error::invalid(format!("{PATTERN}/action"), message));
    };
    let (duration_kind, periods_total) = match periods {
        None => ("single", None),
        Some((_, word)) if word == UNLIMITED => ("perpetual", None),
        Some((_, word)) if word == "1" => ("single", None),
        Some((at, word)) => match word.parse() {
            Ok(periods) => ("multi", Some(periods)),
            Err(_) => {
                let message = format!("must be a number of periods, or {UNLIMITED}");
                return Err(Error::invalid(format!("{at}/actionValue"), message));
            }
        },
    };
    Ok(Pattern {
        discount_type,
        discount_value,
        duration_kind,
        periods_total,
        audience: "public".to_owned(),
        code: None,
        code_kind: None,
        offerings: Vec::new(),
    })
}

/// One group: the plans, any of them, or everything else, all of it.
fn criteria(group: &Value, at: &str, read: &mut Pattern) -> Result<()> {
    only(group, &["groupName", "criteriaLogicalRelationship", "criteria", "@type"], at)?;
    let criteria = elements(group.get("criteria"));
    let is_plan = |criterion: &Value| text(criterion, "criteriaParameter") == OFFERING;
    let plans = criteria.iter().any(is_plan);
    if plans && !criteria.iter().all(is_plan) {
        return Err(Error::invalid(format!("{at}/criteria"), format!("{OFFERING} stands in a group of its own")));
    }
    joined(
        group.get("criteriaLogicalRelationship"),
        if plans { "OR" } else { "AND" },
        at,
        "criteriaLogicalRelationship",
    )?;
    for (index, criterion) in criteria.iter().enumerate() {
        let at = format!("{at}/criteria/{index}");
        only(criterion, &["criteriaParameter", "criteriaOperator", "criteriaValue", "@type"], &at)?;
        if text(criterion, "criteriaOperator") != "=" {
            return Err(Error::invalid(format!("{at}/criteriaOperator"), "must be ="));
        }
        let value = text(criterion, "criteriaValue").to_owned();
        match text(criterion, "criteriaParameter") {
            AUDIENCE => read.audience = value,
            CODE => read.code = Some(value),
            CODE_KIND => read.code_kind = Some(value),
            OFFERING => read.offerings.push(
                OfferingId::from_str(&value)
                    .map_err(|e: MalformedId| Error::invalid(format!("{at}/criteriaValue"), e.to_string()))?,
            ),
            _ => {
                let message = format!("must be {AUDIENCE}, {CODE}, {CODE_KIND} or {OFFERING}");
                return Err(Error::invalid(format!("{at}/criteriaParameter"), message));
            }
        }
    }
    Ok(())
}

/// The pattern as the resource shows it. Its name is what people call the discount.
pub(super) fn write(promotion: &Promotion) -> Value {
    let criterion = |parameter: &str, value: &str| {
        json!({
            "criteriaParameter": parameter,
            "criteriaOperator": "=",
            "criteriaValue": value,
            "@type": "PromotionCriteria",
        })
    };
    let group = |name: &str, by: &str, criteria: Vec<Value>| {
        json!({
            "groupName": name,
            "criteriaLogicalRelationship": by,
            "criteria": criteria,
            "@type": "PromotionCriteriaGroup",
        })
    };
    let entitlement = vec![
        criterion(AUDIENCE, promotion.audience.as_str()),
        criterion(CODE, promotion.code.as_str()),
        criterion(CODE_KIND, promotion.code_kind.as_str()),
    ];
    let mut groups = vec![group("entitlement", "AND", entitlement)];
    if !promotion.applicable.is_empty() {
        let plans = promotion.applicable.iter().map(|plan| criterion(OFFERING, plan.as_str()));
        groups.push(group(OFFERING, "OR", plans.collect()));
    }
    let terms = &promotion.terms;
    let periods = match terms.duration {
        Duration::Single => "1".to_owned(),
        Duration::Multi(periods) => periods.to_string(),
        Duration::Perpetual => UNLIMITED.to_owned(),
    };
    let action =
        |kind: &str, value: String| json!({ "actionType": kind, "actionValue": value, "@type": "PromotionAction" });
    let discount = if terms.kind() == "percent" { PERCENT } else { AMOUNT };
    json!({
        "name": terms.label(),
        "criteriaGroupLogicalRelationship": "AND",
        "criteriaGroup": groups,
        "action": [action(discount, terms.value().to_string()), action(PERIODS, periods)],
        "@type": "PromotionPattern",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Value {
        json!([{
            "criteriaGroup": [
                {"criteria": [
                    {"criteriaParameter": "promotionCode", "criteriaOperator": "=", "criteriaValue": "summer25"},
                    {"criteriaParameter": "promotionCodeKind", "criteriaOperator": "=", "criteriaValue": "multi_use"}
                ]},
                {"criteriaLogicalRelationship": "or", "criteria": [
                    {"criteriaParameter": "productOffering", "criteriaOperator": "=", "criteriaValue": "PLAN_M"},
                    {"criteriaParameter": "productOffering", "criteriaOperator": "=", "criteriaValue": "PLAN_L"}
                ]}
            ],
            "action": [
                {"actionType": "currency", "actionValue": "5.00"}, {"actionType": "periods", "actionValue": "3"}
            ]
        }])
    }

    fn fault(change: impl FnOnce(&mut Value)) -> String {
        let mut sent = sent();
        change(&mut sent);
        match read(Some(sent)).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn criteria_and_actions_become_terms() {
        let read = read(Some(sent())).unwrap();
        assert_eq!(
            read,
            Pattern {
                discount_type: "absolute".into(),
                discount_value: "5.00".into(),
                duration_kind: "multi",
                periods_total: Some(3),
                audience: "public".into(),
                code: Some("summer25".into()),
                code_kind: Some("multi_use".into()),
                offerings: vec!["PLAN_M".parse().unwrap(), "PLAN_L".parse().unwrap()],
            }
        );
    }

    #[test]
    fn every_fault_names_its_place() {
        assert_eq!(read(None).map_err(|e| e.to_string()).unwrap_err().split(':').next(), Some("/pattern"));
        assert_eq!(fault(|p| p[0]["priority"] = json!(1)), "/pattern/0/priority");
        assert_eq!(fault(|p| p[0]["action"] = json!([])), "/pattern/0/action");
        assert_eq!(fault(|p| p[0]["action"][1]["actionType"] = json!("percent")), "/pattern/0/action/1/actionType");
        assert_eq!(fault(|p| p[0]["action"][0]["actionType"] = json!("voucher")), "/pattern/0/action/0/actionType");
        assert_eq!(fault(|p| p[0]["action"][1]["actionValue"] = json!("some")), "/pattern/0/action/1/actionValue");
        let group = "/pattern/0/criteriaGroup";
        let criterion = |p: &mut Value, name: &str, value: &str| {
            p[0]["criteriaGroup"][0]["criteria"][0][name] = json!(value);
        };
        assert_eq!(fault(|p| criterion(p, "criteriaOperator", ">")), format!("{group}/0/criteria/0/criteriaOperator"));
        assert_eq!(
            fault(|p| criterion(p, "criteriaParameter", "age")),
            format!("{group}/0/criteria/0/criteriaParameter")
        );
        assert_eq!(fault(|p| criterion(p, "criteriaParameter", "productOffering")), format!("{group}/0/criteria"));
        assert_eq!(
            fault(|p| p[0]["criteriaGroup"][1]["criteriaLogicalRelationship"] = json!("AND")),
            format!("{group}/1/criteriaLogicalRelationship")
        );
    }
}
