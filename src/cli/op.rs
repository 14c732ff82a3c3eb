//! `bss op`: any operation by its name, with the registry of the server as the only source of what there is.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::error::CliError;
use super::session::{Gate, Outcome, Session};
use crate::render::{self, text};

/// Nobody knows how long an operation takes that this program does not know.
const TIMEOUT: Duration = Duration::from_mins(10);

/// An operation, or a question about operations.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  bss op --list
  bss op --describe usage.simulate
  bss op customer.get --arg customerId=CUST-0a1b2c3d4e5f
  bss op usage.simulate --json '{\"msisdn\": \"90000042\", \"eventType\": \"data\", \"quantity\": 100}'
  bss op order.cancel --arg orderId=ORD-0042 --yes")]
pub struct OpArgs {
    /// Name of the operation
    #[arg(value_name = "NAME", required_unless_present_any = ["list", "describe"])]
    name: Option<String>,
    /// Arguments as a JSON object; - reads it from standard input
    #[arg(long, value_name = "JSON", requires = "name")]
    json: Option<String>,
    /// One argument; its type is that of the operation
    #[arg(long = "arg", value_name = "KEY=VALUE", requires = "name", value_parser = key_value)]
    args: Vec<(String, String)>,
    /// List the operations
    #[arg(long, conflicts_with_all = ["name", "describe"])]
    list: bool,
    /// With --list, also those that are not meant for everyday use
    #[arg(long, requires = "list")]
    all: bool,
    /// Explain an operation
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    describe: Option<String>,
    #[command(flatten)]
    gate: Gate,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("an argument looks like key=value".into()),
    }
}

pub(super) async fn run(args: OpArgs, session: &mut Session<'_>) -> Outcome {
    if args.list {
        return list(args.all, session).await;
    }
    if let Some(name) = &args.describe {
        let registry = session.client.operations().await?;
        let operation = find(name, &registry)?.clone();
        return session.show(&operation, render::operation::page);
    }
    match &args.name {
        Some(name) => call(name, &args, session).await,
        None => Err(CliError::Usage("which operation? bss op --list shows them".into())),
    }
}

async fn list(all: bool, session: &mut Session<'_>) -> Outcome {
    let registry = session.client.operations().await?;
    let shown = text::rows(&registry).iter().filter(|operation| all || operation["hidden"] != true).cloned();
    let shown: Value = shown.collect();
    session.show(&shown, render::operation::list)
}

async fn call(name: &str, args: &OpArgs, session: &mut Session<'_>) -> Outcome {
    let mut arguments = match args.json.as_deref() {
        None => Map::new(),
        Some("-") => object(&session.console.read_all()?)?,
        Some(text) => object(text)?,
    };
    // The registry says what an operation does and what types it takes; with consent and JSON given neither matters.
    if !args.gate.yes || !args.args.is_empty() {
        let registry = session.client.operations().await?;
        let operation = find(name, &registry)?;
        for (key, value) in &args.args {
            arguments.insert(key.clone(), typed(key, value, &operation["arguments"])?);
        }
        if operation["effect"] == "destructive" {
            session.confirm(args.gate, &format!("{name} cannot be undone."))?;
        }
    }
    let answer = session.client.call_by_name(name, &arguments.into(), TIMEOUT).await?;
    session.show(&answer, render::generic::any)
}

fn object(text: &str) -> Result<Map<String, Value>, CliError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(CliError::Usage("the arguments must be a JSON object".into())),
        Err(error) => Err(CliError::Usage(format!("the arguments are not JSON: {error}"))),
    }
}

fn find<'a>(name: &str, registry: &'a Value) -> Result<&'a Value, CliError> {
    let operations = text::rows(registry);
    operations.iter().find(|operation| operation["name"] == name).ok_or_else(|| unknown(name, operations))
}

fn unknown(name: &str, operations: &[Value]) -> CliError {
    let names = operations.iter().filter_map(|operation| operation["name"].as_str());
    let message = match names.min_by_key(|known| distance(known, name)).filter(|known| distance(known, name) <= 4) {
        Some(near) => format!("there is no operation '{name}'; did you mean '{near}'?"),
        None => format!("there is no operation '{name}'"),
    };
    CliError::UnknownOperation(message)
}

/// How many letters one has to change to get from one name to the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}

/// What was typed as a value of the argument's type: text where the schema takes text, else JSON.
fn typed(key: &str, value: &str, schema: &Value) -> Result<Value, CliError> {
    let property = &schema["properties"][camel_case(key)];
    if property.is_null() || takes_text(property, schema) {
        return Ok(value.into());
    }
    serde_json::from_str(value)
        .map_err(|_| CliError::Usage(format!("'{value}' is no value for {key}; bss op --describe says what it takes")))
}

fn takes_text(property: &Value, schema: &Value) -> bool {
    if let Some(reference) = property["$ref"].as_str() {
        let target = schema.pointer(reference.trim_start_matches('#'));
        return target.is_some_and(|target| takes_text(target, schema));
    }
    let variants = ["anyOf", "oneOf", "allOf"].iter().filter_map(|kind| property[kind].as_array()).flatten();
    let is_text = |kind: &Value| kind == "string";
    match &property["type"] {
        Value::Array(kinds) => kinds.iter().any(is_text),
        Value::Null => {
            let values = property["enum"].as_array().into_iter().flatten().chain(property.get("const"));
            values.into_iter().any(Value::is_string) || variants.into_iter().any(|variant| takes_text(variant, schema))
        }
        kind => is_text(kind),
    }
}

fn camel_case(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |camel, word| {
        let mut letters = word.chars();
        let capital = letters.next().map(|letter| letter.to_ascii_uppercase());
        camel + &capital.into_iter().chain(letters).collect::<String>()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_take_the_type_of_the_argument() {
        let schema = json!({
            "properties": {
                "msisdn": {"type": "string"},
                "externalId": {"type": ["string", "null"]},
                "quantity": {"type": "integer"},
                "roamingIndicator": {"type": "boolean"},
                "unit": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}]},
                "kind": {"oneOf": [{"const": "data"}, {"const": "sms"}]},
                "tags": {"type": "array"},
            },
            "$defs": {"Unit": {"enum": ["mb", "count"]}},
        });
        let typed = |key, value| typed(key, value, &schema).expect("a value of its type");
        assert_eq!(typed("msisdn", "90000042"), json!("90000042"));
        assert_eq!(typed("externalId", "7"), json!("7"));
        assert_eq!(typed("external_id", "7"), json!("7"));
        assert_eq!(typed("quantity", "7"), json!(7));
        assert_eq!(typed("roaming_indicator", "true"), json!(true));
        assert_eq!(typed("unit", "mb"), json!("mb"));
        assert_eq!(typed("kind", "data"), json!("data"));
        assert_eq!(typed("tags", "[1]"), json!([1]));
        assert_eq!(typed("unknown", "7"), json!("7"), "the server says what it does not know");
        assert_eq!(super::typed("quantity", "many", &schema).expect_err("no number").exit_code(), 2);
    }

    #[test]
    fn a_mistyped_name_gets_a_suggestion() {
        let registry = json!([{"name": "order.create"}, {"name": "order.cancel"}]);
        let message = |name| find(name, &registry).expect_err("not there").to_string();
        assert_eq!(message("order.craete"), "there is no operation 'order.craete'; did you mean 'order.create'?");
        assert_eq!(message("something.else.entirely"), "there is no operation 'something.else.entirely'");
        assert_eq!(find("order.crate", &registry).expect_err("not there").exit_code(), 5);
    }
}
