//! What the bodies of TMF620 say, taken out of them piece by piece; what is left over is kept and echoed.
//!
//! Inside what we use, an attribute that would not be kept is refused: nothing that was accepted is dropped.

use serde_json::{Map, Value};

use crate::domains::catalog::model::{Lifecycle, NewPrice, PriceEntry, Window, WindowChange};
use crate::domains::catalog::port::{AllowanceType, PriceId};
use crate::domains::catalog::price::name as checked_name;
use crate::platform::error::{Error, Result};
use crate::platform::ids::{Ids, MalformedId};
use crate::platform::money::Money;
use crate::platform::tmf::money::TmfMoney;
use crate::platform::tmf::time;

type Body = Map<String, Value>;

/// The name; None where a patch does not give one.
pub(super) fn name(body: &mut Body) -> Result<Option<String>> {
    match body.shift_remove("name") {
        None => Ok(None),
        Some(Value::String(text)) => checked_name(&text, "/name").map(Some),
        Some(_) => Err(Error::invalid("/name", "cannot be removed")),
    }
}

/// A text that may be removed.
pub(super) fn text(body: &mut Body, name: &str) -> Option<Option<String>> {
    match body.shift_remove(name)? {
        Value::String(text) => Some(Some(text)),
        _ => Some(None),
    }
}

pub(super) fn flag(body: &mut Body, name: &str) -> Result<Option<bool>> {
    match body.shift_remove(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(Error::invalid(format!("/{name}"), "cannot be removed")),
    }
}

/// A flag that can have one value only.
pub(super) fn fixed_flag(body: &mut Body, name: &str, fixed: bool) -> Result<()> {
    match flag(body, name)? {
        Some(given) if given != fixed => Err(Error::invalid(format!("/{name}"), format!("must be {fixed}"))),
        _ => Ok(()),
    }
}

pub(super) fn lifecycle(body: &mut Body) -> Result<Option<Lifecycle>> {
    let Some(given) = body.shift_remove("lifecycleStatus") else { return Ok(None) };
    let found = given.as_str().and_then(Lifecycle::named);
    found.map(Some).ok_or_else(|| {
        let words = Lifecycle::ALL.map(Lifecycle::official).join(", ");
        Error::invalid("/lifecycleStatus", format!("must be one of {words}"))
    })
}

/// `validFor`: a bound that is not given stays, null opens it.
pub(super) fn window(body: &mut Body) -> WindowChange {
    match body.shift_remove("validFor") {
        None => WindowChange::default(),
        Some(Value::Object(bounds)) => WindowChange {
            valid_from: bounds.get("startDateTime").map(instant),
            valid_to: bounds.get("endDateTime").map(instant),
        },
        Some(_) => WindowChange { valid_from: Some(None), valid_to: Some(None) },
    }
}

/// The official definition has checked it.
fn instant(value: &Value) -> Option<chrono::DateTime<chrono::Utc>> {
    value.as_str().and_then(|text| time::parse(text).ok())
}

/// The ids of a list of references; null is the empty list.
pub(super) fn references<T>(body: &mut Body, name: &str) -> Result<Option<Vec<T>>>
where
    T: std::str::FromStr<Err = MalformedId>,
{
    let Some(given) = body.shift_remove(name) else { return Ok(None) };
    let mut ids = Vec::new();
    for (index, reference) in given.as_array().into_iter().flatten().enumerate() {
        let at = || format!("/{name}/{index}");
        only(reference, &["id", "href", "name", "version", "@type", "@referredType"], &at())?;
        let id = reference["id"].as_str().unwrap_or_default();
        ids.push(id.parse().map_err(|e: MalformedId| Error::invalid(format!("{}/id", at()), e.to_string()))?);
    }
    Ok(Some(ids))
}

/// The allowances of a plan: a characteristic each, with one value.
pub(super) fn allowances(body: &mut Body) -> Result<Option<Vec<(AllowanceType, i64)>>> {
    let Some(given) = body.shift_remove("prodSpecCharValueUse") else { return Ok(None) };
    let mut allowances: Vec<(AllowanceType, i64)> = Vec::new();
    for (index, characteristic) in given.as_array().into_iter().flatten().enumerate() {
        let at = format!("/prodSpecCharValueUse/{index}");
        only(characteristic, &["name", "valueType", "productSpecCharacteristicValue", "@type"], &at)?;
        let kind = characteristic["name"].as_str().and_then(AllowanceType::parse);
        let kind = kind.ok_or_else(|| {
            Error::invalid(format!("{at}/name"), "must be data, voice, sms or data_roaming: what a plan grants")
        })?;
        if allowances.iter().any(|(other, _)| *other == kind) {
            return Err(Error::invalid(format!("{at}/name"), "is given twice"));
        }
        let at = format!("{at}/productSpecCharacteristicValue");
        let values = characteristic["productSpecCharacteristicValue"].as_array().map_or(&[][..], Vec::as_slice);
        let [value] = values else { return Err(Error::invalid(at, "must have exactly one value")) };
        only(value, &["value", "valueType", "unitOfMeasure", "isDefault", "@type"], &format!("{at}/0"))?;
        let unit = value.get("unitOfMeasure").and_then(Value::as_str).unwrap_or(kind.unit().as_str());
        if unit != kind.unit().as_str() {
            let message = format!("{} is counted in {}", kind.as_str(), kind.unit().as_str());
            return Err(Error::invalid(format!("{at}/0/unitOfMeasure"), message));
        }
        let quantity = value.get("value").and_then(Value::as_i64);
        let quantity = quantity.ok_or_else(|| Error::invalid(format!("{at}/0/value"), "must be a whole number"))?;
        allowances.push((kind, quantity));
    }
    Ok(Some(allowances))
}

/// The prices of an offering: references to those there are, values for new ones.
pub(super) fn prices(body: &mut Body, ids: &Ids) -> Result<Option<Vec<PriceEntry>>> {
    let Some(given) = body.shift_remove("productOfferingPrice") else { return Ok(None) };
    let mut entries = Vec::new();
    let given = match given {
        Value::Array(given) => given,
        _ => Vec::new(),
    };
    for (index, entry) in given.into_iter().enumerate() {
        let at = format!("/productOfferingPrice/{index}");
        let Value::Object(mut entry) = entry else { return Err(Error::invalid(at, "must be an object")) };
        let id = match entry.shift_remove("id") {
            Some(id) => Some(
                id.as_str()
                    .unwrap_or_default()
                    .parse::<PriceId>()
                    .map_err(|e| Error::invalid(format!("{at}/id"), e.to_string()))?,
            ),
            None => None,
        };
        let money = embedded_amount(&mut entry, &at)?;
        let window = entry.contains_key("validFor").then(|| window(&mut entry).applied_to(Window::default()));
        entries.push(match id {
            Some(id) => PriceEntry::Known { id, money, window },
            None => {
                let money = money.ok_or_else(|| {
                    Error::invalid(format!("{at}/price/taxIncludedAmount"), "is required for a new price")
                })?;
                let window = window.unwrap_or_default();
                PriceEntry::New(new_price(entry, "recurringChargePeriod", &at, ids.short("POP"), money, window)?)
            }
        });
    }
    Ok(Some(entries))
}

/// `price` as an offering embeds it.
fn embedded_amount(entry: &mut Body, at: &str) -> Result<Option<Money>> {
    let Some(price) = entry.shift_remove("price") else { return Ok(None) };
    only(&price, &["taxIncludedAmount", "@type"], &format!("{at}/price"))?;
    match price.get("taxIncludedAmount") {
        Some(money) => read_money(money.clone(), &format!("{at}/price/taxIncludedAmount")).map(Some),
        None => Ok(None),
    }
}

/// `price` as TMF620's own resource has it.
pub(super) fn amount(body: &mut Body) -> Result<Option<Money>> {
    body.shift_remove("price").map(|money| read_money(money, "/price")).transpose()
}

fn read_money(value: Value, at: &str) -> Result<Money> {
    let money: TmfMoney = serde_json::from_value(value).map_err(|_| Error::invalid(at, "must have unit and value"))?;
    money.read(at)
}

/// What is left of a price after its amount and window were taken out. `period` is what its resource calls the period.
pub(super) fn new_price(
    mut rest: Body,
    period: &str,
    at: &str,
    id: String,
    money: Money,
    window: Window,
) -> Result<NewPrice> {
    for ours in ["lastUpdate", "version"] {
        if rest.contains_key(ours) {
            return Err(Error::invalid(format!("{at}/{ours}"), "is ours to give; leave it out"));
        }
    }
    for known in ["href", "@type", "@referredType"] {
        rest.shift_remove(known);
    }
    let is_recurring = match rest.shift_remove("priceType") {
        None => true,
        Some(kind) if kind == "recurring" => true,
        Some(kind) if kind == "oneTime" => false,
        Some(_) => return Err(Error::invalid(format!("{at}/priceType"), "must be recurring or oneTime")),
    };
    if rest.shift_remove(period).is_some_and(|period| period != "month") {
        return Err(Error::invalid(format!("{at}/{period}"), "must be month"));
    }
    if rest.shift_remove("recurringChargePeriodLength").is_some_and(|length| length != 1) {
        return Err(Error::invalid(format!("{at}/recurringChargePeriodLength"), "must be 1"));
    }
    let name = match rest.shift_remove("name") {
        Some(Value::String(text)) => Some(checked_name(&text, &format!("{at}/name"))?),
        _ => None,
    };
    Ok(NewPrice { id: PriceId::from(id), name, is_recurring, money, window, attributes: rest })
}

/// Refuses what stands inside something that we use and would not be kept.
fn only(value: &Value, allowed: &[&str], at: &str) -> Result<()> {
    let unkept = value.as_object().into_iter().flatten().find(|(name, _)| !allowed.contains(&name.as_str()));
    match unkept {
        Some((name, _)) => Err(Error::invalid(format!("{at}/{name}"), "is not kept here; leave it out")),
        None => Ok(()),
    }
}
