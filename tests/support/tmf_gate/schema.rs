//! From the official Swagger definitions to a closed JSON Schema (draft 7).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Mode;

/// The schema of one definition in which every object has its official attributes and the extensions, and no other.
/// `None` if there is no such definition.
///
/// - `allOf` is merged into one object first: two schemas that are each closed could never both hold.
/// - `@type` may name the definition, one built on it by `allOf`, or for `XRefOrValue` also `X` and `XRef`; the
///   attributes of the named one are then allowed on top.
/// - An object with a `@schemaLocation` from `schema_locations` (in a request: with any) is open.
pub(crate) fn closed(
    definitions: &Map<String, Value>,
    name: &str,
    mode: Mode,
    schema_locations: &[&str],
    extensions: &dyn Fn(&str) -> Map<String, Value>,
) -> Option<Value> {
    definitions.get(name)?;
    let closer = Closer { definitions, mode, schema_locations, extensions };
    let mut all: Map<String, Value> =
        definitions.iter().map(|(name, schema)| (name.clone(), closer.definition(name, schema))).collect();
    if mode == Mode::Merge {
        all[name].as_object_mut().expect("a definition is an object").remove("required");
    }
    Some(json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "allOf": [{"$ref": format!("#/definitions/{name}")}],
        "definitions": all,
    }))
}

struct Closer<'a> {
    definitions: &'a Map<String, Value>,
    mode: Mode,
    schema_locations: &'a [&'a str],
    extensions: &'a dyn Fn(&str) -> Map<String, Value>,
}

/// The attributes of an object, with those it takes over by `allOf`.
#[derive(Default)]
struct Shape {
    properties: Map<String, Value>,
    required: BTreeSet<String>,
}

impl Closer<'_> {
    fn definition(&self, name: &str, schema: &Value) -> Value {
        if !is_object(schema) {
            return self.nested(schema);
        }
        let mut shape = self.shape(schema);
        shape.properties.extend((self.extensions)(name));
        let subtypes = self.subtypes(name);
        if !self.is_request() {
            let types: BTreeSet<&str> = subtypes.iter().map(|(name, _)| name.as_str()).chain([name]).collect();
            if shape.properties.contains_key("@type") {
                shape.properties.insert("@type".to_owned(), json!({"enum": types}));
            }
        }
        self.close(shape, &subtypes)
    }

    /// A schema inside another: a reference, an array, a scalar, or an object without a name of its own.
    fn nested(&self, schema: &Value) -> Value {
        if let Some(reference) = schema.get("$ref") {
            return json!({"$ref": reference});
        }
        if schema.get("properties").is_some() || schema.get("allOf").is_some() {
            return self.close(self.shape(schema), &[]);
        }
        let mut plain = Map::new();
        for keyword in ["type", "format", "enum", "minimum", "maximum", "pattern", "minLength", "maxLength"] {
            if let Some(value) = schema.get(keyword) {
                plain.insert(keyword.to_owned(), value.clone());
            }
        }
        if let Some(items) = schema.get("items") {
            plain.insert("items".to_owned(), self.nested(items));
        }
        if let Some(least) = schema.get("minItems").filter(|_| self.mode != Mode::Selection) {
            plain.insert("minItems".to_owned(), least.clone());
        }
        Value::Object(plain)
    }

    fn shape(&self, schema: &Value) -> Shape {
        let mut shape = Shape::default();
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let part = match referenced(part) {
                Some(name) => self.shape(&self.definitions[name]),
                None => self.shape(part),
            };
            shape.properties.extend(part.properties);
            shape.required.extend(part.required);
        }
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            shape.properties.insert(name.clone(), self.nested(property));
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            shape.required.insert(name.to_owned());
            // TMF641's ServiceOrderItemRef requires an `id` that it does not declare; without this nothing would fit it.
            shape.properties.entry(name).or_insert_with(|| json!({"type": "string"}));
        }
        shape
    }

    /// What `@type` may say instead of the name of the definition, with the attributes that come with it.
    fn subtypes(&self, name: &str) -> Vec<(String, Map<String, Value>)> {
        let mut found = Vec::new();
        if let Some(base) = name.strip_suffix("RefOrValue") {
            for candidate in [base.to_owned(), format!("{base}Ref")] {
                let shape = self.definitions.get(&candidate).map(|schema| self.shape(schema));
                found.push((candidate, shape.unwrap_or_default().properties));
            }
        }
        for (candidate, schema) in self.definitions {
            if candidate != name && self.is_built_on(schema, name) {
                found.push((candidate.clone(), self.shape(schema).properties));
            }
        }
        found
    }

    fn is_built_on(&self, schema: &Value, name: &str) -> bool {
        let mut parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten().filter_map(referenced);
        parts.any(|part| part == name || self.is_built_on(&self.definitions[part], name))
    }

    fn close(&self, mut shape: Shape, subtypes: &[(String, Map<String, Value>)]) -> Value {
        let names: Map<String, Value> = shape.properties.keys().map(|name| (name.clone(), json!(true))).collect();
        let mut closure = json!({"properties": names, "additionalProperties": false});
        for (subtype, properties) in subtypes {
            // The official schema of the place always holds; the subtype only adds attributes.
            let mut allowed = properties.clone();
            allowed.extend(names.clone());
            closure = json!({
                "if": {"required": ["@type"], "properties": {"@type": {"const": subtype}}},
                "then": {"properties": allowed, "additionalProperties": false},
                "else": closure,
            });
        }
        if self.is_request() || !self.schema_locations.is_empty() {
            let location = if self.is_request() { json!(true) } else { json!({"enum": self.schema_locations}) };
            closure = json!({
                "if": {"required": ["@schemaLocation"], "properties": {"@schemaLocation": location}},
                "then": true,
                "else": closure,
            });
        }
        if !self.is_request() && !shape.required.contains("@schemaLocation") {
            let location =
                if self.schema_locations.is_empty() { json!(false) } else { json!({"enum": self.schema_locations}) };
            shape.properties.insert("@schemaLocation".to_owned(), location);
        }
        let required = if self.mode == Mode::Selection { BTreeSet::new() } else { shape.required };
        json!({"type": "object", "properties": shape.properties, "required": required, "allOf": [closure]})
    }

    fn is_request(&self) -> bool {
        matches!(self.mode, Mode::Create | Mode::Merge)
    }
}

fn is_object(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "object")
        || schema.get("properties").is_some()
        || schema.get("allOf").is_some()
}

fn referenced(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/definitions/")
}
