//! What the official definitions let a caller send, read from `official.txt`: closed, and open where a body says so.
//!
//! `official.txt` has one definition per line, made from the official files by `tests/it/official.rs`, which also proves
//! that it is not older than they are: `TMF620.Category_Create name!:text validFor:TimePeriod …`. A `!` marks what is
//! required, `[X]` an array, `[X]+` one that is not empty, `=a|b` a closed list of words.
//!
//! The rules are those of [`shape`](super::shape): an unknown attribute is refused with its JSON pointer unless the object
//! it stands in carries `@schemaLocation`; no null and no empty text; times are rewritten in our form, so that what is kept
//! can be echoed as it is. In a merge patch a null removes an attribute, and nothing is required at the top.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::time;
use crate::platform::error::{Error, Result};

const TABLE: &str = include_str!("official.txt");

/// Most elements of one array. A body is bounded in bytes already; this keeps what is stored and shown readable.
const ELEMENTS_MAX: usize = 100;

static DEFINITIONS: LazyLock<HashMap<&'static str, Definition>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, attributes)| (name, Definition::read(name, attributes))).collect()
});

struct Definition {
    attributes: Vec<Attribute>,
}

struct Attribute {
    name: &'static str,
    required: bool,
    kind: Kind,
}

enum Kind {
    Text,
    Flag,
    Whole,
    Number,
    Time,
    Any,
    Word(Vec<&'static str>),
    /// Full name of the definition.
    One(String),
    Many {
        element: Box<Kind>,
        required: bool,
    },
}

impl Definition {
    fn read(name: &str, attributes: &'static str) -> Self {
        let api = name.split('.').next().unwrap_or_default();
        let attribute = |text: &'static str| {
            let (name, kind) = text.split_once(':')?;
            let required = name.ends_with('!');
            Some(Attribute { name: name.trim_end_matches('!'), required, kind: Kind::read(api, kind) })
        };
        Self { attributes: attributes.split(' ').filter_map(attribute).collect() }
    }
}

impl Kind {
    fn read(api: &str, text: &'static str) -> Self {
        if let Some(words) = text.strip_prefix('=') {
            return Self::Word(words.split('|').collect());
        }
        if let Some(rest) = text.strip_prefix('[') {
            let required = rest.ends_with('+');
            let element = Self::read(api, rest.trim_end_matches('+').trim_end_matches(']'));
            return Self::Many { element: Box::new(element), required };
        }
        match text {
            "text" => Self::Text,
            "flag" => Self::Flag,
            "whole" => Self::Whole,
            "number" => Self::Number,
            "time" => Self::Time,
            "any" => Self::Any,
            name => Self::One(format!("{api}.{name}")),
        }
    }
}

/// Checks the body of a POST against a definition such as `TMF620.Category_Create`, and rewrites its times.
pub fn created(body: Value, definition: &str) -> Result<Map<String, Value>> {
    checked(body, definition, false)
}

/// Checks a JSON merge patch against a definition such as `TMF620.Category_Update`, and rewrites its times.
pub fn patch(body: Value, definition: &str) -> Result<Map<String, Value>> {
    checked(body, definition, true)
}

fn checked(mut body: Value, definition: &str, patch: bool) -> Result<Map<String, Value>> {
    object(&mut body, definition, "", patch)?;
    match body {
        Value::Object(attributes) => Ok(attributes),
        _ => Err(Error::invalid("", "must be an object")),
    }
}

fn object(value: &mut Value, definition: &str, pointer: &str, patch: bool) -> Result<()> {
    let name = definition.split_once('.').map_or(definition, |(_, name)| name);
    let known =
        DEFINITIONS.get(definition).ok_or_else(|| Error::Internal(format!("official.txt lacks {definition}")))?;
    let Value::Object(attributes) = value else {
        return Err(Error::invalid(pointer, format!("must be an object ({name})")));
    };
    let missing = |attribute: &&Attribute| attribute.required && !attributes.contains_key(attribute.name);
    if let Some(missing) = known.attributes.iter().find(missing).filter(|_| !patch) {
        return Err(Error::invalid(format!("{pointer}/{}", missing.name), "is required"));
    }
    let open = attributes.get("@schemaLocation").and_then(Value::as_str).is_some_and(|at| !at.is_empty());
    for (name, value) in attributes {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        match known.attributes.iter().find(|attribute| attribute.name == name.as_str()) {
            Some(_) if patch && value.is_null() => {}
            Some(attribute) => check(value, &attribute.kind, &pointer, patch)?,
            None if name == "@schemaLocation" => check(value, &Kind::Text, &pointer, patch)?,
            None if open => check(value, &Kind::Any, &pointer, patch)?,
            None => {
                let of = definition.split_once('.').map_or(definition, |(_, name)| name);
                let message = format!("is not an attribute of {of}; give @schemaLocation to extend it");
                return Err(Error::invalid(pointer.chars().take(200).collect::<String>(), message));
            }
        }
    }
    Ok(())
}

fn check(value: &mut Value, kind: &Kind, pointer: &str, patch: bool) -> Result<()> {
    let fits = match (kind, &mut *value) {
        (_, Value::Null) => return Err(Error::invalid(pointer, "must not be null; leave it out")),
        (Kind::Text, Value::String(text)) => !text.trim().is_empty(),
        (Kind::Flag, Value::Bool(_)) | (Kind::Number, Value::Number(_)) => true,
        (Kind::Whole, Value::Number(number)) => number.is_i64(),
        (Kind::Word(words), Value::String(text)) => words.contains(&text.as_str()),
        (Kind::Time, Value::String(text)) => {
            let at = time::parse(text).map_err(|e| Error::invalid(pointer, e.to_string()))?;
            *text = time::format(at);
            true
        }
        (Kind::Any, value) => return anything(value, pointer),
        (Kind::One(definition), value) => return object(value, definition, pointer, patch),
        (Kind::Many { element, required }, Value::Array(elements)) => {
            if elements.len() > ELEMENTS_MAX {
                return Err(Error::invalid(pointer, format!("may have {ELEMENTS_MAX} elements")));
            }
            // An array of a merge patch replaces the whole: inside it nothing is patched.
            for (index, value) in elements.iter_mut().enumerate() {
                check(value, element, &format!("{pointer}/{index}"), false)?;
            }
            !(*required && elements.is_empty())
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(Error::invalid(pointer, kind.expectation())) }
}

/// Any JSON, but no null anywhere: what we echo has none.
fn anything(value: &Value, pointer: &str) -> Result<()> {
    match value {
        Value::Null => Err(Error::invalid(pointer, "must not be null; leave it out")),
        Value::Array(elements) => {
            elements.iter().enumerate().try_for_each(|(index, value)| anything(value, &format!("{pointer}/{index}")))
        }
        Value::Object(attributes) => {
            attributes.iter().try_for_each(|(name, value)| anything(value, &format!("{pointer}/{name}")))
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

impl Kind {
    fn expectation(&self) -> String {
        match self {
            Self::Text => "must be a text that is not empty".into(),
            Self::Flag => "must be true or false".into(),
            Self::Whole => "must be a whole number".into(),
            Self::Number => "must be a number".into(),
            Self::Time => "must be an RFC 3339 date-time".into(),
            Self::Any => "must be a value".into(),
            Self::Word(words) => format!("must be one of {}", words.join(", ")),
            Self::One(_) => "must be an object".into(),
            Self::Many { required: true, .. } => "must be an array with at least one element".into(),
            Self::Many { .. } => "must be an array".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault<T: std::fmt::Debug>(answer: Result<T>) -> String {
        match answer.unwrap_err() {
            Error::Invalid { pointer, .. } => pointer,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_definition_that_is_named_is_there() {
        assert!(DEFINITIONS.len() > 50, "{}", DEFINITIONS.len());
        fn names(kind: &Kind) -> Option<&str> {
            match kind {
                Kind::One(name) => Some(name),
                Kind::Many { element, .. } => names(element),
                _ => None,
            }
        }
        for (name, definition) in DEFINITIONS.iter() {
            assert!(!definition.attributes.is_empty(), "{name} has no attributes");
            for kind in definition.attributes.iter().filter_map(|attribute| names(&attribute.kind)) {
                assert!(DEFINITIONS.contains_key(kind), "{name} names {kind}");
            }
        }
    }

    #[test]
    fn what_is_official_passes_and_times_take_our_form() {
        let body = json!({ "name": "Plans", "validFor": { "startDateTime": "2026-05-10T17:00:00+08:00" } });
        let read = created(body, "TMF620.Category_Create").unwrap();
        assert_eq!(read["validFor"]["startDateTime"], "2026-05-10T09:00:00.000Z");
    }

    #[test]
    fn every_fault_names_its_place() {
        let post = |body: Value| fault(created(body, "TMF620.Category_Create"));
        assert_eq!(post(json!([])), "");
        assert_eq!(post(json!({})), "/name");
        assert_eq!(post(json!({ "name": " " })), "/name");
        assert_eq!(post(json!({ "name": "x", "isRoot": "yes" })), "/isRoot");
        assert_eq!(post(json!({ "name": "x", "parentId": null })), "/parentId");
        assert_eq!(post(json!({ "name": "x", "productOffering": [{ "id": "A" }, {}] })), "/productOffering/1/id");
        assert_eq!(post(json!({ "name": "x", "loyalty": 1 })), "/loyalty");
        assert_eq!(
            fault(created(json!({ "name": "x", "@type": "T", "expirationDate": "x" }), "TMF620.Category_Create")),
            "/expirationDate"
        );
        let top_up =
            json!({ "amount": {}, "bucket": { "id": "B" }, "partyAccount": { "id": "A" }, "usageType": "fax" });
        assert_eq!(fault(created(top_up, "TMF654.TopupBalance_Create")), "/usageType");
    }

    #[test]
    fn a_patch_may_remove_and_lack_but_not_invent() {
        let read = patch(json!({ "description": null, "validFor": { "endDateTime": null } }), "TMF620.Category_Update");
        assert_eq!(read.unwrap()["description"], Value::Null);
        assert_eq!(fault(patch(json!({ "id": "X" }), "TMF620.Category_Update")), "/id");
        let listed = json!({ "productOffering": [{ "id": "A", "name": null }] });
        assert_eq!(fault(patch(listed, "TMF620.Category_Update")), "/productOffering/0/name");
    }

    #[test]
    fn an_object_is_open_where_it_says_so_and_only_there() {
        let open = json!({ "name": "x", "@schemaLocation": "https://example.test/x.json", "more": { "any": 1 } });
        assert!(created(open, "TMF620.Category_Create").is_ok());
        let outer = json!({ "name": "x", "@schemaLocation": "https://example.test/x.json",
            "productOffering": [{ "id": "A", "more": 1 }] });
        assert_eq!(fault(created(outer, "TMF620.Category_Create")), "/productOffering/0/more");
    }
}
