//! The body of a TMF622 `POST productOrder`: checked against the official definition, split into what we use and what we keep.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{shapes, without};
use crate::domains::com::create::NewOrder;
use crate::domains::com::port::{CreateOrder, OrderAction};
use crate::domains::crm::port::Msisdn;
use crate::platform::error::{Error, Result};
use crate::platform::ids::MalformedId;
use crate::platform::tmf::{shape, time};

/// The characteristic of a product that wishes for a number.
pub(super) const MSISDN_PREFERENCE: &str = "msisdnPreference";

/// The characteristic that says the code of a promotion. It is echoed as it came: what it promised stands in the price.
const DISCOUNT_CODE: &str = "discountCode";

/// The characteristic that keeps what the customer was assigned for another time.
const SKIP_ASSIGNED_OFFER: &str = "skipAssignedOffer";

const ITEM: &str = "/productOrderItem/0";

/// Reads the body of a POST.
pub(super) fn new_order(mut body: Value) -> Result<NewOrder> {
    shape::check(&mut body, &shapes::PRODUCT_ORDER)?;
    let mut attributes = object(body, "")?;
    for ours in ["cancellationDate", "cancellationReason"] {
        if attributes.contains_key(ours) {
            return Err(Error::invalid(format!("/{ours}"), "is not for a new order"));
        }
    }
    let customer_id = customer(&mut attributes)?;
    let item = one_item(attributes.remove("productOrderItem"))?;
    let requested_completion_date = completion_date(attributes.remove("requestedCompletionDate"))?;
    let notes = note(&mut attributes);
    // The price is ours to say.
    attributes.remove("orderTotalPrice");
    attributes.remove("@type");
    if !item.rest.is_empty() {
        attributes.insert("productOrderItem".to_owned(), Value::Object(item.rest));
    }
    let command = CreateOrder {
        customer_id: customer_id.parse().map_err(|e: MalformedId| Error::invalid("/relatedParty", e.to_string()))?,
        action: item.action,
        offering_id: parsed(item.offering_id, "productOffering/id")?,
        subscription_id: parsed(item.subscription_id, "product/id")?,
        msisdn_preference: item.wishes.number,
        discount_code: item.wishes.code,
        skip_assigned_offer: item.wishes.skip_assigned,
        notes,
        submit: false,
    };
    Ok(NewOrder { command, requested_completion_date, attributes })
}

fn parsed<T: FromStr<Err = MalformedId>>(text: Option<String>, name: &str) -> Result<Option<T>> {
    text.map(|text| text.parse().map_err(|e: MalformedId| Error::invalid(format!("{ITEM}/{name}"), e.to_string())))
        .transpose()
}

fn object(value: Value, pointer: &str) -> Result<Map<String, Value>> {
    match value {
        Value::Object(attributes) => Ok(attributes),
        _ => Err(Error::invalid(pointer, "must be an object")),
    }
}

fn given(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn text(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Takes the one customer out of the related parties; the others stay.
fn customer(attributes: &mut Map<String, Value>) -> Result<String> {
    let parties = attributes.remove("relatedParty").unwrap_or_default();
    let parties = parties.as_array().cloned().unwrap_or_default();
    for (index, party) in parties.iter().enumerate() {
        if party.get("role").is_none() {
            return Err(Error::invalid(format!("/relatedParty/{index}/role"), "is required here"));
        }
    }
    let (customers, others): (Vec<Value>, Vec<Value>) =
        parties.into_iter().partition(|party| party["role"] == "customer");
    let [customer] = customers.as_slice() else {
        return Err(Error::invalid("/relatedParty", "must have exactly one party of role customer"));
    };
    if !others.is_empty() {
        attributes.insert("relatedParty".to_owned(), Value::Array(others));
    }
    Ok(customer["id"].as_str().unwrap_or_default().to_owned())
}

/// What an item says.
struct Item {
    action: OrderAction,
    /// Missing where a line ends.
    offering_id: Option<String>,
    /// Of a line that is there.
    subscription_id: Option<String>,
    wishes: Wishes,
    /// Kept and echoed.
    rest: Map<String, Value>,
}

/// What the characteristics of the product wish for.
#[derive(Debug, Default)]
struct Wishes {
    number: Option<Msisdn>,
    code: Option<String>,
    skip_assigned: bool,
}

fn one_item(items: Option<Value>) -> Result<Item> {
    let Some(Value::Array(mut items)) = items else { return Err(Error::invalid("/productOrderItem", "is required")) };
    let (Some(item), true) = (items.pop(), items.is_empty()) else {
        return Err(Error::invalid("/productOrderItem", "must have exactly one item"));
    };
    let mut item = object(item, ITEM)?;
    let refused = |name: &str, message: &str| Err(Error::invalid(format!("{ITEM}/{name}"), message.to_owned()));
    let Some(action) = item.get("action").and_then(Value::as_str).and_then(OrderAction::parse) else {
        return refused("action", "must be add, modify or delete");
    };
    if item.get("quantity").is_some_and(|quantity| *quantity != 1) {
        return refused("quantity", "must be 1");
    }
    if item.get("state").is_some_and(|state| state != "acknowledged") {
        return refused("state", "is ours to give; a new item is acknowledged");
    }
    let offering = item.remove("productOffering");
    let offering = offering.map_or_else(|| Ok(Map::new()), |offering| object(offering, ITEM))?;
    let product = item.remove("product").map_or_else(|| Ok(Map::new()), |product| object(product, ITEM))?;
    let (offering_id, subscription_id) = (given(&offering, "id"), given(&product, "id"));
    match action {
        OrderAction::Add if subscription_id.is_some() || product.contains_key("href") => {
            return refused("product/id", "is ours to give: it is the line, once it is booked");
        }
        OrderAction::Add | OrderAction::Modify if offering_id.is_none() => {
            return refused("productOffering", "is required here");
        }
        OrderAction::Delete if offering_id.is_some() => {
            return refused("productOffering", "does not go with delete: the line says what it is");
        }
        OrderAction::Modify | OrderAction::Delete if subscription_id.is_none() => {
            return refused("product/id", "is required with this action: it is the line");
        }
        OrderAction::Add | OrderAction::Modify | OrderAction::Delete => {}
    }
    let (wishes, product) = wishes(without(product, &["id", "href"]))?;
    if (wishes.number.is_some() || wishes.code.is_some()) && action != OrderAction::Add {
        return refused("product/productCharacteristic", "a number or a discount is wished for with add only");
    }
    let mut rest = without(item, &["id", "action", "quantity", "state", "itemPrice", "itemTotalPrice", "@type"]);
    let offering = without(offering, &["id", "href", "@type", "@referredType"]);
    for (name, kept) in [("productOffering", offering), ("product", product)] {
        if !kept.is_empty() {
            rest.insert(name.to_owned(), Value::Object(kept));
        }
    }
    Ok(Item { action, offering_id, subscription_id, wishes, rest })
}

/// Reads the wishes out of the product. That for a number is taken out of it; the others stay, to be echoed.
fn wishes(mut product: Map<String, Value>) -> Result<(Wishes, Map<String, Value>)> {
    let given = product.remove("productCharacteristic").unwrap_or_default();
    let given = given.as_array().cloned().unwrap_or_default();
    let wishes = Wishes {
        number: wish(&given, MSISDN_PREFERENCE, "digits in a string", |value| value.as_str()?.parse().ok())?,
        code: wish(&given, DISCOUNT_CODE, "a string", |value| value.as_str().map(str::to_owned))?,
        skip_assigned: wish(&given, SKIP_ASSIGNED_OFFER, "true or false", Value::as_bool)?.unwrap_or_default(),
    };
    let kept: Vec<Value> = given.into_iter().filter(|one| one["name"] != MSISDN_PREFERENCE).collect();
    if !kept.is_empty() {
        product.insert("productCharacteristic".to_owned(), Value::Array(kept));
    }
    product.remove("@type");
    Ok((wishes, product))
}

/// The value of the characteristic of this name, which is given at most once.
fn wish<T>(given: &[Value], name: &str, form: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
    let pointer = format!("{ITEM}/product/productCharacteristic");
    let mut found = given.iter().filter(|one| one["name"] == name);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => {
            let value = read(&one["value"]);
            value.map(Some).ok_or_else(|| Error::invalid(pointer, format!("{name} must be {form}")))
        }
        (Some(_), Some(_)) => Err(Error::invalid(pointer, format!("{name} is given twice"))),
    }
}

fn completion_date(given: Option<Value>) -> Result<Option<DateTime<Utc>>> {
    let text = given.as_ref().and_then(Value::as_str);
    text.map(|text| time::parse(text).map_err(|e| Error::invalid("/requestedCompletionDate", e.to_string())))
        .transpose()
}

/// The text of the only note; several notes, or one that says more than its text, are kept as they are.
fn note(attributes: &mut Map<String, Value>) -> Option<String> {
    let Some(Value::Array(notes)) = attributes.get("note") else { return None };
    let plain = match notes.as_slice() {
        [Value::Object(one)] if one.keys().all(|name| name == "text" || name == "@type") => Some(text(one, "text")),
        _ => None,
    };
    if plain.is_some() {
        attributes.remove("note");
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({
            "externalId": "web-7731",
            "category": "prepaid",
            "note": [{"text": "Deliver before the trip"}],
            "relatedParty": [
                {"id": "CUST-1", "role": "customer", "@referredType": "Customer"},
                {"id": "shop-1", "role": "seller", "@referredType": "Organization"}
            ],
            "productOrderItem": [{
                "id": "1", "quantity": 1, "action": "add", "productOffering": {"id": "PLAN_M", "name": "Standard"},
                "itemPrice": [{"priceType": "recurring"}],
                "product": {"productCharacteristic": [
                    {"name": "msisdnPreference", "value": "90000123"}, {"name": "gift", "value": true}
                ]}
            }]
        })
    }

    fn fault(change: impl FnOnce(&mut Value)) -> String {
        let mut body = body();
        change(&mut body);
        match new_order(body).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_we_use_is_taken_and_the_rest_is_kept() {
        let new = new_order(body()).unwrap();
        assert_eq!(new.command.customer_id.as_str(), "CUST-1");
        assert_eq!(new.command.offering_id.unwrap().as_str(), "PLAN_M");
        assert_eq!(new.command.action, OrderAction::Add);
        assert_eq!(new.command.msisdn_preference.unwrap().as_str(), "90000123");
        assert_eq!(new.command.notes.as_deref(), Some("Deliver before the trip"));
        assert_eq!(
            Value::Object(new.attributes),
            json!({
                "externalId": "web-7731",
                "category": "prepaid",
                "relatedParty": [{"id": "shop-1", "role": "seller", "@referredType": "Organization"}],
                "productOrderItem": {
                    "productOffering": {"name": "Standard"},
                    "product": {"productCharacteristic": [{"name": "gift", "value": true}]}
                }
            })
        );
    }

    #[test]
    fn a_code_is_read_and_stays_to_be_echoed() {
        let with = |characteristics: Value| {
            let mut body = body();
            body["productOrderItem"][0]["product"]["productCharacteristic"] = characteristics;
            new_order(body)
        };
        let sent =
            json!([{"name": "discountCode", "value": " summer25"}, {"name": "skipAssignedOffer", "value": true}]);
        let new = with(sent.clone()).unwrap();
        assert_eq!((new.command.discount_code.as_deref(), new.command.skip_assigned_offer), (Some(" summer25"), true));
        assert_eq!(new.attributes["productOrderItem"]["product"]["productCharacteristic"], sent);
        assert!(with(json!([{"name": "discountCode", "value": 25}])).is_err());
        assert!(with(json!([{"name": "skipAssignedOffer", "value": "yes"}])).is_err());
        assert!(with(json!([{"name": "discountCode", "value": "A"}, {"name": "discountCode", "value": "B"}])).is_err());
    }

    #[test]
    fn a_line_that_is_there_is_named_by_the_product() {
        let item = |item: Value| {
            let mut body = body();
            body["productOrderItem"] = json!([item]);
            new_order(body).unwrap().command
        };
        let top_up = item(json!({
            "id": "1", "action": "modify", "productOffering": {"id": "VAS_DATA_1GB"},
            "product": {"id": "SUB-0001", "href": "/product/SUB-0001"}
        }));
        assert_eq!(top_up.action, OrderAction::Modify);
        assert_eq!(top_up.subscription_id.unwrap().as_str(), "SUB-0001");
        let end = item(json!({"id": "1", "action": "delete", "product": {"id": "SUB-0001"}}));
        assert_eq!((end.action, end.offering_id), (OrderAction::Delete, None));
    }

    #[test]
    fn every_fault_names_its_place() {
        assert_eq!(fault(|b| b["state"] = json!("inProgress")), "/state");
        assert_eq!(fault(|b| b["relatedParty"] = json!([])), "/relatedParty");
        assert_eq!(fault(|b| b["relatedParty"][1]["role"] = json!("customer")), "/relatedParty");
        assert_eq!(fault(|b| b["productOrderItem"] = json!([])), "/productOrderItem");
        assert_eq!(fault(|b| b["productOrderItem"][0]["action"] = json!("noChange")), "/productOrderItem/0/action");
        assert_eq!(
            fault(|b| b["productOrderItem"][0]["action"] = json!("delete")),
            "/productOrderItem/0/productOffering",
            "a line that ends is not ordered"
        );
        assert_eq!(fault(|b| b["productOrderItem"][0]["action"] = json!("modify")), "/productOrderItem/0/product/id");
        assert_eq!(
            fault(|b| {
                b["productOrderItem"][0]["action"] = json!("modify");
                b["productOrderItem"][0]["product"]["id"] = json!("SUB-0001");
            }),
            "/productOrderItem/0/product/productCharacteristic",
            "a line keeps its number"
        );
        assert_eq!(fault(|b| b["productOrderItem"][0]["quantity"] = json!(2)), "/productOrderItem/0/quantity");
        assert_eq!(fault(|b| b["productOrderItem"][0]["bogus"] = json!(2)), "/productOrderItem/0/bogus");
        assert_eq!(
            fault(|b| b["productOrderItem"][0]["product"]["id"] = json!("SUB-1")),
            "/productOrderItem/0/product/id"
        );
        assert_eq!(fault(|b| b["cancellationReason"] = json!("no")), "/cancellationReason");
        assert_eq!(fault(|b| b["requestedCompletionDate"] = json!("soon")), "/requestedCompletionDate");
        assert_eq!(
            fault(|b| b["productOrderItem"][0]["productOffering"]["id"] = json!("a b")),
            "/productOrderItem/0/productOffering/id"
        );
    }

    #[test]
    fn an_item_has_nothing_that_the_official_definition_lacks() {
        let file =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tmf/TMF622-ProductOrdering-v4.0.0.swagger.json"));
        let official: Value = serde_json::from_str(file).unwrap();
        let mut checked = 0;
        compare(&shapes::PRODUCT_ORDER, "ProductOrder_Create", &official["definitions"], &mut checked, 0);
        assert!(checked > 100, "{checked}");
    }

    /// Same attributes in the shape and in the official definition, as deep as they go.
    fn compare(shape: &shape::Shape, name: &str, definitions: &Value, checked: &mut usize, depth: usize) {
        let common = ["@type", "@baseType", "@schemaLocation"];
        let properties = definitions[name]["properties"].as_object().unwrap();
        let official: Vec<&str> = properties.keys().map(String::as_str).filter(|key| !common.contains(key)).collect();
        let ours: Vec<&str> = shape.attributes.iter().map(|(name, _)| *name).collect();
        assert_eq!(ours, official, "{name}");
        *checked += ours.len();
        if depth == 4 {
            return;
        }
        for (attribute, kind) in shape.attributes {
            if let shape::Is::One(below) | shape::Is::Many(below) = kind {
                assert!(properties[*attribute].to_string().contains(below.name), "{name}.{attribute}");
                compare(below, below.name, definitions, checked, depth + 1);
            }
        }
    }
}
