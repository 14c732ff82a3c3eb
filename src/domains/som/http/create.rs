//! The body of a TMF641 `POST serviceOrder`: a technical order about one service that is there.

use serde_json::{Map, Value};

use crate::domains::som::port::ServiceId;
use crate::domains::som::resync::{Action, NewServiceOrder};
use crate::platform::error::{Error, Result};
use crate::platform::ids::MalformedId;
use crate::platform::tmf::shape::{self, Is, Shape};
use crate::platform::tmf::{merge, official};

const ITEM: &str = "/serviceOrderItem/0";

/// Of the official `ServiceOrder_Create` what we write ourselves: kind, end, product order and customer of the order.
const OURS: &[&str] =
    &["category", "cancellationDate", "cancellationReason", "completionDate", "externalReference", "relatedParty"];

/// Of the one item everything is used, so it takes nothing else (decision 0007).
static SERVICE_ORDER_ITEM: Shape = Shape {
    name: "ServiceOrderItem",
    attributes: &[
        ("id", Is::Text),
        ("quantity", Is::Whole),
        ("action", Is::Text),
        ("service", Is::One(&SERVICE_REF_OR_VALUE)),
    ],
    required: &["id", "action", "service"],
};
static SERVICE_REF_OR_VALUE: Shape = Shape {
    name: "ServiceRefOrValue",
    attributes: &[("id", Is::Text), ("href", Is::Text), ("@referredType", Is::Text)],
    required: &[],
};

/// Reads the body of a POST.
///
/// What is not used of it is kept and echoed.
pub(super) fn new_order(body: Value) -> Result<NewServiceOrder> {
    let mut attributes = official::created(body, "TMF641.ServiceOrder_Create")?;
    if attributes.shift_remove("@type").is_some_and(|name| name != "ServiceOrder") {
        return Err(Error::invalid("/@type", "must be ServiceOrder"));
    }
    merge::refuse(&attributes, OURS)?;
    let item = one_item(attributes.shift_remove("serviceOrderItem"))?;
    let refused = |name: &str, message: &str| Err(Error::invalid(format!("{ITEM}/{name}"), message.to_owned()));
    if item.get("quantity").is_some_and(|quantity| *quantity != 1) {
        return refused("quantity", "must be 1");
    }
    let action = match item.get("action").and_then(Value::as_str) {
        Some("add") => Action::Add,
        Some("modify") => Action::Modify,
        Some("delete") => Action::Delete,
        Some("noChange") => Action::NoChange,
        _ => return refused("action", "must be add, modify, delete or noChange"),
    };
    let id = item.get("service").and_then(|service| service.get("id")).and_then(Value::as_str);
    let service_id = id.map(|id| {
        id.parse::<ServiceId>().map_err(|e: MalformedId| Error::invalid(format!("{ITEM}/service/id"), e.to_string()))
    });
    Ok(NewServiceOrder { action, service_id: service_id.transpose()?, attributes })
}

fn one_item(items: Option<Value>) -> Result<Map<String, Value>> {
    let Some(Value::Array(mut items)) = items else { return Err(Error::invalid("/serviceOrderItem", "is required")) };
    match (items.pop(), items.is_empty()) {
        (Some(mut item), true) => {
            shape::check_at(&mut item, &SERVICE_ORDER_ITEM, ITEM)?;
            match item {
                Value::Object(item) => Ok(item),
                _ => Err(Error::invalid(ITEM, "must be an object")),
            }
        }
        _ => Err(Error::invalid("/serviceOrderItem", "must have exactly one item")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({
            "externalId": "noc-17",
            "requestedCompletionDate": "2026-05-11T17:00:00+08:00",
            "note": [{"text": "after the outage"}],
            "serviceOrderItem": [{"id": "1", "action": "modify", "service": {"id": "SVC-0001", "@type": "Service"}}]
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
    fn what_is_used_is_taken_and_the_rest_is_kept() {
        let new = new_order(body()).unwrap();
        assert_eq!((new.action, new.service_id.unwrap().as_str()), (Action::Modify, "SVC-0001"));
        assert_eq!(
            Value::Object(new.attributes),
            json!({
                "externalId": "noc-17",
                "requestedCompletionDate": "2026-05-11T09:00:00.000Z",
                "note": [{"text": "after the outage"}]
            })
        );
    }

    #[test]
    fn every_fault_names_its_place() {
        assert_eq!(fault(|b| b["category"] = json!("x")), "/category");
        assert_eq!(fault(|b| b["serviceOrderItem"] = json!([])), "/serviceOrderItem");
        assert_eq!(fault(|b| b["serviceOrderItem"][0]["action"] = json!("explode")), "/serviceOrderItem/0/action");
        assert_eq!(fault(|b| b["serviceOrderItem"][0]["quantity"] = json!(2)), "/serviceOrderItem/0/quantity");
        assert_eq!(fault(|b| b["serviceOrderItem"][0]["state"] = json!("held")), "/serviceOrderItem/0/state");
        assert_eq!(
            fault(|b| b["serviceOrderItem"][0]["service"]["id"] = json!("a b")),
            "/serviceOrderItem/0/service/id"
        );
        let party = json!([{"id": "X", "@type": "RelatedParty", "@referredType": "Customer"}]);
        assert_eq!(fault(|b| b["relatedParty"] = party.clone()), "/relatedParty");
        assert_eq!(
            fault(|b| b["serviceOrderItem"][0]["service"]["name"] = json!("x")),
            "/serviceOrderItem/0/service/name"
        );
        assert_eq!(fault(|b| b["bogus"] = json!(1)), "/bogus");
    }

    #[test]
    fn everything_that_is_taken_is_official() {
        let file =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tmf/TMF641-ServiceOrdering-v4.1.0.swagger.json"));
        let official: Value = serde_json::from_str(file).unwrap();
        for (name, shape) in [("ServiceOrderItem", &SERVICE_ORDER_ITEM), ("ServiceRefOrValue", &SERVICE_REF_OR_VALUE)] {
            let properties = &official["definitions"][name]["properties"];
            for (attribute, _) in shape.attributes {
                let of_references = *attribute == "@referredType";
                assert!(of_references || properties.get(attribute).is_some(), "{name}.{attribute}");
            }
        }
    }
}
