//! JSON merge patch (RFC 7396), and the attributes that we only keep and echo.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::platform::error::{Error, Result};

/// What a caller once sent and we only keep, to be written beside what is ours: `#[serde(flatten)]` it into the resource.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    theirs: &'a Map<String, Value>,
    ours: &'static [&'static str],
}

impl<'a> Kept<'a> {
    /// All of `theirs` but the names that are `ours`.
    pub const fn beside(ours: &'static [&'static str], theirs: &'a Map<String, Value>) -> Self {
        Self { theirs, ours }
    }
}

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.theirs.iter().filter(|(name, _)| !self.ours.contains(&name.as_str())))
    }
}

/// Applies a merge patch: an object goes into an object, a null removes, everything else replaces.
pub fn apply(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => {
                target.shift_remove(&name);
            }
            Value::Object(below) => {
                let inner = target.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                if let Value::Object(inner) = inner {
                    apply(inner, below);
                }
            }
            whole => {
                target.insert(name, whole);
            }
        }
    }
}

/// Adds what a caller once sent and we only keep, at every level of objects; what is ours stays ours.
pub fn echo(ours: &mut Value, theirs: &Map<String, Value>) {
    let Value::Object(ours) = ours else { return };
    for (name, value) in theirs {
        match (ours.get_mut(name), value) {
            (None, _) => {
                ours.insert(name.clone(), value.clone());
            }
            (Some(inner), Value::Object(below)) => echo(inner, below),
            (Some(_), _) => {}
        }
    }
}

/// Refuses attributes that are ours to give.
pub fn refuse(body: &Map<String, Value>, ours: &[&str]) -> Result<()> {
    match ours.iter().find(|name| body.contains_key(**name)) {
        Some(name) => Err(Error::invalid(format!("/{name}"), "is ours to give; leave it out")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(target: Value, patch: Value) -> Value {
        let (Value::Object(mut target), Value::Object(patch)) = (target, patch) else { panic!("objects") };
        apply(&mut target, patch);
        Value::Object(target)
    }

    /// Appendix A of RFC 7396, as far as both sides are objects.
    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(merged(json!({"a": "b"}), json!({"a": "c"})), json!({"a": "c"}));
        assert_eq!(merged(json!({"a": "b"}), json!({"b": "c"})), json!({"a": "b", "b": "c"}));
        assert_eq!(merged(json!({"a": "b"}), json!({"a": null})), json!({}));
        assert_eq!(merged(json!({"a": "b", "b": "c"}), json!({"a": null})), json!({"b": "c"}));
        assert_eq!(merged(json!({"a": ["b"]}), json!({"a": "c"})), json!({"a": "c"}));
        assert_eq!(merged(json!({"a": "c"}), json!({"a": ["b"]})), json!({"a": ["b"]}));
        assert_eq!(merged(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}})), json!({"a": {"b": "d"}}));
        assert_eq!(merged(json!({"a": [{"b": "c"}]}), json!({"a": [1]})), json!({"a": [1]}));
        assert_eq!(merged(json!({"e": null}), json!({"a": 1})), json!({"e": null, "a": 1}));
        assert_eq!(merged(json!({}), json!({"a": {"bb": {"ccc": null}}})), json!({"a": {"bb": {}}}));
        assert_eq!(merged(json!({"a": "foo"}), json!({"a": {"b": 1}})), json!({"a": {"b": 1}}));
    }

    #[test]
    fn what_is_kept_is_written_beside_what_is_ours() {
        #[derive(Serialize)]
        struct Resource<'a> {
            id: &'a str,
            #[serde(flatten)]
            kept: Kept<'a>,
        }
        let theirs = json!({"id": "Y", "description": "d", "part": [{"n": 1}]});
        let kept = Kept::beside(&["id"], theirs.as_object().expect("an object"));
        let text = serde_json::to_string(&Resource { id: "X", kept }).expect("JSON");
        assert_eq!(text, r#"{"id":"X","description":"d","part":[{"n":1}]}"#);
    }

    #[test]
    fn what_is_ours_stays_ours() {
        let mut body = json!({"id": "X", "account": {"id": "A"}});
        let kept = json!({"id": "Y", "description": "d", "account": {"id": "B", "name": "n"}});
        echo(&mut body, kept.as_object().expect("an object"));
        assert_eq!(body, json!({"id": "X", "account": {"id": "A", "name": "n"}, "description": "d"}));
    }
}
