//! What a request body may hold: the official attributes with their types, closed, and open where it says so.
//!
//! An unknown attribute is refused with its JSON pointer, unless the object it stands in carries `@schemaLocation`
//! (TMF630, extension pattern). No null and no empty text: an attribute without a value is left out. Times are read in any
//! RFC 3339 form and rewritten in ours, so that what is stored can be echoed as it is.

use serde_json::{Map, Value, json};

use super::time;
use crate::platform::error::{Error, Result};

/// The type of an attribute.
#[derive(Debug, Clone, Copy)]
pub enum Is {
    Text,
    Flag,
    Whole,
    /// `date-time`
    Time,
    /// The official definition says `Any`.
    Anything,
    One(&'static Shape),
    Many(&'static Shape),
}

/// An official definition.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its name, such as `ContactMedium`.
    pub name: &'static str,
    /// All but `@type`, `@baseType` and `@schemaLocation`, which every object may have.
    pub attributes: &'static [(&'static str, Is)],
    pub required: &'static [&'static str],
}

/// Checks a body and rewrites its times. The fault names the JSON pointer of its place.
pub fn check(body: &mut Value, shape: &Shape) -> Result<()> {
    object(body, shape, "")
}

/// The same for a part of a body that stands at `pointer`.
pub fn check_at(part: &mut Value, shape: &Shape, pointer: &str) -> Result<()> {
    object(part, shape, pointer)
}

fn object(value: &mut Value, shape: &Shape, pointer: &str) -> Result<()> {
    let Value::Object(attributes) = value else {
        return Err(Error::invalid(pointer, format!("must be an object ({})", shape.name)));
    };
    if let Some(missing) = shape.required.iter().find(|name| !attributes.contains_key(**name)) {
        return Err(Error::invalid(format!("{pointer}/{missing}"), "is required"));
    }
    let open = is_open(attributes);
    for (name, value) in attributes {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let kind = shape.attributes.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        match kind {
            Some(kind) => attribute(value, kind, &pointer)?,
            None if matches!(name.as_str(), "@type" | "@baseType" | "@schemaLocation") => {
                attribute(value, Is::Text, &pointer)?;
            }
            None if open => attribute(value, Is::Anything, &pointer)?,
            None => {
                let message = format!("is not an attribute of {}; give @schemaLocation to extend it", shape.name);
                return Err(Error::invalid(pointer.chars().take(200).collect::<String>(), message));
            }
        }
    }
    Ok(())
}

fn is_open(attributes: &Map<String, Value>) -> bool {
    attributes.get("@schemaLocation").and_then(Value::as_str).is_some_and(|location| !location.is_empty())
}

fn attribute(value: &mut Value, kind: Is, pointer: &str) -> Result<()> {
    let fits = match (kind, &mut *value) {
        (_, Value::Null) => return Err(Error::invalid(pointer, "must not be null; leave it out")),
        (Is::Text, Value::String(text)) => !text.trim().is_empty(),
        (Is::Flag, Value::Bool(_)) => true,
        (Is::Whole, Value::Number(number)) => number.is_i64(),
        (Is::Time, Value::String(text)) => {
            let at = time::parse(text).map_err(|e| Error::invalid(pointer, e.to_string()))?;
            *text = time::format(at);
            true
        }
        (Is::Anything, value) => return anything(value, pointer),
        (Is::One(shape), value) => return object(value, shape, pointer),
        (Is::Many(shape), Value::Array(elements)) => {
            for (index, element) in elements.iter_mut().enumerate() {
                object(element, shape, &format!("{pointer}/{index}"))?;
            }
            true
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(Error::invalid(pointer, kind.expectation())) }
}

/// Any JSON, but no null anywhere: what we echo has none.
fn anything(value: &Value, pointer: &str) -> Result<()> {
    let below = |value: &Value, step: &str| anything(value, &format!("{pointer}/{step}"));
    match value {
        Value::Null => Err(Error::invalid(pointer, "must not be null; leave it out")),
        Value::Array(elements) => {
            elements.iter().enumerate().try_for_each(|(index, value)| below(value, &index.to_string()))
        }
        Value::Object(attributes) => attributes.iter().try_for_each(|(name, value)| below(value, name)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

impl Is {
    const fn expectation(self) -> &'static str {
        match self {
            Self::Text => "must be a text that is not empty",
            Self::Flag => "must be true or false",
            Self::Whole => "must be a whole number",
            Self::Time => "must be an RFC 3339 date-time",
            Self::Anything => "must be a value",
            Self::One(_) => "must be an object",
            Self::Many(_) => "must be an array",
        }
    }
}

/// The type of a characteristic's value, as `valueType` names it.
pub fn value_type(value: &Value) -> Value {
    json!(match value {
        Value::String(_) | Value::Null => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Shape = Shape { name: "TimePeriod", attributes: &[("startDateTime", Is::Time)], required: &[] };
    const NOTE: Shape =
        Shape { name: "Note", attributes: &[("text", Is::Text), ("validFor", Is::One(&PERIOD))], required: &["text"] };
    const THING: Shape = Shape {
        name: "Thing",
        attributes: &[
            ("name", Is::Text),
            ("count", Is::Whole),
            ("on", Is::Flag),
            ("any", Is::Anything),
            ("note", Is::Many(&NOTE)),
        ],
        required: &["name"],
    };

    fn fault(mut body: Value) -> String {
        match check(&mut body, &THING).unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_official_passes_and_times_take_our_form() {
        let mut body = json!({
            "name": "x", "count": 3, "on": false, "any": [1, {"a": "b"}], "@type": "Thing",
            "note": [{"text": "y", "validFor": {"startDateTime": "2026-05-10T17:00:00+08:00"}}]
        });
        check(&mut body, &THING).unwrap();
        assert_eq!(body["note"][0]["validFor"]["startDateTime"], "2026-05-10T09:00:00.000Z");
    }

    #[test]
    fn every_fault_names_its_place() {
        assert_eq!(fault(json!([])), "");
        assert_eq!(fault(json!({})), "/name");
        assert_eq!(fault(json!({"name": " "})), "/name");
        assert_eq!(fault(json!({"name": "x", "count": 1.5})), "/count");
        assert_eq!(fault(json!({"name": "x", "on": null})), "/on");
        assert_eq!(fault(json!({"name": "x", "any": [{"a": null}]})), "/any/0/a");
        assert_eq!(fault(json!({"name": "x", "note": [{"text": "y"}, {}]})), "/note/1/text");
        assert_eq!(
            fault(json!({"name": "x", "note": [{"text": "y", "validFor": {"startDateTime": "soon"}}]})),
            "/note/0/validFor/startDateTime"
        );
        assert_eq!(fault(json!({"name": "x", "a/b": 1})), "/a~1b");
    }

    #[test]
    fn an_object_is_open_where_it_says_so_and_only_there() {
        let mut body =
            json!({"name": "x", "@schemaLocation": "https://example.test/thing.json", "more": {"any": "thing"}});
        check(&mut body, &THING).unwrap();
        let outer =
            json!({"name": "x", "@schemaLocation": "https://example.test/t.json", "note": [{"text": "y", "more": 1}]});
        assert_eq!(fault(outer), "/note/0/more");
    }
}
