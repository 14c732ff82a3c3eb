//! Holds a payload against the tables in [`super::promises`].

use bss::platform::tmf::time;
use serde_json::{Map, Value, json};

use super::Api;
use super::promises::{EXTENSIONS, RULES, Rules};

/// The declared extension attributes of a definition.
pub(crate) fn extensions(api: Api, definition: &str) -> Map<String, Value> {
    EXTENSIONS
        .iter()
        .filter(|(of, name, ..)| of.is_none_or(|of| of == api) && *name == definition)
        .map(|(_, _, attribute, schema)| {
            ((*attribute).to_owned(), serde_json::from_str(schema).expect("an extension's schema is JSON"))
        })
        .collect()
}

/// What the resource must have in the state it is in, as paths.
pub(crate) fn must_haves(api: Api, resource: &str, value: &Value) -> Vec<&'static str> {
    if resource == "Error" {
        return vec!["/code", "/reason", "/message", "/status", "/requestId"];
    }
    let Some(rules) = rules(api, resource) else { return Vec::new() };
    let due = rules
        .when
        .iter()
        .filter(|when| value.pointer(when.path).and_then(Value::as_str).is_some_and(|found| when.is.contains(&found)));
    rules.always.iter().chain(due.flat_map(|when| when.must)).copied().collect()
}

/// The closed lists of words of a resource: path and words.
pub(crate) fn words(api: Api, resource: &str) -> &'static [(&'static str, &'static [&'static str])] {
    rules(api, resource).map_or(&[], |rules| rules.words)
}

pub(super) fn rules(api: Api, resource: &str) -> Option<&'static Rules> {
    RULES.iter().find(|rules| rules.api == api && rules.resource == resource)
}

pub(super) fn check(api: Api, resource: &str, value: &Value, faults: &mut Vec<String>) {
    for path in must_haves(api, resource, value) {
        for (pointer, found) in resolve(value, path) {
            match found {
                None => faults.push(format!("{pointer}: is missing, our product promises it")),
                Some(found) if is_empty(found) => faults.push(format!("{pointer}: is empty")),
                Some(_) => {}
            }
        }
    }
    let Some(rules) = rules(api, resource) else { return };
    for (path, words) in rules.words {
        for (pointer, found) in resolve(value, path) {
            if let Some(Value::String(found)) = found
                && !words.contains(&found.as_str())
            {
                faults.push(format!("{pointer}: {found:?} is none of {words:?}"));
            }
        }
    }
    for path in rules.times {
        for (pointer, found) in resolve(value, path) {
            let canonical = |text: &str| time::parse(text).is_ok_and(|at| time::format(at) == text);
            if found.is_some_and(|found| !found.as_str().is_some_and(canonical)) {
                faults.push(format!("{pointer}: is not a date-time in our format"));
            }
        }
    }
    for (path, names) in rules.named {
        let held = value.pointer(path).and_then(Value::as_array);
        for name in *names {
            let wanted = json!(name);
            if !held.is_some_and(|held| held.iter().any(|element| element.get("name") == Some(&wanted))) {
                faults.push(format!("{path}: has no {name}"));
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(attributes) => attributes.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Every place a path stands for, with what is there. A missing array has no elements; any other missing step is a
/// missing attribute.
pub(super) fn resolve<'a>(value: &'a Value, path: &str) -> Vec<(String, Option<&'a Value>)> {
    let mut places = vec![(String::new(), Some(value))];
    for step in path.split('/').skip(1) {
        places = places
            .into_iter()
            .flat_map(|(pointer, place)| match (step, place) {
                ("*", Some(Value::Array(elements))) => {
                    elements.iter().enumerate().map(|(i, element)| (format!("{pointer}/{i}"), Some(element))).collect()
                }
                ("*", _) => Vec::new(),
                (name, place) => vec![(format!("{pointer}/{name}"), place.and_then(|place| place.get(name)))],
            })
            .collect();
    }
    places
}
