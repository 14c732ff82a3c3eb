//! The page of all operations, `docs/OPERATIONS.md`: made from the registry, compared with the file by a test.

use std::fmt::Write as _;

use schemars::Schema;
use serde_json::Value;

use crate::operations::{Audience, Declared, Effect, Registry};

const HEAD: &str = "\
# Operations

Everything that one can do, made from the registry of operations: `UPDATE_DOCS=1 cargo test --test it operations_page`
writes this page anew. An operation is called with `POST /ops/v1/{name}` and a JSON object, or with
`bss op {name} --json '{…}'`; `bss op --describe {name}` shows the same as this page, with the whole schemas. Names in
the arguments may be camelCase or snake_case; answers are camelCase. An unknown argument is refused.

Effect: *read* changes nothing, *write* can be done again or undone, *destructive* cannot be undone and asks for consent
on the command line. Audience: *admin* and *hidden* need a token with the scope admin; *hidden* ones are for tests and
scenarios.
";

/// The page as Markdown.
pub fn markdown<S: Send + Sync + 'static>(registry: &Registry<S>) -> String {
    let mut page = HEAD.to_owned();
    let mut noun = "";
    for declared in registry.iter() {
        let own = declared.name.split('.').next().unwrap_or(declared.name);
        if own != noun {
            noun = own;
            let _ = write!(page, "\n## {noun}\n");
        }
        section(&mut page, declared);
    }
    page
}

fn section<S>(page: &mut String, declared: &Declared<S>) {
    let effect = match declared.effect {
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::Destructive => "destructive",
    };
    let audience = match declared.audience {
        Audience::Operator => "",
        Audience::Admin => ", admin",
        Audience::Hidden => ", hidden",
    };
    let description = declared.description().replace('\n', " ");
    let _ = write!(page, "\n### {}\n\n*{effect}{audience}* · {description}\n", declared.name);
    arguments(page, &declared.arguments);
    let result = shape(declared.result.as_value(), declared.result.as_value());
    let _ = write!(page, "\nAnswers {result}.\n");
    if !declared.rules.is_empty() {
        let rules: Vec<String> = declared.rules.iter().map(|rule| format!("`{}`", rule.id())).collect();
        let _ = write!(page, "\nRules: {}.\n", rules.join(", "));
    }
    if declared.example != "{}" {
        let _ = write!(page, "\n```json\n{}\n```\n", declared.example);
    }
}

fn arguments(page: &mut String, schema: &Schema) {
    let Some(properties) =
        schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty())
    else {
        return;
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    page.push_str("\n| argument | type | |\n|---|---|---|\n");
    for (name, property) in properties {
        let mut notes = Vec::new();
        if required.contains(&name.as_str()) {
            notes.push("required".to_owned());
        }
        if let Some(default) = property.get("default").filter(|default| !default.is_null()) {
            notes.push(format!("default `{default}`"));
        }
        notes.extend(property.get("description").and_then(Value::as_str).map(|text| text.replace('\n', " ")));
        let kind = shape(property, schema.as_value()).replace('|', "or");
        let _ = writeln!(page, "| `{name}` | {kind} | {} |", notes.join("; ").replace('|', "\\|"));
    }
}

/// What a value looks like, in a few words; `root` has the definitions.
fn shape(schema: &Value, root: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
        return shape(target, root);
    }
    for kind in ["anyOf", "oneOf", "allOf"] {
        if let Some(variants) = schema[kind].as_array() {
            let mut shapes: Vec<String> =
                variants.iter().map(|variant| shape(variant, root)).filter(|shape| shape != "null").collect();
            shapes.dedup();
            return shapes.join(" | ");
        }
    }
    if let Some(value) = schema.get("const").and_then(Value::as_str) {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        return values.join(" | ");
    }
    match kind(schema) {
        "array" => format!("a list of {}", shape(&schema["items"], root)),
        "object" => match schema["properties"].as_object() {
            Some(properties) => {
                let names: Vec<String> = properties.keys().map(|name| format!("`{name}`")).collect();
                format!("{{{}}}", names.join(", "))
            }
            None => "an object".to_owned(),
        },
        "string" => schema["format"].as_str().unwrap_or("string").to_owned(),
        "" => "any value".to_owned(),
        other => other.to_owned(),
    }
}

/// The type, without the null of an optional value.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::{catalog, platform};

    #[test]
    fn an_operation_is_shown_with_arguments_result_rules_and_example() {
        let page = markdown(&catalog::register(platform::register(Registry::default())));
        let section = page.split("### catalog.get_active_price\n").nth(1).and_then(|rest| rest.split("### ").next());
        let section = section.unwrap_or_default();
        eprintln!("{page}");
        for part in
            ["*read* · ", "| `offeringId` | string | required; ", "Rules: `catalog.price.no_active_row`.", "\"PLAN_M\""]
        {
            assert!(section.contains(part), "{part} is not in {section}");
        }
    }
}
