//! Parts of an answer: the list in it, and fields by their dotted paths. Names are those of the JSON.

use serde_json::{Map, Value};

/// The things that an answer lists: the array itself, or the only array of an envelope such as `{events, count, next}`.
/// `None` when the answer is about one thing.
pub(crate) fn listed(answer: &Value) -> Option<&[Value]> {
    match answer {
        Value::Array(things) => Some(things),
        Value::Object(members) if !members.contains_key("id") => {
            let mut inside = members.values().filter(|value| value.is_array() || value.is_object());
            let things = inside.next()?.as_array().filter(|things| things.iter().all(Value::is_object))?;
            inside.next().is_none().then_some(things.as_slice())
        }
        _ => None,
    }
}

/// A field that nothing in the answer has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoField {
    /// As it was asked for.
    pub(crate) path: String,
    /// Those that there are, in the order of the answer.
    pub(crate) known: Vec<String>,
}

/// Fields that somebody asked for.
#[derive(Debug, Clone)]
pub(crate) struct Fields(Vec<String>);

impl Fields {
    /// The paths as they were typed; `None` when there are none.
    pub(crate) fn new(paths: &[String]) -> Option<Self> {
        let paths: Vec<String> =
            paths.iter().map(|path| path.trim().to_owned()).filter(|path| !path.is_empty()).collect();
        (!paths.is_empty()).then_some(Self(paths))
    }

    /// The answer with these fields alone; of a list, each thing in it.
    ///
    /// # Errors
    /// A field that nothing in the answer has.
    pub(crate) fn of(&self, answer: &Value) -> Result<Value, NoField> {
        let things = listed(answer).unwrap_or(std::slice::from_ref(answer));
        if let Some(path) =
            self.0.iter().find(|path| !things.is_empty() && !things.iter().any(|thing| has(thing, path)))
        {
            return Err(NoField { path: path.clone(), known: known(things) });
        }
        let picked = |thing: &Value| self.0.iter().fold(Value::Null, |picked, path| with(picked, thing, path));
        match listed(answer) {
            Some(things) => Ok(things.iter().map(picked).collect()),
            None => Ok(picked(answer)),
        }
    }

    /// The answer as columns and rows, a column for each field.
    ///
    /// # Errors
    /// A field that nothing in the answer has.
    pub(crate) fn table(&self, answer: &Value) -> Result<Table, NoField> {
        let picked = self.of(answer)?;
        let things = listed(&picked).unwrap_or(std::slice::from_ref(&picked));
        let rows = things.iter().map(|thing| self.0.iter().map(|path| at(thing, path)).collect()).collect();
        Ok(Table { columns: self.0.clone(), rows })
    }
}

/// Columns by name, and a value for each in every row.
#[derive(Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Table {
    /// Every field of every thing, in the order in which they first appear; objects inside become dotted names, lists
    /// stay whole.
    pub(crate) fn of(answer: &Value) -> Self {
        let things = listed(answer).unwrap_or(std::slice::from_ref(answer));
        let flat: Vec<Map<String, Value>> = things.iter().map(flattened).collect();
        let mut columns: Vec<String> = Vec::new();
        for name in flat.iter().flat_map(Map::keys) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        // An object that is missing from one thing is null there: its members are the columns, not itself.
        let is_parent = |name: &str| columns.iter().any(|other| other.starts_with(&format!("{name}.")));
        let columns: Vec<String> = columns.iter().filter(|name| !is_parent(name)).cloned().collect();
        let cell = |thing: &Map<String, Value>, name: &String| thing.get(name).cloned().unwrap_or_default();
        let rows = flat.iter().map(|thing| columns.iter().map(|name| cell(thing, name)).collect()).collect();
        Self { columns, rows }
    }
}

/// One level of members with dotted names; what is no object has the one member `value`.
fn flattened(thing: &Value) -> Map<String, Value> {
    fn add(flat: &mut Map<String, Value>, prefix: &str, members: &Map<String, Value>) {
        for (name, value) in members {
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Object(members) if !members.is_empty() => add(flat, &name, members),
                value => {
                    flat.insert(name, value.clone());
                }
            }
        }
    }
    let mut flat = Map::new();
    match thing {
        Value::Object(members) => add(&mut flat, "", members),
        other => {
            flat.insert("value".to_owned(), other.clone());
        }
    }
    flat
}

/// The value at a path; below a list, the values of all its members.
fn at(thing: &Value, path: &str) -> Value {
    let Some((member, rest)) = split(path) else { return thing.clone() };
    match thing {
        Value::Array(things) => things.iter().map(|thing| at(thing, path)).collect(),
        other => at(&other[member], rest),
    }
}

/// Whether the path leads somewhere; below null or an empty list everything may be.
fn has(thing: &Value, path: &str) -> bool {
    let Some((member, rest)) = split(path) else { return true };
    match thing {
        Value::Null => true,
        Value::Array(things) => things.is_empty() || things.iter().any(|thing| has(thing, path)),
        Value::Object(members) => members.get(member).is_some_and(|value| has(value, rest)),
        _ => false,
    }
}

/// `picked`, and in it what `thing` has at the path, in the same place.
fn with(picked: Value, thing: &Value, path: &str) -> Value {
    let Some((member, rest)) = split(path) else { return thing.clone() };
    match thing {
        Value::Array(things) => {
            let mut before = picked.as_array().cloned().unwrap_or_default();
            before.resize(things.len(), Value::Null);
            before.into_iter().zip(things).map(|(picked, thing)| with(picked, thing, path)).collect()
        }
        Value::Object(members) => {
            let mut picked = picked.as_object().cloned().unwrap_or_default();
            let before = picked.remove(member).unwrap_or_default();
            let value = members.get(member).unwrap_or(&Value::Null);
            picked.insert(member.to_owned(), with(before, value, rest));
            picked.into()
        }
        _ => Value::Null,
    }
}

fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() { None } else { Some(path.split_once('.').unwrap_or((path, ""))) }
}

/// The fields that the things have, for somebody who asked for another one.
fn known(things: &[Value]) -> Vec<String> {
    fn add(known: &mut Vec<String>, prefix: &str, value: &Value) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    add(known, &name, value);
                }
            }
            Value::Array(things) if things.iter().any(Value::is_object) => {
                for thing in things {
                    add(known, prefix, thing);
                }
            }
            _ => {
                if !prefix.is_empty() && !known.iter().any(|name| name == prefix) {
                    known.push(prefix.to_owned());
                }
            }
        }
    }
    let mut names = Vec::new();
    for thing in things {
        add(&mut names, "", thing);
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(paths: &str) -> Fields {
        Fields::new(&paths.split(',').map(str::to_owned).collect::<Vec<_>>()).expect("fields of this test")
    }

    fn orders() -> Value {
        json!([
            {"id": "ORD-1", "state": "completed", "price": {"amount": "9.00", "currency": "SGD"}, "note": null,
             "items": [{"id": "OI-1", "action": "add"}, {"id": "OI-2", "action": "modify"}], "tags": ["a", "b"]},
            {"id": "ORD-2", "state": "failed", "price": null, "note": "x", "items": [], "tags": []},
        ])
    }

    #[test]
    fn a_list_is_an_array_or_the_only_one_in_an_envelope() {
        let length = |answer: Value| listed(&answer).map(<[Value]>::len);
        assert_eq!(length(json!([1, 2])), Some(2));
        assert_eq!(length(json!({"events": [{}], "count": 1, "next": 7})), Some(1));
        assert_eq!(length(json!({"ok": true, "checks": []})), Some(0));
        assert_eq!(length(json!({"id": "ORD-1", "items": [{}]})), None, "an order is one thing");
        assert_eq!(length(json!({"replicas": [{}], "ticks": [{}]})), None);
        assert_eq!(length(json!({"customerId": "C", "names": ["a"]})), None);
        assert_eq!(length(json!({"now": "x"})), None);
    }

    #[test]
    fn fields_keep_their_place_and_the_order_of_asking() {
        let picked = fields("state,price.amount,id").of(&orders()).expect("there are such fields");
        assert_eq!(picked[0].to_string(), r#"{"state":"completed","price":{"amount":"9.00"},"id":"ORD-1"}"#);
        assert_eq!(picked[1]["price"], Value::Null);
        assert_eq!(
            fields("items.id,items.action").of(&orders()[0]).expect("below a list"),
            json!({"items": [{"id": "OI-1", "action": "add"}, {"id": "OI-2", "action": "modify"}]})
        );
        let envelope = json!({"events": [{"seq": 1, "actor": "a"}], "count": 1});
        assert_eq!(fields("seq").of(&envelope).expect("of each event"), json!([{"seq": 1}]));
        assert_eq!(fields("whatever").of(&json!([])).expect("of nothing"), json!([]));
    }

    #[test]
    fn an_unknown_field_is_refused_with_those_there_are() {
        let refusal = fields("id,sate").of(&orders()).expect_err("no such field");
        let known = [
            "id",
            "state",
            "price.amount",
            "price.currency",
            "note",
            "items.id",
            "items.action",
            "tags",
            "price",
            "items",
        ];
        assert_eq!(refusal, NoField { path: "sate".into(), known: known.map(str::to_owned).to_vec() });
        assert!(fields("price.amuont").of(&orders()[0]).is_err());
    }

    #[test]
    fn objects_become_dotted_columns_and_lists_stay_whole() {
        let table = Table::of(&orders());
        assert_eq!(table.columns, ["id", "state", "price.amount", "price.currency", "note", "items", "tags"]);
        assert_eq!(table.rows[0][2], "9.00");
        assert_eq!(table.rows[1][2], Value::Null);
        assert_eq!(table.rows[0][6], json!(["a", "b"]));
        assert_eq!(Table::of(&json!(["a", "b"])).columns, ["value"]);
        let asked = fields("items.action,id").table(&orders()).expect("there are such fields");
        assert_eq!(asked.rows, [[json!(["add", "modify"]), json!("ORD-1")], [json!([]), json!("ORD-2")]]);
    }
}
