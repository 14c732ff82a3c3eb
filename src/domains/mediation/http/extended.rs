//! Usage that says more than what is rated: the official rest is kept beside the event and echoed.

use serde_json::{Map, Value};

use super::{CreateBody, specification};
use crate::domains::mediation::port::NewUsage;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::tmf::{merge, official};

/// What [`CreateBody`] reads of the body, and of each of its characteristics.
const USED: &[&str] =
    &["usageType", "usageDate", "usageCharacteristic", "@type", "status", "relatedParty", "ratedProductUsage"];
const USED_OF_CHARACTERISTIC: &[&str] = &["name", "value", "valueType", "@type"];

/// Reads a body that is checked against the whole official definition.
pub(super) fn usage(cx: &Context, body: Value, idempotency_key: Option<String>) -> Result<NewUsage> {
    let mut body = official::created(body, "TMF635.Usage_Create")?;
    for required in ["usageType", "usageDate", "usageCharacteristic"] {
        if !body.contains_key(required) {
            return Err(Error::invalid(format!("/{required}"), "is required here"));
        }
    }
    let mut kept = split(&mut body, USED);
    let named = specified(&mut kept)?;
    // By name: what is echoed is given to the characteristic of that name.
    let mut of_characteristics = Map::new();
    if let Some(Value::Array(characteristics)) = body.get_mut("usageCharacteristic") {
        for characteristic in characteristics.iter_mut().filter_map(Value::as_object_mut) {
            let rest = split(characteristic, USED_OF_CHARACTERISTIC);
            let name = characteristic.get("name").and_then(Value::as_str).unwrap_or_default();
            if !rest.is_empty() {
                of_characteristics.insert(name.to_owned(), Value::Object(rest));
            }
        }
    }
    if !of_characteristics.is_empty() {
        kept.insert("usageCharacteristic".to_owned(), Value::Object(of_characteristics));
    }
    let body: CreateBody<'_> = serde_path_to_error::deserialize(Value::Object(body)).map_err(|error| {
        Error::invalid(
            crate::platform::http::extract::pointer(error.path()),
            crate::platform::http::extract::strip_position(&error.inner().to_string()),
        )
    })?;
    let mut usage = body.usage(cx, idempotency_key)?;
    let own = specification::id_of(usage.usage_type);
    if named.is_some_and(|named| named != own) {
        return Err(Error::invalid("/usageSpecification/id", format!("must be {own} for this type of usage")));
    }
    usage.attributes = (!kept.is_empty()).then(|| Box::new(Value::Object(kept)));
    Ok(usage)
}

/// Takes out what a caller says of the specification that is ours to say; what else it says stays.
fn specified(kept: &mut Map<String, Value>) -> Result<Option<String>> {
    let Some(Value::Object(reference)) = kept.get_mut("usageSpecification") else { return Ok(None) };
    let id = reference.shift_remove("id").and_then(|id| id.as_str().map(str::to_owned));
    for ours in ["href", "name", "@type", "@referredType"] {
        reference.shift_remove(ours);
    }
    if reference.is_empty() {
        kept.shift_remove("usageSpecification");
    }
    id.map(Some).ok_or_else(|| Error::invalid("/usageSpecification/id", "is required"))
}

/// Takes everything but `used` out of an object.
fn split(object: &mut Map<String, Value>, used: &[&str]) -> Map<String, Value> {
    let (taken, rest) = std::mem::take(object).into_iter().partition(|(name, _)| used.contains(&name.as_str()));
    *object = taken;
    rest
}

/// Gives back what was kept.
pub(super) fn echo(body: &mut Value, kept: &Value) {
    let Value::Object(kept) = kept else { return };
    if let (Some(Value::Object(rests)), Some(Value::Array(characteristics))) =
        (kept.get("usageCharacteristic"), body.get_mut("usageCharacteristic"))
    {
        for characteristic in characteristics {
            let name = characteristic["name"].as_str().unwrap_or_default().to_owned();
            if let Some(Value::Object(rest)) = rests.get(&name) {
                merge::echo(characteristic, rest);
            }
        }
    }
    merge::echo(body, kept);
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Result<NewUsage> {
        let cx = Context::system("test", "r-1".to_owned(), DateTime::UNIX_EPOCH);
        let mut body = json!({
            "usageType": "data", "usageDate": "2026-05-11T20:30:00+08:00",
            "usageCharacteristic": [{ "name": "msisdn", "value": "90000123" }, { "name": "quantity", "value": 120 }]
        });
        change(&mut body);
        usage(&cx, body, None)
    }

    #[test]
    fn the_official_rest_is_kept_and_given_back() {
        let usage = read(|body| {
            body["description"] = json!("video");
            body["usageSpecification"] = json!({ "id": "USPEC_DATA", "@baseType": "x" });
            body["usageCharacteristic"][1]["id"] = json!("c-2");
        })
        .unwrap();
        let kept = usage.attributes.expect("something is kept");
        let mut body = json!({ "usageType": "data", "usageCharacteristic": [{ "name": "quantity", "value": 120 }] });
        echo(&mut body, &kept);
        assert_eq!(
            body,
            json!({ "usageType": "data", "description": "video", "usageSpecification": { "@baseType": "x" },
                "usageCharacteristic": [{ "name": "quantity", "value": 120, "id": "c-2" }] })
        );
        assert_eq!(read(|_| ()).unwrap().attributes, None);
    }

    #[test]
    fn what_is_unknown_or_ours_is_refused_by_place() {
        let fault = |change: fn(&mut Value)| match read(change) {
            Err(Error::Invalid { pointer, .. }) => pointer,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(|body| body["speed"] = json!(1)), "/speed");
        assert_eq!(fault(|body| body["usageCharacteristic"][0]["speed"] = json!(1)), "/usageCharacteristic/0/speed");
        assert_eq!(fault(|body| body["status"] = json!("rated")), "/status");
        assert!(
            read(|body| {
                body["speed"] = json!(1);
                body["@schemaLocation"] = json!("https://example.test/usage.json");
            })
            .unwrap()
            .attributes
            .is_some()
        );
    }
}
