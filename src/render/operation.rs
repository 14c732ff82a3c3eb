//! The registry: what can be done, and what one operation takes.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, grid, table};
use super::{Style, text};

const LIST: &[Column] = &[
    Column::field("OPERATION", "name"),
    Column::field("EFFECT", "effect").gives_way(),
    Column::field("FOR", "audience").gives_way(),
    Column::computed("DOES", |operation| first_line(&operation["description"])).may_be_cut(24),
];

/// Operations as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// One operation: its arguments, the rules it can raise, an example.
pub(crate) fn page(operation: &Value, style: Style) -> String {
    let inner = Page::inner(style);
    let description = operation["description"].as_str().unwrap_or_default();
    Page::new(style, &[&text::field(operation, "name")], "")
        .facts(&[("effect", text::field(operation, "effect")), ("for", text::field(operation, "audience"))])
        .section("Description", &text::clean(description))
        .section("Arguments", &arguments(&operation["arguments"], inner))
        .section(
            "Rules",
            &text::rows(&operation["rules"]).iter().map(|rule| text::scalar(rule) + "\n").collect::<String>(),
        )
        .section("Example", &example(operation))
        .finish()
}

/// What a dry run would have sent.
pub(crate) fn request(request: &Value, style: Style) -> String {
    let arguments = format!("{:#}", request["arguments"]);
    format!("{} {}\n{}\n", style.strong("would call"), text::field(request, "operation"), text::clean(&arguments))
}

fn example(operation: &Value) -> String {
    match &operation["example"] {
        Value::Null => String::new(),
        example => format!("bss op {} --json '{example}'", text::field(operation, "name")),
    }
}

fn arguments(schema: &Value, style: Style) -> String {
    let required = text::rows(&schema["required"]);
    let Some(properties) = schema["properties"].as_object() else { return String::new() };
    let row = |(name, property): (&String, &Value)| {
        let default = match &property["default"] {
            _ if required.iter().any(|required| required == name) => "required".to_owned(),
            Value::Null => "-".to_owned(),
            Value::String(text) => format!("={}", text::clean(text)),
            default => format!("={default}"),
        };
        vec![name.clone(), kind(property), default, first_line(&property["description"])]
    };
    let headings = ["NAME", "TYPE", "DEFAULT", "MEANING"].map(str::to_owned).to_vec();
    grid(style, headings, properties.iter().map(row).collect())
}

/// The JSON type of a property in one word; null only says that it may be left out.
fn kind(property: &Value) -> String {
    if let Some(reference) = property["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or(reference).to_owned();
    }
    if let Some(choices) = property["enum"].as_array() {
        return choices.iter().map(text::scalar).collect::<Vec<_>>().join("|");
    }
    if let Some(variants) = property["anyOf"].as_array().or_else(|| property["oneOf"].as_array()) {
        let kinds = variants.iter().map(kind).filter(|kind| kind != "null");
        return kinds.collect::<Vec<_>>().join("|");
    }
    match &property["type"] {
        Value::Array(kinds) => {
            kinds.iter().map(text::scalar).filter(|kind| kind != "null").collect::<Vec<_>>().join("|")
        }
        Value::Null => text::field(property, "const"),
        kind => text::scalar(kind),
    }
}

fn first_line(description: &Value) -> String {
    let line = description.as_str().unwrap_or_default().lines().next().unwrap_or_default();
    text::clean(line).into_owned()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn simulate() -> Value {
        json!({
            "name": "usage.simulate", "effect": "write", "audience": "operator", "hidden": false,
            "description": "Record one usage event as the network would.\n\nOnline: the answer is durable.",
            "rules": ["usage.record.positive_quantity"],
            "arguments": {
                "type": "object", "required": ["msisdn", "eventType", "quantity"],
                "properties": {
                    "msisdn": {"type": "string", "description": "The number."},
                    "eventType": {"enum": ["data", "voice", "sms"], "description": "What was used."},
                    "quantity": {"type": "integer", "minimum": 1},
                    "unit": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}]},
                    "roamingIndicator": {"type": "boolean", "default": false},
                    "externalId": {"type": ["string", "null"]},
                },
            },
            "example": {"msisdn": "90000000", "eventType": "data", "quantity": 100},
        })
    }

    #[test]
    fn the_list_shows_one_line_each() {
        assert_snapshot!(list(&json!([simulate()]), Style::default()), @"
        OPERATION       EFFECT  FOR       DOES
        usage.simulate  write   operator  Record one usage event as the network would.
        ");
    }

    #[test]
    fn a_page_explains_arguments_rules_and_an_example() {
        assert_snapshot!(page(&simulate(), Style::default()), @r#"
        usage.simulate
          effect  write
          for     operator

        Description
          Record one usage event as the network would.

          Online: the answer is durable.

        Arguments
          NAME              TYPE            DEFAULT   MEANING
          msisdn            string          required  The number.
          eventType         data|voice|sms  required  What was used.
          quantity          integer         required
          unit              Unit            -
          roamingIndicator  boolean         =false
          externalId        string          -

        Rules
          usage.record.positive_quantity

        Example
          bss op usage.simulate --json '{"msisdn":"90000000","eventType":"data","quantity":100}'
        "#);
    }
}
