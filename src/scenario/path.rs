//! The path language of assertions and captures: `balances.data.remaining`, `$.items[0].id`,
//! `balances[allowanceType=data].remaining`.
//!
//! A segment after a dot names a field. On a list it is an index when it is a number, and otherwise looks an element
//! up by its natural key (see [`LOOKUP_KEYS`]); where two elements answer to it by different keys, nobody can say which
//! one was meant, and that is an error. Brackets are explicit: `[0]` an index, `['a.b']` a field, `[key=value]` the
//! first element whose field `key` has that value.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// The fields by which a bare name finds an element of a list.
pub const LOOKUP_KEYS: [&str; 5] = ["allowanceType", "type", "id", "name", "channel"];

/// A parsed path. The empty path is the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    segments: Vec<Segment>,
}

/// Why a path led nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is nothing at the path.
    #[error("path did not resolve: `{path}` ({why})")]
    Missing {
        /// The whole path, as written.
        path: String,
        /// What was missing.
        why: String,
    },
    /// A bare name finds different elements by different keys.
    #[error("path is ambiguous: `{path}` ({why})")]
    Ambiguous {
        /// The whole path, as written.
        path: String,
        /// Which elements compete.
        why: String,
    },
}

/// The text is not a path; says what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a path: {why}")]
pub struct NotAPath {
    path: String,
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Name(String),
    Field(String),
    Index(usize),
    Where { key: String, value: String },
}

impl Path {
    /// The path of the value itself.
    pub fn root() -> Self {
        Self { text: "$".to_owned(), segments: Vec::new() }
    }

    /// The value at this path.
    pub fn resolve<'v>(&self, root: &'v Value) -> Result<&'v Value, PathError> {
        self.segments.iter().try_fold(root, |value, segment| self.step(value, segment))
    }

    fn step<'v>(&self, value: &'v Value, segment: &Segment) -> Result<&'v Value, PathError> {
        match (segment, value) {
            (Segment::Name(name) | Segment::Field(name), Value::Object(fields)) => {
                fields.get(name).ok_or_else(|| self.missing(format!("no `{name}`")))
            }
            (Segment::Name(name), Value::Array(items)) => match name.parse::<usize>() {
                Ok(index) => self.item(items, index),
                Err(_) => self.look_up(items, name),
            },
            (Segment::Index(index), Value::Array(items)) => self.item(items, *index),
            (Segment::Where { key, value }, Value::Array(items)) => items
                .iter()
                .find(|item| item.get(key).is_some_and(|found| is_called(found, value)))
                .ok_or_else(|| self.missing(format!("no element with {key}={value} among {}", items.len()))),
            (Segment::Field(_), Value::Array(_)) => Err(self.missing("a field was asked of a list".to_owned())),
            (Segment::Index(_) | Segment::Where { .. }, Value::Object(_)) => {
                Err(self.missing("an element was asked of a map".to_owned()))
            }
            (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                Err(self.missing(format!("{value} holds nothing")))
            }
        }
    }

    fn item<'v>(&self, items: &'v [Value], index: usize) -> Result<&'v Value, PathError> {
        items.get(index).ok_or_else(|| self.missing(format!("no element {index} among {}", items.len())))
    }

    fn look_up<'v>(&self, items: &'v [Value], name: &str) -> Result<&'v Value, PathError> {
        let mut matches = items.iter().filter_map(|item| {
            let keys = keys_called(item, name);
            (!keys.is_empty()).then_some((item, keys))
        });
        let Some((first, first_keys)) = matches.next() else {
            return Err(self.missing(format!("no element called `{name}` among {}", items.len())));
        };
        if let Some((_, other)) = matches.find(|(_, keys)| !keys.iter().any(|key| first_keys.contains(key))) {
            let why = format!("`{name}` is the {} of one element and the {} of another", first_keys[0], other[0]);
            return Err(PathError::Ambiguous { path: self.text.clone(), why });
        }
        Ok(first)
    }

    fn missing(&self, why: String) -> PathError {
        PathError::Missing { path: self.text.clone(), why }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Path {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let fail = |why| NotAPath { path: text.to_owned(), why };
        let mut segments = Vec::new();
        let mut rest = text;
        let mut name_may_follow = true; // at the very start and behind a dot
        if let Some(after) = text.strip_prefix('$') {
            rest = after;
            name_may_follow = false;
        }
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (inside, behind) = after.split_once(']').ok_or_else(|| fail("a bracket stays open"))?;
                segments.push(bracket(inside).map_err(fail)?);
                rest = behind;
                name_may_follow = false;
            } else if name_may_follow {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                segments.push(Segment::Name(name(&rest[..end]).map_err(fail)?));
                rest = &rest[end..];
                name_may_follow = false;
            } else {
                rest = rest.strip_prefix('.').ok_or_else(|| fail("a dot or bracket is missing"))?;
                name_may_follow = true;
                if rest.is_empty() || rest.starts_with('[') {
                    return Err(fail("a name is missing behind the dot"));
                }
            }
        }
        if segments.is_empty() && text != "$" {
            return Err(fail("it is empty"));
        }
        Ok(Self { text: text.to_owned(), segments })
    }
}

fn name(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | ' ' | ':' | '+' | '/');
    match text {
        "" => Err("a name is empty"),
        _ if !text.chars().all(is_plain) => {
            Err("only names, indexes and [key=value] are understood; quote others as ['name']")
        }
        _ => Ok(text.to_owned()),
    }
}

fn bracket(inside: &str) -> Result<Segment, &'static str> {
    let inside = inside.trim();
    if let Some(quoted) = unquoted(inside) {
        return Ok(Segment::Field(quoted.to_owned()));
    }
    if let Some((key, value)) = inside.split_once('=') {
        let (key, value) = (key.trim(), value.trim());
        let value = unquoted(value).unwrap_or(value);
        if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err("write [key=value] to choose an element");
        }
        return Ok(Segment::Where { key: key.to_owned(), value: value.to_owned() });
    }
    inside.parse().map(Segment::Index).map_err(|_| "a bracket holds an index, a quoted name or key=value")
}

fn unquoted(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

fn keys_called(item: &Value, name: &str) -> Vec<&'static str> {
    LOOKUP_KEYS.into_iter().filter(|key| item.get(key).is_some_and(|found| is_called(found, name))).collect()
}

fn is_called(found: &Value, name: &str) -> bool {
    match found {
        Value::String(text) => text == name,
        Value::Number(number) => number.to_string() == name,
        Value::Bool(flag) => flag.to_string() == name,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "id": "SUB-0042",
            "state": "active",
            "nothing": null,
            "odd.name": 1,
            "balances": [
                { "allowanceType": "voice", "remaining": 100, "name": "Minutes" },
                { "allowanceType": "data", "remaining": 5120, "id": 7 },
                { "allowanceType": "data", "remaining": 1 },
            ],
            "grid": [[1, 2], [3, 4]],
            "codes": { "0": "zero" },
        })
    }

    #[test]
    fn paths_find_their_values() {
        let cases = [
            ("$", sample()),
            ("state", json!("active")),
            ("$.state", json!("active")),
            ("nothing", json!(null)),
            ("$['odd.name']", json!(1)),
            ("['odd.name']", json!(1)),
            ("balances.data.remaining", json!(5120)),
            ("balances.Minutes.remaining", json!(100)),
            ("balances.7.remaining", json!("none")), // a number is an index
            ("balances.0.remaining", json!(100)),
            ("balances[0].remaining", json!(100)),
            ("balances[allowanceType=data].remaining", json!(5120)),
            ("balances[allowanceType='data'].remaining", json!(5120)),
            ("balances[id=7].remaining", json!(5120)),
            ("balances[remaining=1].allowanceType", json!("data")),
            ("grid[1][0]", json!(3)),
            ("grid.1.0", json!(3)),
            ("codes.0", json!("zero")),
        ];
        for (path, expected) in cases {
            let found = path.parse::<Path>().expect(path).resolve(&sample()).cloned().unwrap_or(json!("none"));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn a_list_at_the_root_is_entered_like_any_other() {
        let list = json!([{ "id": "SUB-1", "allowanceType": "data" }, { "id": "SUB-2" }]);
        for (path, expected) in
            [("$[1].id", "SUB-2"), ("0.id", "SUB-1"), ("data.id", "SUB-1"), ("[id=SUB-2].id", "SUB-2")]
        {
            assert_eq!(path.parse::<Path>().expect(path).resolve(&list), Ok(&json!(expected)), "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (path, why) in [
            ("balances.sms.remaining", "no element called `sms` among 3"),
            ("state.x", "\"active\" holds nothing"),
            ("nope", "no `nope`"),
            ("balances[9]", "no element 9 among 3"),
            ("balances[allowanceType=sms]", "no element with allowanceType=sms among 3"),
            ("codes[0]", "an element was asked of a map"),
        ] {
            let error = path.parse::<Path>().expect(path).resolve(&sample()).expect_err(path);
            assert_eq!(error.to_string(), format!("path did not resolve: `{path}` ({why})"));
        }
    }

    #[test]
    fn a_name_that_fits_two_elements_by_different_keys_is_refused() {
        let list = json!({ "items": [{ "type": "data", "n": 1 }, { "name": "data", "n": 2 }] });
        let error = "items.data.n".parse::<Path>().expect("a path").resolve(&list).expect_err("two fit");
        assert_eq!(
            error.to_string(),
            "path is ambiguous: `items.data.n` (`data` is the type of one element and the name of another)"
        );
        assert_eq!("items[name=data].n".parse::<Path>().expect("a path").resolve(&list), Ok(&json!(2)));

        let same_key = json!([{ "type": "data", "name": "data", "n": 1 }, { "type": "data", "n": 2 }]);
        assert_eq!("data.n".parse::<Path>().expect("a path").resolve(&same_key), Ok(&json!(1)));
    }

    #[test]
    fn other_dialects_are_refused_at_once() {
        for text in [
            "",
            "a..b",
            "$..id",
            "a[",
            "a[]",
            "a[*]",
            "$[?(@.x=='y')]",
            "a.",
            ".a",
            "$x",
            "a]b",
            "a.*",
            "a.[0]",
            "a[-1]",
        ] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }
}
