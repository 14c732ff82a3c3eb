//! `src/platform/tmf/official.txt`, what callers may send, is made from the official files and never older than they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::support::page::is_committed;
use crate::support::tmf_gate::Api;

/// The definitions of the bodies that are read with it.
const ROOTS: &[(Api, &[&str])] = &[
    (
        Api::Tmf620,
        &[
            "Category_Create",
            "Category_Update",
            "ProductOffering_Create",
            "ProductOffering_Update",
            "ProductOfferingPrice_Create",
            "ProductOfferingPrice_Update",
            "ProductSpecification_Create",
            "ProductSpecification_Update",
        ],
    ),
    (Api::Tmf629, &["Customer_Update"]),
    (Api::Tmf635, &["Usage_Create"]),
    (Api::Tmf641, &["ServiceOrder_Create"]),
    (Api::Tmf654, &["TopupBalance_Create"]),
    (Api::Tmf670, &["PaymentMethod_Update"]),
    (Api::Tmf671, &["Promotion_Create"]),
    (Api::Tmf676, &["Payment_Create", "Refund_Create"]),
    (Api::Tmf683, &["PartyInteraction_Create"]),
];

struct Maker<'a> {
    definitions: &'a Map<String, Value>,
    wanted: Vec<String>,
}

impl Maker<'_> {
    /// Attributes with what is taken over by `allOf`, and the required ones.
    fn shape(&self, schema: &Value) -> (Map<String, Value>, Vec<String>) {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = part["$ref"].as_str().map_or(part, |name| &self.definitions[short(name)]);
            let (more, needed) = self.shape(part);
            properties.extend(more);
            required.extend(needed);
        }
        properties.extend(schema["properties"].as_object().cloned().unwrap_or_default());
        required
            .extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        (properties, required)
    }

    fn kind(&mut self, schema: &Value) -> String {
        if let Some(name) = schema["$ref"].as_str().map(short) {
            let target = &self.definitions[name];
            if self.shape(target).0.is_empty() {
                return self.kind(target);
            }
            self.wanted.push(name.to_owned());
            return name.to_owned();
        }
        if let Some(items) = schema.get("items") {
            let least = schema["minItems"].as_u64().unwrap_or_default();
            return format!("[{}]{}", self.kind(items), if least > 0 { "+" } else { "" });
        }
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            return format!("={}", words.join("|"));
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("string"), Some("date-time")) => "time",
            (Some("string"), _) => "text",
            (Some("boolean"), _) => "flag",
            (Some("integer"), _) => "whole",
            (Some("number"), _) => "number",
            _ => "any",
        }
        .to_owned()
    }
}

fn short(reference: &str) -> &str {
    reference.trim_start_matches("#/definitions/")
}

fn table() -> String {
    let mut table = String::new();
    for (api, roots) in ROOTS {
        let definitions = api.definition()["definitions"].as_object().expect("definitions");
        let mut maker = Maker { definitions, wanted: roots.iter().map(|name| (*name).to_owned()).collect() };
        let mut lines = BTreeMap::new();
        while let Some(name) = maker.wanted.pop() {
            if lines.contains_key(&name) {
                continue;
            }
            let (properties, required) = maker.shape(&definitions[&name]);
            let attributes: Vec<String> = properties
                .iter()
                .map(|(attribute, schema)| {
                    let mark = if required.contains(attribute) { "!" } else { "" };
                    format!("{attribute}{mark}:{}", maker.kind(schema))
                })
                .collect();
            lines.insert(name, attributes.join(" "));
        }
        for (name, attributes) in lines {
            table.push_str(&format!("{}.{name} {attributes}\n", format!("{api:?}").to_uppercase()));
        }
    }
    table
}

#[test]
fn the_table_of_official_bodies_is_made_from_the_official_files() {
    is_committed("src/platform/tmf/official.txt", &table(), "official::");
}
